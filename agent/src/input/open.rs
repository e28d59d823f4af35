//! Opens a file, unpacks it as far as it is packed, and finds out what it is.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::api::Fault;
use super::compress;
use super::detect::{self, HEAD, Kind};

/// How many packers around a file are undone: `kubelet.log.gz` in a `.zst` of a support bundle.
const MAX_PACKINGS: usize = 2;

/// A stream whose kind is known.
pub(super) struct Opened {
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
    pub(super) head: Vec<u8>,
    pub(super) stream: Box<dyn Read>,
    /// A plain regular file, to be read at random or opened again.
    pub(super) regular: Option<File>,
    /// It can be opened again by its path.
    pub(super) reopen: bool,
    /// The last change, µs.
    pub(super) modified: Option<i64>,
    pub(super) length: u64,
}

/// What became of a file.
pub(super) enum Looked {
    Opened(Box<Opened>),
    /// Not a log; nobody said that it is one.
    Skipped,
}

/// Counts what is read.
pub(super) struct Counting {
    pub(super) inner: Box<dyn Read>,
    pub(super) count: Rc<Cell<u64>>,
}

impl Read for Counting {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.count.set(self.count.get() + n as u64);
        Ok(n)
    }
}

/// Looks at a file on disk.
pub(super) fn file(path: &Path, file: File, named: bool, count: &Rc<Cell<u64>>) -> Result<Looked, Fault> {
    let fault = |source| Fault::Open {
        path: path.display().to_string(),
        source,
    };
    let meta = file.metadata().map_err(fault)?;
    let modified = meta
        .modified()
        .ok()
        .and_then(|m| m.duration_since(std::time::UNIX_EPOCH).ok())
        .map(|d| d.as_micros().min(1 << 60) as i64);
    let again = if meta.is_file() {
        Some(file.try_clone().map_err(fault)?)
    } else {
        None
    };
    let mut looked = stream(path, Box::new(file), named, count)?;
    if let Looked::Opened(opened) = &mut looked {
        opened.reopen = again.is_some();
        opened.regular = again.filter(|_| opened.regular.is_none() && opened.length == 0);
        opened.modified = modified;
        opened.length = meta.len();
    }
    Ok(looked)
}

/// Looks at a stream. `length` is 1 where it is packed and 0 where it is not, until the caller knows better.
pub(super) fn stream(path: &Path, raw: Box<dyn Read>, named: bool, count: &Rc<Cell<u64>>) -> Result<Looked, Fault> {
    let name = || path.display().to_string();
    let mut stream: Box<dyn Read> = Box::new(Counting {
        inner: raw,
        count: Rc::clone(count),
    });
    let mut packed = 0;
    loop {
        let (head, damage) = head_of(&mut *stream);
        if let (true, Some(source)) = (head.is_empty(), damage) {
            return if named {
                Err(Fault::Open { path: name(), source })
            } else {
                Ok(Looked::Skipped)
            };
        }
        if head.is_empty() {
            return if named {
                Err(Fault::Empty { path: name() })
            } else {
                Ok(Looked::Skipped)
            };
        }
        let whole: Box<dyn Read> = Box::new(Cursor::new(head.clone()).chain(stream));
        match compress::packing(&head) {
            Some(packing) if packed < MAX_PACKINGS => {
                packed += 1;
                stream = compress::unpack(packing, whole);
            }
            _ => {
                let Some(kind) = detect::detect(&head, named) else {
                    return if named {
                        Err(not_understood(name(), &head))
                    } else {
                        Ok(Looked::Skipped)
                    };
                };
                return Ok(Looked::Opened(Box::new(Opened {
                    path: path.to_owned(),
                    kind,
                    head,
                    stream: whole,
                    regular: None,
                    reopen: false,
                    modified: None,
                    length: u64::from(packed > 0),
                })));
            }
        }
    }
}

/// Up to [`HEAD`] bytes, and the error that ended them early.
fn head_of(stream: &mut dyn Read) -> (Vec<u8>, Option<io::Error>) {
    let mut head = Vec::new();
    let damage = stream.take(HEAD as u64).read_to_end(&mut head).err();
    (head, damage)
}

/// The error for a named file that is nothing that is known.
pub(super) fn not_understood(path: String, head: &[u8]) -> Fault {
    let text = String::from_utf8_lossy(&head[..head.len().min(4096)]);
    let (at, first) = text
        .lines()
        .enumerate()
        .find(|(_, l)| !l.trim().is_empty())
        .unwrap_or((0, ""));
    let shown: String = first.chars().take(60).flat_map(char::escape_debug).collect();
    Fault::NotUnderstood {
        path,
        line: at as u64 + 1,
        expected: detect::EXPECTED,
        found: format!("\"{shown}\""),
    }
}
