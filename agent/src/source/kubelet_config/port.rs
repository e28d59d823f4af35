//! Who listens on the kubelet's ports: the kubelet, nobody, or something else that keeps it from starting.

use crate::grammar::fact::Kind;
use crate::host::Host;
use crate::source::look::Look;
use crate::source::unread;
use crate::world::{Process, World};

use super::Setting;

/// Processes whose descriptors are looked through for a holder.
const PROCESSES: usize = 8192;
/// Descriptors looked at of one process.
const DESCRIPTORS: usize = 4096;
/// Descriptors looked at in all: about 0.2 s.
const LOOKS: usize = 65_536;

pub(super) fn look(look: &mut Look, host: &Host, world: &World) {
    let sockets = match listening(host) {
        Ok(sockets) => sockets,
        Err(e) => return unread::file(look, Kind::KubeletSetting, &e),
    };
    let ports = [
        ("its server", world.settings.port),
        ("healthz", world.settings.healthz.1),
    ];
    for (name, port) in ports.into_iter().filter(|(_, p)| *p != 0) {
        let inodes: Vec<u64> = sockets.iter().filter(|(p, _)| *p == port).map(|(_, i)| *i).collect();
        one(look, host, world, &inodes, (name, port));
    }
}

fn one(look: &mut Look, host: &Host, world: &World, inodes: &[u64], port: (&str, u16)) {
    let (name, port) = port;
    let setting = |state| Setting::new("port", state, port.to_string());
    if inodes.is_empty() {
        return setting("ok")
            .found("free")
            .say(look, format!("nothing listens on port {port} ({name})"));
    }
    match (&world.kubelet, holder(host, world.kubelet.as_ref(), inodes)) {
        (_, Holder::Kubelet) => setting("ok")
            .found("kubelet")
            .say(look, format!("the kubelet listens on port {port} ({name})")),
        (_, Holder::Other(holder)) => {
            let problem = "another process listens there";
            let fact = setting("bad")
                .problem(problem)
                .fact()
                .with_text("holder", holder.clone());
            look.saw(
                format!("{holder} listens on port {port}, which the kubelet needs ({name})"),
                fact,
            );
        }
        (None, Holder::Hidden) => setting("bad").problem("another process listens there").say(
            look,
            format!("no kubelet runs, but something listens on its port {port} ({name})"),
        ),
        (Some(_), Holder::Hidden) => setting("unknown").problem("whose socket it is cannot be seen").say(
            look,
            format!("something listens on port {port} ({name}); whether it is the kubelet cannot be seen"),
        ),
    }
}

enum Holder {
    Kubelet,
    Other(String),
    Hidden,
}

fn holder(host: &Host, kubelet: Option<&Process>, inodes: &[u64]) -> Holder {
    let mut budget = LOOKS;
    let kubelet_pid = kubelet.map(|k| k.pid);
    if kubelet_pid.is_some_and(|pid| holds(host, pid, inodes, &mut budget) == Some(true)) {
        return Holder::Kubelet;
    }
    let names = host.list("/proc").unwrap_or_default();
    let pids = names.iter().filter_map(|n| n.parse::<u32>().ok()).take(PROCESSES);
    for pid in pids {
        if holds(host, pid, inodes, &mut budget) == Some(true) {
            let comm = host.text(format!("/proc/{pid}/comm")).unwrap_or_default();
            return match comm.trim() {
                // One that was started since the world was looked at.
                "kubelet" => Holder::Kubelet,
                comm => Holder::Other(format!("{comm} (pid {pid})")),
            };
        }
        if budget == 0 {
            break;
        }
    }
    Holder::Hidden
}

/// Whether a process has one of these sockets open; `None` where it cannot be seen.
fn holds(host: &Host, pid: u32, inodes: &[u64], budget: &mut usize) -> Option<bool> {
    let directory = format!("/proc/{pid}/fd");
    for fd in host.list(&directory).ok()?.into_iter().take(DESCRIPTORS) {
        *budget = budget.checked_sub(1)?;
        let Ok(to) = host.link(format!("{directory}/{fd}")) else {
            continue;
        };
        let to = to.to_string_lossy();
        let inode = to
            .strip_prefix("socket:[")
            .and_then(|t| t.strip_suffix(']'))
            .and_then(|t| t.parse::<u64>().ok());
        if inode.is_some_and(|i| inodes.contains(&i)) {
            return Some(true);
        }
    }
    Some(false)
}

/// Port and inode of every listening TCP socket (kernel `Documentation/networking/proc_net_tcp.rst`; state 0A is LISTEN).
/// Of process 1, whose network is the node's; `/proc/net` is the agent's own.
fn listening(host: &Host) -> Result<Vec<(u16, u64)>, crate::host::Unreadable> {
    let text = host.text("/proc/1/net/tcp").or_else(|_| host.text("/proc/net/tcp"))?;
    // Without IPv6 there is no such file.
    let six = host
        .text("/proc/1/net/tcp6")
        .or_else(|_| host.text("/proc/net/tcp6"))
        .unwrap_or_default();
    Ok(text.lines().chain(six.lines()).filter_map(row).collect())
}

fn row(line: &str) -> Option<(u16, u64)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    if *fields.get(3)? != "0A" {
        return None;
    }
    let (_, port) = fields.get(1)?.rsplit_once(':')?;
    Some((u16::from_str_radix(port, 16).ok()?, fields.get(9)?.parse().ok()?))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the test lays out a node")]
mod tests {
    use super::*;

    /// 10250 listens with inode 41 on IPv6, 10248 with inode 42; another connection is established.
    const TCP: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2808 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 42 1 0 100 0 0 10 0
   1: 0100007F:280A 00000000:0000 01 00000000:00000000 00:00000000 00000000     0        0 43 1 0 100 0 0 10 0
";
    const TCP6: &str = "   0: 00000000000000000000000000000000:280A 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 41 1 0 100 0 0 10 0\n";

    fn of(holder: Option<(u32, &str)>, kubelet: Option<u32>) -> Vec<(String, String, Option<String>)> {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        std::fs::create_dir_all(root.join("proc/net")).unwrap();
        std::fs::write(root.join("proc/net/tcp"), TCP).unwrap();
        std::fs::write(root.join("proc/net/tcp6"), TCP6).unwrap();
        if let Some((pid, comm)) = holder {
            let fd = root.join(format!("proc/{pid}/fd"));
            std::fs::create_dir_all(&fd).unwrap();
            std::fs::write(root.join(format!("proc/{pid}/comm")), comm).unwrap();
            for inode in [41, 42] {
                std::os::unix::fs::symlink(format!("socket:[{inode}]"), fd.join(inode.to_string())).unwrap();
            }
        }
        let world = World {
            kubelet: kubelet.map(|pid| Process {
                pid,
                name: "kubelet".into(),
                cgroup: None,
            }),
            ..World::default()
        };
        let mut found = Look::default();
        look(&mut found, &Host::at(root), &world);
        found
            .readings
            .iter()
            .map(|r| {
                let text = |n| r.facts[0].text(n).map(str::to_owned);
                (text("value").unwrap(), text("state").unwrap(), text("holder"))
            })
            .collect()
    }

    #[test]
    fn the_kubelet_another_and_one_that_cannot_be_seen() {
        let both = |state: &str, holder: Option<&str>| -> Vec<_> {
            ["10250", "10248"]
                .map(|p| (p.to_owned(), state.to_owned(), holder.map(str::to_owned)))
                .into()
        };
        assert_eq!(of(Some((7, "kubelet")), Some(7)), both("ok", None));
        assert_eq!(of(Some((9, "cat")), Some(7)), both("bad", Some("cat (pid 9)")));
        assert_eq!(of(Some((9, "cat")), None), both("bad", Some("cat (pid 9)")));
        assert_eq!(of(Some((8, "kubelet")), None), both("ok", None));
        assert_eq!(of(None, None), both("bad", None));
        assert_eq!(of(None, Some(7)), both("unknown", None));
    }

    #[test]
    fn free_ports_and_no_table() {
        let dir = tempfile::tempdir().unwrap();
        let host = Host::at(dir.path());
        let mut found = Look::default();
        look(&mut found, &host, &World::default());
        assert_eq!(found.blind.len(), 1);
        std::fs::create_dir_all(dir.path().join("proc/net")).unwrap();
        std::fs::write(dir.path().join("proc/net/tcp"), "").unwrap();
        let mut found = Look::default();
        look(&mut found, &host, &World::default());
        assert!(found.readings.iter().all(|r| r.facts[0].text("found") == Some("free")));
        assert_eq!(found.readings.len(), 2);
    }
}
