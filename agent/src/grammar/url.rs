//! The request that a Go error names: `Get "https://host:port/path": …`.

use super::scan::{after, number};

/// A request to the Kubernetes API.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) verb: Option<&'static str>,
    pub(super) url: &'a str,
    pub(super) host: &'a str,
    pub(super) port: i64,
    pub(super) path: &'a str,
}

const VERBS: &[&str] = &["Get", "Put", "Post", "Patch", "Delete", "Head"];

/// The first request in `text` whose path is one of the Kubernetes API.
pub(super) fn api_request(text: &str) -> Option<Request<'_>> {
    let mut from = 0;
    while let Some(offset) = text[from..].find("http") {
        let at = from + offset;
        from = at + 4;
        let Some(request) = request_at(text, at) else { continue };
        // Go on behind the address: one that is made of addresses must not cost the square of its length.
        from = at + request.url.len().max(4);
        if request.path.starts_with("/api/v1") || request.path.starts_with("/apis/") || request.path == "/api" {
            return Some(request);
        }
    }
    None
}

fn request_at(text: &str, at: usize) -> Option<Request<'_>> {
    let here = &text[at..];
    let (rest, default_port) = match here.strip_prefix("https://") {
        Some(rest) => (rest, 443),
        None => (here.strip_prefix("http://")?, 80),
    };
    let end = here
        .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\\' | '\''))
        .unwrap_or(here.len());
    let url = here[..end].trim_end_matches(':');
    let authority_end = rest
        .find(|c: char| c == '/' || c.is_whitespace() || c == '"')
        .unwrap_or(rest.len());
    let (host, port) = host_port(&rest[..authority_end]);
    let path_start = here.len() - rest.len() + authority_end;
    let path = url.get(path_start..).unwrap_or("");
    let before = text[..at].trim_end_matches(['"', '\\', '\'']).trim_end();
    let verb = VERBS.iter().find(|v| before.ends_with(**v)).copied();
    Some(Request {
        verb,
        url,
        host,
        port: port.unwrap_or(default_port),
        path,
    })
}

/// `10.0.0.1:6443`, `[::1]:6443`, `api.example.org`.
pub(super) fn host_port(authority: &str) -> (&str, Option<i64>) {
    if let Some(rest) = authority.strip_prefix('[') {
        let host = rest.split(']').next().unwrap_or(rest);
        return (host, after(rest, "]:").and_then(number));
    }
    match authority.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') => (host, number(port)),
        _ => (authority, None),
    }
}

/// Loopback, another address, or a name.
pub(super) fn scope(host: &str) -> &'static str {
    if host == "localhost" || host == "::1" || host.starts_with("127.") {
        return "loopback";
    }
    if host.parse::<std::net::IpAddr>().is_ok() {
        "remote"
    } else {
        "name"
    }
}

/// The address that was dialled or talked to: `dial tcp A:P`, `read tcp a:p->A:P`.
pub(super) fn peer(text: &str) -> Option<&str> {
    let address = match after(text, "->") {
        Some(rest) => rest,
        None => after(text, "dial tcp ")?,
    };
    let end = address.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '[' | ']' | '-' | '%')));
    let address = address[..end.unwrap_or(address.len())].trim_end_matches(':');
    let (host, port) = host_port(address);
    (port.is_some() && host.parse::<std::net::IpAddr>().is_ok()).then_some(address)
}

/// What kind of object a path is about.
pub(super) fn op(request: &Request<'_>) -> &'static str {
    let path = request.path.split('?').next().unwrap_or("");
    if path.contains("/leases") {
        "lease"
    } else if path.ends_with("/token") {
        "token"
    } else if path.ends_with("/events") || path.contains("/events/") {
        "event"
    } else if path.contains("/certificatesigningrequests") {
        "csr"
    } else if path.contains("/csinodes") {
        "csinode"
    } else if path == "/api/v1/nodes" && request.verb == Some("Post") {
        "register"
    } else if path.starts_with("/api/v1/nodes/") {
        "node-status"
    } else if path.contains("/pods/") || path.contains("/secrets/") || path.contains("/configmaps/") {
        "pod"
    } else {
        "other"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests() {
        let t = r#"Put "https://[::1]:6443/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n?timeout=10s": dial tcp [::1]:6443: connect: connection refused"#;
        let r = api_request(t).unwrap();
        assert_eq!((r.verb, r.host, r.port, op(&r)), (Some("Put"), "::1", 6443, "lease"));
        assert_eq!(peer(t), Some("[::1]:6443"));
        let old = "Get http://127.0.0.1:8080/api/v1/nodes/x: dial tcp 127.0.0.1:8080: getsockopt: connection refused";
        assert_eq!(api_request(old).unwrap().url, "http://127.0.0.1:8080/api/v1/nodes/x");
        assert!(api_request("Get \"https://registry.example/v2/\": EOF").is_none());
        assert_eq!(
            peer("read tcp 10.0.0.5:411->10.0.0.1:6443: read: connection reset by peer"),
            Some("10.0.0.1:6443")
        );
        assert_eq!(peer("dial tcp: lookup api on 10.0.0.2:53: no such host"), None);
    }
}
