//! Checked files to the form that the engine works with: indices instead of names, microseconds instead of words.

use super::graph::{Edge, Graph};
use super::load::{Catalog, Fault, Parts};
use super::matcher::{Matcher, Pattern};
use super::schema::{CauseFile, ConditionFile, EdgeFile, SignalFile, Words};
use crate::grammar::fact::Kind;
use crate::grammar::line::Origin;
use crate::grammar::vocabulary::{is_live, object_attr};
use crate::model::duration;
use crate::model::time::SECOND;

/// How late a consequence may come where its edge does not say: kubelets wait two minutes for the runtime, five for a
/// certificate.
const DEFAULT_LAG: i64 = 600 * SECOND;

/// A cause, compiled.
#[derive(Debug)]
pub struct Cause {
    /// The file's content.
    pub file: CauseFile,
    /// When it is confirmed.
    pub confirmed: Option<Condition>,
    /// When it is at least probable.
    pub probable: Option<Condition>,
    /// Index of the parent cause.
    pub parent: Option<usize>,
}

/// A condition over signals, by index.
#[derive(Debug, Clone, Default)]
pub struct Condition {
    /// Each is asserted.
    pub all: Vec<usize>,
    /// One at least is asserted; holds where empty.
    pub any: Vec<usize>,
    /// One of these is enough by itself.
    pub or: Vec<usize>,
    /// None is asserted.
    pub none: Vec<usize>,
}

/// A signal, compiled.
#[derive(Debug)]
pub struct Signal {
    /// Index of its cause.
    pub cause: usize,
    /// Its id within the cause.
    pub id: String,
    /// What it states.
    pub says: String,
    /// Observations at least.
    pub count: u64,
    /// All of them within this, microseconds.
    pub within: Option<i64>,
    /// First to last at least this, microseconds.
    pub sustained: i64,
    /// Must still be seen at the end of what it explains.
    pub lasting: bool,
    /// Words spoken during the final shutdown count.
    pub testimony: bool,
    /// Not within this after a start of the kubelet, microseconds.
    pub not_after_start: i64,
    /// True where it is about calls that fail for as long as the effect lasts: such evidence may come late.
    pub about_calls: bool,
    /// What the agent must have looked at to say that it is not so; empty where a log could say it.
    pub looks: Vec<Topic>,
    /// Who could write what it looks for; empty where anybody could.
    pub origins: Vec<Origin>,
}

/// A kind of fact that the agent sees by itself, and which of its objects: the word of the kind's first attribute.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Topic {
    /// The kind.
    pub kind: Kind,
    /// The object, where the kind's first attribute names one.
    pub object: Option<String>,
}

/// Facts about calls to the API server: they fail for as long as the effect lasts.
const CALLS: &[Kind] = &[
    Kind::ApiCall,
    Kind::CriCall,
    Kind::Probe,
    Kind::ApiCertificate,
    Kind::Identity,
    Kind::Lease,
    Kind::NodeObject,
    Kind::Resolver,
    Kind::ApiSocket,
];

pub(super) fn compile(parts: Parts, faults: &mut Vec<Fault>) -> Catalog {
    let names: Vec<String> = parts.causes.iter().map(|(_, c)| c.id.clone()).collect();
    let mut signals = Vec::new();
    let mut patterns = Vec::new();
    let mut names_of_signals = Vec::new();
    for (index, (_, cause)) in parts.causes.iter().enumerate() {
        for signal in &cause.signals {
            names_of_signals.push(format!("{}/{}", cause.id, signal.id));
            for alternative in &signal.matches {
                patterns.push(Pattern::new(
                    signals.len(),
                    alternative.fact.as_deref().and_then(kind),
                    alternative,
                ));
            }
            signals.push(compile_signal(index, signal));
        }
    }
    let find = |cause: &str, reference: &str| {
        let full = if reference.contains('/') {
            reference.to_owned()
        } else {
            format!("{cause}/{reference}")
        };
        names_of_signals.iter().position(|n| *n == full)
    };
    let graph = compile_graph(&parts, &find);
    if let Some(cycle) = graph.cycle() {
        let text = &parts.effects.0;
        faults.push(text.fault(
            "[[effect]]",
            "leads_to",
            format!("the causal graph has a cycle: {}", cycle.join(" -> ")),
        ));
    }
    let causes = parts
        .causes
        .into_iter()
        .map(|(_, file)| {
            let condition =
                |c: &Option<ConditionFile>| c.as_ref().map(|c| compile_condition(c, &|r| find(&file.id, r)));
            let (confirmed, probable) = (condition(&file.verdict.confirmed), condition(&file.verdict.probable));
            let parent = file.parent.as_ref().and_then(|p| names.iter().position(|n| n == p));
            Cause {
                file,
                confirmed,
                probable,
                parent,
            }
        })
        .collect();
    let matcher = Matcher::new(patterns).unwrap_or_else(|error| {
        faults.push(
            parts
                .effects
                .0
                .fault("", "match", format!("the text patterns cannot be compiled: {error}")),
        );
        Matcher::new(Vec::new()).expect("an empty matcher compiles")
    });
    Catalog {
        causes,
        signals,
        effects: parts.effects.1.effects,
        groups: parts.effects.1.groups,
        graph,
        matcher,
    }
}

/// The kind of this word.
pub(super) fn kind(word: &str) -> Option<Kind> {
    Kind::ALL.iter().copied().find(|k| k.word() == word)
}

/// Looks at what has happened rather than at what is so.
const HAPPENINGS: &[Kind] = &[Kind::MachineState];

fn compile_signal(cause: usize, file: &SignalFile) -> Signal {
    let micros = |text: &Option<String>| text.as_deref().and_then(duration::parse);
    let facts: Vec<Kind> = file
        .matches
        .iter()
        .filter_map(|m| m.fact.as_deref().and_then(kind))
        .collect();
    let mut origins: Vec<Origin> = file.matches.iter().flat_map(|m| m.origin.iter().copied()).collect();
    origins.sort();
    origins.dedup();
    let looks = topics(file);
    Signal {
        cause,
        id: file.id.clone(),
        says: file.says.clone(),
        count: u64::from(file.count.unwrap_or(1)),
        within: micros(&file.within),
        sustained: micros(&file.sustained).unwrap_or(0),
        // A state that was looked at counts as long as later looks find it again.
        lasting: file.lasting || looks.iter().any(|l| !HAPPENINGS.contains(&l.kind)),
        testimony: file.testimony,
        not_after_start: micros(&file.not_after_start).unwrap_or(0),
        about_calls: !facts.is_empty() && facts.iter().all(|k| CALLS.contains(k)),
        looks,
        origins,
    }
}

/// What a signal looks at, where only the agent's own looks can assert it.
fn topics(file: &SignalFile) -> Vec<Topic> {
    let kinds = file
        .matches
        .iter()
        .map(|m| m.fact.as_deref().and_then(kind).filter(|k| is_live(*k)));
    let Some(kinds) = kinds.collect::<Option<Vec<Kind>>>() else {
        return Vec::new();
    };
    let mut topics: Vec<Topic> = Vec::new();
    for (kind, alternative) in kinds.into_iter().zip(&file.matches) {
        let object = object_attr(kind).and_then(|name| match alternative.conditions.get(name) {
            Some(Words::One(word)) => Some(word.clone()),
            _ => None,
        });
        let topic = Topic { kind, object };
        if !topics.contains(&topic) {
            topics.push(topic);
        }
    }
    topics
}

fn compile_condition(file: &ConditionFile, find: &dyn Fn(&str) -> Option<usize>) -> Condition {
    let indices = |names: &[String]| names.iter().filter_map(|n| find(n)).collect();
    Condition {
        all: indices(&file.all),
        any: indices(&file.any),
        or: indices(&file.or),
        none: indices(&file.none),
    }
}

fn compile_graph(parts: &Parts, find: &dyn Fn(&str, &str) -> Option<usize>) -> Graph {
    let mut ids: Vec<String> = parts.causes.iter().map(|(_, c)| c.id.clone()).collect();
    let causes = ids.len();
    ids.extend(parts.effects.1.effects.iter().map(|e| e.id.clone()));
    let mut graph = Graph::new(ids, causes);
    for (from, (_, cause)) in parts.causes.iter().enumerate() {
        for edge in &cause.leads_to {
            let when = edge.when.as_deref().and_then(|w| find(&cause.id, w));
            for to in targets(parts, edge) {
                // A group may hold the cause itself, its parent or its children: those are not consequences.
                if let Some(to) = graph.node(to)
                    && !related(parts, from, to)
                {
                    graph.add(
                        from,
                        Edge {
                            to,
                            lag: lag(edge),
                            when,
                        },
                    );
                }
            }
        }
        // A child says more than its parent: where both are asserted the parent is the child's surface.
        if let Some(to) = cause.parent.as_deref().and_then(|p| graph.node(p)) {
            graph.add(
                from,
                Edge {
                    to,
                    lag: DEFAULT_LAG,
                    when: None,
                },
            );
        }
    }
    for (i, effect) in parts.effects.1.effects.iter().enumerate() {
        for to in &effect.leads_to {
            if let Some(to) = graph.node(to) {
                graph.add(
                    causes + i,
                    Edge {
                        to,
                        lag: DEFAULT_LAG,
                        when: None,
                    },
                );
            }
        }
    }
    graph
}

fn lag(edge: &EdgeFile) -> i64 {
    edge.lag.as_deref().and_then(duration::parse).unwrap_or(DEFAULT_LAG)
}

/// The node ids that an edge leads to; a group leads to each of its members.
pub(super) fn targets<'a>(parts: &'a Parts, edge: &'a EdgeFile) -> Vec<&'a str> {
    match edge.to.strip_prefix('@') {
        None => vec![edge.to.as_str()],
        Some(name) => parts
            .effects
            .1
            .groups
            .iter()
            .filter(|g| g.name == name)
            .flat_map(|g| g.members.iter().map(String::as_str))
            .collect(),
    }
}

/// True where `to` is `from` itself or a descendant of it; an edge to it through a group would close a cycle with the
/// implied edge from child to parent.
fn related(parts: &Parts, from: usize, to: usize) -> bool {
    let Some((_, target)) = parts.causes.get(to) else {
        return false;
    };
    let mut id = Some(target.id.as_str());
    // Chains of parents are short; the bound only stops a cycle among them, which `validate` has refused before.
    for _ in 0..8 {
        if id == Some(parts.causes[from].1.id.as_str()) {
            return true;
        }
        id = id
            .and_then(|id| parts.causes.iter().find(|(_, c)| c.id == id))
            .and_then(|(_, c)| c.parent.as_deref());
    }
    false
}
