//! The daemon's configuration: a YAML file, the environment and flags, each winning over the one before, into one checked
//! value. Every fault is found before anything is refused, and each names where it is and what was expected.

pub mod file;
pub mod keys;
pub mod resolve;
pub mod value;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The configuration of `whynotready run`.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches of the operator")]
pub struct Config {
    /// The node's name; `None`: as the kubelet registers.
    pub node: Option<String>,
    /// Where the node's file system is mounted.
    pub host_root: PathBuf,
    /// The one directory that is written.
    pub state_dir: PathBuf,
    /// Causes laid over the built-in ones.
    pub catalog_dir: Option<PathBuf>,
    /// Metrics and health.
    pub listen_metrics: Option<SocketAddr>,
    /// The debug endpoint and the status page.
    pub listen_debug: Debug,
    /// Certificate and key of the metrics listener, PEM.
    pub listen_tls: Option<(PathBuf, PathBuf)>,
    /// File with the bearer token that `/metrics` asks for.
    pub listen_token_file: Option<PathBuf>,
    /// How far the first start looks back.
    pub look_back: Duration,
    /// Probe the API server.
    pub probe: bool,
    /// Read the kubelet's own Lease and Node with its certificate and key.
    pub as_kubelet: bool,
    /// Other API servers, `host:port`.
    pub peers: Vec<String>,
    /// Use the API server at all.
    pub api: bool,
    /// Ask the runtime over its CRI socket.
    pub cri: bool,
    /// Ask systemd over D-Bus.
    pub dbus: bool,
    /// The control plane's `--node-monitor-grace-period`.
    pub grace_period: Duration,
    /// The collector.
    pub otlp: Otlp,
    /// Write Kubernetes events.
    pub events: bool,
    /// Set the node condition.
    pub condition: bool,
    /// Bytes that the outbox may hold.
    pub outbox_bytes: u64,
    /// Incident bundles kept.
    pub bundles_keep: usize,
    /// Bytes that a bundle may have.
    pub bundles_bytes: u64,
}

/// Where the debug endpoint listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Debug {
    /// Nowhere.
    Off,
    /// On a loopback address.
    Tcp(SocketAddr),
    /// On a unix socket.
    Unix(PathBuf),
}

/// The OpenTelemetry Collector.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Otlp {
    /// Base URL; `None` is off, unless `OTEL_EXPORTER_OTLP_*` names one.
    pub endpoint: Option<String>,
    /// Sent with each request. Secret.
    pub headers: BTreeMap<String, String>,
    /// gzip.
    pub gzip: bool,
    /// For one request.
    pub timeout: Duration,
    /// CA bundle.
    pub ca: Option<PathBuf>,
    /// Client certificate.
    pub certificate: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// Send metrics too, so often.
    pub metrics: Option<Duration>,
}
