//! Paths to files: the one place that opens files and lists directories.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::api::Fault;

/// How deep a directory is read.
const MAX_DEPTH: usize = 16;
/// How many files of directories are looked at.
const MAX_FILES: usize = 10_000;

/// A file to look at.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    /// The command line names it, so that it must be understood.
    pub(super) named: bool,
    /// Which argument it comes from.
    pub(super) argument: usize,
}

/// What the walk found.
#[derive(Debug, Default)]
pub(super) struct Walk {
    pub(super) files: Vec<Found>,
    /// Directories and files that could not be looked at.
    pub(super) blind: Vec<(PathBuf, String)>,
    /// The arguments that are directories.
    pub(super) directories: Vec<usize>,
    pub(super) faults: Vec<Fault>,
}

/// Lists what the paths name, directories in the order of names. Symbolic links inside a directory are not followed: logs
/// of pods would be read twice.
pub(super) fn walk(paths: &[PathBuf]) -> Walk {
    let mut walk = Walk::default();
    for (argument, path) in paths.iter().enumerate() {
        if path.as_os_str() == "-" {
            walk.files.push(Found {
                path: path.clone(),
                named: true,
                argument,
            });
            continue;
        }
        match fs::metadata(path) {
            Ok(meta) if meta.is_dir() => {
                walk.directories.push(argument);
                let before = walk.blind.len();
                descend(path, argument, 0, &mut walk);
                if walk.blind.len() > before && walk.blind[before].0 == *path {
                    let (path, why) = walk.blind.remove(before);
                    walk.faults.push(Fault::Open {
                        path: path.display().to_string(),
                        source: io::Error::other(why),
                    });
                }
            }
            Ok(_) => walk.files.push(Found {
                path: path.clone(),
                named: true,
                argument,
            }),
            Err(source) => walk.faults.push(Fault::Open {
                path: path.display().to_string(),
                source,
            }),
        }
    }
    walk
}

fn descend(directory: &Path, argument: usize, depth: usize, walk: &mut Walk) {
    let entries = match list(directory) {
        Ok(entries) => entries,
        Err(e) => {
            walk.blind.push((directory.to_owned(), e.to_string()));
            return;
        }
    };
    for (path, kind) in entries {
        if kind.is_dir() {
            if depth < MAX_DEPTH {
                descend(&path, argument, depth + 1, walk);
            } else {
                walk.blind.push((path, format!("deeper than {MAX_DEPTH} directories")));
            }
        } else if kind.is_file() {
            if walk.files.len() >= MAX_FILES {
                walk.blind
                    .push((directory.to_owned(), format!("more than {MAX_FILES} files")));
                return;
            }
            walk.files.push(Found {
                path,
                named: false,
                argument,
            });
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "input is the reader of log files; this and `open` are its only doors"
)]
fn list(directory: &Path) -> io::Result<Vec<(PathBuf, fs::FileType)>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        entries.push((entry.path(), entry.file_type()?));
    }
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(entries)
}

/// Opens a file.
#[expect(
    clippy::disallowed_methods,
    reason = "input is the reader of log files; this and `list` are its only doors"
)]
pub(super) fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Makes a file for a test.
#[cfg(test)]
pub(super) fn create(path: &Path) -> File {
    File::create(path).unwrap()
}
