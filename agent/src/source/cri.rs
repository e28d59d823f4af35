//! The two questions of the Container Runtime Interface that change nothing: `Version` and `Status`.
//!
//! gRPC by hand on `hyper`: a five-byte header, a message of a few fields, and the status in the trailers (gRPC over
//! HTTP/2, "PROTOCOL-HTTP2.md"; `cri-api/pkg/apis/runtime/v1/api.proto`). Calls nothing else, whoever asks.

use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::header::HeaderMap;
use hyper::{Request, header};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::net::UnixStream;
use tokio::time::timeout;

/// An answer is no longer than this: 1 MiB.
const ANSWER: usize = 1 << 20;
/// The packages in which the services lie, the newest first; the two have the same messages (v1alpha2: up to 1.25).
const PACKAGES: [&str; 2] = ["runtime.v1", "runtime.v1alpha2"];
/// gRPC's status codes.
const OK: u32 = 0;
const DEADLINE_EXCEEDED: u32 = 4;
const UNIMPLEMENTED: u32 = 12;

/// What the runtime says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// Its name: `containerd`, `cri-o`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// `RuntimeReady` and `NetworkReady`, as far as it states them.
    pub conditions: Vec<Condition>,
}

/// Why it said nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// No answer in time.
    #[error("no answer")]
    Silent,
    /// It does not speak CRI: an old Docker, or a containerd with the plugin switched off or failed.
    #[error("unimplemented: {0}")]
    Unimplemented(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// `RuntimeCondition`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Condition {
    /// `RuntimeReady`, `NetworkReady`, or one of the runtime's own.
    #[prost(string, tag = "1")]
    pub kind: String,
    /// Whether it holds.
    #[prost(bool, tag = "2")]
    pub status: bool,
    /// Why not, in one word.
    #[prost(string, tag = "3")]
    pub reason: String,
    /// Why not.
    #[prost(string, tag = "4")]
    pub message: String,
}

#[derive(Clone, PartialEq, Message)]
struct VersionRequest {
    #[prost(string, tag = "1")]
    version: String,
}

#[derive(Clone, PartialEq, Message)]
struct VersionResponse {
    #[prost(string, tag = "2")]
    runtime_name: String,
    #[prost(string, tag = "3")]
    runtime_version: String,
}

#[derive(Clone, PartialEq, Message)]
struct StatusRequest {
    #[prost(bool, tag = "1")]
    verbose: bool,
}

#[derive(Clone, PartialEq, Message)]
struct StatusResponse {
    #[prost(message, optional, tag = "1")]
    status: Option<RuntimeStatus>,
}

#[derive(Clone, PartialEq, Message)]
struct RuntimeStatus {
    #[prost(message, repeated, tag = "1")]
    conditions: Vec<Condition>,
}

/// Asks on a fresh connection; both questions together take no longer than `limit`.
pub async fn ask(stream: UnixStream, limit: Duration) -> Result<Answer, Failure> {
    timeout(limit, exchange(stream)).await.unwrap_or(Err(Failure::Silent))
}

async fn exchange(stream: UnixStream) -> Result<Answer, Failure> {
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .map_err(|e| Failure::Other(e.to_string()))?;
    let driving = tokio::spawn(connection);
    let answer = questions(sender).await;
    driving.abort();
    answer
}

async fn questions(mut sender: SendRequest<Full<Bytes>>) -> Result<Answer, Failure> {
    let mut last = Failure::Silent;
    for package in PACKAGES {
        let version = VersionRequest {
            version: "0.1.0".into(),
        };
        match call::<VersionResponse>(&mut sender, package, "Version", &version).await {
            Ok(version) => {
                let request = StatusRequest { verbose: false };
                let status: StatusResponse = call(&mut sender, package, "Status", &request).await?;
                return Ok(Answer {
                    name: version.runtime_name,
                    version: version.runtime_version,
                    conditions: status.status.map(|s| s.conditions).unwrap_or_default(),
                });
            }
            Err(e @ Failure::Unimplemented(_)) => last = e,
            Err(e) => return Err(e),
        }
    }
    Err(last)
}

async fn call<A: Message + Default>(
    sender: &mut SendRequest<Full<Bytes>>,
    package: &str,
    method: &str,
    question: &impl Message,
) -> Result<A, Failure> {
    let other = |e: &dyn std::error::Error| Failure::Other(e.to_string());
    let message = question.encode_to_vec();
    let mut body = vec![0u8];
    body.extend((message.len() as u32).to_be_bytes());
    body.extend(message);
    let request = Request::post(format!("http://localhost/{package}.RuntimeService/{method}"))
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .body(Full::new(Bytes::from(body)))
        .map_err(|e| other(&e))?;
    sender.ready().await.map_err(|e| other(&e))?;
    let response = sender.send_request(request).await.map_err(|e| other(&e))?;
    if !response.status().is_success() {
        return Err(Failure::Other(format!("HTTP {}", response.status())));
    }
    // A failure without an answer is in the headers.
    status(response.headers())?;
    let collected = Limited::new(response.into_body(), ANSWER)
        .collect()
        .await
        .map_err(|e| Failure::Other(e.to_string()))?;
    if let Some(trailers) = collected.trailers() {
        status(trailers)?;
    }
    let bytes = collected.to_bytes();
    // a flag for compression (not asked for), four bytes of length
    let message = bytes
        .get(5..)
        .ok_or_else(|| Failure::Other("an empty answer".to_owned()))?;
    A::decode(message).map_err(|e| other(&e))
}

fn status(headers: &HeaderMap) -> Result<(), Failure> {
    let text = |name| headers.get(name).and_then(|v| v.to_str().ok());
    let Some(code) = text("grpc-status").and_then(|c| c.parse::<u32>().ok()) else {
        return Ok(());
    };
    let message = text("grpc-message").map(unescaped).unwrap_or_default();
    match code {
        OK => Ok(()),
        DEADLINE_EXCEEDED => Err(Failure::Silent),
        UNIMPLEMENTED => Err(Failure::Unimplemented(message)),
        _ => Err(Failure::Other(format!("gRPC status {code}: {message}"))),
    }
}

/// gRPC messages are percent-encoded; cut at 300 characters, without line breaks.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.bytes().next() {
        let code = rest
            .strip_prefix('%')
            .and_then(|r| u8::from_str_radix(r.get(..2)?, 16).ok());
        let length = if code.is_some() { 3 } else { 1 };
        bytes.push(code.unwrap_or(first));
        rest = rest.get(length..).unwrap_or_default();
    }
    one_line(&String::from_utf8_lossy(&bytes))
}

/// What a runtime says, as it may stand under EVIDENCE: one line, 300 characters at most.
pub fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(300)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_unescaped_and_bounded() {
        assert_eq!(
            unescaped("unknown service runtime.v1%0A100%25 %zz"),
            "unknown service runtime.v1 100% %zz"
        );
        assert_eq!(unescaped(&"x".repeat(1000)).len(), 300);
    }
}
