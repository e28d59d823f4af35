//! A command line as flags with values. Pure.
//!
//! Go's pflag takes `--a=b` and `--a b`, and `--a` alone for truth values; underscores in names count as dashes
//! (component-base `WordSepNormalizeFunc`).

/// The flags behind the program's name, names without dashes, in the order in which they are given.
pub fn parse(arguments: &[String]) -> Vec<(String, String)> {
    let mut flags = Vec::new();
    let mut arguments = arguments.iter().peekable();
    while let Some(argument) = arguments.next() {
        if argument == "--" {
            break;
        }
        let Some(flag) = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-')) else {
            continue;
        };
        if flag.is_empty() {
            continue;
        }
        let (name, value) = if let Some((name, value)) = flag.split_once('=') {
            (name, value.to_owned())
        } else {
            // `-v 2` and `--a b`; a truth value takes no second word, but then the next word begins with a dash.
            let value = arguments.next_if(|next| !next.starts_with('-') || next.parse::<i64>().is_ok());
            (flag, value.map_or_else(|| "true".to_owned(), Clone::clone))
        };
        flags.push((name.replace('_', "-"), value));
    }
    flags
}

/// The last value of a flag.
pub fn last<'a>(flags: &'a [(String, String)], name: &str) -> Option<&'a str> {
    flags.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
}

/// The last value of a flag as a truth value, as Go's `strconv.ParseBool` reads it.
pub fn truth(flags: &[(String, String)], name: &str) -> Option<bool> {
    match last(flags, name)? {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_understood() {
        let given: Vec<String> = "--config=/a --kubeconfig /b --fail-swap-on --v 2 -v=4 --register_node=false word --oom-score-adj -999 -- --x"
            .split(' ')
            .map(str::to_owned)
            .collect();
        let flags = parse(&given);
        assert_eq!(last(&flags, "config"), Some("/a"));
        assert_eq!(last(&flags, "kubeconfig"), Some("/b"));
        assert_eq!(truth(&flags, "fail-swap-on"), Some(true));
        assert_eq!(last(&flags, "v"), Some("4"));
        assert_eq!(truth(&flags, "register-node"), Some(false));
        assert_eq!(last(&flags, "oom-score-adj"), Some("-999"));
        assert_eq!(last(&flags, "x"), None);
    }
}
