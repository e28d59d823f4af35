//! The agent's own starvation: measured by how late its loop is woken, shown as a metric, and held against what it seemed
//! to see: a time-out of an agent that got no CPU time says nothing about the other side.

use std::collections::VecDeque;

use crate::source::look::{Done, Look};

/// The loop is woken once a second.
const PERIOD: u64 = 1_000_000;
/// Half of what a stage of a probe may take (`Allowed::stage`): later than that a time-out may be the agent's own.
const LATE: u64 = 1_500_000;
/// A minute of seconds, twice.
const KEPT: usize = 120;

/// How late the loop was woken in the last two minutes.
#[derive(Debug, Default)]
pub struct Starved {
    woken: VecDeque<(u64, u64)>,
    /// How long the loop had waited for its own store when it was woken last. That it chose to wait is no starvation:
    /// whatever was to be waited for meanwhile was polled before its time-out was.
    held: u64,
}

impl Starved {
    /// Notes that the loop was woken at `now`, in microseconds of `CLOCK_MONOTONIC`. `held` is how long it has waited for
    /// its own store since its start.
    pub fn woken(&mut self, now: u64, held: u64) {
        let late = self.late(now, held);
        self.held = held;
        if self.woken.len() >= KEPT {
            self.woken.pop_front();
        }
        self.woken.push_back((now, late));
    }

    fn late(&self, now: u64, held: u64) -> u64 {
        let own = held.saturating_sub(self.held);
        self.woken
            .back()
            .map_or(0, |(last, _)| now.saturating_sub(last + PERIOD + own))
    }

    /// The latest of all, in seconds.
    pub fn worst(&self) -> f64 {
        self.woken.iter().map(|w| w.1).max().unwrap_or(0) as f64 / 1e6
    }

    /// Takes out of a look that ended at `now` what timed out while the agent was starved, and makes gaps of it.
    pub fn discount(&self, done: &mut Done, now: u64, held: u64) {
        let from = now.saturating_sub(done.took + PERIOD);
        // What has not been woken for since is late already.
        let pending = self.late(now, held);
        let during = self.woken.iter().filter(|(at, _)| *at >= from).map(|w| w.1);
        let late = during.max().unwrap_or(0).max(pending);
        if late < LATE {
            return;
        }
        let Look { readings, blind: _ } = &mut done.look;
        let mut unsure = Vec::new();
        readings.retain(|reading| {
            let timed_out = |name: &str| reading.facts.iter().any(|f| f.text(name) == Some("timed-out"));
            let is = ["error", "result", "large"].into_iter().any(timed_out);
            if is {
                unsure.extend(reading.facts.iter().map(|f| f.kind));
            }
            !is
        });
        for kind in unsure {
            let why = format!(
                "it timed out while the agent itself got no CPU time for {:.1} s",
                late as f64 / 1e6
            );
            done.look.missed(kind, why, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::vocabulary;

    fn done() -> Done {
        let mut look = Look::default();
        let timed_out = "probe target=kubelet ok=no stage=connect error=timed-out";
        look.saw("no answer", vocabulary::fact(timed_out).unwrap());
        look.saw("well", vocabulary::fact("resolver result=ok").unwrap());
        Done {
            source: "probe",
            look,
            took: 3_000_000,
            in_time: true,
        }
    }

    #[test]
    fn a_time_out_counts_only_for_an_agent_that_was_awake() {
        let mut starved = Starved::default();
        for second in 1..=10 {
            starved.woken(second * PERIOD, 0);
        }
        let mut awake = done();
        starved.discount(&mut awake, 10_500_000, 0);
        assert_eq!((awake.look.readings.len(), awake.look.blind.len()), (2, 0));
        starved.woken(13_000_000, 0);
        let mut asleep = done();
        starved.discount(&mut asleep, 13_100_000, 0);
        assert_eq!((asleep.look.readings.len(), asleep.look.blind.len()), (1, 1));
        assert_eq!(
            asleep.look.blind[0].reason,
            "it timed out while the agent itself got no CPU time for 2.0 s"
        );
        assert!((starved.worst() - 2.0).abs() < 1e-9);
        // One that waited for its own disk was awake.
        let mut held = Starved::default();
        held.woken(10_000_000, 500_000);
        let mut pending = done();
        held.discount(&mut pending, 14_000_000, 3_500_000);
        assert_eq!(pending.look.readings.len(), 2);
        held.woken(14_000_000, 3_500_000);
        let mut waited = done();
        held.discount(&mut waited, 14_100_000, 3_500_000);
        assert_eq!((waited.look.readings.len(), held.worst().to_bits()), (2, 0));
        // It is awake again.
        for second in 14..=20 {
            starved.woken(second * PERIOD, 0);
        }
        let mut later = done();
        starved.discount(&mut later, 20_000_000, 0);
        assert_eq!(later.look.readings.len(), 2);
    }
}
