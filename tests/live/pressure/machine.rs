//! Every source at once on the machine that runs the tests, and limits of the whole machine.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::fs::inotify;
use whynotready::source::look::Sampler;
use whynotready::source::{
    address, blocked, cgroup, consumers, cpu, disk, filesystem, limits, link, machine, memory, pass, pressure, route,
};
use whynotready::world::World;

use crate::{fact, look, scene};

fn all() -> Vec<Box<dyn Sampler>> {
    vec![
        Box::new(pressure::Pressure),
        Box::new(memory::Memory::default()),
        Box::new(cpu::Cpu),
        Box::new(cgroup::Cgroup),
        Box::new(filesystem::Filesystem::default()),
        Box::new(disk::Disk),
        Box::new(limits::Limits::default()),
        Box::new(blocked::Blocked),
        Box::new(consumers::Consumers),
        Box::new(link::Links::default()),
        Box::new(route::Routes),
        Box::new(address::Address),
        Box::new(machine::Machine::default()),
    ]
}

#[tokio::test]
async fn all_at_once_on_this_machine() {
    let mut samplers = all();
    let scene = scene(World::default());
    let done = pass::pass(&mut samplers, &scene, Duration::from_secs(10)).await;
    for one in &done {
        assert!(one.in_time, "{one:?}");
    }
    // Root on a machine of any kind sees these.
    for source in [
        "memory",
        "cpu",
        "filesystem",
        "limits",
        "blocked-tasks",
        "route",
        "machine",
    ] {
        let one = done.iter().find(|d| d.source == source).unwrap();
        assert!(!one.look.readings.is_empty(), "{one:?}");
    }
    // A kernel either accounts pressure or says that it does not.
    let stalls = &done.iter().find(|d| d.source == "pressure").unwrap().look;
    assert_eq!(stalls.readings.len() + stalls.blind.len(), 3);
    for reading in &stalls.readings {
        assert!(
            reading.facts[0]
                .int("some_percent")
                .is_some_and(|p| (0..=100).contains(&p)),
            "{reading:?}"
        );
    }
}

#[tokio::test]
async fn every_source_has_a_second_look() {
    let scene = scene(World::default());
    for mut sampler in all() {
        let first = look(sampler.as_mut(), &scene).await;
        let second = look(sampler.as_mut(), &scene).await;
        assert_eq!(
            first.readings.is_empty(),
            second.readings.is_empty(),
            "{first:?} {second:?}"
        );
    }
}

#[tokio::test]
async fn inotify_of_root() {
    let scene = scene(World::default());
    let dirs: Vec<tempfile::TempDir> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    let held: Vec<OwnedFd> = (0..20)
        .map(|_| {
            let one = inotify::init(inotify::CreateFlags::CLOEXEC).unwrap();
            for dir in &dirs {
                inotify::add_watch(&one, dir.path(), inotify::WatchFlags::CREATE).unwrap();
            }
            one
        })
        .collect();
    let seen = look(&mut limits::Limits::default(), &scene).await;
    let instances = fact(&seen, "what", "inotify-instances");
    assert!(instances.int("used").unwrap() >= held.len() as i64, "{seen:?}");
    assert!(instances.int("max").unwrap() > 0);
    assert!(
        fact(&seen, "what", "inotify-watches").int("used").unwrap() >= (held.len() * dirs.len()) as i64,
        "{seen:?}"
    );
}

/// Files that were captured have one instant: no rate is made up from them, and nothing of this machine is added.
#[tokio::test]
async fn captured_files_have_no_rates() {
    let mut scene = scene(World::default());
    let node = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/nodes/memory-thrash");
    scene.host = whynotready::host::Host::at(node);
    for mut sampler in all() {
        let seen = look(sampler.as_mut(), &scene).await;
        for fact in seen.readings.iter().flat_map(|r| &r.facts) {
            for (name, _) in &fact.attrs {
                let rate = name.ends_with("_s") && !["uptime_s", "asleep_s"].contains(&name.as_ref());
                let rates = [
                    "some_percent",
                    "full_percent",
                    "idle_percent",
                    "throttled_percent",
                    "agent_late_ms",
                    "drops",
                ];
                assert!(!rate && !rates.contains(&name.as_ref()), "{fact:?}");
            }
        }
    }
    let seen = look(&mut pressure::Pressure, &scene).await;
    assert_eq!(fact(&seen, "resource", "memory").int("some_avg60"), Some(43));
}
