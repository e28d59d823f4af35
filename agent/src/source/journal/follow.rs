//! Follows the files: one order, each entry once, faults waited for and then told.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::time::Duration;

use super::account::{Account, gap};
use super::cursor::{FileAt, Id, Mark, Position};
use super::directory::{Directories, Listed};
use super::limit::Limit;
use super::order::{Blocked, waited};
use super::{Options, Polled};
use crate::clock::{Clock, Now};
use crate::host::Host;
use crate::input::{Intake, JOURNAL_FIELDS};
use crate::journal::{State, Tail, Tails};
use crate::model::input::{Gap, Input};
use crate::source::saved;

/// Bytes of the longest value that is read.
const LONGEST: usize = 64 * 1024;
/// Microseconds for which a file without a name is kept open: closed, and as far as its header says still written.
const ABANDONED: u64 = 60_000_000;
const ABANDONED_ONLINE: u64 = 600_000_000;
/// Between two looks while entries come, and while none do.
const BUSY: Duration = Duration::from_millis(250);
const IDLE: Duration = Duration::from_millis(500);

/// A file that is followed.
pub(super) struct File {
    pub(super) tail: Tail,
    pub(super) path: PathBuf,
    pub(super) inode: (u64, u64),
    pub(super) root: usize,
    /// Of the last entry passed.
    pub(super) seqnum: u64,
    pub(super) realtime: u64,
    /// Never written again.
    pub(super) retired: bool,
    /// It was so when it was opened: waiting for its entries is no use.
    pub(super) archived: bool,
    /// Since when its name is no longer there.
    pub(super) gone: Option<u64>,
    /// Since when its header cannot be read, and since when its next entry cannot.
    pub(super) headless: Option<u64>,
    pub(super) stuck: Option<u64>,
    /// Unreadable entries since the last one that was read, and what is wrong with the first of them.
    pub(super) broken: u32,
    pub(super) fault: Option<String>,
    /// What is wrong with a field, and the wall time of the entry of which it was told last.
    pub(super) flaw: Option<(String, u64)>,
}

/// What is known of an inode.
pub(super) enum Known {
    Open,
    /// Read to its end, as far as it was wanted.
    Ended {
        path: PathBuf,
        modified: (i64, i64),
        id: Id,
        at: FileAt,
    },
    /// No journal, or not yet; when to try again.
    Bad {
        tries: u32,
        next: u64,
    },
}

impl Known {
    pub(super) fn ended(listed: &Listed, id: Id, at: FileAt) -> Self {
        Self::Ended {
            path: listed.path.clone(),
            modified: listed.modified,
            id,
            at,
        }
    }
}

impl File {
    pub(super) fn at(&self) -> FileAt {
        FileAt {
            seqnum_id: Id(self.tail.header().seqnum_id),
            passed: self.tail.passed(),
            seqnum: self.seqnum,
            realtime: self.realtime,
            ended: false,
        }
    }

    pub(super) fn listed(&self) -> Listed {
        Listed {
            root: self.root,
            path: self.path.clone(),
            inode: self.inode,
            modified: (0, 0),
        }
    }
}

/// Follows the node's journal. Memory is bounded: what [`Tails`] holds, 128 open files, and a few words for each file
/// that is there.
pub struct Follower {
    pub(super) host: Host,
    clock: Clock,
    pub(super) options: Options,
    pub(super) directories: Directories,
    pub(super) tails: Tails,
    pub(super) files: Vec<File>,
    pub(super) known: HashMap<(u64, u64), Known>,
    pub(super) denied: HashSet<PathBuf>,
    /// When a file that could not be opened is tried again.
    pub(super) retry_at: Option<u64>,
    /// What was saved and has not been found yet.
    pub(super) resume: HashMap<Id, FileAt>,
    pub(super) marks: Vec<Option<Mark>>,
    pub(super) limit: Limit,
    pub(super) present: bool,
    /// There was a position to go on from.
    pub(super) resumed: bool,
    account: Account,
    pub(super) untold: VecDeque<Gap>,
}

impl Follower {
    /// Finds the journals and the place in each from which they are read.
    pub fn open(host: Host, clock: Clock, options: Options) -> Self {
        let now = clock.now();
        let loaded = match &options.position {
            Some(path) => saved::load::<Position>(path),
            None => Ok(None),
        };
        let (position, damage) = match loaded {
            Ok(position) => (position, None),
            Err(why) => (None, Some(why)),
        };
        let back = if position.is_some() {
            options.longest
        } else {
            options.since
        };
        let limit = Limit::before(now, back, &host);
        let resumed = position.is_some();
        let position = position.unwrap_or_default();
        let mut marks = position.marks;
        marks.resize(options.roots.len(), None);
        let mut follower = Self {
            directories: Directories::new(&options.roots),
            tails: Tails::new(JOURNAL_FIELDS, LONGEST),
            files: Vec::new(),
            known: HashMap::new(),
            denied: HashSet::new(),
            retry_at: None,
            resume: position.files,
            marks,
            limit,
            present: false,
            resumed,
            account: position.account,
            untold: VecDeque::new(),
            host,
            clock,
            options,
        };
        if let Some(why) = damage {
            let why = format!("position of the last run is lost: {why}");
            follower.tell(gap(0, limit.realtime, why, None), 0);
        } else if !resumed && follower.options.position.is_some() {
            let why = "before the first start of the agent".to_owned();
            follower.account.add(gap(0, limit.realtime, why, None), 0);
        }
        follower.rescan(now.monotonic);
        follower.tell_vanished();
        follower
    }

    /// Whether there has been any journal at all: where not, other logs have to serve.
    pub fn is_present(&self) -> bool {
        self.present
    }

    /// How far it has read, as of the entries that were handed out.
    pub fn position(&self) -> Position {
        let open = self
            .files
            .iter()
            .map(|file| (Id(file.tail.header().file_id), file.at()));
        let ended = self.known.values().filter_map(|known| match known {
            Known::Ended { id, at, .. } => Some((*id, *at)),
            _ => None,
        });
        let hidden = self.resume.iter().filter(|(_, at)| at.realtime >= self.limit.realtime);
        Position {
            files: hidden.map(|(id, at)| (*id, *at)).chain(ended).chain(open).collect(),
            marks: self.marks.clone(),
            account: self.account.clone(),
        }
    }

    /// What was not seen.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Takes over the account of a follower that it stands in for.
    pub fn inherit(&mut self, account: Account) {
        self.account = account;
    }

    /// Hands out what has come, at most `budget` entries.
    pub fn poll(&mut self, budget: usize, intake: &mut Intake, sink: &mut dyn FnMut(Input)) -> Polled {
        let now = self.clock.now();
        let due = self.retry_at.is_some_and(|at| at <= now.monotonic);
        if due || self.directories.changed(&self.host, now.monotonic) {
            self.rescan(now.monotonic);
        }
        self.refresh(now);
        let mut entries = 0;
        let mut blocked = false;
        while entries < budget && !blocked {
            match self.first(now) {
                Err(Blocked) => blocked = true,
                Ok(None) => break,
                Ok(Some(index)) => match self.hand_out(index, now, intake, sink) {
                    Ok(()) => entries += 1,
                    Err(Blocked) => blocked = true,
                },
            }
        }
        for index in 0..self.files.len() {
            if self.files[index].tail.left() == 0 {
                self.tell_broken(index);
            }
        }
        for gap in self.untold.drain(..) {
            sink(Input::Gap(gap));
        }
        let more = !blocked && self.files.iter().any(|file| file.tail.left() > 0);
        if !more {
            self.end_files(now);
        }
        for file in &mut self.files {
            Tails::release(&mut file.tail, false);
        }
        Polled {
            entries,
            more,
            wait: match (more, entries > 0 || blocked) {
                (true, _) => Duration::ZERO,
                (false, true) => BUSY,
                (false, false) => IDLE,
            },
        }
    }

    /// Adds a gap, to be handed out with what comes next.
    pub(super) fn tell(&mut self, gap: Gap, lost: u64) {
        self.account.add(gap.clone(), lost);
        if self.untold.len() < 256 {
            self.untold.push_back(gap);
        }
    }

    /// Reads the headers again.
    fn refresh(&mut self, now: Now) {
        let mut index = 0;
        while index < self.files.len() {
            let file = &mut self.files[index];
            match self.tails.refresh(&mut file.tail) {
                Ok(_) => {
                    file.retired |= file.tail.header().state == State::Archived;
                    file.headless = None;
                    index += 1;
                }
                // journald punches a hole into what it removes.
                Err(problem) if file.gone.is_some() || waited(&mut file.headless, now) => {
                    let why = if file.gone.is_some() {
                        format!("{}: removed before it was read", file.tail.name())
                    } else {
                        problem.to_string()
                    };
                    self.give_up(index, &why);
                }
                Err(_) => index += 1,
            }
        }
    }

    /// Nothing more can be had from a file.
    pub(super) fn give_up(&mut self, index: usize, why: &str) {
        let file = self.files.swap_remove(index);
        let left = file.tail.left() + u64::from(file.broken);
        if left > 0 || file.gone.is_none() {
            let why = format!("{why}: {left} entries not read");
            self.tell(gap(file.realtime, file.tail.header().tail_realtime, why, None), left);
        }
        self.close(&file);
    }

    /// Closes what has been read and is not written again.
    fn end_files(&mut self, now: Now) {
        let mut index = 0;
        while index < self.files.len() {
            let file = &self.files[index];
            // Somebody may have removed a file that journald still writes to.
            let abandoned = file.gone.is_some_and(|since| {
                let patience = match file.tail.header().state {
                    State::Online => ABANDONED_ONLINE,
                    _ => ABANDONED,
                };
                let replaced = |other: &File| other.gone.is_none() && other.path == file.path;
                now.monotonic.saturating_sub(since) > patience || self.files.iter().any(replaced)
            });
            if file.tail.left() == 0 && (file.retired || abandoned) {
                let mut file = self.files.swap_remove(index);
                Tails::release(&mut file.tail, true);
                self.close(&file);
            } else {
                index += 1;
            }
        }
    }

    fn close(&mut self, file: &File) {
        if file.gone.is_some() {
            self.known.remove(&file.inode);
            return;
        }
        let mut listed = file.listed();
        if let Ok(meta) = self.host.metadata(&file.path) {
            use std::os::unix::fs::MetadataExt;
            listed.modified = (meta.mtime(), meta.mtime_nsec());
        }
        let at = FileAt {
            ended: true,
            passed: file.tail.header().n_entries,
            ..file.at()
        };
        let id = Id(file.tail.header().file_id);
        self.known.insert(file.inode, Known::ended(&listed, id, at));
    }
}
