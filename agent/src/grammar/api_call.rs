//! Failed calls of the kubelet to the API server. What a pod, a plug-in or an image pull says about its own peers is no
//! such call, even where the kubelet quotes it.

use super::fact::{Fact, Kind};
use super::go_error::{self, Class};
use super::kubelet::Statement;
use super::kv;
use super::scan::{after, between, duration_ms, word};
use super::url;

/// Messages of the kubelet's own client and the operation that they report. Truncated fronts and both spellings are
/// covered by leaving out how the message begins.
const OPS: &[(&str, &str)] = &[
    ("set owner ref to the node lease", "lease-owner"),
    ("using latest lease, fallback", ""),
    ("using latest node lease, fallback", ""),
    ("to update lease", "lease"),
    ("to update node lease", "lease"),
    ("retry updating lease", "lease"),
    ("retry updating node lease", "lease"),
    ("to ensure lease exists", "lease"),
    ("to ensure node lease exists", "lease"),
    ("rror updating node status, will retry", "node-status"),
    ("rror updating node status", "node-status"),
    ("rror getting the current node from lister", "node-status"),
    ("rror getting node", "node-status"),
    ("nable to register mirror pod because node is not registered", "pod"),
    ("nable to register node with API server", "register"),
    ("nable to register node", "register"),
    ("nable to register ", "register"),
    ("nable to write event", "event"),
    ("erver rejected event", "event"),
    ("ailed to watch", "watch"),
    ("ailed to list *", "watch"),
    ("watch ended with error", "watch"),
    ("watch of *", "watch"),
    ("requesting a signed certificate", "csr"),
    ("annot create certificate signing request", "csr"),
    ("ertificate request was not signed", ""),
    ("ailed to initialize CSINode", "csinode"),
    ("updating CSINode annotation", "csinode"),
    ("ailed to update status for pod", "pod"),
    ("ailed to get status for pod", "pod"),
    ("ailed creating a mirror pod", "pod"),
    ("ailed deleting a mirror pod", "pod"),
    ("ailed to fetch token", "token"),
    ("ailed to contact API server when waiting for CSINode", "csinode"),
];

/// What shows that a line quotes somebody else's request.
const FOREIGN: &[&str] = &[
    "iveness probe",
    "eadiness probe",
    "tartup probe",
    "rror syncing pod",
    "PodSandbox",
    "sandbox",
    "ErrImagePull",
    "ImagePull",
    "PullImage",
    "pull image",
    "plugin type=",
    "networkPlugin",
    "rpc error:",
    "crd.projectcalico.org",
    "TLS handshake error from",
    "rror on socket receive",
    "container_log",
    "terminationMessage",
    "loud provider",
    "azure",
    "nova",
];

/// The failed call to the API server that another part of Kubernetes on this node reports (kube-proxy, a scheduler, a
/// controller): no heartbeat, but a witness of the same path. Only a URL of the API says so.
pub(super) fn of_others(statement: &Statement<'_>) -> Option<Fact> {
    let detail = detail(statement);
    let request = url::api_request(detail).filter(|_| !is_foreign(&statement.message, detail))?;
    let class = go_error::classify(detail)?;
    let fact = Fact::new(Kind::ApiCall)
        .with("op", "other")
        .with("error", class.error)
        .with("stage", class.stage);
    Some(with_target(fact, Some(request), detail))
}

/// The failed call that `statement` reports.
pub(super) fn fact(statement: &Statement<'_>) -> Option<Fact> {
    let message = &*statement.message;
    if message.contains("TLS handshake error from") {
        return None;
    }
    let by_message = OPS.iter().find(|(words, _)| message.contains(words)).map(|(_, op)| *op);
    if by_message == Some("") {
        return None;
    }
    let detail = detail(statement);
    let request = url::api_request(detail);
    let op = match (by_message, &request) {
        (Some(op), _) => op,
        (None, Some(request)) if !is_foreign(message, detail) => url::op(request),
        (None, None) if is_bare_cache_miss(message) => "node-status",
        _ => return None,
    };
    let class = go_error::classify(detail);
    // Without an error class only the kubelet's own carriers count: some watches end without a fault.
    let class = match class {
        Some(class) => class,
        None if by_message.is_some() && matches!(op, "lease" | "node-status" | "register") => Class {
            error: "other",
            stage: "unknown",
        },
        None => return None,
    };
    if message.contains("nable to register ") && !message.contains("nable to register node") && request.is_none() {
        return None;
    }
    let mut fact = Fact::new(Kind::ApiCall)
        .with("op", op)
        .with("error", class.error)
        .with("stage", class.stage);
    fact = with_target(fact, request, detail);
    fact = with_subject(fact, class.error, detail);
    if let Some(interval) = interval(statement) {
        fact = fact.with_int("interval_ms", interval);
    }
    Some(fact)
}

/// The text of the error: its key, or in the old form what the message ends with.
fn detail<'s>(statement: &'s Statement<'_>) -> &'s str {
    if let Some(error) = statement.error() {
        return from_patch(error);
    }
    let message = &*statement.message;
    let tail = ["', error: ", "error: ", "}': '"]
        .iter()
        .find_map(|mark| after(message, mark));
    from_patch(tail.unwrap_or(message))
}

/// The body of a status patch quotes conditions, which hold errors of their own.
fn from_patch(text: &str) -> &str {
    let body = text.find("failed to patch status");
    body.and_then(|at| text[at..].rfind(" for node ").map(|end| &text[at + end..]))
        .unwrap_or(text)
}

fn is_foreign(message: &str, detail: &str) -> bool {
    FOREIGN.iter().any(|f| message.contains(f) || detail.contains(f))
}

/// `node "x" not found`, ten times a second in kubelets up to 1.20.
fn is_bare_cache_miss(message: &str) -> bool {
    message.starts_with("node \"") && message.ends_with("\" not found")
}

fn with_target(mut fact: Fact, request: Option<url::Request<'_>>, detail: &str) -> Fact {
    let peer = if detail.contains("lookup ") {
        None
    } else {
        url::peer(detail)
    };
    if let Some(request) = request {
        if let Some(verb) = request.verb {
            fact = fact.with("verb", verb);
        }
        let scope = match peer {
            Some(peer) if url::scope(url::host_port(peer).0) == "loopback" => "loopback",
            _ => url::scope(request.host),
        };
        fact = fact.with_text("url", request.url).with_text("host", request.host);
        fact = fact.with_int("port", request.port).with("scope", scope);
    }
    if let Some(peer) = peer {
        fact = fact.with_text("peer", peer);
    }
    if let Some(lookup) = after(detail, "lookup ") {
        let resolver = after(lookup, " on ").map(|r| word(r).trim_end_matches(':'));
        if let Some(resolver) = resolver.filter(|r| url::host_port(r).1.is_some()) {
            fact = fact.with_text("resolver", resolver);
        }
    }
    fact
}

fn with_subject(mut fact: Fact, error: &'static str, detail: &str) -> Fact {
    if let Some(status) = go_error::status(error) {
        fact = fact.with_int("status", status);
    }
    match error {
        "forbidden" => {
            if let Some(user) = between(detail, "User \"", "\"").or_else(|| between(detail, "User \\\"", "\\\"")) {
                let kind = match user {
                    "system:anonymous" => "anonymous",
                    "kubelet-bootstrap" => "bootstrap",
                    u if u.starts_with("system:bootstrap:") => "bootstrap",
                    u if u.starts_with("system:node:") => "node",
                    _ => "other",
                };
                fact = fact.with_text("user", user).with("user_kind", kind);
                fact = with_name(fact, user, detail);
            }
            fact.with("subject", subject(detail))
        }
        "not-found" => fact.with("subject", subject(detail)),
        _ => fact,
    }
}

/// `leases.coordination.k8s.io "b" is forbidden: User "system:node:a" cannot …`: whose lease or Node is asked for.
fn with_name(fact: Fact, user: &str, detail: &str) -> Fact {
    let Some(own) = user.strip_prefix("system:node:") else {
        return fact;
    };
    let Some((head, _)) = detail.split_once(" is forbidden: ") else {
        return fact;
    };
    let head = head.trim_end_matches('"').trim_end_matches('\\');
    let Some((noun, name)) = head.rsplit_once('"') else {
        return fact;
    };
    let noun = noun.trim_end_matches(['\\', ' ']);
    if !(noun.ends_with("leases.coordination.k8s.io") || noun.ends_with("nodes")) || name.is_empty() {
        return fact;
    }
    fact.with("name", if name == own { "own" } else { "foreign" })
}

fn subject(detail: &str) -> &'static str {
    if detail.contains("could not find the requested resource") {
        return "resource";
    }
    if let Some(noun) = go_error::not_found_noun(detail) {
        return match noun {
            "nodes" => "node",
            "namespaces" => "namespace",
            n if n.starts_with("leases") => "lease",
            n if n.starts_with("certificatesigningrequests") => "csr",
            _ => "other",
        };
    }
    let table = [
        ("leases", "lease"),
        ("certificatesigningrequests", "csr"),
        ("nodes ", "node"),
        ("nodes\"", "node"),
    ];
    table
        .iter()
        .find(|(words, _)| detail.contains(words))
        .map_or("other", |(_, subject)| subject)
}

fn interval(statement: &Statement<'_>) -> Option<i64> {
    let text = kv::get(&statement.pairs, "interval").or_else(|| after(&statement.message, "will retry in "))?;
    duration_ms(text)
}
