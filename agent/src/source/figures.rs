//! Figures as sources state them: whole per cent, MiB, rates. No division by zero.

use std::borrow::Cow;
use std::fmt::{self, Write};

use crate::grammar::fact::{Fact, Value};

/// Adds words to a text.
pub(super) fn add(text: &mut String, words: fmt::Arguments<'_>) {
    // Writing to a String can't fail.
    let _ = text.write_fmt(words);
}

/// Whole per cent, rounded down, so that 100 means all of it; `None` of nothing.
pub(super) fn percent(part: u64, whole: u64) -> Option<i64> {
    let whole = u128::from(whole);
    (whole > 0).then(|| (u128::from(part) * 100 / whole).min(100_000) as i64)
}

/// Bytes as MiB, rounded down.
pub(super) fn mib(bytes: u64) -> i64 {
    (bytes >> 20) as i64
}

/// Adds a number where it is known.
pub(super) fn opt_int(mut fact: Fact, name: &'static str, value: Option<i64>) -> Fact {
    if let Some(value) = value {
        fact.attrs.push((Cow::Borrowed(name), Value::Int(value)));
    }
    fact
}

/// Adds `yes` or `no` where it is known.
pub(super) fn opt_yes(fact: Fact, name: &'static str, value: Option<bool>) -> Fact {
    match value {
        Some(true) => fact.with(name, "yes"),
        Some(false) => fact.with(name, "no"),
        None => fact,
    }
}

/// The first whole number of a text.
pub(super) fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

/// The number behind a key at the beginning of a line (`key value` or `key: value kB`).
pub(super) fn keyed(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let found = words.next()?;
        (found.strip_suffix(':').unwrap_or(found) == key).then(|| words.next()?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_divided_by_nothing() {
        assert_eq!(percent(1, 0), None);
        assert_eq!(percent(999, 1000), Some(99));
        assert_eq!(percent(u64::MAX, 1), Some(100_000));
        assert_eq!(keyed("MemTotal:  12 kB\nMemFree: 3 kB\n", "MemFree"), Some(3));
        assert_eq!(keyed("nr_throttled 7\n", "nr_periods"), None);
        assert_eq!(first_number("max 100000"), None);
    }
}
