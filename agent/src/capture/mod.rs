//! What the files that were captured from a node say: `snapshot/` folders, sosreport and must-gather, as they are unpacked.
//!
//! A captured tree is looked at with the same sources as a running node, as far as they only read files, and with what
//! commands printed there. It refuses to conclude from what is missing: a file that is not in a capture may exist on the
//! node. Nothing here asks the machine that analyses: no socket, no process, no clock.

mod date;
mod df;
mod look;
mod must_gather;
mod outputs;
mod prepare;
mod ps;
mod root;
mod show;
mod ss;
mod still;
mod twice;

pub use prepare::{PrepareError, Prepared, prepare};
