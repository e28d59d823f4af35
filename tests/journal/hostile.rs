//! Damage: no panic, and work bounded by the size of the file.

use whynotready::journal::{Options, Set};

use crate::make::{export, write};

const MUTANTS: u64 = 10_000;
/// Windows overlap by a quarter, and a small file stays in them.
const BYTES_PER_BYTE: u64 = 64;
/// An item has at least four bytes, and is looked at when filtered, bisected and read.
const STEPS_PER_BYTE: u64 = 2;

fn mutate(bytes: &mut Vec<u8>, random: &mut fastrand::Rng) {
    for _ in 0..random.usize(1..4) {
        let at = random.usize(..bytes.len());
        match random.u8(..7) {
            0 => bytes[at] ^= 1 << random.u8(..8),
            1 => bytes[random.usize(..272)] = random.u8(..),
            2 => bytes.truncate(at.max(300)),
            3 => bytes[at..].iter_mut().take(4096).for_each(|byte| *byte = 0),
            4 => {
                let at = at & !7;
                let value = (random.usize(..bytes.len()) as u64 & !7).to_le_bytes();
                bytes[at..].iter_mut().zip(value).for_each(|(byte, new)| *byte = new);
            }
            5 => {
                let at = at & !7;
                bytes[at..]
                    .iter_mut()
                    .zip(random.u64(..).to_le_bytes())
                    .for_each(|(byte, new)| *byte = new);
            }
            _ => bytes[at] = random.u8(..),
        }
    }
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the test reads the file that it wrote")]
fn ten_thousand_mutants() {
    let dir = tempfile::tempdir().unwrap();
    for compact in ["0", "1"] {
        let path = dir.path().join(format!("{compact}.journal"));
        write(&path, &export(60), &[("SYSTEMD_JOURNAL_COMPACT", compact)]);
        let mut seed = std::fs::read(&path).unwrap();
        // journald allocates 8 MiB in advance; the zeros are of no interest.
        let used = seed.iter().rposition(|&byte| byte != 0).unwrap() + 1;
        seed.truncate(used.next_multiple_of(8));
        let mut random = fastrand::Rng::with_seed(7);
        for round in 0..MUTANTS / 2 {
            let mut bytes = seed.clone();
            mutate(&mut bytes, &mut random);
            let size = bytes.len() as u64;
            let only = (round % 3 == 0).then(|| vec![("_SYSTEMD_UNIT".to_owned(), b"kubelet.service".to_vec())]);
            let since = (round % 4 == 0).then_some(1_700_000_000_030_000);
            let mut set = Set::open(
                vec![("m".to_owned(), Box::new(bytes))],
                Options {
                    only,
                    since,
                    ..Options::default()
                },
            );
            let mut entries = 0;
            while let Some(entry) = set.next() {
                entries += entry.fields().count().min(1);
            }
            let work = set.work();
            assert!(entries <= 61, "round {round}: {entries}");
            assert!(work.bytes <= size * BYTES_PER_BYTE, "round {round}: {work:?} of {size}");
            assert!(work.steps <= size * STEPS_PER_BYTE, "round {round}: {work:?} of {size}");
        }
    }
}

/// Offsets of the entry arrays of the DATA object with this payload, its own first.
fn arrays(bytes: &[u8], payload: &[u8]) -> Vec<usize> {
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
    let (mut at, last) = (number(88), number(136));
    while at <= last {
        let size = number(at + 8);
        if bytes[at] == 1 && bytes[at..at + size].ends_with(payload) {
            let mut found = vec![number(at + 48)];
            while number(found[found.len() - 1] + 16) != 0 {
                found.push(number(found[found.len() - 1] + 16));
            }
            return found;
        }
        at += size.next_multiple_of(8);
    }
    panic!("no such data");
}

/// The index of a rare field is walked instead of all entries; where it is damaged no entry may be lost.
#[test]
#[allow(clippy::disallowed_methods, reason = "the test reads the file that it wrote")]
fn a_damaged_index_loses_no_entry() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.journal");
    let mut text = Vec::new();
    for (index, entry) in String::from_utf8_lossy(&export(2000))
        .split_inclusive("\n\n")
        .enumerate()
    {
        // Binary messages of the generator are of no use here.
        if entry.starts_with("__REALTIME") && entry.contains("MESSAGE") {
            let fields = entry.split("MESSAGE").next().unwrap_or_default();
            let rare = if index % 40 == 0 { "RARE=yes\n" } else { "" };
            text.extend(format!("{fields}{rare}MESSAGE=x{index}\n\n").bytes());
        }
    }
    write(&path, &text, &[("SYSTEMD_JOURNAL_COMPACT", "0")]);
    let seed = std::fs::read(&path).unwrap();
    let read = |bytes: &[u8]| {
        let only = Some(vec![("RARE".to_owned(), b"yes".to_vec())]);
        let options = Options {
            only,
            ..Options::default()
        };
        let mut set = Set::open(vec![("a".to_owned(), Box::new(bytes.to_vec()))], options);
        let mut found = Vec::new();
        while let Some(entry) = set.next() {
            found.push((entry.offset, entry.seqnum));
        }
        (found, set.problems().len(), set.work().steps)
    };
    let (expected, problems, steps) = read(&seed);
    assert!(
        expected.len() > 20 && problems == 0 && steps < 2000,
        "{} {problems} {steps}",
        expected.len()
    );
    for array in arrays(&seed, b"RARE=yes") {
        // Of another type; its items lost; its next lost; an item that is no entry, or an entry of another.
        let other = expected[0].0 + 8;
        for (at, value) in [
            (0, 0),
            (24, 0),
            (24, other),
            (24, u64::MAX),
            (16, 8),
            (32, expected[1].0),
        ] {
            let mut bytes = seed.clone();
            let slot = &mut bytes[array + at..array + at + 8];
            if slot == value.to_le_bytes() {
                continue;
            }
            slot.copy_from_slice(&value.to_le_bytes());
            let (found, problems, _) = read(&bytes);
            assert_eq!(found, expected, "{value} at {at} of the array at {array}");
            assert!(problems > 0, "{value} at {at} of the array at {array}");
        }
    }
}
