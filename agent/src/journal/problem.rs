//! What could not be read, kept short: a file of damage must not fill memory with complaints.

/// Problems kept for one file; later ones are only counted.
const PER_FILE: u32 = 32;
/// Problems kept for a set of files.
const IN_ALL: usize = 1024;

/// Something in a journal file that could not be read. Reading went on behind it where that was possible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: at byte {offset}: {what}")]
pub struct Problem {
    /// The display name that the file was opened with.
    pub file: String,
    /// Byte offset in the file that the problem is about.
    pub offset: u64,
    /// What is wrong there.
    pub what: String,
}

/// A problem before it knows its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) offset: u64,
    pub(super) what: String,
}

impl Fault {
    pub(super) fn new(offset: u64, what: impl Into<String>) -> Self {
        Self {
            offset,
            what: what.into(),
        }
    }
}

/// The problems of a set, bounded.
#[derive(Debug, Default)]
pub(super) struct Log {
    kept: Vec<Problem>,
    per_file: Vec<u32>,
    dropped: u64,
}

impl Log {
    pub(super) fn add(&mut self, id: u32, name: &str, fault: Fault) {
        let id = id as usize;
        if self.per_file.len() <= id {
            self.per_file.resize(id + 1, 0);
        }
        self.per_file[id] += 1;
        if self.per_file[id] > PER_FILE || self.kept.len() >= IN_ALL {
            self.dropped += 1;
            return;
        }
        self.kept.push(Problem {
            file: name.to_owned(),
            offset: fault.offset,
            what: fault.what,
        });
    }

    pub(super) fn kept(&self) -> &[Problem] {
        &self.kept
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, Log};

    #[test]
    fn complaints_are_bounded_and_counted() {
        let mut log = Log::default();
        for offset in 0..100 {
            log.add(2, "a.journal", Fault::new(offset, "bad"));
        }
        assert_eq!((log.kept().len(), log.dropped()), (32, 68));
        assert_eq!(log.kept()[0].to_string(), "a.journal: at byte 0: bad");
    }
}
