//! What is told and kept: changes into the outbox before they count as found, then on stdout; then how far the agent is.
//!
//! The order is what makes nothing lost: a change is stored, then what was announced, then the reader's position. A crash
//! in between makes the same change again, with the same id, which the outbox knows.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};

use super::lines::Lines;
use super::state::State;
use crate::model::change::{Change, ChangeKind};
use crate::model::diagnosis::Diagnosis;
use crate::model::time::{SECOND, Timestamp};
use crate::outbox::handle::Handle;
use crate::source::journal::{Position, save};

/// The reader's position, in the state directory.
pub const POSITION: &str = "journal.json";
/// State that did not change is saved this rarely: it says until when everything was read.
const SAVED: i64 = 30 * SECOND;

/// What is saved.
struct Save {
    state: State,
    position: Option<Position>,
}

/// The ledger of the agent that has the lock.
pub struct Ledger {
    state: State,
    outbox: Handle,
    dir: PathBuf,
    saver: SyncSender<Save>,
    /// What is newer than what was saved.
    position: Option<Position>,
    dirty: bool,
    saved_at: Timestamp,
}

impl Ledger {
    /// Goes on with this state.
    pub fn open(mut state: State, outbox: Handle, dir: &Path, now: Timestamp) -> std::io::Result<Self> {
        let read_until = state.read_until;
        state.announced.resume(now, read_until);
        state.stopped = false;
        Ok(Self {
            state,
            outbox,
            dir: dir.to_owned(),
            saver: saver(dir.to_owned())?,
            position: None,
            dirty: true,
            saved_at: Timestamp::default(),
        })
    }

    /// The outbox.
    pub fn outbox(&self) -> &Handle {
        &self.outbox
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
        let fresh = false;
        let changes = self.state.announced.update(diagnosis, now);
        self.dirty |= fresh || !changes.is_empty();
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
        if !self.dirty && !due {
            return;
        }
        let save = Save {
            state: self.state.clone(),
            position: self.position.take(),
        };
        match self.saver.try_send(save) {
            Ok(()) => {
                self.dirty = false;
                self.saved_at = now;
            }
            // A disk that does not answer: next time.
            Err(TrySendError::Full(save) | TrySendError::Disconnected(save)) => self.position = save.position,
        }
    }

    /// The last word of this life: what is kept is written now, by the caller's thread.
    pub fn close(mut self) -> (State, Option<Position>, PathBuf) {
        self.state.stopped = true;
        (self.state, self.position, self.dir)
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

/// A thread that writes what it is given. One waits, more are refused.
fn saver(dir: PathBuf) -> std::io::Result<SyncSender<Save>> {
    let (sender, saves) = sync_channel::<Save>(1);
    std::thread::Builder::new().name("state".to_owned()).spawn(move || {
        for Save { state, position } in saves {
            write(&dir, &state, position.as_ref());
        }
    })?;
    Ok(sender)
}

/// Writes both; what cannot be written stays as it was, and the next start reads more than it would have to.
pub fn write(dir: &Path, state: &State, position: Option<&Position>) {
    if state.save(dir).is_ok()
        && let Some(position) = position
    {
        let _ = save(position, &dir.join(POSITION));
    }
}
