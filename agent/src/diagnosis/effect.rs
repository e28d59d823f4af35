//! Is an effect present? Follows the heartbeat (lease and status calls), the kubelet's process and its readiness.
//!
//! A successful renewal is not logged. That renewals succeed is concluded: a kubelet that runs and does not say that one
//! fails renews its lease, because every failure is logged within 17 s (10 s period and 7 s longest retry).

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
/// A unit that is down for less is being restarted.
const RESTARTING: i64 = 20 * SECOND;
/// A kubelet that is up for this long and has not said a word does not get on.
const MUTE: i64 = 30 * SECOND;
/// Lives shorter than this make a restart cycle.
const SHORT_LIFE: i64 = 400 * SECOND;
/// A cycle is over when the kubelet has lived this long since its last exit.
const CYCLE_OVER: i64 = 120 * SECOND;

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
    process: Process,
    cycle: Option<Cycle>,
    /// What the kubelet posts as Ready.
    pub readiness: Readiness,
    last_good: Option<Moment>,
    last_kubelet: Option<Moment>,
    first_kubelet: Option<Moment>,
    registered: Option<Moment>,
    stalled: Option<Moment>,
    kubelet_lines: u64,
    systemd_seen: bool,
    /// systemd has started the kubelet and it has not said a word: since when it was down, and since when it is up.
    mute: Option<(Moment, Moment)>,
    /// A kubelet that had registered before was started again and has not registered since: since when it was down.
    unregistered: Option<Moment>,
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

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Process {
    #[default]
    Unknown,
    Running(Moment),
    Down(Moment),
}

/// Exits that follow short lives.
#[derive(Debug, Clone, Copy)]
struct Cycle {
    first: Moment,
    last: Moment,
    exits: u32,
    /// The longest time between registrations so far, and the last of them.
    longest_gap: i64,
    last_registration: Option<Moment>,
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
                Kind::Unit if fact.text("role") == Some("kubelet") => self.unit(at, fact),
                Kind::KubeletStart => self.started(at),
                Kind::KubeletFatal if !self.systemd_seen => self.exited(at),
                Kind::GoCrash if !self.systemd_seen && fact.text("program") == Some("kubelet") => self.exited(at),
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
                Kind::UnitState if fact.text("role") == Some("kubelet") => self.unit_state(at, onset, fact),
                Kind::Process if fact.text("role") == Some("kubelet") => match fact.text("state") {
                    Some("absent" | "zombie") if self.process == Process::Unknown => {
                        self.process = Process::Down(onset);
                    }
                    Some("absent" | "zombie") | None => {}
                    Some(_) if self.process == Process::Unknown => self.process = Process::Running(onset),
                    Some(_) => {}
                },
                _ => {}
            }
        }
        if let Some(renewed) = self.seen.renewed() {
            self.renewed(renewed);
        }
    }

    fn unit_state(&mut self, at: Moment, onset: Moment, fact: &Fact) {
        let down = matches!(self.process, Process::Down(_));
        match fact.text("active") {
            Some("inactive" | "failed") if !down => self.process = Process::Down(onset),
            Some("active" | "reloading") if self.process == Process::Unknown => self.process = Process::Running(onset),
            // The journal had not told of the start yet.
            Some("active" | "reloading") if down && at.t - onset.t < RESTARTING => {
                self.process = Process::Running(onset);
            }
            _ => {}
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
        if self.unregistered.is_some_and(|since| since.t < at.t) {
            self.unregistered = None;
        }
        if self.mute.is_some_and(|(_, up)| up.t < at.t) {
            self.mute = None;
        }
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
        self.process = Process::Down(last);
        self.run = None;
        self.cycle = None;
        self.readiness = Readiness::default();
    }

    fn kubelet_spoke(&mut self, at: Moment) {
        self.last_kubelet = Some(at);
        self.mute = None;
        self.first_kubelet.get_or_insert(at);
        self.kubelet_lines += 1;
        if self.process == Process::Unknown {
            self.process = Process::Running(at);
        }
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
        self.registered = Some(at);
        self.unregistered = None;
        if let Some(cycle) = &mut self.cycle {
            let before = cycle.last_registration.unwrap_or(cycle.first);
            cycle.longest_gap = cycle.longest_gap.max(at.t - before.t);
            cycle.last_registration = Some(at);
        }
    }

    fn close_healed_run(&mut self, now: Moment) {
        let Some(run) = self.run else { return };
        let spoke_since = self.last_kubelet.is_some_and(|k| k.t - run.last.t > HEALED / 3);
        let runs = matches!(self.process, Process::Running(_));
        let stalled = self.stalled.is_some_and(|s| now.t - s.t < STANDSTILL);
        if now.t - run.last.t > HEALED && runs && !stalled && (spoke_since || self.systemd_seen) {
            self.last_good = Some(now);
            self.run = None;
        }
    }

    fn unit(&mut self, at: Moment, fact: &Fact) {
        match fact.text("event") {
            Some("started" | "starting") => {
                let down = match self.process {
                    Process::Down(since) => since,
                    _ => at,
                };
                self.mute.get_or_insert((down, at));
                if self.registered.is_some() {
                    self.unregistered.get_or_insert(down);
                }
                self.started(at);
            }
            Some("stopped" | "exited" | "exec-failed" | "failed") => self.exited_or_stopped(at, fact),
            _ => {}
        }
    }

    fn started(&mut self, at: Moment) {
        if !matches!(self.process, Process::Running(_)) {
            self.process = Process::Running(at);
        }
    }

    fn exited_or_stopped(&mut self, at: Moment, fact: &Fact) {
        let ordered = fact.text("event") == Some("stopped") || fact.text("result") == Some("success");
        if ordered || fact.int("status") == Some(0) {
            if !matches!(self.process, Process::Down(_)) {
                self.process = Process::Down(at);
            }
        } else {
            self.exited(at);
        }
    }

    fn exited(&mut self, at: Moment) {
        if let Process::Down(_) = self.process
            && self.cycle.is_some_and(|c| at.t - c.last.t < SECOND)
        {
            return;
        }
        self.process = Process::Down(at);
        match &mut self.cycle {
            Some(cycle) if at.t - cycle.last.t < SHORT_LIFE => {
                cycle.last = at;
                cycle.exits += 1;
            }
            _ => {
                self.cycle = Some(Cycle {
                    first: at,
                    last: at,
                    exits: 1,
                    longest_gap: 0,
                    last_registration: self.last_good,
                });
            }
        }
    }

    /// The effect at `now`, if one is present. Call it in order of time: a run that has healed is closed by it.
    pub fn present(&mut self, now: Moment) -> Option<Effect> {
        self.close_healed_run(now);
        self.cycling(now)
            .or_else(|| self.down(now))
            .or_else(|| self.mute(now))
            .or_else(|| self.unregistered(now))
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

    fn down(&self, now: Moment) -> Option<Effect> {
        let Process::Down(since) = self.process else {
            return None;
        };
        let long = now.t - since.t;
        (long >= RESTARTING).then(|| {
            let id = if long >= LEASE {
                "heartbeat-lost"
            } else {
                "heartbeat-failing"
            };
            Effect {
                id,
                earliest: self.last_good,
                since,
                last: now,
            }
        })
    }

    /// A kubelet writes dozens of lines in its first seconds, before it renews anything.
    fn mute(&self, now: Moment) -> Option<Effect> {
        let (down, up) = self.mute.filter(|_| matches!(self.process, Process::Running(_)))?;
        (now.t - up.t >= MUTE).then(|| {
            let id = if now.t - down.t >= LEASE {
                "heartbeat-lost"
            } else {
                "heartbeat-failing"
            };
            Effect {
                id,
                earliest: self.last_good,
                since: down,
                last: now,
            }
        })
    }

    /// Every kubelet says that it registers; one that does not get so far renews nothing.
    fn unregistered(&self, now: Moment) -> Option<Effect> {
        let since = self.unregistered.filter(|since| now.t - since.t >= LEASE)?;
        Some(Effect {
            id: "heartbeat-lost",
            earliest: self.last_good,
            since,
            last: now,
        })
    }

    fn cycling(&self, now: Moment) -> Option<Effect> {
        let cycle = self.cycle.filter(|c| c.exits >= 2)?;
        if now.t - cycle.last.t > CYCLE_OVER && matches!(self.process, Process::Running(_)) {
            return None;
        }
        let gap = now.t
            - cycle
                .last_registration
                .map_or(cycle.first.t, |r| r.t.max(cycle.first.t));
        let long = now.t - cycle.first.t;
        let effect = |id| {
            Some(Effect {
                id,
                earliest: self.last_good.filter(|g| g.t <= cycle.first.t),
                since: cycle.first,
                last: cycle.last,
            })
        };
        match cycle.last_registration.filter(|r| r.t > cycle.first.t) {
            None if long >= LEASE => effect("heartbeat-lost"),
            None if long >= RESTARTING => effect("heartbeat-failing"),
            Some(_) if cycle.longest_gap.max(gap) > LEASE => effect("heartbeat-intermittent"),
            _ => None,
        }
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
        let runs = matches!(self.process, Process::Running(_));
        // Either systemd watches over the process, or the kubelet itself has written for longer than a failure could
        // stay unsaid.
        let watched = self.systemd_seen && (self.registered.is_some() || now.t - first.t >= 2 * HEALED);
        let talks = self.kubelet_lines >= 20 && last.t - first.t >= 2 * HEALED;
        self.run.is_none()
            && self.mute.is_none()
            && self.unregistered.is_none()
            && runs
            && !stalled
            && !self.seen.is_held()
            && (watched || talks)
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
