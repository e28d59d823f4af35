//! Who uses most memory, CPU time, I/O and tasks: the three largest cgroups of each, pods by name space and name.
//!
//! A pod's name is from the directory that the kubelet makes for its logs (`/var/log/pods/<namespace>_<name>_<uid>`), so
//! that the API server is not asked. A pod counts as one, as does a service; what is in neither goes by its cgroup.
//! Amounts are MiB of memory (page cache included), per cent of one CPU, KiB of I/O a second, and tasks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::cgroup_tree::Tree;
use super::figures::{first_number, keyed, mib};
use super::look::{Look, Looking, Reading, Sampler, blocking};
use super::scene::Scene;
use super::window::{self, Elapsed};
use crate::grammar::fact::{Fact, Kind};
use crate::host::Host;

/// The cgroups of the node.
#[derive(Debug, Default)]
pub struct Consumers;

/// Named of each.
const NAMED: usize = 3;
/// Cgroups looked at: 2048.
const GROUPS: usize = 2048;
/// Directories opened to find them: 4096.
const OPENED: usize = 4096;
/// Below the root: 8 levels. The kubelet's pods are at the third, nested ones (kind) at the sixth.
const DEPTH: usize = 8;

/// One consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    /// Relative to the root of the hierarchy.
    path: PathBuf,
    name: String,
    memory: u64,
    tasks: u64,
    work: Work,
}

/// Counters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Work {
    /// Microseconds of CPU time.
    cpu: u64,
    /// Bytes read from and written to devices.
    io: u64,
}

impl Sampler for Consumers {
    fn name(&self) -> &'static str {
        "consumers"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Consumer]
    }

    fn budget(&self) -> Duration {
        window::BUDGET
    }

    fn look<'a>(&'a mut self, scene: &'a Scene) -> Looking<'a> {
        Box::pin(async move {
            let mut look = Look::default();
            let host = scene.host.clone();
            let found =
                Tree::of(&host).map(|tree| async move { Some((tree, blocking(move || groups(&host, tree)).await?)) });
            let found = match found {
                Some(found) => found.await,
                None => None,
            };
            let Some((tree, groups)) = found else {
                look.missed(
                    Kind::Consumer,
                    "/sys/fs/cgroup is not mounted where the agent is",
                    Some("the node's /sys/fs/cgroup at /host/sys/fs/cgroup, read-only"),
                );
                return look;
            };
            rank(
                &mut look,
                ("memory", "memory", "MiB"),
                groups.iter().map(|g| (&*g.name, mib(g.memory))),
            );
            rank(
                &mut look,
                ("tasks", "tasks", ""),
                groups.iter().map(|g| (&*g.name, g.tasks as i64)),
            );
            if !scene.host.is_live() {
                return look;
            }
            let started = scene.clock.now();
            tokio::time::sleep(window::LENGTH).await;
            let (host, before) = (scene.host.clone(), groups.clone());
            let after = blocking(move || before.iter().map(|g| work(&host, tree, &g.path)).collect::<Vec<_>>()).await;
            if let (Some(after), Some(window)) = (after, Elapsed::from_micros(scene.clock.since(started))) {
                rates(&mut look, &groups, &after, window);
            }
            look
        })
    }
}

fn rates(look: &mut Look, groups: &[Group], after: &[Work], window: Elapsed) {
    let rate = |of: fn(&Work) -> u64, unit: u64| {
        groups.iter().zip(after).map(move |(g, after)| {
            let spent = of(after).saturating_sub(of(&g.work));
            (&*g.name, window.per_second(spent) / unit as i64)
        })
    };
    // Microseconds a second, of which 10,000 are one per cent.
    rank(look, ("cpu", "CPU", "% of one"), rate(|w| w.cpu, 10_000));
    rank(look, ("io", "I/O", "KiB/s"), rate(|w| w.io, 1024));
}

fn rank<'a>(
    look: &mut Look,
    (what, word, unit): (&'static str, &str, &str),
    amounts: impl Iterator<Item = (&'a str, i64)>,
) {
    let mut all: Vec<(&str, i64)> = amounts.filter(|(_, amount)| *amount > 0).collect();
    all.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    all.truncate(NAMED);
    if all.is_empty() {
        return;
    }
    let mut text = format!("most {word}");
    let facts = all
        .iter()
        .zip(1..)
        .map(|((name, amount), rank)| {
            text += format!("  {name} {amount} {unit}").trim_end();
            Fact::new(Kind::Consumer)
                .with("what", what)
                .with_text("name", (*name).to_owned())
                .with_int("amount", *amount)
                .with_int("rank", rank)
        })
        .collect();
    look.readings.push(Reading {
        text,
        facts,
        began: None,
    });
}

/// Walks the tree of the memory controller.
fn groups(host: &Host, tree: Tree) -> Vec<Group> {
    let pods = pods(host);
    let root = tree.root("memory");
    let mut groups = Vec::new();
    let mut todo = vec![(PathBuf::new(), 0)];
    let mut opened = 0;
    while let Some((path, depth)) = todo.pop() {
        opened += 1;
        if opened > OPENED || groups.len() >= GROUPS {
            break;
        }
        let below = if is_whole(&path) || depth >= DEPTH {
            Vec::new()
        } else {
            host.directories(root.join(&path)).unwrap_or_default()
        };
        if below.is_empty() && depth > 0 {
            groups.push(group(host, tree, path, &pods));
        } else {
            todo.extend(below.into_iter().map(|name| (path.join(name), depth + 1)));
        }
    }
    groups
}

/// A pod, a service or a scope is not taken apart.
fn is_whole(path: &Path) -> bool {
    let unit = path.extension().is_some_and(|e| e == "service" || e == "scope");
    unit || uid(path).is_some()
}

/// `kubepods-burstable-pod<uid with _>.slice` (systemd driver) or `pod<uid>` (cgroupfs driver), below `kubepods`.
fn uid(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    if !path.to_str()?.contains("kubepods") {
        return None;
    }
    let (_, uid) = name.trim_end_matches(".slice").rsplit_once("pod")?;
    let long = uid.len() >= 32 && uid.bytes().all(|b| b.is_ascii_hexdigit() || b == b'_' || b == b'-');
    long.then(|| uid.replace('_', "-"))
}

fn group(host: &Host, tree: Tree, path: PathBuf, pods: &BTreeMap<String, String>) -> Group {
    let name = match uid(&path) {
        Some(uid) => pods.get(&uid).cloned().unwrap_or_else(|| format!("pod {uid}")),
        None => path.display().to_string(),
    };
    let file = |controller: &str, v2: &str, v1: &str| {
        let file = if tree == Tree::V2 { v2 } else { v1 };
        first_number(&host.text(tree.root(controller).join(&path).join(file)).ok()?)
    };
    Group {
        memory: file("memory", "memory.current", "memory.usage_in_bytes").unwrap_or(0),
        tasks: file("pids", "pids.current", "pids.current").unwrap_or(0),
        work: work(host, tree, &path),
        name,
        path,
    }
}

fn work(host: &Host, tree: Tree, path: &Path) -> Work {
    let text = |controller: &str, file: &str| {
        host.text(tree.root(controller).join(path).join(file))
            .unwrap_or_default()
    };
    match tree {
        Tree::V2 => Work {
            cpu: keyed(&text("cpu", "cpu.stat"), "usage_usec").unwrap_or(0),
            // `254:0 rbytes=1 wbytes=2 rios=…`
            io: text("io", "io.stat")
                .split_whitespace()
                .filter_map(|w| {
                    w.strip_prefix("rbytes=")
                        .or_else(|| w.strip_prefix("wbytes="))?
                        .parse::<u64>()
                        .ok()
                })
                .fold(0, u64::saturating_add),
        },
        Tree::V1 { .. } => Work {
            cpu: first_number(&text("cpuacct", "cpuacct.usage")).unwrap_or(0) / 1000,
            // `254:0 Read 1`, …, and at the end `Total 3`
            io: keyed(&text("blkio", "blkio.throttle.io_service_bytes_recursive"), "Total")
                .or_else(|| keyed(&text("blkio", "blkio.throttle.io_service_bytes"), "Total"))
                .unwrap_or(0),
        },
    }
}

/// Uid to `namespace/name`.
fn pods(host: &Host) -> BTreeMap<String, String> {
    let names = host.directories("/var/log/pods").unwrap_or_default();
    let parts = |name: &String| {
        let (rest, uid) = name.rsplit_once('_')?;
        let (namespace, pod) = rest.split_once('_')?;
        Some((uid.to_owned(), format!("{namespace}/{pod}")))
    };
    names.iter().filter_map(parts).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::test_scene::{captured, run, write};

    const UID: &str = "0f1e2d3c-1111-2222-3333-444455556666";

    fn node() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let file = |path: &str, text: &str| write(&dir, &format!("/sys/fs/cgroup/{path}"), text);
        file("cgroup.controllers", "cpu io memory pids");
        let pod = format!(
            "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{}.slice",
            UID.replace('-', "_")
        );
        file(&format!("{pod}/memory.current"), "1073741824\n");
        file(&format!("{pod}/pids.current"), "30\n");
        file(&format!("{pod}/cri-a.scope/memory.current"), "999999999999\n");
        file("system.slice/containerd.service/memory.current", "209715200\n");
        file("system.slice/containerd.service/pids.current", "300\n");
        file("system.slice/containerd.service/cpu.stat", "usage_usec 1000\n");
        file(
            "system.slice/containerd.service/io.stat",
            "254:0 rbytes=10 wbytes=20 rios=5\n254:1 rbytes=70\n",
        );
        file(
            "kubepods/pod11111111111111111111111111111111/memory.current",
            "314572800\n",
        );
        file("init.scope/memory.current", "1048576\n");
        write(&dir, &format!("/var/log/pods/prod_db-0_{UID}/x/0.log"), "");
        dir
    }

    #[tokio::test]
    async fn the_three_largest_with_pods_by_name() {
        let dir = node();
        let look = run(&mut Consumers, &captured(&dir)).await;
        let texts: Vec<&str> = look.readings.iter().map(|r| r.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "most memory  prod/db-0 1024 MiB  pod 11111111111111111111111111111111 300 MiB  system.slice/containerd.service 200 MiB",
                "most tasks  system.slice/containerd.service 300  prod/db-0 30"
            ]
        );
        let second = &look.readings[1].facts[1];
        assert_eq!(
            (second.int("rank"), second.int("amount"), second.text("name")),
            (Some(2), Some(30), Some("prod/db-0"))
        );
    }

    #[test]
    fn work_of_a_second() {
        let dir = node();
        let host = Host::at(dir.path());
        let all = groups(&host, Tree::V2);
        let after: Vec<Work> = all
            .iter()
            .map(|g| Work {
                cpu: g.work.cpu + 500_000 * u64::from(g.tasks == 300),
                io: g.work.io + 2048 * u64::from(g.tasks == 30),
            })
            .collect();
        let mut look = Look::default();
        rates(&mut look, &all, &after, Elapsed::from_micros(1_000_000).unwrap());
        assert_eq!(
            look.readings[0].text,
            "most CPU  system.slice/containerd.service 50 % of one"
        );
        assert_eq!(look.readings[1].text, "most I/O  prod/db-0 2 KiB/s");
        assert_eq!(all.iter().map(|g| g.work.io).max(), Some(100));
    }

    #[tokio::test]
    async fn no_cgroups_is_a_gap() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(run(&mut Consumers, &captured(&dir)).await.blind.len(), 1);
    }
}
