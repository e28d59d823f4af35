//! What is told and kept: changes into the outbox before they count as found, then on stdout; then how far the agent is.
//!
//! The order is what makes nothing lost: a change is stored, then what was announced, then the reader's position. A crash
//! in between makes the same change again, with the same id, which the outbox knows.

use std::path::Path;
use std::time::Duration;

use super::lines::Lines;
use super::saver::Saver;
use super::state::State;
use crate::model::change::{Change, ChangeKind};
use crate::model::diagnosis::Diagnosis;
use crate::model::time::{SECOND, Timestamp};
use crate::outbox::handle::Handle;
use crate::source::journal::Position;

/// State that did not change is saved this rarely: it says until when everything was read.
const SAVED: i64 = 30 * SECOND;
/// The first start is noted on the disk before anything is told; a disk that does not answer is waited for so long.
const NOTED: Duration = Duration::from_secs(2);

/// The ledger of the agent that tells.
pub struct Ledger {
    state: State,
    outbox: Handle,
    /// `None` as long as the state directory is not this agent's.
    saver: Option<Saver>,
    /// What is newer than what was saved.
    position: Option<Position>,
    dirty: bool,
    saved_at: Timestamp,
}

/// The last word of a life.
pub struct Last {
    state: State,
    position: Option<Position>,
    saver: Option<Saver>,
}

impl Ledger {
    /// Goes on with this state, which is kept in `dir` where that is this agent's. May wait for the disk for 2 s.
    pub fn open(mut state: State, outbox: Handle, dir: Option<&Path>, now: Timestamp) -> std::io::Result<Self> {
        let is_first = state.announced.since == Timestamp::default();
        let read_until = state.read_until;
        state.announced.resume(now, read_until);
        state.stopped = false;
        let saver = dir.map(Saver::start).transpose()?;
        let noted = match &saver {
            Some(saver) if is_first => saver.first(&state, NOTED),
            _ => false,
        };
        Ok(Self {
            state,
            outbox,
            saver,
            position: None,
            dirty: !noted,
            saved_at: Timestamp::default(),
        })
    }

    /// The state directory is this agent's from now on.
    pub fn keep(&mut self, dir: &Path) -> std::io::Result<()> {
        self.saver = Some(Saver::start(dir)?);
        self.dirty = true;
        Ok(())
    }

    /// The outbox.
    pub fn outbox(&self) -> &Handle {
        &self.outbox
    }

    /// Why the state is not on the disk, where it should be.
    pub fn trouble(&self) -> Option<String> {
        self.saver.as_ref().and_then(Saver::trouble)
    }

    /// Gives episodes the ids under which they were told.
    pub fn rename(&mut self, diagnosis: &mut Diagnosis) {
        self.state.announced.rename(diagnosis);
    }

    /// How far the reader is, of entries that the engine has been given.
    pub fn read(&mut self, position: Position) {
        self.position = Some(position);
    }

    /// Tells what is new. Gives the episode of which a bundle is due.
    pub fn tell(&mut self, diagnosis: &Diagnosis, now: Timestamp, lines: &Lines) -> Option<String> {
        let changes = self.state.announced.update(diagnosis, now);
        self.dirty |= !changes.is_empty();
        for change in &changes {
            let tier = self.outbox.store(change);
            lines.change(change, tier);
        }
        self.state.read_until = Some(now);
        self.save(now);
        changes
            .iter()
            .rev()
            .find(|c| is_worth_a_bundle(c))
            .and_then(|c| c.episode.clone())
    }

    /// Hands what has changed to the saver, if it has time.
    fn save(&mut self, now: Timestamp) {
        let due = (now.0 - self.saved_at.0).abs() >= SAVED;
        let Some(saver) = self.saver.as_ref().filter(|_| self.dirty || due) else {
            return;
        };
        match saver.offer(&self.state, self.position.take()) {
            Ok(()) => {
                self.dirty = false;
                self.saved_at = now;
            }
            // A disk that does not answer: next time.
            Err(position) => self.position = position,
        }
    }

    /// The last word of this life, to be written.
    pub fn close(mut self) -> Last {
        self.state.stopped = true;
        Last {
            state: self.state,
            position: self.position,
            saver: self.saver,
        }
    }
}

impl Last {
    /// Writes it, within `patience`. What the next life is to go on with where that could not be.
    pub async fn write(self, patience: Duration) -> Option<State> {
        let Some(saver) = self.saver else {
            return Some(self.state);
        };
        let (own, state, position) = (saver.clone(), self.state.clone(), self.position);
        let written = tokio::task::spawn_blocking(move || own.last(state, position));
        let in_time = tokio::time::timeout(patience, written).await.is_ok();
        if !in_time {
            saver.give_up();
        }
        (!in_time || saver.trouble().is_some()).then_some(self.state)
    }
}

fn is_worth_a_bundle(change: &Change) -> bool {
    matches!(
        change.kind,
        ChangeKind::EpisodeOpened
            | ChangeKind::EpisodeEnded
            | ChangeKind::RootCauseFound
            | ChangeKind::RootCauseRevised
    )
}
