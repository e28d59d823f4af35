//! What changed: the record that every channel delivers (OTLP, Kubernetes events, standard output), once each.

use serde::{Deserialize, Serialize};

use super::diagnosis::Diagnosis;
use super::finding::{Role, Verdict};
use super::time::Timestamp;

/// Kinds of changes. The words are part of OTLP event names (`whynotready.root_cause.found`) and, for the four of
/// CONTRACT.md, reasons of Kubernetes events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// An episode began: the heartbeat fails or the node is not ready.
    EpisodeOpened,
    /// The effect became another one (failing became lost).
    EpisodeDeepened,
    /// The episode is over.
    EpisodeEnded,
    /// A root cause was named.
    RootCauseFound,
    /// Another root cause, or another verdict, took its place.
    RootCauseRevised,
    /// None is named any more.
    RootCauseCleared,
    /// A cause is there without an effect.
    RiskFound,
    /// It is gone.
    RiskCleared,
}

impl ChangeKind {
    /// The word, as in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::EpisodeOpened => "episode_opened",
            Self::EpisodeDeepened => "episode_deepened",
            Self::EpisodeEnded => "episode_ended",
            Self::RootCauseFound => "root_cause_found",
            Self::RootCauseRevised => "root_cause_revised",
            Self::RootCauseCleared => "root_cause_cleared",
            Self::RiskFound => "risk_found",
            Self::RiskCleared => "risk_cleared",
        }
    }

    /// The reason of the Kubernetes event (CONTRACT.md); `None` where none is written.
    pub const fn event_reason(self) -> Option<&'static str> {
        match self {
            Self::RootCauseFound => Some("RootCauseFound"),
            Self::RootCauseRevised => Some("RootCauseRevised"),
            Self::RootCauseCleared => Some("RootCauseCleared"),
            Self::RiskFound => Some("RiskFound"),
            _ => None,
        }
    }

    /// Whether somebody may have to act.
    pub const fn is_bad(self) -> bool {
        !matches!(self, Self::EpisodeEnded | Self::RootCauseCleared | Self::RiskCleared)
    }
}

/// Where a change was stored before it was counted as found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// The state directory: survives a power loss.
    Disk,
    /// `/run`: survives the agent.
    Run,
    /// Only this process has it.
    Memory,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The same change has the same id in every channel and after a restart of the agent, so that receivers can drop
    /// doubles.
    pub uid: String,
    /// What changed.
    pub kind: ChangeKind,
    /// When it happened.
    pub at: Timestamp,
    /// When the agent knew.
    pub seen_at: Timestamp,
    /// The node's name.
    pub node: Option<String>,
    /// Its boot.
    pub boot_id: Option<String>,
    /// The episode's id; `None` for risks.
    pub episode: Option<String>,
    /// The effect.
    pub effect: Option<String>,
    /// The cause that it is about.
    pub cause: Option<String>,
    /// How sure.
    pub verdict: Option<Verdict>,
    /// What the cause is to the effect.
    pub role: Option<Role>,
    /// One sentence for a person.
    pub text: String,
    /// The answer at that time.
    pub diagnosis: Diagnosis,
}
