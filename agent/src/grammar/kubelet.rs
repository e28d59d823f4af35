//! The kubelet's lines.

use std::borrow::Cow;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::fact::{Fact, Kind};
use super::kv::{self, Pairs};
use super::line::{Level, Parsed};
use super::scan::{after, automaton, head};
use super::{api_call, crash, cri, embed, go_error, kubelet_words, readiness};

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
    "serving cert",
    "cert/key",
];

/// How far into a line of information the trigger must stand: further on are values.
const INFO_HEAD: usize = 192;
/// The same for lines of other levels; a longer one carries a dump of an object.
const ERROR_HEAD: usize = 16 * 1024;

static PREFILTER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| automaton(TRIGGERS.iter().copied()));

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
    let limit = if level == Level::Info { INFO_HEAD } else { ERROR_HEAD };
    let relevant = level == Level::Fatal
        || PREFILTER
            .as_ref()
            .is_none_or(|automaton| automaton.is_match(&bare.rest.as_bytes()[..bare.rest.len().min(limit)]));
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
    } else if let Some(fact) = spoken_fatal(text) {
        parsed.level = Level::Fatal;
        parsed.facts.push(fact);
    } else if is_truncated_statement(text) {
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
fn is_truncated_statement(text: &str) -> bool {
    const OWN: &[&str] = &[
        "to update lease",
        "to update node lease",
        "to ensure lease exists",
        "to ensure node lease exists",
        "updating node status, will retry",
        "kipping pod synchronization",
        "register node with API server",
        "Failed to list *v1.",
        "failed to list *v1.",
        "from runtime service failed",
        "Unable to write event",
        "ousekeeping took",
    ];
    let start = head(text, 256);
    OWN.iter().any(|words| start.contains(words))
}
