//! Who answered, and what the answer says: a Kubernetes `Status`, the words of `/readyz`, or something else.

use serde::Deserialize;

use super::request::Answer;

/// What of a Kubernetes `Status` counts (`k8s.io/apimachinery/pkg/apis/meta/v1` `Status`).
#[derive(Debug, Default, Deserialize)]
struct Status {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    message: String,
}

/// The checks of `/readyz`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Checks {
    /// Names after `[-]`.
    pub(crate) failed: Vec<String>,
    /// Names after `[+]`.
    pub(crate) passed: Vec<String>,
}

impl Answer {
    /// Whether a Kubernetes API server speaks, and not something in front of it.
    pub(crate) fn is_api_server(&self) -> bool {
        let body = self.body.trim();
        self.marked
            || (body == "ok" && self.status == 200)
            || self.message().is_some()
            || self.checks() != Checks::default()
    }

    /// The message of a `Status` body.
    pub(crate) fn message(&self) -> Option<String> {
        let status: Status = serde_json::from_str(&self.body).ok()?;
        (status.kind == "Status").then_some(status.message)
    }

    /// The checks that `/readyz` lists: all of them when it fails or is asked to be verbose
    /// (`k8s.io/apiserver/pkg/server/healthz`: `[+]etcd ok`, `[-]etcd failed: reason withheld`).
    pub(crate) fn checks(&self) -> Checks {
        let mut checks = Checks::default();
        for line in self.body.lines() {
            let to = match line.get(..3) {
                Some("[-]") => &mut checks.failed,
                Some("[+]") => &mut checks.passed,
                _ => continue,
            };
            let name = line.get(3..).and_then(|l| l.split(' ').next()).unwrap_or_default();
            // More than a hundred checks has no API server.
            if !name.is_empty() && to.len() < 100 {
                to.push(name.chars().take(100).collect());
            }
        }
        checks
    }

    /// The class of an answer that is no success; `None` where the request was served, allowed or not.
    pub(crate) fn error(&self) -> Option<&'static str> {
        let told = self.message().unwrap_or_default();
        Some(match self.status {
            429 => "too-many-requests",
            500..=599 if told.contains("etcdserver") || told.contains("etcd client") => "etcd",
            502 => "bad-gateway",
            503 if told.contains("shutting down") => "shutting-down",
            503 => "unavailable",
            504 => "gateway-timeout",
            500..=599 => "server-error",
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status,
            body: body.into(),
            marked: false,
            date: None,
            sent: crate::clock::Now::default(),
            took: 0,
        }
    }

    #[test]
    fn an_api_server_is_known_by_its_words() {
        assert!(answer(200, "ok").is_api_server());
        assert!(answer(403, r#"{"kind":"Status","apiVersion":"v1","message":"forbidden"}"#).is_api_server());
        assert!(
            answer(
                500,
                "[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n"
            )
            .is_api_server()
        );
        assert!(!answer(502, "<html><h1>502 Bad Gateway</h1></html>").is_api_server());
        assert!(!answer(404, r#"{"kind":"Pod"}"#).is_api_server());
        assert!(!answer(500, "ok").is_api_server());
    }

    #[test]
    fn checks_and_classes() {
        let failing = answer(
            500,
            "[+]ping ok\n[-]etcd failed: reason withheld\n[-]shutdown failed: x\n",
        );
        assert_eq!(failing.checks().failed, ["etcd", "shutdown"]);
        assert_eq!(failing.checks().passed, ["ping"]);
        let etcd = r#"{"kind":"Status","message":"etcdserver: request timed out"}"#;
        assert_eq!(answer(500, etcd).error(), Some("etcd"));
        assert_eq!(answer(500, "x").error(), Some("server-error"));
        assert_eq!(answer(403, "").error(), None);
    }
}
