//! `systemctl show UNIT…`: blocks of `Property=value`, one a unit (systemctl(1)).

use std::collections::BTreeMap;

use crate::grammar::fact::{Fact, Kind};
use crate::model::time::Timestamp;
use crate::source::look::Reading;
use crate::source::systemd::state::UnitState;

/// Units kept of one output.
const UNITS: usize = 4096;
/// Properties kept of one unit; systemd 258 has 400.
const PROPERTIES: usize = 1024;

/// One unit's properties; those without a value are left out.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Shown(BTreeMap<String, String>);

/// Whether this text is such an output: its lines are properties, and each unit has a name and a state.
pub(super) fn is_shown(text: &str) -> bool {
    let property = |l: &str| {
        let name = l.split_once('=').map_or("", |(name, _)| name);
        !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric())
    };
    text.lines().take(40).all(|l| l.is_empty() || property(l))
        && text.lines().any(|l| l.starts_with("Id="))
        && text.lines().any(|l| l.starts_with("ActiveState="))
}

/// The units.
pub(super) fn parse(text: &str) -> Vec<Shown> {
    let mut units = vec![Shown::default()];
    for line in text.lines() {
        if line.is_empty() {
            if units.len() >= UNITS {
                break;
            }
            units.push(Shown::default());
        } else if let (Some((name, value)), Some(unit)) = (line.split_once('='), units.last_mut())
            && !value.is_empty()
            && unit.0.len() < PROPERTIES
        {
            unit.0.insert(name.to_owned(), value.to_owned());
        }
    }
    units.retain(|u| u.get("Id").is_some());
    units
}

impl Shown {
    /// A property's text.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A number; `infinity`, `[not set]` and the largest one (no value) are none.
    fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok().filter(|n| *n != u64::MAX)
    }

    /// The main process's id, where one runs.
    pub(super) fn pid(&self) -> Option<u32> {
        self.get("MainPID")?.parse().ok().filter(|p| *p > 0)
    }

    /// The unit's state. `booted` is the wall time of the boot by the clock of the capture.
    pub(super) fn state(
        &self,
        unit: &str,
        role: &'static str,
        (now, booted): (Timestamp, Option<Timestamp>),
    ) -> Reading {
        let mut state = UnitState::from_shown(unit, role, &|name| self.get(name));
        let changed = self.number("StateChangeTimestampMonotonic").filter(|t| *t > 0);
        state.since = booted
            .zip(changed.and_then(|t| i64::try_from(t).ok()))
            .map(|(booted, t)| Timestamp(booted.0.saturating_add(t)));
        state.reading(now)
    }

    /// The limits of the unit's cgroup and what it uses of them; `None` where none of it is printed.
    pub(super) fn cgroup(&self, role: &'static str) -> Option<Reading> {
        let mib = |name| self.number(name).map(|n| (n >> 20) as i64);
        let share = |part: Option<u64>, whole: Option<u64>| {
            let (part, whole) = part.zip(whole.filter(|w| *w > 0))?;
            i64::try_from(u128::from(part) * 100 / u128::from(whole)).ok()
        };
        let memory = self.number("MemoryCurrent");
        let (high, max) = (self.number("MemoryHigh"), self.number("MemoryMax"));
        let (tasks, tasks_max) = (self.number("TasksCurrent"), self.number("TasksMax"));
        let quota = self
            .get("CPUQuotaPerSecUSec")
            .and_then(micros)
            .map(|us| (us / 10_000) as i64);
        let path = self.get("ControlGroup")?;
        let figures = [
            ("memory_mb", mib("MemoryCurrent")),
            ("memory_high_mb", mib("MemoryHigh")),
            ("memory_high_percent", share(memory, high)),
            ("memory_max_mb", mib("MemoryMax")),
            ("memory_percent", share(memory, max)),
            ("pids", tasks.and_then(|n| i64::try_from(n).ok())),
            ("pids_max", tasks_max.and_then(|n| i64::try_from(n).ok())),
            ("pids_percent", share(tasks, tasks_max)),
            ("cpu_quota_percent", quota),
        ];
        let mut fact = Fact::new(Kind::Cgroup).with("role", role).with_text("path", path);
        for (name, value) in figures {
            if let Some(value) = value {
                fact = fact.with_int(name, value);
            }
        }
        let text = words(path, &fact);
        (fact.attrs.len() > 2).then(|| Reading::new(text, fact))
    }
}

/// The figures as people read them.
fn words(path: &str, fact: &Fact) -> String {
    let of = |name| fact.int(name);
    let mut parts = Vec::new();
    parts.extend(of("memory_mb").map(|mb| format!("memory {mb} MiB")));
    for (mb, percent, name) in [
        ("memory_high_mb", "memory_high_percent", "high"),
        ("memory_max_mb", "memory_percent", "max"),
    ] {
        if let Some((mb, percent)) = of(mb).zip(of(percent)) {
            parts.push(format!("{percent} % of memory.{name} {mb} MiB"));
        }
    }
    parts.extend(of("cpu_quota_percent").map(|p| format!("quota {p} % of one CPU")));
    parts.extend(of("pids").map(|n| match of("pids_max") {
        Some(max) => format!("tasks {n} of {max}"),
        None => format!("tasks {n}"),
    }));
    format!("{}  {}", path.rsplit('/').next().unwrap_or(path), parts.join(", "))
}

/// A span as systemd prints it, `1min 30s`, `10ms`, in microseconds.
fn micros(text: &str) -> Option<u64> {
    let mut all = 0_u64;
    for word in text.split_whitespace() {
        let digits = word.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = word.get(..digits)?.parse().ok()?;
        let unit = match word.get(digits..)? {
            "us" => 1.0,
            "ms" => 1e3,
            "s" => 1e6,
            "min" => 60e6,
            "h" => 3600e6,
            "d" => 86_400e6,
            _ => return None,
        };
        all = all.saturating_add((number * unit) as u64);
    }
    (all > 0).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "MainPID=382\nResult=success\nNRestarts=0\nExecMainCode=0\nExecMainStatus=0\n\
        ControlGroup=/system.slice/kubelet.service\nMemoryCurrent=27361280\nMemoryHigh=25165824\nMemoryMax=infinity\n\
        TasksCurrent=13\nTasksMax=3474\nCPUQuotaPerSecUSec=10ms\nId=kubelet.service\nLoadState=loaded\n\
        ActiveState=active\nSubState=running\nUnitFileState=enabled\nFreezerState=running\n\
        StateChangeTimestamp=Mon 2026-11-23 11:34:59 UTC\nStateChangeTimestampMonotonic=28413950\nDescription=\n\n\
        Id=containerd.service\nLoadState=loaded\nActiveState=failed\nSubState=failed\nResult=exit-code\n\
        ExecMainCode=1\nExecMainStatus=2\nNRestarts=3\nMemoryCurrent=[not set]\nMemoryHigh=infinity\n";

    #[test]
    fn states_of_units() {
        assert!(is_shown(TEXT));
        assert!(!is_shown("Id=3\nnot a property\nActiveState=x\n"));
        let units = parse(TEXT);
        let clock = (Timestamp(130_000_000), Some(Timestamp(0)));
        let kubelet = units[0].state("kubelet.service", "kubelet", clock);
        assert_eq!(
            kubelet.text,
            "kubelet.service  active (running), for 101 s, enabled, pid 382"
        );
        assert_eq!(kubelet.began, Some(Timestamp(28_413_950)));
        let runtime = units[1].state("containerd.service", "runtime", clock);
        assert_eq!(
            runtime.text,
            "containerd.service  failed (failed), result exit-code, exit code 2, 3 automatic restarts"
        );
        assert_eq!((runtime.began, units[1].cgroup("runtime")), (None, None));
    }

    #[test]
    fn limits_of_a_unit() {
        let reading = parse(TEXT)[0].cgroup("kubelet").unwrap();
        let fact = &reading.facts[0];
        assert_eq!(
            reading.text,
            "kubelet.service  memory 26 MiB, 108 % of memory.high 24 MiB, quota 1 % of one CPU, tasks 13 of 3474"
        );
        assert_eq!(fact.int("memory_high_percent"), Some(108));
        assert_eq!(fact.int("cpu_quota_percent"), Some(1));
        assert_eq!(fact.int("memory_percent"), None);
        assert_eq!((micros("1min 30s"), micros("infinity")), (Some(90_000_000), None));
    }
}
