//! What attributes the facts of log lines have, and which words they may hold.

use super::fact::{Fact, Kind, Value};
use super::vocabulary_live::LIVE;

/// What an attribute may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Domain {
    /// One of these words.
    Words(&'static [&'static str]),
    /// Any text.
    Text,
    /// A whole number.
    Int,
}

/// The attributes of one kind.
#[derive(Debug, Clone, Copy)]
pub struct KindSpec {
    /// The kind.
    pub kind: Kind,
    /// Attribute names and what they may hold.
    pub attrs: &'static [(&'static str, Domain)],
}

/// Classes of the last error of a chain (`error`): what the operating system, TLS, HTTP or the API said in the end.
#[rustfmt::skip] // one row a kind: a table
pub const ERRORS: &[&str] = &[
    // connect
    "refused", "timed-out", "no-route", "unreachable", "invalid-argument", "address-not-available", "not-permitted",
    // established connections
    "reset", "broken-pipe", "eof", "aborted", "closed-connection", "http2-lost", "http2-goaway", "http2-refused-stream",
    "http2-too-many-requests",
    // a time-out that does not say where: `context deadline exceeded`, `Client.Timeout exceeded while awaiting headers`
    "deadline",
    // a time-out before any usable connection: `request canceled while waiting for connection`
    "waiting-for-connection",
    // names
    "no-such-host", "dns-timeout", "dns-server-failure", "dns-refused",
    // TLS
    "tls-handshake-timeout", "tls-alert", "tls-not-tls", "x509-expired", "x509-not-yet-valid", "x509-unknown-authority",
    "x509-wrong-host", "x509-insecure", "x509-other",
    // answers of the API server
    "unauthorized", "forbidden", "not-found", "conflict", "too-many-requests", "server-error", "unavailable",
    "gateway-timeout", "bad-gateway", "shutting-down", "etcd", "webhook-denied", "webhook-failed", "invalid",
    "storage-rollback",
    // local
    "exec-plugin", "too-many-open-files", "file-table-full", "no-space", "read-only", "try-again", "out-of-memory",
    "io-error", "no-such-file", "permission-denied", "node-cache",
    // gRPC
    "unimplemented", "resource-exhausted", "failed-precondition", "internal",
    "canceled", "other",
];

/// What part of the node a unit is.
pub const ROLES: &[&str] = &[
    "kubelet",
    "runtime",
    "journald",
    "network",
    "dbus",
    "time",
    "control-plane",
    "other",
];

/// Every kind with its attributes.
#[rustfmt::skip] // one row a kind: a table
pub const VOCABULARY: &[KindSpec] = &[
    KindSpec { kind: Kind::ApiCall, attrs: &[
        // what the kubelet wanted; `node-cache` errors of an empty informer have op `node-status` or `pod`
        ("op", Domain::Words(&["lease", "lease-owner", "node-status", "register", "watch", "event", "csr", "csinode", "pod", "token", "other"])),
        ("error", Domain::Words(ERRORS)),
        // where in the life of the request the last error arose
        ("stage", Domain::Words(&["resolve", "connect", "proxy", "tls", "request", "local", "unknown"])),
        ("verb", Domain::Text), ("url", Domain::Text),
        // host and port of the URL (a name or an address), and the address that was really dialled
        ("host", Domain::Text), ("port", Domain::Int), ("peer", Domain::Text),
        ("scope", Domain::Words(&["loopback", "remote", "name"])),
        ("resolver", Domain::Text), ("user", Domain::Text),
        // whose name `forbidden` names
        ("user_kind", Domain::Words(&["anonymous", "bootstrap", "node", "other"])),
        // whether a node asks for the lease or Node of its own name or of another one
        ("name", Domain::Words(&["own", "foreign"])),
        // what `not-found` or `forbidden` is about
        ("subject", Domain::Words(&["node", "lease", "namespace", "resource", "csr", "other"])),
        ("status", Domain::Int), ("interval_ms", Domain::Int),
    ] },
    KindSpec { kind: Kind::ApiSuccess, attrs: &[("op", Domain::Words(&["register", "rotation", "other"])), ("node", Domain::Text)] },
    KindSpec { kind: Kind::CriCall, attrs: &[
        ("op", Domain::Text), ("error", Domain::Words(ERRORS)),
        ("code", Domain::Words(&["canceled", "unknown", "deadline-exceeded", "not-found", "unavailable", "unimplemented", "resource-exhausted", "failed-precondition", "internal", "already-exists", "other"])),
        ("endpoint", Domain::Text),
    ] },
    KindSpec { kind: Kind::NodeReady, attrs: &[
        ("status", Domain::Words(&["true", "false", "unknown"])), ("reason", Domain::Text), ("message", Domain::Text),
        ("because", Domain::Words(&["runtime-down", "runtime-unchecked", "pleg", "pleg-starting", "network", "shutdown", "csinode", "storage", "cgroup", "starting", "other"])),
    ] },
    KindSpec { kind: Kind::SkipSync, attrs: &[
        ("because", Domain::Words(&["runtime-down", "runtime-unchecked", "pleg", "pleg-starting", "network", "shutdown", "csinode", "storage", "cgroup", "starting", "other"])),
        ("inactive_s", Domain::Int),
    ] },
    KindSpec { kind: Kind::KubeletStart, attrs: &[("version", Domain::Text)] },
    KindSpec { kind: Kind::KubeletFatal, attrs: &[("message", Domain::Text), ("error", Domain::Words(ERRORS))] },
    KindSpec { kind: Kind::GoCrash, attrs: &[
        ("what", Domain::Words(&["panic", "fatal-error", "signal", "out-of-memory", "no-thread", "observed-panic"])),
        ("message", Domain::Text),
        ("program", Domain::Words(&["kubelet", "runtime", "other"])),
    ] },
    KindSpec { kind: Kind::GoroutineBlocked, attrs: &[("state", Domain::Words(&["syscall", "lock", "other"])), ("minutes", Domain::Int)] },
    KindSpec { kind: Kind::HousekeepingSlow, attrs: &[("actual_ms", Domain::Int)] },
    KindSpec { kind: Kind::SlowTrace, attrs: &[("name", Domain::Text), ("total_ms", Domain::Int)] },
    KindSpec { kind: Kind::DiskUsageSlow, attrs: &[("total_ms", Domain::Int)] },
    KindSpec { kind: Kind::Eviction, attrs: &[
        ("what", Domain::Words(&["reclaim", "evict", "blocked", "threshold"])),
        ("resource", Domain::Words(&["memory", "disk", "inodes", "pids", "other"])),
    ] },
    KindSpec { kind: Kind::Certificate, attrs: &[
        ("what", Domain::Words(&["client-expired", "no-valid-client", "csr-failed", "csr-unsigned", "csr-denied", "rotated", "store-failed", "no-serving", "tls-handshake-noise"])),
        ("not_after", Domain::Text),
    ] },
    KindSpec { kind: Kind::NodeShutdown, attrs: &[] },
    KindSpec { kind: Kind::Runtime, attrs: &[
        ("what", Domain::Words(&["starting", "started", "stopping", "fatal", "config-invalid", "plugin-failed", "cni-load-failed", "cni-directory-removed", "name-reserved", "bolt-wait", "shim-failed"])),
        ("program", Domain::Words(&["containerd", "crio", "docker", "other"])), ("error", Domain::Words(ERRORS)), ("message", Domain::Text),
    ] },
    KindSpec { kind: Kind::Unit, attrs: &[
        ("unit", Domain::Text), ("role", Domain::Words(ROLES)),
        ("event", Domain::Words(&["starting", "started", "start-failed", "stopping", "stopped", "exited", "failed", "succeeded",
            "restart-scheduled", "start-limit", "dependency-failed", "condition-failed", "exec-failed", "oom-kill", "oomd-kill",
            "watchdog", "start-timeout", "stop-timeout", "process-killed", "unkillable", "reloading", "consumed", "masked",
            "inotify-failed"])),
        // `job` tells an ordered stop from the stop half of an automatic restart
        ("job", Domain::Words(&["start", "stop", "restart", "other"])), ("job_result", Domain::Text),
        ("code", Domain::Words(&["exited", "killed", "dumped"])), ("status", Domain::Int), ("signal", Domain::Text),
        ("result", Domain::Words(&["success", "exit-code", "signal", "core-dump", "watchdog", "timeout", "oom-kill", "start-limit-hit", "dependency", "resources", "protocol", "exec-condition", "other"])),
        ("restarts", Domain::Int), ("cpu_ms", Domain::Int),
    ] },
    KindSpec { kind: Kind::Shutdown, attrs: &[("what", Domain::Words(&["power-key", "poweroff", "reboot", "halt", "kexec", "started", "other"]))] },
    KindSpec { kind: Kind::Boot, attrs: &[("what", Domain::Words(&["kernel", "systemd", "finished"]))] },
    KindSpec { kind: Kind::ClockStep, attrs: &[("what", Domain::Words(&["backwards", "changed", "skew", "synchronized"])), ("offset_ms", Domain::Int)] },
    KindSpec { kind: Kind::JournalLoss, attrs: &[("what", Domain::Words(&["suppressed", "dropped", "stopped", "started", "watchdog", "failed", "corrupt"])), ("unit", Domain::Text), ("count", Domain::Int)] },
    KindSpec { kind: Kind::Sleep, attrs: &[("what", Domain::Words(&["suspend", "resume", "paused"])), ("seconds", Domain::Int)] },
    KindSpec { kind: Kind::Oom, attrs: &[
        ("what", Domain::Words(&["invoked", "constraint", "killed"])), ("scope", Domain::Words(&["global", "memcg", "cpuset", "unknown"])),
        // whose limit and whose process: `kubelet`, `runtime` (containerd, dockerd, crio), `pod` (under kubepods), `other`
        ("limit_of", Domain::Words(&["kubelet", "runtime", "pod", "system", "other"])), ("victim", Domain::Words(&["kubelet", "runtime", "other"])),
        ("task", Domain::Text), ("memcg", Domain::Text),
    ] },
    KindSpec { kind: Kind::HungTask, attrs: &[("task", Domain::Text), ("seconds", Domain::Int)] },
    KindSpec { kind: Kind::CpuStall, attrs: &[("what", Domain::Words(&["soft-lockup", "hard-lockup", "rcu-stall", "rcu-starved", "workqueue"])), ("seconds", Domain::Int), ("task", Domain::Text)] },
    KindSpec { kind: Kind::IoError, attrs: &[("what", Domain::Words(&["block", "buffer", "scsi", "nvme", "ata", "raid", "multipath", "nfs", "other"])), ("device", Domain::Text)] },
    KindSpec { kind: Kind::FsError, attrs: &[("fs", Domain::Text), ("device", Domain::Text)] },
    KindSpec { kind: Kind::FsReadOnly, attrs: &[("fs", Domain::Text), ("device", Domain::Text), ("why", Domain::Words(&["error", "emergency", "mount"]))] },
    KindSpec { kind: Kind::ConntrackFull, attrs: &[] },
    KindSpec { kind: Kind::NeighborOverflow, attrs: &[] },
    KindSpec { kind: Kind::Nic, attrs: &[("what", Domain::Words(&["link-down", "link-up", "tx-timeout", "hang", "reset", "carrier-lost", "carrier-gained", "removed", "xid"])), ("device", Domain::Text),
        // container-side devices come and go with pods and say nothing of the uplink
        ("class", Domain::Words(&["uplink", "virtual"]))] },
    KindSpec { kind: Kind::HardwareError, attrs: &[("what", Domain::Words(&["corrected", "uncorrected", "fatal", "logged", "thermal"]))] },
    KindSpec { kind: Kind::KernelPanic, attrs: &[("what", Domain::Words(&["panic", "oops", "bug", "general-protection"])), ("message", Domain::Text)] },
    KindSpec { kind: Kind::NetnsWait, attrs: &[("device", Domain::Text), ("count", Domain::Int)] },
    KindSpec { kind: Kind::AllocationFailure, attrs: &[("what", Domain::Words(&["page", "slub", "cgroup"]))] },
    KindSpec { kind: Kind::PidsLimit, attrs: &[("memcg", Domain::Text)] },
    KindSpec { kind: Kind::CrashLoop, attrs: &[
        ("role", Domain::Words(ROLES)), ("restarts", Domain::Int), ("uptime_s", Domain::Int),
        ("code", Domain::Words(&["exited", "killed", "dumped", "unknown"])), ("status", Domain::Int), ("signal", Domain::Text),
        ("registers", Domain::Words(&["yes", "no"])),
    ] },
    KindSpec { kind: Kind::Stall, attrs: &[("seconds", Domain::Int), ("witness", Domain::Words(&["housekeeping", "trace", "runtime-timer", "own-timers"]))] },
    KindSpec { kind: Kind::LogLag, attrs: &[("ms", Domain::Int)] },
    KindSpec { kind: Kind::ClockJump, attrs: &[("offset_s", Domain::Int), ("direction", Domain::Words(&["forward", "backward"]))] },
    KindSpec { kind: Kind::BootChange, attrs: &[("how", Domain::Words(&["ordered", "unclean", "unknown"])), ("gap_s", Domain::Int)] },
    KindSpec { kind: Kind::RecordEnds, attrs: &[("how", Domain::Words(&["unclean"]))] },
    KindSpec { kind: Kind::HeartbeatRun, attrs: &[("state", Domain::Words(&["failing", "lost"])), ("seconds", Domain::Int)] },
    KindSpec { kind: Kind::StaysStopped, attrs: &[("role", Domain::Words(ROLES)), ("seconds", Domain::Int), ("why", Domain::Words(&["job", "dependency", "unknown"]))] },
    KindSpec { kind: Kind::Silence, attrs: &[("seconds", Domain::Int)] },
];

/// Every kind with its attributes, of logs and of the running node.
pub fn all() -> impl Iterator<Item = &'static KindSpec> {
    VOCABULARY.iter().chain(LIVE)
}

/// The specification of a kind.
pub fn spec(kind: Kind) -> Option<&'static KindSpec> {
    all().find(|s| s.kind == kind)
}

/// Whether the agent itself sees facts of this kind, rather than reading them in a log.
pub fn is_live(kind: Kind) -> bool {
    LIVE.iter().any(|s| s.kind == kind)
}

/// A fact from its words, `kind name=value …`, as the catalog's examples write them. Values hold no spaces.
pub fn fact(words: &str) -> Result<Fact, String> {
    let mut words = words.split_ascii_whitespace();
    let kind = words.next().unwrap_or_default();
    let spec = all()
        .find(|s| s.kind.word() == kind)
        .ok_or_else(|| format!("no kind of fact `{kind}`"))?;
    let mut fact = Fact::new(spec.kind);
    for word in words {
        let (name, value) = word
            .split_once('=')
            .ok_or_else(|| format!("`{word}` is not name=value"))?;
        let (name, domain) = spec
            .attrs
            .iter()
            .find(|(n, _)| *n == name)
            .ok_or_else(|| format!("`{kind}` has no attribute `{name}`"))?;
        let value = match domain {
            Domain::Int => Value::Int(
                value
                    .parse()
                    .map_err(|_| format!("`{name}` is a number, not `{value}`"))?,
            ),
            Domain::Words(known) if !known.contains(&value) => return Err(format!("`{name}` has no word `{value}`")),
            _ => Value::Text(value.to_owned().into()),
        };
        fact.attrs.push(((*name).into(), value));
    }
    Ok(fact)
}

/// The attribute that tells which of several objects a fact of this kind is about: the kind's first one, where it is one
/// of a few words (`target` of a probe, `role` of a cgroup).
pub fn object_attr(kind: Kind) -> Option<&'static str> {
    match spec(kind)?.attrs.first()? {
        (name, Domain::Words(words)) if *words != ["yes", "no"] => Some(name),
        _ => None,
    }
}
