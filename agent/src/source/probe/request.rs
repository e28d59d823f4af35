//! Stage four: requests on a connection that stands, over HTTP/2 or HTTP/1.1 as the server chose. GET only; no redirect is
//! followed; a body is read up to a bound.

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::{http1, http2};
use hyper::header::{ACCEPT, AUTHORIZATION, DATE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Request, Response, Uri, body::Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

use super::budget::Budget;
use super::fault::{Fault, Stage};
use super::settings::{Preface, Tap};
use crate::clock::Now;
use crate::model::time::Timestamp;
use crate::world::Endpoint;

/// Who asks.
const AGENT: &str = concat!("whynotready/", env!("CARGO_PKG_VERSION"));
/// The header that makes a request large.
const PADDING: HeaderName = HeaderName::from_static("x-whynotready-padding");

/// What is asked.
#[derive(Debug, Clone)]
pub(crate) struct Ask<'a> {
    /// Below the endpoint's path, with its query.
    pub(crate) path: &'a str,
    /// A bearer token.
    pub(crate) token: Option<&'a Zeroizing<String>>,
    /// Bytes by which the request is made longer.
    pub(crate) padding: usize,
    /// Bytes of the body that are read at most.
    pub(crate) limit: usize,
}

/// An answer, whatever it says.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    /// One of the headers that only a Kubernetes API server sets.
    pub(crate) marked: bool,
    /// The server's `Date`.
    pub(crate) date: Option<Timestamp>,
    /// When the request was sent.
    pub(crate) sent: Now,
    /// Microseconds to the end of the answer.
    pub(crate) took: u64,
}

enum Sender {
    H1(http1::SendRequest<Empty<Bytes>>),
    H2(http2::SendRequest<Empty<Bytes>>),
}

/// A connection on which requests can be sent.
pub(crate) struct Session {
    sender: Sender,
    driver: JoinHandle<()>,
    endpoint: Endpoint,
    preface: Preface,
    usable: bool,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Host and port as a URL has them.
pub(crate) fn authority(endpoint: &Endpoint) -> String {
    if endpoint.host.contains(':') {
        format!("[{}]:{}", endpoint.host, endpoint.port)
    } else {
        format!("{}:{}", endpoint.host, endpoint.port)
    }
}

impl Session {
    /// Begins to speak HTTP on a stream.
    pub(crate) async fn open<S>(stream: S, h2: bool, endpoint: &Endpoint, budget: &Budget) -> Result<Self, Fault>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let preface = Preface::default();
        let io = TokioIo::new(Tap {
            stream,
            preface: preface.clone(),
        });
        let (sender, driver) = if h2 {
            let ((sender, connection), _) = budget
                .run(Stage::Request, http2::handshake(TokioExecutor::new(), io))
                .await?;
            let driver = tokio::spawn(async move { drop(connection.await) });
            (Sender::H2(sender), driver)
        } else {
            let ((sender, connection), _) = budget.run(Stage::Request, http1::handshake(io)).await?;
            let driver = tokio::spawn(async move { drop(connection.await) });
            (Sender::H1(sender), driver)
        };
        Ok(Self {
            sender,
            driver,
            endpoint: endpoint.clone(),
            preface,
            usable: true,
        })
    }

    /// `http1` or `http2`.
    pub(crate) fn protocol(&self) -> &'static str {
        match self.sender {
            Sender::H1(_) => "http1",
            Sender::H2(_) => "http2",
        }
    }

    /// The stream limit that the server named.
    pub(crate) fn max_streams(&self) -> Option<u32> {
        match self.sender {
            Sender::H1(_) => None,
            Sender::H2(_) => self.preface.max_streams(),
        }
    }

    /// Whether another request can be sent: an HTTP/1 connection is lost with the first answer that does not come.
    pub(crate) fn is_usable(&self) -> bool {
        self.usable
    }

    /// Asks, within one stage's time.
    pub(crate) async fn get(&mut self, ask: &Ask<'_>, budget: &Budget) -> Result<Answer, Fault> {
        let request = self.request(ask).ok_or(Fault::new(Stage::Request, "invalid", 0))?;
        let sent = budget.clock().now();
        let sender = &mut self.sender;
        let result = budget
            .run(Stage::Request, async {
                let response = match sender {
                    Sender::H1(sender) => {
                        sender.ready().await?;
                        sender.send_request(request).await?
                    }
                    Sender::H2(sender) => {
                        sender.ready().await?;
                        sender.send_request(request).await?
                    }
                };
                read(response, ask.limit).await
            })
            .await;
        if result.is_err() && matches!(self.sender, Sender::H1(_)) {
            self.usable = false;
        }
        let ((head, body), took) = result?;
        Ok(Answer {
            status: head.status,
            marked: head.marked,
            date: head.date,
            body,
            sent,
            took,
        })
    }

    fn request(&self, ask: &Ask<'_>) -> Option<Request<Empty<Bytes>>> {
        let (authority, path) = (authority(&self.endpoint), format!("{}{}", self.endpoint.path, ask.path));
        let uri = match self.sender {
            Sender::H1(_) => path.parse::<Uri>().ok()?,
            Sender::H2(_) => Uri::builder()
                .scheme("https")
                .authority(authority.as_str())
                .path_and_query(path)
                .build()
                .ok()?,
        };
        let mut request = Request::get(uri)
            .header(USER_AGENT, AGENT)
            .header(ACCEPT, "application/json, */*");
        if matches!(self.sender, Sender::H1(_)) {
            request = request.header(HOST, authority);
        }
        if let Some(token) = ask.token {
            let bearer = Zeroizing::new(format!("Bearer {}", token.trim()));
            let mut value = HeaderValue::from_str(&bearer).ok()?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        if ask.padding > 0 {
            request = request.header(PADDING, padding(ask.padding));
        }
        request.body(Empty::new()).ok()
    }
}

/// Text that HPACK's Huffman code does not shorten by much.
fn padding(length: usize) -> String {
    "XZ!~Q$&W".chars().cycle().take(length).collect()
}

struct Head {
    status: u16,
    marked: bool,
    date: Option<Timestamp>,
}

async fn read(response: Response<Incoming>, limit: usize) -> Result<(Head, String), hyper::Error> {
    let head = Head {
        status: response.status().as_u16(),
        marked: is_marked(response.headers()),
        date: response
            .headers()
            .get(DATE)
            .and_then(|d| d.to_str().ok())
            .and_then(date),
    };
    let mut body = response.into_body();
    let mut bytes = Vec::new();
    while bytes.len() < limit {
        let Some(frame) = body.frame().await else { break };
        if let Ok(data) = frame?.into_data() {
            let room = limit.saturating_sub(bytes.len());
            bytes.extend(data.iter().take(room));
        }
    }
    Ok((head, String::from_utf8_lossy(&bytes).into_owned()))
}

/// `Audit-Id` and the headers of priority and fairness (Kubernetes `apiserver/pkg/server/filters`, `audit`).
fn is_marked(headers: &HeaderMap) -> bool {
    [
        "audit-id",
        "x-kubernetes-pf-flowschema-uid",
        "x-kubernetes-pf-prioritylevel-uid",
    ]
    .iter()
    .any(|name| headers.contains_key(*name))
}

/// RFC 9110 §5.6.7: `Sun, 06 Nov 1994 08:49:37 GMT`.
fn date(text: &str) -> Option<Timestamp> {
    let parsed = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Timestamp(parsed.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read() {
        let date = date("Mon, 23 Nov 2026 11:06:44 GMT").unwrap();
        assert_eq!(date.rfc3339(), "2026-11-23T11:06:44.000000Z");
        assert_eq!(super::date("yesterday"), None);
    }
}
