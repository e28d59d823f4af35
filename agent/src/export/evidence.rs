//! Evidence: quoted lines with when, who, and how often. The whole of each is in the JSON and under `--all`.

use super::layout::{cut, duration, quote};
use super::report::Lead;
use super::text::{Style, head};
use crate::model::finding::{Evidence, Finding};
use crate::model::time::{SECOND, Timestamp};

/// Columns of the source at most.
const SOURCE: usize = 14;

pub(super) fn evidence(out: &mut Vec<String>, lead: &Lead<'_>, finding: &Finding, limit: usize, style: &Style) {
    if finding.evidence.is_empty() {
        return;
    }
    head(out, "EVIDENCE");
    rows(out, &finding.evidence, limit, lead.diagnosis.at, style);
}

/// At most `limit` lines, and what was left out.
pub(super) fn rows(out: &mut Vec<String>, evidence: &[Evidence], limit: usize, at: Timestamp, style: &Style) {
    let lines = if style.all {
        evidence.iter().map(Row::of).collect()
    } else {
        merged(evidence)
    };
    let shown = &lines[..limit.min(lines.len())];
    let wide = shown.iter().map(|r| r.source.chars().count()).max().unwrap_or(0);
    for row in shown {
        let e = row.first;
        let date = if e.at.date() == at.date() {
            String::new()
        } else {
            format!("{} ", e.at.date())
        };
        let front = format!("  {date}{}  {:wide$}  ", e.at.clock_millis(), row.source);
        let back = row.counted().map_or_else(String::new, |n| format!("  {n}"));
        let room = style
            .width
            .saturating_sub(front.chars().count() + back.chars().count())
            .max(24);
        let text = if style.all {
            row.text.clone()
        } else {
            cut(&row.text, room)
        };
        out.push(format!("{front}{text}{back}"));
        if style.all {
            out.push(format!("      {}", row.place()));
        }
    }
    super::sections::rest(out, lines.len(), shown.len());
}

/// One line of a report: a piece of evidence, or several that read the same.
#[derive(Debug, Clone)]
pub struct Row<'a> {
    /// The first of them.
    pub first: &'a Evidence,
    /// Who wrote it.
    pub source: String,
    /// What, without what has a column of its own.
    pub text: String,
    merged: u64,
    count: u64,
    last_at: Timestamp,
}

impl<'a> Row<'a> {
    fn of(first: &'a Evidence) -> Self {
        Self {
            first,
            source: cut(program(&quote(&first.source)), SOURCE),
            text: quote(&first.text),
            merged: 1,
            count: first.count,
            last_at: first.last_at,
        }
    }

    /// How often, where more than once.
    pub fn counted(&self) -> Option<String> {
        if self.count < 2 {
            return None;
        }
        let over = self.last_at.0 - self.first.seen_at.0;
        Some(if over < SECOND {
            format!("×{}", self.count)
        } else {
            format!("×{} in {}", self.count, duration(over))
        })
    }

    /// Where it is, as one would look it up; empty for what the agent saw itself.
    pub fn place(&self) -> String {
        place(self.first)
    }
}

/// Counts instead of repeats. Samples of one signal are within the count of its first line; of two signals that quote the
/// same line the greater count is the nearer.
pub fn merged(evidence: &[Evidence]) -> Vec<Row<'_>> {
    let mut out: Vec<Row<'_>> = Vec::new();
    for row in evidence.iter().map(Row::of) {
        match out.iter_mut().find(|r| r.source == row.source && r.text == row.text) {
            Some(known) => {
                known.merged += 1;
                known.count = known.count.max(row.count).max(known.merged);
                known.last_at = known.last_at.max(row.last_at);
            }
            None => out.push(row),
        }
    }
    out
}

/// Who speaks, not under which unit: systemd itself runs in `init.scope`.
fn program(source: &str) -> &str {
    match source {
        "init.scope" => "systemd",
        _ => source.strip_suffix(".service").unwrap_or(source),
    }
}

fn place(e: &Evidence) -> String {
    match (&e.cursor, &e.file, e.line) {
        (Some(cursor), _, _) => format!("journalctl --cursor='{}'", quote(cursor)),
        (None, Some(file), Some(line)) => format!("{}:{line}", quote(file)),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_is_the_program() {
        let of = ["kubelet.service", "init.scope", "kernel", "containerd.service", "k3s"].map(program);
        assert_eq!(of, ["kubelet", "systemd", "kernel", "containerd", "k3s"]);
    }

    #[test]
    fn lines_that_read_the_same_are_one_row_and_keep_their_count() {
        let line = |at: i64, count: u64, text: &str| Evidence {
            at: Timestamp(at * SECOND),
            seen_at: Timestamp(at * SECOND),
            source: "kubelet.service".into(),
            text: text.into(),
            count,
            last_at: Timestamp((at + 5) * SECOND),
            cursor: None,
            file: None,
            line: None,
            facts: serde_json::Map::new(),
        };
        let evidence = [
            line(0, 8, "a"),
            line(10, 1, "a"),
            line(20, 1, "b"),
            line(30, 1, "c"),
            line(40, 1, "c"),
        ];
        let rows: Vec<(String, String)> = merged(&evidence)
            .iter()
            .map(|r| (r.text.clone(), r.counted().unwrap_or_default()))
            .collect();
        let wanted = [("a", "×8 in 15 s"), ("b", ""), ("c", "×2 in 15 s")];
        assert_eq!(rows, wanted.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }
}
