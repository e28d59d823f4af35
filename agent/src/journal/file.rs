//! One file of a set: its entries in the order of its arrays, filtered, with its next entry held ready for the merge.

use super::chain::Chain;
use super::filter::{Choice, Term, resolve};
use super::format::{ENTRY, ENTRY_HEADER, FIELDS_MAX, HEADER_BYTES, Header, id_at, u32_at, u64_at};
use super::merge::Stamp;
use super::problem::{Fault, Log};
use super::read_at::ReadAt;
use super::reader::{Layout, Reader};
use super::window::Source;

/// What is asked of every file.
pub(super) struct Query {
    pub(super) only: Option<Vec<Term>>,
    pub(super) since: Option<u64>,
    pub(super) until: Option<u64>,
}

/// Where the next entry's offset comes from.
enum Walk {
    /// The file's entry arrays.
    Arrays(Chain),
    /// The arrays of chosen DATA objects, each with its next offset.
    Index(Vec<(Chain, Option<u64>)>),
    /// Object by object from here on, because an array was damaged.
    Scan(u64),
    Done,
}

/// A file and where the walk through it is.
pub(super) struct JournalFile {
    pub(super) name: String,
    pub(super) layout: Layout,
    /// The next entry, if there is one.
    pub(super) head: Option<Stamp>,
    /// Entries passed, and how many there should be.
    pub(super) seen: u64,
    pub(super) total: u64,
    walk: Walk,
    choice: Choice,
    started: bool,
    /// End of the last entry: entries must grow, which bounds the work by the file's size.
    watermark: u64,
    last: u64,
    /// Where a walk through all entries took over from the index; what lies before it was given.
    resumed: u64,
}

impl JournalFile {
    /// Reads the header and goes to the first entry asked for. Faults that leave something to read go to `log`.
    pub(super) fn open(
        id: u32,
        (name, bytes): (String, Box<dyn ReadAt>),
        query: &Query,
        reader: &mut Reader,
        log: &mut Log,
    ) -> Result<Self, (String, Fault)> {
        let (header, len) = match read_header(bytes.as_ref()) {
            Ok(read) => read,
            Err(fault) => return Err((name, fault)),
        };
        let claimed = header.header_size.saturating_add(header.arena_size);
        if claimed > len {
            log.add(
                id,
                &name,
                Fault::new(len, format!("file is cut: {len} of {claimed} bytes")),
            );
        }
        let total = header.n_entries.min(len / ENTRY_HEADER);
        let walk = Walk::Arrays(Chain::new(0, header.entry_array));
        let layout = Layout {
            source: Source { id, len, bytes },
            header,
        };
        let mut file = Self {
            name,
            layout,
            head: None,
            seen: 0,
            total,
            walk,
            choice: Choice::All,
            started: query.since.is_none(),
            watermark: 0,
            last: 0,
            resumed: 0,
        };
        file.start(query, reader, log);
        file.advance(query, reader, log);
        Ok(file)
    }

    fn start(&mut self, query: &Query, reader: &mut Reader, log: &mut Log) {
        let resolved = resolve(&self.layout, reader, query.only.as_deref());
        for fault in resolved.faults {
            log.add(self.layout.source.id, &self.name, fault);
        }
        self.choice = resolved.choice;
        if let Some(chains) = resolved.chains {
            self.total = resolved.expected.min(self.total);
            self.walk = Walk::Index(chains.into_iter().map(|chain| (chain, None)).collect());
        }
        let layout = &self.layout;
        let early = |reader: &mut Reader, offset| {
            query
                .since
                .is_some_and(|since| stamp(layout, reader, offset).is_ok_and(|stamp| stamp.realtime < since))
        };
        let mut damaged = false;
        // A chain that cannot be bisected is read from where it is.
        match &mut self.walk {
            Walk::Arrays(chain) if query.since.is_some() => {
                let before = chain.clone();
                match chain.skip_while(layout, reader, early) {
                    Ok(skipped) => self.seen = skipped,
                    Err(_) => *chain = before,
                }
            }
            Walk::Index(chains) => {
                for (chain, next) in chains {
                    if query.since.is_some() {
                        self.seen += chain.skip_while(layout, reader, early).unwrap_or(0);
                    }
                    match step(chain, layout, reader) {
                        Ok(first) => *next = first,
                        Err(fault) => {
                            log.add(layout.source.id, &self.name, fault);
                            damaged = true;
                        }
                    }
                }
            }
            _ => {}
        }
        if damaged {
            self.leave_index();
        }
    }

    /// Goes to the next entry asked for and holds it in `head`.
    pub(super) fn advance(&mut self, query: &Query, reader: &mut Reader, log: &mut Log) {
        self.head = None;
        loop {
            let offset = match self.next_offset(reader) {
                Ok(Some(offset)) => offset,
                Ok(None) => return,
                Err(fault) => {
                    log.add(self.layout.source.id, &self.name, fault);
                    continue;
                }
            };
            if offset < self.watermark {
                if offset != self.last && offset >= self.resumed && !matches!(self.walk, Walk::Scan(_)) {
                    log.add(
                        self.layout.source.id,
                        &self.name,
                        Fault::new(offset, "entry offsets do not grow"),
                    );
                    self.leave_index();
                }
                continue;
            }
            self.seen += 1;
            match self.accept(offset, query, reader) {
                Ok(Some(stamp)) => {
                    self.head = Some(stamp);
                    return;
                }
                Ok(None) => {}
                Err(fault) => {
                    log.add(self.layout.source.id, &self.name, fault);
                    self.leave_index();
                }
            }
        }
    }

    /// The index is damaged: from here on all entries are looked at, so that none is lost.
    fn leave_index(&mut self) {
        if matches!(self.walk, Walk::Index(_)) {
            let header = &self.layout.header;
            self.walk = Walk::Arrays(Chain::new(0, header.entry_array));
            self.total = header.n_entries.min(self.layout.source.len / ENTRY_HEADER);
            self.resumed = self.watermark;
        }
    }

    fn accept(&mut self, offset: u64, query: &Query, reader: &mut Reader) -> Result<Option<Stamp>, Fault> {
        let stamp = stamp(&self.layout, reader, offset)?;
        if let (Walk::Index(_), Choice::Offsets(offsets)) = (&self.walk, &self.choice)
            && !any_item(&self.layout, reader, &stamp, |_, item| {
                offsets.binary_search(&item).is_ok()
            })?
        {
            return Err(Fault::new(offset, "entry without the data that names it"));
        }
        self.last = offset;
        self.watermark = offset + stamp.size;
        // As journalctl: once begun, a clock that was set back does not hide what follows.
        if !self.started {
            if query.since.is_some_and(|since| stamp.realtime < since) {
                return Ok(None);
            }
            self.started = true;
        }
        if query.until.is_some_and(|until| stamp.realtime > until) {
            return Ok(None);
        }
        let chosen = match &self.choice {
            Choice::All => true,
            // Looked at above.
            Choice::Offsets(_) if matches!(self.walk, Walk::Index(_)) => true,
            Choice::Offsets(offsets) => any_item(&self.layout, reader, &stamp, |_, item| {
                offsets.binary_search(&item).is_ok()
            })?,
            Choice::Values => any_item(&self.layout, reader, &stamp, |reader, item| {
                let Ok(data) = reader.data(&self.layout, item) else {
                    return false;
                };
                let terms = query.only.iter().flatten();
                terms
                    .into_iter()
                    .any(|term| reader.is_payload(&self.layout, &data, term).unwrap_or(false))
            })?,
        };
        Ok(chosen.then_some(stamp))
    }

    fn next_offset(&mut self, reader: &mut Reader) -> Result<Option<u64>, Fault> {
        match &mut self.walk {
            Walk::Done => Ok(None),
            Walk::Arrays(chain) => match chain.next(&self.layout, reader) {
                Ok(Some(offset)) => Ok(Some(offset)),
                Ok(None) => {
                    self.walk = Walk::Done;
                    Ok(None)
                }
                Err(fault) => {
                    self.walk = Walk::Scan(self.watermark.max(self.layout.header.header_size).next_multiple_of(8));
                    Err(fault)
                }
            },
            Walk::Index(chains) => {
                let Some((chain, next)) = chains.iter_mut().filter(|(_, next)| next.is_some()).min_by_key(|c| c.1)
                else {
                    return Ok(None);
                };
                let offset = next.take();
                match step(chain, &self.layout, reader) {
                    Ok(after) => {
                        *next = after;
                        Ok(offset)
                    }
                    // The walk through all entries gives this one, too.
                    Err(fault) => {
                        self.leave_index();
                        Err(fault)
                    }
                }
            }
            Walk::Scan(from) => {
                let mut at = *from;
                // Nothing is guessed at: a message may hold bytes that look like an entry.
                while at < self.layout.source.len {
                    let object = reader.object(&self.layout, at, 0);
                    let (kind, size) = object.inspect_err(|_| self.walk = Walk::Done)?;
                    let next = at.saturating_add(size).next_multiple_of(8);
                    if kind == ENTRY {
                        self.walk = Walk::Scan(next);
                        return Ok(Some(at));
                    }
                    at = next;
                }
                self.walk = Walk::Done;
                Ok(None)
            }
        }
    }
}

fn step(chain: &mut Chain, layout: &Layout, reader: &mut Reader) -> Result<Option<u64>, Fault> {
    chain.next(layout, reader)
}

/// The header as it is now, and the file's length.
pub(super) fn read_header(bytes: &dyn ReadAt) -> Result<(Header, u64), Fault> {
    let unreadable = |error: std::io::Error| Fault::new(0, format!("read: {error}"));
    let mut start = [0_u8; HEADER_BYTES];
    let got = bytes.fill_at(&mut start, 0).map_err(unreadable)?;
    let header = Header::parse(&start[..got])?;
    Ok((header, bytes.size().map_err(unreadable)?))
}

/// The header of the ENTRY at `offset`.
pub(super) fn stamp(file: &Layout, reader: &mut Reader, offset: u64) -> Result<Stamp, Fault> {
    let (_, size) = reader.object(file, offset, ENTRY)?;
    let items = size.saturating_sub(ENTRY_HEADER) / file.header.entry_item();
    let bytes = reader.windows.at(&file.source, offset, ENTRY_HEADER as usize)?;
    let stamp = Stamp {
        seqnum: u64_at(bytes, 16),
        seqnum_id: file.header.seqnum_id,
        realtime: u64_at(bytes, 24),
        monotonic: u64_at(bytes, 32),
        boot_id: id_at(bytes, 40),
        xor_hash: u64_at(bytes, 56),
        offset,
        items: items.min(FIELDS_MAX as u64) as usize,
        size,
    };
    // The same checks as journal_file_check_object.
    let time = |micros: u64| micros < 1 << 55;
    if items == 0 || stamp.seqnum == 0 || stamp.realtime == 0 || !time(stamp.realtime) || !time(stamp.monotonic) {
        return Err(Fault::new(offset, "entry with an impossible header"));
    }
    Ok(stamp)
}

/// Appends the offsets of an entry's DATA objects to `out`.
pub(super) fn items(file: &Layout, reader: &mut Reader, stamp: &Stamp, out: &mut Vec<u64>) -> Result<(), Fault> {
    any_item(file, reader, stamp, |_, item| {
        out.push(item);
        false
    })
    .map(|_| ())
}

fn any_item(
    file: &Layout,
    reader: &mut Reader,
    stamp: &Stamp,
    mut test: impl FnMut(&mut Reader, u64) -> bool,
) -> Result<bool, Fault> {
    const CHUNK: usize = 64;
    let width = file.header.entry_item() as usize;
    let mut offsets = [0_u64; CHUNK];
    for from in (0..stamp.items).step_by(CHUNK) {
        let count = CHUNK.min(stamp.items - from);
        let at = stamp.offset + ENTRY_HEADER + (from * width) as u64;
        let bytes = reader.windows.at(&file.source, at, count * width)?;
        for (offset, item) in offsets.iter_mut().zip(bytes.chunks_exact(width)).take(count) {
            *offset = if width == 4 {
                u64::from(u32_at(item, 0))
            } else {
                u64_at(item, 0)
            };
        }
        reader.steps += count as u64;
        if offsets[..count].iter().any(|&offset| test(reader, offset)) {
            return Ok(true);
        }
    }
    Ok(false)
}
