//! OpenShift's must-gather: the Node objects, and the services' logs of several nodes in one file, line by line in the
//! order of time (`oc adm node-logs`, pkg/cli/admin/node/logs.go). One node is chosen, and only its lines are read.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::grammar::fact::{Fact, Kind};
use crate::host::Host;
use crate::model::time::Timestamp;
use crate::source::look::Reading;

/// Where `oc adm inspect` puts Node objects.
const NODES: &str = "/cluster-scoped-resources/core/nodes";
/// Where `gather_service_logs` puts journals, below the nodes' role or name.
const LOGS: &str = "/host_service_logs";
/// Nodes looked at; Kubernetes is made for 5000.
const MOST: usize = 5000;

/// A node as the API server had it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) name: String,
    /// `true`, `false` or `unknown`.
    ready: &'static str,
    reason: String,
    /// Since when.
    since: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Object {
    kind: String,
    metadata: Metadata,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
}

#[derive(Default, Deserialize)]
struct Status {
    #[serde(default)]
    conditions: Vec<Condition>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    r#type: String,
    status: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    last_transition_time: String,
}

/// Whether the directory is one.
pub(super) fn is_root(tree: &Host) -> bool {
    tree.directories(LOGS).is_ok_and(|d| !d.is_empty()) || tree.list(NODES).is_ok_and(|n| !n.is_empty())
}

/// The node that is spoken of: the one that was asked for, else the one that was last to turn not ready, else the only one.
/// `None` where that is open.
pub(super) fn choose(tree: &Host, asked: Option<&str>) -> Option<Node> {
    let nodes = nodes(tree);
    if let Some(asked) = asked {
        let known = nodes.into_iter().find(|n| n.name == asked || same(asked, &n.name));
        return known.or_else(|| {
            Some(Node {
                name: asked.to_owned(),
                ready: "",
                reason: String::new(),
                since: None,
            })
        });
    }
    let not_ready = nodes.iter().filter(|n| n.ready != "true").max_by_key(|n| n.since);
    not_ready
        .or(if nodes.len() == 1 { nodes.first() } else { None })
        .cloned()
}

/// What the API server had of it.
pub(super) fn reading(node: &Node) -> Option<Reading> {
    if node.ready.is_empty() {
        return None;
    }
    let fact = Fact::new(Kind::NodeObject)
        .with("state", "present")
        .with("ready", node.ready)
        .with_text("reason", node.reason.clone())
        .with_text("node", node.name.clone());
    let mut reading = Reading::new(
        format!("Node {}  Ready={} {}", node.name, node.ready, node.reason),
        fact,
    );
    reading.began = node.since;
    Some(reading)
}

/// Whether a journal's host is this node: the host's name is often the first part of the node's.
fn same(host: &str, node: &str) -> bool {
    host == node || node.strip_prefix(host).is_some_and(|rest| rest.starts_with('.'))
}

/// The kubelet's logs, so that it can be said whether the chosen node is among those that were asked.
fn logs(tree: &Host) -> Vec<PathBuf> {
    let roles = tree.directories(LOGS).unwrap_or_default();
    let log = |role: &String| Path::new(LOGS).join(role).join("kubelet_service.log");
    roles.iter().map(log).filter(|p| tree.metadata(p).is_ok()).collect()
}

/// Whether the first 4 MiB of the kubelets' logs have a line of this node.
pub(super) fn has_lines(tree: &Host, node: &str) -> bool {
    logs(tree).iter().any(|log| {
        let text = tree.text(log).unwrap_or_default();
        text.lines().any(|l| l.split(' ').take(5).any(|word| same(word, node)))
    })
}

/// When it was gathered: the last line of `timestamp`.
pub(super) fn gathered(tree: &Host) -> Option<Timestamp> {
    let text = tree.text("/timestamp").ok()?;
    let line = text.lines().rev().find(|l| !l.trim().is_empty())?;
    // `2026-01-10 12:00:00.123456789 +0000 UTC m=+0.1`
    super::date::parse(line.get(..19)?).or_else(|| super::date::parse(line))
}

fn nodes(tree: &Host) -> Vec<Node> {
    let names = tree.list(NODES).unwrap_or_default();
    let read = |name: &String| {
        let text = tree.text(Path::new(NODES).join(name)).ok()?;
        let object: Object = serde_saphyr::from_str(&text).ok()?;
        (object.kind == "Node").then_some(())?;
        let ready = object.status.conditions.into_iter().find(|c| c.r#type == "Ready")?;
        Some(Node {
            name: object.metadata.name,
            ready: match ready.status.as_str() {
                "True" => "true",
                "False" => "false",
                _ => "unknown",
            },
            reason: ready.reason,
            since: super::date::parse(&ready.last_transition_time),
        })
    };
    names.iter().take(MOST).filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "a test makes the files that it reads")]
    fn gather(nodes: &[(&str, &str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join(NODES.trim_start_matches('/'));
        std::fs::create_dir_all(&root).unwrap();
        for (name, ready, since) in nodes {
            let text = format!(
                "---\napiVersion: v1\nkind: Node\nmetadata:\n  name: {name}\nstatus:\n  conditions:\n  - type: Ready\n    \
                 status: \"{ready}\"\n    reason: R\n    lastTransitionTime: \"{since}\"\n"
            );
            std::fs::write(root.join(format!("{name}.yaml")), text).unwrap();
        }
        dir
    }

    const EARLY: &str = "2026-11-23T10:00:00Z";
    const LATE: &str = "2026-11-23T11:00:00Z";

    #[test]
    fn the_node_that_was_last_to_turn_not_ready() {
        let dir = gather(&[("a.x", "Unknown", EARLY), ("b.x", "False", LATE), ("c.x", "True", LATE)]);
        let tree = Host::at(dir.path());
        assert!(is_root(&tree));
        let name = |asked| choose(&tree, asked).map(|n| n.name);
        assert_eq!(name(None).as_deref(), Some("b.x"));
        assert_eq!(name(Some("a")).as_deref(), Some("a.x"));
        assert_eq!(name(Some("elsewhere")).as_deref(), Some("elsewhere"));
        let reading = reading(&choose(&tree, None).unwrap()).unwrap();
        assert_eq!(reading.facts[0].text("ready"), Some("false"));
        assert_eq!(reading.began.map(|t| t.0), Some(1_795_431_600_000_000));
    }

    #[test]
    fn healthy_ones_and_none() {
        let dir = gather(&[("a.x", "True", EARLY), ("b.x", "True", LATE)]);
        assert_eq!(choose(&Host::at(dir.path()), None), None);
        let one = gather(&[("a.x", "True", EARLY)]);
        assert_eq!(choose(&Host::at(one.path()), None).map(|n| n.ready), Some("true"));
        let none = tempfile::tempdir().unwrap();
        assert!(!is_root(&Host::at(none.path())));
        assert!(!same("a", "ab.x") && same("a", "a.x"));
    }
}
