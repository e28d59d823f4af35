//! What no single line says: small named detectors, each of which turns a sequence of observations into typed facts.

pub mod boot;
pub mod clock;
pub mod restarts;
pub mod stall;

use crate::grammar::fact::Fact;
use crate::model::input::{Beat, Observation};
use crate::model::time::Moment;

/// A detector. It sees every observation and tick in order and may state a fact each time; the fact is shown with the
/// observation that completed it.
pub trait Detector: Send {
    /// A line with facts or words of the catalog.
    fn observe(&mut self, observation: &Observation, facts: &mut Vec<Fact>);

    /// A sign of life.
    fn beat(&mut self, _beat: &Beat) {}

    /// Time passes; facts are shown with the last observation that the detector kept.
    fn tick(&mut self, _now: Moment, _found: &mut Vec<(Observation, Fact)>) {}
}

/// Every detector.
pub fn all() -> Vec<Box<dyn Detector>> {
    vec![
        Box::new(boot::Boots::default()),
        Box::new(clock::Clock::default()),
        Box::new(restarts::Restarts::default()),
        Box::new(stall::Stalls::default()),
    ]
}
