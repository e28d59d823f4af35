//! What the agent sees by itself: open onsets, the heartbeat by lease and process, what a look rules out, what a gap leaves
//! open.

use whynotready::grammar::line::Origin;
use whynotready::grammar::vocabulary;
use whynotready::model::diagnosis::{Diagnosis, HeartbeatState, NodeVerdict, SuccessBasis};
use whynotready::model::finding::Role;
use whynotready::model::input::{Gap, Input};

use super::{Record, call, moment};

/// A look at `at` that states this: `kind name=value …`.
fn looks(record: &mut Record, at: i64, words: &str) {
    let fact = vocabulary::fact(words).unwrap_or_else(|why| panic!("{why}: {words}"));
    record.fact(at, Origin::Agent, fact);
}

fn roots(diagnosis: &Diagnosis) -> Vec<&str> {
    diagnosis
        .findings
        .iter()
        .filter(|f| f.role == Role::RootCause)
        .map(|f| f.cause.as_str())
        .collect()
}

/// Renewals that time out from 0 to 70 s, as a kubelet without CPU time says.
fn late_renewals() -> Record {
    let mut record = Record::new(false);
    for at in (0..=70).step_by(10) {
        record.fact(at, Origin::Kubelet, call("deadline"));
    }
    record
}

const THROTTLED: &str = "cgroup role=kubelet cpu_quota_percent=1 throttled_percent=95";
const FREE: &str = "cgroup role=kubelet throttled_percent=0";

#[test]
fn what_the_first_look_sees_may_have_begun_before_the_effect() {
    let mut record = late_renewals();
    looks(&mut record, 75, THROTTLED);
    assert_eq!(roots(&record.finish()), ["kubelet-cpu-throttled"]);
}

#[test]
fn what_an_earlier_look_saw_well_began_after_it() {
    let mut record = Record::new(false);
    looks(&mut record, -60, FREE);
    for at in (0..=400).step_by(10) {
        record.fact(at, Origin::Kubelet, call("refused"));
    }
    looks(&mut record, 390, FREE);
    looks(&mut record, 405, THROTTLED);
    assert_eq!(roots(&record.finish()), ["api-connection-refused"]);
}

#[test]
fn the_lease_tells_of_the_heartbeat() {
    let mut record = Record::new(false);
    record.beats(0, 100, Origin::Kubelet);
    looks(&mut record, 101, "lease state=stale age_s=80");
    let diagnosis = record.finish();
    assert_eq!(diagnosis.heartbeat.state, HeartbeatState::Lost);
    assert_eq!(diagnosis.heartbeat.last_success_at, Some(moment(21).wall));
    assert_eq!(diagnosis.heartbeat.last_success_basis, Some(SuccessBasis::Lease));
    assert_eq!(diagnosis.verdict, NodeVerdict::Inconclusive);

    // A renewal that was accepted after the failures ends them.
    let mut record = late_renewals();
    looks(&mut record, 75, "lease state=fresh age_s=1");
    let diagnosis = record.finish();
    assert_eq!(diagnosis.heartbeat.state, HeartbeatState::Ok);
    assert_eq!(roots(&diagnosis), [""; 0]);
}

#[test]
fn a_stopped_process_renews_nothing_since_its_last_word() {
    let mut record = Record::new(false);
    record.beats(0, 30, Origin::Kubelet);
    looks(&mut record, 90, "process role=kubelet state=stopped");
    let diagnosis = record.finish();
    assert_eq!(diagnosis.heartbeat.state, HeartbeatState::Lost);
    assert_eq!(diagnosis.heartbeat.failing_since, Some(moment(30).wall));
    assert_eq!(roots(&diagnosis), ["kubelet-unit-frozen"]);
    // Nothing says that a watchdog killed it.
    let path: Vec<&str> = diagnosis.findings[0].path.iter().map(String::as_str).collect();
    assert!(path[0].contains("does not get on") && path.len() == 2, "{path:?}");
}

#[test]
fn what_is_well_is_ruled_out_by_its_look() {
    let silent = "probe target=kubelet ok=no stage=connect error=timed-out";
    let ruled_out = |table: &str| {
        let mut record = late_renewals();
        looks(&mut record, 75, silent);
        looks(&mut record, 75, table);
        let diagnosis = record.finish();
        let root = diagnosis.findings.first().expect("a root cause").clone();
        let full = root.ruled_out.into_iter().find(|r| r.cause == "conntrack-full");
        (root.cause, full.map(|r| r.because))
    };
    assert_eq!(
        ruled_out("limit what=conntrack percent=3 used=3 max=100"),
        ("api-connection-timeout".into(), Some("test: a line".into()))
    );
    // One that fits the cause rules nothing out, whether it is enough for a verdict or not.
    assert_eq!(ruled_out("limit what=conntrack percent=100 used=100 max=100").1, None);
}

#[test]
fn a_full_table_drops_connections_to_the_health_endpoint_too() {
    let mut record = late_renewals();
    looks(
        &mut record,
        75,
        "limit what=conntrack percent=100 used=9 max=9 drops=12",
    );
    looks(&mut record, 75, "kubelet-health result=timed-out");
    looks(&mut record, 75, "process role=kubelet state=running");
    let diagnosis = record.finish();
    let role = |cause: &str| diagnosis.findings.iter().find(|f| f.cause == cause).map(|f| f.role);
    assert_eq!(role("conntrack-full"), Some(Role::RootCause));
    assert_eq!(role("kubelet-hung"), Some(Role::Consequence));
}

#[test]
fn unready_for_longer_than_a_start_takes_is_an_effect() {
    let unready = |until: i64| {
        let mut record = Record::new(false);
        for at in (0..=until).step_by(5) {
            let fact = vocabulary::fact("skip-sync because=network").expect("a fact");
            record.fact(at, Origin::Kubelet, fact);
        }
        record.finish()
    };
    assert_eq!(roots(&unready(20)), [""; 0]);
    assert_eq!(roots(&unready(40)), ["cni-not-ready"]);
}

#[test]
fn what_makes_it_unready_is_said_every_two_minutes_only() {
    let mut record = Record::new(false);
    let mut says = |at: i64, words: &str| {
        let fact = vocabulary::fact(words).expect("a fact");
        record.fact(at, Origin::Kubelet, fact);
    };
    says(0, "cri-call op=ListPodSandbox code=deadline-exceeded error=deadline");
    says(2, "cri-call op=Status code=deadline-exceeded error=deadline");
    for at in (2..100).step_by(5) {
        says(at, "skip-sync because=runtime-down");
    }
    assert_eq!(roots(&record.finish()), ["runtime-hung"]);
}

#[test]
fn what_could_not_be_looked_at_is_missing_with_its_grant() {
    let mut record = late_renewals();
    record.feed(&Input::Gap(Gap {
        source: "probe".into(),
        from: None,
        to: None,
        reason: "no kubeconfig".into(),
        grant: Some("read /etc".into()),
    }));
    let diagnosis = record.finish();
    let missing: Vec<_> = diagnosis.findings.iter().flat_map(|f| &f.missing).collect();
    assert!(
        missing
            .iter()
            .any(|m| m.why == "no kubeconfig" && m.grant == "read /etc"),
        "{missing:#?}"
    );
    // A look that is a gap says nothing of the log: silence there still counts.
    assert_eq!(diagnosis.gaps.len(), 1);
}

#[test]
fn a_state_that_has_passed_is_no_cause_of_what_is_so_now() {
    const GONE: &str = "runtime-socket program=containerd result=refused";
    const THERE: &str = "runtime-socket program=containerd result=ok";
    let roots_with = |later: &str| {
        let mut record = late_renewals();
        looks(&mut record, 12, GONE);
        looks(&mut record, 17, later);
        looks(&mut record, 72, later);
        record.finish().findings.iter().any(|f| f.cause == "runtime-down")
    };
    assert!(roots_with(GONE));
    assert!(!roots_with(THERE));
}

#[test]
fn one_look_that_fails_is_no_risk() {
    const FULL: &str = "filesystem mount=/ role=root used_percent=100 free_mb=0";
    const ROOM: &str = "filesystem mount=/ role=root used_percent=40 free_mb=9000";
    let risks = |later: &str| {
        let mut record = Record::new(false);
        looks(&mut record, 0, FULL);
        looks(&mut record, 5, later);
        record.finish().findings.iter().any(|f| f.cause == "disk-full")
    };
    assert!(risks(FULL));
    assert!(!risks(ROOM));
}
