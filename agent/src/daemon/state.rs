//! What the daemon keeps between two lives: what it announced, and how far it had read. And the lock that keeps a second
//! agent on the same host silent.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::announce::Announced;
use crate::model::time::Timestamp;

/// The state's file.
const FILE: &str = "state.json";
/// The lock's file.
const LOCK: &str = "lock";
/// No state of ours is longer.
const LONGEST: u64 = 4 << 20;

/// What is kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// What was announced.
    pub announced: Announced,
    /// Until when everything was read and stored.
    pub read_until: Option<Timestamp>,
    /// How the last life ended: true after an ordered stop.
    pub stopped: bool,
}

impl State {
    /// The state in this directory; a fresh one where there is none. One that cannot be read is set aside, and that is said.
    pub fn load(dir: &Path) -> (Self, Option<String>) {
        let path = dir.join(FILE);
        let text = match read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return (Self::default(), None),
            Err(e) => return (Self::default(), Some(format!("{}: {e}", path.display()))),
        };
        match serde_json::from_slice(&text) {
            Ok(state) => (state, None),
            Err(e) => {
                let aside = dir.join("state.json.damaged");
                let _ = fs::rename(&path, &aside);
                let why = format!(
                    "{}: line {}: {e}; set aside as {}",
                    path.display(),
                    e.line(),
                    aside.display()
                );
                (Self::default(), Some(why))
            }
        }
    }

    /// Replaces the state in this directory whole: a crash leaves the old or the new one.
    pub fn save(&self, dir: &Path) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        serde_json::to_writer(&mut file, self)?;
        file.as_file().sync_all()?;
        file.persist(dir.join(FILE)).map_err(|e| e.error)?;
        // The rename is durable once its directory is.
        OpenOptions::new().read(true).open(dir)?.sync_all()
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    OpenOptions::new()
        .read(true)
        .open(path)?
        .take(LONGEST)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Who has the state directory.
#[derive(Debug)]
pub enum Lock {
    /// We, as long as this file is open.
    Ours(File),
    /// Another agent on this host.
    Theirs {
        /// Its process id, as it wrote it.
        pid: String,
    },
    /// The directory cannot be written.
    None(io::Error),
}

impl Lock {
    /// Takes the lock, if it is free.
    pub fn take(dir: &Path) -> Self {
        match Self::try_take(&dir.join(LOCK)) {
            Ok(lock) => lock,
            Err(e) => Self::None(e),
        }
    }

    fn try_take(path: &PathBuf) -> io::Result<Self> {
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                file.set_len(0)?;
                file.rewind()?;
                write!(file, "{}", std::process::id())?;
                Ok(Self::Ours(file))
            }
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut pid = String::new();
                file.take(16).read_to_string(&mut pid)?;
                Ok(Self::Theirs { pid })
            }
            Err(e) => Err(e.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_loaded_and_damage_is_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(State::load(dir.path()), (State::default(), None));
        let state = State {
            read_until: Some(Timestamp(5)),
            ..State::default()
        };
        state.save(dir.path()).unwrap();
        assert_eq!(State::load(dir.path()), (state, None));
        OpenOptions::new()
            .write(true)
            .truncate(true)
            .open(dir.path().join(FILE))
            .unwrap()
            .write_all(b"{\"ann")
            .unwrap();
        let (fresh, why) = State::load(dir.path());
        assert_eq!(fresh, State::default());
        assert!(why.unwrap().contains("state.json.damaged"));
        assert!(dir.path().join("state.json.damaged").exists());
    }

    #[test]
    fn a_second_agent_sees_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let first = Lock::take(dir.path());
        assert!(matches!(first, Lock::Ours(_)));
        assert!(matches!(Lock::take(dir.path()), Lock::Theirs { pid } if pid == std::process::id().to_string()));
        drop(first);
        assert!(matches!(Lock::take(dir.path()), Lock::Ours(_)));
    }
}
