//! The parts of the text report, each under its own head.

use super::evidence::rows;
use super::layout::{moment, pad, solid, word};
use super::report::Lead;
use super::text::{Style, head, push_wrapped};
use super::words::{effect, lasted, who_acts};
use crate::model::episode::Episode;
use crate::model::finding::{Finding, Role};

/// How many items each part shows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) evidence: usize,
    pub(super) others: usize,
    pub(super) ruled_out: usize,
    pub(super) not_seen: usize,
    pub(super) fix: usize,
    pub(super) candidates: usize,
    pub(super) episodes: usize,
}

impl Limits {
    /// From the most to the least; the first that fits is taken.
    pub(super) fn steps(all: bool) -> Vec<Self> {
        let of = |n: [usize; 7]| Self {
            evidence: n[0],
            others: n[1],
            ruled_out: n[2],
            not_seen: n[3],
            fix: n[4],
            candidates: n[5],
            episodes: n[6],
        };
        if all {
            return vec![of([usize::MAX; 7])];
        }
        vec![
            of([8, 4, 6, 4, 6, 5, 5]),
            of([6, 3, 4, 3, 4, 4, 3]),
            of([4, 2, 3, 2, 3, 3, 2]),
            of([3, 1, 2, 1, 2, 3, 1]),
            of([2, 1, 1, 1, 1, 2, 1]),
        ]
    }
}

/// What was left out of a list, as its last line.
pub(super) fn rest(out: &mut Vec<String>, all: usize, shown: usize) {
    if all > shown {
        out.push(format!("  … {} more: --all", all - shown));
    }
}

pub(super) fn root_cause(out: &mut Vec<String>, lead: &Lead<'_>, root: &Finding, style: &Style) {
    out.push(String::new());
    out.push(format!("ROOT CAUSE  {}  {}", root.cause, word(&root.verdict)));
    let text = format!("{}; {}.", root.title, lead.seen_since(root));
    push_wrapped(out, &text, 2, 2, style.width);
    push_wrapped(out, &who_acts(root.owner, root.repair), 2, 2, style.width);
}

/// From the cause to the effect, as a tree of one branch.
pub(super) fn why(out: &mut Vec<String>, lead: &Lead<'_>, root: &Finding, style: &Style) {
    head(out, "WHY");
    let at = lead.diagnosis.at;
    let wide = moment(root.onset.latest, at).len().max(8);
    for (depth, step) in lead.why(root).iter().enumerate() {
        let time = step.at.map(|t| moment(t, at)).unwrap_or_default();
        let branch = if depth == 0 {
            String::new()
        } else {
            format!("{}└ ", "  ".repeat(depth - 1))
        };
        let front = format!("{time:wide$}  {branch}");
        let hang = 2 + front.chars().count();
        push_wrapped(out, &format!("{}{}", solid(&front), step.text), 2, hang, style.width);
    }
}

/// Contributing causes, each with its statement; consequences by name only.
pub(super) fn others(out: &mut Vec<String>, lead: &Lead<'_>, limit: usize, style: &Style) {
    let contributing: Vec<&Finding> = lead.role(Role::Contributing).collect();
    if !contributing.is_empty() {
        out.push(String::new());
        for f in contributing.iter().take(limit) {
            let name = solid(&format!("CONTRIBUTING  {}  {}", f.cause, word(&f.verdict)));
            push_wrapped(out, &format!("{name}: {}", f.title), 0, 2, style.width);
        }
        rest(out, contributing.len(), limit);
    }
    let consequences: Vec<&str> = lead.role(Role::Consequence).map(|f| f.cause.as_str()).collect();
    if !consequences.is_empty() {
        out.push(String::new());
        let names: Vec<&str> = consequences.iter().copied().take(limit.saturating_mul(3)).collect();
        let more = consequences.len() - names.len();
        let more = if more == 0 {
            String::new()
        } else {
            format!(" and {more} more")
        };
        push_wrapped(
            out,
            &format!("{}{}{more}", solid("CONSEQUENCES  "), names.join(", ")),
            0,
            2,
            style.width,
        );
    }
}

pub(super) fn fix(out: &mut Vec<String>, root: &Finding, limit: usize, style: &Style) {
    head(out, "FIX");
    for (i, step) in root.remedy.iter().take(limit).enumerate() {
        let risk = if step.risk == "none" {
            "risk: none".to_owned()
        } else {
            format!("risk: {}", step.risk)
        };
        push_wrapped(out, &format!("{}. {} ({risk})", i + 1, step.text), 2, 5, style.width);
        if let Some(command) = &step.command {
            // A command is copied: it is never cut or wrapped.
            out.push(format!("     $ {command}"));
        }
        push_wrapped(out, &format!("check: {}", step.verify), 5, 7, style.width);
    }
    rest(out, root.remedy.len(), limit);
    out.push(format!("  More: whynotready explain {}", root.cause));
}

pub(super) fn inconclusive(out: &mut Vec<String>, lead: &Lead<'_>, limit: usize, style: &Style) {
    out.push(String::new());
    let candidates = lead.candidates;
    out.push(format!("INCONCLUSIVE  {}", lead.inconclusive()));
    if candidates.is_empty() {
        if lead.episode.is_none() {
            out.push("  The node's whole journal may: whynotready analyze /var/log/journal".to_owned());
        }
        return;
    }
    let shown = &candidates[..limit.min(candidates.len())];
    let wide = shown.iter().map(|c| c.cause.len()).max().unwrap_or(0);
    for candidate in shown {
        let reasons = candidate.speaks_for.join("; ");
        push_wrapped(
            out,
            &format!("{}\u{a0}{}", pad(&candidate.cause, wide), reasons),
            2,
            wide + 4,
            style.width,
        );
        for against in candidate.against.iter().take(2) {
            push_wrapped(out, &format!("against: {against}"), wide + 4, wide + 6, style.width);
        }
    }
    rest(out, candidates.len(), limit);
    if let Some(first) = shown.first() {
        out.push(format!("  More: whynotready explain {}", first.cause));
    }
}

/// Without a cause: what the record does prove.
pub(super) fn certain(out: &mut Vec<String>, lead: &Lead<'_>, style: &Style) {
    let at = lead.diagnosis.at;
    let facts = lead.certain();
    if facts.is_empty() {
        return;
    }
    head(out, "WHAT IS CERTAIN");
    for (when, text) in facts {
        push_wrapped(
            out,
            &format!("{}\u{a0}\u{a0}{text}", moment(when, at).replace(' ', "\u{a0}")),
            2,
            4,
            style.width,
        );
    }
}

pub(super) fn risks(out: &mut Vec<String>, lead: &Lead<'_>, limit: usize, style: &Style) {
    let risks = lead.risks();
    let alone = !lead.needs_cause();
    for f in risks.iter().take(limit) {
        out.push(String::new());
        let when = lead.expected(f);
        push_wrapped(
            out,
            &format!(
                "{}: {}{when}",
                solid(&format!("RISK  {}  {}", f.cause, word(&f.verdict))),
                f.title
            ),
            0,
            2,
            style.width,
        );
        if alone {
            rows(out, &f.evidence, 3, lead.diagnosis.at, style);
            if let Some(step) = f.remedy.first() {
                push_wrapped(out, &format!("Fix: {}", step.text), 2, 4, style.width);
            }
            out.push(format!("  More: whynotready explain {}", f.cause));
        }
    }
    rest(out, risks.len(), limit);
}

pub(super) fn other_episodes(out: &mut Vec<String>, lead: &Lead<'_>, limit: usize, style: &Style) {
    let others: Vec<&Episode> = lead.other_episodes().collect();
    if others.is_empty() {
        return;
    }
    head(out, "OTHER EPISODES");
    for e in others.iter().take(limit) {
        let cause = e.findings.iter().find(|f| f.role == Role::RootCause).map_or_else(
            || "no cause named".to_owned(),
            |f| format!("{}  {}", f.cause, word(&f.verdict)),
        );
        let length = lasted(e, lead.tense);
        let when = format!("{} {}", e.opened_at.date(), e.opened_at.clock());
        let line = solid(&format!("{when}  {cause}  "));
        push_wrapped(
            out,
            &format!("{line}({}, {length})", effect(&e.effect)),
            2,
            4,
            style.width,
        );
    }
    rest(out, others.len(), limit);
}
