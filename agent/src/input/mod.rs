//! From paths to the engine's inputs: detects what a file is, opens it, turns entries and lines into observations.
//! Writes nothing but an unlinked temporary file for a compressed journal that does not fit in memory, and a temporary
//! directory for an archive.

mod ahead;
mod api;
mod archive;
mod aside;
mod compress;
mod detect;
mod entry;
mod export;
mod feed;
mod format;
mod intake;
mod journal;
mod json;
mod lines;
mod merge;
mod moment;
mod node;
mod observe;
mod open;
mod read;
mod spool;
mod stamp;
mod stream;
#[cfg(test)]
mod tests;
mod walk;
mod zone;

pub use api::{Fault, InputError, NodeName, NodeNameFrom, Options, Progress, SourceSummary, Summary};
pub use archive::{ArchiveError, Unpacked, unpack};
pub use aside::Aside;
pub use entry::WANTED as JOURNAL_FIELDS;
pub use feed::{Feed, Written};
pub use intake::{Intake, KernelRecord, Sieve};
pub use moment::Timeline;
pub use read::read;
