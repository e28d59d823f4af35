//! Roles of units by their names.

/// Kubelet units by themselves; [`KUBELET_BUNDLES`] are those that hold more than a kubelet.
const KUBELET: &[&str] = &[
    "kubelet",
    "kube-kubelet",
    "kubelet-wrapper",
    "origin-node",
    "atomic-openshift-node",
    "hyperkube",
    "kubelite",
    "snap.microk8s.daemon-kubelite",
    "snap.microk8s.daemon-kubelet",
    "snap.kubelet.daemon",
    "snap.k8s.kubelet",
];
const KUBELET_BUNDLES: &[&str] = &[
    "k3s",
    "k3s-agent",
    "rke2-server",
    "rke2-agent",
    "k0sworker",
    "k0scontroller",
    "k0s",
];
const RUNTIME: &[&str] = &[
    "containerd",
    "crio",
    "cri-o",
    "docker",
    "dockerd",
    "cri-docker",
    "cri-dockerd",
    "snap.microk8s.daemon-containerd",
    "snap.k8s.containerd",
    "snap.docker.dockerd",
];
const NETWORK: &[&str] = &[
    "systemd-networkd",
    "NetworkManager",
    "systemd-resolved",
    "network",
    "networking",
    "wicked",
];
const DBUS: &[&str] = &["dbus", "dbus-broker", "messagebus"];
const TIME: &[&str] = &[
    "systemd-timesyncd",
    "chronyd",
    "chrony",
    "ntpd",
    "ntp",
    "ntpsec",
    "openntpd",
];
const CONTROL_PLANE: &[&str] = &[
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "snap.etcd.etcd",
    "etcd-member",
];

/// The role of a unit (`kubelet.service`).
pub(super) fn role(unit: &str) -> &'static str {
    let stem = unit.strip_suffix(".service").unwrap_or(unit);
    if unit.contains('.') && !unit.ends_with(".service") {
        return "other";
    }
    match stem {
        s if KUBELET.contains(&s) || KUBELET_BUNDLES.contains(&s) || s.starts_with("snap.kubelet-") => "kubelet",
        s if RUNTIME.contains(&s) => "runtime",
        "systemd-journald" => "journald",
        s if NETWORK.contains(&s) => "network",
        s if DBUS.contains(&s) => "dbus",
        s if TIME.contains(&s) => "time",
        s if CONTROL_PLANE.contains(&s) => "control-plane",
        _ => "other",
    }
}

/// The unit that a description names, where a text log has no unit: `Started kubelet: The Kubernetes Node Agent.`
pub(super) fn by_description(description: &str) -> Option<&str> {
    let first = description
        .split_whitespace()
        .next()
        .unwrap_or("")
        .trim_end_matches(['.', ',']);
    if first.ends_with(".service") {
        return Some(first);
    }
    let described: &[(&str, &str)] = &[
        ("kubelet: The Kubernetes", "kubelet.service"),
        ("Kubernetes Kubelet", "kubelet.service"),
        ("Kubernetes kubelet", "kubelet.service"),
        ("kubelet daemon", "kubelet.service"),
        ("Lightweight Kubernetes", "k3s.service"),
        ("Rancher Kubernetes Engine v2 (server)", "rke2-server.service"),
        ("Rancher Kubernetes Engine v2 (agent)", "rke2-agent.service"),
        ("Docker Application Container Engine", "docker.service"),
        ("containerd container runtime", "containerd.service"),
        ("Container Runtime Interface for OCI", "crio.service"),
        ("CRI Interface for Docker", "cri-docker.service"),
        ("Journal Service", "systemd-journald.service"),
        ("D-Bus System Message Bus", "dbus.service"),
    ];
    described
        .iter()
        .find(|(words, _)| description.starts_with(words))
        .map(|(_, unit)| *unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles() {
        assert_eq!(role("kubelet.service"), "kubelet");
        assert_eq!(role("k3s-agent.service"), "kubelet");
        assert_eq!(role("my-kubelet.service"), "other");
        assert_eq!(role("containerd.service"), "runtime");
        assert_eq!(role("docker.socket"), "other");
        assert_eq!(
            by_description("kubelet: The Kubernetes Node Agent."),
            Some("kubelet.service")
        );
        assert_eq!(by_description("Session 3 of user root."), None);
    }
}
