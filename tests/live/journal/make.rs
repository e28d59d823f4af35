//! Journals that systemd-journal-remote writes piece by piece, and an agent that follows them.

use std::fmt::Write as _;
use std::io::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use whynotready::clock::{Clock, Now};
use whynotready::host::Host;
use whynotready::input::Intake;
use whynotready::model::input::{Gap, Input, Place};
use whynotready::model::time::Timestamp;
use whynotready::source::journal::{Follower, Options, Polled, save};

pub(crate) const MACHINE: &str = "6adcb811a5e1475fa502330321c5cf86";
pub(crate) const BOOT: &str = "3b1d4a0e6c0f4d3e9b6f1a2b3c4d5e6f";
/// Wall time of entry 0, microseconds.
pub(crate) const START: i64 = 1_700_000_000_000_000;
/// Between two entries.
pub(crate) const STEP: i64 = 1_000;

/// Entries `n` of the kubelet, in export format.
pub(crate) fn export(entries: Range<u64>, boot: &str) -> Vec<u8> {
    let mut text = String::new();
    for i in entries {
        let later = i as i64 * STEP;
        let _ = write!(
            text,
            "__REALTIME_TIMESTAMP={}\n__MONOTONIC_TIMESTAMP={}\n_BOOT_ID={boot}\n_MACHINE_ID={MACHINE}\n",
            START + later,
            5_000_000 + later
        );
        let _ = write!(text, "_SYSTEMD_UNIT=kubelet.service\n_COMM=kubelet\n_UID=0\n_PID=370\n");
        let long = if i % 13 == 0 {
            "long ".repeat(300)
        } else {
            String::new()
        };
        let _ = write!(
            text,
            "MESSAGE=E1122 22:40:09.276 370 controller.go:145] \"Failed\" {long}n={i}\n\n"
        );
    }
    text.into_bytes()
}

/// Appends to a journal file.
#[expect(clippy::disallowed_methods, reason = "tests run systemd's own programs")]
pub(crate) fn append(path: &Path, text: &[u8]) {
    std::fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
    let mut child = Command::new("/lib/systemd/systemd-journal-remote")
        .arg("-o")
        .arg(path)
        .arg("-")
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("systemd-journal-remote is needed");
    let mut pipe = child.stdin.take().expect("a pipe");
    pipe.write_all(text).expect("it reads all");
    drop(pipe);
    assert!(child.wait().expect("it ends").success());
}

/// The cursors of a directory's entries as journalctl has them.
pub(crate) fn cursors(directory: &Path) -> Vec<String> {
    after(directory, "__CURSOR=")
}

/// What follows `front` in the lines that have it, of all that journalctl exports.
#[expect(clippy::disallowed_methods, reason = "tests run systemd's own programs")]
pub(crate) fn after(directory: &Path, front: &str) -> Vec<String> {
    let out = Command::new("journalctl")
        .arg("-D")
        .arg(directory)
        .args(["-o", "export"])
        .output()
        .expect("journalctl is needed");
    assert!(out.status.success());
    String::from_utf8_lossy(&out.stdout)
        .lines()
        .filter_map(|line| line.strip_prefix(front).map(str::to_owned))
        .collect()
}

/// What was handed out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    pub(crate) n: u64,
    pub(crate) cursor: String,
    pub(crate) boot: u32,
    pub(crate) at: i64,
}

/// A node's files and an agent that stores what it sees before it saves how far it is.
pub(crate) struct Agent {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) clock: Clock,
    now: Arc<AtomicI64>,
    pub(crate) options: Options,
    pub(crate) follower: Option<Follower>,
    intake: Intake,
    pub(crate) stored: Vec<Seen>,
    pub(crate) gaps: Vec<Gap>,
    pending: Vec<Seen>,
}

impl Agent {
    /// Whose clock stands a second behind entry 0, until it is moved.
    pub(crate) fn new() -> Self {
        let now = Arc::new(AtomicI64::new(0));
        let shown = Arc::clone(&now);
        let clock = Clock::from_fn(move || {
            let later = shown.load(Ordering::Relaxed);
            Now {
                wall: Timestamp(START + later + 1_000_000),
                monotonic: (5_000_000 + later + 1_000_000) as u64,
                boottime: 0,
            }
        });
        let dir = tempfile::tempdir().expect("a directory");
        let options = Options {
            position: Some(dir.path().join("position.json")),
            ..Options::default()
        };
        Self {
            dir,
            clock,
            now,
            options,
            follower: None,
            intake: Intake::new(Box::new(|_| true)),
            stored: Vec::new(),
            gaps: Vec::new(),
            pending: Vec::new(),
        }
    }

    /// The file of this name below `var` or `run`.
    pub(crate) fn file(&self, root: &str, name: &str) -> PathBuf {
        self.dir.path().join(root).join("log/journal").join(MACHINE).join(name)
    }

    /// So long after the start.
    pub(crate) fn set(&self, micros: i64) {
        self.now.store(micros, Ordering::Relaxed);
    }

    /// Time passes.
    pub(crate) fn pass(&self, micros: i64) {
        self.now.fetch_add(micros, Ordering::Relaxed);
    }

    /// Starts, or starts again after a crash: what was not stored is lost with it.
    pub(crate) fn start(&mut self) {
        self.pending.clear();
        self.intake = Intake::new(Box::new(|_| true));
        self.follower = Some(Follower::open(
            Host::at(self.dir.path()),
            self.clock.clone(),
            self.options.clone(),
        ));
    }

    pub(crate) fn poll(&mut self, budget: usize) -> Polled {
        let Self {
            follower,
            intake,
            pending,
            gaps,
            ..
        } = self;
        follower
            .as_mut()
            .expect("it was started")
            .poll(budget, intake, &mut |input| match input {
                Input::Observed(seen) => {
                    let Place::Cursor(cursor) = &seen.place else {
                        panic!("{:?}", seen.place)
                    };
                    // What journald says of itself has no number.
                    let Some((_, n)) = seen.text.rsplit_once("n=") else {
                        return;
                    };
                    pending.push(Seen {
                        n: n.parse().unwrap_or_else(|_| panic!("{}", seen.text)),
                        cursor: cursor.to_string(),
                        boot: seen.boot,
                        at: seen.at.t,
                    });
                }
                Input::Gap(gap) => gaps.push(gap),
                _ => {}
            })
    }

    /// Stores what was seen, then saves how far it is.
    pub(crate) fn store(&mut self) {
        self.stored.append(&mut self.pending);
        let follower = self.follower.as_ref().expect("it was started");
        let path = self.options.position.as_ref().expect("a path");
        save(&follower.position(), path).expect("it can be saved");
    }

    /// Reads all that there is, while half-seconds pass, and stores it.
    pub(crate) fn drain(&mut self) {
        let mut idle = 0;
        while idle < 8 {
            let polled = self.poll(1000);
            idle = if polled.entries > 0 || polled.more { 0 } else { idle + 1 };
            self.pass(500_000);
        }
        self.store();
    }

    pub(crate) fn numbers(&self) -> Vec<u64> {
        self.stored.iter().map(|seen| seen.n).collect()
    }
}
