//! Text to typed facts: klog and its embeddings, the Go error chain, gRPC status, containerd and CRI-O lines, systemd's
//! unit life-cycle, kernel messages. Pure: no clock, no I/O, nothing of ours but itself.

pub mod fact;
pub mod line;
pub mod origin;
pub mod parse;
