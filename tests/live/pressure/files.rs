//! File systems that are full, read-only or silent, and tasks that wait for one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use whynotready::source::blocked::Blocked;
use whynotready::source::filesystem::Filesystem;
use whynotready::source::look::{Look, Sampler};
use whynotready::world::World;

use crate::{Running, fact, inside, look, scene, sh};

/// Mounts of its own, and a `/proc/1/mountinfo` that shows them.
const NAMESPACES: [&str; 5] = ["--mount", "--propagation=private", "--pid", "--fork", "--mount-proc"];

fn kubelet_at(dir: &Path) -> World {
    World {
        root_dir: dir.to_owned(),
        ..World::default()
    }
}

/// A FUSE file system whose daemon never says a word, until it is told to go.
fn silent(dir: &Path) -> Running {
    let mut shell = Running::sh(&format!(
        "exec 3<>/dev/fuse; mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 silent {}; echo there; read line",
        dir.display()
    ));
    assert_eq!(shell.line(), "there\n");
    shell
}

fn mount(dir: &Path, options: &str) {
    sh(&format!("mount -t tmpfs -o {options} tmpfs {}", dir.display()));
}

#[tokio::test]
async fn space_inodes_and_read_only() {
    if !inside("files::space_inodes_and_read_only", &NAMESPACES) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    let world = kubelet_at(path);
    mount(path, "size=4m,nr_inodes=64");
    let seen = look(&mut Filesystem::default(), &scene(world.clone())).await;
    let healthy = fact(&seen, "role", "kubelet");
    assert_eq!(
        (healthy.int("used_percent"), healthy.int("free_mb")),
        (Some(0), Some(4))
    );
    assert_eq!(
        (healthy.text("read_only"), healthy.text("answers")),
        (Some("no"), Some("yes"))
    );
    assert_eq!(healthy.text("fs"), Some("tmpfs"));
    assert!(fact(&seen, "role", "root").int("used_percent").is_some());

    sh(&format!(
        "dd if=/dev/zero of={0}/x bs=1M count=9 2>/dev/null || true",
        path.display()
    ));
    let seen = look(&mut Filesystem::default(), &scene(world.clone())).await;
    let full = fact(&seen, "role", "kubelet");
    assert_eq!((full.int("used_percent"), full.int("free_mb")), (Some(100), Some(0)));
    assert!(full.int("inodes_used_percent").unwrap() < 50);

    sh(&format!(
        "rm {0}/x; for n in $(seq 100); do true 2>/dev/null >{0}/$n || break; done",
        path.display()
    ));
    let seen = look(&mut Filesystem::default(), &scene(world.clone())).await;
    let inodes = fact(&seen, "role", "kubelet");
    assert_eq!(
        (inodes.int("inodes_used_percent"), inodes.int("used_percent")),
        (Some(100), Some(0))
    );

    sh(&format!("mount -o remount,ro {}", path.display()));
    let seen = look(&mut Filesystem::default(), &scene(world)).await;
    assert_eq!(fact(&seen, "role", "kubelet").text("read_only"), Some("yes"));
}

#[tokio::test]
async fn a_read_only_root_as_a_pod_sees_it_is_the_nodes_affair() {
    if !inside(
        "files::a_read_only_root_as_a_pod_sees_it_is_the_nodes_affair",
        &NAMESPACES,
    ) {
        return;
    }
    // The agent's own mount of a directory is read-only; the node's is not.
    let dir = tempfile::tempdir().unwrap();
    let node = dir.path().join("host");
    sh(&format!(
        "mkdir -p {0}/proc {0}/var/log; mount --bind / {0}; mount -o remount,bind,ro {0}",
        node.display()
    ));
    sh(&format!("mount -t proc proc {}/proc", node.display()));
    let mut scene = scene(World::default());
    scene.host = whynotready::host::Host::at(&node).beside("/");
    let seen = look(&mut Filesystem::default(), &scene).await;
    let root = fact(&seen, "role", "root");
    assert_eq!(
        (root.text("read_only"), root.text("answers")),
        (Some("no"), Some("yes"))
    );
}

#[tokio::test]
async fn one_that_hangs_is_not_waited_for() {
    if !inside("files::one_that_hangs_is_not_waited_for", &NAMESPACES) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut daemon = silent(dir.path());
    let scene = scene(kubelet_at(dir.path()));
    let mut sampler = Filesystem::default();
    for _ in 0..2 {
        let seen = look(&mut sampler, &scene).await;
        assert_eq!(fact(&seen, "role", "kubelet").text("answers"), Some("no"));
        assert_eq!(fact(&seen, "role", "root").text("answers"), Some("yes"));
    }
    daemon.tell("go");
    drop(daemon);
    sh(&format!("umount -l {}", dir.path().display()));
    // The thread that asked is free again, or this test would never end.
    let seen = look(&mut sampler, &scene).await;
    assert_eq!(fact(&seen, "role", "root").text("answers"), Some("yes"));
}

#[tokio::test]
async fn who_waits_for_it_is_blocked() {
    if !inside("files::who_waits_for_it_is_blocked", &NAMESPACES) {
        return;
    }
    let (dir, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let scene = scene(World::default());
    let healthy = look(&mut Blocked, &scene).await;
    assert_eq!(
        (healthy.readings[0].facts[0].int("count"), healthy.blind.len()),
        (Some(0), 0)
    );

    let mut daemon = silent(dir.path());
    let named = copy.path().join("waits-for-io");
    sh(&format!("cp $(command -v stat) {}", named.display()));
    let waiting = Running::sh(&format!("exec {} -f {}", named.display(), dir.path().display()));
    let seen = until(&mut Blocked, &scene, |seen| {
        seen.readings[0].facts[0].int("count") == Some(1)
    })
    .await;
    let blocked = &seen.readings[0].facts[0];
    assert_eq!(
        (blocked.text("names"), blocked.text("where")),
        (Some("waits-for-io"), Some("fuse_get_req"))
    );
    daemon.tell("go");
    drop((daemon, waiting));
}

/// Without `/proc` of the node nothing is known of its mounts and processes.
#[tokio::test]
async fn a_node_that_is_not_mounted_is_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let mut scene = scene(kubelet_at(&PathBuf::from("/var/lib/kubelet")));
    scene.host = whynotready::host::Host::at(dir.path()).beside(dir.path());
    for sampler in [&mut Filesystem::default() as &mut dyn Sampler, &mut Blocked] {
        let seen = look(sampler, &scene).await;
        assert_eq!((seen.readings.len(), seen.blind.len()), (0, 1));
        assert!(seen.blind[0].grant.as_ref().unwrap().contains("/host/proc"));
    }
}

/// Looks until it is seen.
async fn until(
    sampler: &mut dyn Sampler,
    scene: &whynotready::source::scene::Scene,
    right: impl Fn(&Look) -> bool,
) -> Look {
    let mut last = Look::default();
    for _ in 0..30 {
        last = look(sampler, scene).await;
        if right(&last) {
            return last;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("never seen; last: {last:#?}");
}
