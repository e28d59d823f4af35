//! What keeps the agent from being a burden to an API server that has just come back: one write at a time, not more than
//! one in five seconds for long, and after an outage none before the server says that it is ready and a random while.

use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};

use super::api::Api;
use crate::clock::Clock;
use crate::export::pace::{Backoff, Bucket, Waits, chance};

/// One write in so long, after a burst.
const EVERY: Duration = Duration::from_secs(5);
/// Writes at once.
const BURST: u64 = 5;

/// One for all that writes to the API server.
#[derive(Debug, Clone)]
pub struct Gate {
    inner: Rc<Mutex<Inner>>,
    waits: Waits,
}

#[derive(Debug)]
struct Inner {
    bucket: Bucket,
    backoff: Backoff,
    down: bool,
}

/// The right to write once, and to say how it went.
pub(super) struct Pass<'a>(MutexGuard<'a, Inner>);

impl Gate {
    /// Open.
    pub fn new(waits: Waits, clock: Clock) -> Self {
        Self {
            inner: Rc::new(Mutex::new(Inner {
                bucket: Bucket::new(EVERY, BURST, clock),
                backoff: Backoff::new(waits),
                down: false,
            })),
            waits,
        }
    }

    /// Waits for its turn, for a token and, after an outage, for the server. `Err`: it is still down; how long to wait.
    pub(super) async fn pass(&self, api: &mut Api) -> Result<Pass<'_>, Duration> {
        let mut inner = self.inner.lock().await;
        if inner.down {
            if !api.is_ready().await {
                return Err(inner.backoff.wait(None));
            }
            tokio::time::sleep(self.waits.herd.mul_f64(chance())).await;
            inner.down = false;
        }
        let wait = inner.bucket.take();
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        Ok(Pass(inner))
    }
}

impl Pass<'_> {
    /// The server answered as it should.
    pub(super) fn worked(mut self) {
        self.0.backoff.reset();
    }

    /// It did not; how long to wait.
    pub(super) fn failed(mut self, down: bool, asked: Option<Duration>) -> Duration {
        self.0.down |= down;
        self.0.backoff.wait(asked)
    }
}
