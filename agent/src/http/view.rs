//! What the endpoints show. The daemon implements it; nothing here knows where it comes from.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::catalog::load::Catalog;
use crate::config::resolve::Value;
use crate::export::metrics::Numbers;
use crate::grammar::fact::Fact;
use crate::model::change::Tier;
use crate::model::diagnosis::Diagnosis;
use crate::model::input::Observation;
use crate::model::time::Timestamp;

/// What is so now. Everything is on one thread, and every answer is made of what is in memory: no method may block.
pub trait View {
    /// For `/metrics`, and the page's list of sources.
    fn numbers(&self) -> Numbers;
    /// `/livez`: `Err` is the reason for a 503. Never depends on the API server or the collector.
    fn alive(&self) -> Result<(), String>;
    /// `/readyz`: the same.
    fn ready(&self) -> Result<(), String>;
    /// The answer, its `at` being now.
    fn diagnosis(&self) -> Rc<Diagnosis>;
    /// The newest observations that are kept, newest first; the daemon bounds their number.
    fn evidence(&self) -> Vec<Shown>;
    /// The configuration in force, secrets hidden.
    fn config(&self) -> Rc<Vec<Value>>;
    /// The catalog in use.
    fn catalog(&self) -> Arc<Catalog>;
    /// The incident bundle that would be written now; `Err` says why there is none.
    fn bundle(&self) -> Result<Vec<u8>, String>;
    /// The agent itself.
    fn about(&self) -> About;
}

/// An observation, as `/debug/evidence` has it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shown {
    /// When it happened.
    pub at: Timestamp,
    /// Who wrote it, or which source of the agent saw it.
    pub source: Arc<str>,
    /// The line, secrets taken out.
    pub text: Arc<str>,
    /// What it states.
    pub facts: Vec<Fact>,
}

impl From<&Observation> for Shown {
    fn from(seen: &Observation) -> Self {
        Self {
            at: seen.at.wall,
            source: Arc::clone(&seen.source),
            text: Arc::clone(&seen.text),
            facts: seen.facts.clone(),
        }
    }
}

/// The agent itself, as `/debug/about` has it and `whynotready status` says it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// Its version.
    pub version: String,
    /// What time it is.
    pub now: Timestamp,
    /// When it was started.
    pub started_at: Timestamp,
    /// Another agent on this host has the state directory: a sentence that says which. This one exports nothing.
    pub standing_by: Option<String>,
    /// Where changes are stored before they count as found.
    pub tier: Tier,
    /// Changes that wait for delivery.
    pub pending: u64,
    /// The control plane's `--node-monitor-grace-period`, as configured.
    pub grace_period: Duration,
    /// What is wrong with the agent itself, a sentence each: a listener that could not be bound, a full disk.
    pub troubles: Vec<String>,
}
