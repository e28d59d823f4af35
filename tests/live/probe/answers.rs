//! What answers, and how, once there is a TLS server or something that should have been one.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use whynotready::grammar::fact::Kind;
use whynotready::source::look::Look;
use whynotready::source::probe::sampler::ApiProbe;
use whynotready::source::probe::target::Service;

use crate::scenes::{Files, blind, endpoint, fact, facts, look, probe, says, scene, text};
use crate::servers::{Authority, FORBIDDEN, Reply, Seen, Server, VALID, healthy, proxy};

const PROBE: &[&str] = &["ok", "stage", "error", "status", "answered_by", "readyz", "etcd"];

async fn answered(max_streams: u32, handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Look {
    let ca = Authority::new(VALID);
    let server = Server::https("127.0.0.1:0", &ca.issue(&["127.0.0.1"], VALID), max_streams, handler).await;
    probe("127.0.0.1", server.port, &ca.pem).await
}

fn said(look: &Look) -> String {
    says(fact(look, Kind::Probe), PROBE)
}

#[tokio::test]
async fn five_streams_a_connection() {
    let look = answered(5, healthy).await;
    assert_eq!(said(&look), "yes done - 200 api-server ok ok");
    assert_eq!(
        says(fact(&look, Kind::ApiSettings), &["protocol", "max_streams"]),
        "http2 5"
    );
}

#[tokio::test]
async fn http1() {
    let look = answered(0, healthy).await;
    assert_eq!(said(&look), "yes done - 200 api-server ok ok");
    assert_eq!(
        says(fact(&look, Kind::ApiSettings), &["protocol", "max_streams"]),
        "http1 -"
    );
}

#[tokio::test]
async fn anonymous_users_may_nothing() {
    let look = answered(9, |_| {
        Reply::Answer(401, r#"{"kind":"Status","message":"Unauthorized"}"#)
    })
    .await;
    assert_eq!(said(&look), "yes done - 401 api-server unknown -");
}

#[tokio::test]
async fn a_stub_that_says_500_to_everything() {
    let look = answered(9, |_| Reply::Answer(500, "boom")).await;
    assert_eq!(said(&look), "no done server-error 500 other unknown -");
}

#[tokio::test]
async fn ready_and_yet_every_other_request_fails() {
    let look = answered(9, |seen| match seen.path.as_str() {
        "/readyz" => Reply::Answer(200, "ok"),
        _ => Reply::Answer(
            500,
            r#"{"kind":"Status","message":"etcdserver: request timed out","code":500}"#,
        ),
    })
    .await;
    assert_eq!(said(&look), "no done etcd 200 api-server ok -");
}

#[tokio::test]
async fn too_many_requests() {
    let look = answered(9, |seen| match seen.path.as_str() {
        "/readyz" => Reply::Answer(200, "ok"),
        _ => Reply::Answer(429, "Too many requests, please try again later."),
    })
    .await;
    assert_eq!(said(&look), "no done too-many-requests 200 api-server ok -");
}

#[tokio::test]
async fn a_load_balancer_without_a_back_end() {
    let look = answered(0, |_| Reply::Answer(502, "<html><h1>502 Bad Gateway</h1></html>")).await;
    assert_eq!(said(&look), "no done bad-gateway 502 other unknown -");
    assert!(text(&look, Kind::Probe).contains("no API server"));
}

#[tokio::test]
async fn a_web_server_in_its_place() {
    let look = answered(9, |_| Reply::Answer(200, "<html>Welcome</html>")).await;
    assert_eq!(said(&look), "no done other 200 other unknown -");
}

#[tokio::test]
async fn etcd_has_failed() {
    let look = answered(9, |seen| match seen.path.as_str() {
        "/readyz" => Reply::Answer(500, "[+]ping ok\n[-]etcd failed: reason withheld\n[-]etcd-readiness failed: reason withheld\nreadyz check failed\n"),
        _ => healthy(seen),
    })
    .await;
    assert_eq!(said(&look), "no done etcd 500 api-server failed failed");
    assert_eq!(
        fact(&look, Kind::Probe).text("failed_checks"),
        Some("etcd,etcd-readiness")
    );
    assert!(
        text(&look, Kind::Probe).contains("/livez 200"),
        "{}",
        text(&look, Kind::Probe)
    );
}

#[tokio::test]
async fn readyz_hangs_and_the_rest_does_not() {
    let look = answered(9, |seen| {
        if seen.path == "/readyz" {
            Reply::Hang
        } else {
            healthy(seen)
        }
    })
    .await;
    assert_eq!(said(&look), "no request timed-out 403 api-server unknown -");
}

#[tokio::test]
async fn every_request_hangs() {
    for max_streams in [0, 9] {
        let look = answered(max_streams, |_| Reply::Hang).await;
        assert_eq!(said(&look), "no request timed-out - - unknown -");
        assert_eq!(blind(&look, Kind::ApiSettings), "no HTTP connection came about");
    }
}

#[tokio::test]
async fn a_clock_that_is_wrong() {
    let look = answered(9, |_| Reply::Dated(403, FORBIDDEN, "Wed, 01 Jan 2020 00:00:00 GMT")).await;
    let clock = fact(&look, Kind::ClockOffset);
    assert_eq!(says(clock, &["direction", "basis"]), "ahead http-date");
    assert!(clock.int("abs_s").is_some_and(|s| s > 86_400 * 365), "{clock:?}");
}

#[tokio::test]
async fn the_handshake_hangs() {
    // As Go's server does while it is well: a few plain bytes are answered.
    let path = Server::raw("127.0.0.1:0", |mut stream| async move {
        if stream.read_u8().await.is_ok_and(|byte| byte == b'G') {
            let _ = stream.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n").await;
        } else {
            std::future::pending::<()>().await;
        }
    })
    .await;
    let look = probe("127.0.0.1", path.port, "").await;
    assert_eq!(said(&look), "no tls tls-handshake-timeout - - - -");
    assert_eq!(fact(&look, Kind::Probe).text("large"), Some("timed-out"));
    let server = Server::raw("127.0.0.1:0", |stream| async move {
        let _kept = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let look = probe("127.0.0.1", server.port, "").await;
    assert_eq!(said(&look), "no tls tls-handshake-timeout - - - -");
    assert_eq!(
        fact(&look, Kind::Probe).text("large"),
        None,
        "a server that hangs says nothing of packets"
    );
}

#[tokio::test]
async fn no_tls_at_all() {
    let http = Server::raw("127.0.0.1:0", |mut stream| async move {
        let _ = stream.read(&mut [0; 512]).await;
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    })
    .await;
    assert_eq!(
        said(&probe("127.0.0.1", http.port, "").await),
        "no tls tls-not-tls - - - -"
    );
    let eof = Server::raw("127.0.0.1:0", |mut stream| async move {
        let _ = stream.read(&mut [0; 4096]).await;
    })
    .await;
    assert_eq!(said(&probe("127.0.0.1", eof.port, "").await), "no tls eof - - - -");
    let reset = Server::raw("127.0.0.1:0", |stream| async move {
        let _ = stream.readable().await;
        let _ = set_socket_linger(&stream, Some(Duration::ZERO));
    })
    .await;
    assert_eq!(said(&probe("127.0.0.1", reset.port, "").await), "no tls reset - - - -");
}

#[tokio::test]
async fn through_a_proxy() {
    let ca = Authority::new(VALID);
    let server = Server::https("127.0.0.1:0", &ca.issue(&["api.lab.test"], VALID), 9, healthy).await;
    for (status, expected) in [
        (200, "proxy yes done - 200"),
        (407, "proxy no proxy unauthorized -"),
        (503, "proxy no proxy unavailable -"),
    ] {
        let asked = Arc::new(Mutex::new(String::new()));
        let proxy = proxy(status, asked.clone()).await;
        let files = Files::new(&[]);
        // The name is nowhere: the proxy knows it.
        let mut scene = scene(&files, Some(endpoint("api.lab.test", server.port)), &ca.pem);
        scene.world.proxy.https = Some(format!("http://me:secret@127.0.0.1:{}", proxy.port));
        let look = look(&mut ApiProbe::new(None), &scene).await;
        assert_eq!(
            says(fact(&look, Kind::Probe), &["via", "ok", "stage", "error", "status"]),
            expected
        );
        let asked = asked.lock().expect("unpoisoned").clone();
        assert!(
            asked.starts_with(&format!("CONNECT api.lab.test:{} HTTP/1.1\r\n", server.port)),
            "{asked}"
        );
        assert!(asked.contains("Proxy-Authorization: Basic bWU6c2VjcmV0\r\n"), "{asked}");
        assert!(!format!("{look:?}").contains("secret"));
    }
    let files = Files::new(&[]);
    let mut scene = scene(&files, Some(endpoint("api.lab.test", server.port)), &ca.pem);
    scene.world.proxy.https = Some("127.0.0.1:1".into());
    let look = look(&mut ApiProbe::new(None), &scene).await;
    assert_eq!(said(&look), "no proxy refused - - - -");
    assert!(
        text(&look, Kind::Probe).contains("through the proxy 127.0.0.1:1  proxy refused"),
        "{look:#?}"
    );
}

#[tokio::test]
async fn the_light_look_is_one_connection_and_one_request() {
    let ca = Authority::new(VALID);
    let server = Server::https("127.0.0.1:0", &ca.issue(&["127.0.0.1"], VALID), 9, healthy).await;
    let files = Files::new(&[]);
    let look = look(
        &mut ApiProbe::light(),
        &scene(&files, Some(endpoint("127.0.0.1", server.port)), &ca.pem),
    )
    .await;
    assert_eq!(said(&look), "yes done - 200 api-server ok -");
    assert_eq!((server.connections(), server.seen().len()), (1, 1));
}

#[tokio::test]
async fn the_service_and_other_api_servers_are_asked_too() {
    let ca = Authority::new(VALID);
    let good = Server::https("127.0.0.1:0", &ca.issue(&["127.0.0.1"], VALID), 9, healthy).await;
    let own = Files::new(&[("sa/token", "secret-token\n"), ("sa/ca.crt", &ca.pem)]);
    let service = Service {
        token: "/sa/token".into(),
        ca: "/sa/ca.crt".into(),
        own: whynotready::host::Host::at(own.path()),
        ..Service::new("127.0.0.1", good.port)
    };
    let files = Files::new(&[]);
    let mut scene = scene(&files, Some(endpoint("127.0.0.1", 1)), &ca.pem);
    scene.world.peers = vec![endpoint("127.0.0.1", 1), endpoint("127.0.0.1", good.port)];
    let look = look(&mut ApiProbe::new(Some(service.clone())), &scene).await;
    let all: Vec<_> = facts(&look, Kind::Probe)
        .iter()
        .map(|f| says(f, &["target", "ok", "error"]))
        .collect();
    assert_eq!(all, ["kubelet no refused", "service yes -", "peer yes -"]);
    let shown: Vec<_> = good.seen().into_iter().filter_map(|s| s.authorization).collect();
    assert!(
        !shown.is_empty() && shown.iter().all(|a| a == "Bearer secret-token"),
        "{shown:?}"
    );
    assert!(!format!("{look:?}").contains("secret-token"));

    // A Service whose certificate is no good gets no token.
    let fake = Server::https(
        "127.0.0.1:0",
        &Authority::new(VALID).issue(&["127.0.0.1"], VALID),
        9,
        healthy,
    )
    .await;
    let service = Service {
        port: fake.port,
        ..service
    };
    let look = crate::scenes::look(&mut ApiProbe::new(Some(service)), &scene).await;
    assert_eq!(
        says(facts(&look, Kind::Probe)[1], &["target", "ok", "error"]),
        "service no x509-unknown-authority"
    );
    assert!(!fake.seen().is_empty() && fake.seen().iter().all(|s| s.authorization.is_none()));
}

#[tokio::test]
async fn where_nothing_can_be_asked() {
    let files = Files::new(&[]);
    let mut scene = scene(&files, None, "");
    scene.world.kubeconfig.state = whynotready::world::KubeconfigState::Missing;
    let look = look(&mut ApiProbe::new(None), &scene).await;
    assert_eq!(look.readings, []);
    assert_eq!(blind(&look, Kind::Probe), "/etc/kubernetes/kubelet.conf does not exist");
    scene.world.kubeconfig.server = Some(endpoint("127.0.0.1", 1));
    scene.allowed.api = false;
    let look = crate::scenes::look(&mut ApiProbe::new(None), &scene).await;
    assert_eq!((look.readings.len(), look.blind.len()), (0, 4));
}
