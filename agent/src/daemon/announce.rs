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
/// An episode of an earlier life has so long to show up again before it counts as over.
const RESUMES: i64 = 90 * SECOND;
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
    /// What an earlier life told, and since when this one goes on with it.
    #[serde(skip)]
    resumed: Option<Resumed>,
}

/// An episode that an earlier life of the agent told to be open.
#[derive(Debug, Clone, PartialEq)]
struct Resumed {
    since: Timestamp,
    /// The id that it has now, once that is known.
    alias: Option<String>,
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
    /// Goes on with what an earlier life told. To be called once, before anything is told.
    pub fn resume(&mut self, now: Timestamp) {
        self.resumed = self.open.is_some().then_some(Resumed {
            since: now,
            alias: None,
        });
    }

    /// The onset of an episode that is seen by looking alone is dated anew after a restart, and its id is made of it: here
    /// it gets back the id under which it was told.
    pub fn rename(&mut self, diagnosis: &mut Diagnosis) {
        let (Some(resumed), Some(open)) = (&mut self.resumed, &self.open) else {
            self.resumed = None;
            return;
        };
        if resumed.alias.is_none() && !diagnosis.episodes.iter().any(|e| e.id == open.id) {
            let same = |e: &&Episode| e.state == EpisodeState::Open && e.opened_at >= open.opened_at;
            resumed.alias = diagnosis.episodes.iter().find(same).map(|e| e.id.clone());
        }
        let Some(alias) = &resumed.alias else { return };
        let (id, opened_at) = (&open.id, open.opened_at);
        for episode in diagnosis.episodes.iter_mut().filter(|e| e.id == *alias) {
            episode.id.clone_from(id);
            episode.opened_at = opened_at;
            rename_all(&mut episode.findings, alias, id);
        }
        rename_all(&mut diagnosis.findings, alias, id);
    }

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
            None if self.open.is_some()
                && diagnosis.verdict != NodeVerdict::Inconclusive
                && self.resumed.as_ref().is_none_or(|r| now.0 - r.since.0 >= RESUMES) =>
            {
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

fn rename_all(findings: &mut [Finding], from: &str, to: &str) {
    for finding in findings.iter_mut().filter(|f| f.episode.as_deref() == Some(from)) {
        finding.episode = Some(to.to_owned());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::schema::{Layer, Owner, Repair};
    use crate::model::diagnosis::{Heartbeat, HeartbeatState, SCHEMA_VERSION};
    use crate::model::time::Onset;

    const START: i64 = 1_795_435_200_000_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp(START + seconds * SECOND)
    }

    fn finding(cause: &str, role: Role) -> Finding {
        Finding {
            cause: cause.to_owned(),
            role,
            verdict: Verdict::Confirmed,
            effect: None,
            title: "a title".into(),
            layer: Layer::Network,
            repair: Repair::Unknown,
            owner: Owner::Node,
            episode: None,
            onset: Onset {
                earliest: None,
                latest: at(0),
            },
            expected_at: None,
            evidence: Vec::new(),
            missing: Vec::new(),
            ruled_out: Vec::new(),
            remedy: Vec::new(),
            path: Vec::new(),
        }
    }

    /// `episodes`: opened at, whether it is open, its root cause.
    fn diagnosis(episodes: &[(i64, bool, Option<&str>)], risks: &[&str]) -> Diagnosis {
        let episode = |(opened, open, root): &(i64, bool, Option<&str>)| Episode {
            id: at(*opened).compact(),
            state: if *open { EpisodeState::Open } else { EpisodeState::Ended },
            effect: "heartbeat-lost".into(),
            opened_at: at(*opened),
            ended_at: (!open).then(|| at(*opened + 60)),
            end_reason: None,
            findings: root.map(|r| finding(r, Role::RootCause)).into_iter().collect(),
            candidates: Vec::new(),
        };
        Diagnosis {
            schema_version: SCHEMA_VERSION.into(),
            node: Some("node1".into()),
            at: at(0),
            boot_id: None,
            verdict: NodeVerdict::Healthy,
            node_ready: None,
            heartbeat: Heartbeat {
                state: HeartbeatState::Unknown,
                last_success_at: None,
                last_success_basis: None,
                failing_since: None,
            },
            findings: risks.iter().map(|r| finding(r, Role::Risk)).collect(),
            candidates: Vec::new(),
            episodes: episodes.iter().map(episode).collect(),
            gaps: Vec::new(),
        }
    }

    fn told(announced: &mut Announced, diagnosis: &Diagnosis, seconds: i64) -> Vec<String> {
        let changes = announced.update(diagnosis, at(seconds));
        let word = |c: &Change| format!("{} {}", c.kind.word(), c.cause.as_deref().unwrap_or("-"));
        changes.iter().map(word).collect()
    }

    #[test]
    fn an_episode_is_told_once_and_its_root_cause_when_it_stands() {
        let mut announced = Announced::default();
        let open = |root| diagnosis(&[(10, true, root)], &[]);
        assert_eq!(told(&mut announced, &open(None), 20), ["episode_opened -"]);
        assert_eq!(told(&mut announced, &open(Some("a")), 21), ["root_cause_found a"]);
        assert_eq!(told(&mut announced, &open(Some("a")), 22), [""; 0]);
        // Another one that flashes is not told, one that stands is.
        assert_eq!(told(&mut announced, &open(Some("b")), 23), [""; 0]);
        assert_eq!(told(&mut announced, &open(Some("a")), 25), [""; 0]);
        assert_eq!(told(&mut announced, &open(Some("b")), 30), [""; 0]);
        assert_eq!(told(&mut announced, &open(Some("b")), 38), ["root_cause_revised b"]);
        let over = diagnosis(&[(10, false, Some("b"))], &[]);
        assert_eq!(
            told(&mut announced, &over, 90),
            ["root_cause_cleared b", "episode_ended -"]
        );
        assert_eq!(told(&mut announced, &over, 95), [""; 0]);
    }

    #[test]
    fn a_restart_tells_nothing_twice_and_what_was_missed() {
        let mut announced = Announced::default();
        told(&mut announced, &diagnosis(&[(10, true, Some("a"))], &[]), 20);
        let kept = serde_json::to_string(&announced).unwrap();
        let mut again: Announced = serde_json::from_str(&kept).unwrap();
        assert_eq!(
            told(&mut again, &diagnosis(&[(10, true, Some("a"))], &[]), 300),
            [""; 0]
        );
        // One ended and another came and went while nobody looked; the newest comes first.
        let missed = diagnosis(&[(200, false, Some("c")), (10, false, Some("a"))], &[]);
        assert_eq!(
            told(&mut again, &missed, 400),
            [
                "root_cause_cleared a",
                "episode_ended -",
                "episode_opened -",
                "root_cause_found c",
                "root_cause_cleared c",
                "episode_ended -",
            ]
        );
    }

    #[test]
    fn what_was_over_before_the_first_start_is_not_told() {
        let mut announced = Announced::default();
        assert_eq!(
            told(&mut announced, &diagnosis(&[(10, false, Some("a"))], &[]), 500),
            [""; 0]
        );
    }

    #[test]
    fn a_risk_is_told_when_it_stands_and_gone_when_it_stays_away() {
        let mut announced = Announced::default();
        let risky = diagnosis(&[], &["r"]);
        assert_eq!(told(&mut announced, &risky, 0), [""; 0]);
        assert_eq!(told(&mut announced, &risky, 30), ["risk_found r"]);
        assert_eq!(told(&mut announced, &diagnosis(&[], &[]), 300), [""; 0]);
        assert_eq!(told(&mut announced, &diagnosis(&[], &[]), 331), ["risk_cleared r"]);
    }

    #[test]
    fn every_change_has_an_id_of_its_own_that_a_restart_makes_again() {
        let run = || {
            let mut announced = Announced::default();
            announced.update(&diagnosis(&[(10, true, Some("a"))], &["r"]), at(20))
        };
        let uids: Vec<String> = run().into_iter().map(|c| c.uid).collect();
        assert_eq!(uids.len(), 2);
        assert_ne!(uids[0], uids[1]);
        assert_eq!(uids, run().into_iter().map(|c| c.uid).collect::<Vec<_>>());
    }
}
