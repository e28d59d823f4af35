//! What the kubelet says of the node's readiness.

use super::fact::{Fact, Kind};
use super::kubelet::Statement;
use super::kv;
use super::scan::{after, between, duration_ms, head};

/// Reasons by their words; the gravest that is present counts.
const BECAUSE: &[(&str, &str)] = &[
    ("container runtime is down", "runtime-down"),
    ("pleg was last seen active", "pleg"),
    ("node is shutting down", "shutdown"),
    ("CSINode is not yet initialized", "csinode"),
    ("NetworkReady=false", "network"),
    ("network plugin", "network"),
    ("network is not ready", "network"),
    ("cni", "network"),
    ("Network plugin", "network"),
    ("RuntimeReady=false", "runtime-down"),
    ("pleg has yet to be successful", "pleg-starting"),
    ("PLEG is not healthy", "pleg"),
    ("status check may not have completed", "runtime-unchecked"),
    ("cgroup", "cgroup"),
    ("missing node capacity", "storage"),
    ("storage", "storage"),
    ("starting", "starting"),
];

/// `2562047h47m16s` is the largest Go duration: the PLEG was never active.
const NEVER_S: i64 = 1_000_000_000;

/// Posted conditions.
pub(super) fn node_ready(statement: &Statement<'_>) -> Option<Fact> {
    let message = &*statement.message;
    if message.contains("ode became not ready") {
        let text = kv::get(&statement.pairs, "condition").unwrap_or(message);
        let reason = between(text, "\"reason\":\"", "\"")
            .or_else(|| between(text, "Reason:", " "))
            .unwrap_or("KubeletNotReady");
        let said = between(text, "\"message\":\"", "\"}")
            .or_else(|| between(text, "Message:", "}"))
            .unwrap_or(text);
        let said = head(said, 1024);
        let fact = Fact::new(Kind::NodeReady)
            .with("status", "false")
            .with_text("reason", reason);
        return Some(fact.with_text("message", said).with("because", because(said)));
    }
    let event = kv::get(&statement.pairs, "event");
    let recorded = message.contains("ecording") && message.contains("event message for node");
    let ready = message.contains("it just became ready")
        || recorded && (event == Some("NodeReady") || message.ends_with("NodeReady event message for node"));
    ready.then(|| Fact::new(Kind::NodeReady).with("status", "true"))
}

/// What the kubelet holds against itself, repeated every few seconds.
pub(super) fn skip_sync(statement: &Statement<'_>) -> Option<Fact> {
    let message = &*statement.message;
    let skips = message.contains("kipping pod synchronization");
    if !skips
        && !message.contains("ontainer runtime network not ready")
        && !message.contains("ontainer runtime not ready")
    {
        return None;
    }
    let text = statement.error().unwrap_or(message);
    let because = match message {
        m if m.contains("network not ready") => "network",
        m if m.contains("ontainer runtime not ready") => "runtime-down",
        _ => because(text),
    };
    let mut fact = Fact::new(Kind::SkipSync);
    let inactive = after(text, "last seen active ")
        .and_then(duration_ms)
        .map(|ms| ms / 1000);
    match inactive {
        Some(seconds) if seconds > NEVER_S => {
            fact = fact.with("because", if because == "pleg" { "pleg-starting" } else { because });
        }
        Some(seconds) => fact = fact.with("because", because).with_int("inactive_s", seconds),
        None => fact = fact.with("because", because),
    }
    Some(fact)
}

fn because(text: &str) -> &'static str {
    BECAUSE
        .iter()
        .find(|(words, _)| text.contains(words))
        .map_or("other", |(_, because)| because)
}
