//! The node's condition `KubeletHeartbeatProblem` (CONTRACT.md): True is bad, False is a recovery that was confirmed,
//! Unknown is an agent that can't see.

use serde_json::{Value as Json, json};

use super::event::cut;
use crate::model::diagnosis::{Diagnosis, HeartbeatState, NodeVerdict};
use crate::model::finding::Role;
use crate::model::time::{SECOND, Timestamp};

/// The condition's type. No other is ever written.
pub const TYPE: &str = "KubeletHeartbeatProblem";
/// A message is not longer, in bytes.
const MESSAGE: usize = 1024;

/// A condition's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// There is a problem.
    True,
    /// There is none.
    False,
    /// It can't be seen.
    Unknown,
}

impl Status {
    /// As the API has it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// What the condition is to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its status.
    pub status: Status,
    /// The cause in CamelCase, `CauseUnknown`, `HeartbeatOk` or `Blind`.
    pub reason: String,
    /// One sentence.
    pub message: String,
    /// Of when that is.
    pub at: Timestamp,
}

impl Standing {
    /// What a diagnosis says.
    pub fn of(diagnosis: &Diagnosis) -> Self {
        let root = diagnosis.findings.iter().find(|f| f.role == Role::RootCause);
        let ill = match diagnosis.heartbeat.state {
            HeartbeatState::Failing | HeartbeatState::Intermittent | HeartbeatState::Lost => Some(true),
            HeartbeatState::Ok => Some(diagnosis.node_ready == Some(false)),
            HeartbeatState::Unknown => None,
        };
        let (status, reason, message) = match (diagnosis.verdict, root, ill) {
            (NodeVerdict::RootCause, Some(root), _) => (
                Status::True,
                camel(&root.cause),
                format!("{}: {}", root.cause, root.title),
            ),
            (NodeVerdict::RootCause | NodeVerdict::Inconclusive, ..) | (_, _, Some(true)) => (
                Status::True,
                "CauseUnknown".to_owned(),
                "the kubelet's heartbeat fails or the node is not ready, and no cause could be named".to_owned(),
            ),
            (_, _, Some(false)) => (
                Status::False,
                "HeartbeatOk".to_owned(),
                "the kubelet renews its lease".to_owned(),
            ),
            (_, _, None) => (
                Status::Unknown,
                "Blind".to_owned(),
                "it can't be seen whether the kubelet renews its lease".to_owned(),
            ),
        };
        Self {
            status,
            reason,
            message: cut(&message, MESSAGE),
            at: diagnosis.at,
        }
    }

    /// The strategic merge patch of `nodes/status`: lists of conditions are merged by type, and what an item does not
    /// name stays. So `lastTransitionTime` is named only where the status is another than it `was`.
    pub fn patch(&self, was: Option<Status>, now: Timestamp) -> Json {
        let mut condition = json!({
            "type": TYPE,
            "status": self.status.word(),
            "reason": self.reason,
            "message": self.message,
            "lastHeartbeatTime": seconds(now),
        });
        if was != Some(self.status)
            && let Some(fields) = condition.as_object_mut()
        {
            fields.insert("lastTransitionTime".to_owned(), seconds(self.at).into());
        }
        json!({"status": {"conditions": [condition]}})
    }
}

/// The condition's status in a node's object; `None` where there is none.
pub(super) fn status_in(node: &[u8]) -> Option<Status> {
    #[derive(serde::Deserialize)]
    struct Node {
        status: NodeStatus,
    }
    #[derive(serde::Deserialize)]
    struct NodeStatus {
        #[serde(default)]
        conditions: Vec<Condition>,
    }
    #[derive(serde::Deserialize)]
    struct Condition {
        r#type: String,
        status: String,
    }
    let node: Node = serde_json::from_slice(node).ok()?;
    let ours = node.status.conditions.into_iter().find(|c| c.r#type == TYPE)?;
    [Status::True, Status::False, Status::Unknown]
        .into_iter()
        .find(|s| s.word() == ours.status)
}

/// `client-certificate-expired` is `ClientCertificateExpired`.
fn camel(id: &str) -> String {
    id.split('-')
        .filter_map(|word| {
            let mut letters = word.chars();
            let first = letters.next()?;
            Some(first.to_uppercase().chain(letters).collect::<String>())
        })
        .collect()
}

/// `metav1.Time`: whole seconds.
fn seconds(t: Timestamp) -> String {
    let text = Timestamp(t.0 - t.0.rem_euclid(SECOND)).rfc3339();
    text.replace(".000000Z", "Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::diagnosis::Heartbeat;

    fn diagnosis(verdict: NodeVerdict, state: HeartbeatState) -> Diagnosis {
        Diagnosis {
            schema_version: "1.0".into(),
            node: Some("node1".into()),
            at: Timestamp(1_795_608_000_500_000),
            boot_id: None,
            verdict,
            node_ready: None,
            heartbeat: Heartbeat {
                state,
                last_success_at: None,
                last_success_basis: None,
                failing_since: None,
            },
            findings: Vec::new(),
            candidates: Vec::new(),
            episodes: Vec::new(),
            gaps: Vec::new(),
        }
    }

    #[test]
    fn true_is_bad_and_blind_is_not_healthy() {
        for (verdict, state, status, reason) in [
            (NodeVerdict::Healthy, HeartbeatState::Ok, Status::False, "HeartbeatOk"),
            (NodeVerdict::AtRisk, HeartbeatState::Ok, Status::False, "HeartbeatOk"),
            (NodeVerdict::Healthy, HeartbeatState::Unknown, Status::Unknown, "Blind"),
            (NodeVerdict::AtRisk, HeartbeatState::Unknown, Status::Unknown, "Blind"),
            (
                NodeVerdict::Inconclusive,
                HeartbeatState::Failing,
                Status::True,
                "CauseUnknown",
            ),
            (
                NodeVerdict::Inconclusive,
                HeartbeatState::Unknown,
                Status::True,
                "CauseUnknown",
            ),
            (NodeVerdict::Healthy, HeartbeatState::Lost, Status::True, "CauseUnknown"),
        ] {
            let standing = Standing::of(&diagnosis(verdict, state));
            assert_eq!(
                (standing.status, standing.reason.as_str()),
                (status, reason),
                "{verdict:?} {state:?}"
            );
        }
        let mut not_ready = diagnosis(NodeVerdict::Healthy, HeartbeatState::Ok);
        not_ready.node_ready = Some(false);
        assert_eq!(Standing::of(&not_ready).status, Status::True);
        assert_eq!(camel("client-certificate-expired"), "ClientCertificateExpired");
    }

    #[test]
    fn the_transition_time_moves_with_the_status_only() {
        let standing = Standing::of(&diagnosis(NodeVerdict::Healthy, HeartbeatState::Ok));
        let now = Timestamp(1_795_608_300_000_000);
        let same = standing.patch(Some(Status::False), now);
        assert_eq!(same["status"]["conditions"][0]["lastTransitionTime"], Json::Null);
        assert_eq!(
            same["status"]["conditions"][0]["lastHeartbeatTime"],
            "2026-11-25T12:05:00Z"
        );
        for was in [None, Some(Status::True), Some(Status::Unknown)] {
            let moved = standing.patch(was, now);
            assert_eq!(
                moved["status"]["conditions"][0]["lastTransitionTime"],
                "2026-11-25T12:00:00Z"
            );
            assert_eq!(moved["status"].as_object().unwrap().len(), 1);
            assert_eq!(moved["status"]["conditions"].as_array().unwrap().len(), 1);
        }
        let node = br#"{"status":{"images":[{}],"conditions":[{"type":"Ready","status":"True"},
            {"type":"KubeletHeartbeatProblem","status":"False"}]}}"#;
        assert_eq!(status_in(node), Some(Status::False));
        assert_eq!(status_in(br#"{"status":{}}"#), None);
    }
}
