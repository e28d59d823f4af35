//! Imports run one way, and files stay short enough to be read.

use std::path::{Path, PathBuf};

/// Lines of a file at most, tests included.
const LINES: usize = 600;

/// What a module may import of ours, beside itself.
const ARROWS: &[(&str, &[&str])] = &[
    ("grammar", &[]),
    ("journal", &[]),
    // Layer, Repair, Owner and RemedyFile are words of the catalog's files that findings carry on.
    ("model", &["grammar", "catalog::schema"]),
    ("catalog", &["model", "grammar"]),
    ("evidence", &["model", "grammar", "catalog"]),
    ("diagnosis", &["model", "grammar", "catalog", "evidence"]),
    ("pipeline", &["model", "catalog", "diagnosis"]),
    ("input", &["model", "grammar", "journal"]),
    ("export", &["model", "catalog::schema", "clock", "host", "outbox"]),
    ("outbox", &["model", "clock"]),
    ("bundle", &["model"]),
    ("clock", &["model"]),
    ("config", &["model::duration", "spelling"]),
    (
        "http",
        &["model", "grammar::fact", "catalog", "config", "export", "host"],
    ),
    ("spelling", &[]),
    ("host", &[]),
    ("world", &["host", "model"]),
    (
        "source",
        &["model", "grammar", "clock", "host", "world", "journal", "input"],
    ),
    (
        "capture",
        &["model", "grammar", "clock", "host", "world", "source", "input"],
    ),
    (
        "daemon",
        &[
            "model",
            "catalog",
            "clock",
            "host",
            "world",
            "source",
            "bundle",
            "config",
            "diagnosis",
            "pipeline",
            "input",
            "grammar",
            "outbox",
            "http",
            "export",
        ],
    ),
    (
        "cli",
        &[
            // A pass that never ends is a gap of every kind that the agent sees.
            "grammar::vocabulary_live",
            "spelling",
            "model",
            "clock",
            "config",
            "host",
            "http",
            "world",
            "source",
            "bundle",
            "capture",
            "catalog",
            "diagnosis",
            "pipeline",
            "input",
            "export",
            "daemon",
        ],
    ),
    ("main", &["cli"]),
];

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../agent/src")
}

#[expect(clippy::disallowed_methods, reason = "the sources are read from disk")]
fn sources(dir: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(dir).expect("a directory").flatten().map(|e| e.path()) {
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = std::fs::read_to_string(&path).expect("readable");
            found.push((path, text));
        }
    }
    found
}

/// The paths below our crate that a text names, in `use` lines and in full paths alike.
fn named(text: &str) -> Vec<String> {
    let code: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.starts_with("//")).collect();
    let code = code.join("\n");
    let mut found = Vec::new();
    for prefix in ["crate::", "whynotready::"] {
        for (at, _) in code.match_indices(prefix) {
            // `whynotready_tests::` and the like are other crates.
            if at > 0 && code.as_bytes()[at - 1].is_ascii_alphanumeric() {
                continue;
            }
            let rest = &code[at + prefix.len()..];
            if let Some(group) = rest.strip_prefix('{') {
                let body = group.split(';').next().unwrap_or(group);
                found.extend(
                    body.split(',')
                        .map(|p| p.trim_matches(['{', '}', ' ', '\n']).to_owned()),
                );
            } else {
                let end = rest
                    .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'))
                    .unwrap_or(rest.len());
                found.push(rest[..end].to_owned());
            }
        }
    }
    found.retain(|p| !p.is_empty());
    found
}

fn module(path: &Path) -> String {
    let below = path.strip_prefix(src()).expect("below src");
    let first = below.iter().next().expect("a name").to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

#[test]
fn imports_run_one_way() {
    let mut wrong = Vec::new();
    for (path, text) in sources(&src()) {
        let from = module(&path);
        if from == "lib" {
            continue;
        }
        let Some((_, allowed)) = ARROWS.iter().find(|(m, _)| *m == from) else {
            wrong.push(format!(
                "{}: say in ARROWS what the module {from} may import",
                path.display()
            ));
            continue;
        };
        for to in named(&text) {
            let own = to == from || to.starts_with(&format!("{from}::"));
            if !own && !allowed.iter().any(|a| to == *a || to.starts_with(&format!("{a}::"))) {
                wrong.push(format!("{}: {from} must not import {to}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_stay_short() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let long: Vec<String> = sources(&src())
        .into_iter()
        .chain(sources(tests))
        .filter(|(_, text)| text.lines().count() > LINES)
        .map(|(path, text)| format!("{}: {} lines", path.display(), text.lines().count()))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn a_wrong_arrow_would_be_noticed() {
    let text = "use crate::cli::exit;\nuse crate::{model::time::Timestamp, export};\n// crate::not\nlet x = crate::input::read();";
    assert_eq!(
        named(text),
        ["cli::exit", "model::time::Timestamp", "export", "input::read"]
    );
}
