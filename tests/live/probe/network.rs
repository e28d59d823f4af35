//! Sockets that nobody answers as they should: refused, dropped, rejected, too large.

use whynotready::grammar::fact::Kind;
use whynotready::source::probe::sampler::ApiProbe;

use crate::router::Router;
use crate::scenes::{Files, endpoint, fact, look, probe, says, scene, text};
use crate::servers::{Authority, Server, VALID, healthy};

const PROBE: &[&str] = &["ok", "stage", "error", "addresses", "addresses_ok"];

#[tokio::test]
async fn nobody_listens() {
    let look = probe("127.0.0.1", 1, "").await;
    assert_eq!(says(fact(&look, Kind::Probe), PROBE), "no connect refused 1 0");
    assert!(
        text(&look, Kind::Probe).starts_with("127.0.0.1:1  connect refused after "),
        "{look:#?}"
    );
}

#[tokio::test]
async fn a_packet_filter_drops_or_rejects() {
    let router = Router::new(
        31,
        "chain c_in { type filter hook input priority 0;
            tcp dport 1000 drop
            tcp dport 1001 reject with tcp reset
            tcp dport 1002 reject with icmp type host-unreachable
            tcp dport 1003 reject with icmp type net-unreachable
        }",
    );
    for (port, error) in [
        (1000, "timed-out"),
        (1001, "refused"),
        (1002, "no-route"),
        (1003, "unreachable"),
    ] {
        let look = probe(&router.there(), port, "").await;
        assert_eq!(
            says(fact(&look, Kind::Probe), &["ok", "stage", "error"]),
            format!("no connect {error}")
        );
    }
    // Nobody has that address: the neighbour does not answer.
    let look = probe("10.213.31.77", 6443, "").await;
    assert_eq!(fact(&look, Kind::Probe).text("stage"), Some("connect"));
}

/// A path that loses what is larger than 1200 bytes and tells nobody: the server is here, the way to it leads through the
/// router and back.
#[tokio::test]
async fn a_path_that_loses_large_packets() {
    let router = Router::new(
        32,
        "chain c_pre { type nat hook prerouting priority -100; tcp dport 6443 dnat to HERE:7443; }
         chain c_post { type nat hook postrouting priority 100; masquerade; }
         chain c_forward { type filter hook forward priority 0; meta length > 1200 drop; }",
    );
    let ca = Authority::new(VALID);
    let pair = ca.issue(&[&router.there()], VALID);
    let server = Server::https(&format!("{}:7443", router.here()), &pair, 9, healthy).await;
    let look = probe(&router.there(), 6443, &ca.pem).await;
    assert_eq!(
        says(fact(&look, Kind::Probe), &["ok", "readyz", "large"]),
        "yes ok timed-out",
        "{look:#?}"
    );
    assert!(text(&look, Kind::Probe).ends_with("a request of 6 KiB is not answered"));
    // The same server on the short way.
    let pair = ca.issue(&[&router.here()], VALID);
    drop(server);
    let server = Server::https(&format!("{}:0", router.here()), &pair, 9, healthy).await;
    let look = probe(&router.here(), server.port, &ca.pem).await;
    assert_eq!(says(fact(&look, Kind::Probe), &["ok", "readyz", "large"]), "yes ok ok");
}

#[tokio::test]
async fn one_of_two_addresses_is_dead() {
    let router = Router::new(
        33,
        "chain c_in { type filter hook input priority 0; tcp dport 1-65535 drop; }",
    );
    let ca = Authority::new(VALID);
    let server = Server::https("127.0.0.1:0", &ca.issue(&["api.lab.test"], VALID), 9, healthy).await;
    // The dead one is the first.
    let hosts = format!("{} api.lab.test\n127.0.0.1 api.lab.test\n", router.there());
    let files = Files::new(&[("etc/hosts", &hosts)]);
    let scene = scene(&files, Some(endpoint("api.lab.test", server.port)), &ca.pem);
    let look = look(&mut ApiProbe::new(None), &scene).await;
    assert_eq!(says(fact(&look, Kind::Probe), PROBE), "yes done - 2 1");
    let text = text(&look, Kind::Probe);
    assert!(
        text.contains("(127.0.0.1)") && text.contains("1 of 2 addresses work (10.213.33.2: connect timed out"),
        "{text}"
    );
}

#[tokio::test]
async fn one_of_two_addresses_shows_a_bad_certificate() {
    let ca = Authority::new(VALID);
    let good = Server::https("127.0.0.2:0", &ca.issue(&["api.lab.test"], VALID), 9, healthy).await;
    let address = format!("127.0.0.3:{}", good.port);
    let _bad = Server::https(&address, &ca.issue(&["api.lab.test"], VALID), 9, |_| {
        crate::servers::Reply::Answer(503, "no")
    })
    .await;
    let files = Files::new(&[("etc/hosts", "127.0.0.2 api.lab.test\n127.0.0.3 api.lab.test\n")]);
    let scene = scene(&files, Some(endpoint("api.lab.test", good.port)), &ca.pem);
    let look = look(&mut ApiProbe::new(None), &scene).await;
    assert_eq!(says(fact(&look, Kind::Probe), PROBE), "yes done - 2 1");
}
