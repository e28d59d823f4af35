//! One look of one source, and the wrapper that every source runs in: a time budget, a gap where it could not look, its
//! success and duration.

use std::panic::Location;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::scene::Scene;
use crate::grammar::fact::{Fact, Kind};
use crate::model::time::Timestamp;

/// A look that is under way.
pub type Looking<'a> = Pin<Box<dyn Future<Output = Look> + Send + 'a>>;

/// A vantage point that is asked again and again.
pub trait Sampler: Send {
    /// Its name in metrics, gaps and evidence: kebab-case.
    fn name(&self) -> &'static str;

    /// What it may state; where it runs out of time each of them is a gap.
    fn kinds(&self) -> &'static [Kind];

    /// How long one look may take.
    fn budget(&self) -> Duration;

    /// Looks once. What is observed failed is a reading; where it could not look is [`Blind`]. Never panics, never waits
    /// without an end: what may block for ever (a file system that hangs) goes through [`blocking`].
    fn look<'a>(&'a mut self, scene: &'a Scene) -> Looking<'a>;
}

/// What one look gave.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Look {
    /// What was seen, well or not.
    pub readings: Vec<Reading>,
    /// What could not be looked at.
    pub blind: Vec<Blind>,
}

/// One statement of a source.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// In words and figures with units, as a person reads it under EVIDENCE. No secret, no line break.
    pub text: String,
    /// The same, typed.
    pub facts: Vec<Fact>,
    /// Since when it is so, where that is known: a certificate's end, the moment at which a unit entered its state.
    pub began: Option<Timestamp>,
}

/// What a source could not look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blind {
    /// What kind of fact is unknown for it.
    pub kind: Kind,
    /// Why, in words.
    pub reason: String,
    /// What would let it look: a flag, a mount, a user.
    pub grant: Option<String>,
}

impl Reading {
    /// A statement with one fact.
    pub fn new(text: impl Into<String>, fact: Fact) -> Self {
        Self {
            text: text.into(),
            facts: vec![fact],
            began: None,
        }
    }

    /// Since when.
    #[must_use]
    pub fn since(mut self, began: Timestamp) -> Self {
        self.began = Some(began);
        self
    }
}

impl Look {
    /// Adds a statement.
    pub fn saw(&mut self, text: impl Into<String>, fact: Fact) {
        self.readings.push(Reading::new(text, fact));
    }

    /// Adds what could not be looked at.
    pub fn missed(&mut self, kind: Kind, reason: impl Into<String>, grant: Option<&str>) {
        self.blind.push(Blind {
            kind,
            reason: reason.into(),
            grant: grant.map(str::to_owned),
        });
    }
}

/// How a look went.
#[derive(Debug, Clone, PartialEq)]
pub struct Done {
    /// The source.
    pub source: &'static str,
    /// What it gave.
    pub look: Look,
    /// How long it took, microseconds.
    pub took: u64,
    /// False where it ran out of time.
    pub in_time: bool,
}

/// Runs one look within its budget, and within what is left of `limit`.
pub async fn run(sampler: &mut dyn Sampler, scene: &Scene, limit: Duration) -> Done {
    let started = scene.clock.now();
    let (source, kinds, budget) = (sampler.name(), sampler.kinds(), sampler.budget().min(limit));
    let result = tokio::time::timeout(budget, sampler.look(scene)).await;
    let in_time = result.is_ok();
    let look = result.unwrap_or_else(|_| {
        let mut look = Look::default();
        for kind in kinds {
            look.missed(*kind, format!("{source} did not answer within {budget:?}"), None);
        }
        look
    });
    Done {
        source,
        look,
        took: scene.clock.since(started),
        in_time,
    }
}

/// Runs what may block on a thread of its own, so that the time budget holds. Where it never returns, the thread is lost
/// and the look is a gap. `None` where it panicked, or where a thread that was lost from the same place in this program
/// still hangs: a disk that hangs costs one thread for each of them, not one for each look.
#[track_caller]
pub fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> impl Future<Output = Option<T>> + Send {
    let place = Location::caller();
    async move {
        if with_lost(|lost| lost.contains(&place)) {
            return None;
        }
        let state = Arc::new(AtomicU8::new(RUNNING));
        let watch = Awaited {
            place,
            state: Arc::clone(&state),
        };
        let done = tokio::task::spawn_blocking(move || {
            let returns = Returns { place, state };
            let value = work();
            drop(returns);
            value
        })
        .await;
        drop(watch);
        done.ok()
    }
}

const RUNNING: u8 = 0;
const RETURNED: u8 = 1;
const LOST: u8 = 2;

/// Places whose work nobody waits for any more, and that has not returned.
static LOST_PLACES: Mutex<Vec<&'static Location<'static>>> = Mutex::new(Vec::new());

fn with_lost<T>(ask: impl FnOnce(&mut Vec<&'static Location<'static>>) -> T) -> T {
    ask(&mut LOST_PLACES.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Whoever waits for the work. Dropped before it returns, the work is lost.
struct Awaited {
    place: &'static Location<'static>,
    state: Arc<AtomicU8>,
}

impl Drop for Awaited {
    fn drop(&mut self) {
        with_lost(|lost| {
            if self.state.load(Ordering::SeqCst) == RUNNING {
                self.state.store(LOST, Ordering::SeqCst);
                lost.push(self.place);
            }
        });
    }
}

/// The work's own thread. Work that was lost and returns after all is found again.
struct Returns {
    place: &'static Location<'static>,
    state: Arc<AtomicU8>,
}

impl Drop for Returns {
    fn drop(&mut self) {
        with_lost(|lost| {
            if self.state.swap(RETURNED, Ordering::SeqCst) == LOST
                && let Some(index) = lost.iter().position(|p| *p == self.place)
            {
                lost.swap_remove(index);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    #[tokio::test]
    async fn what_hangs_holds_one_thread_and_is_asked_again_when_it_returned() {
        let (release, hang) = sync_channel::<()>(1);
        let hang = Mutex::new(hang);
        let hang = Arc::new(hang);
        let ask =
            |hang: Arc<Mutex<std::sync::mpsc::Receiver<()>>>| blocking(move || hang.lock().unwrap().recv().is_ok());
        let first = tokio::time::timeout(Duration::from_millis(50), ask(Arc::clone(&hang))).await;
        assert!(first.is_err(), "it hangs");
        assert_eq!(ask(Arc::clone(&hang)).await, None, "and is not asked again");
        assert_eq!(blocking(|| 5).await, Some(5), "others are");
        release.send(()).unwrap();
        release.send(()).unwrap();
        let found = async {
            loop {
                if let Some(value) = ask(Arc::clone(&hang)).await {
                    return value;
                }
                tokio::task::yield_now().await;
            }
        };
        assert!(found.await, "until it has returned");
    }
}
