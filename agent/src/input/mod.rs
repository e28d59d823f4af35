//! From paths to the engine's inputs: detects what a file is, opens it, turns entries and lines into observations.
//! Writes nothing but an unlinked temporary file for a compressed journal that does not fit in memory.

mod ahead;
mod api;
mod compress;
mod detect;
mod entry;
mod export;
mod format;
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
pub use moment::Timeline;
pub use read::read;
