//! What a log line says, as typed facts: a closed vocabulary of kinds, attributes and values.
//!
//! The catalog matches on these words, bundles store them, and the loader refuses a catalog that uses a word which is
//! not here. What attributes each kind has: [`super::vocabulary`] (logs) and [`super::vocabulary_live`] (the running node).

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
    // ---- seen by the agent itself on the running node (see `vocabulary_live`)
    /// One staged probe of one address of the API server.
    Probe = "probe",
    /// The certificate that the API server shows.
    ApiCertificate = "api-certificate",
    /// What the API server says of its connections (HTTP/2 SETTINGS).
    ApiSettings = "api-settings",
    /// The node's clock against the API server's and its synchronisation.
    ClockOffset = "clock-offset",
    /// The kubelet's own credentials, tried at the API server.
    Identity = "identity",
    /// The kubelet's lease, read from the API server.
    Lease = "lease",
    /// The Node object, read from the API server.
    NodeObject = "node-object",
    /// One server of the resolver's configuration, asked for the API server's name.
    Resolver = "resolver",
    /// A certificate in a file of the kubelet.
    CertificateFile = "certificate-file",
    /// The certificate that the running kubelet serves, against the one on disk.
    ServedCertificate = "served-certificate",
    /// The kubelet's kubeconfig.
    Kubeconfig = "kubeconfig",
    /// The kubelet's configuration file.
    KubeletConfig = "kubelet-config",
    /// One setting of the kubelet against the node that it runs on.
    KubeletSetting = "kubelet-setting",
    /// A unit's state, from systemd.
    UnitState = "unit-state",
    /// The process of the kubelet or the runtime.
    Process = "process",
    /// The limits of the cgroup of the kubelet or the runtime and what they do to it.
    Cgroup = "cgroup",
    /// Pressure stall information.
    Pressure = "pressure",
    /// Memory of the node.
    Memory = "memory",
    /// CPU time of the node.
    Cpu = "cpu",
    /// Space, inodes and state of a file system that the kubelet or the runtime needs.
    Filesystem = "filesystem",
    /// A block device's work.
    Disk = "disk",
    /// A limit of the kernel and how much of it is used.
    Limit = "limit",
    /// Tasks that wait for I/O uninterruptibly.
    BlockedTasks = "blocked-tasks",
    /// Who uses most of something.
    Consumer = "consumer",
    /// The kubelet's health endpoint.
    KubeletHealth = "kubelet-health",
    /// The runtime's socket and, where it may be asked, its CRI status.
    RuntimeSocket = "runtime-socket",
    /// The kubelet's own connections to the API server.
    ApiSocket = "api-socket",
    /// A network interface of the node.
    Link = "link",
    /// A route of the node.
    Route = "route",
    /// The address by which the node is known.
    NodeAddress = "node-address",
    /// The machine: time lost, a shutdown in progress.
    MachineState = "machine-state",
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::vocabulary;

    #[test]
    fn every_kind_is_specified_once() {
        for kind in Kind::ALL {
            assert_eq!(
                vocabulary::all().filter(|s| s.kind == *kind).count(),
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
