//! The agent's lives: one with each configuration. A life that ends in order leaves everything on the disk for the next.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::bundles::Shelf;
use super::core::{Core, Setup};
use super::delivery::{Office, Plan, Tallies};
use super::environment::Environment;
use super::keeping::{ANSWERS, Identity, Keeping, obtained};
use super::ledger::Ledger;
use super::lines::Lines;
use super::logs;
use super::notify::Notify;
use super::ports;
use super::saver::POSITION;
use super::state::{Lock, State};
use super::view::{Shared, points};
use super::watch::{self as sources, Again, Setting};
use crate::catalog::load::Catalog;
use crate::clock::Clock;
use crate::config::Config;
use crate::config::resolve::{Faults, Resolved};
use crate::host::Host;
use crate::outbox::durable::Outbox;
use crate::source::look::blocking;
use crate::source::probe::target::Service;
use crate::source::scene::Allowed;
use crate::world::Endpoint;

/// What is under way at the end has so long.
const DRAIN: Duration = Duration::from_secs(5);
/// systemd hears of the agent so often where it does not say how often.
const ALIVE: Duration = Duration::from_secs(15);
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
pub struct Outside {
    /// The environment.
    pub env: Environment,
    /// The time.
    pub clock: Clock,
    /// The service manager.
    pub notify: Notify,
    /// Becomes [`End`] when this life is to end.
    pub end: watch::Receiver<Option<End>>,
    /// What a life could not leave on the disk for the next.
    pub carried: RefCell<Option<State>>,
    /// How long to wait before a reader of logs that ended is started again.
    pub deaf: RefCell<Again>,
}

/// One life; or everything that is wrong with its configuration.
pub async fn live(outside: &Outside, resolved: &Resolved, lines: &Lines) -> Result<End, Faults> {
    let dir = resolved.config.catalog_dir.clone();
    let load = blocking(move || Catalog::load(dir.as_deref()));
    let silent = || Faults(vec!["catalog_dir: its disk does not answer".to_owned()]);
    let loaded = tokio::time::timeout(ANSWERS, load)
        .await
        .ok()
        .flatten()
        .ok_or_else(silent)?;
    let catalog = Arc::new(loaded.map_err(|e| Faults(e.to_string().lines().map(str::to_owned).collect()))?);
    let env = |name: &str| outside.env.get(name);
    let plan = Plan::of(&resolved.config, &env).map_err(Faults)?;
    let mut life = Life::begin(outside, resolved, (catalog, plan), lines).await;
    let end = life.go_on(outside).await;
    *outside.carried.borrow_mut() = life.drain().await;
    Ok(end)
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
    /// The reader of logs has ended, and the next life begins then.
    deaf: Option<Instant>,
}

impl Life {
    async fn begin(
        outside: &Outside,
        resolved: &Resolved,
        (catalog, plan): (Arc<Catalog>, Plan),
        lines: &Lines,
    ) -> Self {
        let (config, clock) = (resolved.config.clone(), outside.clock.clone());
        let host = host(&config);
        let keeping = Keeping::take(&config, &plan, &clock, &outside.carried);
        let (keeping, identity) = tokio::join!(keeping, Identity::of(&host));
        keeping.say(lines, clock.now().wall);
        let Keeping {
            lock,
            standing_by,
            outbox,
            ledger,
            history,
            told,
        } = keeping;
        let setting = setting(&config, &host, outside);
        let keeps = ledger.is_some();
        let stop_logs = Arc::new(AtomicBool::new(false));
        let logs = read_logs(logs::Plan {
            host: host.clone(),
            clock: clock.clone(),
            catalog: Arc::clone(&catalog),
            history,
            position: keeps.then(|| config.state_dir.join(POSITION)),
            stop: Arc::clone(&stop_logs),
        });
        let core = Rc::new(RefCell::new(Core::new(Setup {
            catalog,
            clock: clock.clone(),
            boot: identity.boot,
            node: setting.node.clone(),
            sources: sources::names(&setting),
            shelf: keeps.then(|| shelf(&config)).flatten(),
            ledger,
            lines: lines.clone(),
        })));
        let (scene_sender, scene) = watch::channel(None);
        let (look_sender, looks) = mpsc::channel(sources::WAITING);
        let watch = sources::start(&setting, &core.borrow().pace(), scene_sender, &look_sender);
        let tallies = Tallies::default();
        let (stop_workers, stop) = watch::channel(false);
        let office = outbox.map(|outbox| Office {
            plan,
            outbox,
            host,
            identity,
            clock: clock.clone(),
            pod: outside.env.get("POD_NAMESPACE").zip(outside.env.get("POD_NAME")),
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
        let listeners = ports::open(&config, &shared);
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
            deaf: None,
        }
    }

    /// Until something ends it.
    async fn go_on(&mut self, outside: &Outside) -> End {
        let mut end = outside.end.clone();
        let mut second = tokio::time::interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut watchdog = tokio::time::interval(outside.notify.every().unwrap_or(ALIVE));
        let dir = self.config.state_dir.clone();
        let mut lock = std::pin::pin!(obtained(&dir));
        outside.notify.ready("watching the kubelet");
        loop {
            tokio::select! {
                ended = end.wait_for(Option::is_some) => {
                    return ended.ok().and_then(|e| *e).unwrap_or(End::Stop);
                }
                batch = self.logs.recv(), if self.deaf.is_none() => match batch {
                    Some(batch) => self.core.borrow_mut().batch(batch),
                    None => self.deafened(outside),
                },
                Some(done) = self.looks.recv() => self.core.borrow_mut().done(done),
                _ = second.tick() => self.second(outside),
                _ = watchdog.tick() => outside.notify.alive(),
                lock = &mut lock, if !matches!(self.lock, Lock::Ours(_)) => {
                    self.obtain(lock);
                    return End::Again;
                }
                () = until(self.deaf), if self.deaf.is_some() => return End::Again,
            }
        }
    }

    /// The reader of logs ended: a defect of this program, or there is no thread to be had. What it had read cannot be
    /// gone on with, so another life begins, after a while.
    fn deafened(&mut self, outside: &Outside) {
        let wait = outside.deaf.borrow_mut().wait(Instant::now());
        self.deaf = Some(Instant::now() + wait);
        let why = format!("the reader of the logs has ended, which is a defect; it is started again in {wait:?}");
        self.shared.say(&why);
        self.core.borrow_mut().deafened(&why);
        self.shared.troubles.borrow_mut().push(why);
    }

    /// The state directory is ours now, and with it the next life's: what this one could not store there, it does.
    fn obtain(&mut self, lock: Lock) {
        self.lock = lock;
        let mut core = self.core.borrow_mut();
        let Some(ledger) = core.ledger_mut() else { return };
        ledger.outbox().with(Outbox::tend);
        if let Err(error) = ledger.keep(&self.config.state_dir) {
            core.lines().say(
                self.shared.clock.now().wall,
                "warning",
                &format!("nothing is kept: {error}"),
            );
        }
    }

    fn second(&mut self, outside: &Outside) {
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
            let env = |name: &str| outside.env.get(name);
            self.workers = office.open(&node, &env, move || points(&core, &clock));
        }
    }

    /// Ends in order: what was found is stored, what is under way gets a little time. What the next life is to go on with,
    /// where that is not on the disk.
    async fn drain(mut self) -> Option<State> {
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
        let left = match ledger.map(Ledger::close) {
            Some(last) => last.write(DRAIN).await,
            None => None,
        };
        // Another agent may have it only now.
        drop(self.lock);
        left
    }
}

async fn until(when: Option<Instant>) {
    match when {
        Some(when) => tokio::time::sleep_until(when).await,
        None => std::future::pending().await,
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

fn setting(config: &Config, host: &Host, outside: &Outside) -> Setting {
    let peer = |text: &String| {
        let (host, port) = text.rsplit_once(':')?;
        Some(Endpoint {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: port.parse().ok()?,
            path: String::new(),
        })
    };
    let service = || {
        let host = outside.env.get("KUBERNETES_SERVICE_HOST")?;
        Some(Service::new(
            host,
            outside.env.get("KUBERNETES_SERVICE_PORT")?.parse().ok()?,
        ))
    };
    // A pod is told its node's name, which need not be the host's.
    let named = || outside.env.get("NODE_NAME").filter(|n| !n.is_empty());
    Setting {
        host: host.clone(),
        clock: outside.clock.clone(),
        allowed: Allowed {
            api: config.api,
            as_kubelet: config.as_kubelet,
            cri: config.cri,
            dbus: config.dbus,
            ..Allowed::default()
        },
        service: service(),
        node: config.node.clone().or_else(named),
        peers: config.peers.iter().filter_map(peer).collect(),
        probe: config.probe,
    }
}
