//! Restart cycles and units that stay stopped, for the kubelet and the runtime, from systemd's words or, where there is
//! no systemd in the input, from the kubelet's own.

use std::collections::VecDeque;

use super::Detector;
use crate::grammar::fact::{Fact, Kind};
use crate::model::input::Observation;
use crate::model::time::{Moment, SECOND};

/// Exits kept.
const KEPT: usize = 16;
/// This many exits make a cycle …
const CYCLE: usize = 3;
/// … if none of the lives between them was longer than this: the kubelet gives up for want of a certificate only after
/// five minutes (pkg/kubelet/certificate/transport.go).
const SHORT_LIFE: i64 = 400 * SECOND;
/// A restart counter this high is a cycle by itself.
const COUNTER: i64 = 4;
/// A unit that was stopped in order and is not started within this stays stopped: a restart takes less.
const STAYS: i64 = 25 * SECOND;

/// Watches both units.
#[derive(Debug, Default)]
pub struct Restarts {
    kubelet: Life,
    runtime: Life,
}

#[derive(Debug, Default)]
struct Life {
    started: Option<Moment>,
    exits: VecDeque<Exit>,
    stopped: Option<Observation>,
    told: bool,
    registered: bool,
}

#[derive(Debug, Clone)]
struct Exit {
    at: Moment,
    uptime: Option<i64>,
    code: &'static str,
    status: Option<i64>,
    signal: Option<String>,
}

impl Detector for Restarts {
    fn observe(&mut self, observation: &Observation, facts: &mut Vec<Fact>) {
        for fact in &observation.facts {
            match fact.kind {
                Kind::Unit => match fact.text("role") {
                    Some("kubelet") => self.kubelet.unit("kubelet", observation, fact, facts),
                    Some("runtime") => self.runtime.unit("runtime", observation, fact, facts),
                    _ => {}
                },
                Kind::KubeletStart => self.kubelet.started_at(observation.at),
                Kind::ApiSuccess => self.kubelet.registered = true,
                Kind::KubeletFatal | Kind::GoCrash if self.kubelet.without_systemd() => {
                    let exit = Exit {
                        at: observation.at,
                        uptime: None,
                        code: "unknown",
                        status: None,
                        signal: None,
                    };
                    self.kubelet.exit("kubelet", exit, None, facts);
                }
                _ => {}
            }
        }
    }

    fn tick(&mut self, now: Moment, found: &mut Vec<(Observation, Fact)>) {
        self.kubelet.stays_stopped("kubelet", now, found);
        self.runtime.stays_stopped("runtime", now, found);
    }
}

impl Life {
    /// Whether exits have to be taken from the program's own words because systemd says nothing.
    fn without_systemd(&self) -> bool {
        self.exits.iter().all(|e| e.code == "unknown")
    }

    fn started_at(&mut self, at: Moment) {
        self.started = Some(at);
        self.stopped = None;
        self.told = false;
    }

    fn unit(&mut self, role: &'static str, observation: &Observation, fact: &Fact, facts: &mut Vec<Fact>) {
        match fact.text("event") {
            Some("starting" | "started") => self.started_at(observation.at),
            // 252 prints `Stopped` with a restart job for each automatic restart: not an order.
            Some("stopped") if fact.text("job") != Some("restart") => {
                self.stopped = Some(observation.clone());
                self.told = false;
            }
            Some("exited" | "exec-failed") if is_failure(fact) => {
                let exit = Exit {
                    at: observation.at,
                    uptime: self.started.map(|s| observation.at.t - s.t),
                    code: code(fact),
                    status: fact.int("status"),
                    signal: fact.text("signal").map(str::to_owned),
                };
                self.exit(role, exit, None, facts);
            }
            Some("restart-scheduled") if fact.int("restarts") >= Some(COUNTER) => {
                let exit = self.exits.back().cloned().unwrap_or(Exit {
                    at: observation.at,
                    uptime: None,
                    code: "unknown",
                    status: None,
                    signal: None,
                });
                facts.push(self.cycle(role, &exit, fact.int("restarts")));
            }
            _ => {}
        }
    }

    fn exit(&mut self, role: &'static str, exit: Exit, counter: Option<i64>, facts: &mut Vec<Fact>) {
        // `Failed at step EXEC` and `Main process exited` are the same exit.
        if self.exits.back().is_some_and(|e| exit.at.t - e.at.t < SECOND / 2) {
            return;
        }
        self.exits.push_back(exit.clone());
        if self.exits.len() > KEPT {
            self.exits.pop_front();
        }
        let short = self
            .exits
            .iter()
            .rev()
            .take_while(|e| exit.at.t - e.at.t < CYCLE as i64 * SHORT_LIFE)
            .count();
        if short >= CYCLE || counter.is_some() {
            facts.push(self.cycle(role, &exit, counter));
        }
        self.registered = false;
    }

    fn cycle(&self, role: &'static str, exit: &Exit, counter: Option<i64>) -> Fact {
        let mut fact = Fact::new(Kind::CrashLoop)
            .with("role", role)
            .with_int("restarts", counter.unwrap_or(self.exits.len() as i64))
            .with("code", exit.code)
            .with("registers", if self.registered { "yes" } else { "no" });
        if let Some(uptime) = exit.uptime {
            fact = fact.with_int("uptime_s", uptime / SECOND);
        }
        if let Some(status) = exit.status {
            fact = fact.with_int("status", status);
        }
        if let Some(signal) = &exit.signal {
            fact = fact.with_text("signal", signal.clone());
        }
        fact
    }

    fn stays_stopped(&mut self, role: &'static str, now: Moment, found: &mut Vec<(Observation, Fact)>) {
        let Some(stopped) = &self.stopped else { return };
        let seconds = now.t - stopped.at.t;
        if !self.told && seconds >= STAYS {
            let fact = Fact::new(Kind::StaysStopped)
                .with("role", role)
                .with_int("seconds", seconds / SECOND)
                .with("why", "job");
            found.push((stopped.clone(), fact));
            self.told = true;
        }
    }
}

/// An exit that nobody ordered: code 0 and SIGTERM are how an ordered stop ends.
fn is_failure(fact: &Fact) -> bool {
    !(fact.text("code") == Some("exited") && fact.int("status") == Some(0)
        || fact
            .text("signal")
            .is_some_and(|s| s.trim_start_matches("SIG") == "TERM"))
}

fn code(fact: &Fact) -> &'static str {
    match fact.text("code") {
        Some("exited") => "exited",
        Some("killed") => "killed",
        Some("dumped") => "dumped",
        _ => "unknown",
    }
}
