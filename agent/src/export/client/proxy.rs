//! The proxy of the environment, as Go and curl read it: whether there is one for a target, and the tunnel through it
//! (RFC 9110 §9.3.6), for http and https alike.
//!
//! Only plain HTTP proxies. User and password are sent to the proxy and shown nowhere.

use std::fmt;
use std::io;
use std::net::IpAddr;

use data_encoding::BASE64;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::target::Target;

/// The head of the answer to CONNECT is not longer than this: 8 KiB.
const HEAD: usize = 8 << 10;

/// A proxy.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    authorization: Option<String>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({}:{})", self.host, self.port)
    }
}

impl Proxy {
    /// What `HTTPS_PROXY` (`HTTP_PROXY` for http targets) and `NO_PROXY` say, in capitals or not.
    pub fn of(target: &Target, env: &dyn Fn(&str) -> Option<String>) -> Result<Option<Self>, String> {
        let either = |name: &str| {
            env(name)
                .or_else(|| env(&name.to_ascii_lowercase()))
                .filter(|v| !v.trim().is_empty())
        };
        let name = if target.secure { "HTTPS_PROXY" } else { "HTTP_PROXY" };
        let Some(url) = either(name) else { return Ok(None) };
        if is_exempt(target, &either("NO_PROXY").unwrap_or_default()) {
            return Ok(None);
        }
        Self::parse(&url).map(Some).map_err(|e| format!("{name}: {e}"))
    }

    fn parse(url: &str) -> Result<Self, String> {
        let url = if url.contains("://") {
            url.to_owned()
        } else {
            format!("http://{url}")
        };
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", ""));
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, authority),
        };
        let target = Target::parse(&format!("{scheme}://{place}")).map_err(|e| e.to_string())?;
        if target.secure {
            return Err("a proxy that is spoken to by TLS is not supported".to_owned());
        }
        Ok(Self {
            host: target.host,
            port: target.port,
            authorization: user.map(|u| BASE64.encode(&percent_decoded(u))),
        })
    }

    /// Asks for a tunnel to the target.
    pub(super) async fn tunnel(&self, stream: &mut TcpStream, target: &Target) -> io::Result<()> {
        let host = if target.host.contains(':') {
            format!("[{}]", target.host)
        } else {
            target.host.clone()
        };
        let authority = format!("{host}:{}", target.port);
        let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
        if let Some(authorization) = &self.authorization {
            request.push_str(&format!("Proxy-Authorization: Basic {authorization}\r\n"));
        }
        request.push_str("\r\n");
        stream.write_all(request.as_bytes()).await?;
        // Byte by byte: what comes after the head belongs to the tunnel.
        let mut head = Vec::new();
        while head.len() < HEAD && !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        let line = String::from_utf8_lossy(&head);
        let status = line.split(' ').nth(1).and_then(|w| w.get(..3)).unwrap_or_default();
        if line.starts_with("HTTP/1.") && status.starts_with('2') {
            return Ok(());
        }
        Err(io::Error::other(format!("the proxy answers {status}")))
    }
}

/// `NO_PROXY`: names and their subdomains, addresses, networks, `*`; what is on this machine never goes through a proxy.
fn is_exempt(target: &Target, rules: &str) -> bool {
    let host = target.host.to_ascii_lowercase();
    let ip: Option<IpAddr> = host.parse().ok();
    if host == "localhost" || ip.is_some_and(|ip| ip.is_loopback()) {
        return true;
    }
    rules.split(',').map(|r| r.trim().to_ascii_lowercase()).any(|rule| {
        if let (Some((net, bits)), Some(ip)) = (rule.split_once('/'), ip) {
            return in_net(net, bits, ip).unwrap_or(false);
        }
        let (name, port) = match rule.rsplit_once(':') {
            Some((name, port)) if !name.contains(':') => (name, port.parse::<u16>().ok()),
            _ => (rule.as_str(), None),
        };
        let name = name.trim_start_matches('*');
        let bare = name.trim_start_matches('.');
        rule == "*"
            || (!bare.is_empty()
                && port.is_none_or(|p| p == target.port)
                && ((host == bare && !name.starts_with('.')) || (ip.is_none() && host.ends_with(&format!(".{bare}")))))
    })
}

fn in_net(net: &str, bits: &str, ip: IpAddr) -> Option<bool> {
    let (net, bits): (IpAddr, u32) = (net.parse().ok()?, bits.parse().ok()?);
    let word = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => (u128::from(u32::from(ip)) << 96, 32),
        IpAddr::V6(ip) => (u128::from(ip), 128),
    };
    let ((net, most), (ip, size)) = (word(net), word(ip));
    if most != size || bits > most {
        return None;
    }
    let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
    Some(net & mask == ip & mask)
}

/// `%40` and the like.
pub(in crate::export) fn percent_decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let code = tail
            .get(..2)
            .filter(|hex| *first == b'%' && hex.iter().all(u8::is_ascii_hexdigit))
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

    fn of(url: &str, no_proxy: &str) -> Result<Option<Proxy>, String> {
        let no_proxy = no_proxy.to_owned();
        Proxy::of(&Target::parse(url).unwrap(), &move |name| match name {
            "https_proxy" => Some("http://me:p%40ss@proxy.test:3128".to_owned()),
            "NO_PROXY" => Some(no_proxy.clone()),
            _ => None,
        })
    }

    #[test]
    fn the_environment_says_whether_there_is_one() {
        let proxy = of("https://c.test", "").unwrap().unwrap();
        assert_eq!((proxy.host.as_str(), proxy.port), ("proxy.test", 3128));
        assert_eq!(proxy.authorization.as_deref(), Some(BASE64.encode(b"me:p@ss").as_str()));
        assert!(!format!("{proxy:?}").contains("ss@"));
        assert_eq!(of("http://c.test", "").unwrap(), None);
        for (url, rules, direct) in [
            ("https://127.0.0.1:4318", "", true),
            ("https://10.1.2.3", "10.0.0.0/8", true),
            ("https://10.1.2.3", "10.2.0.0/16", false),
            ("https://[fd00::1]", "fd00::/8", true),
            ("https://c.test", "test", true),
            ("https://c.test", ".test", true),
            ("https://c.test", "*.test", true),
            ("https://test", ".test", false),
            ("https://ac.test", "c.test", false),
            ("https://c.test:4318", "c.test:4318", true),
            ("https://c.test:4318", "c.test:4317", false),
            ("https://c.test", "*", true),
            ("https://c.test", ",", false),
        ] {
            assert_eq!(of(url, rules).unwrap().is_none(), direct, "{url} {rules}");
        }
        assert!(Proxy::parse("https://proxy.test").is_err());
    }
}
