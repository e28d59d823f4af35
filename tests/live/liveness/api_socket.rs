//! Real connections, over a pair of interfaces into another network name space in which packets are dropped.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::sync_channel;

use rustix::fs::{Mode, OFlags};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use whynotready::source::api_socket::ApiSockets;
use whynotready::source::look::Look;
use whynotready::source::scene::Scene;
use whynotready::world::{Endpoint, Kubeconfig, World};

use super::{done, fact, look, look_until, process, scene};

const PEER: &str = "192.0.2.130";

fn at(host: &str, port: u16) -> Scene {
    let server = Endpoint {
        host: host.into(),
        port,
        path: String::new(),
    };
    let world = World {
        kubelet: process(std::process::id()),
        kubeconfig: Kubeconfig {
            server: Some(server),
            ..Kubeconfig::default()
        },
        ..World::default()
    };
    scene(Path::new("/"), world)
}

fn state(look: &Look) -> Option<&str> {
    fact(look).text("state")
}

/// A network name space at the other end of a pair of interfaces.
struct Peer(String);

impl Peer {
    fn make() -> Self {
        let name = format!("wnr{}", std::process::id());
        let (ours, theirs) = (format!("{name}a"), format!("{name}b"));
        done("ip", &["netns", "add", &name]);
        let peer = Self(name.clone());
        done(
            "ip",
            &[
                "link", "add", &ours, "type", "veth", "peer", "name", &theirs, "netns", &name,
            ],
        );
        done("ip", &["addr", "add", "192.0.2.129/30", "dev", &ours]);
        done("ip", &["link", "set", &ours, "up"]);
        done("ip", &["-n", &name, "addr", "add", "192.0.2.130/30", "dev", &theirs]);
        done("ip", &["-n", &name, "link", "set", &theirs, "up"]);
        peer
    }

    /// A listener in it; sockets stay where they were made.
    fn listen(&self) -> TcpListener {
        let path = format!("/run/netns/{}", self.0);
        let (send, receive) = sync_channel(1);
        std::thread::spawn(move || {
            let space = rustix::fs::open(path, OFlags::RDONLY, Mode::empty()).unwrap();
            move_into_link_name_space(std::os::fd::AsFd::as_fd(&space), Some(LinkNameSpaceType::Network)).unwrap();
            send.send(TcpListener::bind((PEER, 0)).unwrap()).unwrap();
        });
        receive.recv().unwrap()
    }

    fn filter(&self, command: &str) {
        let mut args = vec!["netns", "exec", &self.0, "nft"];
        args.extend(command.split(' '));
        done("ip", &args);
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        done("ip", &["netns", "del", &self.0]);
    }
}

#[tokio::test]
async fn a_connection_that_nobody_answers_is_stale_until_it_is_answered() {
    let peer = Peer::make();
    let listener = peer.listen();
    let port = listener.local_addr().unwrap().port();
    let scene = at(PEER, port);
    let seen = look(&mut ApiSockets, &scene).await;
    assert_eq!(state(&seen), Some("none"));

    let mut ours = TcpStream::connect((PEER, port)).unwrap();
    let (mut theirs, _) = listener.accept().unwrap();
    ours.write_all(b"renew").unwrap();
    theirs.read_exact(&mut [0u8; 5]).unwrap();
    let seen = look_until(&mut ApiSockets, &scene, |l| fact(l).int("unacked_bytes") == Some(0)).await;
    assert_eq!(state(&seen), Some("established"));
    assert_eq!(fact(&seen).int("established"), Some(1));
    assert_eq!(
        fact(&seen).int("local_port"),
        Some(i64::from(ours.local_addr().unwrap().port()))
    );

    peer.filter("add table ip t");
    peer.filter("add chain ip t in { type filter hook input priority 0 ; policy drop ; }");
    ours.write_all(b"renew").unwrap();
    let seen = look_until(&mut ApiSockets, &scene, |l| state(l) == Some("stale")).await;
    let told = fact(&seen);
    assert_eq!(told.int("unacked_bytes"), Some(5));
    assert!(told.int("retransmits").is_some_and(|n| n >= 1), "{told:?}");
    assert!(told.int("silent_ms").is_some_and(|n| n >= 2000), "{told:?}");
    assert!(seen.readings[0].began.is_some_and(|b| b < scene.clock.now().wall));

    // A second one that is being made, to the same dead end.
    let connecting = tokio::spawn(tokio::net::TcpStream::connect((PEER, port)));
    let seen = look_until(&mut ApiSockets, &scene, |l| fact(l).int("connecting") == Some(1)).await;
    assert_eq!(state(&seen), Some("stale"), "the worst of them speaks");
    drop(ours);
    look_until(&mut ApiSockets, &scene, |l| state(l) == Some("connecting")).await;
    connecting.abort();
}

#[tokio::test]
async fn sockets_of_other_processes_are_not_the_kubelets() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let _ours = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut scene = at("127.0.0.1", port);
    assert_eq!(state(&look(&mut ApiSockets, &scene).await), Some("established"));
    let other = super::Running::start("sleep", &["1000"]);
    scene.world.kubelet = process(other.pid());
    assert_eq!(state(&look(&mut ApiSockets, &scene).await), Some("none"));
}

#[tokio::test]
async fn without_a_process_table_or_an_endpoint_it_is_blind() {
    let root = tempfile::tempdir().unwrap();
    let mut scene = at(PEER, 6443);
    scene.host = whynotready::host::Host::at(root.path());
    let seen = look(&mut ApiSockets, &scene).await;
    assert_eq!(seen.readings, []);
    assert!(seen.blind[0].grant.as_deref().unwrap().contains("/host/proc"));
    scene.world.kubelet = None;
    assert!(
        look(&mut ApiSockets, &scene).await.blind[0]
            .reason
            .contains("no kubelet")
    );
    scene.world.kubeconfig.server = None;
    assert!(
        look(&mut ApiSockets, &scene).await.blind[0]
            .reason
            .contains("which API server")
    );
}
