//! Where distributions keep things, for what neither the kubelet's process nor its unit says. A table, and how to tell
//! which row a node is.

use crate::host::Host;

/// One distribution's places. Lists are in order of preference; what is not there is skipped.
#[derive(Debug, Clone, Copy)]
pub struct Distribution {
    /// Its name in `World::distribution`.
    pub name: &'static str,
    /// Paths that only it has; one is enough.
    pub marks: &'static [&'static str],
    /// `ID=` in `/etc/os-release`.
    pub os: Option<&'static str>,
    /// Units that run its kubelet.
    pub units: &'static [&'static str],
    /// The kubelet's kubeconfig.
    pub kubeconfig: &'static str,
    /// The bootstrap kubeconfig.
    pub bootstrap: Option<&'static str>,
    /// The configuration file.
    pub config: Option<&'static str>,
    /// Drop-ins of it.
    pub config_dir: Option<&'static str>,
    /// `--cert-dir`.
    pub cert_dir: &'static str,
    /// Certificates beside those that kubeconfig and configuration name: what they are, and where.
    pub certificates: &'static [(&'static str, &'static str)],
    /// The CRI socket.
    pub socket: &'static str,
    /// True where the kubelet has no command line of its own: it is part of a larger process.
    pub within: bool,
}

const KUBEADM_PKI: &str = "/var/lib/kubelet/pki";
const CONTAINERD: &str = "/run/containerd/containerd.sock";
const KUBELET_UNIT: &[&str] = &["kubelet.service"];

const BLANK: Distribution = Distribution {
    name: "",
    marks: &[],
    os: None,
    units: KUBELET_UNIT,
    kubeconfig: "/var/lib/kubelet/kubeconfig",
    bootstrap: None,
    config: None,
    config_dir: None,
    cert_dir: KUBEADM_PKI,
    certificates: &[],
    socket: CONTAINERD,
    within: false,
};

/// Every distribution that is known, the one that is told most surely first.
pub const DISTRIBUTIONS: &[Distribution] = &[
    Distribution {
        name: "microk8s",
        marks: &["/var/snap/microk8s/current/args/kubelet"],
        units: &[
            "snap.microk8s.daemon-kubelite.service",
            "snap.microk8s.daemon-kubelet.service",
        ],
        kubeconfig: "/var/snap/microk8s/current/credentials/kubelet.config",
        cert_dir: "/var/snap/microk8s/current/certs",
        certificates: &[
            ("serving", "/var/snap/microk8s/current/certs/kubelet.crt"),
            ("ca", "/var/snap/microk8s/current/certs/ca.crt"),
        ],
        socket: "/var/snap/microk8s/common/run/containerd.sock",
        within: true,
        ..BLANK
    },
    Distribution {
        name: "rke2",
        marks: &[
            "/var/lib/rancher/rke2/agent/kubelet.kubeconfig",
            "/etc/rancher/rke2/config.yaml",
        ],
        units: &["rke2-agent.service", "rke2-server.service"],
        kubeconfig: "/var/lib/rancher/rke2/agent/kubelet.kubeconfig",
        config_dir: Some("/var/lib/rancher/rke2/agent/etc/kubelet.conf.d"),
        certificates: &[
            ("serving", "/var/lib/rancher/rke2/agent/serving-kubelet.crt"),
            ("ca", "/var/lib/rancher/rke2/agent/server-ca.crt"),
            ("other", "/var/lib/rancher/rke2/agent/client-kube-proxy.crt"),
            ("other", "/var/lib/rancher/rke2/agent/client-rke2-controller.crt"),
        ],
        socket: "/run/k3s/containerd/containerd.sock",
        ..BLANK
    },
    Distribution {
        name: "k3s",
        marks: &[
            "/var/lib/rancher/k3s/agent/kubelet.kubeconfig",
            "/etc/rancher/k3s/config.yaml",
        ],
        units: &["k3s-agent.service", "k3s.service"],
        kubeconfig: "/var/lib/rancher/k3s/agent/kubelet.kubeconfig",
        config_dir: Some("/var/lib/rancher/k3s/agent/etc/kubelet.conf.d"),
        certificates: &[
            ("serving", "/var/lib/rancher/k3s/agent/serving-kubelet.crt"),
            ("ca", "/var/lib/rancher/k3s/agent/server-ca.crt"),
            ("other", "/var/lib/rancher/k3s/agent/client-kube-proxy.crt"),
            ("other", "/var/lib/rancher/k3s/agent/client-k3s-controller.crt"),
        ],
        socket: "/run/k3s/containerd/containerd.sock",
        within: true,
        ..BLANK
    },
    Distribution {
        name: "k0s",
        marks: &[
            "/var/lib/k0s/kubelet.conf",
            "/var/lib/k0s/kubelet/pki",
            "/etc/k0s/k0stoken",
        ],
        units: &["k0sworker.service", "k0scontroller.service"],
        kubeconfig: "/var/lib/k0s/kubelet.conf",
        bootstrap: Some("/var/lib/k0s/kubelet-bootstrap.conf"),
        config: Some("/var/lib/k0s/kubelet-config.yaml"),
        cert_dir: "/var/lib/k0s/kubelet/pki",
        socket: "/run/k0s/containerd.sock",
        ..BLANK
    },
    Distribution {
        name: "talos",
        os: Some("talos"),
        units: &[],
        kubeconfig: "/etc/kubernetes/kubeconfig-kubelet",
        bootstrap: Some("/etc/kubernetes/bootstrap-kubeconfig"),
        config: Some("/etc/kubernetes/kubelet.yaml"),
        ..BLANK
    },
    Distribution {
        name: "bottlerocket",
        os: Some("bottlerocket"),
        kubeconfig: "/etc/kubernetes/kubelet/kubeconfig",
        bootstrap: Some("/etc/kubernetes/kubelet/bootstrap-kubeconfig"),
        config: Some("/etc/kubernetes/kubelet/config"),
        ..BLANK
    },
    Distribution {
        name: "openshift",
        marks: &["/etc/machine-config-daemon", "/etc/openshift/kubelet.conf.d"],
        os: Some("rhcos"),
        bootstrap: Some("/etc/kubernetes/kubeconfig"),
        config: Some("/etc/kubernetes/kubelet.conf"),
        config_dir: Some("/etc/openshift/kubelet.conf.d"),
        socket: "/var/run/crio/crio.sock",
        ..BLANK
    },
    Distribution {
        name: "gke",
        marks: &["/home/kubernetes/kubelet-config.yaml"],
        config: Some("/home/kubernetes/kubelet-config.yaml"),
        ..BLANK
    },
    Distribution {
        name: "aks",
        marks: &["/etc/kubernetes/azure.json", "/etc/default/kubeletconfig.json"],
        bootstrap: Some("/var/lib/kubelet/bootstrap-kubeconfig"),
        config: Some("/etc/default/kubeletconfig.json"),
        ..BLANK
    },
    Distribution {
        name: "eks",
        marks: &["/etc/eks"],
        config: Some("/etc/kubernetes/kubelet/config.json"),
        config_dir: Some("/etc/kubernetes/kubelet/config.json.d"),
        ..BLANK
    },
    Distribution {
        name: "kubeadm",
        marks: &[
            "/etc/kubernetes/kubelet.conf",
            "/etc/kubernetes/bootstrap-kubelet.conf",
            "/var/lib/kubelet/kubeadm-flags.env",
            "/var/lib/kubelet/config.yaml",
        ],
        kubeconfig: "/etc/kubernetes/kubelet.conf",
        bootstrap: Some("/etc/kubernetes/bootstrap-kubelet.conf"),
        config: Some("/var/lib/kubelet/config.yaml"),
        ..BLANK
    },
];

/// A row by its name.
pub fn named(name: &str) -> Option<&'static Distribution> {
    DISTRIBUTIONS.iter().find(|d| d.name == name)
}

/// Which distribution this is: by the process where one runs, then by what lies on the node.
pub fn which(host: &Host, kubelet: Option<&super::process::Candidate>) -> Option<&'static Distribution> {
    let by_process = kubelet.and_then(|k| {
        let program = k.arguments.first().map_or("", String::as_str);
        let all = |part: &str| k.arguments.iter().any(|a| a.contains(part));
        match k.comm.as_str() {
            "kubelite" => named("microk8s"),
            "k3s" | "k3s-server" | "k3s-agent" => named("k3s"),
            _ if program.contains("/rke2/") || all("/rancher/rke2/agent/") => named("rke2"),
            _ if program.contains("/k0s/") || all("/var/lib/k0s/") => named("k0s"),
            _ => None,
        }
    });
    by_process.or_else(|| {
        let os = os(host);
        let here = |path: &&str| host.metadata(path).is_ok();
        DISTRIBUTIONS
            .iter()
            // A unit of its own goes before leftovers of another distribution.
            .find(|d| d.marks.iter().any(&here) && d.units != KUBELET_UNIT && unit_here(host, d))
            .or_else(|| DISTRIBUTIONS.iter().find(|d| d.os.is_some() && d.os == os.as_deref()))
            .or_else(|| {
                DISTRIBUTIONS
                    .iter()
                    .find(|d| d.units == KUBELET_UNIT && d.marks.iter().any(&here))
            })
            .or_else(|| DISTRIBUTIONS.iter().find(|d| d.marks.iter().any(&here)))
    })
}

fn unit_here(host: &Host, distribution: &Distribution) -> bool {
    distribution.units.iter().any(|u| {
        super::unit::DIRECTORIES
            .iter()
            .any(|d| host.link(format!("{d}/{u}")).is_ok() || host.metadata(format!("{d}/{u}")).is_ok())
    })
}

/// `ID` of os-release(5).
fn os(host: &Host) -> Option<String> {
    let text = host
        .text("/etc/os-release")
        .or_else(|_| host.text("/usr/lib/os-release"))
        .ok()?;
    let pairs = super::words::environment_file(&text);
    super::words::lookup(&pairs, "ID").map(str::to_owned)
}
