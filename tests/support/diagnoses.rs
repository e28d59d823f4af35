//! Answers made by hand: what a report looks like does not depend on what the catalog holds.

use serde_json::{Value, json};
use whynotready::model::diagnosis::Diagnosis;

fn evidence() -> Value {
    let text = "E1123 11:02:01.103312     380 controller.go:260] \"Failed to update lease\" err=\"Put \\\"https://api.lab.test:6443/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node1?timeout=10s\\\": dial tcp 10.99.0.1:6443: connect: connection refused\"";
    json!([
        {"at": "2026-11-23T11:02:01.103312Z", "seen_at": "2026-11-23T11:02:01.103900Z", "source": "kubelet", "text": text,
         "count": 37, "last_at": "2026-11-23T11:08:01.000000Z", "cursor": "s=1;i=2", "facts": {"fact": "api-call", "error": "refused"}},
        {"at": "2026-11-23T11:01:59.000000Z", "seen_at": "2026-11-23T11:01:59.000000Z", "source": "kernel",
         "text": "a line with \u{1b}[2J an escape", "count": 1, "last_at": "2026-11-23T11:01:59.000000Z",
         "file": "node.log", "line": 7, "facts": {}}
    ])
}

/// A finding of this role.
pub fn finding(cause: &str, role: &str) -> Value {
    let explains = if role == "risk" {
        Value::Null
    } else {
        json!("heartbeat-lost")
    };
    let expected = if role == "risk" {
        json!("2026-11-29T15:10:02.000000Z")
    } else {
        Value::Null
    };
    json!({
        "cause": cause, "role": role, "verdict": if role == "root_cause" { "confirmed" } else { "probable" },
        "effect": explains, "title": "Nothing listens on the API server's address", "layer": "network",
        "repair": "none-external", "owner": "control-plane",
        "episode": if role == "risk" { Value::Null } else { json!("e1") },
        "onset": {"earliest": "2026-11-23T11:01:51.000000Z", "latest": "2026-11-23T11:02:01.103900Z"},
        "expected_at": expected, "evidence": evidence(),
        "missing": [{"signal": "whether anything listens on the port", "why": "the input does not hold it", "grant": "ss -ltnp 'sport = :6443' on the host"}],
        "ruled_out": [{"cause": "etcd-unhealthy", "because": "nothing in the log since 10:40:00 says that etcd fails", "evidence": null}],
        "remedy": [{"text": "On the host that owns the address, see why the API server does not run.",
            "command": "crictl ps -a --name kube-apiserver", "risk": "none", "verify": "curl -k https://HOST:6443/livez answers ok"}],
        "path": ["the kubelet's requests do not reach an API server", "lease renewals fail", "no lease renewal and no status update is accepted"]
    })
}

fn base(verdict: &str, state: &str) -> Value {
    json!({
        "schema_version": "1.0", "node": "node1", "at": "2026-11-23T11:08:16.000000Z",
        "boot_id": "6adcb811a5e1475fa502330321c5cf86", "verdict": verdict, "node_ready": null,
        "heartbeat": {"state": state, "last_success_at": if state == "ok" { "2026-11-23T11:08:12.000000Z" } else { "2026-11-23T11:01:51.000000Z" },
            "last_success_basis": "inferred",
            "failing_since": if state == "ok" { Value::Null } else { json!("2026-11-23T11:02:01.103900Z") }},
        "findings": [], "candidates": [], "episodes": [], "gaps": []
    })
}

fn episode(id: &str, state: &str, findings: &Value) -> Value {
    let over = state == "ended";
    json!({"id": id, "state": state, "effect": "heartbeat-lost", "opened_at": "2026-11-23T11:02:01.103900Z",
        "ended_at": if over { json!("2026-11-23T11:07:01.000000Z") } else { Value::Null },
        "end_reason": if over { json!("no renewal has failed for 45 s") } else { Value::Null },
        "findings": findings, "candidates": []})
}

/// The diagnosis of this name: `root-cause`, `inconclusive`, `healthy`, `at-risk`, `ended`, `long`.
///
/// # Panics
/// Where no document has that name or it is no diagnosis: a fault of the test.
pub fn named(name: &str) -> Diagnosis {
    let causes = json!([
        finding("api-connection-refused", "root_cause"),
        finding("runtime-hung", "contributing"),
        finding("api-no-answer", "consequence")
    ]);
    let mut d = match name {
        "root-cause" | "long" => base("root_cause", "lost"),
        "inconclusive" => base("inconclusive", "lost"),
        "at-risk" => base("at_risk", "ok"),
        _ => base("healthy", "ok"),
    };
    match name {
        "root-cause" | "long" => {
            d["episodes"] = json!([episode("e1", "open", &causes), episode("e0", "ended", &causes)]);
            d["findings"] = causes;
        }
        "inconclusive" => {
            d["episodes"] = json!([episode("e1", "open", &json!([]))]);
            d["candidates"] = json!([
                {"cause": "api-connection-timeout", "for": ["connects time out since 11:02:01 (9 times)"], "against": []},
                {"cause": "firewall-block", "for": ["the same"], "against": ["no rule of this node's is on record"]}
            ]);
            d["gaps"] = json!([{"source": "journal", "from": "2026-11-23T10:00:00.000000Z", "to": null,
                "reason": "system@1.journal: 3 objects are damaged", "grant": null}]);
        }
        "at-risk" => d["findings"] = json!([finding("client-certificate-expired", "risk")]),
        "ended" => d["episodes"] = json!([episode("e1", "ended", &causes)]),
        _ => {}
    }
    if name == "long" {
        for list in ["evidence", "missing", "ruled_out", "remedy"] {
            let items = d["findings"][0][list].as_array().cloned().unwrap_or_default();
            d["findings"][0][list] = items.iter().cycle().take(30).cloned().collect();
        }
        // Evidence that reads the same would be one row.
        for (i, item) in d["findings"][0]["evidence"]
            .as_array_mut()
            .into_iter()
            .flatten()
            .enumerate()
        {
            item["text"] = format!("{} {i}", item["text"].as_str().unwrap_or_default()).into();
        }
    }
    serde_json::from_value(d).expect("the hand-made document is a diagnosis")
}
