//! What the agent itself sees of the heartbeat: the lease and the Node as the API server has them, and whether the
//! kubelet's process can renew anything at all.

use super::effect::{Effect, LEASE};
use crate::grammar::fact::{Fact, Kind};
use crate::model::time::{Moment, SECOND};

/// A lease that was renewed within this is fresh: the period of ten seconds, one retry and a slow server.
const FRESH: i64 = 25 * SECOND;
/// A look at the lease says nothing any more after this.
const OLD: i64 = 150 * SECOND;

/// What was seen last.
#[derive(Debug, Default, Clone, Copy)]
pub struct Seen {
    /// When the lease was renewed, and when that was read.
    lease: Option<(Moment, Moment)>,
    /// The lease is missing, or its Node is: since when that is seen.
    missing: Option<Moment>,
    /// The kubelet's process is stopped, frozen or blocked: since when that is seen.
    stopped: Option<Moment>,
    /// Its health endpoint accepts and does not answer: since when that is seen.
    deaf: Option<Moment>,
    /// The process was seen to run and, where that was asked, to answer.
    well: Option<Moment>,
    /// Ready as the API server has it: `Some(false)` since when.
    unready: Option<(Moment, Moment)>,
    last: Option<Moment>,
}

impl Seen {
    /// Takes one fact of a look at `at` that speaks of something since `onset`.
    pub fn look(&mut self, at: Moment, onset: Moment, fact: &Fact) {
        self.last = Some(at);
        match fact.kind {
            Kind::Lease => self.lease(at, fact),
            Kind::NodeObject if fact.text("state") == Some("missing") => {
                self.missing.get_or_insert(onset);
            }
            Kind::NodeObject => {
                self.missing = None;
                self.unready =
                    (fact.text("ready") == Some("false")).then(|| (self.unready.map_or(onset, |(since, _)| since), at));
            }
            Kind::Process if fact.text("role") == Some("kubelet") => {
                if let Some("stopped" | "frozen") = fact.text("state") {
                    self.stopped.get_or_insert(onset);
                } else {
                    self.stopped = None;
                    self.well = Some(at);
                }
            }
            Kind::KubeletHealth => match fact.text("result") {
                Some("timed-out") => {
                    self.deaf.get_or_insert(onset);
                }
                Some("ok") => {
                    self.deaf = None;
                    self.well = Some(at);
                }
                _ => self.deaf = None,
            },
            _ => {}
        }
    }

    fn lease(&mut self, at: Moment, fact: &Fact) {
        match (fact.text("state"), fact.int("age_s")) {
            (Some("missing"), _) => {
                self.missing.get_or_insert(at);
            }
            (_, Some(age)) => {
                let renewed = Moment {
                    t: at.t - age * SECOND,
                    wall: crate::model::time::Timestamp(at.wall.0 - age * SECOND),
                };
                self.missing = None;
                self.lease = Some((renewed, at));
            }
            _ => {}
        }
    }

    /// The last renewal that the API server knows of.
    pub fn renewed(&self) -> Option<Moment> {
        self.lease.map(|(renewed, _)| renewed)
    }

    /// Whether the API server has a fresh renewal.
    pub fn fresh(&self, now: Moment) -> bool {
        self.lease
            .is_some_and(|(renewed, read)| now.t - read.t < OLD && read.t - renewed.t < FRESH)
    }

    /// The API server has no renewal for longer than a lease, or has lost the lease or the Node.
    pub fn stale(&self, now: Moment) -> Option<Effect> {
        if let Some(since) = self.missing {
            return Some(Effect {
                id: "heartbeat-lost",
                earliest: None,
                since,
                last: now,
            });
        }
        let (renewed, read) = self.lease?;
        (now.t - read.t < OLD && read.t - renewed.t >= LEASE).then_some(Effect {
            id: "heartbeat-lost",
            earliest: Some(renewed),
            since: Moment {
                t: renewed.t + 10 * SECOND,
                wall: crate::model::time::Timestamp(renewed.wall.0 + 10 * SECOND),
            },
            last: read,
        })
    }

    /// Whether the kubelet's process cannot get on.
    pub fn is_held(&self) -> bool {
        self.stopped.is_some() || self.deaf.is_some()
    }

    /// The kubelet's process cannot renew anything: it is stopped, or does not even answer on its health endpoint. Since
    /// its last word at the earliest.
    pub fn held(&self, now: Moment, good: Option<Moment>, spoke: Option<Moment>) -> Option<Effect> {
        let seen = match (self.stopped, self.deaf) {
            (Some(a), Some(b)) => a.min(b),
            (one, other) => one.or(other)?,
        };
        if self.fresh(now) && self.stopped.is_none() {
            return None;
        }
        // It has been silent since its last word or, if that is later, since it was seen well.
        let since = spoke.max(self.well).filter(|s| s.t < seen.t).unwrap_or(seen);
        Some(Effect {
            id: if now.t - since.t >= LEASE {
                "heartbeat-lost"
            } else {
                "heartbeat-failing"
            },
            earliest: good.filter(|g| g.t <= since.t),
            since,
            last: now,
        })
    }

    /// The API server has Ready=False.
    pub fn not_ready(&self) -> Option<Effect> {
        let (since, last) = self.unready?;
        Some(Effect {
            id: "node-not-ready",
            earliest: None,
            since,
            last,
        })
    }
}
