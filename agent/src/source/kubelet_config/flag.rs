//! Flags that no kubelet, or no present kubelet, takes: an unknown flag ends it before it writes a word of its own log.

use super::Setting;
use super::known_flags::{GONE_1_24, GONE_1_28, GONE_1_37, PRESENT};
use crate::grammar::fact::Kind;
use crate::host::Host;
use crate::source::look::Look;
use crate::source::unread;
use crate::world::World;

/// A kubelet that runs for so long has taken its flags: it parses them first. Seconds.
const TAKEN: f64 = 2.0;
/// `USER_HZ`, the unit of times in `/proc/PID/stat`, is 100 on every architecture that Kubernetes runs on.
const TICKS: f64 = 100.0;
/// Faults stated.
const FAULTS: usize = 8;

pub(super) fn look(look: &mut Look, host: &Host, world: &World) {
    if !world.flags_known {
        let why = "no kubelet runs, and no unit that starts one was read";
        return unread::world(look, Kind::KubeletSetting, world, None, why);
    }
    let whence = world.unit.as_deref().unwrap_or("the command line");
    if world
        .kubelet
        .as_ref()
        .is_some_and(|k| age(host, k.pid).is_some_and(|a| a >= TAKEN))
    {
        let text = format!("the running kubelet has taken its {} flags", world.flags.len());
        return Setting::new("flag", "ok", "").say(look, text);
    }
    let mut faults = 0;
    for (name, _) in &world.flags {
        let gone = [("1.24", GONE_1_24), ("1.28", GONE_1_28), ("1.37", GONE_1_37)]
            .into_iter()
            .find(|(_, flags)| flags.contains(&name.as_str()));
        let shown = format!("--{name}");
        if let Some((version, _)) = gone {
            let problem = format!("gone by {version}");
            Setting::new("flag", "unknown", &*shown).problem(problem.clone()).say(
                look,
                format!("{whence}: the flag {shown} is {problem}; a newer kubelet refuses to start"),
            );
        } else if !PRESENT.contains(&name.as_str()) {
            Setting::new("flag", "bad", &*shown)
                .problem("no kubelet has this flag")
                .say(
                    look,
                    format!("{whence}: no kubelet from 1.20 to 1.37 has the flag {shown}, and it does not run"),
                );
        } else {
            continue;
        }
        faults += 1;
        if faults >= FAULTS {
            return;
        }
    }
    if faults == 0 {
        Setting::new("flag", "ok", "").say(
            look,
            format!("{whence}: kubelets have all of its {} flags", world.flags.len()),
        );
    }
}

/// How long a process has been running, seconds: its start (field 22 of `/proc/PID/stat`, ticks since the boot) against
/// `/proc/uptime` (proc(5)).
fn age(host: &Host, pid: u32) -> Option<f64> {
    let stat = host.text(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let start: f64 = rest.split_whitespace().nth(19)?.parse().ok()?;
    let uptime: f64 = host
        .text("/proc/uptime")
        .ok()?
        .split_whitespace()
        .next()?
        .parse()
        .ok()?;
    Some(uptime - start / TICKS)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{of, settings};

    const UNIT: &str = "etc/systemd/system/kubelet.service";
    const ENV: (&str, &str) = (
        "etc/default/kubelet",
        "ARGS=\"--no-such-flag=1 --network-plugin=cni\"\n",
    );
    const STARTS: (&str, &str) = (
        UNIT,
        "[Service]\nEnvironmentFile=/etc/default/kubelet\nExecStart=/usr/bin/kubelet --config=/c $ARGS\n",
    );

    #[test]
    fn unknown_and_gone() {
        let found = settings(&[STARTS, ENV], "flag");
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].1.text("state"), found[0].1.text("value")),
            (Some("bad"), Some("--no-such-flag"))
        );
        assert!(found[0].0.starts_with("kubelet.service: no kubelet"), "{}", found[0].0);
        assert_eq!(
            (found[1].1.text("state"), found[1].1.text("problem")),
            (Some("unknown"), Some("gone by 1.24"))
        );
    }

    #[test]
    fn known_running_and_not_read() {
        let found = settings(
            &[(UNIT, "[Service]\nExecStart=/usr/bin/kubelet --config=/c -v=2\n")],
            "flag",
        );
        assert_eq!(found[0].1.text("state"), Some("ok"));
        let running = [
            STARTS,
            ENV,
            ("proc/7/comm", "kubelet\n"),
            ("proc/7/cmdline", "/usr/bin/kubelet\0--no-such-flag=1\0"),
            ("proc/7/cgroup", "0::/system.slice/kubelet.service\n"),
            (
                "proc/7/stat",
                "7 (a) b) S 1 7 7 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 14 0 5000 0 0\n",
            ),
            ("proc/uptime", "100.00 50.00\n"),
        ];
        let found = settings(&running, "flag");
        assert_eq!(found[0].1.text("state"), Some("ok"), "{}", found[0].0);
        let mut young = running;
        young[6].1 = "50.50 50.00\n";
        assert_eq!(settings(&young, "flag")[0].1.text("state"), Some("bad"));
        assert!(settings(&[], "flag").is_empty() && !of(&[]).blind.is_empty());
    }
}
