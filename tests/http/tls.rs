//! TLS: a certificate that is replaced under the running listener, and clients that are no TLS clients.

use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use whynotready_tests::diagnoses::named;

use crate::place::write;
use crate::server::{Guards, Reply, Server, exchange};
use crate::view::Fixed;

/// A certificate for `localhost`, written with its key.
fn issue(dir: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    // Other files in the place of the old ones, as a Secret's mount has them.
    for (name, pem) in [
        ("tls.key", made.signing_key.serialize_pem()),
        ("tls.crt", made.cert.pem()),
    ] {
        let new = dir.join("new");
        write(&new, &pem);
        std::fs::rename(&new, dir.join(name)).unwrap();
    }
    made.cert.der().clone()
}

/// `Err` where the certificate is not the trusted one.
fn get(server: &Server, trusted: &CertificateDer<'static>) -> Result<Reply, std::io::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let session = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
    let mut stream = StreamOwned::new(session, TcpStream::connect(&server.address).unwrap());
    stream.conn.complete_io(&mut stream.sock)?;
    Ok(exchange(stream, "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"))
}

fn start(dir: &Path) -> Server {
    let guards = Guards {
        tls: Some((dir.join("tls.crt"), dir.join("tls.key"))),
        ..Guards::default()
    };
    Server::metrics(Fixed::of(named("healthy")), guards)
}

#[test]
fn a_replaced_certificate_is_used_and_a_broken_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let first = issue(dir.path());
    let server = start(dir.path());
    assert_eq!(get(&server, &first).unwrap().status(), 200);
    let second = issue(dir.path());
    assert_eq!(get(&server, &second).unwrap().status(), 200);
    assert!(get(&server, &first).is_err(), "the first is not shown any more");
    write(&dir.path().join("tls.crt"), "half of a certif");
    assert_eq!(get(&server, &second).unwrap().status(), 200, "the last that was whole");
    let third = issue(dir.path());
    assert_eq!(get(&server, &third).unwrap().status(), 200);
}

#[test]
fn without_tls_there_is_no_answer() {
    let dir = tempfile::tempdir().unwrap();
    let trusted = issue(dir.path());
    let server = start(dir.path());
    assert_eq!(server.get("/metrics", &[]).status(), 0);
    assert_eq!(get(&server, &trusted).unwrap().status(), 200);
}

#[test]
fn files_that_do_not_fit_are_named() {
    let dir = tempfile::tempdir().unwrap();
    issue(dir.path());
    let key = dir.path().join("other.key");
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    write(&key, &other.signing_key.serialize_pem());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let bind = |certificate: &str, key: &str| {
        let tls = Some((dir.path().join(certificate), dir.path().join(key)));
        let bound = whynotready::http::metrics::MetricsListener::bind(([127, 0, 0, 1], 0).into(), tls, None);
        runtime.block_on(bound).err().expect("refused").to_string()
    };
    let why = bind("tls.crt", "other.key");
    assert!(why.contains("tls.crt") && why.contains("127.0.0.1"), "{why}");
    let why = bind("none.crt", "tls.key");
    assert!(why.contains("none.crt: no such file"), "{why}");
}
