//! Reads the catalog's files, embedded and overlaid, and reports every fault of all of them at once.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::compile::{Cause, Signal};
use super::graph::Graph;
use super::matcher::Matcher;
use super::schema::{CauseFile, EffectFile, EffectsFile, GroupFile, Layer};
use super::{compile, embedded, validate};

/// A checked catalog, ready to match and to reason with.
#[derive(Debug)]
pub struct Catalog {
    /// Sorted by id.
    pub causes: Vec<Cause>,
    /// Every signal of every cause, in the order of the causes.
    pub signals: Vec<Signal>,
    /// The shared nodes.
    pub effects: Vec<EffectFile>,
    /// Groups of causes for edges.
    pub groups: Vec<GroupFile>,
    /// The causal graph.
    pub graph: Graph,
    /// Lines and facts to signals.
    pub matcher: Matcher,
}

/// One fault of a catalog file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The file, below the catalog's root or as given.
    pub file: String,
    /// From 1; 0 where no line can be named.
    pub line: usize,
    /// The field, dotted.
    pub field: String,
    /// What is wrong and what was expected.
    pub message: String,
}

/// Every fault of a catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.file, self.line, self.field, self.message)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.0.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// A file of the catalog with its text, for messages that name a line.
#[derive(Debug, Clone)]
pub(super) struct Text {
    pub(super) name: String,
    pub(super) text: String,
}

impl Text {
    /// A fault at the first line that holds `needle`.
    pub(super) fn fault(&self, needle: &str, field: impl Into<String>, message: impl Into<String>) -> Fault {
        let line = self.text.lines().position(|l| l.contains(needle)).map_or(0, |i| i + 1);
        Fault {
            file: self.name.clone(),
            line,
            field: field.into(),
            message: message.into(),
        }
    }
}

/// The parsed files, before the checks across files.
pub(super) struct Parts {
    pub(super) causes: Vec<(Text, CauseFile)>,
    pub(super) effects: (Text, EffectsFile),
}

impl Catalog {
    /// The catalog that the binary carries.
    pub fn embedded() -> Result<Self, Faults> {
        Self::load(None)
    }

    /// The embedded catalog with the files of `overlay` laid over it: the same id replaces, a new one adds.
    pub fn load(overlay: Option<&Path>) -> Result<Self, Faults> {
        let mut texts: BTreeMap<String, Text> = BTreeMap::new();
        for (name, text) in embedded::FILES {
            texts.insert(
                (*name).to_owned(),
                Text {
                    name: (*name).to_owned(),
                    text: (*text).to_owned(),
                },
            );
        }
        let mut faults = Vec::new();
        if let Some(dir) = overlay {
            read_overlay(dir, &mut texts, &mut faults);
        }
        Self::from_texts(texts, faults)
    }

    fn from_texts(texts: BTreeMap<String, Text>, mut faults: Vec<Fault>) -> Result<Self, Faults> {
        let mut causes = Vec::new();
        let mut effects = None;
        for (key, text) in texts {
            if key == "effects.toml" {
                effects = parse::<EffectsFile>(&text, &mut faults).map(|e| (text, e));
            } else if let Some(cause) = parse::<CauseFile>(&text, &mut faults) {
                causes.push((text, cause));
            } else if let Some(replaced) = replaced(&text) {
                causes.push((text, replaced));
            }
        }
        let Some(effects) = effects else {
            faults.sort();
            return Err(Faults(faults));
        };
        causes.sort_by(|a, b| a.1.id.cmp(&b.1.id));
        let parts = Parts { causes, effects };
        validate::check(&parts, &mut faults);
        if faults.is_empty() {
            let catalog = compile::compile(parts, &mut faults);
            if faults.is_empty() {
                return Ok(catalog);
            }
        }
        faults.sort();
        faults.dedup();
        Err(Faults(faults))
    }

    /// The cause of this id.
    pub fn cause(&self, id: &str) -> Option<&Cause> {
        self.cause_index(id).map(|i| &self.causes[i])
    }

    /// The index of the cause of this id.
    pub fn cause_index(&self, id: &str) -> Option<usize> {
        self.causes.binary_search_by(|c| c.file.id.as_str().cmp(id)).ok()
    }

    /// The causes of a layer.
    pub fn layer(&self, layer: Layer) -> impl Iterator<Item = &Cause> {
        self.causes.iter().filter(move |c| c.file.layer == layer)
    }
}

/// The built-in cause that a file which cannot be read was to replace: in the checks it stands for it, so that the one
/// fault is not buried under all references to the cause.
fn replaced(text: &Text) -> Option<CauseFile> {
    let file = Path::new(&text.name).file_name()?;
    let built_in = embedded::FILES
        .iter()
        .find(|(name, _)| Path::new(name).file_name() == Some(file))?;
    toml::from_str(built_in.1).ok()
}

fn parse<T: serde::de::DeserializeOwned>(text: &Text, faults: &mut Vec<Fault>) -> Option<T> {
    match toml::from_str(&text.text) {
        Ok(value) => Some(value),
        Err(error) => {
            let offset = error.span().map_or(0, |s| s.start);
            let line = text.text.get(..offset).map_or(0, |head| head.matches('\n').count() + 1);
            let field = text
                .text
                .lines()
                .nth(line.saturating_sub(1))
                .unwrap_or("")
                .trim()
                .chars()
                .take(60)
                .collect();
            let message = error.message().replace('\n', " ");
            faults.push(Fault {
                file: text.name.clone(),
                line,
                field,
                message,
            });
            None
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where catalog files are read")]
fn read_overlay(dir: &Path, texts: &mut BTreeMap<String, Text>, faults: &mut Vec<Fault>) {
    let mut pending = vec![dir.to_path_buf()];
    let mut files: Vec<PathBuf> = Vec::new();
    while let Some(dir) = pending.pop() {
        match std::fs::read_dir(&dir) {
            Ok(entries) => {
                for path in entries.flatten().map(|e| e.path()) {
                    if path.is_dir() {
                        pending.push(path);
                    } else if path.extension().is_some_and(|e| e == "toml") {
                        files.push(path);
                    }
                }
            }
            Err(error) => faults.push(unreadable(&dir, &error)),
        }
    }
    files.sort();
    for path in files {
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                let stem = path
                    .file_name()
                    .map(|n| n.to_string_lossy().into_owned())
                    .unwrap_or_default();
                // The same id replaces the embedded file wherever it lies; the key of a cause ends in its file's name.
                texts.retain(|key, _| key.rsplit('/').next() != Some(stem.as_str()));
                let key = if stem == "effects.toml" {
                    stem
                } else {
                    format!("overlay/{}", path.display())
                };
                texts.insert(
                    key,
                    Text {
                        name: path.display().to_string(),
                        text,
                    },
                );
            }
            Err(error) => faults.push(unreadable(&path, &error)),
        }
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Fault {
    Fault {
        file: path.display().to_string(),
        line: 0,
        field: "file".into(),
        message: format!("cannot be read: {error}"),
    }
}
