//! Events against a TLS server that enforces the API server's rules for them. It is a stub: kube-apiserver is not to be
//! had on CI machines. The rules are those of kubernetes `pkg/apis/core/validation/events.go` for `events.k8s.io/v1`.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::sync::watch;
use whynotready::clock::{Clock, Now};
use whynotready::export::client::resolve::Resolver;
use whynotready::export::client::target::Target;
use whynotready::export::client::trust::TlsFiles;
use whynotready::export::kubernetes::access::Access;
use whynotready::export::kubernetes::event::Node;
use whynotready::export::kubernetes::events_worker::Worker;
use whynotready::export::kubernetes::gate::Gate;
use whynotready::export::tally::Tally;
use whynotready::model::change::{Change, ChangeKind};
use whynotready::outbox::handle::Handle;
use whynotready::outbox::sink::Sink;

use crate::otlp::QUICK;
use crate::sample::{change, on_one_thread, outbox, until};
use crate::stub::{Reply, Seen, Stub, status};
use crate::tls::{Authority, file};

const PATH: &str = "/apis/events.k8s.io/v1/namespaces/default/events";

/// What an API server has.
#[derive(Default)]
pub(crate) struct Server {
    pub(crate) events: HashMap<String, Json>,
    /// The token that it takes now.
    pub(crate) token: String,
    /// Answers to give before any of its own.
    pub(crate) trouble: Vec<u16>,
    /// Objects that other parts of the tests keep: path to object.
    pub(crate) objects: HashMap<String, Json>,
}

pub(crate) type Shared = Arc<Mutex<Server>>;

pub(crate) fn refusal(code: u16, message: &str) -> Reply {
    let body = json!({"kind": "Status", "status": "Failure", "message": message, "code": code});
    Reply::Answer(code, Vec::new(), body.to_string().into_bytes())
}

/// The stub, with the files of a service account.
pub(crate) fn api(
    dir: &Path,
    extra: impl Fn(&mut Server, &Seen) -> Option<Reply> + Send + Sync + 'static,
) -> (Stub, Shared, Access) {
    let authority = Authority::new();
    let shared: Shared = Arc::new(Mutex::new(Server {
        token: "token-1".to_owned(),
        ..Server::default()
    }));
    let state = shared.clone();
    let stub = Stub::secure(&authority.issue(), None, move |request| {
        let mut server = state.lock().expect("unpoisoned");
        if let Some(code) = server.trouble.pop() {
            return match code {
                0 => Reply::HangUp,
                code => refusal(code, "trouble"),
            };
        }
        if request.path == "/readyz" {
            return status(200);
        }
        if request.header("authorization") != format!("Bearer {}", server.token) {
            return refusal(401, "Unauthorized");
        }
        extra(&mut server, request).unwrap_or_else(|| events(&mut server, request))
    });
    let access = Access {
        target: Target::parse(&format!("https://{}", stub.address)).expect("a URL"),
        tls: TlsFiles {
            ca: Some(file(dir, "ca.crt", authority.pem())),
            ..TlsFiles::default()
        },
        token: Some(file(dir, "token", "token-1\n")),
        resolver: Resolver::system(),
        timeout: Duration::from_secs(10),
    };
    (stub, shared, access)
}

fn events(server: &mut Server, request: &Seen) -> Reply {
    let body: Json = serde_json::from_slice(&request.body).unwrap_or_default();
    match (request.method.as_str(), request.path.strip_prefix(PATH)) {
        ("POST", Some("")) => {
            let faults = invalid(&body);
            if !faults.is_empty() {
                return refusal(422, &faults.join(", "));
            }
            let name = body["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            if server.events.contains_key(&name) {
                return refusal(409, "already exists");
            }
            server.events.insert(name, body.clone());
            Reply::Answer(201, Vec::new(), body.to_string().into_bytes())
        }
        ("PATCH", Some(name)) => {
            let kinds = ["application/merge-patch+json", "application/strategic-merge-patch+json"];
            if !kinds.contains(&request.header("content-type")) {
                return refusal(415, "media type");
            }
            let Some(event) = server.events.get_mut(name.trim_start_matches('/')) else {
                return refusal(404, "not found");
            };
            // Everything but the series is immutable.
            let only_series = body.as_object().is_some_and(|o| o.keys().all(|k| k == "series"));
            let count = body["series"]["count"].as_i64().unwrap_or(0);
            if !only_series || count < 2 || !is_micro_time(&body["series"]["lastObservedTime"]) {
                return refusal(422, "series");
            }
            event["series"] = body["series"].clone();
            status(200)
        }
        _ => refusal(405, "method"),
    }
}

/// What `ValidateEventCreate` and the legacy rules refuse.
fn invalid(event: &Json) -> Vec<&'static str> {
    let text = |field: &str| event[field].as_str().unwrap_or_default();
    let name = event["metadata"]["name"].as_str().unwrap_or_default();
    let is_name = !name.is_empty()
        && name.len() <= 253
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.')
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.ends_with(|c: char| c.is_ascii_alphanumeric());
    let controller = text("reportingController");
    let short = |field: &str| !text(field).is_empty() && text(field).len() <= 128;
    let known = [
        "apiVersion",
        "kind",
        "metadata",
        "eventTime",
        "series",
        "reportingController",
        "reportingInstance",
        "action",
        "reason",
        "regarding",
        "related",
        "note",
        "type",
    ];
    let rules = [
        (
            text("apiVersion") == "events.k8s.io/v1" && text("kind") == "Event",
            "kind",
        ),
        (is_name, "metadata.name"),
        // Of an object without a namespace: default or kube-system.
        (event["metadata"]["namespace"] == "default", "metadata.namespace"),
        (is_micro_time(&event["eventTime"]), "eventTime"),
        (
            !controller.is_empty() && controller.len() <= 63 && !controller.contains(' '),
            "reportingController",
        ),
        (short("reportingInstance"), "reportingInstance"),
        (short("action"), "action"),
        (short("reason"), "reason"),
        (["Normal", "Warning"].contains(&text("type")), "type"),
        (text("note").len() <= 1024, "note"),
        (
            event["regarding"]["kind"] == "Node" && event["regarding"]["apiVersion"] == "v1",
            "regarding",
        ),
        (event["regarding"].get("namespace").is_none(), "regarding.namespace"),
        (event.get("series").is_none(), "series"),
        // The deprecated fields must not be set; others are not known.
        (
            event
                .as_object()
                .is_some_and(|o| o.keys().all(|k| known.contains(&k.as_str()))),
            "unknown field",
        ),
    ];
    rules
        .into_iter()
        .filter(|(holds, _)| !holds)
        .map(|(_, rule)| rule)
        .collect()
}

/// `2026-11-25T12:00:00.000000Z`.
fn is_micro_time(value: &Json) -> bool {
    let text = value.as_str().unwrap_or_default();
    let digits = |c: char| if c.is_ascii_digit() { '9' } else { c };
    text.chars().map(digits).collect::<String>() == "9999-99-99T99:99:99.999999Z"
}

fn worker(access: Access) -> Worker {
    let node = Node {
        name: "node1".to_owned(),
        uid: Some("9f1c0b8e-0000-4000-8000-000000000001".to_owned()),
    };
    Worker::new(access, gate(), node, Clock::system())
}

/// With a bucket of tokens that is always full.
pub(crate) fn gate() -> Gate {
    let steps = AtomicU64::new(0);
    let clock = Clock::from_fn(move || Now {
        monotonic: steps.fetch_add(60_000_000, Ordering::SeqCst),
        ..Now::default()
    });
    Gate::new(QUICK, clock)
}

async fn drained(worker: Worker, outbox: &Handle) -> std::rc::Rc<Tally> {
    let tally = worker.tally();
    let (stop, stopped) = watch::channel(false);
    let task = tokio::task::spawn_local(worker.run(outbox.clone(), stopped));
    until("everything delivered", || outbox.with(|o| o.depth()) == 0).await;
    stop.send(true).expect("runs");
    task.await.expect("ends");
    tally
}

fn of(uid: &str, kind: ChangeKind, cause: &str) -> Change {
    Change {
        cause: Some(cause.to_owned()),
        ..change(uid, kind)
    }
}

#[test]
fn findings_become_events_of_the_node_and_repeats_a_series() {
    let dir = tempfile::tempdir().expect("a directory");
    let (_stub, server, access) = api(dir.path(), |_, _| None);
    on_one_thread(async {
        let outbox = outbox(dir.path(), &[Sink::Events]);
        outbox.store(&change("uid-0", ChangeKind::EpisodeOpened));
        outbox.store(&of("uid-1", ChangeKind::RootCauseFound, "dns-failure"));
        outbox.store(&of("uid-2", ChangeKind::RootCauseCleared, "dns-failure"));
        outbox.store(&of("uid-3", ChangeKind::RootCauseFound, "dns-failure"));
        outbox.store(&of("uid-4", ChangeKind::RootCauseFound, "disk-full"));
        outbox.store(&of("uid-5", ChangeKind::RootCauseFound, "dns-failure"));
        let mut long = of("uid-6", ChangeKind::RiskFound, "certificate-expires");
        long.text = "ü".repeat(3000);
        outbox.store(&long);
        let tally = drained(worker(access), &outbox).await;
        assert_eq!(*tally.trouble.borrow(), "");
        assert_eq!(
            (tally.delivered.get(), tally.skipped.get(), tally.rejected.get()),
            (6, 1, 0)
        );
        let server = server.lock().expect("unpoisoned");
        let mut seen: Vec<(&str, &str, i64)> = server
            .events
            .values()
            .map(|e| {
                let count = e["series"]["count"].as_i64().unwrap_or(1);
                (
                    e["reason"].as_str().unwrap_or_default(),
                    e["type"].as_str().unwrap_or_default(),
                    count,
                )
            })
            .collect();
        seen.sort_unstable();
        assert_eq!(
            seen,
            [
                ("RiskFound", "Warning", 1),
                ("RootCauseCleared", "Normal", 1),
                ("RootCauseFound", "Warning", 1),
                ("RootCauseFound", "Warning", 3),
            ]
        );
        let series = server
            .events
            .values()
            .find(|e| e["series"]["count"] == 3)
            .expect("a series");
        assert!(
            series["note"].as_str().is_some_and(|n| n.starts_with("dns-failure: ")),
            "{series}"
        );
        assert_eq!(series["regarding"]["uid"], "9f1c0b8e-0000-4000-8000-000000000001");
    });
}

#[test]
fn a_token_that_was_renewed_is_read_again_and_nothing_is_lost_meanwhile() {
    let dir = tempfile::tempdir().expect("a directory");
    let (_stub, server, access) = api(dir.path(), |_, _| None);
    server.lock().expect("unpoisoned").token = "token-2".to_owned();
    on_one_thread(async {
        let outbox = outbox(dir.path(), &[Sink::Events]);
        outbox.store(&change("uid-1", ChangeKind::RootCauseFound));
        let worker = worker(access);
        let tally = worker.tally();
        let (stop, stopped) = watch::channel(false);
        let task = tokio::task::spawn_local(worker.run(outbox.clone(), stopped));
        until("refused twice", || tally.retried.get() > 1).await;
        assert!(tally.trouble.borrow().contains("401"));
        file(dir.path(), "token", "token-2");
        until("delivered", || outbox.with(|o| o.depth()) == 0).await;
        stop.send(true).expect("runs");
        task.await.expect("ends");
        assert_eq!(server.lock().expect("unpoisoned").events.len(), 1);
    });
}

#[test]
fn after_an_outage_the_server_is_asked_before_it_is_written_to() {
    let dir = tempfile::tempdir().expect("a directory");
    let (stub, server, access) = api(dir.path(), |_, _| None);
    // Hangs up on a write, is not ready twice, then works. A write that was taken before the connection went is there.
    server.lock().expect("unpoisoned").trouble = vec![503, 0, 0, 0];
    on_one_thread(async {
        let outbox = outbox(dir.path(), &[Sink::Events]);
        outbox.store(&change("uid-1", ChangeKind::RootCauseFound));
        let tally = drained(worker(access), &outbox).await;
        let asked: Vec<String> = stub.seen().iter().map(|r| format!("{} {}", r.method, r.path)).collect();
        let writes = asked.iter().filter(|a| a.starts_with("POST")).count();
        assert_eq!(writes, 2, "{asked:?}");
        assert!(asked.iter().filter(|a| *a == "GET /readyz").count() >= 2, "{asked:?}");
        assert_eq!(
            asked.last().map(String::as_str),
            Some("POST /apis/events.k8s.io/v1/namespaces/default/events")
        );
        assert_eq!(tally.delivered.get(), 1);
    });
}

#[test]
fn writing_the_same_event_again_makes_no_second_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let (_stub, server, access) = api(dir.path(), |_, _| None);
    let change = change("uid-1", ChangeKind::RootCauseFound);
    for run in ["a", "b"] {
        // As after a crash between the write and the note of it.
        let own = dir.path().join(run);
        std::fs::create_dir(&own).expect("made");
        on_one_thread(async {
            let outbox = outbox(&own, &[Sink::Events]);
            outbox.store(&change);
            drained(worker(access.clone()), &outbox).await;
        });
    }
    assert_eq!(server.lock().expect("unpoisoned").events.len(), 1);
}

#[test]
fn what_is_older_than_events_live_or_refused_for_good_is_let_go() {
    let dir = tempfile::tempdir().expect("a directory");
    let (stub, _server, access) = api(dir.path(), |_, request| {
        let refuses = String::from_utf8_lossy(&request.body).contains("forbidden-cause");
        refuses.then(|| refusal(422, "invalid"))
    });
    on_one_thread(async {
        let outbox = outbox(dir.path(), &[Sink::Events]);
        let mut old = change("uid-1", ChangeKind::RootCauseFound);
        // What counts is when the agent knew: an old trouble that is found now is news.
        old.seen_at.0 -= 3600 * 1_000_000;
        outbox.store(&old);
        outbox.store(&of("uid-2", ChangeKind::RootCauseFound, "forbidden-cause"));
        outbox.store(&of("uid-3", ChangeKind::RootCauseFound, "dns-failure"));
        let tally = drained(worker(access), &outbox).await;
        assert_eq!(
            (tally.delivered.get(), tally.skipped.get(), tally.rejected.get()),
            (1, 1, 1)
        );
        assert_eq!(stub.seen().len(), 2);
    });
}

#[test]
fn a_series_whose_event_has_gone_begins_anew() {
    let dir = tempfile::tempdir().expect("a directory");
    let (stub, server, access) = api(dir.path(), |server, request| {
        // Its time to live is over as soon as it is there.
        if request.method == "PATCH" {
            server.events.clear();
        }
        None
    });
    on_one_thread(async {
        let outbox = outbox(dir.path(), &[Sink::Events]);
        outbox.store(&of("uid-1", ChangeKind::RootCauseFound, "dns-failure"));
        outbox.store(&of("uid-2", ChangeKind::RootCauseFound, "dns-failure"));
        drained(worker(access), &outbox).await;
        let methods: Vec<String> = stub.seen().into_iter().map(|r| r.method).collect();
        assert_eq!(methods, ["POST", "PATCH", "POST"]);
        assert_eq!(server.lock().expect("unpoisoned").events.len(), 1);
    });
}
