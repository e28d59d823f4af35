//! The report for a person: what is so and since when, why, what shows it, what to do. It only words what the diagnosis
//! holds; whatever is left out for the sake of length is in the JSON.

use super::evidence;
use super::layout::{duration, moment, quote, solid, wrap};
use super::reasons;
pub use super::sections::who_acts;
use super::sections::{self, Limits};
use crate::model::diagnosis::{Diagnosis, HeartbeatState, NodeVerdict};
use crate::model::episode::{Candidate, Episode, EpisodeState};
use crate::model::finding::{Finding, Role};
use crate::model::time::{SECOND, Timestamp};

/// Lines of a report without `--all`.
const LINES: usize = 40;

/// A renewal older than this would be overdue: the lease lasts forty seconds.
const LEASE: i64 = 40 * SECOND;

/// How to render.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Columns.
    pub width: usize,
    /// Mark heads with colour.
    pub color: bool,
    /// Everything, however long.
    pub all: bool,
}

/// What the report leads with.
pub(super) struct Lead<'a> {
    pub(super) diagnosis: &'a Diagnosis,
    pub(super) episode: Option<&'a Episode>,
    pub(super) findings: &'a [Finding],
    pub(super) candidates: &'a [Candidate],
}

/// The report.
pub fn render(diagnosis: &Diagnosis, style: &Style) -> String {
    let lead = Lead::of(diagnosis);
    let mut lines = Vec::new();
    for limits in Limits::steps(style.all) {
        lines = report(&lead, style, limits);
        if style.all || lines.len() <= LINES {
            break;
        }
    }
    if !style.all && lines.len() > LINES {
        let cut = lines.len() - (LINES - 1);
        lines.truncate(LINES - 1);
        lines.push(format!("… {cut} more lines: --all"));
    }
    let mut out: String = lines
        .iter()
        .map(|l| paint(l.trim_end(), style.color))
        .collect::<Vec<_>>()
        .join("\n");
    out.push('\n');
    out
}

impl<'a> Lead<'a> {
    /// The open state where there is one, else the newest episode, else the healthy node with its risks.
    fn of(diagnosis: &'a Diagnosis) -> Self {
        let newest = diagnosis.episodes.first();
        let open = newest.filter(|e| e.state == EpisodeState::Open);
        let present = matches!(diagnosis.verdict, NodeVerdict::RootCause | NodeVerdict::Inconclusive);
        if present || newest.is_none() {
            return Self {
                diagnosis,
                episode: open,
                findings: &diagnosis.findings,
                candidates: &diagnosis.candidates,
            };
        }
        Self {
            diagnosis,
            episode: newest,
            findings: newest.map_or(&[], |e| &e.findings),
            candidates: newest.map_or(&[], |e| &e.candidates),
        }
    }

    pub(super) fn root(&self) -> Option<&'a Finding> {
        self.findings.iter().find(|f| f.role == Role::RootCause)
    }

    /// There is something to explain: an episode, or the premise.
    pub(super) fn needs_cause(&self) -> bool {
        self.episode.is_some()
            || matches!(
                self.diagnosis.verdict,
                NodeVerdict::RootCause | NodeVerdict::Inconclusive
            )
    }
}

fn report(lead: &Lead<'_>, style: &Style, limits: Limits) -> Vec<String> {
    let mut out = Vec::new();
    push_wrapped(&mut out, &headline(lead), 0, 2, style.width);
    if let Some(root) = lead.root() {
        sections::root_cause(&mut out, lead, root, style);
        sections::why(&mut out, lead, root, style);
        evidence::evidence(&mut out, lead, root, limits.evidence, style);
        sections::others(&mut out, lead, limits.others, style);
        reasons::ruled_out(&mut out, root, limits.ruled_out, style);
        reasons::not_seen(&mut out, lead, Some(root), limits.not_seen, style);
        sections::fix(&mut out, root, limits.fix, style);
    } else if lead.needs_cause() {
        sections::inconclusive(&mut out, lead, limits.candidates, style);
        sections::certain(&mut out, lead, style);
        sections::others(&mut out, lead, limits.others, style);
        reasons::not_seen(&mut out, lead, None, limits.not_seen, style);
    } else {
        reasons::not_seen(&mut out, lead, None, limits.not_seen, style);
    }
    sections::risks(&mut out, lead, limits.others, style);
    sections::other_episodes(&mut out, lead, limits.episodes, style);
    out
}

/// Is it so, since when.
fn headline(lead: &Lead<'_>) -> String {
    let diagnosis = lead.diagnosis;
    let node = diagnosis.node.as_deref().unwrap_or("this node");
    let statement = match lead.episode {
        Some(episode) => of_episode(diagnosis, episode),
        None if lead.needs_cause() => {
            format!(
                "taken to be NotReady: the input, which ends {}, does not show the heartbeat",
                utc(diagnosis.at)
            )
        }
        None => of_heartbeat(diagnosis),
    };
    format!("{}{statement}", solid(&format!("{}  ", quote(node))))
}

/// Quoted lines may have no date, or no time at all: the record's own count begins in 1970.
const DATED: Timestamp = Timestamp(946_684_800 * SECOND);

fn utc(at: Timestamp) -> String {
    if at < DATED {
        return format!("{} by the record's own clock", at.clock());
    }
    format!("{} {} UTC", at.date(), at.clock())
}

fn of_episode(diagnosis: &Diagnosis, episode: &Episode) -> String {
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
    let age = diagnosis.at.0 - episode.opened_at.0;
    let age = if age < SECOND {
        "as the record ends".to_owned()
    } else {
        format!("{} before the record ends", duration(age))
    };
    // The onset is in WHY; a date and a time are enough for one line.
    let when = match diagnosis.heartbeat.last_success_at {
        Some(at) => format!("last heartbeat {}", utc(at)),
        None => format!("at {since}"),
    };
    format!("{what} {age} ({when})")
}

/// An effect as a clause about the node.
pub(super) fn effect(id: &str) -> String {
    match id {
        "heartbeat-lost" => "kubelet stopped posting node status".into(),
        "heartbeat-failing" => "lease renewals began to fail".into(),
        "heartbeat-intermittent" => "heartbeat became intermittent".into(),
        "node-not-ready" => "kubelet began to post Ready=False".into(),
        "journal-ended" => "the record broke off without an ordered shutdown".into(),
        other => format!("{other} began"),
    }
}

fn of_heartbeat(diagnosis: &Diagnosis) -> String {
    let end = utc(diagnosis.at);
    match (diagnosis.heartbeat.state, diagnosis.heartbeat.last_success_at) {
        (HeartbeatState::Ok, Some(at)) => {
            let age = diagnosis.at.0 - at.0;
            if age < LEASE {
                format!(
                    "heartbeat ok: last renewal {} before the record ends ({end})",
                    duration(age)
                )
            } else {
                // What failed would be on record; what succeeds is not.
                format!(
                    "heartbeat ok as far as the record shows: last seen {} before its end ({end})",
                    duration(age)
                )
            }
        }
        (HeartbeatState::Ok, None) => format!("heartbeat ok up to the end of the record ({end})"),
        (HeartbeatState::Unknown, _) => format!("no fault found; the record (to {end}) does not show the heartbeat"),
        (HeartbeatState::Failing | HeartbeatState::Intermittent | HeartbeatState::Lost, _) => {
            format!("heartbeat not ok at the end of the record ({end})")
        }
    }
}

/// A head: words in capitals at the line's start, and the cause's id that follows them.
fn paint(line: &str, color: bool) -> String {
    if !color {
        return line.to_owned();
    }
    let end = line
        .find(|c: char| !(c.is_ascii_uppercase() || c == ' '))
        .unwrap_or(line.len());
    let head = line[..end].trim_end();
    if head.len() < 3 || line.starts_with(' ') {
        return line.to_owned();
    }
    let code = match head {
        "ROOT CAUSE" => "1;31",
        "INCONCLUSIVE" | "RISK" => "1;33",
        _ => "1",
    };
    format!("\x1b[{code}m{head}\x1b[0m{}", &line[head.len()..])
}

pub(super) fn head(out: &mut Vec<String>, title: &str) {
    out.push(String::new());
    out.push(title.to_owned());
}

pub(super) fn push_wrapped(out: &mut Vec<String>, text: &str, first: usize, rest: usize, width: usize) {
    out.extend(wrap(text, first, rest, width).lines().map(str::to_owned));
}
