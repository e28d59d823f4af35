//! Archives that are made to harm: refused or bounded, and nothing is written outside of the temporary directory.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};
use whynotready::input;

use super::tree::{fixture, list, refused, write};

fn header(kind: EntryType, name: &str, size: u64) -> Header {
    let mut header = Header::new_gnu();
    // The crate refuses to write such names, so that they are written by hand.
    let field = &mut header.as_mut_bytes()[..100];
    field[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    header
}

/// An archive in a directory of its own.
fn archive(fill: impl FnOnce(&mut Builder<GzEncoder<Vec<u8>>>)) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut builder = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    fill(&mut builder);
    let bytes = builder.into_inner().and_then(GzEncoder::finish).expect("packed");
    let path = dir.path().join("x.tar.gz");
    write(&path, bytes);
    (dir, path)
}

fn add(builder: &mut Builder<impl Write>, kind: EntryType, (name, link): (&str, &str), data: impl Read, size: u64) {
    let mut header = header(kind, name, size);
    if !link.is_empty() {
        header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
    }
    builder.append(&header, data).expect("added");
}

fn unpacked(path: &Path) -> input::Unpacked {
    input::unpack(path, &|_| true).expect("unpacked").expect("an archive")
}

#[test]
fn names_and_links_do_not_lead_out() {
    let outside = tempfile::tempdir().expect("a directory");
    let target = outside.path().display().to_string();
    let (_dir, path) = archive(|b| {
        add(b, EntryType::Regular, ("../../climbs", ""), &b"x"[..], 1);
        add(b, EntryType::Regular, (&format!("{target}/absolute"), ""), &b"x"[..], 1);
        add(b, EntryType::Symlink, ("link", &target), &b""[..], 0);
        add(b, EntryType::Regular, ("link/through", ""), &b"x"[..], 1);
        add(b, EntryType::Symlink, ("link/inner", "x"), &b""[..], 0);
        add(b, EntryType::Link, ("hard", "/etc/passwd"), &b""[..], 0);
        add(b, EntryType::Char, ("device", ""), &b""[..], 0);
    });
    let unpacked = unpacked(&path);
    assert_eq!(unpacked.left.len(), 1);
    assert!(
        unpacked.left[0].contains("2 members left out: their names lead out"),
        "{:?}",
        unpacked.left
    );
    assert_eq!(list(outside.path()).len(), 0);
    let root = unpacked.directory.path();
    assert!(
        root.join("link").is_dir() && !root.join("link").is_symlink(),
        "a file's directory comes before a link"
    );
    assert!(root.join("link/through").is_file());
    assert!(!root.join("hard").exists() && !root.join("device").exists());
    let gone = root.to_owned();
    drop(unpacked);
    assert!(!gone.exists(), "nothing stays behind");
}

/// A link of a capture is followed below the capture only, whoever made the directory.
#[test]
fn a_captured_link_shows_nothing_of_this_machine() {
    let dir = tempfile::tempdir().expect("a directory");
    super::tree::copy(&fixture("1.37-healthy-idle/snapshot"), dir.path());
    let meminfo = dir.path().join("proc/meminfo");
    std::fs::remove_file(&meminfo).expect("removed");
    std::os::unix::fs::symlink("/proc/meminfo", &meminfo).expect("linked");
    let seen = super::tree::inputs(dir.path(), None);
    let memory = |i: &whynotready::model::input::Input| matches!(i, whynotready::model::input::Input::Observed(o) if &*o.source == "memory");
    assert!(!seen.iter().any(memory));
    assert!(!seen.is_empty());
}

#[test]
fn more_than_its_bounds_is_left_or_refused() {
    // 3 GiB of nothing in 3 MiB: the second member exceeds what all may have together.
    let (_dir, path) = archive(|b| {
        add(
            b,
            EntryType::Regular,
            ("a", ""),
            std::io::repeat(0).take(64 << 20),
            64 << 20,
        );
        add(
            b,
            EntryType::Regular,
            ("b", ""),
            std::io::repeat(0).take(2 << 30),
            2 << 30,
        );
    });
    let all = unpacked(&path);
    assert!(
        all.left[0].ends_with("1 members left out: more than 2 GiB together"),
        "{:?}",
        all.left
    );
    let (_dir, path) = archive(|b| {
        for i in 0..10_010 {
            add(b, EntryType::Regular, (&format!("f{i}"), ""), &b""[..], 0);
        }
    });
    let all = unpacked(&path);
    assert!(
        all.left[0].ends_with("10 members left out: more than 10000 files"),
        "{:?}",
        all.left
    );
}

#[test]
fn a_million_members_and_a_name_without_end_are_refused() {
    let (_dir, path) = archive(|b| {
        let directory = header(EntryType::Directory, "d", 0);
        for _ in 0..500_001 {
            b.append(&directory, &b""[..]).expect("added");
        }
    });
    let error = refused(&path);
    assert!(
        error.ends_with("the archive holds more than 500000 members: it is refused"),
        "{error}"
    );
    let (_dir, path) = archive(|b| {
        add(
            b,
            EntryType::GNULongName,
            ("././@LongLink", ""),
            std::io::repeat(b'a').take(1 << 20),
            1 << 20,
        );
    });
    let error = refused(&path);
    assert!(error.ends_with("a name of more than 64 KiB: it is refused"), "{error}");
}

#[test]
fn one_that_was_cut_short_gives_what_is_there() {
    let (dir, path) = archive(|b| {
        add(b, EntryType::Regular, ("a", ""), &b"first"[..], 5);
        add(
            b,
            EntryType::Regular,
            ("b", ""),
            std::io::repeat(7).take(1 << 20),
            1 << 20,
        );
    });
    let mut bytes = Vec::new();
    std::fs::OpenOptions::new()
        .read(true)
        .open(&path)
        .and_then(|mut f| f.read_to_end(&mut bytes))
        .expect("read");
    let short = dir.path().join("short.tar.gz");
    write(&short, &bytes[..bytes.len() - 200]);
    let all = unpacked(&short);
    assert!(all.directory.path().join("a").is_file());
    assert!(all.left[0].contains("cannot be read to its end"), "{:?}", all.left);
    assert!(
        input::unpack(&fixture("1.37-healthy-idle/snapshot/df.txt"), &|_| true)
            .expect("no archive")
            .is_none()
    );
}
