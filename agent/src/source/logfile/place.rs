//! A place in a file, told by the bytes before it.

use std::fs::File;
use std::os::unix::fs::FileExt;

use serde::{Deserialize, Serialize};

use super::rotated::Piece;
use super::{CHUNK, LINE};
use crate::model::time::Timestamp;

/// Bytes that tell a place.
const PRINT: u64 = 128;

/// A place in a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilePosition {
    pub(super) inode: (u64, u64),
    /// Bytes whose lines were handed out.
    pub(super) offset: u64,
    /// Of the bytes before it.
    pub(super) print: u64,
    /// Lines before it, where they were counted.
    pub(super) line: Option<u64>,
    /// When a line was read last.
    pub(super) at: Timestamp,
}

impl FilePosition {
    /// Where the rest begins in a file, if this is the file: by the bytes before the place, or where nothing was read
    /// of it by its inode.
    pub(super) fn is_at(&self, inode: (u64, u64), piece: &Piece<'_>) -> Option<u64> {
        if self.offset == 0 {
            return (inode == self.inode).then_some(0);
        }
        let count = self.offset.min(PRINT);
        let before = piece(self.offset - count, count as usize)?;
        (print(&before) == self.print).then_some(self.offset)
    }
}

/// A hash of bytes (FNV-1a): it is saved, so it must be the same in every version.
fn print(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Of the bytes before a place.
pub(super) fn print_of(file: &File, offset: u64) -> Option<u64> {
    let count = offset.min(PRINT);
    let mut bytes = vec![0; count as usize];
    file.read_exact_at(&mut bytes, offset - count).ok()?;
    Some(print(&bytes))
}

/// The start of the first line at or behind `offset`.
pub(super) fn line_after(file: &File, offset: u64) -> u64 {
    let mut bytes = vec![0; LINE];
    let count = file.read_at(&mut bytes, offset).unwrap_or(0);
    let end = memchr::memchr(b'\n', &bytes[..count]).map_or(0, |end| end + 1);
    offset + end as u64
}

/// Line feeds before a place.
pub(super) fn lines_before(file: &File, offset: u64) -> u64 {
    let mut bytes = vec![0; CHUNK];
    let (mut at, mut lines) = (0, 0);
    while at < offset {
        let wanted = CHUNK.min((offset - at) as usize);
        match file.read_at(&mut bytes[..wanted], at) {
            Ok(count @ 1..) => {
                lines += memchr::memchr_iter(b'\n', &bytes[..count]).count() as u64;
                at += count as u64;
            }
            _ => break,
        }
    }
    lines
}
