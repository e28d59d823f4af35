//! What units leave behind where systemd cannot be asked: processes in their cgroup, and their files and links.
//!
//! It says less than systemd and nothing else than systemd: without a process a unit may be stopped, have failed or wait
//! to be restarted, so no active state is stated then; results and restarts are not stated at all.

use std::path::Path;

use super::state::UnitState;
use crate::host::Host;

/// Where unit files lie, the first found wins (`systemd.unit(5)`, "Unit File Load Path").
const DIRS: [&str; 9] = [
    "/etc/systemd/system.control",
    "/run/systemd/transient",
    "/etc/systemd/system",
    "/run/systemd/system",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/run/systemd/generator.late",
];
/// Where distributions put the units that they ship; unless one of them is to be seen, a unit that was not found may exist.
const SHIPPED: [&str; 2] = ["/usr/lib/systemd/system", "/lib/systemd/system"];
/// cgroup v2; the unified and the named hierarchy of a hybrid or v1 node.
const CGROUPS: [&str; 3] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"];
/// Slices that distributions run kubelet and runtime in (`runtime.slice`: EKS; `podruntime.slice`: Talos, GKE).
const SLICES: [&str; 4] = ["system.slice", "runtime.slice", "podruntime.slice", "kubelet.slice"];
/// Directories of links that are read at most.
const WANTS: usize = 256;

/// What can be told of a unit without systemd; `None` where neither its cgroup nor its file can be looked for. `cgroup` is
/// where its process was seen, if it was.
pub fn unit(host: &Host, unit: &str, role: &'static str, cgroup: Option<&str>) -> Option<UnitState> {
    let mut state = UnitState {
        unit: unit.to_owned(),
        role,
        traces: true,
        ..UnitState::default()
    };
    let alive = processes(host, unit, cgroup);
    if let Some(alive) = alive {
        state.frozen = alive.frozen;
        state.pid = alive.pid;
        state.active = alive.populated.then_some("active");
    }
    let file = file(host, unit);
    match &file {
        File::Masked => {
            state.load = Some("masked");
            state.file_state = Some("masked");
        }
        File::Found { dir, install } => {
            state.load = Some("loaded");
            state.file_state = if dir.starts_with("/run/systemd/generator") {
                Some("generated")
            } else if dir.ends_with("transient") {
                Some("transient")
            } else if wanted(host, unit) {
                Some("enabled")
            } else {
                Some(if *install { "disabled" } else { "static" })
            };
        }
        File::None => state.load = Some("not-found"),
        File::Unseen => {}
    }
    (alive.is_some() || !matches!(file, File::Unseen)).then_some(state)
}

#[derive(Clone, Copy)]
struct Alive {
    populated: bool,
    frozen: Option<bool>,
    pid: Option<i64>,
}

/// `None` where no cgroup hierarchy with slices is to be seen.
fn processes(host: &Host, unit: &str, cgroup: Option<&str>) -> Option<Alive> {
    let own = cgroup.filter(|c| c.ends_with(&format!("/{unit}"))).map(str::to_owned);
    let mut seen = false;
    for root in CGROUPS {
        seen |= host.metadata(format!("{root}/system.slice")).is_ok();
        let slices = SLICES.iter().map(|s| format!("/{s}/{unit}"));
        for path in own.iter().cloned().chain(slices) {
            let dir = format!("{root}{path}");
            let pid = host.text(format!("{dir}/cgroup.procs")).ok();
            let Some(pids) = pid else { continue };
            let events = host.text(format!("{dir}/cgroup.events")).unwrap_or_default();
            let pid = pids.lines().next().and_then(|l| l.trim().parse().ok());
            return Some(Alive {
                populated: pid.is_some() || value(&events, "populated") == Some("1"),
                frozen: value(&events, "frozen").map(|v| v == "1"),
                pid,
            });
        }
    }
    seen.then_some(Alive {
        populated: false,
        frozen: None,
        pid: None,
    })
}

fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(' '))
}

enum File {
    /// A link to `/dev/null`, or an empty file.
    Masked,
    /// Its directory, and whether it has an `[Install]` section.
    Found { dir: &'static str, install: bool },
    /// Nowhere, and every place was looked at.
    None,
    /// Nowhere, and not every place could be looked at.
    Unseen,
}

fn file(host: &Host, unit: &str) -> File {
    for dir in DIRS {
        let path = format!("{dir}/{unit}");
        if host.link(&path).is_ok_and(|to| to == Path::new("/dev/null")) {
            return File::Masked;
        }
        match host.text(&path) {
            Ok(text) if text.is_empty() => return File::Masked,
            Ok(text) => {
                let install = text.lines().any(|l| l.trim() == "[Install]");
                return File::Found { dir, install };
            }
            Err(e) if e.is_missing() => {}
            Err(_) => return File::Unseen,
        }
    }
    let seen = SHIPPED.iter().any(|d| host.list(d).is_ok());
    if seen { File::None } else { File::Unseen }
}

/// Whether some target or unit pulls it in by a link in `/etc` or `/run`.
fn wanted(host: &Host, unit: &str) -> bool {
    ["/etc/systemd/system", "/run/systemd/system"].iter().any(|dir| {
        let names = host.list(dir).unwrap_or_default();
        names
            .iter()
            .filter(|n| matches!(n.rsplit_once('.'), Some((_, "wants" | "requires"))))
            .take(WANTS)
            .any(|n| host.link(format!("{dir}/{n}/{unit}")).is_ok())
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn put(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::File::create(&path).unwrap();
        #[expect(clippy::disallowed_methods, reason = "a test makes its own files")]
        fs::write(path, text).unwrap();
    }

    const KUBELET: &str = "[Service]\nExecStart=/usr/bin/kubelet\n[Install]\nWantedBy=multi-user.target\n";

    #[test]
    fn a_running_enabled_unit() {
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), "lib/systemd/system/kubelet.service", KUBELET);
        put(
            dir.path(),
            "sys/fs/cgroup/system.slice/kubelet.service/cgroup.procs",
            "812\n830\n",
        );
        put(
            dir.path(),
            "sys/fs/cgroup/system.slice/kubelet.service/cgroup.events",
            "populated 1\nfrozen 0\n",
        );
        let wants = dir.path().join("etc/systemd/system/multi-user.target.wants");
        fs::create_dir_all(&wants).unwrap();
        symlink("/lib/systemd/system/kubelet.service", wants.join("kubelet.service")).unwrap();
        let state = unit(&Host::at(dir.path()), "kubelet.service", "kubelet", None).unwrap();
        assert_eq!(state.active, Some("active"));
        assert_eq!(state.load, Some("loaded"));
        assert_eq!(state.file_state, Some("enabled"));
        assert_eq!((state.pid, state.frozen), (Some(812), Some(false)));
    }

    #[test]
    fn without_a_process_no_active_state_is_stated() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("sys/fs/cgroup/system.slice")).unwrap();
        fs::create_dir_all(dir.path().join("etc/systemd/system")).unwrap();
        put(dir.path(), "usr/lib/systemd/system/kubelet.service", KUBELET);
        let host = Host::at(dir.path());
        let state = unit(&host, "kubelet.service", "kubelet", None).unwrap();
        assert_eq!((state.active, state.file_state), (None, Some("disabled")));
        symlink("/dev/null", dir.path().join("etc/systemd/system/kubelet.service")).unwrap();
        let state = unit(&host, "kubelet.service", "kubelet", None).unwrap();
        assert_eq!((state.load, state.file_state), (Some("masked"), Some("masked")));
        let state = unit(&host, "crio.service", "runtime", None).unwrap();
        assert_eq!(state.load, Some("not-found"));
    }

    #[test]
    fn nothing_is_said_of_what_cannot_be_seen() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(unit(&Host::at(dir.path()), "kubelet.service", "kubelet", None), None);
    }
}
