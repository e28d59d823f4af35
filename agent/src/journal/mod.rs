//! Reads systemd's `.journal` files: safe Rust, pread, no mmap, every step bounded by the file's size. Knows nothing of
//! Kubernetes and imports nothing of ours.
//!
//! STUB with the shape of the reader to come: it holds no entries.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// One entry.
#[derive(Debug)]
pub struct Entry<'a> {
    /// `__SEQNUM`.
    pub seqnum: u64,
    /// `__SEQNUM_ID`.
    pub seqnum_id: [u8; 16],
    /// Wall time, µs.
    pub realtime: u64,
    /// Time since boot, µs.
    pub monotonic: u64,
    /// The boot.
    pub boot_id: [u8; 16],
    fields: &'a [(Vec<u8>, Vec<u8>)],
}

impl Entry<'_> {
    /// The first value of a field.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.fields().find(|(n, _)| *n == name.as_bytes()).map(|(_, v)| v)
    }

    /// Every field that was wanted.
    pub fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields.iter().map(|(n, v)| (n.as_slice(), v.as_slice()))
    }

    /// systemd's cursor.
    pub fn cursor(&self) -> String {
        String::new()
    }
}

/// Random access to bytes.
pub trait ReadAt {
    /// Reads at an offset.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;
    /// The length.
    fn len(&self) -> io::Result<u64>;
    /// Whether there is nothing.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}

impl ReadAt for File {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, buf, offset)
    }
    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}

impl ReadAt for Vec<u8> {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|o| self.get(o..)).unwrap_or(&[]);
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }
    fn len(&self) -> io::Result<u64> {
        Ok(Vec::len(self) as u64)
    }
}

/// What is wrong with a file.
#[derive(Debug, Clone)]
pub struct Problem;

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("problem")
    }
}

/// What to read.
#[derive(Debug, Default)]
pub struct Options {
    /// Only entries with one of these fields.
    pub only: Option<Vec<(String, Vec<u8>)>>,
    /// Fields that are read.
    pub wanted: Vec<String>,
    /// Wall time, µs.
    pub since: Option<u64>,
    /// Wall time, µs.
    pub until: Option<u64>,
    /// Longest value.
    pub max_payload: usize,
}

/// Journal files, merged.
#[derive(Debug)]
pub struct Set;

impl Set {
    /// Opens files.
    pub fn open(files: Vec<(String, Box<dyn ReadAt>)>, options: Options) -> Self {
        let _ = (files, options);
        Self
    }
    /// The next entry.
    #[expect(clippy::should_implement_trait, reason = "an entry borrows the set")]
    pub fn next(&mut self) -> Option<Entry<'_>> {
        None
    }
    /// What went wrong so far.
    pub fn problems(&self) -> &[Problem] {
        &[]
    }
    /// Bytes done and in all.
    pub fn progress(&self) -> (u64, u64) {
        (0, 0)
    }
}
