//! The environment that systemd gives a unit, and the proxy settings in it.
//!
//! `/etc/environment` is not part of it: that file is for logins (`pam_env`), not for services.

use std::path::Path;

use super::{Note, Proxy, unit, words};
use crate::host::{Host, Unreadable};

/// Files that one pattern may name.
const MATCHES: usize = 32;

/// `DefaultEnvironment=` of the manager, then `Environment=`, then `EnvironmentFile=`: later ones win (systemd.exec(5)).
pub fn of(host: &Host, own: &[(String, String)], files: &[String], notes: &mut Vec<Note>) -> Vec<(String, String)> {
    let mut found = defaults(host);
    found.extend_from_slice(own);
    for file in files {
        let (optional, pattern) = file.strip_prefix('-').map_or((false, file.as_str()), |f| (true, f));
        for path in matching(host, pattern) {
            match host.text(&path) {
                Ok(text) => found.extend(words::environment_file(&text)),
                Err(e) if e.is_missing() && optional => {}
                Err(e) => notes.push(note(&path, &e)),
            }
        }
    }
    found
}

/// A note for a path that could not be read, or that is not mounted here.
pub fn note(path: impl AsRef<Path>, error: &Unreadable) -> Note {
    Note {
        what: path.as_ref().display().to_string(),
        why: if error.is_missing() {
            format!("{}: not there, or not mounted here", path.as_ref().display())
        } else {
            error.to_string()
        },
        denied: error.is_denied(),
    }
}

fn defaults(host: &Host) -> Vec<(String, String)> {
    let mut texts = Vec::new();
    for file in ["/usr/lib/systemd/system.conf", "/etc/systemd/system.conf"] {
        texts.extend(host.text(file).ok());
    }
    for directory in [
        "/usr/lib/systemd/system.conf.d",
        "/run/systemd/system.conf.d",
        "/etc/systemd/system.conf.d",
    ] {
        for name in host
            .list(directory)
            .unwrap_or_default()
            .iter()
            .filter(|n| n.ends_with(".conf"))
            .take(MATCHES)
        {
            texts.extend(host.text(format!("{directory}/{name}")).ok());
        }
    }
    let mut found = Vec::new();
    for (key, value) in texts.iter().flat_map(|t| unit::assignments(t, "Manager")) {
        match key.as_str() {
            "DefaultEnvironment" if value.is_empty() => found.clear(),
            "DefaultEnvironment" => found.extend(unit::pairs(&value)),
            _ => {}
        }
    }
    found
}

/// A path, or the files that a `*` in its last part names.
fn matching(host: &Host, pattern: &str) -> Vec<String> {
    let Some((directory, name)) = pattern.rsplit_once('/') else {
        return Vec::new();
    };
    let Some((head, tail)) = name.split_once('*') else {
        return vec![pattern.to_owned()];
    };
    host.list(directory)
        .unwrap_or_default()
        .into_iter()
        .filter(|n| n.len() >= head.len() + tail.len() && n.starts_with(head) && n.ends_with(tail))
        .take(MATCHES)
        .map(|n| format!("{directory}/{n}"))
        .collect()
}

/// What Go's `httpproxy.FromEnvironment` reads: upper case first, an empty value counts as none.
pub fn proxy(environment: &[(String, String)]) -> Proxy {
    let get = |names: [&str; 2]| {
        names
            .into_iter()
            .find_map(|n| words::lookup(environment, n).filter(|v| !v.is_empty()))
            .map(str::to_owned)
    };
    Proxy {
        https: get(["HTTPS_PROXY", "https_proxy"]),
        no_proxy: get(["NO_PROXY", "no_proxy"]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upper_case_wins_and_http_proxy_is_not_for_https() {
        let env = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
        };
        let found = proxy(&env(&[
            ("https_proxy", "low"),
            ("HTTPS_PROXY", "up"),
            ("no_proxy", "x"),
            ("HTTP_PROXY", "h"),
        ]));
        assert_eq!(found.https.as_deref(), Some("up"));
        assert_eq!(found.no_proxy.as_deref(), Some("x"));
        assert_eq!(proxy(&env(&[("HTTP_PROXY", "h"), ("HTTPS_PROXY", "")])).https, None);
    }
}
