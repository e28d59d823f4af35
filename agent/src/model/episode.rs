//! Episodes: from the first failure of the heartbeat to its recovery.

use serde::{Deserialize, Serialize};

use super::finding::Finding;
use super::time::Timestamp;

/// Whether an episode goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EpisodeState {
    /// The effect is present at the end of the input.
    Open,
    /// It is over.
    Ended,
}

/// One episode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Episode {
    /// Made of the effect's onset, so that the same episode has the same id in every run and channel.
    pub id: String,
    /// Whether it goes on.
    pub state: EpisodeState,
    /// The effect.
    pub effect: String,
    /// When the effect began.
    pub opened_at: Timestamp,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// What showed that it was over.
    pub end_reason: Option<String>,
    /// Root causes first, then contributing, consequences.
    pub findings: Vec<Finding>,
    /// Causes that fit, where none could be named.
    #[serde(default)]
    pub candidates: Vec<Candidate>,
}

/// A cause that fits and could not be named.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its id.
    pub cause: String,
    /// What speaks for it.
    #[serde(rename = "for")]
    pub speaks_for: Vec<String>,
    /// What speaks against it or is missing.
    pub against: Vec<String>,
}
