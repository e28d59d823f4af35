//! The account of what was not seen: kept across restarts, so that silence is never taken for proof.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::model::input::Gap;
use crate::model::time::Timestamp;

/// Gaps kept; of older ones only the number.
const KEPT: usize = 64;

/// The last gaps, and how many there were before them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    gaps: VecDeque<Gap>,
    older: u64,
    /// Entries that are known to be lost.
    lost: u64,
}

impl Account {
    /// Adds a gap in which `lost` entries are known to be; one that goes on with the last one's reason makes it longer.
    pub(crate) fn add(&mut self, gap: Gap, lost: u64) {
        self.lost = self.lost.saturating_add(lost);
        if let Some(last) = self.gaps.back_mut()
            && last.reason == gap.reason
            && last.source == gap.source
        {
            last.to = gap.to;
            return;
        }
        if self.gaps.len() >= KEPT {
            self.gaps.pop_front();
            self.older += 1;
        }
        self.gaps.push_back(gap);
    }

    /// The last gaps, oldest first: at most 64.
    pub fn gaps(&self) -> impl Iterator<Item = &Gap> {
        self.gaps.iter()
    }

    /// How many gaps there were before them.
    pub const fn older(&self) -> u64 {
        self.older
    }

    /// Entries that are known to be lost.
    pub const fn lost(&self) -> u64 {
        self.lost
    }
}

/// A gap of the journal between two wall times in microseconds; 0 is unknown.
pub(super) fn gap(from: u64, to: u64, reason: String, grant: Option<&str>) -> Gap {
    let time = |micros: u64| (micros != 0).then_some(Timestamp(micros.min(1 << 60) as i64));
    Gap {
        source: "journal".to_owned(),
        from: time(from),
        to: time(to),
        reason,
        grant: grant.map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_bounded_and_counts_what_it_forgets() {
        let mut account = Account::default();
        for i in 1..=70 {
            account.add(gap(i, i + 1, format!("reason {i}"), None), 2);
        }
        account.add(gap(70, 99, "reason 70".to_owned(), None), 0);
        assert_eq!((account.gaps().count(), account.older(), account.lost()), (64, 6, 140));
        assert_eq!(account.gaps().last().unwrap().to, Some(Timestamp(99)));
        assert_eq!(account.gaps().last().unwrap().from, Some(Timestamp(70)));
    }
}
