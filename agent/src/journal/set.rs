//! Many files as one stream of entries, in order and without duplicates.

use super::entry::Entry;
use super::fields::Fields;
use super::file::{JournalFile, Query};
use super::format::Header;
use super::merge::{order, same};
use super::problem::{Log, Problem};
use super::read_at::ReadAt;
use super::reader::{Reader, Wanted};

/// What is asked of a set.
#[derive(Debug, Clone)]
pub struct Options {
    /// An entry must have at least one of these `FIELD=value`; `None` is every entry.
    pub only: Option<Vec<(String, Vec<u8>)>>,
    /// Fields that the caller will ask for; others are not read. Empty is all.
    pub wanted: Vec<String>,
    /// Wall time in microseconds: each file begins at its first entry at or after it, found by bisection. As in
    /// journalctl, what follows is given even where a clock that was set back makes it earlier.
    pub since: Option<u64>,
    /// Wall time in microseconds: later entries are left out.
    pub until: Option<u64>,
    /// Bytes of `FIELD=value` that are kept, at least 256; a longer one is cut.
    pub max_payload: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            only: None,
            wanted: Vec::new(),
            since: None,
            until: None,
            max_payload: 64 << 10,
        }
    }
}

/// What reading has cost so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Work {
    /// Calls of [`ReadAt::fill_at`] after the headers.
    pub reads: u64,
    /// Bytes asked of them.
    pub bytes: u64,
    /// Objects and items looked at.
    pub steps: u64,
}

/// Many files merged in order. Memory is bounded for the set: windows 2.5 MiB, cache 1.5 MiB, buffers 2 MiB, and a
/// ZSTD or XZ payload's window of at most 2 MiB, whatever the files say.
pub struct Set {
    files: Vec<JournalFile>,
    query: Query,
    wanted: Wanted,
    reader: Reader,
    log: Log,
    /// The file that is being read from, and the best of the others.
    current: Option<usize>,
    rival: Option<usize>,
    fields: Fields,
}

impl Set {
    /// Opens every file that has a usable header; the others become problems. The names are for people.
    pub fn open(files: Vec<(String, Box<dyn ReadAt>)>, options: Options) -> Self {
        let term = |(mut field, value): (String, Vec<u8>)| {
            field.push('=');
            [field.into_bytes(), value].concat()
        };
        let query = Query {
            only: options.only.map(|only| only.into_iter().map(term).collect()),
            since: options.since,
            until: options.until,
        };
        let mut set = Self {
            files: Vec::with_capacity(files.len()),
            query,
            wanted: Wanted {
                names: options.wanted,
                max_payload: options.max_payload,
            },
            reader: Reader::new(),
            log: Log::default(),
            current: None,
            rival: None,
            fields: Fields::default(),
        };
        for (id, file) in files.into_iter().enumerate() {
            let id = id as u32;
            match JournalFile::open(id, file, &set.query, &mut set.reader, &mut set.log) {
                Ok(file) => set.files.push(file),
                Err((name, fault)) => set.log.add(id, &name, fault),
            }
        }
        set
    }

    /// The next entry, or `None` at the end. An entry with an unreadable field is given without it and marked.
    #[allow(
        clippy::should_implement_trait,
        reason = "the entry borrows the set, which Iterator cannot say"
    )]
    pub fn next(&mut self) -> Option<Entry<'_>> {
        let index = self.choose()?;
        let file = &self.files[index];
        let stamp = file.head?;
        let id = file.layout.source.id;
        let mut told = Vec::new();
        let truncated = self
            .fields
            .read(&file.layout, &mut self.reader, &self.wanted, &stamp, &mut told);
        for fault in told {
            self.log.add(id, &file.name, fault);
        }
        self.files[index].advance(&self.query, &mut self.reader, &mut self.log);
        let mut entry = self.fields.entry(&stamp, &self.files[index].name);
        entry.truncated = truncated;
        Some(entry)
    }

    /// What could not be read so far: at most 32 a file and 1024 in all.
    pub fn problems(&self) -> &[Problem] {
        self.log.kept()
    }

    /// Problems beyond those bounds.
    pub fn problems_dropped(&self) -> u64 {
        self.log.dropped()
    }

    /// Entries passed, and entries in all as the headers claim (with a filter: as its DATA objects claim where these are
    /// walked).
    pub fn progress(&self) -> (u64, u64) {
        self.files.iter().fold((0, 0), |(done, total), file| {
            (done + file.seen.min(file.total), total + file.total)
        })
    }

    /// Name and header of every file that could be opened.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &Header)> {
        self.files.iter().map(|file| (file.name.as_str(), &file.layout.header))
    }

    /// What reading has cost so far.
    pub fn work(&self) -> Work {
        Work {
            reads: self.reader.windows.reads,
            bytes: self.reader.windows.bytes,
            steps: self.reader.steps,
        }
    }

    /// The file with the first of the next entries; duplicates of it in other files are passed over.
    fn choose(&mut self) -> Option<usize> {
        // Files are mostly written one after the other: as long as the current one is before the best other, it stays.
        if let Some(head) = self.current.and_then(|current| self.files[current].head) {
            let rival = self.rival.and_then(|rival| self.files[rival].head);
            if rival.is_none_or(|rival| order(&head, &rival).is_lt()) {
                return self.current;
            }
        }
        let best = self.first_but(None)?;
        let head = self.files[best].head?;
        for index in (0..self.files.len()).filter(|&index| index != best) {
            while self.files[index].head.is_some_and(|other| same(&head, &other)) {
                self.files[index].advance(&self.query, &mut self.reader, &mut self.log);
            }
        }
        self.current = Some(best);
        self.rival = self.first_but(Some(best));
        self.current
    }

    fn first_but(&self, excluded: Option<usize>) -> Option<usize> {
        let mut best = None;
        for (index, file) in self.files.iter().enumerate() {
            let Some(head) = file.head.filter(|_| Some(index) != excluded) else {
                continue;
            };
            if best.is_none_or(|(_, first)| order(&head, &first).is_lt()) {
                best = Some((index, head));
            }
        }
        best.map(|(index, _)| index)
    }
}
