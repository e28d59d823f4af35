//! The whole way from paths to inputs.

use std::cell::Cell;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::ahead;
use super::api::{Fault, InputError, Options, Progress, SourceSummary, Summary};
use super::compress::MAX_UNPACKED;
use super::detect::{self, Kind};
use super::entry::Origins;
use super::export::{self, Fields};
use super::format::{self, Format};
use super::journal;
use super::json;
use super::merge::{Merge, Waiting};
use super::moment::{FileClock, first_year};
use super::observe::{Emitter, Kept};
use super::open::{self, Looked, Opened};
use super::spool;
use super::stamp::Stamp;
use super::walk::{self, Found};
use crate::grammar::line::{Line, Origin};
use crate::grammar::{origin, parse};
use crate::journal::ReadAt;
use crate::model::input::Input;

/// What the files are.
#[derive(Default)]
struct Plan {
    journals: Vec<(String, Box<dyn ReadAt>)>,
    texts: Vec<Waiting>,
    sources: Vec<SourceSummary>,
    gaps: Vec<(String, Option<&'static str>)>,
    faults: Vec<Fault>,
    understood: Vec<usize>,
    bytes: u64,
    first_journal: Option<usize>,
}

/// Reads everything and hands each input to `sink` in the order of the record. `sieve` says whether a text pattern of
/// the catalog may fit a line. `-` among the paths is `stdin`.
#[expect(
    clippy::too_many_arguments,
    reason = "where from, what of it, and the three who are told"
)]
pub fn read(
    paths: &[PathBuf],
    stdin: Option<Box<dyn Read>>,
    options: &Options,
    sieve: &dyn Fn(&str) -> bool,
    sink: &mut dyn FnMut(Input),
    progress: &mut dyn FnMut(&Progress),
) -> Result<Summary, InputError> {
    let count = Rc::new(Cell::new(0));
    let mut plan = plan(paths, stdin, options, sieve, &count);
    if !plan.faults.is_empty() {
        return Err(InputError { faults: plan.faults });
    }
    // what detection has read is read again
    count.set(0);
    let mut kept = Kept::default();
    let mut em = Emitter::new(options, &mut kept, sieve, sink);
    for (reason, grant) in plan.gaps.drain(..) {
        em.gap("file", None, reason, grant);
    }
    run(&mut plan, options, &mut em, &count, progress);
    em.end();
    Ok(Summary {
        node: kept.names.best.take(),
        boot_id: kept.timeline.boot_id(),
        first: kept.first,
        last: kept.last,
        entries: kept.entries,
        sources: plan.sources,
        observed: kept.observed(),
        timeline: kept.timeline,
    })
}

fn run(
    plan: &mut Plan,
    options: &Options,
    em: &mut Emitter<'_>,
    count: &Rc<Cell<u64>>,
    progress: &mut dyn FnMut(&Progress),
) {
    let mut origins = Origins::new();
    let mut merge = Merge::new(std::mem::take(&mut plan.texts), Rc::clone(count));
    let mut journal_bytes = 0;
    if let Some(index) = plan.first_journal {
        let set = journal::open(std::mem::take(&mut plan.journals), options);
        let mut entries = 0_u64;
        std::thread::scope(|scope| {
            let (batches, used) = ahead::read(scope, set);
            for mut batch in batches {
                for (row, picked) in batch.entries() {
                    merge.drain(Some(row.received.realtime), em, &mut origins, &mut plan.sources);
                    journal::observe(row, &picked, em, &mut origins);
                    entries += 1;
                }
                journal_bytes = batch.done;
                journal::tell_problems(std::mem::take(&mut batch.problems), em);
                progress(&Progress {
                    bytes_done: journal_bytes + count.get(),
                    bytes_total: plan.bytes,
                    entries: em.kept.entries,
                });
                // Where the reader is done nobody wants it back.
                let _ = used.try_send(batch);
            }
        });
        plan.sources[index].entries = entries;
    }
    while merge.drain(None, em, &mut origins, &mut plan.sources) > 0 {
        progress(&Progress {
            bytes_done: journal_bytes + count.get(),
            bytes_total: plan.bytes,
            entries: em.kept.entries,
        });
    }
}

fn plan(
    paths: &[PathBuf],
    mut stdin: Option<Box<dyn Read>>,
    options: &Options,
    sieve: &dyn Fn(&str) -> bool,
    count: &Rc<Cell<u64>>,
) -> Plan {
    let walked = walk::walk(paths);
    let mut plan = Plan {
        faults: walked.faults,
        ..Plan::default()
    };
    let mut budget = spool::MEMORY;
    for (path, why) in walked.blind {
        let path = options.show(&path);
        plan.gaps.push((format!("{}: {why}", path.display()), grant(&why)));
    }
    for found in walked.files.iter().filter(|f| !options.leave.contains(&f.path)) {
        match look(found, &mut stdin, count) {
            Ok(Looked::Opened(opened)) => {
                plan.understood.push(found.argument);
                take(&mut plan, *opened, found.named, options, &mut budget);
            }
            Ok(Looked::Skipped) => {}
            Err(fault) if found.named => plan.faults.push(fault),
            Err(fault) => {
                let why = fault.to_string();
                let grant = grant(&why);
                plan.gaps.push((why, grant));
            }
        }
    }
    for argument in walked.directories {
        let seen = options.asides.iter().any(|a| a.root.starts_with(&paths[argument]));
        if !plan.understood.contains(&argument) && !seen {
            plan.faults.push(Fault::NothingFound {
                path: options.show(&paths[argument]).display().to_string(),
            });
        }
    }
    refuse_prose(&mut plan, sieve);
    plan
}

fn grant(why: &str) -> Option<&'static str> {
    why.contains("ermission denied")
        .then_some("run as root, or as a member of adm or systemd-journal")
}

fn look(found: &Found, stdin: &mut Option<Box<dyn Read>>, count: &Rc<Cell<u64>>) -> Result<Looked, Fault> {
    if found.path.as_os_str() == "-" {
        let path = Path::new("standard input");
        return match stdin.take() {
            Some(stdin) => open::stream(path, stdin, true, count),
            None => Err(Fault::Empty {
                path: path.display().to_string(),
            }),
        };
    }
    let file = walk::open(&found.path).map_err(|source| Fault::Open {
        path: found.path.display().to_string(),
        source,
    })?;
    open::file(&found.path, file, found.named, count)
}

/// Puts a file where it belongs.
fn take(plan: &mut Plan, opened: Opened, named: bool, options: &Options, budget: &mut usize) {
    let name = options.show(&opened.path).display().to_string();
    let index = plan.sources.len();
    plan.bytes += opened.length;
    if opened.kind == Kind::Journal {
        let readable: Box<dyn ReadAt> = if let Some(file) = opened.regular {
            Box::new(file)
        } else {
            match spool::spool(&mut opened.stream.take(MAX_UNPACKED), budget) {
                Ok((readable, damage)) => {
                    if let Some(damage) = damage {
                        plan.gaps
                            .push((format!("{name}: cannot be read to its end: {damage}"), None));
                    }
                    readable
                }
                Err(source) => {
                    plan.faults.push(Fault::Spool { path: name, source });
                    return;
                }
            }
        };
        plan.journals.push((name.clone(), readable));
        plan.first_journal.get_or_insert(index);
    } else {
        let stamp = first_stamp(opened.kind, &opened.head);
        let year = options
            .reference_year
            .unwrap_or_else(|| stamp.map_or(1970, |s| first_year(opened.modified, s)));
        let first = stamp
            .filter(|_| opened.kind.timed())
            .map(|s| FileClock::new(year).place(s).0);
        let stream = if opened.reopen { None } else { Some(opened.stream) };
        plan.texts.push(Waiting {
            shown: options.show(&opened.path),
            path: opened.path,
            kind: opened.kind,
            named,
            year,
            first,
            stream,
            index,
        });
    }
    plan.sources.push(SourceSummary {
        path: name,
        kind: opened.kind.words(),
        entries: 0,
    });
}

/// The first stamp in the head of a file.
fn first_stamp(kind: Kind, head: &[u8]) -> Option<Stamp> {
    let mut fields = Fields::default();
    let mut lines = head.split(|c| *c == b'\n');
    match kind {
        Kind::Export => {
            let mut reader = BufReader::new(head);
            export::next(&mut reader, &mut fields, &mut Vec::new(), &mut 0)
                .ok()
                .map(|_| Stamp::Wall(fields.received.realtime))
        }
        Kind::Json => lines
            .find(|l| json::entry(l, &mut fields))
            .map(|_| Stamp::Wall(fields.received.realtime)),
        Kind::Docker => lines.find_map(json::docker).map(|(_, wall)| Stamp::Wall(wall)),
        Kind::Text(format) => {
            lines.find_map(|l| format::split(format, detect::clean(&String::from_utf8_lossy(l))).map(|p| p.stamp))
        }
        Kind::Journal => None,
    }
}

/// A named file of lines without any form is a log if at least one of its first lines says something.
fn refuse_prose(plan: &mut Plan, sieve: &dyn Fn(&str) -> bool) {
    for text in &mut plan.texts {
        if text.kind != Kind::Text(Format::Plain) {
            continue;
        }
        let mut head = Vec::new();
        let read = match (text.stream.take(), walk::open(&text.path)) {
            (Some(mut stream), _) => {
                let read = (&mut stream).take(detect::HEAD as u64).read_to_end(&mut head);
                text.stream = Some(Box::new(std::io::Cursor::new(head.clone()).chain(stream)));
                read.is_ok()
            }
            (None, Ok(file)) => match open::stream(&text.path, Box::new(file), true, &Rc::default()) {
                Ok(Looked::Opened(opened)) => {
                    head = opened.head;
                    true
                }
                _ => false,
            },
            (None, Err(_)) => false,
        };
        let says = |line: &str| {
            let origin = origin::of_text(None, line);
            origin != Origin::Other
                || sieve(line)
                || !parse::parse(
                    origin,
                    &Line {
                        text: line,
                        ..Line::default()
                    },
                )
                .facts
                .is_empty()
        };
        if !read || !String::from_utf8_lossy(&head).lines().any(says) {
            plan.faults
                .push(open::not_understood(text.path.display().to_string(), &head));
        }
    }
}
