//! What was captured from a node beside its log: snapshot folders of real incidents, a real sosreport, a must-gather of
//! real journals, and archives that are made to harm.

mod archives;
mod sos;
mod tree;

use std::path::Path;

use tree::{cause_of, diagnosis, fixture, inputs};
use whynotready::model::input::Input;
use whynotready::model::time::SECOND;

/// The journal of this incident says nothing of its cause; what was captured does.
#[test]
fn a_snapshot_tells_what_the_journal_cannot() {
    let incident = fixture("1.37-memory-thrash");
    assert_eq!(cause_of(&incident.join("journal")), None);
    assert_eq!(cause_of(&incident).as_deref(), Some("memory-high-throttling"));
}

#[test]
fn a_healthy_snapshot_names_nothing() {
    let diagnosis = diagnosis(&fixture("1.37-healthy-idle"), None);
    assert!(diagnosis.findings.is_empty(), "{:?}", diagnosis.findings);
    assert!(
        diagnosis.gaps.is_empty(),
        "what a capture lacks is no gap: {:?}",
        diagnosis.gaps
    );
}

/// The node is powered off after the capture: its looks stand in the record where they were taken, before that.
#[test]
fn the_looks_stand_where_they_were_taken() {
    let inputs = inputs(&fixture("1.37-healthy-idle"), None);
    let taken = inputs
        .iter()
        .position(|i| matches!(i, Input::Observed(o) if &*o.source == "unit"));
    let taken = taken.expect("the units' states");
    let Input::Observed(look) = &inputs[taken] else {
        panic!()
    };
    // date.txt says 12:15:05, and the journal goes on.
    assert_eq!(look.at.wall.0, 1_795_436_105 * SECOND);
    let after = |i: &Input| matches!(i, Input::Observed(o) if o.at.wall > look.at.wall && o.at.t > look.at.t);
    assert!(inputs[taken..].iter().any(after));
    let before = |i: &Input| matches!(i, Input::Observed(o) if o.at.wall > look.at.wall);
    assert!(!inputs[..taken].iter().any(before));
}

/// Files that are not in the capture are not missing on the node, and nothing is asked of the machine that analyses.
#[test]
fn a_capture_without_logs_is_read_too() {
    let dir = tempfile::tempdir().expect("a directory");
    tree::copy(&fixture("1.37-healthy-idle/snapshot"), dir.path());
    std::fs::remove_file(dir.path().join("var/lib/kubelet/pki/kubelet-client-current.pem")).expect("removed");
    let diagnosis = diagnosis(dir.path(), None);
    assert!(diagnosis.findings.is_empty(), "{:?}", diagnosis.findings);
    let seen = inputs(dir.path(), None);
    let says = |i: &Input| matches!(i, Input::Observed(o) if o.text.contains("no such file") || o.text.contains("does not exist"));
    assert!(!seen.iter().any(says), "{seen:?}");
    assert!(seen.len() > 10);
}

/// A directory in which nothing was captured is refused as before.
#[test]
fn an_empty_directory_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let error = tree::refused(dir.path());
    assert!(error.ends_with("no journal and no log in this directory"), "{error}");
    assert!(Path::new(&error).is_absolute());
}
