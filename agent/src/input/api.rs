//! What the reader of logs is told, and what it says when it is done.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::aside::Aside;
use super::moment::Timeline;
use crate::model::time::{Moment, Timestamp};

/// What to read.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Nothing from before, by wall time.
    pub since: Option<Timestamp>,
    /// Nothing from after, by wall time.
    pub until: Option<Timestamp>,
    /// The year of the first line of logs whose stamps have none; else the year of the file's last change.
    pub reference_year: Option<i32>,
    /// What was seen beside the log.
    pub asides: Vec<Aside>,
    /// Files in directories that are not read: what they hold is read elsewhere.
    pub leave: BTreeSet<PathBuf>,
    /// Of logs that hold several hosts' lines only those of this node, whose host's name may be the first part of its own.
    pub host: Option<String>,
    /// Under which names files below these directories are shown: an archive's, for where it was unpacked to.
    pub shown: Vec<(PathBuf, PathBuf)>,
}

impl Options {
    /// Whether lines of this host are read.
    pub fn is_of(&self, host: &str) -> bool {
        self.host
            .as_deref()
            .is_none_or(|node| host == node || node.strip_prefix(host).is_some_and(|rest| rest.starts_with('.')))
    }

    /// The name under which a path is shown.
    pub fn show(&self, path: &Path) -> PathBuf {
        self.shown
            .iter()
            .find_map(|(root, name)| path.strip_prefix(root).ok().map(|below| name.join(below)))
            .unwrap_or_else(|| path.to_owned())
    }
}

/// How far the reader is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the files that have been read.
    pub bytes_done: u64,
    /// Bytes of all files, as far as they are known.
    pub bytes_total: u64,
    /// Entries and lines so far.
    pub entries: u64,
}

/// What was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    /// Whose log it is.
    pub node: Option<NodeName>,
    /// The last boot, 32 hex digits.
    pub boot_id: Option<String>,
    /// The first entry's moment.
    pub first: Option<Moment>,
    /// The last entry's moment.
    pub last: Option<Moment>,
    /// Entries and lines in the time asked about.
    pub entries: u64,
    /// What the files were.
    pub sources: Vec<SourceSummary>,
    /// How many observations were made: the last one's sequence number.
    pub observed: u64,
    /// The record's line of time, on which what comes after it is placed.
    pub timeline: Timeline,
}

/// The node's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeName {
    /// The name.
    pub name: String,
    /// Where it was found.
    pub from: NodeNameFrom,
}

/// Where a node's name was found; a later one is the better witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NodeNameFrom {
    /// `_HOSTNAME`, or the host's column in front of a line.
    Hostname,
    /// `/api/v1/nodes/NAME` in a line of the kubelet.
    NodeUrl,
    /// `/leases/NAME` in a line of the kubelet.
    LeaseUrl,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSummary {
    /// Its path as given or found.
    pub path: String,
    /// What it was, in words.
    pub kind: &'static str,
    /// Entries or lines read from it; journals are counted together, at the first of them.
    pub entries: u64,
}

/// Why nothing is read: every fault of what the command line names.
#[derive(Debug)]
pub struct InputError {
    /// At least one.
    pub faults: Vec<Fault>,
}

/// One fault.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The file could not be opened or read.
    #[error("{path}: {source}")]
    Open {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The file holds nothing.
    #[error("{path}: the file is empty")]
    Empty {
        /// The file.
        path: String,
    },
    /// The file is nothing that is known.
    #[error("{path}: line {line}: expected {expected}, found {found}")]
    NotUnderstood {
        /// The file.
        path: String,
        /// The line that was looked at first, from 1.
        line: u64,
        /// What it should have been.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// A compressed journal could not be unpacked to where it can be read.
    #[error("{path}: cannot unpack the journal: {source}")]
    Spool {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A directory holds no log.
    #[error("{path}: no journal and no log in this directory")]
    NothingFound {
        /// The directory.
        path: String,
    },
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.faults.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for InputError {}
