//! `whynotready explain`: the catalog's page on a cause.

use std::fmt::Write;

use super::args::Explain;
use super::exit::Exit;
use super::io::Io;
use super::run::{self, Failure};
use crate::catalog::load::Catalog;
use crate::catalog::schema::CauseFile;
use crate::export::layout::{self, word};
use crate::export::words;
use crate::spelling::distance;

/// Prose is not wider than this, however wide the terminal is.
const PROSE: usize = 100;
/// Suggestions for an id that is not known.
const SUGGESTIONS: usize = 5;

pub(super) fn run(args: &Explain, io: &mut Io) -> Result<Exit, Failure> {
    let catalog = run::catalog(args.catalog_dir.as_deref())?;
    let Some(cause) = catalog.cause(&args.cause) else {
        return Err(Failure::Usage(unknown(&catalog, &args.cause)));
    };
    let width = io.width.unwrap_or(PROSE).clamp(40, PROSE);
    io.print(&page(&catalog, &cause.file, width))?;
    Ok(Exit::Ok)
}

fn page(catalog: &Catalog, cause: &CauseFile, width: usize) -> String {
    let mut out = String::new();
    let name = layout::solid(&format!("{}  ", cause.id));
    let _ = writeln!(out, "{}", layout::wrap(&format!("{name}{}", cause.title), 0, 2, width));
    let _ = writeln!(
        out,
        "layer {}, repair {}, owner {}",
        word(&cause.layer),
        word(&cause.repair),
        word(&cause.owner)
    );
    if let Some(parent) = &cause.parent {
        let _ = writeln!(out, "a kind of {parent}");
    }
    let _ = writeln!(
        out,
        "{}",
        layout::wrap(&words::who_acts(cause.owner, cause.repair), 0, 2, width)
    );
    section(&mut out, "WHAT HAPPENS", &[cause.summary.as_str()], width);
    section(&mut out, "PROOF", &[cause.proof.as_str()], width);
    let signals: Vec<String> = catalog
        .cause_index(&cause.id)
        .map(|index| {
            catalog
                .signals
                .iter()
                .filter(|s| s.cause == index)
                .map(|s| format!("- {}", s.says))
                .collect()
        })
        .unwrap_or_default();
    section(&mut out, "SIGNALS", &signals, width);
    let near: Vec<String> = cause.near.iter().map(|id| titled(catalog, id)).collect();
    section(&mut out, "LOOKS ALIKE", &near, width);
    let decides: Vec<String> = cause
        .verdict
        .decides
        .iter()
        .map(|d| format!("- {}: {}", d.signal, d.grant))
        .collect();
    section(&mut out, "WHAT DECIDES IT", &decides, width);
    let leads: Vec<String> = cause.leads_to.iter().map(|e| titled(catalog, &e.to)).collect();
    section(&mut out, "LEADS TO", &leads, width);
    remedies(&mut out, cause, width);
    section(&mut out, "REFERENCES", &cause.references, width);
    out
}

fn remedies(out: &mut String, cause: &CauseFile, width: usize) {
    if cause.remedies.is_empty() {
        return;
    }
    let _ = writeln!(out, "\nFIX");
    for (i, step) in cause.remedies.iter().enumerate() {
        let _ = writeln!(
            out,
            "{}",
            layout::wrap(&format!("{}. {}", i + 1, step.text), 2, 5, width)
        );
        if let Some(command) = &step.command {
            // Commands are copied: they are never wrapped.
            let _ = writeln!(out, "     $ {command}");
        }
        let _ = writeln!(out, "{}", layout::wrap(&format!("risk: {}", step.risk), 5, 7, width));
        let _ = writeln!(out, "{}", layout::wrap(&format!("check: {}", step.verify), 5, 7, width));
    }
}

fn section(out: &mut String, head: &str, items: &[impl AsRef<str>], width: usize) {
    if items.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{head}");
    for item in items {
        let hang = if item.as_ref().starts_with("- ") { 4 } else { 2 };
        let _ = writeln!(out, "{}", layout::wrap(item.as_ref(), 2, hang, width));
    }
}

/// An id with what it means: causes, effects, and groups (`@name`) by how many they are.
fn titled(catalog: &Catalog, id: &str) -> String {
    let group = id
        .strip_prefix('@')
        .and_then(|name| catalog.groups.iter().find(|g| g.name == name));
    if let Some(group) = group {
        return format!(
            "- any of the {} causes of the group {}",
            group.members.len(),
            group.name
        );
    }
    let title = catalog
        .cause(id)
        .map(|c| c.file.title.as_str())
        .or_else(|| catalog.effects.iter().find(|e| e.id == id).map(|e| e.title.as_str()));
    title.map_or_else(|| format!("- {id}"), |title| format!("- {id}: {title}"))
}

fn unknown(catalog: &Catalog, wanted: &str) -> String {
    let mut near: Vec<(usize, &str)> = catalog
        .causes
        .iter()
        .map(|c| c.file.id.as_str())
        .map(|id| {
            (
                if id.contains(wanted) && wanted.len() > 2 {
                    0
                } else {
                    distance(id, wanted)
                },
                id,
            )
        })
        .filter(|(far, id)| *far <= id.len() / 3 + 1)
        .collect();
    near.sort_unstable();
    let near: Vec<&str> = near.into_iter().take(SUGGESTIONS).map(|(_, id)| id).collect();
    if near.is_empty() {
        format!("no cause is called {wanted:?}; `whynotready causes` lists them")
    } else {
        format!("no cause is called {wanted:?}; did you mean {}?", near.join(", "))
    }
}
