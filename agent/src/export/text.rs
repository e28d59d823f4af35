//! The report for a person: what is so and since when, why, what shows it, what to do. It only words what the diagnosis
//! holds; whatever is left out for the sake of length is in the JSON.

use super::evidence;
use super::layout::{solid, wrap};
use super::reasons;
use super::report::{Lead, Tense};
use super::sections::{self, Limits};
use crate::model::diagnosis::Diagnosis;

/// Lines of a report without `--all`.
const LINES: usize = 40;

/// How to render.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Columns.
    pub width: usize,
    /// Mark heads with colour.
    pub color: bool,
    /// Everything, however long.
    pub all: bool,
    /// How to speak of the end of the input.
    pub tense: Tense,
}

/// The report.
pub fn render(diagnosis: &Diagnosis, style: &Style) -> String {
    let lead = Lead::of(diagnosis, style.tense);
    let mut lines = Vec::new();
    for limits in Limits::steps(style.all) {
        lines = report(&lead, style, limits);
        if style.all || lines.len() <= LINES {
            break;
        }
    }
    if !style.all && lines.len() > LINES {
        let cut = lines.len() - (LINES - 1);
        lines.truncate(LINES - 1);
        lines.push(format!("… {cut} more lines: --all"));
    }
    let mut out: String = lines
        .iter()
        .map(|l| paint(l.trim_end(), style.color))
        .collect::<Vec<_>>()
        .join("\n");
    out.push('\n');
    out
}

fn report(lead: &Lead<'_>, style: &Style, limits: Limits) -> Vec<String> {
    let mut out = Vec::new();
    let headline = format!("{}{}", solid(&format!("{}  ", lead.node())), lead.headline());
    push_wrapped(&mut out, &headline, 0, 2, style.width);
    if let Some(root) = lead.root() {
        sections::root_cause(&mut out, lead, root, style);
        sections::why(&mut out, lead, root, style);
        evidence::evidence(&mut out, lead, root, limits.evidence, style);
        sections::others(&mut out, lead, limits.others, style);
        reasons::ruled_out(&mut out, root, limits.ruled_out, style);
        reasons::not_seen(&mut out, lead, limits.not_seen, style);
        sections::fix(&mut out, root, limits.fix, style);
    } else if lead.needs_cause() {
        sections::inconclusive(&mut out, lead, limits.candidates, style);
        sections::certain(&mut out, lead, style);
        sections::others(&mut out, lead, limits.others, style);
        reasons::not_seen(&mut out, lead, limits.not_seen, style);
    } else {
        reasons::not_seen(&mut out, lead, limits.not_seen, style);
    }
    sections::risks(&mut out, lead, limits.others, style);
    sections::other_episodes(&mut out, lead, limits.episodes, style);
    out
}

/// A head: words in capitals at the line's start, and the cause's id that follows them.
fn paint(line: &str, color: bool) -> String {
    if !color {
        return line.to_owned();
    }
    let end = line
        .find(|c: char| !(c.is_ascii_uppercase() || c == ' '))
        .unwrap_or(line.len());
    let head = line[..end].trim_end();
    if head.len() < 3 || line.starts_with(' ') {
        return line.to_owned();
    }
    let code = match head {
        "ROOT CAUSE" => "1;31",
        "INCONCLUSIVE" | "RISK" => "1;33",
        _ => "1",
    };
    format!("\x1b[{code}m{head}\x1b[0m{}", &line[head.len()..])
}

pub(super) fn head(out: &mut Vec<String>, title: &str) {
    out.push(String::new());
    out.push(title.to_owned());
}

pub(super) fn push_wrapped(out: &mut Vec<String>, text: &str, first: usize, rest: usize, width: usize) {
    out.extend(wrap(text, first, rest, width).lines().map(str::to_owned));
}
