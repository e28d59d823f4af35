//! Name servers: a real one (dnsmasq) that answers, denies, fails and refuses, and none at all.

use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};

use tokio::net::UdpSocket;
use whynotready::grammar::fact::Kind;
use whynotready::source::look::Look;
use whynotready::source::probe::sampler::ApiProbe;
use whynotready::source::resolver::NameServers;

use crate::scenes::{Files, blind, endpoint, fact, facts, look, says, scene, text};

/// dnsmasq on an address of the loopback network, port 53: root is needed.
struct Dnsmasq(Child);

impl Dnsmasq {
    /// Knows `api.lab.test`; nothing else of `lab.test`; refuses the rest.
    async fn new(address: &str, more: &[&str]) -> Self {
        let child = Self::start(address, more);
        // It listens once it answers: asked until it does.
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a socket");
        let query = b"\0\x07\x01\0\0\x01\0\0\0\0\0\0\x03api\x03lab\x04test\0\0\x01\0\x01";
        loop {
            let _ = socket.send_to(query, (address, 53)).await;
            let wait = std::time::Duration::from_millis(100);
            if let Ok(Ok(_)) = tokio::time::timeout(wait, socket.recv(&mut [0; 512])).await {
                return child;
            }
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a test may run dnsmasq(8)")]
    fn start(address: &str, more: &[&str]) -> Self {
        let child = Command::new("dnsmasq")
            .args([
                "--keep-in-foreground",
                "--conf-file=/dev/null",
                "--no-resolv",
                "--no-hosts",
                "--bind-interfaces",
                "--no-daemon",
            ])
            .arg(format!("--listen-address={address}"))
            .arg("--pid-file=")
            .args(more)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("dnsmasq is installed");
        Self(child)
    }
}

impl Drop for Dnsmasq {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const KNOWN: &[&str] = &["--address=/api.lab.test/127.0.0.9", "--local=/lab.test/"];

async fn asked(resolv: &str, name: &str) -> (Look, Look) {
    let files = Files::new(&[("etc/resolv.conf", resolv)]);
    let scene = scene(&files, Some(endpoint(name, 1)), "");
    let servers = look(&mut NameServers, &scene).await;
    (servers, look(&mut ApiProbe::new(None), &scene).await)
}

#[tokio::test]
async fn a_server_that_knows_the_name() {
    let _server = Dnsmasq::new("127.0.53.1", KNOWN).await;
    let (servers, probe) = asked("nameserver 127.0.53.1\n", "api.lab.test").await;
    assert_eq!(
        says(
            fact(&servers, Kind::Resolver),
            &["server", "result", "servers", "servers_ok"]
        ),
        "127.0.53.1 ok 1 1"
    );
    assert!(text(&servers, Kind::Resolver).starts_with("name server 127.0.53.1: api.lab.test is 127.0.0.9 after "));
    assert_eq!(
        says(fact(&probe, Kind::Probe), &["address", "stage", "scope"]),
        "127.0.0.9 connect name"
    );
    // By the search list.
    let (servers, probe) = asked("nameserver 127.0.53.1\nsearch no.lab.test lab.test\n", "api").await;
    assert_eq!(fact(&servers, Kind::Resolver).text("result"), Some("ok"));
    assert_eq!(fact(&probe, Kind::Probe).text("address"), Some("127.0.0.9"));
}

#[tokio::test]
async fn servers_that_deny_refuse_and_keep_silent() {
    let _deny = Dnsmasq::new("127.0.53.2", KNOWN).await;
    let silent = UdpSocket::bind("127.0.53.3:53").await.expect("root is needed");
    let (servers, probe) = asked(
        "nameserver 127.0.53.2\nnameserver 127.0.53.3\nnameserver 127.0.53.4\n",
        "other.lab.test",
    )
    .await;
    let results: Vec<_> = facts(&servers, Kind::Resolver)
        .iter()
        .map(|f| says(f, &["server", "result", "servers_ok"]))
        .collect();
    assert_eq!(
        results,
        [
            "127.0.53.2 no-such-host 0",
            "127.0.53.3 timed-out 0",
            "127.0.53.4 refused 0"
        ]
    );
    assert_eq!(
        says(fact(&probe, Kind::Probe), &["ok", "stage", "error"]),
        "no resolve no-such-host"
    );
    // What the first one does not know of it passes on to nobody.
    let (servers, probe) = asked("nameserver 127.0.53.2\n", "api.elsewhere.test").await;
    assert_eq!(fact(&servers, Kind::Resolver).text("result"), Some("refused"));
    assert_eq!(
        says(fact(&probe, Kind::Probe), &["stage", "error"]),
        "resolve dns-refused"
    );
    // A first server that is dead does not hide a second that answers.
    let (_, probe) = asked(
        "nameserver 127.0.53.3\nnameserver 127.0.53.2\noptions timeout:1\n",
        "api.lab.test",
    )
    .await;
    assert_eq!(
        says(fact(&probe, Kind::Probe), &["address", "stage"]),
        "127.0.0.9 connect"
    );
    let (_, probe) = asked("nameserver 127.0.53.3\n", "api.lab.test").await;
    assert_eq!(
        says(fact(&probe, Kind::Probe), &["ok", "stage", "error"]),
        "no resolve dns-timeout"
    );
    drop(silent);
}

#[tokio::test]
async fn a_server_whose_own_server_is_dead() {
    // With more than one upstream that is gone dnsmasq says SERVFAIL or REFUSED by version; a loop is SERVFAIL everywhere.
    let answer = UdpSocket::bind("127.0.53.5:53").await.expect("root is needed");
    let task = tokio::spawn(async move {
        let mut bytes = [0; 512];
        while let Ok((length, from)) = answer.recv_from(&mut bytes).await {
            bytes[2] |= 0x80;
            bytes[3] = 0x82;
            let _ = answer.send_to(&bytes[..length], from).await;
        }
    });
    let (servers, probe) = asked("nameserver 127.0.53.5\n", "api.lab.test").await;
    assert_eq!(fact(&servers, Kind::Resolver).text("result"), Some("server-failure"));
    assert_eq!(
        says(fact(&probe, Kind::Probe), &["stage", "error"]),
        "resolve dns-server-failure"
    );
    task.abort();
}

#[tokio::test]
async fn the_stubs_upstream_servers_are_asked_too() {
    let _up = Dnsmasq::new("127.0.53.6", KNOWN).await;
    let files = Files::new(&[
        ("etc/resolv.conf", "nameserver 127.0.0.53\n"),
        ("run/systemd/resolve/resolv.conf", "nameserver 127.0.53.6\n"),
    ]);
    let look = look(&mut NameServers, &scene(&files, Some(endpoint("api.lab.test", 1)), "")).await;
    let results: Vec<_> = facts(&look, Kind::Resolver)
        .iter()
        .map(|f| says(f, &["server", "result"]))
        .collect();
    assert_eq!(results, ["127.0.0.53 refused", "127.0.53.6 ok"]);
}

#[tokio::test]
async fn where_no_name_server_is_needed_or_none_can_be_seen() {
    let files = Files::new(&[("etc/hosts", "127.0.0.9 api.lab.test\n")]);
    for (name, why) in [("10.0.0.1", "is an address"), ("api.lab.test", "is in /etc/hosts")] {
        let look = look(&mut NameServers, &scene(&files, Some(endpoint(name, 1)), "")).await;
        assert_eq!(says(fact(&look, Kind::Resolver), &["result", "servers"]), "ok 0");
        assert!(text(&look, Kind::Resolver).contains(why));
    }
    let look = look(&mut NameServers, &scene(&files, None, "")).await;
    assert_eq!(blind(&look, Kind::Resolver), "the API server's name is not known");
    // A pod that has nothing of the node's /etc.
    let nothing = tempfile::tempdir().expect("a directory");
    let mut blindfold = scene(&files, Some(endpoint("api.lab.test", 1)), "");
    blindfold.host = whynotready::host::Host::at(nothing.path());
    let look = crate::scenes::look(&mut NameServers, &blindfold).await;
    assert_eq!(
        blind(&look, Kind::Resolver),
        "the node's /etc/resolv.conf cannot be read"
    );
    let look = crate::scenes::look(&mut ApiProbe::new(None), &blindfold).await;
    assert_eq!(
        blind(&look, Kind::Probe),
        "the node's /etc/hosts and /etc/resolv.conf cannot be read"
    );
}
