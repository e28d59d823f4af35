//! The standard variables `OTEL_EXPORTER_OTLP_*`, the signal's own before the general one.

use std::path::PathBuf;
use std::time::Duration;

use super::endpoint::{Signal, joined};
use super::resource::pairs;

pub(super) struct Variables<'a> {
    pub(super) signal: Signal,
    pub(super) env: &'a dyn Fn(&str) -> Option<String>,
}

impl Variables<'_> {
    /// `OTEL_SDK_DISABLED=true`, or the signal's exporter is `none`.
    pub(super) fn is_off(&self) -> bool {
        let exporter = format!("OTEL_{}_EXPORTER", self.signal.word());
        self.get("OTEL_SDK_DISABLED")
            .is_some_and(|v| v.eq_ignore_ascii_case("true"))
            || self.get(&exporter).is_some_and(|v| v == "none")
    }

    /// The variable that names it, and the whole URL.
    pub(super) fn endpoint(&self) -> Option<(String, String)> {
        let own = self.own("ENDPOINT");
        if let Some(url) = self.get(&own) {
            return Some((own, url));
        }
        let base = self.get(&general("ENDPOINT"))?;
        Some((general("ENDPOINT"), joined(&base, self.signal)))
    }

    /// General ones first, so that the signal's replace them.
    pub(super) fn headers(&self) -> Vec<(String, String)> {
        [general("HEADERS"), self.own("HEADERS")]
            .iter()
            .filter_map(|name| self.get(name))
            .flat_map(|list| pairs(&list))
            .collect()
    }

    pub(super) fn protocol(&self, faults: &mut Vec<String>) {
        if let Some((name, value)) = self.either("PROTOCOL")
            && value != "http/protobuf"
        {
            faults.push(format!("{name}: {value}: only http/protobuf is spoken"));
        }
    }

    pub(super) fn gzip(&self, faults: &mut Vec<String>) -> Option<bool> {
        let (name, value) = self.either("COMPRESSION")?;
        match value.as_str() {
            "gzip" => Some(true),
            "none" => Some(false),
            _ => {
                faults.push(format!("{name}: {value}: neither gzip nor none"));
                None
            }
        }
    }

    pub(super) fn timeout(&self, faults: &mut Vec<String>) -> Option<Duration> {
        let (name, value) = self.either("TIMEOUT")?;
        match value.parse() {
            Ok(milliseconds) if milliseconds > 0 => Some(Duration::from_millis(milliseconds)),
            _ => {
                faults.push(format!("{name}: {value}: not a number of milliseconds"));
                None
            }
        }
    }

    pub(super) fn file(&self, what: &str) -> Option<PathBuf> {
        self.either(what).map(|(_, path)| PathBuf::from(path))
    }

    fn either(&self, what: &str) -> Option<(String, String)> {
        [self.own(what), general(what)]
            .into_iter()
            .find_map(|name| self.get(&name).map(|value| (name, value)))
    }

    fn own(&self, what: &str) -> String {
        format!("OTEL_EXPORTER_OTLP_{}_{what}", self.signal.word())
    }

    /// An empty variable is one that is not set (opentelemetry-specification, `configuration/sdk-environment-variables.md`).
    fn get(&self, name: &str) -> Option<String> {
        (self.env)(name).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty())
    }
}

fn general(what: &str) -> String {
    format!("OTEL_EXPORTER_OTLP_{what}")
}
