//! The grammar's input and output.

use super::fact::Fact;

/// Who wrote a line, decided from fields that journald itself sets wherever the input has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The kubelet, by itself or inside k3s, RKE2, k0s, `MicroK8s` or an `OpenShift` unit.
    Kubelet,
    /// containerd, CRI-O, Docker or cri-dockerd.
    Runtime,
    /// PID 1, and systemd's own daemons speaking of the machine (logind, networkd, timesyncd, journald, oomd).
    Systemd,
    /// The kernel.
    Kernel,
    /// etcd, kube-apiserver, kube-controller-manager, kube-scheduler, where their lines are in the same input.
    ControlPlane,
    /// This agent, of what it has seen by itself on the running node.
    Agent,
    /// Anything else: other units, unknown programs, quoted lines without a source.
    Other,
}

/// One log line and the journal fields that the grammar needs. Absent fields are `None`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Line<'a> {
    /// The message: one entry of the journal, which may hold several lines of text.
    pub text: &'a str,
    /// `MESSAGE_ID`, 32 hex digits, only where `_PID=1` or another trusted sender wrote it.
    pub message_id: Option<&'a str>,
    /// `UNIT`, the unit that PID 1 speaks of.
    pub unit: Option<&'a str>,
    /// `JOB_TYPE`.
    pub job_type: Option<&'a str>,
    /// `JOB_RESULT`.
    pub job_result: Option<&'a str>,
    /// `EXIT_CODE`: `exited`, `killed`, `dumped`.
    pub exit_code: Option<&'a str>,
    /// `EXIT_STATUS`: a number or a signal's name.
    pub exit_status: Option<&'a str>,
    /// `UNIT_RESULT`.
    pub unit_result: Option<&'a str>,
    /// `N_RESTARTS`.
    pub n_restarts: Option<&'a str>,
}

/// Severity of a line by its own words (klog letter, logrus level), not by journald's `PRIORITY`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Information, or a line without a level.
    Info,
    /// Warning.
    Warning,
    /// Error.
    Error,
    /// Fatal: the program exits.
    Fatal,
}

/// Time of day in a klog header: it has no year and no zone (the node's local time).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderTime {
    /// `MMDD hh:mm:ss.uuuuuu`.
    Klog {
        /// 1 to 12.
        month: u8,
        /// 1 to 31.
        day: u8,
        /// Microseconds since local midnight.
        micros: i64,
    },
    /// Microseconds since the Unix epoch (JSON `ts`, RFC 3339 `time=`).
    Unix(i64),
}

/// What the grammar makes of one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// Severity by the line's own words.
    pub level: Level,
    /// The writer's own time stamp, where the line has one.
    pub header: Option<HeaderTime>,
    /// The writer's process id by its header, where the line has one.
    pub pid: Option<u32>,
    /// The facts; empty for a routine line.
    pub facts: Vec<Fact>,
    /// True for the body of a goroutine dump, a multi-line value, or another continuation: nothing in it is a statement
    /// of its own, and no text pattern of the catalog may match it.
    pub continuation: bool,
}
