//! The two listeners of `whynotready run`: metrics and health for the network, debug and the status page for this host.
//!
//! They show what the daemon hands them through [`view::View`] and change nothing: no request has an effect on the agent,
//! and none is waited for longer than its bounds say.

mod accept;
mod answer;
pub mod ask;
mod certificate;
pub mod debug;
pub mod listen;
pub mod metrics;
mod page;
mod serve;
mod token;
pub mod view;
