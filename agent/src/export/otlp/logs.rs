//! Delivers changes to the collector: in order, at least once, with their original times.

use std::rc::Rc;

use tokio::sync::watch;

use super::endpoint::Endpoint;
use super::message::Resource;
use super::post::{Outcome, Post};
use super::record::request;
use crate::clock::Clock;
use crate::export::client::resolve::Resolver;
use crate::export::pace::{Backoff, Waits};
use crate::export::tally::Tally;
use crate::host::Host;
use crate::outbox::durable::Stored;
use crate::outbox::handle::Handle;
use crate::outbox::sink::Sink;

/// Changes in one request. A diagnosis is some 30 kB of JSON.
const BATCH: usize = 16;

/// What the worker needs.
#[derive(Debug)]
pub struct Setup {
    /// Where to.
    pub endpoint: Endpoint,
    /// Who sends.
    pub resource: Resource,
    /// This program's version.
    pub version: String,
    /// Names; [`Resolver::system`] where there is no better one.
    pub resolver: Resolver,
    /// File systems to look for the system's trusted certificates in: this process's, then the node's.
    pub roots: Vec<Host>,
    /// The time.
    pub clock: Clock,
    /// Between tries.
    pub waits: Waits,
}

/// The worker.
#[derive(Debug)]
pub struct Worker {
    post: Post,
    resource: Resource,
    version: String,
    waits: Waits,
    tally: Rc<Tally>,
}

impl Worker {
    /// Nothing is sent yet.
    pub fn new(setup: Setup) -> Self {
        Self {
            post: Post::new(setup.endpoint, setup.resolver, setup.roots, setup.clock),
            resource: setup.resource,
            version: setup.version,
            waits: setup.waits,
            tally: Rc::default(),
        }
    }

    /// Its counts.
    pub fn tally(&self) -> Rc<Tally> {
        self.tally.clone()
    }

    /// Delivers until `stop` is true or its sender is gone; what is there then is tried once more. What a request takes
    /// is bounded by the endpoint's timeout; who can't wait drops the task: nothing is lost by that.
    pub async fn run(mut self, outbox: Handle, mut stop: watch::Receiver<bool>) {
        let mut news = outbox.news();
        let mut backoff = Backoff::new(self.waits);
        loop {
            let stopping = *stop.borrow() || stop.has_changed().is_err();
            let wait = self.deliver(&outbox, &mut backoff).await;
            if stopping {
                return;
            }
            tokio::select! {
                _ = stop.changed() => {}
                () = tokio::time::sleep(wait.unwrap_or_default()), if wait.is_some() => {}
                changed = news.changed(), if wait.is_none() => if changed.is_err() { return },
            }
        }
    }

    /// Delivers what there is; gives how long to wait where that does not work.
    async fn deliver(&mut self, outbox: &Handle, backoff: &mut Backoff) -> Option<std::time::Duration> {
        let mut at_most = BATCH;
        loop {
            let batch = outbox.pending(Sink::Otlp, at_most);
            if batch.is_empty() {
                return None;
            }
            let message = request(&self.resource, &self.version, &batch);
            match self.post.send(&message).await {
                Outcome::Taken(rejected, why) => {
                    let rejected = rejected.min(batch.len());
                    Tally::add(&self.tally.delivered, batch.len() - rejected);
                    Tally::add(&self.tally.rejected, rejected);
                    self.tally.worked();
                    if rejected > 0 {
                        *self.tally.trouble.borrow_mut() = format!("the collector threw away {rejected}: {why}");
                    }
                    done(outbox, &batch);
                    backoff.reset();
                    at_most = BATCH;
                }
                // One of them may be what is refused: they are sent one by one.
                Outcome::Refused(_) if batch.len() > 1 => at_most = 1,
                Outcome::Refused(why) => {
                    Tally::add(&self.tally.rejected, 1);
                    *self.tally.trouble.borrow_mut() = why;
                    done(outbox, &batch);
                    backoff.reset();
                }
                Outcome::Later(asked, why) => {
                    self.tally.failed(why);
                    return Some(backoff.wait(asked));
                }
            }
        }
    }
}

fn done(outbox: &Handle, batch: &[Stored]) {
    for stored in batch {
        outbox.delivered(Sink::Otlp, &stored.change.uid);
    }
}
