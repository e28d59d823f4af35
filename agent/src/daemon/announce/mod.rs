//! What has been told to the outside, and what is new in a diagnosis against it. Pure.
//!
//! Nobody listens to the engine's single steps: they differ after a restart, when the same journal is read in one go. What
//! counts is the difference between what was announced and what is so.

mod resume;
mod risks;
#[cfg(test)]
mod tests;
mod told;
mod words;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::resume::Resumption;
pub use self::risks::RiskState;
use self::told::{ToldEpisodes, degree};
use self::words::sentence;
use crate::model::change::{Change, ChangeKind};
use crate::model::diagnosis::{Diagnosis, HeartbeatState, NodeVerdict};
use crate::model::episode::{Episode, EpisodeState};
use crate::model::finding::{Finding, Role, Verdict};
use crate::model::time::{SECOND, Timestamp};

/// Another root cause must stand this long before it replaces the announced one: evidence comes in over seconds.
const STEADY: i64 = 8 * SECOND;

/// What was announced. Kept on disk.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Announced {
    /// Nothing that ended before this is told: the agent's first start.
    pub since: Timestamp,
    /// The open episode.
    pub open: Option<OpenEpisode>,
    /// Episodes that were told.
    pub episodes: ToldEpisodes,
    /// Risks that were told.
    pub risks: BTreeMap<String, RiskState>,
    /// Risks that were told to be gone, and the begin under which they were told last.
    pub cleared: BTreeMap<String, Timestamp>,
    /// A root cause that waits to be told: what, and since when.
    pub waiting: Option<(Root, Timestamp)>,
    #[serde(skip)]
    resumption: Resumption,
}

/// A root cause and how sure.
pub type Root = Option<(String, Verdict)>;

/// The episode that is told to be open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenEpisode {
    /// Its id.
    pub id: String,
    /// When its effect began.
    pub opened_at: Timestamp,
    /// The effect, the worst that was told.
    pub effect: String,
    /// The root cause that was told.
    pub root: Root,
}

/// What is being told.
struct Telling<'a> {
    diagnosis: &'a Diagnosis,
    now: Timestamp,
    changes: Vec<Change>,
}

impl Telling<'_> {
    fn tell(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// The episode that goes on, if one does.
    fn open(&self) -> Option<&Episode> {
        self.diagnosis.episodes.iter().find(|e| e.state == EpisodeState::Open)
    }

    /// Whether this one's effect is gone for so short a time that it is the same episode if it comes back: the engine
    /// lists it as ended now, at each time anew.
    fn is_fading(&self, episode: &Episode) -> bool {
        episode.state == EpisodeState::Ended && episode.ended_at == Some(self.diagnosis.at) && self.open().is_none()
    }
}

/// What a change is about.
enum About<'a> {
    Episode(&'a Episode, Option<&'a Finding>),
    /// Its cause, and the begin under which it is told.
    Risk(Option<&'a Finding>, &'a str, Timestamp),
}

impl Announced {
    /// What is new in this diagnosis, in the order in which it is to be told; `self` is then what has been told.
    pub fn update(&mut self, diagnosis: &Diagnosis, now: Timestamp) -> Vec<Change> {
        if self.since == Timestamp::default() {
            self.since = now;
        }
        let mut telling = Telling {
            diagnosis,
            now,
            changes: Vec::new(),
        };
        for episode in diagnosis.episodes.iter().rev() {
            self.ended(episode, &mut telling);
        }
        match diagnosis.episodes.iter().find(|e| e.state == EpisodeState::Open) {
            Some(episode) => self.open(episode, &mut telling),
            None if self.is_gone(&telling) => self.close(None, &mut telling),
            None => {}
        }
        self.risks(&mut telling);
        telling.changes
    }

    /// Whether the episode that was told to be open is over though the answer does not list its end: nothing speaks for
    /// it any more, the heartbeat is known to be well, and an earlier life's had time to show up again.
    fn is_gone(&self, telling: &Telling<'_>) -> bool {
        let diagnosis = telling.diagnosis;
        diagnosis.verdict != NodeVerdict::Inconclusive
            && diagnosis.heartbeat.state == HeartbeatState::Ok
            && diagnosis.node_ready != Some(false)
            && !diagnosis.episodes.iter().any(|e| telling.is_fading(e))
            && !self.is_awaited(telling.now)
    }

    fn is_awaited(&self, now: Timestamp) -> bool {
        self.resumption.awaited.as_ref().is_some_and(|a| a.may_come(now))
    }

    /// An episode that is over: the one that was told to be open, or one that nobody was told of.
    fn ended(&mut self, episode: &Episode, telling: &mut Telling<'_>) {
        if episode.state != EpisodeState::Ended || telling.is_fading(episode) {
            return;
        }
        if self.open.as_ref().is_some_and(|o| o.id == episode.id) {
            let awaited = self.resumption.awaited.as_ref();
            if awaited.is_some_and(|a| !a.is_end(episode.ended_at) && a.may_come(telling.now)) {
                return;
            }
            self.close(Some(episode), telling);
        } else if self.is_news(episode, telling) {
            // It came and went while nobody looked.
            self.open(episode, telling);
            self.close(Some(episode), telling);
        }
    }

    /// Whether nobody was told of this episode, which is over, and somebody is to be.
    fn is_news(&self, episode: &Episode, telling: &Telling<'_>) -> bool {
        let Some(ended) = episode.ended_at else { return false };
        if self.episodes.get(&episode.id).is_some()
            || ended < self.since.max(self.resumption.floor)
            || self.episodes.covers(&episode.effect, episode.opened_at, ended)
        {
            return false;
        }
        // What lies within the one that was told to be open, and goes on or was seen until then, is a part of it.
        !self.open.as_ref().is_some_and(|open| {
            let goes_on = telling.open().is_some_and(|e| e.id == open.id);
            let until = self.resumption.awaited.as_ref().map(resume::Awaited::read_until);
            let within = goes_on || until.is_some_and(|until| episode.opened_at <= until);
            within && told::family(&open.effect) == told::family(&episode.effect) && ended >= open.opened_at
        })
    }

    fn open(&mut self, episode: &Episode, telling: &mut Telling<'_>) {
        if self.open.as_ref().is_some_and(|o| o.id != episode.id) {
            self.close(None, telling);
        }
        let root = root_of(&episode.findings);
        let Some(open) = &mut self.open else {
            self.episodes.open(&episode.id, &episode.effect, episode.opened_at);
            let about = About::Episode(episode, None);
            let times = (episode.opened_at, telling.now);
            telling.tell(self.change(ChangeKind::EpisodeOpened, &about, telling.diagnosis, times));
            self.open = Some(OpenEpisode {
                id: episode.id.clone(),
                opened_at: episode.opened_at,
                effect: episode.effect.clone(),
                root: None,
            });
            self.waiting = None;
            self.root(root, episode, telling);
            return;
        };
        // A lesser degree is not told: it is no news before the end, and may become a worse one again.
        if degree(&episode.effect) > degree(&open.effect) {
            open.effect.clone_from(&episode.effect);
            let about = About::Episode(episode, None);
            let times = (telling.now, telling.now);
            telling.tell(self.change(ChangeKind::EpisodeDeepened, &about, telling.diagnosis, times));
        }
        self.root(root, episode, telling);
    }

    /// A first root cause is told at once; another one when it has stood for a while.
    fn root(&mut self, root: Root, episode: &Episode, telling: &mut Telling<'_>) {
        let told = self.open.as_ref().and_then(|o| o.root.clone());
        if root == told {
            self.waiting = None;
            return;
        }
        if told.is_some() {
            let since = match &self.waiting {
                Some((waiting, since)) if *waiting == root => *since,
                _ => telling.now,
            };
            if telling.now.0 - since.0 < STEADY {
                self.waiting = Some((root, since));
                return;
            }
        }
        self.waiting = None;
        let kind = match (&told, &root) {
            (None, _) => ChangeKind::RootCauseFound,
            (_, None) => ChangeKind::RootCauseCleared,
            _ => ChangeKind::RootCauseRevised,
        };
        let found = episode.findings.first().filter(|_| root.is_some());
        let at = found.map_or(telling.now, |f| f.onset.latest);
        let about = About::Episode(episode, found);
        telling.tell(self.change(kind, &about, telling.diagnosis, (at, telling.now)));
        if let Some(open) = &mut self.open {
            open.root = root;
        }
    }

    fn close(&mut self, episode: Option<&Episode>, telling: &mut Telling<'_>) {
        let Some(open) = self.open.take() else { return };
        // Its end is not listed: it was seen until the earlier life ended, or until now.
        let seen = self.resumption.awaited.take().map(|a| a.read_until());
        let end = episode.and_then(|e| e.ended_at).or(seen).unwrap_or(telling.now);
        self.episodes.end(&open.id, &open.effect, end);
        let stand_in = Episode {
            id: open.id,
            state: EpisodeState::Ended,
            effect: open.effect,
            opened_at: open.opened_at,
            ended_at: Some(telling.now),
            end_reason: None,
            findings: Vec::new(),
            candidates: Vec::new(),
        };
        let episode = episode.unwrap_or(&stand_in);
        let times = (episode.ended_at.unwrap_or(telling.now), telling.now);
        let about = About::Episode(episode, None);
        if open.root.is_some() {
            let mut change = self.change(ChangeKind::RootCauseCleared, &about, telling.diagnosis, times);
            change.cause = open.root.map(|(cause, _)| cause);
            telling.tell(change);
        }
        telling.tell(self.change(ChangeKind::EpisodeEnded, &about, telling.diagnosis, times));
        self.waiting = None;
    }

    /// The change. Its id is made of the node, of the episode and the number of the change in it, or of the risk and its
    /// begin: the same one again after a crash has the same id, and another one never has.
    fn change(
        &mut self,
        kind: ChangeKind,
        about: &About<'_>,
        diagnosis: &Diagnosis,
        times: (Timestamp, Timestamp),
    ) -> Change {
        let (episode, finding, of, cause) = match about {
            About::Episode(episode, finding) => {
                let count = self.episodes.next(&episode.id);
                let cause = finding.map_or("", |f| &f.cause);
                (Some(*episode), *finding, format!("{}/{count}", episode.id), cause)
            }
            About::Risk(finding, cause, began) => (None, *finding, format!("risk/{}", began.compact()), *cause),
        };
        let node = diagnosis.node.as_deref().unwrap_or("node");
        Change {
            uid: format!("{node}/{of}/{}/{cause}", kind.word()),
            kind,
            at: times.0,
            seen_at: times.1,
            node: diagnosis.node.clone(),
            boot_id: diagnosis.boot_id.clone(),
            episode: episode.map(|e| e.id.clone()),
            effect: episode.map(|e| e.effect.clone()),
            cause: finding.map(|f| f.cause.clone()),
            verdict: finding.map(|f| f.verdict),
            role: finding.map(|f| f.role),
            text: sentence(kind, episode, finding, diagnosis),
            diagnosis: diagnosis.clone(),
        }
    }
}

fn root_of(findings: &[Finding]) -> Root {
    findings
        .first()
        .filter(|f| f.role == Role::RootCause)
        .map(|f| (f.cause.clone(), f.verdict))
}
