//! One request a connection, within bounds that a slow or hostile client cannot stretch.
//!
//! Connections are not kept: one deadline then holds for all that a client can be slow at, and a scrape every few seconds
//! does not pay for more. Request bodies are never read.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::future::{Future, ready};
use std::pin::Pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONNECTION};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::answer::{Answer, sentence, with};
use super::certificate::Certificate;
use super::listen::{Peer, Socket};

/// From the first byte of TLS or HTTP to the last of the head.
const HEAD: Duration = Duration::from_secs(5);
/// Bytes of a request's head, which is also what hyper needs at least for its buffer.
const HEAD_BYTES: usize = 8 << 10;
/// Header fields of a request; a browser sends some twenty.
const HEAD_FIELDS: usize = 64;

/// A connection's stream.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Wire for T {}

/// What a listener bears.
pub(super) struct Bounds {
    /// Connections at once. One more closes the oldest of the client that has most: a hostile client gets in its own way
    /// before it gets in anybody else's.
    pub(super) connections: usize,
    /// From the connection to the last byte of the answer.
    pub(super) whole: Duration,
}

/// Answers for ever, unless dropped.
pub(super) async fn serve(
    socket: &Socket,
    bounds: &Bounds,
    mut tls: Option<Certificate>,
    routes: &dyn Fn(&Request<Incoming>) -> Answer,
    say: &dyn Fn(&str),
) {
    let mut running = FuturesUnordered::new();
    let mut open = Open::default();
    loop {
        tokio::select! {
            (stream, peer) = socket.accept() => {
                let acceptor = tls.as_mut().map(|certificate| {
                    let (acceptor, said) = certificate.acceptor();
                    if let Err(why) = said {
                        say(&why);
                    }
                    acceptor
                });
                while open.0.len() >= bounds.connections {
                    open.close_one();
                }
                let (id, closed) = open.add(peer);
                running.push(connection(stream, acceptor, routes, bounds.whole, (id, closed)));
            }
            Some(id) = running.next(), if !running.is_empty() => open.0.retain(|c| c.id != id),
        }
    }
}

/// The connections, oldest first.
#[derive(Default)]
struct Open(VecDeque<Connection>, u64);

struct Connection {
    id: u64,
    peer: Peer,
    /// Dropped to close the connection.
    _close: oneshot::Sender<()>,
}

impl Open {
    fn add(&mut self, peer: Peer) -> (u64, oneshot::Receiver<()>) {
        let (close, closed) = oneshot::channel();
        self.1 += 1;
        self.0.push_back(Connection {
            id: self.1,
            peer,
            _close: close,
        });
        (self.1, closed)
    }

    /// The oldest of the client that has most.
    fn close_one(&mut self) {
        let mut counts: HashMap<Peer, usize> = HashMap::new();
        for connection in &self.0 {
            *counts.entry(connection.peer).or_default() += 1;
        }
        let most = counts.values().max().copied().unwrap_or(0);
        let victim = self.0.iter().position(|c| counts.get(&c.peer) == Some(&most));
        self.0.remove(victim.unwrap_or(0));
    }
}

async fn connection(
    stream: Box<dyn Wire>,
    tls: Option<TlsAcceptor>,
    routes: &dyn Fn(&Request<Incoming>) -> Answer,
    whole: Duration,
    (id, closed): (u64, oneshot::Receiver<()>),
) -> u64 {
    let exchange = async {
        let stream: Box<dyn Wire> = match tls {
            None => stream,
            Some(tls) => match timeout(HEAD, tls.accept(stream)).await {
                Ok(Ok(stream)) => Box::new(stream),
                _ => return,
            },
        };
        exchange(stream, routes).await;
    };
    tokio::select! {
        _ = timeout(whole, exchange) => {}
        _ = closed => {}
    }
    id
}

/// What goes wrong is the client's loss and nobody's fault.
async fn exchange(stream: Box<dyn Wire>, routes: &dyn Fn(&Request<Incoming>) -> Answer) {
    let service = service_fn(|request: Request<Incoming>| {
        let answer = match *request.method() {
            Method::GET | Method::HEAD => routes(&request),
            _ => with(
                sentence(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD"),
                ALLOW,
                "GET, HEAD",
            ),
        };
        ready(Ok::<_, Infallible>(with(answer, CONNECTION, "close")))
    });
    let served: Pin<Box<dyn Future<Output = _>>> = Box::pin(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .keep_alive(false)
            .header_read_timeout(HEAD)
            .max_buf_size(HEAD_BYTES)
            .max_headers(HEAD_FIELDS)
            .serve_connection(TokioIo::new(stream), service),
    );
    let _: Result<(), hyper::Error> = served.await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_that_has_most_connections_loses_its_oldest() {
        let peer = |n: u8| Some(std::net::IpAddr::from([10, 0, 0, n]));
        let mut open = Open::default();
        let _closed: Vec<_> = [peer(1), peer(2), peer(2), peer(1), peer(2)]
            .map(|p| open.add(p))
            .into();
        open.close_one();
        let left: Vec<u64> = open.0.iter().map(|c| c.id).collect();
        assert_eq!(
            left,
            [1, 3, 4, 5],
            "the second client has three, its oldest is the second"
        );
        open.close_one();
        let left: Vec<u64> = open.0.iter().map(|c| c.id).collect();
        assert_eq!(left, [3, 4, 5], "both have two: the oldest of all goes");
    }
}
