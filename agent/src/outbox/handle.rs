//! The outbox as several tasks of one thread share it: whoever waits for news is woken by what is stored.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::sync::watch;

use super::durable::{Outbox, Stored};
use super::sink::Sink;
use crate::clock::Clock;
use crate::model::change::{Change, Tier};

/// A shared outbox.
#[derive(Clone)]
pub struct Handle {
    outbox: Rc<RefCell<Outbox>>,
    news: watch::Sender<u64>,
    clock: Clock,
    /// How long its files were waited for, microseconds.
    held: Rc<Cell<u64>>,
}

impl Handle {
    /// Shares it.
    pub fn new(outbox: Outbox) -> Self {
        Self {
            clock: outbox.clock().clone(),
            outbox: Rc::new(RefCell::new(outbox)),
            news: watch::Sender::new(0),
            held: Rc::default(),
        }
    }

    /// [`Outbox::store`].
    pub fn store(&self, change: &Change) -> Tier {
        let tier = self.with(|o| o.store(change));
        self.news.send_modify(|n| *n = n.wrapping_add(1));
        tier
    }

    /// [`Outbox::pending`].
    pub fn pending(&self, sink: Sink, at_most: usize) -> Vec<Stored> {
        self.with(|o| o.pending(sink, at_most))
    }

    /// [`Outbox::delivered`].
    pub fn delivered(&self, sink: Sink, uid: &str) {
        self.with(|o| o.delivered(sink, uid));
    }

    /// Anything else of it. Must not be called from within itself.
    pub fn with<T>(&self, ask: impl FnOnce(&mut Outbox) -> T) -> T {
        let started = self.clock.now();
        let answer = ask(&mut self.outbox.borrow_mut());
        self.held.set(self.held.get() + self.clock.since(started));
        answer
    }

    /// How long the calling thread has stood still for it since the start, microseconds.
    pub fn held(&self) -> u64 {
        self.held.get()
    }

    /// Changes whenever something is stored.
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }
}
