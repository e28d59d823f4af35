//! A change as an event of the node: `events.k8s.io/v1`, within what the API server validates
//! (kubernetes `pkg/apis/core/validation/events.go`).

use serde_json::{Value as Json, json};

use crate::model::change::Change;
use crate::model::time::Timestamp;

/// Events of what belongs to no namespace are in this one.
pub const NAMESPACE: &str = "default";
/// Who reports.
const CONTROLLER: &str = "whynotready";
/// What was done.
const ACTION: &str = "Diagnose";
/// A note is not longer, in bytes.
const NOTE: usize = 1024;
/// Nor is the reporting instance.
const INSTANCE: usize = 128;

/// The node that events are on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its uid. Where it is not known the name stands in, as in the kubelet's own events: `kubectl describe node` looks
    /// for both.
    pub uid: Option<String>,
}

/// What makes two events the same one again (client-go `tools/events`, `getKey`: type, action, reason, controller,
/// instance, regarding; here the cause too, which client-go would have in the note).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    reason: &'static str,
    cause: Option<String>,
}

/// The event's key; `None` for changes that no event is written for.
pub(super) fn key(change: &Change) -> Option<Key> {
    Some(Key {
        reason: change.kind.event_reason()?,
        cause: change.cause.clone(),
    })
}

/// The name of a change's event: the same for the same change, so that writing it twice gives one.
pub(super) fn name(node: &Node, uid: &str) -> String {
    let mut hash = crc32fast::Hasher::new();
    hash.update(uid.as_bytes());
    let low = hash.clone().finalize();
    hash.update(b"whynotready");
    // A name is a DNS subdomain of 253 characters at most; a node's name is one too.
    let node: String = node.name.chars().take(200).collect();
    format!("{}.{:08x}{low:08x}", node.trim_end_matches(['.', '-']), hash.finalize())
}

/// The event. `None` for changes that none is written for.
pub fn event(change: &Change, node: &Node) -> Option<Json> {
    let reason = change.kind.event_reason()?;
    let name = name(node, &change.uid);
    let instance = cut(&format!("{CONTROLLER}-{}", node.name), INSTANCE);
    Some(json!({
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app.kubernetes.io/name": CONTROLLER}},
        "eventTime": micro(change.at),
        "reportingController": CONTROLLER,
        "reportingInstance": instance,
        "action": ACTION,
        "reason": reason,
        "type": if change.kind.is_bad() { "Warning" } else { "Normal" },
        "note": note(change),
        "regarding": {
            "apiVersion": "v1",
            "kind": "Node",
            "name": node.name,
            "uid": node.uid.as_deref().unwrap_or(&node.name),
        },
    }))
}

/// What makes of an event a series (`series.count` from 2 on).
pub(super) fn series(count: u32, last: Timestamp) -> Json {
    json!({"series": {"count": count, "lastObservedTime": micro(last)}})
}

/// The cause's id, then one sentence.
fn note(change: &Change) -> String {
    let text = match &change.cause {
        Some(cause) if !change.text.starts_with(cause.as_str()) => format!("{cause}: {}", change.text),
        _ => change.text.clone(),
    };
    cut(&text, NOTE)
}

/// `MicroTime`: RFC 3339 with microseconds.
fn micro(t: Timestamp) -> String {
    t.rfc3339()
}

/// At most so many bytes, whole characters.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let mut end = most - '…'.len_utf8();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", text.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_keeps_characters_whole() {
        assert_eq!(cut("short", 10), "short");
        for most in 4..40 {
            let text = cut(&"aé✓😀".repeat(20), most);
            assert!(text.len() <= most && text.ends_with('…'), "{most}");
        }
    }

    #[test]
    fn names_are_the_same_for_the_same_change_only() {
        let node = Node {
            name: "ip-10-0-1-7.eu.compute.internal".into(),
            uid: None,
        };
        assert_eq!(name(&node, "a"), name(&node, "a"));
        assert_ne!(name(&node, "a"), name(&node, "b"));
        let long = Node {
            name: format!("{}.x", "n".repeat(250)),
            uid: None,
        };
        assert!(name(&long, "a").len() <= 253);
    }
}
