//! The real scraper: promtool reads the text, Prometheus scrapes and answers queries.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};

use whynotready_tests::diagnoses::named;

use crate::place::{tool, write};
use crate::server::{Guards, Reply, Server, exchange};
use crate::view::{Fixed, incident};

fn lint(text: &str) -> String {
    let mut promtool = tool("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool: .ci/tools gets it");
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let out = promtool.wait_with_output().unwrap();
    format!(
        "{}{}{}",
        out.status.code().unwrap_or(-1),
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    )
}

#[test]
fn promtool_finds_nothing() {
    for name in ["root-cause", "at-risk", "healthy", "inconclusive"] {
        let server = Server::metrics(Fixed::of(named(name)), Guards::default());
        let text = server.get("/metrics", &[]).text();
        assert_eq!(lint(&text), "0", "{name}:\n{text}");
        let series = text.lines().filter(|l| !l.starts_with('#')).count();
        assert!(series <= 150, "{series}");
    }
    assert_ne!(lint("# TYPE x counter\nx 1\n"), "0", "it would say something");
}

struct Prometheus {
    child: Child,
    address: String,
    _dir: tempfile::TempDir,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Prometheus {
    /// Scrapes this address every second, with the token.
    fn start(target: &str, token: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("prometheus.yml");
        let job = format!(
            "scrape_configs: [{{job_name: agent, scrape_interval: 1s, scrape_timeout: 1s, \
             authorization: {{credentials: {token}}}, static_configs: [{{targets: ['{target}']}}]}}]\n"
        );
        write(&config, &job);
        // Free now; Prometheus takes it at once.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let mut child = tool("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stderr(Stdio::piped())
            .spawn()
            .expect("prometheus: .ci/tools gets it");
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut all = String::new();
        loop {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "prometheus ended: {all}");
            all.push_str(&line);
            if line.contains("ready to receive web requests") {
                break;
            }
        }
        // Read on, lest it blocks on a full pipe.
        std::thread::spawn(move || log.read_to_end(&mut Vec::new()));
        Self {
            child,
            address,
            _dir: dir,
        }
    }

    fn get(&self, path: &str) -> Reply {
        let stream = TcpStream::connect(&self.address).unwrap();
        exchange(
            stream,
            &format!(
                "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
                self.address
            ),
        )
    }

    fn query(&self, query: &str) -> serde_json::Value {
        let reply = self.get(&format!("/api/v1/query?query={query}"));
        // Its answers come in chunks; the JSON is the longest line.
        let text = reply.text();
        let json = text.lines().max_by_key(|l| l.len()).unwrap_or_default();
        serde_json::from_str(json).unwrap_or_else(|e| panic!("{e}: {text}"))
    }
}

#[test]
fn prometheus_scrapes_and_knows_the_root_cause() {
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    write(&token, "s3cret\n");
    let guards = Guards {
        token_file: Some(token),
        ..Guards::default()
    };
    let server = Server::metrics(Fixed::of(incident("1.37-api-down")), guards);
    let prometheus = Prometheus::start(&server.address, "s3cret");
    // Asked until it has scraped: it does so within a second.
    let mut asked = (0..100_000).map(|_| {
        let targets = prometheus.get("/api/v1/targets").text();
        assert!(!targets.contains("\"health\":\"down\""), "{targets}");
        prometheus.query("whynotready_root_cause")["data"]["result"][0]["metric"].clone()
    });
    let found = asked.find(serde_json::Value::is_object).expect("a scrape");
    assert_eq!(found["cause"], "api-connection-refused");
    assert_eq!(found["verdict"], "confirmed");
    assert!(found["node"].is_null(), "the scraper adds what the target is");
    let counter = prometheus.query("whynotready_journal_entries_total");
    assert_eq!(counter["data"]["result"][0]["value"][1], "41230");
}
