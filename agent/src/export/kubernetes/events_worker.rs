//! Writes events: in order, at least once, repeats as a series, nothing that is older than events live.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::watch;

use super::access::Access;
use super::api::{Api, MERGE, Outcome};
use super::event::{Key, NAMESPACE, Node, event, key, name, series};
use super::gate::Gate;
use crate::clock::Clock;
use crate::export::tally::Tally;
use crate::model::change::Change;
use crate::model::time::{SECOND, Timestamp};
use crate::outbox::handle::Handle;
use crate::outbox::sink::Sink;

/// The API server keeps events for an hour (`--event-ttl`): an older one would be told as news.
const TOO_OLD: i64 = 3600 * SECOND;
/// A repeat within half an hour after the last one counts to the same series.
const SERIES: i64 = 1800 * SECOND;
/// Series that are remembered.
const REMEMBERED: usize = 64;

struct Series {
    name: String,
    count: u32,
    last: Timestamp,
    /// The change that was counted last, so that trying it again does not count it twice.
    uid: String,
}

/// The worker.
pub struct Worker {
    api: Api,
    gate: Gate,
    node: Node,
    clock: Clock,
    series: HashMap<Key, Series>,
    tally: Rc<Tally>,
}

impl Worker {
    /// Nothing is written yet.
    pub fn new(access: Access, gate: Gate, node: Node, clock: Clock) -> Self {
        Self {
            api: Api::new(access, clock.clone()),
            gate,
            node,
            clock,
            series: HashMap::new(),
            tally: Rc::default(),
        }
    }

    /// Its counts.
    pub fn tally(&self) -> Rc<Tally> {
        self.tally.clone()
    }

    /// Delivers until `stop` is true or its sender is gone. It does not hurry then: what is left is written by the next
    /// run.
    pub async fn run(mut self, outbox: Handle, mut stop: watch::Receiver<bool>) {
        let mut news = outbox.news();
        loop {
            let work = self.deliver(&outbox);
            let wait = tokio::select! {
                biased;
                () = stopped(&mut stop) => return,
                wait = work => wait,
            };
            tokio::select! {
                () = stopped(&mut stop) => return,
                () = tokio::time::sleep(wait.unwrap_or_default()), if wait.is_some() => {}
                changed = news.changed(), if wait.is_none() => if changed.is_err() { return },
            }
        }
    }

    async fn deliver(&mut self, outbox: &Handle) -> Option<Duration> {
        loop {
            let change = outbox.pending(Sink::Events, 1).pop()?.change;
            let age = self.clock.now().wall.0.saturating_sub(change.seen_at.0);
            let Some(key) = key(&change).filter(|_| age < TOO_OLD) else {
                Tally::add(&self.tally.skipped, 1);
                outbox.delivered(Sink::Events, &change.uid);
                continue;
            };
            if let Some(wait) = self.write(key, &change, outbox).await {
                return Some(wait);
            }
        }
    }

    /// Writes one; gives how long to wait where that does not work now.
    async fn write(&mut self, key: Key, change: &Change, outbox: &Handle) -> Option<Duration> {
        let gate = self.gate.clone();
        let pass = match gate.pass(&mut self.api).await {
            Ok(pass) => pass,
            Err(wait) => {
                self.tally.failed("the API server is not ready");
                return Some(wait);
            }
        };
        let outcome = self.send(&key, change).await;
        match outcome {
            Outcome::Done(_) | Outcome::Exists => {
                pass.worked();
                self.remember(key, change);
                Tally::add(&self.tally.delivered, 1);
                self.tally.worked();
            }
            Outcome::Later(asked, why) => {
                self.tally.failed(why);
                return Some(pass.failed(false, asked));
            }
            Outcome::Down(asked, why) => {
                self.tally.failed(why);
                return Some(pass.failed(true, asked));
            }
            Outcome::Missing | Outcome::Refused(_) => {
                pass.worked();
                Tally::add(&self.tally.rejected, 1);
                if let Outcome::Refused(why) = outcome {
                    *self.tally.trouble.borrow_mut() = why;
                }
            }
        }
        outbox.delivered(Sink::Events, &change.uid);
        None
    }

    /// One more of a series, or a new event.
    async fn send(&mut self, key: &Key, change: &Change) -> Outcome {
        let path = format!("/apis/events.k8s.io/v1/namespaces/{NAMESPACE}/events");
        let running = self.series.get(key).filter(|s| change.at.0 - s.last.0 < SERIES);
        if let Some(series_of) = running {
            let again = series_of.uid == change.uid;
            let count = series_of.count + u32::from(!again);
            let last = change.at.max(series_of.last);
            let patch = series(count, last);
            let outcome = self
                .api
                .patch(&format!("{path}/{}", series_of.name), MERGE, &patch)
                .await;
            // Its time to live was over: it begins anew.
            if !matches!(outcome, Outcome::Missing) {
                return outcome;
            }
            self.series.remove(key);
        }
        match event(change, &self.node) {
            Some(event) => self.api.post(&path, &event).await,
            None => Outcome::Refused("no event for this change".to_owned()),
        }
    }

    fn remember(&mut self, key: Key, change: &Change) {
        if let Some(series) = self.series.get_mut(&key).filter(|s| change.at.0 - s.last.0 < SERIES) {
            series.count += u32::from(series.uid != change.uid);
            series.last = series.last.max(change.at);
            series.uid.clone_from(&change.uid);
            return;
        }
        if self.series.len() >= REMEMBERED {
            let oldest = self.series.iter().min_by_key(|(_, s)| s.last).map(|(k, _)| k.clone());
            oldest.and_then(|k| self.series.remove(&k));
        }
        self.series.insert(
            key,
            Series {
                name: name(&self.node, &change.uid),
                count: 1,
                last: change.at,
                uid: change.uid.clone(),
            },
        );
    }
}

/// Returns when it is time to stop.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error is a sender that is gone.
    let _ = stop.wait_for(|stop| *stop).await;
}
