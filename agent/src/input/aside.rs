//! What was seen of the node beside its log, put into the record where it was seen: captured files and what commands
//! printed. Wall time alone would not find the place where the clock was set back; wall time and uptime together do.

use std::path::PathBuf;

use super::moment::Timeline;
use crate::model::input::Input;
use crate::model::time::{Moment, SECOND, Timestamp};

/// `wall - uptime` of one clock is the same within this: it is slewed, and the two are not read at one moment.
const SAME_CLOCK: i64 = 5 * SECOND;
/// A capture that seems later than the end of the record by more is of another zone's clock, or the log was not taken at
/// the same time: how much later it is says nothing.
const LATER: i64 = 900 * SECOND;

/// Looks that were taken at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Aside {
    /// Where they were found: below an argument of the command line.
    pub root: PathBuf,
    /// When, by the node's clock; where that is not known they were taken when the record ends.
    pub wall: Option<Timestamp>,
    /// Microseconds since the node's boot, where that is known.
    pub uptime: Option<u64>,
    /// What was seen. Moment, boot and number are set when they are put into the record.
    pub inputs: Vec<Input>,
}

/// Those that wait for their moment.
#[derive(Debug, Default)]
pub(super) struct Asides {
    waiting: Vec<(Aside, Option<u32>)>,
}

/// One that is due: its moment, and its boot's index.
pub(super) struct Due {
    pub(super) at: Moment,
    pub(super) boot: u32,
    pub(super) inputs: Vec<Input>,
}

impl Asides {
    pub(super) fn new(asides: &[Aside]) -> Self {
        let mut waiting: Vec<_> = asides.iter().cloned().map(|a| (a, None)).collect();
        // Those of no time come last.
        waiting.sort_by_key(|(a, _)| (a.wall.is_none(), a.wall));
        Self { waiting }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// What comes before the entry of the moment `at`, which follows one of the moment `last`.
    pub(super) fn before(&mut self, at: Moment, last: Option<Moment>, line: &Timeline) -> Vec<Due> {
        let mut due = Vec::new();
        let mut i = 0;
        while i < self.waiting.len() {
            let (aside, boot) = &mut self.waiting[i];
            match place(aside, boot, at, line) {
                Some((t, index)) => {
                    let (aside, _) = self.waiting.remove(i);
                    let earliest = last.map_or(i64::MIN, |l| l.t).min(at.t);
                    due.push(Due {
                        at: Moment {
                            t: t.clamp(earliest, at.t),
                            wall: aside.wall.unwrap_or(at.wall),
                        },
                        boot: index,
                        inputs: aside.inputs,
                    });
                }
                None => i += 1,
            }
        }
        due
    }

    /// What is left at the end of the record, in order.
    pub(super) fn rest(&mut self, last: Option<Moment>, boot: u32) -> Vec<Due> {
        let mut last = last;
        let rest = std::mem::take(&mut self.waiting).into_iter().map(|(aside, _)| {
            let wall = aside.wall.or(last.map(|l| l.wall)).unwrap_or_default();
            let t = last.map_or(wall.0, |l| {
                let later = (wall.0 - l.wall.0).max(0);
                l.t + if later > LATER { SECOND } else { later }
            });
            let at = Moment { t, wall };
            last = Some(at);
            Due {
                at,
                boot,
                inputs: aside.inputs,
            }
        });
        rest.collect()
    }
}

/// The place on the record's line and the boot, once the record has come to it.
fn place(aside: &Aside, boot: &mut Option<u32>, at: Moment, line: &Timeline) -> Option<(i64, u32)> {
    let wall = aside.wall?;
    let Some((uptime, since)) = aside.uptime.zip(line.since_boot(at)) else {
        return (at.wall >= wall).then_some((at.t - (at.wall.0 - wall.0), line.boot()));
    };
    let uptime = i64::try_from(uptime).unwrap_or(i64::MAX);
    let offset = (at.wall.0 - since).saturating_sub(wall.0.saturating_sub(uptime));
    if offset.saturating_abs() < SAME_CLOCK {
        *boot = Some(line.boot());
    }
    match *boot {
        Some(index) if index != line.boot() => Some((i64::MIN, index)),
        Some(index) if since >= uptime => Some((at.t - (since - uptime), index)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT: Option<[u8; 16]> = Some([1; 16]);

    fn aside(wall: i64, uptime: Option<i64>) -> Aside {
        Aside {
            root: PathBuf::new(),
            wall: Some(Timestamp(wall * SECOND)),
            uptime: uptime.map(|u| (u * SECOND) as u64),
            inputs: Vec::new(),
        }
    }

    /// Feeds entries of (wall, uptime) seconds; says before which of them the look stands, and at what second of the boot.
    fn stands(aside: Aside, entries: &[(i64, i64)]) -> Option<(usize, i64)> {
        let (mut line, mut last) = (Timeline::default(), None);
        let mut asides = Asides::new(&[aside]);
        for (i, (wall, up)) in entries.iter().enumerate() {
            let at = line.journal(wall * SECOND, Some((up * SECOND) as u64), BOOT);
            if let Some(due) = asides.before(at, last, &line).first() {
                let since = line.since_boot(due.at)?;
                return Some((i, since / SECOND));
            }
            last = Some(at);
        }
        None
    }

    #[test]
    fn a_look_stands_where_it_was_taken() {
        let record = [(1000, 10), (1050, 60), (1100, 110)];
        assert_eq!(stands(aside(1070, Some(80)), &record), Some((2, 80)));
        assert_eq!(stands(aside(1070, None), &record), Some((2, 80)));
        assert_eq!(stands(aside(2000, Some(1010)), &record), None);
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_move_it() {
        // At 60 s of uptime the clock goes back by 500 s: 560 is later than the first entries' 1000.
        let record = [(1000, 10), (1050, 60), (560, 70), (580, 90), (600, 110)];
        assert_eq!(stands(aside(585, Some(95)), &record), Some((4, 95)));
        // Wall time alone would put it in front of everything.
        assert_eq!(stands(aside(585, None), &record).map(|(i, _)| i), Some(0));
    }

    #[test]
    fn the_end_of_its_boot_is_the_latest() {
        let mut line = Timeline::default();
        let mut asides = Asides::new(&[aside(1070, Some(80))]);
        let first = line.journal(1000 * SECOND, Some(10_000_000), BOOT);
        assert!(asides.before(first, None, &line).is_empty());
        let next = line.journal(1200 * SECOND, Some(1_000_000), Some([2; 16]));
        let due = asides.before(next, Some(first), &line);
        assert_eq!((due[0].boot, due[0].at.t), (0, first.t));
    }

    #[test]
    fn after_the_record_by_the_clock_unless_that_is_another_one() {
        let last = Moment {
            t: 50,
            wall: Timestamp(1000 * SECOND),
        };
        let t = |wall| Asides::new(&[aside(wall, None)]).rest(Some(last), 0)[0].at.t - last.t;
        assert_eq!((t(1010), t(900), t(9000)), (10 * SECOND, 0, SECOND));
    }
}
