//! What the sources' looks come to in figures, for metrics.

use crate::export::metrics::{Numbers, SourceNumbers};
use crate::grammar::fact::{Fact, Kind};
use crate::model::time::Timestamp;
use crate::source::look::Done;

/// The stages of a probe, in their order, and the facts that have their durations in milliseconds.
const STAGES: [(&str, &str); 4] = [
    ("resolve", "resolve_ms"),
    ("connect", "connect_ms"),
    ("tls", "tls_ms"),
    ("request", "request_ms"),
];

/// The newest figures.
#[derive(Debug, Default)]
pub struct Figures {
    numbers: Numbers,
}

impl Figures {
    /// Every source is there from the start, as one that has not looked yet.
    pub fn of(sources: &[&'static str]) -> Self {
        let mut figures = Self::default();
        let named = sources.iter().chain(&["journal"]);
        figures.numbers.sources = named.map(|s| ((*s).to_owned(), SourceNumbers::default())).collect();
        figures
    }

    /// Takes a look that ended at `now`.
    pub fn look(&mut self, done: &Done, now: Timestamp) {
        // One that saw nothing at all failed; one that only could not see everything did not.
        let saw = !done.look.readings.is_empty() || done.look.blind.is_empty();
        let success = done.in_time && saw;
        self.source(done.source, success, done.took as f64 / 1e6, now);
        let facts: Vec<&Fact> = done.look.readings.iter().flat_map(|r| &r.facts).collect();
        if done.source == "probe" {
            self.numbers.probes.clear();
        }
        for fact in facts {
            match fact.kind {
                Kind::Probe if done.source == "probe" => self.probe(fact),
                Kind::CertificateFile => self.certificate(fact.text("which"), fact, now),
                Kind::ApiCertificate => self.certificate(Some("api-server"), fact, now),
                _ => {}
            }
        }
    }

    /// Notes how the reader of logs is doing.
    pub fn journal(&mut self, success: bool, entries: u64, lost: u64, now: Timestamp) {
        self.numbers.entries += entries;
        self.numbers.dropped = lost;
        self.source("journal", success, 0.0, now);
    }

    /// Entries known to be lost.
    pub fn dropped(&self) -> u64 {
        self.numbers.dropped
    }

    /// A copy, to be completed.
    pub fn numbers(&self) -> Numbers {
        self.numbers.clone()
    }

    fn source(&mut self, name: &str, success: bool, seconds: f64, now: Timestamp) {
        let known = self.numbers.sources.entry(name.to_owned()).or_default();
        known.success = success;
        known.duration = seconds;
        if success {
            known.last_success = now.0 as f64 / 1e6;
        }
    }

    fn probe(&mut self, fact: &Fact) {
        let Some(target) = fact.text("target") else { return };
        let failed = (fact.text("ok") == Some("no")).then(|| fact.text("stage")).flatten();
        for (stage, duration) in STAGES {
            let seconds = fact.int(duration).map(|ms| ms as f64 / 1e3);
            // Where the request was answered and the answer is the fault, its stage is `done`.
            let at_fault = failed == Some(stage) || (stage == "request" && failed == Some("done"));
            let well = !at_fault && (seconds.is_some() || failed.is_none());
            let known = self.numbers.probes.entry((target.to_owned(), stage.to_owned()));
            // Of several servers of one kind the worst counts.
            let (all, slowest) = known.or_insert((true, None));
            *all &= well;
            *slowest = seconds.into_iter().chain(*slowest).reduce(f64::max);
            if at_fault {
                // The stages behind it did not come about.
                break;
            }
        }
    }

    fn certificate(&mut self, which: Option<&str>, fact: &Fact, now: Timestamp) {
        let (Some(which), Some(left)) = (which, fact.int("expires_in_s")) else {
            return;
        };
        // Rounded to a minute, so that the figure does not move from look to look.
        let at = ((now.0 as f64 / 1e6 + left as f64) / 60.0).round() * 60.0;
        // Of several the one that ends first; a renewed one replaces it.
        let known = self.numbers.not_after.entry(which.to_owned()).or_insert(at);
        *known = at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::vocabulary;
    use crate::source::look::Look;

    fn done(source: &'static str, facts: &[&str]) -> Done {
        let mut look = Look::default();
        for words in facts {
            look.saw("x", vocabulary::fact(words).unwrap());
        }
        Done {
            source,
            look,
            took: 2_000_000,
            in_time: true,
        }
    }

    #[test]
    fn stages_of_a_probe() {
        let mut figures = Figures::of(&["probe"]);
        assert!(!figures.numbers().sources["probe"].success);
        let well = "probe target=kubelet ok=yes stage=done resolve_ms=1 connect_ms=2 tls_ms=3 request_ms=4";
        figures.look(&done("probe", &[well]), Timestamp(5_000_000));
        let stage = |figures: &Figures, stage: &str| {
            figures
                .numbers()
                .probes
                .get(&("kubelet".to_owned(), stage.to_owned()))
                .copied()
        };
        assert_eq!(stage(&figures, "tls"), Some((true, Some(0.003))));
        let source = figures.numbers().sources["probe"];
        assert_eq!((source.success, source.duration, source.last_success), (true, 2.0, 5.0));
        let refused = "probe target=kubelet ok=no stage=connect error=refused resolve_ms=1";
        figures.look(&done("probe", &[refused]), Timestamp(6_000_000));
        assert_eq!(stage(&figures, "resolve"), Some((true, Some(0.001))));
        assert_eq!(stage(&figures, "connect"), Some((false, None)));
        assert_eq!(stage(&figures, "tls"), None);
        let answered = "probe target=kubelet ok=no stage=done status=500 connect_ms=1 tls_ms=1 request_ms=9";
        figures.look(&done("probe", &[answered]), Timestamp(7_000_000));
        assert_eq!(stage(&figures, "request"), Some((false, Some(0.009))));
    }

    #[test]
    fn certificates_end_at_a_time() {
        let mut figures = Figures::of(&[]);
        let file = "certificate-file which=client state=present expires_in_s=3600";
        figures.look(&done("certificate", &[file]), Timestamp(60_000_000));
        assert!((figures.numbers().not_after["client"] - 3660.0).abs() < 1e-6);
    }
}
