//! One pass over every source at once, within one deadline, and its results as inputs of the engine.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::look::{self, Done, Sampler};
use super::scene::Scene;
use crate::grammar::line::{Level, Origin};
use crate::grammar::redact::redact;
use crate::model::input::{Gap, Input, Observation, Place};
use crate::model::time::Moment;

/// The longest text of a reading, bytes: as for a log line.
const TEXT: usize = 8 * 1024;

/// Every source looks once, all at the same time.
pub async fn pass(samplers: &mut [Box<dyn Sampler>], scene: &Scene, limit: Duration) -> Vec<Done> {
    join_all(samplers.iter_mut().map(|s| look::run(s.as_mut(), scene, limit))).await
}

/// Where a pass stands in the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stand {
    /// The moment that its looks are of.
    pub at: Moment,
    /// The boot's index in the record.
    pub boot: u32,
    /// The number of its first observation, from 1.
    pub seq: u64,
}

/// What the looks are to the engine. Secrets go here, so that nobody behind keeps one.
pub fn inputs(done: &[Done], stand: Stand) -> Vec<Input> {
    let mut inputs = Vec::new();
    let mut seq = stand.seq;
    for one in done {
        let source: Arc<str> = Arc::from(one.source);
        for reading in &one.look.readings {
            inputs.push(Input::Observed(Observation {
                seq,
                at: stand.at,
                boot: stand.boot,
                header_at: reading.began.filter(|b| *b < stand.at.wall),
                origin: Origin::Agent,
                level: Level::Info,
                pid: None,
                source: Arc::clone(&source),
                text: Arc::from(cut(&redact(&reading.text))),
                place: Place::Look(Arc::clone(&source)),
                facts: reading.facts.clone(),
            }));
            seq += 1;
        }
        for blind in &one.look.blind {
            inputs.push(Input::Gap(Gap {
                source: blind.kind.word().to_owned(),
                from: Some(stand.at.wall),
                to: None,
                reason: blind.reason.clone(),
                grant: blind.grant.clone(),
            }));
        }
    }
    inputs
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, Now};
    use crate::grammar::fact::{Fact, Kind};
    use crate::host::Host;
    use crate::source::look::{Look, Looking};
    use crate::source::scene::Allowed;
    use crate::world::World;

    struct Quick;
    struct Hanging;

    impl Sampler for Quick {
        fn name(&self) -> &'static str {
            "quick"
        }
        fn kinds(&self) -> &'static [Kind] {
            &[Kind::Memory]
        }
        fn budget(&self) -> Duration {
            Duration::from_secs(1)
        }
        fn look<'a>(&'a mut self, _: &'a Scene) -> Looking<'a> {
            Box::pin(async {
                let mut look = Look::default();
                look.saw("password=hunter2222", Fact::new(Kind::Memory));
                look
            })
        }
    }

    impl Sampler for Hanging {
        fn name(&self) -> &'static str {
            "hanging"
        }
        fn kinds(&self) -> &'static [Kind] {
            &[Kind::Filesystem]
        }
        fn budget(&self) -> Duration {
            Duration::from_secs(2)
        }
        fn look<'a>(&'a mut self, _: &'a Scene) -> Looking<'a> {
            Box::pin(std::future::pending())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_hangs_is_a_gap_and_holds_nobody() {
        let scene = Scene {
            host: Host::at("/nowhere"),
            clock: Clock::fixed(Now::default()),
            world: World::default(),
            allowed: Allowed::default(),
        };
        let mut samplers: Vec<Box<dyn Sampler>> = vec![Box::new(Hanging), Box::new(Quick)];
        let done = pass(&mut samplers, &scene, Duration::from_secs(9)).await;
        assert_eq!([done[0].in_time, done[1].in_time], [false, true]);
        let stand = Stand {
            at: Moment::default(),
            boot: 0,
            seq: 1,
        };
        let made = inputs(&done, stand);
        assert!(
            matches!(&made[0], Input::Gap(gap) if gap.source == "filesystem"),
            "{made:?}"
        );
        assert!(
            matches!(&made[1], Input::Observed(o) if &*o.text == "password=[redacted]"),
            "{made:?}"
        );
    }
}
