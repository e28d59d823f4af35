//! Disks that are full, become full, or turn read-only: real file systems of a few megabytes, mounted for the test.
//! Needs root.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use whynotready::clock::{Clock, Now};
use whynotready::model::change::{ChangeKind, Tier};
use whynotready::model::time::Timestamp;
use whynotready::outbox::durable::{Lost, Options, Outbox, PATIENCE};
use whynotready::outbox::sink::Sink;

use crate::sample::{change, options};

/// A file system that is unmounted at the end.
struct Mount {
    at: PathBuf,
    image: Option<PathBuf>,
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Only a frozen one can be let go, and only one that is let go can be unmounted.
        run("fsfreeze", &["--unfreeze", text(&self.at)]);
        run("umount", &["--lazy", text(&self.at)]);
    }
}

impl Mount {
    fn tmpfs(dir: &Path, size: &str) -> Self {
        let at = dir.join("tmpfs");
        std::fs::create_dir(&at).expect("made");
        must(
            "mount",
            &["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs", text(&at)],
        );
        Self { at, image: None }
    }

    fn ext4(dir: &Path, bytes: u64) -> Self {
        let (at, image) = (dir.join("ext4"), dir.join("image"));
        std::fs::create_dir(&at).expect("made");
        std::fs::File::create(&image)
            .expect("made")
            .set_len(bytes)
            .expect("sized");
        must("mkfs.ext4", &["-q", "-m", "0", text(&image)]);
        let mount = Self { at, image: Some(image) };
        mount.again();
        mount
    }

    fn again(&self) {
        let image = self.image.as_deref().expect("an image");
        must("mount", &["-o", "loop,errors=remount-ro", text(image), text(&self.at)]);
    }

    /// Every byte that is left.
    fn fill(&self) -> PathBuf {
        let path = self.at.join("ballast");
        let mut file = std::fs::File::create(&path).expect("made");
        for size in [64 << 10, 4096, 1] {
            while file.write_all(&vec![7; size]).and_then(|()| file.sync_all()).is_ok() {}
        }
        path
    }
}

#[expect(clippy::disallowed_methods, reason = "mounts are made by the tools for that")]
fn run(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
}

fn must(program: &str, arguments: &[&str]) {
    assert!(run(program, arguments), "{program} {arguments:?}");
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// A clock that is put forward by hand.
fn clock() -> (Clock, Arc<AtomicU64>) {
    let micros = Arc::new(AtomicU64::new(1_795_608_000_000_000));
    let reads = micros.clone();
    let clock = Clock::from_fn(move || {
        let now = reads.load(Ordering::SeqCst);
        Now {
            wall: Timestamp(now as i64),
            monotonic: now,
            boottime: now,
        }
    });
    (clock, micros)
}

fn store(outbox: &mut Outbox, numbers: std::ops::Range<usize>) -> Vec<Tier> {
    numbers
        .map(|n| outbox.store(&change(&format!("uid-{n}"), ChangeKind::RootCauseFound)))
        .collect()
}

fn pending(outbox: &mut Outbox) -> Vec<String> {
    outbox
        .pending(Sink::Otlp, 10_000)
        .into_iter()
        .map(|s| s.change.uid)
        .collect()
}

fn expected(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|n| format!("uid-{n}")).collect()
}

fn all(tiers: &[Tier], tier: Tier) -> bool {
    tiers.iter().all(|t| *t == tier)
}

#[test]
fn a_disk_that_fills_up_stops_nothing() {
    for kind in ["tmpfs", "ext4"] {
        let dir = tempfile::tempdir().expect("a directory");
        let mount = match kind {
            "tmpfs" => Mount::tmpfs(dir.path(), "4m"),
            _ => Mount::ext4(dir.path(), 16 << 20),
        };
        let mut outbox = Outbox::open(options(&mount.at, &[Sink::Otlp]));
        store(&mut outbox, 0..5);
        mount.fill();
        let tiers = store(&mut outbox, 5..400);
        assert!(all(&tiers, Tier::Disk), "{kind}: {:?}", outbox.trouble());
        for uid in expected(0..300) {
            outbox.delivered(Sink::Otlp, &uid);
        }
        drop(outbox);
        // And is there after a restart on the full disk.
        let mut outbox = Outbox::open(options(&mount.at, &[Sink::Otlp]));
        assert_eq!(pending(&mut outbox), expected(300..400), "{kind}");
        assert!(
            all(&store(&mut outbox, 0..400), Tier::Disk),
            "{kind}: nothing is stored twice"
        );
        assert_eq!(outbox.depth(), 100);
    }
}

#[test]
fn a_disk_that_is_full_at_the_start_is_used_as_soon_as_there_is_room() {
    let dir = tempfile::tempdir().expect("a directory");
    let mount = Mount::ext4(dir.path(), 16 << 20);
    let ballast = mount.fill();
    let (clock, time) = clock();
    let options = || Options {
        dir: mount.at.join("state"),
        run_dir: dir.path().join("run"),
        clock: clock.clone(),
        ..options(dir.path(), &[Sink::Otlp])
    };
    let mut outbox = Outbox::open(options());
    assert_eq!(outbox.tier(), Tier::Run);
    assert!(outbox.trouble()[0].contains("No space left"), "{:?}", outbox.trouble());
    assert!(all(&store(&mut outbox, 0..20), Tier::Run));
    drop(outbox);
    // `/run` survives the agent.
    let mut outbox = Outbox::open(options());
    assert_eq!(pending(&mut outbox), expected(0..20));
    outbox.delivered(Sink::Otlp, "uid-3");
    std::fs::remove_file(ballast).expect("removed");
    time.fetch_add(5_000_000, Ordering::SeqCst);
    outbox.tend();
    assert_eq!(outbox.tier(), Tier::Disk, "{:?}", outbox.trouble());
    assert!(all(&store(&mut outbox, 20..30), Tier::Disk));
    let run = std::fs::metadata(dir.path().join("run/outbox")).expect("there");
    let blocks = std::os::unix::fs::MetadataExt::blocks(&run);
    assert!(blocks <= 8, "what lay in /run is given back: {blocks} blocks");
    drop(outbox);
    std::fs::remove_dir_all(dir.path().join("run")).expect("removed");
    let mut outbox = Outbox::open(options());
    let mut left = expected(0..30);
    left.remove(3);
    assert_eq!(pending(&mut outbox), left);
    assert_eq!(outbox.lost(), Lost::default());
}

#[test]
fn a_disk_that_turns_read_only_stops_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let mount = Mount::ext4(dir.path(), 16 << 20);
    let (clock, time) = clock();
    let options = || Options {
        dir: mount.at.join("state"),
        run_dir: dir.path().join("run"),
        clock: clock.clone(),
        ..options(dir.path(), &[Sink::Otlp])
    };
    let mut outbox = Outbox::open(options());
    assert!(all(&store(&mut outbox, 0..10), Tier::Disk));
    break_ext4(&mount);
    let tiers = store(&mut outbox, 10..20);
    assert!(all(&tiers, Tier::Run), "{tiers:?}");
    assert!(outbox.trouble()[0].contains("Read-only"), "{:?}", outbox.trouble());
    // What is on the disk can't be marked any more, and is not delivered again by this process.
    time.fetch_add(120_000_000, Ordering::SeqCst);
    outbox.tend();
    assert_eq!(outbox.tier(), Tier::Run);
    drop(outbox);
    must("umount", &[text(&mount.at)]);
    mount.again();
    let mut outbox = Outbox::open(options());
    assert_eq!(outbox.tier(), Tier::Disk);
    assert_eq!(pending(&mut outbox), expected(0..20));
    assert_eq!(outbox.lost(), Lost::default());
}

#[test]
fn a_disk_that_hangs_does_not_hold_the_agent() {
    let dir = tempfile::tempdir().expect("a directory");
    let mount = Mount::ext4(dir.path(), 16 << 20);
    let (clock, time) = clock();
    let mut outbox = Outbox::open(Options {
        dir: mount.at.join("state"),
        run_dir: dir.path().join("run"),
        patience: PATIENCE,
        clock,
        ..options(dir.path(), &[Sink::Otlp])
    });
    assert!(all(&store(&mut outbox, 0..10), Tier::Disk));
    // Whoever writes now waits in the kernel until the file system is let go, SIGKILL or not.
    must("fsfreeze", &["--freeze", text(&mount.at)]);
    assert!(all(&store(&mut outbox, 10..20), Tier::Run));
    assert!(
        outbox.trouble()[0].contains("does not answer"),
        "{:?}",
        outbox.trouble()
    );
    outbox.delivered(Sink::Otlp, "uid-12");
    // What lies there can't be asked for now, what came later can.
    assert_eq!(pending(&mut outbox), [expected(10..12), expected(13..20)].concat());
    time.fetch_add(60_000_000, Ordering::SeqCst);
    outbox.tend();
    assert_eq!(outbox.tier(), Tier::Run);
    must("fsfreeze", &["--unfreeze", text(&mount.at)]);
    // The write that hung is carried out now. It is not a second change.
    time.fetch_add(60_000_000, Ordering::SeqCst);
    outbox.tend();
    assert_eq!(outbox.tier(), Tier::Disk, "{:?}", outbox.trouble());
    assert_eq!(pending(&mut outbox), [expected(0..12), expected(13..20)].concat());
    drop(outbox);
    let mut outbox = Outbox::open(options(&mount.at, &[Sink::Otlp]));
    assert_eq!(pending(&mut outbox), [expected(0..12), expected(13..20)].concat());
    assert_eq!(outbox.lost(), Lost::default());
}

/// As a file system does that finds itself damaged: `errors=remount-ro`.
#[expect(clippy::disallowed_methods, reason = "the kernel's own switch for that")]
fn break_ext4(mount: &Mount) {
    let table = std::fs::read_to_string("/proc/self/mounts").expect("mounts");
    let line = table.lines().find(|l| l.split(' ').nth(1) == Some(text(&mount.at)));
    let device = line
        .and_then(|l| l.split(' ').next())
        .and_then(|d| d.rsplit('/').next());
    let switch = format!("/sys/fs/ext4/{}/trigger_fs_error", device.expect("mounted"));
    std::fs::write(switch, "1").expect("broken");
}

#[test]
fn without_any_directory_memory_is_bounded_and_what_is_lost_is_said() {
    let dir = tempfile::tempdir().expect("a directory");
    // A file where the directories should be.
    let file = dir.path().join("file");
    std::fs::File::create(&file).expect("made");
    let mut outbox = Outbox::open(options(&file, &[Sink::Otlp]));
    assert_eq!(outbox.tier(), Tier::Memory);
    assert_eq!(outbox.trouble().len(), 2);
    let mut random = fastrand::Rng::with_seed(3);
    // Text that does not compress: 20 kB each, a hundred of them.
    let mut stored = 0;
    while outbox.lost().overflow == 0 {
        let mut change = change(&format!("uid-{stored}"), ChangeKind::RootCauseFound);
        change.text = std::iter::repeat_with(|| random.alphanumeric()).take(20_000).collect();
        assert_eq!(outbox.store(&change), Tier::Memory);
        stored += 1;
    }
    assert!((50..120).contains(&stored), "{stored} changes of 15 kB in 1 MiB");
    assert_eq!(pending(&mut outbox), expected(1..stored));
    assert!(outbox.notices()[0].contains("1 since the start"));
    assert!(outbox.notices().is_empty());
}

#[test]
fn at_its_bound_the_disk_loses_the_oldest_and_says_so() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut outbox = Outbox::open(Options {
        max_bytes: 256 << 10,
        ..options(dir.path(), &[Sink::Otlp])
    });
    let mut stored = 0;
    while outbox.lost().overflow < 7 {
        assert!(all(&store(&mut outbox, stored..stored + 1), Tier::Disk));
        stored += 1;
    }
    assert_eq!(outbox.depth(), stored - 7);
    assert_eq!(pending(&mut outbox), expected(7..stored));
    assert!(!outbox.notices().is_empty());
    let size = std::fs::metadata(dir.path().join("state/outbox")).expect("there").len();
    assert_eq!(size, 256 << 10);
    // Delivered ones make room without a loss.
    for uid in expected(0..stored) {
        outbox.delivered(Sink::Otlp, &uid);
    }
    store(&mut outbox, stored..stored + 50);
    assert_eq!((outbox.depth(), outbox.lost().overflow), (50, 7));
}

#[test]
fn every_sink_gets_it_once_over_restarts() {
    let dir = tempfile::tempdir().expect("a directory");
    let both = [Sink::Otlp, Sink::Events];
    let mut outbox = Outbox::open(options(dir.path(), &both));
    store(&mut outbox, 0..4);
    outbox.delivered(Sink::Otlp, "uid-1");
    outbox.delivered(Sink::Events, "uid-0");
    outbox.delivered(Sink::Events, "uid-1");
    outbox.delivered(Sink::Events, "never-stored");
    for _ in 0..2 {
        assert_eq!(
            (
                outbox.depth(),
                outbox.depth_of(Sink::Otlp),
                outbox.depth_of(Sink::Events)
            ),
            (3, 3, 2)
        );
        drop(outbox);
        outbox = Outbox::open(options(dir.path(), &both));
    }
    drop(outbox);
    // A sink that is switched off is not waited for, and one that is new does not get what was before it.
    let mut outbox = Outbox::open(options(dir.path(), &[Sink::Events, Sink::Condition]));
    assert_eq!(
        (
            outbox.depth(),
            outbox.depth_of(Sink::Events),
            outbox.depth_of(Sink::Condition)
        ),
        (2, 2, 0)
    );
    assert_eq!(outbox.pending(Sink::Events, 1).len(), 1);
    let waiting = outbox.pending(Sink::Events, 10);
    assert_eq!(waiting.len(), 2);
    for stored in waiting {
        outbox.delivered(Sink::Events, &stored.change.uid);
    }
    assert_eq!(outbox.depth(), 0);
}

#[test]
fn a_store_that_is_damaged_costs_what_is_damaged() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut outbox = Outbox::open(options(dir.path(), &[Sink::Otlp]));
    store(&mut outbox, 0..50);
    drop(outbox);
    let path = dir.path().join("state/outbox");
    let file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .expect("open");
    // In the middle of what is used.
    std::os::unix::fs::FileExt::write_all_at(&file, &[0xaa; 600], 16 << 10).expect("written");
    drop(file);
    let mut outbox = Outbox::open(options(dir.path(), &[Sink::Otlp]));
    let left = pending(&mut outbox);
    assert!(left.len() >= 47 && left.len() < 50, "{}", left.len());
    assert!(outbox.lost().damaged > 0);
    drop(outbox);
    std::fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .expect("open")
        .set_len(100)
        .expect("cut");
    let mut outbox = Outbox::open(options(dir.path(), &[Sink::Otlp]));
    assert_eq!((outbox.lost().stores, outbox.depth()), (1, 0));
    assert!(all(&store(&mut outbox, 0..5), Tier::Disk));
}
