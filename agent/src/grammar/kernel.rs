//! The kernel's lines. Most have no grammar but a wording that has been stable for a decade.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::fact::{Fact, Kind};
use super::line::{Level, Parsed};
use super::scan::{after, automaton, between, head, number, word};
use super::{kernel_device, kernel_oom};

const TRIGGERS: &[&str] = &[
    "oom-kill",
    "ut of memory",
    "result of limit of",
    "blocked for more than",
    "soft lockup",
    "ard LOCKUP",
    "hard lockup",
    "rcu",
    "workqueue lockup",
    "I/O error",
    "error, dev",
    "FAILED Result",
    "Medium Error",
    "nvme",
    "ata",
    "megaraid",
    "md/raid",
    "multipath",
    "nfs: server",
    "-fs",
    "XFS",
    "BTRFS",
    "table full",
    "table overflow",
    "NETDEV WATCHDOG",
    "ink is",
    "link down",
    "link up",
    "Unit Hang",
    "TX driver issue",
    "Reset adapter",
    "ardware Error",
    "Machine check",
    "MCE",
    "Kernel panic",
    "Oops",
    "BUG: ",
    "general protection fault",
    "unregister_netdevice",
    "page allocation failure",
    "SLUB: Unable",
    "fork rejected",
    "Linux version",
    "PM: suspend",
    "emory cgroup",
    "hypervisor",
    "temperature above",
    "SysRq",
    "reboot: ",
    "NVRM: Xid",
    "cgroup: fork",
    "allocate css",
    "clocksource",
];

static PREFILTER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| automaton(TRIGGERS.iter().copied()));

/// Parses one line of the kernel.
pub(super) fn parse(text: &str) -> Parsed {
    let mut parsed = Parsed {
        level: Level::Info,
        header: None,
        pid: None,
        facts: Vec::new(),
        continuation: false,
    };
    if PREFILTER.as_ref().is_none_or(|automaton| automaton.is_match(text)) {
        parsed.facts.extend(statement(without_stamp(text)));
    }
    parsed
}

/// `[  247.436380] ` in front.
pub(super) fn without_stamp(text: &str) -> &str {
    let Some(rest) = text.strip_prefix('[') else {
        return text;
    };
    match rest.split_once("] ") {
        Some((stamp, message)) if is_stamp(stamp) => message,
        _ => text,
    }
}

/// Whether `stamp` is a time of the kernel: `  247.436380`.
pub(super) fn is_stamp(stamp: &str) -> bool {
    let stamp = stamp.trim();
    stamp.contains('.') && stamp.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// Whether a line without a source can only be the kernel's.
pub(super) fn is_unmistakable(text: &str) -> bool {
    const OWN: &[&str] = &[
        "invoked oom-killer",
        "oom-kill:constraint=",
        "emory cgroup out of memory",
        "Out of memory: Kill",
        "blocked for more than",
        "BUG: soft lockup",
        "conntrack: table full",
        "table overflow!",
        "unregister_netdevice: waiting",
        "NETDEV WATCHDOG",
        "Kernel panic - not syncing",
        "I/O error, dev ",
        "Buffer I/O error",
        "EXT4-fs error",
    ];
    OWN.iter().any(|words| text.contains(words))
}

fn statement(text: &str) -> Option<Fact> {
    kernel_oom::fact(text)
        .or_else(|| stuck(text))
        .or_else(|| kernel_device::block(text))
        .or_else(|| kernel_device::file_system(text))
        .or_else(|| tables(text))
        .or_else(|| hardware(text))
        .or_else(|| dead(text))
        .or_else(|| memory(text))
        .or_else(|| machine(text))
        .or_else(|| kernel_device::network(text))
}

fn stuck(text: &str) -> Option<Fact> {
    if let Some((before, after_words)) = text.split_once(" blocked for more than ") {
        let task = after(before, "task ").unwrap_or(before);
        let task = task.rsplit_once(':').map_or(task, |(name, _)| name);
        let fact = Fact::new(Kind::HungTask).with_text("task", task);
        return Some(match number(after_words) {
            Some(seconds) => fact.with_int("seconds", seconds),
            None => fact,
        });
    }
    let what = if text.contains("soft lockup") {
        "soft-lockup"
    } else if text.contains("ard LOCKUP") || text.contains("hard lockup") {
        "hard-lockup"
    } else if text.contains("workqueue lockup") {
        "workqueue"
    } else if text.contains("rcu") && text.contains("kthread") && text.contains("starved") {
        "rcu-starved"
    } else if text.contains("rcu")
        && (text.contains("self-detected stall")
            || text.contains("detected stall")
            || text.contains("detected expedited stall"))
    {
        "rcu-stall"
    } else {
        return None;
    };
    let mut fact = Fact::new(Kind::CpuStall).with("what", what);
    if let Some(seconds) = after(text, "stuck for ").and_then(number) {
        fact = fact.with_int("seconds", seconds);
    }
    if let Some(task) = text
        .rfind("! [")
        .and_then(|at| text[at + 3..].rsplit_once(':'))
        .map(|(task, _)| task)
    {
        fact = fact.with_text("task", task);
    }
    Some(fact)
}

fn tables(text: &str) -> Option<Fact> {
    if text.contains("conntrack: table full") {
        return Some(Fact::new(Kind::ConntrackFull));
    }
    if text.contains("eighbour table overflow") || text.contains("eighbor table overflow") {
        return Some(Fact::new(Kind::NeighborOverflow));
    }
    if let Some(rest) = after(text, "unregister_netdevice: waiting for ") {
        let fact = Fact::new(Kind::NetnsWait).with_text("device", word(rest));
        let count = after(rest, "count = ").and_then(|c| word(c).parse().ok());
        return Some(match count {
            Some(count) => fact.with_int("count", count),
            None => fact,
        });
    }
    let memcg = after(text, "fork rejected by pids controller")?;
    Some(Fact::new(Kind::PidsLimit).with_text("memcg", after(memcg, " in ").unwrap_or("")))
}

fn hardware(text: &str) -> Option<Fact> {
    let what = if text.contains("temperature above threshold") {
        "thermal"
    } else if text.contains("ardware Error]")
        || text.contains("Machine check")
        || text.contains("Machine Check")
        || text.contains("HANDLING MCE")
    {
        if text.contains("Fatal") || text.contains("fatal") {
            "fatal"
        } else if text.contains("Uncorrected") || text.contains("uncorrected") || text.contains("Uncorrectable") {
            "uncorrected"
        } else if text.contains("orrected") || text.contains(" CE ") {
            "corrected"
        } else if text.contains("events logged") || text.contains("Machine Check:") || text.contains("HANDLING MCE") {
            "logged"
        } else {
            return None;
        }
    } else {
        return None;
    };
    Some(Fact::new(Kind::HardwareError).with("what", what))
}

fn dead(text: &str) -> Option<Fact> {
    let what = if text.contains("Kernel panic - not syncing") {
        "panic"
    } else if text.contains("Oops: ") {
        "oops"
    } else if text.contains("general protection fault") && !text.contains("traps:") {
        "general-protection"
    } else if text.contains("BUG: unable to handle")
        || text.contains("kernel BUG at")
        || text.contains("BUG: kernel NULL pointer")
    {
        "bug"
    } else {
        return None;
    };
    Some(
        Fact::new(Kind::KernelPanic)
            .with("what", what)
            .with_text("message", head(text, 256)),
    )
}

fn memory(text: &str) -> Option<Fact> {
    let what = if text.contains("page allocation failure") {
        "page"
    } else if text.contains("SLUB: Unable to allocate") {
        "slub"
    } else if text.contains("allocate css") || text.contains("memory cgroup") && text.contains("cannot allocate") {
        "cgroup"
    } else {
        return None;
    };
    Some(Fact::new(Kind::AllocationFailure).with("what", what))
}

fn machine(text: &str) -> Option<Fact> {
    if text.starts_with("Linux version ") {
        return Some(Fact::new(Kind::Boot).with("what", "kernel"));
    }
    if text.starts_with("PM: suspend entry") {
        return Some(Fact::new(Kind::Sleep).with("what", "suspend"));
    }
    if text.starts_with("PM: suspend exit") {
        return Some(Fact::new(Kind::Sleep).with("what", "resume"));
    }
    if let Some(rest) = text.strip_prefix("reboot: ") {
        let what = if rest.starts_with("Power down") {
            "poweroff"
        } else {
            "reboot"
        };
        return Some(Fact::new(Kind::Shutdown).with("what", what));
    }
    let device = between(text, "NVRM: Xid (", ")")?;
    Some(
        Fact::new(Kind::Nic)
            .with("what", "xid")
            .with_text("device", device)
            .with("class", "virtual"),
    )
}
