//! What the agent itself sees on a running node, and the words for it.
//!
//! Each look states health as well as fault, so that what is well can rule causes out. Percentages are whole numbers from
//! 0 to 100 and may exceed 100 where a limit is overrun; `_s`, `_ms`, `_mb` are seconds, milliseconds and MiB.

use super::fact::Kind;
use super::vocabulary::{Domain, ERRORS, KindSpec, ROLES, UNIT_RESULTS};

const YES_NO: &[&str] = &["yes", "no"];
const VALIDITY: &[&str] = &["valid", "expired", "not-yet-valid"];
/// `kubelet` and `runtime` are their own cgroups or processes; `node` is the whole machine.
/// One reading of a captured node: what it would take two readings to see is not known, so that it can assert something
/// and rules nothing out.
const ONCE: &[&str] = &["once"];
const WHOSE: &[&str] = &["node", "kubelet", "runtime"];

/// Every kind that the agent sees by itself.
#[rustfmt::skip] // one row a kind: a table
pub const LIVE: &[KindSpec] = &[
    KindSpec { kind: Kind::Probe, attrs: &[
        // `kubelet`: the endpoint of the kubelet's kubeconfig; `service`: the in-cluster Service; `peer`: another API server
        ("target", Domain::Words(&["kubelet", "service", "peer"])), ("via", Domain::Words(&["direct", "proxy"])),
        ("ok", Domain::Words(YES_NO)),
        // the stage that failed; `done` where the request was answered, whatever the answer
        ("stage", Domain::Words(&["resolve", "connect", "proxy", "tls", "request", "done"])), ("error", Domain::Words(ERRORS)),
        ("host", Domain::Text), ("port", Domain::Int), ("address", Domain::Text),
        ("scope", Domain::Words(&["loopback", "remote", "name"])),
        ("resolve_ms", Domain::Int), ("connect_ms", Domain::Int), ("tls_ms", Domain::Int), ("request_ms", Domain::Int),
        ("status", Domain::Int),
        // who answered: an API server (its Status body, its headers or the words of /readyz), or something in front of it
        ("answered_by", Domain::Words(&["api-server", "other"])),
        // /readyz, and the checks that it says have failed, comma-separated
        ("readyz", Domain::Words(&["ok", "failed", "unknown"])), ("failed_checks", Domain::Text),
        ("etcd", Domain::Words(&["ok", "failed"])),
        // a request that needs many full-sized packets, beside the small one
        ("large", Domain::Words(&["ok", "timed-out", "failed"])),
        // how many of the resolved addresses answered
        ("addresses", Domain::Int), ("addresses_ok", Domain::Int),
        ("retransmits", Domain::Int),
    ] },
    KindSpec { kind: Kind::ApiCertificate, attrs: &[
        ("validity", Domain::Words(VALIDITY)), ("trust", Domain::Words(&["trusted", "unknown-authority", "unknown"])),
        ("host_match", Domain::Words(YES_NO)), ("expires_in_s", Domain::Int), ("not_after", Domain::Text), ("not_before", Domain::Text),
        ("subject", Domain::Text), ("issuer", Domain::Text), ("names", Domain::Text),
    ] },
    // max_streams is absent where the server names no limit
    KindSpec { kind: Kind::ApiSettings, attrs: &[("protocol", Domain::Words(&["http1", "http2"])), ("max_streams", Domain::Int)] },
    KindSpec { kind: Kind::ClockOffset, attrs: &[
        // ours minus theirs; negative where our clock is behind
        ("offset_s", Domain::Int), ("abs_s", Domain::Int), ("direction", Domain::Words(&["ahead", "behind", "none"])),
        ("basis", Domain::Words(&["http-date", "certificates", "none"])), ("synchronized", Domain::Words(&["yes", "no", "unknown"])),
    ] },
    KindSpec { kind: Kind::Identity, attrs: &[("ok", Domain::Words(YES_NO)), ("error", Domain::Words(ERRORS)), ("status", Domain::Int), ("message", Domain::Text)] },
    KindSpec { kind: Kind::Lease, attrs: &[
        ("state", Domain::Words(&["fresh", "stale", "missing"])), ("age_s", Domain::Int), ("duration_s", Domain::Int), ("renewed_at", Domain::Text), ("node", Domain::Text),
    ] },
    KindSpec { kind: Kind::NodeObject, attrs: &[
        ("state", Domain::Words(&["present", "missing"])), ("ready", Domain::Words(&["true", "false", "unknown"])), ("reason", Domain::Text),
        ("message", Domain::Text), ("machine_id", Domain::Words(&["own", "foreign", "unknown"])), ("boot_id", Domain::Words(&["own", "foreign", "unknown"])),
        ("unschedulable", Domain::Words(YES_NO)), ("node", Domain::Text),
    ] },
    KindSpec { kind: Kind::Resolver, attrs: &[
        ("server", Domain::Text), ("name", Domain::Text), ("result", Domain::Words(&["ok", "timed-out", "no-such-host", "server-failure", "refused", "unreachable", "other"])), ("ms", Domain::Int),
        // how many servers are configured, and how many answered with an address
        ("servers", Domain::Int), ("servers_ok", Domain::Int),
    ] },
    KindSpec { kind: Kind::CertificateFile, attrs: &[
        ("which", Domain::Words(&["client", "serving", "ca", "bootstrap", "client-dated", "other"])), ("path", Domain::Text),
        ("state", Domain::Words(&["present", "missing", "empty", "invalid"])), ("validity", Domain::Words(VALIDITY)),
        ("expires_in_s", Domain::Int), ("not_after", Domain::Text), ("not_before", Domain::Text), ("subject", Domain::Text), ("issuer", Domain::Text),
        // the client certificate's node name against the node's own
        ("name", Domain::Words(&["own", "foreign", "unknown"])),
        // whether the CA bundle at hand has signed it; client and server CA may differ, so `no` alone proves nothing
        ("issuer_known", Domain::Words(&["yes", "no", "unknown"])),
        // rotation begins at 70 to 90 % of the life; `overdue` after 90 % + 5 % of it
        ("rotation", Domain::Words(&["ok", "overdue", "off", "unknown"])), ("key", Domain::Words(&["match", "mismatch", "unknown"])),
    ] },
    KindSpec { kind: Kind::ServedCertificate, attrs: &[
        ("validity", Domain::Words(VALIDITY)), ("against_disk", Domain::Words(&["same", "older", "newer", "other", "unknown"])), ("not_after", Domain::Text),
    ] },
    KindSpec { kind: Kind::Kubeconfig, attrs: &[
        ("state", Domain::Words(&["ok", "missing", "empty", "directory", "invalid", "incomplete"])), ("path", Domain::Text), ("line", Domain::Int), ("problem", Domain::Text),
        ("bootstrap", Domain::Words(&["present", "missing", "none"])),
        ("credentials", Domain::Words(&["client-certificate", "token", "exec", "none"])), ("server", Domain::Text),
        ("ca", Domain::Words(&["present", "missing", "invalid", "none"])),
    ] },
    KindSpec { kind: Kind::KubeletConfig, attrs: &[
        ("state", Domain::Words(&["ok", "missing", "empty", "invalid"])), ("path", Domain::Text), ("line", Domain::Int), ("problem", Domain::Text), ("field", Domain::Text),
    ] },
    KindSpec { kind: Kind::KubeletSetting, attrs: &[
        ("what", Domain::Words(&["swap", "cgroup-driver", "cgroup-version", "resolv-conf", "static-pod-path", "client-ca", "port", "binary", "runtime-endpoint", "cni-config", "proxy", "node-ip", "flag", "volume-dir"])),
        ("state", Domain::Words(&["ok", "bad", "unknown"])), ("value", Domain::Text), ("found", Domain::Text), ("problem", Domain::Text), ("holder", Domain::Text),
    ] },
    KindSpec { kind: Kind::UnitState, attrs: &[
        ("unit", Domain::Text), ("role", Domain::Words(ROLES)), ("load", Domain::Words(&["loaded", "masked", "not-found", "bad-setting", "error", "other"])),
        ("active", Domain::Words(&["active", "activating", "reloading", "inactive", "failed", "deactivating", "other"])), ("sub", Domain::Text),
        ("result", Domain::Words(UNIT_RESULTS)),
        ("code", Domain::Words(&["exited", "killed", "dumped"])), ("status", Domain::Int), ("restarts", Domain::Int),
        ("file_state", Domain::Words(&["enabled", "disabled", "masked", "static", "generated", "transient", "indirect", "other"])),
        // in this state since so long
        ("since_s", Domain::Int), ("pid", Domain::Int), ("job", Domain::Words(&["none", "start", "stop", "restart", "other"])),
        // a new one for each start: what the journal's entries of that start carry
        ("frozen", Domain::Words(YES_NO)), ("invocation", Domain::Text),
        // it has changed its state since the boot; absent where that is not known: systemd forgets a unit that is stopped
        // and that nothing refers to (systemd.unit(5), `CollectMode=`)
        ("started", Domain::Words(&["yes"])),
    ] },
    KindSpec { kind: Kind::Process, attrs: &[
        ("role", Domain::Words(ROLES)), ("state", Domain::Words(&["running", "blocked", "stopped", "zombie", "frozen", "absent"])),
        ("pid", Domain::Int), ("uptime_s", Domain::Int), ("threads", Domain::Int), ("fds", Domain::Int), ("fd_limit", Domain::Int), ("fd_percent", Domain::Int),
        // threads of it that wait uninterruptibly, and where the main one waits
        ("blocked_threads", Domain::Int), ("wchan", Domain::Text),
        // its share of the time in the look during which it could run and did not get a CPU
        ("run_delay_percent", Domain::Int), ("cpu_percent", Domain::Int),
        // per second during the look: what a process that lives on page faults shows
        ("major_faults_s", Domain::Int), ("taken", Domain::Words(ONCE)),
    ] },
    KindSpec { kind: Kind::Cgroup, attrs: &[
        ("role", Domain::Words(ROLES)), ("path", Domain::Text), ("version", Domain::Int),
        // of one CPU; absent without a quota
        ("cpu_quota_percent", Domain::Int),
        // the share of the look's time during which it was throttled, and of the quota's periods in the look
        ("throttled_percent", Domain::Int), ("throttled_periods_percent", Domain::Int),
        ("memory_mb", Domain::Int), ("memory_max_mb", Domain::Int), ("memory_high_mb", Domain::Int), ("memory_percent", Domain::Int),
        // all that is charged against memory.high; over 100 the kernel could not reclaim as fast as is asked for
        ("memory_high_percent", Domain::Int),
        // memory.events, per minute during the look (`high`) and in all (`oom_kill`)
        ("high_per_min", Domain::Int), ("oom_kills", Domain::Int),
        ("pids", Domain::Int), ("pids_max", Domain::Int), ("pids_percent", Domain::Int), ("frozen", Domain::Words(YES_NO)),
        // the share of the look, from the cgroup's PSI totals
        ("cpu_some_percent", Domain::Int), ("memory_some_percent", Domain::Int), ("memory_full_percent", Domain::Int), ("io_full_percent", Domain::Int),
        ("taken", Domain::Words(ONCE)),
    ] },
    KindSpec { kind: Kind::Pressure, attrs: &[
        ("resource", Domain::Words(&["cpu", "memory", "io"])), ("scope", Domain::Words(WHOSE)),
        ("some_percent", Domain::Int), ("full_percent", Domain::Int), ("some_avg60", Domain::Int), ("full_avg60", Domain::Int),
        ("taken", Domain::Words(ONCE)),
    ] },
    KindSpec { kind: Kind::Memory, attrs: &[
        ("total_mb", Domain::Int), ("available_mb", Domain::Int), ("available_percent", Domain::Int), ("swap_total_mb", Domain::Int), ("swap_used_percent", Domain::Int),
        ("major_faults_s", Domain::Int), ("refaults_s", Domain::Int), ("oom_kills", Domain::Int), ("file_cache_mb", Domain::Int),
        ("taken", Domain::Words(ONCE)),
    ] },
    KindSpec { kind: Kind::Cpu, attrs: &[
        ("cpus", Domain::Int), ("idle_percent", Domain::Int), ("iowait_percent", Domain::Int), ("steal_percent", Domain::Int),
        // load average of one minute over the CPUs, in per cent
        ("load_percent", Domain::Int), ("running", Domain::Int),
        // how late the agent itself was woken
        ("agent_late_ms", Domain::Int), ("taken", Domain::Words(ONCE)),
    ] },
    KindSpec { kind: Kind::Filesystem, attrs: &[
        ("mount", Domain::Text), ("role", Domain::Words(&["root", "kubelet", "runtime", "log", "etc", "other"])), ("fs", Domain::Text), ("device", Domain::Text),
        ("used_percent", Domain::Int), ("free_mb", Domain::Int), ("inodes_used_percent", Domain::Int),
        ("read_only", Domain::Words(YES_NO)), ("answers", Domain::Words(YES_NO)), ("full_in_s", Domain::Int),
    ] },
    KindSpec { kind: Kind::Disk, attrs: &[
        ("device", Domain::Text), ("busy_percent", Domain::Int), ("in_flight", Domain::Int), ("completed", Domain::Int), ("await_ms", Domain::Int), ("stalled", Domain::Words(YES_NO)),
    ] },
    KindSpec { kind: Kind::Limit, attrs: &[
        ("what", Domain::Words(&["pids", "threads", "files", "inotify-instances", "inotify-watches", "conntrack", "ephemeral-ports", "neighbors", "cgroups", "mounts"])),
        ("used", Domain::Int), ("max", Domain::Int), ("percent", Domain::Int), ("scope", Domain::Words(WHOSE)),
        ("drops", Domain::Int),
    ] },
    KindSpec { kind: Kind::BlockedTasks, attrs: &[("count", Domain::Int), ("zombies", Domain::Int), ("names", Domain::Text), ("where", Domain::Text)] },
    KindSpec { kind: Kind::Consumer, attrs: &[("what", Domain::Words(&["memory", "io", "tasks", "cpu"])), ("name", Domain::Text), ("amount", Domain::Int), ("rank", Domain::Int)] },
    KindSpec { kind: Kind::KubeletHealth, attrs: &[
        ("result", Domain::Words(&["ok", "failed", "refused", "timed-out", "reset", "other"])), ("status", Domain::Int), ("ms", Domain::Int), ("failed_checks", Domain::Text), ("port", Domain::Int),
    ] },
    KindSpec { kind: Kind::RuntimeSocket, attrs: &[
        ("path", Domain::Text), ("program", Domain::Words(&["containerd", "crio", "docker", "other"])),
        ("result", Domain::Words(&["ok", "missing", "refused", "timed-out", "full", "denied", "other"])), ("ms", Domain::Int),
        // connections that wait to be accepted
        ("waiting", Domain::Int),
        // `status-timed-out`: Version came back and Status did not
        ("cri", Domain::Words(&["ok", "timed-out", "status-timed-out", "unimplemented", "failed", "not-asked"])), ("cri_ms", Domain::Int), ("version", Domain::Text),
        ("runtime_ready", Domain::Words(YES_NO)), ("network_ready", Domain::Words(YES_NO)), ("reason", Domain::Text), ("message", Domain::Text),
    ] },
    KindSpec { kind: Kind::ApiSocket, attrs: &[
        ("state", Domain::Words(&["established", "connecting", "stale", "closing", "none"])), ("remote", Domain::Text), ("local_port", Domain::Int),
        // bytes sent or queued and not acknowledged, retransmits of the present segment, milliseconds since the last answer
        ("unacked_bytes", Domain::Int), ("retransmits", Domain::Int), ("silent_ms", Domain::Int),
        ("established", Domain::Int), ("connecting", Domain::Int), ("lost_percent", Domain::Int),
    ] },
    KindSpec { kind: Kind::Link, attrs: &[
        ("device", Domain::Text), ("role", Domain::Words(&["uplink", "other"])), ("state", Domain::Words(&["up", "admin-down", "no-carrier", "missing"])),
        ("address", Domain::Words(YES_NO)), ("errors_s", Domain::Int), ("drops_s", Domain::Int), ("mtu", Domain::Int),
    ] },
    KindSpec { kind: Kind::Route, attrs: &[
        ("to", Domain::Words(&["default", "api-server"])), ("state", Domain::Words(&["present", "missing", "rejected"])), ("device", Domain::Text), ("gateway", Domain::Text),
        ("neighbor", Domain::Words(&["reachable", "failed", "unknown"])),
    ] },
    KindSpec { kind: Kind::NodeAddress, attrs: &[("state", Domain::Words(&["present", "absent"])), ("address", Domain::Text), ("has", Domain::Text)] },
    KindSpec { kind: Kind::MachineState, attrs: &[
        ("uptime_s", Domain::Int), ("asleep_s", Domain::Int), ("shutdown", Domain::Words(&["none", "scheduled", "in-progress"])), ("frozen_for_s", Domain::Int),
    ] },
];
