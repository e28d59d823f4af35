//! Who gets the changes: a worker for each receiver that is configured, all fed by the outbox.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_local};

use super::keeping::Identity;
use crate::clock::Clock;
use crate::config::Config;
use crate::export::client::resolve::Resolver;
use crate::export::client::trust::TlsFiles;
use crate::export::kubernetes::access::{Access, SERVICE_ACCOUNT};
use crate::export::kubernetes::condition::Standing;
use crate::export::kubernetes::event::Node;
use crate::export::kubernetes::gate::Gate;
use crate::export::kubernetes::{condition_worker, events_worker};
use crate::export::otlp::endpoint::{Endpoint, Signal, Wishes, endpoint};
use crate::export::otlp::gauges::Point;
use crate::export::otlp::resource::{Sender, resource};
use crate::export::otlp::{gauges, logs};
use crate::export::pace::Waits;
use crate::export::tally::Tally;
use crate::host::Host;
use crate::outbox::handle::Handle;
use crate::outbox::sink::Sink;

/// What the configuration and the environment ask for.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    logs: Option<Endpoint>,
    gauges: Option<(Endpoint, std::time::Duration)>,
    api: Option<Access>,
    events: bool,
    condition: bool,
}

/// Counts of the workers, by sink.
pub type Tallies = Rc<RefCell<Vec<(&'static str, Rc<Tally>)>>>;

impl Plan {
    /// The plan, or everything that is wrong with it.
    pub fn of(config: &Config, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, Vec<String>> {
        let mut faults = Vec::new();
        let wishes = wishes(config);
        let mut ask = |signal| match endpoint(signal, &wishes, env) {
            Ok(found) => found,
            Err(more) => {
                faults.extend(more);
                None
            }
        };
        let logs = ask(Signal::Logs);
        let gauges = config
            .otlp
            .metrics
            .and_then(|every| Some((ask(Signal::Metrics)?, every)));
        let mut plan = Self {
            logs,
            gauges,
            ..Self::default()
        };
        if config.api && (config.events || config.condition) {
            match Access::in_pod(env, Path::new(SERVICE_ACCOUNT)) {
                Ok(access) => {
                    plan.api = Some(access);
                    plan.events = config.events;
                    plan.condition = config.condition;
                }
                Err(why) => faults.push(format!("kubernetes.events, kubernetes.condition: {why}")),
            }
        }
        faults.dedup();
        if faults.is_empty() { Ok(plan) } else { Err(faults) }
    }

    /// Who is to get what is stored.
    pub fn sinks(&self) -> Vec<Sink> {
        let wanted = [
            (Sink::Otlp, self.logs.is_some()),
            (Sink::Events, self.events),
            (Sink::Condition, self.condition),
        ];
        wanted.into_iter().filter(|(_, is)| *is).map(|(sink, _)| sink).collect()
    }
}

fn wishes(config: &Config) -> Wishes {
    let otlp = &config.otlp;
    Wishes {
        endpoint: otlp.endpoint.clone(),
        headers: otlp.headers.clone().into_iter().collect(),
        gzip: Some(otlp.gzip),
        timeout: Some(otlp.timeout),
        tls: TlsFiles {
            ca: otlp.ca.clone(),
            certificate: otlp.certificate.clone(),
            key: otlp.key.clone(),
        },
    }
}

/// What the workers share.
pub struct Office {
    /// The plan.
    pub plan: Plan,
    /// What is to be delivered.
    pub outbox: Handle,
    /// The node's file system.
    pub host: Host,
    /// Which machine it is.
    pub(super) identity: Identity,
    /// The time.
    pub clock: Clock,
    /// Namespace and name of the agent's own pod.
    pub pod: Option<(String, String)>,
    /// How things are now.
    pub standing: watch::Receiver<Option<Standing>>,
    /// Set when it is to end.
    pub stop: watch::Receiver<bool>,
    /// Where the workers' counts go.
    pub tallies: Tallies,
}

impl Office {
    /// Starts the workers for this node. `points` are the gauges.
    pub fn open(
        self,
        node: &str,
        env: &dyn Fn(&str) -> Option<String>,
        points: impl Fn() -> Vec<Point> + 'static,
    ) -> Vec<JoinHandle<()>> {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let sender = Sender {
            version: version.clone(),
            node: node.to_owned(),
            machine_id: self.identity.machine,
            host_name: self.identity.host,
            pod: self.pod.clone(),
        };
        let resource = resource(&sender, env);
        let roots = vec![Host::at("/"), self.host.clone()];
        let mut tasks = Vec::new();
        let note = |sink: &'static str, tally| self.tallies.borrow_mut().push((sink, tally));
        if let Some(endpoint) = self.plan.logs {
            let worker = logs::Worker::new(logs::Setup {
                endpoint,
                resource: resource.clone(),
                version: version.clone(),
                resolver: Resolver::system(),
                roots: roots.clone(),
                clock: self.clock.clone(),
                waits: Waits::default(),
            });
            note(Sink::Otlp.word(), worker.tally());
            tasks.push(spawn_local(worker.run(self.outbox.clone(), self.stop.clone())));
        }
        if let Some((endpoint, interval)) = self.plan.gauges {
            let worker = gauges::Worker::new(gauges::Setup {
                endpoint,
                resource,
                version,
                resolver: Resolver::system(),
                roots,
                clock: self.clock.clone(),
                interval,
            });
            note("otlp-metrics", worker.tally());
            tasks.push(spawn_local(worker.run(points, self.stop.clone())));
        }
        let Some(access) = self.plan.api else { return tasks };
        let gate = Gate::new(Waits::default(), self.clock.clone());
        if self.plan.events {
            let node = Node {
                name: node.to_owned(),
                uid: None,
            };
            let worker = events_worker::Worker::new(access.clone(), gate.clone(), node, self.clock.clone());
            note(Sink::Events.word(), worker.tally());
            tasks.push(spawn_local(worker.run(self.outbox.clone(), self.stop.clone())));
        }
        if self.plan.condition {
            let worker = condition_worker::Worker::new(access, gate, node.to_owned(), self.clock, self.standing);
            note(Sink::Condition.word(), worker.tally());
            tasks.push(spawn_local(worker.run(self.outbox, self.stop)));
        }
        tasks
    }
}
