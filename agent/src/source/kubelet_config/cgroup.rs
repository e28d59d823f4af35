//! The cgroup driver of kubelet and runtime against each other, and the cgroup version.

use super::Setting;
use crate::grammar::fact::Kind;
use crate::host::Host;
use crate::source::look::Look;
use crate::source::unread::MOUNT;
use crate::world::World;

/// `cgroup.controllers` is at the root of the unified hierarchy only (cgroups(7)).
pub(super) fn version(look: &mut Look, host: &Host) {
    if host.metadata("/sys/fs/cgroup/cgroup.controllers").is_ok() {
        Setting::new("cgroup-version", "ok", "2").say(look, "cgroup version 2");
    } else if host.metadata("/sys/fs/cgroup/memory").is_ok() {
        Setting::new("cgroup-version", "unknown", "1")
            .problem("kubelets from 1.35 on refuse it unless failCgroupV1 is false")
            .say(
                look,
                "cgroup version 1; kubelets from 1.35 on refuse it unless failCgroupV1 is false",
            );
    } else {
        look.missed(Kind::KubeletSetting, "/sys/fs/cgroup is not visible here", Some(MOUNT));
    }
}

pub(super) fn driver(look: &mut Look, world: &World) {
    let (kubelet, config) = (&world.settings.cgroup_driver, &world.runtime.config);
    let path = world
        .runtime
        .config_path
        .as_ref()
        .map(|p| p.display().to_string())
        .unwrap_or_default();
    let program = world.runtime.program.unwrap_or("the runtime");
    let setting = |state| Setting::new("cgroup-driver", state, kubelet.clone());
    let Some(runtime) = config.cgroup_driver else {
        let why = config
            .problem
            .clone()
            .unwrap_or_else(|| format!("{program}'s driver is not known"));
        return setting("unknown")
            .problem(why.clone())
            .say(look, format!("cgroup driver of the kubelet {kubelet}; {why}"));
    };
    // k3s and RKE2 configure both from one place and pass the driver as a flag that nothing on disk shows.
    let passed = world.flags.iter().any(|(n, _)| n == "cgroup-driver");
    let hidden = matches!(world.distribution, Some("k3s" | "rke2")) && world.config_path.is_none() && !passed;
    if hidden || !world.flags_known {
        let text = format!("cgroup driver of {program} {runtime} ({path}); the kubelet's is not known");
        return setting("unknown").found(runtime).say(look, text);
    }
    let text = format!("cgroup driver of the kubelet {kubelet}, of {program} {runtime} ({path})");
    if kubelet == runtime {
        setting("ok").found(runtime).say(look, text);
    } else if config.version.is_some_and(|v| v >= 3) {
        // KubeletCgroupDriverFromCRI, on by default from 1.31, with containerd 2 (KEP 4033): the runtime's is taken.
        let problem = "they differ; a kubelet from 1.31 on takes the runtime's";
        setting("unknown")
            .found(runtime)
            .problem(problem)
            .say(look, format!("{text}: {problem}"));
    } else {
        setting("bad")
            .found(runtime)
            .problem("they differ")
            .say(look, format!("{text}: they differ"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{UNIT, settings};

    #[test]
    fn same_different_and_not_known() {
        let runc = |version: i64, plugin: &str, systemd: bool| {
            format!(
                "version = {version}\n[plugins.\"{plugin}\".containerd.runtimes.runc.options]\nSystemdCgroup = {systemd}\n"
            )
        };
        let state = |toml: Option<String>, driver: &str| {
            let config = format!("kind: KubeletConfiguration\ncgroupDriver: {driver}\n");
            let mut files = vec![
                UNIT,
                ("c.yaml", config.as_str()),
                ("run/containerd/containerd.sock", ""),
            ];
            let toml = toml.unwrap_or_default();
            if !toml.is_empty() {
                files.push(("etc/containerd/config.toml", &toml));
            }
            settings(&files, "cgroup-driver")[0].1.text("state").unwrap().to_owned()
        };
        let two = "io.containerd.grpc.v1.cri";
        let three = "io.containerd.cri.v1.runtime";
        assert_eq!(state(Some(runc(2, two, true)), "systemd"), "ok");
        assert_eq!(state(Some(runc(2, two, false)), "systemd"), "bad");
        assert_eq!(state(Some(runc(3, three, false)), "systemd"), "unknown");
        assert_eq!(state(None, "systemd"), "unknown");
        assert_eq!(state(Some("nonsense = [".into()), "systemd"), "unknown");
    }

    #[test]
    fn versions() {
        let state = |path| {
            settings(&[(path, "")], "cgroup-version")
                .first()
                .map(|(_, f)| f.text("value").unwrap().to_owned())
        };
        assert_eq!(state("sys/fs/cgroup/cgroup.controllers").as_deref(), Some("2"));
        assert_eq!(state("sys/fs/cgroup/memory/tasks").as_deref(), Some("1"));
        assert_eq!(state("x"), None);
    }
}
