//! One tier's file: a ring of checksummed records in space that was taken ahead. A record is written once, in place of
//! the oldest, and made to last by one `fdatasync`; nothing is ever moved or grown.
//!
//! What a crash can leave is a torn last record: its checksum does not fit, and it was not yet reported as stored. The
//! end of the ring is found by reading it, not by a pointer that could be torn itself. Which sinks have a record is a
//! byte each, outside of the checksum and in one disk sector: losing one costs a second delivery, never a record.
//!
//! The file: two copies of a header (4096 bytes), then the ring. A record: 64 bytes of head, payload, padded to 64.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

use super::reserve;

/// The file's header.
pub(super) const HEADER: u64 = 4096;
/// A record's head; records begin at multiples of it.
pub(super) const HEAD: u64 = 64;
const MAGIC: u32 = 0x5752_4e52;
/// Where a head's delivered bytes begin, one a sink.
const DELIVERED: u64 = 56;
/// The only value that means delivered.
const YES: u8 = 0xd1;
/// Read at a time while the ring is searched.
const WINDOW: usize = 64 << 10;
/// A record that is in the ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its place in the order of all records.
    pub(super) seq: u64,
    /// What its uid hashes to.
    pub(super) key: u128,
    /// Bits of the sinks that it is for.
    pub(super) wanted: u8,
    /// Bits of the sinks that have it.
    pub(super) delivered: u8,
    /// Where it begins, counted on over all laps of the ring.
    pub(super) pos: u64,
    /// Where the one before it begins.
    prev: u64,
    /// Its payload.
    len: u32,
}

impl Entry {
    /// A record that is to be written; where it goes is the ring's business.
    pub(super) fn new(seq: u64, key: u128, wanted: u8, delivered: u8) -> Self {
        Self {
            seq,
            key,
            wanted,
            delivered,
            pos: 0,
            prev: 0,
            len: 0,
        }
    }

    pub(super) fn end(&self) -> u64 {
        self.pos + size(u64::from(self.len))
    }
}

/// What a ring was found to hold.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// The records, oldest first.
    pub(super) entries: Vec<Entry>,
    /// Records that were there and can't be read.
    pub(super) damaged: u64,
    /// A store that can't be read at all was set aside.
    pub(super) set_aside: bool,
}

/// The ring.
#[derive(Debug)]
pub(super) struct Ring {
    pub(super) file: File,
    pub(super) id: u64,
    pub(super) capacity: u64,
    pub(super) head: u64,
    pub(super) last: u64,
}

impl Ring {
    /// Writes a record over the oldest ones and waits until it lasts.
    pub(super) fn append(&mut self, new: &Entry, payload: &[u8]) -> io::Result<Entry> {
        if self.file.metadata()?.nlink() == 0 {
            // Somebody removed the file: what is written into it goes with this process.
            return Err(io::Error::new(io::ErrorKind::NotFound, "the file was removed"));
        }
        let entry = self.write(new, payload)?;
        self.file.sync_data()?;
        self.head = entry.end();
        self.last = entry.pos;
        Ok(entry)
    }

    /// The oldest position that a record at the end of the ring has not overwritten.
    pub(super) fn floor(&self) -> u64 {
        self.head.saturating_sub(self.capacity)
    }

    /// Notes that a sink has the record at `pos`. Not synced: at worst it is delivered twice.
    pub(super) fn mark(&self, pos: u64, bits: u8) -> io::Result<()> {
        for sink in (0..8_u64).filter(|s| bits & (1 << s) != 0) {
            self.file.write_all_at(&[YES], self.offset(pos) + DELIVERED + sink)?;
        }
        Ok(())
    }

    /// A record's payload; `None` where it is damaged.
    pub(super) fn read(&self, pos: u64) -> io::Result<Option<Vec<u8>>> {
        let mut head = [0_u8; HEAD as usize];
        self.file.read_exact_at(&mut head, self.offset(pos))?;
        match self.parse(&head, self.offset(pos)) {
            Some(entry) if entry.pos == pos => self.payload(&head, &entry),
            _ => Ok(None),
        }
    }

    /// Forgets every record and gives the blocks back; for a tier in memory, whose space was not taken ahead.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.file.set_len(HEADER)?;
        self.file.set_len(HEADER + self.capacity)
    }

    fn offset(&self, pos: u64) -> u64 {
        HEADER + pos % self.capacity
    }

    /// Writes a record after the last one; not synced, and the ring does not go on.
    pub(super) fn write(&self, new: &Entry, payload: &[u8]) -> io::Result<Entry> {
        let len = u32::try_from(payload.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let size = size(u64::from(len));
        if size > self.capacity / 2 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "larger than the store"));
        }
        let left = self.capacity - self.head % self.capacity;
        let entry = Entry {
            pos: if size > left { self.head + left } else { self.head },
            prev: self.last,
            len,
            ..*new
        };
        let mut bytes = Vec::with_capacity(size as usize);
        bytes.extend_from_slice(&MAGIC.to_le_bytes());
        bytes.extend_from_slice(&len.to_le_bytes());
        for word in [entry.seq, entry.pos, entry.prev] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(&entry.key.to_le_bytes());
        let sum = checksum(self.id, &bytes, entry.wanted, payload);
        bytes.extend_from_slice(&sum.to_le_bytes());
        bytes.extend_from_slice(&[entry.wanted, 0, 0, 0]);
        bytes.extend((0..8).map(|s| if entry.delivered & (1 << s) == 0 { 0 } else { YES }));
        bytes.extend_from_slice(payload);
        bytes.resize(size as usize, 0);
        self.file.write_all_at(&bytes, self.offset(entry.pos))?;
        Ok(entry)
    }

    fn payload(&self, head: &[u8], entry: &Entry) -> io::Result<Option<Vec<u8>>> {
        let mut payload = vec![0_u8; entry.len as usize];
        self.file.read_exact_at(&mut payload, self.offset(entry.pos) + HEAD)?;
        let said = word32(head, 48);
        let sum = checksum(self.id, head.get(..48).unwrap_or_default(), entry.wanted, &payload);
        Ok((said == Some(sum)).then_some(payload))
    }

    /// A head that could be one, at `offset` of the file.
    fn parse(&self, head: &[u8], offset: u64) -> Option<Entry> {
        if word32(head, 0)? != MAGIC {
            return None;
        }
        let entry = Entry {
            len: word32(head, 4)?,
            seq: word64(head, 8)?,
            pos: word64(head, 16)?,
            prev: word64(head, 24)?,
            key: u128::from(word64(head, 32)?) | (u128::from(word64(head, 40)?) << 64),
            wanted: *head.get(52)?,
            delivered: (0..8).fold(0, |bits, s| {
                bits | (u8::from(head.get(DELIVERED as usize + s) == Some(&YES)) << s)
            }),
        };
        let place = offset - HEADER;
        let fits = entry.pos % self.capacity == place
            && size(u64::from(entry.len)) <= self.capacity - place
            // A position near the end of the numbers would overflow what is counted on from it.
            && entry.pos < u64::MAX / 2;
        fits.then_some(entry)
    }

    /// Every record that is still in the ring, by reading all of it: 64 KiB at a time, one payload at a time.
    pub(super) fn scan(&mut self) -> io::Result<Scan> {
        let mut found: Vec<Entry> = Vec::new();
        let mut window = vec![0_u8; WINDOW];
        let (mut at, mut from, mut filled) = (HEADER, 0_u64, 0_u64);
        let end = HEADER + self.capacity;
        while at + HEAD <= end {
            if at < from || at + HEAD > from + filled {
                let part = usize::try_from(end - at).unwrap_or(WINDOW).min(WINDOW);
                let Some(buffer) = window.get_mut(..part) else { break };
                self.file.read_exact_at(buffer, at)?;
                (from, filled) = (at, part as u64);
            }
            let head = window.get((at - from) as usize..).unwrap_or_default();
            match self.parse(head, at) {
                Some(entry) if self.payload(head, &entry)?.is_some() => {
                    at += size(u64::from(entry.len));
                    found.push(entry);
                }
                _ => at += HEAD,
            }
        }
        reserve::forget(&self.file);
        found.sort_by_key(|e| e.pos);
        self.head = found.last().map_or(0, Entry::end);
        self.last = found.last().map_or(0, |e| e.pos);
        let floor = self.floor();
        found.retain(|e| e.pos >= floor);
        let damaged = found
            .iter()
            .zip(found.iter().skip(1))
            .filter(|(a, b)| a.pos != b.prev)
            .count() as u64;
        Ok(Scan {
            entries: found,
            damaged,
            set_aside: false,
        })
    }
}

/// What a payload of `len` bytes takes.
fn size(len: u64) -> u64 {
    HEAD + len.div_ceil(HEAD) * HEAD
}

fn checksum(id: u64, head: &[u8], wanted: u8, payload: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&id.to_le_bytes());
    sum.update(head);
    sum.update(&[wanted]);
    sum.update(payload);
    sum.finalize()
}

pub(super) fn word32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

pub(super) fn word64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}
