//! The environment that the agent looks at, as it was at the start: the environment of a process does not change, and a
//! configuration that is read again must be checked against the same one, on whatever thread.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::keys::{KEYS, Key};

/// What OTLP exporters heed for each signal (opentelemetry-specification `protocol/exporter.md`).
const OTLP: [&str; 8] = [
    "ENDPOINT",
    "HEADERS",
    "TIMEOUT",
    "COMPRESSION",
    "PROTOCOL",
    "CERTIFICATE",
    "CLIENT_CERTIFICATE",
    "CLIENT_KEY",
];
/// The signals that are sent, and all of them.
const SIGNALS: [&str; 3] = ["", "LOGS_", "METRICS_"];
/// Everything else, but for proxies.
const NAMES: [&str; 12] = [
    "OTEL_SDK_DISABLED",
    "OTEL_LOGS_EXPORTER",
    "OTEL_METRICS_EXPORTER",
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_SERVICE_NAME",
    "KUBERNETES_SERVICE_HOST",
    "KUBERNETES_SERVICE_PORT",
    "NODE_NAME",
    "POD_NAME",
    "POD_NAMESPACE",
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
];
/// In capitals and in small letters.
const PROXIES: [&str; 3] = ["HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"];

/// The variables that are set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment(Arc<BTreeMap<String, String>>);

impl Environment {
    /// What is set of what the agent looks at.
    pub fn of(env: &dyn Fn(&str) -> Option<String>) -> Self {
        let own = KEYS.iter().map(Key::env);
        let otlp = SIGNALS
            .iter()
            .flat_map(|s| OTLP.iter().map(move |o| format!("OTEL_EXPORTER_OTLP_{s}{o}")));
        let proxies = PROXIES.iter().flat_map(|p| [(*p).to_owned(), p.to_ascii_lowercase()]);
        let rest = NAMES.iter().map(|n| (*n).to_owned());
        let names = own.chain(otlp).chain(proxies).chain(rest);
        Self(Arc::new(
            names.filter_map(|name| Some((name.clone(), env(&name)?))).collect(),
        ))
    }

    /// A variable.
    pub fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::config::resolve::{Sources, resolve};
    use crate::daemon::run::check;

    #[test]
    fn everything_that_is_asked_for_is_in_it() {
        let all = Environment::of(&|name| Some(name.to_owned()));
        let asked = RefCell::new(Vec::new());
        let answer = |name: &str| match name {
            "KUBERNETES_SERVICE_HOST" => Some("10.0.0.1".to_owned()),
            "KUBERNETES_SERVICE_PORT" => Some("443".to_owned()),
            _ => None,
        };
        let env = |name: &str| {
            asked.borrow_mut().push(name.to_owned());
            answer(name)
        };
        for otlp in ["", "otlp: { endpoint: 'https://c.test', metrics: { enabled: true } }\n"] {
            let text = format!("{otlp}kubernetes: {{ events: true, condition: true }}\n");
            let resolved = resolve(&Sources {
                file: Some(("c.yaml", &text)),
                env: &env,
                flags: &[],
            })
            .unwrap();
            check(&resolved, &env).unwrap();
        }
        let asked = asked.into_inner();
        assert!(
            asked.iter().any(|n| n.contains("PROXY")) && asked.len() > 40,
            "{asked:?}"
        );
        for name in asked {
            assert_eq!(all.get(&name).as_deref(), Some(name.as_str()));
        }
    }
}
