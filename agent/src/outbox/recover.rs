//! Tiers that come back: what they hold is taken up, and what waits in a lesser one moves down.

use std::collections::{HashMap, HashSet};

use super::durable::Outbox;
use super::ring::{Entry, Scan};
use super::slots::{Place, Slot};
use super::tier::Payload;
use crate::model::change::Tier;

impl Outbox {
    /// Tries the tiers that failed, if it is time to, and moves what waits down to a better one. To be called now and
    /// then (a minute at most apart); `store` does too.
    pub fn tend(&mut self) {
        for tier in [Tier::Disk, Tier::Run] {
            if let Some(scan) = self.file(tier).reopen() {
                self.attach(tier, scan);
            }
        }
        self.move_down();
    }

    /// Takes up what a file holds that was just opened.
    fn attach(&mut self, tier: Tier, scan: Scan) {
        if scan.set_aside {
            self.lost.stores += 1;
            self.say("the stored changes could not be read; the store was set aside".to_owned());
        }
        self.lost.damaged += scan.damaged;
        let before: Vec<u64> = self.slots.in_tier(tier).map(|(seq, _)| seq).collect();
        let mut there = HashSet::new();
        for entry in latest(scan.entries) {
            self.file(tier).used = true;
            self.last_seq = self.last_seq.max(entry.seq);
            if let Some(seq) = self.take_up(tier, &entry) {
                there.insert(seq);
            }
        }
        // What this tier was thought to hold and does not.
        for seq in before.into_iter().filter(|seq| !there.contains(seq)) {
            self.slots.forget(seq);
            self.lost.damaged += 1;
            self.say("a stored change is gone from its store".to_owned());
        }
    }

    /// Takes up one record; gives its number where it is pending in this tier.
    fn take_up(&mut self, tier: Tier, entry: &Entry) -> Option<u64> {
        let wanted = entry.wanted & self.sinks;
        let place = Place::at(tier, entry.pos);
        let missing = if self.slots.is_done(entry.key) {
            wanted & !entry.delivered
        } else if let Some(seq) = self.slots.pending_key(entry.key) {
            let here = self.slots.get_mut(seq).is_some_and(|slot| {
                // A copy in a lesser tier stays the true one: nobody knows whether this one lasts.
                let here = slot.place.tier() == tier;
                if here {
                    slot.place = place;
                }
                here
            });
            let missing = self.slots.get(seq).map_or(0, |s| s.delivered) & !entry.delivered;
            self.slots.mark(entry.key, entry.delivered);
            self.file(tier).mark(entry.pos, missing);
            return here.then_some(seq);
        } else {
            let slot = Slot {
                key: entry.key,
                wanted,
                delivered: entry.delivered,
                place,
            };
            return Some(self.slots.insert(entry.seq, slot));
        };
        self.file(tier).mark(entry.pos, missing);
        None
    }

    /// What waits in a lesser tier goes to the best that works.
    fn move_down(&mut self) {
        for from in [Tier::Run, Tier::Memory] {
            let to = self.tier();
            let is_better = matches!((to, from), (Tier::Disk, _) | (Tier::Run, Tier::Memory)) && to != from;
            if !is_better {
                continue;
            }
            let waiting: Vec<u64> = self.slots.in_tier(from).map(|(seq, _)| seq).collect();
            for seq in waiting {
                let Payload::Whole(payload) = self.payload(seq) else {
                    continue;
                };
                let Some(slot) = self.slots.get(seq).cloned() else {
                    continue;
                };
                let Some(pos) = self.append(to, seq, &slot, payload) else {
                    return;
                };
                if let Some(slot) = self.slots.get_mut(seq) {
                    slot.place = Place::at(to, pos);
                }
            }
            let emptied = from == Tier::Run && to == Tier::Disk && self.slots.in_tier(from).next().is_none();
            if emptied {
                // What lies in /run is memory.
                self.run.clear();
            }
        }
    }
}

/// One record a uid: the newest, with what any of them was delivered to.
fn latest(entries: Vec<Entry>) -> Vec<Entry> {
    let mut by_key: HashMap<u128, Entry> = HashMap::new();
    for mut entry in entries {
        entry.delivered |= by_key.get(&entry.key).map_or(0, |e| e.delivered);
        by_key.insert(entry.key, entry);
    }
    let mut kept: Vec<Entry> = by_key.into_values().collect();
    kept.sort_by_key(|e| (e.seq, e.pos));
    kept
}
