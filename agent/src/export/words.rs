//! Words that every report has for the same thing.

use super::layout::duration;
use super::report::Tense;
use crate::catalog::schema::{Owner, Repair};
use crate::model::episode::{Episode, EpisodeState};
use crate::model::finding::RuledOut;
use crate::model::time::{SECOND, Timestamp};

/// Quoted lines may have no date, or no time at all: the record's own count begins in 1970.
const DATED: Timestamp = Timestamp(946_684_800 * SECOND);

/// Where the reason of a silence ends and what was not said begins.
const SAYS: &str = " says that ";

/// Date and time, for one line.
pub fn utc(at: Timestamp) -> String {
    if at < DATED {
        return format!("{} by the record's own clock", at.clock());
    }
    format!("{} {} UTC", at.date(), at.clock())
}

/// An effect as a clause about the node.
pub fn effect(id: &str) -> String {
    match id {
        "heartbeat-lost" => "kubelet stopped posting node status".into(),
        "heartbeat-failing" => "lease renewals began to fail".into(),
        "heartbeat-intermittent" => "heartbeat became intermittent".into(),
        "node-not-ready" => "kubelet began to post Ready=False".into(),
        "journal-ended" => "the record broke off without an ordered shutdown".into(),
        other => format!("{other} began"),
    }
}

/// Who has to act, and whether a repair of the node helps.
pub fn who_acts(owner: Owner, repair: Repair) -> String {
    let who = match owner {
        Owner::Node => "whoever runs the node",
        Owner::Network => "whoever runs the network",
        Owner::ControlPlane => "whoever runs the control plane",
        Owner::Cloud => "the cloud or virtualisation platform",
        Owner::Workload => "whoever runs the workload",
    };
    let what = match repair {
        Repair::Reboot => "a reboot cures it",
        Repair::Replace => "the machine has to be replaced",
        Repair::RestartKubelet => "a restart of the kubelet cures it",
        Repair::FixConfig => "a file or setting has to change; a reboot does not help",
        Repair::NoneExternal => "nothing done to this node helps, nor do reboot and replacement",
        Repair::Unknown => "whether a repair of the node helps is not known",
    };
    format!("To act: {who}; {what}.")
}

/// What was ruled out, by cause and reason. Where a silence rules out every one (`nothing in the log since 10:47:45`), it is
/// said once, in front, and the reasons are what it does not say.
pub fn ruled_out(items: &[RuledOut]) -> (Option<&str>, Vec<(&str, &str)>) {
    let common = common_silence(items);
    let reasons = items.iter().map(|r| {
        let because = match (common, r.because.split_once(SAYS)) {
            (Some(_), Some((_, rest))) => rest,
            _ => &r.because,
        };
        (r.cause.as_str(), because)
    });
    (common, reasons.collect())
}

fn common_silence(items: &[RuledOut]) -> Option<&str> {
    let mut silences = items
        .iter()
        .map(|r| r.because.split_once(SAYS).map(|(silence, _)| silence));
    let first = silences.next()??;
    silences.all(|s| s == Some(first)).then_some(first)
}

/// How long an episode lasted, or that it goes on.
pub fn lasted(episode: &Episode, tense: Tense) -> String {
    match (episode.state, episode.ended_at) {
        (EpisodeState::Ended, Some(end)) => format!("for {}", duration(end.0 - episode.opened_at.0)),
        _ if tense == Tense::Live => "goes on".to_owned(),
        _ => "to the end".to_owned(),
    }
}
