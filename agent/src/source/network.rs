//! The node's own network name space: its routes, addresses and neighbours, as files of `/proc`.
//!
//! `/proc/net` is that of whoever reads it. In a pod without the host's network it is the pod's, so PID 1's files come
//! first. Settings below `/proc/sys/net` always are the reader's: they count only where both name spaces are the same.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::MetadataExt;

use crate::host::{Host, Unreadable};
use crate::world::World;

/// What lets a source see the node's network.
pub(super) const GRANT: &str = "hostNetwork: true, or the node's /proc at /host/proc, read-only";

/// The node's view of its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Net {
    dir: &'static str,
    /// Whether what this process sees by itself (settings, addresses of its own) is the node's too.
    pub(super) ours: bool,
}

/// A route of the main table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) device: String,
    to: IpAddr,
    /// Bits of the destination.
    prefix: u32,
    pub(super) gateway: Option<IpAddr>,
    /// `unreachable`, `blackhole` or `prohibit`.
    pub(super) rejects: bool,
    metric: u32,
}

/// What the neighbour table says of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Neighbor {
    /// Its hardware address is known.
    Reachable,
    /// It was asked for and did not answer.
    Failed,
    /// There is no entry, or nobody says (IPv6).
    Unknown,
}

/// Flags of a route, include/uapi/linux/route.h and `ipv6_route.h`.
const RTF_UP: u32 = 0x1;
const RTF_REJECT: u32 = 0x200;
const RTF_LOCAL: u32 = 0x8000_0000;

impl Net {
    /// The error says why the node's network can't be seen.
    pub(super) fn of(host: &Host) -> Result<Self, Unreadable> {
        let theirs = host.metadata("/proc/1/net/dev");
        if !host.is_live() {
            let dir = if theirs.is_ok() { "/proc/1/net" } else { "/proc/net" };
            return host.metadata(format!("{dir}/dev")).map(|_| Self { dir, ours: true });
        }
        // Every name space has files of its own with inode numbers of their own (fs/proc/generic.c), so that this needs
        // no right to read the links in /proc/PID/ns.
        let own = host
            .own()
            .and_then(|own| Host::at(own).metadata("/proc/self/net/dev").ok());
        match theirs {
            Ok(theirs) => Ok(Self {
                dir: "/proc/1/net",
                ours: own.is_some_and(|own| own.ino() == theirs.ino()),
            }),
            Err(_) if host.is_here() => Ok(Self {
                dir: "/proc/self/net",
                ours: true,
            }),
            Err(why) => Err(why),
        }
    }

    /// One of the files: `dev`, `route`, `tcp`, …
    pub(super) fn text(self, host: &Host, file: &str) -> Result<String, Unreadable> {
        host.text(self.path(file))
    }

    /// Where one of the files is.
    pub(super) fn path(self, file: &str) -> String {
        format!("{}/{file}", self.dir)
    }

    /// All routes that are up; local ones and the kernel's own refusal of everything (IPv6) are left out.
    pub(super) fn routes(self, host: &Host) -> Result<Vec<Route>, Unreadable> {
        let v4 = self.text(host, "route")?;
        let v6 = self.text(host, "ipv6_route").unwrap_or_default();
        Ok(v4
            .lines()
            .skip(1)
            .filter_map(route_v4)
            .chain(v6.lines().filter_map(route_v6))
            .collect())
    }

    /// The addresses that the node has, without loopback and link-local ones. IPv4 addresses of a device that is down
    /// are not among them: the kernel takes them out of its local table.
    pub(super) fn addresses(self, host: &Host) -> Vec<IpAddr> {
        let v4 = self.text(host, "fib_trie").unwrap_or_default();
        let v6 = self.text(host, "if_inet6").unwrap_or_default();
        let mut all: Vec<IpAddr> = locals_v4(&v4);
        all.extend(
            v6.lines()
                .filter_map(|l| hex_v6(l.split_whitespace().next()?))
                .map(IpAddr::V6),
        );
        all.retain(|ip| !ip.is_loopback() && !is_link_local(*ip));
        all.sort();
        all.dedup();
        all
    }

    /// What is known of a neighbour; proc's `arp` has those of IPv4 only.
    pub(super) fn neighbor(self, host: &Host, ip: IpAddr) -> Neighbor {
        let table = self.text(host, "arp").unwrap_or_default();
        let wanted = ip.to_string();
        let flags = table.lines().skip(1).find_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            (words.first() == Some(&wanted.as_str())).then(|| hex(words.get(2)?))?
        });
        match flags {
            // ATF_COM, include/uapi/linux/if_arp.h
            Some(flags) if flags & 0x2 != 0 => Neighbor::Reachable,
            Some(_) => Neighbor::Failed,
            None => Neighbor::Unknown,
        }
    }
}

impl Route {
    /// Whether it is a default route.
    pub(super) fn is_default(&self) -> bool {
        self.prefix == 0
    }

    /// Whether an address is in its destination.
    pub(super) fn covers(&self, ip: IpAddr) -> bool {
        match (self.to, ip) {
            (IpAddr::V4(to), IpAddr::V4(ip)) => {
                shares(u128::from(to.to_bits()), u128::from(ip.to_bits()), self.prefix, 32)
            }
            (IpAddr::V6(to), IpAddr::V6(ip)) => shares(to.to_bits(), ip.to_bits(), self.prefix, 128),
            _ => false,
        }
    }
}

/// The route that the kernel takes: the longest destination, then the smallest metric. Rules that choose other tables are
/// not seen.
pub(super) fn best<'a>(routes: impl IntoIterator<Item = &'a Route>) -> Option<&'a Route> {
    routes
        .into_iter()
        .max_by_key(|r| (r.prefix, std::cmp::Reverse(r.metric)))
}

/// The API server's addresses as far as the node's own files tell: an address in the kubeconfig, a name in `/etc/hosts`;
/// behind a load balancer on the node itself, the servers that it is known to have.
pub(super) fn api_addresses(host: &Host, world: &World) -> Vec<IpAddr> {
    let hosts = host.text("/etc/hosts").unwrap_or_default();
    let of = |name: &str| -> Vec<IpAddr> { name.parse().map_or_else(|_| named(&hosts, name), |ip| vec![ip]) };
    let mut all: Vec<IpAddr> = world.kubeconfig.server.iter().flat_map(|e| of(&e.host)).collect();
    if all.iter().all(IpAddr::is_loopback) {
        all = world.peers.iter().flat_map(|e| of(&e.host)).collect();
    }
    all.retain(|ip| !ip.is_loopback());
    all
}

fn named(hosts: &str, name: &str) -> Vec<IpAddr> {
    hosts
        .lines()
        .map(|l| l.split('#').next().unwrap_or_default())
        .filter(|l| l.split_whitespace().skip(1).any(|w| w.eq_ignore_ascii_case(name)))
        .filter_map(|l| l.split_whitespace().next()?.parse().ok())
        .collect()
}

fn shares(a: u128, b: u128, prefix: u32, bits: u32) -> bool {
    // A shift by all bits would be none.
    prefix == 0 || (a ^ b).checked_shr(bits.saturating_sub(prefix)).unwrap_or(0) == 0
}

fn hex(text: &str) -> Option<u32> {
    u32::from_str_radix(text.trim_start_matches("0x"), 16).ok()
}

/// An IPv4 address as /proc writes it: the bytes in the machine's order.
fn hex_v4(text: &str) -> Option<Ipv4Addr> {
    (text.len() == 8).then(|| hex(text).map(|n| Ipv4Addr::from(n.to_ne_bytes())))?
}

/// An IPv6 address as 32 digits in network order, as `if_inet6` and `ipv6_route` write it.
fn hex_v6(text: &str) -> Option<Ipv6Addr> {
    (text.len() == 32).then(|| u128::from_str_radix(text, 16).ok().map(Ipv6Addr::from_bits))?
}

/// `Iface Destination Gateway Flags RefCnt Use Metric Mask …`
fn route_v4(line: &str) -> Option<Route> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let flags = hex(words.get(3)?)?;
    let gateway = hex_v4(words.get(2)?)?;
    (flags & RTF_UP != 0).then_some(Route {
        device: (*words.first()?).to_owned(),
        to: hex_v4(words.get(1)?)?.into(),
        prefix: hex_v4(words.get(7)?)?.to_bits().count_ones(),
        gateway: (!gateway.is_unspecified()).then_some(gateway.into()),
        rejects: flags & RTF_REJECT != 0,
        metric: words.get(6)?.parse().ok()?,
    })
}

/// `destination prefix source prefix next-hop metric references use flags device`, all in hexadecimal.
fn route_v6(line: &str) -> Option<Route> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (flags, metric) = (hex(words.get(8)?)?, hex(words.get(5)?)?);
    let gateway = hex_v6(words.get(4)?)?;
    let to = hex_v6(words.first()?)?;
    let rejects = flags & RTF_REJECT != 0;
    // The kernel ends the table with a route that refuses everything.
    let null = rejects && metric == u32::MAX;
    let special = flags & RTF_LOCAL != 0 || to.is_multicast() || to.is_unicast_link_local();
    (!null && !special && (rejects || flags & RTF_UP != 0)).then_some(Route {
        device: (*words.get(9)?).to_owned(),
        to: to.into(),
        prefix: hex(words.get(1)?)?,
        gateway: (!gateway.is_unspecified()).then_some(gateway.into()),
        rejects,
        metric,
    })
}

/// Leaves of the trie that are an address of this host: `|-- 10.0.0.1` and below it `/32 host LOCAL`.
fn locals_v4(trie: &str) -> Vec<IpAddr> {
    let mut leaf = None;
    let mut found = Vec::new();
    for line in trie.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse::<Ipv4Addr>().ok();
        } else if line == "/32 host LOCAL" {
            found.extend(leaf.map(IpAddr::V4));
        }
    }
    found
}

/// Whether an address is valid on one link only.
pub(super) fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::source::test_scene::{fixture_dir, write};
    use crate::world::Endpoint;

    /// Tables of a node as a kernel wrote them.
    pub(in crate::source) const TRIE: &str = "\
Local:
  +-- 0.0.0.0/0 3 0 5
     |-- 127.0.0.1
        /32 host LOCAL
     +-- 10.99.0.0/24 2 0 2
        |-- 10.99.0.0
           /24 link UNICAST
        |-- 10.99.0.11
           /32 host LOCAL
        |-- 10.99.0.255
           /32 link BROADCAST
";

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn routes_of_a_captured_node() {
        let host = Host::at(fixture_dir("healthy"));
        let net = Net::of(&host).unwrap();
        let routes = net.routes(&host).unwrap();
        assert_eq!(routes.len(), 3);
        let to = |a: &str| best(routes.iter().filter(|r| r.covers(ip(a)))).unwrap();
        assert_eq!(
            (to("10.98.0.7").device.as_str(), to("10.98.0.7").gateway),
            ("enp0s3", None)
        );
        assert_eq!(to("8.8.8.8").gateway, Some(ip("10.99.0.1")));
        assert!(to("8.8.8.8").is_default() && !to("10.99.0.1").is_default());
    }

    #[test]
    fn the_kernels_own_refusal_is_no_route() {
        let zero = "0".repeat(32);
        let null = format!("{zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200       lo");
        let refused = format!("{zero} 00 {zero} 00 {zero} 00000400 00000001 00000000 00200200       lo");
        let default =
            format!("{zero} 00 {zero} 00 fd000000000000000000000000000001 00000400 00000002 00000000 00000003 eth0");
        assert_eq!(route_v6(&null), None);
        assert!(route_v6(&refused).unwrap().rejects);
        assert_eq!(route_v6(&default).unwrap().gateway, Some(ip("fd00::1")));
        let blackhole = route_v4("*\t0006630A\t00000000\t0201\t0\t0\t0\t00FFFFFF\t0\t0\t0").unwrap();
        assert!(blackhole.rejects && blackhole.covers(ip("10.99.6.1")) && !blackhole.covers(ip("10.99.7.1")));
    }

    #[test]
    fn addresses_and_neighbours() {
        let dir = tempfile::tempdir().unwrap();
        let host = Host::at(dir.path());
        assert!(Net::of(&host).is_err());
        write(&dir, "/proc/net/dev", "");
        write(&dir, "/proc/net/fib_trie", TRIE);
        write(
            &dir,
            "/proc/net/if_inet6",
            "fd000000000000000000000000000002 04 40 00 82     eth0\nfe8000000000000000fc00fffe000001 04 40 20 80 eth0\n",
        );
        write(
            &dir,
            "/proc/net/arp",
            "IP address HW type Flags HW address Mask Device\n10.99.0.1 0x1 0x2 02:fc:00:00:00:05 * eth0\n10.99.0.9 0x1 0x0 00:00:00:00:00:00 * eth0\n",
        );
        let net = Net::of(&host).unwrap();
        assert_eq!(net.addresses(&host), [ip("10.99.0.11"), ip("fd00::2")]);
        let neighbor = |a: &str| net.neighbor(&host, ip(a));
        assert_eq!(
            (neighbor("10.99.0.1"), neighbor("10.99.0.9"), neighbor("10.99.0.2")),
            (Neighbor::Reachable, Neighbor::Failed, Neighbor::Unknown)
        );
    }

    #[test]
    fn where_the_api_server_is() {
        let dir = tempfile::tempdir().unwrap();
        let host = Host::at(dir.path());
        let endpoint = |host: &str| Endpoint {
            host: host.into(),
            port: 6443,
            path: String::new(),
        };
        let mut world = World::default();
        world.kubeconfig.server = Some(endpoint("api.lab.test"));
        assert!(api_addresses(&host, &world).is_empty());
        write(
            &dir,
            "/etc/hosts",
            "127.0.0.1 localhost\n10.99.0.1 x API.lab.test # api.other\n",
        );
        assert_eq!(api_addresses(&host, &world), [ip("10.99.0.1")]);
        world.kubeconfig.server = Some(endpoint("127.0.0.1"));
        world.peers = vec![endpoint("10.0.0.1"), endpoint("fd00::1")];
        assert_eq!(api_addresses(&host, &world), [ip("10.0.0.1"), ip("fd00::1")]);
    }
}
