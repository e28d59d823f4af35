//! The parts of the page that say what was found, each as the text report has it.

use maud::{Markup, html};

use crate::export::evidence::{Row, merged};
use crate::export::layout::{moment, quote, word};
use crate::export::report::Lead;
use crate::export::words::{effect, lasted, ruled_out, who_acts};
use crate::model::episode::{Candidate, Episode};
use crate::model::finding::{Evidence, Finding, Role, Verdict};
use crate::model::time::Timestamp;

/// Items of a list that are shown at once; the rest is behind one click.
const SHOWN: usize = 8;
/// Items of a list at all: the JSON has the rest.
const MOST: usize = 200;

/// A list whose rest is folded away.
fn folded(items: &[Markup]) -> Markup {
    let (shown, rest) = items.split_at(items.len().min(SHOWN));
    html! {
        ul { @for item in shown { li { (item) } } }
        @if !rest.is_empty() {
            details {
                summary { (rest.len()) " more" }
                ul { @for item in rest.iter().take(MOST) { li { (item) } } }
            }
        }
    }
}

fn verdict(verdict: Verdict) -> Markup {
    html! { span class={ "badge " (word(&verdict)) } { (word(&verdict)) } }
}

pub(super) fn root_cause(lead: &Lead<'_>, root: &Finding, over: bool) -> Markup {
    html! {
        section.card.verdict.bad[!over] #cause {
            h2 { @if over { "Root cause, over" } @else { "Root cause" } }
            p.id { code { (root.cause) } " " (verdict(root.verdict)) }
            p.statement { (quote(&root.title)) "; " (lead.seen_since(root)) "." }
            p { (who_acts(root.owner, root.repair)) }
        }
    }
}

pub(super) fn why(lead: &Lead<'_>, root: &Finding) -> Markup {
    let at = lead.diagnosis.at;
    html! {
        section.card #why {
            h2 { "Why" }
            ol.chain {
                @for step in lead.why(root) {
                    li {
                        @if let Some(when) = step.at { (clock(when, at)) " " }
                        (quote(&step.text))
                    }
                }
            }
        }
    }
}

fn clock(when: Timestamp, at: Timestamp) -> Markup {
    html! { time datetime=(when.rfc3339()) { (moment(when, at)) } }
}

pub(super) fn fix(root: &Finding) -> Markup {
    html! {
        section.card #fix {
            h2 { "Fix" }
            ol.fix {
                @for step in &root.remedy {
                    li {
                        p { (step.text) " " span class={ "badge " @if step.risk == "none" { "safe" } } { "risk: " (step.risk) } }
                        @if let Some(command) = &step.command { pre { code { (command) } } }
                        p.check { "Check: " (step.verify) }
                    }
                }
            }
            (more(&root.cause))
        }
    }
}

fn more(cause: &str) -> Markup {
    html! { p.more { "More: " code { "whynotready explain " (cause) } } }
}

pub(super) fn evidence(lead: &Lead<'_>, finding: &Finding) -> Markup {
    html! {
        @if !finding.evidence.is_empty() {
            section.card.wide #evidence {
                h2 { "Evidence" }
                (quoted(&finding.evidence, lead.diagnosis.at))
            }
        }
    }
}

fn quoted(evidence: &[Evidence], at: Timestamp) -> Markup {
    let rows = merged(evidence);
    let (shown, rest) = rows.split_at(rows.len().min(SHOWN));
    html! {
        ul.evidence { @for row in shown { (line(row, at)) } }
        @if !rest.is_empty() {
            details {
                summary { (rest.len()) " more" }
                ul.evidence { @for row in rest.iter().take(MOST) { (line(row, at)) } }
            }
        }
    }
}

/// The line is quoted whole, however long.
fn line(row: &Row<'_>, at: Timestamp) -> Markup {
    let e = row.first;
    let place = row.place();
    html! {
        li {
            p.by {
                time datetime=(e.at.rfc3339()) {
                    @if e.at.date() != at.date() { (e.at.date()) " " }
                    (e.at.clock_millis())
                }
                " " b { (row.source) }
                @if let Some(counted) = row.counted() { " " span.count { (counted) } }
            }
            code { (row.text) }
            @if !place.is_empty() || !e.facts.is_empty() {
                details {
                    summary { "source and facts" }
                    @if !place.is_empty() { pre { code { (place) } } }
                    dl.facts {
                        @for (name, value) in &e.facts {
                            dt { (name) }
                            dd { @if let Some(text) = value.as_str() { (quote(text)) } @else { (value) } }
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn others(lead: &Lead<'_>) -> Markup {
    let contributing: Vec<&Finding> = lead.role(Role::Contributing).collect();
    let consequences: Vec<&Finding> = lead.role(Role::Consequence).collect();
    html! {
        @if !contributing.is_empty() {
            section.card #contributing { h2 { "Contributing" } ul { @for f in contributing { li { (named(f)) } } } }
        }
        @if !consequences.is_empty() {
            section.card #consequences {
                h2 { "Consequences " small { "nothing to be done about them" } }
                ul { @for f in consequences { li { (named(f)) } } }
            }
        }
    }
}

fn named(finding: &Finding) -> Markup {
    html! { code { (finding.cause) } " " (verdict(finding.verdict)) ": " (quote(&finding.title)) }
}

pub(super) fn what_was_ruled_out(root: &Finding) -> Markup {
    let (common, reasons) = ruled_out(&root.ruled_out);
    let items: Vec<Markup> = reasons
        .into_iter()
        .map(|(cause, because)| html! { code { (cause) } ": " (quote(because)) })
        .collect();
    html! {
        @if !items.is_empty() {
            section.card #ruled-out {
                h2 { "Ruled out" }
                @if let Some(silence) = common { p { (quote(silence)) " says that" } }
                (folded(&items))
            }
        }
    }
}

pub(super) fn not_seen(lead: &Lead<'_>) -> Markup {
    let (why, items) = lead.not_seen();
    let items: Vec<Markup> = items.iter().map(|item| html! { (quote(item)) }).collect();
    html! {
        @if !items.is_empty() {
            section.card #not-seen {
                h2 { "Not seen" }
                @if let Some(why) = why { p { (quote(why)) ":" } }
                (folded(&items))
            }
        }
    }
}

pub(super) fn inconclusive(lead: &Lead<'_>) -> Markup {
    html! {
        section.card.verdict.warn #cause {
            h2 { "Inconclusive" }
            p.statement { (lead.inconclusive()) }
            ul.candidates { @for candidate in lead.candidates { (self::candidate(candidate)) } }
            @if let Some(first) = lead.candidates.first() { (more(&first.cause)) }
        }
    }
}

fn candidate(candidate: &Candidate) -> Markup {
    html! {
        li {
            p { code { (candidate.cause) } }
            @for reason in &candidate.speaks_for { p { (quote(reason)) } }
            @for reason in &candidate.against { p.against { "against: " (quote(reason)) } }
        }
    }
}

pub(super) fn risks(lead: &Lead<'_>) -> Markup {
    let alone = !lead.needs_cause();
    html! {
        @for risk in lead.risks() {
            section.card.verdict.warn {
                h2 { "Risk" }
                p.id { code { (risk.cause) } " " (verdict(risk.verdict)) }
                p.statement { (quote(&risk.title)) (lead.expected(risk)) }
                @if alone {
                    (quoted(&risk.evidence, lead.diagnosis.at))
                    @if let Some(step) = risk.remedy.first() { p { "Fix: " (step.text) } }
                }
                (more(&risk.cause))
            }
        }
    }
}

pub(super) fn other_episodes(lead: &Lead<'_>) -> Markup {
    let items: Vec<Markup> = lead.other_episodes().map(|e| episode(lead, e)).collect();
    html! {
        @if !items.is_empty() {
            section.card #episodes { h2 { "Other episodes" } (folded(&items)) }
        }
    }
}

fn episode(lead: &Lead<'_>, episode: &Episode) -> Markup {
    let root = episode.findings.iter().find(|f| f.role == Role::RootCause);
    html! {
        time datetime=(episode.opened_at.rfc3339()) { (episode.opened_at.date()) " " (episode.opened_at.clock()) }
        " "
        @match root {
            Some(root) => { code { (root.cause) } " " (verdict(root.verdict)) }
            None => "no cause named",
        }
        " (" (effect(&episode.effect)) ", " (lasted(episode, lead.tense)) ")"
    }
}
