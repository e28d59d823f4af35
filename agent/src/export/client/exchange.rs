//! One request, one answer.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HOST, HeaderValue, RETRY_AFTER};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::proxy::Proxy;
use super::resolve::{Name, Resolver};
use super::target::Target;
use super::trust::{Trust, Untrusted};

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The `Retry-After` header, as it is.
    pub retry_after: Option<String>,
    /// The body; empty where it was longer than was asked for.
    pub body: Bytes,
}

/// Why there was no answer. None of these says that the server did not take the request.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// TLS files.
    #[error(transparent)]
    Trust(#[from] Untrusted),
    /// The server's name.
    #[error("resolve {0}: {1}")]
    Resolve(String, io::Error),
    /// No connection.
    #[error("connect {0}: {1}")]
    Connect(String, io::Error),
    /// The proxy gave no tunnel.
    #[error("proxy {0}: {1}")]
    Proxy(String, io::Error),
    /// The TLS handshake.
    #[error("TLS with {0}: {1}")]
    Tls(String, io::Error),
    /// Not within the time.
    #[error("{0} did not answer within {1:?}")]
    Timeout(String, Duration),
    /// HTTP.
    #[error("HTTP with {0}: {1}")]
    Http(String, hyper::Error),
}

/// How a client reaches its server.
#[derive(Debug)]
pub struct Reach {
    /// The server.
    pub target: Target,
    /// TLS; not used for http targets.
    pub trust: Trust,
    /// Names.
    pub resolver: Resolver,
    /// A proxy between.
    pub proxy: Option<Proxy>,
    /// For one request with all that it needs.
    pub timeout: Duration,
}

/// A client of one server.
#[derive(Debug)]
pub struct Client {
    reach: Reach,
    name: Name,
    kept: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    /// Nothing is connected yet.
    pub fn new(reach: Reach) -> Self {
        Self {
            name: Name::new(reach.resolver.clone()),
            kept: None,
            reach,
        }
    }

    /// Where its requests go to.
    pub fn target(&self) -> &Target {
        &self.reach.target
    }

    /// Sends a request; `Host` is added. Of the answer's body `most` bytes are taken. A kept connection that turns out
    /// to be closed is replaced once, so that a request may reach the server twice.
    pub async fn send(&mut self, request: Request<Full<Bytes>>, most: usize) -> Result<Answer, Failure> {
        let within = self.reach.timeout;
        if let Ok(answer) = timeout(within, self.send_within(request, most)).await {
            return answer;
        }
        self.kept = None;
        Err(Failure::Timeout(self.reach.target.authority(), within))
    }

    async fn send_within(&mut self, mut request: Request<Full<Bytes>>, most: usize) -> Result<Answer, Failure> {
        if let Ok(host) = HeaderValue::from_str(&self.reach.target.authority()) {
            request.headers_mut().insert(HOST, host);
        }
        let config = if self.reach.target.secure {
            let (config, changed) = self.reach.trust.config()?;
            if changed {
                self.kept = None;
            }
            Some(config)
        } else {
            None
        };
        if let Some(mut session) = self.kept.take()
            && session.ready().await.is_ok()
            && let Ok(response) = session.send_request(request.clone()).await
        {
            return self.take(session, response, most).await;
        }
        let mut session = self.connect(config).await?;
        let response = session.send_request(request).await;
        let response = response.map_err(|e| self.http(e))?;
        self.take(session, response, most).await
    }

    async fn take(
        &mut self,
        session: SendRequest<Full<Bytes>>,
        response: Response<hyper::body::Incoming>,
        most: usize,
    ) -> Result<Answer, Failure> {
        let status = response.status().as_u16();
        let retry_after = response.headers().get(RETRY_AFTER);
        let retry_after = retry_after.and_then(|v| v.to_str().ok()).map(str::to_owned);
        // What is longer is not needed, and the connection goes with it: the status is the answer.
        let body = if let Ok(body) = Limited::new(response.into_body(), most).collect().await {
            self.kept = Some(session);
            body.to_bytes()
        } else {
            Bytes::new()
        };
        Ok(Answer {
            status,
            retry_after,
            body,
        })
    }

    async fn connect(
        &mut self,
        config: Option<Arc<rustls::ClientConfig>>,
    ) -> Result<SendRequest<Full<Bytes>>, Failure> {
        let Some(config) = config else {
            let stream = self.dial().await?;
            return self.session(stream).await;
        };
        let target = &self.reach.target;
        let at = target.authority();
        let name = ServerName::try_from(target.host.clone())
            .map_err(|e| Failure::Tls(at.clone(), io::Error::new(io::ErrorKind::InvalidInput, e)))?;
        let stream = self.dial().await?;
        let stream = TlsConnector::from(config).connect(name, stream).await;
        self.session(stream.map_err(|e| Failure::Tls(at, e))?).await
    }

    /// A connection to the server, or a tunnel to it.
    async fn dial(&mut self) -> Result<TcpStream, Failure> {
        let target = &self.reach.target;
        let (host, port) = match &self.reach.proxy {
            Some(proxy) => (proxy.host.clone(), proxy.port),
            None => (target.host.clone(), target.port),
        };
        let at = format!("{host}:{port}");
        // A third of the time for the name, the rest for the addresses: the first that does not answer is not all.
        let addresses = self.name.addresses(&host, port, self.reach.timeout / 3).await;
        let addresses = addresses.map_err(|e| Failure::Resolve(host, e))?;
        let each = self.reach.timeout / 2 / u32::try_from(addresses.len()).unwrap_or(1).max(1);
        let mut failed = io::Error::from(io::ErrorKind::NotFound);
        for address in addresses {
            match timeout(each, TcpStream::connect(address)).await {
                Ok(Ok(mut stream)) => {
                    let _ = stream.set_nodelay(true);
                    if let Some(proxy) = &self.reach.proxy {
                        let tunnel = proxy.tunnel(&mut stream, &self.reach.target).await;
                        tunnel.map_err(|e| Failure::Proxy(at, e))?;
                    }
                    return Ok(stream);
                }
                Ok(Err(e)) => failed = e,
                Err(_) => failed = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(Failure::Connect(at, failed))
    }

    async fn session<S>(&self, stream: S) -> Result<SendRequest<Full<Bytes>>, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (session, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| self.http(e))?;
        // Ends with the session; its error is the request's too.
        tokio::spawn(async move { drop(connection.await) });
        Ok(session)
    }

    fn http(&self, e: hyper::Error) -> Failure {
        Failure::Http(self.reach.target.authority(), e)
    }
}
