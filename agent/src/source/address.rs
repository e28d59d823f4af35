//! Whether the node still has the address that the kubelet was told to register (`--node-ip`).
//!
//! Without that setting nobody has said which address the node is known by, and nothing is stated.

use std::net::IpAddr;
use std::time::Duration;

use super::look::{Look, Looking, Sampler};
use super::network::{GRANT, Net, is_link_local};
use super::scene::Scene;
use crate::grammar::fact::{Fact, Kind};
use crate::host::Host;

/// The node's own address.
#[derive(Debug, Default)]
pub struct Address;

/// Other addresses named at most.
const NAMED: usize = 8;

impl Sampler for Address {
    fn name(&self) -> &'static str {
        "node-address"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::NodeAddress]
    }

    fn budget(&self) -> Duration {
        Duration::from_secs(3)
    }

    fn look<'a>(&'a mut self, scene: &'a Scene) -> Looking<'a> {
        Box::pin(async move {
            let mut look = Look::default();
            // 0.0.0.0 and :: only choose the family (kubelet, --node-ip)
            let wanted: Vec<IpAddr> = scene
                .world
                .settings
                .node_ips
                .iter()
                .copied()
                .filter(|ip| !ip.is_unspecified())
                .collect();
            if wanted.is_empty() {
                return look;
            }
            let has = match Net::of(&scene.host) {
                Ok(net) => addresses(net, &scene.host),
                Err(why) => {
                    look.missed(Kind::NodeAddress, why.to_string(), Some(GRANT));
                    return look;
                }
            };
            for ip in wanted {
                say(&mut look, ip, &has);
            }
            look
        })
    }
}

/// All addresses; where the node's name space is this process's, also those on devices that are down, which the kubelet
/// sees too.
fn addresses(net: Net, host: &Host) -> Vec<IpAddr> {
    let mut all = net.addresses(host);
    if net.ours && host.is_live() {
        all.extend(
            if_addrs::get_if_addrs()
                .unwrap_or_default()
                .iter()
                .map(if_addrs::Interface::ip),
        );
        all.retain(|ip| !ip.is_loopback() && !is_link_local(*ip));
        all.sort();
        all.dedup();
    }
    all
}

fn say(look: &mut Look, ip: IpAddr, has: &[IpAddr]) {
    let there = has.contains(&ip);
    let others: Vec<String> = has
        .iter()
        .filter(|a| **a != ip)
        .take(NAMED)
        .map(ToString::to_string)
        .collect();
    let others = others.join(",");
    let text = if there {
        format!("node address {ip}  is on an interface")
    } else if others.is_empty() {
        format!("node address {ip}  is on no interface, and there is no other address")
    } else {
        format!("node address {ip}  is on no interface; there are {others}")
    };
    let fact = Fact::new(Kind::NodeAddress)
        .with("state", if there { "present" } else { "absent" })
        .with_text("address", ip.to_string())
        .with_text("has", others);
    look.saw(text, fact);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::network::tests::TRIE;
    use crate::source::test_scene::{captured, run, write};

    fn scene(dir: &tempfile::TempDir, ips: &[&str]) -> Scene {
        let mut scene = captured(dir);
        scene.world.settings.node_ips = ips.iter().map(|ip| ip.parse().unwrap()).collect();
        scene
    }

    #[tokio::test]
    async fn present_absent_and_not_known() {
        let dir = tempfile::tempdir().unwrap();
        write(&dir, "/proc/net/dev", "");
        write(&dir, "/proc/net/fib_trie", TRIE);
        let look = run(&mut Address, &scene(&dir, &["10.99.0.11", "10.0.0.5", "::"])).await;
        let states: Vec<_> = look.readings.iter().map(|r| r.facts[0].text("state")).collect();
        assert_eq!(states, [Some("present"), Some("absent")]);
        assert_eq!(
            look.readings[1].text,
            "node address 10.0.0.5  is on no interface; there are 10.99.0.11"
        );
        assert_eq!(run(&mut Address, &scene(&dir, &[])).await, Look::default());
    }

    #[tokio::test]
    async fn no_network_is_a_gap() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(run(&mut Address, &scene(&dir, &["10.0.0.5"])).await.blind.len(), 1);
    }
}
