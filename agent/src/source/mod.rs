//! Vantage points on the running node. One file each, behind [`Sampler`]; [`registry`] lists them, [`look`] runs them.
//!
//! A source knows the node and the vocabulary of facts, never the catalog or the engine: it says what it saw, well or
//! not, and where it could not look.

mod dns;
pub mod lease;

pub mod look;
pub mod pass;
pub mod probe;
pub mod registry;
pub mod resolver;
pub mod api_socket;
pub mod cri;
pub mod healthz;
pub mod process;
pub mod runtime_socket;
pub mod scene;
pub mod sock_diag;
pub mod systemd;
pub mod task;
pub mod tcp_table;
pub mod unit;
