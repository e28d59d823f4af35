//! A log file by its path, followed over renaming, truncation and compression: the kubelet's own log of RKE2 and Talos,
//! and syslog where there is no journal. Each line once; what cannot be found again is a gap.
//!
//! A file is told by device and inode, and a place in it by the bytes before it, because logrotate's `copytruncate` keeps
//! the inode and a new file may get the old one's.

mod place;
mod rotated;

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use self::place::{line_after, lines_before, print_of};
use super::journal::Polled;
use crate::clock::{Clock, Now};
use crate::host::{Host, Unreadable};
use crate::input::{Feed, Intake, Written};
use crate::model::input::{Gap, Input};
use crate::model::time::Timestamp;

pub use self::place::FilePosition;

/// Bytes of a file that are looked back into.
const BACK: u64 = 8 << 20;
/// Bytes before a place of which lines are counted; in a longer file lines have no number.
const COUNTED: u64 = 64 << 20;
/// Bytes read at once.
const CHUNK: usize = 256 * 1024;
/// Bytes of the longest line; what is longer is cut, as in a file that is analysed.
const LINE: usize = 64 * 1024;
/// Between two looks while lines come, and while none do.
const BUSY: Duration = Duration::from_millis(250);
const IDLE: Duration = Duration::from_secs(1);

/// Logs of the node where not all is in the journal: path, and the program that alone writes it.
pub const LOGS: [(&str, Option<&str>); 2] = [
    // RKE2 starts the kubelet with `--log-file` (`/var/lib/rancher/rke2/agent/logs`)
    ("/var/lib/rancher/rke2/agent/logs/kubelet.log", Some("kubelet")),
    // Talos 1.13 and later
    ("/var/log/kubelet.log", Some("kubelet")),
];
/// Logs of nodes without a journal.
pub const SYSLOGS: [(&str, Option<&str>); 3] = [
    ("/var/log/syslog", None),
    ("/var/log/messages", None),
    ("/var/log/kern.log", None),
];

/// One log that is followed.
pub struct LogFile {
    host: Host,
    clock: Clock,
    path: PathBuf,
    feed: Feed,
    open: Option<Open>,
    saved: Option<FilePosition>,
    position: FilePosition,
    /// Whether there has been a file; the first one is looked back into, later ones are read from their start.
    begun: bool,
    told: Option<String>,
}

struct Open {
    file: File,
    inode: (u64, u64),
    offset: u64,
    /// The start of a line that is not complete.
    partial: Vec<u8>,
    /// The rest of a line that is too long is thrown away.
    cut: bool,
}

impl LogFile {
    /// Follows `path`, from `position` where that can be found again, else from lines of the last `since` on.
    pub fn new(
        host: Host,
        clock: Clock,
        (path, program): (&str, Option<&str>),
        since: Duration,
        position: Option<FilePosition>,
    ) -> Self {
        let back = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
        // What comes after a place that was saved is wanted, however old it is.
        let from = match position {
            Some(_) => None,
            None => Some(Timestamp(clock.now().wall.0.saturating_sub(back))),
        };
        Self {
            feed: Feed::new(Path::new(path), program, from),
            path: path.into(),
            host,
            clock,
            open: None,
            saved: position,
            position: position.unwrap_or_default(),
            begun: false,
            told: None,
        }
    }

    /// Whether there is such a file.
    pub fn is_present(&self) -> bool {
        self.open.is_some()
    }

    /// How far it has read, as of the lines that were handed out.
    pub fn position(&self) -> FilePosition {
        self.position
    }

    /// Hands out what has come, at most about `budget` bytes.
    pub fn poll(&mut self, budget: usize, intake: &mut Intake, sink: &mut dyn FnMut(Input)) -> Polled {
        let now = self.clock.now();
        let mut entries = 0;
        let mut used = 0;
        loop {
            if self.open.is_none() && !self.begin(now, intake, sink) {
                return polled(entries, false);
            }
            while used < budget {
                match self.read(now, intake, sink) {
                    Some((0, _)) => break,
                    Some((bytes, lines)) => {
                        used += bytes;
                        entries += lines;
                    }
                    None => {
                        self.open = None;
                        return polled(entries, false);
                    }
                }
            }
            if used >= budget {
                return polled(entries, true);
            }
            // To the end of the old one first, then whether there is a new one.
            let there = self.host.metadata(&self.path).ok().map(|m| (m.dev(), m.ino()));
            let open = self.open.as_ref().map(|open| open.inode);
            if there.is_none() || there == open {
                return polled(entries, false);
            }
            // Once more: the writer may have added to it until it was renamed.
            if matches!(self.read(now, intake, sink), Some((1.., _))) {
                continue;
            }
            entries += self.end_of_file(now, intake, sink);
            self.open = None;
        }
    }

    /// Opens the file and goes to its place.
    fn begin(&mut self, now: Now, intake: &mut Intake, sink: &mut dyn FnMut(Input)) -> bool {
        let file = match self.host.open(&self.path) {
            Ok(file) => file,
            Err(Unreadable::Missing(_)) => return false,
            Err(why) => {
                let grant = why.is_denied().then_some("run as root, or as a member of adm");
                self.tell(why.to_string(), grant, sink);
                return false;
            }
        };
        let Ok(meta) = file.metadata() else { return false };
        if !meta.is_file() {
            self.tell(format!("{}: no regular file", self.path.display()), None, sink);
            return false;
        }
        let inode = (meta.dev(), meta.ino());
        let mut offset = 0;
        if let Some(saved) = self.saved.take() {
            if saved.inode == inode && print_of(&file, saved.offset) == Some(saved.print) {
                offset = saved.offset;
                self.feed.restart(saved.line);
            } else {
                self.catch_up(saved, now, intake, sink);
            }
        } else if !self.begun && meta.len() > BACK {
            offset = line_after(&file, meta.len() - BACK);
            self.feed
                .restart((offset <= COUNTED).then(|| lines_before(&file, offset)));
            let why = format!("{}: only the last 8 MiB are looked back into", self.path.display());
            sink(Input::Gap(gap(None, None, why)));
        } else {
            self.feed.restart(Some(0));
        }
        self.begun = true;
        self.told = None;
        self.open = Some(Open {
            file,
            inode,
            offset,
            partial: Vec::new(),
            cut: false,
        });
        self.mark(now);
        true
    }

    /// Reads a piece: bytes and lines. `None` where the file cannot be read on.
    fn read(&mut self, now: Now, intake: &mut Intake, sink: &mut dyn FnMut(Input)) -> Option<(usize, usize)> {
        let open = self.open.as_mut()?;
        let meta = open.file.metadata().ok()?;
        if meta.len() == open.offset {
            return Some((0, 0));
        }
        let handed = open.offset - open.partial.len() as u64;
        if meta.len() < open.offset || print_of(&open.file, handed) != Some(self.position.print) {
            // Truncated, and perhaps written again since: what was not read may be in a copy.
            let saved = self.position;
            self.catch_up(saved, now, intake, sink);
            let open = self.open.as_mut()?;
            (open.offset, open.cut) = (0, false);
            open.partial.clear();
            self.mark(now);
            return Some((1, 0));
        }
        let mut bytes = vec![0; CHUNK.min((meta.len() - open.offset) as usize)];
        let count = open.file.read_at(&mut bytes, open.offset).ok()?;
        bytes.truncate(count);
        open.offset += count as u64;
        let lines = open.whole_lines(bytes);
        let written = Written {
            now: now.wall,
            last: Timestamp(
                meta.mtime()
                    .saturating_mul(1_000_000)
                    .saturating_add(meta.mtime_nsec() / 1000),
            ),
        };
        let lines = if lines.is_empty() {
            0
        } else {
            self.feed.push(lines, written, intake, sink)
        };
        self.mark(now);
        Some((count, lines as usize))
    }

    /// A file that ends without a line feed ends with a line.
    fn end_of_file(&mut self, now: Now, intake: &mut Intake, sink: &mut dyn FnMut(Input)) -> usize {
        let Some(open) = &mut self.open else { return 0 };
        if open.partial.is_empty() {
            return 0;
        }
        let mut line = std::mem::take(&mut open.partial);
        line.push(b'\n');
        let written = Written {
            now: now.wall,
            last: now.wall,
        };
        self.feed.push(line, written, intake, sink) as usize
    }

    /// Remembers the place.
    fn mark(&mut self, now: Now) {
        let Some(open) = &self.open else { return };
        let offset = open.offset - open.partial.len() as u64;
        self.position = FilePosition {
            inode: open.inode,
            offset,
            print: print_of(&open.file, offset).unwrap_or(0),
            line: self.feed.line(),
            at: now.wall,
        };
    }

    /// Reads the rest of a file that has been renamed, copied or packed since, then counts from a new one.
    fn catch_up(&mut self, saved: FilePosition, now: Now, intake: &mut Intake, sink: &mut dyn FnMut(Input)) {
        let found = rotated::rest(&self.host, &self.path, &|file, piece| saved.is_at(file, piece));
        let lost = found.as_ref().is_none_or(|rest| rest.cut);
        self.feed.restart(saved.line);
        for mut bytes in found.map_or_else(Vec::new, |rest| rest.pieces) {
            if bytes.last().is_some_and(|last| *last != b'\n') {
                bytes.push(b'\n');
            }
            let written = Written {
                now: now.wall,
                last: now.wall,
            };
            if !bytes.is_empty() {
                self.feed.push(bytes, written, intake, sink);
            }
            self.feed.restart(Some(0));
        }
        if lost {
            let path = self.path.display();
            let why = format!("{path}: rotated, and not all of the old file was found or short enough");
            sink(Input::Gap(gap(Some(saved.at), Some(now.wall), why)));
        }
        self.feed.restart(Some(0));
    }

    /// Tells once that it cannot be read.
    fn tell(&mut self, why: String, grant: Option<&str>, sink: &mut dyn FnMut(Input)) {
        if self.told.as_ref() != Some(&why) {
            let mut told = gap(None, None, why.clone());
            told.grant = grant.map(str::to_owned);
            sink(Input::Gap(told));
            self.told = Some(why);
        }
    }
}

impl Open {
    /// The whole lines of what was read, behind the start of the first of them; the rest is kept.
    fn whole_lines(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        if self.cut {
            match memchr::memchr(b'\n', &bytes) {
                Some(end) => {
                    bytes.drain(..=end);
                    self.cut = false;
                }
                None => return Vec::new(),
            }
        }
        let Some(end) = memchr::memrchr(b'\n', &bytes) else {
            self.partial.append(&mut bytes);
            if self.partial.len() <= LINE {
                return Vec::new();
            }
            self.cut = true;
            let mut line = std::mem::take(&mut self.partial);
            line.truncate(LINE);
            line.push(b'\n');
            return line;
        };
        let rest = bytes.split_off(end + 1);
        let mut lines = std::mem::replace(&mut self.partial, rest);
        lines.append(&mut bytes);
        lines
    }
}

fn polled(entries: usize, more: bool) -> Polled {
    Polled {
        entries,
        more,
        wait: match (more, entries) {
            (true, _) => Duration::ZERO,
            (false, 0) => IDLE,
            (false, _) => BUSY,
        },
    }
}

fn gap(from: Option<Timestamp>, to: Option<Timestamp>, reason: String) -> Gap {
    Gap {
        source: "file".to_owned(),
        from,
        to,
        reason,
        grant: None,
    }
}

#[cfg(test)]
mod tests;
