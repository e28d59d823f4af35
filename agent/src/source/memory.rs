//! Memory of the node: what is available, swap, page cache, and how fast pages come back from the disk.
//!
//! A node that thrashes has little file cache and re-reads what it has just dropped: `workingset_refault*` and
//! `pgmajfault` of /proc/vmstat. `oom_kill` (kernel 4.13 and later) counts since the sampler's last look, during its
//! window at the first one: a kill of last month says nothing.

use std::time::Duration;

use procfs::{FromRead, Meminfo};

use super::figures::{add, keyed, mib, opt_int, percent};
use super::look::{Look, Looking, Sampler};
use super::scene::Scene;
use super::window::{self, Elapsed};
use crate::grammar::fact::{Fact, Kind};

/// `/proc/meminfo` and `/proc/vmstat` of the node.
#[derive(Debug, Default)]
pub struct Memory {
    /// `oom_kill` at the last look.
    kills: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Counters {
    major: Option<u64>,
    refaults: Option<u64>,
    kills: Option<u64>,
}

impl Sampler for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Memory]
    }

    fn budget(&self) -> Duration {
        window::BUDGET
    }

    fn look<'a>(&'a mut self, scene: &'a Scene) -> Looking<'a> {
        Box::pin(async move {
            let host = &scene.host;
            let (before, after) = window::twice(scene, window::LENGTH, || {
                host.machine_text("/proc/vmstat")
                    .map(|t| counters(&t))
                    .unwrap_or_default()
            })
            .await;
            let mut look = Look::default();
            let info = match host.machine_text("/proc/meminfo") {
                Ok(text) => Meminfo::from_read(text.as_bytes()).ok(),
                Err(why) => {
                    look.missed(Kind::Memory, why.to_string(), Some("the node's /proc, read-only"));
                    return look;
                }
            };
            let Some(info) = info else {
                look.missed(Kind::Memory, "/proc/meminfo lacks what every kernel writes", None);
                return look;
            };
            let since = self.kills.or(before.kills);
            let kills = after.and_then(|(after, _)| Some(after.kills?.saturating_sub(since?)));
            self.kills = after.map_or(before.kills, |(after, _)| after.kills);
            say(
                &mut look,
                &info,
                after.map(|(after, window)| (before, after, window)),
                kills,
            );
            look
        })
    }
}

fn say(look: &mut Look, info: &Meminfo, rates: Option<(Counters, Counters, Elapsed)>, kills: Option<u64>) {
    let cache = info.active_file.zip(info.inactive_file).map(|(a, i)| a + i);
    let swap_used = info.swap_total.saturating_sub(info.swap_free);
    let mut text = format!("memory  total {} MiB", mib(info.mem_total));
    if let Some(available) = info.mem_available {
        add(
            &mut text,
            format_args!(
                "  available {} MiB ({} %)",
                mib(available),
                percent(available, info.mem_total).unwrap_or(0)
            ),
        );
    }
    if let Some(cache) = cache {
        add(&mut text, format_args!("  file cache {} MiB", mib(cache)));
    }
    match percent(swap_used, info.swap_total) {
        Some(used) => add(
            &mut text,
            format_args!("  swap {used} % of {} MiB", mib(info.swap_total)),
        ),
        None => text += "  no swap",
    }
    let rate = |of: fn(&Counters) -> Option<u64>| {
        let (before, after, window) = rates.as_ref()?;
        Some(window.per_second(of(after)?.saturating_sub(of(before)?)))
    };
    let (major, refaults) = (rate(|c| c.major), rate(|c| c.refaults));
    if let Some(major) = major {
        add(&mut text, format_args!("  {major} major faults/s"));
    }
    if let Some(refaults) = refaults {
        add(&mut text, format_args!("  {refaults} pages read back/s"));
    }
    if let Some(kills) = kills.filter(|k| *k > 0) {
        add(
            &mut text,
            format_args!("  {kills} killed for memory since the last look"),
        );
    }
    let mut fact = Fact::new(Kind::Memory).with_int("total_mb", mib(info.mem_total));
    fact = opt_int(fact, "available_mb", info.mem_available.map(mib));
    let available = info.mem_available.and_then(|a| percent(a, info.mem_total));
    fact = opt_int(fact, "available_percent", available);
    fact = fact.with_int("swap_total_mb", mib(info.swap_total));
    fact = opt_int(fact, "swap_used_percent", percent(swap_used, info.swap_total));
    fact = opt_int(fact, "major_faults_s", major);
    fact = opt_int(fact, "refaults_s", refaults);
    fact = opt_int(fact, "oom_kills", kills.map(|k| k as i64));
    fact = opt_int(fact, "file_cache_mb", cache.map(mib));
    look.saw(text, fact);
}

/// `workingset_refault` was split into `_anon` and `_file` in 5.9.
fn counters(vmstat: &str) -> Counters {
    let refaults = [
        "workingset_refault",
        "workingset_refault_file",
        "workingset_refault_anon",
    ]
    .iter()
    .filter_map(|key| keyed(vmstat, key))
    .reduce(u64::saturating_add);
    Counters {
        major: keyed(vmstat, "pgmajfault"),
        refaults,
        kills: keyed(vmstat, "oom_kill"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::test_scene::{captured, fixture, fixture_dir, run};

    #[test]
    fn thrashing_shows_in_figures() {
        let before = counters("pgmajfault 100\nworkingset_refault_anon 10\nworkingset_refault_file 1000\noom_kill 3\n");
        let after = counters("pgmajfault 1600\nworkingset_refault_anon 10\nworkingset_refault_file 9000\noom_kill 4\n");
        let text = fixture("healthy/proc/meminfo");
        let info = Meminfo::from_read(text.as_bytes()).unwrap();
        let mut look = Look::default();
        say(
            &mut look,
            &info,
            Elapsed::from_micros(2_000_000).map(|w| (before, after, w)),
            Some(1),
        );
        let fact = &look.readings[0].facts[0];
        assert_eq!(
            (fact.int("major_faults_s"), fact.int("refaults_s")),
            (Some(750), Some(4000))
        );
        assert_eq!(fact.int("oom_kills"), Some(1));
        assert!(
            look.readings[0]
                .text
                .ends_with("750 major faults/s  4000 pages read back/s  1 killed for memory since the last look")
        );
    }

    #[tokio::test]
    async fn a_captured_healthy_node() {
        let look = run(&mut Memory::default(), &captured(fixture_dir("healthy"))).await;
        let fact = &look.readings[0].facts[0];
        assert!(fact.int("available_percent").unwrap() > 50);
        assert_eq!(fact.int("swap_total_mb"), Some(0));
        assert_eq!(fact.int("major_faults_s"), None);
        assert_eq!(fact.int("swap_used_percent"), None);
    }

    #[tokio::test]
    async fn no_proc_is_a_gap() {
        let dir = tempfile::tempdir().unwrap();
        let look = run(&mut Memory::default(), &captured(&dir)).await;
        assert_eq!((look.readings.len(), look.blind.len()), (0, 1));
    }
}
