//! Text-like files in the order of time. A file is opened when the record comes to its first stamp, so that a hundred
//! rotated logs do not hold a hundred decoders; those without times come one after another at the end.

use std::cell::Cell;
use std::io::Read;
use std::path::PathBuf;
use std::rc::Rc;

use super::api::SourceSummary;
use super::detect::Kind;
use super::entry::Origins;
use super::observe::Emitter;
use super::open::{self, Looked};
use super::stream::Stream;
use super::walk;

/// How many files are open at a time; more that overlap wait, and their lines come late.
const MAX_OPEN: usize = 64;

/// A file that has not begun.
pub(super) struct Waiting {
    pub(super) path: PathBuf,
    /// The name under which it is shown.
    pub(super) shown: PathBuf,
    pub(super) kind: Kind,
    pub(super) named: bool,
    pub(super) year: i32,
    /// Its first stamp; `None` without times.
    pub(super) first: Option<i64>,
    /// What cannot be opened twice: a pipe.
    pub(super) stream: Option<Box<dyn Read>>,
    /// Its place in the summary.
    pub(super) index: usize,
}

/// All text-like files.
pub(super) struct Merge {
    /// The next to begin is the last.
    waiting: Vec<Waiting>,
    open: Vec<(Stream, usize)>,
    count: Rc<Cell<u64>>,
}

impl Merge {
    pub(super) fn new(mut waiting: Vec<Waiting>, count: Rc<Cell<u64>>) -> Self {
        waiting.sort_by_key(|w| std::cmp::Reverse((w.first.unwrap_or(i64::MAX), w.index)));
        Self {
            waiting,
            open: Vec::new(),
            count,
        }
    }

    /// Hands on everything up to a time of the journal; `None`: everything.
    pub(super) fn drain(
        &mut self,
        until: Option<i64>,
        em: &mut Emitter<'_>,
        origins: &mut Origins,
        sources: &mut [SourceSummary],
    ) -> u64 {
        let mut done = 0;
        loop {
            let present = self
                .open
                .iter()
                .enumerate()
                .min_by_key(|(i, (s, _))| (s.key, *i))
                .map(|(i, (s, _))| (i, s.key));
            if let Some(next) = self.waiting.last() {
                let due = match (next.first, present) {
                    (Some(first), Some((_, key))) => first <= key && self.open.len() < MAX_OPEN,
                    (None, Some(_)) => false,
                    (_, None) => true,
                };
                let wanted = until.is_none_or(|until| next.first.is_some_and(|first| first <= until));
                if due && wanted {
                    self.begin(em, sources);
                    continue;
                }
            }
            let Some((i, key)) = present else { return done };
            if until.is_some_and(|until| key > until) {
                return done;
            }
            let (stream, index) = &mut self.open[i];
            stream.emit(em, origins);
            sources[*index].entries += 1;
            done += 1;
            self.step(i, em);
            if until.is_none() && done >= 4096 {
                return done;
            }
        }
    }

    fn begin(&mut self, em: &mut Emitter<'_>, sources: &mut [SourceSummary]) {
        let Some(waiting) = self.waiting.pop() else { return };
        let reader = match waiting.stream {
            Some(stream) => stream,
            None => match reopen(&waiting.path, waiting.named, &self.count) {
                Ok(stream) => stream,
                Err(why) => {
                    em.gap("file", None, format!("{}: {why}", waiting.shown.display()), None);
                    return;
                }
            },
        };
        let mut stream = Stream::new(&waiting.shown, waiting.kind, reader, waiting.year, waiting.named);
        if let Some(first) = waiting.first {
            stream.begin_at(first);
        }
        sources[waiting.index].entries = 0;
        self.open.push((stream, waiting.index));
        self.step(self.open.len() - 1, em);
    }

    /// Takes a stream to its next entry and closes it at its end.
    fn step(&mut self, i: usize, em: &mut Emitter<'_>) {
        let (stream, _) = &mut self.open[i];
        match stream.advance() {
            Ok(true) => return,
            Ok(false) => {}
            Err(e) => {
                let from = em.kept.last.map(|m| m.wall);
                em.gap("file", from, format!("{}: cannot be read on: {e}", stream.path()), None);
            }
        }
        self.open.remove(i);
    }
}

fn reopen(path: &std::path::Path, named: bool, count: &Rc<Cell<u64>>) -> Result<Box<dyn Read>, String> {
    let file = walk::open(path).map_err(|e| e.to_string())?;
    match open::stream(path, Box::new(file), named, count) {
        Ok(Looked::Opened(opened)) => Ok(opened.stream),
        Ok(Looked::Skipped) => Err("changed while it was read".to_owned()),
        Err(e) => Err(e.to_string()),
    }
}
