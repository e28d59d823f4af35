//! What became of deliveries: `deliveries_total{sink,result}`.

use std::cell::{Cell, RefCell};

/// Counts of one sink, since the start.
#[derive(Debug, Default)]
pub struct Tally {
    /// Changes that the receiver took.
    pub delivered: Cell<u64>,
    /// Changes that the receiver refused for good, or took and said to have thrown away.
    pub rejected: Cell<u64>,
    /// Changes that are not delivered because they are too old for this sink, or nothing it would tell.
    pub skipped: Cell<u64>,
    /// Tries that failed and are made again.
    pub retried: Cell<u64>,
    /// The last failure, a sentence; empty once a delivery worked.
    pub trouble: RefCell<String>,
}

impl Tally {
    /// Adds to one of the counts.
    pub(super) fn add(count: &Cell<u64>, more: usize) {
        count.set(count.get() + more as u64);
    }

    /// Notes a failure.
    pub(super) fn failed(&self, why: impl Into<String>) {
        Self::add(&self.retried, 1);
        *self.trouble.borrow_mut() = why.into();
    }

    /// Notes a success.
    pub(super) fn worked(&self) {
        self.trouble.borrow_mut().clear();
    }

    /// The counts by the words of `deliveries_total{result}`.
    pub fn results(&self) -> [(&'static str, u64); 4] {
        [
            ("delivered", self.delivered.get()),
            ("rejected", self.rejected.get()),
            ("skipped", self.skipped.get()),
            ("retried", self.retried.get()),
        ]
    }
}
