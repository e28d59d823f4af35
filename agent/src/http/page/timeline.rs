//! What happened when, counted from the last good heartbeat, with the end of the grace period marked: whether the cause
//! was there before the heartbeat failed, and how long the control plane still took the node for ready.

use maud::{Markup, html};

use crate::export::layout::{duration, moment, quote};
use crate::export::report::Lead;
use crate::export::words::effect;
use crate::model::finding::Role;
use crate::model::time::{SECOND, Timestamp};

/// Marks of other findings than the root cause and its chain.
const OTHERS: usize = 5;
/// Marks nearer than this share a place on the axis, per mille of its length: two circles on a phone.
const NEAR: i64 = 70;

/// A mark's meaning, which is also its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Good,
    Cause,
    Step,
    Grace,
    Now,
}

impl Kind {
    const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Cause => "cause",
            Self::Step => "step",
            Self::Grace => "grace",
            Self::Now => "now",
        }
    }
}

struct Mark {
    at: Timestamp,
    kind: Kind,
    text: String,
}

/// Of the episode that the page is about.
pub(super) struct Timeline {
    zero: Timestamp,
    /// The end of the grace period.
    grace: Option<Timestamp>,
    /// The end of the episode.
    over: Option<Timestamp>,
    /// By time.
    marks: Vec<Mark>,
    now: Timestamp,
}

impl Timeline {
    /// `None` where no episode is shown.
    pub(super) fn of(lead: &Lead<'_>, grace_micros: i64) -> Option<Self> {
        let episode = lead.episode?;
        let now = lead.diagnosis.at;
        let good = lead.diagnosis.heartbeat.last_success_at;
        let known_good = lead.root().and_then(|r| r.onset.earliest);
        let before = |t: &Timestamp| *t <= episode.opened_at;
        let (zero, what) = match (good.filter(before), known_good.filter(before)) {
            (Some(at), _) => (at, "last good heartbeat".to_owned()),
            (None, Some(at)) => (at, "last known good".to_owned()),
            (None, None) => (
                episode.opened_at,
                format!("{}; when it was good last is not seen", effect(&episode.effect)),
            ),
        };
        let mut line = Self {
            zero,
            grace: None,
            over: episode.ended_at,
            marks: Vec::new(),
            now,
        };
        line.mark(zero, Kind::Good, what);
        line.chain(lead);
        line.grace_period(lead, grace_micros);
        match episode.ended_at {
            Some(at) => {
                let reason = episode.end_reason.as_deref().unwrap_or("it recovered");
                line.mark(at, Kind::Good, format!("over: {reason}"));
            }
            None => line.mark(now, Kind::Now, "now".to_owned()),
        }
        line.marks.sort_by_key(|m| m.at);
        Some(line)
    }

    fn mark(&mut self, at: Timestamp, kind: Kind, text: String) {
        if !self.marks.iter().any(|m| m.text == text) {
            self.marks.push(Mark { at, kind, text });
        }
    }

    /// The cause, what lies between, the effect; then what else was found.
    fn chain(&mut self, lead: &Lead<'_>) {
        if let Some(root) = lead.root() {
            self.mark(root.onset.latest, Kind::Cause, root.title.clone());
            for step in lead.why(root).into_iter().skip(1) {
                if let Some(at) = step.at {
                    self.mark(at, Kind::Step, step.text);
                }
            }
        } else if let Some(episode) = lead.episode {
            self.mark(episode.opened_at, Kind::Step, effect(&episode.effect));
        }
        let others = lead.role(Role::Contributing).chain(lead.role(Role::Consequence));
        for finding in others.take(OTHERS) {
            self.mark(finding.onset.latest, Kind::Step, finding.title.clone());
        }
    }

    /// It counts from the last heartbeat, where it is the heartbeat that fails.
    fn grace_period(&mut self, lead: &Lead<'_>, micros: i64) {
        let heartbeat = lead.episode.is_some_and(|e| e.effect.starts_with("heartbeat-"));
        let ends = Timestamp(self.zero.0.saturating_add(micros));
        if !heartbeat || self.over.is_some_and(|over| over < ends) {
            return;
        }
        self.grace = Some(ends);
        let period = duration(micros);
        let text = if ends > self.now {
            format!(
                "in {} the grace period of {period} ends: Ready=Unknown",
                duration(ends.0 - self.now.0)
            )
        } else {
            format!("the grace period of {period} ends: from here on Ready=Unknown")
        };
        self.mark(ends, Kind::Grace, text);
    }

    fn offset(&self, at: Timestamp) -> i64 {
        at.0 - self.zero.0
    }

    /// From where to where the axis goes, microseconds from zero: the onset is to be seen, however long the episode lasts.
    fn window(&self) -> (i64, i64) {
        let onset = self
            .marks
            .iter()
            .filter(|m| m.kind != Kind::Now && Some(m.at) != self.over);
        let onset = onset.map(|m| self.offset(m.at)).max().unwrap_or(0).max(10 * SECOND);
        let end = self.offset(self.over.unwrap_or(self.now)).max(onset);
        let to = if end <= onset * 3 { end } else { onset * 3 / 2 };
        let first = self.marks.iter().map(|m| self.offset(m.at)).min().unwrap_or(0).min(0);
        (-(to / 12).max((-first).min(to / 3)) - to / 24, to + to / 24)
    }

    pub(super) fn render(&self) -> Markup {
        html! {
            section.card #timeline {
                h2 { "Timeline " small { "from the last good heartbeat; times in UTC" } }
                (self.axis())
                ol.marks {
                    @for mark in &self.marks {
                        li class=(mark.kind.class()) {
                            span.offset { (signed(self.offset(mark.at))) }
                            time datetime=(mark.at.rfc3339()) { (moment(mark.at, self.now)) }
                            span.what { (quote(&mark.text)) }
                        }
                    }
                }
            }
        }
    }

    /// Bands for ok, grace period and Ready=Unknown; a circle for each mark, with its number in the list.
    fn axis(&self) -> Markup {
        let (from, to) = self.window();
        let place = |offset: i64| (offset - from).saturating_mul(1000) / (to - from).max(1);
        let place = |offset: i64| place(offset.clamp(from, to)).clamp(0, 1000);
        let zero = place(0);
        let over = self.over.map_or(1000, |at| place(self.offset(at)));
        let grace = self.grace.map(|at| place(self.offset(at)).min(over));
        let bad = grace.unwrap_or(zero);
        html! {
            svg.axis role="img" aria-label="the marks of the list below, to scale" {
                (band("good", 0, zero))
                @if let Some(grace) = grace { (band("grace", zero, grace)) }
                (band("bad", bad, over))
                (band("good", over, 1000))
                @for (numbers, at, kind) in self.groups(&place) {
                    circle class=(kind.class()) cx=(per_cent(at)) cy="14" r="12" {}
                    text x=(per_cent(at)) y="17.5" { (numbers) }
                }
                text.tick x=(per_cent(zero)) y="44" { "0 s" }
                @if let Some(ends) = self.grace.filter(|_| bad - zero > 120) {
                    text.tick x=(per_cent(bad)) y="44" { (signed(self.offset(ends))) }
                    (name("grace period", zero, bad))
                }
                (name(if self.grace.is_some() { "Ready=Unknown" } else { "not well" }, bad, over))
            }
        }
    }

    /// Marks that are too near to be told apart are one circle: `2–4`.
    fn groups(&self, place: &dyn Fn(i64) -> i64) -> Vec<(String, i64, Kind)> {
        let mut groups: Vec<(usize, usize, i64, Kind)> = Vec::new();
        for (i, mark) in self.marks.iter().enumerate() {
            let at = place(self.offset(mark.at)).clamp(35, 965);
            match groups.last_mut() {
                Some((_, last, first_at, kind)) if at - *first_at < NEAR => {
                    *last = i + 1;
                    // The cause is what one looks for.
                    if mark.kind == Kind::Cause {
                        *kind = Kind::Cause;
                    }
                }
                _ => groups.push((i + 1, i + 1, at, mark.kind)),
            }
        }
        let label = |first: usize, last: usize| {
            if first == last {
                first.to_string()
            } else {
                format!("{first}–{last}")
            }
        };
        groups
            .into_iter()
            .map(|(first, last, at, kind)| (label(first, last), at, kind))
            .collect()
    }
}

fn band(class: &'static str, from: i64, to: i64) -> Markup {
    html! { rect class=(class) x=(per_cent(from)) y="9" width=(per_cent((to - from).max(0))) height="10" {} }
}

/// What a band stands for, where there is room to say it between its ends' own labels.
fn name(text: &'static str, from: i64, to: i64) -> Markup {
    html! { @if to - from > 400 { text.tick x=(per_cent(i64::midpoint(from, to))) y="44" { (text) } } }
}

fn per_cent(thousandths: i64) -> String {
    format!("{}.{}%", thousandths / 10, thousandths % 10)
}

/// `+18 s`, `0 s`, `−2.5 s`.
fn signed(micros: i64) -> String {
    let size = micros.abs();
    let sign = if micros < 0 { "−" } else { "+" };
    match size {
        0..100_000 => "0 s".to_owned(),
        100_000..10_000_000 => format!("{sign}{}.{} s", size / SECOND, size % SECOND / 100_000),
        _ => format!("{sign}{}", duration(size)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_have_a_sign_and_tenths_where_they_matter() {
        let of = [0, 2_540_000, -2_500_000, 18_280_000, -90 * 86_400 * SECOND].map(signed);
        assert_eq!(of, ["0 s", "+2.5 s", "−2.5 s", "+18 s", "−90 days"]);
        assert_eq!(per_cent(35), "3.5%");
    }
}
