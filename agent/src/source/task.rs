//! One process of the node as `/proc` shows it at one moment (`proc(5)`, kernel `Documentation/filesystems/proc.rst`).
//!
//! Reads what user 0 may read without capabilities; `wchan` is there only for who may trace the process.

use procfs::process::{LimitValue, Limits, Schedstat, Stat};
use procfs::{FromBufRead, FromRead};

use crate::host::{Host, Unreadable};

/// Threads of a process that are read at most; a kubelet has some dozens.
const THREADS: usize = 512;

/// A process at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Clock ticks after the machine's start at which it was started: with the id what makes it the same process.
    pub start_ticks: u64,
    /// CPU time that it has used, clock ticks.
    pub cpu_ticks: u64,
    /// Page faults that needed a disk.
    pub major_faults: u64,
    /// State of its main thread, the letter of `ps`.
    pub state: char,
    /// How many threads it has.
    pub count: i64,
    /// Its threads, [`THREADS`] at most.
    pub threads: Vec<Thread>,
    /// Open file descriptors.
    pub fds: Option<i64>,
    /// `Max open files`, the soft limit.
    pub fd_limit: Option<i64>,
    /// True where its cgroup is frozen.
    pub frozen: bool,
}

/// A thread at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    /// Its id.
    pub tid: u32,
    /// The letter of `ps`.
    pub state: char,
    /// From `schedstat`, where the kernel has it: nanoseconds on a CPU, nanoseconds for which it could run and waited for
    /// one, and how many times it got one.
    pub scheduled: Option<(u64, u64, u64)>,
}

/// Reads a process.
pub fn read(host: &Host, pid: u32) -> Result<Task, Unreadable> {
    let dir = format!("/proc/{pid}");
    let stat = stat(host, &dir)?;
    let threads: Vec<Thread> = host
        .list(format!("{dir}/task"))
        .unwrap_or_default()
        .iter()
        .filter_map(|t| t.parse().ok())
        .take(THREADS)
        .filter_map(|tid| thread(host, &dir, tid))
        .collect();
    Ok(Task {
        start_ticks: stat.starttime,
        cpu_ticks: stat.utime.saturating_add(stat.stime),
        major_faults: stat.majflt,
        state: stat.state,
        count: stat.num_threads,
        threads,
        fds: descriptors(host, &dir),
        fd_limit: fd_limit(host, &dir),
        frozen: frozen(host, &dir),
    })
}

/// Where in the kernel a thread waits; `None` where it does not or where this process may not know.
pub fn wchan(host: &Host, pid: u32, tid: u32) -> Option<String> {
    let text = host.text(format!("/proc/{pid}/task/{tid}/wchan")).ok()?;
    let text = text.trim();
    (!text.is_empty() && text != "0").then(|| text.to_owned())
}

fn stat(host: &Host, dir: &str) -> Result<Stat, Unreadable> {
    let path = format!("{dir}/stat");
    let bytes = host.read(&path)?;
    // a process that ends while it is read leaves nothing to parse
    Stat::from_read(bytes.as_slice()).map_err(|_| Unreadable::Missing(path.into()))
}

fn thread(host: &Host, dir: &str, tid: u32) -> Option<Thread> {
    let state = stat(host, &format!("{dir}/task/{tid}")).ok()?.state;
    let scheduled = host
        .read(format!("{dir}/task/{tid}/schedstat"))
        .ok()
        .and_then(|b| Schedstat::from_read(b.as_slice()).ok())
        .map(|s| (s.sum_exec_runtime, s.run_delay, s.pcount));
    Some(Thread { tid, state, scheduled })
}

fn descriptors(host: &Host, dir: &str) -> Option<i64> {
    let dir = format!("{dir}/fd");
    // from 6.2 the directory's size is their number
    match host.metadata(&dir).ok()?.len() {
        0 => i64::try_from(host.list(&dir).ok()?.len()).ok(),
        n => i64::try_from(n).ok(),
    }
}

fn fd_limit(host: &Host, dir: &str) -> Option<i64> {
    let bytes = host.read(format!("{dir}/limits")).ok()?;
    match Limits::from_buf_read(bytes.as_slice()).ok()?.max_open_files.soft_limit {
        LimitValue::Value(n) => i64::try_from(n).ok(),
        LimitValue::Unlimited => None,
    }
}

/// A frozen cgroup v2 says so in `cgroup.events`, for a frozen ancestor too; v1 in `freezer.state` of each.
fn frozen(host: &Host, dir: &str) -> bool {
    let Ok(groups) = host.text(format!("{dir}/cgroup")) else {
        return false;
    };
    groups.lines().any(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        match (parts.next(), parts.next()) {
            (Some(""), Some(path)) => ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].iter().any(|root| {
                let events = host.text(format!("{root}{path}/cgroup.events")).unwrap_or_default();
                events.lines().any(|l| l == "frozen 1")
            }),
            (Some(controllers), Some(path)) if controllers.split(',').any(|c| c == "freezer") => host
                .text(format!("/sys/fs/cgroup/freezer{path}/freezer.state"))
                .is_ok_and(|s| s.trim() == "FROZEN"),
            _ => false,
        }
    })
}
