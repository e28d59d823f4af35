//! What the agent knows, for this host only: JSON for programs, a page for a person, a bundle to take along.
//!
//! A browser on this host may be led here by a foreign page under a name that resolves to loopback (DNS rebinding): a
//! request that names another host is refused. Nothing here is ever allowed to be read by another origin.

use std::rc::Rc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, HOST, HeaderName, HeaderValue};
use hyper::{Request, StatusCode};
use serde::Serialize;

use super::answer::{Answer, HTML, JSON, TEXT, answer, sentence, with};
use super::listen::{CannotListen, Socket};
use super::page;
use super::serve::{Bounds, serve};
use super::view::View;
use crate::catalog::listing;
use crate::config::Debug;
use crate::export::json;
use crate::export::report::Tense;
use crate::export::text::{self, Style};

/// A page, its reload and a command or two; bundles are what makes a connection dear (2 MiB).
const BOUNDS: Bounds = Bounds {
    connections: 6,
    whole: Duration::from_secs(30),
};

/// The bound debug listener.
pub struct DebugListener {
    socket: Socket,
}

impl DebugListener {
    /// Binds; `None` where it is off.
    pub async fn bind(place: &Debug) -> Result<Option<Self>, CannotListen> {
        let socket = match place {
            Debug::Off => return Ok(None),
            Debug::Tcp(address) => Socket::tcp(*address).await?,
            Debug::Unix(path) => Socket::unix(path).await?,
        };
        Ok(Some(Self { socket }))
    }

    /// Where it listens: as `whynotready status --address` takes it.
    pub fn address(&self) -> String {
        self.socket.address()
    }

    /// Answers until it is dropped.
    pub async fn serve(self, view: Rc<dyn View>) {
        let local = matches!(self.socket, Socket::Unix(..));
        let routes = |request: &Request<Incoming>| {
            if local || names_this_host(request) {
                route(request, &*view)
            } else {
                sentence(
                    StatusCode::MISDIRECTED_REQUEST,
                    "this is for localhost, 127.0.0.1 and [::1] only, and the request names another host",
                )
            }
        };
        serve(&self.socket, &BOUNDS, None, &routes, &|_| {}).await;
    }
}

/// `localhost`, `127.0.0.1` or `[::1]`, with any port (a port-forward has its own), in `Host` and in the target alike.
fn names_this_host(request: &Request<Incoming>) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = hosts.next().and_then(|v| v.to_str().ok());
    let target = request.uri().authority().map(hyper::http::uri::Authority::as_str);
    hosts.next().is_none() && host.is_some_and(is_this_host) && target.is_none_or(is_this_host)
}

fn is_this_host(authority: &str) -> bool {
    let name = match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => authority,
    };
    ["localhost", "127.0.0.1", "[::1]"]
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known))
}

fn route(request: &Request<Incoming>, view: &dyn View) -> Answer {
    let answer = match request.uri().path() {
        "/" => status_page(request, view),
        "/debug/report" => answer(StatusCode::OK, TEXT, text::render(&view.diagnosis(), &PAPER)),
        "/debug/diagnosis" => match json::render(&view.diagnosis(), false) {
            Ok(text) => answer(StatusCode::OK, JSON, text),
            Err(why) => sentence(StatusCode::INTERNAL_SERVER_ERROR, &why.to_string()),
        },
        "/debug/episodes" => of(&view.diagnosis().episodes),
        "/debug/evidence" => of(&view.evidence()),
        "/debug/config" => of(&*view.config()),
        "/debug/catalog" => of(&listing::rows(&view.catalog(), None)),
        "/debug/about" => of(&view.about()),
        "/debug/bundle" => bundle(view),
        _ => sentence(StatusCode::NOT_FOUND, PATHS),
    };
    let same_origin = HeaderName::from_static("cross-origin-resource-policy");
    with(answer, same_origin, "same-origin")
}

const PATHS: &str = "there are / (the status page) and /debug/ with report, diagnosis, evidence, episodes, config, catalog, \
                     about and bundle";

/// The report as one pastes it.
const PAPER: Style = Style {
    width: 120,
    color: false,
    all: true,
    tense: Tense::Live,
};

fn status_page(request: &Request<Incoming>, view: &dyn View) -> Answer {
    let html = page::render(&page::Shown {
        diagnosis: &view.diagnosis(),
        numbers: &view.numbers(),
        about: &view.about(),
        hold: request.uri().query() == Some(page::HOLD),
    });
    let mut answer = answer(StatusCode::OK, HTML, html);
    if let Ok(policy) = HeaderValue::try_from(page::policy()) {
        answer.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    answer
}

/// The bundle as a file whose name says of which node and when.
fn bundle(view: &dyn View) -> Answer {
    let bytes = match view.bundle() {
        Ok(bytes) => bytes,
        Err(why) => return sentence(StatusCode::SERVICE_UNAVAILABLE, &why),
    };
    let diagnosis = view.diagnosis();
    let node = diagnosis.node.as_deref().unwrap_or("node");
    // Node names are DNS names; what else one might be is not for a header.
    let node: String = node
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'))
        .take(253)
        .collect();
    let name = format!(
        "attachment; filename=\"whynotready-{node}-{}.wnr\"",
        diagnosis.at.compact()
    );
    let mut answer = answer(StatusCode::OK, "application/gzip", bytes);
    if let Ok(name) = HeaderValue::try_from(name) {
        answer.headers_mut().insert(CONTENT_DISPOSITION, name);
    }
    answer
}

fn of(value: &impl Serialize) -> Answer {
    match serde_json::to_string(value) {
        Ok(text) => answer(StatusCode::OK, JSON, text + "\n"),
        Err(why) => sentence(StatusCode::INTERNAL_SERVER_ERROR, &why.to_string()),
    }
}
