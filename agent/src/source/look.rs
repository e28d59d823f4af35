//! One look of one source, and the wrapper that every source runs in: a time budget, a gap where it could not look, its
//! success and duration.

use std::pin::Pin;
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

    /// How often it looks.
    fn pace(&self) -> Pace {
        Pace::default()
    }

    /// Looks once. What is observed failed is a reading; where it could not look is [`Blind`]. Never panics, never waits
    /// without an end: what may block for ever (a file system that hangs) goes through [`blocking`].
    fn look<'a>(&'a mut self, scene: &'a Scene) -> Looking<'a>;
}

/// How often a source looks: seldom while all is well, often for a while after a suspicion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Between two looks at a healthy node.
    pub calm: Duration,
    /// Between two looks while something is wrong.
    pub alert: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            calm: Duration::from_secs(30),
            alert: Duration::from_secs(5),
        }
    }
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
/// and the look is a gap. `None` where it panicked.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}
