//! Journal files as one merged record.

use super::ahead::Row;
use super::entry::{self, Origins, Picked, WANTED};
use super::observe::Emitter;
use crate::journal::{Options, ReadAt, Set};
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
pub(super) fn observe(row: &Row, picked: &Picked<'_>, em: &mut Emitter<'_>, origins: &mut Origins) {
    let place = || Place::Cursor(row.cursor().into());
    entry::observe(em, origins, picked, row.received, &place);
}

/// Tells what is wrong with the files.
pub(super) fn tell_problems(problems: Vec<String>, em: &mut Emitter<'_>) {
    let from = em.kept.last.map(|m| m.wall);
    for problem in problems {
        em.gap("journal", from, problem, None);
    }
}
