//! What a report says, whoever lays it out: the text report and the status page share these statements.
//!
//! It words what the diagnosis holds and decides nothing; no widths, no markup.

use super::layout::{duration, moment, quote};
use super::words::{effect, utc};
use crate::model::diagnosis::{Diagnosis, HeartbeatState, NodeVerdict};
use crate::model::episode::{Candidate, Episode, EpisodeState};
use crate::model::finding::{Finding, Role};
use crate::model::time::{SECOND, Timestamp};

/// A renewal older than this would be overdue: the lease lasts forty seconds.
const LEASE: i64 = 40 * SECOND;

/// An episode that is over leads the report of a running node so long after its end; then it is one of the past.
const LEADS: i64 = 3600 * SECOND;

/// What the end of the input is to the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tense {
    /// The end of a record.
    Record,
    /// Now.
    Live,
}

impl Tense {
    /// How far back, in words.
    fn ago(self, micros: i64) -> String {
        match self {
            Self::Record => format!("{} before the record ends", duration(micros)),
            Self::Live => format!("{} ago", duration(micros)),
        }
    }
}

/// What a report leads with.
#[derive(Debug, Clone, Copy)]
pub struct Lead<'a> {
    /// All of it.
    pub diagnosis: &'a Diagnosis,
    /// The episode that the report is about: the open one, else the newest.
    pub episode: Option<&'a Episode>,
    /// Its findings, or those of now.
    pub findings: &'a [Finding],
    /// Its candidates, or those of now.
    pub candidates: &'a [Candidate],
    /// How the report speaks of the end of the input.
    pub tense: Tense,
}

impl<'a> Lead<'a> {
    /// The open state where there is one, else the newest episode (of a running node: unless it is long over), else the
    /// healthy node with its risks.
    pub fn of(diagnosis: &'a Diagnosis, tense: Tense) -> Self {
        let past = |e: &&Episode| e.ended_at.is_some_and(|end| diagnosis.at.0 - end.0 > LEADS);
        let newest = diagnosis.episodes.first();
        let newest = newest.filter(|e| tense == Tense::Record || !past(e));
        let open = newest.filter(|e| e.state == EpisodeState::Open);
        let present = matches!(diagnosis.verdict, NodeVerdict::RootCause | NodeVerdict::Inconclusive);
        if present || newest.is_none() {
            return Self {
                diagnosis,
                episode: open,
                findings: &diagnosis.findings,
                candidates: &diagnosis.candidates,
                tense,
            };
        }
        Self {
            diagnosis,
            episode: newest,
            findings: newest.map_or(&[], |e| &e.findings),
            candidates: newest.map_or(&[], |e| &e.candidates),
            tense,
        }
    }

    /// The root cause; the first, where there are more.
    pub fn root(&self) -> Option<&'a Finding> {
        self.findings.iter().find(|f| f.role == Role::RootCause)
    }

    /// The findings of one role.
    pub fn role(&self, role: Role) -> impl Iterator<Item = &'a Finding> + use<'a> {
        self.findings.iter().filter(move |f| f.role == role)
    }

    /// There is something to explain: an episode, or the premise.
    pub fn needs_cause(&self) -> bool {
        self.episode.is_some()
            || matches!(
                self.diagnosis.verdict,
                NodeVerdict::RootCause | NodeVerdict::Inconclusive
            )
    }

    /// The node's name.
    pub fn node(&self) -> String {
        quote(self.diagnosis.node.as_deref().unwrap_or("this node"))
    }

    /// Is it so, since when: a clause about the node.
    pub fn headline(&self) -> String {
        match self.episode {
            // What is over is not how it is.
            Some(episode) if self.tense == Tense::Live && episode.state == EpisodeState::Ended => {
                format!("{}; {}", self.of_heartbeat(), self.of_episode(episode))
            }
            Some(episode) => self.of_episode(episode),
            None if self.needs_cause() => {
                format!(
                    "taken to be NotReady: the input, which ends {}, does not show the heartbeat",
                    utc(self.diagnosis.at)
                )
            }
            None => self.of_heartbeat(),
        }
    }

    fn of_episode(&self, episode: &Episode) -> String {
        let what = effect(&episode.effect);
        let since = utc(episode.opened_at);
        if episode.state == EpisodeState::Ended {
            let Some(ended) = episode.ended_at else {
                return format!("{what} at {since}, and no longer does");
            };
            let lasted = duration(ended.0 - episode.opened_at.0);
            let reason = episode.end_reason.as_deref().map(|r| format!(" ({r})"));
            return format!(
                "{what} at {since} for {lasted}; over since {}{}",
                moment(ended, episode.opened_at),
                reason.unwrap_or_default()
            );
        }
        let age = self.diagnosis.at.0 - episode.opened_at.0;
        let age = match self.tense {
            Tense::Record if age < SECOND => "as the record ends".to_owned(),
            Tense::Live if age < SECOND => "just now".to_owned(),
            tense => tense.ago(age),
        };
        // The onset is in WHY; a date and a time are enough for one line.
        let when = match self.diagnosis.heartbeat.last_success_at {
            Some(at) => format!("last heartbeat {}", utc(at)),
            None => format!("at {since}"),
        };
        format!("{what} {age} ({when})")
    }

    fn of_heartbeat(&self) -> String {
        let (at, live) = (self.diagnosis.at, self.tense == Tense::Live);
        let end = if live { String::new() } else { format!(" ({})", utc(at)) };
        match (self.diagnosis.heartbeat.state, self.diagnosis.heartbeat.last_success_at) {
            (HeartbeatState::Ok, Some(last)) if at.0 - last.0 < LEASE => {
                format!("heartbeat ok: last renewal {}{end}", self.tense.ago(at.0 - last.0))
            }
            // What failed would be on record; what succeeds is not.
            (HeartbeatState::Ok, Some(last)) if live => {
                format!(
                    "heartbeat ok as far as is seen: last renewal {}",
                    self.tense.ago(at.0 - last.0)
                )
            }
            (HeartbeatState::Ok, Some(last)) => format!(
                "heartbeat ok as far as the record shows: last seen {} before its end{end}",
                duration(at.0 - last.0)
            ),
            (HeartbeatState::Ok, None) if live => "heartbeat ok: no renewal fails".to_owned(),
            (HeartbeatState::Ok, None) => format!("heartbeat ok up to the end of the record{end}"),
            (HeartbeatState::Unknown, _) if live => "no fault found; the heartbeat itself is not seen".to_owned(),
            (HeartbeatState::Unknown, _) => {
                format!(
                    "no fault found; the record (to {}) does not show the heartbeat",
                    utc(at)
                )
            }
            (HeartbeatState::Failing | HeartbeatState::Intermittent | HeartbeatState::Lost, _) if live => {
                "heartbeat not ok".to_owned()
            }
            (HeartbeatState::Failing | HeartbeatState::Intermittent | HeartbeatState::Lost, _) => {
                format!("heartbeat not ok at the end of the record{end}")
            }
        }
    }

    /// Since when a cause is seen; the age where the headline does not say the same.
    pub fn seen_since(&self, root: &Finding) -> String {
        let (at, onset) = (self.diagnosis.at, root.onset.latest);
        let age = at.0 - onset.0;
        if age < SECOND && self.tense == Tense::Record {
            return format!("seen at the record's end, {} UTC", moment(onset, at));
        }
        let since = format!("seen since {} UTC", moment(onset, at));
        if self.episode.is_some_and(|e| (e.opened_at.0 - onset.0).abs() < SECOND) {
            since
        } else {
            format!("{since}, {}", self.tense.ago(age))
        }
    }

    /// From the cause to the effect.
    pub fn why(&self, root: &Finding) -> Vec<Step> {
        // Evidence may come after what it explains: then its time is no place in the chain.
        let late = self.episode.is_some_and(|e| root.onset.latest > e.opened_at);
        let first = if late {
            let seen = moment(root.onset.latest, self.diagnosis.at);
            Step {
                at: None,
                text: format!("{}  (first seen {seen})", root.title),
            }
        } else {
            Step {
                at: Some(root.onset.latest),
                text: root.title.clone(),
            }
        };
        let mut steps = vec![first];
        for (i, title) in root.path.iter().enumerate() {
            let seen = self.findings.iter().find(|f| f.title == *title).map(|f| f.onset.latest);
            let last = i + 1 == root.path.len();
            let assumed = if last && self.episode.is_none() {
                "  (taken to be so; the input does not show it)"
            } else {
                ""
            };
            steps.push(Step {
                at: seen.or_else(|| self.episode.filter(|_| last).map(|e| e.opened_at)),
                text: format!("{title}{assumed}"),
            });
        }
        steps
    }

    /// Without a cause: what the record does prove, by time.
    pub fn certain(&self) -> Vec<(Timestamp, String)> {
        let mut facts = Vec::new();
        if let Some(good) = self.diagnosis.heartbeat.last_success_at {
            facts.push((good, "the last lease renewal that was accepted".to_owned()));
        }
        if let Some(episode) = self.episode {
            facts.push((episode.opened_at, effect(&episode.effect)));
            if let Some(ended) = episode.ended_at {
                let reason = episode.end_reason.as_deref().unwrap_or("it recovered");
                facts.push((ended, format!("over: {reason}")));
            }
        }
        facts.sort();
        facts
    }

    /// That no cause is named, and why.
    pub fn inconclusive(&self) -> String {
        match self.candidates.len() {
            0 if self.tense == Tense::Live => "nothing that was seen says why".to_owned(),
            0 => "nothing in the record says why".to_owned(),
            1 => "one cause fits, and the evidence does not reach for it:".to_owned(),
            n => format!("the evidence fits {n} causes:"),
        }
    }

    /// Risks of the episode, then those of now.
    pub fn risks(&self) -> Vec<&'a Finding> {
        let mut risks: Vec<&Finding> = self.role(Role::Risk).collect();
        for f in self.diagnosis.findings.iter().filter(|f| f.role == Role::Risk) {
            if !risks.iter().any(|r| r.cause == f.cause) {
                risks.push(f);
            }
        }
        risks
    }

    /// When a risk becomes an effect, where that can be said: a clause that goes on after its statement.
    pub fn expected(&self, risk: &Finding) -> String {
        let at = self.diagnosis.at;
        risk.expected_at.map_or_else(String::new, |when| {
            let time = format!("{} {} UTC", when.date(), when.clock());
            if when > at {
                format!("; in {} ({time})", duration(when.0 - at.0))
            } else {
                format!("; since {time}")
            }
        })
    }

    /// The episodes that the report is not about, newest first.
    pub fn other_episodes(&self) -> impl Iterator<Item = &'a Episode> + use<'a> {
        let shown = self.episode;
        let others = self.diagnosis.episodes.iter();
        others.filter(move |e| shown.is_none_or(|shown| shown.id != e.id))
    }

    /// What would decide, and where nobody could look. Where every missing signal has one reason, that comes first.
    pub fn not_seen(&self) -> (Option<&'a str>, Vec<String>) {
        let missing = self.root().map(|f| f.missing.as_slice()).unwrap_or_default();
        let why = missing.first().map_or("", |m| m.why.as_str());
        let mut items: Vec<String> = missing
            .iter()
            .map(|m| {
                if m.why == why {
                    format!("{}; to see it: {}", m.signal, m.grant)
                } else {
                    format!("{} ({}); to see it: {}", m.signal, m.why, m.grant)
                }
            })
            .collect();
        items.extend(self.gaps());
        (Some(why).filter(|w| !w.is_empty()), items)
    }

    fn gaps(&self) -> impl Iterator<Item = String> + use<'a> {
        let at = self.diagnosis.at;
        self.diagnosis.gaps.iter().map(move |gap| {
            let when = match (gap.from, gap.to) {
                (None, None) => String::new(),
                (Some(from), None) => format!(" since {}", moment(from, at)),
                (None, Some(to)) => format!(" until {}", moment(to, at)),
                (Some(from), Some(to)) => format!(" {} to {}", moment(from, at), moment(to, at)),
            };
            let grant = gap
                .grant
                .as_deref()
                .map(|g| format!("; to see it: {g}"))
                .unwrap_or_default();
            quote(&format!("{}{when}: {}{grant}", gap.source, gap.reason))
        })
    }
}

/// One step from the cause to the effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// When, where that has a place in the chain.
    pub at: Option<Timestamp>,
    /// What.
    pub text: String,
}
