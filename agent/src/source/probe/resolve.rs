//! Stage one: the addresses of the API server's name, as Go's own resolver finds them: `/etc/hosts`, then the name
//! servers of `/etc/resolv.conf` (nsswitch's `files dns`; Go `net/dnsclient_unix.go`).
//!
//! Other sources of nsswitch (`resolve`, `myhostname`, `sss`) are not asked. Where the configuration allows more time than
//! a stage has, the stage is shared out among the servers, so that a dead first one does not hide a second that answers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use super::budget::{Budget, Timed};
use super::fault::{Fault, Stage};
use crate::host::Host;
use crate::source::dns::{self, Conf, Failure};
use crate::source::look::blocking;

/// Addresses that are tried at most.
const ADDRESSES: usize = 8;

/// The addresses, in the order in which they are tried.
pub(crate) async fn resolve(host: &Host, name: &str, budget: &Budget) -> Timed<Vec<IpAddr>> {
    let started = budget.clock().now();
    let done = tokio::time::timeout(budget.stage(), look_up(host, name, budget)).await;
    let took = budget.clock().since(started);
    match done.unwrap_or(Err(Failure::TimedOut.error())) {
        Ok(found) => Ok((sorted(found), took)),
        Err(error) => Err(Fault::new(Stage::Resolve, error, took)),
    }
}

async fn look_up(host: &Host, name: &str, budget: &Budget) -> Result<Vec<IpAddr>, &'static str> {
    let (owned, wanted) = (host.clone(), name.to_owned());
    let read = blocking(move || (dns::in_hosts(&owned, &wanted), Conf::of(&owned, "/etc/resolv.conf"))).await;
    let (known, conf) = read.ok_or("other")?;
    if !known.is_empty() {
        return Ok(known);
    }
    let conf = conf.map_err(|e| if e.is_denied() { "permission-denied" } else { "other" })?;
    // Each server within the stage; the last share is kept for what surrounds the exchange.
    let share = budget.stage() / (conf.servers.len() as u32).max(1);
    let limit = conf.timeout.min(share.mul_f32(0.95));
    let mut first = None;
    for fqdn in conf.names(name) {
        match one_name(&conf, &fqdn, limit, budget).await {
            Ok(found) => return Ok(found),
            // Go keeps the first failure that is more than "no such host".
            Err(failure) if failure != Failure::NoSuchHost => first = first.or(Some(failure)),
            Err(_) => {}
        }
    }
    Err(first.unwrap_or(Failure::NoSuchHost).error())
}

/// Each server in turn, all of them `attempts` times; a server that knows that there is no such name ends it.
async fn one_name(
    conf: &Conf,
    fqdn: &str,
    limit: std::time::Duration,
    budget: &Budget,
) -> Result<Vec<IpAddr>, Failure> {
    let mut last = Failure::NoSuchHost;
    for _ in 0..conf.attempts {
        for server in &conf.servers {
            let id = budget.clock().now().monotonic as u16;
            match dns::ask(SocketAddr::new(*server, 53), fqdn, id, limit).await {
                Ok(found) => return Ok(found),
                Err(Failure::NoSuchHost) => return Err(Failure::NoSuchHost),
                Err(failure) => last = failure,
            }
        }
    }
    Err(last)
}

/// RFC 6724 as far as it decides between a server's addresses: what this node has a route and a source for comes first,
/// then IPv6, IPv4, unique local IPv6; else the resolver's order.
fn sorted(mut found: Vec<IpAddr>) -> Vec<IpAddr> {
    let mut unique = Vec::with_capacity(found.len());
    for address in found.drain(..) {
        if !unique.contains(&address) {
            unique.push(address);
        }
    }
    unique.sort_by_key(|address| (!usable(*address), rank(*address)));
    unique.truncate(ADDRESSES);
    unique
}

fn rank(address: IpAddr) -> u8 {
    match address {
        IpAddr::V6(six) if six.is_unique_local() => 2,
        IpAddr::V6(_) => 0,
        IpAddr::V4(_) => 1,
    }
}

/// Connecting a UDP socket sends nothing and asks the kernel for route and source address.
fn usable(address: IpAddr) -> bool {
    let any: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    UdpSocket::bind((any, 0)).is_ok_and(|socket| socket.connect((address, 9)).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_without_a_route_come_last_and_none_twice() {
        let found = ["127.0.0.1", "255.255.255.255", "127.0.0.1", "127.0.0.2"].map(|a| a.parse().unwrap());
        let sorted: Vec<String> = sorted(found.to_vec()).iter().map(ToString::to_string).collect();
        assert_eq!(sorted[..2], ["127.0.0.1", "127.0.0.2"]);
        assert_eq!(sorted.len(), 3);
    }
}
