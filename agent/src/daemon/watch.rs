//! The sources, each a task of its own at its own pace, supervised: one that panics or ends is a gap and is started again,
//! ever more slowly.

use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, spawn_local};

use super::pace::{Pace, between};
use crate::clock::Clock;
use crate::export::pace::chance;
use crate::grammar::fact::Kind;
use crate::host::Host;
use crate::source::lease::sampler::Heartbeat;
use crate::source::look::{self, Done, Look, Sampler, blocking};
use crate::source::probe::sampler::ApiProbe;
use crate::source::probe::target::Service;
use crate::source::registry;
use crate::source::scene::{Allowed, Scene};
use crate::world::{Endpoint, World};

/// Looks that wait for the engine.
pub const WAITING: usize = 64;
/// No look takes longer, whatever its own budget says.
const LONGEST: Duration = Duration::from_secs(10);
/// Before a source that failed is started again: doubled each time.
const AGAIN: Duration = Duration::from_secs(1);
const AGAIN_MOST: Duration = Duration::from_mins(5);
/// Between two looks for the kubelet's world.
const WORLD: [(Pace, Duration); 4] = [
    (Pace::Calm, Duration::from_secs(55)),
    (Pace::Watchful, Duration::from_secs(55)),
    (Pace::Steady, Duration::from_secs(40)),
    (Pace::Alert, Duration::from_secs(8)),
];
/// An API server that asked for less, or is overloaded, is not asked again before this.
const SPARED: Duration = Duration::from_secs(45);

/// What every source is made with.
#[derive(Clone)]
pub struct Setting {
    /// The node.
    pub host: Host,
    /// The time.
    pub clock: Clock,
    /// What is allowed.
    pub allowed: Allowed,
    /// The API server's Service, in a pod.
    pub service: Option<Service>,
    /// The node's name, where the operator gave one.
    pub node: Option<String>,
    /// Other API servers, where the operator gave some.
    pub peers: Vec<Endpoint>,
    /// Whether the API server is probed.
    pub probe: bool,
}

/// The running sources; they end when this is dropped.
pub struct Watch {
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Starts every source. `scene` is filled as soon as the kubelet's world is known.
pub fn start(
    setting: &Setting,
    pace: &watch::Receiver<Pace>,
    scene: watch::Sender<Option<Rc<Scene>>>,
    looks: &mpsc::Sender<Done>,
) -> Watch {
    let scenes = scene.subscribe();
    let mut tasks = vec![spawn_local(discover(setting.clone(), pace.clone(), scene))];
    for (index, sampler) in registry::samplers(None).iter().enumerate() {
        if !setting.looks(sampler.name()) {
            continue;
        }
        let source = Source {
            make: make(setting, index),
            scene: scenes.clone(),
            pace: pace.clone(),
            looks: looks.clone(),
        };
        tasks.push(spawn_local(source.supervised()));
    }
    Watch { tasks }
}

/// Names of the sources that look with this setting.
pub fn names(setting: &Setting) -> Vec<&'static str> {
    let all = registry::samplers(None);
    all.iter()
        .map(|s| s.name())
        .filter(|name| setting.looks(name))
        .collect()
}

impl Setting {
    fn looks(&self, source: &str) -> bool {
        source != "probe" || self.probe
    }

    fn world(&self) -> World {
        let mut world = World::discover(&self.host);
        if self.node.is_some() {
            world.node_name.clone_from(&self.node);
        }
        world.peers.extend(self.peers.iter().cloned());
        world
    }
}

/// Looks for the kubelet's world again and again. Where that hangs, the sources go on with what they have.
async fn discover(setting: Setting, mut pace: watch::Receiver<Pace>, scene: watch::Sender<Option<Rc<Scene>>>) {
    loop {
        let one = setting.clone();
        let world = tokio::time::timeout(LONGEST, blocking(move || one.world())).await;
        let known = scene.borrow().is_some();
        let world = match world {
            Ok(Some(world)) => Some(world),
            // The sources have to start with something: they say themselves what they miss.
            _ if !known => Some(World::default()),
            _ => None,
        };
        if let Some(world) = world {
            scene.send_replace(Some(Rc::new(Scene {
                host: setting.host.clone(),
                clock: setting.clock.clone(),
                world,
                allowed: setting.allowed,
            })));
        }
        let of = |pace: Pace| WORLD.iter().find(|(p, _)| *p == pace).map_or(LONGEST, |w| w.1);
        rest(&mut pace, of).await;
    }
}

/// Waits as long as the pace says, which may become another one meanwhile.
async fn rest(pace: &mut watch::Receiver<Pace>, wait: impl Fn(Pace) -> Duration) {
    let started = tokio::time::Instant::now();
    loop {
        let now = *pace.borrow_and_update();
        // Agents that were started together do not look together.
        let until = started + wait(now).mul_f64(0.9 + chance() / 5.0);
        tokio::select! {
            () = tokio::time::sleep_until(until) => return,
            changed = pace.changed() => if changed.is_err() { return },
        }
    }
}

/// A source as it looks where there is a suspicion and, where it has one, its way to look at the least cost.
type Both = (Box<dyn Sampler>, Option<Box<dyn Sampler>>);

/// Makes a source anew.
type Make = Rc<dyn Fn() -> Option<Both>>;

fn make(setting: &Setting, index: usize) -> Make {
    let service = setting.service.clone();
    Rc::new(move || {
        let sampler = registry::samplers(service.clone()).into_iter().nth(index)?;
        let light: Option<Box<dyn Sampler>> = match sampler.name() {
            "probe" => Some(Box::new(ApiProbe::light())),
            "lease" => Some(Box::new(Heartbeat::light(service.clone()))),
            _ => None,
        };
        Some((sampler, light))
    })
}

#[derive(Clone)]
struct Source {
    make: Make,
    scene: watch::Receiver<Option<Rc<Scene>>>,
    pace: watch::Receiver<Pace>,
    looks: mpsc::Sender<Done>,
}

impl Source {
    async fn supervised(self) {
        let Some((name, kinds)) = (self.make)().map(|(s, _)| (s.name(), s.kinds())) else {
            return;
        };
        let mut again = Again::default();
        loop {
            let mut task = Task(spawn_local(self.clone().look()));
            let why = match (&mut task.0).await {
                // The engine is gone.
                Ok(()) => return,
                Err(e) if e.is_panic() => "it panicked, which is a defect of this program",
                Err(_) => "it was ended",
            };
            if self.looks.send(failed(name, kinds, why)).await.is_err() {
                return;
            }
            let wait = again.wait(tokio::time::Instant::now());
            tokio::time::sleep(wait).await;
        }
    }

    async fn look(mut self) {
        let Some((mut sampler, mut light)) = (self.make)() else {
            return;
        };
        let mut first = true;
        loop {
            let Some(scene) = self.scene().await else { return };
            let calm = matches!(*self.pace.borrow_and_update(), Pace::Calm | Pace::Watchful) && !first;
            let sampler: &mut dyn Sampler = match &mut light {
                Some(light) if calm => light.as_mut(),
                _ => sampler.as_mut(),
            };
            let done = look::run(sampler, &scene, LONGEST).await;
            let (name, spared) = (done.source, spares(&done));
            if self.looks.send(done).await.is_err() {
                return;
            }
            // The two that ask the API server take turns: one begins half a turn later.
            let shift = if first && name == "lease" { 0.5 } else { 1.0 };
            first = false;
            rest(&mut self.pace, |pace| {
                let wait = between(name, pace).mul_f64(shift);
                if spared { wait.max(SPARED) } else { wait }
            })
            .await;
        }
    }

    async fn scene(&mut self) -> Option<Rc<Scene>> {
        let scene = self.scene.wait_for(Option::is_some).await.ok()?;
        scene.clone()
    }
}

/// How long to wait before what ended is started again: doubled each time, and short again for what has lasted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Again {
    last: Option<(tokio::time::Instant, Duration)>,
}

impl Again {
    /// What was started last has ended now.
    pub fn wait(&mut self, now: tokio::time::Instant) -> Duration {
        let wait = match self.last {
            Some((started, wait)) if now < started + AGAIN_MOST => (wait * 2).min(AGAIN_MOST),
            _ => AGAIN,
        };
        self.last = Some((now + wait, wait));
        wait
    }
}

/// A task that ends with the one that waits for it.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Whether the API server said that it is asked too much (429) or is not up to it (503).
fn spares(done: &Done) -> bool {
    let facts = done.look.readings.iter().flat_map(|r| &r.facts);
    facts
        .filter(|f| f.kind == Kind::Probe)
        .any(|f| matches!(f.int("status"), Some(429 | 503)))
}

fn failed(source: &'static str, kinds: &'static [Kind], why: &str) -> Done {
    let mut look = Look::default();
    for kind in kinds {
        look.missed(*kind, format!("{source}: {why}"), None);
    }
    Done {
        source,
        look,
        took: 0,
        in_time: false,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::clock::Now;
    use crate::grammar::fact::Fact;
    use crate::source::look::Looking;

    /// Panics at its second look of each life.
    struct Brittle(u32);

    impl Sampler for Brittle {
        fn name(&self) -> &'static str {
            "memory"
        }
        fn kinds(&self) -> &'static [Kind] {
            &[Kind::Memory]
        }
        fn budget(&self) -> Duration {
            Duration::from_secs(1)
        }
        fn look<'a>(&'a mut self, _: &'a Scene) -> Looking<'a> {
            self.0 += 1;
            assert!(self.0 < 2, "as the test wants it");
            let mut look = Look::default();
            look.saw("well", Fact::new(Kind::Memory));
            Box::pin(async { look })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn waits_grow_to_their_most_and_begin_anew_after_what_has_lasted() {
        let mut again = Again::default();
        let mut now = tokio::time::Instant::now();
        let mut waits = Vec::new();
        for lasted in [0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 299, 300] {
            now += Duration::from_secs(lasted);
            let wait = again.wait(now);
            waits.push(wait.as_secs());
            now += wait;
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_panics_is_a_gap_and_looks_again_ever_later() {
        let lives = Rc::new(Cell::new(0));
        let counted = Rc::clone(&lives);
        let scene = Scene {
            host: Host::at("/nowhere"),
            clock: Clock::fixed(Now::default()),
            world: World::default(),
            allowed: Allowed::default(),
        };
        let (_scenes, scene) = watch::channel(Some(Rc::new(scene)));
        let (_paces, pace) = watch::channel(Pace::Alert);
        let (looks, mut seen) = mpsc::channel(WAITING);
        let source = Source {
            make: Rc::new(move || {
                counted.set(counted.get() + 1);
                Some((Box::new(Brittle(0)), None))
            }),
            scene,
            pace,
            looks,
        };
        let local = tokio::task::LocalSet::new();
        let started = tokio::time::Instant::now();
        let run = async {
            let task = spawn_local(source.supervised());
            let mut all = Vec::new();
            while all.len() < 8 {
                all.push(seen.recv().await.unwrap());
            }
            drop(seen);
            let _ = task.await;
            all
        };
        let all = local.run_until(run).await;
        let well: Vec<bool> = all.iter().map(|d| d.look.blind.is_empty()).collect();
        assert_eq!(well, [true, false, true, false, true, false, true, false]);
        assert!(all[1].look.blind[0].reason.contains("panicked"));
        // One was made to ask for its name.
        assert!(lives.get() >= 5, "{}", lives.get());
        // Three waits of 1, 2 and 4 s beside four rests of an alert.
        assert!(started.elapsed() >= Duration::from_secs(7 + 4 * 4));
    }
}
