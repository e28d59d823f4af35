//! Keeps the node's condition at what is found: written when it changes and, because nobody else marks it as stale, every
//! few minutes. Only the newest state is written; a change that another overtook is skipped.

use std::rc::Rc;
use std::time::Duration;

use tokio::sync::watch;

use super::access::Access;
use super::api::{Api, Outcome, STRATEGIC};
use super::condition::{Standing, Status, status_in};
use super::events_worker::stopped;
use super::gate::Gate;
use crate::clock::Clock;
use crate::export::pace::chance;
use crate::export::tally::Tally;
use crate::outbox::handle::Handle;
use crate::outbox::sink::Sink;

/// The heartbeat of the condition: 5 min, as the kubelet reports an unchanged status (`nodeStatusReportFrequency`). Each
/// write wakes every watcher of nodes.
const HEARTBEAT: Duration = Duration::from_mins(5);
/// Changes that are looked at in one go.
const LOOK: usize = 64;

/// The worker.
pub struct Worker {
    api: Api,
    gate: Gate,
    node: String,
    clock: Clock,
    standing: watch::Receiver<Option<Standing>>,
    /// What is to be written.
    wanted: Option<Standing>,
    /// What was written last by this run.
    written: Option<Standing>,
    tally: Rc<Tally>,
}

impl Worker {
    /// `standing`: how things are now, whenever that is another; `None` before anything is known. What the outbox holds
    /// from an earlier run is written until then.
    pub fn new(
        access: Access,
        gate: Gate,
        node: String,
        clock: Clock,
        standing: watch::Receiver<Option<Standing>>,
    ) -> Self {
        Self {
            api: Api::new(access, clock.clone()),
            gate,
            node,
            clock,
            standing,
            wanted: None,
            written: None,
            tally: Rc::default(),
        }
    }

    /// Its counts.
    pub fn tally(&self) -> Rc<Tally> {
        self.tally.clone()
    }

    /// Keeps the condition until `stop` is true or its sender is gone.
    pub async fn run(mut self, outbox: Handle, mut stop: watch::Receiver<bool>) {
        let mut news = outbox.news();
        let mut due = false;
        loop {
            let wait = tokio::select! {
                biased;
                () = stopped(&mut stop) => return,
                wait = self.deliver(&outbox, due) => wait,
            };
            due = false;
            let heartbeat = HEARTBEAT.mul_f64(1.0 + chance() / 10.0);
            tokio::select! {
                () = stopped(&mut stop) => return,
                () = tokio::time::sleep(wait.unwrap_or(heartbeat)) => due = wait.is_none(),
                changed = news.changed(), if wait.is_none() => if changed.is_err() { return },
                // A sender that is gone says no more; the outbox and the heartbeat go on.
                Ok(()) = self.standing.changed(), if wait.is_none() => {}
            }
        }
    }

    /// Writes what there is to write; gives how long to wait where that does not work.
    async fn deliver(&mut self, outbox: &Handle, due: bool) -> Option<Duration> {
        let changes = outbox.pending(Sink::Condition, LOOK);
        let newest = changes
            .iter()
            .map(|s| Standing::of(&s.change.diagnosis))
            .max_by_key(|s| s.at);
        let now = self.standing.borrow_and_update().clone();
        // Not the one with the latest time: a clock that was set back would hold an old one for ever.
        self.wanted = now.or(newest).or(self.wanted.take());
        if let Some(wanted) = self.wanted.clone() {
            let same = self
                .written
                .as_ref()
                .is_some_and(|w| (w.status, &w.reason, &w.message) == (wanted.status, &wanted.reason, &wanted.message));
            if (!same || due)
                && let Some(wait) = self.write(wanted).await
            {
                return Some(wait);
            }
        }
        for (nth, stored) in changes.iter().rev().enumerate() {
            outbox.delivered(Sink::Condition, &stored.change.uid);
            let count = if nth == 0 {
                &self.tally.delivered
            } else {
                &self.tally.skipped
            };
            Tally::add(count, 1);
        }
        // More than one look takes in.
        (changes.len() == LOOK).then_some(Duration::ZERO)
    }

    async fn write(&mut self, wanted: Standing) -> Option<Duration> {
        let gate = self.gate.clone();
        let pass = match gate.pass(&mut self.api).await {
            Ok(pass) => pass,
            Err(wait) => {
                self.tally.failed("the API server is not ready");
                return Some(wait);
            }
        };
        let outcome = match self.was().await {
            Ok(was) => {
                let patch = wanted.patch(was, self.clock.now().wall);
                let path = format!("/api/v1/nodes/{}/status", self.node);
                self.api.patch(&path, STRATEGIC, &patch).await
            }
            Err(outcome) => outcome,
        };
        match outcome {
            Outcome::Done(_) => {
                pass.worked();
                self.tally.worked();
                self.written = Some(wanted);
                None
            }
            // A node that is not there (yet) and a conflict are tried again like the rest: the state is kept anyway.
            Outcome::Exists => Some(pass.failed(false, None)),
            Outcome::Missing => {
                self.tally.failed("there is no such node");
                Some(pass.failed(false, None))
            }
            Outcome::Later(asked, why) => {
                self.tally.failed(why);
                Some(pass.failed(false, asked))
            }
            Outcome::Down(asked, why) => {
                self.tally.failed(why);
                Some(pass.failed(true, asked))
            }
            Outcome::Refused(why) => {
                pass.worked();
                Tally::add(&self.tally.rejected, 1);
                *self.tally.trouble.borrow_mut() = why;
                // The same again would be refused again.
                self.written = Some(wanted);
                None
            }
        }
    }

    /// The condition's status as it is: known from the last write, else asked for.
    async fn was(&mut self) -> Result<Option<Status>, Outcome> {
        if let Some(written) = &self.written {
            return Ok(Some(written.status));
        }
        match self.api.get(&format!("/api/v1/nodes/{}", self.node)).await {
            Outcome::Done(node) => Ok(status_in(&node)),
            outcome => Err(outcome),
        }
    }
}
