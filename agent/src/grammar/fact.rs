//! What a log line says, as typed facts: a closed vocabulary of kinds, attributes and values.
//!
//! The catalog matches on these words, bundles store them, and the loader refuses a catalog that uses a word which is
//! not here. Adding a word is an addition to [`VOCABULARY`]; renaming one breaks catalogs and bundles.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// One typed statement of one log line (or of several that belong together), for example "a lease renewal failed,
/// connection refused".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// What kind of statement.
    pub kind: Kind,
    /// Its attributes, in the order in which the grammar found them; names are unique.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attrs: Vec<(Cow<'static, str>, Value)>,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// A whole number; the unit is part of the attribute's name (`_s` seconds, `_ms` milliseconds).
    Int(i64),
    /// A word of the vocabulary, or free text where the vocabulary says so.
    Text(Cow<'static, str>),
}

impl Fact {
    /// A fact without attributes.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            attrs: Vec::new(),
        }
    }

    /// Adds a word of the vocabulary.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.attrs
            .push((Cow::Borrowed(name), Value::Text(Cow::Borrowed(value))));
        self
    }

    /// Adds free text.
    #[must_use]
    pub fn with_text(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.attrs
            .push((Cow::Borrowed(name), Value::Text(Cow::Owned(value.into()))));
        self
    }

    /// Adds a number.
    #[must_use]
    pub fn with_int(mut self, name: &'static str, value: i64) -> Self {
        self.attrs.push((Cow::Borrowed(name), Value::Int(value)));
        self
    }

    /// The value of an attribute, if the fact has it.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.attrs.iter().find(|(n, _)| n == name).map(|(_, v)| v)
    }

    /// The text of an attribute; `None` where it is absent or a number.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some(Value::Text(t)) => Some(t),
            _ => None,
        }
    }

    /// The number of an attribute; `None` where it is absent or text.
    pub fn int(&self, name: &str) -> Option<i64> {
        match self.get(name) {
            Some(Value::Int(n)) => Some(*n),
            _ => None,
        }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $word:literal,)+) => {
        /// The kinds of facts. The word in the catalog is the kebab-case name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Kind { $($(#[$doc])* $variant,)+ }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Kind] = &[$(Kind::$variant,)+];

            /// The kind's word, as catalogs and bundles write it.
            pub const fn word(self) -> &'static str {
                match self { $(Kind::$variant => $word,)+ }
            }
        }
    };
}

kinds! {
    // ---- said by the kubelet
    /// A call of the kubelet to the API server failed.
    ApiCall = "api-call",
    /// The kubelet says that a call to the API server has succeeded (registration).
    ApiSuccess = "api-success",
    /// A call of the kubelet to the container runtime (CRI) failed.
    CriCall = "cri-call",
    /// The kubelet posts or is about to post this Ready condition.
    NodeReady = "node-ready",
    /// `Skipping pod synchronization`: what the kubelet itself holds against its readiness.
    SkipSync = "skip-sync",
    /// The kubelet's first words after a start.
    KubeletStart = "kubelet-start",
    /// The kubelet says why it exits (`"command failed"`, an F line, `Failed to run kubelet`).
    KubeletFatal = "kubelet-fatal",
    /// A Go program dies: panic, fatal error of the Go runtime, or a signal that makes it dump its goroutines.
    GoCrash = "go-crash",
    /// A goroutine dump shows one that has been blocked for minutes.
    GoroutineBlocked = "goroutine-blocked",
    /// Housekeeping of the kubelet took longer than it should.
    HousekeepingSlow = "housekeeping-slow",
    /// A trace of client-go or utiltrace: an operation that took long.
    SlowTrace = "slow-trace",
    /// Reading the disk usage of a container's directories took long (cAdvisor).
    DiskUsageSlow = "disk-usage-slow",
    /// The eviction manager reclaims or evicts.
    Eviction = "eviction",
    /// Client certificate or CSR life-cycle as the kubelet tells it.
    Certificate = "certificate",
    /// The kubelet's graceful-shutdown manager saw a shutdown.
    NodeShutdown = "node-shutdown",
    // ---- said by the container runtime
    /// Life-cycle of containerd or CRI-O by its own words.
    Runtime = "runtime",
    // ---- said by systemd (PID 1)
    /// A unit changed its state.
    Unit = "unit",
    /// The machine is told to go down (logind, systemd-shutdown).
    Shutdown = "shutdown",
    /// The kernel or systemd says that a boot begins.
    Boot = "boot",
    /// systemd or journald noticed a step of the clock.
    ClockStep = "clock-step",
    /// journald lost, suppressed or stopped writing messages.
    JournalLoss = "journal-loss",
    /// The machine went to sleep or woke up.
    Sleep = "sleep",
    // ---- said by the kernel
    /// The OOM killer was invoked or killed.
    Oom = "oom",
    /// A task is blocked for more than two minutes.
    HungTask = "hung-task",
    /// A CPU is stuck (soft or hard lockup) or RCU is stalled or starved.
    CpuStall = "cpu-stall",
    /// A block device fails.
    IoError = "io-error",
    /// A file system reports corruption or an error.
    FsError = "fs-error",
    /// A file system was (re)mounted read-only.
    FsReadOnly = "fs-read-only",
    /// The connection tracking table is full.
    ConntrackFull = "conntrack-full",
    /// The neighbour (ARP/NDP) table is full.
    NeighborOverflow = "neighbor-overflow",
    /// A network device fails, resets, or loses or gains its link.
    Nic = "nic",
    /// A machine check or another hardware error.
    HardwareError = "hardware-error",
    /// The kernel panics or oopses.
    KernelPanic = "kernel-panic",
    /// `unregister_netdevice: waiting for … to become free`.
    NetnsWait = "netns-wait",
    /// The kernel cannot allocate memory, a slab or a cgroup id.
    AllocationFailure = "allocation-failure",
    /// `cgroup: fork rejected by pids controller`.
    PidsLimit = "pids-limit",
    // ---- derived by detectors from several lines (see `evidence::detector`); no single line says them
    /// A unit's process exits again and again soon after each start.
    CrashLoop = "crash-loop",
    /// The kubelet did not run for a while although its process existed: it says itself how late it is, or it speaks
    /// after a silence of things that only a standstill explains.
    Stall = "stall",
    /// Lines were written much later than their own header says: the writer or journald did not get to run.
    LogLag = "log-lag",
    /// Wall time moved against monotonic time within one boot.
    ClockJump = "clock-jump",
    /// A new boot follows another one.
    BootChange = "boot-change",
    /// The record stops although nothing ordered a shutdown.
    RecordEnds = "record-ends",
    /// The heartbeat fails: a run of failed renewals that no success has ended.
    HeartbeatRun = "heartbeat-run",
    /// A unit was stopped in order and has not been started again.
    StaysStopped = "stays-stopped",
    /// The kubelet writes nothing although it runs and others write.
    Silence = "silence",
}

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

const ROLES: &[&str] = &[
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

/// The specification of a kind.
pub fn spec(kind: Kind) -> Option<&'static KindSpec> {
    VOCABULARY.iter().find(|s| s.kind == kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_specified_once() {
        for kind in Kind::ALL {
            assert_eq!(
                VOCABULARY.iter().filter(|s| s.kind == *kind).count(),
                1,
                "{}",
                kind.word()
            );
        }
    }

    #[test]
    fn words_are_the_serde_names() {
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_string(kind).unwrap(), format!("\"{}\"", kind.word()));
        }
    }
}
