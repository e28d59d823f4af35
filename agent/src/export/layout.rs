//! Text for a terminal: widths, durations, quoting. Characters count as one column each; log lines are ASCII but for rare
//! names, and a wrong guess costs a cut one column early or late.

use serde::Serialize;

use crate::model::time::{SECOND, Timestamp};

/// The word that JSON has for a value of a small enum.
pub fn word<T: Serialize>(value: &T) -> String {
    serde_json::to_value(value)
        .ok()
        .and_then(|v| v.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// `4 s`, `6 min 12 s`, `2 h 5 min`, `6 days 4 h`.
pub fn duration(micros: i64) -> String {
    let seconds = micros.max(0) / SECOND;
    let two = |a: i64, unit_a: &str, b: i64, unit_b: &str| {
        if b == 0 {
            format!("{a} {unit_a}")
        } else {
            format!("{a} {unit_a} {b} {unit_b}")
        }
    };
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => two(seconds / 60, "min", seconds % 60, "s"),
        3600..86_400 => two(seconds / 3600, "h", seconds % 3600 / 60, "min"),
        _ => {
            let days = seconds / 86_400;
            two(
                days,
                if days == 1 { "day" } else { "days" },
                seconds % 86_400 / 3600,
                "h",
            )
        }
    }
}

/// `hh:mm:ss`, with the date where it is not the day of `reference`.
pub fn moment(at: Timestamp, reference: Timestamp) -> String {
    if at.date() == reference.date() {
        at.clock()
    } else {
        format!("{} {}", at.date(), at.clock())
    }
}

/// Cut in the middle to `width` characters: a log line begins with what was tried and ends with what went wrong.
pub fn cut(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width {
        return text.to_owned();
    }
    let kept = width.saturating_sub(1);
    let head = kept * 2 / 5;
    let mut out: String = text.chars().take(head).collect();
    out.push('…');
    out.extend(text.chars().skip(length - (kept - head)));
    out
}

/// A log line as it may be shown: without the klog header (its time and place are columns of their own), without control
/// characters, which could move a terminal's cursor or hide text, and without those that turn the direction of what follows.
pub fn quote(text: &str) -> String {
    let klog = text.as_bytes().first().is_some_and(|b| b"IWEF".contains(b))
        && text.len() > 5
        && text.as_bytes()[1..5].iter().all(u8::is_ascii_digit);
    let body = if klog {
        text.split_once("] ").map_or(text, |(_, body)| body)
    } else {
        text
    };
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let shown = |c: char| if c.is_control() || turns(c) { ' ' } else { c };
    let clean: String = body.chars().map(shown).collect();
    clean.trim().to_owned()
}

/// Text that `wrap` takes for one word and leaves as it is.
pub fn solid(text: &str) -> String {
    text.replace(' ', "\u{a0}")
}

/// A cell of a table in text that will be wrapped.
pub fn pad(text: &str, wide: usize) -> String {
    format!("{text}{}", "\u{a0}".repeat(wide + 1 - text.len().min(wide)))
}

/// Text wrapped to `width`, its first line indented by `first`, the others by `rest`. Words are never broken;
/// a no-break space keeps columns together and becomes a blank.
pub fn wrap(text: &str, first: usize, rest: usize, width: usize) -> String {
    let mut out = " ".repeat(first);
    let mut column = first;
    let mut fresh = true;
    for word in text.split_ascii_whitespace() {
        let length = word.chars().count();
        if !fresh && column + 1 + length > width {
            out.push('\n');
            out.push_str(&" ".repeat(rest));
            column = rest;
            fresh = true;
        }
        if !fresh {
            out.push(' ');
            column += 1;
        }
        out.push_str(&word.replace('\u{a0}', " "));
        column += length;
        fresh = false;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units() {
        let of = |s: i64| duration(s * SECOND);
        assert_eq!(
            [of(4), of(372), of(360), of(7500), of(533_000)],
            ["4 s", "6 min 12 s", "6 min", "2 h 5 min", "6 days 4 h"]
        );
    }

    #[test]
    fn a_cut_line_keeps_both_ends() {
        assert_eq!(cut("abcdefghijklmnopqrstuvwxyz", 11), "abcd…uvwxyz");
        assert_eq!(cut("short", 11), "short");
    }

    #[test]
    fn quoted_lines_cannot_steer_the_terminal() {
        assert_eq!(
            quote("E1123 11:02:01.103312     380 controller.go:260] \"Failed\" err=\"\u{1b}[2Jx\""),
            "\"Failed\" err=\" [2Jx\""
        );
        assert_eq!(quote("Error] kept"), "Error] kept");
        assert_eq!(quote("a\u{202e}b\u{2067}c"), "a b c");
    }
}
