//! systemd's small languages: quoted words, `$VARIABLE` in `ExecStart`, and environment files. Pure.
//!
//! After systemd.exec(5), systemd.service(5) "COMMAND LINES" and systemd.syntax(7). Specifiers other than `%%`, `%n`, `%N`
//! and `%i` are left as they are.

/// Words kept of one line; the kernel takes no more arguments than fit into 2 MiB, real units have a few dozen.
const WORDS: usize = 1024;

/// Splits at white space outside of quotes and takes quotes and backslashes away.
pub fn split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some('\''), c) => word.get_or_insert_default().push(c),
            (_, '\\') => word.get_or_insert_default().push(match chars.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some('s') => ' ',
                Some(other) => other,
                None => '\\',
            }),
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => {
                if let Some(done) = word.take() {
                    words.push(done);
                    if words.len() >= WORDS {
                        return words;
                    }
                }
            }
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// The value of a variable; the last assignment wins.
pub fn lookup<'a>(environment: &'a [(String, String)], name: &str) -> Option<&'a str> {
    environment
        .iter()
        .rev()
        .find(|(n, _)| n == name)
        .map(|(_, v)| v.as_str())
}

/// An `ExecStart` value as the arguments that systemd would pass: `$NAME` as a whole word becomes none or several,
/// `${NAME}` stays within its word, `$$` is a dollar.
pub fn command(text: &str, environment: &[(String, String)]) -> Vec<String> {
    let text = text.trim_start();
    let bare = text.trim_start_matches(['@', '-', ':', '+', '!', '|']);
    let prefix = text.get(..text.len() - bare.len()).unwrap_or_default();
    let mut arguments = Vec::new();
    for (at, word) in split(bare).into_iter().enumerate() {
        let whole = word.strip_prefix('$').filter(|n| is_name(n));
        match whole {
            Some(name) if at > 0 && !prefix.contains(':') => {
                arguments.extend(split(lookup(environment, name).unwrap_or_default()));
            }
            _ if prefix.contains(':') => arguments.push(word),
            _ => arguments.push(expand(&word, environment)),
        }
    }
    // `@` passes the second word as argv[0].
    if prefix.contains('@') && arguments.len() > 1 {
        arguments.remove(1);
    }
    arguments.truncate(WORDS);
    arguments
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c == '_' || c.is_ascii_alphanumeric())
}

/// `${NAME}`, `$$` and `%%` within a word.
pub fn expand(word: &str, environment: &[(String, String)]) -> String {
    let mut out = String::new();
    let mut rest = word;
    while let Some(at) = rest.find(['$', '%']) {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        if let Some(tail) = after.strip_prefix("$$") {
            out.push('$');
            rest = tail;
        } else if let Some(tail) = after.strip_prefix("%%") {
            out.push('%');
            rest = tail;
        } else if let Some((name, tail)) = after
            .strip_prefix("${")
            .and_then(|t| t.split_once('}'))
            .filter(|(n, _)| is_name(n))
        {
            out.push_str(lookup(environment, name).unwrap_or_default());
            rest = tail;
        } else {
            let mut chars = after.chars();
            out.extend(chars.next());
            rest = chars.as_str();
        }
    }
    out.push_str(rest);
    out
}

/// The assignments of an environment file (`EnvironmentFile=`, systemd.exec(5)).
pub fn environment_file(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let Some((name, value)) = line.split_once('=') else {
            continue;
        };
        let name = name.trim();
        let mut value = value.trim_start().to_owned();
        let unquoted = loop {
            match unquote(&value) {
                Ok(done) => break done,
                Err(joined) => match lines.next() {
                    Some(next) => value = joined + next,
                    None => break joined,
                },
            }
        };
        if is_name(name) && found.len() < WORDS {
            found.push((name.to_owned(), unquoted));
        }
    }
    found
}

/// The value without quotes; `Err` with what to put in front of the next line where it goes on there.
fn unquote(text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut quote: Option<char> = None;
    // Length up to which the value must stay although white space ends it.
    let mut firm = 0;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(q), c) if c == q => {
                quote = None;
                firm = out.len();
            }
            (Some('\''), c) => out.push(c),
            (_, '\\') => match chars.next() {
                None => return Err(text.strip_suffix('\\').unwrap_or(text).to_owned()),
                // Within double quotes only these are escapes, as in the shell.
                Some(e) if quote.is_none() || matches!(e, '"' | '\\' | '`' | '$') => {
                    out.push(e);
                    firm = out.len();
                }
                Some(e) => out.extend(['\\', e]),
            },
            (Some(_), c) => out.push(c),
            (None, '"' | '\'') => quote = Some(c),
            (None, c) => out.push(c),
        }
    }
    if quote.is_some() {
        return Err(format!("{text}\n"));
    }
    while out.len() > firm && out.ends_with(char::is_whitespace) {
        out.pop();
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    #[test]
    fn words_are_split_as_systemd_does() {
        assert_eq!(split("a 'b c' \"d\\\"e\" f\\ g  ''"), ["a", "b c", "d\"e", "f g", ""]);
        let env = env(&[("A", "--x=1 '--y=2 3'"), ("B", ""), ("C", "v")]);
        assert_eq!(
            command("-/usr/bin/kubelet $A $B ${C}x --z=${C} $$C", &env),
            ["/usr/bin/kubelet", "--x=1", "--y=2 3", "vx", "--z=v", "$C"]
        );
        assert_eq!(command(":/bin/k $A", &env), ["/bin/k", "$A"]);
        assert_eq!(command("@/bin/k other --a", &env), ["/bin/k", "--a"]);
    }

    #[test]
    fn environment_files() {
        let text = "# c\nA=\"x 'y'\"\nB='z' # not a comment\nC=one \\\ntwo\n D = d \nexport E=1\nF=\nG=\"a\nb\"\nbad\n";
        assert_eq!(
            environment_file(text),
            env(&[
                ("A", "x 'y'"),
                ("B", "z # not a comment"),
                ("C", "one two"),
                ("D", "d"),
                ("F", ""),
                ("G", "a\nb")
            ])
        );
    }
}
