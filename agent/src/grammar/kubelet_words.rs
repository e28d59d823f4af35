//! Single statements of the kubelet that are neither calls nor readiness: start, certificates, eviction, slowness.

use super::fact::{Fact, Kind};
use super::kubelet::Statement;
use super::kv;
use super::line::Level;
use super::scan::{after, between, duration_ms, head, word};

/// Certificate life-cycle by its words.
const CERTIFICATE: &[(&str, &str)] = &[
    ("no serving certificate available", "no-serving"),
    ("http: TLS handshake error from", "tls-handshake-noise"),
    ("existing bootstrap client certificate", "client-expired"),
    ("currently active client certificate has expired", "client-expired"),
    ("o valid client certificate is found", "no-valid-client"),
    ("ertificate request was not signed", "csr-unsigned"),
    ("certificate signing request is denied", "csr-denied"),
    ("certificate request was denied", "csr-denied"),
    ("requesting a signed certificate", "csr-failed"),
    ("annot create certificate signing request", "csr-failed"),
    ("ertificate rotation detected", "rotated"),
    ("certificate rotation detected", "rotated"),
    ("nable to store the new cert/key pair", "store-failed"),
];

/// Every statement of this kind.
pub(super) fn facts(statement: &Statement<'_>) -> Vec<Fact> {
    let mut found = Vec::new();
    found.extend(start(statement));
    found.extend(registered(statement));
    found.extend(certificate(statement));
    found.extend(eviction(statement));
    found.extend(slow(statement));
    let message = &*statement.message;
    if message.contains("hutdown manager detected new shutdown event") {
        found.push(Fact::new(Kind::NodeShutdown));
    }
    if message.starts_with("Observed a panic") || message.starts_with("Recovered from panic") {
        let said = statement
            .error()
            .or_else(|| kv::get(&statement.pairs, "panic"))
            .unwrap_or(message);
        let fact = Fact::new(Kind::GoCrash).with("what", "observed-panic");
        found.push(fact.with_text("message", head(said, 512)).with("program", "kubelet"));
    }
    found
}

fn start(statement: &Statement<'_>) -> Option<Fact> {
    let message = &*statement.message;
    let version = match message {
        "Kubelet version" => kv::get(&statement.pairs, "kubeletVersion"),
        m if m.starts_with("Kubelet version: ") => after(m, "Kubelet version: "),
        m if m.starts_with("Version: v") && statement.file == "server.go" => after(m, "Version: "),
        _ => return None,
    };
    let fact = Fact::new(Kind::KubeletStart);
    Some(match version {
        Some(version) => fact.with_text("version", word(version)),
        None => fact,
    })
}

fn registered(statement: &Statement<'_>) -> Option<Fact> {
    let message = &*statement.message;
    if message.contains("ertificate rotation detected") {
        return Some(Fact::new(Kind::ApiSuccess).with("op", "rotation"));
    }
    let old = after(message, "Successfully registered node").or_else(|| {
        message
            .ends_with("was previously registered")
            .then(|| after(message, "Node ").unwrap_or(""))
    })?;
    let node = kv::get(&statement.pairs, "node").or_else(|| old.split_whitespace().next().filter(|w| *w != "was"));
    let fact = Fact::new(Kind::ApiSuccess).with("op", "register");
    Some(match node {
        Some(node) => fact.with_text("node", node),
        None => fact,
    })
}

fn certificate(statement: &Statement<'_>) -> Option<Fact> {
    let message = &*statement.message;
    let (_, what) = CERTIFICATE
        .iter()
        .find(|(words, _)| message.contains(words))
        .or_else(|| {
            let error = statement.error()?;
            CERTIFICATE.iter().skip(2).find(|(words, _)| error.contains(words))
        })?;
    let fact = Fact::new(Kind::Certificate).with("what", what);
    Some(match after(message, " is expired: ") {
        Some(date) if *what == "client-expired" => fact.with_text("not_after", date.trim()),
        _ => fact,
    })
}

fn eviction(statement: &Statement<'_>) -> Option<Fact> {
    let message = &*statement.message;
    let what = if message.contains("no pods are active to evict") || message.contains("nable to evict any pods") {
        "blocked"
    } else if message.contains("attempting to reclaim") {
        "reclaim"
    } else if message.contains("must evict pod") || message.contains("evicted successfully") {
        "evict"
    } else if message.contains("thresholds have been met") || message.contains("threshold was met") {
        "threshold"
    } else {
        return None;
    };
    let named = kv::get(&statement.pairs, "resourceName")
        .or_else(|| after(message, "reclaim "))
        .unwrap_or("");
    let resource = match named {
        n if n.contains("inode") => "inodes",
        n if n.contains("memory") => "memory",
        n if n.contains("storage") || n.contains("nodefs") || n.contains("imagefs") => "disk",
        n if n.contains("pid") => "pids",
        _ => "other",
    };
    Some(Fact::new(Kind::Eviction).with("what", what).with("resource", resource))
}

fn slow(statement: &Statement<'_>) -> Option<Fact> {
    let message = &*statement.message;
    if message.starts_with("Housekeeping took") || message.starts_with("housekeeping took") {
        let actual = kv::get(&statement.pairs, "actual").or_else(|| after(message, "longer than "));
        let fact = Fact::new(Kind::HousekeepingSlow);
        return Some(match actual.and_then(duration_ms) {
            Some(ms) => fact.with_int("actual_ms", ms),
            None => fact,
        });
    }
    if message.starts_with("Trace[") {
        let total = after(message, "(total time: ").and_then(duration_ms)?;
        let name = between(message, "]: \"", "\"").unwrap_or("");
        return Some(
            Fact::new(Kind::SlowTrace)
                .with_text("name", name)
                .with_int("total_ms", total),
        );
    }
    if statement.level <= Level::Warning && message.contains("following dirs took ") {
        let total = after(message, "following dirs took ").and_then(duration_ms)?;
        return Some(Fact::new(Kind::DiskUsageSlow).with_int("total_ms", total));
    }
    None
}
