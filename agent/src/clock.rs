//! The only reader of time. Everything else is told what time it is.

use std::fmt;
use std::sync::Arc;

use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::model::time::Timestamp;

/// What the kernel's clocks say at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// Wall time.
    pub wall: Timestamp,
    /// `CLOCK_MONOTONIC`, microseconds: what journald stamps entries with. Stands still while the machine sleeps.
    pub monotonic: u64,
    /// `CLOCK_BOOTTIME`, microseconds: goes on while the machine sleeps.
    pub boottime: u64,
}

/// A clock.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Now + Send + Sync>);

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({:?})", self.now())
    }
}

impl Clock {
    /// The machine's own clock.
    pub fn system() -> Self {
        Self(Arc::new(|| Now {
            wall: Timestamp(micros(clock_gettime(ClockId::Realtime))),
            monotonic: micros(clock_gettime(ClockId::Monotonic)) as u64,
            boottime: micros(clock_gettime(ClockId::Boottime)) as u64,
        }))
    }

    /// A clock that says what it is told.
    pub fn from_fn(now: impl Fn() -> Now + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// A clock that stands.
    pub fn fixed(now: Now) -> Self {
        Self::from_fn(move || now)
    }

    /// What time it is.
    pub fn now(&self) -> Now {
        (self.0)()
    }

    /// Microseconds of `CLOCK_MONOTONIC` since an earlier reading.
    pub fn since(&self, earlier: Now) -> u64 {
        self.now().monotonic.saturating_sub(earlier.monotonic)
    }
}

fn micros(t: Timespec) -> i64 {
    t.tv_sec.saturating_mul(1_000_000).saturating_add(t.tv_nsec / 1000)
}
