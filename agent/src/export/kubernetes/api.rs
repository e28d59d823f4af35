//! One request to the API server, and what its answer means for whoever wants something written.

use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use hyper::{Method, Request};
use serde::Deserialize;
use serde_json::Value as Json;
use zeroize::Zeroizing;

use super::access::Access;
use crate::clock::Clock;
use crate::export::client::exchange::{Client, Reach};
use crate::export::client::trust::Trust;
use crate::export::pace::retry_after;
use crate::host::Host;

/// An answer is read up to here, 2 MiB: a node with all its images.
const ANSWER: usize = 2 << 20;

/// A strategic merge patch: lists with a merge key are merged, what is not named stays.
pub(super) const STRATEGIC: &str = "application/strategic-merge-patch+json";
/// A JSON merge patch (RFC 7386).
pub(super) const MERGE: &str = "application/merge-patch+json";

/// What became of a request.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Done; the answer's body.
    Done(Bytes),
    /// There is such an object already.
    Exists,
    /// There is no such object.
    Missing,
    /// The server or the way to it does not work: nothing is to be written before it does.
    Down(Option<Duration>, String),
    /// The server works and does not take it now: no token, not allowed, too many.
    Later(Option<Duration>, String),
    /// Refused for good.
    Refused(String),
}

/// `Status` of the API machinery.
#[derive(Deserialize, Default)]
struct Status {
    #[serde(default)]
    message: String,
}

/// The API server.
#[derive(Debug)]
pub(super) struct Api {
    client: Client,
    access: Access,
    clock: Clock,
}

impl Api {
    pub(super) fn new(access: Access, clock: Clock) -> Self {
        let client = Client::new(Reach {
            target: access.target.clone(),
            trust: Trust::new(access.tls.clone(), Vec::new()),
            resolver: access.resolver.clone(),
            proxy: None,
            timeout: access.timeout,
        });
        Self { client, access, clock }
    }

    pub(super) async fn get(&mut self, path: &str) -> Outcome {
        self.ask(Method::GET, path, None).await
    }

    pub(super) async fn post(&mut self, path: &str, body: &Json) -> Outcome {
        self.ask(Method::POST, path, Some(("application/json", body))).await
    }

    pub(super) async fn patch(&mut self, path: &str, how: &'static str, body: &Json) -> Outcome {
        self.ask(Method::PATCH, path, Some((how, body))).await
    }

    /// Whether the server answers for itself. Anybody may ask (`system:public-info-viewer`).
    pub(super) async fn is_ready(&mut self) -> bool {
        matches!(self.get("/readyz").await, Outcome::Done(_) | Outcome::Later(..))
    }

    async fn ask(&mut self, method: Method, path: &str, body: Option<(&'static str, &Json)>) -> Outcome {
        let request = match self.request(method, path, body) {
            Ok(request) => request,
            Err(why) => return Outcome::Later(None, why),
        };
        let answer = match self.client.send(request, ANSWER).await {
            Ok(answer) => answer,
            Err(e) => return Outcome::Down(None, e.to_string()),
        };
        let asked = answer.retry_after.as_deref();
        let asked = asked.and_then(|h| retry_after(h, self.clock.now().wall));
        let said = || {
            let status: Status = serde_json::from_slice(&answer.body).unwrap_or_default();
            let words: String = status.message.chars().filter(|c| !c.is_control()).take(300).collect();
            format!("the API server answers {} {words}", answer.status)
                .trim_end()
                .to_owned()
        };
        match answer.status {
            200..=299 => Outcome::Done(answer.body.clone()),
            409 => Outcome::Exists,
            404 => Outcome::Missing,
            // A token that is not renewed while the kubelet is dead; a role that is not there yet; priority and fairness.
            401 | 403 | 408 | 429 => Outcome::Later(asked, said()),
            500..=599 => Outcome::Down(asked, said()),
            _ => Outcome::Refused(said()),
        }
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<(&'static str, &Json)>,
    ) -> Result<Request<Full<Bytes>>, String> {
        let request = Request::builder().method(method).uri(path).body(Full::default());
        let mut request = request.map_err(|e| e.to_string())?;
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("whynotready/", env!("CARGO_PKG_VERSION"), " (node-agent)")),
        );
        if let Some(path) = &self.access.token {
            let token = Zeroizing::new(Host::at("/").text(path).map_err(|e| e.to_string())?);
            let value = Zeroizing::new(format!("Bearer {}", token.trim()));
            let mut value = HeaderValue::from_str(&value).map_err(|_| "the token is none".to_owned())?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        if let Some((kind, body)) = body {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            *request.body_mut() = Full::new(Bytes::from(body.to_string()));
        }
        Ok(request)
    }
}
