//! What the outbox knows of its records: which are still to be delivered, where they lie, and which uids were there.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::sink::Sink;
use crate::model::change::Tier;

/// Uids of delivered changes that are remembered, so that the same change is not stored again: 4096.
const REMEMBERED: usize = 4096;

/// Where a record lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// At a position of the disk's ring.
    Disk(u64),
    /// At a position of the ring in `/run`.
    Run(u64),
    /// Here.
    Memory(Vec<u8>),
}

impl Place {
    pub(super) fn tier(&self) -> Tier {
        match self {
            Self::Disk(_) => Tier::Disk,
            Self::Run(_) => Tier::Run,
            Self::Memory(_) => Tier::Memory,
        }
    }

    /// A position in a file tier.
    pub(super) fn at(tier: Tier, pos: u64) -> Self {
        if tier == Tier::Disk {
            Self::Disk(pos)
        } else {
            Self::Run(pos)
        }
    }

    /// The position, where it lies in that tier's file.
    pub(super) fn in_file(&self, tier: Tier) -> Option<u64> {
        match (self, tier) {
            (Self::Disk(pos), Tier::Disk) | (Self::Run(pos), Tier::Run) => Some(*pos),
            _ => None,
        }
    }
}

/// A record that some sink has not got.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) key: u128,
    pub(super) wanted: u8,
    pub(super) delivered: u8,
    pub(super) place: Place,
}

impl Slot {
    fn is_for(&self, sink: Sink) -> bool {
        self.wanted & !self.delivered & sink.bit() != 0
    }
}

#[derive(Debug, Clone, Copy)]
enum Known {
    Pending(u64),
    Done(Tier),
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Slots {
    pending: BTreeMap<u64, Slot>,
    known: HashMap<u128, Known>,
    done: VecDeque<u128>,
}

impl Slots {
    /// Where a uid's change is or was, if it was there before.
    pub(super) fn tier_of(&self, key: u128) -> Option<Tier> {
        match self.known.get(&key)? {
            Known::Done(tier) => Some(*tier),
            Known::Pending(seq) => Some(self.pending.get(seq)?.place.tier()),
        }
    }

    /// The record that a uid is still pending as.
    pub(super) fn pending_key(&self, key: u128) -> Option<u64> {
        match self.known.get(&key)? {
            Known::Pending(seq) => Some(*seq),
            Known::Done(_) => None,
        }
    }

    /// Whether a uid was delivered to all.
    pub(super) fn is_done(&self, key: u128) -> bool {
        matches!(self.known.get(&key), Some(Known::Done(_)))
    }

    /// Takes a record up; one that nobody waits for is only remembered. Gives the sequence number it got: two stores
    /// that were written while the other was away may have used the same.
    pub(super) fn insert(&mut self, seq: u64, slot: Slot) -> u64 {
        if slot.wanted & !slot.delivered == 0 {
            self.remember(slot.key, slot.place.tier());
            return seq;
        }
        let mut seq = seq;
        while self.pending.contains_key(&seq) {
            seq += 1;
        }
        self.known.insert(slot.key, Known::Pending(seq));
        self.pending.insert(seq, slot);
        seq
    }

    /// Notes that sinks have a record. Gives its place.
    pub(super) fn mark(&mut self, key: u128, bits: u8) -> Option<Place> {
        let seq = self.pending_key(key)?;
        let slot = self.pending.get_mut(&seq)?;
        slot.delivered |= bits;
        let place = match &slot.place {
            Place::Memory(_) => Place::Memory(Vec::new()),
            place => place.clone(),
        };
        if slot.wanted & !slot.delivered == 0 {
            self.pending.remove(&seq);
            self.remember(key, place.tier());
        }
        Some(place)
    }

    /// Gives a record up: its uid is not known any more.
    pub(super) fn forget(&mut self, seq: u64) {
        if let Some(slot) = self.pending.remove(&seq) {
            self.known.remove(&slot.key);
        }
    }

    /// A record.
    pub(super) fn get(&self, seq: u64) -> Option<&Slot> {
        self.pending.get(&seq)
    }

    /// A record, to be changed.
    pub(super) fn get_mut(&mut self, seq: u64) -> Option<&mut Slot> {
        self.pending.get_mut(&seq)
    }

    /// Records that a sink has not got, oldest first.
    pub(super) fn waiting(&self, sink: Sink) -> impl Iterator<Item = u64> + '_ {
        self.pending
            .iter()
            .filter(move |(_, s)| s.is_for(sink))
            .map(|(q, _)| *q)
    }

    /// Records in a tier, oldest first.
    pub(super) fn in_tier(&self, tier: Tier) -> impl Iterator<Item = (u64, &Slot)> + '_ {
        self.pending
            .iter()
            .filter(move |(_, s)| s.place.tier() == tier)
            .map(|(q, s)| (*q, s))
    }

    /// How many are pending.
    pub(super) fn len(&self) -> usize {
        self.pending.len()
    }

    /// The highest sequence number in use.
    pub(super) fn highest(&self) -> u64 {
        self.pending.last_key_value().map_or(0, |(q, _)| *q)
    }

    fn remember(&mut self, key: u128, tier: Tier) {
        if self
            .known
            .insert(key, Known::Done(tier))
            .is_none_or(|k| matches!(k, Known::Pending(_)))
        {
            self.done.push_back(key);
        }
        while self.done.len() > REMEMBERED {
            if let Some(old) = self.done.pop_front() {
                self.known.remove(&old);
            }
        }
    }
}
