//! Episodes that were told, with their times: the same journal read again from another start gives the same episode other
//! times, and so another id. What lies over an episode that was told is that episode.

use serde::{Deserialize, Serialize};

use crate::model::time::Timestamp;

/// Episodes that are remembered: twice what the engine lists.
const KEPT: usize = 64;

/// An episode that was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Its id.
    pub id: String,
    /// The effect, the worst that was told.
    pub effect: String,
    /// When it began.
    pub opened_at: Timestamp,
    /// When it was over, as far as that was told.
    pub ended_at: Option<Timestamp>,
    /// Changes of it that were told; part of their ids.
    pub count: u32,
}

/// The newest of them, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldEpisodes(Vec<Told>);

impl ToldEpisodes {
    /// The one with this id.
    pub fn get(&self, id: &str) -> Option<&Told> {
        self.0.iter().find(|t| t.id == id)
    }

    /// Notes that it is told to be open. One that was told to be over goes on.
    pub(super) fn open(&mut self, id: &str, effect: &str, opened_at: Timestamp) {
        if let Some(told) = self.0.iter_mut().find(|t| t.id == id) {
            told.ended_at = None;
            return;
        }
        if self.0.len() >= KEPT {
            self.0.remove(0);
        }
        self.0.push(Told {
            id: id.to_owned(),
            effect: effect.to_owned(),
            opened_at,
            ended_at: None,
            count: 0,
        });
    }

    /// Notes that it is over, and how bad it was.
    pub(super) fn end(&mut self, id: &str, effect: &str, at: Timestamp) {
        if let Some(told) = self.0.iter_mut().find(|t| t.id == id) {
            told.ended_at = Some(at);
            effect.clone_into(&mut told.effect);
        }
    }

    /// The number of the next change of it.
    pub(super) fn next(&mut self, id: &str) -> u32 {
        let told = self.0.iter_mut().find(|t| t.id == id);
        told.map_or(0, |told| {
            told.count += 1;
            told.count
        })
    }

    /// Whether one that was told to be over lies over this time.
    pub(super) fn covers(&self, effect: &str, from: Timestamp, to: Timestamp) -> bool {
        let over = |t: &Told| t.ended_at.is_some_and(|ended| t.opened_at <= to && from <= ended);
        self.0.iter().any(|t| family(&t.effect) == family(effect) && over(t))
    }
}

/// Losing the heartbeat is one trouble in several degrees (`diagnosis::episodes`).
pub(super) fn family(effect: &str) -> &str {
    if effect.starts_with("heartbeat-") {
        "heartbeat"
    } else {
        effect
    }
}

/// How bad an effect is for the node: a lost heartbeat ends in NotReady and evicts, one that fails need not.
pub(super) fn degree(effect: &str) -> u8 {
    match effect {
        "heartbeat-lost" => 3,
        "node-not-ready" => 2,
        _ => 1,
    }
}
