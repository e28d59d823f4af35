//! What must hold of a catalog before anything is concluded with it. Every fault is reported, none stops the check.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::compile::{kind, targets};
use super::load::{Fault, Parts, Text};
use super::schema::{CauseFile, EdgeFile, MatchFile, SignalFile, Words};
use crate::grammar::vocabulary::{Domain, spec};
use crate::model::duration;

pub(super) fn check(parts: &Parts, faults: &mut Vec<Fault>) {
    check_ids(parts, faults);
    let effects: BTreeSet<&str> = parts.effects.1.effects.iter().map(|e| e.id.as_str()).collect();
    let causes: BTreeMap<&str, &CauseFile> = parts.causes.iter().map(|(_, c)| (c.id.as_str(), c)).collect();
    check_effects(parts, &effects, &causes, faults);
    let used = used_elsewhere(parts);
    for (text, cause) in &parts.causes {
        check_page(text, cause, &causes, faults);
        for edge in &cause.leads_to {
            check_edge(parts, (text, cause), edge, (&effects, &causes), faults);
        }
        for signal in &cause.signals {
            check_signal(text, signal, faults);
        }
        check_verdict(text, cause, &causes, &used, faults);
        if cause.leads_to.is_empty() && cause.parent.is_none() && cause.id != "none" {
            faults.push(text.fault(
                "id =",
                "leads_to",
                "leads to nothing: name an effect, a cause or a group",
            ));
        }
    }
}

fn check_ids(parts: &Parts, faults: &mut Vec<Fault>) {
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for effect in &parts.effects.1.effects {
        seen.insert(&effect.id, &parts.effects.0.name);
    }
    for (text, cause) in &parts.causes {
        if let Some(other) = seen.insert(&cause.id, &text.name) {
            faults.push(text.fault("id =", "id", format!("`{}` is the id of {other} too", cause.id)));
        }
        let kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if cause.id.is_empty() || !cause.id.chars().all(kebab) {
            faults.push(text.fault("id =", "id", format!("`{}` is not kebab-case", cause.id)));
        }
        let stem = text.name.rsplit('/').next().unwrap_or("").trim_end_matches(".toml");
        if stem != cause.id {
            faults.push(text.fault(
                "id =",
                "id",
                format!("`{}` is not the name of the file, `{stem}`", cause.id),
            ));
        }
    }
}

fn check_effects(
    parts: &Parts,
    effects: &BTreeSet<&str>,
    causes: &BTreeMap<&str, &CauseFile>,
    faults: &mut Vec<Fault>,
) {
    let (text, file) = &parts.effects;
    for effect in &file.effects {
        for to in effect.leads_to.iter().filter(|to| !effects.contains(to.as_str())) {
            faults.push(text.fault(
                &format!("\"{to}\""),
                format!("{}.leads_to", effect.id),
                format!("no effect `{to}`"),
            ));
        }
    }
    for group in &file.groups {
        for member in group.members.iter().filter(|m| !causes.contains_key(m.as_str())) {
            let field = format!("group.{}.members", group.name);
            faults.push(text.fault(&format!("\"{member}\""), field, format!("no cause `{member}`")));
        }
    }
}

fn check_page(text: &Text, cause: &CauseFile, causes: &BTreeMap<&str, &CauseFile>, faults: &mut Vec<Fault>) {
    let words = [
        ("title", &cause.title),
        ("summary", &cause.summary),
        ("proof", &cause.proof),
    ];
    for (field, value) in words {
        if value.trim().is_empty() {
            faults.push(text.fault(field, field, "is empty"));
        }
    }
    for near in cause
        .near
        .iter()
        .filter(|n| n.as_str() != "none" && !causes.contains_key(n.as_str()))
    {
        faults.push(text.fault(&format!("\"{near}\""), "near", format!("no cause `{near}`")));
    }
    if let Some(parent) = &cause.parent {
        let mut id = Some(parent.as_str());
        let mut chain = HashSet::from([cause.id.as_str()]);
        while let Some(next) = id {
            let Some(file) = causes.get(next) else {
                faults.push(text.fault("parent", "parent", format!("no cause `{next}`")));
                break;
            };
            if !chain.insert(next) {
                faults.push(text.fault("parent", "parent", format!("`{}` descends from itself", cause.id)));
                break;
            }
            id = file.parent.as_deref();
        }
    }
    if cause.remedies.is_empty() {
        faults.push(text.fault("id =", "remedy", "has none: say at least where to look"));
    }
    if cause.examples.is_empty() || cause.near_misses.is_empty() {
        faults.push(text.fault(
            "id =",
            "example",
            "needs at least one [[example]] and one [[near_miss]]",
        ));
    }
    for example in cause.examples.iter().chain(&cause.near_misses) {
        if example.lines.is_empty() {
            faults.push(text.fault(&example.name, "lines", "is empty"));
        }
    }
}

fn check_edge(
    parts: &Parts,
    (text, cause): (&Text, &CauseFile),
    edge: &EdgeFile,
    (effects, causes): (&BTreeSet<&str>, &BTreeMap<&str, &CauseFile>),
    faults: &mut Vec<Fault>,
) {
    let quoted = format!("\"{}\"", edge.to);
    if targets(parts, edge).is_empty() {
        faults.push(text.fault(&quoted, "leads_to.to", format!("no group `{}`", edge.to)));
    }
    for to in targets(parts, edge) {
        if !effects.contains(to) && !causes.contains_key(to) {
            faults.push(text.fault(&quoted, "leads_to.to", format!("neither an effect nor a cause: `{to}`")));
        }
    }
    if let Some(lag) = edge.lag.as_deref().filter(|l| duration::parse(l).is_none()) {
        faults.push(text.fault(
            lag,
            "leads_to.lag",
            format!("`{lag}` is not a duration such as 30s, 5m, 2h"),
        ));
    }
    if let Some(when) = edge
        .when
        .as_deref()
        .filter(|w| !cause.signals.iter().any(|s| s.id == **w))
    {
        faults.push(text.fault(when, "leads_to.when", format!("no signal `{when}` in this file")));
    }
}

fn check_signal(text: &Text, signal: &SignalFile, faults: &mut Vec<Fault>) {
    let field = format!("signal.{}", signal.id);
    let at = format!("\"{}\"", signal.id);
    for (name, value) in [
        ("within", &signal.within),
        ("sustained", &signal.sustained),
        ("not_after_start", &signal.not_after_start),
    ] {
        if let Some(value) = value.as_deref().filter(|v| duration::parse(v).is_none()) {
            let message = format!("`{value}` is not a duration such as 30s, 5m, 2h");
            faults.push(text.fault(value, format!("{field}.{name}"), message));
        }
    }
    if signal.matches.is_empty() {
        faults.push(text.fault(&at, format!("{field}.match"), "is empty"));
    }
    for alternative in &signal.matches {
        check_match(text, (&field, &at), alternative, faults);
    }
}

fn check_match(text: &Text, (field, at): (&str, &str), file: &MatchFile, faults: &mut Vec<Fault>) {
    let mut push = |needle: &str, what: &str, message: String| {
        let needle = if text.text.contains(needle) { needle } else { at };
        faults.push(text.fault(needle, format!("{field}.match.{what}"), message));
    };
    let Some(word) = &file.fact else {
        if file.text.as_deref().is_none_or(|t| t.trim().len() < 4) {
            push(
                at,
                "text",
                "neither a `fact` nor a `text` of four characters at least".into(),
            );
        }
        if file.origin.is_empty() {
            push(
                at,
                "origin",
                "`text` without `fact` needs an `origin`: otherwise anybody's words match".into(),
            );
        }
        if !(file.conditions.is_empty()
            && file.unless.is_empty()
            && file.at_least.is_empty()
            && file.at_most.is_empty())
        {
            push(at, "where", "conditions on attributes need a `fact`".into());
        }
        return;
    };
    let Some(spec) = kind(word).and_then(spec) else {
        push(
            &format!("\"{word}\""),
            "fact",
            format!("`{word}` is not a fact of the grammar"),
        );
        return;
    };
    for (name, words) in file.conditions.iter().chain(&file.unless) {
        let words = match words {
            Words::One(word) => std::slice::from_ref(word),
            Words::Many(words) => words.as_slice(),
        };
        match spec.attrs.iter().find(|(n, _)| n == name) {
            None => push(name, "where", format!("`{word}` has no attribute `{name}`")),
            Some((_, Domain::Words(known))) => {
                for unknown in words.iter().filter(|w| !known.contains(&w.as_str())) {
                    push(
                        &format!("\"{unknown}\""),
                        "where",
                        format!("`{name}` is never `{unknown}`, but {}", known.join(", ")),
                    );
                }
            }
            Some(_) => {}
        }
    }
    for name in file.at_least.keys().chain(file.at_most.keys()) {
        if !spec.attrs.iter().any(|(n, d)| n == name && *d == Domain::Int) {
            push(name, "at_least", format!("`{word}` has no number `{name}`"));
        }
    }
}

/// Signals that other files refer to, as `cause/signal`.
fn used_elsewhere(parts: &Parts) -> BTreeSet<String> {
    parts
        .causes
        .iter()
        .flat_map(|(_, c)| references(c))
        .filter(|r| r.contains('/'))
        .map(ToOwned::to_owned)
        .collect()
}

fn references(cause: &CauseFile) -> impl Iterator<Item = &str> {
    let conditions = cause.verdict.confirmed.iter().chain(&cause.verdict.probable);
    conditions
        .flat_map(|c| c.all.iter().chain(&c.any).chain(&c.or).chain(&c.none))
        .map(String::as_str)
}

fn check_verdict(
    text: &Text,
    cause: &CauseFile,
    causes: &BTreeMap<&str, &CauseFile>,
    used: &BTreeSet<String>,
    faults: &mut Vec<Fault>,
) {
    if cause.verdict.confirmed.is_none() && cause.verdict.probable.is_none() {
        faults.push(text.fault("[verdict]", "verdict", "neither `confirmed` nor `probable`"));
    }
    for reference in references(cause) {
        let (owner, id) = reference.split_once('/').unwrap_or((&cause.id, reference));
        if !causes.get(owner).is_some_and(|c| c.signals.iter().any(|s| s.id == id)) {
            faults.push(text.fault(
                &format!("\"{reference}\""),
                "verdict",
                format!("no signal `{reference}`"),
            ));
        }
    }
    let mut seen = HashSet::new();
    for signal in &cause.signals {
        if !seen.insert(&signal.id) {
            faults.push(text.fault(
                &format!("\"{}\"", signal.id),
                "signal.id",
                format!("`{}` twice", signal.id),
            ));
        }
        let full = format!("{}/{}", cause.id, signal.id);
        let in_verdict = references(cause).any(|r| r == signal.id) || used.contains(&full);
        let in_edge = cause.leads_to.iter().any(|e| e.when.as_deref() == Some(&signal.id));
        if !in_verdict && !in_edge {
            let message = format!("`{}` is used by no verdict and no edge", signal.id);
            faults.push(text.fault(&format!("\"{}\"", signal.id), "signal", message));
        }
    }
}
