//! One look at a capture: the sources that only read files, and what commands printed.

use std::path::PathBuf;
use std::time::Duration;

use super::outputs::{self, Outputs};
use super::root::Root;
use super::still::{keep, mark};
use super::{ps, ss};
use crate::clock::{Clock, Now};
use crate::grammar::fact::{Fact, Kind};
use crate::host::Host;
use crate::input::Aside;
use crate::model::time::{Moment, Timestamp};
use crate::source::api_socket;
use crate::source::certificate::Certificates;
use crate::source::cgroup::Cgroup;
use crate::source::cpu::Cpu;
use crate::source::filesystem::Filesystem;
use crate::source::kubeconfig::KubeconfigFile;
use crate::source::kubelet_config::KubeletConfig;
use crate::source::limits::Limits;
use crate::source::look::{Done, Look, Reading, Sampler};
use crate::source::memory::Memory;
use crate::source::pass::{self, Stand};
use crate::source::pressure::Pressure;
use crate::source::route::Routes;
use crate::source::scene::{Allowed, Scene};
use crate::source::tcp_table::ESTABLISHED;
use crate::world::World;

/// Files on the analysing machine's disk are read within this.
const PATIENCE: Duration = Duration::from_secs(10);
/// Units of a runtime, where the configuration does not say which one is used.
const RUNTIMES: [&str; 4] = [
    "containerd.service",
    "crio.service",
    "cri-docker.service",
    "docker.service",
];
/// The kubelet's lease ends after 40 s (`nodeLeaseDurationSeconds`).
const STANDSTILL_MS: u32 = 40_000;
const JOURNALD: &str = "systemd-journald.service";
const KUBELET: &str = "kubelet.service";

/// What a capture says, with the moment at which it was taken. Errors are of the look itself: no thread, no runtime.
pub(super) fn look(root: &Root) -> std::io::Result<Aside> {
    let host = Host::at(&root.path);
    let outputs = outputs::read(&host, root);
    let uptime = host.text("/proc/uptime").ok().and_then(|t| seconds(&t));
    let now = Now {
        wall: outputs.date.unwrap_or_default(),
        monotonic: uptime.unwrap_or_default(),
        boottime: uptime.unwrap_or_default(),
    };
    let mut scene = Scene {
        world: World::discover(&host),
        host,
        clock: Clock::fixed(now),
        allowed: Allowed {
            api: false,
            dbus: false,
            ..Allowed::default()
        },
    };
    let unit = scene.world.unit.clone().unwrap_or_else(|| KUBELET.to_owned());
    scene.world.unit = Some(unit);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut samplers = samplers(&outputs);
    let mut done = runtime.block_on(pass::pass(&mut samplers, &scene, PATIENCE));
    runtime.shutdown_background();
    for one in &mut done {
        one.look = keep(std::mem::take(&mut one.look));
    }
    let booted = outputs
        .date
        .zip(uptime)
        .map(|(wall, up)| Timestamp(wall.0.saturating_sub(up as i64)));
    done.extend(printed(&scene, &outputs, (now.wall, booted)));
    done.iter_mut().flat_map(|d| &mut d.look.readings).for_each(mark);
    Ok(Aside {
        uptime,
        ..aside(root.path.clone(), outputs.date, &done)
    })
}

/// What the API server had of a node when it was captured.
pub(super) fn of_readings(
    root: PathBuf,
    wall: Option<Timestamp>,
    readings: impl IntoIterator<Item = Reading>,
) -> Aside {
    aside(root, wall, &[done("node-object", readings.into_iter().collect())])
}

fn aside(root: PathBuf, wall: Option<Timestamp>, done: &[Done]) -> Aside {
    let at = wall.unwrap_or_default();
    let stand = Stand {
        at: Moment { t: at.0, wall: at },
        boot: 0,
        seq: 0,
    };
    Aside {
        root,
        wall,
        uptime: None,
        inputs: pass::inputs(done, stand),
    }
}

fn done(source: &'static str, readings: Vec<Reading>) -> Done {
    Done {
        source,
        look: Look {
            readings,
            blind: Vec::new(),
        },
        took: 0,
        in_time: true,
    }
}

/// The sources that need nothing but files. Those that compare with the time need the time.
fn samplers(outputs: &Outputs) -> Vec<Box<dyn Sampler>> {
    let mut samplers: Vec<Box<dyn Sampler>> = vec![
        Box::new(KubeconfigFile),
        Box::new(KubeletConfig),
        Box::new(Routes),
        Box::new(Cgroup),
        Box::new(Pressure),
        Box::new(Memory::default()),
        Box::new(Cpu),
        Box::new(Filesystem::printed(outputs.filesystems.clone())),
        Box::new(Limits::default()),
    ];
    if outputs.date.is_some() {
        samplers.push(Box::new(Certificates));
    }
    samplers
}

/// `123.54 89.32` of `/proc/uptime`, in microseconds.
fn seconds(uptime: &str) -> Option<u64> {
    let seconds: f64 = uptime.split_whitespace().next()?.parse().ok()?;
    (0.0..1e9).contains(&seconds).then_some((seconds * 1e6) as u64)
}

/// What commands printed, as the sources of a running node state it.
fn printed(scene: &Scene, outputs: &Outputs, clock: (Timestamp, Option<Timestamp>)) -> Vec<Done> {
    let units = roles(scene, outputs);
    let shown = |name: &str| outputs.units.iter().find(|u| u.get("Id") == Some(name));
    let mut states = Vec::new();
    let mut groups = Vec::new();
    let mut processes = Vec::new();
    for (unit, role) in &units {
        let properties = shown(unit);
        states.extend(properties.map(|p| p.state(unit, role, clock)));
        groups.extend(properties.and_then(|p| p.cgroup(role)));
        let name = unit.trim_end_matches(".service");
        // In k3s and its kin the kubelet has no process of its own name.
        if let (Some(tasks), true) = (&outputs.tasks, matches!(name, "kubelet" | "containerd" | "crio")) {
            let reading = ps::reading(tasks, role, properties.and_then(super::show::Shown::pid), name);
            // Where there is no such unit, nobody misses its process.
            let absent = |r: &Reading| r.facts.iter().any(|f| f.text("state") == Some("absent"));
            processes.extend(reading.filter(|r| properties.is_some() || !absent(r)));
        }
    }
    let sockets = outputs.sockets.as_deref().unwrap_or_default();
    let connections: Vec<_> = sockets.iter().filter(|s| s.is_of("kubelet")).collect();
    let listed = if connections.is_empty() {
        Vec::new()
    } else {
        api_socket::listed(connections.iter().map(|s| (s.row.clone(), s.detail)).collect(), scene)
    };
    [
        ("unit", states),
        ("cgroup", groups),
        ("process", processes),
        ("api-socket", listed),
        ("healthz", health(scene, outputs).into_iter().collect()),
    ]
    .into_iter()
    .filter(|(_, readings)| !readings.is_empty())
    .map(|(source, readings)| done(source, readings))
    .collect()
}

/// The units that matter, as far as they were printed.
fn roles(scene: &Scene, outputs: &Outputs) -> Vec<(String, &'static str)> {
    let has = |name: &str| outputs.units.iter().any(|u| u.get("Id") == Some(name));
    let runtime = scene.world.runtime.unit.clone().filter(|u| has(u)).or_else(|| {
        let all: Vec<&str> = RUNTIMES.into_iter().filter(|r| has(r)).collect();
        // Docker runs containerd beside it: which of the two the kubelet uses is not known then.
        (all.len() == 1).then(|| all.first().map(|r| (*r).to_owned())).flatten()
    });
    let mut roles = Vec::new();
    roles.extend(scene.world.unit.clone().map(|u| (u, "kubelet")));
    roles.extend(runtime.map(|u| (u, "runtime")));
    roles.push((JOURNALD.to_owned(), "journald"));
    roles
}

/// What the kubelet's health endpoint said. Where nothing came back, the list of sockets tells why.
fn health(scene: &Scene, outputs: &Outputs) -> Option<Reading> {
    let answer = outputs.healthz.as_deref()?;
    let port = scene.world.settings.healthz.1;
    let sockets = outputs.sockets.as_deref();
    let listens = sockets.map(|all| all.iter().any(|s| s.listens(port)));
    let stands = sockets.and_then(|all| still_for(all, scene));
    let mut words = String::new();
    let result = match (answer, listens, stands) {
        ("ok", ..) => "ok",
        (failed, ..) if failed.contains("healthz check failed") => "failed",
        ("", Some(false), _) => {
            words.push_str("no answer, and nothing listens");
            "refused"
        }
        ("", Some(true), Some(socket)) => {
            let (unread, sent) = (socket.waiting, socket.sent_ms.unwrap_or_default() / 1000);
            words = format!(
                "no answer; {unread} bytes from the API server are unread, and for {sent} s nothing was sent to it"
            );
            "timed-out"
        }
        ("", Some(true), None) => {
            // Late, reset or dropped on the way: one try of unknown patience does not tell.
            words.push_str("no answer, though something listens");
            "other"
        }
        _ => return None,
    };
    if words.is_empty() {
        words.push_str(result);
    }
    let fact = Fact::new(Kind::KubeletHealth)
        .with("result", result)
        .with_int("port", i64::from(port));
    let mut reading = Reading::new(format!("health endpoint on port {port}  {words}"), fact);
    if let (Some(socket), "timed-out") = (stands, result) {
        let sent = i64::from(socket.sent_ms.unwrap_or_default()) * 1000;
        reading.began = outputs.date.map(|at| Timestamp(at.0.saturating_sub(sent)));
    }
    Some(reading)
}

/// A connection of the kubelet to the API server on which it has neither read what came nor sent anything for longer than
/// a lease: a kubelet that gets on renews every ten seconds.
fn still_for<'a>(sockets: &'a [ss::Socket], scene: &Scene) -> Option<&'a ss::Socket> {
    let port = scene.world.kubeconfig.server.as_ref()?.port;
    let own = |s: &&ss::Socket| s.is_of("kubelet") && s.row.remote.port() == port && s.row.state == ESTABLISHED;
    let still = |s: &ss::Socket| s.waiting > 0 && s.sent_ms.is_some_and(|ms| ms >= STANDSTILL_MS);
    let mut connections = sockets.iter().filter(own).peekable();
    connections.peek()?;
    connections.clone().all(still).then(|| connections.next()).flatten()
}
