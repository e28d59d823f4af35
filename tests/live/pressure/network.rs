//! A network of its own: a link with an address, a gateway, and each of them gone.

use std::net::UdpSocket;

use whynotready::source::address::Address;
use whynotready::source::limits::Limits;
use whynotready::source::link::Links;
use whynotready::source::look::Look;
use whynotready::source::route::Routes;
use whynotready::world::{Endpoint, World};

use crate::{fact, inside, look, scene, sh};

/// A network, a `/sys` and a `/proc/1` of its own.
const NAMESPACES: [&str; 6] = [
    "--net",
    "--mount",
    "--propagation=private",
    "--pid",
    "--fork",
    "--mount-proc",
];

fn world() -> World {
    let mut world = World::default();
    world.kubeconfig.server = Some(Endpoint {
        host: "10.98.0.1".into(),
        port: 6443,
        path: String::new(),
    });
    world.settings.node_ips = vec!["10.99.0.11".parse().unwrap()];
    world
}

/// The uplink with the node's address, and the cable's other end.
fn cable() {
    sh("mount -t sysfs sysfs /sys
        ip link set lo up
        ip link add up0 type veth peer name end0
        ip link set up0 up
        ip link set end0 up
        ip addr add 10.99.0.11/24 dev up0
        ip route add default via 10.99.0.1");
}

fn state<'a>(look: &'a Look, to: &str) -> (Option<&'a str>, Option<&'a str>) {
    let fact = fact(look, "to", to);
    (fact.text("state"), fact.text("neighbor"))
}

#[tokio::test]
async fn a_link_that_goes_down() {
    if !inside("network::a_link_that_goes_down", &NAMESPACES) {
        return;
    }
    cable();
    let (scene, mut links) = (scene(world()), Links::default());
    let seen = look(&mut links, &scene).await;
    let up = fact(&seen, "device", "up0");
    assert_eq!(
        (up.text("role"), up.text("state"), up.text("address")),
        (Some("uplink"), Some("up"), Some("yes"))
    );
    assert_eq!(
        (up.int("mtu"), up.int("errors_s"), up.int("drops_s")),
        (Some(1500), Some(0), Some(0))
    );
    assert_eq!(seen.readings.len(), 1, "the cable's other end is no port of the node");

    sh("ip link set end0 down");
    let seen = look(&mut links, &scene).await;
    assert_eq!(fact(&seen, "role", "uplink").text("state"), Some("no-carrier"));

    sh("ip link set up0 down");
    let seen = look(&mut links, &scene).await;
    let down = fact(&seen, "role", "uplink");
    assert_eq!(
        (down.text("device"), down.text("state"), down.text("address")),
        (Some("up0"), Some("admin-down"), Some("yes"))
    );
    let seen = look(&mut Routes, &scene).await;
    assert_eq!(
        (state(&seen, "default").0, state(&seen, "api-server").0),
        (Some("missing"), Some("missing"))
    );
    // The address is still there, as the kubelet sees it.
    let seen = look(&mut Address, &scene).await;
    assert_eq!(seen.readings[0].facts[0].text("state"), Some("present"));

    sh("ip link del up0");
    let seen = look(&mut links, &scene).await;
    assert_eq!(fact(&seen, "role", "uplink").text("state"), Some("missing"));
}

#[tokio::test]
async fn routes_and_the_next_hop() {
    if !inside("network::routes_and_the_next_hop", &NAMESPACES) {
        return;
    }
    cable();
    let scene = scene(world());
    let seen = look(&mut Routes, &scene).await;
    assert_eq!(state(&seen, "default"), (Some("present"), Some("unknown")));
    assert_eq!(fact(&seen, "to", "api-server").text("gateway"), Some("10.99.0.1"));

    // Nobody has that address: the question for it goes unanswered.
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.send_to(b"?", "10.98.0.1:9").unwrap();
    let seen = look(&mut Routes, &scene).await;
    assert_eq!(state(&seen, "default"), (Some("present"), Some("failed")));
    assert_eq!(state(&seen, "api-server"), (Some("present"), Some("failed")));

    sh("ip neigh replace 10.99.0.1 lladdr 02:00:00:00:00:01 nud reachable dev up0");
    let seen = look(&mut Routes, &scene).await;
    assert_eq!(state(&seen, "api-server"), (Some("present"), Some("reachable")));

    sh("ip route add unreachable 10.98.0.0/24");
    let seen = look(&mut Routes, &scene).await;
    assert_eq!(
        (state(&seen, "default").0, state(&seen, "api-server").0),
        (Some("present"), Some("rejected"))
    );

    sh("ip route del default; ip route del unreachable 10.98.0.0/24");
    let seen = look(&mut Routes, &scene).await;
    assert_eq!(
        (state(&seen, "default").0, state(&seen, "api-server").0),
        (Some("missing"), Some("missing"))
    );
}

#[tokio::test]
async fn an_address_that_changed() {
    if !inside("network::an_address_that_changed", &NAMESPACES) {
        return;
    }
    cable();
    let scene = scene(world());
    let seen = look(&mut Address, &scene).await;
    assert_eq!(seen.readings[0].facts[0].text("state"), Some("present"));
    sh("ip addr del 10.99.0.11/24 dev up0; ip addr add 10.99.0.12/24 dev up0");
    let seen = look(&mut Address, &scene).await;
    let changed = &seen.readings[0].facts[0];
    assert_eq!(
        (changed.text("state"), changed.text("has")),
        (Some("absent"), Some("10.99.0.12"))
    );
}

#[tokio::test]
async fn ports_in_use_towards_the_api_server() {
    if !inside("network::ports_in_use_towards_the_api_server", &NAMESPACES) {
        return;
    }
    sh("ip link set lo up; ip addr add 10.98.0.1/32 dev lo; echo 40000 40019 >/proc/sys/net/ipv4/ip_local_port_range");
    let server = std::net::TcpListener::bind("10.98.0.1:6443").unwrap();
    let address = server.local_addr().unwrap();
    let mut held: Vec<_> = (0..15)
        .map(|_| std::net::TcpStream::connect(address).unwrap())
        .collect();
    let scene = scene(world());
    let seen = look(&mut Limits::default(), &scene).await;
    let ports = fact(&seen, "what", "ephemeral-ports");
    assert_eq!(
        (ports.int("used"), ports.int("max"), ports.int("percent")),
        (Some(15), Some(20), Some(75))
    );
    while let Ok(one) = std::net::TcpStream::connect(address) {
        held.push(one);
    }
    let seen = look(&mut Limits::default(), &scene).await;
    assert_eq!(fact(&seen, "what", "ephemeral-ports").int("percent"), Some(100));
}

/// The agent in a network of its own, as a pod without the host's: links and routes are the node's all the same, limits of
/// the network can't be told.
#[tokio::test]
async fn a_pod_without_the_hosts_network() {
    if !inside("network::a_pod_without_the_hosts_network", &["--net"]) {
        return;
    }
    sh("ip link add fake0 type veth peer name fake1; ip addr add 10.99.0.11/24 dev fake0; ip link set fake0 up");
    let scene = scene(world());
    let seen = look(&mut Limits::default(), &scene).await;
    assert!(
        seen.blind
            .iter()
            .any(|b| b.grant.as_deref() == Some("hostNetwork: true")),
        "{seen:?}"
    );
    assert!(
        !seen
            .readings
            .iter()
            .any(|r| r.facts[0].text("what") == Some("ephemeral-ports"))
    );
    let seen = look(&mut Address, &scene).await;
    assert_eq!(
        seen.readings[0].facts[0].text("state"),
        Some("absent"),
        "the pod's address is not the node's"
    );
}
