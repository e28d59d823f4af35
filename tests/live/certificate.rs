//! Certificates made for the test: files of every kind of fault, and a real TLS server that shows one.
#![expect(clippy::disallowed_methods, reason = "the tests lay out nodes")]

mod node;

use std::sync::Arc;

use node::{Node, one, with};
use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::PrivateKeyDer;
use whynotready::grammar::fact::Kind;
use whynotready::source::certificate::{Certificates, ServedCertificate};
use whynotready::source::look::Look;

const AT: &str = "2026-06-01T00:00:00Z";
const CLIENT: &str = "/var/lib/kubelet/pki/kubelet-client-current.pem";
const FILE: Kind = Kind::CertificateFile;

/// A certificate authority of the test.
struct Authority {
    params: CertificateParams,
    key: KeyPair,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2040, 1, 1));
        let key = KeyPair::generate().unwrap();
        Self { params, key }
    }

    fn pem(&self) -> String {
        self.params.self_signed(&self.key).unwrap().pem()
    }

    /// A certificate for a common name, valid for whole years from and to.
    fn issue(&self, name: &str, years: (i32, i32), key: &KeyPair) -> Certificate {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::OrganizationName, "system:nodes");
        params.distinguished_name.push(DnType::CommonName, name);
        (params.not_before, params.not_after) = (date_time_ymd(years.0, 1, 1), date_time_ymd(years.1, 1, 1));
        params
            .signed_by(key, &Issuer::from_params(&self.params, &self.key))
            .unwrap()
    }
}

/// The lab's node with another CA and client certificate.
fn node(ca: &Authority, client: &str) -> Node {
    let node = Node::of("lab", AT);
    node.put("/etc/kubernetes/pki/ca.crt", ca.pem());
    node.put(
        "/etc/kubernetes/kubelet.conf",
        format!(
            "kind: Config\nclusters: [{{name: c, cluster: {{server: 'https://a:1', certificate-authority: pki/ca.crt}}}}]\nusers: [{{name: u, user: {{client-certificate: {CLIENT}, client-key: {CLIENT}}}}}]\ncontexts: [{{name: x, context: {{cluster: c, user: u}}}}]\ncurrent-context: x\n"
        ),
    );
    node.put(CLIENT, client);
    node
}

async fn look(node: &Node) -> Look {
    node.look(&mut Certificates::new()).await
}

fn client<'a>(look: &'a Look, name: &str) -> Option<&'a str> {
    one(look, FILE, "which", "client").1.text(name)
}

#[tokio::test]
async fn every_fault_of_a_client_certificate() {
    let (ca, other) = (Authority::new("ca"), Authority::new("other"));
    // The same name with another key: only the signature tells them apart.
    let impostor = Authority::new("ca");
    let key = KeyPair::generate().unwrap();
    let own = "system:node:node1";
    for (certificate, name, value) in [
        (ca.issue(own, (2026, 2027), &key), "validity", "valid"),
        (ca.issue(own, (2025, 2026), &key), "validity", "expired"),
        (ca.issue(own, (2027, 2028), &key), "validity", "not-yet-valid"),
        (ca.issue(own, (2026, 2027), &key), "name", "own"),
        (ca.issue("system:node:node9", (2026, 2027), &key), "name", "foreign"),
        (ca.issue("kubelet", (2026, 2027), &key), "name", "unknown"),
        (ca.issue(own, (2026, 2027), &key), "issuer_known", "yes"),
        (other.issue(own, (2026, 2027), &key), "issuer_known", "no"),
        (impostor.issue(own, (2026, 2027), &key), "issuer_known", "no"),
        (ca.issue(own, (2026, 2027), &key), "rotation", "ok"),
        // 97 % of its life is over
        (ca.issue(own, (2012, 2027), &key), "rotation", "overdue"),
    ] {
        let found = look(&node(&ca, &certificate.pem())).await;
        assert_eq!(client(&found, name), Some(value), "{:#?}", found.readings);
    }
    let foreign = look(&node(&ca, &ca.issue("system:node:node9", (2026, 2027), &key).pem())).await;
    assert!(
        one(&foreign, FILE, "which", "client")
            .0
            .contains("it is for node node9, this one is node1")
    );
}

#[tokio::test]
async fn files_without_a_certificate() {
    let ca = Authority::new("ca");
    let key = KeyPair::generate().unwrap();
    for (content, state) in [
        ("", "empty"),
        ("rubbish", "invalid"),
        (key.serialize_pem().as_str(), "invalid"),
    ] {
        let found = look(&node(&ca, content)).await;
        assert_eq!(client(&found, "state"), Some(state));
    }
    let gone = node(&ca, "");
    gone.remove(CLIENT);
    let found = look(&gone).await;
    assert_eq!(client(&found, "state"), Some("missing"));
    assert!(one(&found, FILE, "which", "client").0.starts_with(CLIENT));
}

#[tokio::test]
async fn keys_are_opened_only_where_it_is_allowed() {
    let ca = Authority::new("ca");
    let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let certificate = ca.issue("system:node:node1", (2026, 2027), &key).pem();
    for (key, allowed, expected) in [
        (&key, true, "match"),
        (&other, true, "mismatch"),
        (&other, false, "unknown"),
    ] {
        let mut node = node(&ca, &format!("{certificate}{}", key.serialize_pem()));
        node.allowed.as_kubelet = allowed;
        let found = look(&node).await;
        assert_eq!(client(&found, "key"), Some(expected));
        let gap = found
            .blind
            .iter()
            .any(|b| b.grant.as_deref() == Some("probe.as_kubelet"));
        assert_eq!(gap, !allowed);
        assert!(!format!("{found:?}").contains("PRIVATE"));
    }
}

#[tokio::test]
async fn rotation_that_got_a_certificate_and_did_not_put_it_in_place() {
    let ca = Authority::new("ca");
    let key = KeyPair::generate().unwrap();
    let of = |years| ca.issue("system:node:node1", years, &key).pem();
    let node = node(&ca, &of((2025, 2026)));
    let dated = |day: &str| format!("/var/lib/kubelet/pki/kubelet-client-2026-0{day}-00-00-00.pem");
    node.put(&dated("1-01"), of((2025, 2026)));
    assert!(with(&look(&node).await, FILE, "which", "client-dated").is_empty());
    node.put(&dated("3-01"), of((2026, 2027)));
    let found = look(&node).await;
    assert_eq!(
        one(&found, FILE, "which", "client-dated").1.text("path"),
        Some(&*dated("3-01"))
    );
}

#[tokio::test]
async fn serving_ca_and_bootstrap() {
    let ca = Authority::new("ca");
    let key = KeyPair::generate().unwrap();
    let good = ca.issue("system:node:node1", (2026, 2027), &key).pem();
    let node = node(&ca, &good);
    node.put(
        "/var/lib/kubelet/pki/kubelet.crt",
        ca.issue("node1", (2020, 2021), &key).pem(),
    );
    let found = look(&node).await;
    assert_eq!(
        one(&found, FILE, "which", "serving").1.text("validity"),
        Some("expired")
    );
    assert_eq!(one(&found, FILE, "which", "ca").1.text("validity"), Some("valid"));
    // What it signs for itself may be missing, what the configuration names may not.
    node.remove("/var/lib/kubelet/pki/kubelet.crt");
    assert!(with(&look(&node).await, FILE, "which", "serving").is_empty());
    let config = "kind: KubeletConfiguration\ntlsCertFile: /t.crt\n";
    node.put("/var/lib/kubelet/config.yaml", config);
    assert_eq!(
        one(&look(&node).await, FILE, "which", "serving").1.text("state"),
        Some("missing")
    );
    // Of two CAs one that holds is enough.
    let mut old = Authority::new("old");
    old.params.not_after = date_time_ymd(2021, 1, 1);
    node.put("/etc/kubernetes/pki/ca.crt", format!("{}{}", old.pem(), ca.pem()));
    let both = look(&node).await;
    let (text, fact) = one(&both, FILE, "which", "ca");
    assert_eq!(fact.text("validity"), Some("valid"));
    assert!(text.contains("the last of 2 to expire, 1 have"), "{text}");
    node.put("/etc/kubernetes/pki/ca.crt", old.pem());
    assert_eq!(
        one(&look(&node).await, FILE, "which", "ca").1.text("validity"),
        Some("expired")
    );
}

/// A TLS server on a free port that shows this certificate.
async fn serve(certificate: &Certificate, key: &KeyPair) -> u16 {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let _ = acceptor.accept(tcp).await;
        }
    });
    port
}

#[tokio::test]
async fn what_is_served_against_what_is_on_disk() {
    let ca = Authority::new("ca");
    let key = KeyPair::generate().unwrap();
    let of = |years| ca.issue("node1", years, &key);
    let served = of((2025, 2027));
    let port = serve(&served, &key).await;
    for (disk, expected) in [
        (Some(served.pem()), "same"),
        (Some(of((2026, 2028)).pem()), "older"),
        (Some(of((2024, 2028)).pem()), "newer"),
        (Some(of((2025, 2028)).pem()), "other"),
        (None, "unknown"),
    ] {
        let node = node(&ca, "");
        match disk {
            Some(pem) => node.put("/var/lib/kubelet/pki/kubelet.crt", pem),
            None => node.remove("/var/lib/kubelet/pki/kubelet.crt"),
        }
        let mut world = node.world();
        world.settings.port = port;
        let found = node.look_at(&mut ServedCertificate::new(), world).await;
        let (text, fact) = one(&found, Kind::ServedCertificate, "against_disk", expected);
        assert_eq!(fact.text("validity"), Some("valid"), "{text}");
        assert!(text.starts_with(&format!("127.0.0.1:{port} serves")), "{text}");
    }
    let old = serve(&of((2024, 2025)), &key).await;
    let node = node(&ca, "");
    let mut world = node.world();
    world.settings.port = old;
    let found = node.look_at(&mut ServedCertificate::new(), world).await;
    one(&found, Kind::ServedCertificate, "validity", "expired");
}

#[tokio::test]
async fn a_port_that_shows_nothing_is_a_gap() {
    let ca = Authority::new("ca");
    let mut node = node(&ca, "");
    node.allowed.stage = std::time::Duration::from_millis(50);
    let closed = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().port()
    };
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    for (port, words) in [
        (closed, "refused"),
        (silent.local_addr().unwrap().port(), "did not shake hands"),
    ] {
        let mut world = node.world();
        world.settings.port = port;
        let found = node.look_at(&mut ServedCertificate::new(), world).await;
        assert!(found.readings.is_empty());
        assert!(found.blind[0].reason.contains(words), "{}", found.blind[0].reason);
    }
}
