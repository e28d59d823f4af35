//! The scoreboard: counts per layer, then every case that is not right.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use whynotready::catalog::load::Catalog;

use crate::corpus::{Case, Material, SHORT};
use crate::run::diagnose;
use crate::score::{Score, named, score};

/// One scored case.
#[derive(Debug, Clone)]
pub struct Row {
    /// The case.
    pub case: Case,
    /// Its score.
    pub score: Score,
    /// The root causes that were named.
    pub named: Vec<String>,
    /// The layer of its label, `none` for healthy ones, `unknown` where the catalog lacks it.
    pub layer: String,
}

/// Counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// By [`Score`], in its order.
    pub counts: [usize; 4],
}

impl Tally {
    /// Of these rows.
    pub fn of<'a>(rows: impl Iterator<Item = &'a Row>) -> Self {
        let mut tally = Self::default();
        for row in rows {
            tally.counts[row.score as usize] += 1;
        }
        tally
    }

    /// All of them.
    pub fn total(&self) -> usize {
        self.counts.iter().sum()
    }

    /// Per cent of the total; 100 of nothing.
    pub fn percent(&self, scores: &[Score]) -> f64 {
        let n: usize = scores.iter().map(|s| self.counts[*s as usize]).sum();
        if self.total() == 0 {
            100.0
        } else {
            n as f64 * 100.0 / self.total() as f64
        }
    }
}

/// Runs and scores every case.
pub fn run(catalog: &Arc<Catalog>, cases: Vec<Case>) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for case in cases {
        let diagnosis = diagnose(catalog, &case).with_context(|| case.name.clone())?;
        let layer = match catalog.cause(&case.cause) {
            Some(cause) => serde_json::to_value(cause.file.layer)?
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            None if case.cause == "none" => "none".to_owned(),
            None => "unknown".to_owned(),
        };
        rows.push(Row {
            score: score(catalog, &case, &diagnosis),
            named: named(&diagnosis),
            layer,
            case,
        });
    }
    Ok(rows)
}

/// An incident that counts: not excused.
pub fn is_incident(row: &Row) -> bool {
    matches!(row.case.material, Material::Record(_)) && row.case.excused.is_none()
}

/// A field case of three lines or more.
pub fn is_long_field_case(row: &Row) -> bool {
    matches!(&row.case.material, Material::Lines(lines) if lines.len() >= SHORT)
}

/// A healthy one.
pub fn is_healthy(row: &Row) -> bool {
    row.case.cause == "none"
}

type Group = (&'static str, fn(&Row) -> bool);

const GROUPS: [Group; 4] = [
    ("incidents", is_incident),
    ("incidents that the journal can't tell", |r| r.case.excused.is_some()),
    ("field cases", |r| matches!(r.case.material, Material::Lines(_))),
    ("field cases of three lines or more", is_long_field_case),
];

/// The board as text.
pub fn table(rows: &[Row]) -> String {
    let mut out = String::new();
    for (title, belongs) in GROUPS {
        let group: Vec<&Row> = rows.iter().filter(|r| belongs(r)).collect();
        if group.is_empty() {
            continue;
        }
        let _ = writeln!(
            out,
            "{title:38}  {:>5} {:>11} {:>11} {:>12} {:>11}",
            "cases", "right", "kin", "inconclusive", "wrong"
        );
        let mut layers: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
        for row in &group {
            layers.entry(&row.layer).or_default().push(row);
        }
        for (layer, rows) in layers {
            line(&mut out, layer, Tally::of(rows.into_iter()));
        }
        line(&mut out, "all", Tally::of(group.into_iter()));
        out.push('\n');
    }
    let off: Vec<&Row> = rows.iter().filter(|r| r.score != Score::Right).collect();
    if !off.is_empty() {
        let _ = writeln!(out, "not right:");
    }
    for row in off {
        let word = format!("{:?}", row.score).to_lowercase();
        let named = if row.named.is_empty() {
            "nothing".to_owned()
        } else {
            row.named.join(" and ")
        };
        let excused = row
            .case
            .excused
            .as_deref()
            .map(|e| format!("  (can't tell: {e})"))
            .unwrap_or_default();
        let _ = writeln!(
            out,
            "  {word:12}  {}: named {named}, expected {}{excused}",
            row.case.name, row.case.cause
        );
    }
    out
}

fn line(out: &mut String, name: &str, tally: Tally) {
    let cell = |s: Score| format!("{} {:3.0} %", tally.counts[s as usize], tally.percent(&[s]));
    let _ = writeln!(
        out,
        "  {name:36}  {:>5} {:>11} {:>11} {:>12} {:>11}",
        tally.total(),
        cell(Score::Right),
        cell(Score::Kin),
        cell(Score::Inconclusive),
        cell(Score::Wrong)
    );
}

/// The board for a program.
pub fn document(rows: &[Row]) -> Value {
    let groups: BTreeMap<&str, Value> = GROUPS
        .iter()
        .map(|(title, belongs)| {
            let t = Tally::of(rows.iter().filter(|r| belongs(r)));
            let [right, kin, inconclusive, wrong] = t.counts;
            (
                *title,
                json!({"right": right, "kin": kin, "inconclusive": inconclusive, "wrong": wrong}),
            )
        })
        .collect();
    let cases: Vec<Value> = rows
        .iter()
        .map(|r| {
            let score = format!("{:?}", r.score).to_lowercase();
            json!({"name": r.case.name, "layer": r.layer, "expected": r.case.cause, "named": r.named, "score": score})
        })
        .collect();
    json!({"groups": groups, "cases": cases})
}
