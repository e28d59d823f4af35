//! From a plan to a connection on which requests can be sent, and a trace of how far it got.

use std::net::{IpAddr, SocketAddr};

use rustls::pki_types::ServerName;

use super::budget::Budget;
use super::certificate::Judged;
use super::connect::{self, Connected};
use super::fault::{Fault, Stage};
use super::proxy::{Way, tunnel};
use super::request::Session;
use super::resolve::resolve;
use super::target::Plan;
use super::tls::{self, ClientCertificate, is_good};
use crate::host::Host;

/// How far it got. Times in microseconds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trace {
    pub(crate) resolve: Option<u64>,
    pub(crate) connect: Option<u64>,
    pub(crate) proxy: Option<u64>,
    pub(crate) tls: Option<u64>,
    pub(crate) addresses: Vec<SocketAddr>,
    /// The one that was used, or that failed first.
    pub(crate) address: Option<SocketAddr>,
    pub(crate) judged: Option<Judged>,
    /// Whether a credential may be shown on this connection.
    pub(crate) good: bool,
}

/// The addresses to dial: the endpoint's, or the proxy's.
pub(crate) async fn addresses(host: &Host, plan: &Plan, budget: &Budget, trace: &mut Trace) -> Result<(), Fault> {
    let (name, port) = match &plan.way {
        Way::Proxy(proxy) => (proxy.host.as_str(), proxy.port),
        Way::Direct | Way::Other(_) => (plan.endpoint.host.as_str(), plan.endpoint.port),
    };
    let found = if let Ok(address) = name.parse::<IpAddr>() {
        vec![address]
    } else {
        let (found, took) = resolve(host, name, budget).await.map_err(|f| behind(plan, f))?;
        trace.resolve = Some(took);
        found
    };
    trace.addresses = found.into_iter().map(|a| SocketAddr::new(a, port)).collect();
    Ok(())
}

/// A connection to the first of `trace.addresses` that answers. `sparing` dials one after the other.
pub(crate) async fn open(
    plan: &Plan,
    client: Option<ClientCertificate>,
    sparing: bool,
    budget: &Budget,
    trace: &mut Trace,
) -> Result<Session, Fault> {
    let connected = if sparing {
        one_by_one(&trace.addresses, budget).await
    } else {
        connect::first(&trace.addresses, budget).await
    };
    let connected = connected.map_err(|(address, fault)| {
        trace.address = address;
        behind(plan, fault)
    })?;
    trace.address = Some(connected.address);
    trace.connect = Some(connected.took);
    on(plan, connected, client, budget, trace).await
}

async fn one_by_one(addresses: &[SocketAddr], budget: &Budget) -> Result<Connected, (Option<SocketAddr>, Fault)> {
    let mut first = None;
    for address in addresses {
        match connect::one(*address, budget).await {
            Ok((stream, took)) => {
                return Ok(Connected {
                    stream,
                    address: *address,
                    took,
                });
            }
            Err(fault) => first = first.or(Some((Some(*address), fault))),
        }
    }
    Err(first.unwrap_or((None, Fault::new(Stage::Resolve, "no-such-host", 0))))
}

async fn on(
    plan: &Plan,
    connected: Connected,
    client: Option<ClientCertificate>,
    budget: &Budget,
    trace: &mut Trace,
) -> Result<Session, Fault> {
    let mut stream = connected.stream;
    if let Way::Proxy(proxy) = &plan.way {
        let (tunnelled, took) = tunnel(stream, proxy, &plan.endpoint, budget).await?;
        trace.proxy = Some(took);
        stream = tunnelled;
    }
    let name = server_name(plan)?;
    let shaken = tls::handshake(stream, &name, &plan.trust, client, budget).await;
    trace.good = shaken.judged.as_ref().is_some_and(|j| is_good(j, &plan.trust));
    trace.judged = shaken.judged;
    let (stream, took) = shaken.result?;
    trace.tls = Some(took);
    let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    Session::open(stream, h2, &plan.endpoint, budget).await
}

fn server_name(plan: &Plan) -> Result<ServerName<'static>, Fault> {
    tls::server_name(&plan.name).ok_or(Fault::new(Stage::Tls, "x509-wrong-host", 0))
}

/// What fails on the way to a proxy fails at the proxy: Go says `proxyconnect tcp: …`.
fn behind(plan: &Plan, fault: Fault) -> Fault {
    match plan.way {
        Way::Proxy(_) => Fault {
            stage: Stage::Proxy,
            ..fault
        },
        Way::Direct | Way::Other(_) => fault,
    }
}
