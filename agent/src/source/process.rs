//! The processes of kubelet and runtime: whether they run, and what they wait for.
//!
//! Two readings, a second apart: what is blocked in both and did not run in between is blocked. It sends no signal and
//! traces nothing.

use std::fmt::Write as _;
use std::time::Duration;

use super::look::{Look, Looking, Reading, Sampler, blocking};
use super::scene::Scene;
use super::systemd::state::lasting;
use super::task::{self, Task};
use crate::clock::Now;
use crate::grammar::fact::{Fact, Kind};
use crate::host::Host;
use crate::model::time::{SECOND, Timestamp};

/// Between the two readings.
const APART: Duration = Duration::from_secs(1);
/// What lets this process see the node's processes.
const GRANT: &str = "mount the node's /proc at /host/proc, run as root";
/// The first pid name space's inode (`PROC_PID_INIT_INO`, kernel `include/linux/proc_ns.h`).
const FIRST_PID_NAMESPACE: &str = "pid:[4026531836]";

/// Looks at the processes of kubelet and runtime.
#[derive(Debug, Default)]
pub struct Processes;

impl Sampler for Processes {
    fn name(&self) -> &'static str {
        "process"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Process]
    }

    fn budget(&self) -> Duration {
        Duration::from_secs(6)
    }

    fn look<'a>(&'a mut self, scene: &'a Scene) -> Looking<'a> {
        Box::pin(look(scene))
    }
}

/// A process that there should be.
#[derive(Debug, Clone)]
struct Wanted {
    role: &'static str,
    name: String,
    unit: Option<String>,
    pid: Option<u32>,
}

async fn look(scene: &Scene) -> Look {
    let mut look = Look::default();
    let wanted = wanted(scene);
    if !wanted.iter().any(|w| w.role == "kubelet") {
        look.missed(
            Kind::Process,
            "no kubelet and no unit of one was found on this node",
            Some(GRANT),
        );
    }
    let host = scene.host.clone();
    if let Some(Some(why)) = blocking(move || unseen(&host)).await
        && wanted.iter().any(|w| w.pid.is_none())
    {
        look.missed(Kind::Process, why, Some(GRANT));
        look.readings = measured(scene, wanted.into_iter().filter(|w| w.pid.is_some()).collect()).await;
        return look;
    }
    look.readings = measured(scene, wanted).await;
    look
}

fn wanted(scene: &Scene) -> Vec<Wanted> {
    let (world, runtime) = (&scene.world, &scene.world.runtime);
    let mut wanted = Vec::new();
    if world.kubelet.is_some() || world.unit.is_some() {
        wanted.push(Wanted {
            role: "kubelet",
            name: world
                .kubelet
                .as_ref()
                .map_or_else(|| "kubelet".to_owned(), |p| p.name.clone()),
            unit: world.unit.clone(),
            pid: world.kubelet.as_ref().map(|p| p.pid),
        });
    }
    if runtime.process.is_some() || runtime.unit.is_some() {
        let program = runtime.program.unwrap_or("container runtime").to_owned();
        wanted.push(Wanted {
            role: "runtime",
            name: runtime.process.as_ref().map_or(program, |p| p.name.clone()),
            unit: runtime.unit.clone(),
            pid: runtime.process.as_ref().map(|p| p.pid),
        });
    }
    wanted
}

/// Why a process that was not found may exist all the same.
fn unseen(host: &Host) -> Option<String> {
    let Ok(init) = host.text("/proc/1/comm") else {
        return Some("the node's processes are not to be seen: there is no /proc/1".to_owned());
    };
    // In a container's own pid name space; kind's nodes have one too, with systemd in it.
    let own = host.is_here()
        && host
            .link("/proc/self/ns/pid")
            .is_ok_and(|l| l.as_os_str() != FIRST_PID_NAMESPACE);
    (own && !matches!(init.trim(), "systemd" | "init"))
        .then(|| "the node's processes are not to be seen: only those of this container are".to_owned())
}

type Taken = Vec<Option<Task>>;

async fn measured(scene: &Scene, wanted: Vec<Wanted>) -> Vec<Reading> {
    let take = |wanted: Vec<Wanted>| {
        let host = scene.host.clone();
        blocking(move || -> Taken {
            let read = |w: &Wanted| w.pid.and_then(|pid| task::read(&host, pid).ok());
            wanted.iter().map(read).collect()
        })
    };
    let begin = scene.clock.now();
    let first = take(wanted.clone()).await.unwrap_or_default();
    if first.iter().any(Option::is_some) {
        tokio::time::sleep(APART).await;
    }
    let second = take(wanted.clone()).await.unwrap_or_default();
    let span = Span {
        micros: scene.clock.since(begin).max(1),
        now: scene.clock.now(),
    };
    let mut readings = Vec::new();
    for ((wanted, first), second) in wanted.into_iter().zip(first).zip(second) {
        let seen = match (first, second) {
            (Some(first), Some(second)) if first.start_ticks == second.start_ticks => Some(Seen::of(first, second)),
            _ => None,
        };
        let host = scene.host.clone();
        let reading = blocking(move || match seen {
            Some(seen) => seen.reading(&host, &wanted, span),
            None => absent(&wanted),
        });
        readings.extend(reading.await);
    }
    readings
}

fn absent(wanted: &Wanted) -> Reading {
    let text = match (&wanted.unit, wanted.pid) {
        (_, Some(pid)) => format!("{} (pid {pid})  has ended", wanted.name),
        (Some(unit), None) => format!("{}  no process; its unit is {unit}", wanted.name),
        (None, None) => format!("{}  no process", wanted.name),
    };
    let fact = Fact::new(Kind::Process)
        .with("role", wanted.role)
        .with("state", "absent");
    Reading::new(text, fact)
}

/// How long was measured, and when it ended.
#[derive(Debug, Clone, Copy)]
struct Span {
    micros: u64,
    now: Now,
}

/// Two readings of one process.
#[derive(Debug)]
struct Seen {
    first: Task,
    last: Task,
    /// Threads that waited uninterruptibly in both and did not run in between.
    blocked: Vec<u32>,
    /// True where any thread ran in between, as far as that is known.
    ran: bool,
}

impl Seen {
    fn of(first: Task, last: Task) -> Self {
        let mut ran = last.cpu_ticks > first.cpu_ticks;
        let mut blocked = Vec::new();
        for thread in &last.threads {
            let Some(before) = first.threads.iter().find(|t| t.tid == thread.tid) else {
                ran = true;
                continue;
            };
            let moved = thread.scheduled.map(|s| s.2) != before.scheduled.map(|s| s.2);
            ran |= moved;
            if thread.state == 'D' && before.state == 'D' && !moved {
                blocked.push(thread.tid);
            }
        }
        Self {
            first,
            last,
            blocked,
            ran,
        }
    }

    fn state(&self) -> &'static str {
        let alive = |t: &&task::Thread| !matches!(t.state, 'Z' | 'X');
        match self.last.state {
            _ if self.last.frozen => "frozen",
            'T' | 't' => "stopped",
            // The main thread has ended and others go on: odd, and it runs.
            'Z' | 'X' if self.last.threads.iter().filter(alive).count() == 0 => "zombie",
            // A Go program moves its work from thread to thread: one that waits for a disk is not all of it. Where the
            // main thread waits and no other has run for a second, when timers alone run more often, nothing goes on.
            'D' if !self.blocked.is_empty() && (self.blocked.len() == self.last.threads.len() || !self.ran) => {
                "blocked"
            }
            _ if !self.blocked.is_empty() && self.blocked.len() == self.last.threads.len() => "blocked",
            _ => "running",
        }
    }

    /// The share of the time in which some thread could run and waited for a CPU, per cent, 100 at most. The kernel adds
    /// the wait up when it is over, so that a thread which waited all the time is counted by its state.
    fn run_delay(&self, span: Span) -> Option<i64> {
        let mut nanos = 0u64;
        let mut known = false;
        for thread in &self.last.threads {
            let before = self.first.threads.iter().find(|t| t.tid == thread.tid);
            let (Some((_, delay, count)), Some(before)) = (thread.scheduled, before) else {
                continue;
            };
            let Some((_, delay_before, count_before)) = before.scheduled else {
                continue;
            };
            known = true;
            let on_cpu = thread.scheduled.map(|s| s.0) != before.scheduled.map(|s| s.0);
            nanos += if thread.state == 'R' && before.state == 'R' && count == count_before && !on_cpu {
                span.micros * 1000
            } else {
                delay.saturating_sub(delay_before)
            };
        }
        known.then(|| ((nanos / 10 / span.micros) as i64).min(100))
    }

    fn reading(&self, host: &Host, wanted: &Wanted, span: Span) -> Reading {
        let state = self.state();
        let pid = wanted.pid.unwrap_or_default();
        let hertz = procfs::ticks_per_second().max(1);
        let started = self.last.start_ticks.saturating_mul(SECOND as u64) / hertz;
        let age = span.now.boottime.saturating_sub(started);
        let uptime = (age / SECOND as u64) as i64;
        let per_second = |n: u64| (n.saturating_mul(SECOND as u64) / span.micros) as i64;
        let cpu = per_second(
            self.last
                .cpu_ticks
                .saturating_sub(self.first.cpu_ticks)
                .saturating_mul(100),
        ) / hertz as i64;
        let faults = per_second(self.last.major_faults.saturating_sub(self.first.major_faults));
        let mut fact = Fact::new(Kind::Process)
            .with("role", wanted.role)
            .with("state", state)
            .with_int("pid", i64::from(pid))
            .with_int("uptime_s", uptime)
            .with_int("threads", self.last.count)
            .with_int("blocked_threads", self.blocked.len() as i64)
            .with_int("cpu_percent", cpu)
            .with_int("major_faults_s", faults);
        let mut text = format!(
            "{} (pid {pid})  {state}, started {} ago, {} threads, CPU {cpu} %",
            wanted.name,
            lasting(uptime),
            self.last.count
        );
        if let Some(delay) = self.run_delay(span) {
            fact = fact.with_int("run_delay_percent", delay);
            let _ = write!(text, ", waited for a CPU {delay} % of the time");
        }
        if let (Some(fds), Some(limit)) = (self.last.fds, self.last.fd_limit) {
            let percent = fds.saturating_mul(100) / limit.max(1);
            fact = fact
                .with_int("fds", fds)
                .with_int("fd_limit", limit)
                .with_int("fd_percent", percent);
            let _ = write!(text, ", {fds} of {limit} file descriptors");
        }
        if faults > 0 {
            let _ = write!(text, ", {faults} major page faults a second");
        }
        if let Some(tid) = self.blocked.iter().find(|t| **t == pid).or(self.blocked.first()) {
            let _ = write!(text, ", {} threads wait uninterruptibly", self.blocked.len());
            if let Some(place) = task::wchan(host, pid, *tid) {
                let _ = write!(text, " in {place}");
                fact = fact.with_text("wchan", place);
            }
        }
        let mut reading = Reading::new(text, fact);
        // Since when it runs is known; since when it stands still is not.
        if state == "running" {
            reading.began = Some(Timestamp(span.now.wall.0.saturating_sub_unsigned(age)));
        }
        reading
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::task::Thread;

    fn task(state: char, threads: &[(u32, char, u64)]) -> Task {
        Task {
            start_ticks: 100,
            cpu_ticks: 7,
            major_faults: 0,
            state,
            count: threads.len() as i64,
            threads: threads
                .iter()
                .map(|(tid, state, count)| Thread {
                    tid: *tid,
                    state: *state,
                    scheduled: Some((5, 1000, *count)),
                })
                .collect(),
            fds: None,
            fd_limit: None,
            frozen: false,
        }
    }

    #[test]
    fn one_blocked_thread_of_a_process_that_runs_is_no_blocked_process() {
        let seen = Seen::of(
            task('D', &[(1, 'D', 4), (2, 'S', 9)]),
            task('D', &[(1, 'D', 4), (2, 'S', 12)]),
        );
        assert_eq!((seen.state(), seen.blocked.len()), ("running", 1));
        let seen = Seen::of(
            task('D', &[(1, 'D', 4), (2, 'S', 9)]),
            task('D', &[(1, 'D', 4), (2, 'S', 9)]),
        );
        assert_eq!(seen.state(), "blocked");
        // in D twice, but it ran in between: it works with a disk
        let seen = Seen::of(task('D', &[(1, 'D', 4)]), task('D', &[(1, 'D', 5)]));
        assert_eq!((seen.state(), seen.blocked.len()), ("running", 0));
    }

    #[test]
    fn stopped_frozen_and_zombies_are_told_apart() {
        let still = |state| Seen::of(task(state, &[(1, state, 4)]), task(state, &[(1, state, 4)]));
        assert_eq!(still('T').state(), "stopped");
        assert_eq!(still('Z').state(), "zombie");
        assert_eq!(still('S').state(), "running");
        let mut seen = still('D');
        seen.last.frozen = true;
        assert_eq!(seen.state(), "frozen");
    }

    #[test]
    fn a_thread_that_waited_for_a_cpu_all_the_time_counts() {
        let span = Span {
            micros: 1_000_000,
            now: Now::default(),
        };
        let seen = Seen::of(task('R', &[(1, 'R', 4)]), task('R', &[(1, 'R', 4)]));
        assert_eq!(seen.run_delay(span), Some(100));
        let seen = Seen::of(task('S', &[(1, 'S', 4)]), task('S', &[(1, 'S', 4)]));
        assert_eq!(seen.run_delay(span), Some(0));
    }
}
