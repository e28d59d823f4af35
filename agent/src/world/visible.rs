//! Whether a path that is not there is missing on the node, or only not mounted for this process.
//!
//! In a pod single directories of the node are mounted below the root; container runtimes make the directories on the way
//! themselves, so that an empty `/host/etc` says nothing about the node's `/etc`.

use std::path::Path;

use crate::host::Host;

/// Whether what is (not) at a path of the node can be trusted. Without mounts below the root it is the node itself, a
/// whole mount of it, or a copy.
pub fn is(host: &Host, path: &Path) -> bool {
    if host.is_here() {
        return true;
    }
    let mounts = Host::at("/").text("/proc/self/mountinfo").unwrap_or_default();
    covered(&mounts, &host.root().to_string_lossy(), &path.to_string_lossy())
}

/// The same, from the text of `/proc/self/mountinfo` (`proc_pid_mountinfo(5))`: the fifth field is the mount point.
fn covered(mounts: &str, root: &str, path: &str) -> bool {
    let root = root.trim_end_matches('/');
    let below: Vec<&str> = mounts
        .lines()
        .filter_map(|l| l.split(' ').nth(4)?.strip_prefix(root))
        .filter(|m| m.starts_with('/'))
        .collect();
    let whole = mounts.lines().any(|l| l.split(' ').nth(4) == Some(root));
    // `/run` and `/var/run` are one on every systemd node.
    let path = path
        .strip_prefix("/var/run/")
        .map_or_else(|| path.to_owned(), |p| format!("/run/{p}"));
    whole
        || below.is_empty()
        || below.iter().any(|m| {
            path.strip_prefix(m)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_mounted_counts() {
        let pod = "1 2 0:1 / / rw - overlay o rw\n2 1 8:1 /etc/kubernetes /host/etc/kubernetes ro - ext4 /dev/sda rw\n3 1 8:1 /run /host/run ro - tmpfs t rw\n";
        assert!(covered(pod, "/host", "/etc/kubernetes/kubelet.conf"));
        assert!(!covered(pod, "/host", "/etc/cni/net.d"));
        assert!(!covered(pod, "/host", "/etc/kubernetes2"));
        assert!(covered(pod, "/host", "/var/run/crio/crio.sock"));
        assert!(covered(pod, "/tmp/snapshot", "/etc/cni/net.d"));
        let whole = "1 2 8:1 / /host ro - ext4 /dev/sda rw\n2 1 0:5 / /host/proc ro - proc p rw\n";
        assert!(covered(whole, "/host", "/etc/cni/net.d"));
    }
}
