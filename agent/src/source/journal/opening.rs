//! Files that come, go and change their names.

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt;

use super::GRANT;
use super::account::gap;
use super::cursor::{FileAt, Id};
use super::directory::{Listed, is_retired};
use super::follow::{File, Follower, Known};
use crate::host::Unreadable;
use crate::journal::{Header, State, Tail};

/// Files that are open at a time; of more the oldest are not read.
const OPEN: usize = 128;
/// Failed openings after which it is told. journald creates a file before it writes the header.
const TRIES: u32 = 6;
/// Microseconds to the first and the last of them.
const FIRST_TRY: u64 = 50_000;
const LAST_TRY: u64 = 60_000_000;

impl Follower {
    /// Looks which files there are now.
    pub(super) fn rescan(&mut self, now: u64) {
        let listed = self.directories.list(&self.host, now);
        for path in std::mem::take(&mut self.directories.denied) {
            if self.denied.len() < OPEN && self.denied.insert(path.clone()) {
                let why = format!("{}: permission denied", path.display());
                self.tell(gap(0, 0, why, Some(GRANT)), 0);
            }
        }
        let mut present = HashSet::with_capacity(listed.len());
        let mut fresh = Vec::new();
        for file in listed {
            present.insert(file.inode);
            match self.known.get(&file.inode) {
                Some(Known::Open) => self.is_called(&file),
                Some(Known::Ended { path, modified, .. }) if *path == file.path && *modified == file.modified => {}
                Some(Known::Bad { next, .. }) if *next > now => {}
                _ => fresh.push(file),
            }
        }
        for file in &mut self.files {
            if present.contains(&file.inode) {
                file.gone = None;
            } else {
                file.gone.get_or_insert(now);
            }
        }
        self.known
            .retain(|inode, known| matches!(known, Known::Open) || present.contains(inode));
        let opened = self.files.len();
        for file in fresh {
            self.meet(&file, now);
        }
        self.present = self.present || !present.is_empty();
        if self.files.len() > opened {
            self.bound_open_files();
        }
        self.retry_at = self
            .known
            .values()
            .filter_map(|known| match known {
                Known::Bad { next, .. } => Some(*next),
                _ => None,
            })
            .min();
    }

    fn is_called(&mut self, listed: &Listed) {
        let Some(file) = self.files.iter_mut().find(|f| f.inode == listed.inode) else {
            return;
        };
        file.retired |= is_retired(&listed.path);
        if file.path != listed.path {
            file.path.clone_from(&listed.path);
            file.tail.rename(listed.path.display().to_string());
        }
    }

    /// Opens a file that was not known by this name.
    fn meet(&mut self, listed: &Listed, now: u64) {
        let name = listed.path.display().to_string();
        let opened = match self.host.open(&listed.path) {
            Ok(opened) => opened,
            Err(Unreadable::Missing(_)) => return,
            Err(why) => {
                let grant = why.is_denied().then_some(GRANT);
                self.is_bad(listed, now, why.to_string(), grant);
                return;
            }
        };
        // It may have been renamed between the listing and now.
        match opened.metadata() {
            Ok(meta) if (meta.dev(), meta.ino()) == listed.inode => {}
            _ => {
                self.retry_at = Some(now);
                return;
            }
        }
        let tail = match self.tails.open(name, Box::new(opened)) {
            Ok(tail) => tail,
            Err(problem) => {
                self.is_bad(listed, now, problem.to_string(), None);
                return;
            }
        };
        let id = Id(tail.header().file_id);
        if self.files.iter().any(|file| Id(file.tail.header().file_id) == id) {
            let at = ended_at(tail.header(), tail.passed());
            self.known.insert(listed.inode, Known::ended(listed, id, at));
            return;
        }
        self.begin(listed, tail);
    }

    /// Goes to where a file is to be read from.
    fn begin(&mut self, listed: &Listed, mut tail: Tail) {
        let id = Id(tail.header().file_id);
        let retired = is_retired(&listed.path) || tail.header().state == State::Archived;
        let ended = self.known.values().find_map(|known| match known {
            Known::Ended { id: other, at, .. } if *other == id => Some(*at),
            _ => None,
        });
        let before = ended.or_else(|| self.resume.remove(&id));
        let all_old = self.limit.is_after_all_of(tail.header());
        if retired && (all_old || before.is_some_and(|at| at.ended && at.passed >= tail.header().n_entries)) {
            let at = before.unwrap_or_else(|| ended_at(tail.header(), tail.header().n_entries));
            self.skipped(&at, tail.header());
            self.known
                .insert(listed.inode, Known::ended(listed, id, FileAt { ended: true, ..at }));
            return;
        }
        let entries = tail.header().n_entries;
        if let Some(at) = before
            // A crash may have taken the last entries back.
            && let Err(problem) = self.tails.skip(&mut tail, at.passed.min(entries))
        {
            self.tell(gap(at.realtime, 0, problem.to_string(), None), 0);
        }
        let limit = self.limit;
        let passed = tail.passed();
        if let Err(problem) = self.tails.skip_while(&mut tail, |entry| limit.is_after(entry)) {
            self.tell(
                gap(tail.header().head_realtime, limit.realtime, problem.to_string(), None),
                0,
            );
        }
        if self.resumed && tail.passed() > passed {
            let from = before.map_or(tail.header().head_realtime, |at| at.realtime);
            let told = gap(from, limit.realtime, self.too_old(), None);
            self.tell(told, tail.passed() - passed);
        }
        let at = before.unwrap_or_else(|| FileAt {
            passed: tail.passed(),
            ended: false,
            seqnum: 0,
            realtime: 0,
            seqnum_id: Id(tail.header().seqnum_id),
        });
        self.known.insert(listed.inode, Known::Open);
        self.files.push(File {
            path: listed.path.clone(),
            inode: listed.inode,
            root: listed.root,
            seqnum: at.seqnum,
            realtime: at.realtime,
            retired,
            gone: None,
            headless: None,
            stuck: None,
            broken: 0,
            fault: None,
            flaw: None,
            archived: retired,
            tail,
        });
    }

    /// What a saved position had not read of a file that is older than what is caught up on.
    fn skipped(&mut self, at: &FileAt, header: &Header) {
        let left = header.n_entries.saturating_sub(at.passed);
        if left > 0 {
            let told = gap(at.realtime, header.tail_realtime, self.too_old(), None);
            self.tell(told, left);
        }
    }

    fn too_old(&self) -> String {
        let hours = self.options.longest.as_secs() / 3600;
        format!("not read: older than the {hours} h that are caught up on")
    }

    fn is_bad(&mut self, listed: &Listed, now: u64, why: String, grant: Option<&str>) {
        let tries = match self.known.get(&listed.inode) {
            Some(Known::Bad { tries, .. }) => tries.saturating_add(1),
            _ => 1,
        };
        if tries == TRIES || (grant.is_some() && tries == 1) {
            self.tell(gap(0, 0, why, grant), 0);
        }
        let next = now.saturating_add(LAST_TRY.min(FIRST_TRY << tries.min(16)));
        self.known.insert(listed.inode, Known::Bad { tries, next });
    }

    /// Of very many files the oldest are not read.
    fn bound_open_files(&mut self) {
        while self.files.len() > OPEN {
            let Some(oldest) = (0..self.files.len()).min_by_key(|i| self.files[*i].tail.header().tail_realtime) else {
                return;
            };
            let file = self.files.swap_remove(oldest);
            let header = file.tail.header();
            let why = format!("{}: not read: more than {OPEN} journal files at once", file.tail.name());
            let told = gap(header.head_realtime, header.tail_realtime, why, None);
            let listed = file.listed();
            let at = FileAt {
                ended: true,
                passed: header.n_entries,
                ..file.at()
            };
            let (id, left) = (Id(header.file_id), file.tail.left());
            self.tell(told, left);
            self.known.insert(file.inode, Known::ended(&listed, id, at));
        }
    }

    /// What was saved of files that are gone, and that nothing goes on from.
    pub(super) fn tell_vanished(&mut self) {
        let mut heads: Vec<(Id, u64, u64)> = Vec::new();
        for file in &self.files {
            let header = file.tail.header();
            heads.push((Id(header.seqnum_id), header.head_seqnum, header.head_realtime));
        }
        let mut vanished = Vec::new();
        // One that is only hidden goes on where it was, should it come to light.
        for at in self.resume.values_mut().filter(|at| !at.ended) {
            vanished.push(*at);
            at.ended = true;
        }
        for at in vanished {
            let same = |(id, head, _): &&(Id, u64, u64)| at.seqnum != 0 && *id == at.seqnum_id && *head > at.seqnum;
            let next = heads.iter().filter(same).min_by_key(|h| h.1);
            if next.is_some_and(|(_, head, _)| *head == at.seqnum + 1) || self.overlaps(at) {
                continue;
            }
            let to = match next {
                Some((_, _, realtime)) => *realtime,
                None => heads
                    .iter()
                    .map(|h| h.2)
                    .filter(|t| *t > at.realtime)
                    .min()
                    .unwrap_or(0),
            };
            let lost = next.map_or(0, |(_, head, _)| head - at.seqnum - 1);
            let why = if lost > 0 {
                format!("journal removed before it was read: up to {lost} entries")
            } else {
                "journal removed while the agent did not run".to_owned()
            };
            self.tell(gap(at.realtime, to, why, None), lost);
        }
    }

    /// Whether a file holds copies of what was read last: then nothing is missing in between.
    fn overlaps(&mut self, at: FileAt) -> bool {
        let Self {
            files, tails, marks, ..
        } = self;
        files.iter_mut().any(|file| {
            file.tail.passed() == 0
                && tails.look(&mut file.tail).unwrap_or(false)
                && file.tail.head().is_some_and(|head| {
                    head.realtime <= at.realtime && marks.iter().flatten().any(|mark| mark.covers(&head))
                })
        })
    }
}

fn ended_at(header: &Header, passed: u64) -> FileAt {
    FileAt {
        seqnum_id: Id(header.seqnum_id),
        passed,
        seqnum: header.tail_seqnum,
        realtime: header.tail_realtime,
        ended: true,
    }
}
