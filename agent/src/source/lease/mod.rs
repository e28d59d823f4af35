//! The kubelet's heartbeat as the API server has it: the node's Lease, its Node object and, where the operator allows it,
//! whether the kubelet's own credentials still work. Two GETs at most, nothing else, never a write.

mod credentials;
mod objects;
pub mod sampler;
