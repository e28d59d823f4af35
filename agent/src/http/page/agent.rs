//! The agent's own part of the page: what it looks at, and how it is.

use maud::{Markup, html};

use crate::export::layout::{duration, quote};
use crate::export::metrics::Numbers;
use crate::export::words::utc;
use crate::http::view::About;
use crate::model::change::Tier;
use crate::model::time::{SECOND, Timestamp};

/// The API server, stage by stage.
pub(super) fn probes(numbers: &Numbers) -> Markup {
    let mut targets: Vec<&str> = numbers.probes.keys().map(|(target, _)| target.as_str()).collect();
    targets.dedup();
    html! {
        @if !targets.is_empty() {
            section.card #probes {
                h2 { "Probe of the API server" }
                @for target in targets {
                    p { code { (target) } }
                    ul.stages {
                        @for (stage, (ok, seconds)) in stages(numbers, target) {
                            li class=(if *ok { "good" } else { "bad" }) {
                                (stage) " " @if *ok { "ok" } @else { "fails" }
                                @if let Some(seconds) = seconds { ", " (milliseconds(*seconds)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// In the order in which they are gone through; one that a word was added for comes last.
fn stages<'a>(numbers: &'a Numbers, target: &str) -> Vec<(&'a str, &'a (bool, Option<f64>))> {
    const ORDER: [&str; 5] = ["resolve", "connect", "proxy", "tls", "request"];
    let of_target = numbers.probes.iter().filter(|((t, _), _)| t == target);
    let mut stages: Vec<_> = of_target
        .map(|((_, stage), figures)| (stage.as_str(), figures))
        .collect();
    stages.sort_by_key(|(stage, _)| ORDER.iter().position(|s| s == stage).unwrap_or(ORDER.len()));
    stages
}

fn milliseconds(seconds: f64) -> String {
    format!("{} ms", (seconds * 1000.0).round() as i64)
}

/// Certificates by when they expire.
pub(super) fn certificates(numbers: &Numbers) -> Markup {
    let mut certificates: Vec<(&str, Timestamp)> = numbers
        .not_after
        .iter()
        .map(|(which, at)| (which.as_str(), Timestamp((at * 1e6) as i64)))
        .collect();
    certificates.sort_by_key(|(_, at)| *at);
    html! {
        @if !certificates.is_empty() {
            section.card #certificates {
                h2 { "Certificates" }
                ul {
                    @for (which, at) in certificates {
                        @let left = at.0 - numbers.now.0;
                        li {
                            code { (which) } " "
                            @if left > 0 { "expires in " (duration(left)) } @else { b { "expired " (duration(-left)) " ago" } }
                            " (" (utc(at)) ")"
                        }
                    }
                }
            }
        }
    }
}

/// Where the agent looks: the blind first.
pub(super) fn sources(numbers: &Numbers) -> Markup {
    let (blind, well): (Vec<_>, Vec<_>) = numbers.sources.iter().partition(|(_, s)| !s.success);
    let row = |name: &str, source: &crate::export::metrics::SourceNumbers| {
        let last = (source.last_success * 1e6) as i64;
        let age = if last == 0 {
            "never".to_owned()
        } else {
            format!("{} ago", duration(numbers.now.0 - last))
        };
        html! {
            tr class=(if source.success { "good" } else { "bad" }) {
                td { code { (name) } }
                td { @if source.success { "looks" } @else { "blind" } }
                td { (age) }
                td { (milliseconds(source.duration)) }
            }
        }
    };
    let table = |rows: &[(&String, &crate::export::metrics::SourceNumbers)]| {
        html! {
            table {
                thead { tr { th { "source" } th { "state" } th { "last look" } th { "took" } } }
                tbody { @for (name, source) in rows { (row(name, source)) } }
            }
        }
    };
    html! {
        @if !numbers.sources.is_empty() {
            section.card #sources {
                h2 { "Sources " small { (well.len()) " look, " (blind.len()) " blind" } }
                @if !blind.is_empty() { (table(&blind)) }
                @if !well.is_empty() { details { summary { (well.len()) " that look" } (table(&well)) } }
            }
        }
    }
}

/// Version, since when, where findings are kept.
pub(super) fn about(about: &About, numbers: &Numbers) -> Markup {
    let tier = match about.tier {
        Tier::Disk => "on disk",
        Tier::Run => "in /run: the state directory takes none",
        Tier::Memory => "in memory only: no directory takes them",
    };
    html! {
        section.card #agent {
            h2 { "Agent" }
            ul {
                li { "whynotready " (about.version) ", up for " (duration(about.now.0 - about.started_at.0)) }
                li { "changes are stored " (tier) "; " (about.pending) " wait for delivery" }
                li {
                    (numbers.entries) " entries read, " (numbers.dropped) " dropped"
                    @if numbers.late >= 1.0 { "; woken up to " (duration((numbers.late * SECOND as f64) as i64)) " late" }
                }
            }
        }
    }
}

/// What a reader must know before anything else: that this agent may not be the one that reports, or is not well.
pub(super) fn notices(about: &About) -> Markup {
    html! {
        @if let Some(why) = &about.standing_by { p.notice { "Standing by: " (quote(why)) } }
        @for trouble in &about.troubles { p.notice { "Trouble: " (quote(trouble)) } }
    }
}
