//! What the agent has looked at by itself: the newest look at each object, since when it looks, and where it was blind.
//! Only what was looked at can rule a cause out.

use std::collections::HashMap;
use std::sync::Arc;

use crate::catalog::compile::Topic;
use crate::grammar::fact::{Fact, Kind};
use crate::grammar::vocabulary::{is_live, object_attr};
use crate::model::input::{Gap, Observation};
use crate::model::time::SECOND;

/// Looks of one pass come within this of each other.
const PASS: i64 = 12 * SECOND;
/// Objects kept; kinds have a closed set of words for their objects, so this is never reached.
const OBJECTS: usize = 512;

/// What was looked at.
#[derive(Debug, Default)]
pub struct Sight {
    newest: HashMap<Topic, Arc<Observation>>,
    first: HashMap<Kind, i64>,
    blind: HashMap<Kind, Gap>,
}

impl Sight {
    /// Notes a look; says whether it belongs to the first pass that looked at this kind.
    pub fn note(&mut self, observation: &Arc<Observation>) {
        for fact in observation.facts.iter().filter(|f| is_live(f.kind)) {
            self.first.entry(fact.kind).or_insert(observation.at.t);
            self.blind.remove(&fact.kind);
            if self.newest.len() < OBJECTS {
                self.newest.insert(topic(fact), Arc::clone(observation));
            }
        }
    }

    /// Notes that a kind could not be looked at. False where the gap is not about the agent's own sight.
    pub fn miss(&mut self, gap: &Gap) -> bool {
        let Some(kind) = Kind::ALL
            .iter()
            .copied()
            .find(|k| is_live(*k) && k.word() == gap.source)
        else {
            return false;
        };
        self.blind.insert(kind, gap.clone());
        true
    }

    /// Whether a fact of this kind seen at `t` was seen at the first look, so that it may have begun at any time before.
    pub fn is_first(&self, kind: Kind, t: i64) -> bool {
        is_live(kind) && self.first.get(&kind).is_none_or(|first| t - first < PASS)
    }

    /// Whether one of these was looked at.
    pub fn covers(&self, topics: &[Topic]) -> bool {
        topics.iter().any(|t| self.newest(t).is_some())
    }

    /// The newest look at this.
    pub fn newest(&self, wanted: &Topic) -> Option<&Arc<Observation>> {
        match &wanted.object {
            Some(_) => self.newest.get(wanted),
            None => self
                .newest
                .iter()
                .filter(|(t, _)| t.kind == wanted.kind)
                .map(|(_, o)| o)
                .max_by_key(|o| (o.at.t, o.seq)),
        }
    }

    /// Why none of these could be looked at, where that is known.
    pub fn why_blind(&self, topics: &[Topic]) -> Option<&Gap> {
        topics.iter().find_map(|t| self.blind.get(&t.kind))
    }
}

fn topic(fact: &Fact) -> Topic {
    Topic {
        kind: fact.kind,
        object: object_attr(fact.kind)
            .and_then(|name| fact.text(name))
            .map(str::to_owned),
    }
}
