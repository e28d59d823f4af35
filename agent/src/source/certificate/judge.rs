//! Whose a client certificate is, and whether the kubelet is late in renewing it.

use std::path::Path;

use super::parsed::Parsed;
use crate::host::Host;
use crate::model::time::Timestamp;
use crate::world::discover::subject_node;
use crate::world::{ConfigState, World, flags};

/// Rotation is overdue when more of the life is over, per cent: it begins between 70 and 90 (client-go
/// `certificate_manager.go`, `nextRotationDeadline`).
const OVERDUE: i64 = 95;

/// The vocabulary's word.
pub(super) fn yes_no(known: Option<bool>) -> &'static str {
    match known {
        Some(true) => "yes",
        Some(false) => "no",
        None => "unknown",
    }
}

/// Whether a client certificate is this node's, and in words where it is not.
pub(super) fn whose(host: &Host, world: &World, one: &Parsed) -> (&'static str, String) {
    let Some(name) = subject_node(&one.der) else {
        return ("unknown", String::new());
    };
    let foreign = |own: &str| ("foreign", format!("  it is for node {name}, this one is {own}"));
    if let Some(own) = flags::last(&world.flags, "hostname-override") {
        let own = own.trim().to_lowercase();
        return if own == name {
            ("own", String::new())
        } else {
            foreign(&own)
        };
    }
    // The kernel's name is that of this process's own UTS name space, so the file must agree before it is believed.
    let names: Vec<String> = ["/proc/sys/kernel/hostname", "/etc/hostname"]
        .iter()
        .filter_map(|p| host.text(p).ok())
        .map(|t| t.trim().to_lowercase())
        .filter(|n| !n.is_empty())
        .collect();
    if names.contains(&name) {
        return ("own", String::new());
    }
    // A cloud provider inside the kubelet names nodes by its own rules.
    let by_cloud = flags::last(&world.flags, "cloud-provider").is_some_and(|p| !p.is_empty() && p != "external");
    match names.as_slice() {
        [kernel, file] if kernel == file && world.flags_known && !by_cloud => foreign(kernel),
        _ => ("unknown", String::new()),
    }
}

/// Whether the kubelet renews this certificate and is late, and in words where it is.
pub(super) fn rotation(world: &World, path: &Path, one: &Parsed, now: Timestamp) -> (&'static str, &'static str) {
    let known = world.flags_known && (world.config_path.is_none() || world.config.state != ConfigState::Unknown);
    if !known {
        return ("unknown", "");
    }
    let own = path.parent() == Some(world.cert_dir.as_path());
    if !world.settings.rotate_certificates || !own {
        return ("off", "");
    }
    if one.spent(now) > OVERDUE {
        ("overdue", "  rotation is overdue")
    } else {
        ("ok", "")
    }
}
