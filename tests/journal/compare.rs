//! Every entry and field as `journalctl -o export` has them.

use whynotready::journal::{Options, ReadAt, Set};

use crate::make::{export, journalctl, write};

/// Cursor and fields of one entry.
pub(crate) type Flat = (String, Vec<(Vec<u8>, Vec<u8>)>);

pub(crate) fn parse(mut text: &[u8]) -> Vec<Flat> {
    let mut all = Vec::new();
    let (mut cursor, mut fields) = (String::new(), Vec::new());
    while let Some(end) = text.iter().position(|&byte| byte == b'\n') {
        let line = &text[..end];
        text = &text[end + 1..];
        if line.is_empty() {
            all.push((std::mem::take(&mut cursor), std::mem::take(&mut fields)));
        } else if let Some(at) = line.iter().position(|&byte| byte == b'=') {
            let (name, value) = (line[..at].to_vec(), line[at + 1..].to_vec());
            if name == b"__CURSOR" {
                cursor = String::from_utf8(value).unwrap();
            } else if !name.starts_with(b"__") {
                fields.push((name, value));
            }
        } else {
            let size = u64::from_le_bytes(text[..8].try_into().unwrap()) as usize;
            fields.push((line.to_vec(), text[8..8 + size].to_vec()));
            text = &text[8 + size + 1..];
        }
    }
    all
}

fn ours(bytes: Vec<u8>, options: Options) -> Vec<Flat> {
    all(vec![("test".to_owned(), Box::new(bytes))], options)
}

/// Every entry of these files, of which nothing may be unreadable.
pub(crate) fn all(files: Vec<(String, Box<dyn ReadAt>)>, options: Options) -> Vec<Flat> {
    let mut set = Set::open(files, options);
    let mut all = Vec::new();
    while let Some(entry) = set.next() {
        assert!(!entry.truncated);
        all.push((
            entry.cursor(),
            entry
                .fields()
                .map(|(name, value)| (name.to_vec(), value.to_vec()))
                .collect(),
        ));
    }
    assert_eq!(set.problems(), []);
    all
}

/// journalctl writes the boot's id from the entry's header in front; it is an item as well.
pub(crate) fn without_boot(all: &mut [Flat]) {
    for (_, fields) in all {
        fields.retain(|(name, _)| name != b"_BOOT_ID");
    }
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the test reads the file that it wrote")]
fn every_field_as_journalctl_has_it() {
    let dir = tempfile::tempdir().unwrap();
    for (compact, keyed) in [("0", "0"), ("0", "1"), ("1", "0"), ("1", "1")] {
        let path = dir.path().join(format!("c{compact}k{keyed}.journal"));
        let environment = [
            ("SYSTEMD_JOURNAL_COMPACT", compact),
            ("SYSTEMD_JOURNAL_KEYED_HASH", keyed),
        ];
        write(&path, &export(2000), &environment);
        let bytes = std::fs::read(&path).unwrap();
        let mut theirs = parse(&journalctl(&path, &["-o", "export"]));
        let mut all = ours(bytes.clone(), Options::default());
        without_boot(&mut theirs);
        without_boot(&mut all);
        assert_eq!(theirs.len(), 2000);
        assert!(theirs == all, "compact {compact} keyed {keyed}");
        for (term, count) in [("_SYSTEMD_UNIT=kubelet.service", 1000), ("N=77", 1), ("N=none", 0)] {
            let (field, value) = term.split_once('=').unwrap();
            let only = Some(vec![(field.to_owned(), value.as_bytes().to_vec())]);
            assert_eq!(
                ours(
                    bytes.clone(),
                    Options {
                        only,
                        ..Options::default()
                    }
                )
                .len(),
                count,
                "{term}"
            );
        }
        let since = Some(1_700_000_000_000_000 + 1500 * 1000);
        assert_eq!(
            ours(
                bytes.clone(),
                Options {
                    since,
                    ..Options::default()
                }
            ),
            { ours(bytes, Options::default()).split_off(1500) }
        );
    }
}

/// Large values of real text: many blocks and all kinds of tables for the decoder.
#[test]
#[allow(
    clippy::disallowed_methods,
    reason = "the test reads the source tree and the file that it wrote"
)]
fn large_compressed_values() {
    let dir = tempfile::tempdir().unwrap();
    let lock = std::fs::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock")).unwrap();
    let text = [lock.as_slice(), include_bytes!("make.rs"), include_bytes!("hostile.rs")]
        .concat()
        .repeat(8);
    let mut input = Vec::new();
    for i in 0..60_usize {
        let message = &text[i * 997..i * 997 + 600 + i * i * 90];
        let time = 1_700_000_000_000_000 + i;
        input.extend(
            format!("__REALTIME_TIMESTAMP={time}\n_BOOT_ID=3b1d4a0e6c0f4d3e9b6f1a2b3c4d5e6f\nMESSAGE\n").bytes(),
        );
        input.extend((message.len() as u64).to_le_bytes());
        input.extend([message, b"\n\n"].concat());
    }
    let path = dir.path().join("large.journal");
    write(&path, &input, &[]);
    let mut theirs = parse(&journalctl(&path, &["-o", "export"]));
    let options = Options {
        max_payload: 1 << 20,
        ..Options::default()
    };
    let mut ours = ours(std::fs::read(&path).unwrap(), options);
    without_boot(&mut theirs);
    without_boot(&mut ours);
    assert_eq!(theirs.len(), 60);
    assert!(ours == theirs);
}
