//! Puts the world together: process, unit, flags, kubeconfig, configuration, runtime. Reads files only, a few dozen, and
//! `/proc` once; it is run before every pass.

use std::path::{Path, PathBuf};

use x509_parser::prelude::{FromDer, X509Certificate};

use super::process::{Candidate, Processes};
use super::table::Distribution;
use super::unit::Unit;
use super::{
    Credentials, Kubeconfig, Note, World, config, environment, flags, kubeconfig, loadbalancer, pem, process, rancher,
    runtime, settings, table, unit, words,
};
use crate::host::Host;

/// Distributions whose kubelet is told by their own configuration, not by a kubelet's command line.
const RANCHER: [&str; 2] = ["k3s", "rke2"];

impl World {
    /// Looks at the node once. Synchronous and bounded: every file that is read has a bound, every list too.
    pub fn discover(host: &Host) -> Self {
        let mut notes = Vec::new();
        let processes = process::scan(host);
        visible(&processes, &mut notes);
        let candidate = processes.kubelet();
        let distribution = table::which(host, candidate);
        let unit_name = unit_name(host, candidate, distribution);
        let unit = unit_name.as_deref().and_then(|name| unit::read(host, name, &mut notes));
        let mut world = World {
            distribution: distribution.map(|d| d.name),
            cgroup: candidate.and_then(|c| c.process.cgroup.clone()).or_else(|| {
                // Where systemd puts a unit that has no Slice=.
                unit_name.as_ref().map(|name| format!("/system.slice/{name}"))
            }),
            kubelet: candidate.map(|c| c.process.clone()),
            binary: unit.as_ref().and_then(|u| u.command.first()).map(PathBuf::from),
            proxy: unit
                .as_ref()
                .map(|u| environment::proxy(&u.environment))
                .unwrap_or_default(),
            unit: unit_name,
            ..World::default()
        };
        (world.flags, world.flags_known) = find_flags(host, candidate, distribution, unit.as_ref(), &mut notes);
        let directory = unit.as_ref().and_then(|u| u.directory.clone());
        places(&mut world, host, distribution, directory.as_deref(), &mut notes);
        world.runtime = runtime::find(host, &processes, distribution, &world.settings, &world.flags);
        world.node_name = node_name(host, &world);
        world.peers = loadbalancer::peers(host, world.distribution);
        world.notes = notes;
        world
    }
}

/// Notes where other processes cannot be seen.
fn visible(processes: &Processes, notes: &mut Vec<Note>) {
    let why = match (&processes.problem, processes.seen) {
        (Some(problem), _) => problem.clone(),
        // A container's own name space holds the agent and little else.
        (None, 0..3) => "no processes of the node are visible here".into(),
        _ => return,
    };
    notes.push(Note {
        what: "/proc".into(),
        why,
        denied: false,
    });
}

fn unit_name(host: &Host, candidate: Option<&Candidate>, distribution: Option<&Distribution>) -> Option<String> {
    let by_process = candidate.and_then(|c| process::unit_of(c.process.cgroup.as_deref()?));
    let known = distribution.map_or(&["kubelet.service"][..], |d| d.units);
    let exists = |name: &&str| {
        let there = |d: &&str| host.metadata(format!("{d}/{name}")).is_ok() || host.link(format!("{d}/{name}")).is_ok();
        unit::DIRECTORIES.iter().any(there)
    };
    by_process
        .or_else(|| known.iter().copied().find(exists))
        .or_else(|| distribution.and_then(|d| d.units.first().copied()))
        .map(str::to_owned)
}

/// The kubelet's flags, and whether they are what it runs or would run with.
fn find_flags(
    host: &Host,
    candidate: Option<&Candidate>,
    distribution: Option<&Distribution>,
    unit: Option<&Unit>,
    notes: &mut Vec<Note>,
) -> (Vec<(String, String)>, bool) {
    let name = distribution.map_or("", |d| d.name);
    if let Some(kubelet) = candidate.filter(|c| matches!(c.comm.as_str(), "kubelet" | "hyperkube")) {
        return (flags::parse(kubelet.arguments.get(1..).unwrap_or_default()), true);
    }
    let command = unit.map_or(&[][..], |u| &u.command);
    if RANCHER.contains(&name) {
        return (
            rancher::kubelet_flags(host, name, command, notes),
            unit.is_some() || candidate.is_some(),
        );
    }
    if name == "microk8s" {
        return microk8s(host, notes);
    }
    // `kubelet`, `hyperkube kubelet`, or a wrapper that is handed the kubelet's command line.
    let at = command.iter().position(|w| w.rsplit('/').next() == Some("kubelet"));
    match at {
        Some(at) => (flags::parse(command.get(at + 1..).unwrap_or_default()), true),
        None => (Vec::new(), false),
    }
}

/// `MicroK8s` keeps flags in a file, one a line, with variables of snapd.
fn microk8s(host: &Host, notes: &mut Vec<Note>) -> (Vec<(String, String)>, bool) {
    const ARGUMENTS: &str = "/var/snap/microk8s/current/args/kubelet";
    match host.text(ARGUMENTS) {
        Ok(text) => {
            let snap: Vec<(String, String)> = [
                ("SNAP", "/snap/microk8s/current"),
                ("SNAP_DATA", "/var/snap/microk8s/current"),
                ("SNAP_COMMON", "/var/snap/microk8s/common"),
            ]
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .into();
            let lines = text.lines().filter(|l| !l.trim_start().starts_with('#'));
            let given: Vec<String> = lines.flat_map(words::split).map(|w| words::expand(&w, &snap)).collect();
            (flags::parse(&given), true)
        }
        Err(e) => {
            notes.push(environment::note(ARGUMENTS, &e));
            (Vec::new(), false)
        }
    }
}

/// Kubeconfig, configuration, directories: by flags, else by the distribution.
fn places(
    world: &mut World,
    host: &Host,
    distribution: Option<&Distribution>,
    directory: Option<&str>,
    notes: &mut Vec<Note>,
) {
    let base = Path::new(directory.filter(|d| d.starts_with('/')).unwrap_or("/"));
    let given = |name: &str| {
        flags::last(&world.flags, name)
            .filter(|v| !v.is_empty())
            .map(|v| base.join(v))
    };
    // Where flags are known, what they don't name is not used; but k3s and its kin pass these without showing them.
    let guess = |known: Option<&'static str>| {
        let hidden = distribution.is_some_and(|d| d.within || RANCHER.contains(&d.name));
        known.filter(|_| hidden || !world.flags_known).map(PathBuf::from)
    };
    let kubeconfig_path = given("kubeconfig").or_else(|| guess(distribution.map(|d| d.kubeconfig)));
    world.bootstrap_kubeconfig = given("bootstrap-kubeconfig")
        .or_else(|| guess(distribution.and_then(|d| d.bootstrap)).filter(|p| host.metadata(p).is_ok()));
    world.config_path = given("config").or_else(|| guess(distribution.and_then(|d| d.config)));
    let config_dir = given("config-dir")
        .or_else(|| guess(distribution.and_then(|d| d.config_dir)).filter(|p| host.metadata(p).is_ok()));
    world.root_dir = given("root-dir").unwrap_or_else(|| "/var/lib/kubelet".into());
    world.cert_dir =
        given("cert-dir").unwrap_or_else(|| distribution.map_or("/var/lib/kubelet/pki", |d| d.cert_dir).into());
    world.extra_certificates = distribution
        .map(|d| {
            d.certificates
                .iter()
                .map(|(which, path)| (*which, PathBuf::from(path)))
                .collect()
        })
        .unwrap_or_default();
    let (file, merged) = config::read(host, world.config_path.as_deref(), config_dir.as_deref(), notes);
    world.config = file;
    world.settings = settings::of(merged.as_ref(), &world.flags);
    if distribution.is_some_and(|d| RANCHER.contains(&d.name)) && merged.is_none() {
        // What k3s and RKE2 pass where they don't write a configuration file (k3s `pkg/daemons/agent`).
        world.settings.fail_swap_on = flags::truth(&world.flags, "fail-swap-on").unwrap_or(false);
    }
    if let Some(path) = kubeconfig_path {
        let found = kubeconfig::read(host, &path, notes);
        // A guess that is not there says nothing: this kubelet may have another one.
        let guessed = !world.flags_known && found.state == super::KubeconfigState::Missing;
        world.kubeconfig = if guessed { Kubeconfig::default() } else { found };
    }
    if !world.flags_known {
        if world.config.state == super::ConfigState::Missing {
            world.config = super::ConfigFile::default();
            world.config_path = None;
        }
        notes.push(Note {
            what: "the kubelet's flags".into(),
            why: "no kubelet runs and no unit that starts one was read".into(),
            denied: false,
        });
    }
}

/// `--hostname-override`, the client certificate's name, or the host's name in lower case (kubelet `nodeutil.GetHostname`).
fn node_name(host: &Host, world: &World) -> Option<String> {
    if let Some(name) = flags::last(&world.flags, "hostname-override").filter(|n| !n.is_empty()) {
        return Some(name.trim().to_lowercase());
    }
    let certificates = match &world.kubeconfig.credentials {
        Credentials::Files { certificate, .. } => pem::read(host, certificate).ok().map(|c| c.der),
        Credentials::Embedded { certificate_pem } => Some(pem::parse(&**certificate_pem).der),
        _ => None,
    };
    let common_name = certificates.and_then(|der| subject_node(der.first()?));
    common_name.or_else(|| {
        let name = host
            .text("/proc/sys/kernel/hostname")
            .or_else(|_| host.text("/etc/hostname"))
            .ok()?;
        let name = name.trim().to_lowercase();
        (!name.is_empty()).then_some(name)
    })
}

/// `NAME` of a subject `CN=system:node:NAME`.
pub fn subject_node(der: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let name = certificate.subject().iter_common_name().next()?.as_str().ok()?;
    name.strip_prefix("system:node:").map(str::to_owned)
}
