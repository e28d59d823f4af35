//! Asks a running agent's debug endpoint: what `whynotready status` does.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::config::Debug;

/// For one question with its answer.
const WHOLE: Duration = Duration::from_secs(10);
/// Bytes of an answer: 16 MiB.
const LONGEST: usize = 16 << 20;

/// Where an agent answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `127.0.0.1:10951`, `localhost:10951`.
    Tcp(String),
    /// `unix:/path`.
    Unix(PathBuf),
}

impl Address {
    /// Reads `host:port` or `unix:/path`.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return Ok(Self::Unix(PathBuf::from(path)));
        }
        let is_address = text
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        if is_address {
            Ok(Self::Tcp(text.to_owned()))
        } else {
            Err(format!("expected 127.0.0.1:10951 or unix:/path, found {text:?}"))
        }
    }

    /// Where the configuration lets the agent listen; `None` where that is nowhere.
    pub fn of(place: &Debug) -> Option<Self> {
        match place {
            Debug::Off => None,
            Debug::Tcp(address) => Some(Self::Tcp(address.to_string())),
            Debug::Unix(path) => Some(Self::Unix(path.clone())),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => f.write_str(address),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// Nobody listens, or this process may not connect.
    #[error("{0}")]
    Connect(io::Error),
    /// Not within the time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// HTTP.
    #[error("{0}")]
    Http(hyper::Error),
    /// The body broke off or is too long.
    #[error("the answer cannot be read: {0}")]
    Body(String),
    /// Another status than 200, with what it says.
    #[error("{0}: {1}")]
    Status(StatusCode, String),
}

/// The body at this path.
pub async fn ask(address: &Address, path: &str) -> Result<Bytes, NoAnswer> {
    let answer = async {
        match address {
            Address::Tcp(to) => exchange(TcpStream::connect(to).await.map_err(NoAnswer::Connect)?, path).await,
            Address::Unix(to) => exchange(UnixStream::connect(to).await.map_err(NoAnswer::Connect)?, path).await,
        }
    };
    timeout(WHOLE, answer).await.unwrap_or(Err(NoAnswer::Timeout(WHOLE)))
}

async fn exchange<S>(stream: S, path: &str) -> Result<Bytes, NoAnswer>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut session, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(NoAnswer::Http)?;
    // Ends with the session; its error is the request's too.
    tokio::spawn(async move { drop(connection.await) });
    let mut request = Request::new(Empty::<Bytes>::new());
    if let Ok(uri) = path.parse() {
        *request.uri_mut() = uri;
    }
    let local = hyper::header::HeaderValue::from_static("localhost");
    request.headers_mut().insert(HOST, local);
    let answer = session.send_request(request).await.map_err(NoAnswer::Http)?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), LONGEST).collect().await;
    let body = body.map_err(|e| NoAnswer::Body(e.to_string()))?.to_bytes();
    if status == StatusCode::OK {
        Ok(body)
    } else {
        let said = String::from_utf8_lossy(&body).trim().chars().take(300).collect();
        Err(NoAnswer::Status(status, said))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for text in ["127.0.0.1:10951", "localhost:1", "[::1]:10951", "unix:/run/x.sock"] {
            assert_eq!(Address::parse(text).unwrap().to_string(), text);
        }
        for wrong in ["", "10951", ":10951", "localhost", "http://localhost"] {
            assert!(Address::parse(wrong).is_err(), "{wrong}");
        }
    }
}
