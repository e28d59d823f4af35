//! Going on with what an earlier life of the agent told: which episode of the new answer is the one that was told to be
//! open. Its onset, and with it its id, may be dated anew: one that is seen by looking alone begins with the first look,
//! and a history that reaches further back begins it earlier.

use super::told::family;
use super::{Announced, OpenEpisode};
use crate::model::diagnosis::Diagnosis;
use crate::model::episode::{Episode, EpisodeState};
use crate::model::finding::Finding;
use crate::model::time::{SECOND, Timestamp};

/// An episode of an earlier life has so long to show up again before it counts as over.
const RESUMES: i64 = 90 * SECOND;
/// An end is known this much later than it is dated: half a minute without a failure and a minute of damping.
const SLACK: i64 = 120 * SECOND;

/// What this life knows of the one before. Not kept.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Resumption {
    /// The episode that was told to be open has not shown up yet.
    pub(super) awaited: Option<Awaited>,
    /// It has, under another id.
    alias: Option<Alias>,
    /// What ended before this was told by the life before, or is not told at all.
    pub(super) floor: Timestamp,
}

/// An episode that an earlier life told to be open.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Awaited {
    since: Timestamp,
    /// Until then the earlier life saw it open.
    read_until: Timestamp,
}

impl Awaited {
    /// Whether it may show up still.
    pub(super) fn may_come(&self, now: Timestamp) -> bool {
        now.0 - self.since.0 < RESUMES
    }

    /// Until when it was seen.
    pub(super) fn read_until(&self) -> Timestamp {
        self.read_until
    }

    /// Whether this is the end of it, and no end that the earlier life had looked beyond.
    pub(super) fn is_end(&self, ended_at: Option<Timestamp>) -> bool {
        ended_at.is_none_or(|at| at.0 >= self.read_until.0 - SLACK)
    }
}

/// The id that an episode has now, and what it was told as.
#[derive(Debug, Clone, PartialEq)]
struct Alias {
    now: String,
    id: String,
    opened_at: Timestamp,
}

impl Announced {
    /// Goes on with what an earlier life told that had read everything until `read_until`. To be called once, before
    /// anything is told.
    pub fn resume(&mut self, now: Timestamp, read_until: Option<Timestamp>) {
        self.resumption = Resumption {
            awaited: self.open.as_ref().map(|open| Awaited {
                since: now,
                read_until: read_until.unwrap_or(open.opened_at).max(open.opened_at),
            }),
            alias: None,
            floor: read_until.map_or(Timestamp::default(), |t| Timestamp(t.0 - SLACK)),
        };
        if self.since == Timestamp::default() {
            self.since = now;
        }
    }

    /// Gives the episode that was told under another id that id, as long as this life lasts.
    pub fn rename(&mut self, diagnosis: &mut Diagnosis) {
        if let (Some(awaited), Some(open)) = (&self.resumption.awaited, &self.open)
            && let Some(found) = again(awaited, open, diagnosis)
        {
            self.resumption.alias = (found != open.id).then(|| Alias {
                now: found,
                id: open.id.clone(),
                opened_at: open.opened_at,
            });
            self.resumption.awaited = None;
        }
        if let Some(alias) = &self.resumption.alias {
            alias.put(diagnosis);
        }
    }
}

/// The id under which the episode that was told to be open is there again.
fn again(awaited: &Awaited, open: &OpenEpisode, diagnosis: &Diagnosis) -> Option<String> {
    let goes_on = |e: &&Episode| e.state == EpisodeState::Open || e.ended_at == Some(diagnosis.at);
    let may_be = |e: &&Episode| {
        family(&e.effect) == family(&open.effect)
            && e.opened_at <= awaited.read_until
            && (goes_on(e) || (awaited.is_end(e.ended_at) && e.ended_at.is_some_and(|at| at >= open.opened_at)))
    };
    let same = |e: &&Episode| e.id == open.id && (goes_on(e) || awaited.is_end(e.ended_at));
    let all = || diagnosis.episodes.iter();
    let found = all().find(same).or_else(|| all().find(may_be));
    // One that began since can be the same, dated by the first look.
    let dated_anew = || all().find(|e| goes_on(e) && family(&e.effect) == family(&open.effect));
    found.or_else(dated_anew).map(|e| e.id.clone())
}

impl Alias {
    fn put(&self, diagnosis: &mut Diagnosis) {
        let Self { now, id, opened_at } = self;
        // A part of it that the history shows under the id of the whole.
        if diagnosis.episodes.iter().any(|e| e.id == *now) {
            diagnosis.episodes.retain(|e| e.id != *id);
        }
        for episode in diagnosis.episodes.iter_mut().filter(|e| e.id == *now) {
            episode.id.clone_from(id);
            episode.opened_at = *opened_at;
            rename(&mut episode.findings, now, id);
        }
        rename(&mut diagnosis.findings, now, id);
    }
}

fn rename(findings: &mut [Finding], from: &str, to: &str) {
    for finding in findings.iter_mut().filter(|f| f.episode.as_deref() == Some(from)) {
        finding.episode = Some(to.to_owned());
    }
}
