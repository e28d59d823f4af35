//! What commands printed when the node was captured, found by what it looks like.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

use super::root::{Capture, Root};
use super::{date, df, ps, show, ss};
use crate::host::Host;
use crate::model::time::Timestamp;
use crate::source::filesystem::Space;

/// Files looked at.
const FILES: usize = 4096;
/// Bytes of a file by which it is decided whether the rest is read.
const HEAD: u64 = 4096;
/// Where a capture keeps what commands printed, besides its own directory.
const SOS: &str = "/sos_commands";

/// Everything that was found.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    pub(super) date: Option<Timestamp>,
    pub(super) units: Vec<show::Shown>,
    pub(super) tasks: Option<Vec<ps::Task>>,
    pub(super) sockets: Option<Vec<ss::Socket>>,
    pub(super) filesystems: BTreeMap<PathBuf, Space>,
    /// What the kubelet's health endpoint answered; empty where nothing came back.
    pub(super) healthz: Option<String>,
}

/// Reads the outputs of a capture.
pub(super) fn read(host: &Host, root: &Root) -> Outputs {
    let mut outputs = Outputs::default();
    let mut left = FILES;
    if root.kind == Capture::Sos {
        for plugin in host.directories(SOS).unwrap_or_default() {
            directory(host, &format!("{SOS}/{plugin}"), &mut outputs, &mut left);
        }
    } else {
        directory(host, "", &mut outputs, &mut left);
    }
    outputs
}

fn directory(host: &Host, directory: &str, outputs: &mut Outputs, left: &mut usize) {
    for name in host.list(format!("{directory}/")).unwrap_or_default() {
        if *left == 0 {
            return;
        }
        let path = format!("{directory}/{name}");
        if host.metadata(&path).is_ok_and(|m| m.is_file()) {
            *left -= 1;
            take(host, &path, outputs);
        }
    }
}

fn take(host: &Host, path: &str, outputs: &mut Outputs) {
    let Ok(file) = host.open(path) else { return };
    let mut head = Vec::new();
    if file.take(HEAD).read_to_end(&mut head).is_err() {
        return;
    }
    let whole = (head.len() as u64) < HEAD;
    let head = String::from_utf8_lossy(&head);
    if whole && path.contains("healthz") {
        outputs.healthz.get_or_insert_with(|| head.trim().to_owned());
        return;
    }
    if whole && let Some(at) = date::parse(&head) {
        outputs.date.get_or_insert(at);
        return;
    }
    let text = || host.text(path).unwrap_or_default();
    if df::is_table(&head) {
        df::add(&text(), &mut outputs.filesystems);
    } else if ps::is_listing(&head) && outputs.tasks.is_none() {
        outputs.tasks = ps::parse(&text());
    } else if ss::is_list(&head) && outputs.sockets.is_none() {
        outputs.sockets = Some(ss::parse(&text()));
    } else if head.lines().next().is_some_and(|l| l.contains('=')) {
        let text = text();
        if show::is_shown(&text) {
            outputs.units.extend(show::parse(&text));
        }
    }
}
