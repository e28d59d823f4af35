//! SIGKILL at random moments. A child process finds one thing after the other and delivers them to a collector that goes
//! up and down; it is killed two hundred times. At the end the collector has everything that was said to be stored.

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use crate::otlp::uids;
use crate::stub::{Reply, Stub, status};

/// Kills. Each costs a process and some ten writes that are synced.
const KILLS: usize = 200;

#[expect(clippy::disallowed_methods, reason = "the child is the agent's part that is killed")]
fn child(dir: &std::path::Path, collector: &Stub, first: usize, count: usize) -> Child {
    Command::new(env!("CARGO_BIN_EXE_outbox-child"))
        .arg(dir)
        .arg(format!("http://{}", collector.address))
        .args([first.to_string(), count.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the child starts")
}

#[test]
fn two_hundred_kills_lose_nothing_that_was_stored() {
    let dir = tempfile::tempdir().expect("a directory");
    let mode = Arc::new(AtomicU8::new(0));
    let received: Arc<Mutex<HashSet<String>>> = Arc::default();
    let (told, takes) = (mode.clone(), received.clone());
    let collector = Stub::plain(move |request| match told.load(Ordering::SeqCst) {
        0 => {
            takes.lock().expect("unpoisoned").extend(uids(request));
            status(200)
        }
        1 => status(503),
        _ => Reply::HangUp,
    });
    let mut random = fastrand::Rng::with_seed(20_261_125);
    let mut stored: HashSet<String> = HashSet::new();
    let mut next = 0;
    for _ in 0..KILLS {
        mode.store(random.u8(0..3), Ordering::SeqCst);
        let mut process = child(dir.path(), &collector, next, usize::MAX);
        let lines = random.usize(0..20);
        let mut out = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        for line in out.by_ref().take(lines) {
            stored.insert(line.expect("a line"));
        }
        // Between two lines and within a write alike: as far as the child has come.
        for _ in 0..random.usize(0..50_000) {
            std::hint::spin_loop();
        }
        process.kill().expect("killed");
        process.wait().expect("waited for");
        // What it had said before it died counts too.
        stored.extend(out.map_while(Result::ok));
        next = stored
            .iter()
            .filter_map(|uid| uid.strip_prefix("uid-")?.parse::<usize>().ok())
            .max()
            .map_or(0, |n| n + 1);
    }
    mode.store(0, Ordering::SeqCst);
    let ended = child(dir.path(), &collector, next, 0).wait().expect("waited for");
    assert!(ended.success(), "the outbox did not become empty");
    let received = received.lock().expect("unpoisoned");
    assert!(stored.len() > KILLS, "only {} changes", stored.len());
    let missing: Vec<&String> = stored.difference(&received).collect();
    assert!(
        missing.is_empty(),
        "{} of {} lost: {missing:?}",
        missing.len(),
        stored.len()
    );
}
