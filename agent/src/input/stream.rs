//! A text-like file as a stream of entries in its own order, each with a key by which files are merged.

use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use super::detect::{Kind, clean};
use super::entry::{self, Origins, Picked};
use super::export::{self, Fields};
use super::format::{self, Format, Prefix};
use super::json::{self, MAX_JSON};
use super::lines::{self, MAX_LINE};
use super::moment::{FileClock, UNSTAMPED};
use super::observe::{Emitter, Said};
use super::stamp::Stamp;
use crate::grammar::line::{Line, Origin};
use crate::grammar::origin;
use crate::model::input::{Place, cut};

/// The program whose lines are never evidence: they quote what was evidence once.
const OURSELVES: &str = "whynotready";

/// A stream with its present entry.
pub(super) struct Stream<R: Read = Box<dyn Read>> {
    path: Arc<str>,
    pub(super) kind: Kind,
    reader: BufReader<R>,
    pub(super) clock: FileClock,
    /// Whose log this is, where it is known: the container of the path, or the program that alone writes the file.
    pub(super) program: Option<String>,
    raw: Vec<u8>,
    fields: Fields,
    /// The text of the present line.
    text: String,
    stamp: Option<Stamp>,
    pub(super) line: u64,
    /// Lines are counted from the file's first one.
    pub(super) counted: bool,
    first_line: u64,
    wall: i64,
    /// Where the present entry belongs among the other files.
    pub(super) key: i64,
    last_origin: Origin,
    pub(super) entries: u64,
}

impl<R: Read> Stream<R> {
    pub(super) fn new(path: &Path, kind: Kind, reader: R, year: i32, named: bool) -> Self {
        Self {
            path: path.display().to_string().into(),
            kind,
            reader: BufReader::with_capacity(32 * 1024, reader),
            clock: FileClock::new(year),
            program: if named { None } else { container(path) },
            raw: Vec::new(),
            fields: Fields::default(),
            text: String::new(),
            stamp: None,
            line: 0,
            counted: true,
            first_line: 0,
            wall: 0,
            key: i64::MIN,
            last_origin: Origin::Other,
            entries: 0,
        }
    }

    /// Lines before the first stamp are of its time.
    pub(super) fn begin_at(&mut self, first: i64) {
        self.clock.last = Some((first, first));
    }

    /// What it reads from.
    pub(super) fn source(&mut self) -> &mut R {
        self.reader.get_mut()
    }

    pub(super) fn path(&self) -> &Arc<str> {
        &self.path
    }

    /// Goes to the next entry; `false` at the end.
    pub(super) fn advance(&mut self) -> io::Result<bool> {
        loop {
            self.first_line = self.line + 1;
            match self.kind {
                Kind::Export => {
                    if !export::next(&mut self.reader, &mut self.fields, &mut self.raw, &mut self.line)? {
                        return Ok(false);
                    }
                    self.stamp = Some(Stamp::Wall(self.fields.received.realtime));
                }
                Kind::Json => {
                    if !lines::next_line(&mut self.reader, &mut self.raw, MAX_JSON)? {
                        return Ok(false);
                    }
                    self.line += 1;
                    if !json::entry(&self.raw, &mut self.fields) {
                        continue;
                    }
                    self.stamp = Some(Stamp::Wall(self.fields.received.realtime));
                }
                Kind::Docker | Kind::Text(_) | Kind::Journal => {
                    if !self.next_text()? {
                        return Ok(false);
                    }
                    if self.text.trim().is_empty() {
                        continue;
                    }
                }
            }
            if let Some(stamp) = self.stamp {
                (self.key, self.wall) = self.clock.place(stamp);
            } else if let Some((key, wall)) = self.clock.last {
                (self.key, self.wall) = (key, wall);
            }
            return Ok(true);
        }
    }

    fn next_text(&mut self) -> io::Result<bool> {
        let max = if self.kind == Kind::Docker { MAX_JSON } else { MAX_LINE };
        if !lines::next_line(&mut self.reader, &mut self.raw, max)? {
            return Ok(false);
        }
        self.line += 1;
        self.text.clear();
        self.stamp = None;
        if self.kind == Kind::Docker {
            if let Some((text, wall)) = json::docker(&self.raw) {
                self.text.push_str(cut(&text, MAX_LINE));
                self.stamp = Some(Stamp::Wall(wall));
            }
            return Ok(true);
        }
        self.text.push_str(clean(&String::from_utf8_lossy(&self.raw)));
        self.stamp = self.split().map(|p| p.stamp);
        Ok(true)
    }

    /// What stands in front of the present line: by the file's form, else by klog's own.
    fn split(&self) -> Option<Prefix<'_>> {
        match self.kind {
            Kind::Text(format) => format::split(format, &self.text).or_else(|| {
                (format == Format::Logrus)
                    .then(|| format::split(Format::Klog, &self.text))
                    .flatten()
            }),
            _ => None,
        }
    }

    /// Hands the present entry on.
    pub(super) fn emit(&mut self, em: &mut Emitter<'_>, origins: &mut Origins) {
        self.entries += 1;
        if matches!(self.kind, Kind::Export | Kind::Json) {
            let place = || Place::Line(Arc::clone(&self.path), self.first_line);
            let cursor = || {
                self.fields
                    .cursor
                    .as_deref()
                    .map_or_else(place, |c| Place::Cursor(c.into()))
            };
            entry::observe(
                em,
                origins,
                &Picked::pick(self.fields.iter()),
                self.fields.received,
                &cursor,
            );
            return;
        }
        if self.text.starts_with("-- ") {
            if self.text.starts_with("-- Boot ") || self.text.starts_with("-- Reboot --") {
                em.kept.timeline.next_boot();
            }
            return;
        }
        let at = match (self.stamp, self.kind.timed()) {
            (Some(Stamp::Boot(at)), _) => em.kept.timeline.after(self.clock.since_boot(at)),
            (_, false) => em.kept.timeline.after(UNSTAMPED),
            _ if !em.wants(self.wall) => return,
            _ => em.kept.timeline.text(self.wall, self.key),
        };
        let place = || {
            let path = Arc::clone(&self.path);
            if self.counted {
                Place::Line(path, self.first_line)
            } else {
                Place::Look(path)
            }
        };
        let prefix = self.split();
        if let Some(host) = prefix.and_then(|p| p.host) {
            if !em.options.is_of(host) {
                return;
            }
            em.kept.names.host(host);
        }
        let text = prefix.map_or(self.text.as_str(), |p| p.rest);
        let ident = prefix.and_then(|p| p.ident).or(self.program.as_deref());
        if ident == Some(OURSELVES) {
            return;
        }
        // a line without a stamp in a file that has them goes on with what the line before it said
        let goes_on = self.stamp.is_none() && self.kind != Kind::Text(Format::Plain) && self.entries > 1;
        let origin = if goes_on {
            self.last_origin
        } else {
            origin::of_text(ident, text)
        };
        em.emit(&Said {
            at,
            origin,
            pid: prefix.and_then(|p| p.pid),
            source: ident.unwrap_or(&self.path),
            line: Line {
                text,
                ..Line::default()
            },
            walled: self.kind.timed(),
            rest_of_another: goes_on && text.starts_with([' ', '\t']),
            place: &place,
        });
        self.last_origin = origin;
    }
}

/// `pods/NAMESPACE_POD_UID/CONTAINER/0.log`: whose output it is. Only for files that were found in a directory: the log
/// of an API server among them must not be taken for the kubelet's.
fn container(path: &Path) -> Option<String> {
    let directory = path.parent()?;
    let pod = directory.parent()?.file_name()?.to_str()?;
    (pod.matches('_').count() == 2)
        .then(|| directory.file_name()?.to_str().map(str::to_owned))
        .flatten()
}
