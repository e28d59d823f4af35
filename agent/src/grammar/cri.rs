//! Failed calls of the kubelet to the container runtime. A pod that cannot be made (image, network, volume) is no fault
//! of the call.

use super::fact::{Fact, Kind};
use super::kubelet::Statement;
use super::scan::{after, between, word};

/// Messages that report a call, and its name.
const CALLS: &[(&str, &str)] = &[
    ("nable to retrieve pods", "PLEG"),
    ("ontainer runtime sanity check failed", "Status"),
    ("validate CRI v1 runtime API", "Validate"),
    ("validate service connection", "Validate"),
    ("ailed to get runtime version", "Version"),
    ("ailed cleaning pods", "ListPodSandbox"),
    ("ailed to rotate container logs", "ListContainers"),
    ("mage garbage collection failed", "ImageFsInfo"),
    ("ontainer garbage collection failed", "ListContainers"),
    ("et runtime version failed", "Version"),
    ("getKubeletContainers failed", "ListContainers"),
    ("ListPodSandbox failed", "ListPodSandbox"),
    ("ailed to list pod sandboxes", "ListPodSandbox"),
    ("PodSandboxStatus of sandbox", "PodSandboxStatus"),
    ("ailed to stop sandbox", "StopPodSandbox"),
    ("ailed to list all containers", "ListContainers"),
    ("rror listing containers", "ListContainers"),
    ("ailed to update image list", "ListImages"),
    ("Cannot connect to the Docker daemon", "docker"),
    ("cannot connect to Docker endpoint", "docker"),
];

/// Calls that fail with what is wrong with their pod or image.
const OF_ONE_POD: &[&str] = &[
    "PullImage",
    "RunPodSandbox",
    "StopPodSandbox",
    "RemovePodSandbox",
    "CreateContainer",
    "StartContainer",
    "StopContainer",
    "RemoveContainer",
];

const CODES: &[(&str, &str, &str)] = &[
    ("Canceled", "1", "canceled"),
    ("Unknown", "2", "unknown"),
    ("DeadlineExceeded", "4", "deadline-exceeded"),
    ("NotFound", "5", "not-found"),
    ("AlreadyExists", "6", "already-exists"),
    ("ResourceExhausted", "8", "resource-exhausted"),
    ("FailedPrecondition", "9", "failed-precondition"),
    ("Unimplemented", "12", "unimplemented"),
    ("Internal", "13", "internal"),
    ("Unavailable", "14", "unavailable"),
];

/// The failed call that `statement` reports.
pub(super) fn fact(statement: &Statement<'_>) -> Option<Fact> {
    let message = &*statement.message;
    let text = statement.error().unwrap_or(message);
    if message.contains("createTransport failed to connect")
        || message.contains("connection error: desc = ") && message.contains("addrConn")
    {
        return channel(message);
    }
    let op = operation(message).or_else(|| operation(text))?;
    let code = code(text);
    let error = match code {
        Some(code) => class(code, text),
        None if text.contains("annot connect to") && text.contains("Docker") => "unavailable",
        None if text.contains("context deadline exceeded") && !text.contains("http") => "deadline",
        None => return None,
    };
    // One pod's or one image's fault, not the runtime's: the registry, a plug-in, a container that is gone.
    if OF_ONE_POD.contains(&op) && error == "other" || code == Some("not-found") {
        return None;
    }
    let mut fact = Fact::new(Kind::CriCall)
        .with_text("op", op)
        .with("error", error)
        .with("code", code.unwrap_or("other"));
    if let Some(endpoint) = endpoint(text) {
        fact = fact.with_text("endpoint", endpoint);
    }
    Some(fact)
}

/// `ListPodSandbox with filter from runtime service failed` gives `ListPodSandbox`.
fn operation(message: &str) -> Option<&str> {
    if message.contains("from runtime service failed") || message.contains("from image service failed") {
        let first = message
            .split_whitespace()
            .find(|w| w.starts_with(|c: char| c.is_ascii_uppercase()));
        return Some(first.map_or("other", |w| w.trim_end_matches(|c: char| !c.is_ascii_alphanumeric())));
    }
    CALLS
        .iter()
        .find(|(words, _)| message.contains(words))
        .map(|(_, op)| *op)
}

/// The gRPC code; the last one, where errors are nested. Old kubelets print it as a number.
fn code(text: &str) -> Option<&'static str> {
    let at = text.rfind("rpc error: code = ")?;
    let name = word(&text[at + "rpc error: code = ".len()..]);
    Some(
        CODES
            .iter()
            .find(|(word, number, _)| *word == name || *number == name)
            .map_or("other", |(_, _, code)| code),
    )
}

fn class(code: &str, text: &str) -> &'static str {
    match code {
        "canceled" => "canceled",
        "deadline-exceeded" => "deadline",
        "not-found" => "not-found",
        "unimplemented" => "unimplemented",
        "resource-exhausted" => "resource-exhausted",
        "failed-precondition" => "failed-precondition",
        "internal" => "internal",
        "unavailable" => transport(text),
        // The text is that of a plug-in or an image server, except where the runtime itself ran out of time.
        "unknown" if text.ends_with("context deadline exceeded") && !text.contains("http") => "deadline",
        _ => "other",
    }
}

/// How the socket fails: `dial unix …: connect: no such file or directory`.
fn transport(text: &str) -> &'static str {
    let table = [
        ("no such file or directory", "no-such-file"),
        ("connection refused", "refused"),
        ("connection reset", "reset"),
        ("broken pipe", "broken-pipe"),
        ("EOF", "eof"),
        ("permission denied", "permission-denied"),
        ("resource temporarily unavailable", "try-again"),
        ("too many open files", "too-many-open-files"),
        ("i/o timeout", "timed-out"),
        ("deadline exceeded", "deadline"),
    ];
    table
        .iter()
        .find(|(words, _)| text.contains(words))
        .map_or("unavailable", |(_, class)| class)
}

/// gRPC's own report of a broken channel; only of a runtime's socket, CSI drivers have channels too.
fn channel(message: &str) -> Option<Fact> {
    const SOCKETS: &[&str] = &["containerd.sock", "crio.sock", "cri-dockerd.sock", "dockershim.sock"];
    let address = between(message, "Addr: \"", "\"").or_else(|| between(message, "{", " "))?;
    if !SOCKETS.iter().any(|s| address.ends_with(s)) {
        return None;
    }
    let endpoint = address.to_owned();
    let fact = Fact::new(Kind::CriCall)
        .with_text("op", "connect")
        .with("error", transport(message));
    Some(fact.with("code", "unavailable").with_text("endpoint", endpoint))
}

fn endpoint(text: &str) -> Option<&str> {
    let path = after(text, "dial unix ")?;
    Some(word(path).trim_end_matches(':')).filter(|p| !p.is_empty())
}
