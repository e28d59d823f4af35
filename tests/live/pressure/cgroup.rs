//! Control groups with real limits and a real process in them, in whichever version the machine has.

use std::path::{Path, PathBuf};

use whynotready::source::cgroup::Cgroup;
use whynotready::source::consumers::Consumers;
use whynotready::world::{Process, World};

use crate::{Running, fact, look, scene, sh, write};

const ROOT: &str = "/sys/fs/cgroup";

/// A cgroup of its own in every hierarchy that is needed, gone with the test.
struct Group {
    name: String,
    v2: bool,
}

impl Group {
    fn new(name: &str) -> Self {
        let group = Self {
            name: format!("whynotready-{name}-{}.service", std::process::id()),
            v2: Path::new(ROOT).join("cgroup.controllers").exists(),
        };
        if group.v2 {
            sh("for c in cpu memory pids; do echo +$c >/sys/fs/cgroup/cgroup.subtree_control; done");
        }
        for dir in group.dirs() {
            sh(&format!("mkdir {}", dir.display()));
        }
        group
    }

    fn dirs(&self) -> Vec<PathBuf> {
        let hierarchies: &[&str] = if self.v2 {
            &[""]
        } else {
            &["cpu", "cpuacct", "memory", "pids", "freezer"]
        };
        let mut dirs: Vec<PathBuf> = hierarchies
            .iter()
            .map(|h| Path::new(ROOT).join(h).join(&self.name))
            .collect();
        dirs.extend(self.unified().filter(|_| !self.v2));
        dirs.sort();
        // joined controllers are links to one directory
        dirs.dedup_by_key(|d| d.parent().and_then(|p| p.canonicalize().ok()));
        dirs
    }

    fn unified(&self) -> Option<PathBuf> {
        let root = Path::new(ROOT).join(if self.v2 { "" } else { "unified" });
        root.join("cgroup.procs").exists().then(|| root.join(&self.name))
    }

    fn set(&self, controller: &str, v1: &[(&str, &str)], v2: &[(&str, &str)]) {
        let (dir, files) = if self.v2 { ("", v2) } else { (controller, v1) };
        for (file, text) in files {
            write(Path::new(ROOT).join(dir).join(&self.name).join(file), text);
        }
    }

    fn add(&self, process: &Running) -> World {
        let pid = process.0.id();
        for dir in self.dirs() {
            write(dir.join("cgroup.procs"), &pid.to_string());
        }
        World {
            kubelet: Some(Process {
                pid,
                name: "kubelet".into(),
                cgroup: Some(format!("/{}", self.name)),
            }),
            ..World::default()
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for dir in self.dirs() {
            // The killed process leaves in a moment.
            for _ in 0..1000 {
                match std::fs::remove_dir(&dir) {
                    Err(why) if why.raw_os_error() == Some(rustix::io::Errno::BUSY.raw_os_error()) => {
                        std::thread::yield_now();
                    }
                    _ => break,
                }
            }
        }
    }
}

#[tokio::test]
async fn a_quota_and_limits_that_bind() {
    let group = Group::new("limits");
    let busy = Running::sh("while :; do :; done");
    let world = group.add(&busy);
    let seen = look(&mut Cgroup, &scene(world.clone())).await;
    let free = fact(&seen, "role", "kubelet");
    assert_eq!(
        (free.int("cpu_quota_percent"), free.int("throttled_percent")),
        (None, None)
    );
    assert_eq!(
        (free.int("pids"), free.int("pids_max"), free.text("frozen")),
        (Some(1), None, Some("no"))
    );
    assert!(free.int("memory_mb").is_some() && free.int("memory_max_mb").is_none());

    group.set(
        "cpu",
        &[("cpu.cfs_period_us", "100000"), ("cpu.cfs_quota_us", "3000")],
        &[("cpu.max", "3000 100000")],
    );
    group.set(
        "memory",
        &[("memory.limit_in_bytes", "67108864")],
        &[("memory.max", "67108864"), ("memory.high", "33554432")],
    );
    group.set("pids", &[("pids.max", "2")], &[("pids.max", "2")]);
    let seen = look(&mut Cgroup, &scene(world)).await;
    let bound = fact(&seen, "role", "kubelet");
    assert_eq!(bound.int("cpu_quota_percent"), Some(3));
    // It wants all of a CPU and may have 3 % of one: nearly all of the look it is held.
    assert!(bound.int("throttled_percent").unwrap() >= 50, "{seen:?}");
    assert!(bound.int("throttled_periods_percent").unwrap() >= 50, "{seen:?}");
    assert_eq!(
        (bound.int("memory_max_mb"), bound.int("pids_percent")),
        (Some(64), Some(50))
    );
    if group.v2 {
        assert_eq!(
            (bound.int("memory_high_mb"), bound.int("high_per_min")),
            (Some(32), Some(0))
        );
    }
    // Pressure is accounted by cgroup in the version 2 tree only.
    let accounted = group.unified().is_some_and(|dir| dir.join("cpu.pressure").exists());
    assert_eq!(bound.int("cpu_some_percent").is_some(), accounted);
}

#[tokio::test]
async fn a_frozen_one() {
    let group = Group::new("frozen");
    let process = Running::sh("while :; do :; done");
    let world = group.add(&process);
    group.set("freezer", &[("freezer.state", "FROZEN")], &[("cgroup.freeze", "1")]);
    let seen = look(&mut Cgroup, &scene(world.clone())).await;
    assert_eq!(fact(&seen, "role", "kubelet").text("frozen"), Some("yes"));
    group.set("freezer", &[("freezer.state", "THAWED")], &[("cgroup.freeze", "0")]);
    let seen = look(&mut Cgroup, &scene(world)).await;
    assert_eq!(fact(&seen, "role", "kubelet").text("frozen"), Some("no"));
}

#[tokio::test]
async fn who_uses_most() {
    let group = Group::new("consumer");
    let busy = Running::sh("while :; do :; done");
    group.add(&busy);
    let seen = look(&mut Consumers, &scene(World::default())).await;
    let busiest = fact(&seen, "name", &group.name);
    assert!(busiest.int("rank").is_some_and(|r| r <= 3), "{seen:?}");
    assert_eq!(seen.blind, []);
}
