//! Labelled cases: incidents (a journal with its label) and field cases (quoted lines with their label).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// Field cases shorter than this are reported, and in a row of their own left out.
pub const SHORT: usize = 3;
/// Incidents that may be excused, at most.
const EXCUSED: usize = 8;

/// A case.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its name: the folder, or the id.
    pub name: String,
    /// The label; `none` where no root cause may be named.
    pub cause: String,
    /// What else is right.
    pub also_right: Vec<String>,
    /// No effect is to be found: the cause is a risk or over.
    pub no_effect: bool,
    /// Why the journal cannot tell, where it cannot.
    pub excused: Option<String>,
    /// What is read.
    pub material: Material,
}

/// What is read.
#[derive(Debug, Clone)]
pub enum Material {
    /// A directory: journals, and what was captured from the node beside them.
    Record(PathBuf),
    /// Lines.
    Lines(Vec<Line>),
}

/// One quoted line.
#[derive(Debug, Clone, Deserialize)]
pub struct Line {
    /// Who wrote it.
    #[serde(default)]
    pub unit: Option<String>,
    /// What it says.
    pub text: String,
    /// When, as `Jun 22 13:11:13`.
    #[serde(default)]
    pub ts: Option<String>,
}

#[derive(Deserialize)]
struct IncidentFile {
    name: String,
    cause: String,
    #[serde(default)]
    also_right: Vec<String>,
    #[serde(default)]
    effect: Option<String>,
}

#[derive(Deserialize)]
struct FieldFile {
    id: String,
    cause: String,
    #[serde(default)]
    also_right: Vec<String>,
    lines: Vec<Line>,
}

/// The scenarios that a journal cannot tell, with the reason.
pub fn excuses(path: &Path) -> Result<BTreeMap<String, String>> {
    let excuses: BTreeMap<String, String> =
        toml::from_str(&text(path)?).with_context(|| format!("{}", path.display()))?;
    if excuses.len() > EXCUSED {
        bail!(
            "{}: {} incidents are excused, at most {EXCUSED} may be",
            path.display(),
            excuses.len()
        );
    }
    Ok(excuses)
}

/// The cases of a directory, by what lies in it; incidents with what was captured from the node, or their journals alone.
pub fn load(dir: &Path, excuses: &BTreeMap<String, String>, snapshots: bool) -> Result<Vec<Case>> {
    let field = dir.join("cases.jsonl");
    let cases = if field.is_file() {
        field_cases(&field)?
    } else {
        incidents(dir, excuses, snapshots)?
    };
    if cases.is_empty() {
        bail!("{}: neither incidents nor cases.jsonl", dir.display());
    }
    Ok(cases)
}

#[expect(clippy::disallowed_methods, reason = "a corpus is read from disk")]
fn text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))
}

#[expect(clippy::disallowed_methods, reason = "a corpus is read from disk")]
fn incidents(dir: &Path, excuses: &BTreeMap<String, String>, snapshots: bool) -> Result<Vec<Case>> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(dir)
        .with_context(|| format!("{}", dir.display()))?
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.join("incident.json").is_file())
        .collect();
    folders.sort();
    let mut cases = Vec::new();
    for folder in folders {
        let file = folder.join("incident.json");
        let label: IncidentFile = serde_json::from_str(&text(&file)?).with_context(|| format!("{}", file.display()))?;
        let name = folder
            .file_name()
            .map(|n| n.to_string_lossy().into_owned())
            .unwrap_or_default();
        cases.push(Case {
            excused: excuses.get(&label.name).or_else(|| excuses.get(&name)).cloned(),
            name,
            cause: label.cause,
            also_right: label.also_right,
            no_effect: label.effect.as_deref() == Some("none"),
            material: Material::Record(if snapshots { folder } else { folder.join("journal") }),
        });
    }
    Ok(cases)
}

fn field_cases(path: &Path) -> Result<Vec<Case>> {
    let text = text(path)?;
    let mut cases = Vec::new();
    for (i, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        let case: FieldFile = serde_json::from_str(line).with_context(|| format!("{}:{}", path.display(), i + 1))?;
        cases.push(Case {
            name: case.id,
            cause: case.cause,
            also_right: case.also_right,
            no_effect: false,
            excused: None,
            material: Material::Lines(case.lines),
        });
    }
    Ok(cases)
}
