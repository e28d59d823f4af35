//! The same entries as two independent readers in Rust see, within what they can do: plain and ZSTD payloads.

use std::collections::HashMap;

use whynotready::journal::Options;

use crate::compare::{Flat, all};
use crate::make::{fixtures, unpacked};

fn samples() -> Vec<(String, Vec<u8>, Vec<Flat>)> {
    let mut samples = Vec::new();
    for path in fixtures("-zstd.journal.zst")
        .into_iter()
        .chain(fixtures("-none.journal.zst"))
    {
        let bytes = unpacked(&path);
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let ours = all(vec![(name.clone(), Box::new(bytes.clone()))], Options::default());
        samples.push((name, bytes, ours));
    }
    assert_eq!(samples.len(), 12 + 14);
    samples
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the test writes a file")]
fn sdjournal() {
    for (name, bytes, ours) in samples() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.journal"), bytes).unwrap();
        let journal = sdjournal::Journal::open_dir(dir.path()).unwrap();
        let theirs: Vec<Vec<(Vec<u8>, Vec<u8>)>> = journal
            .query()
            .iter()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                entry
                    .iter_fields()
                    .map(|(field, value)| (field.as_bytes().to_vec(), value.to_vec()))
                    .collect()
            })
            .collect();
        let ours: Vec<_> = ours.into_iter().map(|(_, fields)| fields).collect();
        assert!(ours == theirs, "{name}");
    }
}

/// It keeps one value of a field, as text.
#[test]
fn systemd_journal_reader() {
    for (name, bytes, ours) in samples() {
        let mut reader = systemd_journal_reader::JournalReader::new(std::io::Cursor::new(bytes)).unwrap();
        for (_, fields) in ours {
            let theirs = reader.next_entry().unwrap();
            let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
            let fields: HashMap<String, String> = fields
                .into_iter()
                .filter(|(field, _)| field != b"REPEATED")
                .map(|(field, value)| (text(field), text(value)))
                .collect();
            for (field, value) in &fields {
                assert_eq!(
                    theirs.fields.get(field.as_str()).map(|v| &**v),
                    Some(value.as_str()),
                    "{name} {field}"
                );
            }
        }
        assert!(reader.next_entry().is_none(), "{name}");
    }
}
