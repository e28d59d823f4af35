//! systemd's English sentences, for text logs and for what has no `MESSAGE_ID`.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::fact::{Fact, Kind};
use super::line::Line;
use super::scan::{after, automaton, between, number, word};
use super::{kernel_device, systemd, unit};

/// Sentences of PID 1 that name a unit before a colon, and their event.
const OF_UNIT: &[(&str, &str)] = &[
    ("ain process exited", "exited"),
    ("Start request repeated too quickly", "start-limit"),
    ("start request repeated too quickly", "start-limit"),
    ("Failed with result", "failed"),
    ("entered failed state", "failed"),
    ("Scheduled restart job", "restart-scheduled"),
    ("scheduling restart", "restart-scheduled"),
    ("Deactivated successfully", "succeeded"),
    (": Succeeded.", "succeeded"),
    ("Failed at step EXEC", "exec-failed"),
    ("Failed to locate executable", "exec-failed"),
    ("Failed to execute command", "exec-failed"),
    ("killed by the OOM killer", "oom-kill"),
    ("OOM killer killed some processes", "oom-kill"),
    ("systemd-oomd killed", "oomd-kill"),
    ("Watchdog timeout", "watchdog"),
    ("watchdog timeout", "watchdog"),
    ("start operation timed out", "start-timeout"),
    ("State 'stop-", "stop-timeout"),
    ("stop-sigterm timed out", "stop-timeout"),
    ("State 'final-sig", "stop-timeout"),
    ("still around after SIGKILL", "unkillable"),
    ("still around after final SIGKILL", "unkillable"),
    ("Killing process", "process-killed"),
    ("inotify watch descriptor", "inotify-failed"),
    ("is masked", "masked"),
];

/// Sentences that begin with the event and go on with a unit or its description.
const OF_JOB: &[(&str, &str)] = &[
    ("Started ", "started"),
    ("Starting ", "starting"),
    ("Stopped ", "stopped"),
    ("Stopping ", "stopping"),
    ("Failed to start ", "start-failed"),
    ("Dependency failed for ", "dependency-failed"),
    ("Condition check resulted in ", "condition-failed"),
];

/// Sentences of the machine.
const SHUTDOWN: &[(&str, &str)] = &[
    ("Power key pressed", "power-key"),
    ("System is powering down", "poweroff"),
    ("System is powering off", "poweroff"),
    ("will power off now", "poweroff"),
    ("Powering off", "poweroff"),
    ("System is rebooting", "reboot"),
    ("will reboot now", "reboot"),
    ("Rebooting.", "reboot"),
    ("System is halting", "halt"),
    ("will halt now", "halt"),
    ("kexec", "kexec"),
    ("Sending SIGTERM to remaining processes", "started"),
    ("Shutting down.", "started"),
    ("Syncing filesystems and block devices", "started"),
];

const OTHER: &[&str] = &[
    "running in system mode",
    "Startup finished in",
    "Time jumped backwards",
    "jumped backwards",
    "Time has been changed",
    "Changed local time",
    "Initial clock synchronization",
    "Forward time jump",
    "Backward time jump",
    "clock wrong by",
    "clock was stepped by",
    "time reset",
    "Suppressed ",
    "Missed ",
    "Journal stopped",
    "Journal started",
    "corrupted or uncleanly shut down",
    "Failed to write entry",
    "Entering sleep state",
    "System returned from sleep",
    "Lost carrier",
    "Gained carrier",
    "Link UP",
    "Link DOWN",
    "Consumed ",
    " Killed /",
];

static PREFILTER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    automaton(
        OF_UNIT
            .iter()
            .chain(OF_JOB)
            .chain(SHUTDOWN)
            .map(|(words, _)| *words)
            .chain(OTHER.iter().copied()),
    )
});

/// What a sentence says.
pub(super) fn facts(line: &Line<'_>) -> Vec<Fact> {
    if PREFILTER
        .as_ref()
        .is_some_and(|automaton| !automaton.is_match(line.text))
    {
        return Vec::new();
    }
    let text = line.text;
    let found = machine(text)
        .or_else(|| network(text))
        .or_else(|| of_unit(line))
        .or_else(|| of_job(text));
    found.into_iter().collect()
}

/// The kind of shutdown that a sentence orders.
pub(super) fn shutdown(text: &str) -> Option<&'static str> {
    SHUTDOWN
        .iter()
        .find(|(words, _)| text.contains(words))
        .map(|(_, what)| *what)
}

/// `kubelet.service: Main process exited` gives the unit; so do `Unit kubelet.service entered failed state` and
/// `kubelet.service holdoff time over`.
pub(super) fn unit_before_colon(text: &str) -> Option<&str> {
    let start = text.strip_prefix("Unit ").unwrap_or(text);
    let first = start.split([':', ' ']).next()?;
    let (_, kind) = first.rsplit_once('.')?;
    matches!(kind, "service" | "slice" | "scope").then_some(first)
}

/// `Failed with result 'oom-kill'`.
pub(super) fn result(text: &str) -> Option<&str> {
    between(text, "Failed with result '", "'")
}

/// `restart counter is at 4`.
pub(super) fn restarts(text: &str) -> Option<i64> {
    after(text, "restart counter is at ").and_then(number)
}

fn of_unit(line: &Line<'_>) -> Option<Fact> {
    let text = line.text;
    let (_, event) = OF_UNIT.iter().find(|(words, _)| text.contains(words))?;
    let named = unit_before_colon(text).or(line.unit)?;
    let event = match result(text) {
        Some("start-limit-hit") => "start-limit",
        _ => event,
    };
    let mut fact = systemd::base(named, event)?;
    if event == "exited" {
        fact = systemd::with_exit_text(fact, text);
    }
    if let Some(result) = result(text) {
        fact = fact.with("result", systemd::result_word(result));
    } else if event == "succeeded" {
        fact = fact.with("result", "success");
    }
    if let Some(n) = restarts(text) {
        fact = fact.with_int("restarts", n);
    }
    Some(fact)
}

fn of_job(text: &str) -> Option<Fact> {
    let (rest, event) = OF_JOB
        .iter()
        .find_map(|(words, event)| Some((text.strip_prefix(words)?, *event)))?;
    systemd::base(unit::by_description(rest)?, event)
}

fn machine(text: &str) -> Option<Fact> {
    if text.contains("running in system mode") {
        return Some(Fact::new(Kind::Boot).with("what", "systemd"));
    }
    if text.starts_with("Startup finished in") {
        return Some(Fact::new(Kind::Boot).with("what", "finished"));
    }
    if let Some(what) = shutdown(text).filter(|what| *what != "kexec" || text.contains("reboot")) {
        return Some(Fact::new(Kind::Shutdown).with("what", what));
    }
    if text.contains("Entering sleep state") {
        return Some(Fact::new(Kind::Sleep).with("what", "suspend"));
    }
    if text.contains("System returned from sleep") {
        return Some(Fact::new(Kind::Sleep).with("what", "resume"));
    }
    clock(text).or_else(|| journal(text))
}

fn clock(text: &str) -> Option<Fact> {
    let step = |what| Fact::new(Kind::ClockStep).with("what", what);
    if text.contains("jumped backwards") || text.contains("Backward time jump") {
        return Some(step("backwards"));
    }
    if text.contains("Initial clock synchronization") {
        return Some(step("synchronized"));
    }
    // chronyd: `System clock wrong by -3.2 seconds`; ntpd: `time reset +3.2 s`.
    for mark in ["clock wrong by ", "clock was stepped by ", "time reset "] {
        if let Some(rest) = after(text, mark) {
            let seconds: f64 = word(rest)
                .trim_start_matches('+')
                .trim_end_matches('s')
                .parse()
                .unwrap_or(0.0);
            return Some(step("changed").with_int("offset_ms", (seconds * 1000.0) as i64));
        }
    }
    ["Time has been changed", "Changed local time", "Forward time jump"]
        .iter()
        .any(|w| text.contains(w))
        .then(|| step("changed"))
}

fn journal(text: &str) -> Option<Fact> {
    let loss = |what| Fact::new(Kind::JournalLoss).with("what", what);
    if let Some(rest) = after(text, "Suppressed ") {
        let fact = loss("suppressed").with_int("count", number(rest)?);
        let unit = after(rest, " from ").map(|u| word(u).trim_end_matches('.'));
        return Some(match unit {
            Some(unit) => fact.with_text("unit", unit.rsplit('/').next().unwrap_or(unit)),
            None => fact,
        });
    }
    if let Some(rest) = after(text, "Missed ") {
        return Some(loss("dropped").with_int("count", number(rest)?));
    }
    let table = [
        ("Journal stopped", "stopped"),
        ("Journal started", "started"),
        ("corrupted or uncleanly shut down", "corrupt"),
        ("Failed to write entry", "failed"),
    ];
    table
        .iter()
        .find(|(words, _)| text.contains(words))
        .map(|(_, what)| loss(what))
}

/// networkd: `eth0: Lost carrier`.
fn network(text: &str) -> Option<Fact> {
    let (device, said) = text.split_once(": ")?;
    let what = match said.trim_end_matches('.') {
        "Lost carrier" => "carrier-lost",
        "Gained carrier" => "carrier-gained",
        "Link UP" => "link-up",
        "Link DOWN" => "link-down",
        _ => return None,
    };
    Some(kernel_device::nic(what, device))
}
