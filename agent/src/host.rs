//! The only way to a path of the node: `/` on the node itself, `/host` in a pod, a directory in a test or a snapshot.
//!
//! Absolute symbolic links are followed below the root, so that `/etc/resolv.conf` in a pod is the node's. Every read has
//! a bound. Nothing is ever written.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

/// Symbolic links followed at most, as in the kernel (`MAXSYMLINKS`).
const LINKS: usize = 40;
/// Where links without an end lead: what is below a device is missing (`ENOTDIR`).
const NOWHERE: &str = "/dev/null/links";
/// A file that is read whole is not longer than this: 4 MiB.
const WHOLE: u64 = 4 << 20;

/// Why a path could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// There is none.
    #[error("{0}: no such file or directory")]
    Missing(PathBuf),
    /// This process may not.
    #[error("{0}: permission denied")]
    Denied(PathBuf),
    /// Anything else.
    #[error("{path}: {source}")]
    Other {
        /// The path on the node.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Unreadable {
    fn new(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            // ESRCH: a process that has just gone
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::Missing(path.to_owned()),
            _ if source.raw_os_error() == Some(3) => Self::Missing(path.to_owned()),
            io::ErrorKind::PermissionDenied => Self::Denied(path.to_owned()),
            _ => Self::Other {
                path: path.to_owned(),
                source,
            },
        }
    }

    /// True where there is no such path.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing(_))
    }

    /// True where this process may not look.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Denied(_))
    }
}

/// The node's file system.
#[derive(Debug, Clone)]
pub struct Host {
    root: PathBuf,
    /// This process's own root, where it may stand in for what is not mounted of the node (`beside`).
    own: Option<PathBuf>,
}

impl Host {
    /// The node's file system as it is mounted at `root`.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            own: None,
        }
    }

    /// In a pod on the node: `own` is this process's own root (`/`). Files that no name space changes may then be read
    /// there where the node's `/proc` is not mounted: [`Host::machine_text`].
    #[must_use]
    pub fn beside(mut self, own: impl Into<PathBuf>) -> Self {
        self.own = Some(own.into());
        self
    }

    /// This process's own root, where it is known that it runs on the node: at `/`, where the caller said so, or where a
    /// real procfs is mounted below the node's root.
    pub fn own(&self) -> Option<&Path> {
        if self.is_here() {
            return Some(&self.root);
        }
        let procfs = || {
            let found = rustix::fs::statfs(self.root.join("proc"));
            found.is_ok_and(|s| s.f_type == rustix::fs::PROC_SUPER_MAGIC)
        };
        self.own.as_deref().or_else(|| procfs().then_some(Path::new("/")))
    }

    /// Whether this is a running node, and not files that were captured from one.
    pub fn is_live(&self) -> bool {
        self.own().is_some()
    }

    /// The text of a file of `/proc` that is the same in every name space: `pressure/`, `meminfo`, `vmstat`, `stat`,
    /// `loadavg`, `diskstats`, `uptime`, `cmdline`, `cgroups`, and what of `sys/kernel`, `sys/fs` and `sys/vm` is not of a
    /// name space. The node's own `/proc` comes first, this process's where that is not mounted.
    pub fn machine_text(&self, path: impl AsRef<Path>) -> Result<String, Unreadable> {
        let path = path.as_ref();
        match (self.text(path), &self.own) {
            (Err(why), Some(own)) if why.is_missing() => Self::at(own.clone()).text(path).map_err(|_| why),
            (result, _) => result,
        }
    }

    /// Where the node's file system is mounted.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether paths of the node are paths of this process.
    pub fn is_here(&self) -> bool {
        self.root == Path::new("/")
    }

    /// Where a path of the node is for this process; links are followed below the root, the last one too.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        if self.is_here() {
            return path.to_owned();
        }
        let mut todo: Vec<std::ffi::OsString> = parts(path);
        todo.reverse();
        let mut done = PathBuf::new();
        let mut links = 0;
        while let Some(part) = todo.pop() {
            if part == ".." {
                done.pop();
                continue;
            }
            let next = done.join(&part);
            match std::fs::read_link(self.root.join(&next)) {
                // The links of /proc/PID/root and the like are no paths; copied ones are, and must not lead out.
                Ok(target) if !next.starts_with("proc") || !self.is_live() => {
                    links += 1;
                    if links > LINKS {
                        return PathBuf::from(NOWHERE);
                    }
                    if target.is_absolute() {
                        done = PathBuf::new();
                    }
                    todo.extend(parts(&target).into_iter().rev());
                }
                _ => done = next,
            }
        }
        self.root.join(done)
    }

    /// The whole file, 4 MiB at most.
    pub fn read(&self, path: impl AsRef<Path>) -> Result<Vec<u8>, Unreadable> {
        let path = path.as_ref();
        let mut bytes = Vec::new();
        self.open(path)?
            .take(WHOLE)
            .read_to_end(&mut bytes)
            .map_err(|e| Unreadable::new(path, e))?;
        Ok(bytes)
    }

    /// The whole file as text, 4 MiB at most; what is not UTF-8 is replaced.
    pub fn text(&self, path: impl AsRef<Path>) -> Result<String, Unreadable> {
        Ok(String::from_utf8_lossy(&self.read(path)?).into_owned())
    }

    /// The file, to be read in parts.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<File, Unreadable> {
        let path = path.as_ref();
        // O_NONBLOCK: a fifo in the place of a file must not hold the agent.
        rustix::fs::open(
            self.path(path),
            rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC | rustix::fs::OFlags::NONBLOCK,
            rustix::fs::Mode::empty(),
        )
        .map(File::from)
        .map_err(|e| Unreadable::new(path, e.into()))
    }

    /// The names in a directory, sorted.
    #[expect(clippy::disallowed_methods, reason = "the only way to the node's files")]
    pub fn list(&self, path: impl AsRef<Path>) -> Result<Vec<String>, Unreadable> {
        let path = path.as_ref();
        let mut names: Vec<String> = std::fs::read_dir(self.path(path))
            .map_err(|e| Unreadable::new(path, e))?
            .flatten()
            .map(|e| e.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        Ok(names)
    }

    /// The names of the directories in a directory, links to directories not among them; sorted.
    #[expect(clippy::disallowed_methods, reason = "the only way to the node's files")]
    pub fn directories(&self, path: impl AsRef<Path>) -> Result<Vec<String>, Unreadable> {
        let path = path.as_ref();
        let mut names: Vec<String> = std::fs::read_dir(self.path(path))
            .map_err(|e| Unreadable::new(path, e))?
            .flatten()
            .filter(|e| e.file_type().is_ok_and(|t| t.is_dir()))
            .map(|e| e.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        Ok(names)
    }

    /// Whether there is such a path.
    pub fn metadata(&self, path: impl AsRef<Path>) -> Result<std::fs::Metadata, Unreadable> {
        let path = path.as_ref();
        std::fs::metadata(self.path(path)).map_err(|e| Unreadable::new(path, e))
    }

    /// Where a symbolic link leads to.
    pub fn link(&self, path: impl AsRef<Path>) -> Result<PathBuf, Unreadable> {
        let path = path.as_ref();
        std::fs::read_link(self.root.join(path.strip_prefix("/").unwrap_or(path))).map_err(|e| Unreadable::new(path, e))
    }
}

fn parts(path: &Path) -> Vec<std::ffi::OsString> {
    path.components()
        .filter_map(|c| match c {
            Component::Normal(part) => Some(part.to_owned()),
            Component::ParentDir => Some("..".into()),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_reads_its_own_proc_where_the_nodes_is_not_mounted() {
        let (node, own) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::create_dir(own.path().join("proc")).unwrap();
        std::io::Write::write_all(&mut File::create(own.path().join("proc/loadavg")).unwrap(), b"0.5").unwrap();
        let captured = Host::at(node.path());
        assert!(captured.machine_text("/proc/loadavg").unwrap_err().is_missing());
        assert!(
            !captured.is_live(),
            "captured files never borrow from the machine that reads them"
        );
        let pod = captured.beside(own.path());
        assert_eq!(pod.machine_text("/proc/loadavg").unwrap(), "0.5");
        assert!(pod.is_live());
        assert!(pod.machine_text("/proc/stat").unwrap_err().is_missing());
        assert!(Host::at("/").is_live());
    }

    #[test]
    fn links_stay_below_the_root() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        std::fs::create_dir_all(root.join("run/systemd")).unwrap();
        std::fs::create_dir(root.join("etc")).unwrap();
        File::create(root.join("run/systemd/resolv.conf")).unwrap();
        std::os::unix::fs::symlink("/run/systemd/resolv.conf", root.join("etc/resolv.conf")).unwrap();
        std::os::unix::fs::symlink("../../../etc", root.join("run/up")).unwrap();
        let host = Host::at(root);
        assert_eq!(host.path("/etc/resolv.conf"), root.join("run/systemd/resolv.conf"));
        assert_eq!(host.path("/run/up/resolv.conf"), root.join("run/systemd/resolv.conf"));
        assert_eq!(host.text("/etc/resolv.conf").unwrap(), "");
        assert!(host.text("/etc/none").unwrap_err().is_missing());
        // In a capture a link of /proc is one like any other, and one that leads to itself leads nowhere.
        std::fs::create_dir(root.join("proc")).unwrap();
        std::os::unix::fs::symlink("/proc/meminfo", root.join("proc/meminfo")).unwrap();
        std::os::unix::fs::symlink("/proc/uptime", root.join("proc/stat")).unwrap();
        for path in ["/proc/meminfo", "/proc/stat"] {
            assert!(host.text(path).unwrap_err().is_missing(), "{path}");
        }
    }
}
