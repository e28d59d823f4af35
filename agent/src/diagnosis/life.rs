//! The life of the kubelet's process: down, up and mute, up and never registered again, or in a cycle of short lives.

use super::effect::{Effect, LEASE};
use crate::grammar::fact::Fact;
use crate::model::time::{Moment, SECOND};

/// A unit that is down for less is being restarted.
const RESTARTING: i64 = 20 * SECOND;
/// A kubelet that is up for this long and has not said a word does not get on.
const MUTE: i64 = 30 * SECOND;
/// Lives shorter than this make a restart cycle.
const SHORT_LIFE: i64 = 400 * SECOND;
/// A cycle is over when the kubelet has lived this long since its last exit.
const CYCLE_OVER: i64 = 120 * SECOND;

/// Whether the process is there.
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

/// The process as far as systemd, its own words and the agent's looks tell.
#[derive(Debug, Default, Clone)]
pub(super) struct Life {
    process: Process,
    cycle: Option<Cycle>,
    /// It has registered at least once.
    registered: bool,
    /// systemd has started the kubelet and it has not said a word: since when it was down, and since when it is up.
    mute: Option<(Moment, Moment)>,
    /// A kubelet that had registered before was started again and has not registered since: since when it was down.
    unregistered: Option<Moment>,
}

impl Life {
    /// Whether it runs.
    pub(super) fn runs(&self) -> bool {
        matches!(self.process, Process::Running(_))
    }

    /// Whether it has registered at least once.
    pub(super) fn has_registered(&self) -> bool {
        self.registered
    }

    /// Whether it is up and has not got as far as renewing anything.
    pub(super) fn is_stuck(&self) -> bool {
        self.mute.is_some() || self.unregistered.is_some()
    }

    /// It said something.
    pub(super) fn spoke(&mut self, at: Moment) {
        self.mute = None;
        self.first_seen(at);
    }

    /// It is there, where nothing was known of it.
    fn first_seen(&mut self, at: Moment) {
        if self.process == Process::Unknown {
            self.process = Process::Running(at);
        }
    }

    /// The agent sees its process.
    pub(super) fn process(&mut self, onset: Moment, state: Option<&str>) {
        match state {
            Some("absent" | "zombie") if self.process == Process::Unknown => self.process = Process::Down(onset),
            Some("absent" | "zombie") | None => {}
            Some(_) => self.first_seen(onset),
        }
    }

    /// It registered.
    pub(super) fn registered(&mut self, at: Moment) {
        self.registered = true;
        self.unregistered = None;
        if let Some(cycle) = &mut self.cycle {
            let before = cycle.last_registration.unwrap_or(cycle.first);
            cycle.longest_gap = cycle.longest_gap.max(at.t - before.t);
            cycle.last_registration = Some(at);
        }
    }

    /// The lease was renewed: whatever held it before is over.
    pub(super) fn renewed(&mut self, at: Moment) {
        self.unregistered = self.unregistered.filter(|since| since.t >= at.t);
        self.mute = self.mute.filter(|(_, up)| up.t >= at.t);
        if self.is_after(at) {
            self.process = Process::Running(at);
        }
    }

    /// The machine went down after `last` and another boot has begun.
    pub(super) fn rebooted(&mut self, last: Moment) {
        self.process = Process::Down(last);
        self.cycle = None;
    }

    /// systemd tells of the unit.
    pub(super) fn unit(&mut self, at: Moment, fact: &Fact, good: Option<Moment>) {
        match fact.text("event") {
            Some("started" | "starting") => {
                let down = match self.process {
                    Process::Down(since) => since,
                    _ => at,
                };
                self.mute.get_or_insert((down, at));
                if self.registered {
                    self.unregistered.get_or_insert(down);
                }
                self.started(at);
            }
            Some("stopped" | "exited" | "exec-failed" | "failed") => self.exited_or_stopped(at, fact, good),
            _ => {}
        }
    }

    /// It runs.
    pub(super) fn started(&mut self, at: Moment) {
        if !matches!(self.process, Process::Running(_)) {
            self.process = Process::Running(at);
        }
    }

    fn exited_or_stopped(&mut self, at: Moment, fact: &Fact, good: Option<Moment>) {
        let ordered = fact.text("event") == Some("stopped") || fact.text("result") == Some("success");
        if ordered || fact.int("status") == Some(0) {
            if !matches!(self.process, Process::Down(_)) {
                self.process = Process::Down(at);
            }
        } else {
            self.exited(at, good);
        }
    }

    /// It ended by itself or by force; `good` is the last moment known good.
    pub(super) fn exited(&mut self, at: Moment, good: Option<Moment>) {
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
                    last_registration: good,
                });
            }
        }
    }

    /// The agent sees the unit's state.
    pub(super) fn unit_state(&mut self, at: Moment, onset: Moment, fact: &Fact) {
        let down = matches!(self.process, Process::Down(_));
        match fact.text("active") {
            Some("inactive" | "failed") if !down => self.process = Process::Down(onset),
            Some("active" | "reloading") if self.process == Process::Unknown => self.process = Process::Running(onset),
            // The journal has not told of the start, or not yet.
            Some("active" | "reloading") if down && (at.t - onset.t < RESTARTING || self.is_after(onset)) => {
                self.process = Process::Running(onset);
            }
            _ => {}
        }
    }

    /// Whether a state that began at `onset` came after the end of the process.
    fn is_after(&self, onset: Moment) -> bool {
        matches!(self.process, Process::Down(since) if onset.t > since.t)
    }

    /// What its life comes to at `now`; `good` is the last moment known good.
    pub(super) fn effect(&self, now: Moment, good: Option<Moment>) -> Option<Effect> {
        self.cycling(now, good)
            .or_else(|| self.down(now, good))
            .or_else(|| self.mute(now, good))
            .or_else(|| self.unregistered(now, good))
    }

    fn down(&self, now: Moment, good: Option<Moment>) -> Option<Effect> {
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
                earliest: good,
                since,
                last: now,
            }
        })
    }

    /// A kubelet writes dozens of lines in its first seconds, before it renews anything.
    fn mute(&self, now: Moment, good: Option<Moment>) -> Option<Effect> {
        let (down, up) = self.mute.filter(|_| matches!(self.process, Process::Running(_)))?;
        (now.t - up.t >= MUTE).then(|| {
            let id = if now.t - down.t >= LEASE {
                "heartbeat-lost"
            } else {
                "heartbeat-failing"
            };
            Effect {
                id,
                earliest: good,
                since: down,
                last: now,
            }
        })
    }

    /// Every kubelet says that it registers; one that does not get so far renews nothing.
    fn unregistered(&self, now: Moment, good: Option<Moment>) -> Option<Effect> {
        let since = self.unregistered.filter(|since| now.t - since.t >= LEASE)?;
        Some(Effect {
            id: "heartbeat-lost",
            earliest: good,
            since,
            last: now,
        })
    }

    fn cycling(&self, now: Moment, good: Option<Moment>) -> Option<Effect> {
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
                earliest: good.filter(|g| g.t <= cycle.first.t),
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
}
