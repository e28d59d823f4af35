//! The OTLP worker against a real HTTP server: every kind of answer, TLS, client certificates, files that change.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use prost::Message;
use tokio::sync::watch;
use whynotready::clock::Clock;
use whynotready::export::client::resolve::Resolver;
use whynotready::export::client::trust::TlsFiles;
use whynotready::export::otlp::endpoint::{Endpoint, Signal, Wishes, endpoint};
use whynotready::export::otlp::logs::{Setup, Worker};
use whynotready::export::otlp::resource::{Sender, resource};
use whynotready::export::pace::Waits;
use whynotready::export::tally::Tally;
use whynotready::model::change::ChangeKind;
use whynotready::outbox::handle::Handle;
use whynotready::outbox::sink::Sink;

use crate::sample::{change, on_one_thread, outbox, until};
use crate::stub::{Reply, Seen, Stub, status};
use crate::tls::{Authority, file};
use crate::wire::text;

pub(crate) const QUICK: Waits = Waits {
    first: Duration::from_millis(2),
    most: Duration::from_millis(20),
    herd: Duration::from_millis(10),
};

pub(crate) fn wishes(url: String) -> Wishes {
    Wishes {
        endpoint: Some(url),
        ..Wishes::default()
    }
}

pub(crate) fn worker(wishes: &Wishes) -> Worker {
    Worker::new(setup(wishes))
}

fn setup(wishes: &Wishes) -> Setup {
    let endpoint: Endpoint = endpoint(Signal::Logs, wishes, &|_| None)
        .expect("no fault")
        .expect("on");
    Setup {
        endpoint,
        resource: resource(&Sender::default(), &|_| None),
        version: "0".to_owned(),
        resolver: Resolver::system(),
        roots: Vec::new(),
        clock: Clock::system(),
        waits: QUICK,
    }
}

/// Uids of the records of a request, in order.
pub(crate) fn uids(request: &Seen) -> Vec<String> {
    let request = ExportLogsServiceRequest::decode(&request.body[..]).expect("OTLP");
    let records = request
        .resource_logs
        .iter()
        .flat_map(|r| &r.scope_logs)
        .flat_map(|s| &s.log_records);
    records
        .map(|r| text(&r.attributes, "log.record.uid").expect("a uid"))
        .collect()
}

fn fill(outbox: &Handle, count: usize) -> Vec<String> {
    let uids: Vec<String> = (0..count).map(|n| format!("uid-{n}")).collect();
    for uid in &uids {
        outbox.store(&change(uid, ChangeKind::RootCauseFound));
    }
    uids
}

/// Lets a worker run until the outbox is empty.
async fn drained(worker: Worker, outbox: &Handle) -> std::rc::Rc<Tally> {
    let tally = worker.tally();
    let (stop, stopped) = watch::channel(false);
    let task = tokio::task::spawn_local(worker.run(outbox.clone(), stopped));
    until("everything delivered", || outbox.with(|o| o.depth()) == 0).await;
    stop.send(true).expect("runs");
    task.await.expect("ends");
    tally
}

/// One pass and no more.
async fn once(worker: Worker, outbox: &Handle) {
    let (_stop, stopped) = watch::channel(true);
    worker.run(outbox.clone(), stopped).await;
}

#[test]
fn changes_arrive_in_order_and_once_with_all_headers() {
    let dir = tempfile::tempdir().expect("a directory");
    let stub = Stub::plain(|_| status(200));
    on_one_thread(async {
        let outbox = outbox(dir.path(), &[Sink::Otlp]);
        let stored = fill(&outbox, 40);
        let mut wishes = wishes(format!("http://{}/base/", stub.address));
        wishes.headers = vec![("authorization".to_owned(), "Bearer s3cret".to_owned())];
        let tally = drained(worker(&wishes), &outbox).await;
        let seen = stub.seen();
        assert_eq!(seen.iter().flat_map(uids).collect::<Vec<_>>(), stored);
        assert_eq!(tally.results()[0], ("delivered", 40));
        for request in &seen {
            assert_eq!(
                (request.method.as_str(), request.path.as_str()),
                ("POST", "/base/v1/logs")
            );
            assert_eq!(request.header("content-type"), "application/x-protobuf");
            assert_eq!(request.header("content-encoding"), "gzip");
            assert_eq!(request.header("authorization"), "Bearer s3cret");
            assert!(request.header("user-agent").starts_with("whynotready/"));
            assert_eq!(request.header("host"), stub.address.to_string());
        }
        assert!(seen.len() < 10, "{} requests for 40 changes", seen.len());
    });
}

#[test]
fn what_may_be_retried_is_and_nothing_else_is_sent_twice() {
    // Each of these once, then it works.
    let answers: [fn() -> Reply; 7] = [
        || status(429),
        || status(502),
        || Reply::Answer(503, vec![("retry-after", "0".to_owned())], Vec::new()),
        || {
            Reply::Answer(
                503,
                vec![("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT".to_owned())],
                Vec::new(),
            )
        },
        || status(504),
        || Reply::HangUp,
        || status(200),
    ];
    let dir = tempfile::tempdir().expect("a directory");
    let nth = Arc::new(AtomicUsize::new(0));
    let stub = Stub::plain(move |_| answers[nth.fetch_add(1, Ordering::SeqCst).min(6)]());
    on_one_thread(async {
        let outbox = outbox(dir.path(), &[Sink::Otlp]);
        let stored = fill(&outbox, 3);
        let tally = drained(worker(&wishes(format!("http://{}", stub.address))), &outbox).await;
        let seen = stub.seen();
        assert_eq!(seen.len(), 7);
        assert!(seen.iter().all(|r| uids(r) == stored));
        // The one that was hung up on went over a kept connection: it is sent again at once, without a wait.
        assert_eq!(
            (tally.delivered.get(), tally.retried.get(), tally.rejected.get()),
            (3, 5, 0)
        );
        assert_eq!(*tally.trouble.borrow(), "");
    });
}

#[test]
fn retry_after_is_the_least_to_wait() {
    let dir = tempfile::tempdir().expect("a directory");
    let nth = AtomicUsize::new(0);
    let stub = Stub::plain(move |_| match nth.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::Answer(429, vec![("retry-after", "1".to_owned())], Vec::new()),
        _ => status(200),
    });
    on_one_thread(async {
        let outbox = outbox(dir.path(), &[Sink::Otlp]);
        fill(&outbox, 1);
        let mut setup = setup(&wishes(format!("http://{}", stub.address)));
        setup.waits.most = Duration::from_mins(5);
        let began = tokio::time::Instant::now();
        drained(Worker::new(setup), &outbox).await;
        // Its own first wait is 2 ms.
        assert!(began.elapsed() >= Duration::from_secs(1));
        assert_eq!(stub.seen().len(), 2);
    });
}

#[test]
fn a_refused_record_costs_itself_only() {
    let dir = tempfile::tempdir().expect("a directory");
    let stub = Stub::plain(|request| {
        let bad = uids(request).iter().any(|uid| uid == "uid-1");
        if bad {
            Reply::Answer(400, Vec::new(), b"bad\x01 record".to_vec())
        } else {
            status(200)
        }
    });
    on_one_thread(async {
        let outbox = outbox(dir.path(), &[Sink::Otlp]);
        fill(&outbox, 4);
        let tally = drained(worker(&wishes(format!("http://{}", stub.address))), &outbox).await;
        assert_eq!(
            (tally.delivered.get(), tally.rejected.get(), tally.retried.get()),
            (3, 1, 0)
        );
        let refused = stub.seen().iter().filter(|r| uids(r) == ["uid-1"]).count();
        assert_eq!(refused, 1, "a 400 is never retried");
    });
}

#[test]
fn a_partial_success_is_counted_and_never_retried() {
    let dir = tempfile::tempdir().expect("a directory");
    let stub = Stub::plain(|_| {
        let body = ExportLogsServiceResponse {
            partial_success: Some(ExportLogsPartialSuccess {
                rejected_log_records: 2,
                error_message: "too old".to_owned(),
            }),
        };
        Reply::Answer(200, Vec::new(), body.encode_to_vec())
    });
    on_one_thread(async {
        let outbox = outbox(dir.path(), &[Sink::Otlp]);
        fill(&outbox, 5);
        let tally = drained(worker(&wishes(format!("http://{}", stub.address))), &outbox).await;
        assert_eq!((tally.delivered.get(), tally.rejected.get()), (3, 2));
        assert!(tally.trouble.borrow().contains("too old"));
        assert_eq!(stub.seen().len(), 1);
    });
}

#[test]
fn tls_with_a_ca_file_and_a_client_certificate_that_is_replaced_under_way() {
    let dir = tempfile::tempdir().expect("a directory");
    let (servers, clients, others) = (Authority::new(), Authority::new(), Authority::new());
    let stub = Stub::secure(&servers.issue(), Some(&clients), |_| status(200));
    let wrong = others.issue();
    let mut to = wishes(format!("https://{}", stub.address));
    to.tls = TlsFiles {
        ca: Some(file(dir.path(), "ca.pem", others.pem())),
        certificate: Some(file(dir.path(), "tls.crt", &wrong.certificate)),
        key: Some(file(dir.path(), "tls.key", &wrong.key)),
    };
    on_one_thread(async {
        let outbox = outbox(dir.path(), &[Sink::Otlp]);
        let stored = fill(&outbox, 1);
        let worker = worker(&to);
        let tally = worker.tally();
        let (stop, stopped) = watch::channel(false);
        let task = tokio::task::spawn_local(worker.run(outbox.clone(), stopped));
        until("the server is not trusted", || {
            tally.trouble.borrow().contains("certificate")
        })
        .await;
        assert_eq!(stub.seen().len(), 0);
        // The CA's file is mended; now the server does not take the client's certificate.
        file(dir.path(), "ca.pem", servers.pem());
        let before = tally.retried.get();
        until("the client is not trusted", || tally.retried.get() > before + 3).await;
        assert_eq!(stub.seen().len(), 0);
        let right = clients.issue();
        file(dir.path(), "tls.key", &right.key);
        file(dir.path(), "tls.crt", &right.certificate);
        until("delivered", || outbox.with(|o| o.depth()) == 0).await;
        assert_eq!(stub.seen().iter().flat_map(uids).collect::<Vec<_>>(), stored);
        stop.send(true).expect("runs");
        task.await.expect("ends");
    });
}

#[test]
fn without_a_trusted_authority_nothing_is_sent_and_the_reason_is_said() {
    let dir = tempfile::tempdir().expect("a directory");
    let authority = Authority::new();
    let stub = Stub::secure(&authority.issue(), None, |_| status(200));
    on_one_thread(async {
        let outbox = outbox(dir.path(), &[Sink::Otlp]);
        fill(&outbox, 1);
        let worker = worker(&wishes(format!("https://{}", stub.address)));
        let tally = worker.tally();
        once(worker, &outbox).await;
        assert!(tally.trouble.borrow().contains("tls.ca"), "{}", tally.trouble.borrow());
        assert_eq!((stub.seen().len(), outbox.with(|o| o.depth())), (0, 1));
    });
}

#[test]
fn names_are_asked_of_the_resolver_that_was_handed_in() {
    let dir = tempfile::tempdir().expect("a directory");
    let stub = Stub::plain(|_| status(200));
    on_one_thread(async {
        let outbox = outbox(dir.path(), &[Sink::Otlp]);
        fill(&outbox, 1);
        let to = wishes(format!("http://collector.invalid:{}", stub.address.port()));
        let mut setup = setup(&to);
        setup.resolver = Resolver::from_fn(|name| {
            Box::pin(async move {
                assert_eq!(name, "collector.invalid");
                Ok(vec![IpAddr::from([127, 0, 0, 1])])
            })
        });
        drained(Worker::new(setup), &outbox).await;
        assert_eq!(
            stub.seen()[0].header("host"),
            format!("collector.invalid:{}", stub.address.port())
        );
    });
}

#[test]
fn a_proxy_of_the_environment_is_gone_through() {
    let dir = tempfile::tempdir().expect("a directory");
    let stub = Stub::plain(|_| status(200));
    let behind = stub.address;
    on_one_thread(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let proxy = listener.local_addr().expect("an address");
        let tunnelled = tokio::task::spawn_local(async move {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let (mut client, _) = listener.accept().await.expect("accepted");
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(client.read_u8().await.expect("a head"));
            }
            let mut server = tokio::net::TcpStream::connect(behind).await.expect("connected");
            client
                .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
                .await
                .expect("written");
            let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            String::from_utf8(head).expect("text")
        });
        let outbox = outbox(dir.path(), &[Sink::Otlp]);
        fill(&outbox, 1);
        let to = wishes("http://collector.invalid:4318".to_owned());
        let env = move |name: &str| (name == "HTTP_PROXY").then(|| format!("http://u:p@{proxy}"));
        let mut setup = setup(&to);
        setup.endpoint = endpoint(Signal::Logs, &to, &env).expect("no fault").expect("on");
        drained(Worker::new(setup), &outbox).await;
        let head = tunnelled.await.expect("ends");
        assert!(
            head.starts_with("CONNECT collector.invalid:4318 HTTP/1.1\r\n"),
            "{head}"
        );
        assert!(head.contains("Proxy-Authorization: Basic dTpw\r\n"), "{head}");
        assert_eq!(stub.seen().len(), 1);
    });
}

#[test]
fn a_collector_that_is_not_there_loses_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let gone = Stub::plain(|_| status(200)).address;
    on_one_thread(async {
        let outbox = outbox(dir.path(), &[Sink::Otlp]);
        fill(&outbox, 2);
        once(worker(&wishes(format!("http://{gone}"))), &outbox).await;
        assert_eq!(outbox.with(|o| o.depth()), 2);
        let missing: PathBuf = dir.path().join("no-such-ca");
        let mut to = wishes(format!("https://{gone}"));
        to.tls.ca = Some(missing);
        once(worker(&to), &outbox).await;
        assert_eq!(outbox.with(|o| o.depth()), 2);
    });
}
