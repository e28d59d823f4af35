//! Other addresses of API servers that the node knows of. Only addresses are read.

use super::Endpoint;
use super::yaml;
use crate::host::Host;

/// Addresses kept.
const PEERS: usize = 16;

/// The servers behind k3s's and RKE2's local load balancer, and the API server that runs on this node itself (the
/// address that kubeadm notes in its static pod).
pub fn peers(host: &Host, distribution: Option<&str>) -> Vec<Endpoint> {
    let mut found = Vec::new();
    if let Some(name @ ("k3s" | "rke2")) = distribution {
        let path = format!("/var/lib/rancher/{name}/agent/etc/{name}-api-server-agent-load-balancer.json");
        if let Some(root) = host.text(path).ok().and_then(|t| yaml::parse(&t).ok()) {
            let addresses = root.get("ServerAddresses").map_or(&[][..], |n| n.items());
            found.extend(
                addresses
                    .iter()
                    .filter_map(|n| endpoint(&format!("https://{}", n.text()?))),
            );
        }
    }
    if let Some(root) = host
        .text("/etc/kubernetes/manifests/kube-apiserver.yaml")
        .ok()
        .and_then(|t| yaml::parse(&t).ok())
    {
        let address = root
            .at(&["metadata", "annotations"])
            .and_then(|n| n.get("kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint"))
            .and_then(yaml::Node::text);
        found.extend(address.and_then(|a| endpoint(&format!("https://{a}"))));
    }
    found.dedup();
    found.truncate(PEERS);
    found
}

/// Host, port and path of a URL; port 443 where it names none. `None` where it is no `https` or `http` URL.
pub fn endpoint(url: &str) -> Option<Endpoint> {
    let (scheme, rest) = url.trim().split_once("://")?;
    let default = match scheme.to_ascii_lowercase().as_str() {
        "https" => 443,
        "http" => 80,
        _ => return None,
    };
    let (authority, path) = rest.split_once('/').map_or((rest, ""), |(a, p)| (a, p));
    let authority = authority.rsplit_once('@').map_or(authority, |(_, a)| a);
    let (host, port) = match authority.strip_prefix('[') {
        Some(v6) => {
            let (host, rest) = v6.split_once(']')?;
            (host, rest.strip_prefix(':'))
        }
        None => authority
            .split_once(':')
            .map_or((authority, None), |(h, p)| (h, Some(p))),
    };
    let port = match port {
        Some(p) => p.parse().ok()?,
        None => default,
    };
    let path = path.trim_end_matches('/');
    (!host.is_empty()).then(|| Endpoint {
        host: host.to_owned(),
        port,
        path: if path.is_empty() {
            String::new()
        } else {
            format!("/{path}")
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let of = |url| endpoint(url).map(|e| (e.host, e.port, e.path));
        assert_eq!(
            of("https://api.lab.test:6443"),
            Some(("api.lab.test".into(), 6443, String::new()))
        );
        assert_eq!(
            of("https://[fd00::1]:6443/k8s/c1/"),
            Some(("fd00::1".into(), 6443, "/k8s/c1".into()))
        );
        assert_eq!(of("https://u:p@h"), Some(("h".into(), 443, String::new())));
        assert_eq!(of("api:6443"), None);
        assert_eq!(of("https://h:x"), None);
        assert_eq!(of("https://"), None);
    }
}
