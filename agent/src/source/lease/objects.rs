//! What the node's Lease and Node object say.
//!
//! Sources: `coordination.k8s.io/v1` `Lease`, `v1` `Node` (`status.conditions`, `status.nodeInfo`, `spec.unschedulable`).

use serde::Deserialize;

use crate::clock::Now;
use crate::grammar::fact::{Fact, Kind};
use crate::host::Host;
use crate::model::time::{SECOND, Timestamp};
use crate::source::look::{Look, Reading};
use crate::source::probe::request::Answer;

/// A kubelet's lease where it names no duration (`nodeLeaseDurationSeconds`).
const DURATION: i64 = 40;
/// Characters of a condition's message that are kept.
const MESSAGE: usize = 300;

#[derive(Debug, Deserialize)]
struct Lease {
    spec: Option<LeaseSpec>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LeaseSpec {
    renew_time: Option<Timestamp>,
    lease_duration_seconds: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct Node {
    #[serde(default)]
    spec: NodeSpec,
    #[serde(default)]
    status: NodeStatus,
}

#[derive(Debug, Default, Deserialize)]
struct NodeSpec {
    #[serde(default)]
    unschedulable: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct NodeStatus {
    #[serde(default)]
    conditions: Vec<Condition>,
    #[serde(default)]
    node_info: NodeInfo,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    message: String,
    last_transition_time: Option<Timestamp>,
}

#[derive(Debug, Default, Deserialize)]
struct NodeInfo {
    #[serde(default, rename = "machineID")]
    machine_id: String,
    #[serde(default, rename = "bootID")]
    boot_id: String,
}

/// States the Lease, or that there is none.
pub(super) fn lease(look: &mut Look, answer: &Answer, node: &str, now: Now) {
    let fact = Fact::new(Kind::Lease).with_text("node", node);
    if answer.status == 404 {
        look.saw(format!("lease {node}: there is none"), fact.with("state", "missing"));
        return;
    }
    let spec = serde_json::from_str::<Lease>(&answer.body).ok().and_then(|l| l.spec);
    let Some((spec, renewed)) = spec.and_then(|s| s.renew_time.map(|t| (s, t))) else {
        look.missed(
            Kind::Lease,
            "the API server's answer is no lease with a time of renewal",
            None,
        );
        return;
    };
    let duration = spec.lease_duration_seconds.filter(|d| *d > 0).unwrap_or(DURATION);
    let fact = fact
        .with_int("duration_s", duration)
        .with_text("renewed_at", renewed.rfc3339());
    let Some(age) = age(renewed, now.wall, answer.date) else {
        look.saw(
            format!("lease {node} was renewed at {renewed}, which is yet to come"),
            fact,
        );
        return;
    };
    let state = if age <= duration { "fresh" } else { "stale" };
    let reading = Reading::new(
        format!("lease {node} was renewed {age} s ago, lasts {duration} s"),
        fact.with("state", state).with_int("age_s", age),
    );
    look.readings.push(if state == "stale" {
        reading.since(Timestamp(renewed.0.saturating_add(duration * SECOND)))
    } else {
        reading
    });
}

/// Seconds since the renewal. `renewTime` is the node's own clock, as ours is: that difference is right unless the clock
/// was stepped since. Against the API server's clock it is right unless the node's clock is wrong all the time. Of the two
/// the smaller one that is not negative is right in both cases.
fn age(renewed: Timestamp, ours: Timestamp, theirs: Option<Timestamp>) -> Option<i64> {
    [Some(ours), theirs]
        .into_iter()
        .flatten()
        .map(|now| now.0.saturating_sub(renewed.0).div_euclid(SECOND))
        // `Date` is cut to whole seconds.
        .filter(|age| *age >= -2)
        .map(|age| age.max(0))
        .min()
}

/// States the Node object, or that there is none.
pub(super) fn node(look: &mut Look, answer: &Answer, name: &str, host: &Host) {
    let fact = Fact::new(Kind::NodeObject).with_text("node", name);
    if answer.status == 404 {
        look.saw(
            format!("node {name}: there is no such object"),
            fact.with("state", "missing"),
        );
        return;
    }
    let Ok(node) = serde_json::from_str::<Node>(&answer.body) else {
        look.missed(Kind::NodeObject, "the API server's answer is no Node", None);
        return;
    };
    let machine = same(
        host,
        &["/etc/machine-id", "/var/lib/dbus/machine-id"],
        &node.status.node_info.machine_id,
    );
    let boot = same(
        host,
        &["/proc/sys/kernel/random/boot_id"],
        &node.status.node_info.boot_id,
    );
    let ready = node.status.conditions.into_iter().find(|c| c.kind == "Ready");
    let mut fact = fact
        .with("state", "present")
        .with("machine_id", machine)
        .with("boot_id", boot)
        .with("unschedulable", if node.spec.unschedulable { "yes" } else { "no" });
    let mut text = format!("node {name}: ");
    let mut began = None;
    if let Some(ready) = ready {
        let status = match ready.status.as_str() {
            "True" => "true",
            "False" => "false",
            _ => "unknown",
        };
        text.push_str(&format!("Ready={} ({})", ready.status, ready.reason));
        fact = fact
            .with("ready", status)
            .with_text("reason", ready.reason)
            .with_text("message", ready.message.chars().take(MESSAGE).collect::<String>());
        began = ready.last_transition_time;
    } else {
        text.push_str("no Ready condition");
        fact = fact.with("ready", "unknown");
    }
    if machine == "foreign" {
        text.push_str(", registered by another machine");
    } else if boot == "foreign" {
        text.push_str(", as of another boot");
    }
    look.readings.push(Reading {
        text,
        facts: vec![fact],
        began,
    });
}

fn same(host: &Host, paths: &[&str], there: &str) -> &'static str {
    let here = paths.iter().find_map(|path| host.text(path).ok());
    match here.as_deref().map(str::trim) {
        Some(here) if !here.is_empty() && !there.is_empty() => {
            if here == there.trim() {
                "own"
            } else {
                "foreign"
            }
        }
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * SECOND)
    }

    #[test]
    fn the_age_is_right_with_a_wrong_clock_and_with_a_stepped_one() {
        for (renewed, ours, theirs, age) in [
            (1000, 1005, Some(1005), Some(5)),
            // always an hour ahead, stale for ten minutes
            (4600, 5200, Some(1600), Some(600)),
            // always an hour behind
            (1000, 1600, Some(5200), Some(600)),
            // stepped an hour ahead after the last renewal
            (1000, 5200, Some(1600), Some(600)),
            // stepped back after it
            (5000, 1600, Some(5600), Some(600)),
            (5000, 1000, Some(1000), None),
            (1001, 1000, None, Some(0)),
        ] {
            assert_eq!(super::age(at(renewed), at(ours), theirs.map(at)), age);
        }
    }
}
