//! The debug endpoint: the documents, and who may ask.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};

use whynotready::config::Debug;
use whynotready::export::json;
use whynotready::http::debug::DebugListener;
use whynotready_tests::diagnoses::named;

use crate::server::{Server, exchange};
use crate::view::{Fixed, incident};

#[test]
fn the_documents() {
    let diagnosis = incident("1.37-api-down");
    let as_command = json::render(&diagnosis, false).unwrap();
    let episodes = serde_json::to_value(&diagnosis.episodes).unwrap();
    let server = Server::debug_anywhere(Fixed::of(diagnosis));
    let get = |path: &str| {
        let reply = server.get(path, &[]);
        assert_eq!(reply.status(), 200, "{path}: {reply:?}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{path}");
        reply
    };
    assert_eq!(get("/debug/diagnosis").text(), as_command, "byte by byte");
    assert_eq!(get("/debug/diagnosis").header("content-type"), Some("application/json"));
    assert_eq!(get("/debug/episodes").json(), episodes);
    let evidence = get("/debug/evidence").json();
    assert_eq!(evidence[0]["text"], "41 % available");
    assert_eq!(evidence[0]["facts"][0]["kind"], "memory");
    let config = get("/debug/config");
    assert!(!config.text().contains("hush"), "secrets are hidden");
    let headers = config.json();
    let headers = headers.as_array().unwrap().iter().find(|v| v["key"] == "otlp.headers");
    assert_eq!(headers.unwrap()["value"], "[hidden]");
    assert_eq!(headers.unwrap()["origin"], "--otlp-headers");
    let catalog = get("/debug/catalog").json();
    assert!(
        catalog
            .as_array()
            .unwrap()
            .iter()
            .any(|c| c["id"] == "api-connection-refused")
    );
    assert_eq!(get("/debug/about").json()["version"], "0.1.0");
    assert!(
        get("/debug/report")
            .text()
            .contains("ROOT CAUSE  api-connection-refused  confirmed")
    );
    let bundle = get("/debug/bundle");
    assert_eq!(bundle.body, b"bundle");
    let name = bundle.header("content-disposition").unwrap();
    assert!(
        name.starts_with("attachment; filename=\"whynotready-node1-2026"),
        "{name}"
    );
    assert_eq!(server.get("/debug/", &[]).status(), 404);
    assert_eq!(server.get("/metrics", &[]).status(), 404);
}

#[test]
fn what_is_not_there_is_said() {
    let mut view = Fixed::of(named("healthy"));
    view.bundle = Err("nothing is recorded yet".into());
    view.diagnosis.node = Some("a\"\r\nSet-Cookie: x=1".into());
    let server = Server::debug_anywhere(view);
    let reply = server.get("/debug/bundle", &[]);
    assert_eq!(
        (reply.status(), reply.text().as_str()),
        (503, "nothing is recorded yet\n")
    );
}

#[test]
fn a_nodes_name_cannot_break_the_header() {
    let mut view = Fixed::of(named("healthy"));
    view.diagnosis.node = Some("a\"\r\nSet-Cookie: x=1".into());
    let reply = Server::debug_anywhere(view).get("/debug/bundle", &[]);
    assert_eq!(reply.header("set-cookie"), None);
    assert!(
        reply
            .header("content-disposition")
            .unwrap()
            .contains("whynotready-aSet-Cookiex1-"),
        "{reply:?}"
    );
}

#[test]
fn a_foreign_host_is_refused() {
    let server = Server::debug_anywhere(Fixed::of(named("healthy")));
    let port = server.address.rsplit_once(':').unwrap().1;
    let status = |head: &str| server.say(&format!("{head}\r\n\r\n")).status();
    for host in [
        "localhost",
        "LOCALHOST:80",
        "127.0.0.1",
        "[::1]:1",
        &format!("127.0.0.1:{port}"),
    ] {
        assert_eq!(
            status(&format!("GET /debug/about HTTP/1.1\r\nHost: {host}")),
            200,
            "{host}"
        );
    }
    for host in [
        "evil.example",
        "localhost.evil.example",
        "evil.example:10951",
        "127.0.0.2",
        "127.0.0.1.nip.io",
        "node1",
        "localhost@evil.example",
        "",
    ] {
        assert_eq!(status(&format!("GET / HTTP/1.1\r\nHost: {host}")), 421, "{host}");
    }
    assert_eq!(status("GET / HTTP/1.0"), 421, "no host at all");
    assert_eq!(status("GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example"), 421);
    assert_eq!(status("GET http://evil.example/ HTTP/1.1\r\nHost: localhost"), 421);
    let refused = server.say("GET /debug/diagnosis HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    assert!(refused.text().contains("names another host") && !refused.text().contains("node1"));
}

#[test]
fn a_unix_socket_is_for_its_owner_and_replaces_one_that_nobody_answers_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("debug.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "left behind");
    let server = Server::debug(Fixed::of(named("healthy")), Debug::Unix(path.clone()));
    assert_eq!(server.address, format!("unix:{}", path.display()));
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let request = "GET /debug/about HTTP/1.1\r\nHost: whatever\r\n\r\n";
    let ask = || exchange(UnixStream::connect(&path).unwrap(), request);
    assert_eq!(ask().status(), 200);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let second = runtime.block_on(DebugListener::bind(&Debug::Unix(path.clone())));
    let why = second.err().expect("the first has it").to_string();
    assert!(why.contains("another process listens there"), "{why}");
    assert_eq!(ask().status(), 200, "the first still has it");
    drop(server);
    assert!(!path.exists(), "it goes with its agent");
    let file = dir.path().join("file");
    crate::place::write(&file, "x");
    let why = runtime
        .block_on(DebugListener::bind(&Debug::Unix(file)))
        .err()
        .expect("a file is no socket");
    assert!(why.to_string().contains("in use"), "{why}");
}
