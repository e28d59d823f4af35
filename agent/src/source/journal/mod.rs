//! The node's journal, live: look-back at the start, then every entry as it is written, across rotation, vacuum, new
//! boots, the move from `/run` to `/var` and restarts of the agent; each entry once, and an account of what was not seen.
//!
//! It polls: the header of each open file and the time stamps of the directories, a few system calls a look. inotify
//! would not be sooner, because journald itself holds its notifications back for 250 ms (`POST_CHANGE_TIMER_INTERVAL_USEC`
//! in `journal-file.h`), and is not allowed everywhere. It refuses to guess: an entry that cannot be read is waited for,
//! then told as a gap, never passed over in silence.

mod account;
mod cursor;
mod directory;
mod follow;
mod limit;
mod opening;
mod order;

use std::path::PathBuf;
use std::time::Duration;

pub use account::Account;
pub use cursor::{Position, save};
pub use follow::Follower;

/// Who may read journals where the agent may not.
const GRANT: &str = "run as root, or as a member of adm or systemd-journal";

/// What to follow, and from when.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where journals lie; on every node the two of journald's own.
    pub roots: Vec<PathBuf>,
    /// How far to look back where no position was saved.
    pub since: Duration,
    /// How far to look back at most where one was: a longer time is a gap.
    pub longest: Duration,
    /// Where the position was saved, on the agent's own file system.
    pub position: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            roots: vec!["/run/log/journal".into(), "/var/log/journal".into()],
            since: Duration::from_mins(30),
            longest: Duration::from_hours(24),
            position: None,
        }
    }
}

/// What one look gave.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Polled {
    /// Entries read: those that led to an input and those that did not.
    pub entries: usize,
    /// The budget ended before the journal did.
    pub more: bool,
    /// When to look again.
    pub wait: Duration,
}
