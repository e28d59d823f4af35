//! Directories, files and tools of the tests.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// What the tests leave to be looked at.
pub(crate) fn kept() -> PathBuf {
    let dir = repository().join("target/tmp/http");
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

#[expect(clippy::disallowed_methods, reason = "tests write into their own directory")]
pub(crate) fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

#[expect(clippy::disallowed_methods, reason = "tests read what was made for them")]
pub(crate) fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A tool that `.ci/tools` got, or one of the machine.
#[expect(clippy::disallowed_methods, reason = "the tests run real tools")]
pub(crate) fn tool(name: &str) -> Command {
    let own = repository().join("target/tools/bin").join(name);
    Command::new(if own.exists() { own } else { PathBuf::from(name) })
}

/// Runs it to its end.
pub(crate) fn run(command: &mut Command) -> Output {
    command
        .output()
        .unwrap_or_else(|e| panic!("{command:?}: {e}; .ci/run and .ci/tools get it"))
}
