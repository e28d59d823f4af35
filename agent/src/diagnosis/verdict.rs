//! The answer at one time: which window counts, which findings come of it, and what is to be said of the node.

use super::assess::{self, Found};
use super::effect::{Effect, Effects};
use super::engine::Engine;
use super::episodes::recovery;
use super::finding::{self, Context};
use super::roles::{self, Ranked};
use crate::evidence::track::Window;
use crate::grammar::fact::Kind;
use crate::grammar::line::Origin;
use crate::model::diagnosis::{Diagnosis, HeartbeatState, NodeVerdict, SCHEMA_VERSION};
use crate::model::episode::{Candidate, Episode, EpisodeState};
use crate::model::finding::{Finding, Role, Verdict};
use crate::model::time::{Moment, SECOND, Timestamp};

/// A cause may have begun this long before its effect: longer than the edges' lags but for the longest.
const LOOK_BACK: i64 = 1800 * SECOND;
/// What is to be seen still at the end of an effect must have been seen within this of it: the longest time between two
/// failing calls is a watch's time-out of 30 s and its back-off of 30 s (client-go reflector).
const TAIL: i64 = 65 * SECOND;
/// The same for what makes a node unready: a call to a runtime that hangs is given up after two minutes (kubelet
/// `runtimeRequestTimeout`), and said again after as many.
const TAIL_UNREADY: i64 = 130 * SECOND;
/// Without an effect a cause counts as a risk if it was seen this recently.
const RISK: i64 = 300 * SECOND;
/// More inputs than anybody quotes: a boot alone gives hundreds.
const QUOTED: u64 = 60;
/// What stops a record is seen this shortly before its end.
const ENDED: i64 = 30 * SECOND;
/// Unready for this long is no start any more: the kubelet posts its status every ten seconds.
const UNREADY: i64 = 30 * SECOND;
/// The effects that a root cause explains, all of them.
const EXPLAINED: &[&str] = &[
    "heartbeat-lost",
    "heartbeat-failing",
    "heartbeat-intermittent",
    "node-not-ready",
    "journal-ended",
];

/// Troubles that leave the heartbeat alone; whoever asks may mean one of them, where nothing else is there.
const BESIDE: &[&str] = &["kubelet-unreachable"];

/// Findings and, where none is a root cause, candidates of the episode with this effect.
pub(super) fn of_episode(engine: &Engine, effect: &Effect, id: &str) -> (Vec<Finding>, Vec<Candidate>) {
    let from = (effect.since.t - LOOK_BACK).max(
        engine
            .episodes
            .last_end()
            .filter(|e| e.t < effect.since.t)
            .map_or(i64::MIN, |e| e.t - TAIL),
    );
    let to = engine.last.map_or(effect.last.t, |l| l.t);
    let tail = tail(effect);
    let window = Window { from, to, tail };
    let mut found = assess::assess(&engine.catalog, engine.record(), window);
    // What the agent saw of a state, and saw otherwise since, is over. An effect that is over has no present to ask.
    if engine.present().is_some_and(|e| e.id == effect.id) && !engine.episodes.is_fading() {
        found.retain(|f| !is_refuted(engine, f, STATES));
    }
    let asserted: Vec<usize> = found.iter().map(|f| f.cause).collect();
    let effects = explained_effects(effect.id);
    let ranked = roles::rank(&engine.catalog, found, effects, Some(effect.since.t));
    let context = Context {
        episode: Some(id.to_owned()),
        effect: Some(effect.id.to_owned()),
        premise: false,
        earliest: effect.earliest,
        record: engine.record(),
        asserted: &asserted,
        since: Timestamp(effect.since.wall.0 - (effect.since.t - from.max(engine.first.map_or(from, |f| f.t)))),
        from,
    };
    findings(engine, &ranked, &context)
}

/// What is `lasting` must have been seen after this.
fn tail(effect: &Effect) -> i64 {
    if effect.id == "node-not-ready" {
        // It is posted with the very call that fails; what a restart just before said is over.
        return (effect.last.t - TAIL_UNREADY).max(effect.since.t - 5 * SECOND);
    }
    // What was seen in the first quarter only has gone; kinds of errors alternate, so more cannot be asked.
    let quarter = effect.since.t + (effect.last.t - effect.since.t) / 4;
    (effect.last.t - TAIL).max(quarter.min(effect.last.t - 15 * SECOND))
}

/// As [`of_episode`], for one that is over: of a failure that healed before the heartbeat was lost nothing is named. No
/// node goes NotReady by it, its few lines fit too many causes, and an API server that restarts is nobody's fault.
pub(super) fn of_ended(engine: &Engine, effect: &Effect, id: &str) -> (Vec<Finding>, Vec<Candidate>) {
    let (findings, mut candidates) = of_episode(engine, effect, id);
    if effect.id != "heartbeat-failing" {
        return (findings, candidates);
    }
    candidates.extend(findings.iter().filter(|f| f.role != Role::Risk).map(|f| Candidate {
        cause: f.cause.clone(),
        speaks_for: f.evidence.iter().map(|e| e.text.clone()).collect(),
        against: vec!["it healed before the heartbeat was lost".into()],
    }));
    (Vec::new(), candidates)
}

/// An effect stands for what it deepens into: a cause that leads to `heartbeat-lost` explains that it fails.
fn explained_effects(id: &str) -> &'static [&'static str] {
    match id {
        "node-not-ready" => &["node-not-ready"],
        _ => &[
            "heartbeat-lost",
            "heartbeat-failing",
            "heartbeat-intermittent",
            "journal-ended",
        ],
    }
}

fn findings(engine: &Engine, ranked: &[Ranked], context: &Context<'_>) -> (Vec<Finding>, Vec<Candidate>) {
    let has_root = ranked.iter().any(|r| r.role == Role::RootCause);
    let findings = ranked
        .iter()
        .filter(|r| has_root || r.role == Role::Risk)
        .map(|r| finding::finding(&engine.catalog, r, context))
        .collect();
    let candidates = if has_root {
        Vec::new()
    } else {
        ranked.iter().map(|r| candidate(engine, &r.found)).collect()
    };
    (findings, candidates)
}

fn candidate(engine: &Engine, found: &Found) -> Candidate {
    let file = &engine.catalog.causes[found.cause].file;
    Candidate {
        cause: file.id.clone(),
        speaks_for: finding::speaks_for(&engine.catalog, found),
        against: file
            .verdict
            .decides
            .iter()
            .map(|d| format!("not seen: {}", d.signal))
            .collect(),
    }
}

/// The answer at the last input.
pub(super) fn diagnosis(engine: &Engine) -> Diagnosis {
    let now = engine.now();
    let mut effects = engine.effects.clone();
    let heartbeat = effects.heartbeat(now);
    let node_ready = effects.readiness.posted(now);
    let mut episodes: Vec<Episode> = Vec::new();
    let (mut found, mut candidates) = (Vec::new(), Vec::new());
    let verdict;
    if let Some(effect) = engine.present() {
        let open = engine.episodes.open().map(|o| o.id.clone()).unwrap_or_default();
        let (f, c) = of_episode(engine, &effect, &open);
        if engine.episodes.is_fading() {
            let (f, c) = of_ended(engine, &effect, &open);
            episodes.push(episode(&open, &effect, Some(now), (f, c)));
            verdict = with_risks(engine, now, &mut found);
        } else {
            verdict = if f.iter().any(|f| f.role == Role::RootCause) {
                NodeVerdict::RootCause
            } else {
                NodeVerdict::Inconclusive
            };
            (found, candidates) = (f.clone(), c.clone());
            episodes.push(episode(&open, &effect, None, (f, c)));
        }
    } else if let Some(ended) = record_ended(engine, now) {
        (found, candidates) = ended;
        verdict = NodeVerdict::RootCause;
    } else if engine.options.premise
        && engine.episodes.ended().next().is_none()
        && (!effects.shown_alive(now) || unready(&effects, now))
    {
        (found, candidates) = of_premise(engine);
        verdict = match found.first().map(|f| f.role) {
            Some(Role::RootCause) => NodeVerdict::RootCause,
            _ if heartbeat.state == HeartbeatState::Ok => NodeVerdict::Healthy,
            _ => NodeVerdict::Inconclusive,
        };
    } else {
        verdict = with_risks(engine, now, &mut found);
    }
    episodes.extend(engine.episodes.ended().cloned());
    Diagnosis {
        schema_version: SCHEMA_VERSION.into(),
        node: None,
        at: now.wall,
        boot_id: None,
        verdict,
        node_ready,
        heartbeat,
        findings: found,
        candidates,
        episodes,
        gaps: engine.gaps.clone(),
    }
}

fn episode(
    id: &str,
    effect: &Effect,
    ended: Option<Moment>,
    (findings, candidates): (Vec<Finding>, Vec<Candidate>),
) -> Episode {
    Episode {
        id: id.to_owned(),
        state: if ended.is_some() {
            EpisodeState::Ended
        } else {
            EpisodeState::Open
        },
        effect: effect.id.to_owned(),
        opened_at: effect.since.wall,
        ended_at: ended.map(|m| m.wall),
        end_reason: ended.map(|_| recovery(effect.id).to_owned()),
        findings,
        candidates,
    }
}

/// Every cause that is asserted anywhere in what was seen, with its own verdict: neither premise nor effect weighs in.
pub(super) fn asserted(engine: &Engine) -> Vec<(String, Verdict)> {
    let window = Window {
        from: i64::MIN,
        to: i64::MAX,
        tail: i64::MIN,
    };
    assess::assess(&engine.catalog, engine.record(), window)
        .into_iter()
        .map(|f| (engine.catalog.causes[f.cause].file.id.clone(), f.verdict))
        .collect()
}

/// A node that is unready at the end of the record for longer than a start takes, though not yet for long.
fn unready(effects: &Effects, now: Moment) -> bool {
    effects
        .readiness
        .unready_since(now)
        .is_some_and(|since| now.t - since.t >= UNREADY)
}

/// The premise stands in for an effect that the input neither shows nor refutes: a dozen quoted lines.
fn of_premise(engine: &Engine) -> (Vec<Finding>, Vec<Candidate>) {
    let window = premise_window(engine);
    let found = assess::assess(&engine.catalog, engine.record(), window);
    let asserted: Vec<usize> = found.iter().map(|f| f.cause).collect();
    let mut ranked = roles::rank(&engine.catalog, found.clone(), EXPLAINED, None);
    if !ranked.iter().any(|r| r.role == Role::RootCause) {
        ranked = roles::rank(&engine.catalog, found, BESIDE, None);
    }
    let effect = ranked
        .first()
        .filter(|r| r.role == Role::RootCause)
        .and_then(|r| r.path.last())
        .map(|node| engine.catalog.graph.ids[*node].clone())
        // A trouble beside the heartbeat has none of the effects of the contract.
        .filter(|id| EXPLAINED.contains(&id.as_str()));
    let context = Context {
        episode: None,
        effect,
        premise: true,
        earliest: None,
        record: engine.record(),
        asserted: &asserted,
        since: engine.first.unwrap_or_default().wall,
        from: window.from,
    };
    findings(engine, &ranked, &context)
}

/// The record stops, nothing ordered that, and the last that it shows is something that stops records: under the premise
/// that is why. Without the premise (live) the end of what was read is no end.
fn record_ended(engine: &Engine, now: Moment) -> Option<(Vec<Finding>, Vec<Candidate>)> {
    if !engine.options.premise || !is_whole(engine) || engine.going_down.is_so(engine.last.unwrap_or_default()) {
        return None;
    }
    let window = Window {
        from: now.t - ENDED,
        to: now.t,
        tail: now.t - ENDED,
    };
    let found = assess::assess(&engine.catalog, engine.record(), window);
    let asserted: Vec<usize> = found.iter().map(|f| f.cause).collect();
    let ranked = roles::rank(&engine.catalog, found, &["journal-ended"], None);
    let context = Context {
        episode: None,
        effect: Some("journal-ended".into()),
        premise: true,
        earliest: None,
        record: engine.record(),
        asserted: &asserted,
        since: Timestamp(now.wall.0 - ENDED),
        from: window.from,
    };
    ranked
        .iter()
        .any(|r| r.role == Role::RootCause)
        .then(|| findings(engine, &ranked, &context))
}

/// Quoted lines are all that there is of the trouble; in a whole journal what is to last must last to its end.
fn premise_window(engine: &Engine) -> Window {
    let tail = if is_whole(engine) {
        engine.now().t - 45 * SECOND
    } else {
        i64::MIN
    };
    Window {
        from: i64::MIN,
        to: i64::MAX,
        tail,
    }
}

/// Whether this is a node's own record and no quotation: systemd speaks in it, and more is said than anybody quotes.
fn is_whole(engine: &Engine) -> bool {
    engine.coverage.heard_any(&[Origin::Systemd]) && engine.lines > QUOTED
}

/// Kinds that say how something is, not how often it fails: the newest look counts.
const STATES: &[Kind] = &[
    Kind::RuntimeSocket,
    Kind::UnitState,
    Kind::Process,
    Kind::Filesystem,
    Kind::KubeletConfig,
    Kind::KubeletSetting,
    Kind::Kubeconfig,
    Kind::CertificateFile,
];

/// Whether all that speaks for a cause is what the agent saw of these kinds, and a later look at the same did not find it
/// again: one look that failed is no risk, and a state that has passed no cause of what is so now.
fn is_refuted(engine: &Engine, found: &Found, kinds: &[Kind]) -> bool {
    found.signals.iter().all(|(signal, asserted)| {
        let signal = &engine.catalog.signals[*signal];
        // Where several sources may assert it, each of them has to have looked again.
        let newest = |topic| engine.sight.looks(topic).map(|look| look.at.t).max();
        let mut looked = signal.looks.iter().filter_map(newest).peekable();
        let again = looked.peek().is_some() && looked.all(|at| at > asserted.last.t);
        signal.lasting
            && !signal.looks.is_empty()
            && signal.looks.iter().all(|topic| kinds.contains(&topic.kind))
            && again
    })
}

/// Causes that are there without an effect.
fn with_risks(engine: &Engine, now: Moment, findings: &mut Vec<Finding>) -> NodeVerdict {
    let window = Window {
        from: now.t - LOOK_BACK,
        to: now.t,
        tail: now.t - TAIL,
    };
    let mut found = assess::assess(&engine.catalog, engine.record(), window);
    // Calls that failed and succeed again are over, not a risk.
    found.retain(|f| f.last.t >= now.t - RISK && !f.only_told && !is_refuted(engine, f, Kind::ALL));
    let asserted: Vec<usize> = found.iter().map(|f| f.cause).collect();
    let context = Context {
        episode: None,
        effect: None,
        premise: false,
        earliest: None,
        record: engine.record(),
        asserted: &asserted,
        since: Timestamp(now.wall.0 - LOOK_BACK),
        from: window.from,
    };
    let ranked = roles::rank(&engine.catalog, found, EXPLAINED, None);
    for mut r in ranked.into_iter().filter(|r| r.role != Role::Consequence) {
        r.role = Role::Risk;
        r.path.clear();
        findings.push(finding::finding(&engine.catalog, &r, &context));
    }
    if findings.is_empty() {
        NodeVerdict::Healthy
    } else {
        NodeVerdict::AtRisk
    }
}
