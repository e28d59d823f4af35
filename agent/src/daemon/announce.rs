//! What has been told to the outside, and what is new in a diagnosis against it. Pure.
//!
//! Nobody listens to the engine's single steps: they differ after a restart, when the same journal is read in one go. What
//! counts is the difference between what was announced and what is so.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::change::{Change, ChangeKind};
use crate::model::diagnosis::{Diagnosis, NodeVerdict};
use crate::model::episode::{Episode, EpisodeState};
use crate::model::finding::{Finding, Role, Verdict};
use crate::model::time::{SECOND, Timestamp};

/// Another root cause must stand this long before it replaces the announced one: evidence comes in over seconds.
const STEADY: i64 = 8 * SECOND;
/// A risk must stand this long before it is told.
const RISK_STANDS: i64 = 30 * SECOND;
/// A risk must be gone this long before that is told.
const RISK_GONE: i64 = 300 * SECOND;
/// Episodes whose ids are remembered.
const EPISODES: usize = 64;

/// What was announced. Kept on disk.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Announced {
    /// Changes so far; part of their ids.
    pub count: u64,
    /// Nothing that ended before this is told: the agent's first start.
    pub since: Timestamp,
    /// The open episode.
    pub open: Option<OpenEpisode>,
    /// Ids of episodes that were told, oldest first.
    pub told: Vec<String>,
    /// Risks that were told.
    pub risks: BTreeMap<String, RiskState>,
    /// A root cause that waits to be told: what, and since when.
    pub waiting: Option<(Root, Timestamp)>,
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
    /// The effect.
    pub effect: String,
    /// The root cause that was told.
    pub root: Root,
}

/// A risk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RiskState {
    /// Since when it is seen.
    pub since: Timestamp,
    /// When it was seen last.
    pub last: Timestamp,
    /// It was told.
    pub told: bool,
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
        let open = diagnosis.episodes.iter().find(|e| e.state == EpisodeState::Open);
        match open {
            Some(episode) => self.open(episode, &mut telling),
            None if self.open.is_some() && diagnosis.verdict != NodeVerdict::Inconclusive => {
                self.close(None, &mut telling);
            }
            None => {}
        }
        self.risks(&mut telling);
        telling.changes
    }

    /// An episode that is over: the one that was told to be open, or one that nobody was told of.
    fn ended(&mut self, episode: &Episode, telling: &mut Telling<'_>) {
        if episode.state != EpisodeState::Ended {
            return;
        }
        if self.open.as_ref().is_some_and(|o| o.id == episode.id) {
            self.close(Some(episode), telling);
        } else if !self.told.contains(&episode.id) && episode.ended_at.is_some_and(|e| e >= self.since) {
            // It came and went while nobody looked.
            self.open(episode, telling);
            self.close(Some(episode), telling);
        }
    }

    fn open(&mut self, episode: &Episode, telling: &mut Telling<'_>) {
        if self.open.as_ref().is_some_and(|o| o.id != episode.id) {
            self.close(None, telling);
        }
        let root = root_of(&episode.findings);
        let Some(open) = &mut self.open else {
            let kind = ChangeKind::EpisodeOpened;
            telling.tell(self.change(
                kind,
                (Some(episode), None),
                telling.diagnosis,
                (episode.opened_at, telling.now),
            ));
            self.remember(&episode.id);
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
        if open.effect != episode.effect {
            open.effect.clone_from(&episode.effect);
            let kind = ChangeKind::EpisodeDeepened;
            telling.tell(self.change(
                kind,
                (Some(episode), None),
                telling.diagnosis,
                (telling.now, telling.now),
            ));
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
        telling.tell(self.change(kind, (Some(episode), found), telling.diagnosis, (at, telling.now)));
        if let Some(open) = &mut self.open {
            open.root = root;
        }
    }

    fn close(&mut self, episode: Option<&Episode>, telling: &mut Telling<'_>) {
        let Some(open) = self.open.take() else { return };
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
        let at = episode.ended_at.unwrap_or(telling.now);
        if open.root.is_some() {
            let mut change = self.change(
                ChangeKind::RootCauseCleared,
                (Some(episode), None),
                telling.diagnosis,
                (at, telling.now),
            );
            change.cause = open.root.map(|(cause, _)| cause);
            telling.tell(change);
        }
        telling.tell(self.change(
            ChangeKind::EpisodeEnded,
            (Some(episode), None),
            telling.diagnosis,
            (at, telling.now),
        ));
        self.waiting = None;
    }

    fn risks(&mut self, telling: &mut Telling<'_>) {
        for finding in telling.diagnosis.findings.iter().filter(|f| f.role == Role::Risk) {
            let state = self.risks.entry(finding.cause.clone()).or_insert(RiskState {
                since: telling.now,
                last: telling.now,
                told: false,
            });
            state.last = telling.now;
            if !state.told && telling.now.0 - state.since.0 >= RISK_STANDS {
                state.told = true;
                let at = finding.onset.latest;
                telling.tell(self.change(
                    ChangeKind::RiskFound,
                    (None, Some(finding)),
                    telling.diagnosis,
                    (at, telling.now),
                ));
            }
        }
        let gone: Vec<(String, bool)> = self
            .risks
            .iter()
            .filter(|(_, r)| telling.now.0 - r.last.0 >= if r.told { RISK_GONE } else { RISK_STANDS })
            .map(|(cause, r)| (cause.clone(), r.told))
            .collect();
        for (cause, told) in gone {
            self.risks.remove(&cause);
            if told {
                let mut change = self.change(
                    ChangeKind::RiskCleared,
                    (None, None),
                    telling.diagnosis,
                    (telling.now, telling.now),
                );
                change.text = format!("{}: the risk {cause} is gone", node(telling.diagnosis));
                change.cause = Some(cause);
                telling.tell(change);
            }
        }
    }

    fn remember(&mut self, id: &str) {
        if self.told.len() >= EPISODES {
            self.told.remove(0);
        }
        self.told.push(id.to_owned());
    }

    fn change(
        &mut self,
        kind: ChangeKind,
        about: (Option<&Episode>, Option<&Finding>),
        diagnosis: &Diagnosis,
        times: (Timestamp, Timestamp),
    ) -> Change {
        let (episode, finding) = about;
        self.count += 1;
        let uid = [
            diagnosis.node.as_deref().unwrap_or("node"),
            &self.since.compact(),
            &self.count.to_string(),
            kind.word(),
            finding.map_or("", |f| &f.cause),
        ];
        Change {
            uid: uid.join("/"),
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

fn node(diagnosis: &Diagnosis) -> &str {
    diagnosis.node.as_deref().unwrap_or("this node")
}

fn sentence(kind: ChangeKind, episode: Option<&Episode>, finding: Option<&Finding>, diagnosis: &Diagnosis) -> String {
    let node = node(diagnosis);
    let effect = episode.map_or("", |e| e.effect.as_str());
    let since = episode.map_or_else(String::new, |e| format!(" since {} UTC", e.opened_at.clock()));
    let cause = finding.map_or_else(String::new, |f| {
        let sure = match f.verdict {
            Verdict::Confirmed => "confirmed",
            Verdict::Probable => "probable",
        };
        format!("{} ({sure}): {}", f.cause, f.title)
    });
    match kind {
        ChangeKind::EpisodeOpened => format!("{node}: {effect}{since}"),
        ChangeKind::EpisodeDeepened => format!("{node}: now {effect}{since}"),
        ChangeKind::EpisodeEnded => {
            let why = episode
                .and_then(|e| e.end_reason.as_deref())
                .unwrap_or("the effect is gone");
            format!("{node}: {effect}{since} is over: {why}")
        }
        ChangeKind::RootCauseFound => format!("{node}: {effect}{since}: {cause}"),
        ChangeKind::RootCauseRevised => format!("{node}: {effect}{since}: revised to {cause}"),
        ChangeKind::RootCauseCleared => format!("{node}: {effect}{since}: no root cause stands any more"),
        ChangeKind::RiskFound => format!("{node}: risk {cause}"),
        ChangeKind::RiskCleared => format!("{node}: a risk is gone"),
    }
}
