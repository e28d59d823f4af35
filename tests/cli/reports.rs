//! Text and JSON of hand-made answers.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use whynotready::catalog::load::Catalog;
use whynotready::export::json;
use whynotready::export::report::Tense;
use whynotready::export::text::{self, Style};
use whynotready::model::time::SECOND;
use whynotready_tests::corpus;
use whynotready_tests::diagnoses::named;
use whynotready_tests::run::diagnose;

const NAMES: [&str; 6] = ["root-cause", "inconclusive", "healthy", "at-risk", "ended", "long"];
const PLAIN: Style = Style {
    width: 110,
    color: false,
    all: false,
    tense: Tense::Record,
};

#[test]
fn reports_read_as_designed() {
    for name in NAMES {
        insta::assert_snapshot!(format!("report-{name}"), text::render(&named(name), &PLAIN));
    }
    // Of the running node the same, in its tense.
    let live = Style {
        tense: Tense::Live,
        ..PLAIN
    };
    let heads = NAMES.map(|name| {
        text::render(&named(name), &live)
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned()
    });
    insta::assert_snapshot!("report-live-heads", heads.join("\n"));
    let mut past = named("ended");
    past.at.0 += 3600 * SECOND;
    let report = text::render(&past, &live);
    assert!(
        !report.contains("ROOT CAUSE"),
        "an hour later it is one of the past: {report}"
    );
    assert!(
        report.contains("OTHER EPISODES\n  2026-11-23 11:02:01  api-connection-refused"),
        "{report}"
    );
}

#[test]
fn a_report_has_at_most_forty_lines_unless_all_is_asked() {
    for name in NAMES {
        for width in [40, 80, 200] {
            let report = text::render(&named(name), &Style { width, ..PLAIN });
            assert!(report.lines().count() <= 40, "{name} at {width}:\n{report}");
        }
    }
    let all = text::render(&named("long"), &Style { all: true, ..PLAIN });
    assert!(
        all.lines().count() > 100 && all.contains("--cursor='s=1;i=2'") && all.contains("node.log:7"),
        "{all}"
    );
}

#[test]
fn what_a_log_holds_cannot_steer_the_terminal() {
    for name in NAMES {
        assert!(!text::render(&named(name), &Style { all: true, ..PLAIN }).contains('\u{1b}'));
    }
}

#[test]
fn colour_adds_nothing_but_colour() {
    for name in NAMES {
        let plain = text::render(&named(name), &PLAIN);
        let mut coloured = text::render(&named(name), &Style { color: true, ..PLAIN });
        for code in ["\x1b[1;31m", "\x1b[1;33m", "\x1b[1m", "\x1b[0m"] {
            coloured = coloured.replace(code, "");
        }
        assert_eq!(plain, coloured);
    }
}

#[test]
fn every_document_holds_to_the_schema() {
    let schema = serde_json::from_str(json::SCHEMA).expect("the schema is JSON");
    let validator = jsonschema::draft202012::new(&schema).expect("a schema");
    for name in NAMES {
        let diagnosis = named(name);
        for pretty in [false, true] {
            let text = json::render(&diagnosis, pretty).expect("renders");
            let document = serde_json::from_str(&text).expect("JSON");
            let faults: Vec<String> = validator
                .iter_errors(&document)
                .map(|e| format!("{}: {e}", e.instance_path))
                .collect();
            assert!(faults.is_empty(), "{name}: {faults:#?}");
        }
    }
    let mut more = serde_json::to_value(named("root-cause")).expect("JSON");
    more["findings"][0]["score"] = 0.9.into();
    assert!(
        !validator.is_valid(&more),
        "a field that the schema does not describe must be noticed"
    );
}

#[test]
fn answers_to_the_carried_corpus_hold_to_the_schema() {
    let schema = serde_json::from_str(json::SCHEMA).expect("the schema is JSON");
    let validator = jsonschema::draft202012::new(&schema).expect("a schema");
    let catalog = Arc::new(Catalog::embedded().expect("the catalog"));
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all: Vec<String> = Vec::new();
    for dir in ["incidents", "field-cases"] {
        for case in corpus::load(&here.join(dir), &BTreeMap::new(), false).expect("the corpus") {
            let diagnosis = diagnose(&catalog, &case).expect("an answer");
            let document = serde_json::to_value(&diagnosis).expect("JSON");
            let faults: Vec<String> = validator
                .iter_errors(&document)
                .map(|e| format!("{}: {e}", e.instance_path))
                .collect();
            all.extend(faults.into_iter().map(|f| format!("{}: {f}", case.name)));
            let lines = text::render(&diagnosis, &PLAIN).lines().count();
            assert!(lines <= 40, "{}: {lines} lines", case.name);
        }
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}
