//! A change as a log record.

use super::message::{AnyValue, KeyValue, LogRecord, LogsRequest, Resource, ResourceLogs, ScopeLogs};
use super::resource::{SCHEMA_URL, scope};
use crate::model::change::{Change, ChangeKind, Tier};
use crate::model::finding::{Role, Verdict};
use crate::model::time::Timestamp;
use crate::outbox::durable::Stored;

/// Severity numbers: the smallest of their range (logs data model, `SeverityNumber`).
const INFO: (i32, &str) = (9, "INFO");
const WARN: (i32, &str) = (13, "WARN");
const ERROR: (i32, &str) = (17, "ERROR");

/// One request with these changes.
pub fn request(resource: &Resource, version: &str, changes: &[Stored]) -> LogsRequest {
    LogsRequest {
        resource_logs: vec![ResourceLogs {
            resource: Some(resource.clone()),
            scope_logs: vec![ScopeLogs {
                scope: Some(scope(version)),
                log_records: changes.iter().map(|s| record(&s.change, s.tier)).collect(),
                schema_url: SCHEMA_URL.to_owned(),
            }],
            schema_url: SCHEMA_URL.to_owned(),
        }],
    }
}

/// One record. The body is the diagnosis of that time as JSON; what receivers filter by is in attributes. `tier` is where
/// the change waited.
pub fn record(change: &Change, tier: Tier) -> LogRecord {
    let (severity_number, severity) = severity(change.kind);
    let mut attributes = vec![
        KeyValue::text("log.record.uid", change.uid.clone()),
        KeyValue::text("whynotready.text", change.text.clone()),
        KeyValue::text("whynotready.tier", tier_word(tier)),
    ];
    let optional = [
        ("whynotready.cause", change.cause.clone()),
        ("whynotready.role", change.role.map(role_word)),
        ("whynotready.verdict", change.verdict.map(verdict_word)),
        ("whynotready.episode", change.episode.clone()),
        ("whynotready.effect", change.effect.clone()),
    ];
    attributes.extend(optional.into_iter().filter_map(|(k, v)| Some(KeyValue::text(k, v?))));
    LogRecord {
        time_unix_nano: nanoseconds(change.at),
        observed_time_unix_nano: nanoseconds(change.seen_at),
        severity_number,
        severity_text: severity.to_owned(),
        // Plain data: it has a JSON form.
        body: serde_json::to_string(&change.diagnosis).ok().map(AnyValue::text),
        attributes,
        event_name: event_name(change.kind),
    }
}

/// `whynotready.root_cause.found`: the kind's last word is what happened to what the others name.
pub fn event_name(kind: ChangeKind) -> String {
    match kind.word().rsplit_once('_') {
        Some((what, how)) => format!("whynotready.{what}.{how}"),
        None => format!("whynotready.{}", kind.word()),
    }
}

fn severity(kind: ChangeKind) -> (i32, &'static str) {
    match kind {
        ChangeKind::RootCauseFound | ChangeKind::RootCauseRevised => ERROR,
        kind if kind.is_bad() => WARN,
        _ => INFO,
    }
}

pub(super) fn nanoseconds(t: Timestamp) -> u64 {
    u64::try_from(t.0).unwrap_or(0).saturating_mul(1000)
}

fn tier_word(tier: Tier) -> String {
    match tier {
        Tier::Disk => "disk",
        Tier::Run => "run",
        Tier::Memory => "memory",
    }
    .to_owned()
}

fn role_word(role: Role) -> String {
    match role {
        Role::RootCause => "root_cause",
        Role::Contributing => "contributing",
        Role::Consequence => "consequence",
        Role::Risk => "risk",
    }
    .to_owned()
}

fn verdict_word(verdict: Verdict) -> String {
    match verdict {
        Verdict::Probable => "probable",
        Verdict::Confirmed => "confirmed",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_dots_and_severities_say_who_must_act() {
        for (kind, name, number) in [
            (ChangeKind::EpisodeOpened, "whynotready.episode.opened", 13),
            (ChangeKind::EpisodeDeepened, "whynotready.episode.deepened", 13),
            (ChangeKind::EpisodeEnded, "whynotready.episode.ended", 9),
            (ChangeKind::RootCauseFound, "whynotready.root_cause.found", 17),
            (ChangeKind::RootCauseRevised, "whynotready.root_cause.revised", 17),
            (ChangeKind::RootCauseCleared, "whynotready.root_cause.cleared", 9),
            (ChangeKind::RiskFound, "whynotready.risk.found", 13),
            (ChangeKind::RiskCleared, "whynotready.risk.cleared", 9),
        ] {
            assert_eq!(event_name(kind), name);
            assert_eq!(severity(kind).0, number, "{name}");
        }
    }
}
