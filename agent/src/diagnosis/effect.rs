//! Is an effect present? Follows the heartbeat (lease and status calls), the kubelet's process and its readiness.
//!
//! A successful renewal is not logged. That renewals succeed is concluded: a kubelet that runs and does not say that one
//! fails renews its lease, because every failure is logged within 17 s (10 s period and 7 s longest retry).

use super::life::Life;
use super::readiness::Readiness;
use super::seen::Seen;
use crate::grammar::fact::{Fact, Kind};
use crate::grammar::line::Origin;
use crate::model::diagnosis::{Heartbeat, HeartbeatState, SuccessBasis};
use crate::model::input::{Beat, Observation};
use crate::model::time::{Moment, SECOND};

/// Without a failure for this long, a kubelet that runs has renewed its lease: period 10 s, time-out 10 s, longest retry
/// 7 s, and as much again for a slow node.
const HEALED: i64 = 30 * SECOND;
/// A standstill of the kubelet casts doubt on what it does not say for this long.
const STANDSTILL: i64 = 90 * SECOND;
/// The lease's duration (`nodeLeaseDurationSeconds`, 40 s by default): a heartbeat that fails for longer is lost.
pub const LEASE: i64 = 40 * SECOND;
/// A present effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effect {
    /// Its id in the graph.
    pub id: &'static str,
    /// The last moment known good before it.
    pub earliest: Option<Moment>,
    /// Its first evidence.
    pub since: Moment,
    /// Its last evidence.
    pub last: Moment,
}

/// Follows the effects.
#[derive(Debug, Default, Clone)]
pub struct Effects {
    run: Option<Run>,
    life: Life,
    /// What the kubelet posts as Ready.
    pub readiness: Readiness,
    last_good: Option<Moment>,
    last_kubelet: Option<Moment>,
    first_kubelet: Option<Moment>,
    stalled: Option<Moment>,
    kubelet_lines: u64,
    systemd_seen: bool,
    /// What the agent itself sees of the heartbeat.
    seen: Seen,
}

/// Failed renewals that no success has ended.
#[derive(Debug, Clone, Copy)]
struct Run {
    earliest: Option<Moment>,
    first: Moment,
    last: Moment,
    count: u64,
}

impl Effects {
    /// Takes an observation; derived facts included.
    pub fn observe(&mut self, observation: &Observation) {
        let at = observation.at;
        if observation.origin == Origin::Kubelet {
            self.kubelet_spoke(at);
        }
        self.systemd_seen |= observation.origin == Origin::Systemd;
        for fact in &observation.facts {
            self.readiness.observe(at, fact);
            match fact.kind {
                Kind::ApiCall if is_heartbeat(fact) => self.failed(at),
                Kind::ApiSuccess if fact.text("op") == Some("register") => self.succeeded(at),
                Kind::Unit if fact.text("role") == Some("kubelet") => self.life.unit(at, fact, self.last_good),
                Kind::KubeletStart => self.life.started(at),
                Kind::KubeletFatal if !self.systemd_seen => self.life.exited(at, self.last_good),
                Kind::GoCrash if !self.systemd_seen && fact.text("program") == Some("kubelet") => {
                    self.life.exited(at, self.last_good);
                }
                Kind::Stall => self.stalled = Some(at),
                _ => {}
            }
        }
    }

    /// Takes what the agent saw by itself.
    pub fn look(&mut self, observation: &Observation) {
        let (at, onset) = (observation.at, observation.onset());
        for fact in &observation.facts {
            self.seen.look(at, onset, fact);
            match fact.kind {
                Kind::UnitState if fact.text("role") == Some("kubelet") => self.life.unit_state(at, onset, fact),
                Kind::Process if fact.text("role") == Some("kubelet") => self.life.process(onset, fact.text("state")),
                _ => {}
            }
        }
        if let Some(renewed) = self.seen.renewed() {
            self.renewed(renewed);
        }
    }

    /// The lease says when it was renewed last: what failed before is over.
    fn renewed(&mut self, at: Moment) {
        if self.last_good.is_none_or(|good| good.t < at.t) {
            self.last_good = Some(at);
        }
        if self.run.is_some_and(|run| run.last.t < at.t) {
            self.run = None;
        }
        self.life.renewed(at);
    }

    /// Takes what was said while the machine went down: it tells of standstills before, and changes nothing else.
    pub fn testify(&mut self, observation: &Observation) {
        if observation.facts.iter().any(|f| f.kind == Kind::Stall) {
            self.stalled = Some(observation.at);
        }
    }

    /// Takes what a detector concluded by the passing of time.
    pub fn observe_derived(&mut self, observation: &Observation) {
        for fact in &observation.facts {
            if fact.kind == Kind::Stall {
                self.stalled = Some(observation.at);
            }
        }
    }

    /// Takes a sign of life.
    pub fn beat(&mut self, beat: &Beat) {
        if beat.origin == Origin::Kubelet {
            self.kubelet_spoke(beat.at);
        }
        self.systemd_seen |= beat.origin == Origin::Systemd;
    }

    /// The machine went down after `last` and another boot has begun.
    pub fn rebooted(&mut self, last: Moment) {
        self.life.rebooted(last);
        self.run = None;
        self.readiness = Readiness::default();
    }

    fn kubelet_spoke(&mut self, at: Moment) {
        self.last_kubelet = Some(at);
        self.life.spoke(at);
        self.first_kubelet.get_or_insert(at);
        self.kubelet_lines += 1;
    }

    fn failed(&mut self, at: Moment) {
        self.close_healed_run(at);
        match &mut self.run {
            Some(run) => {
                run.last = at;
                run.count += 1;
            }
            None => {
                self.run = Some(Run {
                    earliest: self.last_good,
                    first: at,
                    last: at,
                    count: 1,
                });
            }
        }
    }

    fn succeeded(&mut self, at: Moment) {
        self.run = None;
        self.last_good = Some(at);
        self.life.registered(at);
    }

    fn close_healed_run(&mut self, now: Moment) {
        let Some(run) = self.run else { return };
        let spoke_since = self.last_kubelet.is_some_and(|k| k.t - run.last.t > HEALED / 3);
        let runs = self.life.runs();
        let stalled = self.stalled.is_some_and(|s| now.t - s.t < STANDSTILL);
        if now.t - run.last.t > HEALED && runs && !stalled && (spoke_since || self.systemd_seen) {
            self.last_good = Some(now);
            self.run = None;
        }
    }

    /// The effect at `now`, if one is present. Call it in order of time: a run that has healed is closed by it.
    pub fn present(&mut self, now: Moment) -> Option<Effect> {
        self.close_healed_run(now);
        self.life
            .effect(now, self.last_good)
            .or_else(|| self.failing(now))
            .or_else(|| self.seen.stale(now))
            .or_else(|| self.seen.held(now, self.last_good, self.last_kubelet))
            .or_else(|| self.not_ready(now))
            .or_else(|| self.seen.not_ready())
    }

    fn failing(&self, now: Moment) -> Option<Effect> {
        let run = self.run.filter(|r| r.count >= 2)?;
        let id = if now.t - run.first.t >= LEASE {
            "heartbeat-lost"
        } else {
            "heartbeat-failing"
        };
        Some(Effect {
            id,
            earliest: run.earliest,
            since: run.first,
            last: run.last,
        })
    }

    fn not_ready(&self, now: Moment) -> Option<Effect> {
        let (since, last) = self.readiness.present(now)?;
        Some(Effect {
            id: "node-not-ready",
            earliest: None,
            since,
            last,
        })
    }

    /// Whether the input shows the heartbeat alive at `now`: the kubelet runs, was heard, and says of no failure.
    pub fn shown_alive(&self, now: Moment) -> bool {
        let (Some(first), Some(last)) = (self.first_kubelet, self.last_kubelet) else {
            return false;
        };
        let stalled = self.stalled.is_some_and(|s| s.t >= last.t - STANDSTILL);
        let runs = self.life.runs();
        // Either systemd watches over the process, or the kubelet itself has written for longer than a failure could
        // stay unsaid.
        let watched = self.systemd_seen && (self.life.has_registered() || now.t - first.t >= 2 * HEALED);
        let talks = self.kubelet_lines >= 20 && last.t - first.t >= 2 * HEALED;
        self.run.is_none() && !self.life.is_stuck() && runs && !stalled && !self.seen.is_held() && (watched || talks)
    }

    /// The heartbeat as it is to be reported.
    pub fn heartbeat(&mut self, now: Moment) -> Heartbeat {
        let effect = self.present(now);
        let state = match effect.map(|e| e.id) {
            Some("heartbeat-lost") => HeartbeatState::Lost,
            Some("heartbeat-failing") => HeartbeatState::Failing,
            Some("heartbeat-intermittent") => HeartbeatState::Intermittent,
            _ if self.seen.fresh(now) || self.shown_alive(now) => HeartbeatState::Ok,
            _ => HeartbeatState::Unknown,
        };
        let failing = effect.filter(|e| e.id != "node-not-ready");
        let last_success = match state {
            HeartbeatState::Ok if self.seen.fresh(now) => self.seen.renewed().map(|m| m.wall),
            HeartbeatState::Ok => Some(self.last_kubelet.unwrap_or(now).wall),
            HeartbeatState::Unknown => None,
            _ => failing.and_then(|e| e.earliest).map(|m| m.wall),
        };
        let by_lease = last_success.is_some() && self.seen.renewed().map(|m| m.wall) == last_success;
        Heartbeat {
            state,
            last_success_at: last_success,
            last_success_basis: last_success.map(|_| {
                if by_lease {
                    SuccessBasis::Lease
                } else {
                    SuccessBasis::Inferred
                }
            }),
            failing_since: failing.map(|e| e.since.wall),
        }
    }
}

/// Whether a failed call is a failed heartbeat. Conflicts and an empty informer cache are not: the next try decides.
fn is_heartbeat(fact: &Fact) -> bool {
    matches!(
        fact.text("op"),
        Some("lease" | "lease-owner" | "node-status" | "register")
    ) && !matches!(fact.text("error"), Some("conflict" | "canceled" | "node-cache"))
}
