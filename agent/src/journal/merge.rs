//! In which order entries of several files come, and which of them are the same (`compare_locations` in `sd-journal.c`).

use std::cmp::Ordering;

use super::entry::Address;

/// What places an entry among others, and where it is in its file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) seqnum: u64,
    pub(super) seqnum_id: [u8; 16],
    pub(super) realtime: u64,
    pub(super) monotonic: u64,
    pub(super) boot_id: [u8; 16],
    pub(super) xor_hash: u64,
    pub(super) offset: u64,
    pub(super) items: usize,
    pub(super) size: u64,
}

impl Stamp {
    /// What names the entry.
    pub(super) const fn address(&self) -> Address {
        Address {
            seqnum: self.seqnum,
            seqnum_id: self.seqnum_id,
            realtime: self.realtime,
            monotonic: self.monotonic,
            boot_id: self.boot_id,
            xor_hash: self.xor_hash,
        }
    }
}

/// The same count: by number. The same boot: by time since boot. Else by wall time.
pub(super) fn order(a: &Stamp, b: &Stamp) -> Ordering {
    if a.seqnum_id == b.seqnum_id && a.seqnum != b.seqnum {
        return a.seqnum.cmp(&b.seqnum);
    }
    if a.boot_id == b.boot_id && a.monotonic != b.monotonic {
        return a.monotonic.cmp(&b.monotonic);
    }
    a.realtime.cmp(&b.realtime).then(a.xor_hash.cmp(&b.xor_hash))
}

/// The same entry in two files. A number alone is not enough: clones of one machine count on from the same number.
pub(super) fn same(a: &Stamp, b: &Stamp) -> bool {
    let time = a.boot_id == b.boot_id && a.monotonic == b.monotonic && a.realtime == b.realtime;
    time && (a.xor_hash == b.xor_hash || (a.seqnum_id == b.seqnum_id && a.seqnum == b.seqnum))
}

#[cfg(test)]
mod tests {
    use super::{Stamp, order, same};
    use std::cmp::Ordering::{Equal, Greater, Less};

    #[test]
    fn number_then_boot_then_wall_time() {
        let a = Stamp {
            seqnum: 1,
            seqnum_id: [1; 16],
            boot_id: [1; 16],
            monotonic: 9,
            realtime: 9,
            ..Stamp::default()
        };
        let later = Stamp {
            seqnum: 2,
            monotonic: 3,
            realtime: 3,
            ..a
        };
        assert_eq!(order(&a, &later), Less);
        let other_count = Stamp {
            seqnum_id: [2; 16],
            ..later
        };
        assert_eq!(order(&a, &other_count), Greater);
        let other_boot = Stamp {
            boot_id: [2; 16],
            realtime: 10,
            ..other_count
        };
        assert_eq!(order(&a, &other_boot), Less);
        assert_eq!(order(&a, &a), Equal);
        assert!(same(
            &a,
            &Stamp {
                seqnum_id: [2; 16],
                seqnum: 7,
                ..a
            }
        ));
        assert!(!same(&a, &Stamp { realtime: 10, ..a }));
    }
}
