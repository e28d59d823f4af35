//! The messages that are written by hand against opentelemetry-proto's own.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::{metric, number_data_point};
use prost::Message;
use whynotready::export::otlp::gauges::{self, Point};
use whynotready::export::otlp::message::ExportResponse;
use whynotready::export::otlp::record;
use whynotready::export::otlp::resource::{SCHEMA_URL, Sender, resource};
use whynotready::model::change::{ChangeKind, Tier};
use whynotready::model::time::Timestamp;
use whynotready::outbox::durable::Stored;

use crate::sample::change;

pub(crate) fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let value = attributes.iter().find(|a| a.key == key)?.value.as_ref()?;
    match value.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        _ => None,
    }
}

fn body(value: Option<&AnyValue>) -> String {
    match value.and_then(|v| v.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        other => panic!("no text: {other:?}"),
    }
}

#[test]
fn log_records_are_what_opentelemetry_reads() {
    let change = change("uid-1", ChangeKind::RootCauseFound);
    let sender = Sender {
        version: "9.9.9".to_owned(),
        node: "node1".to_owned(),
        ..Sender::default()
    };
    let stored = Stored {
        tier: Tier::Run,
        change: change.clone(),
    };
    let bytes = record::request(&resource(&sender, &|_| None), "9.9.9", &[stored]).encode_to_vec();
    let theirs = ExportLogsServiceRequest::decode(&bytes[..]).expect("decodes");
    // Nothing is lost on the way through their types: no field has a number that they don't know.
    assert_eq!(theirs.encode_to_vec().len(), bytes.len());
    let of_resource = &theirs.resource_logs[0];
    assert_eq!(of_resource.schema_url, SCHEMA_URL);
    let attributes = &of_resource.resource.as_ref().expect("a resource").attributes;
    assert_eq!(text(attributes, "service.name").as_deref(), Some("whynotready"));
    assert_eq!(text(attributes, "k8s.node.name").as_deref(), Some("node1"));
    let scope = &of_resource.scope_logs[0];
    let named = scope.scope.as_ref().expect("a scope");
    assert_eq!((named.name.as_str(), named.version.as_str()), ("whynotready", "9.9.9"));
    let record = &scope.log_records[0];
    assert_eq!(record.event_name, "whynotready.root_cause.found");
    assert_eq!((record.severity_number, record.severity_text.as_str()), (17, "ERROR"));
    assert_eq!(record.time_unix_nano, change.at.0 as u64 * 1000);
    assert_eq!(record.observed_time_unix_nano, change.seen_at.0 as u64 * 1000);
    for (key, value) in [
        ("whynotready.cause", "client-certificate-expired"),
        ("whynotready.role", "root_cause"),
        ("whynotready.verdict", "confirmed"),
        ("whynotready.episode", "node1-20261125T110000.000Z"),
        ("whynotready.effect", "heartbeat-lost"),
        ("whynotready.tier", "run"),
        ("log.record.uid", "uid-1"),
    ] {
        assert_eq!(text(&record.attributes, key).as_deref(), Some(value), "{key}");
    }
    let diagnosis: whynotready::model::diagnosis::Diagnosis =
        serde_json::from_str(&body(record.body.as_ref())).expect("the diagnosis as JSON");
    assert_eq!(diagnosis, change.diagnosis);
}

#[test]
fn gauges_are_what_opentelemetry_reads() {
    let points = vec![
        Point {
            name: "whynotready.heartbeat_state",
            unit: "1",
            value: 1.0,
            attributes: vec![("state", "lost".to_owned())],
        },
        Point {
            name: "whynotready.heartbeat_state",
            unit: "1",
            value: 0.0,
            attributes: vec![("state", "ok".to_owned())],
        },
        Point {
            name: "whynotready.heartbeat_age",
            unit: "s",
            value: 41.5,
            attributes: Vec::new(),
        },
    ];
    let resource = resource(&Sender::default(), &|_| None);
    let bytes = gauges::request(&resource, "1", Timestamp(7), points).encode_to_vec();
    let theirs = ExportMetricsServiceRequest::decode(&bytes[..]).expect("decodes");
    assert_eq!(theirs.encode_to_vec().len(), bytes.len());
    let metrics = &theirs.resource_metrics[0].scope_metrics[0].metrics;
    assert_eq!(metrics.len(), 2);
    let Some(metric::Data::Gauge(gauge)) = &metrics[0].data else {
        panic!("a gauge: {metrics:?}");
    };
    assert_eq!(gauge.data_points.len(), 2);
    assert_eq!(text(&gauge.data_points[1].attributes, "state").as_deref(), Some("ok"));
    let Some(metric::Data::Gauge(gauge)) = &metrics[1].data else {
        panic!("a gauge: {metrics:?}");
    };
    assert_eq!(metrics[1].unit, "s");
    assert_eq!(
        gauge.data_points[0].value,
        Some(number_data_point::Value::AsDouble(41.5))
    );
    assert_eq!(gauge.data_points[0].time_unix_nano, 7000);
}

#[test]
fn a_partial_success_is_read() {
    let bytes = ExportLogsServiceResponse {
        partial_success: Some(ExportLogsPartialSuccess {
            rejected_log_records: 3,
            error_message: "too old".to_owned(),
        }),
    }
    .encode_to_vec();
    let ours = ExportResponse::decode(&bytes[..])
        .expect("decodes")
        .partial_success
        .expect("partial");
    assert_eq!((ours.rejected, ours.error_message.as_str()), (3, "too old"));
}
