//! The reader of logs: a thread of its own, because a disk that hangs must hold neither the sources nor delivery.
//!
//! First the history in one go, merged by time, far enough back for the engine to know what it knew before a restart;
//! then what is written from there on. What was announced is kept elsewhere, so reading the same again tells nothing
//! twice. Drops nothing: where the engine does not keep up, the channel is full and the reader waits; the journal keeps.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc::Sender;

use crate::catalog::load::Catalog;
use crate::clock::Clock;
use crate::host::Host;
use crate::input::{self, Intake, Sieve, Timeline};
use crate::model::input::{Gap, Input};
use crate::model::time::Timestamp;
use crate::source::journal::{Follower, Options, Position};
use crate::source::kmsg::KernelLog;
use crate::source::logfile::{LOGS, LogFile, SYSLOGS};
use crate::source::places::places;

/// Batches that wait for the engine.
pub const WAITING: usize = 4;
/// Inputs of one batch, at most.
const BATCH: usize = 1024;
/// Entries of one look at the journal.
const ENTRIES: usize = 1024;
/// Bytes of one look at a log file.
const BYTES: usize = 1 << 20;
/// What is written is on the disk, and in its order, after this; what is newer is left to the follower.
const SETTLED: Duration = Duration::from_secs(2);
/// The engine hears at least this often that the reader lives.
const SIGN: Duration = Duration::from_secs(1);

/// What to read.
#[derive(Clone)]
pub struct Plan {
    /// The node.
    pub host: Host,
    /// The time.
    pub clock: Clock,
    /// Whose patterns decide what is kept.
    pub catalog: Arc<Catalog>,
    /// How far back the history goes.
    pub history: Duration,
    /// Where the position is saved; `None` where this agent keeps no state.
    pub position: Option<PathBuf>,
    /// Set when it is to end.
    pub stop: Arc<AtomicBool>,
}

/// What was read since the batch before.
#[derive(Debug, Default)]
pub struct Batch {
    /// For the engine, in order.
    pub inputs: Vec<Input>,
    /// The line of time behind them.
    pub line: Timeline,
    /// Whose log it is, as far as it says.
    pub node: Option<String>,
    /// Entries and lines read, those that led to nothing too.
    pub entries: u64,
    /// Entries known to be lost, since the first start.
    pub lost: u64,
    /// How far that is, to be saved once what it led to is stored.
    pub position: Option<Position>,
    /// Whether there is anything to read; nothing where the batch does not say.
    pub present: Option<bool>,
    /// All that was written before the start has been read.
    pub caught_up: bool,
}

/// Starts the reader.
pub fn spawn(plan: Plan, sender: Sender<Batch>) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name("logs".to_owned())
        .spawn(move || Reader::new(plan, sender).run())
}

struct Reader {
    plan: Plan,
    sender: Sender<Batch>,
    intake: Intake,
    inputs: Vec<Input>,
    counted: u64,
    history: u64,
    /// The engine is gone.
    over: bool,
}

impl Reader {
    fn new(plan: Plan, sender: Sender<Batch>) -> Self {
        let catalog = Arc::clone(&plan.catalog);
        let sieve: Sieve = Box::new(move |text| catalog.matcher.may_fit(text));
        Self {
            plan,
            sender,
            intake: Intake::new(sieve),
            inputs: Vec::new(),
            counted: 0,
            history: 0,
            over: false,
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a thread of its own, which holds nobody")]
    fn run(mut self) {
        let missed = self.account();
        let settled = Timestamp(self.plan.clock.now().wall.0 - SETTLED.as_micros() as i64);
        let mut follower = self.follower(SETTLED, None);
        let mut others = Others::of(&self.plan);
        self.history(settled);
        if let Some((account, gaps)) = missed {
            follower.inherit(account);
            self.inputs.extend(gaps.into_iter().map(Input::Gap));
        }
        let mut caught_up = false;
        while !self.over && !self.plan.stop.load(Ordering::Relaxed) {
            let mut inputs = std::mem::take(&mut self.inputs);
            let mut sink = |input| inputs.push(input);
            let polled = follower.poll(ENTRIES, &mut self.intake, &mut sink);
            let more = others.poll(follower.is_present(), &mut self.intake, &mut sink);
            self.inputs = inputs;
            caught_up |= !polled.more && !more;
            let lost = follower.account().lost();
            let present = follower.is_present() || others.is_present();
            let batch = Batch {
                position: Some(follower.position()),
                caught_up,
                lost,
                present: Some(present),
                ..Batch::default()
            };
            self.send(batch);
            let wait = if more { Duration::ZERO } else { polled.wait };
            std::thread::sleep(wait.min(SIGN));
        }
    }

    fn follower(&self, since: Duration, position: Option<PathBuf>) -> Follower {
        let options = Options {
            since,
            position,
            ..Options::default()
        };
        Follower::open(self.plan.host.clone(), self.plan.clock.clone(), options)
    }

    /// What was removed before an earlier run had read it, and the account that is carried on.
    fn account(&mut self) -> Option<(crate::source::journal::Account, Vec<Gap>)> {
        let path = self.plan.position.clone()?;
        let mut earlier = self.follower(SETTLED, Some(path));
        let mut gaps = Vec::new();
        // A look at no entry only tells what is missing.
        earlier.poll(0, &mut self.intake, &mut |input| {
            if let Input::Gap(gap) = input {
                gaps.push(gap);
            }
        });
        Some((earlier.account().clone(), gaps))
    }

    /// Everything from the start of the history to `until`, by time.
    fn history(&mut self, until: Timestamp) {
        let paths = places(&self.plan.host);
        if paths.is_empty() {
            return;
        }
        let since = Timestamp(until.0 - self.plan.history.as_micros() as i64);
        let options = input::Options {
            since: Some(since),
            until: Some(until),
            ..input::Options::default()
        };
        let catalog = Arc::clone(&self.plan.catalog);
        let sieve = |text: &str| catalog.matcher.may_fit(text);
        let (sender, stop) = (self.sender.clone(), Arc::clone(&self.plan.stop));
        let mut inputs = Vec::new();
        let mut sink = |input: Input| {
            // The record goes on.
            if !matches!(input, Input::End(_)) && !stop.load(Ordering::Relaxed) {
                inputs.push(input);
            }
            if inputs.len() >= BATCH {
                let batch = Batch {
                    inputs: std::mem::take(&mut inputs),
                    ..Batch::default()
                };
                let _ = sender.blocking_send(batch);
            }
        };
        let read = input::read(&paths, None, &options, &sieve, &mut sink, &mut |_| {});
        self.inputs.append(&mut inputs);
        match read {
            Ok(summary) => {
                self.history = summary.entries;
                self.intake.resume(summary);
            }
            Err(error) => self.inputs.push(Input::Gap(Gap {
                source: "journal".to_owned(),
                from: Some(since),
                to: Some(until),
                reason: error.to_string(),
                grant: None,
            })),
        }
    }

    fn send(&mut self, mut batch: Batch) {
        let read = self.history + self.intake.entries();
        batch.inputs = std::mem::take(&mut self.inputs);
        batch.line = self.intake.timeline().clone();
        batch.node = self.intake.node().map(|n| n.name.clone());
        batch.entries = read - self.counted;
        self.counted = read;
        self.over = self.sender.blocking_send(batch).is_err();
    }
}

/// What there is beside the journal, or instead of it.
struct Others {
    host: Host,
    clock: Clock,
    logs: Vec<LogFile>,
    /// Read only where there is no journal.
    syslogs: Vec<LogFile>,
    kernel: Option<KernelLog>,
    asked: bool,
}

impl Others {
    fn of(plan: &Plan) -> Self {
        let follow = |log| LogFile::new(plan.host.clone(), plan.clock.clone(), log, SETTLED, None);
        Self {
            host: plan.host.clone(),
            clock: plan.clock.clone(),
            logs: LOGS.into_iter().map(follow).collect(),
            syslogs: SYSLOGS.into_iter().map(follow).collect(),
            kernel: None,
            asked: false,
        }
    }

    /// Whether there is any of it.
    fn is_present(&self) -> bool {
        self.kernel.is_some() || self.logs.iter().chain(&self.syslogs).any(LogFile::is_present)
    }

    /// Whether there is more to be had at once.
    fn poll(&mut self, journal: bool, intake: &mut Intake, sink: &mut dyn FnMut(Input)) -> bool {
        let mut more = false;
        for log in &mut self.logs {
            more |= log.poll(BYTES, intake, sink).more;
        }
        if journal {
            return more;
        }
        if !self.asked {
            self.asked = true;
            match KernelLog::open(&self.host, self.clock.clone(), SETTLED, None) {
                Ok(kernel) => self.kernel = Some(kernel),
                Err(gap) => sink(Input::Gap(gap)),
            }
            let why = "there is no journal, or this process may not read it";
            let grant = "run as root or in the group systemd-journal, and mount /var/log/journal and /run/log/journal";
            sink(Input::Gap(Gap {
                source: "journal".to_owned(),
                from: Some(self.clock.now().wall),
                to: None,
                reason: why.to_owned(),
                grant: Some(grant.to_owned()),
            }));
        }
        for log in &mut self.syslogs {
            more |= log.poll(BYTES, intake, sink).more;
        }
        if let Some(kernel) = &mut self.kernel {
            more |= kernel.poll(ENTRIES, intake, sink).more;
        }
        more
    }
}
