//! Vantage points on the running node. One file each, behind [`Sampler`]; [`registry`] lists them, [`look`] runs them.
//!
//! A source knows the node and the vocabulary of facts, never the catalog or the engine: it says what it saw, well or
//! not, and where it could not look.

pub mod journal;
pub mod look;
pub mod registry;
pub mod saved;
pub mod scene;
