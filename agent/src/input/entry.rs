//! An entry of a journal, from a journal file, an export or JSON: which of its fields may be believed.

use std::borrow::Cow;

use super::observe::{Emitter, Said};
use crate::grammar::line::{Line, Origin};
use crate::grammar::origin::{self, Sender};
use crate::model::input::Place;

/// The fields of a journal's entry that are read.
pub const WANTED: &[&str] = &[
    "MESSAGE",
    "MESSAGE_ID",
    "UNIT",
    "JOB_TYPE",
    "JOB_RESULT",
    "EXIT_CODE",
    "EXIT_STATUS",
    "UNIT_RESULT",
    "N_RESTARTS",
    "SYSLOG_IDENTIFIER",
    "_TRANSPORT",
    "_SYSTEMD_UNIT",
    "_SYSTEMD_USER_UNIT",
    "_COMM",
    "_EXE",
    "_PID",
    "_UID",
    "_HOSTNAME",
];
/// The name of this program and the start of its unit's: what it says quotes what was evidence once.
const OURSELVES: &str = "whynotready";
/// How many writers are remembered.
const WRITERS: usize = 1024;
/// Bytes of the longest name of a writer that is remembered.
const LONGEST_NAME: usize = 1024;

/// The fields of one entry. A repeated field counts the first time.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Picked<'a> {
    values: [Option<&'a [u8]>; WANTED.len()],
}

/// When an entry was received.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) realtime: i64,
    pub(super) monotonic: Option<u64>,
    pub(super) boot: Option<[u8; 16]>,
}

/// Origins by what names the writer, the last ones. Names are compared, not only their hashes: whoever chooses his
/// name freely must not get another's origin.
pub(super) struct Origins {
    slots: Vec<(Vec<u8>, Option<Origin>)>,
    key: Vec<u8>,
}

impl Origins {
    pub(super) fn new() -> Self {
        Self {
            slots: vec![(Vec::new(), None); WRITERS],
            key: Vec::new(),
        }
    }

    fn of(&mut self, picked: &Picked<'_>) -> Origin {
        self.key.clear();
        for value in &picked.values[9..=16] {
            let length = value.map_or(u32::MAX, |v| v.len() as u32);
            self.key.extend_from_slice(&length.to_le_bytes());
            self.key.extend_from_slice(value.unwrap_or_default());
        }
        let hash = self.key.chunks(8).fold(0_u64, |hash, chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            (hash.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        });
        let (key, origin) = &mut self.slots[(hash >> 32) as usize % WRITERS];
        match origin {
            Some(origin) if *key == self.key => *origin,
            _ => {
                let new = origin::of_journal(&picked.sender());
                // A name of unusual length is not worth the memory.
                if self.key.len() <= LONGEST_NAME {
                    key.clone_from(&self.key);
                    *origin = Some(new);
                }
                new
            }
        }
    }
}

impl<'a> Picked<'a> {
    pub(super) fn pick(fields: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Self {
        let mut picked = Self::default();
        for (name, value) in fields {
            if let Some(slot) = slot(name) {
                picked.values[slot].get_or_insert(value);
            }
        }
        picked
    }

    /// Of the values by their place in [`WANTED`].
    pub(super) fn of(value: impl Fn(usize) -> Option<&'a [u8]>) -> Self {
        Self {
            values: std::array::from_fn(value),
        }
    }

    pub(super) fn bytes(&self, slot: usize) -> Option<&'a [u8]> {
        self.values[slot]
    }

    fn text(&self, slot: usize) -> Option<&'a str> {
        self.values[slot].and_then(|v| std::str::from_utf8(v).ok())
    }

    fn number(&self, slot: usize) -> Option<u32> {
        self.text(slot).and_then(|v| v.parse().ok())
    }

    /// Whether this program wrote it. A name that anybody may choose does not hide the lines of another origin.
    fn is_own(&self, origin: Origin) -> bool {
        let unit = |u: &[u8]| u.starts_with(OURSELVES.as_bytes()) && u.ends_with(b".service");
        let named = |slot: usize| self.values[slot] == Some(OURSELVES.as_bytes());
        let exe = self.values[14].and_then(|e| e.rsplit(|c| *c == b'/').next());
        origin == Origin::Other
            && (self.values[11].is_some_and(unit) || named(9) || named(13) || exe == Some(OURSELVES.as_bytes()))
    }

    fn sender(&self) -> Sender<'a> {
        Sender {
            transport: self.text(10),
            systemd_unit: self.text(11),
            systemd_user_unit: self.text(12),
            comm: self.text(13),
            exe: self.text(14),
            pid: self.number(15),
            uid: self.number(16),
            syslog_identifier: self.text(9),
        }
    }
}

/// The field's place in [`WANTED`].
fn slot(name: &[u8]) -> Option<usize> {
    Some(match name {
        b"MESSAGE" => 0,
        b"MESSAGE_ID" => 1,
        b"UNIT" => 2,
        b"JOB_TYPE" => 3,
        b"JOB_RESULT" => 4,
        b"EXIT_CODE" => 5,
        b"EXIT_STATUS" => 6,
        b"UNIT_RESULT" => 7,
        b"N_RESTARTS" => 8,
        b"SYSLOG_IDENTIFIER" => 9,
        b"_TRANSPORT" => 10,
        b"_SYSTEMD_UNIT" => 11,
        b"_SYSTEMD_USER_UNIT" => 12,
        b"_COMM" => 13,
        b"_EXE" => 14,
        b"_PID" => 15,
        b"_UID" => 16,
        b"_HOSTNAME" => 17,
        _ => return None,
    })
}

/// PID 1 speaks of units; some of its daemons have message ids of their own. Anybody may send `UNIT=` and `MESSAGE_ID=`.
fn line<'a>(picked: &Picked<'a>, text: &'a str) -> Line<'a> {
    let manager = picked.bytes(15) == Some(b"1") || picked.bytes(11) == Some(b"init.scope");
    let daemon = picked.bytes(10) == Some(b"driver")
        || matches!(
            picked.bytes(11),
            Some(b"systemd-logind.service" | b"systemd-journald.service" | b"systemd-oomd.service")
        );
    let of_manager = |slot| if manager { picked.text(slot) } else { None };
    Line {
        text,
        message_id: if manager || daemon { picked.text(1) } else { None },
        unit: of_manager(2),
        job_type: of_manager(3),
        job_result: of_manager(4),
        exit_code: of_manager(5),
        exit_status: of_manager(6),
        unit_result: of_manager(7),
        n_restarts: of_manager(8),
    }
}

/// Hands one entry on.
pub(super) fn observe(
    em: &mut Emitter<'_>,
    origins: &mut Origins,
    picked: &Picked<'_>,
    received: Received,
    place: &dyn Fn() -> Place,
) {
    let origin = origins.of(picked);
    if !em.wants(received.realtime) || picked.is_own(origin) {
        return;
    }
    let at = em
        .kept
        .timeline
        .journal(received.realtime, received.monotonic, received.boot);
    let text = picked.bytes(0).unwrap_or_default();
    // The checked conversion is several times as fast as the lossy one.
    let text = std::str::from_utf8(text).map_or_else(|_| String::from_utf8_lossy(text), Cow::Borrowed);
    if em.kept.names.best.is_none()
        && let Some(host) = picked.text(17)
    {
        em.kept.names.host(host);
    }
    let source = match picked.text(10) {
        Some("kernel") => "kernel",
        _ => picked
            .text(11)
            .or(picked.text(9))
            .or(picked.text(13))
            .unwrap_or("journal"),
    };
    em.emit(&Said {
        at,
        origin,
        pid: picked.number(15),
        source,
        line: line(picked, &text),
        walled: true,
        rest_of_another: false,
        place,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picked<'a>(fields: &'a [(&'a str, &'a str)]) -> Picked<'a> {
        Picked::pick(fields.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())))
    }

    #[test]
    fn slots_are_the_wanted_fields() {
        for (i, name) in WANTED.iter().enumerate() {
            assert_eq!(slot(name.as_bytes()), Some(i));
        }
    }

    #[test]
    fn what_we_said_ourselves_is_no_evidence() {
        let origin = |fields: &[(&str, &str)]| {
            let picked = picked(fields);
            picked.is_own(Origins::new().of(&picked))
        };
        assert!(origin(&[("_SYSTEMD_UNIT", "whynotready.service"), ("_COMM", "x")]));
        assert!(origin(&[
            ("_SYSTEMD_UNIT", "session-3.scope"),
            ("_EXE", "/usr/bin/whynotready")
        ]));
        assert!(origin(&[("SYSLOG_IDENTIFIER", "whynotready"), ("_PID", "7")]));
        assert!(!origin(&[
            ("SYSLOG_IDENTIFIER", "whynotready"),
            ("_SYSTEMD_UNIT", "kubelet.service")
        ]));
        assert!(!origin(&[
            ("UNIT", "whynotready.service"),
            ("_PID", "1"),
            ("_UID", "0")
        ]));
        assert!(!origin(&[("_SYSTEMD_UNIT", "whynot.service")]));
    }

    #[test]
    fn only_pid_1_speaks_of_units() {
        let forged = [
            ("UNIT", "kubelet.service"),
            ("MESSAGE_ID", "x"),
            ("_PID", "4711"),
            ("_SYSTEMD_UNIT", "evil.service"),
        ];
        let forged = line(&picked(&forged), "");
        assert_eq!((forged.unit, forged.message_id), (None, None));
        let real = [
            ("UNIT", "kubelet.service"),
            ("MESSAGE_ID", "x"),
            ("_PID", "1"),
            ("_SYSTEMD_UNIT", "init.scope"),
        ];
        let real = line(&picked(&real), "");
        assert_eq!((real.unit, real.message_id), (Some("kubelet.service"), Some("x")));
        let logind = [
            ("UNIT", "kubelet.service"),
            ("MESSAGE_ID", "x"),
            ("_PID", "9"),
            ("_SYSTEMD_UNIT", "systemd-logind.service"),
        ];
        let logind = line(&picked(&logind), "");
        assert_eq!((logind.unit, logind.message_id), (None, Some("x")));
    }
}
