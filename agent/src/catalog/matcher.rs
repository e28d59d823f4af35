//! From an observation to the signals that it counts for.
//!
//! A line is first searched once for one literal of every text pattern; only what hits is looked at closely. So a routine line costs one pass over its bytes, however large the catalog is.

use std::collections::BTreeMap;

use aho_corasick::AhoCorasick;
use memchr::memmem;

use super::schema::{MatchFile, Words};
use super::sieve::Sieve;
use crate::grammar::fact::{Fact, Kind, Value};
use crate::grammar::line::{Level, Origin};
use crate::model::input::Observation;

/// The compiled patterns of a catalog.
#[derive(Debug)]
pub struct Matcher {
    patterns: Vec<Pattern>,
    /// For each literal of `literals`: the patterns that it stands for.
    by_literal: Vec<Vec<usize>>,
    /// Literals of patterns without a fact.
    literals: AhoCorasick,
    /// The same literals, for the question whether there is any.
    sieve: Option<Sieve>,
    by_kind: BTreeMap<Kind, Vec<usize>>,
}

/// One alternative of a signal, compiled.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) signal: usize,
    pub(super) fact: Option<Kind>,
    conditions: Vec<(String, Vec<String>)>,
    unless: Vec<(String, Vec<String>)>,
    at_least: Vec<(String, i64)>,
    at_most: Vec<(String, i64)>,
    fragments: Vec<String>,
    not_text: Vec<String>,
    origins: Vec<Origin>,
    levels: Vec<Level>,
}

/// A signal that an observation counts for, and the fact that made it so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    /// The signal's index.
    pub signal: usize,
    /// The index of the fact in the observation; `None` where the words alone did.
    pub fact: Option<usize>,
}

impl Pattern {
    pub(super) fn new(signal: usize, kind: Option<Kind>, file: &MatchFile) -> Self {
        let words = |map: &BTreeMap<String, Words>| {
            map.iter()
                .map(|(k, w)| {
                    let words = match w {
                        Words::One(word) => vec![word.clone()],
                        Words::Many(words) => words.clone(),
                    };
                    (k.clone(), words)
                })
                .collect()
        };
        let numbers = |map: &BTreeMap<String, i64>| map.iter().map(|(k, v)| (k.clone(), *v)).collect();
        let fragments = file.text.as_deref().map(fragments).unwrap_or_default();
        Self {
            signal,
            fact: kind,
            conditions: words(&file.conditions),
            unless: words(&file.unless),
            at_least: numbers(&file.at_least),
            at_most: numbers(&file.at_most),
            fragments,
            not_text: file.not_text.iter().map(|t| t.to_ascii_lowercase()).collect(),
            origins: file.origin.clone(),
            levels: file.level.clone(),
        }
    }

    fn fits_line(&self, observation: &Observation, lower: &str) -> bool {
        (self.origins.is_empty() || self.origins.contains(&observation.origin))
            && (self.levels.is_empty() || self.levels.contains(&observation.level))
            && in_order(lower, &self.fragments)
            && !self
                .not_text
                .iter()
                .any(|t| memmem::find(lower.as_bytes(), t.as_bytes()).is_some())
    }

    fn fits_fact(&self, fact: &Fact) -> bool {
        self.conditions.iter().all(|(name, words)| has_word(fact, name, words))
            && !self.unless.iter().any(|(name, words)| has_word(fact, name, words))
            && self
                .at_least
                .iter()
                .all(|(name, n)| fact.int(name).is_some_and(|v| v >= *n))
            && self
                .at_most
                .iter()
                .all(|(name, n)| fact.int(name).is_some_and(|v| v <= *n))
    }
}

/// The fragments of a text pattern, lower-case.
pub(super) fn fragments(pattern: &str) -> Vec<String> {
    pattern
        .split('*')
        .map(str::to_ascii_lowercase)
        .filter(|f| !f.trim().is_empty())
        .collect()
}

fn has_word(fact: &Fact, name: &str, words: &[String]) -> bool {
    match fact.get(name) {
        Some(Value::Text(text)) => words.iter().any(|w| w == text),
        Some(Value::Int(n)) => words.iter().any(|w| w.parse() == Ok(*n)),
        None => false,
    }
}

fn in_order(lower: &str, fragments: &[String]) -> bool {
    let mut rest = lower.as_bytes();
    for fragment in fragments {
        let Some(at) = memmem::find(rest, fragment.as_bytes()) else {
            return false;
        };
        rest = &rest[at + fragment.len()..];
    }
    true
}

impl Matcher {
    pub(super) fn new(patterns: Vec<Pattern>) -> Result<Self, aho_corasick::BuildError> {
        let mut by_kind: BTreeMap<Kind, Vec<usize>> = BTreeMap::new();
        let mut literal_patterns: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (i, pattern) in patterns.iter().enumerate() {
            if let Some(kind) = pattern.fact {
                by_kind.entry(kind).or_default().push(i);
            } else if let Some(literal) = pattern.fragments.iter().max_by_key(|f| f.len()) {
                literal_patterns.entry(literal.clone()).or_default().push(i);
            }
        }
        let (words, by_literal): (Vec<String>, Vec<Vec<usize>>) = literal_patterns.into_iter().unzip();
        let sieve = Sieve::new(words.iter().map(String::as_str));
        let literals = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .kind(Some(aho_corasick::AhoCorasickKind::ContiguousNFA))
            .build(words)?;
        Ok(Self {
            patterns,
            by_literal,
            literals,
            sieve,
            by_kind,
        })
    }

    /// Whether any text pattern may fit this line. False for a routine line.
    pub fn may_fit(&self, text: &str) -> bool {
        match &self.sieve {
            Some(sieve) => sieve.is_match(text),
            None => self.literals.is_match(text),
        }
    }

    /// The signals that an observation counts for, each once.
    pub fn hits(&self, observation: &Observation) -> Vec<Hit> {
        let lower = observation.text.to_ascii_lowercase();
        let mut hits = self.fact_hits(observation, &lower);
        if !self.may_fit(&lower) {
            return hits;
        }
        for found in self.literals.find_overlapping_iter(&lower) {
            for index in &self.by_literal[found.pattern().as_usize()] {
                let pattern = &self.patterns[*index];
                if pattern.fits_line(observation, &lower) {
                    push(
                        &mut hits,
                        Hit {
                            signal: pattern.signal,
                            fact: None,
                        },
                    );
                }
            }
        }
        hits
    }

    /// The signals that an observation counts for by its facts alone.
    pub fn hits_by_fact(&self, observation: &Observation) -> Vec<Hit> {
        self.fact_hits(observation, &observation.text.to_ascii_lowercase())
    }

    fn fact_hits(&self, observation: &Observation, lower: &str) -> Vec<Hit> {
        let mut hits: Vec<Hit> = Vec::new();
        for (i, fact) in observation.facts.iter().enumerate() {
            for index in self.by_kind.get(&fact.kind).into_iter().flatten() {
                let pattern = &self.patterns[*index];
                if pattern.fits_fact(fact) && pattern.fits_line(observation, lower) {
                    push(
                        &mut hits,
                        Hit {
                            signal: pattern.signal,
                            fact: Some(i),
                        },
                    );
                }
            }
        }
        hits
    }
}

fn push(hits: &mut Vec<Hit>, hit: Hit) {
    if !hits.iter().any(|h| h.signal == hit.signal) {
        hits.push(hit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_stand_in_order() {
        let f = fragments("Failed to start*inotify_init");
        assert!(in_order("e1 failed to start cadvisor: inotify_init: too many", &f));
        assert!(!in_order("inotify_init failed to start", &f));
        assert!(in_order("anything", &[]));
    }
}
