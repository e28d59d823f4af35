//! The words for a file that could not be looked at, and what would let it.

use std::path::Path;

use super::look::Look;
use crate::grammar::fact::Kind;
use crate::host::Unreadable;
use crate::world::World;

/// What lets a process read the kubelet's files (research: uid 0 without capabilities is enough).
pub const ROOT: &str = "uid 0, or CAP_DAC_READ_SEARCH";
/// What shows a pod files of the node.
pub const MOUNT: &str = "the node's directory as a read-only mount below the host root";

/// Adds a gap for a file that could not be read.
pub fn file(look: &mut Look, kind: Kind, error: &Unreadable) {
    if error.is_missing() {
        look.missed(kind, format!("{error}, or it is not mounted here"), Some(MOUNT));
    } else {
        look.missed(kind, error.to_string(), error.is_denied().then_some(ROOT));
    }
}

/// Adds a gap for what the world could not find or read; `path` where it is known.
pub fn world(look: &mut Look, kind: Kind, world: &World, path: Option<&Path>, else_why: &str) {
    let wanted = path.map(|p| p.display().to_string());
    let note = world.notes.iter().find(|n| Some(&n.what) == wanted.as_ref());
    match note {
        Some(note) if note.denied => look.missed(kind, note.why.clone(), Some(ROOT)),
        Some(note) => look.missed(kind, note.why.clone(), Some(MOUNT)),
        None => {
            let hidden = world.notes.iter().find(|n| n.what == "/proc");
            let grant = hidden.map(|_| "the node's /proc as a read-only mount below the host root, or hostPID");
            look.missed(kind, else_why.to_owned(), grant);
        }
    }
}
