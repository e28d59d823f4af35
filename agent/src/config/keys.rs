//! Every key: its path, its default, what it is for, and how it is set. A new key is one row and one field.

use std::path::PathBuf;

use super::value::{duration, size, socket, switch};
use super::{Config, Debug};

/// How a key takes its value.
pub type Set = fn(&mut Config, &str) -> Result<(), String>;

/// One key.
#[derive(Clone, Copy)]
pub struct Key {
    /// `listen.metrics`; in the environment `WHYNOTREADY_LISTEN_METRICS`, as a flag `--listen-metrics`.
    pub path: &'static str,
    /// As one would write it.
    pub default: &'static str,
    /// One line for `config print`.
    pub about: &'static str,
    /// Never shown.
    pub secret: bool,
    /// Sets it.
    pub set: Set,
}

impl Key {
    /// The environment variable.
    pub fn env(&self) -> String {
        format!("WHYNOTREADY_{}", self.path.replace('.', "_").to_ascii_uppercase())
    }

    /// The flag, without dashes in front.
    pub fn flag(&self) -> String {
        self.path.replace(['.', '_'], "-")
    }
}

fn path(text: &str) -> Option<PathBuf> {
    (!text.is_empty()).then(|| PathBuf::from(text))
}

fn list(text: &str) -> Vec<String> {
    text.split(',')
        .map(str::trim)
        .filter(|p| !p.is_empty())
        .map(str::to_owned)
        .collect()
}

fn absolute(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_absolute() {
        Ok(path)
    } else {
        Err(format!("expected an absolute path, found {text:?}"))
    }
}

fn debug(text: &str) -> Result<Debug, String> {
    if text.is_empty() || text == "off" {
        return Ok(Debug::Off);
    }
    if let Some(path) = text.strip_prefix("unix:") {
        return absolute(path).map(Debug::Unix);
    }
    let address = socket(text)?;
    if address.ip().is_loopback() {
        Ok(Debug::Tcp(address))
    } else {
        Err(format!(
            "expected a loopback address or unix:/path, found {text:?}: what it shows is not for the network"
        ))
    }
}

fn peers(text: &str) -> Result<Vec<String>, String> {
    let peers = list(text);
    let is_peer = |p: &String| {
        p.rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
    };
    match peers.iter().find(|p| !is_peer(p)) {
        Some(bad) => Err(format!("expected host:port, found {bad:?}")),
        None => Ok(peers),
    }
}

fn compression(text: &str) -> Result<bool, String> {
    match text {
        "gzip" => Ok(true),
        "none" | "" => Ok(false),
        _ => Err(format!("expected gzip or none, found {text:?}")),
    }
}

fn endpoint(text: &str) -> Result<Option<String>, String> {
    match text {
        "" => Ok(None),
        url if url.starts_with("http://") || url.starts_with("https://") => Ok(Some(url.to_owned())),
        _ => Err(format!("expected a URL such as http://collector:4318, found {text:?}")),
    }
}

fn headers(config: &mut Config, text: &str) -> Result<(), String> {
    config.otlp.headers.clear();
    for pair in list(text) {
        // The value is secret: it is not quoted.
        let (name, value) = pair.split_once('=').ok_or("expected name=value pairs")?;
        config
            .otlp
            .headers
            .insert(name.trim().to_owned(), value.trim().to_owned());
    }
    Ok(())
}

/// A number of bundles.
fn count(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|n| *n <= 100)
        .ok_or_else(|| format!("expected a number up to 100, found {text:?}"))
}

macro_rules! keys {
    ($($path:literal, $default:literal, $about:literal, |$config:ident, $text:ident| $set:expr;)+) => {
        &[$(Key {
            path: $path,
            default: $default,
            about: $about,
            secret: matches!($path.as_bytes(), b"otlp.headers"),
            set: |$config, $text| { $set; Ok(()) },
        },)+]
    };
}

/// All keys, in the order in which they are shown.
#[rustfmt::skip] // one row a key: a table
pub const KEYS: &[Key] = keys! {
    "node", "", "the node's name; empty: as the kubelet registers", |c, t| c.node = (!t.is_empty()).then(|| t.to_owned());
    "host_root", "/", "where the node's file system is mounted", |c, t| c.host_root = absolute(t)?;
    "state_dir", "/var/lib/whynotready", "the one directory that is written", |c, t| c.state_dir = absolute(t)?;
    "catalog_dir", "", "causes laid over the built-in ones", |c, t| c.catalog_dir = path(t);
    "listen.metrics", "0.0.0.0:10950", "metrics and health; empty: off", |c, t| c.listen_metrics = if t.is_empty() { None } else { Some(socket(t)?) };
    "listen.debug", "127.0.0.1:10951", "debug endpoint and status page: loopback, unix:/path, or off", |c, t| c.listen_debug = debug(t)?;
    "listen.tls.certificate", "", "certificate of the metrics listener", |c, t| tls(c, path(t), 0);
    "listen.tls.key", "", "its key", |c, t| tls(c, path(t), 1);
    "listen.token_file", "", "file with the bearer token that /metrics asks for", |c, t| c.listen_token_file = path(t);
    "journal.look_back", "30m", "how far a start looks back at least", |c, t| c.look_back = duration(t)?;
    "probe.enabled", "true", "probe the API server", |c, t| c.probe = switch(t)?;
    "probe.as_kubelet", "false", "read the kubelet's own Lease and Node with its certificate and key", |c, t| c.as_kubelet = switch(t)?;
    "probe.peers", "", "other API servers, host:port", |c, t| c.peers = peers(t)?;
    "api.enabled", "true", "use the API server at all", |c, t| c.api = switch(t)?;
    "cri.enabled", "false", "ask the runtime over its CRI socket", |c, t| c.cri = switch(t)?;
    "dbus.enabled", "true", "ask systemd over D-Bus", |c, t| c.dbus = switch(t)?;
    "grace_period", "40s", "the control plane's --node-monitor-grace-period", |c, t| c.grace_period = duration(t)?;
    "otlp.endpoint", "", "base URL of the collector; empty: OTEL_EXPORTER_OTLP_ENDPOINT, or off", |c, t| c.otlp.endpoint = endpoint(t)?;
    "otlp.headers", "", "sent with each request", |c, t| headers(c, t)?;
    "otlp.compression", "gzip", "gzip or none", |c, t| c.otlp.gzip = compression(t)?;
    "otlp.timeout", "10s", "for one request", |c, t| c.otlp.timeout = duration(t)?;
    "otlp.tls.ca", "", "CA bundle", |c, t| c.otlp.ca = path(t);
    "otlp.tls.certificate", "", "client certificate", |c, t| c.otlp.certificate = path(t);
    "otlp.tls.key", "", "its key", |c, t| c.otlp.key = path(t);
    "otlp.metrics.enabled", "false", "send metrics too", |c, t| c.otlp.metrics = switch(t)?.then(|| c.otlp.metrics.unwrap_or(std::time::Duration::from_mins(1)));
    "otlp.metrics.interval", "60s", "how often", |c, t| { let every = duration(t)?; c.otlp.metrics = c.otlp.metrics.map(|_| every) };
    "kubernetes.events", "false", "write Kubernetes events", |c, t| c.events = switch(t)?;
    "kubernetes.condition", "false", "set the node condition KubeletHeartbeatProblem", |c, t| c.condition = switch(t)?;
    "outbox.max_bytes", "16MiB", "what the outbox may hold", |c, t| c.outbox_bytes = size(t)?;
    "bundles.keep", "5", "incident bundles kept", |c, t| c.bundles_keep = count(t)?;
    "bundles.max_bytes", "2MiB", "what one may have", |c, t| c.bundles_bytes = size(t)?;
};

fn tls(config: &mut Config, path: Option<PathBuf>, which: usize) {
    let (mut certificate, mut key) = config.listen_tls.take().unwrap_or_default();
    let part = if which == 0 { &mut certificate } else { &mut key };
    *part = path.unwrap_or_default();
    let empty = certificate.as_os_str().is_empty() && key.as_os_str().is_empty();
    config.listen_tls = (!empty).then_some((certificate, key));
}
