//! Every fault of a server's certificate, and what is still asked behind it.

use whynotready::grammar::fact::Kind;

use crate::scenes::{blind, fact, probe, says, text};
use crate::servers::{Authority, Server, VALID, healthy};

const PROBE: &[&str] = &["ok", "stage", "error", "status", "readyz"];
const CERTIFICATE: &[&str] = &["validity", "trust", "host_match"];

async fn served(
    authority: &Authority,
    names: &[&str],
    years: (i32, i32),
    ca: &str,
) -> (String, String, whynotready::source::look::Look) {
    let server = Server::https("127.0.0.1:0", &authority.issue(names, years), 100, healthy).await;
    let look = probe("127.0.0.1", server.port, ca).await;
    for seen in server.seen() {
        assert_eq!(
            (seen.authorization, seen.certified),
            (None, false),
            "no credential is shown"
        );
        assert!(seen.agent.starts_with("whynotready/"));
    }
    (
        says(fact(&look, Kind::Probe), PROBE),
        says(fact(&look, Kind::ApiCertificate), CERTIFICATE),
        look,
    )
}

#[tokio::test]
async fn a_good_one() {
    let ca = Authority::new(VALID);
    let (probe, certificate, look) = served(&ca, &["127.0.0.1"], VALID, &ca.pem).await;
    assert_eq!(probe, "yes done - 200 ok");
    assert_eq!(certificate, "valid trusted yes");
    let certificate = fact(&look, Kind::ApiCertificate);
    assert_eq!(certificate.text("not_after"), Some("2090-01-01T00:00:00.000000Z"));
    assert_eq!(certificate.text("names"), Some("127.0.0.1"));
    assert!(text(&look, Kind::Probe).contains("/readyz 200 in "), "{look:#?}");
    let probed = fact(&look, Kind::Probe);
    assert_eq!(
        says(
            probed,
            &["answered_by", "etcd", "large", "addresses", "addresses_ok", "via"]
        ),
        "api-server ok ok 1 1 direct"
    );
    assert_eq!(
        says(fact(&look, Kind::ApiSettings), &["protocol", "max_streams"]),
        "http2 100"
    );
    let clock = fact(&look, Kind::ClockOffset);
    assert_eq!(
        says(clock, &["offset_s", "direction", "basis", "synchronized"]),
        "0 none http-date unknown"
    );
}

#[tokio::test]
async fn an_expired_one() {
    let ca = Authority::new(VALID);
    let (probe, certificate, look) = served(&ca, &["127.0.0.1"], (2020, 2021), &ca.pem).await;
    assert_eq!(probe, "no tls x509-expired 200 ok");
    assert_eq!(certificate, "expired trusted yes");
    assert!(text(&look, Kind::ApiCertificate).contains("expired 2021-01-01T"));
    let reading = look
        .readings
        .iter()
        .find(|r| r.facts[0].kind == Kind::ApiCertificate)
        .expect("a reading");
    assert_eq!(
        reading.began.map(whynotready::model::time::Timestamp::date).as_deref(),
        Some("2021-01-01")
    );
    assert!(text(&look, Kind::Probe).contains("certificate expired"));
}

#[tokio::test]
async fn one_that_is_not_yet_valid() {
    let ca = Authority::new(VALID);
    let (probe, certificate, _) = served(&ca, &["127.0.0.1"], (2080, 2081), &ca.pem).await;
    assert_eq!(probe, "no tls x509-not-yet-valid 200 ok");
    assert_eq!(certificate, "not-yet-valid trusted yes");
}

#[tokio::test]
async fn one_of_another_ca() {
    let (ca, other) = (Authority::new(VALID), Authority::new(VALID));
    let (probe, certificate, _) = served(&ca, &["127.0.0.1"], VALID, &other.pem).await;
    assert_eq!(probe, "no tls x509-unknown-authority 200 ok");
    assert_eq!(certificate, "valid unknown-authority yes");
}

#[tokio::test]
async fn one_for_another_host() {
    let ca = Authority::new(VALID);
    let (probe, certificate, look) = served(&ca, &["10.96.0.1", "kubernetes.default"], VALID, &ca.pem).await;
    assert_eq!(probe, "no tls x509-wrong-host 200 ok");
    assert_eq!(certificate, "valid trusted no");
    assert!(text(&look, Kind::ApiCertificate).contains("not for this host but for 10.96.0.1, kubernetes.default"));
}

#[tokio::test]
async fn a_ca_that_has_expired_itself() {
    let ca = Authority::new((2020, 2021));
    let (probe, certificate, _) = served(&ca, &["127.0.0.1"], VALID, &ca.pem).await;
    assert_eq!(probe, "no tls x509-expired 200 ok");
    assert_eq!(certificate, "valid trusted yes");
}

#[tokio::test]
async fn a_ca_that_cannot_be_read_is_no_unknown_authority() {
    let ca = Authority::new(VALID);
    let (probe, certificate, _) = served(&ca, &["127.0.0.1"], VALID, "").await;
    assert_eq!(probe, "yes done - 200 ok");
    assert_eq!(certificate, "valid unknown yes");
}

#[tokio::test]
async fn none_at_all() {
    let server = Server::raw("127.0.0.1:0", |_| async {}).await;
    let look = probe("127.0.0.1", server.port, "").await;
    assert_eq!(fact(&look, Kind::Probe).text("stage"), Some("tls"));
    assert_eq!(
        blind(&look, Kind::ApiCertificate),
        "the API server showed no certificate"
    );
    assert_eq!(blind(&look, Kind::ClockOffset), "no API server answered with a date");
}
