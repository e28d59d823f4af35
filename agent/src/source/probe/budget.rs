//! How long a stage may take, and the whole way.

use std::time::Duration;

use super::fault::{Fault, Stage, classify, elapsed};
use crate::clock::{Clock, Now};

/// The whole way to an answer, however many stages are slow: a look of nine seconds has half a second left to report.
const WHOLE: Duration = Duration::from_millis(8_400);

/// What is left of the time of one probe.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    clock: Clock,
    started: Now,
    stage: Duration,
}

/// What a stage gave, and how long it took in microseconds.
pub(crate) type Timed<T> = Result<(T, u64), Fault>;

impl Budget {
    /// Begins now; a stage takes `stage` at most.
    pub(crate) fn new(clock: &Clock, stage: Duration) -> Self {
        Self {
            started: clock.now(),
            clock: clock.clone(),
            stage,
        }
    }

    /// What one more stage may take.
    pub(crate) fn stage(&self) -> Duration {
        let gone = Duration::from_micros(self.clock.since(self.started));
        self.stage.min(WHOLE.saturating_sub(gone))
    }

    /// The clock.
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Runs one stage within its time; its error is classified.
    pub(crate) async fn run<T, E: std::error::Error + 'static>(
        &self,
        stage: Stage,
        work: impl Future<Output = Result<T, E>>,
    ) -> Timed<T> {
        let started = self.clock.now();
        let done = tokio::time::timeout(self.stage(), work).await;
        let took = self.clock.since(started);
        match done {
            Ok(Ok(value)) => Ok((value, took)),
            Ok(Err(e)) => Err(Fault::new(stage, classify(&e, stage), took)),
            Err(_) => Err(Fault::new(stage, elapsed(stage), took)),
        }
    }
}
