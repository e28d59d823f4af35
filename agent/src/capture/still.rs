//! Which readings of a captured tree count. A source that meets no file says that it is missing; in a capture that is no
//! statement about the node.

use crate::grammar::fact::{Fact, Kind, Value};
use crate::source::look::{Look, Reading};

/// Settings that a capture can tell by itself: those that compare text with text, not with what exists on the node.
const SETTINGS: [&str; 4] = ["swap", "flag", "proxy", "cgroup-driver"];

/// Kinds that live on rates: a single reading says what it says and no more.
const ONCE: [Kind; 5] = [Kind::Process, Kind::Cgroup, Kind::Pressure, Kind::Memory, Kind::Cpu];

/// Marks facts that a running node would give with rates.
pub(super) fn mark(reading: &mut Reading) {
    for fact in reading.facts.iter_mut().filter(|f| ONCE.contains(&f.kind)) {
        fact.attrs.push(("taken".into(), Value::Text("once".into())));
    }
}

/// Keeps what was seen and drops what was not there. What could not be looked at is no gap: nobody can look any more.
pub(super) fn keep(look: Look) -> Look {
    let readings = look.readings.into_iter().filter(counts).collect();
    Look {
        readings,
        blind: Vec::new(),
    }
}

fn counts(reading: &Reading) -> bool {
    reading.facts.iter().all(seen)
}

fn seen(fact: &Fact) -> bool {
    let state = fact.text("state");
    match fact.kind {
        Kind::KubeletSetting => {
            fact.text("what").is_some_and(|w| SETTINGS.contains(&w)) && matches!(state, Some("ok" | "bad"))
        }
        Kind::Kubeconfig => {
            !matches!(state, Some("missing" | "directory")) && !matches!(fact.text("ca"), Some("missing"))
        }
        Kind::CertificateFile | Kind::KubeletConfig => state != Some("missing"),
        // Whether the API server's route is there hangs on its address, which a capture has only by luck.
        Kind::Route => fact.text("to") == Some("default"),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_in_the_capture_is_not_missing_on_the_node() {
        let mut look = Look::default();
        let fact = |kind| Fact::new(kind);
        look.saw("no CA", fact(Kind::CertificateFile).with("state", "missing"));
        look.saw("no kubeconfig", fact(Kind::Kubeconfig).with("state", "missing"));
        look.saw(
            "its CA",
            fact(Kind::Kubeconfig).with("state", "ok").with("ca", "missing"),
        );
        look.saw(
            "no socket",
            fact(Kind::KubeletSetting)
                .with("what", "runtime-endpoint")
                .with("state", "bad"),
        );
        look.saw(
            "swap",
            fact(Kind::KubeletSetting).with("what", "swap").with("state", "bad"),
        );
        look.saw("broken", fact(Kind::KubeletConfig).with("state", "invalid"));
        look.missed(Kind::Disk, "no diskstats", None);
        let kept = keep(look);
        let texts: Vec<_> = kept.readings.iter().map(|r| r.text.as_str()).collect();
        assert_eq!((texts, kept.blind.len()), (vec!["swap", "broken"], 0));
    }
}
