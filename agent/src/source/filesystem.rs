//! Space, inodes and state of the file systems that the node, the kubelet and the runtime write to.
//!
//! Each file system is asked (`statvfs`) on a thread of its own with a time limit: one that hangs, as NFS without its
//! server does, is a reading (`answers=no`) and is not asked again until it has answered. What is meant to be read-only
//! (an image, a verified root) is neither full nor read-only. Nothing is written to find out whether one can write.

use std::collections::{BTreeMap, VecDeque};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use futures_util::future::join_all;

use super::figures::{add, mib, opt_int, opt_yes, percent};
use super::look::{Look, Looking, Sampler, blocking_on};
use super::mounts::{Mount, Mounts, meant_read_only, places};
use super::scene::Scene;
use crate::clock::Now;
use crate::grammar::fact::{Fact, Kind};
use crate::host::Host;

/// How long one file system may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// Readings of free space are kept so long to tell the rate, microseconds: ten minutes.
const MEMORY: u64 = 600_000_000;
/// A rate needs so long, microseconds: ten seconds.
const SHORTEST: u64 = 10_000_000;
/// Readings kept of one file system.
const READINGS: usize = 64;
/// Less growth than this says nothing: 1 MiB.
const GROWTH: u64 = 1 << 20;
/// Beyond a week a forecast is not worth its name, seconds.
const HORIZON: u64 = 7 * 86400;

type Asking = Pin<Box<dyn Future<Output = Option<Answer>> + Send>>;

/// The file systems of the node.
#[derive(Default)]
pub struct Filesystem {
    /// Those that have not answered yet, by mount point; bounded by the number of [`places`].
    pending: BTreeMap<PathBuf, Asking>,
    /// Free bytes at (`CLOCK_MONOTONIC`, microseconds), by mount point.
    history: BTreeMap<PathBuf, VecDeque<(u64, u64)>>,
    /// What was printed of them when the node was captured, by mount point.
    printed: BTreeMap<PathBuf, Space>,
}

impl std::fmt::Debug for Filesystem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Filesystem")
            .field("history", &self.history)
            .finish_non_exhaustive()
    }
}

/// What statvfs(3) says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Space(Space),
    /// None of its directories is mounted where this process is.
    NotHere,
    Denied,
}

/// Bytes and inodes of a file system; 0 inodes in all: not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Space {
    /// In use.
    pub used: u64,
    /// What a process without privileges may still use.
    pub available: u64,
    /// In all.
    pub inodes: u64,
    /// Free.
    pub inodes_free: u64,
}

/// One file system, for the first of the roles that it has.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    role: &'static str,
    mount: Mount,
    paths: Vec<PathBuf>,
}

impl Sampler for Filesystem {
    fn name(&self) -> &'static str {
        "filesystem"
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Filesystem]
    }

    fn budget(&self) -> Duration {
        PATIENCE * 2
    }

    fn look<'a>(&'a mut self, scene: &'a Scene) -> Looking<'a> {
        Box::pin(async move {
            let mut look = Look::default();
            let mounts = match Mounts::of(&scene.host) {
                Ok(mounts) => mounts,
                Err(why) => {
                    look.missed(
                        Kind::Filesystem,
                        why.to_string(),
                        Some("the node's /proc at /host/proc, read-only"),
                    );
                    return look;
                }
            };
            let groups = groups(scene, &mounts);
            if groups.is_empty() {
                look.missed(
                    Kind::Filesystem,
                    "no mount of the node is known",
                    Some("the node's /proc at /host/proc, read-only"),
                );
            }
            let answers = self.ask(scene, &groups).await;
            let now = scene.clock.now();
            for (group, answer) in groups.iter().zip(answers) {
                self.say(&mut look, scene, group, (answer, now));
            }
            look
        })
    }
}

/// What one file system gave: `None` where it was not asked.
type Given = Option<Result<Answer, Hangs>>;

/// It has not answered in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Hangs;

impl Filesystem {
    /// Of a captured node: what df(1) printed there, by mount point.
    pub fn printed(printed: BTreeMap<PathBuf, Space>) -> Self {
        Self {
            printed,
            ..Self::default()
        }
    }

    async fn ask(&mut self, scene: &Scene, groups: &[Group]) -> Vec<Given> {
        if !scene.host.is_live() {
            let printed = |g: &Group| self.printed.get(&g.mount.point).map(|s| Ok(Answer::Space(*s)));
            return groups.iter().map(printed).collect();
        }
        self.pending
            .retain(|point, _| groups.iter().any(|g| g.mount.point == *point));
        let asked: Vec<(PathBuf, Asking)> = groups
            .iter()
            .map(|group| {
                let point = group.mount.point.clone();
                let asking = self.pending.remove(&point).unwrap_or_else(|| {
                    let (host, group) = (scene.host.clone(), group.clone());
                    Box::pin(blocking_on(point.display().to_string(), move || ask(&host, &group)))
                });
                (point, asking)
            })
            .collect();
        let answers = asked.into_iter().map(|(point, mut asking)| async move {
            match tokio::time::timeout(PATIENCE, &mut asking).await {
                Ok(answer) => (answer.map(Ok), None),
                Err(_) => (Some(Err(Hangs)), Some((point, asking))),
            }
        });
        let answers = join_all(answers).await;
        answers
            .into_iter()
            .map(|(given, pending)| {
                self.pending.extend(pending);
                given
            })
            .collect()
    }

    fn say(&mut self, look: &mut Look, scene: &Scene, group: &Group, (answer, now): (Given, Now)) {
        let mount = &group.mount;
        let meant = mount.read_only && meant_read_only(&scene.host, mount);
        let mut text = format!("{} ({} on {})", mount.point.display(), mount.fs, mount.source);
        let mut fact = Fact::new(Kind::Filesystem)
            .with_text("mount", mount.point.display().to_string())
            .with("role", group.role)
            .with_text("fs", mount.fs.clone())
            .with_text("device", mount.source.clone());
        let space = match answer {
            Some(Err(Hangs)) => {
                add(
                    &mut text,
                    format_args!("  gives no answer within {} s", PATIENCE.as_secs()),
                );
                fact = fact.with("answers", "no");
                None
            }
            Some(Ok(Answer::Space(space))) => {
                fact = fact.with("answers", "yes");
                Some(space)
            }
            Some(Ok(Answer::NotHere | Answer::Denied)) => {
                let reason = format!(
                    "{} is not mounted where the agent is, or may not be read",
                    mount.point.display()
                );
                let path = group.paths.first().map(|p| p.display().to_string()).unwrap_or_default();
                look.missed(Kind::Filesystem, reason, Some(&format!("the node's {path}, read-only")));
                None
            }
            None => None,
        };
        if let Some(space) = space.filter(|_| !meant) {
            let full_in = self.full_in(&mount.point, space, now);
            (text, fact) = figures(text, fact, space, full_in);
        }
        if mount.read_only {
            text += if meant {
                "  read-only, as is meant"
            } else {
                "  read-only"
            };
        }
        fact = opt_yes(fact, "read_only", (!meant).then_some(mount.read_only));
        look.saw(text, fact);
    }

    /// Seconds until nothing is available, at the rate of the last minutes; `None` where it does not fill.
    fn full_in(&mut self, point: &std::path::Path, space: Space, now: Now) -> Option<u64> {
        let history = self.history.entry(point.to_owned()).or_default();
        while history
            .front()
            .is_some_and(|(at, _)| now.monotonic.saturating_sub(*at) > MEMORY)
            || history.len() >= READINGS
        {
            history.pop_front();
        }
        let first = history.front().copied();
        history.push_back((now.monotonic, space.available));
        let (at, before) = first?;
        let (time, growth) = (now.monotonic.checked_sub(at)?, before.checked_sub(space.available)?);
        if time < SHORTEST || growth < GROWTH {
            return None;
        }
        let seconds = u128::from(space.available) * u128::from(time) / u128::from(growth) / 1_000_000;
        u64::try_from(seconds).ok().filter(|s| *s <= HORIZON)
    }
}

fn figures(mut text: String, mut fact: Fact, space: Space, full_in: Option<u64>) -> (String, Fact) {
    // As df(1) does, of what a process without privileges may use; rounded down, so that 100 means full.
    let used = percent(space.used, space.used.saturating_add(space.available));
    let inodes = percent(space.inodes.saturating_sub(space.inodes_free), space.inodes);
    if let Some(used) = used {
        add(
            &mut text,
            format_args!("  {used} % used, {} MiB free", mib(space.available)),
        );
        fact = fact
            .with_int("used_percent", used)
            .with_int("free_mb", mib(space.available));
    }
    if let Some(inodes) = inodes {
        add(&mut text, format_args!("  inodes {inodes} % used"));
    }
    if let Some(seconds) = full_in {
        add(
            &mut text,
            format_args!("  full in {} min at the present rate", seconds / 60),
        );
    }
    fact = opt_int(fact, "inodes_used_percent", inodes);
    (text, opt_int(fact, "full_in_s", full_in.map(|s| s as i64)))
}

/// One group for each file system, in the order of the places; a device that is mounted twice is one.
fn groups(scene: &Scene, mounts: &Mounts) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (role, path) in places(&scene.world) {
        let Some(mount) = mounts.holding(&mounts.resolved(&scene.host, &path)) else {
            continue;
        };
        let same = |g: &&mut Group| {
            g.mount.point == mount.point
                || (!mount.id.is_empty() && g.mount.id == mount.id && g.mount.read_only == mount.read_only)
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.paths.push(path),
            None => groups.push(Group {
                role,
                mount: mount.clone(),
                paths: vec![path],
            }),
        }
    }
    groups
}

/// Asks the first of the directories that is on this file system: in a pod not all of them are mounted, and what lies in
/// place of them is the container's own.
fn ask(host: &Host, group: &Group) -> Answer {
    let mut denied = false;
    for path in &group.paths {
        let here = host.path(path);
        match host.metadata(path) {
            Ok(metadata) if is_on(metadata.dev(), &group.mount) => {}
            Ok(_) => continue,
            Err(why) => {
                denied |= why.is_denied();
                continue;
            }
        }
        if let Ok(s) = rustix::fs::statvfs(&here) {
            return Answer::Space(Space {
                used: s.f_blocks.saturating_sub(s.f_bfree).saturating_mul(s.f_frsize),
                available: s.f_bavail.saturating_mul(s.f_frsize),
                inodes: s.f_files,
                inodes_free: s.f_ffree,
            });
        }
    }
    if denied { Answer::Denied } else { Answer::NotHere }
}

/// btrfs gives each subvolume a device number that is not the one in the mount table.
fn is_on(dev: u64, mount: &Mount) -> bool {
    let id = format!("{}:{}", rustix::fs::major(dev), rustix::fs::minor(dev));
    mount.id.is_empty() || mount.id == id || mount.fs == "btrfs"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::test_scene::{captured, fixture_dir, run, write};

    fn at(seconds: u64) -> Now {
        Now {
            monotonic: seconds * 1_000_000,
            ..Now::default()
        }
    }

    #[test]
    fn time_to_full_needs_growth_and_time() {
        let mut sampler = Filesystem::default();
        let mut left = |mb: u64, seconds: u64| {
            let space = Space {
                available: mb << 20,
                ..Space::default()
            };
            sampler.full_in(std::path::Path::new("/var"), space, at(seconds))
        };
        assert_eq!(left(1000, 0), None);
        assert_eq!(left(990, 5), None);
        assert_eq!(left(900, 60), Some(540));
        assert_eq!(left(1100, 120), None);
        // The rate is of the last ten minutes only.
        assert_eq!(left(1100, 800), None);
        assert_eq!(left(1098, 1400), Some(1098 * 600 / 2));
        assert_eq!(left(1098, 2100), None);
    }

    #[test]
    fn figures_are_those_of_df() {
        let space = Space {
            used: 199 << 20,
            available: 1 << 20,
            inodes: 1000,
            inodes_free: 0,
        };
        let (text, fact) = figures(String::new(), Fact::new(Kind::Filesystem), space, Some(125));
        assert_eq!(
            text,
            "  99 % used, 1 MiB free  inodes 100 % used  full in 2 min at the present rate"
        );
        assert_eq!(
            (fact.int("used_percent"), fact.int("inodes_used_percent")),
            (Some(99), Some(100))
        );
        let none = figures(String::new(), Fact::new(Kind::Filesystem), Space::default(), None);
        assert_eq!(none.1.attrs, []);
    }

    #[tokio::test]
    async fn a_captured_table_tells_what_is_read_only() {
        let dir = tempfile::tempdir().unwrap();
        write(
            &dir,
            "/proc/mounts",
            "/dev/vda / ext4 ro,relatime 0 0\n/dev/vdb /var/lib/kubelet xfs rw 0 0\n/dev/loop0 /etc squashfs ro 0 0\n",
        );
        let look = run(&mut Filesystem::default(), &captured(&dir)).await;
        let read_only: Vec<_> = look
            .readings
            .iter()
            .map(|r| (r.facts[0].text("role"), r.facts[0].text("read_only")))
            .collect();
        assert_eq!(
            read_only,
            [
                (Some("root"), Some("yes")),
                (Some("kubelet"), Some("no")),
                (Some("etc"), None)
            ]
        );
        assert_eq!(
            look.readings[2].text,
            "/etc (squashfs on /dev/loop0)  read-only, as is meant"
        );
    }

    #[tokio::test]
    async fn a_captured_healthy_node() {
        let look = run(&mut Filesystem::default(), &captured(fixture_dir("healthy"))).await;
        assert_eq!((look.readings.len(), look.blind.len()), (1, 0));
        assert_eq!(look.readings[0].text, "/ (ext4 on /dev/vda)");
    }

    #[tokio::test]
    async fn no_table_is_a_gap() {
        let dir = tempfile::tempdir().unwrap();
        let look = run(&mut Filesystem::default(), &captured(&dir)).await;
        assert_eq!((look.readings.len(), look.blind.len()), (0, 1));
    }
}
