//! Tasks that wait uninterruptibly (state D) and zombies, by a bounded scan of the node's processes.
//!
//! A task is in D for a moment at every disk read. Counted are those that are in D at both ends of the look's second and
//! have not been scheduled in between. Threads are looked at for the kubelet and the runtime; of others the main one.

use std::time::Duration;

use super::figures::add;
use super::look::{Look, Looking, Sampler, blocking};
use super::scene::Scene;
use super::window;
use crate::grammar::fact::{Fact, Kind};
use crate::host::Host;

/// The node's processes.
#[derive(Debug, Default)]
pub struct Blocked;

/// Tasks looked at.
const TASKS: usize = 8192;
/// Threads looked at of one process.
const THREADS: usize = 512;
/// Tasks in D followed from the first reading to the second.
const FOLLOWED: usize = 512;
/// Names said.
const NAMED: usize = 6;

/// A task in D.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Task {
    /// `/proc/PID` or `/proc/PID/task/TID`
    dir: String,
    name: String,
    /// Context switches so far; `None` where they may not be read.
    switches: Option<u64>,
}

/// One scan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Scan {
    tasks: usize,
    zombies: usize,
    blocked: Vec<Task>,
    truncated: bool,
}

impl Sampler for Blocked {
    fn name(&self) -> &'static str {
        "blocked-tasks"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::BlockedTasks]
    }

    fn budget(&self) -> Duration {
        window::BUDGET
    }

    fn look<'a>(&'a mut self, scene: &'a Scene) -> Looking<'a> {
        Box::pin(async move {
            let mut look = Look::default();
            let grant = Some("the node's /proc at /host/proc, read-only and without hidepid");
            let threaded: Vec<u32> = [&scene.world.kubelet, &scene.world.runtime.process]
                .into_iter()
                .flatten()
                .map(|p| p.pid)
                .collect();
            let host = scene.host.clone();
            let first = blocking(move || scan(&host, &threaded)).await.flatten();
            let Some(first) = first else {
                look.missed(Kind::BlockedTasks, "the node's processes can't be seen", grant);
                return look;
            };
            let blocked = if scene.host.is_live() && !first.blocked.is_empty() {
                tokio::time::sleep(window::LENGTH).await;
                let (host, tasks) = (scene.host.clone(), first.blocked.clone());
                blocking(move || still(&host, tasks)).await.unwrap_or_default()
            } else {
                first.blocked.clone()
            };
            let at = blocked.first().and_then(|t| place(&scene.host, t));
            say(&mut look, &first, &blocked, at);
            look
        })
    }
}

fn say(look: &mut Look, scan: &Scan, blocked: &[Task], at: Option<String>) {
    let mut names: Vec<&str> = blocked.iter().map(|t| t.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names.truncate(NAMED);
    let names = names.join(",");
    let mut text = format!("blocked tasks  {} in uninterruptible sleep", blocked.len());
    if !names.is_empty() {
        add(&mut text, format_args!(" ({names})"));
    }
    let mut fact = Fact::new(Kind::BlockedTasks)
        .with_int("count", blocked.len() as i64)
        .with_int("zombies", scan.zombies as i64)
        .with_text("names", names);
    if let Some(at) = at {
        add(&mut text, format_args!(" in {at}"));
        fact = fact.with_text("where", at);
    }
    add(
        &mut text,
        format_args!("  {} zombies  of {} tasks", scan.zombies, scan.tasks),
    );
    if scan.truncated {
        text += ", and there are more";
    }
    look.saw(text, fact);
}

/// `None` where not even PID 1 can be read.
fn scan(host: &Host, threaded: &[u32]) -> Option<Scan> {
    host.text("/proc/1/stat").ok()?;
    let mut scan = Scan::default();
    let pids = host.list("/proc").ok()?;
    for pid in pids.iter().filter_map(|n| n.parse::<u32>().ok()) {
        if scan.tasks >= TASKS {
            scan.truncated = true;
            break;
        }
        if threaded.contains(&pid) {
            let threads = host.list(format!("/proc/{pid}/task")).unwrap_or_default();
            for thread in threads.iter().take(THREADS) {
                scan.take(host, format!("/proc/{pid}/task/{thread}"));
            }
        } else {
            scan.take(host, format!("/proc/{pid}"));
        }
    }
    Some(scan)
}

impl Scan {
    fn take(&mut self, host: &Host, dir: String) {
        let Some((name, state)) = state(host, &dir) else { return };
        self.tasks += 1;
        match state {
            'Z' => self.zombies += 1,
            'D' if self.blocked.len() < FOLLOWED => {
                let switches = switches(host, &dir);
                self.blocked.push(Task { dir, name, switches });
            }
            _ => {}
        }
    }
}

/// Those that have not run since.
fn still(host: &Host, tasks: Vec<Task>) -> Vec<Task> {
    tasks
        .into_iter()
        .filter(|t| state(host, &t.dir).is_some_and(|(name, state)| state == 'D' && name == t.name))
        .filter(|t| switches(host, &t.dir) == t.switches)
        .collect()
}

/// Name and state: `pid (name) S …`; a name may hold brackets and spaces (`proc_pid_stat(5)`).
fn state(host: &Host, dir: &str) -> Option<(String, char)> {
    let text = host.text(format!("{dir}/stat")).ok()?;
    let (before, after) = text.rsplit_once(')')?;
    let name = before.split_once('(')?.1;
    let name: String = name
        .chars()
        .map(|c| if c.is_control() || c == ',' { '?' } else { c })
        .collect();
    Some((name, after.trim_start().chars().next()?))
}

fn switches(host: &Host, dir: &str) -> Option<u64> {
    let text = host.text(format!("{dir}/status")).ok()?;
    let of = |key: &str| super::figures::keyed(&text, key);
    Some(of("voluntary_ctxt_switches")?.saturating_add(of("nonvoluntary_ctxt_switches")?))
}

/// Where the kernel holds it; readable with `CAP_SYS_PTRACE` only, else `0`.
fn place(host: &Host, task: &Task) -> Option<String> {
    let text = host.text(format!("{}/wchan", task.dir)).ok()?;
    let name = text.trim();
    (!name.is_empty() && name != "0").then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::test_scene::{captured, run, write};
    use crate::world::Process;

    fn node() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        write(&dir, "/proc/1/stat", "1 (systemd) S 0 1 1\n");
        write(&dir, "/proc/20/stat", "20 (jbd2/vda) x) D 2 0 0\n");
        write(
            &dir,
            "/proc/20/status",
            "voluntary_ctxt_switches:\t5\nnonvoluntary_ctxt_switches:\t1\n",
        );
        write(&dir, "/proc/20/wchan", "io_schedule");
        write(&dir, "/proc/21/stat", "21 (gone) Z 1 0 0\n");
        write(&dir, "/proc/30/stat", "30 (kubelet) S 1 0 0\n");
        write(&dir, "/proc/30/task/30/stat", "30 (kubelet) S 1 0 0\n");
        write(&dir, "/proc/30/task/33/stat", "33 (kubelet) D 1 0 0\n");
        write(&dir, "/proc/meminfo", "");
        dir
    }

    #[tokio::test]
    async fn tasks_in_d_with_the_kubelets_threads() {
        let dir = node();
        let mut scene = captured(&dir);
        scene.world.kubelet = Some(Process {
            pid: 30,
            name: "kubelet".into(),
            cgroup: None,
        });
        let look = run(&mut Blocked, &scene).await;
        assert_eq!(
            look.readings[0].text,
            "blocked tasks  2 in uninterruptible sleep (jbd2/vda) x,kubelet) in io_schedule  1 zombies  of 5 tasks"
        );
        let fact = &look.readings[0].facts[0];
        assert_eq!(
            (fact.int("count"), fact.int("zombies"), fact.text("where")),
            (Some(2), Some(1), Some("io_schedule"))
        );
    }

    #[test]
    fn a_task_that_has_run_in_between_is_not_blocked() {
        let dir = node();
        let host = Host::at(dir.path());
        let tasks = scan(&host, &[]).unwrap().blocked;
        assert_eq!(tasks.len(), 1);
        assert_eq!(still(&host, tasks.clone()).len(), 1);
        write(
            &dir,
            "/proc/20/status",
            "voluntary_ctxt_switches:\t6\nnonvoluntary_ctxt_switches:\t1\n",
        );
        assert_eq!(still(&host, tasks), []);
    }

    #[tokio::test]
    async fn hidden_processes_are_a_gap() {
        let dir = tempfile::tempdir().unwrap();
        write(&dir, "/proc/30/stat", "30 (a) S 1 0 0\n");
        assert_eq!(run(&mut Blocked, &captured(&dir)).await.blind.len(), 1);
    }
}
