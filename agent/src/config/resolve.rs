//! File, environment and flags to one configuration, with the origin of each value.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::file::{self, Entry};
use super::keys::{KEYS, Key};
use super::{Config, Debug, Otlp};
use crate::spelling::distance;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    Default,
    /// A file and its line.
    File(String, usize),
    /// An environment variable.
    Env(String),
    /// A flag.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, line) => write!(f, "{path}: line {line}"),
            Self::Env(name) => f.write_str(name),
            Self::Flag(name) => write!(f, "--{name}"),
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A key with its value, as `config print --format json` and `/debug/config` have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Value {
    /// `listen.metrics`.
    #[serde(rename = "key")]
    pub path: &'static str,
    /// As written; `[hidden]` for a secret that is set.
    #[serde(rename = "value")]
    pub shown: String,
    /// Where it is from.
    pub origin: Origin,
    /// What it is for.
    pub about: &'static str,
}

/// A checked configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// The values that count.
    pub config: Config,
    /// Each key with its value and origin.
    pub values: Vec<Value>,
}

/// Everything that is wrong, one fault each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(pub Vec<String>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Faults {}

/// Metrics are sent no more often than this.
const OFTEN: Duration = Duration::from_secs(1);

/// What a configuration is made of.
pub struct Sources<'a> {
    /// The file's path and text, where there is one.
    pub file: Option<(&'a str, &'a str)>,
    /// The environment.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Flags: the key's path and the value.
    pub flags: &'a [(String, String)],
}

/// The configuration, or every fault.
pub fn resolve(sources: &Sources<'_>) -> Result<Resolved, Faults> {
    let mut faults = Vec::new();
    let mut config = empty();
    let mut values: Vec<Value> = Vec::new();
    let entries = file_entries(sources, &mut faults);
    for key in KEYS {
        let (text, origin) = pick(key, sources, &entries);
        if let Err(why) = (key.set)(&mut config, &text) {
            faults.push(format!("{origin}: {}: {why}", key.path));
        }
        let hide = key.secret && !text.is_empty();
        values.push(Value {
            path: key.path,
            shown: if hide { "[hidden]".to_owned() } else { text },
            origin,
            about: key.about,
        });
    }
    cross_check(&config, &values, &mut faults);
    if faults.is_empty() {
        Ok(Resolved { config, values })
    } else {
        Err(Faults(faults))
    }
}

fn file_entries(sources: &Sources<'_>, faults: &mut Vec<String>) -> Vec<Entry> {
    let Some((path, text)) = sources.file else {
        return Vec::new();
    };
    let mut entries = match file::entries(text) {
        Ok(entries) => entries,
        Err(malformed) => {
            faults.push(format!("{path}: line {}: {}", malformed.line, malformed.why));
            return Vec::new();
        }
    };
    headers_to_list(&mut entries);
    for (i, entry) in entries.iter().enumerate() {
        if !KEYS.iter().any(|k| k.path == entry.path) {
            let nearest = nearest(&entry.path).map_or_else(String::new, |k| format!("; did you mean `{k}`?"));
            faults.push(format!(
                "{path}: line {}: unknown key `{}`{nearest}",
                entry.line, entry.path
            ));
        }
        if entries[..i].iter().any(|e| e.path == entry.path) {
            faults.push(format!("{path}: line {}: `{}` is set twice", entry.line, entry.path));
        }
    }
    entries
}

/// `otlp.headers` may be written as a map.
fn headers_to_list(entries: &mut Vec<Entry>) {
    let mut joined: Option<Entry> = None;
    entries.retain(|e| {
        let Some(name) = e.path.strip_prefix("otlp.headers.") else {
            return true;
        };
        let pair = format!("{name}={}", e.value);
        match &mut joined {
            Some(all) => {
                all.value.push(',');
                all.value.push_str(&pair);
            }
            None => {
                joined = Some(Entry {
                    path: "otlp.headers".into(),
                    value: pair,
                    line: e.line,
                    list: true,
                });
            }
        }
        false
    });
    entries.extend(joined);
}

fn pick(key: &Key, sources: &Sources<'_>, entries: &[Entry]) -> (String, Origin) {
    if let Some((_, value)) = sources.flags.iter().rev().find(|(path, _)| path == key.path) {
        return (value.clone(), Origin::Flag(key.flag()));
    }
    let name = key.env();
    if let Some(value) = (sources.env)(&name) {
        return (value, Origin::Env(name));
    }
    if let (Some(entry), Some((path, _))) = (entries.iter().find(|e| e.path == key.path), sources.file) {
        return (entry.value.clone(), Origin::File(path.to_owned(), entry.line));
    }
    (key.default.to_owned(), Origin::Default)
}

/// What holds between keys.
fn cross_check(config: &Config, values: &[Value], faults: &mut Vec<String>) {
    let origin = |path: &str| {
        values
            .iter()
            .find(|v| v.path == path)
            .map_or_else(String::new, |v| v.origin.to_string())
    };
    let pairs = [
        ("listen.tls.certificate", "listen.tls.key", config.listen_tls.clone()),
        (
            "otlp.tls.certificate",
            "otlp.tls.key",
            match (&config.otlp.certificate, &config.otlp.key) {
                (None, None) => None,
                (certificate, key) => Some((certificate.clone().unwrap_or_default(), key.clone().unwrap_or_default())),
            },
        ),
    ];
    for (first, second, pair) in pairs {
        let Some((certificate, key)) = pair else { continue };
        if certificate.as_os_str().is_empty() {
            faults.push(format!("{}: {second} is set, {first} is not", origin(second)));
        }
        if key.as_os_str().is_empty() {
            faults.push(format!("{}: {first} is set, {second} is not", origin(first)));
        }
    }
    if config.outbox_bytes < 64 * 1024 {
        faults.push(format!(
            "{}: outbox.max_bytes: expected 64KiB at least",
            origin("outbox.max_bytes")
        ));
    }
    if config.otlp.timeout.is_zero() {
        faults.push(format!(
            "{}: otlp.timeout: expected more than 0s: no request would ever succeed",
            origin("otlp.timeout")
        ));
    }
    if config.otlp.metrics.is_some_and(|every| every < OFTEN) {
        faults.push(format!(
            "{}: otlp.metrics.interval: expected 1s at least",
            origin("otlp.metrics.interval")
        ));
    }
    if !config.api && (config.events || config.condition) {
        faults.push(format!(
            "{}: api.enabled is off, and kubernetes.events or kubernetes.condition is on",
            origin("api.enabled")
        ));
    }
}

/// The known key that is written most alike.
fn nearest(path: &str) -> Option<&'static str> {
    KEYS.iter()
        .map(|k| (distance(path, k.path), k.path))
        .min()
        .filter(|(d, k)| *d * 2 <= k.len())
        .map(|(_, k)| k)
}

fn empty() -> Config {
    Config {
        node: None,
        host_root: "/".into(),
        state_dir: "/var/lib/whynotready".into(),
        catalog_dir: None,
        listen_metrics: None,
        listen_debug: Debug::Off,
        listen_tls: None,
        listen_token_file: None,
        look_back: Duration::ZERO,
        probe: true,
        as_kubelet: false,
        peers: Vec::new(),
        api: true,
        cri: false,
        dbus: true,
        grace_period: Duration::ZERO,
        otlp: Otlp::default(),
        events: false,
        condition: false,
        outbox_bytes: 0,
        bundles_keep: 0,
        bundles_bytes: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(file: Option<(&str, &str)>, env: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Resolved, Faults> {
        let flags: Vec<(String, String)> = flags.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect();
        resolve(&Sources {
            file,
            env: &|name| env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()),
            flags: &flags,
        })
    }

    #[test]
    fn nothing_at_all_is_a_configuration() {
        let resolved = with(None, &[], &[]).unwrap();
        assert_eq!(resolved.config.listen_metrics, Some("0.0.0.0:10950".parse().unwrap()));
        assert_eq!(resolved.config.grace_period, Duration::from_secs(40));
        assert!(resolved.values.iter().all(|v| v.origin == Origin::Default));
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_the_file() {
        let file = Some(("c.yaml", "journal: {look_back: 1m}\nnode: file\ncri: {enabled: true}\n"));
        let env = [("WHYNOTREADY_NODE", "env"), ("WHYNOTREADY_JOURNAL_LOOK_BACK", "2m")];
        let resolved = with(file, &env, &[("node", "flag")]).unwrap();
        assert_eq!(resolved.config.node.as_deref(), Some("flag"));
        assert_eq!(resolved.config.look_back, Duration::from_mins(2));
        assert!(resolved.config.cri);
        let shown: Vec<String> = resolved
            .values
            .iter()
            .filter(|v| v.origin != Origin::Default)
            .map(|v| format!("{} {} {}", v.path, v.shown, v.origin))
            .collect();
        assert_eq!(
            shown,
            [
                "node flag --node",
                "journal.look_back 2m WHYNOTREADY_JOURNAL_LOOK_BACK",
                "cri.enabled true c.yaml: line 3",
            ]
        );
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let text = "listen:\n  metric: 0.0.0.0:1\n  debug: 0.0.0.0:2\ngrace_period: soon\nlisten.tls: {}\n";
        let faults = with(Some(("c.yaml", text)), &[("WHYNOTREADY_CRI_ENABLED", "perhaps")], &[])
            .unwrap_err()
            .0;
        assert_eq!(faults.len(), 4, "{faults:#?}");
        assert!(
            faults[0].contains("line 2: unknown key `listen.metric`; did you mean `listen.metrics`?"),
            "{faults:#?}"
        );
        assert!(
            faults
                .iter()
                .any(|f| f.starts_with("c.yaml: line 3: listen.debug: expected a loopback"))
        );
        assert!(
            faults
                .iter()
                .any(|f| f.starts_with("WHYNOTREADY_CRI_ENABLED: cri.enabled: expected true or false"))
        );
    }

    #[test]
    fn times_that_cannot_work_are_refused() {
        let text = "otlp:\n  timeout: 0s\n  metrics:\n    enabled: true\n    interval: 0s\n";
        let faults = with(Some(("c.yaml", text)), &[], &[]).unwrap_err().0;
        assert_eq!(
            faults,
            [
                "c.yaml: line 2: otlp.timeout: expected more than 0s: no request would ever succeed",
                "c.yaml: line 5: otlp.metrics.interval: expected 1s at least",
            ]
        );
        assert!(
            with(None, &[("WHYNOTREADY_OTLP_METRICS_INTERVAL", "0s")], &[]).is_ok(),
            "none are sent"
        );
    }

    #[test]
    fn secrets_are_hidden_and_pairs_are_whole() {
        let text = "otlp: {headers: {authorization: Bearer x}, tls: {key: /k}}\n";
        let faults = with(Some(("c.yaml", text)), &[], &[]).unwrap_err().0;
        assert_eq!(
            faults,
            ["c.yaml: line 1: otlp.tls.key is set, otlp.tls.certificate is not"]
        );
        let text = "otlp: {headers: {authorization: Bearer x}}\n";
        let resolved = with(Some(("c.yaml", text)), &[], &[]).unwrap();
        assert_eq!(resolved.config.otlp.headers["authorization"], "Bearer x");
        assert!(
            resolved
                .values
                .iter()
                .any(|v| v.path == "otlp.headers" && v.shown == "[hidden]")
        );
    }
}
