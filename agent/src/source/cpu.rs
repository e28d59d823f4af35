//! CPU time of the node, the load, and how late the agent itself is woken.
//!
//! `agent_late_ms` is the agent's own starvation: what it says of others in that time is to be discounted by it.

use std::time::Duration;

use procfs::{FromRead, LoadAverage};

use super::figures::{add, keyed, opt_int, percent};
use super::look::{Look, Looking, Sampler};
use super::scene::Scene;
use super::window;
use crate::grammar::fact::{Fact, Kind};

/// `/proc/stat` and `/proc/loadavg` of the node.
#[derive(Debug, Default)]
pub struct Cpu;

/// The agent asks to be woken after so long, again and again for one window.
const NAP: Duration = Duration::from_millis(100);
/// So often.
const NAPS: u32 = 10;

/// Ticks (`USER_HZ`) of all CPUs together; proc(5).
#[derive(Debug, Clone, Copy, PartialEq)]
struct Ticks {
    all: u64,
    idle: u64,
    iowait: u64,
    steal: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Stat {
    ticks: Ticks,
    cpus: u64,
    running: Option<u64>,
}

impl Sampler for Cpu {
    fn name(&self) -> &'static str {
        "cpu"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Cpu]
    }

    fn budget(&self) -> Duration {
        window::BUDGET
    }

    fn look<'a>(&'a mut self, scene: &'a Scene) -> Looking<'a> {
        Box::pin(async move {
            let mut look = Look::default();
            let read = || scene.host.machine_text("/proc/stat").map(|t| stat(&t));
            let before = match read() {
                Ok(Some(stat)) => stat,
                Ok(None) => {
                    look.missed(Kind::Cpu, "/proc/stat has no line of all CPUs", None);
                    return look;
                }
                Err(why) => {
                    look.missed(Kind::Cpu, why.to_string(), Some("the node's /proc, read-only"));
                    return look;
                }
            };
            let load = scene.host.machine_text("/proc/loadavg").ok();
            let load = load
                .and_then(|t| LoadAverage::from_read(t.as_bytes()).ok())
                .map(|l| l.one);
            if !scene.host.is_live() {
                say(&mut look, before, None, load);
                return look;
            }
            let late = lateness(scene).await;
            let after = read().ok().flatten();
            say(&mut look, before, after.map(|after| (after, late)), load);
            look
        })
    }
}

/// The latest of all wakings, milliseconds.
async fn lateness(scene: &Scene) -> i64 {
    let mut late = 0;
    for _ in 0..NAPS {
        let started = scene.clock.now();
        tokio::time::sleep(NAP).await;
        late = late.max(scene.clock.since(started).saturating_sub(NAP.as_micros() as u64));
    }
    (late / 1000) as i64
}

fn say(look: &mut Look, before: Stat, after: Option<(Stat, i64)>, load: Option<f32>) {
    let now = after.map_or(before, |(after, _)| after);
    let share = |of: fn(&Ticks) -> u64| {
        let (after, _) = after.as_ref()?;
        let part = of(&after.ticks).saturating_sub(of(&before.ticks));
        percent(part, after.ticks.all.saturating_sub(before.ticks.all))
    };
    let (idle, iowait, steal) = (share(|t| t.idle), share(|t| t.iowait), share(|t| t.steal));
    let mut text = format!("CPU  {} of them", now.cpus);
    for (name, value) in [
        ("idle", idle),
        ("waiting for I/O", iowait),
        ("stolen by the hypervisor", steal),
    ] {
        if let Some(value) = value {
            add(&mut text, format_args!("  {name} {value} %"));
        }
    }
    if let Some(load) = load {
        add(&mut text, format_args!("  load {load:.2}"));
    }
    if let Some((_, late)) = after {
        add(&mut text, format_args!("  the agent was woken {late} ms late"));
    }
    let load = load
        .filter(|_| now.cpus > 0)
        .map(|l| (f64::from(l) * 100.0 / now.cpus as f64) as i64);
    let mut fact = Fact::new(Kind::Cpu).with_int("cpus", now.cpus as i64);
    fact = opt_int(fact, "idle_percent", idle);
    fact = opt_int(fact, "iowait_percent", iowait);
    fact = opt_int(fact, "steal_percent", steal);
    fact = opt_int(fact, "load_percent", load);
    fact = opt_int(fact, "running", now.running.map(|r| r as i64));
    fact = opt_int(fact, "agent_late_ms", after.map(|(_, late)| late));
    look.saw(text, fact);
}

fn stat(text: &str) -> Option<Stat> {
    let all = text.lines().find(|l| l.starts_with("cpu "))?;
    let ticks: Vec<u64> = all.split_whitespace().skip(1).filter_map(|w| w.parse().ok()).collect();
    let at = |n: usize| ticks.get(n).copied().unwrap_or(0);
    // user nice system idle iowait irq softirq steal guest guest_nice; guest time is part of user and nice.
    let ticks = Ticks {
        all: (0..8).map(at).fold(0, u64::saturating_add),
        idle: at(3),
        iowait: at(4),
        steal: at(7),
    };
    let one = |l: &&str| {
        l.strip_prefix("cpu")
            .is_some_and(|r| r.starts_with(|c: char| c.is_ascii_digit()))
    };
    Some(Stat {
        ticks,
        cpus: text.lines().filter(one).count() as u64,
        running: keyed(text, "procs_running"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::test_scene::{captured, fixture_dir, run};

    #[test]
    fn a_starved_second() {
        let before = stat("cpu  100 0 100 1000 50 0 0 0 0 0\ncpu0 1 1\ncpu1 1 1\nprocs_running 40\n").unwrap();
        let after = stat("cpu  130 0 130 1010 60 0 0 120 0 0\ncpu0 1 1\ncpu1 1 1\nprocs_running 41\n").unwrap();
        let mut look = Look::default();
        say(&mut look, before, Some((after, 350)), Some(8.0));
        let fact = &look.readings[0].facts[0];
        assert_eq!(
            (
                fact.int("idle_percent"),
                fact.int("iowait_percent"),
                fact.int("steal_percent")
            ),
            (Some(5), Some(5), Some(60))
        );
        assert_eq!(
            (fact.int("load_percent"), fact.int("running"), fact.int("agent_late_ms")),
            (Some(400), Some(41), Some(350))
        );
        assert_eq!(
            look.readings[0].text,
            "CPU  2 of them  idle 5 %  waiting for I/O 5 %  stolen by the hypervisor 60 %  load 8.00  the agent was woken 350 ms late"
        );
    }

    #[test]
    fn no_tick_passed() {
        let one = stat("cpu  100 0 100 1000 50 0 0 0 0 0\ncpu0 1 1\n").unwrap();
        let mut look = Look::default();
        say(&mut look, one, Some((one, 0)), None);
        assert_eq!(look.readings[0].facts[0].int("idle_percent"), None);
    }

    #[tokio::test]
    async fn a_captured_node_has_a_load_and_no_shares() {
        let look = run(&mut Cpu, &captured(fixture_dir("healthy"))).await;
        let fact = &look.readings[0].facts[0];
        assert_eq!(
            (fact.int("cpus"), fact.int("load_percent"), fact.int("idle_percent")),
            (Some(3), Some(8), None)
        );
    }

    #[tokio::test]
    async fn no_proc_is_a_gap() {
        let dir = tempfile::tempdir().unwrap();
        let look = run(&mut Cpu, &captured(&dir)).await;
        assert_eq!((look.readings.len(), look.blind.len()), (0, 1));
    }
}
