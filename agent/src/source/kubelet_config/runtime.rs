//! The runtime's endpoint as the kubelet was given it, and the CNI configurations that the runtime looks for.

use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use super::Setting;
use crate::grammar::fact::Kind;
use crate::host::Host;
use crate::source::look::Look;
use crate::source::unread;
use crate::world::{World, flags, runtime, visible};

/// Where CNI configurations are unless told otherwise (containerd `docs/cri/config.md`, crio.conf(5)).
const CNI: &str = "/etc/cni/net.d";

pub(super) fn look(look: &mut Look, host: &Host, world: &World) {
    endpoint(look, host, world);
    cni(look, host, world);
}

fn endpoint(look: &mut Look, host: &Host, world: &World) {
    let given = world.settings.runtime_endpoint.as_deref();
    let shown = given.unwrap_or("the default");
    let setting = |state| Setting::new("runtime-endpoint", state, given.unwrap_or_default());
    if let Some(endpoint) = given
        && runtime::socket_of(endpoint).is_none()
    {
        let problem = "no path of a Unix socket";
        return setting("bad")
            .problem(problem)
            .say(look, format!("container runtime endpoint {shown}: {problem}"));
    }
    let Some(path) = world.runtime.socket.as_deref() else {
        return unread::world(
            look,
            Kind::KubeletSetting,
            world,
            None,
            "the runtime's socket is not known",
        );
    };
    let socket = path.display().to_string();
    match host.metadata(path) {
        Ok(m) if m.file_type().is_socket() => {
            setting("ok")
                .found(&*socket)
                .say(look, format!("container runtime endpoint {shown}: {socket} is there"));
        }
        Ok(_) => setting("bad").problem("it is no socket").say(
            look,
            format!("container runtime endpoint {shown}: {socket} is no socket"),
        ),
        Err(e) if e.is_missing() && visible::is(host, path) => {
            let other = [
                "/run/containerd/containerd.sock",
                "/run/crio/crio.sock",
                "/run/k3s/containerd/containerd.sock",
            ]
            .into_iter()
            .find(|s| Path::new(s) != path && host.metadata(s).is_ok());
            let text = format!("container runtime endpoint {shown}: {socket} does not exist");
            match (other, &world.runtime.process) {
                (Some(other), _) => setting("bad")
                    .found(other)
                    .problem("it does not exist")
                    .say(look, format!("{text}; {other} does")),
                (None, Some(process)) => setting("bad")
                    .problem("it does not exist")
                    .say(look, format!("{text} although {} runs", process.name)),
                // The endpoint may be right: its runtime is not there to serve it.
                (None, None) => setting("unknown")
                    .problem("it does not exist")
                    .say(look, format!("{text}; no runtime that would serve it runs")),
            }
        }
        Err(e) => unread::file(look, Kind::KubeletSetting, &e),
    }
}

fn cni(look: &mut Look, host: &Host, world: &World) {
    let directory = world
        .runtime
        .config
        .cni_conf_dir
        .clone()
        .or_else(|| flags::last(&world.flags, "cni-conf-dir").map(PathBuf::from))
        .unwrap_or_else(|| CNI.into());
    let shown = directory.display().to_string();
    let bad = |look: &mut Look, problem: &str| {
        Setting::new("cni-config", "bad", &*shown)
            .problem(problem)
            .say(look, format!("{shown}: {problem}"));
    };
    match host.list(&directory) {
        Ok(names) => {
            // go-cni and ocicni take these three endings, the first by name.
            let taken = |n: &&String| [".conf", ".conflist", ".json"].iter().any(|e| n.ends_with(e));
            match names.iter().find(taken) {
                Some(first) => Setting::new("cni-config", "ok", &*shown)
                    .found(&**first)
                    .say(look, format!("{shown}: {first} is the CNI configuration")),
                None => bad(look, "no CNI configuration (*.conf, *.conflist, *.json) is in it"),
            }
        }
        Err(e) if e.is_missing() && visible::is(host, &directory) => {
            bad(look, "the directory of CNI configurations does not exist");
        }
        Err(e) => unread::file(look, Kind::KubeletSetting, &e),
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the test lays out a node")]
mod tests {
    use super::super::tests::settings;
    use super::*;
    use crate::world::Settings;

    #[test]
    fn cni_there_and_gone() {
        let (text, fact) = settings(
            &[("etc/cni/net.d/10-a.conflist", "{}"), ("etc/cni/net.d/README", "")],
            "cni-config",
        )
        .remove(0);
        assert_eq!(
            (fact.text("state"), fact.text("found")),
            (Some("ok"), Some("10-a.conflist")),
            "{text}"
        );
        let (text, fact) = settings(&[("etc/cni/net.d/README", "")], "cni-config").remove(0);
        assert_eq!(fact.text("state"), Some("bad"));
        assert!(text.starts_with("/etc/cni/net.d: no CNI configuration"), "{text}");
        assert_eq!(settings(&[], "cni-config")[0].1.text("state"), Some("bad"));
        let toml = "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".cni]\nconf_dir = \"/cni\"\n";
        let files = [
            ("etc/containerd/config.toml", toml),
            ("run/containerd/containerd.sock", ""),
            ("cni/a.json", ""),
        ];
        assert_eq!(settings(&files, "cni-config")[0].1.text("value"), Some("/cni"));
    }

    #[test]
    fn endpoints() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("run/crio")).unwrap();
        std::fs::write(dir.path().join("file"), "").unwrap();
        let _listener = std::os::unix::net::UnixListener::bind(dir.path().join("run/a.sock")).unwrap();
        let state = |endpoint: &str| {
            let world = World {
                settings: Settings {
                    runtime_endpoint: Some(endpoint.into()),
                    ..Settings::default()
                },
                runtime: crate::world::Runtime {
                    socket: runtime::socket_of(endpoint),
                    ..crate::world::Runtime::default()
                },
                ..World::default()
            };
            let mut found = Look::default();
            super::endpoint(&mut found, &Host::at(dir.path()), &world);
            found.readings.remove(0).facts[0].text("state").unwrap().to_owned()
        };
        assert_eq!(state("unix:///run/a.sock"), "ok");
        assert_eq!(state("/run/a.sock"), "ok");
        assert_eq!(state("unix:///file"), "bad");
        assert_eq!(state("tcp://127.0.0.1:1"), "bad");
        assert_eq!(state("unix:///run/b.sock"), "unknown");
        std::fs::write(dir.path().join("run/crio/crio.sock"), "").unwrap();
        assert_eq!(state("unix:///run/b.sock"), "bad");
    }
}
