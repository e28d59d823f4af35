//! A new boot after another one: was the machine told to go down, or did the record just stop?

use super::Detector;
use crate::grammar::fact::{Fact, Kind};
use crate::model::input::{Beat, Observation};
use crate::model::time::{Moment, SECOND};

/// A shutdown order this long before the record's end still explains the end.
const ORDER_HOLDS: i64 = 300 * SECOND;

/// Watches boots.
#[derive(Debug, Default)]
pub struct Boots {
    boot: Option<u32>,
    last: Option<Moment>,
    ordered: Option<Moment>,
}

impl Detector for Boots {
    fn observe(&mut self, observation: &Observation, facts: &mut Vec<Fact>) {
        if let (Some(boot), Some(last)) = (self.boot, self.last)
            && observation.boot > boot
        {
            let how = match self.ordered {
                Some(order) if last.t - order.t <= ORDER_HOLDS => "ordered",
                _ => "unclean",
            };
            let gap = (observation.at.wall.0 - last.wall.0).max(0) / SECOND;
            facts.push(Fact::new(Kind::BootChange).with("how", how).with_int("gap_s", gap));
            self.ordered = None;
        }
        self.boot = Some(observation.boot);
        self.last = Some(observation.at);
        if observation.facts.iter().any(|f| f.kind == Kind::Shutdown) {
            self.ordered = Some(observation.at);
        }
    }

    fn beat(&mut self, beat: &Beat) {
        if self.boot == Some(beat.boot) {
            self.last = Some(beat.at);
        }
    }
}
