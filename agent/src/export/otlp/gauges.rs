//! A few gauges for collectors that nothing scrapes for: what the caller hands over, at an interval. What can't be sent
//! is not kept: the next round says how things are then.

use std::rc::Rc;
use std::time::Duration;

use tokio::sync::watch;

use super::endpoint::Endpoint;
use super::message::{
    Gauge, KeyValue, Metric, MetricsRequest, Number, NumberDataPoint, Resource, ResourceMetrics, ScopeMetrics,
};
use super::post::{Outcome, Post};
use super::record::nanoseconds;
use super::resource::{SCHEMA_URL, scope};
use crate::clock::Clock;
use crate::export::client::resolve::Resolver;
use crate::export::pace::chance;
use crate::export::tally::Tally;
use crate::host::Host;
use crate::model::time::Timestamp;

/// One point of a gauge.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Name, `whynotready.heartbeat_age`.
    pub name: &'static str,
    /// Unit by UCUM: `s`, `1`.
    pub unit: &'static str,
    /// Value.
    pub value: f64,
    /// Attributes: ids, never free text.
    pub attributes: Vec<(&'static str, String)>,
}

/// What the worker needs.
#[derive(Debug)]
pub struct Setup {
    /// Where to.
    pub endpoint: Endpoint,
    /// Who sends.
    pub resource: Resource,
    /// This program's version.
    pub version: String,
    /// Names.
    pub resolver: Resolver,
    /// As for logs.
    pub roots: Vec<Host>,
    /// The time.
    pub clock: Clock,
    /// Between rounds.
    pub interval: Duration,
}

/// The worker.
#[derive(Debug)]
pub struct Worker {
    post: Post,
    resource: Resource,
    version: String,
    clock: Clock,
    interval: Duration,
    tally: Rc<Tally>,
}

impl Worker {
    /// Nothing is sent yet.
    pub fn new(setup: Setup) -> Self {
        Self {
            post: Post::new(setup.endpoint, setup.resolver, setup.roots, setup.clock.clone()),
            resource: setup.resource,
            version: setup.version,
            clock: setup.clock,
            interval: setup.interval,
            tally: Rc::default(),
        }
    }

    /// Its counts: requests here, not changes.
    pub fn tally(&self) -> Rc<Tally> {
        self.tally.clone()
    }

    /// Sends what `points` gives, until `stop` is true or its sender is gone.
    pub async fn run(mut self, points: impl Fn() -> Vec<Point>, mut stop: watch::Receiver<bool>) {
        // Agents that start together do not send together.
        let mut wait = self.interval.mul_f64(chance());
        loop {
            if *stop.borrow() {
                return;
            }
            tokio::select! {
                changed = stop.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(wait) => {
                    self.round(points()).await;
                    wait = self.interval;
                }
            }
        }
    }

    async fn round(&mut self, points: Vec<Point>) {
        if points.is_empty() {
            return;
        }
        let message = request(&self.resource, &self.version, self.clock.now().wall, points);
        match self.post.send(&message).await {
            Outcome::Taken(0, _) => {
                Tally::add(&self.tally.delivered, 1);
                self.tally.worked();
            }
            Outcome::Taken(_, why) | Outcome::Refused(why) => {
                Tally::add(&self.tally.rejected, 1);
                *self.tally.trouble.borrow_mut() = why;
            }
            Outcome::Later(_, why) => {
                Tally::add(&self.tally.skipped, 1);
                *self.tally.trouble.borrow_mut() = why;
            }
        }
    }
}

/// One request with these points; points of one name are one gauge.
pub fn request(resource: &Resource, version: &str, now: Timestamp, points: Vec<Point>) -> MetricsRequest {
    let mut metrics: Vec<Metric> = Vec::new();
    for point in points {
        let data = NumberDataPoint {
            attributes: point
                .attributes
                .into_iter()
                .map(|(k, v)| KeyValue::text(k, v))
                .collect(),
            time_unix_nano: nanoseconds(now),
            value: Some(Number::AsDouble(point.value)),
        };
        match metrics.iter_mut().find(|m| m.name == point.name) {
            Some(metric) => metric.gauge.get_or_insert_default().data_points.push(data),
            None => metrics.push(Metric {
                name: point.name.to_owned(),
                description: String::new(),
                unit: point.unit.to_owned(),
                gauge: Some(Gauge {
                    data_points: vec![data],
                }),
            }),
        }
    }
    MetricsRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource.clone()),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(scope(version)),
                metrics,
                schema_url: SCHEMA_URL.to_owned(),
            }],
            schema_url: SCHEMA_URL.to_owned(),
        }],
    }
}
