//! Where captured trees lie below a directory: by what is in them, never by their name.

use std::path::{Path, PathBuf};

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
    /// It is a sosreport: command outputs lie below `sos_commands/`.
    pub(super) sos: bool,
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
    if let Some(sos) = is_root(&Host::at(&path)) {
        roots.push(Root { path, sos });
        return;
    }
    if depth < DEPTH {
        for name in host.directories(below).unwrap_or_default() {
            descend(host, &below.join(name), depth + 1, (roots, left));
        }
    }
}

/// `Some(sosreport)` where the directory looks like a node's file tree with a `/proc` that was copied, or with the
/// kubelet's own files.
fn is_root(tree: &Host) -> Option<bool> {
    if tree.is_live() {
        return None;
    }
    let sos = tree.directories("/sos_commands").is_ok_and(|d| !d.is_empty());
    let begins = |path: &str, with: &str| tree.text(path).is_ok_and(|t| t.starts_with(with));
    let copied = begins("/proc/meminfo", "MemTotal:") || begins("/proc/pressure/memory", "some avg10=");
    let kubelet = tree
        .text("/var/lib/kubelet/config.yaml")
        .is_ok_and(|t| t.contains("KubeletConfiguration"));
    (sos || copied || kubelet).then_some(sos)
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
            .map(|r| (r.path.strip_prefix(dir.path()).unwrap().to_str().unwrap(), r.sos))
            .collect();
        assert_eq!(names, [("a/anything", false), ("b/sosreport-x", true)]);
    }

    #[test]
    fn a_running_machine_is_no_capture() {
        assert_eq!(is_root(&Host::at("/")), None);
        // A process's own root below /proc is the same machine.
        assert_eq!(is_root(&Host::at("/proc/self/root")), None);
    }
}
