//! One target from the first stage to the last request, compared with the target's other addresses.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use zeroize::Zeroizing;

use super::budget::Budget;
use super::connect;
use super::dial::{self, Trace};
use super::fault::{Fault, Stage};
use super::proxy::Way;
use super::request::{Answer, Ask, Session};
use super::target::Plan;
use super::verdict::readiness_error;
use crate::host::Host;

/// Bytes of an answer that are read at most: `/readyz` with all its checks is 3 KiB.
const BODY: usize = 16 << 10;
/// What makes a request longer than any MTU, jumbo frames left aside; servers take 8 KiB at least.
const PADDING: usize = 6 << 10;

/// What the walk found.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) plan: Plan,
    pub(crate) trace: Trace,
    /// What ended it before a request could be sent.
    pub(crate) fault: Option<Fault>,
    pub(crate) protocol: Option<&'static str>,
    pub(crate) max_streams: Option<u32>,
    pub(crate) readyz: Option<Result<Answer, Fault>>,
    /// Only where `/readyz` is not well.
    pub(crate) livez: Option<Result<Answer, Fault>>,
    /// A request that is not exempt from priority and fairness, for the node's own lease.
    pub(crate) small: Option<Result<Answer, Fault>>,
    pub(crate) large: Option<&'static str>,
    /// What `/readyz/etcd` alone says, where `/readyz` as a whole takes too long.
    pub(crate) etcd: Option<bool>,
    /// What `/readyz?verbose` lists as passed.
    pub(crate) passed: Vec<String>,
    /// The other addresses of the name, and what they failed with.
    pub(crate) others: Vec<(SocketAddr, Option<Fault>)>,
}

/// How much is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Everything.
    Full,
    /// One connection and one request.
    Light,
}

/// Walks the whole way.
pub(crate) async fn walk(host: &Host, plan: Plan, node: Option<&str>, depth: Depth, budget: &Budget) -> Outcome {
    let mut outcome = Outcome {
        plan,
        trace: Trace::default(),
        fault: None,
        protocol: None,
        max_streams: None,
        readyz: None,
        livez: None,
        small: None,
        large: None,
        etcd: None,
        passed: Vec::new(),
        others: Vec::new(),
    };
    if let Err(fault) = dial::addresses(host, &outcome.plan, budget, &mut outcome.trace).await {
        outcome.fault = Some(fault);
        return outcome;
    }
    let sparing = depth == Depth::Light;
    match dial::open(&outcome.plan, None, sparing, budget, &mut outcome.trace).await {
        Ok(session) => {
            let others = others(&outcome, depth);
            let compared = compare(&outcome.plan, &others, budget);
            let (compared, asked) = tokio::join!(
                compared,
                ask(session, &outcome.plan, (node, depth), (&outcome.trace, budget))
            );
            outcome.others = compared;
            asked.into(&mut outcome);
        }
        Err(fault) => {
            if fault.error == "tls-handshake-timeout" && depth == Depth::Full && answers_plainly(&outcome, budget).await
            {
                outcome.large = Some("timed-out");
            }
            if fault.stage >= Stage::Tls {
                let others = others(&outcome, depth);
                outcome.others = compare(&outcome.plan, &others, budget).await;
            }
            outcome.fault = Some(fault);
        }
    }
    outcome
}

#[derive(Debug, Default)]
struct Asked {
    protocol: Option<&'static str>,
    max_streams: Option<u32>,
    readyz: Option<Result<Answer, Fault>>,
    livez: Option<Result<Answer, Fault>>,
    small: Option<Result<Answer, Fault>>,
    large: Option<&'static str>,
    passed: Vec<String>,
    etcd: Option<bool>,
}

impl Asked {
    fn into(self, outcome: &mut Outcome) {
        outcome.protocol = self.protocol;
        outcome.max_streams = self.max_streams;
        outcome.readyz = self.readyz;
        outcome.livez = self.livez;
        outcome.small = self.small;
        outcome.large = self.large;
        outcome.passed = self.passed;
        outcome.etcd = self.etcd;
    }
}

async fn ask(
    mut session: Session,
    plan: &Plan,
    (node, depth): (Option<&str>, Depth),
    (trace, budget): (&Trace, &Budget),
) -> Asked {
    let token = plan.token.as_ref().filter(|_| trace.good);
    let mut asked = Asked {
        protocol: Some(session.protocol()),
        ..Asked::default()
    };
    let readyz = session.get(&get("/readyz", token), budget).await;
    asked.max_streams = session.max_streams();
    let well = readyz.as_ref().is_ok_and(|a| readiness_error(a).is_none());
    asked.readyz = Some(readyz);
    if depth == Depth::Light {
        return asked;
    }
    let answered = asked.readyz.as_ref().is_some_and(Result::is_ok);
    if answered || session.is_usable() {
        let path = lease_path(node);
        asked.small = Some(get_again(&mut session, &get(&path, token), plan, (trace, budget)).await);
    }
    if asked
        .readyz
        .as_ref()
        .is_some_and(|r| r.as_ref().is_err_and(|f| f.error == "timed-out"))
    {
        // The checks run one after the other, and two of them wait two seconds each for a store that is away
        // (kube-apiserver's `--etcd-readycheck-timeout`): the one that matters is asked by itself.
        let etcd = get_again(&mut session, &get("/readyz/etcd", token), plan, (trace, budget)).await;
        asked.etcd = etcd
            .ok()
            .filter(|a| a.status == 200 || a.status >= 500)
            .map(|a| a.status == 200);
    } else if !well {
        asked.livez = Some(get_again(&mut session, &get("/livez", token), plan, (trace, budget)).await);
    }
    if answered {
        let ask = Ask {
            padding: PADDING,
            ..get("/readyz?verbose", token)
        };
        let large = get_again(&mut session, &ask, plan, (trace, budget)).await;
        asked.passed = large.as_ref().map(|a| a.checks().passed).unwrap_or_default();
        asked.large = Some(match large {
            Ok(_) => "ok",
            Err(fault) if fault.error == "timed-out" => "timed-out",
            Err(_) => "failed",
        });
    }
    asked
}

/// Asks, and once more over a new connection where the server has closed this one in the meantime: since 1.29 it does so
/// after each HTTP/2 request without credentials (Kubernetes feature `UnauthenticatedHTTP2DOSMitigation`).
async fn get_again(
    session: &mut Session,
    ask: &Ask<'_>,
    plan: &Plan,
    (trace, budget): (&Trace, &Budget),
) -> Result<Answer, Fault> {
    let first = session.get(ask, budget).await;
    match &first {
        Err(fault) if fault.error != "timed-out" => {}
        _ => return first,
    }
    let mut again = Trace {
        addresses: trace.address.into_iter().collect(),
        ..Trace::default()
    };
    match dial::open(plan, None, true, budget, &mut again).await {
        Ok(mut fresh) => fresh.get(ask, budget).await,
        Err(_) => first,
    }
}

fn get<'a>(path: &'a str, token: Option<&'a Zeroizing<String>>) -> Ask<'a> {
    Ask {
        path,
        token,
        padding: 0,
        limit: BODY,
    }
}

/// The path of the node's own lease; of the API's versions where the node's name is not known or is none (RFC 1123).
pub(crate) fn lease_path(node: Option<&str>) -> String {
    match node.filter(|name| is_name(name)) {
        Some(node) => format!("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{node}"),
        None => "/api".to_owned(),
    }
}

/// A name of an object as Kubernetes allows it; nothing else may get into a path.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 253
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-')
}

fn others(outcome: &Outcome, depth: Depth) -> Vec<SocketAddr> {
    let used = outcome.trace.address;
    let direct = outcome.plan.way == Way::Direct && depth == Depth::Full;
    outcome
        .trace
        .addresses
        .iter()
        .copied()
        .filter(|a| direct && Some(*a) != used)
        .collect()
}

/// What each of the other addresses says to `/readyz`.
async fn compare(plan: &Plan, others: &[SocketAddr], budget: &Budget) -> Vec<(SocketAddr, Option<Fault>)> {
    join_all(others.iter().map(|address| async move {
        let mut trace = Trace {
            addresses: vec![*address],
            ..Trace::default()
        };
        let answer = match dial::open(plan, None, true, budget, &mut trace).await {
            Ok(mut session) => session.get(&get("/readyz", None), budget).await,
            Err(fault) => Err(fault),
        };
        let fault = match answer {
            Ok(answer) => readiness_error(&answer).map(|error| Fault::new(Stage::Done, error, answer.took)),
            Err(fault) => Some(fault),
        };
        (*address, fault)
    }))
    .await
}

/// A handshake that hangs is a server that hangs or a path that loses full-sized packets. Go's TLS server answers a few
/// plain bytes with a few plain bytes ("Client sent an HTTP request to an HTTPS server"): where that comes at once, small
/// packets pass and the server is alive.
async fn answers_plainly(outcome: &Outcome, budget: &Budget) -> bool {
    let (Some(address), Way::Direct) = (outcome.trace.address, &outcome.plan.way) else {
        return false;
    };
    let Ok((mut stream, _)) = connect::one(address, budget).await else {
        return false;
    };
    let exchange = async {
        stream.write_all(b"GET /readyz HTTP/1.0\r\n\r\n").await?;
        let mut byte = [0; 1];
        stream.read(&mut byte).await
    };
    let limit = budget.stage().min(Duration::from_secs(2));
    matches!(tokio::time::timeout(limit, exchange).await, Ok(Ok(1)))
}
