//! Feeds the engine: inputs in the order of the record, ticks by the record's own time.

use std::sync::Arc;

use crate::catalog::load::Catalog;
use crate::diagnosis::engine::{Engine, Options, Step};
use crate::model::diagnosis::Diagnosis;
use crate::model::input::Input;
use crate::model::time::{Moment, SECOND};

/// Between two ticks.
const TICK: i64 = 5 * SECOND;
/// Ticks within one silence; a longer one is ended by a single tick just before the next input.
const TICKS: i64 = 60;

/// An engine that is fed a record.
pub struct Analyzer {
    engine: Engine,
    ticked: Option<Moment>,
}

impl Analyzer {
    /// Over this catalog.
    pub fn new(catalog: Arc<Catalog>, options: Options) -> Self {
        Self {
            engine: Engine::new(catalog, options),
            ticked: None,
        }
    }

    /// Takes the next input of the record; `steps` gets what it and the ticks before it changed.
    pub fn input(&mut self, input: &Input, steps: &mut dyn FnMut(Step)) {
        let at = match input {
            Input::Observed(observation) => Some(observation.at),
            Input::Beat(beat) => Some(beat.at),
            Input::Tick(at) | Input::End(at) => Some(*at),
            Input::Gap(_) => None,
        };
        if let Some(at) = at {
            self.tick_until(at, steps);
        }
        if let Some(step) = self.engine.step(input) {
            steps(step);
        }
    }

    /// The answer at the end of what was fed.
    pub fn diagnosis(&self) -> Diagnosis {
        self.engine.diagnosis()
    }

    /// The engine, to ask it more.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    fn tick_until(&mut self, at: Moment, steps: &mut dyn FnMut(Step)) {
        let Some(mut last) = self.ticked else {
            self.ticked = Some(at);
            return;
        };
        let mut ticks = 0;
        while at.t - last.t > TICK {
            ticks += 1;
            let t = if ticks >= TICKS { at.t - 1 } else { last.t + TICK };
            let wall = crate::model::time::Timestamp(last.wall.0 + (t - last.t));
            last = Moment { t, wall };
            if let Some(step) = self.engine.step(&Input::Tick(last)) {
                steps(step);
            }
        }
        self.ticked = Some(Moment {
            t: last.t,
            wall: if at.t == last.t { at.wall } else { last.wall },
        });
    }
}
