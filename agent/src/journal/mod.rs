//! Reads systemd's `.journal` files: safe Rust, pread, no mmap, every step bounded by the file's size. Knows nothing of
//! Kubernetes and imports nothing of ours.
//!
//! The format is systemd's `docs/JOURNAL_FILE_FORMAT.md` and `src/libsystemd/sd-journal/journal-def.h`. Files of systemd
//! 187 and later are read: regular and compact, keyed and unkeyed hash, plain, XZ, LZ4 and ZSTD, online, archived and
//! `.journal~`. A damaged file is read as far as it can be; what could not be read is a [`Problem`]. Seals (FSS) are not
//! verified. A [`Set`] is a record that is complete; [`Tails`] reads files that are still written, and leaves it to the
//! caller which files there are and how long to wait for them.

mod cache;
mod chain;
mod entry;
mod fields;
mod file;
mod filter;
mod format;
mod hash;
mod merge;
mod payload;
mod problem;
mod read_at;
mod reader;
mod set;
mod tail;
mod window;
mod zstd_bound;

pub use entry::{Address, Entry};
pub use format::{Header, State};
pub use problem::Problem;
pub use read_at::ReadAt;
pub use set::{Options, Set, Work};
pub use tail::{Tail, Tails};
pub use zstd_bound::Blocks as ZstdBlocks;
