//! The heartbeat as a source: whose credentials, one connection, then what the answers say.

use std::time::Duration;

use super::credentials::{self, Shown};
use super::objects;
use crate::grammar::fact::{Fact, Kind};
use crate::source::look::{Look, Looking, Sampler, blocking};
use crate::source::probe::budget::Budget;
use crate::source::probe::dial::{self, Trace};
use crate::source::probe::fault::Fault;
use crate::source::probe::proxy::Way;
use crate::source::probe::request::{Answer, Ask, Session};
use crate::source::probe::target::{Plan, Service, kubelet};
use crate::source::probe::tls::ClientCertificate;
use crate::source::probe::walk::{is_name, lease_path};
use crate::source::scene::Scene;

/// Where the heartbeat could not be read; a request that fails is a statement of kind `probe` besides.
/// What it reads; without anything to show to the API server each of them is a gap.
const READ: &[Kind] = &[Kind::Lease, Kind::NodeObject, Kind::Identity];
/// Beside that, an answer that the kubelet would get as well is stated as one of the probe's.
const KINDS: &[Kind] = &[Kind::Lease, Kind::NodeObject, Kind::Identity, Kind::Probe];
/// What lets it read.
const GRANT: &str = "probe.as_kubelet, or a service account that may get leases and nodes";
/// A Node object with fifty images is 50 KiB.
const BODY: usize = 2 << 20;

/// Reads the node's Lease and Node object.
#[derive(Debug)]
pub struct Heartbeat {
    service: Option<Service>,
    light: bool,
}

impl Heartbeat {
    /// Lease and Node, from etcd itself. `service` is the pod's service account, where there is one.
    pub fn new(service: Option<Service>) -> Self {
        Self { service, light: false }
    }

    /// The Lease alone and from the API server's cache: one connection, one request.
    pub fn light(service: Option<Service>) -> Self {
        Self { service, light: true }
    }
}

impl Sampler for Heartbeat {
    fn name(&self) -> &'static str {
        "lease"
    }

    fn kinds(&self) -> &'static [Kind] {
        KINDS
    }

    fn budget(&self) -> Duration {
        Duration::from_secs(9)
    }

    fn look<'a>(&'a mut self, scene: &'a Scene) -> Looking<'a> {
        Box::pin(async move {
            let mut look = Look::default();
            let (Ok((why, grant)) | Err((why, grant))) = read(self, scene, &mut look).await;
            // What a light look leaves out is known from the whole one, as far as it is.
            for kind in if self.light { &READ[..1] } else { READ } {
                let known = look.readings.iter().flat_map(|r| &r.facts).any(|f| f.kind == *kind);
                if !known && !look.blind.iter().any(|b| b.kind == *kind) {
                    look.missed(*kind, why.clone(), grant);
                }
            }
            look
        })
    }
}

/// Why something could not be read, and what would help.
type Cannot = (String, Option<&'static str>);

/// Whom to ask, with what, as whom.
struct Access {
    plan: Plan,
    shown: Shown,
    as_kubelet: bool,
}

/// Reads; what comes back is for the kinds of which nothing was said.
async fn read(heartbeat: &Heartbeat, scene: &Scene, look: &mut Look) -> Result<Cannot, Cannot> {
    if !scene.allowed.api {
        return Err(("the API server may not be asked".into(), Some("probe.api")));
    }
    let node = scene.world.node_name.clone().filter(|n| is_name(n));
    let node = node.ok_or(("the node's name is not known".to_owned(), None))?;
    let access = access(heartbeat, scene).await?;
    if !access.as_kubelet {
        look.missed(
            Kind::Identity,
            "the kubelet's own credentials may not be used",
            Some("probe.as_kubelet"),
        );
    }
    let budget = Budget::new(&scene.clock, scene.allowed.stage);
    let (plan, as_kubelet) = (access.plan.clone(), access.as_kubelet);
    let (mut session, token) = connect(access, scene, &budget).await?;
    let mut ask = Asking {
        look,
        plan: &plan,
        as_kubelet,
        node: &node,
    };
    let path = lease_path(Some(&node));
    let cached = if heartbeat.light { "?resourceVersion=0" } else { "" };
    let answer = session
        .get(&get(&format!("{path}{cached}"), token.as_ref()), &budget)
        .await;
    if let Some(answer) = ask.served(Kind::Lease, answer) {
        objects::lease(ask.look, &answer, &node, scene.clock.now());
    }
    if heartbeat.light || !session.is_usable() {
        return Ok(("not asked in this look".into(), None));
    }
    let answer = session
        .get(&get(&format!("/api/v1/nodes/{node}"), token.as_ref()), &budget)
        .await;
    if let Some(answer) = ask.served(Kind::NodeObject, answer) {
        let (host, name) = (scene.host.clone(), node.clone());
        let stated = blocking(move || {
            let mut look = Look::default();
            objects::node(&mut look, &answer, &name, &host);
            look
        });
        let stated = stated.await.unwrap_or_default();
        look.readings.extend(stated.readings);
        look.blind.extend(stated.blind);
    }
    Ok(("the API server did not say".into(), None))
}

/// The kubelet's own credentials where they are allowed and can be had, else the service account's token.
async fn access(heartbeat: &Heartbeat, scene: &Scene) -> Result<Access, Cannot> {
    let (host, world, service) = (scene.host.clone(), scene.world.clone(), heartbeat.service.clone());
    let as_kubelet = scene.allowed.as_kubelet;
    let found = blocking(move || {
        let mut why = None;
        if as_kubelet {
            match kubelet(&host, &world).and_then(|plan| Ok((plan, credentials::of_kubelet(&host, &world)?))) {
                Ok((plan, shown)) => {
                    return Ok(Access {
                        plan,
                        shown,
                        as_kubelet: true,
                    });
                }
                Err(reason) => why = Some(reason),
            }
        }
        let account = service.and_then(|s| Some((s.token()?, s.plan())));
        match account {
            Some((token, plan)) => Ok(Access {
                plan,
                shown: Shown::Token(token),
                as_kubelet: false,
            }),
            None => Err((
                why.unwrap_or_else(|| "nothing to show to the API server".into()),
                Some(GRANT),
            )),
        }
    });
    found.await.unwrap_or(Err(("reading credentials failed".into(), None)))
}

/// A connection on which the credentials may be shown.
async fn connect(
    access: Access,
    scene: &Scene,
    budget: &Budget,
) -> Result<(Session, Option<zeroize::Zeroizing<String>>), Cannot> {
    let plan = access.plan;
    if let Way::Other(scheme) = &plan.way {
        return Err((
            format!("the kubelet's proxy speaks {scheme}, which the probe does not"),
            None,
        ));
    }
    let (client, token) = match access.shown {
        Shown::Certificate(certified) => (Some(ClientCertificate(certified)), None),
        Shown::Token(token) => (None, Some(token)),
    };
    let mut trace = Trace::default();
    let unreached = |fault: Fault| {
        (
            format!(
                "the API server was not reached: {} {}",
                fault.stage.word(),
                fault.words()
            ),
            None,
        )
    };
    dial::addresses(&scene.host, &plan, budget, &mut trace)
        .await
        .map_err(unreached)?;
    let session = dial::open(&plan, client, true, budget, &mut trace)
        .await
        .map_err(unreached)?;
    if !trace.good {
        let error = trace.judged.and_then(|j| j.error).unwrap_or("no known CA");
        return Err((
            format!("no credential is shown to a server whose certificate is no good ({error})"),
            None,
        ));
    }
    Ok((session, token))
}

fn get<'a>(path: &'a str, token: Option<&'a zeroize::Zeroizing<String>>) -> Ask<'a> {
    Ask {
        path,
        token,
        padding: 0,
        limit: BODY,
    }
}

/// Where the answers go.
struct Asking<'a> {
    look: &'a mut Look,
    plan: &'a Plan,
    as_kubelet: bool,
    node: &'a str,
}

impl Asking<'_> {
    /// The answer where it tells something of the object: it is there or it is not. Everything else is stated here.
    fn served(&mut self, kind: Kind, answer: Result<Answer, Fault>) -> Option<Answer> {
        let answer = match answer {
            Ok(answer) => answer,
            Err(fault) => {
                self.failed(kind, fault.stage.word(), fault.error, None);
                return None;
            }
        };
        match answer.status {
            // The name space of leases is gone, or the object is: both is a lease that is not there.
            200 | 404 if answer.status == 200 || answer.is_api_server() => {
                self.identity("yes", &answer);
                return Some(answer);
            }
            401 | 403 if self.as_kubelet => self.identity("no", &answer),
            401 | 403 => {
                let why = if answer.status == 401 {
                    "token is not accepted"
                } else {
                    "account may not"
                };
                let what = if kind == Kind::Lease { "leases" } else { "nodes" };
                let reason = format!("the service account's {why} ({}, get {what})", answer.status);
                self.look.missed(kind, reason, Some(GRANT));
            }
            status => {
                let error = answer.error().unwrap_or("other");
                self.failed(kind, "done", error, Some(status));
            }
        }
        None
    }

    /// What the kubelet gets for its credentials; said once, and again only where it turns bad.
    fn identity(&mut self, ok: &'static str, answer: &Answer) {
        let said = self.look.readings.iter().any(|r| {
            r.facts
                .iter()
                .any(|f| f.kind == Kind::Identity && f.text("ok") == Some(ok))
        });
        if !self.as_kubelet || said {
            return;
        }
        let message = answer.message().unwrap_or_default();
        let message: String = message.chars().take(300).collect();
        let mut fact = Fact::new(Kind::Identity)
            .with("ok", ok)
            .with_int("status", i64::from(answer.status));
        let mut text = match answer.status {
            401 => {
                fact = fact.with("error", "unauthorized");
                "the API server does not accept the kubelet's credentials (401)".to_owned()
            }
            403 => {
                fact = fact.with("error", "forbidden");
                format!("the kubelet may not read its own objects of node {} (403)", self.node)
            }
            _ => "the API server accepts the kubelet's credentials".to_owned(),
        };
        if ok == "no" && !message.is_empty() {
            text.push_str(&format!(": {message}"));
            fact = fact.with_text("message", message);
        }
        self.look.saw(text, fact);
    }

    /// An authenticated read that fails is what the kubelet gets, unless only this service account is throttled.
    fn failed(&mut self, kind: Kind, stage: &'static str, error: &'static str, status: Option<u16>) {
        let told = status.map_or_else(String::new, |s| format!(" {s}"));
        let what = if kind == Kind::Lease { "lease" } else { "node" };
        let text = format!(
            "reading {what} {} as {}:{told} {}",
            self.node,
            self.who(),
            error.replace('-', " ")
        );
        self.look.missed(kind, text.clone(), None);
        if !self.as_kubelet && error == "too-many-requests" {
            return;
        }
        let mut fact = Fact::new(Kind::Probe)
            .with("target", self.plan.target)
            .with(
                "via",
                if self.plan.way == Way::Direct {
                    "direct"
                } else {
                    "proxy"
                },
            )
            .with("ok", "no")
            .with("stage", stage)
            .with("error", error)
            .with_text("host", &*self.plan.endpoint.host)
            .with_int("port", i64::from(self.plan.endpoint.port))
            .with("scope", self.plan.endpoint.scope());
        if let Some(status) = status {
            fact = fact.with_int("status", i64::from(status));
        }
        self.look.saw(text, fact);
    }

    fn who(&self) -> &'static str {
        if self.as_kubelet {
            "the kubelet"
        } else {
            "the service account"
        }
    }
}
