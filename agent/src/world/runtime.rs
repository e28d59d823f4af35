//! The container runtime: which one, its socket, its process, and what of its configuration the kubelet must agree with.
//!
//! Layouts after containerd `docs/cri/config.md` (versions 1, 2, 3), crio.conf(5), and Docker's `daemon.json`.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::process::{self, Processes};
use super::table::Distribution;
use super::{Runtime, RuntimeConfig, Settings, flags, unit, yaml};
use crate::host::Host;

/// Files that a configuration may import.
const IMPORTS: usize = 32;
/// Sockets that are looked for where nothing names one, as kubeadm does.
const SOCKETS: [&str; 3] = [
    "/run/containerd/containerd.sock",
    "/var/run/crio/crio.sock",
    "/run/cri-dockerd.sock",
];

/// Finds it.
pub fn find(
    host: &Host,
    processes: &Processes,
    distribution: Option<&Distribution>,
    settings: &Settings,
    given: &[(String, String)],
) -> Runtime {
    let named = settings.runtime_endpoint.as_deref().and_then(socket_of);
    let docker = flags::last(given, "container-runtime") == Some("docker");
    let socket = named.or_else(|| {
        if docker {
            return Some("/var/run/docker.sock".into());
        }
        let known = distribution.map(|d| d.socket).filter(|s| host.metadata(s).is_ok());
        let any = || SOCKETS.into_iter().find(|s| host.metadata(s).is_ok());
        known
            .or_else(any)
            .or_else(|| distribution.map(|d| d.socket))
            .map(PathBuf::from)
    });
    let mut runtime = Runtime {
        program: socket.as_deref().map(program_of),
        socket,
        ..Runtime::default()
    };
    let process_name = match runtime.program {
        Some("docker") => "dockerd",
        Some(other) => other,
        None => return runtime,
    };
    let process = of_socket(processes, process_name, runtime.socket.as_deref());
    runtime.unit = unit_name(host, distribution, process, process_name);
    runtime.process = process.map(|c| c.process.clone());
    let arguments = process.map(|c| flags::parse(&c.arguments)).unwrap_or_default();
    let path = ["config", "c"]
        .iter()
        .find_map(|n| flags::last(&arguments, n))
        .map(PathBuf::from);
    let path = path.or_else(|| default_config(runtime.program?, distribution).map(PathBuf::from));
    if let (Some(program), Some(path)) = (runtime.program, &path) {
        runtime.config = match program {
            "containerd" => containerd(host, path),
            "crio" => crio(host, path),
            "docker" => dockerd(host, path),
            _ => RuntimeConfig::default(),
        };
    }
    runtime.config_path = path;
    runtime
}

/// The path of a CRI endpoint; `None` where it is no Unix socket.
pub fn socket_of(endpoint: &str) -> Option<PathBuf> {
    let path = match endpoint.split_once("://") {
        Some(("unix", path)) => path,
        Some(_) => return None,
        // A bare path is taken for a socket, with a warning (kubelet `parseEndpointWithFallbackProtocol`).
        None => endpoint.strip_prefix("unix:").unwrap_or(endpoint),
    };
    path.starts_with('/').then(|| path.into())
}

fn program_of(socket: &Path) -> &'static str {
    let text = socket.to_string_lossy();
    if text.contains("containerd") || text.contains("k3s") {
        "containerd"
    } else if text.contains("crio") {
        "crio"
    } else if text.contains("docker") {
        "docker"
    } else {
        "other"
    }
}

/// Of several, the one that was told this socket (k3s's beside Docker's).
fn of_socket<'a>(processes: &'a Processes, name: &str, socket: Option<&Path>) -> Option<&'a process::Candidate> {
    let told = |c: &&process::Candidate| {
        c.comm == name && socket.is_some_and(|s| c.arguments.iter().any(|a| a.ends_with(&*s.to_string_lossy())))
    };
    processes.found.iter().find(told).or_else(|| processes.runtime(name))
}

fn unit_name(
    host: &Host,
    distribution: Option<&Distribution>,
    process: Option<&process::Candidate>,
    program: &str,
) -> Option<String> {
    let by_process = process
        .and_then(|c| process::unit_of(c.process.cgroup.as_deref()?))
        .map(str::to_owned);
    let unit = match (by_process, distribution.map(|d| d.name)) {
        (Some(unit), _) => unit,
        (None, Some("k3s" | "rke2" | "k0s" | "talos")) => return None,
        (None, Some("microk8s")) => "snap.microk8s.daemon-containerd.service".into(),
        (None, _) => match program {
            "dockerd" => "docker.service".into(),
            other => format!("{other}.service"),
        },
    };
    // The kubelet's own unit runs it.
    if distribution.is_some_and(|d| d.units.contains(&unit.as_str())) {
        return None;
    }
    let exists = unit::DIRECTORIES
        .iter()
        .any(|d| host.link(format!("{d}/{unit}")).is_ok() || host.metadata(format!("{d}/{unit}")).is_ok());
    (process.is_some() || exists).then_some(unit)
}

fn default_config(program: &str, distribution: Option<&Distribution>) -> Option<&'static str> {
    match (program, distribution.map(|d| d.name)) {
        ("containerd", Some("k3s")) => Some("/var/lib/rancher/k3s/agent/etc/containerd/config.toml"),
        ("containerd", Some("rke2")) => Some("/var/lib/rancher/rke2/agent/etc/containerd/config.toml"),
        ("containerd", Some("microk8s")) => Some("/var/snap/microk8s/current/args/containerd.toml"),
        ("containerd", Some("k0s")) => Some("/etc/k0s/containerd.toml"),
        ("containerd", _) => Some("/etc/containerd/config.toml"),
        ("crio", _) => Some("/etc/crio/crio.conf"),
        ("docker", _) => Some("/etc/docker/daemon.json"),
        _ => None,
    }
}

fn table(host: &Host, path: &Path) -> Result<Table, String> {
    let text = host.text(path).map_err(|e| e.to_string())?;
    text.parse::<Table>().map_err(|e| {
        let line = e
            .span()
            .map_or(0, |s| text.get(..s.start).map_or(0, |t| t.matches('\n').count() + 1));
        format!("{}:{line}: {}", path.display(), e.message())
    })
}

/// containerd: `SystemdCgroup` of the default runtime, the CNI directory, imports laid over the file.
fn containerd(host: &Host, path: &Path) -> RuntimeConfig {
    let mut root = match table(host, path) {
        Ok(root) => root,
        Err(problem) => {
            return RuntimeConfig {
                problem: Some(problem),
                ..RuntimeConfig::default()
            };
        }
    };
    let imports: Vec<String> = root
        .get("imports")
        .and_then(Value::as_array)
        .map(|l| l.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        .unwrap_or_default();
    let mut problem = None;
    for import in imports.iter().flat_map(|i| matching(host, path, i)).take(IMPORTS) {
        match table(host, &import) {
            Ok(over) => overlay(&mut root, over),
            Err(words) => problem = Some(words),
        }
    }
    let version = root.get("version").and_then(Value::as_integer).unwrap_or(1);
    let plugin = match version {
        ..=1 => "cri",
        2 => "io.containerd.grpc.v1.cri",
        _ => "io.containerd.cri.v1.runtime",
    };
    let cri = root.get("plugins").and_then(|p| p.get(plugin));
    let at = |keys: &[&str]| keys.iter().try_fold(cri?, |v, k| v.get(k));
    let runtime = at(&["containerd", "default_runtime_name"])
        .and_then(Value::as_str)
        .unwrap_or("runc");
    let systemd = at(&["containerd", "runtimes", runtime, "options", "SystemdCgroup"])
        .or_else(|| at(&["systemd_cgroup"]))
        .and_then(Value::as_bool)
        .unwrap_or(false);
    RuntimeConfig {
        cgroup_driver: Some(if systemd { "systemd" } else { "cgroupfs" }),
        version: Some(version),
        cni_conf_dir: at(&["cni", "conf_dir"]).and_then(Value::as_str).map(PathBuf::from),
        problem,
    }
}

/// Imports: absolute or beside the file, with `*` in the last part.
fn matching(host: &Host, config: &Path, pattern: &str) -> Vec<PathBuf> {
    let whole = config.parent().unwrap_or(Path::new("/")).join(pattern);
    let (Some(directory), Some(name)) = (whole.parent(), whole.file_name()) else {
        return Vec::new();
    };
    let name = name.to_string_lossy();
    let Some((head, tail)) = name.split_once('*') else {
        return vec![whole.clone()];
    };
    host.list(directory)
        .unwrap_or_default()
        .into_iter()
        .filter(|n| n.len() >= head.len() + tail.len() && n.starts_with(head) && n.ends_with(tail))
        .map(|n| directory.join(n))
        .collect()
}

fn overlay(mine: &mut Table, theirs: Table) {
    for (key, value) in theirs {
        match (mine.get_mut(&key), value) {
            (Some(Value::Table(a)), Value::Table(b)) => overlay(a, b),
            (_, value) => {
                mine.insert(key, value);
            }
        }
    }
}

/// CRI-O: `crio.conf` and `crio.conf.d`; `cgroup_manager` is `systemd` unless told otherwise (crio.conf(5)).
fn crio(host: &Host, path: &Path) -> RuntimeConfig {
    let mut found = RuntimeConfig::default();
    let mut root = Table::new();
    let directory = path.with_extension("conf.d");
    let drop_ins = host.list(&directory).unwrap_or_default();
    let mut read = 0;
    for path in [path.to_owned()]
        .into_iter()
        .chain(drop_ins.iter().take(IMPORTS).map(|n| directory.join(n)))
    {
        match table(host, &path) {
            Ok(over) => {
                read += 1;
                overlay(&mut root, over);
            }
            Err(words) => found.problem = Some(words),
        }
    }
    let at = |section: &str, key: &str| root.get("crio")?.get(section)?.get(key)?.as_str().map(str::to_owned);
    if read > 0 {
        found.problem = None;
        found.cgroup_driver = Some(match at("runtime", "cgroup_manager").as_deref() {
            Some("cgroupfs") => "cgroupfs",
            _ => "systemd",
        });
    }
    found.cni_conf_dir = at("network", "network_dir").map(PathBuf::from);
    found
}

/// Docker: `exec-opts`; without it the driver depends on the cgroup version and Docker's, which is not guessed.
fn dockerd(host: &Host, path: &Path) -> RuntimeConfig {
    let mut found = RuntimeConfig::default();
    match host
        .text(path)
        .map_err(|e| e.to_string())
        .and_then(|t| yaml::parse(&t).map_err(|f| f.words))
    {
        Ok(root) => {
            let options = root.get("exec-opts").map_or(&[][..], |n| n.items());
            let driver = options
                .iter()
                .filter_map(yaml::Node::text)
                .find_map(|o| o.strip_prefix("native.cgroupdriver="));
            found.cgroup_driver = match driver {
                Some("systemd") => Some("systemd"),
                Some("cgroupfs") => Some("cgroupfs"),
                _ => None,
            };
        }
        Err(problem) => found.problem = Some(problem),
    }
    found
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the test lays out a node")]
mod tests {
    use super::*;

    fn of(files: &[(&str, &str)]) -> RuntimeConfig {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        containerd(&Host::at(dir.path()), Path::new("/etc/containerd/config.toml"))
    }

    #[test]
    fn every_layout_of_containerd() {
        let two = "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc.options]\nSystemdCgroup = true\n[plugins.\"io.containerd.grpc.v1.cri\".cni]\nconf_dir = \"/x\"\n";
        let found = of(&[("etc/containerd/config.toml", two)]);
        assert_eq!((found.cgroup_driver, found.version), (Some("systemd"), Some(2)));
        assert_eq!(found.cni_conf_dir, Some("/x".into()));
        let three = "version = 3\nimports = [\"conf.d/*.toml\"]\n[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]\nSystemdCgroup = false\n";
        let over = "version = 3\n[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]\nSystemdCgroup = true\n";
        assert_eq!(
            of(&[("etc/containerd/config.toml", three)]).cgroup_driver,
            Some("cgroupfs")
        );
        assert_eq!(
            of(&[
                ("etc/containerd/config.toml", three),
                ("etc/containerd/conf.d/a.toml", over)
            ])
            .cgroup_driver,
            Some("systemd")
        );
        assert_eq!(
            of(&[("etc/containerd/config.toml", "[plugins.cri]\nsystemd_cgroup = true\n")]).cgroup_driver,
            Some("systemd")
        );
        let broken = of(&[("etc/containerd/config.toml", "version = 2\nnonsense = [\n")]);
        assert_eq!(broken.cgroup_driver, None);
        assert!(broken.problem.unwrap().contains("config.toml:"));
        assert!(of(&[]).problem.is_some());
    }

    #[test]
    fn crio_and_docker() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        std::fs::create_dir_all(root.join("etc/crio/crio.conf.d")).unwrap();
        std::fs::write(
            root.join("etc/crio/crio.conf.d/10.conf"),
            "[crio.runtime]\nlog_level = \"info\"\n",
        )
        .unwrap();
        let host = Host::at(root);
        assert_eq!(
            crio(&host, Path::new("/etc/crio/crio.conf")).cgroup_driver,
            Some("systemd")
        );
        std::fs::write(
            root.join("etc/crio/crio.conf.d/20.conf"),
            "[crio.runtime]\ncgroup_manager = \"cgroupfs\"\n",
        )
        .unwrap();
        assert_eq!(
            crio(&host, Path::new("/etc/crio/crio.conf")).cgroup_driver,
            Some("cgroupfs")
        );
        std::fs::write(
            root.join("daemon.json"),
            "{\"exec-opts\": [\"native.cgroupdriver=systemd\"]}",
        )
        .unwrap();
        assert_eq!(dockerd(&host, Path::new("/daemon.json")).cgroup_driver, Some("systemd"));
        assert_eq!(dockerd(&host, Path::new("/none")).cgroup_driver, None);
    }

    #[test]
    fn endpoints() {
        assert_eq!(socket_of("unix:///run/a.sock"), Some("/run/a.sock".into()));
        assert_eq!(socket_of("/run/a.sock"), Some("/run/a.sock".into()));
        assert_eq!(socket_of("npipe:////./pipe/x"), None);
        assert_eq!(socket_of("run/a.sock"), None);
    }
}
