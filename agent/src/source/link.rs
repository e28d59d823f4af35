//! Network interfaces of the node: which one is the uplink, whether it is up, has a carrier and an address, and how many
//! packets it loses.
//!
//! The uplink is the device of the route to the API server, else of the default route. Where those routes are gone, it is
//! the one that was the uplink at an earlier look, else a device that is meant to be in use and is not up: one that has
//! an address, or that systemd-networkd or `NetworkManager` has a configuration for. A spare port without a cable is none.
//! Interfaces of pods are not looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::figures::{add, opt_int};
use super::look::{Look, Looking, Sampler};
use super::network::{GRANT, Net, Route, api_addresses, best, is_link_local};
use super::scene::Scene;
use super::window::{self, Elapsed};
use crate::grammar::fact::{Fact, Kind};
use crate::host::Host;

/// The interfaces.
#[derive(Debug, Default)]
pub struct Links {
    /// The uplinks of an earlier look, when the routes were there.
    known: BTreeSet<String>,
}

/// Physical devices looked at: 32.
const DEVICES: usize = 32;

/// Errors and drops, received and sent.
type Counts = (u64, u64);

/// What /sys/class/net says of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Device {
    name: String,
    state: &'static str,
    mtu: Option<u64>,
    /// `None` where it is not known.
    address: Option<bool>,
    /// Somebody has configured it.
    configured: bool,
}

impl Sampler for Links {
    fn name(&self) -> &'static str {
        "link"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Link]
    }

    fn budget(&self) -> Duration {
        window::BUDGET
    }

    fn look<'a>(&'a mut self, scene: &'a Scene) -> Looking<'a> {
        Box::pin(async move {
            let mut look = Look::default();
            let host = &scene.host;
            let found = Net::of(host).and_then(|net| Ok((net, net.routes(host)?)));
            let (net, routes) = match found {
                Ok(found) => found,
                Err(why) => {
                    look.missed(Kind::Link, why.to_string(), Some(GRANT));
                    return look;
                }
            };
            let Ok(names) = host.list("/sys/class/net") else {
                look.missed(
                    Kind::Link,
                    "/sys/class/net is not here",
                    Some("the node's /sys at /host/sys, read-only"),
                );
                return look;
            };
            let read = || counts(&net.text(host, "dev").unwrap_or_default());
            let (before, after) = window::twice(scene, window::LENGTH, read).await;
            let in_use = routed(scene, &routes);
            let devices = devices(host, net, &names, (&in_use, &self.known));
            let uplinks = uplinks(&devices, &in_use, &self.known);
            if !in_use.is_empty() {
                self.known.clone_from(&in_use);
            }
            for gone in uplinks.iter().filter(|u| !devices.iter().any(|d| d.name == **u)) {
                let fact = Fact::new(Kind::Link)
                    .with_text("device", gone.clone())
                    .with("role", "uplink");
                look.saw(
                    format!("link {gone} (uplink)  is not there any more"),
                    fact.with("state", "missing"),
                );
            }
            for device in &devices {
                let rates = after
                    .as_ref()
                    .and_then(|(after, window)| Some((before.get(&device.name)?, after.get(&device.name)?, *window)));
                say(&mut look, device, uplinks.contains(&device.name), rates);
            }
            look
        })
    }
}

/// Devices of the routes to the API server, else of the default route.
fn routed(scene: &Scene, routes: &[Route]) -> BTreeSet<String> {
    let usable = || routes.iter().filter(|r| !r.rejects);
    let to_api = api_addresses(&scene.host, &scene.world);
    let to_api: BTreeSet<String> = to_api
        .into_iter()
        .filter_map(|ip| best(usable().filter(|r| r.covers(ip))))
        .map(|r| r.device.clone())
        .collect();
    if !to_api.is_empty() {
        return to_api;
    }
    let default = |v6: bool| best(usable().filter(|r| r.is_default() && r.gateway.is_some_and(|g| g.is_ipv6() == v6)));
    let on_link = || best(usable().filter(|r| r.is_default()));
    let found = [default(false), default(true)]
        .into_iter()
        .flatten()
        .next()
        .or_else(on_link);
    found.map(|r| r.device.clone()).into_iter().collect()
}

fn uplinks(devices: &[Device], routed: &BTreeSet<String>, known: &BTreeSet<String>) -> BTreeSet<String> {
    if !routed.is_empty() {
        return routed.clone();
    }
    if !known.is_empty() {
        return known.clone();
    }
    let down = |d: &&Device| d.state != "up";
    let meant: BTreeSet<String> = devices
        .iter()
        .filter(down)
        .filter(|d| d.configured || d.address == Some(true))
        .map(|d| d.name.clone())
        .collect();
    match devices {
        _ if !meant.is_empty() => meant,
        // The only one, or all are down: whichever it was, it is down.
        [only] => BTreeSet::from([only.name.clone()]),
        all if all.iter().all(|d| d.state != "up") => all.iter().map(|d| d.name.clone()).collect(),
        _ => BTreeSet::new(),
    }
}

/// Physical devices and those that are or were the uplink (a bond, a bridge, a VLAN).
fn devices(
    host: &Host,
    net: Net,
    names: &[String],
    (routed, known): (&BTreeSet<String>, &BTreeSet<String>),
) -> Vec<Device> {
    // The interfaces that have addresses, those that are down as well.
    let addressed: Option<BTreeSet<String>> = (net.ours && host.is_live()).then(|| {
        let all = if_addrs::get_if_addrs().unwrap_or_default();
        all.into_iter()
            .filter(|i| !is_link_local(i.ip()))
            .map(|i| i.name)
            .collect()
    });
    names
        .iter()
        .filter(|n| n.as_str() != "lo")
        .filter(|n| {
            routed.contains(*n) || known.contains(*n) || host.metadata(format!("/sys/class/net/{n}/device")).is_ok()
        })
        .take(DEVICES)
        .map(|name| device(host, name, addressed.as_ref()))
        .collect()
}

fn device(host: &Host, name: &str, addressed: Option<&BTreeSet<String>>) -> Device {
    let read = |file: &str| host.text(format!("/sys/class/net/{name}/{file}")).ok();
    let flags = read("flags").and_then(|t| u32::from_str_radix(t.trim().trim_start_matches("0x"), 16).ok());
    // IFF_UP, include/uapi/linux/if.h; `carrier` can't be read of a device that is down (EINVAL).
    let state = match flags {
        Some(flags) if flags & 0x1 == 0 => "admin-down",
        _ if read("carrier").is_some_and(|c| c.trim() == "0") => "no-carrier",
        _ if read("operstate").is_some_and(|s| matches!(s.trim(), "down" | "lowerlayerdown")) => "no-carrier",
        _ => "up",
    };
    Device {
        name: name.to_owned(),
        state,
        mtu: read("mtu").and_then(|t| t.trim().parse().ok()),
        address: addressed.map(|a| a.contains(name)),
        configured: read("ifindex").is_some_and(|index| configured(host, index.trim())),
    }
}

/// What the managers of the network write of a device: sd-network's link state, `NetworkManager`'s device state.
fn configured(host: &Host, index: &str) -> bool {
    let networkd = host
        .text(format!("/run/systemd/netif/links/{index}"))
        .unwrap_or_default();
    let manager = host
        .text(format!("/run/NetworkManager/devices/{index}"))
        .unwrap_or_default();
    networkd.lines().any(|l| l.starts_with("NETWORK_FILE=/"))
        || manager.lines().any(|l| l.starts_with("connection-uuid="))
}

fn say(look: &mut Look, device: &Device, uplink: bool, rates: Option<(&Counts, &Counts, Elapsed)>) {
    let role = if uplink { "uplink" } else { "other" };
    let mut text = format!("link {}", device.name);
    if uplink {
        text += " (uplink)";
    }
    text += match device.state {
        "up" => "  is up",
        "admin-down" => "  is set down",
        _ => "  has no carrier",
    };
    let mut fact = Fact::new(Kind::Link)
        .with_text("device", device.name.clone())
        .with("role", role)
        .with("state", device.state);
    if let Some(address) = device.address {
        text += if address {
            ", has an address"
        } else {
            ", has no address"
        };
        fact = fact.with("address", if address { "yes" } else { "no" });
    }
    let rate = |of: fn(&Counts) -> u64| {
        rates.map(|(before, after, window)| window.per_second(of(after).saturating_sub(of(before))))
    };
    let (errors, drops) = (rate(|c| c.0), rate(|c| c.1));
    if let Some((errors, drops)) = errors.zip(drops) {
        add(&mut text, format_args!("  {errors} errors/s, {drops} dropped/s"));
    }
    if let Some(mtu) = device.mtu {
        add(&mut text, format_args!("  MTU {mtu}"));
    }
    fact = opt_int(fact, "errors_s", errors);
    fact = opt_int(fact, "drops_s", drops);
    look.saw(text, opt_int(fact, "mtu", device.mtu.map(|m| m as i64)));
}

/// `name: bytes packets errs drop fifo frame compressed multicast bytes packets errs drop …`
fn counts(dev: &str) -> BTreeMap<String, Counts> {
    let line = |line: &str| {
        let (name, rest) = line.split_once(':')?;
        let numbers: Vec<u64> = rest.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
        let at = |n: usize| numbers.get(n).copied();
        let (errors, drops) = (at(2)?.saturating_add(at(10)?), at(3)?.saturating_add(at(11)?));
        Some((name.trim().to_owned(), (errors, drops)))
    };
    dev.lines().skip(2).filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::test_scene::{captured, fixture, run, write};

    /// A node with two ports and a spare one, and the captured tables of `node`.
    fn node(node: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in ["dev", "route"] {
            write(
                &dir,
                &format!("/proc/net/{file}"),
                &fixture(&format!("{node}/proc/net/{file}")),
            );
        }
        for (index, name) in ["enp0s2", "enp0s3", "spare"].iter().enumerate() {
            link(&dir, name, "device/x", "");
            link(&dir, name, "ifindex", &format!("{}\n", index + 2));
            link(&dir, name, "mtu", "1500\n");
            link(&dir, name, "flags", "0x1003\n");
            link(&dir, name, "carrier", "1\n");
        }
        link(&dir, "spare", "flags", "0x1002\n");
        link(&dir, "lo", "flags", "0x9\n");
        link(&dir, "veth1", "flags", "0x1003\n");
        dir
    }

    fn link(dir: &tempfile::TempDir, name: &str, file: &str, text: &str) {
        write(dir, &format!("/sys/class/net/{name}/{file}"), text);
    }

    fn said(look: &Look) -> Vec<(&str, &str, &str)> {
        let text = |f: &'static str| move |r: &'_ crate::source::look::Reading| r.facts[0].text(f).unwrap().to_owned();
        let leak = |s: String| -> &str { Box::leak(s.into_boxed_str()) };
        look.readings
            .iter()
            .map(|r| (leak(text("device")(r)), leak(text("role")(r)), leak(text("state")(r))))
            .collect()
    }

    #[tokio::test]
    async fn a_healthy_node() {
        let dir = node("healthy");
        let look = run(&mut Links::default(), &captured(&dir)).await;
        assert_eq!(
            said(&look),
            [
                ("enp0s2", "uplink", "up"),
                ("enp0s3", "other", "up"),
                ("spare", "other", "admin-down")
            ]
        );
        assert_eq!(look.readings[0].text, "link enp0s2 (uplink)  is up  MTU 1500");
    }

    #[tokio::test]
    async fn the_link_that_is_down_was_the_uplink() {
        let dir = node("nic-down");
        link(&dir, "enp0s2", "flags", "0x1002\n");
        let unknown = run(&mut Links::default(), &captured(&dir)).await;
        assert_eq!(
            said(&unknown)[0],
            ("enp0s2", "other", "admin-down"),
            "nothing tells it from the spare port"
        );
        write(
            &dir,
            "/run/systemd/netif/links/2",
            "ADMIN_STATE=configured\nNETWORK_FILE=/etc/systemd/network/a.network\n",
        );
        let managed = run(&mut Links::default(), &captured(&dir)).await;
        assert_eq!(said(&managed)[0], ("enp0s2", "uplink", "admin-down"));
        assert_eq!(said(&managed)[2], ("spare", "other", "admin-down"));
    }

    #[tokio::test]
    async fn the_uplink_is_remembered() {
        let (mut links, healthy, down) = (Links::default(), node("healthy"), node("nic-down"));
        run(&mut links, &captured(&healthy)).await;
        link(&down, "enp0s2", "carrier", "0\n");
        assert_eq!(
            said(&run(&mut links, &captured(&down)).await)[0],
            ("enp0s2", "uplink", "no-carrier")
        );
        let gone = tempfile::tempdir().unwrap();
        write(&gone, "/proc/net/dev", "");
        write(&gone, "/proc/net/route", "Iface\n");
        link(&gone, "lo", "flags", "0x9\n");
        assert_eq!(
            said(&run(&mut links, &captured(&gone)).await),
            [("enp0s2", "uplink", "missing")]
        );
    }

    #[test]
    fn losses_of_a_second() {
        let before = counts("a\nb\neth0: 1 2 3 4 0 0 0 0 1 2 5 6 0 0 0 0\nbad: 1\n");
        let after = counts("a\nb\neth0: 1 2 8 4 0 0 0 0 1 2 10 16 0 0 0 0\n");
        let device = Device {
            name: "eth0".into(),
            state: "up",
            mtu: None,
            address: Some(true),
            configured: false,
        };
        let mut look = Look::default();
        let window = Elapsed::from_micros(2_000_000).unwrap();
        say(
            &mut look,
            &device,
            true,
            Some((&before["eth0"], &after["eth0"], window)),
        );
        assert_eq!(
            look.readings[0].text,
            "link eth0 (uplink)  is up, has an address  5 errors/s, 5 dropped/s"
        );
    }

    #[tokio::test]
    async fn what_is_not_mounted_is_a_gap() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(run(&mut Links::default(), &captured(&dir)).await.blind.len(), 1);
        write(&dir, "/proc/net/dev", "");
        write(&dir, "/proc/net/route", "");
        let look = run(&mut Links::default(), &captured(&dir)).await;
        assert_eq!(look.blind[0].reason, "/sys/class/net is not here");
    }
}
