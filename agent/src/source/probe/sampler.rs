//! The probe as a source: all targets at once, then what they came to.

use std::net::IpAddr;
use std::time::Duration;

use futures_util::future::join_all;

use super::budget::Budget;
use super::clock;
use super::proxy::Way;
use super::report;
use super::target::{Plan, Service, kubelet, peers};
use super::walk::{Depth, Outcome, walk};
use crate::grammar::fact::Kind;
use crate::source::dns;
use crate::source::look::{Look, Looking, Sampler, blocking};
use crate::source::scene::Scene;

const KINDS: &[Kind] = &[Kind::Probe, Kind::ApiCertificate, Kind::ApiSettings, Kind::ClockOffset];

/// The staged probe of the API server.
#[derive(Debug)]
pub struct ApiProbe {
    service: Option<Service>,
    depth: Depth,
}

impl ApiProbe {
    /// The whole probe: the kubelet's endpoint with all its addresses, the Service where there is one, other API servers.
    pub fn new(service: Option<Service>) -> Self {
        Self {
            service,
            depth: Depth::Full,
        }
    }

    /// One connection to the kubelet's endpoint and one request, for a healthy node.
    pub fn light() -> Self {
        Self {
            service: None,
            depth: Depth::Light,
        }
    }
}

impl Sampler for ApiProbe {
    fn name(&self) -> &'static str {
        "probe"
    }

    fn kinds(&self) -> &'static [Kind] {
        KINDS
    }

    fn budget(&self) -> Duration {
        Duration::from_secs(9)
    }

    fn look<'a>(&'a mut self, scene: &'a Scene) -> Looking<'a> {
        Box::pin(look(self, scene))
    }
}

async fn look(probe: &ApiProbe, scene: &Scene) -> Look {
    let mut look = Look::default();
    if !scene.allowed.api {
        for kind in KINDS {
            look.missed(*kind, "the API server may not be asked", Some("probe.api"));
        }
        return look;
    }
    let plans = plans(probe, scene, &mut look).await;
    let node = scene.world.node_name.as_deref();
    let budget = Budget::new(&scene.clock, scene.allowed.stage);
    let walks = plans
        .into_iter()
        .map(|plan| walk(&scene.host, plan, node, probe.depth, &budget));
    let outcomes = join_all(walks).await;
    for outcome in &outcomes {
        report::state(&mut look, outcome);
    }
    if !outcomes.iter().any(|o| o.plan.target == "kubelet") {
        for kind in [Kind::ApiCertificate, Kind::ApiSettings] {
            look.missed(kind, "the kubelet's endpoint was not probed", None);
        }
    }
    state_clock(&mut look, scene, &outcomes);
    look
}

fn state_clock(look: &mut Look, scene: &Scene, outcomes: &[Outcome]) {
    let answers: Vec<_> = outcomes
        .iter()
        .flat_map(|o| [&o.readyz, &o.small])
        .filter_map(|r| r.as_ref()?.as_ref().ok())
        .collect();
    let shown: Vec<_> = outcomes.iter().filter_map(|o| o.trace.judged.as_ref()).collect();
    clock::state(look, &scene.host, &scene.clock, &answers, &shown);
}

/// Whom to ask. Where the kubelet's own endpoint cannot be asked, that is said.
async fn plans(probe: &ApiProbe, scene: &Scene, look: &mut Look) -> Vec<Plan> {
    let (host, world, service) = (scene.host.clone(), scene.world.clone(), probe.service.clone());
    let full = probe.depth == Depth::Full;
    let found = blocking(move || {
        let own = kubelet(&host, &world).and_then(|plan| {
            let named = dialled(&plan).parse::<IpAddr>().is_err();
            if named && !dns::readable(&host) {
                return Err("the node's /etc/hosts and /etc/resolv.conf cannot be read".into());
            }
            Ok(plan)
        });
        let mut more: Vec<Plan> = service.iter().map(Service::plan).collect();
        if full {
            more.extend(peers(&host, &world));
        }
        (own, more)
    })
    .await;
    let Some((own, mut plans)) = found else {
        look.missed(Kind::Probe, "the plan of the probe failed", None);
        return Vec::new();
    };
    match own {
        Ok(plan) => match &plan.way {
            Way::Other(scheme) => {
                let reason = format!("the kubelet's proxy speaks {scheme}, which the probe does not");
                look.missed(Kind::Probe, reason, None);
            }
            Way::Direct | Way::Proxy(_) => plans.insert(0, plan),
        },
        Err(why) => look.missed(
            Kind::Probe,
            why,
            Some("read access to the kubelet's kubeconfig and to /etc of the node"),
        ),
    }
    plans
}

/// The name or address that is dialled.
fn dialled(plan: &Plan) -> &str {
    match &plan.way {
        Way::Proxy(proxy) => &proxy.host,
        Way::Direct | Way::Other(_) => &plan.endpoint.host,
    }
}
