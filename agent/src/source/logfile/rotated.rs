//! What became of a log that was rotated: `kubelet.log.1`, `kubelet-2026-11-25T10-00-00.000.log`, either packed with gzip.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::host::Host;

/// Files that are looked at, the last changed first.
const FILES: usize = 16;
/// Bytes of all rests together, and of a packed file that are unpacked for it.
const REST: usize = 8 << 20;
const UNPACKED: u64 = 128 << 20;
/// Bytes by which a file and its packed copy are found to be one.
const START: usize = 256;

/// Reads a piece of a file: `None` where it has none there.
pub(super) type Piece<'a> = dyn Fn(u64, usize) -> Option<Vec<u8>> + 'a;
/// Where in a file, told by its inode and its pieces, the rest begins; `None` where it is another file.
pub(super) type Place<'a> = dyn Fn((u64, u64), &Piece<'_>) -> Option<u64> + 'a;

/// What was not read.
pub(super) struct Rest {
    /// The rest of the file, then the files that came after it, oldest first.
    pub(super) pieces: Vec<Vec<u8>>,
    /// Not all of it: it was too long.
    pub(super) cut: bool,
}

/// A rotated file, unpacked if it is packed.
enum Content {
    Plain(File, u64),
    Unpacked(Vec<u8>),
}

impl Content {
    fn open(host: &Host, path: &Path) -> Option<Self> {
        let file = host.open(path).ok()?;
        if path.extension().is_some_and(|e| e == "gz") {
            let mut bytes = Vec::new();
            // A damaged end leaves what is before it.
            let _ = MultiGzDecoder::new(file).take(UNPACKED).read_to_end(&mut bytes);
            return Some(Self::Unpacked(bytes));
        }
        let length = file.metadata().ok()?.len();
        Some(Self::Plain(file, length))
    }

    fn piece(&self, at: u64, count: usize) -> Option<Vec<u8>> {
        match self {
            Self::Plain(file, _) => {
                let mut bytes = vec![0; count];
                file.read_exact_at(&mut bytes, at).ok()?;
                Some(bytes)
            }
            Self::Unpacked(bytes) => {
                let at = usize::try_from(at).ok()?;
                Some(bytes.get(at..at.checked_add(count)?)?.to_vec())
            }
        }
    }

    fn length(&self) -> u64 {
        match self {
            Self::Plain(_, length) => *length,
            Self::Unpacked(bytes) => bytes.len() as u64,
        }
    }

    fn start(&self) -> Option<Vec<u8>> {
        self.piece(0, START.min(self.length() as usize))
    }
}

/// The bytes behind the place in the file beside `path` that has it, and those of the files that were rotated later.
pub(super) fn rest(host: &Host, path: &Path, place: &Place<'_>) -> Option<Rest> {
    let mut found = beside(host, path);
    found.sort_by_key(|(_, _, changed)| std::cmp::Reverse(*changed));
    found.truncate(FILES);
    let mut later: Vec<(Content, (i64, i64))> = Vec::new();
    for (nth, (path, inode, changed)) in found.iter().enumerate() {
        let (inode, changed) = (*inode, *changed);
        let Some(content) = Content::open(host, path) else {
            continue;
        };
        let Some(offset) = place(inode, &|at, count| content.piece(at, count)) else {
            if later.iter().all(|(other, _)| other.start() != content.start()) {
                later.push((content, changed));
            }
            continue;
        };
        let start = content.start();
        let mut rest = Rest {
            pieces: Vec::new(),
            cut: false,
        };
        let mut left = REST;
        // Two of one time stamp: which came first is not known.
        let behind = found[nth + 1..].iter().filter(|(_, _, at)| *at == changed);
        let behind = behind.filter_map(|(path, _, _)| Content::open(host, path));
        let ahead = later.iter().filter(|(_, at)| *at == changed);
        let mut starts = ahead
            .map(|(other, _)| other.start())
            .chain(behind.map(|other| other.start()));
        rest.cut = starts.any(|other| other != start);
        let newer = later.iter().rev();
        let newer = newer.filter(|(other, at)| *at > changed && other.start() != start);
        let newer = newer.map(|(other, _)| (other, 0));
        for (content, offset) in std::iter::once((&content, offset)).chain(newer) {
            let wanted = content.length().saturating_sub(offset);
            let count = (wanted as usize).min(left);
            rest.cut |= (count as u64) < wanted;
            left -= count;
            match content.piece(offset, count) {
                Some(bytes) => rest.pieces.push(bytes),
                None => rest.cut = true,
            }
        }
        return Some(rest);
    }
    None
}

type Found = (PathBuf, (u64, u64), (i64, i64));

/// The files whose names begin as this one's does, without it.
fn beside(host: &Host, path: &Path) -> Vec<Found> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name().and_then(|n| n.to_str())) else {
        return Vec::new();
    };
    let stem = name.strip_suffix(".log").unwrap_or(name);
    let names = host.list(directory).unwrap_or_default();
    names
        .into_iter()
        .filter(|other| {
            other != name
                && other
                    .strip_prefix(stem)
                    .is_some_and(|rest| rest.starts_with(['.', '-']))
        })
        .filter_map(|other| {
            let path = directory.join(other);
            let meta = host.metadata(&path).ok().filter(std::fs::Metadata::is_file)?;
            Some((path, (meta.dev(), meta.ino()), (meta.mtime(), meta.mtime_nsec())))
        })
        .collect()
}
