//! The node's condition against a TLS stub that merges conditions as the API server does (strategic merge patch of
//! `nodes/status`, merge key `type`) and refuses everything that the agent's role would not allow.

use serde_json::{Value as Json, json};
use tokio::sync::watch;
use whynotready::clock::Clock;
use whynotready::export::kubernetes::condition::{Standing, TYPE};
use whynotready::export::kubernetes::condition_worker::Worker;
use whynotready::model::change::ChangeKind;
use whynotready::model::diagnosis::{HeartbeatState, NodeVerdict};
use whynotready::model::time::Timestamp;
use whynotready::outbox::sink::Sink;

use crate::events::{Server, Shared, api, gate, refusal};
use crate::sample::{change, diagnosis, on_one_thread, outbox, until};
use crate::stub::{Reply, Seen, status};

const NODE: &str = "/api/v1/nodes/node1";
const READY: &str = r#"{"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown"}"#;

fn node(server: &mut Server, request: &Seen) -> Reply {
    let object = server.objects.entry(NODE.to_owned()).or_insert_with(|| {
        let ready: Json = serde_json::from_str(READY).expect("JSON");
        json!({"metadata": {"name": "node1"}, "status": {"conditions": [ready]}})
    });
    match (request.method.as_str(), request.path.strip_prefix(NODE)) {
        ("GET", Some("")) => Reply::Answer(200, Vec::new(), object.to_string().into_bytes()),
        ("PATCH", Some("/status")) => patch(object, request),
        _ => refusal(403, "the role has no such rule"),
    }
}

fn patch(object: &mut Json, request: &Seen) -> Reply {
    let body: Json = serde_json::from_slice(&request.body).unwrap_or_default();
    let only = |value: &Json, key: &str| value.as_object().is_some_and(|o| o.keys().eq([key]));
    let conditions = body["status"]["conditions"].as_array();
    let ours = conditions
        .filter(|c| c.len() == 1)
        .and_then(|c| c.first())
        .cloned()
        .unwrap_or_default();
    let allowed = request.header("content-type") == "application/strategic-merge-patch+json"
        && only(&body, "status")
        && only(&body["status"], "conditions")
        && ours["type"] == TYPE;
    if !allowed {
        return refusal(422, "touches more than its own condition");
    }
    let list = object["status"]["conditions"].as_array_mut().expect("a list");
    match list.iter_mut().find(|c| c["type"] == TYPE) {
        Some(there) => {
            for (key, value) in ours.as_object().expect("fields") {
                there[key] = value.clone();
            }
        }
        None => list.push(ours),
    }
    let valid = list.iter().find(|c| c["type"] == TYPE).is_some_and(|c| {
        ["True", "False", "Unknown"].contains(&c["status"].as_str().unwrap_or_default())
            && ["lastHeartbeatTime", "lastTransitionTime"]
                .iter()
                .all(|t| c[*t].as_str().is_some_and(|t| t.len() == 20))
            && c["reason"]
                .as_str()
                .is_some_and(|r| r.chars().all(|c| c.is_ascii_alphanumeric()))
    });
    if valid { status(200) } else { refusal(422, "condition") }
}

fn conditions(server: &Shared) -> Vec<Json> {
    let server = server.lock().expect("unpoisoned");
    let node = server.objects.get(NODE).cloned().unwrap_or_default();
    node["status"]["conditions"].as_array().cloned().unwrap_or_default()
}

fn ours(server: &Shared) -> Json {
    conditions(server)
        .into_iter()
        .find(|c| c["type"] == TYPE)
        .unwrap_or_default()
}

fn standing(verdict: NodeVerdict, state: HeartbeatState, at: i64) -> Standing {
    let mut diagnosis = diagnosis(Timestamp(at));
    diagnosis.verdict = verdict;
    diagnosis.heartbeat.state = state;
    Standing::of(&diagnosis)
}

#[test]
fn the_condition_follows_what_is_found_and_ready_is_never_touched() {
    let dir = tempfile::tempdir().expect("a directory");
    let (_stub, server, access) = api(dir.path(), |server, request| Some(node(server, request)));
    on_one_thread(async {
        let outbox = outbox(dir.path(), &[Sink::Condition]);
        // Found before a crash: three changes, of which the newest counts.
        for uid in ["uid-1", "uid-2", "uid-3"] {
            outbox.store(&change(uid, ChangeKind::EpisodeOpened));
        }
        let now = Clock::system().now().wall.0;
        let (tell, told) = watch::channel(None);
        let worker = Worker::new(access, gate(), "node1".to_owned(), Clock::system(), told);
        let tally = worker.tally();
        let (stop, stopped) = watch::channel(false);
        let task = tokio::task::spawn_local(worker.run(outbox.clone(), stopped));
        until("delivered", || outbox.with(|o| o.depth()) == 0).await;
        assert_eq!(
            (ours(&server)["status"].clone(), ours(&server)["reason"].clone()),
            (json!("True"), json!("CauseUnknown"))
        );
        assert_eq!((tally.delivered.get(), tally.skipped.get()), (1, 2));
        let first = ours(&server)["lastTransitionTime"].clone();
        // Another reason, the same status: the transition's time stays.
        let mut named = standing(NodeVerdict::Inconclusive, HeartbeatState::Lost, now + 10_000_000);
        named.reason = "DnsFailure".to_owned();
        tell.send(Some(named)).expect("heard");
        until("the cause", || ours(&server)["reason"] == "DnsFailure").await;
        assert_eq!(ours(&server)["lastTransitionTime"], first);
        // Blind, then confirmed.
        tell.send(Some(standing(
            NodeVerdict::Healthy,
            HeartbeatState::Unknown,
            now + 20_000_000,
        )))
        .expect("heard");
        until("blind", || ours(&server)["status"] == "Unknown").await;
        assert_ne!(ours(&server)["lastTransitionTime"], first);
        tell.send(Some(standing(
            NodeVerdict::Healthy,
            HeartbeatState::Ok,
            now + 30_000_000,
        )))
        .expect("heard");
        until("recovered", || ours(&server)["status"] == "False").await;
        let ready: Json = serde_json::from_str(READY).expect("JSON");
        assert_eq!(conditions(&server).len(), 2);
        assert_eq!(conditions(&server)[0], ready);
        assert_eq!((tally.rejected.get(), tally.retried.get()), (0, 0));
        stop.send(true).expect("runs");
        task.await.expect("ends");
    });
}

#[test]
fn a_restart_does_not_move_the_transition_and_an_outage_only_delays() {
    let dir = tempfile::tempdir().expect("a directory");
    let (_stub, server, access) = api(dir.path(), |server, request| Some(node(server, request)));
    let mut was = Json::Null;
    for run in 0..2_i64 {
        server.lock().expect("unpoisoned").trouble = vec![500, 0, 429];
        on_one_thread(async {
            let outbox = outbox(&dir.path().join(run.to_string()), &[Sink::Condition]);
            let at = Clock::system().now().wall.0 + run * 60_000_000;
            let (_tell, told) = watch::channel(Some(standing(NodeVerdict::Healthy, HeartbeatState::Ok, at)));
            let worker = Worker::new(access.clone(), gate(), "node1".to_owned(), Clock::system(), told);
            let tally = worker.tally();
            let (stop, stopped) = watch::channel(false);
            let task = tokio::task::spawn_local(worker.run(outbox.clone(), stopped));
            until("written", || {
                tally.retried.get() > 0 && tally.trouble.borrow().is_empty()
            })
            .await;
            stop.send(true).expect("runs");
            task.await.expect("ends");
        });
        let now = ours(&server);
        assert_eq!(now["status"], "False");
        if run == 1 {
            assert_eq!(now["lastTransitionTime"], was);
        }
        was = now["lastTransitionTime"].clone();
    }
}
