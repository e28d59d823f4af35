//! One entry or line to an input: what it states, or that somebody spoke.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::api::Options;
use super::aside::{Asides, Due};
use super::moment::Timeline;
use super::node::Names;
use super::zone::Zone;
use crate::grammar::line::{Level, Line, Origin};
use crate::grammar::parse;
use crate::grammar::redact::redact;
use crate::model::input::{Beat, Gap, Input, MAX_TEXT, Observation, Place, cut};
use crate::model::time::{Moment, SECOND, Timestamp};

/// How many names are kept, and how many writers' last beats.
const MAX_KEPT: usize = 4096;
/// How many gaps are told.
const MAX_GAPS: u32 = 1_000;

/// An entry with its moment.
pub(super) struct Said<'a> {
    pub(super) at: Moment,
    pub(super) origin: Origin,
    pub(super) pid: Option<u32>,
    pub(super) source: &'a str,
    pub(super) line: Line<'a>,
    /// Its wall time is one; the record of a log without wall times has only an order, to which no header compares.
    pub(super) walled: bool,
    /// The rest of another line: no text pattern may match it.
    pub(super) rest_of_another: bool,
    pub(super) place: &'a dyn Fn() -> Place,
}

/// What is kept from one entry to the next: as long as a record, or as the agent runs.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) timeline: Timeline,
    pub(super) names: Names,
    zone: Zone,
    seq: u64,
    gaps: u32,
    beats: HashMap<(Origin, Option<u32>), i64>,
    sources: HashMap<Box<str>, Arc<str>>,
    pub(super) entries: u64,
    pub(super) first: Option<Moment>,
    pub(super) last: Option<Moment>,
}

impl Kept {
    /// The next observation's sequence number.
    pub(super) fn number(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    /// The next observation has the number after this one.
    pub(super) fn go_on_after(&mut self, seq: u64) {
        self.seq = seq;
    }

    /// The last observation's sequence number.
    pub(super) const fn observed(&self) -> u64 {
        self.seq
    }

    fn intern(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.sources.get(name) {
            return Arc::clone(known);
        }
        if self.sources.len() >= MAX_KEPT {
            self.sources.clear();
        }
        let new: Arc<str> = cut(name, 256).into();
        self.sources.insert(name.into(), Arc::clone(&new));
        new
    }
}

/// Where inputs are made.
pub(super) struct Emitter<'s> {
    pub(super) kept: &'s mut Kept,
    sieve: &'s dyn Fn(&str) -> bool,
    sink: &'s mut dyn FnMut(Input),
    since: i64,
    until: i64,
    asides: Asides,
    pub(super) options: &'s Options,
}

impl<'s> Emitter<'s> {
    pub(super) fn new(
        options: &'s Options,
        kept: &'s mut Kept,
        sieve: &'s dyn Fn(&str) -> bool,
        sink: &'s mut dyn FnMut(Input),
    ) -> Self {
        Self {
            kept,
            sieve,
            sink,
            since: options.since.map_or(i64::MIN, |t| t.0),
            until: options.until.map_or(i64::MAX, |t| t.0),
            asides: Asides::new(&options.asides),
            options,
        }
    }

    /// Whether an entry of this time is asked about.
    pub(super) fn wants(&self, wall: i64) -> bool {
        (self.since..=self.until).contains(&wall)
    }

    pub(super) fn emit(&mut self, said: &Said<'_>) {
        if !self.asides.is_empty() {
            for due in self.asides.before(said.at, self.kept.last, &self.kept.timeline) {
                self.aside(due);
            }
        }
        self.kept.entries += 1;
        self.kept.first.get_or_insert(said.at);
        self.kept.last = Some(said.at);
        if said.origin == Origin::Kubelet && !self.kept.names.settled() {
            self.kept.names.kubelet(said.line.text);
        }
        let parsed = parse::parse(said.origin, &said.line);
        let rest_of_another = parsed.continuation || said.rest_of_another;
        let node_side = matches!(said.origin, Origin::Kubelet | Origin::Runtime);
        let header_at = parsed
            .header
            .filter(|_| node_side && said.walled)
            .and_then(|h| self.kept.zone.utc(h, said.at.wall.0));
        let observed = !parsed.facts.is_empty()
            || (!parsed.continuation && parsed.level >= Level::Error && node_side)
            || (!rest_of_another && (self.sieve)(said.line.text));
        let pid = said.pid.or(parsed.pid);
        if !observed {
            self.beat(said, pid);
            return;
        }
        let text = redact(said.line.text);
        let facts = match &text {
            Cow::Borrowed(_) => parsed.facts,
            // Facts quote the line: none of them may hold what was taken out of it.
            Cow::Owned(clean) => {
                parse::parse(
                    said.origin,
                    &Line {
                        text: clean,
                        ..said.line
                    },
                )
                .facts
            }
        };
        let seq = self.kept.number();
        let source = self.kept.intern(said.source);
        (self.sink)(Input::Observed(Observation {
            seq,
            at: said.at,
            boot: self.kept.timeline.boot(),
            header_at,
            origin: said.origin,
            level: parsed.level,
            pid,
            source,
            text: cut(&text, MAX_TEXT).into(),
            place: (said.place)(),
            facts,
        }));
    }

    /// At most one a second for each writer; the processes of other origins are not told apart.
    fn beat(&mut self, said: &Said<'_>, pid: Option<u32>) {
        let pid = if said.origin == Origin::Other { None } else { pid };
        let key = (said.origin, pid);
        if self
            .kept
            .beats
            .get(&key)
            .is_some_and(|last| said.at.t.saturating_sub(*last) < SECOND)
        {
            return;
        }
        if self.kept.beats.len() >= MAX_KEPT {
            self.kept.beats.clear();
        }
        self.kept.beats.insert(key, said.at.t);
        (self.sink)(Input::Beat(Beat {
            at: said.at,
            boot: self.kept.timeline.boot(),
            origin: said.origin,
            pid,
        }));
    }

    pub(super) fn gap(&mut self, source: &str, from: Option<Timestamp>, reason: String, grant: Option<&str>) {
        self.kept.gaps += 1;
        if self.kept.gaps <= MAX_GAPS {
            let gap = Gap {
                source: source.to_owned(),
                from,
                to: None,
                reason,
                grant: grant.map(str::to_owned),
            };
            (self.sink)(Input::Gap(gap));
        }
    }

    /// Puts what was seen beside the log into the record.
    fn aside(&mut self, due: Due) {
        if !self.wants(due.at.wall.0) {
            return;
        }
        for input in due.inputs {
            let input = match input {
                Input::Observed(observation) => Input::Observed(Observation {
                    seq: self.kept.number(),
                    at: due.at,
                    boot: due.boot,
                    ..observation
                }),
                Input::Gap(gap) => Input::Gap(Gap {
                    from: Some(due.at.wall),
                    ..gap
                }),
                other => other,
            };
            (self.sink)(input);
        }
    }

    pub(super) fn end(&mut self) {
        for due in self.asides.rest(self.kept.last, self.kept.timeline.boot()) {
            if self.wants(due.at.wall.0) {
                self.kept.first.get_or_insert(due.at);
                self.kept.last = Some(due.at);
            }
            self.aside(due);
        }
        if let Some(last) = self.kept.last {
            (self.sink)(Input::End(last));
        }
    }
}
