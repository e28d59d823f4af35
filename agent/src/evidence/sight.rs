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
    /// Notes a look. A single reading of a captured node is none where rates are what tells that all is well; the state of
    /// a process is no rate.
    pub fn note(&mut self, observation: &Arc<Observation>) {
        let once = |f: &Fact| f.text("taken") == Some("once") && f.kind != Kind::Process;
        let looks = |f: &&Fact| is_live(f.kind) && !once(f);
        for fact in observation.facts.iter().filter(looks) {
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
        topics.iter().any(|t| self.looks(t).next().is_some())
    }

    /// The newest look at this object or, where none is named, at each object of the kind.
    pub fn looks<'a>(&'a self, wanted: &'a Topic) -> impl Iterator<Item = &'a Arc<Observation>> {
        self.newest
            .iter()
            .filter(|(t, _)| t.kind == wanted.kind && (wanted.object.is_none() || t.object == wanted.object))
            .map(|(_, o)| o)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::line::{Level, Origin};
    use crate::model::input::Place;
    use crate::model::time::Moment;

    #[test]
    fn one_reading_of_a_captured_node_rules_nothing_out() {
        let look = |fact: Fact| {
            let mut sight = Sight::default();
            sight.note(&Arc::new(Observation {
                seq: 1,
                at: Moment::default(),
                boot: 0,
                header_at: None,
                origin: Origin::Agent,
                level: Level::Info,
                pid: None,
                source: Arc::from("memory"),
                text: Arc::from("x"),
                place: Place::Look(Arc::from("memory")),
                facts: vec![fact],
            }));
            let topic = Topic {
                kind: Kind::Memory,
                object: None,
            };
            (sight.covers(&[topic]), sight.is_first(Kind::Memory, 0))
        };
        assert_eq!(look(Fact::new(Kind::Memory)), (true, true));
        assert_eq!(look(Fact::new(Kind::Memory).with("taken", "once")), (false, true));
    }
}
