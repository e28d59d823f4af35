//! What the agent itself sees of the heartbeat: the lease and the Node as the API server has them, and whether the
//! kubelet's process can renew anything at all.

use super::effect::{Effect, LEASE};
use crate::grammar::fact::{Fact, Kind};
use crate::model::time::{Moment, SECOND};

/// A lease that was renewed within this is fresh: the period of ten seconds, one retry and a slow server.
const FRESH: i64 = 25 * SECOND;
/// A look at the lease says nothing any more after this: a healthy node's is looked at every four minutes.
const OLD: i64 = 300 * SECOND;
/// A look at the lease speaks against what another source sees for this long only.
const RECENT: i64 = 30 * SECOND;
/// Ready=False for longer than this is an effect; shorter ones belong to every start.
const UNREADY: i64 = 60 * SECOND;

/// What was seen last.
#[derive(Debug, Default, Clone, Copy)]
pub struct Seen {
    /// When the lease was renewed, and when that was read.
    lease: Option<(Moment, Moment)>,
    /// The lease is missing, or its Node is: since when that is seen.
    missing: Option<Told>,
    /// There was a lease.
    had: bool,
    /// The kubelet's process is stopped, frozen or blocked: since when that is seen.
    stopped: Option<Moment>,
    /// Its health endpoint accepts and does not answer: since when that is seen.
    deaf: Option<Told>,
    /// It has answered there.
    heard: bool,
    /// The process was seen to run and, where that was asked, to answer.
    well: Option<Moment>,
    /// Ready as the API server has it: `Some(false)` since when.
    unready: Option<(Moment, Moment)>,
    last: Option<Moment>,
}

/// Since when something is seen, and at how many looks.
#[derive(Debug, Clone, Copy)]
struct Told {
    since: Moment,
    looks: u32,
}

impl Told {
    fn again(told: &mut Option<Self>, since: Moment) {
        let told = told.get_or_insert(Self { since, looks: 0 });
        told.looks += 1;
    }

    /// What was otherwise before has to be seen twice: one look that fails is no fault of the node.
    fn counts(self, otherwise: bool) -> bool {
        !otherwise || self.looks >= 2
    }
}

impl Seen {
    /// Takes one fact of a look at `at` that speaks of something since `onset`.
    pub fn look(&mut self, at: Moment, onset: Moment, fact: &Fact) {
        self.last = Some(at);
        match fact.kind {
            Kind::Lease => self.lease(at, fact),
            Kind::NodeObject if fact.text("state") == Some("missing") => {
                Told::again(&mut self.missing, onset);
            }
            Kind::NodeObject => {
                self.missing = None;
                self.had = true;
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
                Some("timed-out") => Told::again(&mut self.deaf, onset),
                Some("ok") => {
                    self.deaf = None;
                    self.heard = true;
                    self.well = Some(at);
                }
                _ => self.deaf = None,
            },
            _ => {}
        }
    }

    fn lease(&mut self, at: Moment, fact: &Fact) {
        match (fact.text("state"), fact.int("age_s")) {
            (Some("missing"), _) => Told::again(&mut self.missing, at),
            (_, Some(age)) => {
                let renewed = Moment {
                    t: at.t - age * SECOND,
                    wall: crate::model::time::Timestamp(at.wall.0 - age * SECOND),
                };
                self.missing = None;
                self.had = true;
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
        if let Some(missing) = self.missing.filter(|m| m.counts(self.had)) {
            return Some(Effect {
                id: "heartbeat-lost",
                earliest: None,
                since: missing.since,
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
        self.stopped.is_some() || self.is_deaf().is_some()
    }

    fn is_deaf(&self) -> Option<Moment> {
        self.deaf.filter(|d| d.counts(self.heard)).map(|d| d.since)
    }

    /// The kubelet's process cannot renew anything: it is stopped, or does not even answer on its health endpoint. Since
    /// its last word at the earliest.
    pub fn held(&self, now: Moment, good: Option<Moment>, spoke: Option<Moment>) -> Option<Effect> {
        let seen = match (self.stopped, self.is_deaf()) {
            (Some(a), Some(b)) => a.min(b),
            (one, other) => one.or(other)?,
        };
        let recent = self.lease.is_some_and(|(_, read)| now.t - read.t < RECENT);
        if recent && self.fresh(now) && self.stopped.is_none() {
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
        let (since, last) = self.unready.filter(|(since, last)| last.t - since.t >= UNREADY)?;
        Some(Effect {
            id: "node-not-ready",
            earliest: None,
            since,
            last,
        })
    }
}
