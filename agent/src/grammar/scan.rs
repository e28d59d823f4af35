//! Small pieces of text that several parts read: durations, the word at a place, what stands between two marks.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

/// A matcher for a prefilter or a table; the longest needle at a place wins.
pub(super) fn automaton<'a>(needles: impl IntoIterator<Item = &'a str>) -> Option<AhoCorasick> {
    AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostLongest)
        .kind(Some(AhoCorasickKind::DFA))
        .build(needles.into_iter().map(str::as_bytes))
        .ok()
}

/// What follows `mark`.
pub(super) fn after<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    text.find(mark).map(|at| &text[at + mark.len()..])
}

/// What stands between `open` and the next `close`; up to the end where `close` is missing.
pub(super) fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    let rest = after(text, open)?;
    Some(rest.find(close).map_or(rest, |end| &rest[..end]))
}

/// The text up to the first white space, comma, semicolon or closing bracket.
pub(super) fn word(text: &str) -> &str {
    let end = text
        .find(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | ')' | ']'))
        .unwrap_or(text.len());
    &text[..end]
}

/// A whole number at the start of `text`.
pub(super) fn number(text: &str) -> Option<i64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

/// A Go duration (`1m4.29s`, `200ms`, `2562047h47m16.8s`) or systemd's (`1min 2.5s`) at the start of `text`, in
/// milliseconds.
pub(super) fn duration_ms(text: &str) -> Option<i64> {
    let mut total = 0f64;
    let mut rest = text.trim_start();
    let mut seen = false;
    loop {
        let end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let Ok(value) = rest[..end].parse::<f64>() else { break };
        let unit_text = &rest[end..];
        let unit_end = unit_text.find(|c: char| !c.is_alphabetic()).unwrap_or(unit_text.len());
        let factor = match &unit_text[..unit_end] {
            "h" => 3_600_000.0,
            "m" | "min" => 60_000.0,
            "s" => 1_000.0,
            "ms" => 1.0,
            "us" | "µs" | "μs" => 0.001,
            "ns" => 0.000_001,
            "d" => 86_400_000.0,
            _ => break,
        };
        total += value * factor;
        seen = true;
        rest = unit_text[unit_end..].trim_start();
    }
    seen.then_some(total as i64)
}

/// At most the first `limit` bytes of `text`, cut at a character.
pub(super) fn head(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    let mut end = limit;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration_ms("1m4.29s, x"), Some(64_290));
        assert_eq!(duration_ms("200ms"), Some(200));
        assert_eq!(duration_ms("1min 2.5s CPU time"), Some(62_500));
        assert_eq!(duration_ms("2562047h47m16.854775807s"), Some(9_223_372_036_854));
        assert_eq!(duration_ms("soon"), None);
    }
}
