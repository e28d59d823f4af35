//! Exit codes, messages and pages.

use std::io;

use whynotready::cli::exit::Exit;
use whynotready::cli::run::run;
use whynotready_tests::diagnoses;

use crate::call::{Refuses, Sink, called, io};

#[test]
fn the_codes_follow_the_answer() {
    let exit = |name: &str, risk: bool| Exit::of(&diagnoses::named(name), risk);
    assert_eq!(exit("root-cause", false), Exit::RootCause);
    assert_eq!(exit("ended", false), Exit::RootCause);
    assert_eq!(exit("inconclusive", true), Exit::Unexplained);
    assert_eq!(exit("at-risk", false), Exit::Ok);
    assert_eq!(exit("at-risk", true), Exit::RootCause);
    assert_eq!(exit("healthy", true), Exit::Ok);
    let codes = [Exit::Ok, Exit::Failed, Exit::Usage, Exit::RootCause, Exit::Unexplained].map(|e| e as u8);
    assert_eq!(codes, [0, 1, 2, 3, 4]);
}

#[test]
fn usage_errors_name_every_fault() {
    let (exit, out, err) = called(&["analyze", "x.log", "--since", "soon", "--until", "11:00"]);
    assert_eq!((exit, out.as_str()), (Exit::Usage, ""));
    assert!(
        err.contains("whynotready: --since: \"soon\"") && err.contains("whynotready: --until: \"11:00\""),
        "{err}"
    );
    for args in [
        &["analyze"][..],
        &["analyse", "x"],
        &["analyze", "x", "--format", "xml"],
        &["causes", "--layer", "air"],
    ] {
        let (exit, _, err) = called(args);
        assert_eq!(exit, Exit::Usage, "{args:?}");
        assert!(err.starts_with("whynotready: "), "{err}");
    }
    let (exit, _, err) = called(&["analyze", "-", "--since", "30m"]);
    assert_eq!(exit, Exit::Usage);
    assert!(err.contains("absolute"), "{err}");
    let (exit, _, err) = called(&[
        "analyze",
        "x",
        "--since",
        "2026-11-23 12:00",
        "--until",
        "2026-11-23 11:00",
    ]);
    assert_eq!(exit, Exit::Usage);
    assert!(err.contains("is after"), "{err}");
}

#[test]
fn what_cannot_be_read_is_a_failure() {
    let (exit, out, err) = called(&["analyze", "no/such/a.log", "no/such/b.log"]);
    assert_eq!((exit, out.as_str()), (Exit::Failed, ""));
    assert!(
        err.contains("no/such/a.log: ") && err.contains("no/such/b.log: "),
        "{err}"
    );
    assert!(err.lines().all(|l| l.starts_with("whynotready: ")), "{err}");
    let (exit, _, err) = called(&["causes", "--catalog-dir", "no/such/dir"]);
    assert_eq!(exit, Exit::Failed);
    assert!(err.contains("no/such/dir"), "{err}");
}

#[test]
fn a_reader_that_goes_away_is_no_failure_but_a_full_disk_is() {
    let with = |kind| {
        let err = Sink::default();
        let args = ["whynotready", "causes"].map(Into::into);
        run(args, &|_| None, io(b"", Box::new(Refuses(kind)), err))
    };
    assert_eq!(with(io::ErrorKind::BrokenPipe), Exit::Ok);
    assert_eq!(with(io::ErrorKind::StorageFull), Exit::Failed);
}

#[test]
fn the_catalog_is_listed() {
    let (exit, out, _) = called(&["causes", "--layer", "network"]);
    assert_eq!(exit, Exit::Ok);
    assert!(
        out.starts_with("network\n") && out.contains("api-connection-refused"),
        "{out}"
    );
    let (_, out, _) = called(&["causes", "--format", "json"]);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&out).expect("JSON");
    assert!(
        rows.iter()
            .any(|r| r["id"] == "api-connection-refused" && r["repair"] == "none-external"),
        "{out}"
    );
}

#[test]
fn a_page_explains_a_cause() {
    let (exit, out, _) = called(&["explain", "api-connection-refused"]);
    assert_eq!(exit, Exit::Ok);
    insta::assert_snapshot!("explain-api-connection-refused", out);
}

#[test]
fn an_unknown_cause_gets_suggestions() {
    let (exit, out, err) = called(&["explain", "api-conection-refused"]);
    assert_eq!((exit, out.as_str()), (Exit::Usage, ""));
    assert!(err.contains("did you mean api-connection-refused"), "{err}");
    let (exit, _, err) = called(&["explain", "zzz"]);
    assert_eq!(exit, Exit::Usage);
    assert!(err.contains("whynotready causes"), "{err}");
}

#[test]
fn help_and_version_go_to_stdout() {
    let (exit, out, err) = called(&["--version"]);
    assert_eq!((exit, err.as_str()), (Exit::Ok, ""));
    assert!(out.starts_with("whynotready "), "{out}");
    let (exit, out, _) = called(&["analyze", "--help"]);
    assert_eq!(exit, Exit::Ok);
    for flag in [
        "--since",
        "--until",
        "--node",
        "--format",
        "--catalog-dir",
        "--fail-on",
        "--all",
        "--color",
    ] {
        assert!(out.contains(flag), "{flag}");
    }
}
