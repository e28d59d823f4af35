//! How far back is far enough, and what the cursor has of files that are gone.

use std::time::Duration;

use super::cursor::Id;
use crate::clock::Now;
use crate::host::Host;
use crate::journal::{Address, Header};

/// A time in the past: by time since boot in this boot, which no stepped clock moves, else by wall time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    pub(super) realtime: u64,
    monotonic: u64,
    boot: Option<Id>,
}

impl Limit {
    /// So long before now. Which boot this is, is in `/proc/sys/kernel/random/boot_id`.
    pub(super) fn before(now: Now, back: Duration, host: &Host) -> Self {
        let back = u64::try_from(back.as_micros()).unwrap_or(u64::MAX);
        let boot = host.text("/proc/sys/kernel/random/boot_id").ok();
        Self {
            realtime: (now.wall.0.max(0) as u64).saturating_sub(back),
            monotonic: now.monotonic.saturating_sub(back),
            boot: boot.and_then(|text| Id::parse(&text)),
        }
    }

    /// Whether an entry is older.
    pub(super) fn is_after(&self, entry: &Address) -> bool {
        if self.boot == Some(Id(entry.boot_id)) {
            entry.monotonic < self.monotonic
        } else {
            entry.realtime < self.realtime
        }
    }

    /// Whether every entry of a file is older, as far as its header tells.
    pub(super) fn is_after_all_of(&self, header: &Header) -> bool {
        header.tail_realtime < self.realtime && self.boot != Some(Id(header.boot_id))
    }
}
