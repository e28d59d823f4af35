//! The kubelet's lines.

use std::borrow::Cow;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::fact::{Fact, Kind};
use super::kv::{self, Pairs};
use super::line::{Level, Parsed};
use super::scan::{after, automaton, head};
use super::{api_call, crash, cri, embed, go_error, klog, kubelet_words, readiness};

/// A message with its pairs.
#[derive(Debug)]
pub(super) struct Statement<'a> {
    pub(super) level: Level,
    pub(super) file: &'a str,
    pub(super) message: Cow<'a, str>,
    pub(super) pairs: Pairs<'a>,
}

impl Statement<'_> {
    /// The text of the error that the pairs hold.
    pub(super) fn error(&self) -> Option<&str> {
        kv::get(&self.pairs, "err").or_else(|| kv::get(&self.pairs, "error"))
    }
}

/// Words without which no line states anything; searched before anything is taken apart.
const TRIGGERS: &[&str] = &[
    "ease",
    "node status",
    "getting node",
    "current node from lister",
    "register",
    "write event",
    "ejected event",
    "ailed to watch",
    "ailed to list",
    "atch ended",
    "watch of *",
    "/api/v1",
    "/apis/",
    "ertificate",
    "CSINode",
    "status for pod",
    "mirror pod",
    "rpc error",
    "addrConn",
    "Docker daemon",
    "not ready",
    "just became ready",
    "NodeReady",
    "pod synchronization",
    "Kubelet version",
    "Version: v",
    "ommand failed",
    "un Kubelet",
    "run kubelet",
    "anic",
    "Housekeeping",
    "ousekeeping took",
    "total time:",
    "following dirs took",
    "viction",
    "evict",
    "attempting to reclaim",
    "shutdown event",
    "not found",
    "isten and serve",
    "start cAdvisor",
    "start ContainerManager",
    "create listener",
    "TLS handshake error",
    "unknown flag",
    "sanity check",
    "credentials",
    "ocker endpoint",
    "isting containers",
    "serving cert",
    "cert/key",
];

/// The same for lines of information, of which there are many: what the kubelet tells at that level.
const INFO_TRIGGERS: &[&str] = &[
    "Kubelet version",
    "Version: v",
    "not ready",
    "just became ready",
    "NodeReady",
    "registered node",
    "previously registered",
    "watch ended with error",
    "watch of *",
    "total time:",
    "attempting to reclaim",
    "evict pod",
    "evicted",
    "thresholds have been met",
    "shutdown event",
    "rotation detected",
    "ousekeeping took",
    "TLS handshake error",
    "pod synchronization",
    "event message",
    "ertificate is found",
    "ertificate has expired",
    "bootstrap client certificate",
    "following dirs took",
    "anic",
    "certificate signing request",
    "Failed to list",
    "Unable to register",
];

/// How far into a line of information the trigger must stand: further on are values.
const INFO_HEAD: usize = 192;
/// The same for lines of other levels; a longer one carries a dump of an object.
const ERROR_HEAD: usize = 16 * 1024;

static PREFILTER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| automaton(TRIGGERS.iter().copied()));

static INFO_PREFILTER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| automaton(INFO_TRIGGERS.iter().copied()));

/// Parses one line of the kubelet or of a unit that holds one.
pub(super) fn parse(text: &str) -> Parsed {
    let bare = embed::bare(text);
    let level = bare.level;
    let mut parsed = Parsed {
        level,
        header: bare.time,
        pid: bare.pid,
        facts: Vec::new(),
        continuation: false,
    };
    if !bare.headed {
        return headless(&bare.rest, parsed);
    }
    // A header without its letter has no level of its own: only `I` is information by its own words.
    let (limit, filter) = match level {
        Level::Info if text.starts_with('I') => (INFO_HEAD, &INFO_PREFILTER),
        _ => (ERROR_HEAD, &PREFILTER),
    };
    let start = &bare.rest.as_bytes()[..bare.rest.len().min(limit)];
    let relevant = level == Level::Fatal || filter.as_ref().is_none_or(|automaton| automaton.is_match(start));
    if relevant {
        let (message, pairs) = kv::message(&bare.rest);
        parsed.facts = facts(&Statement {
            level,
            file: &bare.file,
            message,
            pairs,
        });
    }
    parsed
}

/// Parses one line of another program: where it is klog and tells of a failed call to the API server, that is a fact.
pub(super) fn parse_others(text: &str) -> Parsed {
    let header = klog::header(text);
    let mut parsed = Parsed {
        level: header.as_ref().map_or(Level::Info, |h| h.level),
        header: header.as_ref().map(|h| h.time),
        pid: header.as_ref().and_then(|h| h.pid),
        facts: Vec::new(),
        continuation: false,
    };
    if let Some(header) = header.filter(|h| h.level >= Level::Warning && h.rest.contains("/api")) {
        let (message, pairs) = kv::message(header.rest);
        parsed.facts.extend(api_call::of_others(&Statement {
            level: header.level,
            file: header.file,
            message,
            pairs,
        }));
    }
    parsed
}

fn facts(statement: &Statement<'_>) -> Vec<Fact> {
    let mut found = Vec::new();
    if let Some(fact) = fatal(statement) {
        found.push(fact);
    }
    found.extend(cri::fact(statement));
    found.extend(kubelet_words::facts(statement));
    found.extend(readiness::node_ready(statement));
    found.extend(readiness::skip_sync(statement));
    found.extend(api_call::fact(statement));
    found
}

/// Messages after which the kubelet exits, whatever their level.
const EXITS: &[&str] = &[
    "command failed",
    "ailed to run Kubelet",
    "ailed to run kubelet",
    "ailed to listen and serve",
    "ailed to start cAdvisor",
    "ailed to start ContainerManager",
    "ailed to create listener for pod",
    "ailed to create listener for pods API",
    "server is responsive, exiting",
];

fn fatal(statement: &Statement<'_>) -> Option<Fact> {
    let message = &*statement.message;
    let exits = statement.level == Level::Fatal
        || statement.level == Level::Error && EXITS.iter().any(|words| message.contains(words));
    exits.then(|| {
        let text = match statement.error() {
            Some(error) if message == "command failed" => error.to_owned(),
            Some(error) => format!("{message}: {error}"),
            None => message.to_owned(),
        };
        fatal_fact(&text)
    })
}

fn fatal_fact(text: &str) -> Fact {
    let error = go_error::classify(text).map_or("other", |c| c.error);
    Fact::new(Kind::KubeletFatal)
        .with_text("message", head(text, 2048))
        .with("error", error)
}

/// Lines without a header: Go's crashes, cobra's errors, usage text, dumps, values of several lines.
fn headless(text: &str, mut parsed: Parsed) -> Parsed {
    if let Some(fact) = crash::fact(text, "kubelet") {
        parsed.level = Level::Fatal;
        parsed.facts.push(fact);
    } else if crash::is_continuation(text) || text.starts_with("Trace[") {
        parsed.continuation = true;
        parsed.facts.extend(crash::dump_fact(text));
    } else if let Some(fact) = spoken_fatal(text) {
        parsed.level = Level::Fatal;
        parsed.facts.push(fact);
    } else if let Some(text) = truncated_statement(text) {
        let (message, pairs) = kv::message(text);
        parsed.facts = facts(&Statement {
            level: Level::Error,
            file: "",
            message,
            pairs,
        });
    } else if text.contains(" level=") {
        parsed.level = super::runtime::level(text);
    }
    parsed
}

fn spoken_fatal(text: &str) -> Option<Fact> {
    if let Some(rest) = text.strip_prefix("\"command failed\"") {
        return Some(fatal_fact(kv::get(&kv::pairs(rest), "err").unwrap_or(rest)));
    }
    if let Some(message) = after(text, "Exit with error: ") {
        return Some(fatal_fact(message));
    }
    if let Some(message) = text.strip_prefix("Error: ").or_else(|| text.strip_prefix("error: ")) {
        return Some(fatal_fact(message));
    }
    if text.starts_with("failed to run Kubelet")
        || text.starts_with("unknown flag")
        || text.starts_with("unknown shorthand flag")
    {
        return Some(fatal_fact(text));
    }
    // k3s, RKE2 and k0s end with a logrus line of their own.
    if text.contains(" level=fatal ") || text.contains("Kubelet exited: ") {
        let message = after(text, "msg=")
            .map(|m| kv::quoted(m).0)
            .unwrap_or(Cow::Borrowed(text));
        return Some(fatal_fact(&message));
    }
    None
}

/// The field knows lines whose front is cut off: `ed to update lease, error: …`.
fn truncated_statement(text: &str) -> Option<&str> {
    const OWN: &[&str] = &[
        "to update lease",
        "to update node lease",
        "to ensure lease exists",
        "to ensure node lease exists",
        "rror updating node status",
        "kipping pod synchronization",
        "register node with API server",
        "Failed to list *v1.",
        "failed to list *v1.",
        "from runtime service failed",
        "Unable to write event",
        "contact API server when waiting for CSINode",
        "ousekeeping took",
    ];
    // `reflector.go:123] …`: the header's front is gone.
    if let Some((place, rest)) = text.split_once("] ")
        && place.len() < 80
        && place
            .rsplit_once(':')
            .is_some_and(|(file, line)| file.strip_suffix(".go").is_some() && line.bytes().all(|b| b.is_ascii_digit()))
    {
        return Some(rest);
    }
    let start = head(text, 256);
    OWN.iter().any(|words| start.contains(words)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `kind` or `kind op error` of every fact of a line.
    fn said(text: &str) -> Vec<String> {
        let words = |f: &Fact| {
            let attrs = ["op", "what", "because", "error"]
                .iter()
                .filter_map(|a| f.text(a))
                .collect::<Vec<_>>();
            format!("{} {}", f.kind.word(), attrs.join(" ")).trim_end().to_owned()
        };
        parse(text).facts.iter().map(words).collect()
    }

    fn line(rest: &str) -> String {
        format!("E1123 10:51:26.246379     371 x.go:260] {rest}")
    }

    #[test]
    fn statements() {
        for (rest, expected) in [
            (
                r#""Failed to update lease" err="Put \"https://10.0.0.1:6443/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/a?timeout=10s\": dial tcp 10.0.0.1:6443: connect: connection refused""#,
                "api-call lease refused",
            ),
            (
                r#""Failed to update lease" err="context deadline exceeded""#,
                "api-call lease deadline",
            ),
            (
                "failed to ensure node lease exists, will retry in 7s, error: Get https://10.0.0.1:6443/apis/x: net/http: TLS handshake timeout",
                "api-call lease tls-handshake-timeout",
            ),
            (
                r#""Failed to update lease" err="Operation cannot be fulfilled on leases.coordination.k8s.io \"a\": the object has been modified; please apply your changes to the latest version and try again""#,
                "api-call lease conflict",
            ),
            (
                r#"Error updating node status, will retry: failed to patch status "{\"m\":\"connection refused\"}" for node "a": nodes "a" not found"#,
                "api-call node-status not-found",
            ),
            (
                r#""Error getting the current node from lister" err="node \"a\" not found""#,
                "api-call node-status node-cache",
            ),
            (
                r#""ListPodSandbox with filter from runtime service failed" err="rpc error: code = Unavailable desc = connection error: desc = \"transport: Error while dialing: dial unix /run/containerd/containerd.sock: connect: no such file or directory\"""#,
                "cri-call ListPodSandbox no-such-file",
            ),
            (
                r#""Skipping pod synchronization" err="[container runtime is down, PLEG is not healthy: pleg was last seen active 3m5s ago; threshold is 3m0s]""#,
                "skip-sync runtime-down",
            ),
            (
                r#""command failed" err="failed to parse kubelet flag: unknown flag: --x""#,
                "kubelet-fatal other",
            ),
        ] {
            assert_eq!(said(&line(rest)), [expected], "{rest}");
        }
    }

    #[test]
    fn near_misses() {
        for rest in [
            r#""Error syncing pod, skipping" err="failed to \"StartContainer\" with ErrImagePull: \"failed to pull image: Get \\\"https://registry.local/v2/\\\": dial tcp 10.0.0.9:443: connect: connection refused\"""#,
            r#""Probe failed" probeType="Liveness" output="Get \"http://10.244.0.3:8080/healthz\": dial tcp 10.244.0.3:8080: connect: connection refused""#,
            r#""Error syncing pod" err="plugin type=\"calico\" failed (add): Get \"https://10.96.0.1:443/apis/crd.projectcalico.org/v1/x\": dial tcp 10.96.0.1:443: i/o timeout""#,
            "Error on socket receive: read tcp 127.0.0.1:1->127.0.0.1:2: use of closed network connection",
            r#""PullImage from image service failed" err="rpc error: code = Unknown desc = failed to pull and unpack image: dial tcp 10.0.0.9:443: connect: connection refused""#,
            "GET https://10.0.0.1:6443/api/v1/nodes/a",
        ] {
            assert!(said(&line(rest)).is_empty(), "{rest}: {:?}", said(&line(rest)));
        }
        assert_eq!(
            said(&line("http: TLS handshake error from 10.0.0.7:1234: EOF")),
            ["certificate tls-handshake-noise"]
        );
        assert!(parse("goroutine 12 [select]:").continuation);
    }

    #[test]
    fn forbidden_names_its_user() {
        let text = line(
            r#""Unable to register node with API server" err="nodes is forbidden: User \"system:anonymous\" cannot create resource \"nodes\" in API group \"\" at the cluster scope" node="a""#,
        );
        let fact = &parse(&text).facts[0];
        assert_eq!(
            (fact.text("op"), fact.text("user_kind"), fact.text("subject")),
            (Some("register"), Some("anonymous"), Some("node"))
        );
    }
}
