//! Scores an answer against its label (CONTRACT.md, "Scoring").

use whynotready::catalog::load::Catalog;
use whynotready::model::diagnosis::Diagnosis;
use whynotready::model::finding::{Finding, Role};

use crate::corpus::Case;

/// What an answer is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Score {
    /// The label, or what is as right.
    Right,
    /// An ancestor or descendant of the label by `parent`.
    Kin,
    /// No root cause is named.
    Inconclusive,
    /// Another root cause, a second unrelated one, or any where none may be.
    Wrong,
}

/// The root causes that an answer names: of the end of the input, else of the newest episode.
pub fn named(diagnosis: &Diagnosis) -> Vec<String> {
    let roots = |findings: &[Finding]| -> Vec<String> {
        findings
            .iter()
            .filter(|f| f.role == Role::RootCause)
            .map(|f| f.cause.clone())
            .collect()
    };
    let present = roots(&diagnosis.findings);
    if present.is_empty() {
        diagnosis
            .episodes
            .first()
            .map(|e| roots(&e.findings))
            .unwrap_or_default()
    } else {
        present
    }
}

/// Scores what was named.
pub fn score(catalog: &Catalog, case: &Case, diagnosis: &Diagnosis) -> Score {
    let named = named(diagnosis);
    let Some(first) = named.first() else {
        // Without a present effect a label is a risk, or was over: naming no root cause is right.
        return if case.cause == "none" || case.no_effect {
            Score::Right
        } else {
            Score::Inconclusive
        };
    };
    if case.cause == "none" {
        return Score::Wrong;
    }
    let present = diagnosis.findings.iter().any(|f| f.role == Role::RootCause);
    if case.no_effect && present {
        return Score::Wrong;
    }
    let labels: Vec<&str> = std::iter::once(&case.cause)
        .chain(&case.also_right)
        .map(String::as_str)
        .collect();
    let kin = |cause: &str| labels.iter().any(|label| related(catalog, label, cause));
    if named
        .iter()
        .skip(1)
        .any(|other| !labels.contains(&other.as_str()) && !kin(other))
    {
        return Score::Wrong;
    }
    if labels.contains(&first.as_str()) {
        Score::Right
    } else if kin(first) {
        Score::Kin
    } else {
        Score::Wrong
    }
}

/// One is the other's ancestor.
fn related(catalog: &Catalog, a: &str, b: &str) -> bool {
    descends(catalog, a, b) || descends(catalog, b, a)
}

fn descends(catalog: &Catalog, id: &str, ancestor: &str) -> bool {
    let mut at = catalog.cause_index(id);
    // The loader refuses cycles; the bound is for the reader.
    for _ in 0..catalog.causes.len() {
        let Some(parent) = at.and_then(|i| catalog.causes[i].parent) else {
            return false;
        };
        if catalog.causes[parent].file.id == ancestor {
            return true;
        }
        at = Some(parent);
    }
    false
}
