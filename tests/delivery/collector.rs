//! A real OpenTelemetry Collector receives the changes, over TLS with a client certificate and gzip, and writes them to a
//! file. Built from Go modules by `collector.sh` where it is not there yet.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value as Json;
use tokio::sync::watch;
use whynotready::export::client::trust::TlsFiles;
use whynotready::model::change::ChangeKind;
use whynotready::outbox::sink::Sink;

use crate::otlp::{wishes, worker};
use crate::sample::{change, on_one_thread, outbox, until};
use crate::tls::{Authority, file};

struct Collector {
    process: Child,
    port: u16,
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The program that a script beside this file builds, where it is not there yet.
#[expect(clippy::disallowed_methods, reason = "the script builds a program of somebody else")]
pub(crate) fn built(script: &str) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("delivery").join(script);
    let built = Command::new("bash")
        .arg(&script)
        .stderr(Stdio::inherit())
        .output()
        .expect("bash runs");
    assert!(built.status.success(), "{} failed", script.display());
    PathBuf::from(String::from_utf8(built.stdout).expect("a path").trim())
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    listener.local_addr().expect("an address").port()
}

#[expect(clippy::disallowed_methods, reason = "the collector is a program of its own")]
fn start(program: &Path, dir: &Path, authority: &Authority, port: u16) -> Collector {
    let pair = authority.issue();
    let certificate = file(dir, "server.crt", &pair.certificate);
    let key = file(dir, "server.key", &pair.key);
    let ca = file(dir, "ca.crt", authority.pem());
    let config = format!(
        "receivers:\n  otlp:\n    protocols:\n      http:\n        endpoint: 127.0.0.1:{port}\n        tls:\n          \
         cert_file: {}\n          key_file: {}\n          client_ca_file: {}\n\
         exporters:\n  file:\n    path: {}\n    flush_interval: 100ms\n\
         service:\n  telemetry:\n    metrics:\n      level: none\n  pipelines:\n    logs:\n      receivers: [otlp]\n      \
         exporters: [file]\n",
        certificate.display(),
        key.display(),
        ca.display(),
        dir.join("received.json").display()
    );
    let config = file(dir, "collector.yaml", &config);
    let mut process = Command::new(program)
        .arg(format!("--config=file:{}", config.display()))
        .stderr(Stdio::piped())
        .spawn()
        .expect("the collector starts");
    // It says so on standard error; what follows is read away so that it never waits for it.
    let mut lines = BufReader::new(process.stderr.take().expect("a pipe")).lines();
    let mut said = Vec::new();
    let ready = lines.by_ref().map_while(Result::ok).any(|line| {
        let ready = line.contains("Everything is ready");
        said.push(line);
        ready
    });
    assert!(ready, "the collector does not start:\n{}", said.join("\n"));
    std::thread::spawn(move || lines.for_each(drop));
    Collector { process, port }
}

#[expect(clippy::disallowed_methods, reason = "what the collector wrote")]
fn received(dir: &Path) -> Vec<Json> {
    let text = std::fs::read_to_string(dir.join("received.json")).unwrap_or_default();
    text.lines()
        .filter_map(|line| serde_json::from_str::<Json>(line).ok())
        .flat_map(|batch| batch["resourceLogs"].as_array().cloned().unwrap_or_default())
        .flat_map(|resource| resource["scopeLogs"].as_array().cloned().unwrap_or_default())
        .flat_map(|scope| scope["logRecords"].as_array().cloned().unwrap_or_default())
        .collect()
}

fn attribute<'a>(record: &'a Json, key: &str) -> &'a str {
    let found = record["attributes"]
        .as_array()
        .and_then(|a| a.iter().find(|a| a["key"] == key));
    found
        .and_then(|a| a["value"]["stringValue"].as_str())
        .unwrap_or_default()
}

#[test]
fn a_real_collector_that_comes_late_gets_everything() {
    let program = built("collector.sh");
    let dir = tempfile::tempdir().expect("a directory");
    let authority = Authority::new();
    let port = free_port();
    on_one_thread(async {
        let outbox = outbox(dir.path(), &[Sink::Otlp]);
        let changes: Vec<_> = (0..30)
            .map(|n| change(&format!("uid-{n}"), ChangeKind::RootCauseFound))
            .collect();
        for change in &changes {
            outbox.store(change);
        }
        let mine = authority.issue();
        let mut to = wishes(format!("https://127.0.0.1:{port}"));
        to.tls = TlsFiles {
            ca: Some(file(dir.path(), "ca.crt", authority.pem())),
            certificate: Some(file(dir.path(), "tls.crt", &mine.certificate)),
            key: Some(file(dir.path(), "tls.key", &mine.key)),
        };
        let worker = worker(&to);
        let tally = worker.tally();
        let (stop, stopped) = watch::channel(false);
        let task = tokio::task::spawn_local(worker.run(outbox.clone(), stopped));
        until("tried in vain", || tally.retried.get() > 2).await;
        let collector = start(&program, dir.path(), &authority, port);
        assert_eq!(collector.port, port);
        until("delivered", || outbox.with(|o| o.depth()) == 0).await;
        until("written", || received(dir.path()).len() >= 30).await;
        stop.send(true).expect("runs");
        task.await.expect("ends");
        let records = received(dir.path());
        let uids: Vec<&str> = records.iter().map(|r| attribute(r, "log.record.uid")).collect();
        assert_eq!(uids, changes.iter().map(|c| c.uid.as_str()).collect::<Vec<_>>());
        let record = &records[0];
        assert_eq!(record["eventName"], "whynotready.root_cause.found");
        assert_eq!(record["severityText"], "ERROR");
        assert_eq!(record["timeUnixNano"], (changes[0].at.0 * 1000).to_string());
        assert_eq!(attribute(record, "whynotready.cause"), "client-certificate-expired");
        let body: Json = serde_json::from_str(record["body"]["stringValue"].as_str().expect("text")).expect("JSON");
        assert_eq!(body["heartbeat"]["state"], "lost");
    });
}
