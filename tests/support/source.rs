//! Looks through one source as the agent does, and holds what it says to the contract of sources.

use std::time::Duration;

use whynotready::grammar::vocabulary;
use whynotready::source::look::{Look, Sampler, run};
use whynotready::source::scene::Scene;

/// Longer than any source's own budget.
const LIMIT: Duration = Duration::from_mins(1);

/// One look.
///
/// # Panics
///
/// Where it came late, or says what is not of its kinds or not of the vocabulary.
pub async fn look(sampler: &mut dyn Sampler, scene: &Scene) -> Look {
    let kinds = sampler.kinds();
    let done = run(sampler, scene, LIMIT).await;
    assert!(done.in_time, "{done:?}");
    for blind in &done.look.blind {
        assert!(kinds.contains(&blind.kind), "{blind:?}");
    }
    for reading in &done.look.readings {
        assert!(
            !reading.text.contains('\n') && reading.text.len() < 1000 && !reading.facts.is_empty(),
            "{reading:?}"
        );
        for fact in &reading.facts {
            assert!(kinds.contains(&fact.kind), "{fact:?}");
            vocabulary::check(fact).unwrap_or_else(|why| panic!("{why}: {reading:?}"));
        }
    }
    done.look
}
