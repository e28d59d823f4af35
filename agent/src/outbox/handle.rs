//! The outbox as several tasks of one thread share it: whoever waits for news is woken by what is stored.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::sync::watch;

use super::durable::{Outbox, Stored};
use super::sink::Sink;
use crate::model::change::{Change, Tier};

/// A shared outbox.
#[derive(Clone)]
pub struct Handle {
    outbox: Rc<RefCell<Outbox>>,
    news: watch::Sender<u64>,
}

impl Handle {
    /// Shares it.
    pub fn new(outbox: Outbox) -> Self {
        Self {
            outbox: Rc::new(RefCell::new(outbox)),
            news: watch::Sender::new(0),
        }
    }

    /// [`Outbox::store`].
    pub fn store(&self, change: &Change) -> Tier {
        let tier = self.outbox.borrow_mut().store(change);
        self.news.send_modify(|n| *n = n.wrapping_add(1));
        tier
    }

    /// [`Outbox::pending`].
    pub fn pending(&self, sink: Sink, at_most: usize) -> Vec<Stored> {
        self.outbox.borrow_mut().pending(sink, at_most)
    }

    /// [`Outbox::delivered`].
    pub fn delivered(&self, sink: Sink, uid: &str) {
        self.outbox.borrow_mut().delivered(sink, uid);
    }

    /// Anything else of it. Must not be called from within itself.
    pub fn with<T>(&self, ask: impl FnOnce(&mut Outbox) -> T) -> T {
        ask(&mut self.outbox.borrow_mut())
    }

    /// Changes whenever something is stored.
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }
}
