//! Look-back, rotation, vacuum, boots, the move from `/run` to `/var` and restarts, step by step.

use std::fs;
use std::time::Duration;

use whynotready::model::time::Timestamp;

use crate::make::{Agent, BOOT, START, STEP, append, cursors, export};

const OTHER_BOOT: &str = "4c2e5b1f7d105e4fac70a2b3c4d5e6f7";

fn all(end: u64) -> Vec<u64> {
    (0..end).collect()
}

#[test]
fn looks_back_as_far_as_it_is_told_and_follows() {
    let mut agent = Agent::new();
    let live = agent.file("var", "system.journal");
    append(&agent.file("var", "system@old.journal"), &export(0..400, BOOT));
    append(&live, &export(400..1000, BOOT));
    agent.pass(1000 * STEP);
    // A second and what has passed: from entry 300 on.
    agent.options.since = Duration::from_millis(1_700);
    agent.start();
    agent.drain();
    assert_eq!(agent.numbers(), (300..1000).collect::<Vec<u64>>());
    let account: Vec<_> = agent.follower.as_ref().unwrap().account().gaps().cloned().collect();
    assert_eq!(account.len(), 1);
    assert_eq!(account[0].to, Some(Timestamp(START + 300 * STEP)), "{account:?}");
    for end in [1001, 1002, 1700] {
        let next = agent.stored.last().unwrap().n + 1;
        append(&live, &export(next..end, BOOT));
        agent.drain();
        assert_eq!(agent.numbers(), (300..end).collect::<Vec<u64>>());
    }
    assert_eq!(agent.gaps, []);
    let theirs = cursors(live.parent().unwrap());
    let ours: Vec<_> = agent.stored.iter().map(|seen| seen.cursor.clone()).collect();
    assert!(theirs[300..] == ours);
}

#[test]
fn lines_of_our_own_are_never_evidence() {
    let mut agent = Agent::new();
    let live = agent.file("var", "system.journal");
    let text = String::from_utf8(export(0..10, BOOT)).unwrap();
    let own = text
        .replace("kubelet.service", "whynotready.service")
        .replace("_COMM=kubelet", "_COMM=whynotready");
    append(&live, own.as_bytes());
    append(&live, &export(10..12, BOOT));
    agent.start();
    agent.drain();
    assert_eq!(agent.numbers(), [10, 11]);
}

/// Rotates as journald does, removes what is old, and stops the agent hundreds of times wherever it is, sometimes before
/// and sometimes after it has saved: each entry is stored once.
#[test]
fn each_entry_once_wherever_the_agent_is_stopped() {
    let mut random = fastrand::Rng::with_seed(7);
    let mut agent = Agent::new();
    let live = agent.file("var", "system.journal");
    let (mut written, mut starts, mut rotated) = (0, 0, 0);
    agent.start();
    while written < 3000 {
        let more = random.u64(20..160);
        append(&live, &export(written..written + more, BOOT));
        written += more;
        if random.u8(0..3) == 0 {
            rotated += 1;
            fs::rename(&live, agent.file("var", &format!("system@{rotated}.journal"))).unwrap();
        }
        for _ in 0..random.usize(4..24) {
            agent.poll(random.usize(1..9));
            if random.bool() {
                agent.store();
            }
            if random.bool() {
                starts += 1;
                agent.start();
            }
        }
        agent.pass(more as i64 * STEP);
    }
    agent.drain();
    assert!(starts > 200 && rotated > 5, "{starts} {rotated}");
    assert_eq!(agent.numbers(), all(written));
    assert_eq!(agent.gaps, []);
    let ours: Vec<_> = agent.stored.iter().map(|seen| seen.cursor.clone()).collect();
    assert!(cursors(live.parent().unwrap()) == ours);
}

#[test]
fn what_is_removed_is_read_to_its_end_or_is_a_gap() {
    let mut agent = Agent::new();
    let live = agent.file("var", "system.journal");
    append(&live, &export(0..100, BOOT));
    agent.start();
    agent.poll(40);
    agent.store();
    // It runs: what it holds open is read, though it has no name.
    fs::rename(&live, agent.file("var", "system@1.journal")).unwrap();
    append(&live, &export(100..120, BOOT));
    agent.poll(1);
    fs::remove_file(agent.file("var", "system@1.journal")).unwrap();
    agent.drain();
    assert_eq!(agent.numbers(), all(120));
    assert_eq!(agent.gaps, []);
    // It does not run: a gap, from the last entry that was read to the first that is there.
    append(&live, &export(120..150, BOOT));
    fs::remove_file(&live).unwrap();
    append(&live, &export(150..160, BOOT));
    agent.start();
    agent.drain();
    assert_eq!(agent.numbers(), (0..120).chain(150..160).collect::<Vec<_>>());
    let gap = agent.gaps[0].clone();
    let at = |n: i64| Some(Timestamp(START + n * STEP));
    assert_eq!((agent.gaps.len(), gap.from, gap.to), (1, at(119), at(150)), "{gap:?}");
    // It is in the account, once, however often it starts.
    agent.start();
    agent.drain();
    let account: Vec<_> = agent.follower.as_ref().unwrap().account().gaps().cloned().collect();
    assert_eq!((agent.gaps.len(), account.last()), (1, Some(&gap)));
}

/// `/run` is copied to `/var` with numbers of its own and removed, with the agent running and not, drained and not.
#[test]
fn the_move_to_the_disk_neither_doubles_nor_loses() {
    for (read, stopped) in [(60, false), (60, true), (100, false), (100, true), (0, true)] {
        let mut agent = Agent::new();
        let volatile = agent.file("run", "system.journal");
        append(&volatile, &export(0..100, BOOT));
        agent.start();
        if read > 0 {
            agent.poll(read);
        }
        agent.store();
        let live = agent.file("var", "system.journal");
        append(&live, &export(0..100, BOOT));
        append(&live, &export(100..130, BOOT));
        if !stopped {
            agent.poll(1);
        }
        fs::remove_dir_all(volatile.parent().unwrap()).unwrap();
        if stopped {
            agent.start();
        }
        agent.drain();
        append(&live, &export(130..131, BOOT));
        agent.drain();
        assert_eq!(agent.numbers(), all(131), "{read} {stopped}");
        // Of what was never read nothing tells whether it is all there.
        assert_eq!(
            agent.gaps.len(),
            usize::from(read == 0),
            "{read} {stopped} {:?}",
            agent.gaps
        );
    }
}

#[test]
fn a_directory_and_a_file_that_come_later() {
    let mut agent = Agent::new();
    agent.start();
    agent.drain();
    assert!(!agent.follower.as_ref().unwrap().is_present());
    let live = agent.file("var", "system.journal");
    fs::create_dir_all(live.parent().unwrap()).unwrap();
    agent.drain();
    // journald makes the file first and writes its header then.
    let written = agent.dir.path().join("elsewhere.journal");
    append(&written, &export(0..5, BOOT));
    fs::File::create(&live).unwrap();
    agent.poll(9);
    fs::copy(&written, &live).unwrap();
    agent.drain();
    assert_eq!(agent.numbers(), all(5));
    // Files of users and of namespaces are not the node's.
    append(&agent.file("var", "user-1000.journal"), &export(5..9, BOOT));
    append(&agent.file("var", "../other/system.journal"), &export(5..9, BOOT));
    agent.drain();
    assert_eq!(agent.numbers(), all(5));
    assert_eq!(agent.gaps, []);
    assert!(agent.follower.as_ref().unwrap().is_present());
}

#[test]
fn another_boot_is_told_apart_and_follows_the_one_before() {
    let mut agent = Agent::new();
    let live = agent.file("var", "system.journal");
    append(&live, &export(0..10, BOOT));
    agent.start();
    agent.drain();
    fs::rename(&live, agent.file("var", "system@1.journal")).unwrap();
    append(&live, &export(10..20, OTHER_BOOT));
    agent.drain();
    assert_eq!(agent.numbers(), all(20));
    assert!(agent.stored.iter().all(|seen| seen.boot == u32::from(seen.n >= 10)));
    assert!(agent.stored.windows(2).all(|pair| pair[0].at < pair[1].at));
    assert_eq!(agent.gaps, []);
}

#[test]
fn what_is_too_old_to_catch_up_on_is_a_gap() {
    let mut agent = Agent::new();
    let live = agent.file("var", "system.journal");
    append(&live, &export(0..100, BOOT));
    agent.start();
    agent.drain();
    append(&live, &export(100..1000, BOOT));
    agent.set(1000 * STEP);
    agent.options.longest = Duration::from_millis(1_300);
    agent.start();
    agent.drain();
    assert_eq!(agent.numbers(), (0..100).chain(700..1000).collect::<Vec<_>>());
    assert_eq!(
        agent.gaps[0].from,
        Some(Timestamp(START + 99 * STEP)),
        "{:?}",
        agent.gaps
    );
    assert_eq!(agent.follower.as_ref().unwrap().account().lost(), 600);
}
