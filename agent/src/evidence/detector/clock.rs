//! Wall time against monotonic time within one boot. A step forward leaves no line at all in the journal; it shows only
//! here.

use super::Detector;
use crate::grammar::fact::{Fact, Kind};
use crate::model::input::Observation;
use crate::model::time::SECOND;

/// Slewing and rounding stay far below this.
const STEP: i64 = 10 * SECOND;

/// Watches the clock.
#[derive(Debug, Default)]
pub struct Clock {
    offset: Option<(u32, i64)>,
}

impl Detector for Clock {
    fn observe(&mut self, observation: &Observation, facts: &mut Vec<Fact>) {
        let offset = observation.at.wall.0 - observation.at.t;
        if let Some((boot, before)) = self.offset
            && boot == observation.boot
            && (offset - before).abs() >= STEP
        {
            let direction = if offset > before { "forward" } else { "backward" };
            let seconds = (offset - before) / SECOND;
            facts.push(
                Fact::new(Kind::ClockJump)
                    .with_int("offset_s", seconds)
                    .with("direction", direction),
            );
        }
        self.offset = Some((observation.boot, offset));
    }
}
