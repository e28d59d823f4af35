//! The scoreboard's own rules.

use std::path::PathBuf;

use whynotready::catalog::load::Catalog;
use whynotready_tests::board::Tally;
use whynotready_tests::corpus::{Case, Material};
use whynotready_tests::diagnoses::{finding, named};
use whynotready_tests::score::{Score, score};

fn case(cause: &str, no_effect: bool) -> Case {
    Case {
        name: "x".into(),
        cause: cause.into(),
        also_right: vec!["runtime-hung".into()],
        no_effect,
        excused: None,
        material: Material::Record(PathBuf::new()),
    }
}

fn of(cause: &str, no_effect: bool, diagnosis: &str) -> Score {
    score(
        &Catalog::embedded().expect("the catalog"),
        &case(cause, no_effect),
        &named(diagnosis),
    )
}

#[test]
fn the_first_root_cause_counts() {
    assert_eq!(of("api-connection-refused", false, "root-cause"), Score::Right);
    assert_eq!(of("api-connection-refused", false, "ended"), Score::Right);
    assert_eq!(of("disk-full", false, "root-cause"), Score::Wrong);
    assert_eq!(of("disk-full", false, "inconclusive"), Score::Inconclusive);
}

#[test]
fn a_healthy_case_names_none() {
    assert_eq!(of("none", false, "root-cause"), Score::Wrong);
    assert_eq!(of("none", false, "at-risk"), Score::Right);
}

#[test]
fn without_an_effect_a_present_root_cause_is_wrong_and_an_ended_one_right() {
    assert_eq!(of("api-connection-refused", true, "root-cause"), Score::Wrong);
    assert_eq!(of("api-connection-refused", true, "ended"), Score::Right);
    assert_eq!(of("api-connection-refused", true, "healthy"), Score::Right);
}

#[test]
fn a_second_unrelated_root_cause_is_wrong() {
    let catalog = Catalog::embedded().expect("the catalog");
    let mut diagnosis = named("root-cause");
    for (second, wanted) in [("runtime-hung", Score::Right), ("disk-full", Score::Wrong)] {
        diagnosis.findings.truncate(1);
        diagnosis
            .findings
            .push(serde_json::from_value(finding(second, "root_cause")).expect("a finding"));
        assert_eq!(
            score(&catalog, &case("api-connection-refused", false), &diagnosis),
            wanted
        );
    }
}

#[test]
fn kin_is_by_parent_either_way() {
    let catalog = Catalog::embedded().expect("the catalog");
    let Some(child) = catalog.causes.iter().find(|c| c.parent.is_some()) else {
        return;
    };
    let parent = child.file.parent.clone().expect("has one");
    let mut diagnosis = named("root-cause");
    diagnosis.findings.truncate(1);
    for (label, answer) in [(&child.file.id, &parent), (&parent, &child.file.id)] {
        diagnosis.findings[0].cause.clone_from(answer);
        assert_eq!(
            score(&catalog, &case(label, false), &diagnosis),
            Score::Kin,
            "{label} {answer}"
        );
    }
}

#[test]
fn nothing_is_all_right() {
    assert!((Tally::default().percent(&[Score::Right]) - 100.0).abs() < f64::EPSILON);
}
