//! The alerts, by promtool: parsed, and fired by the series that they are meant for.

use serde_json::Value;

use crate::tools::{list, repository, run, text, with, write};

const ON: &str = "metrics.prometheusRule.enabled=true";

/// Renders the rule with these values, and has promtool run the unit tests on it.
fn tested(sets: &[&str]) -> (Value, crate::tools::Said) {
    let sets: Vec<&str> = std::iter::once(ON).chain(sets.iter().copied()).collect();
    let spec = with(&sets).one("PrometheusRule")["spec"].clone();
    let dir = tempfile::tempdir().unwrap();
    let (rules, tests) = (dir.path().join("rules.yaml"), dir.path().join("alerts.test.yaml"));
    write(&rules, &spec.to_string());
    write(&tests, &text(repository().join("tests/install/alerts.test.yaml")));
    let check = run("promtool", &["check", "rules", rules.to_str().unwrap()]);
    assert!(check.well, "{}", check.all());
    let said = run("promtool", &["test", "rules", tests.to_str().unwrap()]);
    (spec, said)
}

#[test]
fn they_fire_when_they_should_and_only_then() {
    let (spec, said) = tested(&[]);
    assert!(said.well, "{}", said.all());
    let tests = text(repository().join("tests/install/alerts.test.yaml"));
    let rules = list(&spec["groups"][0]["rules"]);
    assert_eq!(rules.len(), 5);
    for rule in rules {
        let name = rule["alert"].as_str().unwrap();
        assert!(
            tests.contains(&format!("alertname: {name}\n        exp_alerts")),
            "{name} is never seen to fire"
        );
        assert!(rule["annotations"]["summary"].is_string() && rule["annotations"]["runbook_url"].is_string());
    }
}

#[test]
fn the_unit_tests_notice_another_rule() {
    for set in [
        "metrics.prometheusRule.manyNodes=6",
        "metrics.prometheusRule.keepFiringFor=",
        "metrics.prometheusRule.ignoreNodes=n3",
        "metrics.prometheusRule.alerts.WhynotreadyRisk.for=20m",
        "metrics.prometheusRule.alerts.WhynotreadyBlind.severity=critical",
        "nameOverride=other",
    ] {
        let (_, said) = tested(&[set]);
        assert!(!said.well, "{set} passed");
    }
}

#[test]
fn each_can_be_left_out_and_others_added() {
    let own = "metrics.prometheusRule.additionalRules[0]";
    let (record, expr) = (format!("{own}.record=a:b"), format!("{own}.expr=up"));
    let (spec, _) = tested(&[
        "metrics.prometheusRule.alerts.WhynotreadyAbsent.enabled=false",
        &record,
        &expr,
    ]);
    let rules = list(&spec["groups"][0]["rules"]);
    assert!(!rules.iter().any(|r| r["alert"] == "WhynotreadyAbsent"));
    assert!(rules.iter().any(|r| r["record"] == "a:b"));
    assert_eq!(rules.len(), 5);
    assert!(with(&[]).all("PrometheusRule").next().is_none());
}

#[test]
fn they_speak_of_causes_that_exist() {
    let catalog = repository().join("agent/catalog/causes");
    let tests = text(repository().join("tests/install/alerts.test.yaml"));
    let mut seen = 0;
    for cause in tests
        .split("cause=\"")
        .skip(1)
        .filter_map(|t| t.split('"').next())
        .filter(|c| *c != "none")
    {
        let layers = crate::tools::entries(&catalog, "");
        assert!(
            layers.iter().any(|l| l.join(format!("{cause}.toml")).exists()),
            "{cause}"
        );
        seen += 1;
    }
    assert!(seen > 5);
}
