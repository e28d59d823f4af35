//! Metrics and health.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{ACCEPT, AUTHORIZATION, HeaderValue, VARY, WWW_AUTHENTICATE};
use hyper::{Request, StatusCode};

use super::accept::{OPEN_METRICS, TEXT_FORMAT, wants_open_metrics};
use super::answer::{Answer, answer, health, sentence, with};
use super::certificate::Certificate;
use super::listen::{CannotListen, Socket};
use super::serve::{Bounds, serve};
use super::token::{Pass, check};
use super::view::View;
use crate::export::metrics::render;

/// Prometheus gives up after 10 s by default; two servers and the kubelet's probes are some six connections.
const BOUNDS: Bounds = Bounds {
    connections: 16,
    whole: Duration::from_secs(10),
};

/// The bound metrics listener.
pub struct MetricsListener {
    socket: Socket,
    tls: Option<Certificate>,
    token_file: Option<PathBuf>,
}

impl MetricsListener {
    /// Binds. `tls`: certificate and key (PEM). `token_file`: holds the token that `/metrics` asks for; health needs none.
    pub async fn bind(
        address: SocketAddr,
        tls: Option<(PathBuf, PathBuf)>,
        token_file: Option<PathBuf>,
    ) -> Result<Self, CannotListen> {
        let tls = tls
            .map(|(certificate, key)| Certificate::read(certificate, key))
            .transpose()
            .map_err(|why| CannotListen::Tls(address, why))?;
        Ok(Self {
            socket: Socket::tcp(address).await?,
            tls,
            token_file,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> String {
        self.socket.address()
    }

    /// Answers until it is dropped. `say` gets a sentence where a replaced certificate could not be used.
    pub async fn serve(self, view: Rc<dyn View>, say: impl Fn(&str)) {
        let token = self.token_file.as_ref();
        let routes = |request: &Request<Incoming>| route(request, &*view, token);
        serve(&self.socket, &BOUNDS, self.tls, &routes, &say).await;
    }
}

fn route(request: &Request<Incoming>, view: &dyn View, token_file: Option<&PathBuf>) -> Answer {
    match request.uri().path() {
        "/metrics" => match token_file.map(|file| check(file, authorization(request))) {
            None | Some(Pass::Granted) => metrics(request, view),
            Some(Pass::Refused) => with(
                sentence(StatusCode::UNAUTHORIZED, "/metrics asks for a bearer token"),
                WWW_AUTHENTICATE,
                "Bearer",
            ),
            // Which file is nobody's business who has no token; the agent's configuration says it.
            Some(Pass::Closed(_)) => sentence(StatusCode::SERVICE_UNAVAILABLE, "the agent cannot read its token file"),
        },
        "/livez" => health(view.alive()),
        "/readyz" => health(view.ready()),
        _ => sentence(StatusCode::NOT_FOUND, "there are /metrics, /livez and /readyz"),
    }
}

fn authorization(request: &Request<Incoming>) -> Option<&[u8]> {
    request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes)
}

fn metrics(request: &Request<Incoming>, view: &dyn View) -> Answer {
    let accept = request.headers().get(ACCEPT).and_then(|v| v.to_str().ok());
    let open = accept.is_some_and(wants_open_metrics);
    let kind = if open { OPEN_METRICS } else { TEXT_FORMAT };
    with(
        answer(StatusCode::OK, kind, render(&view.numbers(), open)),
        VARY,
        "accept",
    )
}
