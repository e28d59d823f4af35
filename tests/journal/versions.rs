//! Journals of several versions of systemd in every layout, against what that version's journalctl reads in them.

use whynotready::journal::{Options, Set, State};

use crate::compare::{all, parse, without_boot};
use crate::make::{fixtures, unpacked};

/// DATA objects that are plain, XZ, LZ4 and ZSTD, by their flags.
fn codecs(bytes: &[u8]) -> [usize; 4] {
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
    let (mut at, last) = (number(88), number(136));
    let mut found = [0; 4];
    while at <= last {
        if bytes[at] == 1 {
            found[match bytes[at + 1] & 7 {
                0 => 0,
                1 => 1,
                2 => 2,
                4 => 3,
                other => panic!("flags {other}"),
            }] += 1;
        }
        at += number(at + 8).next_multiple_of(8);
    }
    found
}

#[test]
fn every_version_and_layout_byte_for_byte() {
    let files = fixtures(".journal.zst");
    let mut seen = Vec::new();
    for path in &files {
        let file = path.file_name().unwrap().to_str().unwrap();
        let name = file.strip_suffix(".journal.zst").unwrap();
        let bytes = unpacked(path);
        let [plain, xz, lz4, zstd] = codecs(&bytes);
        let (version, layout) = name.split_once('-').unwrap();
        let set = Set::open(vec![(name.to_owned(), Box::new(bytes.clone()))], Options::default());
        let header = set.headers().next().unwrap().1.clone();
        drop(set);
        if let Some((flags, codec)) = layout.rsplit_once('-') {
            assert_eq!(header.compact, flags.contains("compact1"), "{name}");
            assert_eq!(header.keyed_hash, flags.contains("keyed1"), "{name}");
            let of_codec = match codec {
                "xz" => xz,
                "lz4" => lz4,
                "zstd" => zstd,
                _ => 0,
            };
            assert_eq!(xz + lz4 + zstd, of_codec, "{name}: another codec");
            assert!(
                plain > 0 && (codec == "none" || of_codec >= 15),
                "{name}: {of_codec} are compressed"
            );
        } else if layout == "online" {
            assert_eq!(header.state, State::Online, "{name}");
        } else if layout != "archived3" {
            assert_eq!(header.state, State::Archived, "{name}");
        }
        let mut theirs = parse(&unpacked(&path.with_file_name(format!("{name}.export.zst"))));
        let mut ours = all(vec![(name.to_owned(), Box::new(bytes))], Options::default());
        assert!(theirs.len() > 20, "{name}: {}", theirs.len());
        without_boot(&mut theirs);
        without_boot(&mut ours);
        assert!(ours == theirs, "{name}: {} and {} entries", ours.len(), theirs.len());
        seen.push((version.to_owned(), layout.to_owned()));
    }
    for (version, layouts) in [("247", 8), ("252", 12), ("254", 20), ("257", 20)] {
        assert_eq!(seen.iter().filter(|(v, _)| v == version).count(), layouts, "{version}");
    }
}
