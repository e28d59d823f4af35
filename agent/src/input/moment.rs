//! The record's own time line out of what the sources know: boot-relative time, wall time, or only the order.

use std::collections::HashMap;

use super::stamp::{self, Stamp};
use crate::model::time::{Moment, SECOND, Timestamp};

/// A step back by less is lines out of order, by more a stepped clock.
const OUT_OF_ORDER: i64 = 3600 * SECOND;
/// How far apart lines without any stamp are: an order, not a duration.
pub(super) const UNSTAMPED: i64 = 1_000;
/// Times are kept within this, so that no difference overflows.
const FAR: i64 = 1 << 60;
/// How many boots are told apart.
const MAX_BOOTS: usize = 4096;

/// Gives every entry its moment; `t` never goes back.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Timeline {
    last: Option<Moment>,
    boots: HashMap<[u8; 16], u32>,
    boot: Option<[u8; 16]>,
    index: u32,
    /// `t - monotonic` in the present boot.
    base: i64,
    /// `t - wall` at the last journal entry.
    drift: i64,
}

impl Timeline {
    /// A journal's entry.
    pub(super) fn journal(&mut self, wall: i64, monotonic: Option<u64>, boot: Option<[u8; 16]>) -> Moment {
        let Some((monotonic, id)) = monotonic.map(|m| m.min(FAR as u64) as i64).zip(boot) else {
            return self.text(wall, wall);
        };
        if self.boot != Some(id) {
            let t = match self.last {
                None => wall,
                Some(last) if wall > last.wall.0 => last.t.saturating_add(wall - last.wall.0),
                Some(last) => last.t.saturating_add(SECOND),
            };
            self.base = t.saturating_sub(monotonic);
            self.boot = Some(id);
            let next = self.boots.len() as u32;
            self.index = if self.boots.len() < MAX_BOOTS {
                *self.boots.entry(id).or_insert(next)
            } else {
                next - 1
            };
        }
        let moment = self.advance(self.base.saturating_add(monotonic), wall);
        self.drift = moment.t.saturating_sub(wall);
        moment
    }

    /// The moment of what the agent itself sees now: `monotonic` is `CLOCK_MONOTONIC` of the boot `boot` in microseconds,
    /// which is what journald stamps entries with, so that both stand on one line. `boot` is the 16 bytes of
    /// `/proc/sys/kernel/random/boot_id`; where it is unknown, wall time places it. A boot of which the record has
    /// nothing begins as much later as the wall clock says, and after everything in the record; beside a record in
    /// which no boot has an id it is the record's own boot.
    pub fn now(&mut self, boot: Option<[u8; 16]>, monotonic: u64, wall: Timestamp) -> Moment {
        if let (Some(id), true) = (boot, self.boots.is_empty()) {
            self.boots.insert(id, self.index);
        }
        self.journal(wall.0, boot.map(|_| monotonic), boot)
    }

    /// Microseconds of the present boot at a moment of the line; `None` where the record names no boot.
    pub(super) fn since_boot(&self, at: Moment) -> Option<i64> {
        self.boot.map(|_| at.t.saturating_sub(self.base))
    }

    /// The last moment that was given.
    pub fn last(&self) -> Option<Moment> {
        self.last
    }

    /// A line of text with its place on its file's own line of time (see [`FileClock`]).
    pub(super) fn text(&mut self, wall: i64, key: i64) -> Moment {
        self.advance(key.saturating_add(self.drift), wall)
    }

    /// A line without wall time, so much after the one before it.
    pub(super) fn after(&mut self, step: i64) -> Moment {
        let last = self.last.unwrap_or(Moment {
            t: 0,
            wall: Timestamp(0),
        });
        self.advance(last.t.saturating_add(step), last.wall.0.saturating_add(step))
    }

    /// Text says that another boot begins.
    pub(super) fn next_boot(&mut self) {
        self.index = self.index.saturating_add(1);
    }

    /// The present boot's number in the record, from 0.
    pub fn boot(&self) -> u32 {
        self.index
    }

    /// The present boot, 32 hex digits; `None` where the record names none.
    pub fn boot_id(&self) -> Option<String> {
        use std::fmt::Write as _;
        self.boot.map(|id| {
            id.iter().fold(String::with_capacity(32), |mut s, b| {
                let _ = write!(s, "{b:02x}");
                s
            })
        })
    }

    fn advance(&mut self, t: i64, wall: i64) -> Moment {
        let t = self.last.map_or(t, |last| t.max(last.t)).clamp(-FAR, FAR);
        let moment = Moment {
            t,
            wall: Timestamp(wall.clamp(-FAR, FAR)),
        };
        self.last = Some(moment);
        moment
    }
}

/// One text file's stamps: years where they have none, and a line of time that never goes back.
#[derive(Debug)]
pub(super) struct FileClock {
    year: i32,
    month: Option<u8>,
    offset: i64,
    /// The last key and wall time.
    pub(super) last: Option<(i64, i64)>,
    /// How far stamps without a zone are ahead of UTC. Only a log that is followed can know it.
    pub(super) ahead: i64,
    /// No line is later than this: the present, of a log that is followed.
    pub(super) limit: i64,
    boot: Option<i64>,
}

/// The year of a file's first line, by its last change: a date after that is of the year before.
pub(super) fn first_year(modified: Option<i64>, first: Stamp) -> i32 {
    let Some(modified) = modified else { return 1970 };
    let (year, _) = stamp::civil(modified);
    match first {
        Stamp::Yearless { month, day, micros }
            if stamp::in_year(year, month, day, micros) > modified.saturating_add(stamp::DAY) =>
        {
            year - 1
        }
        _ => year,
    }
}

impl FileClock {
    pub(super) fn new(year: i32) -> Self {
        Self {
            year,
            month: None,
            offset: 0,
            last: None,
            ahead: 0,
            limit: FAR,
            boot: None,
        }
    }

    /// The wall time and the key of a stamp; the key is monotone.
    pub(super) fn place(&mut self, stamp: Stamp) -> (i64, i64) {
        let wall = match stamp {
            Stamp::Wall(wall) => wall.clamp(0, FAR),
            Stamp::Yearless { month, day, micros } => {
                stamp::in_year(self.year_of(month), month, day, micros) - self.ahead
            }
            Stamp::Boot(at) => at,
        }
        .min(self.limit);
        let raw = wall + self.offset;
        let key = match self.last {
            None => raw,
            Some((last, _)) if raw >= last => raw,
            Some((last, _)) if last - raw < OUT_OF_ORDER => last,
            Some((last, _)) => {
                self.offset = last + 1 - wall;
                last + 1
            }
        };
        self.last = Some((key, wall));
        (key, wall)
    }

    /// How much later than the last one a boot-relative stamp is.
    pub(super) fn since_boot(&mut self, at: i64) -> i64 {
        let step = self.boot.map_or(UNSTAMPED, |last| (at - last).max(0));
        self.boot = Some(at);
        step
    }

    fn year_of(&mut self, month: u8) -> i32 {
        match self.month {
            // December to January: a new year
            Some(last) if last > month + 6 => self.year += 1,
            // a line of December behind one of January is late
            Some(last) if month > last + 6 => return self.year - 1,
            _ => {}
        }
        self.month = Some(month);
        self.year
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT: Option<[u8; 16]> = Some([1; 16]);

    #[test]
    fn a_stepped_clock_does_not_move_t() {
        let mut line = Timeline::default();
        let first = line.journal(1_000_000_000, Some(500), BOOT);
        let ahead = line.journal(5_000_000_000_000, Some(1_000_500), BOOT);
        let back = line.journal(1_001_000_000, Some(2_000_500), BOOT);
        assert_eq!((ahead.t - first.t, back.t - ahead.t), (SECOND, SECOND));
        assert_eq!(ahead.wall.0, 5_000_000_000_000);
        let earlier = line.journal(1_000_000, Some(1), Some([2; 16]));
        assert_eq!((earlier.t - back.t, line.boot()), (SECOND, 1));
        let later = line.journal(61_000_000, Some(1), Some([3; 16]));
        assert_eq!((later.t - earlier.t, line.boot()), (60 * SECOND, 2));
        assert_eq!(line.text(62_000_000, 62_000_000).t - later.t, SECOND);
    }

    #[test]
    fn what_the_agent_sees_stands_on_the_record_s_line() {
        let wall = |t: i64| Timestamp(t * SECOND);
        // In the record's boot: by monotonic time, though the wall clock was set back.
        let mut line = Timeline::default();
        let entry = line.journal(1_000 * SECOND, Some(5_000_000), BOOT);
        let own = line.clone().now(BOOT, 8_000_000, wall(10));
        assert_eq!((own.t - entry.t, own.wall), (3 * SECOND, wall(10)));
        // Another boot than the record's last one: later by the wall clock, and never before.
        let mut other = line.clone();
        assert_eq!(other.now(Some([9; 16]), 1, wall(1_060)).t - entry.t, 60 * SECOND);
        assert_eq!(other.boot(), 1);
        assert_eq!(line.now(Some([9; 16]), 1, wall(10)).t - entry.t, SECOND);
        // Text alone: its boots have no id, and the last of them is ours.
        let mut text = Timeline::default();
        text.next_boot();
        let last = text.text(1_000 * SECOND, 1_000 * SECOND);
        let own = text.now(BOOT, 77, wall(1_002));
        assert_eq!((own.t - last.t, text.boot()), (2 * SECOND, 1));
        assert_eq!(text.now(BOOT, 1_000_077, wall(0)).t - own.t, SECOND);
        assert_eq!(text.now(None, 0, wall(1)).t - own.t, 2 * SECOND);
        // Nothing read at all.
        assert_eq!(Timeline::default().now(BOOT, 5, wall(7)).t, 7 * SECOND);
    }

    #[test]
    fn a_file_that_goes_back() {
        let mut clock = FileClock::new(2026);
        let (a, _) = clock.place(Stamp::Wall(10_000 * SECOND));
        assert_eq!(clock.place(Stamp::Wall(9_999 * SECOND)), (a, 9_999 * SECOND));
        assert_eq!(clock.place(Stamp::Wall(1_000 * SECOND)), (a + 1, 1_000 * SECOND));
        assert_eq!(
            clock.place(Stamp::Wall(1_001 * SECOND)),
            (a + 1 + SECOND, 1_001 * SECOND)
        );
    }

    #[test]
    fn years() {
        let mut clock = FileClock::new(2026);
        let (a, _) = clock.place(Stamp::Yearless {
            month: 12,
            day: 31,
            micros: 86_399 * SECOND,
        });
        let (b, _) = clock.place(Stamp::Yearless {
            month: 1,
            day: 1,
            micros: 0,
        });
        assert_eq!(b - a, SECOND);
        let modified = Some(stamp::in_year(2027, 1, 3, 0));
        assert_eq!(
            first_year(
                modified,
                Stamp::Yearless {
                    month: 12,
                    day: 30,
                    micros: 0
                }
            ),
            2026
        );
        assert_eq!(
            first_year(
                modified,
                Stamp::Yearless {
                    month: 1,
                    day: 2,
                    micros: 0
                }
            ),
            2027
        );
    }
}
