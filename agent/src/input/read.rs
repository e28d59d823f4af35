//! Paths to inputs: the seam that the command line is written against.

use std::fmt;
use std::io::Read;
use std::path::PathBuf;

use crate::model::input::Input;
use crate::model::time::Timestamp;

/// What part of the record is asked about.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Nothing before this.
    pub since: Option<Timestamp>,
    /// Nothing after this.
    pub until: Option<Timestamp>,
    /// The year of lines that have none.
    pub reference_year: Option<i16>,
}

/// How far the reading is.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// Bytes read.
    pub bytes: u64,
    /// Bytes in all, where known.
    pub total: Option<u64>,
    /// Entries or lines read.
    pub entries: u64,
}

/// What was read.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// Entries or lines read.
    pub entries: u64,
    /// `_HOSTNAME` of the last entry that has one.
    pub hostname: Option<String>,
    /// The last boot's id.
    pub boot_id: Option<String>,
}

/// Nothing could be read.
#[derive(Debug)]
pub struct InputError(pub Vec<String>);

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for InputError {}

/// Reads every path in the order of the record.
pub fn read(
    paths: &[PathBuf],
    _stdin: Option<Box<dyn Read>>,
    _options: &Options,
    _sieve: &dyn Fn(&str) -> bool,
    _sink: &mut dyn FnMut(Input),
    _progress: &mut dyn FnMut(&Progress),
) -> Result<Summary, InputError> {
    let missing: Vec<String> = paths
        .iter()
        .filter(|p| p.as_os_str() != "-" && !p.exists())
        .map(|p| format!("{}: no such file or directory", p.display()))
        .collect();
    if missing.is_empty() {
        Ok(Summary::default())
    } else {
        Err(InputError(missing))
    }
}
