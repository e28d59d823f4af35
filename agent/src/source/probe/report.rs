//! A walk in words and facts.

use super::fault::{Fault, Stage};
use super::proxy::Way;
use super::request::{Answer, authority};
use super::verdict::{Verdict, verdict};
use super::walk::Outcome;
use crate::grammar::fact::{Fact, Kind};
use crate::source::look::{Look, Reading};

/// States the walk: the probe and, of the kubelet's own endpoint, certificate and settings.
pub(crate) fn state(look: &mut Look, outcome: &Outcome) {
    let verdict = verdict(outcome);
    look.saw(text(outcome, &verdict), fact(outcome, &verdict));
    if outcome.plan.target != "kubelet" {
        return;
    }
    match outcome
        .trace
        .judged
        .as_ref()
        .and_then(|j| j.fact(&authority(&outcome.plan.endpoint)))
    {
        Some((text, fact, began)) => look.readings.push(Reading {
            text,
            facts: vec![fact],
            began,
        }),
        None => look.missed(Kind::ApiCertificate, "the API server showed no certificate", None),
    }
    match (outcome.protocol, &outcome.readyz) {
        (Some(protocol), Some(Ok(_))) => {
            let mut fact = Fact::new(Kind::ApiSettings).with("protocol", protocol);
            let text = match outcome.max_streams {
                Some(limit) => {
                    fact = fact.with_int("max_streams", i64::from(limit));
                    format!("API server speaks HTTP/2 with at most {limit} streams a connection")
                }
                None if protocol == "http2" => "API server speaks HTTP/2 and names no stream limit".into(),
                None => "API server speaks HTTP/1.1".into(),
            };
            look.saw(text, fact);
        }
        _ => look.missed(Kind::ApiSettings, "no HTTP connection came about", None),
    }
}

fn ms(micros: u64) -> i64 {
    i64::try_from(micros.saturating_add(500) / 1000).unwrap_or(i64::MAX)
}

fn fact(outcome: &Outcome, verdict: &Verdict) -> Fact {
    let (plan, trace) = (&outcome.plan, &outcome.trace);
    let stage = verdict.fault.as_ref().map_or(Stage::Done, |f| f.stage);
    let mut fact = Fact::new(Kind::Probe)
        .with("target", plan.target)
        .with(
            "via",
            if matches!(plan.way, Way::Proxy(_)) {
                "proxy"
            } else {
                "direct"
            },
        )
        .with("ok", if verdict.fault.is_none() { "yes" } else { "no" })
        .with("stage", stage.word());
    if let Some(fault) = &verdict.fault {
        fact = fact.with("error", fault.error);
    }
    fact = fact
        .with_text("host", &*plan.endpoint.host)
        .with_int("port", i64::from(plan.endpoint.port))
        .with("scope", plan.endpoint.scope());
    if let Some(address) = trace.address {
        fact = fact.with_text("address", address.ip().to_string());
    }
    let answered = [&outcome.readyz, &outcome.small]
        .into_iter()
        .flatten()
        .find_map(|r| r.as_ref().ok());
    for (name, micros) in [
        ("resolve_ms", trace.resolve),
        ("connect_ms", trace.connect),
        ("tls_ms", trace.tls),
        ("request_ms", answered.map(|a| a.took)),
    ] {
        if let Some(micros) = micros {
            fact = fact.with_int(name, ms(micros));
        }
    }
    if let Some(status) = verdict.status {
        fact = fact.with_int("status", i64::from(status));
    }
    for (name, word) in [
        ("answered_by", verdict.answered_by),
        ("readyz", verdict.readyz),
        ("etcd", verdict.etcd),
        ("large", outcome.large),
    ] {
        if let Some(word) = word {
            fact = fact.with(name, word);
        }
    }
    if !verdict.failed.is_empty() {
        fact = fact.with_text("failed_checks", verdict.failed.join(","));
    }
    if !trace.addresses.is_empty() {
        let (all, well) = counted(outcome, verdict);
        fact = fact.with_int("addresses", all).with_int("addresses_ok", well);
    }
    fact
}

/// How many addresses there are, and how many of them work.
fn counted(outcome: &Outcome, verdict: &Verdict) -> (i64, i64) {
    let others = outcome.others.iter().filter(|(_, fault)| fault.is_none()).count();
    let used = usize::from(verdict.fault.is_none());
    (outcome.trace.addresses.len() as i64, (others + used) as i64)
}

fn text(outcome: &Outcome, verdict: &Verdict) -> String {
    let (plan, trace) = (&outcome.plan, &outcome.trace);
    let mut parts = vec![head(outcome)];
    for (name, micros) in [
        ("resolve", trace.resolve),
        ("connect", trace.connect),
        ("CONNECT", trace.proxy),
        ("TLS", trace.tls),
    ] {
        if let Some(micros) = micros {
            parts.push(format!("{name} {} ms", ms(micros)));
        }
    }
    if let Some(fault) = &outcome.fault {
        parts.push(failed(fault));
    }
    if let Some(error) = trace.judged.as_ref().and_then(|j| j.error) {
        parts.push(format!(
            "certificate {}",
            error.trim_start_matches("x509-").replace('-', " ")
        ));
    }
    for (path, result) in [
        ("/readyz", &outcome.readyz),
        ("/livez", &outcome.livez),
        ("a lease request", &outcome.small),
    ] {
        match result {
            Some(Ok(answer)) => parts.push(answered(path, answer)),
            Some(Err(fault)) => parts.push(format!("{path} {} after {} ms", fault.words(), ms(fault.after))),
            None => {}
        }
    }
    if !verdict.failed.is_empty() {
        parts.push(format!("failed checks: {}", verdict.failed.join(", ")));
    }
    if outcome.etcd == Some(false) {
        parts.push("/readyz/etcd says that etcd failed".into());
    }
    if verdict.answered_by == Some("other") {
        parts.push("answered by something that is no API server".into());
    }
    match (outcome.large, &outcome.fault) {
        (Some("timed-out"), Some(_)) => parts.push("a few plain bytes are answered: large packets may be lost".into()),
        (Some("timed-out"), None) => parts.push("a request of 6 KiB is not answered".into()),
        (Some("failed"), _) => parts.push("a request of 6 KiB failed".into()),
        _ => {}
    }
    if trace.addresses.len() > 1 && plan.way == Way::Direct {
        let (all, well) = counted(outcome, verdict);
        parts.push(format!("{well} of {all} addresses work{}", worse(outcome)));
    }
    parts.join("  ")
}

fn head(outcome: &Outcome) -> String {
    let (plan, trace) = (&outcome.plan, &outcome.trace);
    let mut head = authority(&plan.endpoint);
    match (&plan.way, trace.address) {
        (Way::Proxy(proxy), _) => head.push_str(&format!(" through the proxy {}:{}", proxy.host, proxy.port)),
        (_, Some(address)) if plan.endpoint.ip().is_none() => head.push_str(&format!(" ({})", address.ip())),
        _ => {}
    }
    match plan.target {
        "service" => format!("Service {head}"),
        "peer" => format!("other API server {head}"),
        _ => head,
    }
}

fn failed(fault: &Fault) -> String {
    let stage = match fault.stage {
        Stage::Tls => "TLS",
        stage => stage.word(),
    };
    format!("{stage} {} after {} ms", fault.words(), ms(fault.after))
}

fn answered(path: &str, answer: &Answer) -> String {
    format!("{path} {} in {} ms", answer.status, ms(answer.took))
}

fn worse(outcome: &Outcome) -> String {
    let failed: Vec<String> = outcome
        .others
        .iter()
        .filter_map(|(address, fault)| Some(format!("{}: {}", address.ip(), failed(fault.as_ref()?))))
        .take(3)
        .collect();
    if failed.is_empty() {
        String::new()
    } else {
        format!(" ({})", failed.join("; "))
    }
}
