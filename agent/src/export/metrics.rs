//! The numbers for Prometheus: names and labels of CONTRACT.md, as the text format 0.0.4 or as `OpenMetrics`.
//!
//! Every scrape is made from what is so now, so that no series outlives what it was about. Ids are labels, never text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::model::diagnosis::{Diagnosis, Heartbeat, HeartbeatState, SuccessBasis};
use crate::model::finding::{Finding, Role};
use crate::model::time::Timestamp;

/// Series of active causes at most: root causes, risks and their infos together stay below it.
const CAUSES: usize = 10;

/// Everything that is counted, as it stands now.
#[derive(Debug, Clone, Default)]
pub struct Numbers {
    /// The answer.
    pub diagnosis: Option<Diagnosis>,
    /// Now.
    pub now: Timestamp,
    /// By target and stage: whether it succeeded, and its seconds.
    pub probes: BTreeMap<(String, String), (bool, Option<f64>)>,
    /// By certificate: seconds since the epoch.
    pub not_after: BTreeMap<String, f64>,
    /// By source.
    pub sources: BTreeMap<String, SourceNumbers>,
    /// Entries read.
    pub entries: u64,
    /// Entries dropped because the engine did not keep up.
    pub dropped: u64,
    /// Changes that wait for delivery, most of any sink.
    pub pending: u64,
    /// By sink and result.
    pub deliveries: BTreeMap<(String, String), u64>,
    /// Changes lost at the outbox's bound.
    pub lost: u64,
    /// How late the agent's own loop was at worst in the last two minutes, seconds.
    pub late: f64,
    /// Causes in the catalog.
    pub causes: usize,
}

/// One source's figures.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SourceNumbers {
    /// The last look was not blind and in time.
    pub success: bool,
    /// Its duration, seconds.
    pub duration: f64,
    /// Seconds since the epoch; 0 where there was none.
    pub last_success: f64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Cause {
    cause: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CauseVerdict {
    cause: String,
    verdict: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CauseInfo {
    cause: String,
    repair: String,
    owner: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    state: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Probe {
    target: String,
    stage: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Which {
    which: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Source {
    source: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Delivery {
    sink: String,
    result: Outcome,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Outcome(String);

impl EncodeLabelValue for Outcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        encoder.write_str(&self.0)
    }
}

type Float = Gauge<f64, std::sync::atomic::AtomicU64>;

/// The exposition.
pub fn render(numbers: &Numbers, open_metrics: bool) -> String {
    let mut registry = Registry::with_prefix("whynotready");
    causes(&mut registry, numbers);
    heartbeat(&mut registry, numbers);
    observers(&mut registry, numbers);
    deliveries(&mut registry, numbers);
    infos(&mut registry, numbers);
    let mut text = String::new();
    // Writing to a String does not fail.
    let _ = encode(&mut text, &registry);
    if open_metrics { text } else { to_text_format(&text) }
}

fn word<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_value(value)
        .ok()
        .and_then(|v| v.as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn causes(registry: &mut Registry, numbers: &Numbers) {
    let root_cause = Family::<CauseVerdict, Gauge>::default();
    let risk = Family::<Cause, Gauge>::default();
    let info = Family::<CauseInfo, Gauge>::default();
    let findings: &[Finding] = numbers.diagnosis.as_ref().map_or(&[], |d| &d.findings);
    let of = |role: Role| findings.iter().filter(move |f| f.role == role).take(CAUSES);
    let none = || "none".to_owned();
    for finding in of(Role::RootCause) {
        let labels = CauseVerdict {
            cause: finding.cause.clone(),
            verdict: word(&finding.verdict),
        };
        root_cause.get_or_create(&labels).set(1);
    }
    if of(Role::RootCause).next().is_none() {
        let labels = CauseVerdict {
            cause: none(),
            verdict: none(),
        };
        root_cause.get_or_create(&labels).set(1);
    }
    for finding in of(Role::Risk) {
        risk.get_or_create(&Cause {
            cause: finding.cause.clone(),
        })
        .set(1);
    }
    if of(Role::Risk).next().is_none() {
        risk.get_or_create(&Cause { cause: none() }).set(1);
    }
    for finding in of(Role::RootCause).chain(of(Role::Risk)) {
        let labels = CauseInfo {
            cause: finding.cause.clone(),
            repair: word(&finding.repair),
            owner: word(&finding.owner),
        };
        info.get_or_create(&labels).set(1);
    }
    registry.register(
        "root_cause",
        "1 for the root cause of the present episode, cause=\"none\" without one",
        root_cause,
    );
    registry.register(
        "risk",
        "1 for each cause that is there without an effect, cause=\"none\" without one",
        risk,
    );
    registry.register(
        "cause_info",
        "What would repair each active cause, and who has to act",
        info,
    );
}

fn heartbeat(registry: &mut Registry, numbers: &Numbers) {
    let state = Family::<State, Gauge>::default();
    let age = Float::default();
    let heartbeat = numbers.diagnosis.as_ref().map(|d| &d.heartbeat);
    let now = heartbeat.map_or(HeartbeatState::Unknown, |h| h.state);
    for known in [
        HeartbeatState::Ok,
        HeartbeatState::Failing,
        HeartbeatState::Intermittent,
        HeartbeatState::Lost,
        HeartbeatState::Unknown,
    ] {
        let labels = State { state: word(&known) };
        state.get_or_create(&labels).set(i64::from(known == now));
    }
    registry.register(
        "heartbeat_state",
        "1 for the state that the kubelet's heartbeat is in",
        state,
    );
    // Of a healthy kubelet that has nothing to say the log tells no time.
    let told = |h: &&Heartbeat| h.state != HeartbeatState::Ok || h.last_success_basis == Some(SuccessBasis::Lease);
    if let Some(last) = heartbeat.filter(told).and_then(|h| h.last_success_at) {
        age.set((numbers.now.0 - last.0).max(0) as f64 / 1e6);
        registry.register(
            "heartbeat_age_seconds",
            "Time since the last renewal that is known to have succeeded",
            age,
        );
    }
}

fn observers(registry: &mut Registry, numbers: &Numbers) {
    let success = Family::<Probe, Gauge>::default();
    let duration = Family::<Probe, Float>::default();
    for ((target, stage), (ok, seconds)) in &numbers.probes {
        let labels = Probe {
            target: target.clone(),
            stage: stage.clone(),
        };
        success.get_or_create(&labels).set(i64::from(*ok));
        if let Some(seconds) = seconds {
            duration.get_or_create(&labels).set(*seconds);
        }
    }
    registry.register(
        "probe_success",
        "Whether a stage of the probe of the API server succeeded last time",
        success,
    );
    registry.register("probe_duration_seconds", "How long that stage took", duration);
    let not_after = Family::<Which, Float>::default();
    for (which, at) in &numbers.not_after {
        not_after.get_or_create(&Which { which: which.clone() }).set(*at);
    }
    registry.register(
        "certificate_not_after_timestamp_seconds",
        "When a certificate of the kubelet expires",
        not_after,
    );
    let ok = Family::<Source, Gauge>::default();
    let took = Family::<Source, Float>::default();
    let last = Family::<Source, Float>::default();
    for (source, figures) in grouped(numbers) {
        let labels = Source {
            source: source.to_owned(),
        };
        ok.get_or_create(&labels).set(i64::from(figures.success));
        took.get_or_create(&labels).set(figures.duration);
        last.get_or_create(&labels).set(figures.last_success);
    }
    registry.register(
        "source_success",
        "Whether the sources of this group (journal, api, kubelet, node) that ever could look could do so last time",
        ok,
    );
    registry.register("source_duration_seconds", "How long its last look took", took);
    registry.register("source_last_success_timestamp_seconds", "When it could look last", last);
    let late = Float::default();
    late.set(numbers.late);
    registry.register(
        "loop_late_seconds",
        "How late the agent itself was woken at worst in the last two minutes",
        late,
    );
}

/// Sources by what they look at: a series for each of them would be more than a node's agent is worth.
fn grouped(numbers: &Numbers) -> BTreeMap<&'static str, SourceNumbers> {
    let mut groups: BTreeMap<&'static str, SourceNumbers> = BTreeMap::new();
    for (source, figures) in &numbers.sources {
        let group = match source.as_str() {
            "journal" => "journal",
            "probe" | "lease" | "resolver" | "api-socket" => "api",
            "unit" | "process" | "healthz" | "runtime-socket" | "kubeconfig" | "kubelet-config" | "certificate"
            | "served-certificate" => "kubelet",
            _ => "node",
        };
        // What never could look, for want of a grant, says nothing of what can; of the rest the worst counts.
        let could = figures.last_success > 0.0;
        let known = groups.entry(group).or_default();
        let first = known.last_success <= 0.0;
        known.duration = known.duration.max(figures.duration);
        if could && first {
            known.success = figures.success;
            known.last_success = figures.last_success;
        } else if could {
            known.success &= figures.success;
            known.last_success = known.last_success.min(figures.last_success);
        }
    }
    groups
}

fn deliveries(registry: &mut Registry, numbers: &Numbers) {
    counter(
        registry,
        "journal_entries",
        "Journal entries and log lines read",
        numbers.entries,
    );
    counter(
        registry,
        "journal_dropped",
        "Entries that were removed before they could be read",
        numbers.dropped,
    );
    counter(
        registry,
        "outbox_lost",
        "Changes that were dropped at the outbox's bound, or could not be read again",
        numbers.lost,
    );
    let pending = Gauge::<i64>::default();
    pending.set(numbers.pending as i64);
    registry.register("outbox_pending", "Changes that wait for delivery", pending);
    let sinks = Family::<Delivery, Counter>::default();
    for ((sink, result), n) in &numbers.deliveries {
        // What has not happened yet needs no series.
        if *n == 0 && result != "delivered" {
            continue;
        }
        let labels = Delivery {
            sink: sink.clone(),
            result: Outcome(result.clone()),
        };
        sinks.get_or_create(&labels).inc_by(*n);
    }
    registry.register("deliveries", "Deliveries by sink and result", sinks);
}

fn counter(registry: &mut Registry, name: &str, help: &str, value: u64) {
    let counter: Counter = Counter::default();
    counter.inc_by(value);
    registry.register(name, help, counter);
}

fn infos(registry: &mut Registry, numbers: &Numbers) {
    let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
    registry.register("build", "The agent", build);
    let catalog = Info::new([("causes", numbers.causes.to_string())]);
    registry.register("catalog", "The catalog of causes", catalog);
}

/// `OpenMetrics` as the text format 0.0.4 has it: counters are named with their suffix, infos are gauges, units and the
/// end mark go.
fn to_text_format(open: &str) -> String {
    let types: BTreeMap<&str, &str> = open
        .lines()
        .filter_map(|l| l.strip_prefix("# TYPE "))
        .filter_map(|l| l.split_once(' '))
        .collect();
    let suffix = |name: &str| match types.get(name) {
        Some(&"counter") => "_total",
        Some(&"info") => "_info",
        _ => "",
    };
    let mut out = String::with_capacity(open.len());
    for line in open.lines() {
        if line == "# EOF" || line.starts_with("# UNIT ") {
            continue;
        }
        let Some((kind, rest)) = line
            .strip_prefix("# HELP ")
            .map(|r| ("HELP", r))
            .or_else(|| line.strip_prefix("# TYPE ").map(|r| ("TYPE", r)))
        else {
            out.push_str(line);
            out.push('\n');
            continue;
        };
        let (name, text) = rest.split_once(' ').unwrap_or((rest, ""));
        let text = if kind == "TYPE" && text == "info" {
            "gauge"
        } else {
            text
        };
        let _ = writeln!(out, "# {kind} {name}{} {text}", suffix(name));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_healthy_node_in_both_formats() {
        let mut numbers = Numbers {
            entries: 7,
            causes: 130,
            ..Numbers::default()
        };
        numbers.deliveries.insert(("otlp".into(), "ok".into()), 3);
        for source in ["memory", "disk", "journal", "unit"] {
            numbers.sources.insert(source.into(), SourceNumbers::default());
        }
        let text = render(&numbers, false);
        for line in [
            "# TYPE whynotready_journal_entries_total counter",
            "whynotready_journal_entries_total 7",
            "whynotready_root_cause{cause=\"none\",verdict=\"none\"} 1",
            "whynotready_heartbeat_state{state=\"unknown\"} 1",
            "# TYPE whynotready_build_info gauge",
            "whynotready_catalog_info{causes=\"130\"} 1",
            "whynotready_deliveries_total{sink=\"otlp\",result=\"ok\"} 3",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
        assert!(!text.contains("# EOF"));
        assert!(render(&numbers, true).ends_with("# EOF\n"));
    }
}
