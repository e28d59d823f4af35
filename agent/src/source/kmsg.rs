//! The kernel's log from `/dev/kmsg`, for nodes without a journal. Where there is one journald reads it, and so do we there.
//!
//! Each read gives one record: `priority,sequence,microseconds,flags[,more];text`, then lines of its dictionary that begin
//! with a space (`Documentation/ABI/testing/dev-kmsg`). Where records were overwritten before they were read the read
//! fails once with EPIPE and goes on at the oldest. Needs `CAP_SYSLOG` where `kernel.dmesg_restrict` is 1, and in a pod the
//! device itself. Writes nothing, clears nothing.

use std::fs::File;
use std::io::{self, Read};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::journal::Polled;
use crate::clock::{Clock, Now};
use crate::host::{Host, Unreadable};
use crate::input::{Intake, KernelRecord};
use crate::model::input::{Gap, Input};
use crate::model::time::Timestamp;

/// The device.
pub const PATH: &str = "/dev/kmsg";
/// Bytes of the longest record: `PRINTK_MESSAGE_MAX` is 2048, `CONSOLE_EXT_LOG_MAX` was 8192 before 6.1.
const RECORD: usize = 8192;
/// EPIPEs that one look gets over.
const OVERRUNS: usize = 16;
/// Between two looks. The device can be polled for, but nothing that the kernel says is worth waking up more often.
const WAIT: Duration = Duration::from_millis(500);

/// How far the kernel's log was read, to be saved as the journal's position is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelPosition {
    boot: Option<[u8; 16]>,
    /// The number that comes next.
    next: u64,
}

/// Follows the kernel's log.
pub struct KernelLog<R = File> {
    records: R,
    clock: Clock,
    boot: Option<[u8; 16]>,
    /// `CLOCK_MONOTONIC` before which records are not wanted.
    since: u64,
    next: Option<u64>,
    buffer: Vec<u8>,
    text: String,
    /// The wall time of the last record.
    last: Option<Timestamp>,
}

impl KernelLog {
    /// Opens the device. Goes on from `position` where it is of this boot, else looks `since` back.
    pub fn open(host: &Host, clock: Clock, since: Duration, position: Option<KernelPosition>) -> Result<Self, Gap> {
        let boot = host.text("/proc/sys/kernel/random/boot_id").ok();
        let file = host.open(PATH).map_err(|why| Gap {
            source: "kmsg".to_owned(),
            from: None,
            to: None,
            grant: Some(grant(&why).to_owned()),
            reason: why.to_string(),
        })?;
        let digits = boot.map(|text| text.trim().replace('-', ""));
        let boot = digits
            .filter(|digits| digits.len() == 32)
            .and_then(|digits| u128::from_str_radix(&digits, 16).ok())
            .map(u128::to_be_bytes);
        Ok(Self::of(file, clock, boot, since, position))
    }
}

fn grant(why: &Unreadable) -> &'static str {
    match why {
        Unreadable::Missing(_) => "mount /dev/kmsg",
        Unreadable::Denied(_) | Unreadable::Other { .. } => "CAP_SYSLOG, and in a pod a privileged container",
    }
}

impl<R: Read> KernelLog<R> {
    /// Over what gives one record at a read.
    pub fn of(
        records: R,
        clock: Clock,
        boot: Option<[u8; 16]>,
        since: Duration,
        position: Option<KernelPosition>,
    ) -> Self {
        let back = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
        let position = position.filter(|p| boot.is_some() && p.boot == boot);
        Self {
            since: position.map_or(clock.now().monotonic.saturating_sub(back), |_| 0),
            next: position.map(|p| p.next),
            records,
            clock,
            boot,
            buffer: vec![0; RECORD],
            text: String::new(),
            last: None,
        }
    }

    /// How far it has read.
    pub fn position(&self) -> KernelPosition {
        KernelPosition {
            boot: self.boot,
            next: self.next.unwrap_or(0),
        }
    }

    /// Hands out what has come, at most `budget` records.
    pub fn poll(&mut self, budget: usize, intake: &mut Intake, sink: &mut dyn FnMut(Input)) -> Polled {
        let now = self.clock.now();
        let mut entries = 0;
        let mut overruns = 0;
        while entries < budget {
            match self.records.read(&mut self.buffer) {
                Ok(0) => return polled(entries),
                Ok(length) => {
                    entries += 1;
                    self.take(length.min(RECORD), now, intake, sink);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                // The next record's number tells how many were overwritten.
                Err(e) if e.kind() == io::ErrorKind::BrokenPipe && overruns < OVERRUNS => overruns += 1,
                Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::BrokenPipe) => {
                    return polled(entries);
                }
                Err(e) => {
                    sink(Input::Gap(self.gap(None, format!("{PATH}: {e}"))));
                    return polled(entries);
                }
            }
        }
        Polled {
            entries,
            more: true,
            wait: Duration::ZERO,
        }
    }

    fn gap(&self, to: Option<Timestamp>, reason: String) -> Gap {
        Gap {
            source: "kmsg".to_owned(),
            from: self.last,
            to,
            reason,
            grant: None,
        }
    }

    fn take(&mut self, length: usize, now: Now, intake: &mut Intake, sink: &mut dyn FnMut(Input)) {
        let Some(record) = parse(&self.buffer[..length]) else {
            sink(Input::Gap(
                self.gap(None, format!("{PATH}: a record without its four figures")),
            ));
            return;
        };
        let age = now.monotonic.saturating_sub(record.at) as i64;
        let wall = Timestamp(now.wall.0.saturating_sub(age));
        let expected = self.next.unwrap_or(record.seq);
        if record.seq < expected {
            return;
        }
        if record.seq > expected {
            let lost = record.seq - expected;
            let why = format!("{lost} records of the kernel's log were overwritten before they were read");
            sink(Input::Gap(self.gap(Some(wall), why)));
        }
        self.next = Some(record.seq + 1);
        self.last = Some(wall);
        if record.at < self.since {
            return;
        }
        self.text.clear();
        unescape(record.text, &mut self.text);
        let kernel = KernelRecord {
            seq: record.seq,
            monotonic: record.at,
            wall,
            boot: self.boot,
            by_kernel: record.by_kernel,
            text: &self.text,
        };
        intake.kernel(&kernel, sink);
    }
}

fn polled(entries: usize) -> Polled {
    Polled {
        entries,
        more: false,
        wait: WAIT,
    }
}

struct Record<'a> {
    seq: u64,
    at: u64,
    by_kernel: bool,
    text: &'a [u8],
}

/// The prefix and the text; the dictionary is left out. The facility is 0 for the kernel's own records only:
/// `devkmsg_write` makes it 1 where a process says 0.
fn parse(record: &[u8]) -> Option<Record<'_>> {
    let end = memchr::memchr(b';', record)?;
    let prefix = std::str::from_utf8(&record[..end]).ok()?;
    let mut figures = prefix.split(',');
    let priority: u32 = figures.next()?.parse().ok()?;
    let (seq, at) = (figures.next()?.parse().ok()?, figures.next()?.parse().ok()?);
    figures.next()?;
    let text = &record[end + 1..];
    let text = &text[..memchr::memchr(b'\n', text).unwrap_or(text.len())];
    Some(Record {
        seq,
        at,
        by_kernel: priority >> 3 == 0,
        text,
    })
}

/// Bytes that are not printable are written as `\x0a`; a backslash is, too.
fn unescape(text: &[u8], out: &mut String) {
    let mut bytes = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let escaped = (byte == b'\\' && text.get(at + 1) == Some(&b'x'))
            .then(|| text.get(at + 2..at + 4))
            .flatten()
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(escaped.unwrap_or(byte));
        at += if escaped.is_some() { 4 } else { 1 };
    }
    out.push_str(&String::from_utf8_lossy(&bytes));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::line::Origin;
    use crate::model::input::Observation;

    const BOOT: Option<[u8; 16]> = Some([7; 16]);

    /// Reads as the device does, one record or error at a time.
    struct Device(Vec<io::Result<&'static str>>);

    impl Read for Device {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let record = self.0.remove(0)?;
            buf[..record.len()].copy_from_slice(record.as_bytes());
            Ok(record.len())
        }
    }

    fn clock() -> Clock {
        Clock::fixed(Now {
            wall: Timestamp(1_000_000_000),
            monotonic: 100_000_000,
            boottime: 0,
        })
    }

    fn read(
        records: Vec<io::Result<&'static str>>,
        since: u64,
        position: Option<KernelPosition>,
    ) -> (Vec<Observation>, Vec<Gap>, KernelPosition) {
        let mut log = KernelLog::of(Device(records), clock(), BOOT, Duration::from_secs(since), position);
        let mut intake = Intake::new(Box::new(|_| true));
        let (mut seen, mut gaps) = (Vec::new(), Vec::new());
        while log
            .poll(2, &mut intake, &mut |input| match input {
                Input::Observed(o) => seen.push(o),
                Input::Gap(gap) => gaps.push(gap),
                _ => {}
            })
            .more
        {}
        (seen, gaps, log.position())
    }

    #[test]
    fn records_continue_and_say_when() {
        let (seen, gaps, position) = read(
            vec![
                Ok("6,10,99000000,-;eth0: link down\n SUBSYSTEM=net\n DEVICE=n2\n"),
                Ok("3,11,99500000,-,caller=T1;tab\\x09and back\\x5cslash\n"),
                Ok("30,12,99600000,-;systemd[1]: Started kubelet.service.\n"),
                Ok("12,13,99700000,-;kubelet[9]: E1122 22:40:09.276 370 kubelet.go:1] x\n"),
            ],
            60,
            None,
        );
        assert_eq!(gaps, []);
        assert_eq!(
            seen.iter().map(|o| (&*o.text, o.origin)).collect::<Vec<_>>(),
            [
                ("eth0: link down", Origin::Kernel),
                ("tab\tand back\\slash", Origin::Kernel),
                ("Started kubelet.service.", Origin::Systemd),
                ("E1122 22:40:09.276 370 kubelet.go:1] x", Origin::Kubelet),
            ]
        );
        assert_eq!(seen[0].at.wall, Timestamp(999_000_000));
        assert_eq!(seen[1].at.t - seen[0].at.t, 500_000);
        assert_eq!(position, KernelPosition { boot: BOOT, next: 14 });
    }

    #[test]
    fn what_was_overwritten_is_a_gap_with_its_number() {
        let (seen, gaps, _) = read(
            vec![
                Ok("6,10,90000000,-;a\n"),
                Err(io::ErrorKind::BrokenPipe.into()),
                Ok("6,25,99000000,-;b\n"),
                Ok("no record"),
                Err(io::Error::other("gone")),
            ],
            60,
            None,
        );
        assert_eq!(seen.len(), 2);
        assert_eq!(gaps.len(), 3);
        assert!(gaps[0].reason.starts_with("14 records"), "{gaps:?}");
        assert_eq!(
            (gaps[0].from, gaps[0].to),
            (Some(Timestamp(990_000_000)), Some(Timestamp(999_000_000)))
        );
    }

    #[test]
    fn goes_on_in_the_same_boot_and_looks_back_in_another() {
        let records = || vec![Ok("6,10,10000000,-;a\n"), Ok("6,11,95000000,-;b\n")];
        let at = |boot, next| Some(KernelPosition { boot, next });
        let texts = |position| {
            let (seen, gaps, _) = read(records(), 30, position);
            assert_eq!(gaps, []);
            seen.iter().map(|o| o.text.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(texts(None), ["b"]);
        assert_eq!(texts(at(BOOT, 10)), ["a", "b"]);
        assert_eq!(texts(at(BOOT, 12)), [""; 0]);
        assert_eq!(texts(at(Some([8; 16]), 12)), ["b"]);
    }

    #[test]
    fn no_device_is_a_gap_with_its_grant() {
        let dir = tempfile::tempdir().unwrap();
        let gap = KernelLog::open(&Host::at(dir.path()), clock(), Duration::ZERO, None)
            .err()
            .unwrap();
        assert_eq!(gap.grant.as_deref(), Some("mount /dev/kmsg"));
    }
}
