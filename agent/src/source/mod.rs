//! Vantage points on the running node. One file each, behind [`Sampler`]; [`registry`] lists them, [`look`] runs them.
//!
//! A source knows the node and the vocabulary of facts, never the catalog or the engine: it says what it saw, well or
//! not, and where it could not look.

mod dns;
pub mod lease;

pub mod certificate;
pub mod kubeconfig;
pub mod kubelet_config;
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
pub mod address;
pub mod blocked;
pub mod cgroup;
mod cgroup_tree;
pub mod consumers;
pub mod cpu;
pub mod disk;
mod figures;
pub mod filesystem;
mod inotify;
pub mod limits;
pub mod link;
pub mod machine;
pub mod memory;
mod mounts;
mod network;
mod ports;
pub mod pressure;
pub mod route;
#[cfg(test)]
mod test_scene;
mod window;
pub mod unread;
