//! Why did this kubelet stop posting node status? The library behind the `whynotready` binary.
//!
//! `agent/ARCHITECTURE.md` is the map. In one line: [`input`] and [`journal`] read logs, [`grammar`] turns lines into
//! typed facts, [`catalog`] says what causes look like, [`evidence`] and [`diagnosis`] reason (pure), [`export`] renders.

pub mod bundle;
pub mod capture;
pub mod catalog;
pub mod cli;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod diagnosis;
pub mod evidence;
pub mod export;
pub mod grammar;
pub mod host;
pub mod http;
pub mod input;
pub mod journal;
pub mod model;
pub mod outbox;
pub mod pipeline;
pub mod source;
pub mod spelling;
pub mod world;
