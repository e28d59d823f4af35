//! Devices and file systems as the kernel speaks of them.

use super::fact::{Fact, Kind};
use super::scan::{after, between, word};

/// Devices that come and go with pods, and bridges and tunnels of network plug-ins.
const VIRTUAL: &[&str] = &[
    "veth",
    "cali",
    "cni",
    "docker",
    "br-",
    "flannel",
    "lxc",
    "tunl",
    "vxlan",
    "kube-",
    "nodelocaldns",
    "cilium",
    "dummy",
    "virbr",
    "lo",
    "weave",
    "vethwe",
    "azv",
    "eni",
    "podman",
    "antrea",
    "genev",
    "geneve",
    "ovn",
    "ovs",
    "tap",
    "ifb",
];

/// A statement of a network device.
pub(super) fn nic(what: &'static str, device: &str) -> Fact {
    let device = device.trim().rsplit(' ').next().unwrap_or(device);
    let virtual_device = VIRTUAL
        .iter()
        .any(|v| device.starts_with(v) && (*v != "lo" || device == "lo"));
    let class = if virtual_device { "virtual" } else { "uplink" };
    Fact::new(Kind::Nic)
        .with("what", what)
        .with_text("device", device)
        .with("class", class)
}

/// What a line says of a network device.
pub(super) fn network(text: &str) -> Option<Fact> {
    if let Some(rest) = after(text, "NETDEV WATCHDOG: ") {
        return Some(nic("tx-timeout", word(rest).trim_end_matches(':')));
    }
    let table = [
        ("NIC Link is Down", "link-down"),
        ("NIC Link is Up", "link-up"),
        ("Link is down", "link-down"),
        ("Link is Down", "link-down"),
        ("Link is up", "link-up"),
        ("Link is Up", "link-up"),
        ("link down", "link-down"),
        ("link up", "link-up"),
        ("Detected Hardware Unit Hang", "hang"),
        ("Detected Tx Unit Hang", "hang"),
        ("TX driver issue detected", "reset"),
        ("Reset adapter", "reset"),
    ];
    let (words, what) = table.iter().find(|(words, _)| text.contains(words))?;
    if text.starts_with("ata") || text.contains(": SATA") {
        return None;
    }
    let before = &text[..text.find(words)?];
    let device = before
        .trim_end()
        .trim_end_matches(['-', ':', ','])
        .trim_end()
        .rsplit([' '])
        .next()
        .unwrap_or("");
    Some(nic(what, device.trim_matches([':', '(', ')'])))
}

/// A failing block device.
pub(super) fn block(text: &str) -> Option<Fact> {
    let error = |what, device: &str| Some(Fact::new(Kind::IoError).with("what", what).with_text("device", device));
    if text.contains("I/O error, dev ") {
        return error("block", word(after(text, "I/O error, dev ")?));
    }
    if text.contains("critical medium error, dev ") || text.contains("critical target error, dev ") {
        return error("block", word(after(text, " error, dev ")?));
    }
    if text.contains("Buffer I/O error on dev") {
        let rest = after(text, "Buffer I/O error on dev ").or_else(|| after(text, "Buffer I/O error on device "))?;
        return error("buffer", word(rest));
    }
    if text.starts_with("sd ") && (text.contains("FAILED Result:") || text.contains("Sense Key : Medium Error")) {
        return error("scsi", between(text, "[", "]").unwrap_or(""));
    }
    if text.starts_with("nvme")
        && [
            "I/O timeout",
            "I/O tag",
            "controller is down",
            "Abort status",
            "Removing after probe failure",
        ]
        .iter()
        .any(|w| text.contains(w))
        && (text.contains("timeout") || text.contains("down") || text.contains("fail") || text.contains("Abort"))
    {
        return error(
            "nvme",
            text.split(':').next().unwrap_or("").rsplit(' ').next().unwrap_or(""),
        );
    }
    if text.starts_with("ata")
        && (text.contains("failed command") || text.contains("exception Emask") || text.contains("hard resetting link"))
    {
        return error("ata", text.split([':', '.']).next().unwrap_or(""));
    }
    if text.contains("megaraid_sas")
        && (text.contains("waiting for") || text.contains("reset") || text.contains("FAILED"))
        || text.starts_with("md/raid") && text.contains("failure")
    {
        return error("raid", word(text).trim_end_matches(':'));
    }
    if text.contains("multipath") && text.contains("Failing path") {
        return error("multipath", word(after(text, "Failing path ")?));
    }
    if text.starts_with("nfs: server ") && text.contains("not responding") {
        return error("nfs", word(after(text, "nfs: server ")?));
    }
    None
}

/// A file system that is broken or becomes read-only.
pub(super) fn file_system(text: &str) -> Option<Fact> {
    let lower = text.contains("emounting filesystem read-only")
        || text.contains("Remounting file system read-only")
        || text.contains("orced readonly");
    let fs = ["EXT4-fs", "EXT3-fs", "XFS", "BTRFS", "F2FS-fs"]
        .into_iter()
        .find(|fs| text.starts_with(fs))?;
    let device = between(text, "(device ", ")")
        .or_else(|| between(text, "(", ")"))
        .unwrap_or("")
        .trim_end_matches(':');
    let device = device.split(':').next().unwrap_or(device);
    let fact = |kind| {
        Fact::new(kind)
            .with_text("fs", fs.trim_end_matches("-fs").to_ascii_lowercase())
            .with_text("device", device)
    };
    if lower {
        return Some(fact(Kind::FsReadOnly).with("why", "error"));
    }
    if text.contains("re-mounted")
        && (text.contains(" ro.") || text.contains(" ro,") || text.ends_with(" ro") || text.contains("Opts: ro"))
    {
        return Some(fact(Kind::FsReadOnly).with("why", "mount"));
    }
    let broken = [
        "-fs error",
        "Corruption",
        "corruption",
        "I/O Error",
        "error: ",
        "critical",
        "shut down",
        "Shutting down filesystem",
        "aborted journal",
        "Detected aborted",
    ];
    broken
        .iter()
        .any(|words| text.contains(words))
        .then(|| fact(Kind::FsError))
}
