//! Journal files as one merged record.

use super::entry::{self, Origins, Picked, Received, WANTED};
use super::observe::Emitter;
use crate::journal::{Entry, Options, ReadAt, Set};
use crate::model::input::Place;

/// The longest value that is read.
const MAX_PAYLOAD: usize = 64 * 1024;

/// Opens the files.
pub(super) fn open(files: Vec<(String, Box<dyn ReadAt>)>, options: &super::api::Options) -> Set {
    Set::open(
        files,
        Options {
            only: None,
            wanted: WANTED.iter().map(|&f| f.to_owned()).collect(),
            since: options.since.map(|t| t.0.max(0) as u64),
            until: options.until.map(|t| t.0.max(0) as u64),
            max_payload: MAX_PAYLOAD,
        },
    )
}

/// Hands one entry on.
pub(super) fn observe(entry: &Entry<'_>, em: &mut Emitter<'_>, origins: &mut Origins) {
    let received = Received {
        realtime: entry.realtime.min(1 << 60) as i64,
        monotonic: Some(entry.monotonic),
        boot: Some(entry.boot_id),
    };
    let place = || Place::Cursor(entry.cursor().into());
    entry::observe(em, origins, &Picked::pick(entry.fields()), received, &place);
}

/// Tells what is wrong with the files since the last time.
pub(super) fn tell_problems(set: &Set, told: &mut usize, em: &mut Emitter<'_>) {
    let from = em.last.map(|m| m.wall);
    for problem in set.problems().iter().skip(*told) {
        em.gap("journal", from, problem.to_string(), None);
    }
    *told = set.problems().len();
}
