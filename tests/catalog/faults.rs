//! Each kind of fault that a catalog can have, laid over the built-in one: what is said, of which field, at which line.

use whynotready::catalog::load::{Catalog, Fault};

/// A sound cause; each case spoils it in one way.
const SOUND: &str = r#"id = "house"
layer = "network"
title = "A cause of this house"
repair = "unknown"
owner = "node"
summary = "It is so."
proof = "It shows."
near = []
references = []

[[leads_to]]
to = "api-unreachable"

[[signal]]
id = "refused"
says = "calls are refused"
match = [{ fact = "api-call", where = { error = "refused" } }]
within = "5m"

[verdict]
probable = { all = ["refused"] }

[[remedy]]
text = "Look."
risk = "none"
verify = "it is over"

[[example]]
name = "fires"
lines = ["kubelet: a"]

[[near_miss]]
name = "does not"
lines = ["kubelet: b"]
"#;

#[expect(clippy::disallowed_methods, reason = "tests write their own files")]
fn faults(files: &[(&str, &str)]) -> Vec<Fault> {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).expect("written");
    }
    Catalog::load(Some(dir.path())).err().map(|f| f.0).unwrap_or_default()
}

fn spoiled(from: &str, to: &str) -> String {
    assert!(SOUND.contains(from), "{from}");
    SOUND.replacen(from, to, 1)
}

#[test]
fn the_sound_cause_has_no_fault() {
    assert_eq!(faults(&[("house.toml", SOUND)]), []);
}

const DURATION: &str = "is not a duration such as 30s, 5m, 2h";

/// What is spoiled, by what; the field, the line and the words of the fault.
const CASES: &[(&str, &str, &str, usize, &str)] = &[
    (
        "id = \"house\"",
        "id = \"other\"",
        "id",
        1,
        "is not the name of the file",
    ),
    ("near = []", "near = [\"nobody\"]", "near", 8, "no cause `nobody`"),
    (
        "to = \"api-unreachable\"",
        "to = \"nowhere\"",
        "leads_to.to",
        12,
        "neither an effect nor a cause",
    ),
    (
        "to = \"api-unreachable\"",
        "to = \"@none\"",
        "leads_to.to",
        12,
        "no group `@none`",
    ),
    (
        "unreachable\"\n",
        "unreachable\"\nlag = \"soon\"\n",
        "leads_to.lag",
        13,
        DURATION,
    ),
    (
        "unreachable\"\n",
        "unreachable\"\nwhen = \"gone\"\n",
        "leads_to.when",
        13,
        "no signal `gone` in this file",
    ),
    (
        "\"api-call\"",
        "\"api-cull\"",
        "signal.refused.match.fact",
        17,
        "is not a fact of the grammar",
    ),
    (
        "{ error =",
        "{ colour =",
        "signal.refused.match.where",
        17,
        "has no attribute `colour`",
    ),
    (
        "error = \"refused\"",
        "error = \"tired\"",
        "signal.refused.match.where",
        17,
        "is never `tired`, but ",
    ),
    (
        "within = \"5m\"",
        "within = \"5 x\"",
        "signal.refused.within",
        18,
        DURATION,
    ),
    ("all = [\"refused\"]", "all = [\"x\"]", "verdict", 21, "no signal `x`"),
    (
        "all = [\"refused\"]",
        "all = [\"house/x\"]",
        "verdict",
        21,
        "no signal `house/x`",
    ),
    (
        "all = [\"refused\"]",
        "all = [\"api-connection-refused/refused\"]",
        "signal",
        15,
        "is used by no verdict",
    ),
    (
        "title = \"A cause of this house\"",
        "title = \" \"",
        "title",
        3,
        "is empty",
    ),
    ("lines = [\"kubelet: a\"]", "lines = []", "lines", 29, "is empty"),
    (
        "owner = \"node\"",
        "owner = \"me\"",
        "owner = \"me\"",
        5,
        "unknown variant `me`",
    ),
    (
        "owner = \"node\"",
        "owners = 1",
        "owners = 1",
        5,
        "unknown field `owners`",
    ),
    (
        "summary =",
        "parent = \"nobody\"\nsummary =",
        "parent",
        6,
        "no cause `nobody`",
    ),
    (
        "summary =",
        "parent = \"house\"\nsummary =",
        "parent",
        6,
        "descends from itself",
    ),
];

#[test]
fn each_kind_of_fault_is_named_with_field_and_line() {
    let mut wrong = Vec::new();
    for &(from, to, field, line, message) in CASES {
        let found = faults(&[("house.toml", &spoiled(from, to))]);
        let named = |f: &Fault| {
            f.file.ends_with("house.toml") && f.field == field && f.line == line && f.message.contains(message)
        };
        if !found.iter().any(named) {
            wrong.push(format!("{to}: wanted {field} at {line}: {message}, found {found:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_cause_without_example_near_miss_or_remedy_is_faulty() {
    for (head, field) in [
        ("[[example]]", "example"),
        ("[[near_miss]]", "example"),
        ("[[remedy]]", "remedy"),
    ] {
        let (before, after) = SOUND.split_once(head).expect("the table");
        let rest = after.find("\n[[").map_or("", |at| &after[at..]);
        let found = faults(&[("house.toml", &format!("{before}{rest}"))]);
        assert_eq!(
            found.iter().map(|f| f.field.as_str()).collect::<Vec<_>>(),
            [field],
            "{head}"
        );
    }
}

#[test]
fn two_files_of_one_id_and_a_cycle_of_causes_are_faults() {
    let twice = faults(&[("house.toml", SOUND), ("home.toml", SOUND)]);
    assert!(twice.iter().any(|f| f.message.contains("is the id of")), "{twice:#?}");
    let first = spoiled("to = \"api-unreachable\"", "to = \"home\"");
    let second = first
        .replace("id = \"house\"", "id = \"home\"")
        .replace("to = \"home\"", "to = \"house\"");
    let cycle = faults(&[("house.toml", &first), ("home.toml", &second)]);
    assert!(cycle.iter().any(|f| f.message.contains("cycle")), "{cycle:#?}");
}

#[test]
fn a_replacement_that_cannot_be_read_is_one_fault() {
    let found = faults(&[("api-connection-refused.toml", "id = ")]);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].file.ends_with("api-connection-refused.toml"), "{found:#?}");
}
