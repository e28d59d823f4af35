//! Which causes are asserted in a window, and how sure.

use crate::catalog::compile::Condition;
use crate::catalog::load::Catalog;
use crate::evidence::sight::Sight;
use crate::evidence::track::{Asserted, Track, Window};
use crate::grammar::line::Origin;
use crate::model::finding::Verdict;
use crate::model::time::Moment;

/// An asserted cause.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its index in the catalog.
    pub cause: usize,
    /// How sure.
    pub verdict: Verdict,
    /// Its first evidence.
    pub first: Moment,
    /// It may have begun as early as this, on the record's time line: `i64::MIN` where the agent saw it at its first look.
    pub earliest: i64,
    /// Its last evidence.
    pub last: Moment,
    /// Its asserted signals, by index in the catalog.
    pub signals: Vec<(usize, Asserted)>,
    /// True where all of its evidence is about calls that fail as long as the effect lasts, or was given while the
    /// machine went down: such evidence may be written long after the onset.
    pub may_be_late: bool,
    /// True where all of its evidence is what the log says of failed calls.
    pub only_told: bool,
}

/// Who was heard of at all: the absence of words means something only where their writer was heard.
#[derive(Debug, Default, Clone)]
pub struct Coverage {
    heard: Vec<Origin>,
    /// When part of the record could not be read last, on the record's line of time.
    interrupted: Option<i64>,
}

impl Coverage {
    /// Notes that a writer was heard.
    pub fn hear(&mut self, origin: Origin) {
        if !self.heard.contains(&origin) {
            self.heard.push(origin);
        }
    }

    /// Notes that part of the record could not be read: silence proves nothing any more.
    pub fn interrupt(&mut self, at: i64) {
        self.interrupted = self.interrupted.max(Some(at));
    }

    /// Whether one of these writers was heard without a gap since `from`; an empty list is anybody.
    pub fn covers(&self, origins: &[Origin], from: i64) -> bool {
        self.interrupted.is_none_or(|gap| gap < from) && self.heard_any(origins)
    }

    /// Whether one of these writers was heard at all.
    pub fn heard_any(&self, origins: &[Origin]) -> bool {
        origins.is_empty() && !self.heard.is_empty() || origins.iter().any(|o| self.heard.contains(o))
    }
}

/// What the causes are judged by.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// What was seen of each signal.
    pub tracks: &'a [Track],
    /// Who was heard.
    pub coverage: &'a Coverage,
    /// What was looked at.
    pub sight: &'a Sight,
}

/// The causes that are asserted in this window, in the catalog's order.
pub fn assess(catalog: &Catalog, record: Record<'_>, window: Window) -> Vec<Found> {
    let Record {
        tracks,
        coverage,
        sight,
    } = record;
    let judged: Vec<Option<Asserted>> = catalog
        .signals
        .iter()
        .zip(tracks)
        .map(|(signal, track)| track.judge(signal, window))
        .collect();
    let mut found = Vec::new();
    for (index, cause) in catalog.causes.iter().enumerate() {
        let verdict = if cause.confirmed.as_ref().is_some_and(|c| holds(c, &judged)) {
            let refutable = cause.confirmed.iter().flat_map(|c| &c.none).all(|s| {
                let signal = &catalog.signals[*s];
                if signal.looks.is_empty() {
                    coverage.covers(&signal.origins, window.from)
                } else {
                    sight.covers(&signal.looks)
                }
            });
            Some((
                if refutable {
                    Verdict::Confirmed
                } else {
                    Verdict::Probable
                },
                cause.confirmed.as_ref(),
            ))
        } else if cause.probable.as_ref().is_some_and(|c| holds(c, &judged)) {
            Some((Verdict::Probable, cause.probable.as_ref()))
        } else {
            None
        };
        let Some((verdict, Some(condition))) = verdict else {
            continue;
        };
        let signals: Vec<(usize, Asserted)> = catalog
            .signals
            .iter()
            .enumerate()
            .filter(|(i, s)| s.cause == index || rests_on(condition, *i))
            .filter_map(|(i, _)| judged[i].clone().map(|a| (i, a)))
            .collect();
        // The onset is that of the signals that the verdict rests on.
        let rests: Vec<&(usize, Asserted)> = signals.iter().filter(|(i, _)| rests_on(condition, *i)).collect();
        let (Some(first), Some(last)) = (
            rests.iter().map(|(_, a)| a.first).min(),
            rests.iter().map(|(_, a)| a.last).max(),
        ) else {
            continue;
        };
        let may_be_late = rests
            .iter()
            .all(|(i, _)| catalog.signals[*i].about_calls || catalog.signals[*i].testimony);
        let earliest = if rests.iter().any(|(_, a)| a.open) {
            i64::MIN
        } else {
            first.t
        };
        let only_told = may_be_late && rests.iter().all(|(i, _)| catalog.signals[*i].looks.is_empty());
        found.push(Found {
            cause: index,
            verdict,
            earliest,
            only_told,
            first,
            last,
            signals,
            may_be_late,
        });
    }
    found
}

/// Whether a verdict under this condition may rest on this signal.
fn rests_on(condition: &Condition, signal: usize) -> bool {
    condition.all.contains(&signal) || condition.any.contains(&signal) || condition.or.contains(&signal)
}

fn holds(condition: &Condition, judged: &[Option<Asserted>]) -> bool {
    let asserted = |signal: &usize| judged[*signal].is_some();
    let together = condition.all.iter().all(asserted)
        && (condition.any.is_empty() || condition.any.iter().any(asserted))
        && !(condition.all.is_empty() && condition.any.is_empty());
    (together || condition.or.iter().any(asserted)) && !condition.none.iter().any(asserted)
}
