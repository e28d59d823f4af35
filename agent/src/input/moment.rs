//! The record's own time line: boot-relative within a boot, and never backwards.

use crate::model::time::{Moment, SECOND, Timestamp};

/// Between two lines without any time: enough to keep their order, too little to pretend a duration.
const ORDER: i64 = 1000;
/// Between two boots of which the wall clock says nothing sensible.
const BOOT_GAP: i64 = SECOND;

/// Makes moments.
#[derive(Debug, Default)]
pub struct TimeLine {
    boot_id: Option<Box<str>>,
    /// Counts boots from 0.
    pub boot: u32,
    /// Boot-relative time plus this is `t`.
    offset: Option<i64>,
    last: Option<Moment>,
}

impl TimeLine {
    /// The moment of an entry with these times.
    pub fn place(&mut self, wall: Option<i64>, monotonic: Option<i64>, boot_id: Option<&str>) -> Moment {
        if let Some(id) = boot_id {
            match &self.boot_id {
                Some(known) if &**known == id => {}
                known => {
                    if known.is_some() {
                        self.boot += 1;
                    }
                    self.boot_id = Some(id.into());
                    self.offset = None;
                }
            }
        }
        let t = self.t(wall, monotonic);
        let t = self.last.map_or(t, |last| t.max(last.t));
        let wall = wall.or(self.last.map(|l| l.wall.0)).unwrap_or(t);
        let moment = Moment { t, wall: Timestamp(wall) };
        self.last = Some(moment);
        moment
    }

    fn t(&mut self, wall: Option<i64>, monotonic: Option<i64>) -> i64 {
        let Some(last) = self.last else {
            let t = wall.or(monotonic).unwrap_or(0);
            self.offset = monotonic.map(|m| t - m);
            return t;
        };
        match (monotonic, wall) {
            (Some(monotonic), _) => {
                let offset = *self.offset.get_or_insert_with(|| {
                    let gap = wall.map_or(BOOT_GAP, |w| w - last.wall.0);
                    last.t + if gap > 0 { gap } else { BOOT_GAP } - monotonic
                });
                monotonic + offset
            }
            // Without boot-relative time the wall clock is all there is; a step back holds `t`.
            (None, Some(wall)) => last.t + (wall - last.wall.0).max(ORDER),
            (None, None) => last.t + ORDER,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_step_moves_the_wall_and_not_the_line() {
        let mut line = TimeLine::default();
        let a = line.place(Some(1000 * SECOND), Some(10 * SECOND), Some("a"));
        let b = line.place(Some(500 * SECOND), Some(12 * SECOND), Some("a"));
        assert_eq!((b.t - a.t, b.wall), (2 * SECOND, Timestamp(500 * SECOND)));
    }

    #[test]
    fn a_boot_goes_on_after_the_one_before() {
        let mut line = TimeLine::default();
        let a = line.place(Some(1000 * SECOND), Some(900 * SECOND), Some("a"));
        let b = line.place(Some(1060 * SECOND), Some(2 * SECOND), Some("b"));
        assert_eq!((b.t - a.t, line.boot), (60 * SECOND, 1));
    }

    #[test]
    fn lines_without_time_keep_their_order() {
        let mut line = TimeLine::default();
        let a = line.place(None, None, None);
        let b = line.place(None, None, None);
        assert!(b.t > a.t && b.t - a.t < SECOND);
    }
}
