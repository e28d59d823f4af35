//! Changes as the daemon makes them.

use std::time::Duration;

use whynotready::clock::Clock;
use whynotready::model::change::{Change, ChangeKind};
use whynotready::model::diagnosis::{Diagnosis, Heartbeat, HeartbeatState, NodeVerdict};
use whynotready::model::finding::{Role, Verdict};
use whynotready::model::time::Timestamp;
use whynotready::outbox::durable::{Options, Outbox};
use whynotready::outbox::handle::Handle;
use whynotready::outbox::sink::Sink;

/// A change of now.
pub(crate) fn change(uid: &str, kind: ChangeKind) -> Change {
    let at = Timestamp(Clock::system().now().wall.0 - 1_500_000);
    Change {
        uid: uid.to_owned(),
        kind,
        at,
        seen_at: Timestamp(at.0 + 700_000),
        node: Some("node1".to_owned()),
        boot_id: Some("0123456789abcdef0123456789abcdef".to_owned()),
        episode: Some("node1-20261125T110000.000Z".to_owned()),
        effect: Some("heartbeat-lost".to_owned()),
        cause: Some("client-certificate-expired".to_owned()),
        verdict: Some(Verdict::Confirmed),
        role: Some(Role::RootCause),
        text: "the kubelet's client certificate expired 3 h ago ✓".to_owned(),
        diagnosis: diagnosis(at),
    }
}

/// A diagnosis without findings.
pub(crate) fn diagnosis(at: Timestamp) -> Diagnosis {
    Diagnosis {
        schema_version: "1.0".to_owned(),
        node: Some("node1".to_owned()),
        at,
        boot_id: None,
        verdict: NodeVerdict::Inconclusive,
        node_ready: None,
        heartbeat: Heartbeat {
            state: HeartbeatState::Lost,
            last_success_at: Some(at),
            last_success_basis: None,
            failing_since: Some(at),
        },
        findings: Vec::new(),
        candidates: Vec::new(),
        episodes: Vec::new(),
        gaps: Vec::new(),
    }
}

/// An outbox in a directory, for these sinks.
pub(crate) fn options(dir: &std::path::Path, sinks: &[Sink]) -> Options {
    Options {
        dir: dir.join("state"),
        run_dir: dir.join("run"),
        max_bytes: 1 << 20,
        sinks: sinks.to_vec(),
        // A busy disk is not a disk that hangs.
        patience: Duration::from_secs(30),
        clock: Clock::system(),
    }
}

pub(crate) fn outbox(dir: &std::path::Path, sinks: &[Sink]) -> Handle {
    Handle::new(Outbox::open(options(dir, sinks)))
}

/// Runs on one thread, as the agent does.
pub(crate) fn on_one_thread<T>(task: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, task)
}

/// Waits for what other tasks bring about; a minute is for ever.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(Duration::from_mins(1), async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    assert!(waited.await.is_ok(), "never: {what}");
}
