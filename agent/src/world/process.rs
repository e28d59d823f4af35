//! The kubelet's and the runtime's processes, found in `/proc`.
//!
//! A name proves nothing: any process may call itself kubelet, and containers (kind, a pod's tool) hold others. What runs
//! in a unit of the node and in its own pid name space is preferred.

use std::io::Read;

use super::Process;
use crate::host::{Host, Unreadable};

/// Processes looked at; `pid_max` may be four million, nodes have some thousands.
const PROCESSES: usize = 65_536;
/// Bytes of a command line that are read.
const COMMAND_LINE: u64 = 128 << 10;
/// Bytes of `comm`, `cgroup` and `status` that are read.
const SMALL: u64 = 16 << 10;

/// A process that may be of interest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The process.
    pub process: Process,
    /// `/proc/PID/comm`.
    pub comm: String,
    /// Its command line.
    pub arguments: Vec<String>,
    /// Whether it runs in a pid name space below the node's, or in a container's cgroup.
    pub contained: bool,
}

/// The processes of the kubelet and of runtimes.
#[derive(Debug, Clone, Default)]
pub struct Processes {
    /// Everything that bears a name of interest, by pid.
    pub found: Vec<Candidate>,
    /// How many processes were seen; one or two mean that this is the agent's own pid name space.
    pub seen: usize,
    /// Why `/proc` could not be listed.
    pub problem: Option<String>,
}

/// Programs that are the kubelet or hold it. `comm` has 15 characters at most (kernel `TASK_COMM_LEN`).
const KUBELETS: [&str; 6] = ["kubelet", "kubelite", "hyperkube", "k3s-server", "k3s-agent", "k3s"];
/// Container runtimes and what stands in front of one.
const RUNTIMES: [&str; 4] = ["containerd", "crio", "dockerd", "cri-dockerd"];

/// Looks through `/proc` once.
pub fn scan(host: &Host) -> Processes {
    let mut processes = Processes::default();
    let names = match host.list("/proc") {
        Ok(names) => names,
        Err(e) => {
            processes.problem = Some(e.to_string());
            return processes;
        }
    };
    let pids = names.iter().filter_map(|n| n.parse::<u32>().ok()).take(PROCESSES);
    for pid in pids {
        processes.seen += 1;
        let Ok(comm) = small(host, pid, "comm", SMALL) else {
            continue;
        };
        let comm = comm.trim_end();
        if KUBELETS.contains(&comm) || RUNTIMES.contains(&comm) {
            processes.found.extend(candidate(host, pid, comm));
        }
    }
    processes.found.sort_by_key(|c| (c.contained, c.process.pid));
    processes
}

fn candidate(host: &Host, pid: u32, comm: &str) -> Option<Candidate> {
    let arguments: Vec<String> = small(host, pid, "cmdline", COMMAND_LINE)
        .ok()?
        .trim_end_matches('\0')
        .split('\0')
        .map(str::to_owned)
        .collect();
    let cgroup = small(host, pid, "cgroup", SMALL).ok().and_then(|t| cgroup(&t));
    let nested = small(host, pid, "status", SMALL).is_ok_and(|t| {
        t.lines()
            .find_map(|l| l.strip_prefix("NSpid:"))
            .is_some_and(|ids| ids.split_whitespace().count() > 1)
    });
    let name = arguments
        .first()
        .and_then(|a| a.split(' ').next()?.rsplit('/').next())
        .filter(|n| !n.is_empty())
        .unwrap_or(comm)
        .to_owned();
    // A zombie has no command line, a kernel thread neither.
    if arguments.iter().all(String::is_empty) {
        return None;
    }
    let contained = nested
        || cgroup.as_deref().is_some_and(|c| {
            ["/kubepods", "/docker", "/libpod", "cri-containerd", "/lxc"]
                .iter()
                .any(|m| c.contains(m))
        });
    Some(Candidate {
        process: Process { pid, name, cgroup },
        comm: comm.to_owned(),
        arguments,
        contained,
    })
}

fn small(host: &Host, pid: u32, file: &str, most: u64) -> Result<String, Unreadable> {
    let path = format!("/proc/{pid}/{file}");
    let mut bytes = Vec::new();
    host.open(&path)?
        .take(most)
        .read_to_end(&mut bytes)
        .map_err(|source| Unreadable::Other {
            path: path.into(),
            source,
        })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The path in the unified hierarchy, else in `name=systemd`, else in `memory` (cgroups(7), `/proc/PID/cgroup`).
pub fn cgroup(text: &str) -> Option<String> {
    let of = |wanted: &str| {
        text.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':');
            let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
            (controllers.split(',').any(|c| c == wanted) && path != "/").then(|| path.to_owned())
        })
    };
    of("").or_else(|| of("name=systemd")).or_else(|| of("memory"))
}

impl Processes {
    /// The kubelet, or the process that holds it.
    pub fn kubelet(&self) -> Option<&Candidate> {
        let mut of_interest = self.found.iter().filter(|c| is_kubelet(c)).peekable();
        of_interest.peek()?;
        // k3s's own process beside a kubelet of another cluster in a container: the one that is not contained.
        of_interest.min_by_key(|c| {
            let of_a_unit = c.process.cgroup.as_deref().and_then(unit_of).is_some();
            (c.contained, !of_a_unit, c.process.pid)
        })
    }

    /// A runtime's process by its program's name; one that the node itself runs.
    pub fn runtime(&self, program: &str) -> Option<&Candidate> {
        self.found
            .iter()
            .filter(|c| c.comm == program)
            .min_by_key(|c| (c.contained, c.process.pid))
    }
}

fn is_kubelet(c: &Candidate) -> bool {
    match c.comm.as_str() {
        "kubelet" => c.process.name == "kubelet",
        "kubelite" => true,
        "hyperkube" => c.arguments.iter().skip(1).any(|a| a == "kubelet"),
        // The launcher's first word says what it is; `k3s kubectl` is no kubelet.
        "k3s" | "k3s-server" | "k3s-agent" => {
            let words = || c.arguments.iter().flat_map(|a| a.split(' '));
            words().any(|w| w == "server" || w == "agent") && !words().any(|w| w == "--disable-agent")
        }
        _ => false,
    }
}

/// The unit that a cgroup belongs to: its last `.service` part, below a slice of the node.
pub fn unit_of(cgroup: &str) -> Option<&str> {
    cgroup.split('/').rev().find(|p| p.ends_with(".service"))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the test lays out a node")]
mod tests {
    use super::*;

    #[expect(clippy::too_many_arguments, reason = "a process as a test writes it down")]
    fn process(root: &std::path::Path, pid: u32, comm: &str, cmdline: &str, cgroup: &str, nspid: &str) {
        let dir = root.join(format!("proc/{pid}"));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("comm"), format!("{comm}\n")).unwrap();
        std::fs::write(dir.join("cmdline"), cmdline.replace(' ', "\0")).unwrap();
        std::fs::write(dir.join("cgroup"), cgroup).unwrap();
        std::fs::write(dir.join("status"), format!("Name:\t{comm}\nNSpid:\t{nspid}\n")).unwrap();
    }

    #[test]
    fn the_node_s_own_kubelet_is_preferred() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        process(
            root,
            90,
            "kubelet",
            "/usr/bin/kubelet --config=/x",
            "0::/docker/ab/kubelet.slice/kubelet.service\n",
            "90\t7",
        );
        process(
            root,
            100,
            "kubelet",
            "/usr/bin/kubelet --config=/y",
            "0::/system.slice/kubelet.service\n",
            "100",
        );
        process(root, 50, "kubelet", "bash -c x", "0::/user.slice\n", "50");
        process(root, 60, "kubelet", "", "0::/user.slice\n", "60");
        process(
            root,
            10,
            "containerd",
            "/usr/bin/containerd",
            "0::/system.slice/containerd.service\n",
            "10",
        );
        let processes = scan(&Host::at(root));
        assert_eq!(processes.seen, 5);
        let kubelet = processes.kubelet().unwrap();
        assert_eq!(kubelet.process.pid, 100);
        assert_eq!(
            kubelet.process.cgroup.as_deref().and_then(unit_of),
            Some("kubelet.service")
        );
        assert_eq!(processes.runtime("containerd").unwrap().process.pid, 10);
        assert!(processes.runtime("crio").is_none());
    }

    #[test]
    fn k3s_is_a_kubelet_and_its_kubectl_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        process(root, 5, "k3s", "k3s kubectl get nodes", "0::/user.slice\n", "5");
        assert!(scan(&Host::at(root)).kubelet().is_none());
        process(
            root,
            9,
            "k3s-agent",
            "/usr/local/bin/k3s agent",
            "0::/system.slice/k3s-agent.service\n",
            "9",
        );
        assert_eq!(scan(&Host::at(root)).kubelet().unwrap().process.pid, 9);
    }

    #[test]
    fn version_one_hierarchies() {
        let text = "11:memory:/system.slice/k.service\n1:name=systemd:/system.slice/kubelet.service\n0::/\n";
        assert_eq!(cgroup(text).as_deref(), Some("/system.slice/kubelet.service"));
        assert_eq!(cgroup("0::/\n"), None);
        assert!(scan(&Host::at("/nonexistent")).problem.is_some());
    }
}
