//! Episodes: opened when an effect is present, ended when it has been gone for a while.

use std::collections::VecDeque;

use super::effect::Effect;
use crate::model::episode::{Candidate, Episode, EpisodeState};
use crate::model::finding::{Finding, Role, Verdict};
use crate::model::time::{Moment, SECOND};

/// Ended episodes kept, the newest.
const KEPT: usize = 32;
/// An effect that comes back within this belongs to the same episode.
const DAMPED: i64 = 60 * SECOND;
/// An effect of another family that comes this soon after an episode's begin is the same trouble, further on.
const SAME_TROUBLE: i64 = 180 * SECOND;

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transition {
    /// An episode began.
    Opened {
        /// Its id.
        episode: String,
        /// The effect.
        effect: &'static str,
    },
    /// The effect of the open episode became another one (failing became lost).
    Deepened {
        /// The episode's id.
        episode: String,
        /// The effect.
        effect: &'static str,
    },
    /// A root cause was named, revised or withdrawn.
    RootCause {
        /// The episode's id.
        episode: String,
        /// The cause and how sure; `None` where none can be named any more.
        cause: Option<(String, Verdict)>,
    },
    /// The episode is over.
    Ended {
        /// Its id.
        episode: String,
        /// What showed it.
        reason: String,
    },
}

/// The open episode.
#[derive(Debug, Clone)]
pub struct Open {
    /// Made of the time of its onset.
    pub id: String,
    /// When the effect began.
    pub since: Moment,
    effect: Effect,
    gone_since: Option<Moment>,
    root: Option<(String, Verdict)>,
}

impl Open {
    /// The effect as it was last seen, since the episode's begin.
    pub fn effect_now(&self) -> Effect {
        Effect {
            since: self.since,
            ..self.effect
        }
    }
}

/// The open episode and those that are over.
#[derive(Debug, Default)]
pub struct Episodes {
    open: Option<Open>,
    ended: VecDeque<Episode>,
    last_end: Option<Moment>,
}

impl Episodes {
    /// The open one.
    pub fn open(&self) -> Option<&Open> {
        self.open.as_ref()
    }

    /// Those that are over, newest first.
    pub fn ended(&self) -> impl Iterator<Item = &Episode> {
        self.ended.iter()
    }

    /// When the last one ended.
    pub fn last_end(&self) -> Option<Moment> {
        self.last_end
    }

    /// Follows the effect. Returns the episode that is over, to be closed with its findings.
    pub fn follow(&mut self, present: Option<Effect>, now: Moment, transitions: &mut Vec<Transition>) -> Option<Open> {
        match (present, &mut self.open) {
            (None, None) => None,
            (Some(effect), None) => {
                self.begin(effect, transitions);
                None
            }
            (Some(effect), Some(open)) => {
                let same = family(effect.id) == family(open.effect.id) || effect.since.t - open.since.t < SAME_TROUBLE;
                if !same {
                    let ended = self.end(effect.since, format!("became {}", effect.id), transitions);
                    self.begin(effect, transitions);
                    return ended;
                }
                open.gone_since = None;
                if open.effect.id != effect.id {
                    transitions.push(Transition::Deepened {
                        episode: open.id.clone(),
                        effect: effect.id,
                    });
                }
                let earliest = open.effect.earliest;
                open.effect = Effect { earliest, ..effect };
                None
            }
            (None, Some(open)) => {
                let gone = *open.gone_since.get_or_insert(now);
                if now.t - gone.t < DAMPED {
                    return None;
                }
                let reason = recovery(open.effect.id).to_owned();
                self.end(gone, reason, transitions)
            }
        }
    }

    fn begin(&mut self, effect: Effect, transitions: &mut Vec<Transition>) {
        let id = effect.since.wall.compact();
        transitions.push(Transition::Opened {
            episode: id.clone(),
            effect: effect.id,
        });
        self.open = Some(Open {
            id,
            since: effect.since,
            effect,
            gone_since: None,
            root: None,
        });
    }

    fn end(&mut self, at: Moment, reason: String, transitions: &mut Vec<Transition>) -> Option<Open> {
        let mut open = self.open.take()?;
        transitions.push(Transition::Ended {
            episode: open.id.clone(),
            reason: reason.clone(),
        });
        open.gone_since = Some(at);
        self.last_end = Some(at);
        self.ended.push_front(Episode {
            id: open.id.clone(),
            state: EpisodeState::Ended,
            effect: open.effect.id.to_owned(),
            opened_at: open.since.wall,
            ended_at: Some(at.wall),
            end_reason: Some(reason),
            findings: Vec::new(),
            candidates: Vec::new(),
        });
        self.ended.truncate(KEPT);
        Some(open)
    }

    /// Gives an episode that is over its findings.
    pub fn close(&mut self, ended: &Open, findings: Vec<Finding>, candidates: Vec<Candidate>) {
        if let Some(episode) = self.ended.iter_mut().find(|e| e.id == ended.id) {
            episode.findings = findings;
            episode.candidates = candidates;
        }
    }

    /// Notes what is the open episode's root cause now.
    pub fn revise(&mut self, first: Option<&Finding>, transitions: &mut Vec<Transition>) {
        let Some(open) = &mut self.open else { return };
        let root = first
            .filter(|f| f.role == Role::RootCause)
            .map(|f| (f.cause.clone(), f.verdict));
        if root != open.root {
            open.root.clone_from(&root);
            transitions.push(Transition::RootCause {
                episode: open.id.clone(),
                cause: root,
            });
        }
    }

    /// Whether the open episode's effect is gone already, though not for long enough to call it over.
    pub fn is_fading(&self) -> bool {
        self.open.as_ref().is_some_and(|o| o.gone_since.is_some())
    }
}

/// Losing the heartbeat is one trouble in several degrees.
fn family(effect: &str) -> &str {
    if effect.starts_with("heartbeat-") {
        "heartbeat"
    } else {
        effect
    }
}

/// What showed that an effect is over.
pub fn recovery(effect: &str) -> &'static str {
    match effect {
        "node-not-ready" => "the kubelet holds nothing against its readiness any more",
        "heartbeat-intermittent" => "the kubelet has stayed up",
        _ => "the kubelet runs and no renewal has failed since",
    }
}
