//! Pressure stall information of the whole node: the share of time in which tasks waited for CPU, memory or I/O.
//!
//! The percentages are from the `total=` counters over the look's own second (Documentation/accounting/psi.rst), so they
//! say what is now; `avg60` is the kernel's own. What a pod's CPU limit makes wait counts in the node's CPU pressure too:
//! it is no proof that the kubelet starves. The pressure on the kubelet's and the runtime's cgroups is `cgroup`'s to say.

use std::time::Duration;

use super::figures::{add, opt_int};
use super::look::{Look, Looking, Sampler};
use super::scene::Scene;
use super::window::{self, Elapsed};
use crate::grammar::fact::{Fact, Kind};
use crate::host::{Host, Unreadable};

/// `/proc/pressure` of the node.
#[derive(Debug, Default)]
pub struct Pressure;

/// One line of a pressure file.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Stall {
    /// Per cent over the last minute.
    avg60: f32,
    /// Microseconds in all.
    pub(super) total: u64,
}

/// One pressure file, of the node or of a cgroup.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Stalls {
    /// Some task waited.
    pub(super) some: Stall,
    /// All tasks waited; kernels before 5.13 do not say it of the CPU.
    pub(super) full: Option<Stall>,
}

impl Stalls {
    /// Reads a pressure file; `None` where it is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let line = |which: &str| {
            let mut words = text.lines().find(|l| l.starts_with(which))?.split_whitespace().skip(1);
            let mut stall = Stall::default();
            for (key, value) in words.by_ref().filter_map(|w| w.split_once('=')) {
                match key {
                    "avg60" => stall.avg60 = value.parse().ok()?,
                    "total" => stall.total = value.parse().ok()?,
                    _ => {}
                }
            }
            Some(stall)
        };
        Some(Self {
            some: line("some")?,
            full: line("full"),
        })
    }

    /// The shares of the window since an earlier reading: some, and full where both have it.
    pub(super) fn shares(&self, before: &Self, window: Elapsed) -> (i64, Option<i64>) {
        let share = |now: Stall, then: Stall| window.share(now.total.saturating_sub(then.total));
        let full = self.full.zip(before.full).map(|(now, then)| share(now, then));
        (share(self.some, before.some), full)
    }
}

const RESOURCES: [(&str, &str); 3] = [
    ("cpu", "/proc/pressure/cpu"),
    ("memory", "/proc/pressure/memory"),
    ("io", "/proc/pressure/io"),
];

impl Sampler for Pressure {
    fn name(&self) -> &'static str {
        "pressure"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Pressure]
    }

    fn budget(&self) -> Duration {
        window::BUDGET
    }

    fn look<'a>(&'a mut self, scene: &'a Scene) -> Looking<'a> {
        Box::pin(async move {
            let (before, after) = window::twice(scene, window::LENGTH, || {
                RESOURCES.map(|(_, path)| read(&scene.host, path))
            })
            .await;
            let mut look = Look::default();
            let (after, window) = after.unzip();
            let after = after.unwrap_or_default();
            for ((name, path), (first, second)) in RESOURCES.into_iter().zip(before.into_iter().zip(after)) {
                let (first, second) = match (first, second) {
                    (Some(Ok(first)), second) => (first, second.and_then(Result::ok)),
                    (Some(Err(why)), _) if !off(&why) => {
                        look.missed(Kind::Pressure, why.to_string(), Some("read access to /proc/pressure"));
                        continue;
                    }
                    _ => {
                        let reason = format!("{path}: this kernel does not account pressure");
                        look.missed(Kind::Pressure, reason, Some("psi=1 on the kernel command line"));
                        continue;
                    }
                };
                say(&mut look, name, first, second.zip(window));
            }
            look
        })
    }
}

fn say(look: &mut Look, resource: &'static str, first: Stalls, second: Option<(Stalls, Elapsed)>) {
    // The kernel defines no `full` for the CPU of the whole node and shows 0 (psi.rst).
    let has_full = resource != "cpu";
    let minute = second.map_or(first, |(s, _)| s);
    let some60 = minute.some.avg60.round() as i64;
    let full60 = minute.full.filter(|_| has_full).map(|f| f.avg60.round() as i64);
    let mut fact = Fact::new(Kind::Pressure)
        .with("resource", resource)
        .with("scope", "node");
    let mut text = format!("pressure on {resource}");
    if let Some((second, window)) = second {
        let (some, full) = second.shares(&first, window);
        let full = full.filter(|_| has_full);
        add(&mut text, format_args!("  some tasks waited {some} %"));
        if let Some(full) = full {
            add(&mut text, format_args!(", all {full} %"));
        }
        add(&mut text, format_args!(" of the last {window}"));
        fact = opt_int(fact.with_int("some_percent", some), "full_percent", full);
    }
    add(&mut text, format_args!("  last minute: some {some60} %"));
    if let Some(full) = full60 {
        add(&mut text, format_args!(", all {full} %"));
    }
    fact = opt_int(fact.with_int("some_avg60", some60), "full_avg60", full60);
    look.saw(text, fact);
}

/// `None` where the file holds something else.
fn read(host: &Host, path: &str) -> Option<Result<Stalls, Unreadable>> {
    match host.machine_text(path) {
        Ok(text) => Stalls::parse(&text).map(Ok),
        Err(why) => Some(Err(why)),
    }
}

/// Kernels that were booted without PSI have no such file, or one that cannot be opened (`EOPNOTSUPP`).
fn off(why: &Unreadable) -> bool {
    match why {
        Unreadable::Missing(_) => true,
        Unreadable::Denied(_) => false,
        Unreadable::Other { source, .. } => source.raw_os_error() == Some(rustix::io::Errno::OPNOTSUPP.raw_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::test_scene::{captured, run, write};

    const BEFORE: &str =
        "some avg10=1.00 avg60=40.60 avg300=3.00 total=1000000\nfull avg10=0.00 avg60=20.40 avg300=0.00 total=500000\n";
    const AFTER: &str = "some avg10=1.00 avg60=41.20 avg300=3.00 total=1900000\nfull avg10=0.00 avg60=21.00 avg300=0.00 total=1000000\n";

    #[test]
    fn a_second_of_stalls() {
        let (before, after) = (Stalls::parse(BEFORE).unwrap(), Stalls::parse(AFTER).unwrap());
        let window = Elapsed::from_micros(1_000_000).unwrap();
        let mut look = Look::default();
        say(&mut look, "memory", before, Some((after, window)));
        let reading = &look.readings[0];
        assert_eq!(
            reading.text,
            "pressure on memory  some tasks waited 90 %, all 50 % of the last 1.0 s  last minute: some 41 %, all 21 %"
        );
        assert_eq!(reading.facts[0].int("full_percent"), Some(50));
    }

    #[tokio::test]
    async fn a_captured_node_has_averages_and_no_rates() {
        let dir = tempfile::tempdir().unwrap();
        for (_, path) in RESOURCES {
            write(&dir, path, BEFORE);
        }
        let look = run(&mut Pressure, &captured(&dir)).await;
        assert_eq!((look.readings.len(), look.blind.len()), (3, 0));
        let cpu = &look.readings[0].facts[0];
        assert_eq!(
            (cpu.int("some_avg60"), cpu.int("full_avg60"), cpu.int("some_percent")),
            (Some(41), None, None)
        );
    }

    #[tokio::test]
    async fn a_kernel_without_pressure_is_a_gap() {
        let dir = tempfile::tempdir().unwrap();
        write(&dir, "/proc/pressure/cpu", "gone\n");
        let look = run(&mut Pressure, &captured(&dir)).await;
        assert_eq!((look.readings.len(), look.blind.len()), (0, 3));
        assert_eq!(look.blind[2].grant.as_deref(), Some("psi=1 on the kernel command line"));
    }
}
