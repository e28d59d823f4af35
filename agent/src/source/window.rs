//! Two readings of the same counters, some time apart: what happened in between.
//!
//! Captured files have one instant only. There is no second reading of them, and so no rate.

use std::time::Duration;

use super::scene::Scene;

/// How long most sources watch their counters.
pub(super) const LENGTH: Duration = Duration::from_secs(1);
/// What a look may take that watches counters for [`LENGTH`] and reads a few files. A machine without a CPU to spare, which
/// is what they are to see, takes seconds for what is done in milliseconds elsewhere.
pub(super) const BUDGET: Duration = Duration::from_secs(6);

/// The time between two readings; never nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Elapsed {
    micros: u64,
}

impl Elapsed {
    /// `None` where no time has passed.
    pub(super) fn from_micros(micros: u64) -> Option<Self> {
        (micros > 0).then_some(Self { micros })
    }

    /// How many microseconds.
    pub(super) fn micros(self) -> u64 {
        self.micros
    }

    /// The share of this time that `micros` are, in whole per cent, 100 at most.
    pub(super) fn share(self, micros: u64) -> i64 {
        (u128::from(micros) * 100 / u128::from(self.micros)).min(100) as i64
    }

    /// How many a second, rounded.
    pub(super) fn per_second(self, count: u64) -> i64 {
        let (micros, count) = (u128::from(self.micros), u128::from(count));
        i64::try_from((count * 1_000_000 + micros / 2) / micros).unwrap_or(i64::MAX)
    }
}

impl std::fmt::Display for Elapsed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tenths = (self.micros + 50_000) / 100_000;
        write!(f, "{}.{} s", tenths / 10, tenths % 10)
    }
}

/// Reads now and, on a running node, again after `length`.
pub(super) async fn twice<T>(
    scene: &Scene,
    length: Duration,
    mut read: impl FnMut() -> T,
) -> (T, Option<(T, Elapsed)>) {
    let first = read();
    if !scene.host.is_live() {
        return (first, None);
    }
    let started = scene.clock.now();
    tokio::time::sleep(length).await;
    let second = read();
    let elapsed = Elapsed::from_micros(scene.clock.since(started));
    (first, elapsed.map(|elapsed| (second, elapsed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_shares() {
        let window = Elapsed::from_micros(2_000_000).unwrap();
        assert_eq!(window.share(1_000_000), 50);
        assert_eq!(window.share(9_000_000), 100);
        assert_eq!(window.per_second(7), 4);
        assert_eq!(window.to_string(), "2.0 s");
        assert_eq!(Elapsed::from_micros(0), None);
    }
}
