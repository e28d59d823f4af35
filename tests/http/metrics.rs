//! `/metrics` and health: formats, methods, tokens.

use whynotready_tests::diagnoses::named;

use crate::place::write;
use crate::server::{Guards, Server};
use crate::view::Fixed;

fn server() -> Server {
    Server::metrics(Fixed::of(named("root-cause")), Guards::default())
}

#[test]
fn the_format_is_what_the_scraper_asks_for() {
    let server = server();
    let text = server.get("/metrics", &[]);
    assert_eq!(text.status(), 200);
    assert_eq!(
        text.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    let line = "whynotready_root_cause{cause=\"api-connection-refused\",verdict=\"confirmed\"} 1";
    assert!(text.text().lines().any(|l| l == line), "{}", text.text());
    let open = server.get("/metrics", &["Accept: application/openmetrics-text;version=1.0.0"]);
    assert_eq!(
        open.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    assert!(open.text().ends_with("# EOF\n"));
}

#[test]
fn health_says_ok_or_why_not() {
    let mut view = Fixed::of(named("healthy"));
    view.ready = Err("the first look is not done".into());
    let server = Server::metrics(view, Guards::default());
    let (live, ready) = (server.get("/livez", &[]), server.get("/readyz", &[]));
    assert_eq!((live.status(), live.text().as_str()), (200, "ok\n"));
    assert_eq!(
        (ready.status(), ready.text().as_str()),
        (503, "the first look is not done\n")
    );
}

#[test]
fn only_what_is_there_may_be_read_and_nothing_written() {
    let server = server();
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"] {
        let refused = server.say(&format!(
            "{method} /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
        ));
        assert_eq!(
            (refused.status(), refused.header("allow")),
            (405, Some("GET, HEAD")),
            "{method}"
        );
    }
    let head = server.say("HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!((head.status(), head.body.len()), (200, 0));
    let length: usize = head.header("content-length").unwrap().parse().unwrap();
    assert!(length > 1000, "as long as the answer to GET would be: {length}");
    assert_eq!(
        server.get("/debug/diagnosis", &[]).status(),
        404,
        "debug is not for the network"
    );
    assert_eq!(server.say("GET /livez HTTP/1.0\r\n\r\n").status(), 200);
}

#[test]
fn a_token_guards_the_numbers_and_is_read_anew() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    let guards = Guards {
        token_file: Some(file.clone()),
        ..Guards::default()
    };
    let server = Server::metrics(Fixed::of(named("healthy")), guards);
    let status = |authorization: &[&str]| server.get("/metrics", authorization).status();
    assert_eq!(status(&["Authorization: Bearer one"]), 503, "no file, no numbers");
    write(&file, "one\n");
    assert_eq!(status(&["Authorization: Bearer one"]), 200);
    let refused = server.get("/metrics", &[]);
    assert_eq!(
        (refused.status(), refused.header("www-authenticate")),
        (401, Some("Bearer"))
    );
    assert_eq!(status(&["Authorization: Bearer on"]), 401);
    assert_eq!(status(&["Authorization: Basic one"]), 401);
    write(&file, "two\n");
    assert_eq!(status(&["Authorization: Bearer one"]), 401);
    assert_eq!(status(&["Authorization: Bearer two"]), 200);
    assert_eq!(server.get("/livez", &[]).status(), 200);
    assert_eq!(server.get("/readyz", &[]).status(), 200);
}

#[test]
fn a_taken_address_is_named_with_the_reason() {
    let server = server();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let again = whynotready::http::metrics::MetricsListener::bind(server.address.parse().unwrap(), None, None);
    let why = runtime.block_on(again).err().expect("it is taken").to_string();
    assert!(why.contains(&server.address) && why.contains("in use"), "{why}");
}
