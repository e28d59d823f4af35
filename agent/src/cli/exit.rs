//! Exit codes: the only place that knows them.

use std::process::ExitCode;

use crate::model::diagnosis::{Diagnosis, NodeVerdict};
use crate::model::finding::{Finding, Role};

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Healthy or at risk; or a command that only prints did so.
    Ok = 0,
    /// The tool itself failed: input that cannot be read, a faulty catalog, output that cannot be written.
    Failed = 1,
    /// It was called wrongly.
    Usage = 2,
    /// A root cause is named, in the time asked about; or a risk, where the caller wants that to count.
    RootCause = 3,
    /// There is or was an effect, and no cause is named.
    Unexplained = 4,
}

impl Exit {
    /// What the answer is worth. Blind spots alone never change it.
    pub fn of(diagnosis: &Diagnosis, fail_on_risk: bool) -> Self {
        let named = |findings: &[Finding]| findings.iter().any(|f| f.role == Role::RootCause);
        let risk = |findings: &[Finding]| findings.iter().any(|f| f.role == Role::Risk);
        if named(&diagnosis.findings) || diagnosis.episodes.iter().any(|e| named(&e.findings)) {
            Self::RootCause
        } else if diagnosis.verdict == NodeVerdict::Inconclusive || !diagnosis.episodes.is_empty() {
            Self::Unexplained
        } else if fail_on_risk && (risk(&diagnosis.findings) || diagnosis.verdict == NodeVerdict::AtRisk) {
            Self::RootCause
        } else {
            Self::Ok
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
