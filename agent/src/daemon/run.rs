//! The agent from its start to its end: signals, the configuration's changes, and one life after the other.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::{LocalSet, spawn_local};

use super::delivery::Plan;
use super::environment::Environment;
use super::life::{End, Outside, live};
use super::lines::Lines;
use super::notify::Notify;
use super::reload::{InForce, Origin, Reload, Text};
use super::watch::Again;
use crate::catalog::load::Catalog;
use crate::clock::Clock;
use crate::config::resolve::{Faults, Resolved};

/// A configuration that was in force and cannot be any more is tried again so often.
const REFUSED: Duration = Duration::from_secs(10);

/// How the agent is started.
pub struct Start {
    /// The configuration to begin with.
    pub resolved: Resolved,
    /// The text of the file that it was made of.
    pub text: Text,
    /// Makes it again.
    pub origin: Origin,
    /// The environment.
    pub env: Environment,
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
pub fn run(start: Start) -> io::Result<()> {
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

async fn lives(start: Start) -> io::Result<()> {
    let clock = Clock::system();
    let env = |name: &str| start.env.get(name);
    let notify = Notify::from_env(&env).unwrap_or_default();
    let lines = Lines::new(start.out)?;
    let (sender, end) = watch::channel(None);
    let in_force: InForce = Rc::new(RefCell::new(Rc::new(start.resolved)));
    let reload = Reload {
        origin: start.origin,
        in_force: Rc::clone(&in_force),
        clock: clock.clone(),
        lines: lines.clone(),
        end: sender.clone(),
    };
    spawn_local(stop_on_signal(sender.clone())?);
    spawn_local(reload.watch(start.text)?);
    let outside = Outside {
        env: start.env,
        clock: clock.clone(),
        notify,
        end,
        carried: RefCell::default(),
        deaf: RefCell::new(Again::default()),
    };
    let version = env!("CARGO_PKG_VERSION");
    lines.say(
        clock.now().wall,
        "info",
        &format!("whynotready {version} watches this node"),
    );
    let mut good: Option<Rc<Resolved>> = None;
    loop {
        let configuration = Rc::clone(&in_force.borrow());
        let end = match live(&outside, &configuration, &lines).await {
            Ok(end) => {
                good = Some(configuration);
                end
            }
            Err(faults) => {
                for fault in &faults.0 {
                    lines.say(clock.now().wall, "error", fault);
                }
                refused(&configuration, good.take(), &in_force, &outside).await
            }
        };
        if end == End::Stop {
            outside.notify.stopping();
            lines.say(clock.now().wall, "info", "stopped in order");
            lines.finish();
            return Ok(());
        }
        sender.send_if_modified(|end| {
            let again = *end == Some(End::Again);
            if again {
                *end = None;
            }
            again
        });
    }
}

/// No life could begin with a configuration that was checked: what it names has changed meanwhile. Back to the one before
/// it; where there is none, or that was it, it is tried again after a while.
async fn refused(
    configuration: &Rc<Resolved>,
    good: Option<Rc<Resolved>>,
    in_force: &InForce,
    outside: &Outside,
) -> End {
    if let Some(good) = good.filter(|good| !Rc::ptr_eq(good, configuration)) {
        *in_force.borrow_mut() = good;
        return End::Again;
    }
    let mut end = outside.end.clone();
    let ended = tokio::time::timeout(REFUSED, end.wait_for(Option::is_some)).await;
    ended.ok().and_then(Result::ok).and_then(|e| *e).unwrap_or(End::Again)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Now;
    use crate::config::resolve::{Sources, resolve};

    fn configuration() -> Rc<Resolved> {
        let sources = Sources {
            file: None,
            env: &|_| None,
            flags: &[],
        };
        Rc::new(resolve(&sources).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_configuration_that_cannot_be_lived_with_gives_way_to_the_one_before() {
        let (sender, end) = watch::channel(None);
        let outside = Outside {
            env: Environment::default(),
            clock: Clock::fixed(Now::default()),
            notify: Notify::default(),
            end,
            carried: RefCell::default(),
            deaf: RefCell::default(),
        };
        let (good, bad) = (configuration(), configuration());
        let in_force = Rc::new(RefCell::new(Rc::clone(&bad)));
        assert_eq!(
            refused(&bad, Some(Rc::clone(&good)), &in_force, &outside).await,
            End::Again
        );
        assert!(Rc::ptr_eq(&in_force.borrow(), &good));
        // Now that one cannot be lived with either: it is tried again, after a while, until the agent is to stop.
        let started = tokio::time::Instant::now();
        assert_eq!(refused(&good, None, &in_force, &outside).await, End::Again);
        assert_eq!(started.elapsed(), REFUSED);
        sender.send_replace(Some(End::Stop));
        assert_eq!(
            refused(&good, Some(Rc::clone(&good)), &in_force, &outside).await,
            End::Stop
        );
    }
}
