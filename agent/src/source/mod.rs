//! Vantage points on the running node. One file each, behind [`Sampler`]; [`registry`] lists them, [`look`] runs them.
//!
//! A source knows the node and the vocabulary of facts, never the catalog or the engine: it says what it saw, well or
//! not, and where it could not look.

pub mod address;
pub mod blocked;
pub mod cgroup;
mod cgroup_tree;
pub mod consumers;
pub mod cpu;
pub mod disk;
mod dns;
mod figures;
pub mod filesystem;
mod inotify;
pub mod lease;
pub mod limits;
pub mod link;
pub mod look;
pub mod machine;
pub mod memory;
mod mounts;
mod network;
pub mod pass;
mod ports;
pub mod pressure;
pub mod probe;
pub mod registry;
pub mod resolver;
pub mod route;
pub mod scene;
#[cfg(test)]
mod test_scene;
mod window;
