//! The engine on records made of typed facts: episodes, ends, boots and the premise, whatever words the logs use.

mod live;

use std::sync::Arc;

use whynotready::catalog::load::Catalog;
use whynotready::diagnosis::engine::Options;
use whynotready::grammar::fact::{Fact, Kind};
use whynotready::grammar::line::{Level, Origin};
use whynotready::model::diagnosis::{Diagnosis, HeartbeatState, NodeVerdict};
use whynotready::model::episode::EpisodeState;
use whynotready::model::input::{Beat, Gap, Input, Observation, Place};
use whynotready::model::time::{Moment, SECOND, Timestamp};
use whynotready::pipeline::Analyzer;

/// `2026-11-23T12:00:00Z`.
const START: i64 = 1_795_435_200_000_000;

/// A record in the making: `at` is in seconds.
struct Record {
    analyzer: Analyzer,
    boot: u32,
    seq: u64,
    end: Moment,
}

impl Record {
    fn new(premise: bool) -> Self {
        let catalog = Arc::new(Catalog::embedded().unwrap_or_else(|faults| panic!("{faults}")));
        let end = moment(0);
        Self {
            analyzer: Analyzer::new(catalog, Options { premise }),
            boot: 0,
            seq: 0,
            end,
        }
    }

    fn feed(&mut self, input: &Input) {
        self.analyzer.input(input, &mut |_| {});
    }

    fn fact(&mut self, at: i64, origin: Origin, fact: Fact) -> &mut Self {
        self.seq += 1;
        self.end = moment(at);
        let input = Input::Observed(Observation {
            seq: self.seq,
            at: moment(at),
            boot: self.boot,
            header_at: None,
            origin,
            level: Level::Error,
            pid: Some(370),
            source: Arc::from("test"),
            text: Arc::from("a line"),
            place: Place::Line(Arc::from("test"), self.seq),
            facts: vec![fact],
        });
        self.feed(&input);
        self
    }

    fn beats(&mut self, from: i64, to: i64, origin: Origin) -> &mut Self {
        for at in (from..=to).step_by(5) {
            self.end = moment(at);
            let beat = Beat {
                at: moment(at),
                boot: self.boot,
                origin,
                pid: Some(370),
            };
            self.feed(&Input::Beat(beat));
        }
        self
    }

    fn refused(&mut self, from: i64, to: i64) -> &mut Self {
        for at in (from..=to).step_by(7) {
            self.fact(at, Origin::Kubelet, call("refused"));
        }
        self
    }

    fn finish(&mut self) -> Diagnosis {
        let end = self.end;
        self.feed(&Input::End(end));
        self.analyzer.diagnosis()
    }
}

fn moment(seconds: i64) -> Moment {
    Moment {
        t: seconds * SECOND,
        wall: Timestamp(START + seconds * SECOND),
    }
}

fn call(error: &'static str) -> Fact {
    Fact::new(Kind::ApiCall)
        .with("op", "lease")
        .with("error", error)
        .with("stage", "connect")
        .with("scope", "remote")
}

fn unit(event: &'static str, job: Option<&'static str>) -> Fact {
    let fact = Fact::new(Kind::Unit)
        .with_text("unit", "kubelet.service")
        .with("role", "kubelet")
        .with("event", event);
    match job {
        Some(job) => fact.with("job", job),
        None => fact,
    }
}

fn roots(diagnosis: &Diagnosis) -> Vec<&str> {
    use whynotready::model::finding::Role;
    diagnosis
        .findings
        .iter()
        .filter(|f| f.role == Role::RootCause)
        .map(|f| f.cause.as_str())
        .collect()
}

#[test]
fn a_quiet_kubelet_is_healthy_even_under_the_premise() {
    let mut record = Record::new(true);
    record.fact(0, Origin::Systemd, unit("started", Some("start")));
    let diagnosis = record.beats(1, 300, Origin::Kubelet).finish();
    assert_eq!(diagnosis.verdict, NodeVerdict::Healthy);
    assert_eq!(diagnosis.heartbeat.state, HeartbeatState::Ok);
    assert!(diagnosis.episodes.is_empty());
}

#[test]
fn refused_renewals_deepen_from_failing_to_lost_in_one_episode() {
    let mut record = Record::new(false);
    record.fact(0, Origin::Systemd, unit("started", Some("start")));
    record.beats(1, 100, Origin::Kubelet).refused(101, 122);
    let early = record.finish();
    assert_eq!(
        (early.verdict, early.heartbeat.state),
        (NodeVerdict::RootCause, HeartbeatState::Failing)
    );
    let late = record.refused(129, 171).finish();
    assert_eq!(late.heartbeat.state, HeartbeatState::Lost);
    assert_eq!(roots(&late), ["api-connection-refused"]);
    assert_eq!(late.episodes.len(), 1);
    assert_eq!(late.episodes[0].id, early.episodes[0].id, "the id is made of the onset");
    assert_eq!(late.heartbeat.failing_since, Some(moment(101).wall));
}

#[test]
fn an_api_server_restart_of_ten_seconds_is_no_episode_that_stays() {
    let mut record = Record::new(true);
    record.fact(0, Origin::Systemd, unit("started", Some("start")));
    record.beats(1, 100, Origin::Kubelet).refused(101, 108);
    let diagnosis = record.beats(110, 300, Origin::Kubelet).finish();
    assert_eq!(diagnosis.verdict, NodeVerdict::Healthy);
    assert!(diagnosis.episodes.iter().all(|e| e.state == EpisodeState::Ended));
}

#[test]
fn what_healed_is_in_the_episodes_and_two_troubles_are_two() {
    let mut record = Record::new(true);
    record.fact(0, Origin::Systemd, unit("started", Some("start")));
    record.beats(1, 100, Origin::Kubelet).refused(101, 199);
    record.beats(200, 900, Origin::Kubelet).refused(901, 999);
    let diagnosis = record.beats(1000, 1500, Origin::Kubelet).finish();
    assert_eq!(diagnosis.episodes.len(), 2);
    assert!(
        diagnosis.episodes[0].opened_at > diagnosis.episodes[1].opened_at,
        "newest first"
    );
    assert!(diagnosis.findings.is_empty());
    let newest = &diagnosis.episodes[0].findings;
    assert_eq!(newest[0].cause, "api-connection-refused");
}

#[test]
fn the_shutdown_that_ends_the_record_is_no_cause_and_ends_nothing() {
    let mut record = Record::new(true);
    record.fact(0, Origin::Systemd, unit("started", Some("start")));
    record.beats(1, 100, Origin::Kubelet).refused(101, 199);
    record.fact(
        200,
        Origin::Systemd,
        Fact::new(Kind::Shutdown).with("what", "power-key"),
    );
    let diagnosis = record
        .fact(201, Origin::Systemd, unit("stopped", Some("stop")))
        .finish();
    assert_eq!(roots(&diagnosis), ["api-connection-refused"]);
    assert_eq!(diagnosis.episodes[0].state, EpisodeState::Open);
    assert_eq!(diagnosis.at, moment(200).wall);

    let mut healthy = Record::new(true);
    healthy
        .fact(0, Origin::Systemd, unit("started", Some("start")))
        .beats(1, 200, Origin::Kubelet);
    healthy.fact(
        201,
        Origin::Systemd,
        Fact::new(Kind::Shutdown).with("what", "power-key"),
    );
    let diagnosis = healthy
        .fact(202, Origin::Systemd, unit("stopped", Some("stop")))
        .finish();
    assert!(roots(&diagnosis).is_empty() && diagnosis.episodes.is_empty());
}

#[test]
fn a_gap_in_the_record_is_said_and_kept() {
    let mut record = Record::new(false);
    let gap = Gap {
        source: "journal".into(),
        from: None,
        to: None,
        reason: "truncated".into(),
        grant: None,
    };
    record.feed(&Input::Gap(gap.clone()));
    assert_eq!(record.beats(0, 10, Origin::Kubelet).finish().gaps, [gap]);
}

#[test]
fn the_same_record_gives_the_same_answer() {
    let once = || {
        let mut record = Record::new(true);
        record.fact(0, Origin::Systemd, unit("started", Some("start")));
        serde_json::to_string(&record.beats(1, 100, Origin::Kubelet).refused(101, 199).finish()).unwrap()
    };
    assert_eq!(once(), once());
}
