//! Names to addresses, by whatever resolver the caller has. The last answer is kept: a node whose name servers are gone
//! still reaches its collector.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;

/// Addresses of a name.
pub type Addresses = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>>>>;

/// A resolver.
#[derive(Clone)]
pub struct Resolver(Rc<dyn Fn(String) -> Addresses>);

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

impl Resolver {
    /// The C library's: `/etc/hosts` and `/etc/resolv.conf` of this process. In a pod with `dnsPolicy: Default` and the
    /// node's network these are the node's, not the cluster's.
    pub fn system() -> Self {
        Self::from_fn(|name| {
            Box::pin(async move {
                let found = tokio::net::lookup_host((name, 0)).await?;
                Ok(found.map(|a| a.ip()).collect())
            })
        })
    }

    /// Any other.
    pub fn from_fn(resolve: impl Fn(String) -> Addresses + 'static) -> Self {
        Self(Rc::new(resolve))
    }
}

/// A name with the addresses that it had last.
#[derive(Debug)]
pub(super) struct Name {
    resolver: Resolver,
    last: Vec<IpAddr>,
}

impl Name {
    pub(super) fn new(resolver: Resolver) -> Self {
        Self {
            resolver,
            last: Vec::new(),
        }
    }

    /// Addresses to dial. An answer that does not come within `patience` or is an error is as good as the last one.
    pub(super) async fn addresses(
        &mut self,
        host: &str,
        port: u16,
        patience: std::time::Duration,
    ) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let answer = tokio::time::timeout(patience, (self.resolver.0)(host.to_owned())).await;
        match answer {
            Ok(Ok(found)) if !found.is_empty() => self.last = found,
            _ if !self.last.is_empty() => {}
            Ok(Ok(_)) => return Err(io::Error::new(io::ErrorKind::NotFound, "no address")),
            Ok(Err(e)) => return Err(e),
            Err(_) => return Err(io::Error::new(io::ErrorKind::TimedOut, "the resolver does not answer")),
        }
        Ok(self.last.iter().map(|a| SocketAddr::new(*a, port)).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_last_answer_outlives_the_resolver() {
        let asked = Rc::new(Cell::new(0));
        let count = asked.clone();
        let resolver = Resolver::from_fn(move |_| {
            count.set(count.get() + 1);
            let nth = count.get();
            Box::pin(async move {
                match nth {
                    1 => Ok(vec![IpAddr::from([10, 0, 0, 1])]),
                    2 => Err(io::ErrorKind::TimedOut.into()),
                    _ => std::future::pending().await,
                }
            })
        });
        let mut name = Name::new(resolver);
        let expected = vec![SocketAddr::from(([10, 0, 0, 1], 4318))];
        for _ in 0..3 {
            assert_eq!(
                name.addresses("c.test", 4318, Duration::from_secs(2)).await.unwrap(),
                expected
            );
        }
        assert_eq!(asked.get(), 3);
        let literal = name.addresses("::1", 1, Duration::from_secs(2)).await.unwrap();
        assert_eq!(literal, vec![SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, 1))]);
        assert_eq!(asked.get(), 3);
    }
}
