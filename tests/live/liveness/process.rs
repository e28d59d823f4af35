//! Real processes, in every state that the kernel shows.

#![expect(clippy::disallowed_methods, reason = "the test makes cgroups and pipes")]

use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::process::Signal;
use rustix::thread::{CpuSet, sched_setaffinity};
use whynotready::source::look::Look;
use whynotready::source::process::Processes;
use whynotready::world::World;

use super::{Running, fact, look, look_until, process, scene};

fn world(pid: u32) -> World {
    World {
        kubelet: process(pid),
        unit: Some("kubelet.service".into()),
        ..World::default()
    }
}

fn state(look: &Look) -> Option<&str> {
    fact(look).text("state")
}

#[tokio::test]
async fn running_stopped_zombie_and_gone() {
    let mut child = Running::start("sleep", &["1000"]);
    let scene = scene(Path::new("/"), world(child.pid()));
    let seen = look(&mut Processes, &scene).await;
    assert_eq!(state(&seen), Some("running"), "{seen:?}");
    assert_eq!(fact(&seen).int("threads"), Some(1));
    let fds = fs::read_dir(format!("/proc/{}/fd", child.pid())).unwrap().count();
    assert_eq!(fact(&seen).int("fds"), Some(fds as i64));
    assert!(fact(&seen).int("fd_limit").is_some_and(|n| n > 3));
    let age = scene.clock.now().wall.0 - seen.readings[0].began.unwrap().0;
    assert!((0..60_000_000).contains(&age), "{age}");

    child.signal(Signal::STOP);
    let seen = look_until(&mut Processes, &scene, |l| state(l) == Some("stopped")).await;
    assert_eq!(seen.readings[0].began, None, "since when it is stopped nobody knows");
    child.signal(Signal::CONT);
    look_until(&mut Processes, &scene, |l| state(l) == Some("running")).await;

    child.signal(Signal::KILL);
    look_until(&mut Processes, &scene, |l| state(l) == Some("zombie")).await;
    child.0.wait().unwrap();
    let seen = look(&mut Processes, &scene).await;
    assert_eq!(state(&seen), Some("absent"));
}

/// `posix_spawn` suspends its caller uninterruptibly until the new process has opened what it was told to: a pipe that
/// nobody writes to.
#[tokio::test]
async fn a_process_in_uninterruptible_sleep_is_blocked() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    rustix::fs::mkfifoat(CWD, &pipe, Mode::RWXU).unwrap();
    let code = format!(
        "import os; os.posix_spawn('/bin/true', ['true'], {{}}, file_actions=[(os.POSIX_SPAWN_OPEN, 3, '{}', os.O_RDONLY, 0)])",
        pipe.display()
    );
    let mut child = Running::start("python3", &["-c", &code]);
    let scene = scene(Path::new("/"), world(child.pid()));
    let seen = look_until(&mut Processes, &scene, |l| state(l) == Some("blocked")).await;
    assert_eq!(fact(&seen).int("blocked_threads"), Some(1));
    assert!(
        fact(&seen).text("wchan").is_some(),
        "user 0 with every capability may know: {seen:?}"
    );
    let _writer = rustix::fs::open(&pipe, OFlags::WRONLY, Mode::empty()).unwrap();
    child.0.wait().unwrap();
}

/// A cgroup of the freezer, v1 or v2.
struct Freezer {
    dir: PathBuf,
    v1: bool,
}

impl Freezer {
    fn make() -> Self {
        let v1 = Path::new("/sys/fs/cgroup/freezer").exists();
        let root = if v1 { "/sys/fs/cgroup/freezer" } else { "/sys/fs/cgroup" };
        let dir = Path::new(root).join(format!("whynotready-test-{}", std::process::id()));
        fs::create_dir(&dir).unwrap();
        Self { dir, v1 }
    }

    fn set(&self, frozen: bool) {
        let (file, value) = match (self.v1, frozen) {
            (true, true) => ("freezer.state", "FROZEN"),
            (true, false) => ("freezer.state", "THAWED"),
            (false, true) => ("cgroup.freeze", "1"),
            (false, false) => ("cgroup.freeze", "0"),
        };
        fs::write(self.dir.join(file), value).unwrap();
    }
}

#[tokio::test]
async fn a_frozen_cgroup_is_told_from_a_stopped_process() {
    let freezer = Freezer::make();
    let mut child = Running::start("sleep", &["1000"]);
    fs::write(freezer.dir.join("cgroup.procs"), child.pid().to_string()).unwrap();
    let scene = scene(Path::new("/"), world(child.pid()));
    freezer.set(true);
    look_until(&mut Processes, &scene, |l| state(l) == Some("frozen")).await;
    freezer.set(false);
    look_until(&mut Processes, &scene, |l| state(l) == Some("running")).await;
    child.signal(Signal::KILL);
    child.0.wait().unwrap();
    fs::remove_dir(&freezer.dir).unwrap();
}

#[tokio::test]
async fn who_shares_a_cpu_with_others_waits_for_it() {
    let spin = || Running::start("sh", &["-c", "while :; do :; done"]);
    let (one, two) = (spin(), spin());
    let mut cpus = CpuSet::new();
    cpus.set(0);
    for child in [&one, &two] {
        let pid = rustix::process::Pid::from_raw(child.pid().cast_signed());
        sched_setaffinity(pid, &cpus).unwrap();
    }
    let scene = scene(Path::new("/"), world(one.pid()));
    let waited = |l: &Look| fact(l).int("run_delay_percent").is_some_and(|n| n > 0);
    let seen = look_until(&mut Processes, &scene, waited).await;
    assert_eq!(state(&seen), Some("running"));
}

#[tokio::test]
async fn without_the_nodes_proc_it_is_blind_and_with_it_absence_is_seen() {
    let root = tempfile::tempdir().unwrap();
    let mut world = world(1);
    world.kubelet = None;
    let scene = scene(root.path(), world);
    let seen = look(&mut Processes, &scene).await;
    assert_eq!(seen.readings, []);
    assert!(seen.blind[0].grant.as_deref().unwrap().contains("/host/proc"));
    fs::create_dir_all(root.path().join("proc/1")).unwrap();
    fs::write(root.path().join("proc/1/comm"), "systemd\n").unwrap();
    let seen = look(&mut Processes, &scene).await;
    assert_eq!(seen.blind, []);
    assert_eq!(state(&seen), Some("absent"));
    assert_eq!(
        seen.readings[0].text,
        "kubelet  no process; its unit is kubelet.service"
    );
}
