//! Journals written by systemd-journal-remote from generated export text.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Entries in export format: binary, multi-line, repeated and long values among them.
pub(crate) fn export(entries: u64) -> Vec<u8> {
    of_boot(entries, 0, "3b1d4a0e6c0f4d3e9b6f1a2b3c4d5e6f")
}

/// The same of any boot, `later` microseconds later.
pub(crate) fn of_boot(entries: u64, later: u64, boot: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for i in 0..entries {
        let mut text = String::new();
        let _ = write!(
            text,
            "__REALTIME_TIMESTAMP={}\n__MONOTONIC_TIMESTAMP={}\n",
            1_700_000_000_000_000 + later + i * 1000,
            later + i * 1000 + 5
        );
        let _ = writeln!(text, "_BOOT_ID={boot}\n_MACHINE_ID=6adcb811a5e1475fa502330321c5cf86");
        let _ = write!(
            text,
            "_SYSTEMD_UNIT={}\n_PID={}\nN={i}\n",
            ["kubelet.service", "containerd.service"][(i % 2) as usize],
            i % 7
        );
        if i % 5 == 0 {
            text.push_str("REPEATED=one\nREPEATED=two\n");
        }
        out.extend(text.bytes());
        let message: Vec<u8> = match i % 10 {
            3 => (0..=255_u8).cycle().take(300 + i as usize).collect(),
            4 => format!("first {i}\nsecond\n\nlast").into_bytes(),
            6 => format!("long {i} ").repeat(400).into_bytes(),
            7 => "the same long message ".repeat(200).into_bytes(),
            _ => format!("E1122 22:40:09.276 370 controller.go:145] \"Failed\" n={i}").into_bytes(),
        };
        out.extend(b"MESSAGE\n");
        out.extend((message.len() as u64).to_le_bytes());
        out.extend(message);
        out.extend(b"\n\n");
    }
    out
}

#[allow(clippy::disallowed_methods, reason = "tests run systemd's own programs")]
pub(crate) fn write(path: &Path, text: &[u8], environment: &[(&str, &str)]) {
    let mut child = Command::new("/lib/systemd/systemd-journal-remote")
        .arg("-o")
        .arg(path)
        .arg("-")
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("systemd-journal-remote is needed");
    child
        .stdin
        .take()
        .expect("a pipe")
        .write_all(text)
        .expect("it reads all");
    assert!(child.wait().expect("it ends").success());
}

#[allow(clippy::disallowed_methods, reason = "tests run systemd's own programs")]
pub(crate) fn journalctl(path: &Path, arguments: &[&str]) -> Vec<u8> {
    let out = Command::new("journalctl")
        .arg(if path.is_dir() { "-D" } else { "--file" })
        .arg(path)
        .args(arguments)
        .output()
        .expect("journalctl is needed");
    assert!(out.status.success());
    out.stdout
}

/// What zstd unpacks.
#[allow(clippy::disallowed_methods, reason = "tests run the programs that they need")]
pub(crate) fn unpacked(path: &Path) -> Vec<u8> {
    let out = Command::new("zstd")
        .arg("-dcq")
        .arg(path)
        .output()
        .expect("zstd is needed");
    assert!(out.status.success(), "{}", path.display());
    out.stdout
}

/// The fixture directory's files whose names end with this, sorted.
#[allow(clippy::disallowed_methods, reason = "the test reads its fixtures")]
pub(crate) fn fixtures(end: &str) -> Vec<std::path::PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/journals");
    let mut all: Vec<_> = std::fs::read_dir(dir)
        .expect("it is part of the source")
        .map(|entry| entry.expect("it can be listed").path())
        .filter(|path| path.to_string_lossy().ends_with(end))
        .collect();
    all.sort();
    all
}
