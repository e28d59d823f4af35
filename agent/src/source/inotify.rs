//! How many inotify instances and watches root has: every descriptor of every process of root, within bounds.
//!
//! Reading the descriptors of another process needs `CAP_SYS_PTRACE` where that process has capabilities that this one
//! has not. Descriptors that share one instance after a fork are counted once for each process: the count may be too high
//! by them.

use std::os::unix::fs::MetadataExt;

use crate::clock::Clock;
use crate::host::Host;

/// Processes looked at: 4096.
const PROCESSES: usize = 4096;
/// Descriptors looked at of one process: 4096.
const DESCRIPTORS: usize = 4096;
/// Time that it may take, microseconds: 300 ms.
const TIME: u64 = 300_000;

/// What is in use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Used {
    pub(super) instances: u64,
    pub(super) watches: u64,
    /// False where a bound was reached or a process could not be read.
    pub(super) all: bool,
}

/// Most processes of root could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the descriptors of {denied} of {processes} processes of root may not be read: inotify instances in use are not known"
)]
pub(super) struct Hidden {
    denied: usize,
    processes: usize,
}

/// Counts. Blocks for a while.
pub(super) fn count(host: &Host, clock: &Clock) -> Result<Used, Hidden> {
    let started = clock.now();
    let mut used = Used {
        all: true,
        ..Used::default()
    };
    let mut hidden = Hidden {
        denied: 0,
        processes: 0,
    };
    let pids = host.list("/proc").unwrap_or_default();
    for pid in pids.iter().filter(|n| n.bytes().all(|b| b.is_ascii_digit())) {
        if hidden.processes >= PROCESSES || clock.since(started) > TIME {
            used.all = false;
            break;
        }
        let dir = format!("/proc/{pid}");
        if host.metadata(&dir).is_ok_and(|m| m.uid() == 0) {
            hidden.processes += 1;
            if !process(host, &dir, &mut used) {
                hidden.denied += 1;
            }
        }
    }
    used.all &= hidden.denied == 0;
    if hidden.denied * 2 >= hidden.processes {
        return Err(hidden);
    }
    Ok(used)
}

/// False where the process may not be read.
fn process(host: &Host, dir: &str, used: &mut Used) -> bool {
    let descriptors = match host.list(format!("{dir}/fd")) {
        Ok(descriptors) => descriptors,
        // gone in the meantime
        Err(why) => return why.is_missing(),
    };
    used.all &= descriptors.len() <= DESCRIPTORS;
    for descriptor in descriptors.iter().take(DESCRIPTORS) {
        match host.link(format!("{dir}/fd/{descriptor}")) {
            Ok(target) if target.as_os_str() == "anon_inode:inotify" => {
                used.instances += 1;
                // One line a watch (fs/notify/fdinfo.c).
                let info = host.text(format!("{dir}/fdinfo/{descriptor}")).unwrap_or_default();
                used.watches += info.lines().filter(|l| l.starts_with("inotify ")).count() as u64;
            }
            Err(why) if why.is_denied() => return false,
            _ => {}
        }
    }
    true
}
