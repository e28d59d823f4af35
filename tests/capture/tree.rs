//! Trees and archives for the tests, and what the library makes of them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use whynotready::capture;
use whynotready::catalog::load::Catalog;
use whynotready::diagnosis::engine;
use whynotready::input::{self, Options};
use whynotready::model::diagnosis::Diagnosis;
use whynotready::model::input::Input;
use whynotready::pipeline::Analyzer;

/// A captured incident.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/captures")
        .join(name)
}

/// All that the engine is given.
pub(crate) fn inputs(path: &Path, node: Option<&str>) -> Vec<Input> {
    let prepared = capture::prepare(&[path.to_owned()], node).expect("made ready");
    let mut options = Options::default();
    prepared.tell(&mut options);
    let mut inputs = Vec::new();
    input::read(
        &prepared.paths,
        None,
        &options,
        &|_| true,
        &mut |i| inputs.push(i),
        &mut |_| {},
    )
    .expect("read");
    inputs
}

/// The answer, and the node that it is about where a must-gather was read.
pub(crate) fn diagnosis(path: &Path, node: Option<&str>) -> Diagnosis {
    let catalog = Arc::new(Catalog::embedded().expect("the catalog"));
    let mut analyzer = Analyzer::new(catalog, engine::Options { premise: true });
    for input in inputs(path, node) {
        analyzer.input(&input, &mut |_| {});
    }
    analyzer.diagnosis()
}

/// The root cause.
pub(crate) fn cause_of(path: &Path) -> Option<String> {
    let root = |d: Diagnosis| {
        d.findings
            .into_iter()
            .find(|f| f.role == whynotready::model::finding::Role::RootCause)
    };
    root(diagnosis(path, None)).map(|f| f.cause)
}

/// What the command says to a path that it refuses.
pub(crate) fn refused(path: &Path) -> String {
    match capture::prepare(&[path.to_owned()], None) {
        Err(e) => e.to_string(),
        Ok(prepared) => {
            let mut options = Options::default();
            prepared.tell(&mut options);
            let result = input::read(&prepared.paths, None, &options, &|_| true, &mut |_| {}, &mut |_| {});
            result.expect_err("refused").to_string()
        }
    }
}

/// Copies a directory's content.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    run(
        "cp",
        &["-r", &format!("{}/.", from.display()), &to.display().to_string()],
    );
}

/// Writes a file and the directories above it.
#[expect(clippy::disallowed_methods, reason = "a test makes the files that it reads")]
pub(crate) fn write(path: &Path, bytes: impl AsRef<[u8]>) {
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
    std::fs::write(path, bytes).expect("written");
}

/// What is in a directory.
#[expect(clippy::disallowed_methods, reason = "what a test made is looked at")]
pub(crate) fn list(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).expect("a listing");
    entries.flatten().map(|e| e.path()).collect()
}

/// Runs a program that the test needs; fails with what it said.
#[expect(clippy::disallowed_methods, reason = "real tools make what is read")]
pub(crate) fn run(program: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|e| panic!("{program}: {e}"));
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// A journal as text, as `journalctl` prints it.
pub(crate) fn journal_text(incident: &Path, arguments: &[&str]) -> String {
    let dir = tempfile::tempdir().expect("a directory");
    let machine = list(&incident.join("journal")).remove(0);
    let file = dir.path().join("system.journal");
    let source = machine.join("system.journal.zst");
    run(
        "zstd",
        &["-dq", "-o", &file.display().to_string(), &source.display().to_string()],
    );
    let named = format!("--file={}", file.display());
    let mut all = vec![named.as_str(), "--no-pager", "--utc"];
    all.extend(arguments);
    String::from_utf8_lossy(&run("journalctl", &all).stdout).into_owned()
}
