//! Local ports in use towards one peer, against `ip_local_port_range`: a new connection to the API server needs one that
//! no other connection to it has, those in TIME-WAIT included (ip(7)).

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::net::IpAddr;

use super::limits::Use;
use super::look::blocking;
use super::network::{Net, api_addresses};
use super::scene::Scene;
use crate::host::Host;

/// Of each of the two tables 16 MiB are read: about 100,000 sockets.
const TABLE: u64 = 16 << 20;
/// Peers told apart.
const PEERS: usize = 65_536;

/// State `LISTEN` (`include/net/tcp_states.h`).
const LISTEN: &str = "0A";

/// The busiest address of the API server; where its address is not known, the busiest peer on its port, or of all.
pub(super) async fn used(scene: &Scene, net: Net) -> Option<Use> {
    let range = scene
        .host
        .text("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .filter(|_| net.ours)?;
    let mut words = range.split_whitespace().map(str::parse::<u16>);
    let (low, high) = (words.next()?.ok()?, words.next()?.ok()?);
    let addresses = api_addresses(&scene.host, &scene.world);
    let port = scene.world.kubeconfig.server.as_ref().map(|e| e.port);
    let host = scene.host.clone();
    let wanted =
        move |ip: IpAddr, to: u16| (addresses.is_empty() || addresses.contains(&ip)) && port.is_none_or(|p| p == to);
    let busiest = blocking(move || busiest(&host, net, (low, high), wanted))
        .await
        .flatten();
    let max = u64::from(high.saturating_sub(low)) + 1;
    let mut used = Use::new(
        "ephemeral-ports",
        "local ports in use towards one peer",
        (busiest.map_or(0, |b| b.1), max),
    );
    if let Some(((ip, port), _)) = busiest {
        used.more = format!(" towards {}", std::net::SocketAddr::new(ip, port));
        used.words = "local ports in use";
    }
    Some(used)
}

type Busiest = Option<((IpAddr, u16), u64)>;

fn busiest(host: &Host, net: Net, range: (u16, u16), wanted: impl Fn(IpAddr, u16) -> bool) -> Busiest {
    let mut peers: HashMap<(IpAddr, u16), u64> = HashMap::new();
    for table in ["tcp", "tcp6"] {
        let Ok(file) = host.open(net.path(table)) else { continue };
        for line in BufReader::new(file.take(TABLE)).lines().map_while(Result::ok).skip(1) {
            let Some((local, peer, state)) = socket(&line) else {
                continue;
            };
            if state == LISTEN || !(range.0..=range.1).contains(&local) || !wanted(peer.0, peer.1) {
                continue;
            }
            if peers.len() < PEERS || peers.contains_key(&peer) {
                *peers.entry(peer).or_default() += 1;
            }
        }
    }
    peers.into_iter().max_by_key(|(peer, n)| (*n, *peer))
}

/// Local port, peer and state of `sl local_address rem_address st …`.
fn socket(line: &str) -> Option<(u16, (IpAddr, u16), &str)> {
    let mut words = line.split_whitespace().skip(1);
    let (local, remote, state) = (words.next()?, words.next()?, words.next()?);
    let port = |text: &str| u16::from_str_radix(text.rsplit_once(':')?.1, 16).ok();
    Some((
        port(local)?,
        (address(remote.split_once(':')?.0)?, port(remote)?),
        state,
    ))
}

/// Words of 32 bits in the machine's order.
fn address(hex: &str) -> Option<IpAddr> {
    let words: Vec<[u8; 4]> = (0..hex.len() / 8)
        .map(|n| Some(u32::from_str_radix(hex.get(n * 8..n * 8 + 8)?, 16).ok()?.to_ne_bytes()))
        .collect::<Option<_>>()?;
    match words[..] {
        [v4] => Some(IpAddr::from(v4)),
        [_, _, _, _] => {
            let bytes: [u8; 16] = words.concat().try_into().ok()?;
            Some(IpAddr::from(bytes).to_canonical())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::test_scene::{captured, write};
    use crate::world::Endpoint;

    const TCP: &str = "  sl  local_address rem_address   st
   0: 0100007F:2808 00000000:0000 0A
   1: 0B00630A:9CEA 0100630A:192B 01
   2: 0B00630A:9CEB 0100630A:192B 06
   3: 0B00630A:9CEC 0200630A:192B 01
   4: 0B00630A:0016 0100630A:192B 01
   5: 0B00630A:9CED 0900630A:01BB 01
   6: 0B00630A:9CEE 0900630A:01BB 01
   7: 0B00630A:9CEF 0900630A:01BB 01
";
    const TCP6: &str = "  sl  local_address rem_address   st
   0: 0000000000000000FFFF00000B00630A:9CF0 0000000000000000FFFF00000100630A:192B 01
";

    #[tokio::test]
    async fn towards_the_api_server_with_those_that_wait() {
        let dir = tempfile::tempdir().unwrap();
        write(&dir, "/proc/net/dev", "");
        write(&dir, "/proc/net/tcp", TCP);
        write(&dir, "/proc/net/tcp6", TCP6);
        let mut scene = captured(&dir);
        let net = Net::of(&scene.host).unwrap();
        assert_eq!(used(&scene, net).await, None);
        write(&dir, "/proc/sys/net/ipv4/ip_local_port_range", "40000\t40999\n");
        let all = used(&scene, net).await.unwrap();
        assert_eq!((all.used, all.max), (3, 1000));
        scene.world.kubeconfig.server = Some(Endpoint {
            host: "api.test".into(),
            port: 6443,
            path: String::new(),
        });
        let api = used(&scene, net).await.unwrap();
        assert_eq!((api.used, api.more.as_str()), (3, " towards 10.99.0.1:6443"));
        scene.world.kubeconfig.server = Some(Endpoint {
            host: "10.99.0.2".into(),
            port: 6443,
            path: String::new(),
        });
        assert_eq!(used(&scene, net).await.unwrap().used, 1);
    }
}
