//! The live counterpart of reading a record: entries and lines as they come, each to the inputs that the same entry in a
//! file gives. One for the whole agent, because it holds the one line of time. Opens nothing.

use super::api::{NodeName, Options, Summary};
use super::entry::{self, Origins, Picked, Received};
use super::moment::Timeline;
use super::observe::{Emitter, Kept, Said};
use crate::grammar::line::{Line, Origin};
use crate::grammar::origin;
use crate::journal::Entry;
use crate::model::input::{Input, Place};
use crate::model::time::Timestamp;

/// Whether a text pattern of the catalog may fit a line.
pub type Sieve = Box<dyn Fn(&str) -> bool + Send>;

/// What is kept from one entry to the next for as long as the agent runs. Bounded: 4096 writers, 4096 names.
pub struct Intake {
    kept: Kept,
    origins: Origins,
    sieve: Sieve,
}

/// A record of `/dev/kmsg`.
#[derive(Debug, Clone, Copy)]
pub struct KernelRecord<'a> {
    /// Its number since boot.
    pub seq: u64,
    /// `CLOCK_MONOTONIC`, microseconds, as near as the kernel's log clock is to it.
    pub monotonic: u64,
    /// The same as wall time, by the clock at the time of reading.
    pub wall: Timestamp,
    /// The boot.
    pub boot: Option<[u8; 16]>,
    /// The kernel wrote it; otherwise a process wrote to `/dev/kmsg`, as systemd does before journald runs.
    pub by_kernel: bool,
    /// The text.
    pub text: &'a str,
}

impl Intake {
    /// Before anything has come.
    pub fn new(sieve: Sieve) -> Self {
        Self {
            kept: Kept::default(),
            origins: Origins::new(),
            sieve,
        }
    }

    /// Goes on where the reading of a record ended.
    pub fn resume(&mut self, read: Summary) {
        self.kept.timeline = read.timeline;
        self.kept.names.best = read.node;
        self.kept.go_on_after(read.observed);
    }

    /// The line of time.
    pub fn timeline(&mut self) -> &mut Timeline {
        &mut self.kept.timeline
    }

    /// The number of the next observation, for what the agent itself sees.
    pub fn number(&mut self) -> u64 {
        self.kept.number()
    }

    /// Whose log it is, as far as its lines say.
    pub fn node(&self) -> Option<&NodeName> {
        self.kept.names.best.as_ref()
    }

    /// Entries and lines taken so far.
    pub fn entries(&self) -> u64 {
        self.kept.entries
    }

    /// An entry of a journal.
    pub fn entry(&mut self, entry: &Entry<'_>, sink: &mut dyn FnMut(Input)) {
        let received = Received {
            realtime: entry.realtime.min(1 << 60) as i64,
            monotonic: Some(entry.monotonic),
            boot: Some(entry.boot_id),
        };
        let place = || Place::Cursor(entry.cursor().into());
        let options = Options::default();
        let (mut em, origins) = self.emitter(&options, sink);
        entry::observe(&mut em, origins, &Picked::pick(entry.fields()), received, &place);
    }

    /// A record of the kernel's log.
    pub fn kernel(&mut self, record: &KernelRecord<'_>, sink: &mut dyn FnMut(Input)) {
        let at = self.kept.timeline.now(record.boot, record.monotonic, record.wall);
        let (ident, text) = if record.by_kernel {
            (Some("kernel"), record.text)
        } else {
            identified(record.text)
        };
        let origin = if record.by_kernel {
            Origin::Kernel
        } else {
            origin::of_text(ident, text)
        };
        let place = || Place::Line("/dev/kmsg".into(), record.seq);
        let options = Options::default();
        let (em, _) = &mut self.emitter(&options, sink);
        em.emit(&Said {
            at,
            origin,
            pid: None,
            source: ident.unwrap_or("kmsg"),
            line: Line {
                text,
                ..Line::default()
            },
            walled: true,
            rest_of_another: false,
            place: &place,
        });
    }

    /// An emitter for what is taken next, and the writers known.
    pub(super) fn emitter<'s>(
        &'s mut self,
        options: &'s Options,
        sink: &'s mut dyn FnMut(Input),
    ) -> (Emitter<'s>, &'s mut Origins) {
        let em = Emitter::new(options, &mut self.kept, &*self.sieve, sink);
        (em, &mut self.origins)
    }
}

/// `systemd[1]: text` as a process writes it to `/dev/kmsg`.
fn identified(text: &str) -> (Option<&str>, &str) {
    let Some((front, rest)) = text.split_once(": ") else {
        return (None, text);
    };
    let name = front.split_once('[').map_or(front, |(name, _)| name);
    if name.is_empty() || name.len() > 64 || name.contains(char::is_whitespace) {
        return (None, text);
    }
    (Some(name), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_kernel_is_the_kernel() {
        let mut intake = Intake::new(Box::new(|_| false));
        let mut seen = Vec::new();
        let text = "Out of memory: Killed process 77 (kubelet) total-vm:1kB, anon-rss:1kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:1kB oom_score_adj:-999";
        for (by_kernel, text) in [(true, text), (false, "systemd[1]: Started kubelet.service.")] {
            let record = KernelRecord {
                seq: 5,
                monotonic: 9,
                wall: Timestamp(7_000_000),
                boot: Some([1; 16]),
                by_kernel,
                text,
            };
            intake.kernel(&record, &mut |input| seen.push(input));
        }
        let origins: Vec<_> = seen
            .iter()
            .filter_map(|input| match input {
                Input::Observed(o) => Some((o.origin, o.facts.is_empty())),
                _ => None,
            })
            .collect();
        assert_eq!(origins, [(Origin::Kernel, false), (Origin::Systemd, false)], "{seen:?}");
        assert_eq!(identified("a b: c"), (None, "a b: c"));
    }
}
