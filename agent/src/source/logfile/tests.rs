use std::fs::{self, OpenOptions};
use std::io::Write;

use super::*;
use flate2::Compression;
use flate2::write::GzEncoder;

const PATH: &str = "/var/log/kubelet.log";

struct Node {
    dir: tempfile::TempDir,
    log: LogFile,
    intake: Intake,
    seen: Vec<u64>,
    lines: Vec<u64>,
    gaps: Vec<Gap>,
    written: u64,
}

impl Node {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("var/log")).unwrap();
        let log = Self::open(dir.path(), None);
        Self {
            dir,
            log,
            intake: Intake::new(Box::new(|_| true)),
            seen: Vec::new(),
            lines: Vec::new(),
            gaps: Vec::new(),
            written: 0,
        }
    }

    fn open(root: &Path, position: Option<FilePosition>) -> LogFile {
        let now = Now {
            wall: Timestamp(1_795_428_005_000_000),
            ..Now::default()
        };
        let since = Duration::from_hours(24 * 3650);
        LogFile::new(
            Host::at(root),
            Clock::fixed(now),
            (PATH, Some("kubelet")),
            since,
            position,
        )
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("var/log").join(name)
    }

    /// Appends so many lines.
    fn write(&mut self, count: u64) {
        let path = self.path("kubelet.log");
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        for _ in 0..count {
            writeln!(
                file,
                "E1123 09:00:00.000000     370 kubelet.go:1] \"x\" n={}",
                self.written
            )
            .unwrap();
            self.written += 1;
        }
    }

    fn poll(&mut self, budget: usize) -> Polled {
        let Self {
            log,
            intake,
            seen,
            lines,
            gaps,
            ..
        } = self;
        log.poll(budget, intake, &mut |input| match input {
            Input::Observed(o) => {
                if let crate::model::input::Place::Line(_, line) = o.place {
                    lines.push(line);
                }
                seen.push(o.text.rsplit("n=").next().unwrap().parse().unwrap());
            }
            Input::Gap(gap) => gaps.push(gap),
            _ => {}
        })
    }

    fn drain(&mut self) {
        while self.poll(1000).more {}
    }

    fn restart(&mut self) {
        // What is saved is text.
        let saved = serde_json::to_string(&self.log.position()).unwrap();
        self.log = Self::open(self.dir.path(), Some(serde_json::from_str(&saved).unwrap()));
    }

    /// Rotates the log, so many seconds after another time: a tick of the file system's clock is longer than a test.
    fn rotate(&self, to: &str, seconds: u64) {
        if fs::rename(self.path("kubelet.log"), self.path(to)).is_ok() {
            self.date(to, seconds);
        }
    }

    fn date(&self, name: &str, seconds: u64) {
        let file = OpenOptions::new().append(true).open(self.path(name)).unwrap();
        let at = std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds);
        file.set_modified(at).unwrap();
    }

    fn pack(&self, from: &str, to: &str) {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(
            &mut OpenOptions::new().read(true).open(self.path(from)).unwrap(),
            &mut bytes,
        )
        .unwrap();
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path(to))
            .unwrap();
        let mut packer = GzEncoder::new(file, Compression::fast());
        packer.write_all(&bytes).unwrap();
        packer.finish().unwrap();
        fs::remove_file(self.path(from)).unwrap();
    }

    fn check(&self) {
        assert_eq!(self.seen, (0..self.written).collect::<Vec<_>>());
        assert_eq!(self.gaps, []);
    }
}

#[test]
fn lines_as_they_come_and_half_lines_when_they_are_whole() {
    let mut node = Node::new();
    assert_eq!((node.poll(99).wait, node.log.is_present()), (IDLE, false));
    node.write(3);
    node.drain();
    let mut file = OpenOptions::new().append(true).open(node.path("kubelet.log")).unwrap();
    file.write_all(b"E1123 09:00:00.000000     370 kubelet.go:1] half")
        .unwrap();
    node.drain();
    assert_eq!(node.seen.len(), 3);
    node.restart();
    file.write_all(b" n=3\n").unwrap();
    node.written = 4;
    node.write(1);
    node.drain();
    node.check();
    assert_eq!(node.lines, [1, 2, 3, 4, 5]);
}

#[test]
fn renamed_with_lines_that_were_not_read() {
    let mut node = Node::new();
    node.write(5);
    node.poll(1);
    node.write(5);
    fs::rename(node.path("kubelet.log"), node.path("kubelet.log.1")).unwrap();
    node.drain();
    node.write(5);
    node.drain();
    node.check();
}

#[test]
fn truncated_after_a_copy() {
    let mut node = Node::new();
    node.write(50);
    node.drain();
    node.write(5);
    fs::copy(node.path("kubelet.log"), node.path("kubelet.log.1")).unwrap();
    let file = OpenOptions::new().write(true).open(node.path("kubelet.log")).unwrap();
    file.set_len(0).unwrap();
    node.write(5);
    node.drain();
    node.check();
    // Written again beyond the old place before it is looked at.
    fs::copy(node.path("kubelet.log"), node.path("kubelet.log.1")).unwrap();
    file.set_len(0).unwrap();
    node.write(90);
    node.drain();
    node.check();
    // Without a copy.
    file.set_len(0).unwrap();
    node.write(1);
    node.drain();
    assert_eq!((node.seen.len() as u64, node.gaps.len()), (node.written, 1));
    assert!(node.gaps[0].reason.contains("rotated"), "{:?}", node.gaps);
}

#[test]
fn rotated_and_packed_while_the_agent_did_not_run() {
    let mut node = Node::new();
    node.write(20);
    node.drain();
    node.write(7);
    fs::rename(
        node.path("kubelet.log"),
        node.path("kubelet-2026-11-23T10-00-00.000.log"),
    )
    .unwrap();
    node.date("kubelet-2026-11-23T10-00-00.000.log", 1);
    node.write(6);
    fs::rename(
        node.path("kubelet.log"),
        node.path("kubelet-2026-11-23T11-00-00.000.log"),
    )
    .unwrap();
    node.date("kubelet-2026-11-23T11-00-00.000.log", 2);
    node.write(2);
    node.restart();
    node.drain();
    node.check();
    // The same, packed, and the old file's rest is in it.
    let before = node.log.position();
    node.write(4);
    fs::rename(node.path("kubelet.log"), node.path("rest")).unwrap();
    node.pack("rest", "kubelet.log.1.gz");
    node.write(2);
    node.restart();
    node.drain();
    node.check();
    // Two rotations within one tick of the clock: what cannot be ordered is told.
    node.date("kubelet.log.1.gz", 9);
    node.write(1);
    node.rotate("kubelet.log.2", 9);
    node.write(1);
    node.log = Node::open(node.dir.path(), Some(before));
    node.seen.clear();
    node.drain();
    assert_eq!(node.gaps.len(), 1, "{:?}", node.gaps);
    node.gaps.clear();
    node.seen = (0..node.written).collect();
    // Gone: a gap since the last line.
    fs::remove_file(node.path("kubelet.log")).unwrap();
    node.write(1);
    node.restart();
    node.drain();
    assert_eq!((node.seen.len() as u64, node.gaps.len()), (node.written, 1));
    assert!(node.gaps[0].from.is_some());
}

#[test]
fn each_line_once_wherever_it_is_stopped() {
    let mut random = fastrand::Rng::with_seed(5);
    let mut node = Node::new();
    for round in 0..400 {
        node.write(random.u64(0..9));
        match random.u8(0..12) {
            0 => {
                node.drain();
                let name = format!("kubelet.log.{round}");
                node.rotate(&name, round);
            }
            1..4 => node.restart(),
            _ => {}
        }
        node.poll(random.usize(1..400));
    }
    node.drain();
    node.check();
}

#[test]
fn lines_that_are_too_long_are_cut_and_no_file_is_told() {
    let mut node = Node::new();
    node.write(1);
    let mut file = OpenOptions::new().append(true).open(node.path("kubelet.log")).unwrap();
    file.write_all(b"E1123 09:00:00.000000     370 kubelet.go:1] n=1\0")
        .unwrap();
    file.write_all(&vec![b'y'; 3 * CHUNK]).unwrap();
    file.write_all(b"\n").unwrap();
    drop(file);
    let mut texts = Vec::new();
    let sink = &mut |input| {
        if let Input::Observed(o) = input {
            texts.push(o.text.len());
        }
    };
    while node.log.poll(1, &mut node.intake, sink).more {}
    assert_eq!(texts.len(), 2);
    assert_eq!(node.log.position().line, Some(2));
    fs::remove_file(node.path("kubelet.log")).unwrap();
    fs::create_dir(node.path("kubelet.log")).unwrap();
    node.restart();
    node.poll(1);
    node.poll(1);
    assert_eq!(node.gaps.len(), 1, "{:?}", node.gaps);
    assert!(node.gaps[0].reason.contains("no regular file"));
}
