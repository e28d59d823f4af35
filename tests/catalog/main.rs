//! Every cause's own examples must fire it, and its near misses must not: lines through the grammar and the engine.

mod faults;

use std::sync::Arc;

use whynotready::catalog::load::Catalog;
use whynotready::catalog::schema::ExampleFile;
use whynotready::diagnosis::engine::{Engine, Options};
use whynotready::grammar::line::{HeaderTime, Level, Line, Origin, Parsed};
use whynotready::grammar::parse::parse;
use whynotready::grammar::vocabulary;
use whynotready::model::finding::{Role, Verdict};
use whynotready::model::input::{Input, Observation, Place};
use whynotready::model::time::{Moment, SECOND, Timestamp};

/// `2026-11-23T12:00:00Z`.
const START: i64 = 1_795_435_200_000_000;

#[test]
fn examples_fire_their_cause() {
    let catalog = Arc::new(Catalog::embedded().unwrap_or_else(|faults| panic!("{faults}")));
    let mut wrong = Vec::new();
    for cause in &catalog.causes {
        for example in &cause.file.examples {
            let engine = run(&catalog, example);
            let roots = roots(&engine);
            let asserted = engine.asserted();
            let verdict = asserted.iter().find(|(id, _)| *id == cause.file.id).map(|(_, v)| *v);
            let expected = if example.verdict.as_deref() == Some("confirmed") {
                Verdict::Confirmed
            } else {
                Verdict::Probable
            };
            if roots != [cause.file.id.clone()] || verdict < Some(expected) {
                wrong.push(format!(
                    "{} / {}: root {roots:?}, asserted {asserted:?}",
                    cause.file.id, example.name
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} examples do not fire:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn near_misses_do_not_fire() {
    let catalog = Arc::new(Catalog::embedded().unwrap_or_else(|faults| panic!("{faults}")));
    let mut wrong = Vec::new();
    for cause in &catalog.causes {
        for miss in &cause.file.near_misses {
            let roots = roots(&run(&catalog, miss));
            let right = match miss.instead.as_deref() {
                Some("none") => roots.is_empty(),
                Some(other) => roots == [other.to_owned()],
                None => !roots.contains(&cause.file.id),
            };
            if !right {
                let instead = miss.instead.as_deref().unwrap_or("anything else");
                wrong.push(format!(
                    "{} / {}: root {roots:?}, not {instead}",
                    cause.file.id, miss.name
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} near misses fire:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

fn roots(engine: &Engine) -> Vec<String> {
    let diagnosis = engine.diagnosis();
    let findings = if diagnosis.findings.iter().any(|f| f.role == Role::RootCause) {
        &diagnosis.findings
    } else {
        match diagnosis.episodes.first() {
            Some(episode) => &episode.findings,
            None => return Vec::new(),
        }
    };
    findings
        .iter()
        .filter(|f| f.role == Role::RootCause)
        .map(|f| f.cause.clone())
        .collect()
}

fn run(catalog: &Arc<Catalog>, example: &ExampleFile) -> Engine {
    let mut engine = Engine::new(Arc::clone(catalog), Options { premise: true });
    let mut t = 0;
    let mut zone = None;
    // Only where an example says so do headers and arrival differ; elsewhere their times mean nothing.
    let late = example.name.contains(" late");
    for (i, line) in example.lines.iter().enumerate() {
        let (after, origin, text) = split(line, &example.name);
        t += after * SECOND;
        let parsed = understood(origin, text, &example.name);
        engine.step(&Input::Observed(Observation {
            seq: i as u64 + 1,
            at: Moment {
                t,
                wall: Timestamp(START + t),
            },
            boot: 0,
            header_at: if late {
                header(parsed.header, START + t, &mut zone)
            } else {
                None
            },
            origin,
            level: parsed.level,
            pid: parsed.pid,
            source: Arc::from("example"),
            text: Arc::from(text),
            place: if origin == Origin::Agent {
                Place::Look(Arc::from("example"))
            } else {
                Place::Line(Arc::from(example.name.as_str()), i as u64 + 1)
            },
            facts: parsed.facts,
        }));
    }
    engine.step(&Input::End(Moment {
        t,
        wall: Timestamp(START + t),
    }));
    engine
}

/// A line through the grammar, or the fact that an `agent:` line spells out.
fn understood(origin: Origin, text: &str, name: &str) -> Parsed {
    if origin != Origin::Agent {
        return parse(
            origin,
            &Line {
                text,
                ..Line::default()
            },
        );
    }
    let fact = vocabulary::fact(text).unwrap_or_else(|why| panic!("{name}: {why}: {text}"));
    Parsed {
        level: Level::Info,
        header: None,
        pid: None,
        facts: vec![fact],
        continuation: false,
    }
}

/// `[+SECONDSs ]ORIGIN: TEXT`.
fn split<'a>(line: &'a str, name: &str) -> (i64, Origin, &'a str) {
    let (after, rest) = match line.strip_prefix('+') {
        Some(rest) => {
            let (seconds, rest) = rest
                .split_once("s ")
                .unwrap_or_else(|| panic!("{name}: no seconds: {line}"));
            (
                seconds
                    .parse()
                    .unwrap_or_else(|_| panic!("{name}: not a number: {line}")),
                rest,
            )
        }
        None => (1, line),
    };
    let (origin, text) = rest
        .split_once(": ")
        .unwrap_or_else(|| panic!("{name}: no origin: {line}"));
    let origin = serde_json::from_value(origin.into()).unwrap_or_else(|_| panic!("{name}: unknown origin: {line}"));
    (after, origin, text)
}

/// The writer's own time: the first header is taken to be on time.
fn header(header: Option<HeaderTime>, wall: i64, zone: &mut Option<i64>) -> Option<Timestamp> {
    let micros = match header? {
        HeaderTime::Klog { day, micros, .. } => i64::from(day) * 86_400 * SECOND + micros,
        HeaderTime::Unix(micros) => micros,
    };
    Some(Timestamp(micros + *zone.get_or_insert(wall - micros)))
}
