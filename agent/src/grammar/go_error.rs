//! The Go error chain: the class of its last error, and where in the life of a request it arose.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::scan::{after, automaton, number};

/// A classified error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Class {
    pub(super) error: &'static str,
    pub(super) stage: &'static str,
}

/// Words that decide wherever they stand, in this order: what follows or precedes them is detail.
const DECISIVE: &[(&str, &str)] = &[
    ("getting credentials: exec", "exec-plugin"),
    ("exec plugin: ", "exec-plugin"),
    ("exec plugin didn't return", "exec-plugin"),
    ("failed calling webhook", "webhook-failed"),
    ("failed calling admission webhook", "webhook-failed"),
    ("etcdserver: ", "etcd"),
    ("etcdserver error", "etcd"),
    ("mvcc: ", "etcd"),
    ("client: etcd ", "etcd"),
    ("while waiting for connection", "waiting-for-connection"),
    ("request did not complete within", "gateway-timeout"),
    ("TLS handshake timeout", "tls-handshake-timeout"),
];

/// Endings of a chain. The last one in the text decides.
const ENDINGS: &[(&str, &str)] = &[
    ("connection refused", "refused"),
    ("actively refused it", "refused"),
    ("i/o timeout", "timed-out"),
    ("connection timed out", "timed-out"),
    ("no route to host", "no-route"),
    ("host is down", "no-route"),
    ("network is unreachable", "unreachable"),
    ("network is down", "unreachable"),
    ("connect: invalid argument", "invalid-argument"),
    ("cannot assign requested address", "address-not-available"),
    ("operation not permitted", "not-permitted"),
    ("connection reset by peer", "reset"),
    ("broken pipe", "broken-pipe"),
    ("unexpected EOF", "eof"),
    (": EOF", "eof"),
    ("software caused connection abort", "aborted"),
    ("use of closed network connection", "closed-connection"),
    ("client connection lost", "http2-lost"),
    ("no cached connection was available", "http2-lost"),
    ("client connection force closed", "closed-connection"),
    ("server sent GOAWAY", "http2-goaway"),
    ("REFUSED_STREAM", "http2-refused-stream"),
    ("ENHANCE_YOUR_CALM", "http2-too-many-requests"),
    ("context deadline exceeded", "deadline"),
    ("Client.Timeout ", "deadline"),
    ("Client.Timeout)", "deadline"),
    ("timed out waiting for the condition", "deadline"),
    ("awaiting headers", "deadline"),
    ("no such host", "no-such-host"),
    ("server misbehaving", "dns-server-failure"),
    ("Temporary failure in name resolution", "dns-server-failure"),
    ("remote error: tls", "tls-alert"),
    ("does not look like a TLS handshake", "tls-not-tls"),
    ("server gave HTTP response to HTTPS client", "tls-not-tls"),
    ("malformed HTTP response", "tls-not-tls"),
    ("x509: certificate has expired or is not yet valid", "x509-expired"),
    ("signed by unknown authority", "x509-unknown-authority"),
    ("x509: certificate is valid for", "x509-wrong-host"),
    ("x509: certificate is not valid for", "x509-wrong-host"),
    ("x509: cannot validate certificate for", "x509-wrong-host"),
    ("relies on legacy Common Name", "x509-wrong-host"),
    ("insecure algorithm", "x509-insecure"),
    ("keys are insecure", "x509-insecure"),
    ("x509: ", "x509-other"),
    ("Unauthorized", "unauthorized"),
    ("asked for the client to provide credentials", "unauthorized"),
    ("is forbidden", "forbidden"),
    ("Forbidden", "forbidden"),
    ("could not find the requested resource", "not-found"),
    ("the object has been modified", "conflict"),
    ("StorageError: invalid object", "conflict"),
    ("meaningful conflict", "conflict"),
    ("received too many requests", "too-many-requests"),
    ("storage is (re)initializing", "too-many-requests"),
    ("too many requests", "too-many-requests"),
    ("currently unable to handle the request", "unavailable"),
    ("Service Unavailable", "unavailable"),
    ("unable to return a response in the time allotted", "gateway-timeout"),
    ("Gateway Timeout", "gateway-timeout"),
    ("Bad Gateway", "bad-gateway"),
    ("apiserver is shutting down", "shutting-down"),
    ("denied the request", "webhook-denied"),
    ("is invalid: ", "invalid"),
    ("too many open files", "too-many-open-files"),
    ("too many open files in system", "file-table-full"),
    ("no space left on device", "no-space"),
    ("disk quota exceeded", "no-space"),
    ("read-only file system", "read-only"),
    ("resource temporarily unavailable", "try-again"),
    ("Resource temporarily unavailable", "try-again"),
    ("cannot allocate memory", "out-of-memory"),
    ("input/output error", "io-error"),
    ("no such file or directory", "no-such-file"),
    ("permission denied", "permission-denied"),
    ("context canceled", "canceled"),
    ("request canceled", "canceled"),
];

static AUTOMATON: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| automaton(ENDINGS.iter().map(|(n, _)| *n)));

/// The class of the last error in `text`; `None` where nothing in it is an error that has a class.
pub(super) fn classify(text: &str) -> Option<Class> {
    let text = settled(text);
    if let Some((_, cause)) = text.rsplit_once("caused by: ")
        && let Some(class) = classify_settled(cause)
    {
        return Some(class);
    }
    classify_settled(text)
}

fn classify_settled(text: &str) -> Option<Class> {
    let error = decisive(text).or_else(|| last(text)).or_else(|| fallback(text))?;
    let error = in_lookup(refine(error, text), text);
    Some(Class {
        error,
        stage: stage(error, text),
    })
}

/// client-go appends what an earlier attempt said; it tells something only where the last one was merely cut off.
fn settled(text: &str) -> &str {
    match text.split_once(" - error from a previous attempt: ") {
        Some((last, earlier)) if last.ends_with("context canceled") => earlier,
        Some((last, _)) => last,
        None => text,
    }
}

fn decisive(text: &str) -> Option<&'static str> {
    DECISIVE
        .iter()
        .find(|(needle, _)| text.contains(needle))
        .map(|(_, class)| *class)
}

fn last(text: &str) -> Option<&'static str> {
    let found = AUTOMATON.as_ref()?.find_iter(text).last()?;
    Some(ENDINGS[found.pattern().as_usize()].1)
}

fn fallback(text: &str) -> Option<&'static str> {
    if text == "EOF" {
        return Some("eof");
    }
    if let Some(status) = after(text, "status code ").and_then(number) {
        return Some(match status {
            502 => "bad-gateway",
            503 => "unavailable",
            504 => "gateway-timeout",
            429 => "too-many-requests",
            _ => "server-error",
        });
    }
    if text.contains("has prevented the request from succeeding")
        || text.contains("Internal Server Error")
        || text.contains("nternal error occurred")
    {
        return Some("server-error");
    }
    not_found_noun(text).map(|noun| if noun == "node" { "node-cache" } else { "not-found" })
}

/// The word before the quoted name in `nodes "x" not found`.
pub(super) fn not_found_noun(text: &str) -> Option<&str> {
    let before = &text[..text.rfind("\" not found")?];
    let before = before[..before.rfind('"')?]
        .trim_end()
        .trim_end_matches('\\')
        .trim_end();
    let noun = before.rsplit(|c: char| c.is_whitespace() || c == '"').next()?;
    (!noun.is_empty()).then_some(noun)
}

/// What a class needs to be told more finely.
fn refine(error: &'static str, text: &str) -> &'static str {
    match error {
        "x509-expired" if text.contains(" is before ") => "x509-not-yet-valid",
        "conflict" if rolled_back(text) => "storage-rollback",
        other => other,
    }
}

/// A conflict in which the stored version is older than the one that the kubelet has seen.
fn rolled_back(text: &str) -> bool {
    let version = |mark: &str| {
        after(text, mark)
            .map(|r| r.trim_start_matches(['\\', '"', ':', ' ']))
            .and_then(number)
    };
    match (version("firstResourceVersion"), version("currentResourceVersion")) {
        (Some(first), Some(current)) => current < first,
        _ => false,
    }
}

fn in_lookup(error: &'static str, text: &str) -> &'static str {
    if !text.contains("lookup ") {
        return error;
    }
    match error {
        "timed-out" => "dns-timeout",
        "refused" => "dns-refused",
        other => other,
    }
}

/// Classes that a machine has by itself, before anything is sent.
fn is_local(error: &str) -> bool {
    matches!(
        error,
        "exec-plugin"
            | "too-many-open-files"
            | "file-table-full"
            | "no-space"
            | "read-only"
            | "try-again"
            | "out-of-memory"
            | "io-error"
            | "no-such-file"
            | "permission-denied"
            | "node-cache"
    )
}

fn stage(error: &str, text: &str) -> &'static str {
    if is_local(error) {
        return "local";
    }
    if text.contains("proxyconnect ") {
        return "proxy";
    }
    if text.contains("lookup ") && error != "deadline" || error.starts_with("dns-") || error == "no-such-host" {
        return "resolve";
    }
    if error.starts_with("tls-") || error.starts_with("x509-") {
        return "tls";
    }
    match error {
        "deadline" | "waiting-for-connection" | "canceled" | "other" => "unknown",
        "refused" | "no-route" | "unreachable" | "invalid-argument" | "address-not-available" => "connect",
        // Without `dial` it is an established connection that timed out (`read tcp …: connection timed out`).
        "timed-out" | "not-permitted" if text.contains("dial ") => "connect",
        _ => "request",
    }
}

/// HTTP status that a class stands for.
pub(super) fn status(error: &str) -> Option<i64> {
    Some(match error {
        "unauthorized" => 401,
        "forbidden" => 403,
        "not-found" => 404,
        "conflict" => 409,
        "too-many-requests" => 429,
        "bad-gateway" => 502,
        "unavailable" => 503,
        "gateway-timeout" => 504,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> (&'static str, &'static str) {
        classify(text).map_or(("none", "none"), |c| (c.error, c.stage))
    }

    #[test]
    fn last_error_decides() {
        for (text, expected) in [
            (
                "Get \"https://a/x\": dial tcp 10.0.0.1:6443: connect: connection refused",
                ("refused", "connect"),
            ),
            (
                "dial tcp: lookup api on 10.0.0.2:53: dial udp 10.0.0.2:53: socket: too many open files",
                ("too-many-open-files", "local"),
            ),
            (
                "dial tcp: lookup api on 10.0.0.2:53: read udp a->b: i/o timeout",
                ("dns-timeout", "resolve"),
            ),
            (
                "dial tcp: lookup api on 10.0.0.2:53: write udp a->b: write: operation not permitted",
                ("not-permitted", "resolve"),
            ),
            (
                "net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)",
                ("waiting-for-connection", "unknown"),
            ),
            (
                "context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
                ("deadline", "unknown"),
            ),
            (
                "context canceled - error from a previous attempt: net/http: TLS handshake timeout",
                ("tls-handshake-timeout", "tls"),
            ),
            (
                "context deadline exceeded - error from a previous attempt: EOF",
                ("deadline", "unknown"),
            ),
            (
                "an error on the server (\"unable to decode an event from the watch stream: http2: client connection lost\") has prevented the request from succeeding",
                ("http2-lost", "request"),
            ),
            (
                "an error on the server (\"\") has prevented the request from succeeding",
                ("server-error", "request"),
            ),
            (
                "proxyconnect tcp: dial tcp 10.0.0.3:3128: connect: connection refused",
                ("refused", "proxy"),
            ),
            (
                "tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time A is before B",
                ("x509-not-yet-valid", "tls"),
            ),
            ("nodes \"x\" not found", ("not-found", "request")),
            ("node \"x\" not found", ("node-cache", "local")),
            (
                "Timeout: request did not complete within requested timeout - context deadline exceeded",
                ("gateway-timeout", "request"),
            ),
            (
                "failed calling webhook \"a\": Post \"https://s.n.svc:443/v\": dial tcp 10.1.1.1:443: connect: connection refused",
                ("webhook-failed", "request"),
            ),
            (
                "there is a meaningful conflict (firstResourceVersion: \"104201\", currentResourceVersion: \"4293\"):",
                ("storage-rollback", "request"),
            ),
            (
                "Operation cannot be fulfilled on leases \"x\": the object has been modified; please apply",
                ("conflict", "request"),
            ),
            (
                "timed out waiting for the condition; caused by: nodes \"x\" not found",
                ("not-found", "request"),
            ),
            ("nothing", ("none", "none")),
        ] {
            assert_eq!(of(text), expected, "{text}");
        }
    }
}
