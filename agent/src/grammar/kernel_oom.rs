//! The kernel's OOM killer: who invoked it, whose limit, whom it killed.

use super::fact::{Fact, Kind};
use super::scan::{after, between};

/// What a line says of the OOM killer.
pub(super) fn fact(text: &str) -> Option<Fact> {
    if let Some(rest) = after(text, "oom-kill:constraint=") {
        return Some(constraint(rest));
    }
    if let Some((task, _)) = text.split_once(" invoked oom-killer") {
        return Some(
            Fact::new(Kind::Oom)
                .with("what", "invoked")
                .with("scope", "unknown")
                .with_text("task", task),
        );
    }
    if let Some(rest) = after(text, "killed as a result of limit of ") {
        // Kernels before 4.19 name the limit in a sentence.
        let memcg = rest.split_whitespace().next().unwrap_or("");
        let fact = Fact::new(Kind::Oom).with("what", "constraint").with("scope", "memcg");
        return Some(fact.with("limit_of", limit_of(memcg)).with_text("memcg", memcg));
    }
    let scope = if text.contains("emory cgroup out of memory") {
        "memcg"
    } else if text.contains("Out of memory: Kill") || text.contains("Out of Memory: Kill") {
        "global"
    } else {
        return None;
    };
    let task = between(text, " (", ")").unwrap_or("");
    let fact = Fact::new(Kind::Oom).with("what", "killed").with("scope", scope);
    Some(fact.with("victim", victim(task)).with_text("task", task))
}

fn constraint(rest: &str) -> Fact {
    let field = |name: &str| between(rest, name, ",");
    let scope = match rest.split(',').next() {
        Some("CONSTRAINT_NONE") => "global",
        Some("CONSTRAINT_MEMCG") => "memcg",
        Some("CONSTRAINT_CPUSET" | "CONSTRAINT_MEMORY_POLICY") => "cpuset",
        _ => "unknown",
    };
    let task = field(",task=").unwrap_or("");
    let fact = Fact::new(Kind::Oom).with("what", "constraint").with("scope", scope);
    let memcg = field(",oom_memcg=").or_else(|| field(",task_memcg="));
    let limit = if scope == "global" {
        "system"
    } else {
        limit_of(memcg.unwrap_or(""))
    };
    let fact = fact
        .with("limit_of", limit)
        .with("victim", victim(task))
        .with_text("task", task);
    match memcg {
        Some(memcg) => fact.with_text("memcg", memcg),
        None => fact,
    }
}

/// Whose limit a cgroup's path is.
fn limit_of(memcg: &str) -> &'static str {
    let last = memcg.rsplit('/').next().unwrap_or("");
    if memcg.contains("kubepods")
        || memcg.starts_with("/docker/")
        || last.starts_with("cri-containerd-")
        || last.starts_with("crio-")
    {
        return "pod";
    }
    match super::unit::role(last) {
        "kubelet" => "kubelet",
        "runtime" => "runtime",
        _ if last == "kubelet.slice" || last == "kubelet" => "kubelet",
        _ if matches!(last, "" | "system.slice" | "user.slice") => "system",
        _ => "other",
    }
}

fn victim(task: &str) -> &'static str {
    match task {
        "kubelet" | "hyperkube" | "kubelite" | "k3s" | "k3s-server" | "k3s-agent" | "rke2" => "kubelet",
        "containerd" | "dockerd" | "crio" | "docker" | "cri-dockerd" => "runtime",
        _ => "other",
    }
}
