//! The kubelet's world on the distributions, and what the sources say of the lab's node and its faults.
#![expect(clippy::disallowed_methods, reason = "the tests lay out nodes")]

mod node;

use node::{Node, one, with};
use whynotready::grammar::fact::Kind;
use whynotready::source::certificate::Certificates;
use whynotready::source::kubeconfig::KubeconfigFile;
use whynotready::source::kubelet_config::KubeletConfig;
use whynotready::world::{ConfigState, Credentials, KubeconfigState, World};

/// When the incidents of kubelet 1.37 were recorded.
const AT: &str = "2026-11-23T11:20:00Z";
const SETTING: Kind = Kind::KubeletSetting;

fn lab() -> Node {
    let node = Node::of("lab", AT);
    std::fs::create_dir_all(node.at("run/containerd")).unwrap();
    drop(std::os::unix::net::UnixListener::bind(node.at("run/containerd/containerd.sock")).unwrap());
    node
}

/// Every fault that the three sources state of a node, as text.
async fn faults(node: &Node) -> Vec<String> {
    let mut found = Vec::new();
    for look in [
        node.look(&mut KubeconfigFile).await,
        node.look(&mut KubeletConfig).await,
        node.look(&mut Certificates).await,
    ] {
        for reading in &look.readings {
            let fact = &reading.facts[0];
            let well = match fact.kind {
                Kind::CertificateFile => {
                    fact.text("validity") == Some("valid") && fact.text("which") != Some("client-dated")
                }
                _ => fact.text("state") == Some("ok"),
            };
            if !well || fact.text("issuer_known") == Some("no") || fact.text("name") == Some("foreign") {
                found.push(reading.text.clone());
            }
        }
    }
    found
}

#[tokio::test]
async fn the_lab_s_node_is_well() {
    let node = lab();
    assert_eq!(faults(&node).await, Vec::<String>::new());
    let world = node.world();
    assert_eq!(world.node_name.as_deref(), Some("node1"));
    assert_eq!(world.unit.as_deref(), Some("kubelet.service"));
    assert_eq!(world.distribution, Some("kubeadm"));
    let look = node.look(&mut Certificates).await;
    let (text, fact) = one(&look, Kind::CertificateFile, "which", "client");
    assert_eq!(fact.text("issuer_known"), Some("yes"), "{text}");
    assert_eq!((fact.text("name"), fact.text("rotation")), (Some("own"), Some("ok")));
    // The key was not opened, and that is said.
    assert!(
        look.blind
            .iter()
            .any(|b| b.grant.as_deref() == Some("probe.as_kubelet"))
    );
}

#[tokio::test]
async fn cert_expired() {
    let node = lab();
    node.put(
        "/var/lib/kubelet/pki/kubelet-client-2026-11-22-22-00-00.pem",
        std::fs::read(node.at("/var/lib/kubelet/pki/kubelet-client-current.pem")).unwrap(),
    );
    node.fault(
        "cert-expired/kubelet-client-current.pem",
        "/var/lib/kubelet/pki/kubelet-client-current.pem",
    );
    let look = node.look(&mut Certificates).await;
    let (text, fact) = one(&look, Kind::CertificateFile, "which", "client");
    assert_eq!(fact.text("validity"), Some("expired"));
    assert_eq!(fact.text("rotation"), Some("overdue"));
    assert!(
        text.starts_with("/var/lib/kubelet/pki/kubelet-client-current.pem  client certificate of")
            && text.contains("expired 2026-11-22 11:06:44 UTC, 24 h ago"),
        "{text}"
    );
    // Since its end, or since it was put there; a time of the future is another clock's.
    for (written, since) in [
        ("2026-11-01T00:00:00Z", "2026-11-22T11:06:44.000000Z"),
        ("2026-11-23T11:06:46Z", "2026-11-23T11:06:46.000000Z"),
        ("2026-12-01T00:00:00Z", "2026-11-22T11:06:44.000000Z"),
    ] {
        node.written("/var/lib/kubelet/pki/kubelet-client-current.pem", written);
        let look = node.look(&mut Certificates).await;
        let began = look.readings.iter().find_map(|r| r.began);
        assert_eq!(began.unwrap().rfc3339(), since);
    }
    // What rotation had got lies beside it.
    let (dated, _) = one(&look, Kind::CertificateFile, "which", "client-dated");
    assert!(
        dated.contains("kubelet-client-2026-11-22-22-00-00.pem") && dated.contains("newer than"),
        "{dated}"
    );
    let faults = faults(&node).await;
    assert_eq!(faults.len(), 2, "{faults:#?}");
}

#[tokio::test]
async fn ca_mismatch() {
    let node = lab();
    node.fault("ca-mismatch/kubelet.conf", "/etc/kubernetes/kubelet.conf");
    let faults = faults(&node).await;
    assert_eq!(faults.len(), 1, "{faults:#?}");
    assert!(
        faults[0].contains("issuer CN=kubernetes-ca, not signed by the kubeconfig's CA (CN="),
        "{}",
        faults[0]
    );
}

#[tokio::test]
async fn kubeconfig_gone() {
    let node = lab();
    node.remove("/etc/kubernetes/kubelet.conf");
    let faults = faults(&node).await;
    assert_eq!(
        faults,
        ["/etc/kubernetes/kubelet.conf  there is no such file; the kubelet was given no bootstrap kubeconfig"]
    );
}

#[tokio::test]
async fn config_field() {
    let node = lab();
    node.fault("config-field/config.yaml", "/var/lib/kubelet/config.yaml");
    assert_eq!(
        faults(&node).await,
        ["/var/lib/kubelet/config.yaml:13  maxPods: the text \"lots\" where a whole number is expected"]
    );
    let look = node.look(&mut KubeletConfig).await;
    let (_, fact) = one(&look, Kind::KubeletConfig, "state", "invalid");
    assert_eq!((fact.text("field"), fact.int("line")), (Some("maxPods"), Some(13)));
}

#[tokio::test]
async fn flag_unknown() {
    let node = lab();
    node.fault("flag-unknown/kubelet", "/etc/default/kubelet");
    assert_eq!(
        faults(&node).await,
        ["kubelet.service: no kubelet from 1.20 to 1.37 has the flag --no-such-flag, and it does not run"]
    );
}

#[tokio::test]
async fn swap_on() {
    let node = lab();
    node.fault("swap-on/swaps", "/proc/swaps");
    assert_eq!(
        faults(&node).await,
        ["swap is on (/swap file 255 MiB) and failSwapOn is true: the kubelet refuses to start".replace(" file", "")]
    );
}

#[tokio::test]
async fn cni_gone() {
    let node = lab();
    node.remove("/etc/cni/net.d/10-lab.conflist");
    assert_eq!(
        faults(&node).await,
        ["/etc/cni/net.d: no CNI configuration (*.conf, *.conflist, *.json) is in it"]
    );
}

#[tokio::test]
async fn binary_gone() {
    let node = lab();
    node.remove("/usr/bin/kubelet");
    assert_eq!(
        faults(&node).await,
        ["/usr/bin/kubelet, which kubelet.service starts, does not exist"]
    );
}

#[tokio::test]
async fn proxy_env() {
    let node = lab();
    node.put(
        "/etc/systemd/system/kubelet.service.d/proxy.conf",
        "[Service]\nEnvironment=HTTPS_PROXY=http://10.99.0.77:3128\n",
    );
    let look = node.look(&mut KubeletConfig).await;
    let (text, fact) = one(&look, SETTING, "what", "proxy");
    assert_eq!(fact.text("value"), Some("http://10.99.0.77:3128"));
    assert!(
        text.contains("so the kubelet reaches api.lab.test:6443 through it"),
        "{text}"
    );
    assert_eq!(faults(&node).await.len(), 1);
}

#[tokio::test]
async fn a_bare_node_is_gaps_and_no_faults() {
    let node = Node::of("lab", AT);
    for path in ["etc", "var", "usr", "proc", "sys"] {
        std::fs::remove_dir_all(node.at(path)).unwrap();
    }
    let look = node.look(&mut KubeconfigFile).await;
    assert!(look.readings.is_empty() && !look.blind.is_empty());
    let look = node.look(&mut Certificates).await;
    assert!(look.readings.is_empty() && !look.blind.is_empty(), "{look:#?}");
    let look = node.look(&mut KubeletConfig).await;
    assert!(look.readings.is_empty(), "{look:#?}");
    assert_eq!(look.blind.len(), 2, "{:#?}", look.blind);
}

/// What is expected of a distribution.
struct Expected {
    distribution: &'static str,
    unit: Option<&'static str>,
    node: &'static str,
    server: (&'static str, u16),
    kubeconfig: &'static str,
    config: Option<&'static str>,
    socket: &'static str,
    credentials: &'static str,
}

fn check(fixture: &str, expected: &Expected) -> World {
    let world = Node::of(fixture, AT).world();
    assert_eq!(world.distribution, Some(expected.distribution), "{fixture}");
    assert_eq!(world.unit.as_deref(), expected.unit, "{fixture}");
    assert_eq!(world.node_name.as_deref(), Some(expected.node), "{fixture}");
    assert_eq!(
        world.kubeconfig.state,
        KubeconfigState::Ok,
        "{fixture} {:?}",
        world.kubeconfig.problem
    );
    let server = world.kubeconfig.server.as_ref().map(|s| (s.host.as_str(), s.port));
    assert_eq!(server, Some(expected.server), "{fixture}");
    assert_eq!(
        world.kubeconfig.path.as_deref(),
        Some(expected.kubeconfig.as_ref()),
        "{fixture}"
    );
    assert_eq!(
        world.config_path.as_deref(),
        expected.config.map(AsRef::as_ref),
        "{fixture}"
    );
    assert!(
        expected.config.is_none() || world.config.state == ConfigState::Ok,
        "{fixture} {:?}",
        world.config
    );
    assert_eq!(
        world.runtime.socket.as_deref(),
        Some(expected.socket.as_ref()),
        "{fixture}"
    );
    let credentials = match &world.kubeconfig.credentials {
        Credentials::Files { certificate, .. } => certificate.display().to_string(),
        Credentials::Exec { command } => command.clone(),
        other => format!("{other:?}"),
    };
    assert_eq!(credentials, expected.credentials, "{fixture}");
    world
}

const CLIENT: &str = "/var/lib/kubelet/pki/kubelet-client-current.pem";
const CONTAINERD: &str = "/run/containerd/containerd.sock";

#[test]
fn kubeadm_and_the_clouds() {
    let kubeadm = check(
        "kubeadm",
        &Expected {
            distribution: "kubeadm",
            unit: Some("kubelet.service"),
            node: "worker-1",
            server: ("10.0.0.10", 6443),
            kubeconfig: "/etc/kubernetes/kubelet.conf",
            config: Some("/var/lib/kubelet/config.yaml"),
            socket: "/run/crio/crio.sock",
            credentials: CLIENT,
        },
    );
    assert_eq!(kubeadm.runtime.program, Some("crio"));
    assert_eq!(kubeadm.peers[0].host, "10.0.0.11");
    assert_eq!(
        kubeadm.bootstrap_kubeconfig.as_deref(),
        Some("/etc/kubernetes/bootstrap-kubelet.conf".as_ref())
    );
    let eks = check(
        "eks",
        &Expected {
            distribution: "eks",
            unit: Some("kubelet.service"),
            node: "ip-10-0-1-7.ec2.internal",
            server: ("ABC.gr7.eu-west-1.eks.amazonaws.com", 443),
            kubeconfig: "/var/lib/kubelet/kubeconfig",
            config: Some("/etc/kubernetes/kubelet/config.json"),
            socket: CONTAINERD,
            credentials: "aws",
        },
    );
    assert_eq!(eks.settings.healthz.1, 10249);
    assert!(eks.settings.server_tls_bootstrap);
    let aks = check(
        "aks",
        &Expected {
            distribution: "aks",
            unit: Some("kubelet.service"),
            node: "aks-node",
            server: ("aks.hcp.westeurope.azmk8s.io", 443),
            kubeconfig: "/var/lib/kubelet/kubeconfig",
            config: Some("/etc/default/kubeletconfig.json"),
            socket: CONTAINERD,
            credentials: CLIENT,
        },
    );
    assert_eq!(
        aks.settings.tls_cert_file.as_deref(),
        Some("/etc/kubernetes/certs/kubeletserver.crt")
    );
    assert_eq!(
        aks.settings.client_ca_file.as_deref(),
        Some("/etc/kubernetes/certs/ca.crt")
    );
    assert_eq!(aks.binary.as_deref(), Some("/opt/bin/kubelet".as_ref()));
    check(
        "gke",
        &Expected {
            distribution: "gke",
            unit: Some("kubelet.service"),
            node: "gke-node",
            server: ("10.2.0.2", 443),
            kubeconfig: "/var/lib/kubelet/kubeconfig",
            config: Some("/home/kubernetes/kubelet-config.yaml"),
            socket: CONTAINERD,
            credentials: "/home/kubernetes/bin/gke-exec-auth-plugin",
        },
    );
}

#[test]
fn systems_that_are_made_for_it() {
    let bottlerocket = check(
        "bottlerocket",
        &Expected {
            distribution: "bottlerocket",
            unit: Some("kubelet.service"),
            node: "ip-10-0-2-2.ec2.internal",
            server: ("B.eks.amazonaws.com", 443),
            kubeconfig: "/etc/kubernetes/kubelet/kubeconfig",
            config: Some("/etc/kubernetes/kubelet/config"),
            socket: CONTAINERD,
            credentials: "/usr/bin/aws-iam-authenticator",
        },
    );
    assert_eq!(bottlerocket.settings.node_ips.len(), 1);
    let openshift = check(
        "openshift",
        &Expected {
            distribution: "openshift",
            unit: Some("kubelet.service"),
            node: "rhcos-1",
            server: ("api-int.c.example.com", 6443),
            kubeconfig: "/var/lib/kubelet/kubeconfig",
            config: Some("/etc/kubernetes/kubelet.conf"),
            socket: "/var/run/crio/crio.sock",
            credentials: CLIENT,
        },
    );
    assert_eq!(openshift.runtime.config.cgroup_driver, Some("systemd"));
    assert!(openshift.settings.rotate_certificates);
    let talos = check(
        "talos",
        &Expected {
            distribution: "talos",
            unit: None,
            node: "talos-1",
            server: ("127.0.0.1", 7445),
            kubeconfig: "/etc/kubernetes/kubeconfig-kubelet",
            config: Some("/etc/kubernetes/kubelet.yaml"),
            socket: CONTAINERD,
            credentials: CLIENT,
        },
    );
    assert_eq!(talos.cgroup.as_deref(), Some("/podruntime/kubelet"));
    assert_eq!(talos.kubelet.unwrap().pid, 1500);
}

#[test]
fn the_kubelet_within_another_program() {
    let k3s = check(
        "k3s",
        &Expected {
            distribution: "k3s",
            unit: Some("k3s-agent.service"),
            node: "edge-1",
            server: ("127.0.0.1", 6444),
            kubeconfig: "/var/lib/rancher/k3s/agent/kubelet.kubeconfig",
            config: None,
            socket: "/run/k3s/containerd/containerd.sock",
            credentials: "/var/lib/rancher/k3s/agent/client-kubelet.crt",
        },
    );
    assert!(!k3s.settings.fail_swap_on);
    assert_eq!(k3s.config.state, ConfigState::Ok);
    assert_eq!(k3s.proxy.https.as_deref(), Some("http://10.0.4.9:3128"));
    let peers: Vec<_> = k3s.peers.iter().map(|p| p.host.as_str()).collect();
    assert_eq!(peers, ["10.0.4.1", "10.0.4.2"]);
    assert_eq!(k3s.runtime.unit, None);
    let rke2 = check(
        "rke2",
        &Expected {
            distribution: "rke2",
            unit: Some("rke2-agent.service"),
            node: "rke-1",
            server: ("127.0.0.1", 6443),
            kubeconfig: "/var/lib/rancher/rke2/agent/kubelet.kubeconfig",
            config: None,
            socket: "/run/k3s/containerd/containerd.sock",
            credentials: "/var/lib/rancher/rke2/agent/client-kubelet.crt",
        },
    );
    assert_eq!(rke2.kubelet.as_ref().map(|k| k.pid), Some(900));
    assert!(!rke2.settings.fail_swap_on);
    let microk8s = check(
        "microk8s",
        &Expected {
            distribution: "microk8s",
            unit: Some("snap.microk8s.daemon-kubelite.service"),
            node: "snapnode",
            server: ("127.0.0.1", 16443),
            kubeconfig: "/var/snap/microk8s/current/credentials/kubelet.config",
            config: None,
            socket: "/var/snap/microk8s/common/run/containerd.sock",
            credentials: "/var/snap/microk8s/current/certs/kubelet.crt",
        },
    );
    assert_eq!(microk8s.cert_dir.to_str(), Some("/var/snap/microk8s/current/certs"));
    assert_eq!(
        microk8s.root_dir.to_str(),
        Some("/var/snap/microk8s/common/var/lib/kubelet")
    );
    let k0s = check(
        "k0s",
        &Expected {
            distribution: "k0s",
            unit: Some("k0sworker.service"),
            node: "k0s-1",
            server: ("10.0.6.1", 6443),
            kubeconfig: "/var/lib/k0s/kubelet.conf",
            config: Some("/var/lib/k0s/kubelet-config.yaml"),
            socket: "/run/k0s/containerd.sock",
            credentials: "/var/lib/k0s/kubelet/pki/kubelet-client-current.pem",
        },
    );
    assert!(!k0s.flags_known);
}

#[tokio::test]
async fn exec_credentials_have_no_certificate_to_judge() {
    let node = Node::of("eks", AT);
    let look = node.look(&mut Certificates).await;
    assert!(with(&look, Kind::CertificateFile, "which", "client").is_empty());
    assert!(
        !look.blind.iter().any(|b| b.reason.contains("client certificate")),
        "{:#?}",
        look.blind
    );
}
