//! Reads journals ahead on a thread of its own: while one batch of entries is understood the next is read. Bounded to
//! [`BATCHES`] batches.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Scope;

use super::entry::{Picked, Received, WANTED};
use crate::journal::{Address, Entry, Set};

/// Entries in a batch at most.
const ENTRIES: usize = 512;
/// Bytes of values after which a batch is full.
const BYTES: usize = 256 * 1024;
/// Batches that are read ahead.
const BATCHES: usize = 3;

/// Entries and what else the reader had to say since the batch before.
#[derive(Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    rows: Vec<Row>,
    /// What is wrong with the files.
    pub(super) problems: Vec<String>,
    /// How far the reader is, as [`Set::progress`] counts.
    pub(super) done: u64,
}

/// One entry of a batch.
pub(super) struct Row {
    /// When it was received.
    pub(super) received: Received,
    address: Address,
    values: [Option<(u32, u32)>; WANTED.len()],
}

impl Row {
    /// The entry's native cursor.
    pub(super) fn cursor(&self) -> String {
        self.address.cursor()
    }
}

impl Batch {
    /// Its entries with their fields.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&Row, Picked<'_>)> {
        self.rows.iter().map(|row| {
            let value = |span: &Option<(u32, u32)>| span.map(|(from, to)| &self.bytes[from as usize..to as usize]);
            (row, Picked::of(|slot| value(&row.values[slot])))
        })
    }

    fn is_full(&self) -> bool {
        self.rows.len() >= ENTRIES || self.bytes.len() >= BYTES
    }

    fn push(&mut self, entry: &Entry<'_>) {
        let picked = Picked::pick(entry.fields());
        let mut values = [None; WANTED.len()];
        for (slot, span) in values.iter_mut().enumerate() {
            if let Some(value) = picked.bytes(slot) {
                let from = self.bytes.len() as u32;
                self.bytes.extend_from_slice(value);
                *span = Some((from, self.bytes.len() as u32));
            }
        }
        self.rows.push(Row {
            received: Received {
                realtime: entry.realtime.min(1 << 60) as i64,
                monotonic: Some(entry.monotonic),
                boot: Some(entry.boot_id),
            },
            address: entry.address(),
            values,
        });
    }
}

/// Starts to read. The batches end when the files do; a used batch may be given back to be filled again.
pub(super) fn read<'scope>(scope: &'scope Scope<'scope, '_>, mut set: Set) -> (Receiver<Batch>, SyncSender<Batch>) {
    let (to, batches) = sync_channel::<Batch>(BATCHES);
    let (back, used) = sync_channel::<Batch>(BATCHES + 2);
    scope.spawn(move || {
        let mut told = 0;
        let mut more = true;
        while more {
            let mut batch = used.try_recv().unwrap_or_default();
            batch.bytes.clear();
            batch.rows.clear();
            while !batch.is_full() {
                let Some(entry) = set.next() else {
                    more = false;
                    break;
                };
                batch.push(&entry);
            }
            batch.problems = set.problems().iter().skip(told).map(ToString::to_string).collect();
            told += batch.problems.len();
            batch.done = set.progress().0;
            if to.send(batch).is_err() {
                return;
            }
        }
    });
    (batches, back)
}
