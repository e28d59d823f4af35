//! Who wrote a line: decided from fields that only journald can set, wherever the input has them.

use super::line::Origin;
use super::scan::head;
use super::{kernel, klog, systemd_text, unit};

/// The journal fields that name the writer. Absent fields are `None`. All but `syslog_identifier` are trusted: journald
/// itself sets fields that begin with an underscore.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sender<'a> {
    /// `_TRANSPORT`: `journal`, `stdout`, `syslog`, `kernel`, `driver`, `audit`.
    pub transport: Option<&'a str>,
    /// `_SYSTEMD_UNIT`.
    pub systemd_unit: Option<&'a str>,
    /// `_SYSTEMD_USER_UNIT`: set for a process of a user's own service manager, which is never the kubelet.
    pub systemd_user_unit: Option<&'a str>,
    /// `_COMM`.
    pub comm: Option<&'a str>,
    /// `_EXE`.
    pub exe: Option<&'a str>,
    /// `_PID`.
    pub pid: Option<u32>,
    /// `_UID`.
    pub uid: Option<u32>,
    /// `SYSLOG_IDENTIFIER`: any process may write it.
    pub syslog_identifier: Option<&'a str>,
}

/// The writer of a journal entry. A forged `SYSLOG_IDENTIFIER` changes nothing.
pub fn of_journal(sender: &Sender<'_>) -> Origin {
    if sender.transport == Some("kernel") {
        return Origin::Kernel;
    }
    if sender.systemd_user_unit.is_some() {
        return Origin::Other;
    }
    if sender.pid == Some(1) && sender.uid.is_none_or(|uid| uid == 0) {
        return Origin::Systemd;
    }
    if let Some(unit) = sender.systemd_unit {
        return of_unit(unit, sender);
    }
    match sender.comm {
        Some("systemd" | "systemd-shutdow" | "systemd-shutdown") if sender.uid == Some(0) => Origin::Systemd,
        Some("kubelet") if sender.uid == Some(0) => Origin::Kubelet,
        // Imported text: no field of journald's own, the name counts.
        None if sender.exe.is_none() && sender.pid.is_none() && sender.uid.is_none() => {
            sender.syslog_identifier.map_or(Origin::Other, of_name)
        }
        _ => Origin::Other,
    }
}

fn of_unit(unit: &str, sender: &Sender<'_>) -> Origin {
    // systemd's child before it becomes the service calls itself `(kubelet)` and speaks for PID 1.
    let child = sender.comm.is_some_and(|c| c.starts_with('('))
        || sender
            .exe
            .is_some_and(|e| e.ends_with("/systemd") || e.ends_with("/systemd-executor"));
    if child && !unit.starts_with("user@") || unit == "init.scope" {
        return Origin::Systemd;
    }
    if matches!(
        unit,
        "systemd-logind.service"
            | "systemd-journald.service"
            | "systemd-oomd.service"
            | "systemd-networkd.service"
            | "systemd-timedated.service"
    ) {
        return Origin::Systemd;
    }
    match unit::role(unit) {
        "kubelet" => match sender.comm {
            // Bundles run their own runtime below the same unit.
            Some("containerd" | "containerd-shim" | "containerd-shim-runc-v2") => Origin::Runtime,
            Some("etcd" | "kube-apiserver") => Origin::ControlPlane,
            _ => Origin::Kubelet,
        },
        "runtime" => Origin::Runtime,
        "time" => Origin::Systemd,
        "control-plane" => Origin::ControlPlane,
        _ => Origin::Other,
    }
}

/// The writer of a line of a text log: by the program's name in front of it (`kubelet[370]:` gives `kubelet`), else by
/// the line's own form.
pub fn of_text(identifier: Option<&str>, text: &str) -> Origin {
    match identifier.map(of_name) {
        Some(Origin::Other) | None => of_form(identifier, text),
        Some(origin) => origin,
    }
}

fn of_name(name: &str) -> Origin {
    match name {
        "kernel" => Origin::Kernel,
        "systemd" | "systemd-logind" | "systemd-journald" | "systemd-journal" | "systemd-oomd" | "systemd-networkd"
        | "systemd-shutdown" | "systemd-sleep" | "systemd-timesyncd" | "systemd-timedated" | "chronyd" | "ntpd" => {
            Origin::Systemd
        }
        "kubelet"
        | "hyperkube"
        | "kubenswrapper"
        | "kubelite"
        | "k3s"
        | "rke2"
        | "k0s"
        | "origin-node"
        | "kubelet-wrapper"
        | "kubelet.service"
        | "microk8s.daemon-kubelite"
        | "microk8s.daemon-kubelet" => Origin::Kubelet,
        "containerd" | "dockerd" | "docker" | "crio" | "cri-o" | "cri-dockerd" | "microk8s.daemon-containerd" => {
            Origin::Runtime
        }
        "etcd" | "kube-apiserver" | "apiserver" | "kube-controller-manager" | "kube-scheduler" => Origin::ControlPlane,
        n if n.starts_with("k3s-") || n.starts_with("rke2-") => Origin::Kubelet,
        // `(kubelet)`: systemd's child before exec.
        n if n.starts_with('(') => Origin::Systemd,
        _ => Origin::Other,
    }
}

/// Go files of the kubelet and of what is linked into it, as klog names them.
const KUBELET_FILES: &[&str] = &[
    "kubelet.go",
    "kubelet_node_status.go",
    "nodelease.go",
    "setters.go",
    "remote_runtime.go",
    "remote_image.go",
    "pod_workers.go",
    "eviction_manager.go",
    "generic.go",
    "kuberuntime_manager.go",
    "container_manager_linux.go",
    "nodeshutdown_manager_linux.go",
    "csi_plugin.go",
    "kubelet_getters.go",
    "kubelet_pods.go",
    "status_manager.go",
    "cri_stats_provider.go",
    "fsHandler.go",
    "certificate_manager.go",
    "kubelet_network.go",
    "kubelet_network_linux.go",
    "run.go",
    "bootstrap.go",
    "transport.go",
    "desired_state_of_world_populator.go",
    "reconciler.go",
    "operation_generator.go",
    "docker_sandbox.go",
    "cni.go",
    "summary.go",
];

/// Words of the kubelet in files whose names other programs share.
const KUBELET_WORDS: &[&str] = &[
    "to update lease",
    "to ensure lease exists",
    "to update node lease",
    "to ensure node lease exists",
    "updating node status, will retry",
    "kipping pod synchronization",
    "pkg/kubelet/",
    "Kubelet",
    "kubelet",
];

fn of_form(identifier: Option<&str>, text: &str) -> Origin {
    if let Some(origin) = of_klog(text) {
        return origin;
    }
    if klog_inside(identifier, text) {
        return Origin::Kubelet;
    }
    if identifier.is_some_and(|i| !matches!(i, "sh" | "docker" | "bash")) {
        return Origin::Other;
    }
    if text
        .strip_prefix('[')
        .and_then(|r| r.split_once("] "))
        .is_some_and(|(stamp, _)| kernel::is_stamp(stamp))
    {
        return Origin::Kernel;
    }
    if text.starts_with("time=\"") && text.contains(" level=") {
        return if text.contains("Kubelet exited") {
            Origin::Kubelet
        } else {
            Origin::Runtime
        };
    }
    let sentence = [
        "Started ",
        "Starting ",
        "Stopped ",
        "Stopping ",
        "Failed to start ",
        "Dependency failed for ",
    ];
    if systemd_text::unit_before_colon(text).is_some()
        || sentence.iter().any(|s| {
            text.strip_prefix(s)
                .is_some_and(|rest| unit::by_description(rest).is_some())
        })
    {
        return Origin::Systemd;
    }
    if kernel::is_unmistakable(text) {
        Origin::Kernel
    } else {
        Origin::Other
    }
}

fn of_klog(text: &str) -> Option<Origin> {
    let header = klog::header(text)?;
    let rest = head(header.rest, 400);
    let own = KUBELET_FILES.contains(&header.file) || KUBELET_WORDS.iter().any(|words| rest.contains(words));
    Some(if own { Origin::Kubelet } else { Origin::Other })
}

/// A wrapped klog line of the kubelet, or one whose front is cut off.
fn klog_inside(identifier: Option<&str>, text: &str) -> bool {
    if text.contains("component=kubelet") {
        return true;
    }
    let start = head(text, 120);
    let json =
        start.starts_with("{\"ts\":") && text.contains("\"caller\":") && KUBELET_FILES.iter().any(|f| text.contains(f));
    let cut = identifier.is_none() && KUBELET_WORDS[..6].iter().any(|words| start.contains(words));
    json || cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trusted_fields_decide() {
        let kubelet = Sender {
            systemd_unit: Some("kubelet.service"),
            comm: Some("kubelet"),
            pid: Some(9),
            uid: Some(0),
            ..Sender::default()
        };
        assert_eq!(of_journal(&kubelet), Origin::Kubelet);
        let forged = Sender {
            systemd_unit: Some("app.service"),
            syslog_identifier: Some("kubelet"),
            ..kubelet
        };
        assert_eq!(of_journal(&forged), Origin::Other);
        let user = Sender {
            systemd_user_unit: Some("kubelet.service"),
            systemd_unit: Some("user@1000.service"),
            ..kubelet
        };
        assert_eq!(of_journal(&user), Origin::Other);
        let imported = Sender {
            syslog_identifier: Some("kubelet"),
            ..Sender::default()
        };
        assert_eq!(of_journal(&imported), Origin::Kubelet);
        let pid1 = Sender {
            pid: Some(1),
            uid: Some(0),
            systemd_unit: Some("init.scope"),
            ..Sender::default()
        };
        assert_eq!(of_journal(&pid1), Origin::Systemd);
        let child = Sender {
            comm: Some("(kubelet)"),
            ..kubelet
        };
        assert_eq!(of_journal(&child), Origin::Systemd);
    }

    #[test]
    fn text_by_name_and_by_form() {
        assert_eq!(of_text(Some("kubelet"), "x"), Origin::Kubelet);
        assert_eq!(
            of_text(None, "E0512 10:00:00.000001    9 kubelet.go:1] x"),
            Origin::Kubelet
        );
        assert_eq!(
            of_text(None, "E0512 10:00:00.000001    9 leaderelection.go:1] x"),
            Origin::Other
        );
        assert_eq!(
            of_text(None, "[  247.436380] exe invoked oom-killer: x"),
            Origin::Kernel
        );
        assert_eq!(
            of_text(None, "kubelet.service: Failed with result 'exit-code'."),
            Origin::Systemd
        );
        assert_eq!(
            of_text(None, "Started kubelet: The Kubernetes Node Agent."),
            Origin::Systemd
        );
        assert_eq!(of_text(None, "ed to update lease, error: x"), Origin::Kubelet);
        assert_eq!(
            of_text(Some("nginx"), "Started kubelet: The Kubernetes Node Agent."),
            Origin::Other
        );
    }
}
