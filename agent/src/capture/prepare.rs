//! What the command line names, made ready for the reader of logs: captures become looks beside the record.

use std::path::PathBuf;

use super::look::look;
use super::root;
use crate::input::Options;

/// What the reader of logs is to be given.
#[derive(Debug, Default)]
pub struct Prepared {
    /// The paths, as they were named.
    pub paths: Vec<PathBuf>,
}

/// Looks for captures in the directories among the paths, and puts what they say into the options.
pub fn prepare(paths: &[PathBuf], options: &mut Options) -> std::io::Result<Prepared> {
    let prepared = Prepared { paths: paths.to_vec() };
    let directories: Vec<PathBuf> = prepared.paths.iter().filter(|p| p.is_dir()).cloned().collect();
    for root in root::find(&directories) {
        options.asides.push(look(&root)?);
    }
    Ok(prepared)
}
