//! The control groups of the kubelet and the runtime: their limits and what these do to them. Version 2
//! (Documentation/admin-guide/cgroup-v2.rst) and version 1 (cgroup-v1/, scheduler/sched-bwc.rst).
//!
//! A limit of a cgroup above counts as much as one of its own: quota, tasks and memory are those of the tightest one.
//! `memory_percent` is of the working set (usage without inactive file cache), as usage alone sits at its limit in health.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::cgroup_tree::{Paths, Tree, chain};
use super::figures::{add, first_number, keyed, mib, opt_int, opt_yes, percent};
use super::look::{Look, Looking, Sampler};
use super::pressure::Stalls;
use super::scene::Scene;
use super::window::{self, Elapsed};
use crate::grammar::fact::{Fact, Kind};
use crate::host::Host;
use crate::world::World;

/// The cgroups of the kubelet and the runtime.
#[derive(Debug, Default)]
pub struct Cgroup;

/// Where one of them is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Target {
    role: &'static str,
    paths: Paths,
}

/// One reading.
#[derive(Debug, Clone, Default, PartialEq)]
struct Sample {
    /// From the outermost cgroup to its own.
    cpu: Vec<Bandwidth>,
    memory: Option<u64>,
    working_set: Option<u64>,
    memory_max: Option<u64>,
    memory_high: Option<u64>,
    memory_percent: Option<i64>,
    high_events: Option<u64>,
    oom_kills: Option<u64>,
    /// Tasks and limit where they are closest to each other.
    pids: Option<(u64, Option<u64>)>,
    frozen: Option<bool>,
    stalls: [Option<Stalls>; 3],
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Bandwidth {
    /// Of one CPU.
    quota_percent: i64,
    periods: u64,
    throttled: u64,
    throttled_micros: u64,
}

impl Sampler for Cgroup {
    fn name(&self) -> &'static str {
        "cgroup"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Cgroup]
    }

    fn budget(&self) -> Duration {
        window::BUDGET
    }

    fn look<'a>(&'a mut self, scene: &'a Scene) -> Looking<'a> {
        Box::pin(async move {
            let mut look = Look::default();
            let host = &scene.host;
            let Some(tree) = Tree::of(host) else {
                look.missed(
                    Kind::Cgroup,
                    "/sys/fs/cgroup is not mounted where the agent is",
                    Some("the node's /sys/fs/cgroup at /host/sys/fs/cgroup, read-only"),
                );
                return look;
            };
            let targets = targets(host, &scene.world);
            if !targets.iter().any(|t| t.role == "kubelet") {
                look.missed(
                    Kind::Cgroup,
                    "neither the kubelet's process nor its unit is known",
                    None,
                );
            }
            let read = || targets.iter().map(|t| sample(host, tree, &t.paths)).collect::<Vec<_>>();
            let (before, after) = window::twice(scene, window::LENGTH, read).await;
            let (after, window) = after.unzip();
            let mut after = after.unwrap_or_default().into_iter();
            for (target, before) in targets.iter().zip(before) {
                let after = after.next().flatten().zip(window);
                // A unit that does not run has no cgroup: there is nothing to see, and that is not a gap.
                if let Some(before) = before {
                    say(&mut look, (target, tree), &before, after.as_ref());
                }
            }
            look
        })
    }
}

fn targets(host: &Host, world: &World) -> Vec<Target> {
    let unit = |unit: &Option<String>| unit.as_ref().map(|u| format!("/system.slice/{u}"));
    let kubelet = world.kubelet.as_ref();
    let runtime = world.runtime.process.as_ref();
    let of_kubelet = world
        .cgroup
        .clone()
        .or_else(|| kubelet?.cgroup.clone())
        .or_else(|| unit(&world.unit));
    let of_runtime = runtime
        .and_then(|p| p.cgroup.clone())
        .or_else(|| unit(&world.runtime.unit));
    let found = [
        ("kubelet", kubelet.map(|p| p.pid), of_kubelet),
        ("runtime", runtime.map(|p| p.pid), of_runtime),
    ];
    found
        .into_iter()
        .filter(|(_, pid, path)| pid.is_some() || path.is_some())
        .map(|(role, pid, path)| Target {
            role,
            paths: Paths::of(host, pid, &path.unwrap_or_else(|| "/".into())),
        })
        .collect()
}

/// `None` where there is no such cgroup.
fn sample(host: &Host, tree: Tree, paths: &Paths) -> Option<Sample> {
    let names = match tree {
        Tree::V2 => ["", "", ""],
        Tree::V1 { .. } => ["cpu", "memory", "pids"],
    };
    let [cpu, memory, pids] = names.map(|c| chain(&tree.root(c), paths.in_tree(c)));
    let unified = tree
        .unified()
        .map(|root| chain(&root, paths.in_tree("")))
        .unwrap_or_default();
    let own = [&cpu, &memory, &pids, &unified].into_iter().filter_map(|c| c.last());
    let in_root = cpu.is_empty() && memory.is_empty() && pids.is_empty() && unified.is_empty();
    if !in_root && !own.into_iter().any(|dir| host.metadata(dir).is_ok()) {
        return None;
    }
    let v2 = tree == Tree::V2;
    let mut sample = Sample {
        cpu: cpu.iter().filter_map(|dir| bandwidth(host, dir, v2)).collect(),
        pids: closest(&pids, |dir| {
            Some((number(host, dir, "pids.current")?, number(host, dir, "pids.max")))
        }),
        frozen: frozen(host, tree, paths, unified.last()),
        ..Sample::default()
    };
    if v2 {
        memory_v2(host, &memory, &mut sample);
    } else {
        memory_v1(host, &memory, &mut sample);
    }
    if let Some(dir) = unified.last() {
        sample.stalls = ["cpu.pressure", "memory.pressure", "io.pressure"]
            .map(|file| Stalls::parse(&host.text(dir.join(file)).ok()?));
    }
    Some(sample)
}

fn bandwidth(host: &Host, dir: &Path, v2: bool) -> Option<Bandwidth> {
    let (quota, period) = if v2 {
        let text = host.text(dir.join("cpu.max")).ok()?;
        let mut words = text.split_whitespace().map(str::parse::<u64>);
        // `max 100000` is no quota
        (words.next()?.ok()?, words.next()?.ok()?)
    } else {
        // -1 is no quota
        (
            number(host, dir, "cpu.cfs_quota_us")?,
            number(host, dir, "cpu.cfs_period_us")?,
        )
    };
    let stat = host.text(dir.join("cpu.stat")).unwrap_or_default();
    let nanos = keyed(&stat, "throttled_time").map(|n| n / 1000);
    Some(Bandwidth {
        quota_percent: percent(quota, period)?,
        periods: keyed(&stat, "nr_periods").unwrap_or(0),
        throttled: keyed(&stat, "nr_throttled").unwrap_or(0),
        throttled_micros: keyed(&stat, "throttled_usec").or(nanos).unwrap_or(0),
    })
}

fn memory_v2(host: &Host, chain: &[PathBuf], sample: &mut Sample) {
    let used = |dir: &PathBuf| {
        let stat = host.text(dir.join("memory.stat")).unwrap_or_default();
        let cache = keyed(&stat, "inactive_file").unwrap_or(0);
        Some((number(host, dir, "memory.current")?, cache))
    };
    let events = |dir: &PathBuf, file: &str, key: &str| keyed(&host.text(dir.join(file)).ok()?, key);
    memory(host, chain, sample, ("memory.max", used));
    sample.memory_high = chain.iter().filter_map(|dir| number(host, dir, "memory.high")).min();
    let Some((own, above)) = chain.split_last() else { return };
    // What is counted above includes the other cgroups below: there only its own excess throttles this one (5.2).
    sample.high_events = above
        .iter()
        .filter_map(|dir| events(dir, "memory.events.local", "high"))
        .chain(events(own, "memory.events", "high"))
        .reduce(u64::saturating_add);
    sample.oom_kills = events(own, "memory.events", "oom_kill");
}

fn memory_v1(host: &Host, chain: &[PathBuf], sample: &mut Sample) {
    let used = |dir: &PathBuf| {
        let stat = host.text(dir.join("memory.stat")).unwrap_or_default();
        let cache = keyed(&stat, "total_inactive_file").unwrap_or(0);
        Some((number(host, dir, "memory.usage_in_bytes")?, cache))
    };
    memory(host, chain, sample, ("memory.limit_in_bytes", used));
    let control = chain
        .last()
        .and_then(|own| host.text(own.join("memory.oom_control")).ok());
    sample.oom_kills = control.and_then(|text| keyed(&text, "oom_kill"));
}

/// Usage of its own cgroup, and the limit that is closest of all.
fn memory(
    host: &Host,
    chain: &[PathBuf],
    sample: &mut Sample,
    (file, used): (&str, impl Fn(&PathBuf) -> Option<(u64, u64)>),
) {
    /// Version 1 writes "no limit" as the largest number of whole pages.
    const NONE: u64 = 1 << 62;
    if let Some((usage, cache)) = chain.last().and_then(&used) {
        sample.memory = Some(usage);
        sample.working_set = Some(usage.saturating_sub(cache));
    }
    for dir in chain {
        let Some(limit) = number(host, dir, file).filter(|l| *l < NONE) else {
            continue;
        };
        sample.memory_max = Some(sample.memory_max.map_or(limit, |l| l.min(limit)));
        let share = used(dir).and_then(|(usage, cache)| percent(usage.saturating_sub(cache), limit));
        sample.memory_percent = sample.memory_percent.max(share);
    }
}

fn frozen(host: &Host, tree: Tree, paths: &Paths, unified: Option<&PathBuf>) -> Option<bool> {
    // Both follow what is frozen above.
    let new = unified.and_then(|dir| keyed(&host.text(dir.join("cgroup.events")).ok()?, "frozen"));
    let old = match tree {
        Tree::V2 => None,
        Tree::V1 { .. } => {
            let dir = chain(&tree.root("freezer"), paths.in_tree("freezer")).pop();
            dir.and_then(|dir| host.text(dir.join("freezer.state")).ok())
        }
    };
    match (new, old) {
        (None, None) => None,
        (new, old) => Some(new == Some(1) || old.is_some_and(|state| state.trim() != "THAWED")),
    }
}

/// Of used and limit at each level, the pair with the largest share; without any limit its own.
fn closest(chain: &[PathBuf], read: impl Fn(&PathBuf) -> Option<(u64, Option<u64>)>) -> Option<(u64, Option<u64>)> {
    let all: Vec<_> = chain.iter().rev().filter_map(read).collect();
    let share = |pair: &&(u64, Option<u64>)| percent(pair.0, pair.1.unwrap_or(0));
    let tightest = all.iter().filter(|p| p.1.is_some()).max_by_key(share);
    tightest.or(all.first()).copied()
}

fn number(host: &Host, dir: &Path, file: &str) -> Option<u64> {
    first_number(&host.text(dir.join(file)).ok()?)
}

fn say(look: &mut Look, (target, tree): (&Target, Tree), before: &Sample, after: Option<&(Sample, Elapsed)>) {
    let now = after.map_or(before, |(after, _)| after);
    let path = target.paths.in_tree(if tree == Tree::V2 { "" } else { "cpu" });
    let fact = Fact::new(Kind::Cgroup)
        .with("role", target.role)
        .with_text("path", path.to_owned())
        .with_int("version", tree.version());
    let mut said = (format!("cgroup of the {}  {path}", target.role), fact);
    if now.frozen == Some(true) {
        said.0 += "  frozen";
    }
    said.1 = opt_yes(said.1, "frozen", now.frozen);
    let said = cpu(said, before, after);
    let said = memory_and_tasks(said, before, after);
    let (text, fact) = stalls(said, before, after);
    look.saw(text, fact);
}

fn cpu((mut text, mut fact): (String, Fact), before: &Sample, after: Option<&(Sample, Elapsed)>) -> (String, Fact) {
    let now = after.map_or(before, |(after, _)| after);
    if let Some(quota) = now.cpu.iter().map(|b| b.quota_percent).min() {
        add(&mut text, format_args!("  CPU quota {quota} % of one"));
        fact = fact.with_int("cpu_quota_percent", quota);
    }
    // A level that has just got or lost its quota is no pair.
    let Some((after, window)) = after.filter(|(after, _)| after.cpu.len() == before.cpu.len()) else {
        return (text, fact);
    };
    let levels = || before.cpu.iter().zip(&after.cpu);
    let time = levels()
        .map(|(b, a)| window.share(a.throttled_micros.saturating_sub(b.throttled_micros)))
        .max();
    let periods = |(b, a): (&Bandwidth, &Bandwidth)| {
        percent(
            a.throttled.saturating_sub(b.throttled),
            a.periods.saturating_sub(b.periods),
        )
    };
    let periods = levels().filter_map(periods).max();
    if let Some(time) = time {
        add(&mut text, format_args!("  throttled {time} % of the last {window}"));
    }
    if let Some(periods) = periods {
        add(&mut text, format_args!(", in {periods} % of its periods"));
    }
    fact = opt_int(fact, "throttled_percent", time);
    (text, opt_int(fact, "throttled_periods_percent", periods))
}

fn memory_and_tasks(
    (mut text, mut fact): (String, Fact),
    before: &Sample,
    after: Option<&(Sample, Elapsed)>,
) -> (String, Fact) {
    let now = after.map_or(before, |(after, _)| after);
    if let Some(memory) = now.memory {
        add(&mut text, format_args!("  memory {} MiB", mib(memory)));
        if let Some(set) = now.working_set {
            add(&mut text, format_args!(" (working set {})", mib(set)));
        }
    }
    for (name, limit) in [("max", now.memory_max), ("high", now.memory_high)] {
        if let Some(limit) = limit {
            add(&mut text, format_args!(", {name} {} MiB", mib(limit)));
        }
    }
    if let Some(share) = now.memory_percent {
        add(&mut text, format_args!(", {share} % of its limit"));
    }
    let high = after.and_then(|(after, window)| {
        let events = after.high_events?.saturating_sub(before.high_events?);
        Some(window.per_second(events.saturating_mul(60)))
    });
    if let Some(high) = high.filter(|h| *h > 0) {
        add(&mut text, format_args!("  over its high limit {high} times a minute"));
    }
    if let Some(kills) = now.oom_kills.filter(|k| *k > 0) {
        add(&mut text, format_args!("  {kills} killed for memory in all"));
    }
    let (pids, pids_max) = now.pids.map_or((None, None), |(used, max)| (Some(used), max));
    if let Some(pids) = pids {
        add(&mut text, format_args!("  tasks {pids}"));
    }
    if let Some(max) = pids_max {
        add(&mut text, format_args!(" of {max}"));
    }
    fact = opt_int(fact, "memory_mb", now.memory.map(mib));
    fact = opt_int(fact, "memory_max_mb", now.memory_max.map(mib));
    fact = opt_int(fact, "memory_high_mb", now.memory_high.map(mib));
    fact = opt_int(fact, "memory_percent", now.memory_percent);
    fact = opt_int(fact, "high_per_min", high);
    fact = opt_int(fact, "oom_kills", now.oom_kills.map(|k| k as i64));
    fact = opt_int(fact, "pids", pids.map(|p| p as i64));
    fact = opt_int(fact, "pids_max", pids_max.map(|p| p as i64));
    let share = pids.zip(pids_max).and_then(|(used, max)| percent(used, max));
    (text, opt_int(fact, "pids_percent", share))
}

fn stalls((mut text, mut fact): (String, Fact), before: &Sample, after: Option<&(Sample, Elapsed)>) -> (String, Fact) {
    let Some((after, window)) = after else {
        return (text, fact);
    };
    let shares = |n: usize| {
        let (before, after) = (before.stalls.get(n)?.as_ref()?, after.stalls.get(n)?.as_ref()?);
        Some(after.shares(before, *window))
    };
    let (cpu, memory, io) = (shares(0), shares(1), shares(2));
    let all = [
        ("cpu_some_percent", "CPU", cpu.map(|(some, _)| some)),
        ("memory_some_percent", "memory", memory.map(|(some, _)| some)),
        (
            "memory_full_percent",
            "memory (all tasks)",
            memory.and_then(|(_, full)| full),
        ),
        ("io_full_percent", "I/O (all tasks)", io.and_then(|(_, full)| full)),
    ];
    if all.iter().any(|(_, _, share)| share.is_some()) {
        text += "  waited";
    }
    for (name, what, share) in all {
        if let Some(share) = share {
            add(&mut text, format_args!(" {what} {share} %"));
        }
        fact = opt_int(fact, name, share);
    }
    (text, fact)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::test_scene::{captured, run, write};
    use crate::world::Process;

    const DIR: &str = "/sys/fs/cgroup/system.slice/kubelet.service";

    fn v2() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        write(&dir, "/sys/fs/cgroup/cgroup.controllers", "cpu memory pids");
        let file = |name: &str, text: &str| write(&dir, &format!("{DIR}/{name}"), text);
        file("cpu.max", "max 100000\n");
        file(
            "cpu.stat",
            "usage_usec 9\nnr_periods 100\nnr_throttled 90\nthrottled_usec 5000000\n",
        );
        file("memory.current", "104857600\n");
        file("memory.stat", "anon 1\ninactive_file 31457280\n");
        file("memory.max", "max\n");
        file("memory.high", "max\n");
        file("memory.events", "low 0\nhigh 10\nmax 0\noom 0\noom_kill 2\n");
        file("pids.current", "20\n");
        file("pids.max", "4000\n");
        file("cgroup.events", "populated 1\nfrozen 0\n");
        dir
    }

    fn scene(dir: &tempfile::TempDir) -> Scene {
        let mut scene = captured(dir);
        scene.world.unit = Some("kubelet.service".into());
        scene
    }

    #[tokio::test]
    async fn limits_above_count() {
        let dir = v2();
        write(&dir, "/sys/fs/cgroup/system.slice/cpu.max", "5000 100000\n");
        write(&dir, "/sys/fs/cgroup/system.slice/memory.max", "209715200\n");
        write(&dir, "/sys/fs/cgroup/system.slice/memory.current", "188743680\n");
        write(&dir, "/sys/fs/cgroup/system.slice/pids.max", "100\n");
        write(&dir, "/sys/fs/cgroup/system.slice/pids.current", "95\n");
        let look = run(&mut Cgroup, &scene(&dir)).await;
        assert_eq!(
            look.readings[0].text,
            "cgroup of the kubelet  /system.slice/kubelet.service  CPU quota 5 % of one  memory 100 MiB (working set 70), max \
             200 MiB, 90 % of its limit  2 killed for memory in all  tasks 95 of 100"
        );
        let fact = &look.readings[0].facts[0];
        assert_eq!(
            (fact.int("pids_percent"), fact.int("throttled_percent")),
            (Some(95), None)
        );
        assert_eq!(fact.text("frozen"), Some("no"));
    }

    #[test]
    fn a_second_under_a_quota() {
        let dir = v2();
        write(&dir, &format!("{DIR}/cpu.max"), "2000 100000\n");
        let (host, paths) = (
            Host::at(dir.path()),
            Paths::of(&Host::at(dir.path()), None, "/system.slice/kubelet.service"),
        );
        let before = sample(&host, Tree::V2, &paths).unwrap();
        write(
            &dir,
            &format!("{DIR}/cpu.stat"),
            "nr_periods 110\nnr_throttled 99\nthrottled_usec 5930000\n",
        );
        write(&dir, &format!("{DIR}/memory.events"), "high 25\noom_kill 2\n");
        write(&dir, &format!("{DIR}/cgroup.events"), "populated 1\nfrozen 1\n");
        let after = sample(&host, Tree::V2, &paths).unwrap();
        let mut look = Look::default();
        let target = Target { role: "kubelet", paths };
        say(
            &mut look,
            (&target, Tree::V2),
            &before,
            Some(&(after, Elapsed::from_micros(1_000_000).unwrap())),
        );
        let fact = &look.readings[0].facts[0];
        assert_eq!(
            (fact.int("throttled_percent"), fact.int("throttled_periods_percent")),
            (Some(93), Some(90))
        );
        assert_eq!(
            (fact.int("high_per_min"), fact.text("frozen")),
            (Some(900), Some("yes"))
        );
    }

    #[tokio::test]
    async fn version_1() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| write(&dir, &format!("/sys/fs/cgroup/{name}"), text);
        write(
            &dir,
            "/proc/7/cgroup",
            "4:memory:/k\n3:cpu,cpuacct:/k\n2:pids:/k\n1:freezer:/k\n",
        );
        file("cpu/k/cpu.cfs_quota_us", "-1\n");
        file("memory/k/memory.usage_in_bytes", "104857600\n");
        file("memory/k/memory.limit_in_bytes", "9223372036854771712\n");
        file("pids/k/pids.current", "7\n");
        file("pids/k/pids.max", "max\n");
        file("freezer/k/freezer.state", "FROZEN\n");
        let mut scene = captured(&dir);
        scene.world.kubelet = Some(Process {
            pid: 7,
            name: "kubelet".into(),
            cgroup: Some("/k".into()),
        });
        let look = run(&mut Cgroup, &scene).await;
        assert_eq!(
            look.readings[0].text,
            "cgroup of the kubelet  /k  frozen  memory 100 MiB (working set 100)  tasks 7"
        );
        file("cpu/k/cpu.cfs_quota_us", "10000\n");
        file("cpu/k/cpu.cfs_period_us", "100000\n");
        file("memory/k/memory.limit_in_bytes", "115343360\n");
        let look = run(&mut Cgroup, &scene).await;
        let fact = &look.readings[0].facts[0];
        assert_eq!(
            (
                fact.int("cpu_quota_percent"),
                fact.int("memory_percent"),
                fact.int("version")
            ),
            (Some(10), Some(90), Some(1))
        );
    }

    #[tokio::test]
    async fn nothing_mounted_is_a_gap_and_nothing_running_is_none() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(run(&mut Cgroup, &scene(&dir)).await.blind.len(), 1);
        write(&dir, "/sys/fs/cgroup/cgroup.controllers", "cpu");
        assert_eq!(run(&mut Cgroup, &scene(&dir)).await, Look::default());
        assert_eq!(run(&mut Cgroup, &captured(&dir)).await.blind.len(), 1);
    }
}
