//! Answers, and the headers that each of them has.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use hyper::{Response, StatusCode};

/// What is sent; the body is whole.
pub(super) type Answer = Response<Full<Bytes>>;

/// Plain text.
pub(super) const TEXT: &str = "text/plain; charset=utf-8";
/// A page.
pub(super) const HTML: &str = "text/html; charset=utf-8";
/// JSON (RFC 8259 knows no character set but UTF-8).
pub(super) const JSON: &str = "application/json";

/// An answer that nobody keeps (it is out of date a second later) and no browser takes for something else.
pub(super) fn answer(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    for (name, value) in [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ] {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// A sentence.
pub(super) fn sentence(status: StatusCode, text: &str) -> Answer {
    answer(status, TEXT, format!("{text}\n"))
}

/// `ok`, or 503 with the reason.
pub(super) fn health(state: Result<(), String>) -> Answer {
    match state {
        Ok(()) => sentence(StatusCode::OK, "ok"),
        Err(why) => sentence(StatusCode::SERVICE_UNAVAILABLE, &why),
    }
}

/// Adds a header whose value is known to be one.
pub(super) fn with(mut answer: Answer, name: HeaderName, value: &'static str) -> Answer {
    answer.headers_mut().insert(name, HeaderValue::from_static(value));
    answer
}
