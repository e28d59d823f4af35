//! The agent from its start to its end: signals, the configuration's changes, and one life after the other.

use std::cell::RefCell;
use std::io::{self, Write};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::{LocalSet, spawn_local};

use super::delivery::Plan;
use super::life::{End, Outside, live};
use super::lines::Lines;
use super::notify::Notify;
use crate::catalog::load::Catalog;
use crate::clock::Clock;
use crate::config::resolve::{Faults, Resolved};
use crate::source::look::blocking;

/// The configuration file is looked at this often. A `ConfigMap` is changed under a running pod within a minute.
const LOOK: Duration = Duration::from_secs(5);

/// How the agent is started.
pub struct Start<'a> {
    /// The configuration to begin with.
    pub resolved: Resolved,
    /// Makes the configuration again, of the file as it is then.
    pub load: Rc<dyn Fn() -> Result<Resolved, Faults>>,
    /// The configuration file; there need be none.
    pub file: PathBuf,
    /// The environment.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// stdout.
    pub out: Box<dyn Write + Send>,
}

/// Everything that is wrong with a configuration beyond its values: what it names must be there and go together.
pub fn check(resolved: &Resolved, env: &dyn Fn(&str) -> Option<String>) -> Result<(), Faults> {
    let mut faults = Vec::new();
    if let Err(why) = Catalog::load(resolved.config.catalog_dir.as_deref()) {
        faults.push(why.to_string());
    }
    if let Err(more) = Plan::of(&resolved.config, env) {
        faults.extend(more);
    }
    if faults.is_empty() { Ok(()) } else { Err(Faults(faults)) }
}

/// Runs until a signal ends it.
pub fn run(start: Start<'_>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // Looks that hang in a system call hold one thread each.
        .max_blocking_threads(24)
        .thread_keep_alive(Duration::from_secs(5))
        .build()?;
    let local = LocalSet::new();
    let result = runtime.block_on(local.run_until(lives(start)));
    drop(local);
    // What hangs in a system call is left behind.
    runtime.shutdown_background();
    result
}

async fn lives(start: Start<'_>) -> io::Result<()> {
    let clock = Clock::system();
    let notify = Notify::from_env(start.env).unwrap_or_default();
    let lines = Lines::new(start.out)?;
    let (sender, end) = watch::channel(None);
    let resolved = Rc::new(RefCell::new(Rc::new(start.resolved)));
    let change = Change {
        load: start.load,
        file: start.file,
        resolved: Rc::clone(&resolved),
        clock: clock.clone(),
        lines: lines.clone(),
        end: sender.clone(),
    };
    spawn_local(stop_on_signal(sender.clone())?);
    spawn_local(change.watch()?);
    let outside = Outside {
        env: start.env,
        clock: clock.clone(),
        notify: &notify,
        end,
    };
    let version = env!("CARGO_PKG_VERSION");
    lines.say(
        clock.now().wall,
        "info",
        &format!("whynotready {version} watches this node"),
    );
    loop {
        let configuration = Rc::clone(&resolved.borrow());
        match live(&outside, &configuration, &lines).await {
            End::Again => {
                sender.send_if_modified(|end| {
                    let again = *end == Some(End::Again);
                    if again {
                        *end = None;
                    }
                    again
                });
            }
            End::Stop => {
                notify.stopping();
                lines.say(clock.now().wall, "info", "stopped in order");
                lines.finish();
                return Ok(());
            }
        }
    }
}

fn stop_on_signal(end: watch::Sender<Option<End>>) -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        end.send_replace(Some(End::Stop));
    })
}

/// A change of the configuration: applied as a whole, or refused as a whole.
struct Change {
    load: Rc<dyn Fn() -> Result<Resolved, Faults>>,
    file: PathBuf,
    resolved: Rc<RefCell<Rc<Resolved>>>,
    clock: Clock,
    lines: Lines,
    end: watch::Sender<Option<End>>,
}

impl Change {
    fn watch(self) -> io::Result<impl Future<Output = ()>> {
        let mut hangup = signal(SignalKind::hangup())?;
        Ok(async move {
            let mut known = self.text().await;
            loop {
                let asked = tokio::select! {
                    _ = hangup.recv() => true,
                    () = tokio::time::sleep(LOOK) => false,
                };
                let text = self.text().await;
                if asked || text != known {
                    known = text;
                    self.apply();
                }
            }
        })
    }

    /// The file's content; `None` where there is none, or its disk does not answer.
    async fn text(&self) -> Option<Vec<u8>> {
        let path = self.file.clone();
        let read = blocking(move || read(&path));
        tokio::time::timeout(LOOK, read).await.ok()??
    }

    fn apply(&self) {
        let now = self.clock.now().wall;
        let say = |level, message: &str| self.lines.say(now, level, message);
        match (self.load)() {
            Ok(new) if new == **self.resolved.borrow() => {
                say("info", "the configuration was read again: it is the same");
            }
            Ok(new) => {
                say("info", "the configuration has changed and is applied");
                *self.resolved.borrow_mut() = Rc::new(new);
                self.end.send_if_modified(|end| {
                    let free = end.is_none();
                    if free {
                        *end = Some(End::Again);
                    }
                    free
                });
            }
            Err(faults) => {
                say(
                    "error",
                    "the configuration has changed and is refused; the one before stays in force",
                );
                for fault in &faults.0 {
                    say("error", fault);
                }
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the agent's own configuration, which is no file of the node's"
)]
fn read(path: &std::path::Path) -> Option<Vec<u8>> {
    std::fs::read(path).ok()
}
