//! `--catalog-dir`: adds, replaces, and reports every fault of every file at once.

use std::path::Path;

use whynotready::cli::exit::Exit;

use crate::call::called;

/// A cause of the built-in catalog: the files laid over it are made of it.
const CAUSE: &str = include_str!("../../agent/catalog/causes/network/api-connection-refused.toml");

#[expect(clippy::disallowed_methods, reason = "tests write their own files")]
fn overlay(files: &[(&str, String)]) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).expect("written");
    }
    let path = dir.path().to_str().expect("UTF-8").to_owned();
    (dir, path)
}

#[test]
fn a_file_with_a_new_id_adds_a_cause() {
    let text = CAUSE.replace("id = \"api-connection-refused\"", "id = \"house-balancer-down\"");
    let (_dir, path) = overlay(&[("house-balancer-down.toml", text)]);
    let (exit, out, err) = called(&["causes", "--layer", "network", "--catalog-dir", &path]);
    assert_eq!((exit, err.as_str()), (Exit::Ok, ""));
    assert!(
        out.contains("  house-balancer-down ") && out.contains("  api-connection-refused "),
        "{out}"
    );
    let (_, built_in, _) = called(&["causes", "--layer", "network"]);
    assert!(!built_in.contains("house-balancer-down"), "{built_in}");
}

#[test]
fn a_file_with_a_known_id_replaces_that_cause_in_the_answer_too() {
    let text = CAUSE.replace(
        "Nothing listens on the API server's address",
        "The balancer of this house is down",
    );
    let (_dir, path) = overlay(&[("api-connection-refused.toml", text)]);
    let journal = Path::new(env!("CARGO_MANIFEST_DIR")).join("incidents/1.37-api-down/journal");
    let journal = journal.to_str().expect("UTF-8");
    let (exit, out, err) = called(&["analyze", journal, "--catalog-dir", &path]);
    assert_eq!((exit, err.as_str()), (Exit::RootCause, ""));
    assert!(
        out.contains("  The balancer of this house is down; seen since"),
        "{out}"
    );
    assert!(!out.contains("Nothing listens"), "{out}");
}

#[test]
fn every_fault_of_every_file_is_reported_at_once_with_line_and_field() {
    let unknown = CAUSE
        .replace("id = \"api-connection-refused\"", "id = \"first\"")
        .replace("near = [\"etcd-unhealthy\"", "near = [\"no-such-cause\"")
        .replace("fact = \"api-call\"", "fact = \"api-cull\"");
    let broken = "id = \"second\"\nlayer = \"air\"\n".to_owned();
    let (_dir, path) = overlay(&[
        ("first.toml", unknown),
        ("second.toml", broken),
        ("third.toml", "id = ".to_owned()),
    ]);
    let (exit, out, err) = called(&["causes", "--catalog-dir", &path]);
    assert_eq!((exit, out.as_str()), (Exit::Failed, ""));
    for wanted in [
        "first.toml:15: near: no cause `no-such-cause`",
        "first.toml:25: signal.refused.match.fact: `api-cull` is not a fact of the grammar",
        "second.toml:2: layer = \"air\": unknown variant `air`",
        "third.toml:1: id =: ",
    ] {
        assert!(err.contains(wanted), "{wanted}\n{err}");
    }
    assert!(
        err.lines()
            .all(|l| l.starts_with("whynotready: ") && l.contains(".toml:")),
        "{err}"
    );
}
