//! A file tier with its patience: when it failed, and when it is tried again.

use std::time::Duration;

use super::keeper::{Keeper, Trouble};
use super::ring::{Entry, Scan};
use super::store::Place;
use crate::clock::Clock;
use crate::model::change::Tier;

/// A tier that failed is tried again after 5 s, then twice that, up to a minute.
const RETRY: u64 = 5_000_000;
const RETRY_MOST: u64 = 60_000_000;

/// What became of reading a record.
pub(super) enum Payload {
    /// Here it is.
    Whole(Vec<u8>),
    /// It can't be read, ever.
    Damaged,
    /// It can't be asked for now.
    Away,
}

/// A tier that is a file.
pub(super) struct FileTier {
    keeper: Keeper,
    /// Which of them.
    pub(super) tier: Tier,
    /// Whether anything was written since it was empty.
    pub(super) used: bool,
    clock: Clock,
    patience: Duration,
    next_try: u64,
    wait: u64,
    trouble: Option<String>,
}

impl FileTier {
    /// Nothing is touched yet.
    pub(super) fn new(place: Place, tier: Tier, patience: Duration, clock: Clock) -> Self {
        Self {
            keeper: Keeper::new(place),
            tier,
            used: false,
            clock,
            patience,
            next_try: 0,
            wait: RETRY,
            trouble: None,
        }
    }

    /// Whether it takes records.
    pub(super) fn is_open(&self) -> bool {
        self.keeper.is_open()
    }

    /// Why it does not.
    pub(super) fn trouble(&self) -> Option<String> {
        let why = self.trouble.as_ref().filter(|_| !self.is_open())?;
        Some(format!("{}: {why}", self.keeper.path().display()))
    }

    /// Opens it where it is closed and it is time to try; gives what it holds. Opening reads the whole file, making it
    /// writes all of it: a slow one goes on without being waited for.
    pub(super) fn reopen(&mut self) -> Option<Scan> {
        if self.is_open() || self.clock.now().boottime < self.next_try {
            return None;
        }
        let scan = self.keeper.open(self.patience * 2);
        let scan = self.noted(scan)?;
        self.wait = RETRY;
        self.trouble = None;
        Some(scan)
    }

    /// Stores a record; gives its position and the oldest one that is still there. `None`: not stored.
    pub(super) fn append(&mut self, entry: Entry, payload: Vec<u8>) -> Option<(u64, u64)> {
        if !self.is_open() {
            return None;
        }
        let stored = self.keeper.append(entry, payload, self.patience);
        let (entry, floor) = self.noted(stored)?;
        self.used = true;
        Some((entry.pos, floor))
    }

    /// Notes who has a record; where that fails it is done when the file is opened again.
    pub(super) fn mark(&mut self, pos: u64, bits: u8) {
        if self.is_open() && bits != 0 {
            let marked = self.keeper.mark(pos, bits, self.patience);
            self.noted(marked);
        }
    }

    /// A payload.
    pub(super) fn read(&mut self, pos: u64) -> Payload {
        if !self.is_open() {
            return Payload::Away;
        }
        let payload = self.keeper.read(pos, self.patience);
        match self.noted(payload) {
            Some(Some(payload)) => Payload::Whole(payload),
            Some(None) => Payload::Damaged,
            None => Payload::Away,
        }
    }

    /// Forgets all records and gives the space back.
    pub(super) fn clear(&mut self) {
        if self.is_open() && self.used {
            let cleared = self.keeper.clear(self.patience);
            self.used = self.noted(cleared).is_none();
        }
    }

    fn noted<T>(&mut self, answer: Result<T, Trouble>) -> Option<T> {
        match answer {
            Ok(value) => Some(value),
            Err(trouble) => {
                self.trouble = Some(trouble.to_string());
                self.next_try = self.clock.now().boottime.saturating_add(self.wait);
                self.wait = (self.wait * 2).min(RETRY_MOST);
                None
            }
        }
    }
}
