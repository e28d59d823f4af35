//! The work of the block devices under the file systems that matter: /proc/diskstats over the look's window
//! (Documentation/admin-guide/iostats.rst).
//!
//! A device is `stalled` where requests were in flight from the beginning to the end of at least 1.5 seconds and not one
//! was completed. Slow is not stalled. Devices of `md` are left out of that: kernels have leaked their in-flight count.

use std::collections::BTreeSet;
use std::time::Duration;

use procfs::DiskStat;

use super::figures::{add, opt_int, opt_yes};
use super::look::{Look, Looking, Sampler};
use super::mounts::{Mounts, places};
use super::scene::Scene;
use super::window::{self, Elapsed};
use crate::grammar::fact::{Fact, Kind};
use crate::host::Host;

/// The block devices of the node.
#[derive(Debug, Default)]
pub struct Disk;

/// How much longer a device is watched that has completed nothing in the first second.
const LONGER: Duration = Duration::from_millis(600);
/// A stall is said of no shorter time, microseconds.
const STALL: u64 = 1_500_000;
/// Devices looked at, with those below a device mapper: 16.
const DEVICES: usize = 16;

impl Sampler for Disk {
    fn name(&self) -> &'static str {
        "disk"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Disk]
    }

    fn budget(&self) -> Duration {
        window::BUDGET
    }

    fn look<'a>(&'a mut self, scene: &'a Scene) -> Looking<'a> {
        Box::pin(async move {
            let mut look = Look::default();
            let started = scene.clock.now();
            let read = || scene.host.machine_text("/proc/diskstats").map(|t| parse(&t));
            let before = match read() {
                Ok(before) => before,
                Err(why) => {
                    look.missed(Kind::Disk, why.to_string(), Some("the node's /proc, read-only"));
                    return look;
                }
            };
            let devices = match Mounts::of(&scene.host) {
                Ok(mounts) => devices(scene, &mounts, &before),
                Err(why) => {
                    look.missed(
                        Kind::Disk,
                        why.to_string(),
                        Some("the node's /proc at /host/proc, read-only"),
                    );
                    return look;
                }
            };
            // A captured node has counters and no window: nothing can be said of its disks.
            if devices.is_empty() || !scene.host.is_live() {
                return look;
            }
            tokio::time::sleep(window::LENGTH).await;
            let mut after = read().unwrap_or_default();
            if devices.iter().any(|d| waits(find(&before, d), find(&after, d))) {
                tokio::time::sleep(LONGER).await;
                after = read().unwrap_or_default();
            }
            let Some(window) = Elapsed::from_micros(scene.clock.since(started)) else {
                return look;
            };
            for device in &devices {
                if let (Some(before), Some(after)) = (find(&before, device), find(&after, device)) {
                    say(&mut look, before, after, window);
                }
            }
            look
        })
    }
}

fn say(look: &mut Look, before: &DiskStat, after: &DiskStat, window: Elapsed) {
    let completed = done(after).saturating_sub(done(before));
    let busy = window.share(
        after
            .time_in_progress
            .saturating_sub(before.time_in_progress)
            .saturating_mul(1000),
    );
    let each = spent(after).saturating_sub(spent(before)).checked_div(completed);
    let stalled = (window.micros() >= STALL || completed > 0 || after.in_progress == 0)
        .then(|| waits(Some(before), Some(after)) && !after.name.starts_with("md"));
    let mut text = format!(
        "disk {}  busy {busy} % of the last {window}  {completed} requests done, {} in flight",
        after.name, after.in_progress
    );
    if let Some(each) = each {
        add(&mut text, format_args!("  {each} ms each"));
    }
    if stalled == Some(true) {
        text += "  stalled: nothing in flight came back";
    }
    let fact = Fact::new(Kind::Disk)
        .with_text("device", after.name.clone())
        .with_int("busy_percent", busy)
        .with_int("in_flight", after.in_progress as i64)
        .with_int("completed", completed as i64);
    let fact = opt_int(fact, "await_ms", each.map(|e| e as i64));
    look.saw(text, opt_yes(fact, "stalled", stalled));
}

/// Whether requests were in flight at both readings and none was completed.
fn waits(before: Option<&DiskStat>, after: Option<&DiskStat>) -> bool {
    before
        .zip(after)
        .is_some_and(|(before, after)| before.in_progress > 0 && after.in_progress > 0 && done(before) == done(after))
}

/// Reads, writes, discards and flushes completed. A failed request counts too.
fn done(s: &DiskStat) -> u64 {
    [s.reads, s.writes, s.discards.unwrap_or(0), s.flushes.unwrap_or(0)]
        .into_iter()
        .fold(0, u64::saturating_add)
}

/// Milliseconds that completed requests took, all together.
fn spent(s: &DiskStat) -> u64 {
    [
        s.time_reading,
        s.time_writing,
        s.time_discarding.unwrap_or(0),
        s.time_flushing.unwrap_or(0),
    ]
    .into_iter()
    .fold(0, u64::saturating_add)
}

/// One line a device; a line that is none is left out.
fn parse(text: &str) -> Vec<DiskStat> {
    text.lines().filter_map(|l| DiskStat::from_line(l).ok()).collect()
}

fn find<'a>(stats: &'a [DiskStat], name: &str) -> Option<&'a DiskStat> {
    stats.iter().find(|s| s.name == name)
}

/// The devices under the places that matter, and under those the ones that a device mapper or md is made of.
fn devices(scene: &Scene, mounts: &Mounts, stats: &[DiskStat]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (_, path) in places(&scene.world) {
        let Some(mount) = mounts.holding(&mounts.resolved(&scene.host, &path)) else {
            continue;
        };
        // btrfs has device numbers of its own: there the source's name tells.
        let by_id = stats.iter().find(|s| format!("{}:{}", s.major, s.minor) == mount.id);
        let by_name = || mount.source.strip_prefix("/dev/").and_then(|n| find(stats, n));
        if let Some(stat) = by_id.or_else(by_name) {
            names.insert(stat.name.clone());
        }
    }
    let mut todo: Vec<String> = names.iter().cloned().collect();
    while let Some(name) = todo.pop() {
        for slave in slaves(&scene.host, &name) {
            if names.len() < DEVICES && find(stats, &slave).is_some() && names.insert(slave.clone()) {
                todo.push(slave);
            }
        }
    }
    names
}

fn slaves(host: &Host, name: &str) -> Vec<String> {
    host.list(format!("/sys/class/block/{name}/slaves")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::test_scene::{captured, run, write};

    const BEFORE: &str = "\
 254 0 vda 100 0 0 1000 200 0 0 4000 3 5000 9000 0 0 0 0 10 500
 254 1 vda1 1 2
 253 0 dm-0 100 0 0 1000 200 0 0 4000 0 5000 9000
";

    fn window(millis: u64) -> Elapsed {
        Elapsed::from_micros(millis * 1000).unwrap()
    }

    #[test]
    fn a_busy_disk_is_not_stalled() {
        let before = &parse(BEFORE)[0];
        let after = DiskStat {
            writes: 210,
            time_writing: 4500,
            time_in_progress: 5900,
            ..before.clone()
        };
        let mut look = Look::default();
        say(&mut look, before, &after, window(1000));
        assert_eq!(
            look.readings[0].text,
            "disk vda  busy 90 % of the last 1.0 s  10 requests done, 3 in flight  50 ms each"
        );
        assert_eq!(look.readings[0].facts[0].text("stalled"), Some("no"));
    }

    #[test]
    fn a_stall_needs_its_time() {
        let before = &parse(BEFORE)[0];
        for (millis, expected) in [(1000, None), (1600, Some("yes"))] {
            let mut look = Look::default();
            say(&mut look, before, before, window(millis));
            assert_eq!(look.readings[0].facts[0].text("stalled"), expected);
            assert_eq!(look.readings[0].facts[0].int("await_ms"), None);
        }
        let idle = &parse(BEFORE)[1];
        let mut look = Look::default();
        say(&mut look, idle, idle, window(1600));
        assert_eq!(look.readings[0].facts[0].text("stalled"), Some("no"));
    }

    #[test]
    fn devices_below_a_device_mapper() {
        let dir = tempfile::tempdir().unwrap();
        write(&dir, "/sys/class/block/dm-0/slaves/vda", "");
        let scene = captured(&dir);
        write(
            &dir,
            "/proc/1/mountinfo",
            "27 1 253:0 / / rw - ext4 /dev/mapper/root rw\n28 27 0:30 / /var rw - btrfs /dev/nvme0n1 rw\n",
        );
        let mounts = Mounts::of(&scene.host).unwrap();
        let stats = parse(&format!("{BEFORE} 259 0 nvme0n1 0 0 0 0 0 0 0 0 0 0 0\n"));
        let names: Vec<String> = devices(&scene, &mounts, &stats).into_iter().collect();
        assert_eq!(names, ["dm-0", "nvme0n1", "vda"]);
    }

    #[tokio::test]
    async fn captured_counters_say_nothing_of_a_rate() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(run(&mut Disk, &captured(&dir)).await.blind.len(), 1);
        write(&dir, "/proc/diskstats", BEFORE);
        write(&dir, "/proc/1/mountinfo", "27 1 254:0 / / rw - ext4 /dev/vda rw\n");
        assert_eq!(run(&mut Disk, &captured(&dir)).await, Look::default());
    }
}
