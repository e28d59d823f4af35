//! From paths to the engine's inputs: detects what a file is, opens it, turns entries and lines into observations.

pub mod export;
pub mod moment;
pub mod observe;
pub mod read;
pub mod record;

pub use read::{InputError, Options, Progress, Summary, read};
