//! `NO_PROXY` as Go's `golang.org/x/net/http/httpproxy` reads it. Pure. Names are not resolved, as there.

use std::net::IpAddr;

/// Whether `host:port` is reached directly.
pub(super) fn excludes(no_proxy: &str, host: &str, port: u16) -> bool {
    let host = host.trim().trim_end_matches('.').to_lowercase();
    let ip: Option<IpAddr> = host.parse().ok();
    // These never go through a proxy.
    if host == "localhost" || ip.is_some_and(|ip| ip.is_loopback()) {
        return true;
    }
    no_proxy.split(',').any(|entry| {
        let entry = entry.trim().to_lowercase();
        if entry.is_empty() {
            return false;
        }
        if entry == "*" {
            return true;
        }
        if let Some((network, bits)) = entry.split_once('/')
            && let (Ok(network), Ok(bits)) = (network.parse::<IpAddr>(), bits.parse::<u32>())
        {
            return ip.is_some_and(|ip| within(ip, network, bits));
        }
        let (name, wanted) = split_port(&entry);
        if name.is_empty() || wanted.is_some_and(|p| p != port.to_string()) {
            return false;
        }
        if let Ok(address) = name.parse::<IpAddr>() {
            return ip == Some(address);
        }
        let name = name.strip_prefix('*').filter(|n| n.starts_with('.')).unwrap_or(name);
        match name.strip_prefix('.') {
            Some(_) => host.ends_with(name),
            None => host == name || host.ends_with(&format!(".{name}")),
        }
    })
}

/// `host:port`, `[v6]:port` or a bare host; a bare IPv6 address has no port.
fn split_port(entry: &str) -> (&str, Option<&str>) {
    if let Some(rest) = entry.strip_prefix('[') {
        return match rest.split_once(']') {
            Some((name, tail)) => (name, tail.strip_prefix(':')),
            None => (entry, None),
        };
    }
    match entry.split_once(':') {
        Some((name, port)) if !port.contains(':') => (name, Some(port)),
        _ => (entry, None),
    }
}

fn within(ip: IpAddr, network: IpAddr, bits: u32) -> bool {
    match (ip, network) {
        (IpAddr::V4(a), IpAddr::V4(b)) if bits <= 32 => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            u32::from(a) & mask == u32::from(b) & mask
        }
        (IpAddr::V6(a), IpAddr::V6(b)) if bits <= 128 => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            u128::from(a) & mask == u128::from(b) & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::excludes;

    #[test]
    fn as_go_does() {
        let table = [
            ("", "api.lab.test", 6443, false),
            ("", "localhost", 6443, true),
            ("", "127.0.0.1", 6443, true),
            ("", "::1", 6443, true),
            ("*", "api", 1, true),
            ("lab.test", "api.lab.test", 6443, true),
            ("lab.test", "lab.test", 6443, true),
            ("lab.test", "notlab.test", 6443, false),
            (".lab.test", "api.lab.test", 6443, true),
            (".lab.test", "lab.test", 6443, false),
            ("*.lab.test", "api.lab.test", 6443, true),
            ("api.lab.test:6443", "api.lab.test", 6443, true),
            ("api.lab.test:443", "api.lab.test", 6443, false),
            (" x , API.lab.test ", "api.lab.test", 6443, true),
            ("10.0.0.0/8", "10.1.2.3", 6443, true),
            ("10.0.0.0/8", "11.1.2.3", 6443, false),
            ("0.0.0.0/0", "11.1.2.3", 6443, true),
            ("10.0.0.0/8", "api.lab.test", 6443, false),
            ("10.1.2.3", "10.1.2.3", 6443, true),
            ("10.1.2.3:1", "10.1.2.3", 6443, false),
            ("fd00::/8", "fd00::1", 6443, true),
            ("[fd00::1]:6443", "fd00::1", 6443, true),
            ("fd00::1", "fd00::1", 6443, true),
            ("10.0.0", "10.0.0.1", 6443, false),
            (":6443", "a", 6443, false),
        ];
        for (no_proxy, host, port, wanted) in table {
            assert_eq!(excludes(no_proxy, host, port), wanted, "{no_proxy} {host}:{port}");
        }
    }
}
