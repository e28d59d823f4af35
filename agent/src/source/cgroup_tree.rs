//! Where the control groups of the node are, in version 2, version 1 or both at once.
//!
//! `Host` follows the links with which version 1 names joined controllers (`cpu -> cpu,cpuacct`).

use std::path::{Path, PathBuf};

use crate::host::Host;

/// Where systemd and all distributions mount it.
const ROOT: &str = "/sys/fs/cgroup";

/// The hierarchies of the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tree {
    /// One tree for all controllers.
    V2,
    /// One tree a controller; `unified` where an empty version 2 tree is beside them (systemd's hybrid).
    V1 {
        /// Whether `/sys/fs/cgroup/unified` is there.
        unified: bool,
    },
}

impl Tree {
    /// `None` where no cgroup file system is mounted.
    pub(super) fn of(host: &Host) -> Option<Self> {
        let there = |path: &str| host.metadata(Path::new(ROOT).join(path)).is_ok();
        if there("cgroup.controllers") {
            return Some(Self::V2);
        }
        ["memory", "cpu", "pids", "systemd"]
            .iter()
            .any(|c| there(c))
            .then(|| Self::V1 {
                unified: there("unified/cgroup.procs"),
            })
    }

    /// 1 or 2.
    pub(super) fn version(self) -> i64 {
        match self {
            Self::V2 => 2,
            Self::V1 { .. } => 1,
        }
    }

    /// The root of a controller's tree (`cpu`, `memory`, `pids`, `freezer`, `blkio`, `cpuacct`).
    pub(super) fn root(self, controller: &str) -> PathBuf {
        match self {
            Self::V2 => PathBuf::from(ROOT),
            Self::V1 { .. } => Path::new(ROOT).join(controller),
        }
    }

    /// The root of the version 2 tree, where there is one.
    pub(super) fn unified(self) -> Option<PathBuf> {
        match self {
            Self::V2 => Some(PathBuf::from(ROOT)),
            Self::V1 { unified: true } => Some(Path::new(ROOT).join("unified")),
            Self::V1 { unified: false } => None,
        }
    }
}

/// The paths of one process or unit, by hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Paths {
    /// `(controllers, path)` as in /proc/PID/cgroup; version 2 has no controllers. Empty for a unit without a process.
    rows: Vec<(String, String)>,
    /// Where no row fits.
    fallback: String,
}

impl Paths {
    /// Of a process, or where none is known of a path.
    pub(super) fn of(host: &Host, pid: Option<u32>, fallback: &str) -> Self {
        let text = pid
            .and_then(|pid| host.text(format!("/proc/{pid}/cgroup")).ok())
            .unwrap_or_default();
        Self {
            rows: rows(&text),
            fallback: fallback.to_owned(),
        }
    }

    /// The path in a controller's tree; `""` is that of version 2.
    pub(super) fn in_tree(&self, controller: &str) -> &str {
        let fits = |names: &str| names == controller || names.split(',').any(|n| n == controller);
        self.rows
            .iter()
            .find(|(names, _)| fits(names))
            .map_or(&self.fallback, |(_, path)| path)
    }
}

/// A cgroup and those above it, from the outermost to itself; without the root, which has no limits.
pub(super) fn chain(root: &Path, path: &str) -> Vec<PathBuf> {
    let mut here = root.to_owned();
    path.split('/')
        .filter(|part| !part.is_empty() && *part != ".." && *part != ".")
        .map(|part| {
            here.push(part);
            here.clone()
        })
        .collect()
}

/// `hierarchy:controllers:path`. A reader in a cgroup name space of its own sees the others' paths as `/../..`.
fn rows(text: &str) -> Vec<(String, String)> {
    text.lines()
        .filter_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            let (names, mut path) = (parts.next()?, parts.next()?);
            while let Some(rest) = path.strip_prefix("/..") {
                path = rest;
            }
            Some((names.to_owned(), path.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::test_scene::write;

    #[test]
    fn version_1_has_a_path_a_controller() {
        let dir = tempfile::tempdir().unwrap();
        write(
            &dir,
            "/proc/7/cgroup",
            "9:name=systemd:/system.slice/k.service\n8:cpu,cpuacct:/../../system.slice/k.service\n4:memory:/m\n0::/u\n",
        );
        let paths = Paths::of(&Host::at(dir.path()), Some(7), "/f");
        assert_eq!(paths.in_tree("cpuacct"), "/system.slice/k.service");
        assert_eq!(
            (paths.in_tree("memory"), paths.in_tree(""), paths.in_tree("pids")),
            ("/m", "/u", "/f")
        );
        assert_eq!(Paths::of(&Host::at(dir.path()), None, "/f").in_tree("cpu"), "/f");
    }

    #[test]
    fn the_chain_begins_below_the_root() {
        let root = Path::new("/sys/fs/cgroup");
        assert_eq!(chain(root, "/a/b"), [root.join("a"), root.join("a/b")]);
        assert!(chain(root, "/").is_empty());
    }

    #[test]
    fn versions() {
        let dir = tempfile::tempdir().unwrap();
        let host = Host::at(dir.path());
        assert_eq!(Tree::of(&host), None);
        write(&dir, "/sys/fs/cgroup/memory/cgroup.procs", "");
        assert_eq!(Tree::of(&host), Some(Tree::V1 { unified: false }));
        write(&dir, "/sys/fs/cgroup/unified/cgroup.procs", "");
        assert_eq!(Tree::of(&host), Some(Tree::V1 { unified: true }));
        write(&dir, "/sys/fs/cgroup/cgroup.controllers", "cpu");
        assert_eq!(Tree::of(&host), Some(Tree::V2));
    }
}
