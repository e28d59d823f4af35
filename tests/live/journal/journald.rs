//! A real systemd-journald with a `/run`, `/var/log/journal` and machine id of its own, in a mount namespace: it rotates,
//! moves its journal to the disk and removes old files as it does on a node. Needs root.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use whynotready::clock::Clock;

use crate::make::{Agent, MACHINE, after};

/// Longest wait for journald, in tries of 5 ms.
const TRIES: u32 = 6000;

struct Journald {
    child: Child,
    dir: PathBuf,
    socket: UnixDatagram,
    sent: u64,
}

impl Drop for Journald {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..TRIES {
        if done() {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
    panic!("journald: {what}");
}

impl Journald {
    #[expect(clippy::disallowed_methods, reason = "tests run systemd's own programs")]
    fn start(dir: &Path) -> Self {
        for below in ["run/systemd/journal", "var/log/journal"] {
            fs::create_dir_all(dir.join(below)).unwrap();
        }
        let conf = "[Journal]\nStorage=auto\nReadKMsg=no\nAudit=no\nRateLimitIntervalSec=0\nSystemMaxUse=4M\nSystemMaxFileSize=1M\n\
                    RuntimeMaxFileSize=1M\nSystemKeepFree=1M\n";
        fs::write(dir.join("journald.conf"), conf).unwrap();
        fs::write(dir.join("machine-id"), format!("{MACHINE}\n")).unwrap();
        let mut script = String::from("set -e\nmount --make-rprivate /\n");
        for (from, to) in [
            ("machine-id", "/etc/machine-id"),
            ("journald.conf", "/etc/systemd/journald.conf"),
            ("var/log", "/var/log"),
            ("run", "/run"),
        ] {
            let _ = writeln!(script, "mount --bind {}/{from} {to}", dir.display());
        }
        script.push_str("exec /lib/systemd/systemd-journald");
        let child = Command::new("unshare")
            .args(["-m", "sh", "-c", &script])
            .stdout(Stdio::null())
            .spawn()
            .expect("unshare is needed");
        let socket = UnixDatagram::unbound().unwrap();
        let path = dir.join("run/systemd/journal/socket");
        until("its socket", || socket.connect(&path).is_ok());
        Self {
            child,
            dir: dir.to_owned(),
            socket,
            sent: 0,
        }
    }

    /// Entries by its native socket (`systemd.io/JOURNAL_NATIVE_PROTOCOL`).
    fn send(&mut self, count: u64) {
        for _ in 0..count {
            let text = format!("MESSAGE=entry {} n={}\nPRIORITY=3\n", "x".repeat(400), self.sent);
            self.socket.send(text.as_bytes()).unwrap();
            self.sent += 1;
        }
    }

    /// A signal, and the file that journald touches when it has done what it asks for.
    fn signal(&self, signal: Signal, done: &str) {
        let path = self.dir.join("run/systemd/journal").join(done);
        let _ = fs::remove_file(&path);
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        until(done, || path.exists());
    }
}

#[test]
fn real_rotation_flush_and_vacuum_with_restarts() {
    let mut random = fastrand::Rng::with_seed(3);
    let mut agent = Agent::new();
    agent.clock = Clock::system();
    let mut journald = Journald::start(agent.dir.path());
    agent.start();
    let mut starts = 0;
    for step in 0..90 {
        journald.send(random.u64(20..120));
        match step {
            5 | 20 | 40 => journald.signal(Signal::USR2, "rotated"),
            10 => journald.signal(Signal::USR1, "flushed"),
            _ => {}
        }
        for _ in 0..random.usize(1..8) {
            agent.poll(random.usize(1..40));
            if random.bool() {
                agent.store();
            }
            if random.u8(0..6) == 0 {
                starts += 1;
                agent.start();
            }
        }
        // As long as it is ahead of the vacuum.
        if step % 5 == 0 {
            agent.drain();
        }
    }
    until("all entries", || {
        agent.drain();
        agent.stored.iter().any(|seen| seen.n == journald.sent - 1)
    });
    assert_eq!(agent.gaps, []);
    assert!(starts > 10);
    assert_eq!(agent.numbers(), (0..journald.sent).collect::<Vec<_>>());
    // What is left on the disk is the end of what was seen, and not all of it.
    let left = after(&agent.dir.path().join("var/log/journal"), "MESSAGE=entry ");
    let left: Vec<u64> = left
        .iter()
        .filter_map(|line| line.rsplit_once("n=")?.1.parse().ok())
        .collect();
    assert!(left.len() > 100 && agent.numbers().ends_with(&left), "{}", left.len());
    assert!(left.len() < agent.stored.len(), "nothing was removed");
}
