//! The outbox as the rest of the agent sees it. It never fails: what can't be stored on the disk is stored in `/run`,
//! and what can't be stored there in memory; when a better tier works again, what waits moves down to it.
//!
//! Bounds: the disk's file is `max_bytes`, the one in `/run` (memory, mostly) 2 MiB, memory 1 MiB, of compressed records.
//! Beyond them the oldest record is lost, counted and said. It delivers nothing itself.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::record;
use super::ring::Entry;
use super::sink::Sink;
use super::slots::{Place, Slot, Slots};
use super::store::{LARGEST, Place as File, SMALLEST};
use super::tier::{FileTier, Payload};
use crate::clock::Clock;
use crate::model::change::{Change, Tier};

/// How long a disk may take for one record: 2 s.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// The file in `/run`.
const RUN_BYTES: u64 = 2 << 20;
/// Records in memory.
const MEMORY_BYTES: usize = 1 << 20;
/// Notices that nobody fetched: the newest 16.
const NOTICES: usize = 16;

/// Where and how much.
#[derive(Debug, Clone)]
pub struct Options {
    /// The state directory.
    pub dir: PathBuf,
    /// `/run/whynotready`.
    pub run_dir: PathBuf,
    /// Bytes that the store takes on the disk, all of them ahead; at least 256 KiB.
    pub max_bytes: u64,
    /// Who is to get what is stored. A change is for those that are named when it is stored; what was stored for others
    /// before is not waited for.
    pub sinks: Vec<Sink>,
    /// A call to a file is waited for so long before the next tier is taken, and twice as long for opening it; the agent
    /// stands still meanwhile. [`PATIENCE`] but in tests.
    pub patience: Duration,
    /// The time.
    pub clock: Clock,
}

/// What was lost since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lost {
    /// Undelivered changes that newer ones took the room of.
    pub overflow: u64,
    /// Changes that were stored and can't be read.
    pub damaged: u64,
    /// Whole stores that could not be read and were set aside.
    pub stores: u64,
}

/// A change that a sink has not got.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Where it is stored.
    pub tier: Tier,
    /// The change.
    pub change: Change,
}

/// The outbox.
pub struct Outbox {
    pub(super) disk: FileTier,
    pub(super) run: FileTier,
    pub(super) slots: Slots,
    pub(super) sinks: u8,
    pub(super) last_seq: u64,
    pub(super) lost: Lost,
    clock: Clock,
    notices: Vec<String>,
}

impl Outbox {
    /// Opens the best tier that works; takes up what an earlier run left.
    pub fn open(options: Options) -> Self {
        let file = |dir: &Path, bytes: u64, ahead| File {
            path: dir.join("outbox"),
            bytes: bytes.max(SMALLEST),
            ahead,
        };
        let disk = file(&options.dir, options.max_bytes, true);
        let run = file(&options.run_dir, options.max_bytes.min(RUN_BYTES), false);
        let mut outbox = Self {
            disk: FileTier::new(disk, Tier::Disk, options.patience, options.clock.clone()),
            run: FileTier::new(run, Tier::Run, options.patience, options.clock.clone()),
            slots: Slots::default(),
            sinks: options.sinks.iter().fold(0, |bits, s| bits | s.bit()),
            last_seq: 0,
            lost: Lost::default(),
            clock: options.clock,
            notices: Vec::new(),
        };
        outbox.tend();
        outbox
    }

    /// Stores a change and says where. The same uid is stored once, whether it was delivered or not.
    pub fn store(&mut self, change: &Change) -> Tier {
        let key = record::key(&change.uid);
        if let Some(tier) = self.slots.tier_of(key) {
            return tier;
        }
        self.tend();
        let payload = record::pack(change, LARGEST);
        let seq = self.next_seq();
        let slot = Slot {
            key,
            wanted: self.sinks,
            delivered: 0,
            place: Place::Memory(payload),
        };
        self.put(seq, slot)
    }

    /// Changes that the sink has not got, oldest first, `at_most` of them. What lies on a disk that does not answer is
    /// left for later.
    pub fn pending(&mut self, sink: Sink, at_most: usize) -> Vec<Stored> {
        let waiting: Vec<u64> = self.slots.waiting(sink).collect();
        let mut found = Vec::new();
        for seq in waiting {
            if found.len() == at_most {
                break;
            }
            let why = match self.payload(seq) {
                Payload::Away => continue,
                Payload::Damaged => "a stored change is damaged and lost".to_owned(),
                Payload::Whole(payload) => match record::unpack(&payload) {
                    Ok(change) => {
                        let tier = self.slots.get(seq).map_or(Tier::Memory, |s| s.place.tier());
                        found.push(Stored { tier, change });
                        continue;
                    }
                    Err(e) => e.to_string(),
                },
            };
            self.slots.forget(seq);
            self.lost.damaged += 1;
            self.say(why);
        }
        found
    }

    /// Notes that the sink has the change, or never will: it is not given to it again.
    pub fn delivered(&mut self, sink: Sink, uid: &str) {
        let Some(place) = self.slots.mark(record::key(uid), sink.bit()) else {
            return;
        };
        for file in [&mut self.disk, &mut self.run] {
            if let Some(pos) = place.in_file(file.tier) {
                file.mark(pos, sink.bit());
            }
        }
    }

    /// Changes that some sink has not got.
    pub fn depth(&self) -> usize {
        self.slots.len()
    }

    /// Changes that this sink has not got.
    pub fn depth_of(&self, sink: Sink) -> usize {
        self.slots.waiting(sink).count()
    }

    /// What was lost since the start.
    pub fn lost(&self) -> Lost {
        self.lost
    }

    /// Where the next change would be stored.
    pub fn tier(&self) -> Tier {
        [&self.disk, &self.run]
            .iter()
            .find(|f| f.is_open())
            .map_or(Tier::Memory, |f| f.tier)
    }

    /// Why better tiers are not used, a sentence each.
    pub fn trouble(&self) -> Vec<String> {
        [&self.disk, &self.run].iter().filter_map(|f| f.trouble()).collect()
    }

    /// What is to be said of losses, once each.
    pub fn notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices)
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(super) fn file(&mut self, tier: Tier) -> &mut FileTier {
        if tier == Tier::Disk {
            &mut self.disk
        } else {
            &mut self.run
        }
    }

    /// Writes a record into a file tier; `None` where that does not work.
    pub(super) fn append(&mut self, tier: Tier, seq: u64, slot: &Slot, payload: Vec<u8>) -> Option<u64> {
        let entry = Entry::new(seq, slot.key, slot.wanted, slot.delivered);
        let (pos, floor) = self.file(tier).append(entry, payload)?;
        self.evict(tier, floor);
        Some(pos)
    }

    /// A record's payload.
    pub(super) fn payload(&mut self, seq: u64) -> Payload {
        let (tier, pos) = match self.slots.get(seq).map(|s| &s.place) {
            Some(Place::Memory(payload)) => return Payload::Whole(payload.clone()),
            Some(Place::Disk(pos)) => (Tier::Disk, *pos),
            Some(Place::Run(pos)) => (Tier::Run, *pos),
            // Given up meanwhile: not there to be asked for.
            None => return Payload::Away,
        };
        self.file(tier).read(pos)
    }

    pub(super) fn say(&mut self, notice: String) {
        if self.notices.len() == NOTICES {
            self.notices.remove(0);
        }
        self.notices.push(notice);
    }

    /// Order over restarts and tiers: the time where that goes on, else the number after the last.
    fn next_seq(&mut self) -> u64 {
        let wall = u64::try_from(self.clock.now().wall.0).unwrap_or(0);
        self.last_seq = (self.last_seq + 1).max(wall).max(self.slots.highest() + 1);
        self.last_seq
    }

    /// Into the best tier that takes it.
    fn put(&mut self, seq: u64, mut slot: Slot) -> Tier {
        for tier in [Tier::Disk, Tier::Run] {
            let Place::Memory(payload) = &slot.place else { break };
            let payload = payload.clone();
            if let Some(pos) = self.append(tier, seq, &slot, payload) {
                slot.place = Place::at(tier, pos);
            }
        }
        let tier = slot.place.tier();
        self.slots.insert(seq, slot);
        if tier == Tier::Memory {
            self.bound_memory();
        }
        tier
    }

    /// Gives up what a ring has overwritten.
    fn evict(&mut self, tier: Tier, floor: u64) {
        let gone: Vec<u64> = self
            .slots
            .in_tier(tier)
            .filter(|(_, s)| s.place.in_file(tier).is_some_and(|pos| pos < floor))
            .map(|(seq, _)| seq)
            .collect();
        self.overflow(&gone);
    }

    fn bound_memory(&mut self) {
        let mut gone = Vec::new();
        let mut left = MEMORY_BYTES;
        let newest_first: Vec<(u64, usize)> = self
            .slots
            .in_tier(Tier::Memory)
            .map(|(seq, s)| match &s.place {
                Place::Memory(payload) => (seq, payload.len()),
                _ => (seq, 0),
            })
            .collect();
        for (seq, len) in newest_first.into_iter().rev() {
            if let Some(rest) = left.checked_sub(len) {
                left = rest;
            } else {
                left = 0;
                gone.push(seq);
            }
        }
        self.overflow(&gone);
    }

    fn overflow(&mut self, gone: &[u64]) {
        if gone.is_empty() {
            return;
        }
        for seq in gone {
            self.slots.forget(*seq);
        }
        self.lost.overflow += gone.len() as u64;
        self.say(format!(
            "the outbox is full: undelivered changes lost, the oldest first: {} since the start",
            self.lost.overflow
        ));
    }
}
