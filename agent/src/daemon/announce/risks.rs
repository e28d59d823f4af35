//! Risks: told when they have stood for a while, and gone when they have stayed away for longer.

use serde::{Deserialize, Serialize};

use super::words::node;
use super::{About, Announced, Telling};
use crate::model::change::ChangeKind;
use crate::model::finding::Role;
use crate::model::time::{SECOND, Timestamp};

/// A risk must stand this long before it is told.
const STANDS: i64 = 30 * SECOND;
/// A risk must be gone this long before that is told.
const GONE: i64 = 300 * SECOND;

/// A risk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RiskState {
    /// Since when it is seen.
    pub since: Timestamp,
    /// When it was seen last.
    pub last: Timestamp,
    /// It was told, as one that began then: part of the ids of its changes.
    pub told: Option<Timestamp>,
}

impl Announced {
    pub(super) fn risks(&mut self, telling: &mut Telling<'_>) {
        for finding in telling.diagnosis.findings.iter().filter(|f| f.role == Role::Risk) {
            let state = self.risks.entry(finding.cause.clone()).or_insert(RiskState {
                since: telling.now,
                last: telling.now,
                told: None,
            });
            state.last = telling.now;
            if state.told.is_some() || telling.now.0 - state.since.0 < STANDS {
                continue;
            }
            // One that comes back with the onset under which it was told and cleared is told anew.
            let onset = finding.onset.latest;
            let known = self.cleared.get(&finding.cause).is_some_and(|known| *known >= onset);
            let began = if known { state.since } else { onset };
            state.told = Some(began);
            let about = About::Risk(Some(finding), &finding.cause, began);
            telling.tell(self.change(ChangeKind::RiskFound, &about, telling.diagnosis, (onset, telling.now)));
        }
        let gone = |r: &RiskState| telling.now.0 - r.last.0 >= if r.told.is_some() { GONE } else { STANDS };
        let gone = self.risks.iter().filter(|(_, r)| gone(r));
        let gone: Vec<(String, Option<Timestamp>)> = gone.map(|(cause, r)| (cause.clone(), r.told)).collect();
        for (cause, told) in gone {
            self.risks.remove(&cause);
            let Some(began) = told else { continue };
            let times = (telling.now, telling.now);
            let about = About::Risk(None, &cause, began);
            let mut change = self.change(ChangeKind::RiskCleared, &about, telling.diagnosis, times);
            change.text = format!("{}: the risk {cause} is gone", node(telling.diagnosis));
            change.cause = Some(cause.clone());
            telling.tell(change);
            self.cleared.insert(cause, began);
        }
    }
}
