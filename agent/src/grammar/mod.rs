//! Text to typed facts: klog and its embeddings, the Go error chain, gRPC status, containerd and CRI-O lines, systemd's
//! unit life-cycle, kernel messages. Pure: no clock, no I/O, nothing of ours but itself.

pub mod fact;
pub mod line;
pub mod origin;
pub mod parse;
pub mod redact;
pub mod vocabulary;
pub mod vocabulary_live;

mod api_call;
mod crash;
mod cri;
mod embed;
mod go_error;
mod kernel;
mod kernel_device;
mod kernel_oom;
mod klog;
mod kubelet;
mod kubelet_words;
mod kv;
mod readiness;
mod runtime;
mod scan;
mod systemd;
mod systemd_text;
mod unit;
mod url;
