//! Where a node's logs lie: journald's two directories, and the files of kubelets that write one.

use std::path::PathBuf;

use super::logfile::LOGS;
use crate::host::Host;

/// journald's directories (`journald.conf(5)`, `Storage=`).
const JOURNALS: [&str; 2] = ["/var/log/journal", "/run/log/journal"];

/// Those that are there and may be looked into, as paths of this process.
pub fn places(host: &Host) -> Vec<PathBuf> {
    let files = LOGS.iter().map(|(path, _)| *path);
    JOURNALS
        .into_iter()
        .chain(files)
        .filter(|p| {
            host.metadata(p)
                .is_ok_and(|m| m.is_file() || host.list(p).is_ok_and(|l| !l.is_empty()))
        })
        .map(|p| host.path(p))
        .collect()
}
