//! Is the machine going down in order? From then on lines testify about what was before and change nothing else.

use crate::grammar::fact::Kind;
use crate::model::input::Observation;
use crate::model::time::{Moment, SECOND};

/// A shutdown that has not ended the boot after this long was cancelled: systemd's own limit for the stop of a unit is
/// 90 s, and `DefaultTimeoutStopSec` seldom above ten minutes.
const CANCELLED: i64 = 600 * SECOND;

/// Follows the order to go down.
#[derive(Debug, Default, Clone)]
pub struct GoingDown {
    since: Option<Moment>,
}

impl GoingDown {
    /// Takes an observation.
    pub fn observe(&mut self, observation: &Observation) {
        let ordered = observation.facts.iter().any(|f| f.kind == Kind::Shutdown);
        if ordered && !self.is_so(observation.at) {
            self.since = Some(observation.at);
        }
    }

    /// Whether the machine is going down at `now`.
    pub fn is_so(&self, now: Moment) -> bool {
        self.since.is_some_and(|s| now.t - s.t <= CANCELLED)
    }

    /// Since when.
    pub fn since(&self) -> Option<Moment> {
        self.since
    }
}
