//! From an entry to an input: who wrote it, what it states, and whether it is worth more than a sign of life.

use std::collections::HashMap;
use std::sync::Arc;

use super::moment::TimeLine;
use super::record::Record;
use crate::grammar::line::{HeaderTime, Level, Line, Origin, Parsed};
use crate::grammar::{origin, parse};
use crate::model::input::{Beat, Input, Observation, Place};
use crate::model::time::{Moment, SECOND, Timestamp};

/// Text kept of one line.
const TEXT: usize = 8 * 1024;
/// Writers remembered for their signs of life; beyond it the map starts anew.
const WRITERS: usize = 4096;
/// A day in microseconds.
const DAY: i64 = 86_400 * SECOND;
/// A quarter of an hour: what time zones differ by.
const QUARTER: i64 = 900 * SECOND;

/// Turns entries into inputs.
pub struct Observer<'s> {
    /// Whether a text pattern of the catalog may fit.
    sieve: &'s dyn Fn(&str) -> bool,
    time_line: TimeLine,
    seq: u64,
    beats: HashMap<(Origin, Option<u32>), i64>,
    sources: HashMap<Box<str>, Arc<str>>,
    zone: Option<i64>,
    node: Node,
}

/// What the lines say of the node's name.
#[derive(Debug, Default)]
struct Node {
    lease: Option<String>,
    hostname: Option<String>,
}

impl<'s> Observer<'s> {
    /// An observer that has seen nothing.
    pub fn new(sieve: &'s dyn Fn(&str) -> bool) -> Self {
        Self {
            sieve,
            time_line: TimeLine::default(),
            seq: 0,
            beats: HashMap::new(),
            sources: HashMap::new(),
            zone: None,
            node: Node::default(),
        }
    }

    /// The node's name as far as it is known: from lease URLs, else the host's name.
    pub fn node(&self) -> Option<&str> {
        self.node.lease.as_deref().or(self.node.hostname.as_deref())
    }

    /// The input that this entry gives, if any. `place` is asked only for what is kept.
    pub fn observe(&mut self, record: &Record<'_>, place: &dyn Fn() -> Place) -> Option<Input> {
        let at = self.time_line.place(record.wall, record.monotonic, record.boot_id);
        if self.node.hostname.is_none() {
            self.node.hostname = record.hostname.map(str::to_owned);
        }
        let origin = if record.trusted {
            origin::of_journal(&record.sender)
        } else {
            origin::of_text(record.sender.syslog_identifier, record.text)
        };
        let parsed = parse::parse(origin, &line(record, origin));
        let grave = parsed.level >= Level::Error && matches!(origin, Origin::Kubelet | Origin::Runtime);
        let kept = !parsed.facts.is_empty() || !parsed.continuation && (grave || (self.sieve)(record.text));
        if !kept {
            return self.sign_of_life(at, origin, parsed.pid.or(record.sender.pid));
        }
        self.learn_node(&parsed);
        self.seq += 1;
        Some(Input::Observed(Observation {
            seq: self.seq,
            at,
            boot: self.time_line.boot,
            header_at: self.header(parsed.header, at),
            origin,
            level: parsed.level,
            pid: parsed.pid.or(record.sender.pid),
            source: self.source(record, origin),
            text: Arc::from(cut(record.text)),
            place: place(),
            facts: parsed.facts,
        }))
    }

    fn sign_of_life(&mut self, at: Moment, origin: Origin, pid: Option<u32>) -> Option<Input> {
        let key = (origin, pid);
        match self.beats.get_mut(&key) {
            Some(last) if at.t - *last < SECOND => return None,
            Some(last) => *last = at.t,
            None => {
                if self.beats.len() >= WRITERS {
                    self.beats.clear();
                }
                self.beats.insert(key, at.t);
            }
        }
        Some(Input::Beat(Beat { at, boot: self.time_line.boot, origin, pid }))
    }

    fn source(&mut self, record: &Record<'_>, origin: Origin) -> Arc<str> {
        let sender = &record.sender;
        let name = match origin {
            Origin::Kernel => "kernel",
            _ => sender.syslog_identifier.or(sender.comm).or(sender.systemd_unit).unwrap_or(match origin {
                Origin::Kubelet => "kubelet",
                Origin::Runtime => "runtime",
                Origin::Systemd => "systemd",
                _ => "log",
            }),
        };
        if let Some(known) = self.sources.get(name) {
            return Arc::clone(known);
        }
        if self.sources.len() >= WRITERS {
            self.sources.clear();
        }
        let source: Arc<str> = Arc::from(name);
        self.sources.insert(name.into(), Arc::clone(&source));
        source
    }

    fn learn_node(&mut self, parsed: &Parsed) {
        if self.node.lease.is_some() {
            return;
        }
        for url in parsed.facts.iter().filter_map(|f| f.text("url")) {
            let name = url.split_once("/kube-node-lease/leases/").or_else(|| url.split_once("/api/v1/nodes/"));
            if let Some((_, rest)) = name {
                let end = rest.find(['?', '/', '"', ' ']).unwrap_or(rest.len());
                if end > 0 {
                    self.node.lease = Some(rest[..end].to_owned());
                }
            }
        }
    }

    /// The writer's own time in UTC. klog writes local time without year or zone: the zone is what the first header
    /// differs from the journal by, to the quarter hour, and the day is the nearest one.
    fn header(&mut self, header: Option<HeaderTime>, at: Moment) -> Option<Timestamp> {
        match header? {
            HeaderTime::Unix(micros) => Some(Timestamp(micros)),
            HeaderTime::Klog { micros, .. } => {
                let of_day = at.wall.0.rem_euclid(DAY);
                let late = wrap(of_day - micros);
                let zone = *self.zone.get_or_insert((late + QUARTER / 2).div_euclid(QUARTER) * QUARTER);
                Some(Timestamp(at.wall.0 - wrap(late - zone)))
            }
        }
    }
}

/// Into half a day either way.
fn wrap(micros: i64) -> i64 {
    (micros + DAY / 2).rem_euclid(DAY) - DAY / 2
}

fn line<'a>(record: &Record<'a>, origin: Origin) -> Line<'a> {
    let said = &record.said;
    if !record.trusted || origin != Origin::Systemd {
        return Line { text: record.text, ..Line::default() };
    }
    Line {
        text: record.text,
        message_id: said.message_id,
        unit: said.unit,
        job_type: said.job_type,
        job_result: said.job_result,
        exit_code: said.exit_code,
        exit_status: said.exit_status,
        unit_result: said.unit_result,
        n_restarts: said.n_restarts,
    }
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
