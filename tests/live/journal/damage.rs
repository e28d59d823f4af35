//! Damaged files, a damaged position, and files that may not be read: each is told, none stops the rest.

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};

use whynotready::journal::{Options, ReadAt, Set};

use crate::make::{Agent, BOOT, append, export};

/// Offsets of the ENTRY objects.
#[expect(clippy::disallowed_methods, reason = "the test reads what it wrote")]
fn offsets(path: &std::path::Path) -> Vec<u64> {
    let file: Box<dyn ReadAt> = Box::new(fs::File::open(path).unwrap());
    let mut set = Set::open(vec![(String::new(), file)], Options::default());
    let mut found = Vec::new();
    while let Some(entry) = set.next() {
        found.push(entry.offset);
    }
    found
}

fn overwrite(path: &std::path::Path, bytes: &[u8], at: u64) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(bytes, at).unwrap();
}

/// An entry that is counted and not there yet is waited for.
#[test]
fn an_unfinished_entry_is_waited_for() {
    let mut agent = Agent::new();
    let live = agent.file("var", "system.journal");
    append(&live, &export(0..20, BOOT));
    let at = offsets(&live)[12];
    overwrite(&live, &[0], at);
    agent.start();
    for _ in 0..3 {
        agent.poll(100);
        agent.pass(500_000);
    }
    agent.store();
    assert_eq!(agent.numbers().len(), 12);
    overwrite(&live, &[3], at);
    agent.drain();
    assert_eq!(agent.numbers(), (0..20).collect::<Vec<_>>());
    assert_eq!(agent.gaps, []);
}

#[test]
fn an_entry_that_stays_unreadable_is_told_and_the_next_is_read() {
    let mut agent = Agent::new();
    let live = agent.file("var", "system.journal");
    append(&live, &export(0..20, BOOT));
    overwrite(&live, &[0], offsets(&live)[12]);
    agent.start();
    agent.drain();
    assert_eq!(agent.numbers(), (0..20).filter(|n| *n != 12).collect::<Vec<_>>());
    assert_eq!(agent.gaps.len(), 1);
    assert!(agent.gaps[0].reason.contains("could not be read"), "{:?}", agent.gaps);
    assert_eq!(agent.follower.as_ref().unwrap().account().lost(), 1);
    append(&live, &export(20..25, BOOT));
    agent.drain();
    assert_eq!(agent.numbers().len(), 24);
}

#[test]
fn a_ruined_file_is_a_gap_and_the_next_one_is_read() {
    let mut agent = Agent::new();
    let old = agent.file("var", "system@1.journal");
    append(&old, &export(0..200, BOOT));
    append(&agent.file("var", "system.journal"), &export(200..230, BOOT));
    let offsets = offsets(&old);
    let noise = vec![0xff; (offsets[199] - offsets[50]) as usize];
    overwrite(&old, &noise, offsets[50]);
    agent.start();
    agent.drain();
    let numbers = agent.numbers();
    assert!(numbers.starts_with(&[0, 1, 2]) && numbers.ends_with(&(200..230).collect::<Vec<_>>()));
    assert!(!agent.gaps.is_empty());
    assert!(agent.follower.as_ref().unwrap().account().lost() >= 100);
}

#[test]
fn a_file_that_is_emptied_as_it_is_removed_is_a_gap() {
    let mut agent = Agent::new();
    let live = agent.file("var", "system.journal");
    append(&live, &export(0..50, BOOT));
    agent.start();
    agent.poll(10);
    // As systemd does where punching a hole is not possible (`unlinkat_deallocate`).
    let file = fs::OpenOptions::new().write(true).open(&live).unwrap();
    fs::remove_file(&live).unwrap();
    file.set_len(0).unwrap();
    append(&live, &export(50..60, BOOT));
    agent.drain();
    assert_eq!(agent.numbers(), (0..10).chain(50..60).collect::<Vec<_>>());
    assert!(
        agent.gaps[0].reason.contains("removed before it was read"),
        "{:?}",
        agent.gaps
    );
    assert_eq!(agent.follower.as_ref().unwrap().account().lost(), 40);
}

#[test]
fn no_journal_by_content_is_told_once() {
    let mut agent = Agent::new();
    let bad = agent.file("var", "system@bad.journal");
    append(&agent.file("var", "system.journal"), &export(0..5, BOOT));
    fs::File::create(&bad).unwrap();
    overwrite(&bad, b"no journal at all", 0);
    agent.start();
    for _ in 0..60 {
        agent.drain();
    }
    assert_eq!(agent.numbers().len(), 5);
    assert_eq!(agent.gaps.len(), 1, "{:?}", agent.gaps);
    assert!(agent.gaps[0].reason.contains("bad signature"));
}

#[test]
fn a_position_that_is_lost_is_a_gap_and_look_back() {
    let mut agent = Agent::new();
    append(&agent.file("var", "system.journal"), &export(0..5, BOOT));
    agent.start();
    agent.drain();
    let path = agent.options.position.clone().unwrap();
    for damage in [&b"{"[..], b"", b"\xff\xfe", b"[1]", b"{\"files\":{\"x\":1}}"] {
        let file = fs::OpenOptions::new().write(true).truncate(true).open(&path).unwrap();
        file.write_all_at(damage, 0).unwrap();
        agent.stored.clear();
        agent.gaps.clear();
        agent.start();
        agent.drain();
        assert_eq!(agent.numbers().len(), 5, "{damage:?}");
        assert!(
            agent.gaps[0].reason.contains("position of the last run is lost"),
            "{:?}",
            agent.gaps
        );
    }
    fs::remove_file(&path).unwrap();
    agent.stored.clear();
    agent.gaps.clear();
    agent.start();
    agent.drain();
    assert_eq!((agent.numbers().len(), agent.gaps.len()), (5, 0));
}

/// Not as root: the gap says who may read journals.
#[test]
fn a_directory_that_may_not_be_read_is_told() {
    let mut agent = Agent::new();
    let live = agent.file("var", "system.journal");
    append(&live, &export(0..5, BOOT));
    fs::set_permissions(live.parent().unwrap(), fs::Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(agent.dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    // Root reads everything: only this thread becomes nobody, for as long as the test runs.
    let nobody = rustix::process::Uid::from_raw(65_534);
    let agent = std::thread::spawn(move || {
        rustix::thread::set_thread_uid(nobody).unwrap();
        agent.start();
        agent.poll(10);
        agent
    })
    .join()
    .unwrap();
    assert_eq!(agent.gaps.len(), 1, "{:?}", agent.gaps);
    assert!(agent.gaps[0].grant.as_deref().unwrap().contains("systemd-journal"));
    fs::set_permissions(live.parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
}
