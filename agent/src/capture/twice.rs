//! A sosreport holds one journal several times: as files, as text, by boot and by unit, and in syslog's files again. Lines
//! that are read twice would count twice.

use std::path::{Path, PathBuf};

use crate::host::Host;

/// The logs that say again what another one says better. The journal's own files come first, then its text as a whole,
/// then by boots, then what syslog wrote.
pub(super) fn of_sos(root: &Path) -> Vec<PathBuf> {
    let host = Host::at(root);
    let printed = printed(&host);
    let has_files = ["/var/log/journal", "/run/log/journal"]
        .iter()
        .any(|d| host.directories(d).is_ok_and(|machines| !machines.is_empty()));
    let whole = printed.iter().filter(|p| p.is_whole).max_by_key(|p| p.length);
    let boots: Vec<&Printed> = printed.iter().filter(|p| p.is_boot).collect();
    let keep: Vec<&Printed> = match (has_files, whole) {
        (true, _) => Vec::new(),
        (false, Some(whole)) => vec![whole],
        (false, None) => boots,
    };
    if !has_files && keep.is_empty() {
        return Vec::new();
    }
    let others = printed.iter().filter(|p| !keep.contains(p)).map(|p| p.path.clone());
    others
        .chain(syslog(&host))
        .chain(kernel(&host))
        .map(|p| host.root().join(p))
        .collect()
}

/// Output of `journalctl`.
#[derive(Debug, PartialEq, Eq)]
struct Printed {
    /// Below the root.
    path: PathBuf,
    length: u64,
    /// Of every unit and every boot.
    is_whole: bool,
    /// Of every unit, of one boot.
    is_boot: bool,
}

/// `sos_commands/PLUGIN/journalctl_--no-pager_--boot_-1_--unit_kubelet`: the options are in the name.
fn printed(host: &Host) -> Vec<Printed> {
    let mut found = Vec::new();
    for plugin in host.directories("/sos_commands").unwrap_or_default() {
        for name in host.list(format!("/sos_commands/{plugin}")).unwrap_or_default() {
            let Some(options) = name.strip_prefix("journalctl") else {
                continue;
            };
            let path = PathBuf::from(format!("sos_commands/{plugin}/{name}"));
            let length = host.metadata(Path::new("/").join(&path)).map_or(0, |m| m.len());
            let of_one = [
                "--unit",
                "-u_",
                "--identifier",
                "--list-boots",
                "--disk-usage",
                "--verify",
                "--dmesg",
            ];
            let all = length > 0 && !of_one.iter().any(|o| options.contains(o));
            let boot = options.contains("--boot") || options.contains("-b");
            found.push(Printed {
                path,
                length,
                is_whole: all && !boot,
                is_boot: all && boot,
            });
        }
    }
    found
}

/// What a syslog daemon wrote beside journald.
fn syslog(host: &Host) -> Vec<PathBuf> {
    let of_syslog = |n: &String| {
        ["messages", "syslog", "kern.log", "daemon.log"]
            .iter()
            .any(|s| n.starts_with(s))
    };
    let names = host.list("/var/log").unwrap_or_default().into_iter().filter(of_syslog);
    names.map(|n| PathBuf::from("var/log").join(n)).collect()
}

/// The kernel's ring buffer, without the time of day: it would come after everything.
fn kernel(host: &Host) -> Vec<PathBuf> {
    let names = host.list("/sos_commands/kernel").unwrap_or_default();
    let of_kernel = names.into_iter().filter(|n| n.starts_with("dmesg"));
    of_kernel
        .map(|n| PathBuf::from("sos_commands/kernel").join(n))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "a test makes the files that it reads")]
    fn tree(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        dir
    }

    fn left(files: &[&str]) -> Vec<String> {
        let dir = tree(files);
        let left = of_sos(dir.path());
        left.iter()
            .map(|p| p.strip_prefix(dir.path()).unwrap().display().to_string())
            .collect()
    }

    const WHOLE: &str = "sos_commands/logs/journalctl_--no-pager";
    const BOOT: &str = "sos_commands/logs/journalctl_--no-pager_--catalog_--boot";
    const UNIT: &str = "sos_commands/kubernetes/journalctl_--no-pager_--unit_kubelet";
    const SYSLOG: &str = "var/log/messages-20260101";

    #[test]
    fn one_of_each_log() {
        assert_eq!(left(&[WHOLE, BOOT, UNIT, SYSLOG]), [UNIT, BOOT, SYSLOG]);
        assert_eq!(left(&[BOOT, UNIT]), [UNIT]);
        let dmesg = "sos_commands/kernel/dmesg";
        assert_eq!(
            left(&["var/log/journal/0a/system.journal", WHOLE, dmesg]),
            [WHOLE, dmesg]
        );
    }

    #[test]
    fn what_is_there_once_stays() {
        assert_eq!(left(&[SYSLOG, UNIT]), [""; 0]);
    }
}
