//! Damaged and hostile logs: whatever the bytes, reading ends without a panic and says no more than the bytes hold.

mod samples;

use std::io::Cursor;
use std::path::PathBuf;

use whynotready::input::{self, Options};
use whynotready::model::input::Input;

/// At most one observation or beat a line and entry, and a few words about the file itself.
fn bound(unpacked: usize) -> usize {
    unpacked + 16
}

fn read(bytes: Vec<u8>) -> (usize, bool) {
    let mut inputs = 0_usize;
    let mut last = i64::MIN;
    let mut monotone = true;
    let result = input::read(
        &[PathBuf::from("-")],
        Some(Box::new(Cursor::new(bytes))),
        &Options {
            reference_year: Some(2026),
            ..Options::default()
        },
        &|line| line.contains("swap"),
        &mut |input| {
            inputs += 1;
            let at = match &input {
                Input::Observed(o) => {
                    assert!(o.text.len() <= 8 * 1024);
                    o.at.t
                }
                Input::Beat(b) => b.at.t,
                Input::End(m) | Input::Tick(m) => m.t,
                Input::Gap(_) => return,
            };
            monotone &= at >= last;
            last = at;
        },
        &mut |_| {},
    );
    assert!(monotone, "the record's time goes back");
    (inputs, result.is_ok())
}

fn mutate(random: &mut fastrand::Rng, bytes: &mut Vec<u8>) {
    for _ in 0..=random.usize(..8) {
        if bytes.is_empty() {
            return;
        }
        let at = random.usize(..bytes.len());
        match random.u8(..8) {
            0 => bytes[at] ^= 1 << random.u8(..8),
            1 => bytes[at] = random.u8(..),
            2 => bytes.truncate(at),
            3 => _ = bytes.drain(at..(at + random.usize(..64)).min(bytes.len())),
            4 => bytes[at] = *random.choice(b"\0\n{}[]=:\"\\ \xff\xf0").unwrap_or(&0),
            5 => {
                let piece: Vec<u8> = bytes[at..(at + random.usize(..64)).min(bytes.len())].to_vec();
                let to = random.usize(..bytes.len());
                bytes.splice(to..to, piece);
            }
            6 => {
                let end = (at + 8).min(bytes.len());
                bytes[at..end].fill(*random.choice(&[0, 0x7f, 0xff, b'9']).unwrap_or(&0));
            }
            _ => bytes[at] = bytes[at].wrapping_add(1),
        }
    }
}

#[test]
fn samples_are_understood_whole() {
    for (name, bytes) in samples::all() {
        let (inputs, ok) = read(bytes);
        assert!(ok, "{name} is not understood");
        assert!(inputs > 0, "{name} says nothing");
    }
}

#[test]
fn ten_thousand_mutations() {
    let samples = samples::all();
    let mut random = fastrand::Rng::with_seed(0x0bad_1095);
    for round in 0..10_000 {
        let (name, sample) = &samples[round % samples.len()];
        let mut bytes = sample.clone();
        mutate(&mut random, &mut bytes);
        let size = bytes.len();
        let (inputs, _) = read(bytes);
        // deflate packs at most 1032 to 1, and the samples' zstd and xz less than that; a bomb has a test of its own
        let unpacked = if samples::is_packed(name) {
            4096 + size * 1100
        } else {
            size
        };
        assert!(
            inputs <= bound(unpacked),
            "{name}, round {round}: {inputs} inputs of {size} bytes"
        );
    }
}

#[test]
fn random_bytes() {
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..500 {
        let bytes: Vec<u8> = (0..random.usize(..2048)).map(|_| random.u8(..)).collect();
        let size = bytes.len();
        assert!(read(bytes).0 <= bound(size));
    }
}

#[test]
fn a_bomb_is_one_line() {
    let (inputs, _) = read(samples::gzip(&vec![b'a'; 64 << 20]));
    assert!(inputs <= 16);
}
