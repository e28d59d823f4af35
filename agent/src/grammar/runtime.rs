//! containerd, CRI-O and Docker by their own words.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::fact::{Fact, Kind};
use super::line::{Level, Parsed};
use super::scan::{after, automaton, head};
use super::{crash, embed, go_error, kv};

/// Words and what they say; the first that is there counts.
const WORDS: &[(&str, &str)] = &[
    ("cni conf dir is removed", "cni-directory-removed"),
    ("cni network conf monitor error", "cni-directory-removed"),
    ("cni config load failed", "cni-load-failed"),
    ("failed to load cni during init", "cni-load-failed"),
    ("No CNI configuration file in", "cni-load-failed"),
    ("no CNI configuration file in", "cni-load-failed"),
    ("containerd successfully booted", "started"),
    ("starting containerd", "starting"),
    ("Starting CRI-O", "starting"),
    ("API listen on", "started"),
    ("Stop CRI service", "stopping"),
    ("Daemon shutdown complete", "stopping"),
    ("Processing signal 'terminated'", "stopping"),
    ("waiting for response from boltdb open", "bolt-wait"),
    ("is reserved for", "name-reserved"),
    ("error reserving ctr name", "name-reserved"),
    ("error reserving pod name", "name-reserved"),
    ("equests that are timing out in CRI-O", "name-reserved"),
    ("failed to start shim", "shim-failed"),
    ("failed to load shim", "shim-failed"),
    ("failed to load plugin", "plugin-failed"),
    ("level=fatal", "fatal"),
];

/// Plug-ins without which there is no CRI.
const CRI_PLUGINS: &[&str] = &["io.containerd.cri", "io.containerd.grpc.v1.cri"];

static PREFILTER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| automaton(WORDS.iter().map(|(words, _)| *words)));

/// Parses one line of a container runtime.
pub(super) fn parse(text: &str) -> Parsed {
    let mut parsed = Parsed {
        level: level(text),
        header: None,
        pid: None,
        facts: Vec::new(),
        continuation: false,
    };
    if !text.starts_with("time=") {
        return without_logrus(text, parsed);
    }
    if PREFILTER.as_ref().is_none_or(|automaton| automaton.is_match(text)) {
        parsed.facts.extend(statement(text));
    }
    parsed
}

/// The level of a logrus line.
pub(super) fn level(text: &str) -> Level {
    let Some(rest) = after(head(text, 120), "level=") else {
        return Level::Info;
    };
    match rest.as_bytes().first() {
        Some(b'w') => Level::Warning,
        Some(b'e') => Level::Error,
        Some(b'f' | b'p') => Level::Fatal,
        _ => Level::Info,
    }
}

fn without_logrus(text: &str, mut parsed: Parsed) -> Parsed {
    if let Some(fact) = crash::fact(text, "runtime") {
        parsed.level = Level::Fatal;
        parsed.facts.push(fact);
    } else if crash::is_continuation(text) {
        parsed.continuation = true;
    } else if let Some(message) = text.strip_prefix("containerd: ") {
        // Printed before logging exists, then exit 1.
        const CONFIG: &[&str] = &["TOML", "toml", "config", "plugin"];
        let what = if CONFIG.iter().any(|w| message.contains(w)) {
            "config-invalid"
        } else {
            "fatal"
        };
        parsed.level = Level::Fatal;
        parsed.facts.push(fact(what, "containerd", message, message));
    } else {
        let bare = embed::bare(text);
        parsed.level = bare.level;
        parsed.header = bare.time;
        parsed.pid = bare.pid;
    }
    parsed
}

fn statement(text: &str) -> Option<Fact> {
    let (_, what) = WORDS.iter().find(|(words, _)| text.contains(words))?;
    let pairs = kv::pairs(text);
    let message = kv::get(&pairs, "msg").unwrap_or("");
    let error = kv::get(&pairs, "error")
        .or_else(|| kv::get(&pairs, "err"))
        .unwrap_or("");
    if *what == "plugin-failed"
        && !CRI_PLUGINS
            .iter()
            .any(|p| kv::get(&pairs, "id").unwrap_or("").starts_with(p) || message.contains(p))
    {
        return None;
    }
    let program = program(text);
    Some(fact(
        what,
        program,
        if error.is_empty() { message } else { error },
        message,
    ))
}

fn fact(what: &'static str, program: &'static str, error: &str, message: &str) -> Fact {
    let fact = Fact::new(Kind::Runtime).with("what", what).with("program", program);
    let fact = match go_error::classify(error) {
        Some(class) if !matches!(what, "starting" | "started") => fact.with("error", class.error),
        _ => fact,
    };
    fact.with_text("message", head(message, 512))
}

fn program(text: &str) -> &'static str {
    if text.contains("CRI-O") || text.contains("ctr name") || text.contains("pod name") || text.contains("/runtime.v1.")
    {
        "crio"
    } else if text.contains("API listen on") || text.contains("Daemon shutdown") || text.contains("Processing signal") {
        "docker"
    } else {
        "containerd"
    }
}
