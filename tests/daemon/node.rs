//! A node made of a few files, with a journal that systemd's own program writes, and agents that watch it.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use whynotready::clock::{Clock, Now};
use whynotready::model::time::{SECOND, Timestamp};

const BOOT: &str = "3b1d4a0e6c0f4d3e9b6f1a2b3c4d5e6f";
const MACHINE: &str = "6adcb811a5e1475fa502330321c5cf86";
/// Nothing that is waited for takes longer, on a machine that has other work.
const PATIENCE: Duration = Duration::from_secs(90);

/// Between two looks at an agent.
const PAUSE: Duration = Duration::from_millis(100);

/// A node's files.
pub(crate) struct Node {
    pub(crate) dir: tempfile::TempDir,
}

impl Node {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let node = Self { dir };
        node.write(
            "proc/sys/kernel/random/boot_id",
            "3b1d4a0e-6c0f-4d3e-9b6f-1a2b3c4d5e6f\n",
        );
        node.write("etc/machine-id", MACHINE);
        node.write("etc/hostname", "node1\n");
        std::fs::create_dir_all(node.path("state")).expect("a directory");
        node
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    #[expect(clippy::disallowed_methods, reason = "the test lays out a node")]
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        std::fs::write(path, text).expect("a file");
    }

    /// The kubelet's words into the journal, each so many seconds ago.
    #[expect(clippy::disallowed_methods, reason = "tests run systemd's own programs")]
    pub(crate) fn says(&self, lines: &[(i64, String)]) {
        let now = Clock::system().now();
        let mut text = String::new();
        for (ago, line) in lines {
            entry(&mut text, now, *ago, line);
        }
        let path = self.path(&format!("var/log/journal/{MACHINE}/system.journal"));
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        let mut child = Command::new("/lib/systemd/systemd-journal-remote")
            .arg("-o")
            .arg(&path)
            .arg("-")
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("systemd-journal-remote is needed");
        let mut pipe = child.stdin.take().expect("a pipe");
        pipe.write_all(text.as_bytes()).expect("it reads all");
        drop(pipe);
        assert!(child.wait().expect("it ends").success());
    }

    /// A kubelet that started ten minutes ago and whose renewals are refused, the first so many seconds ago.
    pub(crate) fn loses_its_api_server(&self, ago: i64) {
        self.says(&[begins(600), refusals(ago, 0)].concat());
    }

    /// An agent that watches this node; `more` are further arguments.
    #[expect(clippy::disallowed_methods, reason = "the agent is a process that is killed")]
    pub(crate) fn agent(&self, more: &[&str], env: &[(&str, &str)]) -> Agent {
        let port = free_port();
        let mut child = Command::new(env!("CARGO_BIN_EXE_agent-child"))
            .arg("run")
            .arg(format!("--host-root={}", self.dir.path().display()))
            .arg(format!("--state-dir={}", self.path("state").display()))
            .arg(format!("--listen-debug=127.0.0.1:{port}"))
            .args([
                "--listen-metrics=",
                "--node=node1",
                "--dbus-enabled=false",
                "--api-enabled=false",
            ])
            .args(more)
            .env_clear()
            .envs(env.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the agent starts");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (out, into) = (child.stdout.take().expect("a pipe"), Arc::clone(&lines));
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                into.lock().expect("no panic").push(line);
            }
        });
        Agent {
            child,
            port,
            lines,
            reader: Some(reader),
        }
    }
}

fn entry(text: &mut String, now: Now, ago: i64, line: &str) {
    let micros = ago * 1_000_000;
    let _ = write!(
        text,
        "__REALTIME_TIMESTAMP={}\n__MONOTONIC_TIMESTAMP={}\n_BOOT_ID={BOOT}\n_MACHINE_ID={MACHINE}\n_HOSTNAME=node1\n",
        now.wall.0 - micros,
        now.monotonic as i64 - micros
    );
    let _ = write!(
        text,
        "_SYSTEMD_UNIT=kubelet.service\n_COMM=kubelet\n_UID=0\n_PID=370\nMESSAGE={line}\n\n"
    );
}

/// What a kubelet says whose API server's port is closed.
pub(crate) fn refused() -> String {
    "E1125 15:00:00.000000     370 controller.go:195] \"Failed to update lease\" err=\"Put \\\"https://10.0.0.1:6443/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node1?timeout=10s\\\": dial tcp 10.0.0.1:6443: connect: connection refused\"".to_owned()
}

/// What a kubelet says that has nothing to complain of, every ten seconds from `from` until `until` seconds ago.
pub(crate) fn well(from: i64, until: i64) -> Vec<(i64, String)> {
    every_ten(
        from,
        until,
        "I1125 15:00:00.000000     370 kubelet.go:2540] \"SyncLoop (housekeeping)\"",
    )
}

/// The API server's port is closed from `from` until `until` seconds ago.
pub(crate) fn refusals(from: i64, until: i64) -> Vec<(i64, String)> {
    every_ten(from, until, &refused())
}

fn every_ten(from: i64, until: i64, line: &str) -> Vec<(i64, String)> {
    let ago = (0..).map(|n| from - n * 10).take_while(|ago| *ago >= until);
    ago.map(|ago| (ago, line.to_owned())).collect()
}

/// The kubelet's first line.
pub(crate) fn begins(ago: i64) -> Vec<(i64, String)> {
    let line = "I1125 15:00:00.000000 370 server.go:440] \"Kubelet version\" kubeletVersion=\"v1.31.0\"";
    vec![(ago, line.to_owned())]
}

/// So many seconds ago, as JSON has times.
pub(crate) fn ago(seconds: i64) -> String {
    Timestamp(Clock::system().now().wall.0 - seconds * SECOND).rfc3339()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// A running agent; killed when it is dropped.
pub(crate) struct Agent {
    pub(crate) child: Child,
    port: u16,
    lines: Arc<Mutex<Vec<String>>>,
    reader: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Agent {
    /// Its lines on stdout so far.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let lines = self.lines.lock().expect("no panic");
        let parse = |line: &String| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        lines.iter().map(parse).collect()
    }

    /// How many lines it has said.
    pub(crate) fn said(&self) -> usize {
        self.lines.lock().expect("no panic").len()
    }

    /// The events among them: `event cause`.
    pub(crate) fn events(&self) -> Vec<String> {
        let word = |line: &Value, name: &str| line[name].as_str().map(str::to_owned);
        let event = |line: &Value| {
            let event = word(line, "event")?;
            Some(format!(
                "{event} {}",
                word(line, "cause").unwrap_or_else(|| "-".to_owned())
            ))
        };
        self.lines().iter().filter_map(event).collect()
    }

    /// As [`Agent::wait`], and looks all the time.
    pub(crate) fn wait_closely(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        self.wait_pausing(what, holds, Duration::from_millis(2));
    }

    /// Waits until this holds of it.
    pub(crate) fn wait(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        self.wait_pausing(what, holds, PAUSE);
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "how long another process is waited for, which no test's clock moves"
    )]
    fn wait_pausing(&mut self, what: &str, holds: impl Fn(&Self) -> bool, between: Duration) {
        let started = Instant::now();
        while !holds(self) {
            if let Some(status) = self.child.try_wait().expect("its state") {
                let mut error = String::new();
                let _ = self.child.stderr.take().expect("a pipe").read_to_string(&mut error);
                panic!("{what}: it ended, {status}: {error} {:#?}", self.lines());
            }
            let waited = started.elapsed() < PATIENCE;
            assert!(waited, "{what}: not within {PATIENCE:?}: {:#?}", self.lines());
            pause(between);
        }
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("it runs");
    }

    /// Kills it. Gives all that it had said.
    pub(crate) fn kill(mut self) -> Vec<Value> {
        self.child.kill().expect("it is killed");
        self.child.wait().expect("it ends");
        let reader = self.reader.take().expect("it is read");
        reader.join().expect("no panic");
        self.lines()
    }

    /// Asks it to end, and waits.
    #[expect(clippy::disallowed_methods, reason = "as above")]
    pub(crate) fn stop(mut self) -> Vec<Value> {
        self.signal(rustix::process::Signal::TERM);
        let status = self.child.wait().expect("it ends");
        assert!(status.success(), "{status}");
        // What it wrote last is in the pipe.
        let started = Instant::now();
        while !self.lines().last().is_some_and(|l| l["msg"] == "stopped in order") {
            assert!(started.elapsed() < PATIENCE);
            pause(PAUSE);
        }
        self.lines()
    }

    /// The answer to a request of the debug endpoint; `None` where it does not answer.
    pub(crate) fn get(&self, path: &str) -> Option<(u16, Vec<u8>)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        let end = answer.windows(4).position(|w| w == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, answer[end + 4..].to_vec()))
    }

    /// The diagnosis that it has.
    pub(crate) fn diagnosis(&self) -> Option<Value> {
        let (status, body) = self.get("/debug/diagnosis")?;
        assert_eq!(status, 200);
        serde_json::from_slice(&body).ok()
    }
}

/// Between two looks at what another process does.
#[expect(
    clippy::disallowed_methods,
    reason = "another process is waited for, and it gives no other sign"
)]
fn pause(between: Duration) {
    std::thread::sleep(between);
}

/// A file's text.
#[expect(clippy::disallowed_methods, reason = "the tests' own files")]
pub(crate) fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}
