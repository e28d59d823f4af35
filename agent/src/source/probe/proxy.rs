//! The proxy between the kubelet and the API server: whether there is one (Go `golang.org/x/net/http/httpproxy`, client-go
//! `rest/transport`), and the CONNECT to it (RFC 9110 §9.3.6).
//!
//! Only plain HTTP proxies are used. A proxy's user and password are sent to it and shown nowhere.

use std::net::IpAddr;

use data_encoding::BASE64;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use zeroize::Zeroizing;

use super::budget::{Budget, Timed};
use super::fault::{Fault, Stage};
use crate::world::{Endpoint, World};

/// The answer to CONNECT: its head is not longer than this, 8 KiB.
const HEAD: usize = 8 << 10;

/// A proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proxy {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// `user:password` as the URL has it.
    user: Option<Zeroizing<String>>,
}

/// How the API server is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    Direct,
    Proxy(Proxy),
    /// A proxy of this scheme, which is not spoken here.
    Other(String),
}

/// How the kubelet reaches its API server: the kubeconfig's `proxy-url` before the environment; `NO_PROXY` is for the
/// environment's only.
pub(crate) fn way(world: &World, endpoint: &Endpoint) -> Way {
    if let Some(url) = world.kubeconfig.proxy_url.as_deref().filter(|u| !u.is_empty()) {
        return parse(url);
    }
    match world.proxy.https.as_deref().filter(|u| !u.is_empty()) {
        Some(url) if !is_direct(endpoint, world.proxy.no_proxy.as_deref().unwrap_or_default()) => parse(url),
        _ => Way::Direct,
    }
}

fn parse(url: &str) -> Way {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let default = match scheme.to_ascii_lowercase().as_str() {
        "http" => 80,
        other => return Way::Other(other.to_owned()),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (user, place) = match authority.rsplit_once('@') {
        Some((user, place)) => (Some(Zeroizing::new(user.to_owned())), place),
        None => (None, authority),
    };
    let (host, port) = host_port(place);
    Way::Proxy(Proxy {
        host: host.to_owned(),
        port: port.unwrap_or(default),
        user,
    })
}

fn host_port(place: &str) -> (&str, Option<u16>) {
    if let Some((host, rest)) = place.strip_prefix('[').and_then(|p| p.split_once(']')) {
        return (host, rest.strip_prefix(':').and_then(|p| p.parse().ok()));
    }
    match place.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') => (host, port.parse().ok()),
        _ => (place, None),
    }
}

/// Whether `NO_PROXY` or the loopback rule takes the endpoint out (`httpproxy.config.useProxy`).
fn is_direct(endpoint: &Endpoint, no_proxy: &str) -> bool {
    let host = endpoint.host.trim_end_matches('.').to_ascii_lowercase();
    let ip: Option<IpAddr> = host.parse().ok();
    if host == "localhost" || ip.is_some_and(|ip| ip.is_loopback()) {
        return true;
    }
    no_proxy
        .split(',')
        .map(|rule| rule.trim().to_ascii_lowercase())
        .any(|rule| rule == "*" || matches(&rule, &host, ip, endpoint.port))
}

fn matches(rule: &str, host: &str, ip: Option<IpAddr>, port: u16) -> bool {
    if rule.is_empty() {
        return false;
    }
    if let (Some((net, bits)), Some(ip)) = (rule.split_once('/'), ip) {
        return in_net(net, bits, ip).unwrap_or(false);
    }
    let (name, only) = host_port(rule);
    if only.is_some_and(|only| only != port) {
        return false;
    }
    if let Ok(address) = name.parse::<IpAddr>() {
        return Some(address) == ip;
    }
    if ip.is_some() {
        return false;
    }
    let name = name
        .strip_prefix("*.")
        .map_or_else(|| name.to_owned(), |rest| format!(".{rest}"));
    match name.strip_prefix('.') {
        Some(_) => host.ends_with(&name),
        None => host == name || host.ends_with(&format!(".{name}")),
    }
}

fn in_net(net: &str, bits: &str, ip: IpAddr) -> Option<bool> {
    let (net, bits): (IpAddr, u32) = (net.parse().ok()?, bits.parse().ok()?);
    Some(match (net, ip) {
        (IpAddr::V4(net), IpAddr::V4(ip)) if bits <= 32 => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            u32::from(net) & mask == u32::from(ip) & mask
        }
        (IpAddr::V6(net), IpAddr::V6(ip)) if bits <= 128 => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            u128::from(net) & mask == u128::from(ip) & mask
        }
        _ => false,
    })
}

/// Asks the proxy for a tunnel to the endpoint.
pub(crate) async fn tunnel(
    mut stream: TcpStream,
    proxy: &Proxy,
    endpoint: &Endpoint,
    budget: &Budget,
) -> Timed<TcpStream> {
    let (status, took) = budget
        .run(Stage::Proxy, async {
            connect(&mut stream, proxy, &super::request::authority(endpoint)).await
        })
        .await?;
    let error = match status {
        200..=299 => return Ok((stream, took)),
        0 => "other",
        401 | 407 => "unauthorized",
        403 => "forbidden",
        429 => "too-many-requests",
        502 => "bad-gateway",
        503 => "unavailable",
        504 => "gateway-timeout",
        500..=599 => "server-error",
        _ => "other",
    };
    Err(Fault::new(Stage::Proxy, error, took))
}

/// The status of the answer; 0 where it is no HTTP.
async fn connect(stream: &mut TcpStream, proxy: &Proxy, authority: &str) -> std::io::Result<u16> {
    let mut request = Zeroizing::new(format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n"));
    if let Some(user) = &proxy.user {
        request.push_str("Proxy-Authorization: Basic ");
        request.push_str(&BASE64.encode(&percent_decoded(user)));
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).await?;
    // Byte by byte: what comes after the head belongs to the tunnel.
    let mut head = Vec::new();
    while head.len() < HEAD && !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let line = String::from_utf8_lossy(head.split(|b| *b == b'\r').next().unwrap_or_default()).into_owned();
    let mut words = line.split(' ');
    let is_http = words.next().is_some_and(|w| w.starts_with("HTTP/1."));
    Ok(words
        .next()
        .filter(|_| is_http)
        .and_then(|w| w.parse().ok())
        .unwrap_or(0))
}

fn percent_decoded(text: &str) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let code = tail
            .get(..2)
            .filter(|_| *first == b'%')
            .and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() {
            tail.get(2..).unwrap_or_default()
        } else {
            tail
        };
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(host: &str) -> Endpoint {
        Endpoint {
            host: host.into(),
            port: 6443,
            path: String::new(),
        }
    }

    #[test]
    fn no_proxy_is_read_as_go_reads_it() {
        for (host, rules, direct) in [
            ("127.0.0.1", "", true),
            ("localhost", "", true),
            ("10.1.2.3", "10.0.0.0/8", true),
            ("10.1.2.3", "10.2.0.0/16", false),
            ("10.1.2.3", " 10.1.2.3 ", true),
            ("10.1.2.3", "10.1.2.3:443", false),
            ("10.1.2.3", "0.0.0.0/0", true),
            ("fd00::1", "fd00::/8", true),
            ("api.lab.test", "lab.test", true),
            ("api.lab.test", ".lab.test", true),
            ("lab.test", ".lab.test", false),
            ("api.lab.test", "*.lab.test", true),
            ("api.lab.test", "https://api.lab.test", false),
            ("api.lab.test", "api.lab.test:6443", true),
            ("apixlab.test", "lab.test", false),
            ("api.lab.test", "*", true),
            ("api.lab.test", "10.0.0.0/8,", false),
        ] {
            assert_eq!(is_direct(&endpoint(host), rules), direct, "{host} {rules}");
        }
    }

    #[test]
    fn the_kubeconfigs_proxy_comes_first_and_knows_no_exception() {
        let mut world = World::default();
        assert_eq!(way(&world, &endpoint("10.0.0.1")), Way::Direct);
        world.proxy.https = Some("proxy.test:3128".into());
        world.proxy.no_proxy = Some("10.0.0.1".into());
        assert_eq!(way(&world, &endpoint("10.0.0.1")), Way::Direct);
        let Way::Proxy(proxy) = way(&world, &endpoint("10.0.0.2")) else {
            panic!("a proxy");
        };
        assert_eq!((proxy.host.as_str(), proxy.port), ("proxy.test", 3128));
        world.kubeconfig.proxy_url = Some("socks5://10.0.0.9".into());
        assert_eq!(way(&world, &endpoint("10.0.0.1")), Way::Other("socks5".into()));
        world.kubeconfig.proxy_url = Some("http://me:p%40ss@[fd00::1]:8080/".into());
        let Way::Proxy(proxy) = way(&world, &endpoint("127.0.0.1")) else {
            panic!("a proxy");
        };
        assert_eq!((proxy.host.as_str(), proxy.port), ("fd00::1", 8080));
        assert_eq!(**percent_decoded(&proxy.user.unwrap()), *b"me:p@ss");
    }
}
