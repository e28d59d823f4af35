//! The agent as its endpoints show it.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::core::Core;
use super::delivery::Tallies;
use super::kept::bundle;
use crate::catalog::load::Catalog;
use crate::clock::Clock;
use crate::config::resolve::Value;
use crate::export::metrics::Numbers;
use crate::export::otlp::gauges::Point;
use crate::http::view::{About, Shown, View};
use crate::model::change::Tier;
use crate::model::diagnosis::Diagnosis;
use crate::model::finding::Role;

/// Observations that `/debug/evidence` shows.
const SHOWN: usize = 500;

/// What is shown.
pub struct Shared {
    /// The heart.
    pub core: Rc<RefCell<Core>>,
    /// Counts of deliveries.
    pub tallies: Tallies,
    /// The configuration, secrets hidden.
    pub values: Rc<Vec<Value>>,
    /// The time.
    pub clock: Clock,
    /// The control plane's grace period, as configured.
    pub grace_period: Duration,
    /// Bytes of a bundle, at most.
    pub bundle_bytes: u64,
    /// Why this agent exports nothing, where another has the lock.
    pub standing_by: Option<String>,
    /// What is wrong with the agent itself, beside what others say.
    pub troubles: RefCell<Vec<String>>,
}

impl Shared {
    /// Says something about the agent itself, on stdout.
    pub fn say(&self, message: &str) {
        let now = self.clock.now().wall;
        self.core.borrow().lines().say(now, "warning", message);
    }
}

impl View for Shared {
    fn numbers(&self) -> Numbers {
        let core = self.core.borrow();
        let mut numbers = core.figures().numbers();
        numbers.diagnosis = Some((**core.diagnosis()).clone());
        numbers.now = self.clock.now().wall;
        numbers.late = core.late();
        numbers.causes = core.catalog().causes.len();
        if let Some(ledger) = core.ledger() {
            let (pending, lost) = ledger.outbox().with(|o| (o.depth(), o.lost()));
            numbers.pending = pending as u64;
            numbers.lost = lost.overflow + lost.damaged;
        }
        for (sink, tally) in self.tallies.borrow().iter() {
            for (result, count) in tally.results() {
                numbers
                    .deliveries
                    .insert(((*sink).to_owned(), result.to_owned()), count);
            }
        }
        numbers
    }

    /// Whoever can ask is answered by the one thread that does all: it lives.
    fn alive(&self) -> Result<(), String> {
        Ok(())
    }

    fn ready(&self) -> Result<(), String> {
        let core = self.core.borrow();
        if core.is_deaf() {
            Err("the reader of the logs has ended and is started again".to_owned())
        } else if self.standing_by.is_some() || core.is_settled() {
            Ok(())
        } else {
            Err("the journal is being read and the node looked at for the first time".to_owned())
        }
    }

    fn diagnosis(&self) -> Rc<Diagnosis> {
        Rc::clone(self.core.borrow().diagnosis())
    }

    fn evidence(&self) -> Vec<Shown> {
        self.core.borrow().kept().newest(SHOWN).map(Shown::from).collect()
    }

    fn config(&self) -> Rc<Vec<Value>> {
        Rc::clone(&self.values)
    }

    fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(self.core.borrow().catalog())
    }

    fn bundle(&self) -> Result<Vec<u8>, String> {
        let core = self.core.borrow();
        bundle(&core.kept().copy(), &core.foot(), self.bundle_bytes).map_err(|e| e.to_string())
    }

    fn about(&self) -> About {
        let core = self.core.borrow();
        let mut troubles = self.troubles.borrow().clone();
        let (mut tier, mut pending) = (Tier::Memory, 0);
        if let Some(ledger) = core.ledger() {
            troubles.extend(ledger.trouble());
            (tier, pending) = ledger.outbox().with(|o| {
                troubles.extend(o.trouble());
                (o.tier(), o.depth() as u64)
            });
        }
        for (sink, tally) in self.tallies.borrow().iter() {
            let trouble = tally.trouble.borrow();
            if !trouble.is_empty() {
                troubles.push(format!("{sink}: {trouble}"));
            }
        }
        About {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            now: self.clock.now().wall,
            started_at: core.started().wall,
            standing_by: self.standing_by.clone(),
            tier,
            pending,
            grace_period: self.grace_period,
            troubles,
        }
    }
}

/// The gauges that go to the collector, where that is asked for.
pub fn points(core: &Rc<RefCell<Core>>, clock: &Clock) -> Vec<Point> {
    let core = core.borrow();
    let diagnosis = core.diagnosis();
    let mut points = Vec::new();
    let cause = |name, cause: &str| Point {
        name,
        unit: "1",
        value: 1.0,
        attributes: vec![("whynotready.cause", cause.to_owned())],
    };
    for finding in &diagnosis.findings {
        match finding.role {
            Role::RootCause => points.push(cause("whynotready.root_cause", &finding.cause)),
            Role::Risk => points.push(cause("whynotready.risk", &finding.cause)),
            Role::Contributing | Role::Consequence => {}
        }
    }
    if points.is_empty() {
        points.push(cause("whynotready.root_cause", "none"));
    }
    if let Some(last) = diagnosis.heartbeat.last_success_at {
        points.push(Point {
            name: "whynotready.heartbeat.age",
            unit: "s",
            value: (clock.now().wall.0 - last.0).max(0) as f64 / 1e6,
            attributes: Vec::new(),
        });
    }
    points
}
