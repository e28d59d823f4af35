//! Which journal files there are, and when to look again.
//!
//! Journals lie in `<root>/<machine id>/`. Directories of other names are namespaces (`<id>.<namespace>`) and what
//! systemd-journal-remote received from other machines; `user-<uid>.journal` holds what users' processes say, among which
//! is no kubelet, no runtime, no kernel and no PID 1. None of these is read.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::host::{Host, Unreadable};

/// Machine directories of one root at most: clones carry the ones of their images.
const DIRECTORIES: usize = 16;
/// Microseconds within which two changes of a directory may bear one time stamp: a tick of the slowest kernel is 10 ms.
const TICK: u64 = 50_000;
/// Microseconds after which directories are listed though they seem unchanged.
const ANYWAY: u64 = 60_000_000;

/// A journal file by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) root: usize,
    /// On the node.
    pub(super) path: PathBuf,
    pub(super) inode: (u64, u64),
    pub(super) modified: (i64, i64),
}

/// The roots and their directories.
pub(super) struct Directories {
    roots: Vec<PathBuf>,
    seen: Vec<(PathBuf, Option<(i64, i64)>)>,
    /// When a change was seen last, and when they were listed last.
    changed: Option<u64>,
    listed: u64,
    /// What could not be listed.
    pub(super) denied: Vec<PathBuf>,
}

impl Directories {
    pub(super) fn new(roots: &[PathBuf]) -> Self {
        Self {
            roots: roots.to_vec(),
            seen: Vec::new(),
            changed: None,
            listed: 0,
            denied: Vec::new(),
        }
    }

    /// Whether files may have come, gone or been renamed since they were listed.
    pub(super) fn changed(&mut self, host: &Host, now: u64) -> bool {
        let same = !self.seen.is_empty() && self.seen.iter().all(|(path, before)| modified(host, path) == *before);
        if !same {
            self.changed = Some(now);
        }
        // A change within the same tick leaves no trace: one more look once the tick is over.
        let settled = self.changed.is_none_or(|at| self.listed > at.saturating_add(TICK));
        !same || !settled || now.saturating_sub(self.listed) > ANYWAY
    }

    /// Lists the files.
    pub(super) fn list(&mut self, host: &Host, now: u64) -> Vec<Listed> {
        self.listed = now;
        self.seen.clear();
        self.denied.clear();
        let mut found = Vec::new();
        for (root, path) in self.roots.iter().enumerate() {
            self.seen.push((path.clone(), modified(host, path)));
            for directory in names(host, path, &mut self.denied)
                .into_iter()
                .filter(|name| is_id(name))
                .take(DIRECTORIES)
            {
                let directory = path.join(directory);
                // Before the listing: what changes meanwhile is a change.
                self.seen.push((directory.clone(), modified(host, &directory)));
                for name in names(host, &directory, &mut self.denied) {
                    if !is_journal(&name) {
                        continue;
                    }
                    let path = directory.join(name);
                    if let Ok(meta) = host.metadata(&path)
                        && meta.is_file()
                    {
                        found.push(Listed {
                            root,
                            path,
                            inode: (meta.dev(), meta.ino()),
                            modified: (meta.mtime(), meta.mtime_nsec()),
                        });
                    }
                }
            }
        }
        found
    }
}

fn names(host: &Host, path: &Path, denied: &mut Vec<PathBuf>) -> Vec<String> {
    match host.list(path) {
        Ok(names) => names,
        Err(Unreadable::Denied(path)) => {
            denied.push(path);
            Vec::new()
        }
        Err(_) => Vec::new(),
    }
}

fn modified(host: &Host, path: &Path) -> Option<(i64, i64)> {
    host.metadata(path).ok().map(|m| (m.mtime(), m.mtime_nsec()))
}

fn is_id(name: &str) -> bool {
    name.len() == 32 && name.bytes().all(|b| b.is_ascii_hexdigit())
}

fn is_journal(name: &str) -> bool {
    let path = Path::new(name);
    let ends = |end: &str| path.extension().is_some_and(|e| e == end);
    (ends("journal") || ends("journal~")) && !name.starts_with("user-")
}

/// Whether journald never writes to a file of this name again: it was rotated, or found damaged.
pub(super) fn is_retired(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.contains('@') || name.ends_with('~')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_journals() {
        for (name, is, retired) in [
            ("system.journal", true, false),
            ("system@0005f-1-2.journal", true, true),
            ("system@0005f.journal~", true, true),
            ("user-1000.journal", false, false),
            ("fss", false, false),
        ] {
            assert_eq!((is_journal(name), is_retired(Path::new(name))), (is, retired), "{name}");
        }
        assert!(is_id("6adcb811a5e1475fa502330321c5cf86") && !is_id("6adcb811a5e1475fa502330321c5cf86.ns"));
    }
}
