//! Several files as one record, against journalctl on their directory.

use std::path::Path;

use whynotready::journal::{Options, ReadAt};

use crate::compare::{all, parse, without_boot};
use crate::make::{fixtures, journalctl, of_boot, unpacked, write};

#[allow(clippy::disallowed_methods, reason = "the test reads the files that it wrote")]
fn compare(dir: &Path, count: usize) {
    let mut paths: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    let mut theirs = parse(&journalctl(dir, &["-o", "export"]));
    without_boot(&mut theirs);
    assert_eq!(theirs.len(), count);
    // The order of the files does not matter.
    paths.sort();
    for _ in 0..paths.len() {
        paths.rotate_left(1);
        let files = paths.iter().map(|path| {
            let bytes: Box<dyn ReadAt> = Box::new(std::fs::File::open(path).unwrap());
            (path.display().to_string(), bytes)
        });
        let mut ours = all(files.collect(), Options::default());
        without_boot(&mut ours);
        let differ = ours.iter().zip(&theirs).position(|(a, b)| a != b);
        assert_eq!((ours.len(), differ), (count, None));
    }
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the test writes files")]
fn rotated_files_of_one_writer() {
    let dir = tempfile::tempdir().unwrap();
    let parts = fixtures(".journal.zst");
    let parts: Vec<_> = parts
        .iter()
        .filter(|p| p.to_string_lossy().contains("252-archived"))
        .collect();
    assert_eq!(parts.len(), 3);
    for (index, part) in parts.into_iter().enumerate() {
        std::fs::write(dir.path().join(format!("{}.journal", 3 - index)), unpacked(part)).unwrap();
    }
    compare(dir.path(), 400);
}

#[test]
fn interleaved_files_of_several_writers() {
    let dir = tempfile::tempdir().unwrap();
    let boot = "3b1d4a0e6c0f4d3e9b6f1a2b3c4d5e6f";
    let other = "4c2e5b1f7d105e4fac70a2b3c4d5e6f7";
    for (name, later, boot) in [("a", 0, boot), ("b", 250_333, boot), ("c", 100_666, other)] {
        write(
            &dir.path().join(format!("{name}.journal")),
            &of_boot(400, later, boot),
            &[],
        );
    }
    compare(dir.path(), 1200);
}
