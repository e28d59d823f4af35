//! `whynotready run`: the pipeline as a daemon that goes on whatever happens around it.
//!
//! One current-thread runtime holds everything but the reader of logs, which has a thread of its own because a disk that
//! hangs must not hold the rest. What was announced is the difference between two diagnoses, kept on disk; so a restart
//! announces nothing twice and forgets nothing.

pub mod announce;
pub mod bundles;
pub mod core;
pub mod delivery;
pub mod environment;
pub mod figures;
pub mod hearing;
mod keeping;
pub mod kept;
pub mod ledger;
pub mod life;
pub mod lines;
pub mod logs;
pub mod notify;
pub mod pace;
mod ports;
pub mod reload;
pub mod run;
pub mod saver;
pub mod starved;
pub mod state;
pub mod view;
pub mod watch;
