//! Any bytes as a journal file: no panic, and work and memory bounded by the file's size.
#![no_main]

use libfuzzer_sys::fuzz_target;
use whynotready::journal::{Options, Set};

fuzz_target!(|bytes: &[u8]| {
    let size = bytes.len() as u64 + 4096;
    for only in [None, Some(vec![("_SYSTEMD_UNIT".to_owned(), b"kubelet.service".to_vec())])] {
        let options = Options {
            since: only.as_ref().map(|_| 1_700_000_000_500_000),
            only,
            max_payload: 4096,
            ..Options::default()
        };
        let mut set = Set::open(vec![("fuzz".to_owned(), Box::new(bytes.to_vec()))], options);
        while let Some(entry) = set.next() {
            for (name, value) in entry.fields() {
                assert!(name.len() + 1 + value.len() <= 4096);
            }
        }
        let work = set.work();
        assert!(work.steps <= size * 4, "{work:?} for {size} bytes");
        assert!(work.bytes <= size * 64, "{work:?} for {size} bytes");
    }
});
