//! What a life begins with: the lock on the state directory, what an earlier life left in it, and what is read of the
//! node once. Each on a thread of its own and within a time: a disk that hangs is no reason not to begin.

use std::cell::RefCell;
use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;

use super::delivery::Plan;
use super::ledger::Ledger;
use super::lines::Lines;
use super::state::{Lock, State};
use crate::clock::Clock;
use crate::config::Config;
use crate::host::Host;
use crate::model::time::{SECOND, Timestamp};
use crate::outbox::durable::{Options, Outbox, PATIENCE};
use crate::outbox::handle::Handle;
use crate::source::look::blocking;

/// A disk has so long to answer.
pub(super) const ANSWERS: Duration = Duration::from_secs(5);
/// Where the state goes that the state directory cannot take.
const RUN: &str = "/run/whynotready";
/// Before an onset the engine looks back so far (`diagnosis::verdict`).
const CONTEXT: i64 = 1800 * SECOND;
/// No history is longer: a day.
const LONGEST: i64 = 86_400 * SECOND;
/// A lock that is not to be had is tried again so often.
const LOCKED: Duration = Duration::from_secs(15);

/// What is kept from life to life, as far as this agent is the one that keeps it.
pub(super) struct Keeping {
    pub(super) lock: Lock,
    pub(super) standing_by: Option<String>,
    pub(super) outbox: Option<Handle>,
    pub(super) ledger: Option<Ledger>,
    pub(super) history: Duration,
    /// What there is to be said of that.
    pub(super) told: Vec<String>,
}

impl Keeping {
    /// Takes the lock and what lies behind it. `carried` is what the life before could not leave on the disk.
    pub(super) async fn take(config: &Config, plan: &Plan, clock: &Clock, carried: &RefCell<Option<State>>) -> Self {
        let now = clock.now().wall;
        let mut keeping = Self {
            lock: locked(&config.state_dir).await,
            standing_by: None,
            outbox: None,
            ledger: None,
            history: config.look_back,
            told: Vec::new(),
        };
        if let Lock::Theirs { pid } = &keeping.lock {
            let why =
                format!("another agent on this host (pid {pid}) has the state directory; this one exports nothing");
            keeping.told.push(why.clone());
            keeping.standing_by = Some(why);
            return keeping;
        }
        let state = keeping.state(config, carried.take()).await;
        if let Lock::None(error) = &keeping.lock {
            let why = format!("the state directory cannot be written: {error}");
            keeping.told.push(why);
        }
        keeping.history = history(&state, config, now);
        let outbox = Handle::new(Outbox::open(Options {
            dir: config.state_dir.clone(),
            run_dir: RUN.into(),
            max_bytes: config.outbox_bytes,
            sinks: plan.sinks(),
            patience: PATIENCE,
            clock: clock.clone(),
        }));
        let dir = matches!(keeping.lock, Lock::Ours(_)).then_some(config.state_dir.as_path());
        match Ledger::open(state, outbox.clone(), dir, now) {
            Ok(ledger) => keeping.ledger = Some(ledger),
            Err(error) => keeping.told.push(format!("nothing can be told: {error}")),
        }
        keeping.outbox = Some(outbox);
        keeping
    }

    /// Says what there is to be said.
    pub(super) fn say(&self, lines: &Lines, now: Timestamp) {
        for trouble in &self.told {
            lines.say(now, "warning", trouble);
        }
    }

    /// The state to go on with. Where the disk does not say, the lock is given back: what is not known must not be
    /// written over.
    async fn state(&mut self, config: &Config, carried: Option<State>) -> State {
        let dir = config.state_dir.clone();
        let Ok(Some((state, damage))) = timeout(ANSWERS, blocking(move || State::load(&dir))).await else {
            self.lock = Lock::None(silent());
            return carried.unwrap_or_default();
        };
        self.told.extend(damage);
        carried.filter(|c| c.read_until > state.read_until).unwrap_or(state)
    }
}

/// Tries for the lock.
async fn locked(dir: &Path) -> Lock {
    let dir = dir.to_owned();
    match timeout(ANSWERS, blocking(move || Lock::take(&dir))).await {
        Ok(Some(lock)) => lock,
        _ => Lock::None(silent()),
    }
}

/// Tries for the lock again and again until it is ours.
pub(super) async fn obtained(dir: &Path) -> Lock {
    loop {
        tokio::time::sleep(LOCKED).await;
        let lock = locked(dir).await;
        if let Lock::Ours(_) = lock {
            return lock;
        }
    }
}

fn silent() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "it does not answer")
}

/// How far back the history has to go for the engine to know what it knew.
fn history(state: &State, config: &Config, now: Timestamp) -> Duration {
    let opened = state.announced.open.as_ref().map(|o| o.opened_at);
    let known = [state.read_until, opened].into_iter().flatten().min();
    let back = known.map_or(0, |t| now.0 - t.0 + CONTEXT).clamp(0, LONGEST);
    Duration::from_micros(back as u64).max(config.look_back)
}

/// What of the node does not change as long as it runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) boot: Option<[u8; 16]>,
    pub(super) machine: Option<String>,
    pub(super) host: Option<String>,
}

impl Identity {
    /// What its files say; nothing where they do not answer.
    pub(super) async fn of(host: &Host) -> Self {
        let host = host.clone();
        let read = blocking(move || Self::read(&host));
        timeout(ANSWERS, read).await.ok().flatten().unwrap_or_default()
    }

    fn read(host: &Host) -> Self {
        let text = |path| host.text(path).ok().map(|t: String| t.trim().to_owned());
        let boot = text("/proc/sys/kernel/random/boot_id");
        let number = boot.and_then(|b| u128::from_str_radix(&b.replace('-', ""), 16).ok());
        Self {
            boot: number.map(u128::to_be_bytes),
            machine: text("/etc/machine-id"),
            host: text("/etc/hostname"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Now;
    use crate::config::resolve::{Sources, resolve};

    fn config(dir: &Path) -> Config {
        let flags = [("state_dir".to_owned(), dir.display().to_string())];
        let sources = Sources {
            file: None,
            env: &|_| None,
            flags: &flags,
        };
        resolve(&sources).unwrap().config
    }

    fn read_until(seconds: i64) -> State {
        State {
            read_until: Some(Timestamp(seconds * SECOND)),
            ..State::default()
        }
    }

    #[tokio::test]
    async fn what_could_not_be_kept_is_carried_on_where_it_is_newer() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = config(dir.path());
        config.look_back = Duration::ZERO;
        read_until(10_000).save(dir.path()).unwrap();
        let clock = Clock::fixed(Now {
            wall: Timestamp(20_000 * SECOND),
            ..Now::default()
        });
        for (carried, back) in [(None, 10_000), (Some(5_000), 10_000), (Some(15_000), 5_000)] {
            let carried = RefCell::new(carried.map(read_until));
            let keeping = Keeping::take(&config, &Plan::default(), &clock, &carried).await;
            assert_eq!(keeping.history, Duration::from_secs(back + 1800));
            assert!(
                keeping.ledger.is_some() && keeping.told.is_empty(),
                "{:?}",
                keeping.told
            );
        }
    }

    /// A pipe that nobody writes to hangs whoever opens it to read, as a disk may.
    #[tokio::test]
    async fn a_disk_that_hangs_holds_nobody_and_is_not_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("state.json");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        let config = config(dir.path());
        let clock = Clock::fixed(Now::default());
        let carried = RefCell::new(Some(read_until(7)));
        tokio::time::pause();
        let plan = Plan::default();
        let mut take = std::pin::pin!(Keeping::take(&config, &plan, &clock, &carried));
        // Time does not pass by itself while a thread is at work.
        let keeping = loop {
            tokio::select! {
                biased;
                keeping = &mut take => break keeping,
                () = tokio::time::advance(Duration::from_millis(1)) => {}
            }
        };
        assert!(matches!(keeping.lock, Lock::None(_)), "{:?}", keeping.lock);
        assert_eq!(
            keeping.told,
            ["the state directory cannot be written: it does not answer"]
        );
        let last = keeping.ledger.unwrap().close().write(ANSWERS).await;
        assert_eq!(last.unwrap().read_until, Some(Timestamp(7 * SECOND)));
        tokio::time::resume();
        // It goes on, so that the test does.
        rustix::fs::open(&pipe, rustix::fs::OFlags::WRONLY, rustix::fs::Mode::empty()).unwrap();
    }
}
