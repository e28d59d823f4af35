//! One line to what it states.

use super::fact::{Fact, Kind};
use super::line::{Line, Origin, Parsed};
use super::{kernel, kubelet, runtime, systemd};

/// What this line states. Never fails: a line without a statement has no facts.
pub fn parse(origin: Origin, line: &Line<'_>) -> Parsed {
    match origin {
        Origin::Kubelet => kubelet::parse(line.text),
        Origin::Runtime => runtime::parse(line.text),
        Origin::Systemd => systemd::parse(line),
        Origin::Kernel => kernel::parse(line.text),
        Origin::ControlPlane => control_plane(line.text),
        Origin::Agent | Origin::Other => kubelet::parse_others(line.text),
    }
}

fn control_plane(text: &str) -> Parsed {
    let mut parsed = kubelet::parse_others(text);
    if text.contains("the clock difference against peer") {
        parsed.facts.push(Fact::new(Kind::ClockStep).with("what", "skew"));
    }
    parsed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(origin: Origin, text: &str) -> String {
        let parsed = parse(
            origin,
            &Line {
                text,
                ..Line::default()
            },
        );
        let attrs = [
            "event", "what", "scope", "limit_of", "victim", "code", "signal", "result", "class", "why", "task",
            "program",
        ];
        let word = |f: &Fact| {
            let attrs: Vec<_> = attrs.iter().filter_map(|a| f.text(a)).collect();
            format!("{} {}", f.kind.word(), attrs.join(" ")).trim_end().to_owned()
        };
        parsed.facts.iter().map(word).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn kernel() {
        for (text, expected) in [
            (
                "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=x,mems_allowed=0,oom_memcg=/system.slice/kubelet.service,task_memcg=/system.slice/kubelet.service,task=kubelet,pid=3,uid=0",
                "oom constraint memcg kubelet kubelet kubelet",
            ),
            (
                "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=x,mems_allowed=0,oom_memcg=/kubepods.slice/kubepods-podx.slice,task_memcg=/kubepods.slice/x,task=java,pid=3,uid=0",
                "oom constraint memcg pod other java",
            ),
            (
                "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/a,task=stress,pid=3,uid=0",
                "oom constraint global system other stress",
            ),
            (
                "Out of memory: Killed process 9 (dockerd) total-vm:1kB",
                "oom killed global runtime dockerd",
            ),
            (
                "[   12.000001] nf_conntrack: nf_conntrack: table full, dropping packet",
                "conntrack-full",
            ),
            ("EXT4-fs (vda1): re-mounted. Opts: (null). Quota mode: none.", ""),
            ("EXT4-fs (vda1): Remounting filesystem read-only", "fs-read-only error"),
            (
                "EXT4-fs error (device sda1): ext4_find_entry:1455: inode #2: comm kubelet: reading directory lblock 0",
                "fs-error",
            ),
            ("e1000e 0000:00:19.0 eth0: NIC Link is Down", "nic link-down uplink"),
            (
                "NETDEV WATCHDOG: eth0 (ixgbe): transmit queue 0 timed out",
                "nic tx-timeout uplink",
            ),
            ("INFO: rcu_sched self-detected stall on CPU", "cpu-stall rcu-stall"),
            ("EDAC MC1: 1 CE memory scrubbing error", ""),
            ("traps: app[1] general protection fault ip:1 sp:2 error:0", ""),
        ] {
            assert_eq!(words(Origin::Kernel, text), expected, "{text}");
        }
    }

    #[test]
    fn systemd_text_and_ids() {
        for (text, expected) in [
            (
                "kubelet.service: Main process exited, code=killed, status=9/KILL",
                "unit exited killed KILL",
            ),
            (
                "kubelet.service: Failed with result 'oom-kill'.",
                "unit failed oom-kill",
            ),
            (
                "kubelet.service: Scheduled restart job, restart counter is at 4.",
                "unit restart-scheduled",
            ),
            (
                "kubelet.service: State 'stop-sigterm' timed out. Killing.",
                "unit stop-timeout",
            ),
            (
                "kubelet.service: Failed at step EXEC spawning /usr/bin/kubelet: No such file or directory",
                "unit exec-failed",
            ),
            ("kubelet.service: Watchdog timeout (limit 30s)!", "unit watchdog"),
            (
                "Dependency failed for kubelet: The Kubernetes Node Agent.",
                "unit dependency-failed",
            ),
            ("Started Session 3 of User root.", ""),
            ("System is powering down.", "shutdown poweroff"),
            ("Suppressed 12 messages from kubelet.service", "journal-loss suppressed"),
            ("Time jumped backwards, rotating.", "clock-step backwards"),
            ("veth12: Lost carrier", "nic carrier-lost virtual"),
        ] {
            assert_eq!(words(Origin::Systemd, text), expected, "{text}");
        }
        let line = Line {
            text: "(translated)",
            message_id: Some("be02cf6855d2428ba40df7e9d022f03d"),
            unit: Some("kubelet.service"),
            job_type: Some("start"),
            job_result: Some("dependency"),
            ..Line::default()
        };
        let fact = &parse(Origin::Systemd, &line).facts[0];
        assert_eq!(
            (fact.text("event"), fact.text("job")),
            (Some("dependency-failed"), Some("start"))
        );
    }

    #[test]
    fn runtime() {
        for (text, expected) in [
            (
                r#"time="2026-11-23T11:42:35Z" level=info msg="containerd successfully booted in 0.7s""#,
                "runtime started containerd",
            ),
            (
                r#"time="2026-11-23T11:42:35Z" level=fatal msg="Failed to run CRI service" error="cni network conf monitor error: x""#,
                "runtime cni-directory-removed containerd",
            ),
            (
                r#"time="2026-11-23T11:42:35Z" level=warning msg="failed to load plugin" error="x" id=io.containerd.cri.v1.runtime"#,
                "runtime plugin-failed containerd",
            ),
            (
                r#"time="2026-11-23T11:42:35Z" level=warning msg="failed to load plugin" error="x" id=io.containerd.snapshotter.v1.zfs"#,
                "",
            ),
            ("containerd: invalid plugin config", "runtime config-invalid containerd"),
            ("panic: runtime error: index out of range", "go-crash panic runtime"),
            (
                r#"time="2026-11-23T11:42:35Z" level=info msg="shim disconnected" id=a"#,
                "",
            ),
        ] {
            assert_eq!(words(Origin::Runtime, text), expected, "{text}");
        }
    }

    /// Every prefix and every suffix of lines of all kinds, with multi-byte characters inside, for every origin; what is
    /// said stays within the vocabulary.
    #[test]
    fn any_text_is_survived() {
        let lines = [
            "E1123 10:51:26.246379 371 x.go:260] \"Failed to updaté lease\" err=\"Put \\\"https://[::1]:6443/apis/é\\\": dial tcp: lookup é on é:53: é\" interval=\"7é\"",
            "time=\"é\" level=fatal msg=\"E0512 10:00:00.0 9 é.go:1] \\\"é\\\" err=<\n\té\n >\" component=kubelet",
            "{\"ts\":1,\"caller\":\"é:1\",\"msg\":\"é\",\"err\":\"rpc error: code = é\"}",
            "oom-kill:constraint=é,oom_memcg=/é,task=é, blocked for more than é ! [é:1] stuck for é",
            "kubelet.service: Main process exited, code=é, status=é/é Failed with result 'é restart counter is at é",
            "node \"é\" not found User \"é Trace[é]: \"é\" (total time: é) NETDEV WATCHDOG: é https://é http://",
        ];
        for line in lines {
            let cuts = line.char_indices().map(|(at, _)| at);
            let pieces = cuts.flat_map(|at| [&line[..at], &line[at..]]);
            for text in pieces {
                for origin in [
                    Origin::Kubelet,
                    Origin::Runtime,
                    Origin::Systemd,
                    Origin::Kernel,
                    Origin::ControlPlane,
                    Origin::Other,
                ] {
                    let _ = super::super::origin::of_text(None, text);
                    for fact in parse(
                        origin,
                        &Line {
                            text,
                            ..Line::default()
                        },
                    )
                    .facts
                    {
                        super::super::vocabulary::check(&fact).unwrap_or_else(|why| panic!("{why} in {text}"));
                    }
                }
            }
        }
    }
}
