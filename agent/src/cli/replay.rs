//! `replay`: the diagnosis of a recorded bundle, made again from the same inputs.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::Replay;
use super::exit::Exit;
use super::io::Io;
use super::report;
use super::run::{self, Failure};
use crate::bundle::read;
use crate::catalog::load::Catalog;
use crate::diagnosis::engine;
use crate::export::report::Tense;
use crate::host::Host;
use crate::model::diagnosis::Diagnosis;
use crate::model::input::{Gap, Input};
use crate::pipeline::Analyzer;

pub(super) fn run(args: &Replay, env: &dyn Fn(&str) -> Option<String>, io: &mut Io) -> Result<Exit, Failure> {
    let catalog = Arc::new(run::catalog(args.common.catalog_dir.as_deref())?);
    let diagnosis = diagnose(&args.bundle, &catalog)?;
    report::print((&diagnosis, Tense::Record), &args.common, env, io)
}

/// Whether this file is a bundle.
pub(super) fn is_bundle(path: &Path) -> bool {
    let mut head = Vec::new();
    path.is_file()
        && Host::at("/")
            .open(path)
            .is_ok_and(|file| file.take(512).read_to_end(&mut head).is_ok())
        && read::is_packed(&head)
}

/// The bundle to read where `path` is one, or a directory of nothing but bundles (as the agent keeps them), whose newest
/// counts; and how many older ones there are.
pub(super) fn bundle_at(path: &Path) -> Option<(PathBuf, usize)> {
    if !path.is_dir() {
        return is_bundle(path).then(|| (path.to_owned(), 0));
    }
    let host = Host::at(path);
    let mut found = Vec::new();
    for name in host.list("/").ok()? {
        let file = path.join(&name);
        if !is_bundle(&file) {
            return None;
        }
        let modified = host.metadata(&name).map(|m| m.modified().ok());
        found.push((modified.ok()?, file));
    }
    found.sort();
    let (_, newest) = found.pop()?;
    Some((newest, found.len()))
}

/// The diagnosis of a bundle.
pub(super) fn diagnose(path: &Path, catalog: &Arc<Catalog>) -> Result<Diagnosis, Failure> {
    let file = Host::at("/").open(path).map_err(|e| Failure::Tool(e.to_string()))?;
    let mut analyzer = Analyzer::new(Arc::clone(catalog), engine::Options::default());
    let foot = read::read(file, &mut |input| analyzer.input(&input, &mut |_| {}))
        .map_err(|e| Failure::Tool(format!("{}: {e}", path.display())))?;
    if foot.is_none() {
        let gap = Gap {
            source: "bundle".into(),
            from: None,
            to: None,
            reason: format!("{} ends before its foot: it was cut short", path.display()),
            grant: None,
        };
        analyzer.input(&Input::Gap(gap), &mut |_| {});
    }
    let foot = foot.unwrap_or_default();
    let mut diagnosis = analyzer.diagnosis();
    diagnosis.node = foot.node.or(diagnosis.node);
    diagnosis.boot_id = foot.boot_id.or(diagnosis.boot_id);
    Ok(diagnosis)
}
