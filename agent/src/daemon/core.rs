//! The agent's heart: inputs of the reader and of the sources into the engine, and what its answer leads to.
//!
//! Nothing in here waits: it is called by the loop with what has come, and once a second.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::watch;

use super::bundles::Shelf;
use super::figures::Figures;
use super::hearing::Hearing;
use super::kept::Kept;
use super::ledger::Ledger;
use super::lines::Lines;
use super::logs::Batch;
use super::pace::{Pace, Suspicion};
use super::starved::Starved;
use crate::bundle::Foot;
use crate::catalog::load::Catalog;
use crate::clock::{Clock, Now};
use crate::diagnosis::engine::Options;
use crate::export::kubernetes::condition::Standing;
use crate::input::Timeline;
use crate::model::diagnosis::Diagnosis;
use crate::model::input::{Gap, Input};
use crate::model::time::{Moment, Timestamp};
use crate::pipeline::Analyzer;
use crate::source::look::Done;
use crate::source::pass::{self, Stand};

/// The answer is made again after so many seconds, where nothing has come.
const QUIET: u64 = 5;
/// Nothing is told before every source has looked once, but for sources that take longer than this, microseconds.
const FIRST_PASS: u64 = 15_000_000;

/// What is said of a reader that gives no sign.
const SILENT: &str = "the logs cannot be read: their disk does not answer";

/// What a life of the agent begins with.
pub struct Setup {
    /// The catalog.
    pub catalog: Arc<Catalog>,
    /// The time.
    pub clock: Clock,
    /// This boot.
    pub boot: Option<[u8; 16]>,
    /// The node's name as configured.
    pub node: Option<String>,
    /// Names of the sources.
    pub sources: Vec<&'static str>,
    /// What is told and kept; `None` while another agent does.
    pub ledger: Option<Ledger>,
    /// Where bundles go; `None` where none are written.
    pub shelf: Option<Shelf>,
    /// The way to stdout.
    pub lines: Lines,
}

/// The heart.
pub struct Core {
    analyzer: Analyzer,
    setup: Setup,
    started: Now,
    kept: Kept,
    figures: Figures,
    suspicion: Suspicion,
    diagnosis: Rc<Diagnosis>,
    /// The node's name by the kubelet's world and, failing that, by the log.
    named: (Option<String>, Option<String>),
    line: Timeline,
    last: Option<Moment>,
    seq: u64,
    caught_up: bool,
    /// Looks that wait for the reader to catch up, the newest of each source.
    early: BTreeMap<&'static str, Done>,
    looked: Vec<&'static str>,
    hearing: Hearing,
    fresh: bool,
    quiet: u64,
    starved: Starved,
    pace: watch::Sender<Pace>,
    standing: watch::Sender<Option<Standing>>,
}

impl Core {
    /// Before anything has come.
    pub fn new(setup: Setup) -> Self {
        let started = setup.clock.now();
        let analyzer = Analyzer::new(Arc::clone(&setup.catalog), Options::default());
        let diagnosis = Rc::new(analyzer.diagnosis());
        Self {
            figures: Figures::of(&setup.sources),
            analyzer,
            started,
            kept: Kept::default(),
            suspicion: Suspicion::default(),
            diagnosis,
            named: (None, None),
            line: Timeline::default(),
            last: None,
            seq: 0,
            caught_up: false,
            early: BTreeMap::new(),
            looked: Vec::new(),
            hearing: Hearing::from(started.monotonic),
            fresh: false,
            quiet: 0,
            starved: Starved::default(),
            pace: watch::Sender::new(Pace::Calm),
            standing: watch::Sender::new(None),
            setup,
        }
    }

    /// The pace at which the sources are to look.
    pub fn pace(&self) -> watch::Receiver<Pace> {
        self.pace.subscribe()
    }

    /// What the node's condition is to say.
    pub fn standing(&self) -> watch::Receiver<Option<Standing>> {
        self.standing.subscribe()
    }

    /// The newest answer.
    pub fn diagnosis(&self) -> &Rc<Diagnosis> {
        &self.diagnosis
    }

    /// The catalog.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.setup.catalog
    }

    /// The figures.
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    /// What is kept of the inputs.
    pub fn kept(&self) -> &Kept {
        &self.kept
    }

    /// What is told and kept.
    pub fn ledger(&self) -> Option<&Ledger> {
        self.setup.ledger.as_ref()
    }

    /// The same, to be changed.
    pub fn ledger_mut(&mut self) -> Option<&mut Ledger> {
        self.setup.ledger.as_mut()
    }

    /// The way to stdout.
    pub fn lines(&self) -> &Lines {
        &self.setup.lines
    }

    /// When this life began.
    pub fn started(&self) -> Now {
        self.started
    }

    /// How late the loop was at worst in the last two minutes, seconds.
    pub fn late(&self) -> f64 {
        self.starved.worst()
    }

    /// The node's name, as far as it is known.
    pub fn node(&self) -> Option<&str> {
        let (world, log) = &self.named;
        self.setup.node.as_deref().or(world.as_deref()).or(log.as_deref())
    }

    /// The kubelet's world says how the node is called.
    pub fn name(&mut self, node: Option<String>) {
        self.named.0 = node.or(self.named.0.take());
    }

    /// Whether the history is read and every source has looked.
    pub fn is_settled(&self) -> bool {
        let all = self.setup.sources.iter().all(|s| self.looked.contains(s));
        let awaited = self.setup.clock.since(self.started) >= FIRST_PASS;
        self.caught_up && self.early.is_empty() && (all || awaited)
    }

    /// What a bundle made now would be called by.
    pub fn foot(&self) -> Foot {
        Foot {
            node: self.node().map(str::to_owned),
            boot_id: self.boot_id(),
            ..Foot::default()
        }
    }

    /// Takes what the reader has read.
    pub fn batch(&mut self, batch: Batch) {
        let now = self.setup.clock.now();
        if self.hearing.is_silent() {
            // The gap that was told is over.
            self.take(&Input::Gap(silence(None, Some(now.wall))));
        }
        let present = self.hearing.heard(now.monotonic, batch.present);
        for input in batch.inputs {
            self.take(&input);
        }
        if batch.line != Timeline::default() {
            self.line = batch.line;
        }
        self.named.1 = batch.node.or(self.named.1.take());
        self.figures.journal(present, batch.entries, batch.lost, now.wall);
        if let (Some(ledger), Some(position)) = (&mut self.setup.ledger, batch.position) {
            ledger.read(position);
        }
        if batch.caught_up {
            self.catch_up();
        }
    }

    /// Takes what a source has seen.
    pub fn done(&mut self, mut done: Done) {
        let now = self.setup.clock.now();
        self.starved.discount(&mut done, now.monotonic, self.held());
        self.figures.look(&done, now.wall);
        if !self.looked.contains(&done.source) {
            self.looked.push(done.source);
        }
        if self.caught_up {
            self.look(&done);
        } else {
            self.early.insert(done.source, done);
        }
    }

    /// Once a second: time passes for the engine, and what is new is told.
    pub fn second(&mut self) {
        let now = self.setup.clock.now();
        self.starved.woken(now.monotonic, self.held());
        if self.hearing.falls_silent(now.monotonic) {
            self.unheard(SILENT, now.wall);
        }
        self.quiet += 1;
        if !self.caught_up || !(self.fresh || self.quiet >= QUIET) {
            return;
        }
        let at = self.moment(now);
        self.take(&Input::Tick(at));
        self.fresh = false;
        self.quiet = 0;
        self.conclude(now.wall);
    }

    /// The reader of logs has ended.
    pub fn deafened(&mut self, why: &str) {
        self.hearing.ended();
        let now = self.setup.clock.now();
        self.unheard(why, now.wall);
    }

    /// Whether the reader of logs has ended.
    pub fn is_deaf(&self) -> bool {
        self.hearing.is_deaf()
    }

    fn unheard(&mut self, why: &str, now: Timestamp) {
        self.figures.journal(false, 0, self.figures.dropped(), now);
        let gap = Gap {
            source: "journal".to_owned(),
            from: Some(now),
            to: None,
            reason: why.to_owned(),
            grant: None,
        };
        self.take(&Input::Gap(gap));
        self.catch_up();
    }

    /// How long this thread has waited for the outbox's own files, microseconds.
    fn held(&self) -> u64 {
        self.setup.ledger.as_ref().map_or(0, |l| l.outbox().held())
    }

    /// The last word of this life: what is told and kept is written by the caller.
    pub fn leave(&mut self) -> Option<Ledger> {
        if self.is_settled() {
            let now = self.setup.clock.now();
            self.conclude(now.wall);
        }
        self.setup.ledger.take()
    }

    /// The reader is where the present is, or never will be: what was looked at meanwhile is of now.
    fn catch_up(&mut self) {
        if !self.caught_up {
            self.caught_up = true;
            for (_, done) in std::mem::take(&mut self.early) {
                self.look(&done);
            }
        }
    }

    fn look(&mut self, done: &Done) {
        let now = self.setup.clock.now();
        let stand = Stand {
            at: self.moment(now),
            boot: self.line.boot(),
            seq: self.seq + 1,
        };
        for input in pass::inputs(std::slice::from_ref(done), stand) {
            self.take(&input);
        }
    }

    fn moment(&mut self, now: Now) -> Moment {
        let at = self.line.now(self.setup.boot, now.monotonic, now.wall);
        self.last.map_or(at, |last| if last.t > at.t { last } else { at })
    }

    fn take(&mut self, input: &Input) {
        match input {
            Input::Observed(observation) => {
                self.seq = self.seq.max(observation.seq);
                self.last = Some(observation.at);
            }
            Input::Beat(beat) => self.last = Some(beat.at),
            Input::Tick(at) | Input::End(at) => self.last = Some(*at),
            Input::Gap(_) => {}
        }
        self.fresh |= !matches!(input, Input::Tick(_));
        self.kept.add(input);
        self.analyzer.input(input, &mut |_| {});
    }

    fn conclude(&mut self, now: Timestamp) {
        let mut diagnosis = self.analyzer.diagnosis();
        diagnosis.node = self.node().map(str::to_owned);
        diagnosis.boot_id = self.boot_id();
        if let Some(ledger) = &mut self.setup.ledger {
            ledger.rename(&mut diagnosis);
        }
        let pace = self.suspicion.pace(&diagnosis, now);
        self.pace
            .send_if_modified(|known| std::mem::replace(known, pace) != pace);
        if self.is_settled() {
            self.tell(&diagnosis, now);
        }
        self.diagnosis = Rc::new(diagnosis);
    }

    fn tell(&mut self, diagnosis: &Diagnosis, now: Timestamp) {
        let standing = Standing::of(diagnosis);
        self.standing.send_if_modified(|known| {
            let same = known.as_ref().is_some_and(|k| {
                (k.status, &k.reason, &k.message) == (standing.status, &standing.reason, &standing.message)
            });
            *known = Some(standing);
            !same
        });
        let Some(ledger) = &mut self.setup.ledger else { return };
        let due = ledger.tell(diagnosis, now, &self.setup.lines);
        if let (Some(episode), Some(shelf)) = (due, self.setup.shelf.clone()) {
            let (inputs, foot) = (self.kept.copy(), self.foot());
            // A disk that hangs or is full costs the bundle, and no more than that.
            tokio::task::spawn_blocking(move || shelf.put(&episode, &inputs, &foot));
        }
    }

    fn boot_id(&self) -> Option<String> {
        let own = self.setup.boot.map(|id| format!("{:032x}", u128::from_be_bytes(id)));
        own.or_else(|| self.line.boot_id())
    }
}

/// The gap of a reader that gives, or gave, no sign.
fn silence(from: Option<Timestamp>, to: Option<Timestamp>) -> Gap {
    Gap {
        source: "journal".to_owned(),
        from,
        to,
        reason: SILENT.to_owned(),
        grant: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn core() -> Core {
        Core::new(Setup {
            catalog: Arc::new(Catalog::embedded().unwrap()),
            clock: Clock::fixed(Now::default()),
            boot: None,
            node: None,
            sources: Vec::new(),
            ledger: None,
            shelf: None,
            lines: Lines::new(Box::new(std::io::sink())).unwrap(),
        })
    }

    fn hears(core: &Core) -> bool {
        core.figures().numbers().sources["journal"].success
    }

    #[test]
    fn a_journal_that_is_not_there_is_no_success() {
        let mut core = core();
        for (present, hears_it) in [(Some(true), true), (None, true), (Some(false), false), (None, false)] {
            core.batch(Batch {
                present,
                ..Batch::default()
            });
            assert_eq!(hears(&core), hears_it, "{present:?}");
        }
    }

    #[test]
    fn a_reader_that_ended_is_a_gap_and_holds_nothing_up() {
        let mut core = core();
        core.batch(Batch {
            present: Some(true),
            lost: 3,
            ..Batch::default()
        });
        assert!(!core.is_settled(), "the history is being read");
        core.deafened("it has ended");
        assert!(core.is_deaf() && core.is_settled() && !hears(&core));
        assert_eq!(core.figures().dropped(), 3);
        core.second();
        let gaps = &core.diagnosis().gaps;
        assert!(gaps.iter().any(|g| g.reason == "it has ended"), "{gaps:?}");
    }

    #[test]
    fn a_reader_that_is_heard_again_ends_its_gap() {
        let time = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let clock = {
            let time = Arc::clone(&time);
            Clock::from_fn(move || {
                let micros = time.load(std::sync::atomic::Ordering::Relaxed);
                Now {
                    wall: Timestamp(micros as i64),
                    monotonic: micros,
                    boottime: micros,
                }
            })
        };
        let mut core = core();
        core.setup.clock = clock;
        let told = |core: &Core| core.diagnosis().gaps.iter().find(|g| g.reason == SILENT).map(|g| g.to);
        time.store(30_000_000, std::sync::atomic::Ordering::Relaxed);
        core.second();
        assert_eq!(told(&core), Some(None), "it gives no sign");
        core.batch(Batch::default());
        core.second();
        assert_eq!(told(&core), Some(Some(Timestamp(30_000_000))));
    }
}
