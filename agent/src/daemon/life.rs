//! The agent's lives: one with each configuration. A life that ends in order leaves everything on the disk for the next.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::bundles::Shelf;
use super::core::{Core, Setup};
use super::delivery::{Office, Plan, Tallies};
use super::ledger::{self, Ledger};
use super::lines::Lines;
use super::logs;
use super::notify::Notify;
use super::ports;
use super::state::{Lock, State};
use super::view::{Shared, points};
use super::watch::{self as sources, Setting};
use crate::catalog::load::Catalog;
use crate::clock::Clock;
use crate::config::Config;
use crate::config::resolve::Resolved;
use crate::host::Host;
use crate::http::view::View;
use crate::model::time::{SECOND, Timestamp};
use crate::outbox::durable::{Options, Outbox, PATIENCE};
use crate::outbox::handle::Handle;
use crate::source::probe::target::Service;
use crate::source::scene::Allowed;
use crate::world::Endpoint;

/// Where the state goes that the state directory cannot take.
const RUN: &str = "/run/whynotready";
/// Before an onset the engine looks back so far (`diagnosis::verdict`).
const CONTEXT: i64 = 1800 * SECOND;
/// No history is longer: a day.
const LONGEST: i64 = 86_400 * SECOND;
/// What is under way at the end has so long.
const DRAIN: Duration = Duration::from_secs(5);
/// Another agent's lock is tried again so often.
const LOCKED: Duration = Duration::from_secs(15);
/// The outbox is tended to so often.
const TEND: u32 = 60;
/// The node's name is waited for so long before the host's stands in: the kubelet's world is looked for first.
const NAMED: u32 = 20;

/// Why a life ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The agent is to stop.
    Stop,
    /// Another begins: with another configuration, or with the lock.
    Again,
}

/// What lives through all lives.
pub struct Outside<'a> {
    /// The environment.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// The time.
    pub clock: Clock,
    /// The service manager.
    pub notify: &'a Notify,
    /// Becomes [`End`] when this life is to end.
    pub end: watch::Receiver<Option<End>>,
}

/// One life.
pub async fn live(outside: &Outside<'_>, resolved: &Resolved, lines: &Lines) -> End {
    let catalog = match Catalog::load(resolved.config.catalog_dir.as_deref()) {
        Ok(catalog) => Arc::new(catalog),
        Err(faults) => return refused(outside, lines, &faults.to_string()),
    };
    let plan = match Plan::of(&resolved.config, outside.env) {
        Ok(plan) => plan,
        Err(faults) => return refused(outside, lines, &faults.join("\n")),
    };
    let mut life = Life::begin(outside, resolved, (catalog, plan), lines);
    let end = life.go_on(outside).await;
    life.drain().await;
    end
}

/// A configuration that is checked before a life begins with it; only what changes outside can still be wrong then.
fn refused(outside: &Outside<'_>, lines: &Lines, faults: &str) -> End {
    for fault in faults.lines() {
        lines.say(outside.clock.now().wall, "error", fault);
    }
    End::Stop
}

struct Life {
    config: Config,
    core: Rc<RefCell<Core>>,
    shared: Rc<Shared>,
    /// The lock on the state, or why there is none.
    lock: Lock,
    logs: mpsc::Receiver<logs::Batch>,
    looks: mpsc::Receiver<crate::source::look::Done>,
    scene: watch::Receiver<Option<Rc<crate::source::scene::Scene>>>,
    watch: Option<sources::Watch>,
    stop_logs: Arc<AtomicBool>,
    stop_workers: watch::Sender<bool>,
    office: Option<Office>,
    workers: Vec<JoinHandle<()>>,
    listeners: Vec<JoinHandle<()>>,
    seconds: u32,
}

impl Life {
    fn begin(outside: &Outside<'_>, resolved: &Resolved, (catalog, plan): (Arc<Catalog>, Plan), lines: &Lines) -> Self {
        let (config, clock) = (resolved.config.clone(), outside.clock.clone());
        let host = host(&config);
        let (told, keeping) = Keeping::take(&config, &plan, &clock);
        for trouble in &told {
            lines.say(clock.now().wall, "warning", trouble);
        }
        let Keeping {
            lock,
            standing_by,
            outbox,
            ledger,
            history,
        } = keeping;
        let setting = setting(&config, &host, &clock, outside.env);
        let keeps = ledger.is_some();
        let stop_logs = Arc::new(AtomicBool::new(false));
        let logs = read_logs(logs::Plan {
            host: host.clone(),
            clock: clock.clone(),
            catalog: Arc::clone(&catalog),
            history,
            position: keeps.then(|| config.state_dir.join(ledger::POSITION)),
            stop: Arc::clone(&stop_logs),
        });
        let named = || (outside.env)("NODE_NAME").filter(|n| !n.is_empty());
        let core = Rc::new(RefCell::new(Core::new(Setup {
            catalog,
            clock: clock.clone(),
            boot: boot(&host),
            node: config.node.clone().or_else(named),
            sources: sources::names(&setting),
            shelf: keeps.then(|| shelf(&config)).flatten(),
            ledger,
            lines: lines.clone(),
        })));
        let (scene_sender, scene) = watch::channel(None);
        let (look_sender, looks) = mpsc::channel(sources::WAITING);
        let pace = core.borrow().pace();
        let watch = sources::start(&setting, &pace, scene_sender, &look_sender);
        let tallies = Tallies::default();
        let (stop_workers, stop) = watch::channel(false);
        let office = outbox.map(|outbox| Office {
            plan,
            outbox,
            host,
            clock: clock.clone(),
            pod: (outside.env)("POD_NAMESPACE").zip((outside.env)("POD_NAME")),
            standing: core.borrow().standing(),
            stop,
            tallies: Rc::clone(&tallies),
        });
        let shared = Rc::new(Shared {
            core: Rc::clone(&core),
            tallies,
            values: Rc::new(resolved.values.clone()),
            clock,
            grace_period: config.grace_period,
            bundle_bytes: config.bundles_bytes,
            standing_by,
            troubles: RefCell::new(told),
        });
        let view: Rc<dyn View> = shared.clone();
        let listeners = ports::open(&config, &view, &shared);
        Self {
            config,
            core,
            shared,
            lock,
            logs,
            looks,
            scene,
            watch: Some(watch),
            stop_logs,
            stop_workers,
            office,
            workers: Vec::new(),
            listeners,
            seconds: 0,
        }
    }

    /// Until something ends it.
    async fn go_on(&mut self, outside: &Outside<'_>) -> End {
        let mut end = outside.end.clone();
        let mut second = tokio::time::interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut locked = tokio::time::interval(LOCKED);
        let mut watchdog = tokio::time::interval(outside.notify.every().unwrap_or(LOCKED));
        outside.notify.ready("watching the kubelet");
        loop {
            tokio::select! {
                ended = end.wait_for(Option::is_some) => {
                    return ended.ok().and_then(|e| *e).unwrap_or(End::Stop);
                }
                Some(batch) = self.logs.recv() => self.core.borrow_mut().batch(batch),
                Some(done) = self.looks.recv() => self.core.borrow_mut().done(done),
                _ = second.tick() => self.second(outside),
                _ = watchdog.tick() => outside.notify.alive(),
                _ = locked.tick(), if self.shared.standing_by.is_some() => {
                    if let Lock::Ours(_) = Lock::take(&self.config.state_dir) {
                        return End::Again;
                    }
                }
            }
        }
    }

    fn second(&mut self, outside: &Outside<'_>) {
        self.seconds = self.seconds.wrapping_add(1);
        let named = self.scene.borrow().as_ref().and_then(|s| s.world.node_name.clone());
        let mut core = self.core.borrow_mut();
        core.name(named);
        core.second();
        let node = core.node().map(str::to_owned);
        if self.seconds.is_multiple_of(TEND)
            && let Some(ledger) = core.ledger()
        {
            ledger.outbox().with(Outbox::tend);
        }
        let notices: Vec<String> = core
            .ledger()
            .map(|l| l.outbox().with(Outbox::notices))
            .unwrap_or_default();
        let now = outside.clock.now().wall;
        for notice in notices {
            core.lines().say(now, "warning", &notice);
        }
        drop(core);
        let known = self.scene.borrow().is_some() && node.is_some();
        if (known || self.seconds >= NAMED)
            && let Some(office) = self.office.take()
        {
            let node = node.unwrap_or_else(|| "unknown".to_owned());
            let (core, clock) = (Rc::clone(&self.core), outside.clock.clone());
            self.workers = office.open(&node, outside.env, move || points(&core, &clock));
        }
    }

    /// Ends in order: what was found is stored, what is under way gets a little time.
    async fn drain(mut self) {
        self.stop_logs.store(true, Ordering::Relaxed);
        self.watch = None;
        self.logs.close();
        for listener in std::mem::take(&mut self.listeners) {
            listener.abort();
            // The next life binds the same ports.
            let _ = listener.await;
        }
        let ledger = self.core.borrow_mut().leave();
        let _ = self.stop_workers.send(true);
        let workers = futures_util::future::join_all(std::mem::take(&mut self.workers).into_iter().map(Worker));
        let _ = tokio::time::timeout(DRAIN, workers).await;
        if let Some((state, position, dir)) = ledger.map(Ledger::close) {
            let written = tokio::task::spawn_blocking(move || ledger::write(&dir, &state, position.as_ref()));
            let _ = tokio::time::timeout(DRAIN, written).await;
        }
        // Another agent may have it only now.
        drop(self.lock);
    }
}

/// A worker that is ended when nobody waits for it any more.
struct Worker(JoinHandle<()>);

impl Future for Worker {
    type Output = ();

    fn poll(mut self: std::pin::Pin<&mut Self>, context: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        std::pin::Pin::new(&mut self.0).poll(context).map(|_| ())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What is kept from life to life, as far as this agent is the one that keeps it.
struct Keeping {
    lock: Lock,
    standing_by: Option<String>,
    outbox: Option<Handle>,
    ledger: Option<Ledger>,
    history: Duration,
}

impl Keeping {
    /// Takes the lock and what lies behind it; and what there is to be said of that.
    fn take(config: &Config, plan: &Plan, clock: &Clock) -> (Vec<String>, Self) {
        let now = clock.now().wall;
        let mut told = Vec::new();
        let lock = Lock::take(&config.state_dir);
        let mut keeping = Self {
            standing_by: None,
            outbox: None,
            ledger: None,
            history: config.look_back,
            lock,
        };
        match &keeping.lock {
            Lock::Ours(_) => {}
            Lock::Theirs { pid } => {
                let why =
                    format!("another agent on this host (pid {pid}) has the state directory; this one exports nothing");
                told.push(why.clone());
                keeping.standing_by = Some(why);
                return (told, keeping);
            }
            Lock::None(error) => told.push(format!("the state directory cannot be written: {error}")),
        }
        let (state, damage) = State::load(&config.state_dir);
        told.extend(damage);
        keeping.history = history(&state, config, now);
        let outbox = Handle::new(Outbox::open(Options {
            dir: config.state_dir.clone(),
            run_dir: RUN.into(),
            max_bytes: config.outbox_bytes,
            sinks: plan.sinks(),
            patience: PATIENCE,
            clock: clock.clone(),
        }));
        match Ledger::open(state, outbox.clone(), &config.state_dir, now) {
            Ok(ledger) => keeping.ledger = Some(ledger),
            Err(error) => told.push(format!("nothing can be told: {error}")),
        }
        keeping.outbox = Some(outbox);
        (told, keeping)
    }
}

fn shelf(config: &Config) -> Option<Shelf> {
    let shelf = Shelf {
        dir: config.state_dir.clone(),
        keep: config.bundles_keep,
        most: config.bundles_bytes,
    };
    (shelf.keep > 0).then_some(shelf)
}

/// Starts the reader; where that fails its channel is closed, and the heart says that it hears nothing.
fn read_logs(plan: logs::Plan) -> mpsc::Receiver<logs::Batch> {
    let (sender, batches) = mpsc::channel(logs::WAITING);
    // The thread is ended by `stop` or by the closed channel; nobody waits for it.
    drop(logs::spawn(plan, sender));
    batches
}

fn host(config: &Config) -> Host {
    let host = Host::at(&config.host_root);
    if config.host_root.as_os_str() == "/" {
        host
    } else {
        host.beside("/")
    }
}

fn boot(host: &Host) -> Option<[u8; 16]> {
    let text = host.text("/proc/sys/kernel/random/boot_id").ok()?;
    let number = u128::from_str_radix(&text.trim().replace('-', ""), 16).ok()?;
    Some(number.to_be_bytes())
}

/// How far back the history has to go for the engine to know what it knew.
fn history(state: &State, config: &Config, now: Timestamp) -> Duration {
    let opened = state.announced.open.as_ref().map(|o| o.opened_at);
    let known = [state.read_until, opened].into_iter().flatten().min();
    let back = known.map_or(0, |t| now.0 - t.0 + CONTEXT).clamp(0, LONGEST);
    Duration::from_micros(back as u64).max(config.look_back)
}

fn setting(config: &Config, host: &Host, clock: &Clock, env: &dyn Fn(&str) -> Option<String>) -> Setting {
    let peer = |text: &String| {
        let (host, port) = text.rsplit_once(':')?;
        Some(Endpoint {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: port.parse().ok()?,
            path: String::new(),
        })
    };
    let service = || {
        let host = env("KUBERNETES_SERVICE_HOST")?;
        Some(Service::new(host, env("KUBERNETES_SERVICE_PORT")?.parse().ok()?))
    };
    Setting {
        host: host.clone(),
        clock: clock.clone(),
        allowed: Allowed {
            api: config.api,
            as_kubelet: config.as_kubelet,
            cri: config.cri,
            dbus: config.dbus,
            ..Allowed::default()
        },
        service: service(),
        node: config.node.clone(),
        peers: config.peers.iter().filter_map(peer).collect(),
        probe: config.probe,
    }
}
