//! How far the journal has been read: opaque to the caller, who saves it once what the entries led to is stored.
//!
//! Not one sequence number for all: two files of one count are read at two moments, so a number that was passed in one
//! may still come in the other. Each file has the number of its entries that were passed; the id in its header keeps its
//! name apart from what it is called and where it lies.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::account::Account;
use crate::journal::Address;
use crate::source::saved;

/// An id of 128 bits, in JSON as 32 hex digits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Id(pub(super) [u8; 16]);

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{:032x}", u128::from_be_bytes(self.0)))
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("an id is 32 hex digits"))
    }
}

impl Id {
    /// 32 hex digits, with or without hyphens.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits: String = text.trim().chars().filter(|c| *c != '-').collect();
        (digits.len() == 32)
            .then(|| u128::from_str_radix(&digits, 16).ok())
            .flatten()
            .map(|id| Self(id.to_be_bytes()))
    }
}

/// How far one file was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileAt {
    pub(super) seqnum_id: Id,
    /// Entries passed.
    pub(super) passed: u64,
    /// Of the last entry passed, 0 where there was none: its number and wall time.
    pub(super) seqnum: u64,
    pub(super) realtime: u64,
    /// Nothing is left and nothing will come.
    pub(super) ended: bool,
}

/// The last entries of one directory: what is copied from there into another one was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    boot: Id,
    monotonic: u64,
    /// Of the entries at exactly that time, 64 at most.
    hashes: Vec<u64>,
}

impl Mark {
    pub(super) fn at(entry: &Address) -> Self {
        Self {
            boot: Id(entry.boot_id),
            monotonic: entry.monotonic,
            hashes: vec![entry.xor_hash],
        }
    }

    /// Moves on to an entry.
    pub(super) fn advance(&mut self, entry: &Address) {
        if self.boot.0 == entry.boot_id && self.monotonic == entry.monotonic {
            if self.hashes.len() < 64 {
                self.hashes.push(entry.xor_hash);
            }
            return;
        }
        self.boot = Id(entry.boot_id);
        self.monotonic = entry.monotonic;
        self.hashes.clear();
        self.hashes.push(entry.xor_hash);
    }

    /// Whether an entry was among those up to here. One journald stamps its entries in order.
    pub(super) fn covers(&self, entry: &Address) -> bool {
        self.boot.0 == entry.boot_id
            && (entry.monotonic < self.monotonic
                || entry.monotonic == self.monotonic && self.hashes.contains(&entry.xor_hash))
    }
}

/// How far the journal has been read, and what of it was not seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    pub(super) files: HashMap<Id, FileAt>,
    /// By directory, in the order of [`super::Options::roots`].
    pub(super) marks: Vec<Option<Mark>>,
    pub(super) account: Account,
}

impl Position {
    /// What was not seen.
    pub const fn account(&self) -> &Account {
        &self.account
    }
}

/// Saves a position; to be called once what its entries led to is stored.
pub fn save(position: &Position, path: &Path) -> io::Result<()> {
    saved::save(position, path)
}
