//! klog's and logrus's structured text: a quoted message and `key="value"` pairs, with Go's escapes.

use std::borrow::Cow;

/// `(key, value)`; the value without quotes and escapes.
pub(super) type Pairs<'a> = Vec<(&'a str, Cow<'a, str>)>;

/// Splits what follows a klog header: the quoted message and its pairs; an unstructured message is returned whole.
pub(super) fn message(rest: &str) -> (Cow<'_, str>, Pairs<'_>) {
    if !rest.starts_with('"') {
        return (Cow::Borrowed(rest), Vec::new());
    }
    let (message, tail) = quoted(rest);
    // `"x" is not …`: a printf message that begins with a quoted name.
    let trimmed = tail.trim_start();
    if !trimmed.is_empty() && !begins_with_key(trimmed) {
        return (Cow::Borrowed(rest), Vec::new());
    }
    (message, pairs(tail))
}

/// The pairs in `text`, as far as it is well-formed.
pub(super) fn pairs(text: &str) -> Pairs<'_> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while begins_with_key(rest) {
        let Some((key, value)) = rest.split_once('=') else {
            break;
        };
        let (value, tail) = value_of(value);
        found.push((key, value));
        rest = tail.trim_start();
    }
    found
}

/// The value of a key.
pub(super) fn get<'p>(pairs: &'p Pairs<'_>, key: &str) -> Option<&'p str> {
    pairs.iter().find(|(k, _)| *k == key).map(|(_, v)| &**v)
}

fn begins_with_key(text: &str) -> bool {
    let end = text
        .bytes()
        .position(|b| b == b'=' || b == b' ' || b == b'"' || b == b'\n');
    end.is_some_and(|end| end > 0 && text.as_bytes()[end] == b'=')
}

fn value_of(text: &str) -> (Cow<'_, str>, &str) {
    match text.as_bytes().first() {
        Some(b'"') => quoted(text),
        // A multi-line value: klog's internal/serialize writes `<`, lines behind a TAB, and ` >`.
        Some(b'<') if text.starts_with("<\n") || text.len() == 1 => match text.find("\n >") {
            Some(end) => (
                Cow::Owned(text[2..end.max(2)].replace("\n\t", "\n").trim().to_owned()),
                &text[end + 3..],
            ),
            None => (Cow::Owned(text[1..].replace("\n\t", "\n").trim().to_owned()), ""),
        },
        Some(b'{' | b'[') => {
            let end = balanced(text.as_bytes());
            (Cow::Borrowed(&text[..end]), &text[end..])
        }
        _ => {
            let end = text.find([' ', '\n']).unwrap_or(text.len());
            (Cow::Borrowed(&text[..end]), &text[end..])
        }
    }
}

/// The end of a bracketed value, strings inside respected.
fn balanced(bytes: &[u8]) -> usize {
    let (mut depth, mut in_string, mut skip) = (0usize, false, false);
    for (at, &b) in bytes.iter().enumerate() {
        if skip {
            skip = false;
        } else if b == b'\\' {
            skip = in_string;
        } else if b == b'"' {
            in_string = !in_string;
        } else if !in_string && matches!(b, b'{' | b'[') {
            depth += 1;
        } else if !in_string && matches!(b, b'}' | b']') {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return at + 1;
            }
        }
    }
    bytes.len()
}

/// A Go-quoted string at the start of `text`, unescaped, and what follows. Without its closing quote (cut off in the
/// field) it reaches to the end.
pub(super) fn quoted(text: &str) -> (Cow<'_, str>, &str) {
    let body = text.strip_prefix('"').unwrap_or(text);
    let bytes = body.as_bytes();
    let mut at = 0;
    let mut escaped = false;
    while let Some(offset) = memchr::memchr2(b'"', b'\\', &bytes[at..]) {
        at += offset;
        if bytes[at] == b'"' {
            break;
        }
        escaped = true;
        at = (at + 2).min(bytes.len());
    }
    if bytes.get(at) != Some(&b'"') {
        at = bytes.len();
    }
    // A backslash before a multi-byte character can leave `at` inside it; never true for Go's own output.
    let Some(inner) = body.get(..at) else {
        return (Cow::Borrowed(body), "");
    };
    let rest = body.get(at + 1..).unwrap_or("");
    if escaped {
        (Cow::Owned(unescape(inner)), rest)
    } else {
        (Cow::Borrowed(inner), rest)
    }
}

/// Go's escapes; unknown ones stay as they are.
pub(super) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some(c @ ('"' | '\\' | '\'')) => out.push(c),
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structured() {
        let text =
            r#""Failed to update lease" err="Put \"https://a:1/x\": EOF" interval="7s" condition={"a":"b } c"} n=3"#;
        let (m, p) = message(text);
        assert_eq!(m, "Failed to update lease");
        assert_eq!(get(&p, "err"), Some("Put \"https://a:1/x\": EOF"));
        assert_eq!(get(&p, "condition"), Some(r#"{"a":"b } c"}"#));
        assert_eq!(get(&p, "n"), Some("3"));
    }

    #[test]
    fn multi_line_cut_and_printf() {
        let (_, p) = message("\"command failed\" err=<\n\tfirst\n\tsecond\n > a=1");
        assert_eq!(get(&p, "err"), Some("first\nsecond"));
        let (_, p) = message("\"x\" err=\"cut \\\"off");
        assert_eq!(get(&p, "err"), Some("cut \"off"));
        let (m, p) = message("\"x\" is not there");
        assert!(m.starts_with('"') && p.is_empty());
        let _ = message("\"\\é\" err=<\n >");
        let _ = message("\"a\" k=<\n\t>\n >");
    }
}
