//! From a ranked cause to the finding that is shown: evidence quoted, what is missing, what was ruled out, what to do.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::assess::{Found, Record};
use super::roles::Ranked;
use crate::catalog::load::Catalog;
use crate::evidence::track::{Asserted, Sample};
use crate::grammar::fact::Value;
use crate::model::finding::{Evidence, Finding, Missing, RuledOut, Verdict};
use crate::model::input::{Observation, Place};
use crate::model::time::{Moment, Onset, Timestamp};

/// Evidence shown for one finding at most.
const EVIDENCE: usize = 6;

/// What the finding belongs to.
#[derive(Debug, Clone)]
pub struct Context<'a> {
    /// The episode's id.
    pub episode: Option<String>,
    /// The effect's id.
    pub effect: Option<String>,
    /// True where the effect is the premise and was not seen.
    pub premise: bool,
    /// The last moment known good.
    pub earliest: Option<Moment>,
    /// What was heard and looked at.
    pub record: Record<'a>,
    /// Ids of the causes that are asserted.
    pub asserted: &'a [usize],
    /// Since when the record was read.
    pub since: Timestamp,
    /// Since when it counts, on the record's line of time.
    pub from: i64,
}

/// Makes the finding.
pub fn finding(catalog: &Catalog, ranked: &Ranked, context: &Context<'_>) -> Finding {
    let cause = &catalog.causes[ranked.found.cause].file;
    let verdict = if context.premise {
        Verdict::Probable
    } else {
        ranked.found.verdict
    };
    Finding {
        cause: cause.id.clone(),
        role: ranked.role,
        verdict,
        effect: if ranked.path.is_empty() {
            None
        } else {
            context.effect.clone()
        },
        title: cause.title.clone(),
        layer: cause.layer,
        repair: cause.repair,
        owner: cause.owner,
        episode: context.episode.clone(),
        onset: Onset {
            earliest: context.earliest.filter(|e| e.t <= ranked.found.first.t).map(|m| m.wall),
            latest: ranked.found.first.wall,
        },
        expected_at: None,
        evidence: evidence(&ranked.found),
        missing: missing(catalog, ranked, verdict, context),
        ruled_out: ruled_out(catalog, ranked, context),
        remedy: cause.remedies.clone(),
        path: path(catalog, ranked),
    }
}

/// The titles of what lies between the cause and the effect, the effect last.
fn path(catalog: &Catalog, ranked: &Ranked) -> Vec<String> {
    let title = |node: usize| {
        if node < catalog.graph.causes {
            catalog.causes[node].file.title.clone()
        } else {
            catalog.effects[node - catalog.graph.causes].title.clone()
        }
    };
    ranked.path.iter().skip(1).map(|n| title(*n)).collect()
}

/// The evidence of an asserted cause, oldest first.
pub fn evidence(found: &Found) -> Vec<Evidence> {
    let mut shown: Vec<(i64, Evidence)> = Vec::new();
    for (_, asserted) in &found.signals {
        for (i, sample) in asserted.samples.iter().enumerate() {
            if shown.iter().any(|(_, e)| same_line(e, sample)) {
                continue;
            }
            // The first line of a signal stands for all of them; the others are shown for their own sake.
            let (count, last) = if i == 0 {
                (asserted.count, asserted.last)
            } else {
                (1, sample.observation.at)
            };
            shown.push((sample.observation.at.t, quoted(sample, count, last)));
        }
    }
    shown.sort_by_key(|(t, _)| *t);
    // The first and the last lines say most.
    while shown.len() > EVIDENCE {
        shown.remove(EVIDENCE / 2);
    }
    shown.into_iter().map(|(_, e)| e).collect()
}

fn same_line(evidence: &Evidence, sample: &Sample) -> bool {
    match &sample.observation.place {
        Place::Cursor(cursor) => evidence.cursor.as_deref() == Some(cursor),
        Place::Line(file, line) => evidence.file.as_deref() == Some(file) && evidence.line == Some(*line),
        Place::Look(_) => evidence.cursor.is_none() && evidence.text == *sample.observation.text,
    }
}

fn quoted(sample: &Sample, count: u64, last: Moment) -> Evidence {
    let observation = &sample.observation;
    let (cursor, file, line) = match &observation.place {
        Place::Cursor(cursor) => (Some(cursor.to_string()), None, None),
        Place::Line(file, line) => (None, Some(file.to_string()), Some(*line)),
        Place::Look(_) => (None, None, None),
    };
    let mut facts = Map::new();
    if let Some(fact) = sample.fact.and_then(|i| observation.facts.get(i)) {
        facts.insert("fact".into(), Json::from(fact.kind.word()));
        for (name, value) in &fact.attrs {
            let value = match value {
                Value::Int(n) => Json::from(*n),
                Value::Text(t) => Json::from(t.as_ref()),
            };
            facts.insert(name.to_string(), value);
        }
    }
    Evidence {
        at: observation.header_at.unwrap_or(observation.at.wall),
        seen_at: observation.at.wall,
        source: observation.source.to_string(),
        text: observation.text.to_string(),
        count,
        last_at: last.wall,
        cursor,
        file,
        line,
        facts,
    }
}

fn missing(catalog: &Catalog, ranked: &Ranked, verdict: Verdict, context: &Context<'_>) -> Vec<Missing> {
    let cause = &catalog.causes[ranked.found.cause].file;
    if verdict == Verdict::Confirmed {
        return Vec::new();
    }
    let mut missing: Vec<Missing> = cause
        .verdict
        .decides
        .iter()
        .map(|d| Missing {
            signal: d.signal.clone(),
            why: "the input does not hold it".into(),
            grant: d.grant.clone(),
        })
        .collect();
    missing.extend(unseen(catalog, ranked, context));
    if context.premise {
        missing.push(Missing {
            signal: "the state of the heartbeat".into(),
            why: "the input shows neither that renewals fail nor that they succeed".into(),
            grant: "the node's journal: whynotready analyze /var/log/journal".into(),
        });
    }
    missing
}

/// What the agent would have looked at by itself and could not: for this cause, and for those that say the same more finely.
fn unseen(catalog: &Catalog, ranked: &Ranked, context: &Context<'_>) -> Vec<Missing> {
    let sight = context.record.sight;
    let mut out: Vec<Missing> = Vec::new();
    let cause = ranked.found.cause;
    let about = |of: usize| of == cause || catalog.causes[of].parent == Some(cause);
    for signal in catalog.signals.iter().filter(|s| about(s.cause)) {
        if signal.looks.is_empty() || sight.covers(&signal.looks) {
            continue;
        }
        let Some(gap) = sight.why_blind(&signal.looks) else {
            continue;
        };
        if out.iter().any(|m| m.why == gap.reason) {
            continue;
        }
        out.push(Missing {
            signal: format!("whether {}", signal.says),
            why: gap.reason.clone(),
            grant: gap
                .grant
                .clone()
                .unwrap_or_else(|| "nothing: it could not be seen this time".into()),
        });
    }
    out
}

/// The newest look that shows that a cause is not there: none at any object fits it.
fn looked_well(catalog: &Catalog, cause: usize, context: &Context<'_>) -> Option<RuledOut> {
    // The first live signal is the decisive one; those behind it are witnesses.
    let signal = catalog
        .signals
        .iter()
        .find(|s| s.cause == cause && !s.looks.is_empty())?;
    let looks = || signal.looks.iter().flat_map(|t| context.record.sight.looks(t));
    let fits = |o: &Arc<Observation>| {
        let hits = catalog.matcher.hits_by_fact(o);
        hits.iter().any(|h| catalog.signals[h.signal].cause == cause)
    };
    if looks().any(fits) {
        return None;
    }
    let observation = looks().max_by_key(|o| (o.at.t, o.seq))?;
    let sample = Sample {
        observation: Arc::clone(observation),
        fact: None,
        open: false,
    };
    Some(RuledOut {
        cause: catalog.causes[cause].file.id.clone(),
        because: format!("{}: {}", observation.source, observation.text),
        evidence: Some(quoted(&sample, 1, observation.at)),
    })
}

/// Causes that look like this one and of which the record, which would have them, says nothing.
fn ruled_out(catalog: &Catalog, ranked: &Ranked, context: &Context<'_>) -> Vec<RuledOut> {
    let cause = &catalog.causes[ranked.found.cause].file;
    let mut out = Vec::new();
    for near in &cause.near {
        let Some(index) = catalog.cause_index(near).filter(|i| !context.asserted.contains(i)) else {
            continue;
        };
        if let Some(seen) = looked_well(catalog, index, context) {
            out.push(seen);
            continue;
        }
        let signals: Vec<_> = catalog
            .signals
            .iter()
            .filter(|s| s.cause == index && s.looks.is_empty())
            .collect();
        if signals.is_empty()
            || !signals
                .iter()
                .all(|s| !s.origins.is_empty() && context.record.coverage.covers(&s.origins, context.from))
        {
            continue;
        }
        out.push(RuledOut {
            cause: near.clone(),
            because: format!(
                "nothing in the log since {} says that {}",
                context.since.clock(),
                signals[0].says
            ),
            evidence: None,
        });
    }
    out
}

/// What speaks for a cause, in words.
pub fn speaks_for(catalog: &Catalog, found: &Found) -> Vec<String> {
    let say = |(signal, asserted): &(usize, Asserted)| {
        format!(
            "{} since {} ({} times)",
            catalog.signals[*signal].says,
            asserted.first.wall.clock(),
            asserted.count
        )
    };
    found.signals.iter().map(say).collect()
}
