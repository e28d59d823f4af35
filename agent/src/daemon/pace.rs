//! How often each source looks: slowly while the node is well, fast once there is a suspicion, and never fast for ever.

use std::time::Duration;

use crate::model::diagnosis::{Diagnosis, HeartbeatState, NodeVerdict};
use crate::model::time::{SECOND, Timestamp};

/// An episode is looked at closely for so long.
const CLOSELY: i64 = 600 * SECOND;
/// A risk, after it has come up.
const RISK: i64 = 120 * SECOND;

/// How often to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pace {
    /// Nothing is wrong.
    #[default]
    Calm,
    /// The heartbeat is well and there is a risk that lasts: often enough that it stays known, and the API server is left
    /// alone as on any other healthy node.
    Watchful,
    /// The heartbeat has been lost for long: often enough that what was seen stays known.
    Steady,
    /// Something has just gone wrong.
    Alert,
}

/// Since when something is wrong.
#[derive(Debug, Default, Clone)]
pub struct Suspicion {
    /// What was wrong at the last look: causes and the heartbeat's state.
    known: Vec<String>,
    since: Option<Timestamp>,
}

impl Suspicion {
    /// The pace that this answer calls for.
    pub fn pace(&mut self, diagnosis: &Diagnosis, now: Timestamp) -> Pace {
        let ill = matches!(
            diagnosis.heartbeat.state,
            HeartbeatState::Failing | HeartbeatState::Intermittent | HeartbeatState::Lost
        ) || matches!(diagnosis.verdict, NodeVerdict::RootCause | NodeVerdict::Inconclusive);
        let mut wrong: Vec<String> = diagnosis.findings.iter().map(|f| f.cause.clone()).collect();
        wrong.sort();
        wrong.push(format!("{:?}", diagnosis.heartbeat.state));
        if wrong.iter().any(|w| !self.known.contains(w)) {
            self.since = Some(now);
        }
        self.known = wrong;
        let age = self.since.map_or(i64::MAX, |s| now.0 - s.0);
        match (ill, age) {
            (true, age) if age < CLOSELY => Pace::Alert,
            (true, _) => Pace::Steady,
            (false, age) if age < RISK && !diagnosis.findings.is_empty() => Pace::Alert,
            (false, _) if diagnosis.findings.is_empty() => Pace::Calm,
            (false, _) => Pace::Watchful,
        }
    }
}

/// The time between two looks of a source, from the end of one to the start of the next. What was seen counts for 65 s
/// (`diagnosis::verdict`), so none is longer than a minute but those of the API server.
pub fn between(source: &str, pace: Pace) -> Duration {
    let (calm, alert) = match source {
        // The whole agent costs the API server one connection and one request in two minutes: these two take turns.
        "probe" | "lease" => (240, 10),
        "unit" | "process" | "healthz" | "machine" => (10, 4),
        "resolver" | "certificate" | "served-certificate" | "kubeconfig" | "kubelet-config" => (45, 15),
        "consumers" => (45, 10),
        _ => (25, 5),
    };
    let is_api = matches!(source, "probe" | "lease");
    Duration::from_secs(match pace {
        Pace::Calm => calm,
        Pace::Watchful if is_api => calm,
        Pace::Watchful | Pace::Steady => calm.min(alert * 4),
        Pace::Alert => alert,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use crate::catalog::load::Catalog;
    use crate::diagnosis::engine::Options;
    use crate::pipeline::Analyzer;

    fn answer(state: HeartbeatState, verdict: NodeVerdict) -> Diagnosis {
        let catalog = Arc::new(Catalog::embedded().unwrap());
        let mut diagnosis = Analyzer::new(catalog, Options::default()).diagnosis();
        diagnosis.heartbeat.state = state;
        diagnosis.verdict = verdict;
        diagnosis
    }

    #[test]
    fn a_suspicion_is_looked_at_closely_and_not_for_ever() {
        let mut suspicion = Suspicion::default();
        let well = answer(HeartbeatState::Ok, NodeVerdict::Healthy);
        let ill = answer(HeartbeatState::Failing, NodeVerdict::Inconclusive);
        let lost = answer(HeartbeatState::Lost, NodeVerdict::Inconclusive);
        let at = |s: i64| Timestamp(s * SECOND);
        assert_eq!(suspicion.pace(&well, at(0)), Pace::Calm);
        assert_eq!(suspicion.pace(&ill, at(1)), Pace::Alert);
        assert_eq!(suspicion.pace(&ill, at(1300)), Pace::Steady);
        assert_eq!(suspicion.pace(&lost, at(1301)), Pace::Alert);
        assert_eq!(suspicion.pace(&well, at(1400)), Pace::Calm);
        assert_eq!(between("probe", Pace::Watchful), between("probe", Pace::Calm));
        for source in ["probe", "process", "certificate", "disk"] {
            assert!(between(source, Pace::Alert) < between(source, Pace::Steady));
            assert!(between(source, Pace::Steady) <= between(source, Pace::Calm));
            assert!(between(source, Pace::Steady) <= Duration::from_mins(1));
        }
    }
}
