//! `whynotready causes`: what the catalog knows.

use std::fmt::Write;

use super::args::{Causes, Format};
use super::exit::Exit;
use super::io::Io;
use super::run::{self, Failure};
use crate::catalog::listing::{Row, rows};
use crate::export::layout::{self, word};

pub(super) fn run(args: &Causes, io: &mut Io) -> Result<Exit, Failure> {
    let catalog = run::catalog(args.catalog_dir.as_deref())?;
    let rows = rows(&catalog, args.layer);
    let text = match args.format {
        Format::Text => table(&rows, columns(io)),
        Format::Json => {
            let json = if io.stdout_is_terminal {
                serde_json::to_string_pretty(&rows)
            } else {
                serde_json::to_string(&rows)
            };
            json.map_err(|e| Failure::Tool(e.to_string()))? + "\n"
        }
    };
    io.print(&text)?;
    Ok(Exit::Ok)
}

/// A pipe gets a cause a line: it is searched, not read.
fn columns(io: &Io) -> usize {
    match io.width {
        Some(width) if io.stdout_is_terminal => width.max(40),
        _ => usize::MAX,
    }
}

fn table(rows: &[Row<'_>], width: usize) -> String {
    let wide = rows.iter().map(|r| r.id.len()).max().unwrap_or(0);
    let mut out = String::new();
    let mut layer = None;
    for row in rows {
        if layer != Some(row.layer) {
            let gap = if layer.is_none() { "" } else { "\n" };
            let _ = writeln!(out, "{gap}{}", word(&row.layer));
            layer = Some(row.layer);
        }
        let line = format!("{}\u{a0}{}", layout::pad(row.id, wide), row.title);
        let _ = writeln!(out, "{}", layout::wrap(&line, 2, wide + 4, width));
    }
    out
}
