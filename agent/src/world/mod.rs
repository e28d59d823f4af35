//! The kubelet's world: which process is the kubelet, what it was started with, and where its kubeconfig, configuration,
//! certificates and runtime are.

use std::net::IpAddr;
use std::path::PathBuf;

pub mod config;
pub mod discover;
pub mod environment;
pub mod flags;
pub mod kubeconfig;
pub mod loadbalancer;
pub mod pem;
pub mod process;
pub mod rancher;
pub mod runtime;
pub mod schema;
pub mod settings;
pub mod table;
pub mod unit;
pub mod visible;
pub mod words;
pub mod yaml;

/// What was found. Whatever could not be found is `None` or empty; why is in `notes`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct World {
    /// The distribution by what lies on the node (`kubeadm`, `k3s`, `rke2`, `microk8s`, `k0s`, `eks`, …), where it is known.
    pub distribution: Option<&'static str>,
    /// The kubelet's process, where one runs. In k3s, RKE2's server, k0s and MicroK8s it is part of a larger one.
    pub kubelet: Option<Process>,
    /// The unit that runs it, whether it runs or not: `kubelet.service`, `k3s-agent.service`, …
    pub unit: Option<String>,
    /// The cgroup (below the cgroup root, beginning with `/`) that the unit or process has.
    pub cgroup: Option<String>,
    /// The kubelet's flags, from its command line or, where it does not run, from its unit and environment files;
    /// `--a=b`, `--a b` and `--a` (value `true`) alike, names without dashes.
    pub flags: Vec<(String, String)>,
    /// True where `flags` are what a kubelet was or would be started with, and not a guess by the distribution.
    pub flags_known: bool,
    /// The program that the unit's `ExecStart` names, where the unit was read.
    pub binary: Option<PathBuf>,
    /// `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY` (either case) of the unit, its drop-ins and environment files.
    pub proxy: Proxy,
    /// The name that the kubelet registers under: `--hostname-override`, the client certificate's, else the host's name
    /// in lower case.
    pub node_name: Option<String>,
    /// The kubeconfig.
    pub kubeconfig: Kubeconfig,
    /// The bootstrap kubeconfig's path, where the kubelet was given one.
    pub bootstrap_kubeconfig: Option<PathBuf>,
    /// The configuration file's path, where the kubelet has one.
    pub config_path: Option<PathBuf>,
    /// What is wrong with the configuration file and its drop-ins.
    pub config: ConfigFile,
    /// What of the configuration (file, drop-ins, flags; defaults filled in) the sources need.
    pub settings: Settings,
    /// `--cert-dir`, default `/var/lib/kubelet/pki`.
    pub cert_dir: PathBuf,
    /// `--root-dir`, default `/var/lib/kubelet`.
    pub root_dir: PathBuf,
    /// Where the distribution keeps certificates that neither flags nor configuration name (k3s, RKE2).
    pub extra_certificates: Vec<(&'static str, PathBuf)>,
    /// The container runtime.
    pub runtime: Runtime,
    /// Other addresses of API servers that the node knows of (k3s's and RKE2's load balancer, `/etc/hosts`, `peers`).
    pub peers: Vec<Endpoint>,
    /// What could not be found or read, and why; for the gaps of the sources that need it.
    pub notes: Vec<Note>,
}

/// Why something is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The path or thing.
    pub what: String,
    /// Why.
    pub why: String,
    /// True where permission is what is missing.
    pub denied: bool,
}

/// The kubelet's configuration file and its drop-ins, as they lie on the node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigFile {
    /// Of the file itself.
    pub state: ConfigState,
    /// Every fault of the file and its drop-ins, 16 at most.
    pub problems: Vec<Problem>,
    /// The drop-ins that were read, in the order in which they apply.
    pub drop_ins: Vec<PathBuf>,
}

/// The state of a configuration file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ConfigState {
    /// Nobody looked, it could not be read, or the kubelet was given none.
    #[default]
    Unknown,
    /// It parses and has no value of a wrong type.
    Ok,
    /// There is none at the path that the kubelet was given.
    Missing,
    /// It has no content.
    Empty,
    /// It does not parse, is not a `KubeletConfiguration`, or a value has a wrong type.
    Invalid,
}

/// One fault of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub path: PathBuf,
    /// Line from 1; 0 where unknown.
    pub line: u64,
    /// The field, as `authentication.x509.clientCAFile`; empty where the whole file is meant.
    pub field: String,
    /// What is wrong.
    pub words: String,
}

/// A process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id in the node's pid name space.
    pub pid: u32,
    /// `argv[0]`'s last part, or its `comm`.
    pub name: String,
    /// Its cgroup (v2, or the memory or name=systemd hierarchy of v1), beginning with `/`.
    pub cgroup: Option<String>,
}

/// The unit's proxy environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxy {
    /// For `https` URLs. Credentials in it are never shown.
    pub https: Option<String>,
    /// Hosts, domains, CIDRs that are reached directly.
    pub no_proxy: Option<String>,
}

/// Host and port of an API server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// A name or an address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The path in front of `/api`, without a trailing slash; usually empty.
    pub path: String,
}

impl Endpoint {
    /// The host as an address, where it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// `loopback`, `remote` or `name`: the words of the vocabulary's `scope`.
    pub fn scope(&self) -> &'static str {
        match self.ip() {
            Some(ip) if ip.is_loopback() => "loopback",
            Some(_) => "remote",
            None if self.host == "localhost" => "loopback",
            None => "name",
        }
    }
}

/// The kubeconfig as it lies on the node.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Kubeconfig {
    /// Its path, whether it exists or not.
    pub path: Option<PathBuf>,
    /// `ok missing empty directory invalid incomplete`: the words of the vocabulary; `unknown` where it could not be read.
    pub state: KubeconfigState,
    /// What is wrong with it: line (from 1, 0 where unknown) and words.
    pub problem: Option<(u64, String)>,
    /// Of the current context's cluster.
    pub server: Option<Endpoint>,
    /// The CA bundle's certificates in PEM, wherever they were.
    pub ca_pem: Option<Vec<u8>>,
    /// The CA's file, where it is not embedded.
    pub ca_path: Option<PathBuf>,
    /// `insecure-skip-tls-verify`.
    pub insecure: bool,
    /// `tls-server-name`.
    pub server_name: Option<String>,
    /// `proxy-url`.
    pub proxy_url: Option<String>,
    /// What the kubelet shows.
    pub credentials: Credentials,
}

/// The kubeconfig's state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum KubeconfigState {
    /// Nobody looked, or it could not be read.
    #[default]
    Unknown,
    /// It names a server and credentials.
    Ok,
    /// There is none.
    Missing,
    /// It has no bytes.
    Empty,
    /// A directory is in its place.
    Directory,
    /// It cannot be parsed.
    Invalid,
    /// It parses and lacks a server, a user or a context.
    Incomplete,
}

/// What the kubelet shows to the API server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Credentials {
    /// Nothing, or not known.
    #[default]
    None,
    /// A client certificate in a file (certificate and key may share it).
    Files {
        /// The certificate's.
        certificate: PathBuf,
        /// The key's.
        key: PathBuf,
    },
    /// A client certificate in the kubeconfig itself; PEM, certificates only.
    Embedded {
        /// CERTIFICATE blocks.
        certificate_pem: Vec<u8>,
    },
    /// A token. It is not kept.
    Token,
    /// An exec plugin.
    Exec {
        /// Its command.
        command: String,
    },
}

/// Settings of the kubelet that sources need, defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `healthzBindAddress:healthzPort`; port 0 is off.
    pub healthz: (String, u16),
    /// `port`: the kubelet's own server.
    pub port: u16,
    /// `failSwapOn`.
    pub fail_swap_on: bool,
    /// `memorySwap`, where `NodeSwap` is in use, so that swap is fine.
    pub swap_behavior: Option<String>,
    /// `cgroupDriver`.
    pub cgroup_driver: String,
    /// `resolvConf`; empty is none.
    pub resolv_conf: String,
    /// `staticPodPath`.
    pub static_pod_path: Option<String>,
    /// `authentication.x509.clientCAFile`.
    pub client_ca_file: Option<String>,
    /// `tlsCertFile`.
    pub tls_cert_file: Option<String>,
    /// `rotateCertificates`.
    pub rotate_certificates: bool,
    /// `--container-runtime-endpoint` or `containerRuntimeEndpoint` as it is written; `None` where neither is set.
    pub runtime_endpoint: Option<String>,
    /// `serverTLSBootstrap`.
    pub server_tls_bootstrap: bool,
    /// `nodeLeaseDurationSeconds`.
    pub lease_seconds: u64,
    /// `--node-ip`, all of them.
    pub node_ips: Vec<IpAddr>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            healthz: ("127.0.0.1".into(), 10248),
            port: 10250,
            fail_swap_on: true,
            swap_behavior: None,
            cgroup_driver: "cgroupfs".into(),
            resolv_conf: "/etc/resolv.conf".into(),
            static_pod_path: None,
            client_ca_file: None,
            tls_cert_file: None,
            rotate_certificates: false,
            runtime_endpoint: None,
            server_tls_bootstrap: false,
            lease_seconds: 40,
            node_ips: Vec::new(),
        }
    }
}

/// The container runtime.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Runtime {
    /// `containerd`, `crio`, `docker` or `other`, where it is known.
    pub program: Option<&'static str>,
    /// Its unit: `containerd.service`, `crio.service`, …; `None` where the kubelet's unit runs it (k3s, RKE2).
    pub unit: Option<String>,
    /// Its process, where one runs.
    pub process: Option<Process>,
    /// The CRI socket's path on the node.
    pub socket: Option<PathBuf>,
    /// Its configuration file.
    pub config_path: Option<PathBuf>,
    /// What is read of its configuration.
    pub config: RuntimeConfig,
}

/// What of the runtime's configuration matters to the kubelet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuntimeConfig {
    /// `systemd` or `cgroupfs`; `None` where it could not be read.
    pub cgroup_driver: Option<&'static str>,
    /// The layout's version, containerd only: 3 is written for containerd 2, which tells kubelets from 1.31 on its
    /// driver (`RuntimeConfig` of the CRI).
    pub version: Option<i64>,
    /// Where it looks for CNI configurations.
    pub cni_conf_dir: Option<PathBuf>,
    /// Why it could not be read or understood.
    pub problem: Option<String>,
}
