//! Vantage points on the running node. One file each, behind [`Sampler`]; [`registry`] lists them, [`look`] runs them.
//!
//! A source knows the node and the vocabulary of facts, never the catalog or the engine: it says what it saw, well or
//! not, and where it could not look.

pub mod address;
pub mod api_socket;
pub mod blocked;
pub mod certificate;
pub mod cgroup;
mod cgroup_tree;
pub mod consumers;
pub mod cpu;
pub mod cri;
pub mod disk;
mod dns;
mod figures;
pub mod filesystem;
pub mod healthz;
mod inotify;
pub mod journal;
pub mod kmsg;
pub mod kubeconfig;
pub mod kubelet_config;
pub mod lease;
pub mod limits;
pub mod link;
pub mod logfile;
pub mod look;
pub mod machine;
pub mod memory;
mod mounts;
mod network;
pub mod pass;
pub mod places;
mod ports;
pub mod pressure;
pub mod probe;
pub mod process;
pub mod registry;
pub mod resolver;
pub mod route;
pub mod runtime_socket;
pub mod saved;
pub mod scene;
pub mod sock_diag;
pub mod systemd;
pub mod task;
pub mod tcp_table;
#[cfg(test)]
mod test_scene;
pub mod unit;
pub mod unread;
mod window;
