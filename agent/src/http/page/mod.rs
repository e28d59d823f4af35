//! The status page: the report for a person, as one HTML document that needs no script and nothing else from anywhere.
//!
//! Every text goes through the escaping of `html!`; log lines are hostile. It says what the text report says, by the same
//! words (`export::report`), and beside it the timeline and the agent's own state.

mod agent;
mod findings;
mod timeline;

use data_encoding::BASE64;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use ring::digest::{SHA256, digest};

use self::timeline::Timeline;
use super::view::About;
use crate::export::layout::word;
use crate::export::metrics::Numbers;
use crate::export::report::{Lead, Tense};
use crate::export::words::utc;
use crate::model::diagnosis::{Diagnosis, HeartbeatState, NodeVerdict};
use crate::model::episode::EpisodeState;

const STYLE: &str = include_str!("style.css");
/// Seconds between two loads of the page.
const RELOAD: u32 = 10;
/// The page's address with this query is not loaded again by itself.
pub(super) const HOLD: &str = "hold";

/// What a browser may do with the page: show it, with this style sheet, and nothing else.
pub(super) fn policy() -> String {
    let hash = BASE64.encode(digest(&SHA256, STYLE.as_bytes()).as_ref());
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

/// What is shown.
pub(super) struct Shown<'a> {
    pub(super) diagnosis: &'a Diagnosis,
    pub(super) numbers: &'a Numbers,
    pub(super) about: &'a About,
    pub(super) hold: bool,
}

/// The page.
pub(super) fn render(shown: &Shown<'_>) -> String {
    let lead = Lead::of(shown.diagnosis, Tense::Live);
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                @if !shown.hold { meta http-equiv="refresh" content=(RELOAD); }
                title { (title(&lead)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (header(&lead, shown))
                main { (body(&lead, shown)) }
                (footer())
            }
        }
    };
    markup.into_string()
}

/// For the tab: the node, and what is the matter.
fn title(lead: &Lead<'_>) -> String {
    let open = lead.episode.is_some_and(|e| e.state == EpisodeState::Open);
    let what = match lead.root().filter(|_| open) {
        Some(root) => root.cause.clone(),
        None => format!("heartbeat {}", word(&lead.diagnosis.heartbeat.state)),
    };
    format!("{}: {what}", lead.node())
}

fn header(lead: &Lead<'_>, shown: &Shown<'_>) -> Markup {
    let state = lead.diagnosis.heartbeat.state;
    let present = matches!(
        lead.diagnosis.verdict,
        NodeVerdict::RootCause | NodeVerdict::Inconclusive
    );
    let tone = match state {
        // The heartbeat may be well where the kubelet itself says that the node is not.
        HeartbeatState::Ok | HeartbeatState::Unknown if present => "bad",
        HeartbeatState::Ok => "good",
        HeartbeatState::Unknown => "unknown",
        HeartbeatState::Failing | HeartbeatState::Intermittent => "warn",
        HeartbeatState::Lost => "bad",
    };
    html! {
        header class=(tone) {
            h1 { (lead.node()) " " span.pill { "heartbeat " (word(&state)) } @if lead.diagnosis.node_ready == Some(false) { " " span.pill { "Ready=False" } } }
            p.headline { (lead.headline()) }
            p.as-of {
                "as of " (utc(lead.diagnosis.at)) " · "
                @if shown.hold { "held · " a href="/" { "reload by itself" } }
                @else { "loaded again every " (RELOAD) " s · " a href={ "/?" (HOLD) } { "hold" } }
                " · " a href="/debug/report" { "as text" }
            }
            (agent::notices(shown.about))
        }
    }
}

fn body(lead: &Lead<'_>, shown: &Shown<'_>) -> Markup {
    let over = lead.episode.is_some_and(|e| e.state == EpisodeState::Ended);
    let grace = i64::try_from(shown.about.grace_period.as_micros()).unwrap_or(i64::MAX);
    let timeline = Timeline::of(lead, grace);
    html! {
        @if let Some(root) = lead.root() {
            (findings::root_cause(lead, root, over))
            (findings::why(lead, root))
            (findings::fix(root))
            @if let Some(timeline) = timeline { (timeline.render()) }
            (findings::evidence(lead, root))
            (findings::others(lead))
            (findings::what_was_ruled_out(root))
        } @else if lead.needs_cause() {
            (findings::inconclusive(lead))
            @if let Some(timeline) = timeline { (timeline.render()) }
            (findings::others(lead))
        }
        (findings::risks(lead))
        (findings::not_seen(lead))
        (findings::other_episodes(lead))
        (agent::probes(shown.numbers))
        (agent::certificates(shown.numbers))
        (agent::sources(shown.numbers))
        (agent::about(shown.about, shown.numbers))
    }
}

fn footer() -> Markup {
    html! {
        footer {
            p {
                "For programs: "
                @for path in ["diagnosis", "evidence", "episodes", "config", "catalog", "about"] {
                    a href={ "/debug/" (path) } { (path) } " "
                }
                "· to take along: " a href="/debug/bundle" { "incident bundle" }
            }
        }
    }
}
