//! What was ruled out and what was not seen: lists whose items often give one reason, which is then said once.

use super::layout::{moment, pad, quote};
use super::sections::rest;
use super::text::{Lead, Style, head, push_wrapped};
use crate::model::finding::{Finding, RuledOut};
use crate::model::time::Timestamp;

/// Where the reason of a silence ends and what was not said begins.
const SAYS: &str = " says that ";

pub(super) fn ruled_out(out: &mut Vec<String>, root: &Finding, limit: usize, style: &Style) {
    if root.ruled_out.is_empty() {
        return;
    }
    let shown = &root.ruled_out[..limit.min(root.ruled_out.len())];
    let common = common_silence(shown);
    match common {
        Some(silence) => head(out, &format!("RULED OUT  {silence} says that")),
        None => head(out, "RULED OUT"),
    }
    let wide = shown.iter().map(|r| r.cause.len()).max().unwrap_or(0);
    for r in shown {
        let because = match (common, r.because.split_once(SAYS)) {
            (Some(_), Some((_, rest))) => rest,
            _ => &r.because,
        };
        let text = format!("{}\u{a0}{because}", pad(&r.cause, wide));
        push_wrapped(out, &text, 2, wide + 4, style.width);
    }
    rest(out, root.ruled_out.len(), limit);
}

/// `nothing in the log since 10:47:45`, where that is what rules out every item.
fn common_silence(items: &[RuledOut]) -> Option<&str> {
    let mut silences = items
        .iter()
        .map(|r| r.because.split_once(SAYS).map(|(silence, _)| silence));
    let first = silences.next()??;
    silences.all(|s| s == Some(first)).then_some(first)
}

/// What would decide, and where nobody could look.
pub(super) fn not_seen(out: &mut Vec<String>, lead: &Lead<'_>, root: Option<&Finding>, limit: usize, style: &Style) {
    let missing = root.map(|f| f.missing.as_slice()).unwrap_or_default();
    let why = missing.first().map_or("", |m| m.why.as_str());
    let mut items: Vec<String> = missing
        .iter()
        .map(|m| {
            if m.why == why {
                format!("{}; to see it: {}", m.signal, m.grant)
            } else {
                format!("{} ({}); to see it: {}", m.signal, m.why, m.grant)
            }
        })
        .collect();
    items.extend(gaps(lead));
    if items.is_empty() {
        return;
    }
    if why.is_empty() {
        head(out, "NOT SEEN");
    } else {
        head(out, &format!("NOT SEEN  {why}:"));
    }
    for item in items.iter().take(limit) {
        push_wrapped(out, item, 2, 4, style.width);
    }
    rest(out, items.len(), limit);
}

fn gaps(lead: &Lead<'_>) -> Vec<String> {
    let at = lead.diagnosis.at;
    let time = |t: Option<Timestamp>| t.map_or_else(|| "?".to_owned(), |t| moment(t, at));
    let mut out = Vec::new();
    for gap in &lead.diagnosis.gaps {
        let when = if gap.from.is_none() && gap.to.is_none() {
            String::new()
        } else {
            format!(" {} to {}", time(gap.from), time(gap.to))
        };
        let grant = gap
            .grant
            .as_deref()
            .map(|g| format!("; to see it: {g}"))
            .unwrap_or_default();
        out.push(quote(&format!("{}{when}: {}{grant}", gap.source, gap.reason)));
    }
    out
}
