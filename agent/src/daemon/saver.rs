//! The one thread that writes the state: what is given to it later lands later, the last word of a life too.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::state::State;
use crate::source::journal::{Position, save};

/// The reader's position, in the state directory.
pub const POSITION: &str = "journal.json";

/// What is saved.
struct Save {
    state: State,
    position: Option<Position>,
    /// Told when it is on the disk, or cannot be.
    done: Option<SyncSender<()>>,
}

/// The way to the thread; it ends with this.
#[derive(Debug, Clone)]
pub struct Saver {
    saves: SyncSender<Save>,
    trouble: Arc<Mutex<Option<String>>>,
    given_up: Arc<AtomicBool>,
}

impl Saver {
    /// Starts the thread for this state directory. One save waits, more are refused.
    pub fn start(dir: &Path) -> std::io::Result<Self> {
        let (saves, todo) = sync_channel::<Save>(1);
        let saver = Self {
            saves,
            trouble: Arc::default(),
            given_up: Arc::default(),
        };
        let (dir, trouble, given_up): (PathBuf, _, _) =
            (dir.to_owned(), Arc::clone(&saver.trouble), Arc::clone(&saver.given_up));
        std::thread::Builder::new().name("state".to_owned()).spawn(move || {
            for Save { state, position, done } in todo {
                if given_up.load(Ordering::Relaxed) {
                    continue;
                }
                let result = write(&dir, &state, position.as_ref());
                let error = result.err().map(|e| format!("the state cannot be saved: {e}"));
                *trouble.lock().unwrap_or_else(PoisonError::into_inner) = error;
                if let Some(done) = done {
                    let _ = done.try_send(());
                }
            }
        })?;
        Ok(saver)
    }

    /// Gives it this to write, if it has time; else the position back.
    pub fn offer(&self, state: &State, position: Option<Position>) -> Result<(), Option<Position>> {
        let save = Save {
            state: state.clone(),
            position,
            done: None,
        };
        self.saves.try_send(save).map_err(|e| match e {
            TrySendError::Full(save) | TrySendError::Disconnected(save) => save.position,
        })
    }

    /// As [`Saver::offer`], and waits for it, at most so long.
    pub fn first(&self, state: &State, patience: Duration) -> bool {
        let (done, written) = sync_channel(1);
        let save = Save {
            state: state.clone(),
            position: None,
            done: Some(done),
        };
        self.saves.try_send(save).is_ok() && written.recv_timeout(patience).is_ok()
    }

    /// Writes this after everything before it. Blocks as long as the disk does.
    pub fn last(&self, state: State, position: Option<Position>) {
        let (done, written) = sync_channel(1);
        let save = Save {
            state,
            position,
            done: Some(done),
        };
        if self.saves.send(save).is_ok() {
            let _ = written.recv();
        }
    }

    /// What is not being written by now is not written any more: another life is about to write.
    pub fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    /// Why the state is not on the disk.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Writes both; what cannot be written stays as it was, and the next start reads more than it would have to.
fn write(dir: &Path, state: &State, position: Option<&Position>) -> std::io::Result<()> {
    state.save(dir)?;
    position.map_or(Ok(()), |position| save(position, &dir.join(POSITION)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Timestamp;

    fn state(read_until: i64) -> State {
        State {
            read_until: Some(Timestamp(read_until)),
            ..State::default()
        }
    }

    #[test]
    fn what_is_given_last_is_what_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let saver = Saver::start(dir.path()).unwrap();
        assert!(saver.first(&state(1), Duration::from_mins(1)));
        assert_eq!(State::load(dir.path()).0, state(1));
        for n in 2..50 {
            let _ = saver.offer(&state(n), None);
        }
        saver.last(state(50), None);
        assert_eq!(State::load(dir.path()).0, state(50));
        assert_eq!(saver.trouble(), None);
        saver.give_up();
        saver.last(state(51), None);
        assert_eq!(State::load(dir.path()).0, state(50), "it is another life's by now");
    }

    #[test]
    fn a_disk_that_takes_nothing_is_a_trouble() {
        let dir = tempfile::tempdir().unwrap();
        let gone = dir.path().join("gone");
        let saver = Saver::start(&gone).unwrap();
        assert!(saver.first(&state(1), Duration::from_mins(1)), "it has tried");
        assert!(saver.trouble().unwrap().starts_with("the state cannot be saved: "));
        std::fs::create_dir(&gone).unwrap();
        saver.last(state(2), None);
        assert_eq!(saver.trouble(), None);
    }
}
