//! One OTLP request, and what its answer means (opentelemetry-proto, `docs/specification.md`, "OTLP/HTTP Response").

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, USER_AGENT};
use hyper::{Method, Request};
use prost::Message;

use super::endpoint::Endpoint;
use super::message::ExportResponse;
use crate::clock::Clock;
use crate::export::client::exchange::{Client, Reach};
use crate::export::client::resolve::Resolver;
use crate::export::client::trust::Trust;
use crate::export::pace::retry_after;
use crate::host::Host;

/// An answer is read up to here, 64 KiB: a partial success or an error's message.
const ANSWER: usize = 64 << 10;
/// Of a server's own words so much is repeated.
const WORDS: usize = 300;

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Taken, but for so many, for this reason.
    Taken(usize, String),
    /// To be tried again, not before so long.
    Later(Option<Duration>, String),
    /// Refused for good.
    Refused(String),
}

/// Sends one signal's requests.
#[derive(Debug)]
pub(super) struct Post {
    client: Client,
    endpoint: Endpoint,
    clock: Clock,
}

impl Post {
    pub(super) fn new(endpoint: Endpoint, resolver: Resolver, roots: Vec<Host>, clock: Clock) -> Self {
        let client = Client::new(Reach {
            target: endpoint.target.clone(),
            trust: Trust::new(endpoint.tls.clone(), roots),
            resolver,
            proxy: endpoint.proxy.clone(),
            timeout: endpoint.timeout,
        });
        Self {
            client,
            endpoint,
            clock,
        }
    }

    /// Sends a message.
    pub(super) async fn send(&mut self, message: &impl Message) -> Outcome {
        let body = message.encode_to_vec();
        let request = match self.request(body) {
            Ok(request) => request,
            Err(e) => return Outcome::Refused(e.to_string()),
        };
        let answer = match self.client.send(request, ANSWER).await {
            Ok(answer) => answer,
            Err(e) => return Outcome::Later(None, e.to_string()),
        };
        match answer.status {
            200..=299 => {
                // A body that can't be read is a success all the same.
                let partial = ExportResponse::decode(answer.body).unwrap_or_default().partial_success;
                let partial = partial.unwrap_or_default();
                let rejected = usize::try_from(partial.rejected).unwrap_or(0);
                Outcome::Taken(rejected, short(&partial.error_message))
            }
            429 | 502..=504 => {
                let asked = answer.retry_after.as_deref();
                let asked = asked.and_then(|h| retry_after(h, self.clock.now().wall));
                Outcome::Later(asked, format!("the collector answers {}", answer.status))
            }
            status => {
                let words = short(&String::from_utf8_lossy(&answer.body));
                Outcome::Refused(format!("the collector answers {status} {words}").trim_end().to_owned())
            }
        }
    }

    fn request(&self, body: Vec<u8>) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        let path = match self.endpoint.target.path.as_str() {
            "" => "/",
            path => path,
        };
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .body(Full::default())?;
        let headers = request.headers_mut();
        headers.extend(self.endpoint.headers.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        headers.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!(
                "whynotready/",
                env!("CARGO_PKG_VERSION"),
                " OTel-OTLP-Exporter-Rust/",
                env!("CARGO_PKG_VERSION")
            )),
        );
        let body = match self.endpoint.gzip.then(|| packed(&body)).flatten() {
            Some(packed) => {
                headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                packed
            }
            None => body,
        };
        *request.body_mut() = Full::new(Bytes::from(body));
        Ok(request)
    }
}

fn packed(body: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).ok()?;
    encoder.finish().ok()
}

/// A server's words, for a person: no control characters, not long.
fn short(words: &str) -> String {
    words
        .chars()
        .filter(|c| !c.is_control() && *c != '\u{fffd}')
        .take(WORDS)
        .collect()
}
