//! Lines of a log that is followed, as they are appended: the same inputs as from the file as a whole. What it is given
//! are whole lines; it opens nothing.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::api::Options;
use super::detect::{self, Kind};
use super::format::{self, Format};
use super::intake::Intake;
use super::moment::first_year;
use super::stamp::Stamp;
use super::stream::Stream;
use crate::model::input::Input;
use crate::model::time::{SECOND, Timestamp};

/// A quarter of an hour: zones differ by whole ones.
const QUARTER: i64 = 900 * SECOND;
/// A line that was just written is not farther than this from a whole quarter: later ones say nothing of the zone.
const FRESH: i64 = 120 * SECOND;

/// Bytes that were pushed and not read yet.
#[derive(Default)]
struct Pushed {
    bytes: Vec<u8>,
    at: usize,
}

impl Read for Pushed {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let rest = &self.bytes[self.at.min(self.bytes.len())..];
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        self.at += n;
        Ok(n)
    }
}

/// One log.
pub struct Feed {
    path: PathBuf,
    program: Option<String>,
    since: Option<Timestamp>,
    before: Option<u64>,
    stream: Option<Stream<Pushed>>,
}

/// When lines were appended.
#[derive(Debug, Clone, Copy)]
pub struct Written {
    /// The present.
    pub now: Timestamp,
    /// When the last of the lines was written: the file's last change.
    pub last: Timestamp,
}

impl Feed {
    /// A log that `program` alone writes, where that is known. Lines from before `since` are passed over.
    pub fn new(path: &Path, program: Option<&str>, since: Option<Timestamp>) -> Self {
        Self {
            path: path.to_owned(),
            program: program.map(str::to_owned),
            since,
            before: Some(0),
            stream: None,
        }
    }

    /// A new file at the same path, or another place in it: `before` lines stand before what comes next, if that is known.
    pub fn restart(&mut self, before: Option<u64>) {
        self.before = before;
        self.stream = None;
    }

    /// The number of the last line, where lines are counted.
    pub fn line(&self) -> Option<u64> {
        match &self.stream {
            Some(stream) => stream.counted.then_some(stream.line),
            None => self.before,
        }
    }

    /// Takes whole lines, the last with its line feed; says how many.
    pub fn push(&mut self, lines: Vec<u8>, written: Written, intake: &mut Intake, sink: &mut dyn FnMut(Input)) -> u64 {
        let stream = match &mut self.stream {
            // Lines of no form may be followed by those that show it.
            Some(stream) if stream.kind != Kind::Text(Format::Plain) => stream,
            stream => {
                let kind = kind(&lines);
                let (line, counted) = match &stream {
                    Some(stream) => (stream.line, stream.counted),
                    None => (self.before.unwrap_or(0), self.before.is_some()),
                };
                let year = stamps(kind, &lines)
                    .next()
                    .map_or(1970, |s| first_year(Some(written.now.0), s));
                let mut new = Stream::new(&self.path, kind, Pushed::default(), year, true);
                new.program.clone_from(&self.program);
                (new.line, new.counted) = (line, counted);
                stream.insert(new)
            }
        };
        // The stamp of the last line against the time at which it was written tells the zone.
        if let Some(Stamp::Yearless { month, day, micros }) = stamps(stream.kind, &lines).next_back() {
            let (year, _) = super::stamp::civil(written.last.0);
            let ahead = (year - 1..=year + 1)
                .map(|y| super::stamp::in_year(y, month, day, micros) - written.last.0)
                .min_by_key(|d| d.unsigned_abs())
                .unwrap_or(0);
            let quarters = (ahead + QUARTER / 2).div_euclid(QUARTER);
            if (-48..=56).contains(&quarters) && (ahead - quarters * QUARTER).abs() <= FRESH {
                stream.clock.ahead = quarters * QUARTER;
            }
        }
        stream.clock.limit = written.now.0;
        *stream.source() = Pushed { bytes: lines, at: 0 };
        let options = Options {
            since: self.since,
            ..Options::default()
        };
        let (mut em, origins) = intake.emitter(&options, sink);
        let before = stream.line;
        // A buffer cannot fail.
        while stream.advance().unwrap_or(false) {
            stream.emit(&mut em, origins);
        }
        *stream.source() = Pushed::default();
        stream.line - before
    }
}

fn kind(lines: &[u8]) -> Kind {
    match detect::detect(&lines[..lines.len().min(detect::HEAD)], true) {
        Some(kind @ (Kind::Text(_) | Kind::Docker)) => kind,
        _ => Kind::Text(Format::Plain),
    }
}

/// The stamps of the first and the last lines that have one.
fn stamps(kind: Kind, lines: &[u8]) -> impl DoubleEndedIterator<Item = Stamp> {
    lines.split(|c| *c == b'\n').filter_map(move |line| {
        let Kind::Text(format) = kind else { return None };
        let text = String::from_utf8_lossy(line);
        format::split(format, detect::clean(&text)).map(|p| p.stamp)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_s_zone_is_told_by_when_its_lines_are_written() {
        let mut intake = Intake::new(Box::new(|_| true));
        let mut feed = Feed::new(Path::new("/var/log/kubelet.log"), Some("kubelet"), None);
        // 2026-11-23 10:00:05 UTC, the node is at UTC+1
        let now = Timestamp(1_795_428_005 * SECOND);
        let written = Written { now, last: now };
        let mut seen = Vec::new();
        let lines = b"E1123 11:00:00.000000     370 kubelet.go:1] \"one\"\nE1123 11:00:04.000000     370 kubelet.go:1] \"two\"\n";
        assert_eq!(
            feed.push(lines.to_vec(), written, &mut intake, &mut |i| seen.push(i)),
            2
        );
        let walls: Vec<i64> = seen
            .iter()
            .filter_map(|i| match i {
                Input::Observed(o) => Some(now.0 - o.at.wall.0),
                _ => None,
            })
            .collect();
        assert_eq!(walls, [5 * SECOND, SECOND], "{seen:?}");
        assert_eq!(feed.line(), Some(2));
        // A new file begins again, and a line from the future is of the present.
        feed.restart(Some(0));
        seen.clear();
        feed.push(
            b"2026-11-23T10:00:09Z host kubelet[1]: E1123 x\n".to_vec(),
            written,
            &mut intake,
            &mut |i| seen.push(i),
        );
        assert!(matches!(&seen[0], Input::Observed(o) if o.at.wall == now), "{seen:?}");
        assert_eq!(feed.line(), Some(1));
    }
}
