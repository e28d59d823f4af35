//! Secrets out of a line, before anybody keeps it: bearer tokens, JSON web tokens, bootstrap tokens, passwords in URLs,
//! private keys. What is taken out is told by a word in its place. It refuses to guess: a line without a mark of a secret
//! is returned as it is.

use std::borrow::Cow;

use memchr::memmem;

/// What stands in a secret's place.
const GONE: &str = "[redacted]";
/// Words before a value that is one, lower-case, with what follows them.
const NAMES: [&str; 12] = [
    "bearer ",
    "token=",
    "token: ",
    "\"token\":",
    "password=",
    "passwd=",
    "secret=",
    "client-key-data",
    "authorization: ",
    "--token ",
    "api_key=",
    "x-amz-security-token=",
];

/// The line without its secrets.
pub fn redact(line: &str) -> Cow<'_, str> {
    let mut out = Cow::Borrowed(line);
    let lower = line.to_ascii_lowercase();
    if NAMES
        .iter()
        .any(|n| memmem::find(lower.as_bytes(), n.as_bytes()).is_some())
    {
        out = Cow::Owned(after_names(&out));
    }
    if out.contains("eyJ") {
        out = Cow::Owned(replace_runs(
            &out,
            |run| run.starts_with("eyJ") && run.len() >= 20,
            is_token,
        ));
    }
    if out.contains("-----BEGIN") && out.contains("PRIVATE KEY") {
        out = Cow::Owned(without_keys(&out));
    }
    if let Some(changed) = without_userinfo(&out) {
        out = Cow::Owned(changed);
    }
    if may_hold_bootstrap_token(&out) {
        out = Cow::Owned(replace_runs(&out, is_bootstrap_token, |c| {
            c.is_ascii_alphanumeric() || c == '.'
        }));
    }
    out
}

const fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+' | '/' | '=' | '~')
}

/// Values behind the names; a value ends at white space, a quote, a comma or an ampersand.
fn after_names(line: &str) -> String {
    let mut line = line.to_owned();
    for name in NAMES {
        let mut from = 0;
        while let Some(at) = line
            .get(from..)
            .and_then(|rest| memmem::find(rest.to_ascii_lowercase().as_bytes(), name.as_bytes()))
        {
            let value = from + at + name.len();
            let start = value
                + line[value..]
                    .find(|c: char| !matches!(c, ' ' | ':' | '"' | '\\' | '='))
                    .unwrap_or(0);
            let end = start + line[start..].find(|c: char| !is_token(c)).unwrap_or(line.len() - start);
            // A word of prose behind `token: ` is shorter than any credential.
            if end - start >= 8 && !line[start..].starts_with(GONE) && !line[start..end].eq_ignore_ascii_case("bearer")
            {
                line.replace_range(start..end, GONE);
                from = start + GONE.len();
            } else {
                from = value;
            }
        }
    }
    line
}

/// Runs of characters that `part` allows, where `secret` says that they are one.
fn replace_runs(line: &str, secret: impl Fn(&str) -> bool, part: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !part(c)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        out.push_str(if secret(run) { GONE } else { run });
        let skip = after.chars().next().map_or(0, char::len_utf8);
        out.push_str(&after[..skip]);
        rest = &after[skip..];
    }
    out
}

/// Everything from the head of a private key to its foot, or to the end of the line.
fn without_keys(line: &str) -> String {
    let mut out = line.to_owned();
    while let Some(start) = out.find("-----BEGIN").filter(|at| out[*at..].contains("PRIVATE KEY")) {
        let end = out[start..]
            .find("-----END")
            .and_then(|e| out[start + e + 8..].find("-----").map(|f| start + e + 8 + f + 5))
            .unwrap_or(out.len());
        out.replace_range(start..end, GONE);
    }
    out
}

/// `scheme://user:password@host`: the password goes.
fn without_userinfo(line: &str) -> Option<String> {
    let mut out: Option<String> = None;
    let mut from = 0;
    loop {
        let text = out.as_deref().unwrap_or(line);
        let at = text.get(from..)?.find("://").map(|i| from + i + 3);
        let Some(at) = at else { return out };
        let end = at
            + text[at..]
                .find(['/', ' ', '"', '?', '\\', ','])
                .unwrap_or(text.len() - at);
        let authority = &text[at..end];
        if let Some((user, _)) = authority.rsplit_once('@')
            && let Some((name, _)) = user.split_once(':')
        {
            let range = at + name.len() + 1..at + user.len();
            let mut changed = text.to_owned();
            changed.replace_range(range, GONE);
            out = Some(changed);
        }
        from = at;
    }
}

/// `abcdef.0123456789abcdef` (Kubernetes: bootstrap token, `[a-z0-9]{6}\.[a-z0-9]{16}`).
fn is_bootstrap_token(run: &str) -> bool {
    let small = |s: &str| s.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    matches!(run.split_once('.'), Some((id, secret)) if id.len() == 6 && secret.len() == 16 && small(id) && small(secret))
}

fn may_hold_bootstrap_token(line: &str) -> bool {
    memchr::memchr_iter(b'.', line.as_bytes()).any(|i| {
        i >= 6
            && line
                .as_bytes()
                .get(i + 1..i + 17)
                .is_some_and(|s| s.iter().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests {
    use super::redact;

    #[test]
    fn secrets_go_and_the_rest_stays() {
        let cases = [
            (
                "Authorization: Bearer abcdefgh12345678 sent",
                "Authorization: Bearer [redacted] sent",
            ),
            (
                "https://bob:hunter22@proxy.example:3128/x",
                "https://bob:[redacted]@proxy.example:3128/x",
            ),
            (
                "kubeadm join --token abcdef.0123456789abcdef now",
                "kubeadm join --token [redacted] now",
            ),
            ("discovery abcdef.0123456789abcdef now", "discovery [redacted] now"),
            (
                "got eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.e30.c2ln done",
                "got [redacted] done",
            ),
            (
                "x -----BEGIN RSA PRIVATE KEY-----\\nMIIE\\n-----END RSA PRIVATE KEY----- y",
                "x [redacted] y",
            ),
            (
                "\"token\":\"0123456789abcdef\",\"a\":1",
                "\"token\":\"[redacted]\",\"a\":1",
            ),
        ];
        for (line, expected) in cases {
            assert_eq!(redact(line), expected);
        }
    }

    #[test]
    fn lines_without_a_secret_are_not_touched() {
        for line in [
            "E1122 22:40:09.276 370 controller.go:145] \"Failed\" err=\"Get \\\"https://api.lab.test:6443/x?timeout=10s\\\"\"",
            "cannot create certificate signing request: Unauthorized",
            "token: none",
            "dial tcp 10.99.0.1:6443: connect: connection refused",
        ] {
            assert!(
                matches!(redact(line), std::borrow::Cow::Borrowed(_)) || redact(line) == line,
                "{line}"
            );
        }
    }
}
