//! What was ruled out and what was not seen, as text.

use super::layout::pad;
use super::report::Lead;
use super::sections::rest;
use super::text::{Style, head, push_wrapped};
use super::words;
use crate::model::finding::Finding;

pub(super) fn ruled_out(out: &mut Vec<String>, root: &Finding, limit: usize, style: &Style) {
    if root.ruled_out.is_empty() {
        return;
    }
    let shown = &root.ruled_out[..limit.min(root.ruled_out.len())];
    let (common, reasons) = words::ruled_out(shown);
    match common {
        Some(silence) => head(out, &format!("RULED OUT  {silence} says that")),
        None => head(out, "RULED OUT"),
    }
    let wide = reasons.iter().map(|(cause, _)| cause.len()).max().unwrap_or(0);
    for (cause, because) in reasons {
        let text = format!("{}\u{a0}{because}", pad(cause, wide));
        push_wrapped(out, &text, 2, wide + 4, style.width);
    }
    rest(out, root.ruled_out.len(), limit);
}

/// What would decide, and where nobody could look.
pub(super) fn not_seen(out: &mut Vec<String>, lead: &Lead<'_>, limit: usize, style: &Style) {
    let (why, items) = lead.not_seen();
    if items.is_empty() {
        return;
    }
    match why {
        None => head(out, "NOT SEEN"),
        Some(why) => head(out, &format!("NOT SEEN  {why}:")),
    }
    for item in items.iter().take(limit) {
        push_wrapped(out, item, 2, 4, style.width);
    }
    rest(out, items.len(), limit);
}
