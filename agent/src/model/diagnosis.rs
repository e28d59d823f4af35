//! The answer at one time: the JSON document of CONTRACT.md.

use serde::{Deserialize, Serialize};

use super::episode::{Candidate, Episode};
use super::finding::Finding;
use super::input::Gap;
use super::time::Timestamp;

/// Version of the JSON document. The major number changes when a field changes its meaning or goes.
pub const SCHEMA_VERSION: &str = "1.0";

/// What is to be said of the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeVerdict {
    /// An effect is present and its root cause is named.
    RootCause,
    /// An effect is present and no cause could be named.
    Inconclusive,
    /// No effect is present, a cause is.
    AtRisk,
    /// Neither.
    Healthy,
}

/// State of the heartbeat: lease renewal and node status update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeartbeatState {
    /// Renewals are accepted.
    Ok,
    /// A renewal has failed and none has succeeded since.
    Failing,
    /// Renewals come with gaps longer than the lease.
    Intermittent,
    /// None is accepted for longer than the grace period.
    Lost,
    /// The input does not say.
    Unknown,
}

/// How the last success is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SuccessBasis {
    /// Read from the lease.
    Lease,
    /// Concluded from what the kubelet says and does not say.
    Inferred,
}

/// The heartbeat at the end of the input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Its state.
    pub state: HeartbeatState,
    /// The last renewal that was accepted.
    pub last_success_at: Option<Timestamp>,
    /// How that is known.
    pub last_success_basis: Option<SuccessBasis>,
    /// Since when it fails.
    pub failing_since: Option<Timestamp>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// [`SCHEMA_VERSION`].
    pub schema_version: String,
    /// The node's name, where it is known.
    pub node: Option<String>,
    /// What time it speaks of: the end of the input.
    pub at: Timestamp,
    /// The last boot's id, 32 hex digits.
    pub boot_id: Option<String>,
    /// The verdict.
    pub verdict: NodeVerdict,
    /// What the kubelet posts as Ready, as far as the input says.
    pub node_ready: Option<bool>,
    /// The heartbeat.
    pub heartbeat: Heartbeat,
    /// Of the open episode: root causes first, then contributing, consequences; risks last.
    pub findings: Vec<Finding>,
    /// When inconclusive.
    pub candidates: Vec<Candidate>,
    /// Newest first.
    pub episodes: Vec<Episode>,
    /// What could not be seen.
    pub gaps: Vec<Gap>,
}
