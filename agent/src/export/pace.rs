//! How often to try: back-off with jitter, and a bucket of tokens. A thousand nodes that lost the same server must not
//! come back to it in the same second.

use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use crate::clock::Clock;
use crate::model::time::Timestamp;

/// Bounds of the waits between tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waits {
    /// The first: 1 s.
    pub first: Duration,
    /// The longest, and the most that a server's `Retry-After` is followed: 5 min.
    pub most: Duration,
    /// At random up to this after an outage, before the first write: 30 s.
    pub herd: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            most: Duration::from_mins(5),
            herd: Duration::from_secs(30),
        }
    }
}

/// A number from 0 to 1. Not for secrets: it only spreads agents out.
pub fn chance() -> f64 {
    let mut hasher = std::collections::hash_map::RandomState::new().build_hasher();
    hasher.write_u8(0);
    (hasher.finish() >> 11) as f64 / (1_u64 << 53) as f64
}

/// Waits that double, each of them cut by up to a half at random.
#[derive(Debug)]
pub(super) struct Backoff {
    waits: Waits,
    next: Duration,
}

impl Backoff {
    pub(super) fn new(waits: Waits) -> Self {
        Self {
            waits,
            next: waits.first,
        }
    }

    /// It worked.
    pub(super) fn reset(&mut self) {
        self.next = self.waits.first;
    }

    /// It did not: how long to wait. What the server asked for is the least.
    pub(super) fn wait(&mut self, asked: Option<Duration>) -> Duration {
        let wait = self.next.mul_f64(0.5 + chance() / 2.0);
        self.next = (self.next * 2).min(self.waits.most);
        let least = asked.unwrap_or_default().min(self.waits.most);
        // The same header on every node is the same second on every node.
        if least > wait {
            least + self.waits.first.mul_f64(chance())
        } else {
            wait
        }
    }
}

/// What a `Retry-After` header asks for: seconds or a date (RFC 9110 §10.2.3).
pub(super) fn retry_after(header: &str, now: Timestamp) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(header).ok()?.timestamp().as_microsecond();
    u64::try_from(date.saturating_sub(now.0))
        .ok()
        .map(Duration::from_micros)
}

/// Tokens: `burst` at once, then one every `every`.
#[derive(Debug)]
pub(super) struct Bucket {
    clock: Clock,
    every: u64,
    burst: u64,
    /// When the bucket will be full again, microseconds of the monotonic clock.
    full_at: u64,
}

impl Bucket {
    pub(super) fn new(every: Duration, burst: u64, clock: Clock) -> Self {
        Self {
            clock,
            every: every.as_micros() as u64,
            burst,
            full_at: 0,
        }
    }

    /// Takes a token; gives how long to wait for it.
    pub(super) fn take(&mut self) -> Duration {
        let now = self.clock.now().monotonic;
        self.full_at = self.full_at.max(now) + self.every;
        Duration::from_micros((self.full_at - now).saturating_sub(self.every * self.burst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Now;

    #[test]
    fn waits_double_up_to_the_most_and_differ() {
        let mut backoff = Backoff::new(Waits::default());
        let mut least = 0.5;
        for _ in 0..20 {
            let wait = backoff.wait(None).as_secs_f64();
            assert!(wait >= least && wait <= least * 2.0, "{wait} for {least}");
            least = (least * 2.0_f64).min(150.0);
        }
        backoff.reset();
        assert!(backoff.wait(None) <= Duration::from_secs(1));
        backoff.reset();
        let asked = backoff.wait(Some(Duration::from_secs(20)));
        assert!(asked >= Duration::from_secs(20) && asked <= Duration::from_secs(21));
        // Not for ever, whatever the server asks.
        assert!(backoff.wait(Some(Duration::from_secs(1 << 40))) <= Duration::from_secs(301));
        assert_ne!(chance().to_bits(), chance().to_bits());
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        // 2026-11-25 12:00:00 UTC, a Wednesday.
        let now = Timestamp(1_795_608_000_000_000);
        assert_eq!(now.rfc3339(), "2026-11-25T12:00:00.000000Z");
        assert_eq!(retry_after(" 7 ", now), Some(Duration::from_secs(7)));
        let date = "Wed, 25 Nov 2026 12:01:30 GMT";
        assert_eq!(retry_after(date, now), Some(Duration::from_secs(90)));
        assert_eq!(retry_after("Wed, 25 Nov 2026 11:01:30 GMT", now), None);
        assert_eq!(retry_after("soon", now), None);
        assert_eq!(retry_after("-3", now), None);
    }

    #[test]
    fn five_at_once_then_one_every_five_seconds() {
        let mut bucket = Bucket::new(Duration::from_secs(5), 5, Clock::fixed(Now::default()));
        let waits: Vec<u64> = (0..8).map(|_| bucket.take().as_secs()).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 5, 10, 15]);
    }
}
