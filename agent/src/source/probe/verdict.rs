//! From what a walk found to whether the kubelet could work with it: the first thing that is wrong, in the order in which
//! the kubelet would meet it.

use super::fault::{Fault, Stage};
use super::request::Answer;
use super::walk::Outcome;

/// Whether it works and, if not, what is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// `None` where it works.
    pub(crate) fault: Option<Fault>,
    pub(crate) status: Option<u16>,
    pub(crate) answered_by: Option<&'static str>,
    pub(crate) readyz: Option<&'static str>,
    pub(crate) failed: Vec<String>,
    pub(crate) etcd: Option<&'static str>,
}

/// What a walk comes to.
pub(crate) fn verdict(outcome: &Outcome) -> Verdict {
    let ready = outcome.readyz.as_ref().and_then(|r| r.as_ref().ok());
    let small = outcome.small.as_ref().and_then(|r| r.as_ref().ok());
    let first = ready.or(small);
    let failed = ready.map(|a| a.checks().failed).unwrap_or_default();
    let etcd = if outcome.etcd == Some(false) || failed.iter().any(|c| c.starts_with("etcd")) {
        Some("failed")
    } else {
        outcome.passed.iter().any(|c| c == "etcd").then_some("ok")
    };
    Verdict {
        fault: fault(outcome),
        status: first.map(|a| a.status),
        answered_by: first.map(|_| {
            let api = [ready, small].into_iter().flatten().any(Answer::is_api_server);
            if api { "api-server" } else { "other" }
        }),
        readyz: outcome.readyz.as_ref().map(|_| match ready {
            Some(a) if a.is_api_server() && a.status == 200 => "ok",
            Some(a) if a.is_api_server() && a.status >= 500 => "failed",
            _ => "unknown",
        }),
        failed,
        etcd,
    }
}

fn fault(outcome: &Outcome) -> Option<Fault> {
    if let Some(fault) = &outcome.fault {
        return Some(fault.clone());
    }
    if let Some(error) = outcome.trace.judged.as_ref().and_then(|j| j.error) {
        return Some(Fault::new(Stage::Tls, error, outcome.trace.tls.unwrap_or(0)));
    }
    match outcome.readyz.as_ref()? {
        Err(fault) if outcome.etcd == Some(false) => return Some(Fault::new(Stage::Done, "etcd", fault.after)),
        Err(fault) => return Some(fault.clone()),
        Ok(answer) => {
            if let Some(error) = readiness_error(answer) {
                return Some(Fault::new(Stage::Done, error, answer.took));
            }
        }
    }
    match outcome.small.as_ref()? {
        Err(fault) => Some(fault.clone()),
        Ok(answer) => small_error(answer).map(|error| Fault::new(Stage::Done, error, answer.took)),
    }
}

/// What is wrong with an answer to `/readyz`; 401, 403 and 404 of an API server say that it is there.
pub(crate) fn readiness_error(answer: &Answer) -> Option<&'static str> {
    let failed = answer.checks().failed;
    if answer.is_api_server() && answer.status >= 500 && !failed.is_empty() {
        return Some(if failed.iter().any(|c| c.starts_with("etcd")) {
            "etcd"
        } else if failed.iter().any(|c| c == "shutdown") {
            "shutting-down"
        } else {
            "unavailable"
        });
    }
    small_error(answer)
}

fn small_error(answer: &Answer) -> Option<&'static str> {
    if let Some(error) = answer.error() {
        return Some(error);
    }
    if answer.is_api_server() {
        return None;
    }
    // Something else that answers is not what the kubelet needs, however friendly it is.
    Some(match answer.status {
        // An API server says 401 without a Status where a webhook or a proxy authenticates in front of it.
        401 => return None,
        403 => "forbidden",
        404 => "not-found",
        _ => "other",
    })
}
