//! The ring against crashes and rot: what was reported as stored is there, what is damaged is dropped, nothing panics.

use std::os::unix::fs::FileExt;

use super::ring::{Entry, Ring};
use super::store::{Place, SMALLEST};

fn place(dir: &tempfile::TempDir, bytes: u64) -> Place {
    Place {
        path: dir.path().join("state/outbox"),
        bytes,
        ahead: true,
    }
}

fn payload(seq: u64) -> Vec<u8> {
    seq.to_le_bytes().repeat(1 + (seq as usize * 7919) % 400)
}

fn write(ring: &mut Ring, seqs: std::ops::Range<u64>) {
    for seq in seqs {
        ring.append(&Entry::new(seq, u128::from(seq), 0b11, 0), &payload(seq))
            .unwrap();
    }
}

#[test]
fn what_was_stored_is_there_after_opening_again_over_many_laps() {
    let dir = tempfile::tempdir().unwrap();
    let place = place(&dir, SMALLEST);
    let mut next = 1;
    for _ in 0..20 {
        let (mut ring, scan) = Ring::open(&place).unwrap();
        assert_eq!(scan.damaged, 0);
        if next > 1 {
            assert_eq!(scan.entries.last().unwrap().seq, next - 1);
        }
        for pair in scan.entries.windows(2) {
            assert_eq!(pair[0].seq + 1, pair[1].seq);
        }
        for entry in &scan.entries {
            assert_eq!(ring.read(entry.pos).unwrap().unwrap(), payload(entry.seq));
        }
        write(&mut ring, next..next + 97);
        next += 97;
    }
    let (_, scan) = Ring::open(&place).unwrap();
    // Twenty laps and no growth: the file is as large as it was made, and every block is taken.
    let file = std::fs::metadata(&place.path).unwrap();
    assert_eq!(file.len(), SMALLEST);
    assert!(std::os::unix::fs::MetadataExt::blocks(&file) * 512 >= SMALLEST);
    assert!(scan.entries.len() > 100, "{}", scan.entries.len());
}

#[test]
fn who_has_a_record_is_known_after_opening_again() {
    let dir = tempfile::tempdir().unwrap();
    let place = place(&dir, SMALLEST);
    let (mut ring, _) = Ring::open(&place).unwrap();
    write(&mut ring, 1..4);
    let (_, scan) = {
        drop(ring);
        Ring::open(&place).unwrap()
    };
    let (ring, _) = Ring::open(&place).unwrap();
    ring.mark(scan.entries[1].pos, 0b10).unwrap();
    drop(ring);
    let (_, scan) = Ring::open(&place).unwrap();
    assert_eq!(scan.entries.iter().map(|e| e.delivered).collect::<Vec<_>>(), [0, 2, 0]);
}

#[test]
fn a_torn_last_record_is_dropped_wherever_it_was_cut() {
    let dir = tempfile::tempdir().unwrap();
    let place = place(&dir, SMALLEST);
    let (mut ring, _) = Ring::open(&place).unwrap();
    write(&mut ring, 1..30);
    drop(ring);
    let before = std::fs::read(&place.path).unwrap();
    let (mut ring, _) = Ring::open(&place).unwrap();
    write(&mut ring, 30..31);
    drop(ring);
    let after = std::fs::read(&place.path).unwrap();
    let changed: Vec<usize> = (0..after.len()).filter(|i| before[*i] != after[*i]).collect();
    let (first, last) = (changed[0], *changed.last().unwrap());
    for cut in (first..last).step_by(37) {
        // The sectors before the cut made it, or those after it did.
        for front in [true, false] {
            let mut torn = before.clone();
            let made = if front { first..cut } else { cut + 1..last + 1 };
            torn[made.clone()].copy_from_slice(&after[made]);
            std::fs::write(&place.path, &torn).unwrap();
            let (mut ring, scan) = Ring::open(&place).unwrap();
            let whole = torn == after;
            assert_eq!(scan.entries.len(), if whole { 30 } else { 29 }, "cut at {cut}");
            assert_eq!(scan.damaged, 0);
            write(&mut ring, 31..32);
            drop(ring);
            assert_eq!(Ring::open(&place).unwrap().1.entries.last().unwrap().seq, 31);
        }
    }
}

#[test]
fn rot_costs_the_records_that_it_hits_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let place = place(&dir, SMALLEST);
    let (mut ring, _) = Ring::open(&place).unwrap();
    write(&mut ring, 1..60);
    drop(ring);
    let sound = std::fs::read(&place.path).unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..400 {
        let hits = random.usize(1..4);
        let mut rotten = sound.clone();
        for _ in 0..hits {
            rotten[random.usize(4096..100_000)] ^= 1 << random.u8(..8);
        }
        std::fs::write(&place.path, &rotten).unwrap();
        let (ring, scan) = Ring::open(&place).unwrap();
        assert!(
            scan.entries.len() >= 59 - hits,
            "{} of 59 after {hits} hits",
            scan.entries.len()
        );
        for entry in &scan.entries {
            assert_eq!(ring.read(entry.pos).unwrap().unwrap(), payload(entry.seq));
        }
        let lost_inside = scan.entries.windows(2).any(|w| w[0].seq + 1 != w[1].seq);
        assert_eq!(scan.damaged > 0, lost_inside);
    }
}

#[test]
fn a_header_that_rots_has_a_second_copy_and_a_store_without_one_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let place = place(&dir, SMALLEST);
    let (mut ring, _) = Ring::open(&place).unwrap();
    write(&mut ring, 1..3);
    drop(ring);
    let file = std::fs::OpenOptions::new().write(true).open(&place.path).unwrap();
    file.write_all_at(&[0; 64], 0).unwrap();
    let (_, scan) = Ring::open(&place).unwrap();
    assert_eq!((scan.entries.len(), scan.set_aside), (2, false));
    file.write_all_at(&[0; 64], 2048).unwrap();
    drop(file);
    let (mut ring, scan) = Ring::open(&place).unwrap();
    assert_eq!((scan.entries.len(), scan.set_aside), (0, true));
    write(&mut ring, 1..3);
    assert!(place.path.with_extension("damaged").exists());
    drop(ring);
    // Any other file in its place, and none of its size.
    for junk in [&b""[..], b"junk", &[0xff; 5000]] {
        std::fs::write(&place.path, junk).unwrap();
        let (mut ring, scan) = Ring::open(&place).unwrap();
        assert!(scan.set_aside);
        write(&mut ring, 1..3);
    }
}

#[test]
fn another_size_takes_the_records_along() {
    let dir = tempfile::tempdir().unwrap();
    let small = place(&dir, SMALLEST);
    let (mut ring, _) = Ring::open(&small).unwrap();
    write(&mut ring, 1..400);
    drop(ring);
    let held = Ring::open(&small).unwrap().1.entries.len();
    let (ring, scan) = Ring::open(&place(&dir, 1 << 20)).unwrap();
    assert_eq!(scan.entries.len(), held);
    assert_eq!(
        ring.read(scan.entries[0].pos).unwrap().unwrap(),
        payload(scan.entries[0].seq)
    );
    drop(ring);
    assert_eq!(std::fs::metadata(&small.path).unwrap().len(), 1 << 20);
    // Smaller again: the newest are kept.
    let (_, scan) = Ring::open(&small).unwrap();
    assert_eq!(scan.entries.last().unwrap().seq, 399);
    assert!(scan.entries.len() > 50);
}

#[test]
fn two_processes_do_not_write_one_store_and_a_removed_file_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let place = place(&dir, SMALLEST);
    let (mut ring, _) = Ring::open(&place).unwrap();
    assert!(Ring::open(&place).unwrap_err().to_string().contains("in use"));
    std::fs::remove_file(&place.path).unwrap();
    let entry = Entry::new(1, 1, 1, 0);
    assert!(ring.append(&entry, b"x").unwrap_err().to_string().contains("removed"));
}
