//! A file that is read while it is written, entry by entry, as far as its header says that there are entries.
//!
//! journald writes an entry and the data that it names first, then its place in the entry array, then the header's count
//! (`link_entry_into_array` in `journal-file.c`, with a release fence before), and never changes an entry again. So up to
//! the count everything is there, and a fault is damage or a file that is not flushed in order. Whether to wait for it
//! or to pass it over is the caller's choice. Bounded as a [`super::Set`] is; 256 offsets a file are read ahead.

use std::collections::VecDeque;

use super::entry::{Address, Entry};
use super::fields::Fields;
use super::file::{read_header, stamp};
use super::format::{ARRAY_HEADER, ENTRY_ARRAY, Header, u32_at, u64_at};
use super::merge::{Stamp, order, same};
use super::problem::{Fault, Problem};
use super::read_at::ReadAt;
use super::reader::{Layout, Reader, Wanted};
use super::window::Source;

/// Offsets of entries that are read at once.
const AHEAD: u64 = 256;
/// Bytes behind which pages that were read are given back.
const RELEASE: u64 = 4 << 20;

/// What all files that are followed share: windows, cache, decoder and the fields of the present entry.
pub struct Tails {
    reader: Reader,
    wanted: Wanted,
    fields: Fields,
    faults: Vec<Fault>,
    files: u32,
}

/// A file, and how much of it has been read.
pub struct Tail {
    name: String,
    layout: Layout,
    array: u64,
    count: u64,
    index: u64,
    ahead: VecDeque<u64>,
    passed: u64,
    /// End of the last entry: nothing before it changes but arrays and counts.
    watermark: u64,
    released: u64,
    head: Option<Stamp>,
}

impl Tail {
    /// The header as it was read last.
    pub fn header(&self) -> &Header {
        &self.layout.header
    }

    /// The name for people.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// It is called something else now.
    pub fn rename(&mut self, name: String) {
        self.name = name;
    }

    /// Entries passed.
    pub fn passed(&self) -> u64 {
        self.passed
    }

    /// Entries that the header counts and that have not been passed.
    pub fn left(&self) -> u64 {
        self.layout.header.n_entries.saturating_sub(self.passed)
    }

    /// The entry that is next, once [`Tails::look`] has found it.
    pub fn head(&self) -> Option<Address> {
        self.head.map(|stamp| stamp.address())
    }

    /// Whether its next entry comes before another file's.
    pub fn is_before(&self, other: &Self) -> bool {
        match (&self.head, &other.head) {
            (Some(a), Some(b)) => order(a, b).is_lt(),
            (a, b) => a.is_some() && b.is_none(),
        }
    }

    /// Whether its next entry is a copy of another file's.
    pub fn is_copy_of(&self, other: &Self) -> bool {
        matches!((&self.head, &other.head), (Some(a), Some(b)) if same(a, b))
    }

    /// Goes on to the entry behind the next one, whether that could be read or not. False where not even its place is
    /// known: the file ends there.
    pub fn pass(&mut self) -> bool {
        if self.ahead.pop_front().is_none() {
            return false;
        }
        if let Some(head) = self.head.take() {
            self.watermark = head.offset + head.size;
        }
        self.passed += 1;
        self.index += 1;
        true
    }

    fn problem(&self, fault: Fault) -> Problem {
        Problem {
            file: self.name.clone(),
            offset: fault.offset,
            what: fault.what,
        }
    }
}

impl Tails {
    /// Nothing followed yet. `wanted` are the fields that will be asked for; of a value `max_payload` bytes are kept.
    pub fn new(wanted: &[&str], max_payload: usize) -> Self {
        Self {
            reader: Reader::new(),
            wanted: Wanted {
                names: wanted.iter().map(|&name| name.to_owned()).collect(),
                max_payload,
            },
            fields: Fields::default(),
            faults: Vec::new(),
            files: 0,
        }
    }

    /// Reads the header of a file that is called `name`.
    pub fn open(&mut self, name: String, bytes: Box<dyn ReadAt>) -> Result<Tail, Problem> {
        match read_header(bytes.as_ref()) {
            Ok((header, len)) => {
                let id = self.files;
                self.files = self.files.wrapping_add(1);
                Ok(Tail {
                    name,
                    layout: Layout {
                        source: Source { id, len, bytes },
                        header,
                    },
                    array: 0,
                    count: 0,
                    index: 0,
                    ahead: VecDeque::new(),
                    passed: 0,
                    watermark: 0,
                    released: 0,
                    head: None,
                })
            }
            Err(fault) => Err(Problem {
                file: name,
                offset: fault.offset,
                what: fault.what,
            }),
        }
    }

    /// Reads the header again; says whether there are entries that have not been passed.
    pub fn refresh(&mut self, tail: &mut Tail) -> Result<bool, Problem> {
        let (header, len) = read_header(tail.layout.source.bytes.as_ref()).map_err(|fault| tail.problem(fault))?;
        if header.file_id != tail.layout.header.file_id || header.n_entries < tail.passed {
            return Err(tail.problem(Fault::new(0, "the file is not what it was")));
        }
        if header.n_entries != tail.layout.header.n_entries {
            self.reader.windows.forget(tail.layout.source.id, tail.watermark);
        }
        tail.layout.source.len = len;
        tail.layout.header = header;
        Ok(tail.left() > 0)
    }

    /// Finds the next entry; false where there is none.
    pub fn look(&mut self, tail: &mut Tail) -> Result<bool, Problem> {
        if tail.head.is_some() {
            return Ok(true);
        }
        match self.next(tail) {
            Ok(head) => {
                tail.head = head;
                Ok(head.is_some())
            }
            Err(fault) => Err(tail.problem(fault)),
        }
    }

    /// Reads the entry that [`Self::look`] has found. An unreadable field is an error, unless `anyway`: then the entry is
    /// given without it and marked.
    pub fn read<'a>(&'a mut self, tail: &'a Tail, anyway: bool) -> Result<Entry<'a>, Problem> {
        let Some(head) = &tail.head else {
            return Err(tail.problem(Fault::new(tail.watermark, "no entry was found")));
        };
        self.faults.clear();
        let truncated = self
            .fields
            .read(&tail.layout, &mut self.reader, &self.wanted, head, &mut self.faults);
        match self.faults.pop() {
            Some(fault) if !anyway => Err(tail.problem(fault)),
            _ => {
                let mut entry = self.fields.entry(head, &tail.name);
                entry.truncated = truncated;
                Ok(entry)
            }
        }
    }

    /// Forgets what was read ahead of a file, to read it again.
    pub fn again(&mut self, tail: &mut Tail) {
        self.reader.windows.forget(tail.layout.source.id, 0);
        tail.ahead.clear();
        tail.head = None;
    }

    /// Gives the pages back that were read, once there are enough of them; all of them at the `end`.
    pub fn release(tail: &mut Tail, end: bool) {
        let count = tail.watermark.saturating_sub(tail.released);
        if end {
            tail.layout.source.bytes.release(0, 0);
        } else if count >= RELEASE {
            tail.layout.source.bytes.release(tail.released, count);
            tail.released = tail.watermark;
        }
    }

    /// Passes over the first `entries` entries without reading them.
    pub fn skip(&mut self, tail: &mut Tail, entries: u64) -> Result<(), Problem> {
        if entries > tail.layout.header.n_entries {
            return Err(tail.problem(Fault::new(152, "fewer entries than were read before")));
        }
        let mut skipped = || -> Result<(), Fault> {
            while tail.passed < entries {
                Self::enter(tail)?;
                let step = (entries - tail.passed).min(tail.count - tail.index);
                tail.passed += step;
                tail.index += step;
            }
            Ok(())
        };
        let result = skipped();
        tail.ahead.clear();
        tail.head = None;
        result.map_err(|fault| tail.problem(fault))
    }

    /// Passes over the entries at the start for which `early` holds: by whole arrays, then by bisection. An entry that
    /// cannot be read is not early.
    pub fn skip_while(&mut self, tail: &mut Tail, early: impl Fn(&Address) -> bool) -> Result<(), Problem> {
        let mut skipped = || -> Result<(), Fault> {
            while tail.left() > 0 {
                Self::enter(tail)?;
                let there = tail.left().min(tail.count - tail.index);
                let mut is_early = |back: u64| -> bool {
                    let Ok(offset) = Self::item(tail, tail.index + back) else {
                        return false;
                    };
                    stamp(&tail.layout, &mut self.reader, offset).is_ok_and(|stamp| early(&stamp.address()))
                };
                if is_early(there - 1) {
                    tail.passed += there;
                    tail.index += there;
                    continue;
                }
                let (mut low, mut high) = (0, there - 1);
                while low < high {
                    let middle = low + (high - low) / 2;
                    if is_early(middle) {
                        low = middle + 1;
                    } else {
                        high = middle;
                    }
                }
                tail.passed += low;
                tail.index += low;
                return Ok(());
            }
            Ok(())
        };
        let result = skipped();
        tail.ahead.clear();
        tail.head = None;
        result.map_err(|fault| tail.problem(fault))
    }

    fn next(&mut self, tail: &mut Tail) -> Result<Option<Stamp>, Fault> {
        if tail.left() == 0 {
            return Ok(None);
        }
        if tail.ahead.is_empty() {
            Self::enter(tail)?;
            let count = tail.left().min(tail.count - tail.index).min(AHEAD);
            let width = tail.layout.header.array_item() as usize;
            let mut bytes = [0_u8; AHEAD as usize * 8];
            let wanted = &mut bytes[..count as usize * width];
            let at = tail.array + ARRAY_HEADER + tail.index * width as u64;
            fill(&tail.layout, wanted, at)?;
            tail.ahead.extend(wanted.chunks_exact(width).map(offset));
        }
        let Some(&offset) = tail.ahead.front() else {
            return Ok(None);
        };
        if offset < tail.watermark {
            return Err(Fault::new(offset, "entry offsets do not grow"));
        }
        stamp(&tail.layout, &mut self.reader, offset).map(Some)
    }

    /// Goes to the array that holds the next item.
    fn enter(tail: &mut Tail) -> Result<(), Fault> {
        while tail.array == 0 || tail.index >= tail.count {
            let next = if tail.array == 0 {
                tail.layout.header.entry_array
            } else {
                let mut bytes = [0_u8; 8];
                fill(&tail.layout, &mut bytes, tail.array + 16)?;
                u64_at(&bytes, 0)
            };
            if next <= tail.array {
                return Err(Fault::new(tail.array, "entry array without the one that follows"));
            }
            let mut bytes = [0_u8; ARRAY_HEADER as usize];
            fill(&tail.layout, &mut bytes, next)?;
            let size = u64_at(&bytes, 8);
            if bytes[0] != ENTRY_ARRAY || size > tail.layout.source.len.saturating_sub(next) {
                return Err(Fault::new(next, "no entry array"));
            }
            (tail.array, tail.index) = (next, 0);
            tail.count = size.saturating_sub(ARRAY_HEADER) / tail.layout.header.array_item();
        }
        Ok(())
    }

    fn item(tail: &Tail, index: u64) -> Result<u64, Fault> {
        let width = tail.layout.header.array_item();
        let mut bytes = [0_u8; 8];
        fill(
            &tail.layout,
            &mut bytes[..width as usize],
            tail.array + ARRAY_HEADER + index * width,
        )?;
        Ok(u64_at(&bytes, 0))
    }
}

fn offset(item: &[u8]) -> u64 {
    if item.len() == 4 {
        u64::from(u32_at(item, 0))
    } else {
        u64_at(item, 0)
    }
}

fn fill(layout: &Layout, bytes: &mut [u8], at: u64) -> Result<(), Fault> {
    match layout.source.bytes.fill_at(bytes, at) {
        Ok(got) if got == bytes.len() => Ok(()),
        Ok(_) => Err(Fault::new(at, "beyond the end of the file")),
        Err(error) => Err(Fault::new(at, format!("read: {error}"))),
    }
}
