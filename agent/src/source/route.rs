//! Routes of the node: the default one and the one to the API server, and whether the next hop answers for its address.
//!
//! Only the main table is read; what a rule sends to another table is not seen. A neighbour is `failed` where its entry is
//! incomplete at both ends of the look: for a moment every new one is.

use std::net::IpAddr;
use std::time::Duration;

use super::figures::add;
use super::look::{Look, Looking, Sampler};
use super::network::{GRANT, Neighbor, Net, Route, api_addresses, best};
use super::scene::Scene;
use super::window;
use crate::grammar::fact::{Fact, Kind};

/// The routing table.
#[derive(Debug, Default)]
pub struct Routes;

impl Sampler for Routes {
    fn name(&self) -> &'static str {
        "route"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Route]
    }

    fn budget(&self) -> Duration {
        window::BUDGET
    }

    fn look<'a>(&'a mut self, scene: &'a Scene) -> Looking<'a> {
        Box::pin(async move {
            let mut look = Look::default();
            let host = &scene.host;
            let routes = Net::of(host).and_then(|net| Ok((net, net.routes(host)?)));
            let (net, routes) = match routes {
                Ok(found) => found,
                Err(why) => {
                    look.missed(Kind::Route, why.to_string(), Some(GRANT));
                    return look;
                }
            };
            let default = best(routes.iter().filter(|r| r.is_default()));
            let mut found: Vec<(&'static str, Option<IpAddr>, Option<&Route>)> = vec![("default", None, default)];
            for ip in api_addresses(host, &scene.world) {
                let route = best(routes.iter().filter(|r| r.covers(ip)));
                found.push(("api-server", Some(ip), route));
            }
            let hops: Vec<Option<IpAddr>> = found.iter().map(|(_, ip, route)| hop(*ip, *route)).collect();
            let ask = || {
                hops.iter()
                    .map(|hop| hop.map_or(Neighbor::Unknown, |ip| net.neighbor(host, ip)))
                    .collect::<Vec<_>>()
            };
            let mut neighbors = ask();
            if neighbors.contains(&Neighbor::Failed) && host.is_live() {
                tokio::time::sleep(window::LENGTH).await;
                for (before, after) in neighbors.iter_mut().zip(ask()) {
                    if *before == Neighbor::Failed {
                        *before = after;
                    }
                }
            }
            for (to, neighbor) in found.into_iter().zip(neighbors) {
                say(&mut look, to, neighbor);
            }
            look
        })
    }
}

/// Whose hardware address is needed: the gateway's, or on the same link the address's own.
fn hop(ip: Option<IpAddr>, route: Option<&Route>) -> Option<IpAddr> {
    let route = route.filter(|r| !r.rejects)?;
    route.gateway.or(ip)
}

fn say(look: &mut Look, (to, ip, route): (&'static str, Option<IpAddr>, Option<&Route>), neighbor: Neighbor) {
    let mut text = match ip {
        Some(ip) => format!("route to the API server {ip}"),
        None => "default route".to_owned(),
    };
    let mut fact = Fact::new(Kind::Route).with("to", to);
    match route {
        None => {
            text += "  there is none";
            fact = fact.with("state", "missing");
        }
        Some(route) if route.rejects => {
            text += "  is set to refuse";
            fact = fact.with("state", "rejected");
        }
        Some(route) => {
            match route.gateway {
                Some(gateway) => add(&mut text, format_args!("  via {gateway} on {}", route.device)),
                None => add(&mut text, format_args!("  directly on {}", route.device)),
            }
            let word = match neighbor {
                Neighbor::Reachable => "reachable",
                Neighbor::Failed => "failed",
                Neighbor::Unknown => "unknown",
            };
            text += match neighbor {
                Neighbor::Reachable => "  next hop known by its hardware address",
                Neighbor::Failed => "  next hop does not answer for its address",
                Neighbor::Unknown => "",
            };
            fact = fact.with("state", "present").with_text("device", route.device.clone());
            if let Some(gateway) = route.gateway {
                fact = fact.with_text("gateway", gateway.to_string());
            }
            fact = fact.with("neighbor", word);
        }
    }
    look.saw(text, fact);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::test_scene::{captured, fixture_dir, run, write};
    use crate::world::Endpoint;

    fn scene(node: &str, api: &str) -> Scene {
        let mut scene = captured(fixture_dir(node));
        scene.world.kubeconfig.server = Some(Endpoint {
            host: api.into(),
            port: 6443,
            path: String::new(),
        });
        scene
    }

    #[tokio::test]
    async fn a_healthy_node() {
        let look = run(&mut Routes, &scene("healthy", "10.99.0.1")).await;
        let texts: Vec<&str> = look.readings.iter().map(|r| r.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "default route  via 10.99.0.1 on enp0s2",
                "route to the API server 10.99.0.1  directly on enp0s2"
            ]
        );
        assert_eq!(look.readings[0].facts[0].text("neighbor"), Some("unknown"));
    }

    #[tokio::test]
    async fn a_node_without_its_link() {
        let look = run(&mut Routes, &scene("nic-down", "10.99.0.1")).await;
        let states: Vec<_> = look.readings.iter().map(|r| r.facts[0].text("state")).collect();
        assert_eq!(states, [Some("missing"), Some("missing")]);
    }

    #[tokio::test]
    async fn a_route_that_refuses_and_a_gateway_that_is_silent() {
        let dir = tempfile::tempdir().unwrap();
        let mut scene = scene("healthy", "10.99.6.5");
        scene.host = crate::host::Host::at(dir.path());
        write(&dir, "/proc/net/dev", "");
        write(
            &dir,
            "/proc/net/route",
            "Iface\nenp0s2 00000000 0100630A 0003 0 0 0 00000000 0 0 0\n* 0006630A 00000000 0201 0 0 0 00FFFFFF 0 0 0\n",
        );
        write(
            &dir,
            "/proc/net/arp",
            "IP address\n10.99.0.1 0x1 0x0 00:00:00:00:00:00 * enp0s2\n",
        );
        let look = run(&mut Routes, &scene).await;
        assert_eq!(look.readings[0].facts[0].text("neighbor"), Some("failed"));
        assert_eq!(look.readings[1].facts[0].text("state"), Some("rejected"));
    }

    #[tokio::test]
    async fn no_network_is_a_gap() {
        let dir = tempfile::tempdir().unwrap();
        let look = run(&mut Routes, &captured(&dir)).await;
        assert_eq!(look.blind[0].grant.as_deref(), Some(GRANT));
    }
}
