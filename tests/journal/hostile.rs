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
