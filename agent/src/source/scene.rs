//! What every source is given: the node, the time, the kubelet's world, and what the operator allows.

use std::time::Duration;

use crate::clock::Clock;
use crate::host::Host;
use crate::world::World;

/// What the operator allows beyond reading.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches of the operator")]
pub struct Allowed {
    /// Talk to the API server at all.
    pub api: bool,
    /// Use the kubelet's own certificate and key to read its own Lease and Node (`probe.as_kubelet`).
    pub as_kubelet: bool,
    /// Ask the runtime over its CRI socket; who may write to that socket is root on the node.
    pub cri: bool,
    /// Ask systemd over D-Bus.
    pub dbus: bool,
    /// How long one stage of a probe may take.
    pub stage: Duration,
}

impl Default for Allowed {
    fn default() -> Self {
        Self {
            api: true,
            as_kubelet: false,
            cri: false,
            dbus: true,
            stage: Duration::from_secs(3),
        }
    }
}

/// What a source is given for one look.
#[derive(Debug, Clone)]
pub struct Scene {
    /// The node's file system.
    pub host: Host,
    /// The time.
    pub clock: Clock,
    /// The kubelet and what it is configured with, as found just now.
    pub world: World,
    /// What is allowed.
    pub allowed: Allowed,
}
