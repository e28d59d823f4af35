//! Where captured trees lie below a directory: by what is in them, never by their name.

use std::path::{Path, PathBuf};

use super::must_gather;
use crate::host::Host;

/// How deep captures are looked for: `must-gather/<image>/nodes/<node>/sysinfo` of an archive's own directory.
const DEPTH: usize = 6;
/// Directories looked at.
const DIRECTORIES: usize = 20_000;
/// Captures taken of all arguments together; the rest is left.
const ROOTS: usize = 16;

/// A captured tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Root {
    /// Its directory.
    pub(super) path: PathBuf,
    pub(super) kind: Capture,
}

/// Who captured it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Capture {
    /// A node's files, and what commands printed beside them.
    Files,
    /// A sosreport: what commands printed lies below `sos_commands/`.
    Sos,
    /// OpenShift's must-gather: of a cluster, not of a node.
    MustGather,
}

/// The captures in these directories. What is a running machine's own `/proc` is none.
pub(super) fn find(directories: &[PathBuf]) -> Vec<Root> {
    let mut roots = Vec::new();
    let mut left = DIRECTORIES;
    for directory in directories {
        descend(&Host::at(directory), Path::new("/"), 0, (&mut roots, &mut left));
    }
    roots
}

fn descend(host: &Host, below: &Path, depth: usize, (roots, left): (&mut Vec<Root>, &mut usize)) {
    if *left == 0 || roots.len() >= ROOTS {
        return;
    }
    *left -= 1;
    let path = host.path(below);
    if let Some(kind) = is_root(&Host::at(&path)) {
        roots.push(Root { path, kind });
        return;
    }
    if depth < DEPTH {
        for name in host.directories(below).unwrap_or_default() {
            descend(host, &below.join(name), depth + 1, (roots, left));
        }
    }
}

/// What the directory is: a sosreport, a must-gather, or a node's file tree with a `/proc` that was copied or with the
/// kubelet's own files.
fn is_root(tree: &Host) -> Option<Capture> {
    if tree.is_live() {
        return None;
    }
    if tree.directories("/sos_commands").is_ok_and(|d| !d.is_empty()) {
        return Some(Capture::Sos);
    }
    if must_gather::is_root(tree) {
        return Some(Capture::MustGather);
    }
    let begins = |path: &str, with: &str| tree.text(path).is_ok_and(|t| t.starts_with(with));
    let copied = begins("/proc/meminfo", "MemTotal:") || begins("/proc/pressure/memory", "some avg10=");
    let kubelet = tree
        .text("/var/lib/kubelet/config.yaml")
        .is_ok_and(|t| t.contains("KubeletConfiguration"));
    (copied || kubelet).then_some(Capture::Files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "a test makes the files that it reads")]
    fn file(dir: &Path, path: &str, text: &str) {
        let path = dir.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn by_what_is_in_it() {
        let dir = tempfile::tempdir().unwrap();
        file(dir.path(), "a/anything/proc/meminfo", "MemTotal: 1 kB\n");
        file(dir.path(), "b/sosreport-x/sos_commands/date/date", "x");
        file(dir.path(), "c/snapshot/notes.txt", "nothing of a node");
        file(dir.path(), "d/proc/meminfo", "");
        let found = find(&[dir.path().to_owned()]);
        let names: Vec<_> = found
            .iter()
            .map(|r| (r.path.strip_prefix(dir.path()).unwrap().to_str().unwrap(), r.kind))
            .collect();
        assert_eq!(names, [("a/anything", Capture::Files), ("b/sosreport-x", Capture::Sos)]);
    }

    #[test]
    fn a_running_machine_is_no_capture() {
        assert_eq!(is_root(&Host::at("/")), None);
        // A process's own root below /proc is the same machine.
        assert_eq!(is_root(&Host::at("/proc/self/root")), None);
    }
}
