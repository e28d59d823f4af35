//! The node's mounts, and which of them hold what the kubelet and the runtime need.
//!
//! Mounts are read as PID 1 sees them: a pod's own view and that of a hardened unit show everything read-only.

use std::path::{Path, PathBuf};

use procfs::process::MountInfo;

use crate::host::{Host, Unreadable};
use crate::world::World;

/// A mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    /// Device number, as `major:minor`; empty where the table does not say it.
    pub(super) id: String,
    /// Where, on the node.
    pub(super) point: PathBuf,
    /// File system type.
    pub(super) fs: String,
    /// What is mounted: a device, a server's path.
    pub(super) source: String,
    /// Read-only, of this mount or of the file system.
    pub(super) read_only: bool,
}

/// The table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Mounts(pub(super) Vec<Mount>);

/// Directories that the runtimes keep images and containers in, by default and per distribution.
const RUNTIME_DIRS: [&str; 7] = [
    "/var/lib/containerd",
    "/var/lib/containers",
    "/var/lib/docker",
    "/var/lib/rancher/k3s/agent/containerd",
    "/var/lib/rancher/rke2/agent/containerd",
    "/var/snap/microk8s/common/var/lib/containerd",
    "/var/lib/k0s/containerd",
];

/// File systems that can't be written to, ever.
const IMAGES: [&str; 4] = ["squashfs", "erofs", "iso9660", "cramfs"];

/// What the node needs space and write access in: the vocabulary's role, and the directory.
pub(super) fn places(world: &World) -> Vec<(&'static str, PathBuf)> {
    let kubelet = Some(world.root_dir.clone()).filter(|d| d.is_absolute());
    let kubelet = kubelet.unwrap_or_else(|| PathBuf::from("/var/lib/kubelet"));
    let mut places = vec![("root", PathBuf::from("/")), ("kubelet", kubelet)];
    places.extend(RUNTIME_DIRS.map(|d| ("runtime", PathBuf::from(d))));
    places.extend([("log", PathBuf::from("/var/log")), ("etc", PathBuf::from("/etc"))]);
    places
}

impl Mounts {
    /// The node's table; where it is not mounted, this process's own one with the paths of the node in it.
    pub(super) fn of(host: &Host) -> Result<Self, Unreadable> {
        match host.text("/proc/1/mountinfo") {
            Ok(text) => Ok(Self::parse(&text)),
            // A captured node may have the short table only.
            Err(why) if !host.is_live() => host
                .text("/proc/mounts")
                .map(|t| Self::parse_short(&t))
                .map_err(|_| why),
            Err(why) => {
                let own = host.own().map(|own| Host::at(own).text("/proc/self/mountinfo"));
                let Some(Ok(text)) = own else { return Err(why) };
                let mut table = Self::parse_own(&text);
                if !host.is_here() {
                    table.0.retain_mut(|m| match m.point.strip_prefix(host.root()) {
                        Ok(below) => {
                            m.point = Path::new("/").join(below);
                            true
                        }
                        Err(_) => false,
                    });
                }
                Ok(table)
            }
        }
    }

    fn parse(text: &str) -> Self {
        Self(text.lines().filter_map(|l| mount(l, true)).collect())
    }

    /// In a table of our own the mount is read-only by our own choice; only the file system's state says anything.
    fn parse_own(text: &str) -> Self {
        Self(text.lines().filter_map(|l| mount(l, false)).collect())
    }

    fn parse_short(text: &str) -> Self {
        let line = |line: &str| {
            let mut words = line.split(' ');
            let (source, point, fs, options) = (words.next()?, words.next()?, words.next()?, words.next()?);
            Some(Mount {
                id: String::new(),
                point: unescaped(point).into(),
                fs: fs.to_owned(),
                source: unescaped(source),
                read_only: options.split(',').any(|o| o == "ro"),
            })
        };
        Self(text.lines().filter_map(line).collect())
    }

    /// The mount that holds a path: the longest, and of those the one mounted last.
    pub(super) fn holding(&self, path: &Path) -> Option<&Mount> {
        let held = self.0.iter().filter(|m| path.starts_with(&m.point));
        held.max_by_key(|m| m.point.components().count())
    }

    /// Where a path really is: a directory that is a symbolic link leads elsewhere. A mount point is not asked, as its
    /// file system may not answer.
    pub(super) fn resolved(&self, host: &Host, path: &Path) -> PathBuf {
        if self.0.iter().any(|m| m.point == path) {
            return path.to_owned();
        }
        match (host.link(path), path.parent()) {
            (Ok(target), Some(parent)) => parent.join(target),
            _ => path.to_owned(),
        }
    }
}

/// Whether a mount is meant to be read-only: an image, a root with dm-verity (Bottlerocket, Container-Optimized OS), an
/// overlay over such a root (Talos, ostree with composefs), or what `/etc/fstab` mounts so.
pub(super) fn meant_read_only(host: &Host, mount: &Mount) -> bool {
    let is_root = mount.point == Path::new("/");
    if IMAGES.contains(&mount.fs.as_str()) || mount.fs == "overlay" {
        return true;
    }
    let verity = || {
        let cmdline = host.machine_text("/proc/cmdline").unwrap_or_default();
        let uuid = host
            .text(format!("/sys/dev/block/{}/dm/uuid", mount.id))
            .unwrap_or_default();
        uuid.starts_with("CRYPT-VERITY") || (is_root && cmdline.contains("verity"))
    };
    let fstab = || {
        let table = host.text("/etc/fstab").unwrap_or_default();
        table.lines().filter(|l| !l.trim_start().starts_with('#')).any(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.get(1).is_some_and(|p| Path::new(p) == mount.point)
                && words
                    .get(3)
                    .is_some_and(|options| options.split(',').any(|o| o == "ro"))
        })
    };
    verity() || fstab()
}

fn mount(line: &str, own_options: bool) -> Option<Mount> {
    let info = MountInfo::from_line(line).ok()?;
    let read_only = info.super_options.contains_key("ro") || (own_options && info.mount_options.contains_key("ro"));
    Some(Mount {
        id: info.majmin,
        point: unescaped(&info.mount_point.to_string_lossy()).into(),
        fs: info.fs_type,
        source: unescaped(&info.mount_source.unwrap_or_default()),
        read_only,
    })
}

/// The kernel writes space, tab, line break and backslash as three octal digits (`fs/seq_file.c`, `mangle_path`).
fn unescaped(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..3).and_then(|d| u8::from_str_radix(d, 8).ok());
        if let (Some(code), Some(rest)) = (code, part.get(3..)) {
            out.push(char::from(code));
            out.push_str(rest);
        } else {
            out.push('\\');
            out.push_str(part);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::test_scene::write;

    const TABLE: &str = "\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
30 27 254:16 / /var/lib/my\\040data ro,relatime shared:4 master:2 - xfs /dev/vdb rw
31 27 254:32 / /var/log rw,relatime shared:5 - ext4 /dev/vdc ro,errors=remount-ro
32 31 0:40 / /var/log rw - tmpfs none rw
a line that is none
";

    #[test]
    fn the_longest_and_last_mount_holds_a_path() {
        let mounts = Mounts::parse(TABLE);
        assert_eq!(mounts.0.len(), 4);
        assert_eq!(
            mounts.holding(Path::new("/var/lib/kubelet")).unwrap().source,
            "/dev/vda"
        );
        assert_eq!(mounts.holding(Path::new("/var/log/pods")).unwrap().fs, "tmpfs");
        assert_eq!(mounts.0[1].point, Path::new("/var/lib/my data"));
        let read_only: Vec<bool> = mounts.0.iter().map(|m| m.read_only).collect();
        assert_eq!(read_only, [false, true, true, false]);
        assert!(!Mounts::parse_own(TABLE).0[1].read_only);
        assert!(Mounts::parse_own(TABLE).0[2].read_only);
    }

    #[test]
    fn what_is_meant_to_be_read_only() {
        let dir = tempfile::tempdir().unwrap();
        let host = Host::at(dir.path());
        let mount = |fs: &str, point: &str| Mount {
            id: "253:0".into(),
            point: point.into(),
            fs: fs.into(),
            source: "/dev/dm-0".into(),
            read_only: true,
        };
        assert!(meant_read_only(&host, &mount("squashfs", "/")));
        assert!(!meant_read_only(&host, &mount("ext4", "/")));
        write(
            &dir,
            "/etc/fstab",
            "# /dev/x / ext4 ro\n/dev/root /usr btrfs defaults,ro 0 0\n",
        );
        assert!(!meant_read_only(&host, &mount("ext4", "/")));
        assert!(meant_read_only(&host, &mount("btrfs", "/usr")));
        write(
            &dir,
            "/proc/cmdline",
            "root=/dev/dm-0 dm-mod.create=\"root,,,ro,0 1 verity 1 a b\"",
        );
        assert!(meant_read_only(&host, &mount("ext4", "/")));
        assert!(!meant_read_only(&host, &mount("ext4", "/var")));
    }
}
