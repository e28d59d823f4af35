//! The zone of klog headers: they are in the node's local time, without year and zone. Derived from the record itself, so
//! that a node in another zone is not taken for one whose lines are hours late.

use super::stamp::{self, DAY};
use crate::grammar::line::HeaderTime;
use crate::model::time::Timestamp;

const QUARTER: i64 = 900_000_000;
const RING: usize = 63;

/// The offset of the record so far.
#[derive(Debug, Default)]
pub(super) struct Zone {
    /// The last differences in quarters of an hour.
    ring: Vec<i64>,
    next: usize,
    offset: i64,
}

impl Zone {
    /// The header's time in UTC, given the time at which the line was received.
    pub(super) fn utc(&mut self, header: HeaderTime, wall: i64) -> Option<Timestamp> {
        let (month, day, micros) = match header {
            HeaderTime::Unix(at) => return Some(Timestamp(at)),
            HeaderTime::Klog { month, day, micros } => (month, day, micros),
        };
        let (month, day) = stamp::date_ok(i64::from(month), i64::from(day))?;
        if !(0..2 * DAY).contains(&micros) {
            return None;
        }
        let (year, _) = stamp::civil(wall);
        let local = (year - 1..=year + 1)
            .map(|y| stamp::in_year(y, month, day, micros))
            .min_by_key(|at| at.saturating_sub(wall).unsigned_abs())?;
        let difference = local - wall;
        let quarters = (difference + QUARTER / 2).div_euclid(QUARTER);
        // zones lie between -12:00 and +14:00; what is farther off is a late line or a stepped clock
        if (-48..=56).contains(&quarters) {
            self.learn(quarters, difference - quarters * QUARTER);
        }
        Some(Timestamp(local - self.offset * QUARTER))
    }

    fn learn(&mut self, quarters: i64, residue: i64) {
        // summer time begins or ends: an hour's shift to the second is no lateness
        if !self.ring.is_empty() && (quarters - self.offset).abs() == 4 && residue.abs() < 1_000_000 {
            self.ring.clear();
            self.next = 0;
        }
        if self.ring.len() < RING {
            self.ring.push(quarters);
        } else {
            self.ring[self.next] = quarters;
        }
        self.next = (self.next + 1) % RING;
        if quarters != self.offset || self.ring.len() == 1 {
            let mut sorted = self.ring.clone();
            sorted.sort_unstable();
            self.offset = sorted[sorted.len() / 2];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(local: i64) -> HeaderTime {
        HeaderTime::Klog {
            month: 11,
            day: 22,
            micros: local,
        }
    }

    #[test]
    fn another_zone_is_no_lag() {
        let mut zone = Zone::default();
        let noon = stamp::in_year(2026, 11, 22, DAY / 2);
        for i in 0..10 {
            let at = noon + i * 1_000_000;
            let utc = zone
                .utc(header(DAY / 2 + i * 1_000_000 + 19_800_000_000), at + 300)
                .unwrap();
            assert_eq!(utc.0, at);
        }
        // 11 minutes late
        let late = zone.utc(header(DAY / 2 + 19_800_000_000), noon + 660_000_000).unwrap();
        assert_eq!(late.0, noon);
    }

    #[test]
    fn turn_of_the_year() {
        let wall = stamp::in_year(2027, 1, 1, 100);
        let mut zone = Zone::default();
        let utc = zone
            .utc(
                HeaderTime::Klog {
                    month: 12,
                    day: 31,
                    micros: DAY - 100,
                },
                wall,
            )
            .unwrap();
        assert_eq!(utc.0, wall - 200);
    }
}
