//! Was the process allowed to run? A kubelet that is throttled, frozen or starved says so only by being late.

use super::Detector;
use crate::grammar::fact::{Fact, Kind};
use crate::model::input::Observation;
use crate::model::time::{Moment, SECOND};

/// The kubelet's housekeeping is due every two seconds and says so when it took longer than one
/// (pkg/kubelet/kubelet.go, `housekeepingPeriod`); ten are no load, but a standstill.
const HOUSEKEEPING_MS: i64 = 10_000;
/// Local operations that client-go's traces time; waiting for the API server is not one of them.
const LOCAL_TRACES: &[&str] = &["iptables", "volume metrics"];
/// As long for a local trace.
const TRACE_MS: i64 = 15_000;
/// From a klog header to journald's time stamp; normal is below 0.2 s.
const LAG: i64 = 3 * SECOND;
/// The kubelet's own timer says `container runtime is down` 30 s after the last good CRI status
/// (pkg/kubelet/runtime.go). Without a failed CRI call in this time, the kubelet itself did not run.
const RUNTIME_WITNESS: i64 = 90 * SECOND;

/// Watches for standstills.
#[derive(Debug, Default)]
pub struct Stalls {
    runtime_trouble: Option<Moment>,
    kubelet_started: Option<Moment>,
    first: Option<Moment>,
}

impl Detector for Stalls {
    fn observe(&mut self, observation: &Observation, facts: &mut Vec<Fact>) {
        let at = observation.at;
        let reaches_back = at.t - self.first.get_or_insert(at).t >= RUNTIME_WITNESS / 2;
        for fact in &observation.facts {
            match fact.kind {
                Kind::HousekeepingSlow if fact.int("actual_ms") >= Some(HOUSEKEEPING_MS) => {
                    facts.push(stall(fact.int("actual_ms"), "housekeeping"));
                }
                Kind::SlowTrace if fact.int("total_ms") >= Some(TRACE_MS) && is_local(fact) => {
                    facts.push(stall(fact.int("total_ms"), "trace"));
                }
                Kind::CriCall => self.runtime_trouble = Some(at),
                Kind::Runtime if !matches!(fact.text("what"), Some("starting" | "started")) => {
                    self.runtime_trouble = Some(at);
                }
                Kind::Unit if fact.text("role") == Some("runtime") => self.runtime_trouble = Some(at),
                Kind::KubeletStart => self.kubelet_started = Some(at),
                Kind::SkipSync
                    if fact.text("because") == Some("runtime-down") && reaches_back && !self.explained(at) =>
                {
                    facts.push(
                        Fact::new(Kind::Stall)
                            .with_int("seconds", 30)
                            .with("witness", "runtime-timer"),
                    );
                }
                _ => {}
            }
        }
        if let Some(header) = observation.header_at {
            let lag = at.wall.0 - header.0;
            if lag >= LAG {
                facts.push(Fact::new(Kind::LogLag).with_int("ms", lag / 1000));
            }
        }
    }
}

impl Stalls {
    /// Whether something else accounts for a runtime that is called down: its failures, its restart, or a kubelet that
    /// has just started.
    fn explained(&self, at: Moment) -> bool {
        let recent = |since: Option<Moment>, span: i64| since.is_some_and(|s| at.t - s.t < span);
        recent(self.runtime_trouble, RUNTIME_WITNESS) || recent(self.kubelet_started, 60 * SECOND)
    }
}

fn stall(ms: Option<i64>, witness: &'static str) -> Fact {
    Fact::new(Kind::Stall)
        .with_int("seconds", ms.unwrap_or(0) / 1000)
        .with("witness", witness)
}

fn is_local(fact: &Fact) -> bool {
    fact.text("name")
        .is_some_and(|name| LOCAL_TRACES.iter().any(|t| name.contains(t)))
}
