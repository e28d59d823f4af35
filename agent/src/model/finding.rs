//! Findings: what was concluded about one cause, and the evidence shown for it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::time::{Onset, Timestamp};
use crate::catalog::schema::{Layer, Owner, RemedyFile, Repair};

/// What a cause is to the effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It explains the effect and nothing asserted explains it.
    RootCause,
    /// It is there, unexplained, and another cause explains the effect better.
    Contributing,
    /// Another finding explains it.
    Consequence,
    /// It is there and explains no present effect.
    Risk,
}

/// How sure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It fits, and something that was not seen could look the same.
    Probable,
    /// The evidence proves it.
    Confirmed,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The cause's id.
    pub cause: String,
    /// Its role.
    pub role: Role,
    /// How sure.
    pub verdict: Verdict,
    /// The effect that it explains; `None` for a risk.
    pub effect: Option<String>,
    /// The statement.
    pub title: String,
    /// The cause's layer.
    pub layer: Layer,
    /// Would a repair help?
    pub repair: Repair,
    /// Who has to act.
    pub owner: Owner,
    /// The episode's id; `None` for a risk outside of one.
    pub episode: Option<String>,
    /// When it began.
    pub onset: Onset,
    /// Risks: when the effect is to be expected, where that can be said.
    pub expected_at: Option<Timestamp>,
    /// What asserts it.
    pub evidence: Vec<Evidence>,
    /// What was not seen and would decide.
    pub missing: Vec<Missing>,
    /// What was ruled out, and by what.
    pub ruled_out: Vec<RuledOut>,
    /// What to do.
    pub remedy: Vec<RemedyFile>,
    /// From the cause to the effect, the titles of what lies between (the why-trail).
    #[serde(default)]
    pub path: Vec<String>,
}

/// One piece of evidence, quoted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// When it happened (the writer's own time where it has one).
    pub at: Timestamp,
    /// When it was seen (journal time).
    pub seen_at: Timestamp,
    /// The unit or program.
    pub source: String,
    /// The line as written.
    pub text: String,
    /// How often its like was seen.
    pub count: u64,
    /// The last time.
    pub last_at: Timestamp,
    /// Journal cursor, where it is from a journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// File, where it is from a text file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line number in that file, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The typed facts that counted.
    pub facts: Map<String, Json>,
}

/// What was not seen and would decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// The fact that is missing.
    pub signal: String,
    /// Why it was not seen.
    pub why: String,
    /// How to get it.
    pub grant: String,
}

/// What was ruled out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuledOut {
    /// A cause's id.
    pub cause: String,
    /// Why, naming the observation.
    pub because: String,
    /// The observation, where there is one line for it.
    pub evidence: Option<Evidence>,
}
