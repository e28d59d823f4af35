//! Where a signal goes to and how: what the configuration says, and the standard variables for what it leaves open.

use std::time::Duration;

use hyper::header::{HeaderMap, HeaderName, HeaderValue};

use super::environment::Variables;
use crate::export::client::proxy::Proxy;
use crate::export::client::target::Target;
use crate::export::client::trust::TlsFiles;

/// A signal of OTLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Log records.
    Logs,
    /// Metrics.
    Metrics,
}

impl Signal {
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Logs => "v1/logs",
            Self::Metrics => "v1/metrics",
        }
    }

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Logs => "LOGS",
            Self::Metrics => "METRICS",
        }
    }
}

/// What the configuration says (`otlp.*`); what is empty is left to the environment.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// Base URL; `v1/logs` is appended.
    pub endpoint: Option<String>,
    /// Sent with every request.
    pub headers: Vec<(String, String)>,
    /// Whether bodies are compressed.
    pub gzip: Option<bool>,
    /// For one request.
    pub timeout: Option<Duration>,
    /// TLS files.
    pub tls: TlsFiles,
}

/// Where and how. Header values are not shown by `Debug`.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The collector; its path is the whole path of the signal.
    pub target: Target,
    /// Sent with every request.
    pub headers: HeaderMap,
    /// Whether bodies are compressed.
    pub gzip: bool,
    /// For one request: 10 s where nothing is said.
    pub timeout: Duration,
    /// TLS files.
    pub tls: TlsFiles,
    /// From `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`.
    pub proxy: Option<Proxy>,
}

/// The endpoint of a signal; `None` where nobody named one or the environment switches OTLP off. Every fault is named.
///
/// The configuration wins; then `OTEL_EXPORTER_OTLP_<SIGNAL>_*`, then `OTEL_EXPORTER_OTLP_*` (opentelemetry-specification
/// `protocol/exporter.md`).
pub fn endpoint(
    signal: Signal,
    wishes: &Wishes,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Endpoint>, Vec<String>> {
    let variables = Variables { signal, env };
    let url = match wishes.endpoint.as_deref().filter(|e| !e.is_empty()) {
        Some(base) => Some(("otlp.endpoint".to_owned(), joined(base, signal))),
        None if variables.is_off() => None,
        None => variables.endpoint(),
    };
    let Some((origin, url)) = url else { return Ok(None) };
    let mut faults = Vec::new();
    let target = Target::parse(&url)
        .map_err(|e| faults.push(format!("{origin}: {e}")))
        .ok();
    let mut pairs = variables.headers();
    pairs.extend(wishes.headers.iter().cloned());
    let headers = headers(&pairs, &mut faults);
    variables.protocol(&mut faults);
    let gzip = wishes.gzip.or(variables.gzip(&mut faults)).unwrap_or(true);
    let timeout = wishes.timeout.or(variables.timeout(&mut faults));
    let proxy = target.as_ref().map_or(Ok(None), |t| Proxy::of(t, env));
    let proxy = proxy.map_err(|e| faults.push(e)).ok().flatten();
    let tls = TlsFiles {
        ca: wishes.tls.ca.clone().or(variables.file("CERTIFICATE")),
        certificate: wishes.tls.certificate.clone().or(variables.file("CLIENT_CERTIFICATE")),
        key: wishes.tls.key.clone().or(variables.file("CLIENT_KEY")),
    };
    if tls.certificate.is_some() != tls.key.is_some() {
        faults.push("otlp.tls: certificate and key go together".to_owned());
    }
    match target {
        Some(target) if faults.is_empty() => Ok(Some(Endpoint {
            target,
            headers,
            gzip,
            timeout: timeout.unwrap_or(Duration::from_secs(10)),
            tls,
            proxy,
        })),
        _ => Err(faults),
    }
}

/// The general endpoint with the signal's path.
pub(super) fn joined(base: &str, signal: Signal) -> String {
    format!("{}/{}", base.trim_end_matches('/'), signal.path())
}

fn headers(pairs: &[(String, String)], faults: &mut Vec<String>) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        let parsed = HeaderName::from_bytes(name.as_bytes())
            .ok()
            .zip(HeaderValue::from_str(value).ok());
        match parsed {
            Some((name, mut value)) => {
                value.set_sensitive(true);
                map.insert(name, value);
            }
            // The value may be a secret: it is not repeated.
            None => faults.push(format!("otlp.headers: {name}: not a header")),
        }
    }
    map
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn with(vars: &[(&str, &str)], wishes: &Wishes, signal: Signal) -> Result<Option<Endpoint>, Vec<String>> {
        let vars: HashMap<String, String> = vars.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        endpoint(signal, wishes, &move |name| vars.get(name).cloned())
    }

    #[test]
    fn the_signals_own_variable_wins_and_is_used_as_it_is() {
        let vars = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c.test:4318/base/"),
            ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "https://logs.test/ingest"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20abc,x=1"),
            ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "x=2"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "3000"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"),
        ];
        let logs = with(&vars, &Wishes::default(), Signal::Logs).unwrap().unwrap();
        assert_eq!(
            (logs.target.host.as_str(), logs.target.path.as_str()),
            ("logs.test", "/ingest")
        );
        assert_eq!(logs.headers["authorization"], "Bearer abc");
        assert_eq!(logs.headers["x"], "2");
        assert_eq!((logs.timeout, logs.gzip), (Duration::from_secs(3), false));
        assert_eq!(logs.tls.ca.as_deref(), Some(std::path::Path::new("/ca.pem")));
        assert!(!format!("{logs:?}").contains("abc"));
        let metrics = with(&vars, &Wishes::default(), Signal::Metrics).unwrap().unwrap();
        assert_eq!(metrics.target.path, "/base/v1/metrics");
        assert_eq!(metrics.headers["x"], "1");
    }

    #[test]
    fn the_configuration_wins_and_nothing_named_is_off() {
        let wishes = Wishes {
            endpoint: Some("http://10.0.0.1:4318".into()),
            ..Wishes::default()
        };
        let vars = [("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "https://logs.test/ingest")];
        let logs = with(&vars, &wishes, Signal::Logs).unwrap().unwrap();
        assert_eq!(
            (logs.target.host.as_str(), logs.target.path.as_str()),
            ("10.0.0.1", "/v1/logs")
        );
        assert!(logs.gzip);
        assert!(with(&[], &Wishes::default(), Signal::Logs).unwrap().is_none());
        let off = [vars[0], ("OTEL_SDK_DISABLED", "true")];
        assert!(with(&off, &Wishes::default(), Signal::Logs).unwrap().is_none());
        let off = [vars[0], ("OTEL_LOGS_EXPORTER", "none")];
        assert!(with(&off, &Wishes::default(), Signal::Logs).unwrap().is_none());
    }

    #[test]
    fn every_fault_is_named_and_no_secret_with_it() {
        let faults = with(
            &[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", "grpc://c.test:4317"),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
                ("OTEL_EXPORTER_OTLP_HEADERS", "bad name=secret"),
                ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
                ("OTEL_EXPORTER_OTLP_COMPRESSION", "brotli"),
                ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/k"),
            ],
            &Wishes::default(),
            Signal::Logs,
        )
        .unwrap_err();
        assert_eq!(faults.len(), 6, "{faults:#?}");
        assert!(!faults.join("\n").contains("secret"));
    }
}
