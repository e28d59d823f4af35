//! The durable outbox: what was found is stored before it counts as found, and stays until every sink has it.
//!
//! `durable.rs` is what the rest of the agent sees. Three tiers: a ring on the disk whose space was taken ahead
//! (`ring.rs`, `store.rs`, `reserve.rs`), the same ring in `/run`, memory. File work runs on a thread of its own with a deadline
//! (`keeper.rs`), because a disk that hangs is one of the things that the agent reports.

pub mod durable;
pub mod handle;
mod keeper;
mod record;
mod recover;
mod reserve;
mod ring;
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the store's file is read and damaged")]
mod ring_tests;
pub mod sink;
mod slots;
mod store;
mod tier;
