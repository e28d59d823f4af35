//! One entry as it is given to the caller.

use super::merge::Stamp;

/// Where a field lies in an entry's buffer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) name: usize,
    pub(super) end: usize,
}

/// One journal entry; it borrows the set's buffer until the next one is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// Number of the entry in its writer's count.
    pub seqnum: u64,
    /// Which count.
    pub seqnum_id: [u8; 16],
    /// Wall time in microseconds since the epoch, as journald received the entry.
    pub realtime: u64,
    /// Microseconds since boot.
    pub monotonic: u64,
    /// The boot that `monotonic` is of.
    pub boot_id: [u8; 16],
    /// XOR of the hashes of all its payloads.
    pub xor_hash: u64,
    /// Display name of the file that it was read from.
    pub file: &'a str,
    /// Byte offset of the ENTRY object in that file.
    pub offset: u64,
    /// True where a value was cut to the largest payload, a field could not be read, or there were too many.
    pub truncated: bool,
    pub(super) buffer: &'a [u8],
    pub(super) spans: &'a [Span],
}

impl<'a> Entry<'a> {
    pub(super) fn new(stamp: &Stamp, file: &'a str, buffer: &'a [u8], spans: &'a [Span]) -> Self {
        Self {
            seqnum: stamp.seqnum,
            seqnum_id: stamp.seqnum_id,
            realtime: stamp.realtime,
            monotonic: stamp.monotonic,
            boot_id: stamp.boot_id,
            xor_hash: stamp.xor_hash,
            file,
            offset: stamp.offset,
            truncated: false,
            buffer,
            spans,
        }
    }

    /// The first value of a field. `None` also where the field is not among [`super::Options::wanted`].
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.fields()
            .find(|(field, _)| *field == name.as_bytes())
            .map(|(_, value)| value)
    }

    /// Name and value of every field, in the order of the file; a field may occur more than once.
    pub fn fields(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let buffer = self.buffer;
        self.spans.iter().map(move |span| {
            (
                &buffer[span.start..span.start + span.name],
                &buffer[span.start + span.name + 1..span.end],
            )
        })
    }

    /// The cursor as `journalctl --show-cursor` prints it.
    pub fn cursor(&self) -> String {
        self.address().cursor()
    }

    /// What its cursor is made of, to be kept for longer than the entry.
    pub const fn address(&self) -> Address {
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

/// What a cursor is made of; the fields are those of [`Entry`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// Number of the entry in its writer's count.
    pub seqnum: u64,
    /// Which count.
    pub seqnum_id: [u8; 16],
    /// Wall time, microseconds.
    pub realtime: u64,
    /// Microseconds since boot.
    pub monotonic: u64,
    /// The boot.
    pub boot_id: [u8; 16],
    /// XOR of the hashes of all its payloads: the same wherever the entry is copied to.
    pub xor_hash: u64,
}

impl Address {
    /// systemd's native cursor, `s=..;i=..;b=..;m=..;t=..;x=..`.
    pub fn cursor(&self) -> String {
        format!(
            "s={:032x};i={:x};b={:032x};m={:x};t={:x};x={:x}",
            u128::from_be_bytes(self.seqnum_id),
            self.seqnum,
            u128::from_be_bytes(self.boot_id),
            self.monotonic,
            self.realtime,
            self.xor_hash
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{Entry, Span};
    use crate::journal::merge::Stamp;

    #[test]
    fn fields_and_cursor() {
        let stamp = Stamp {
            seqnum: 26,
            seqnum_id: [0xa; 16],
            realtime: 255,
            monotonic: 16,
            ..Stamp::default()
        };
        let spans = [
            Span {
                start: 0,
                name: 1,
                end: 3,
            },
            Span {
                start: 3,
                name: 1,
                end: 5,
            },
        ];
        let entry = Entry::new(&stamp, "f", b"A=1A=", &spans);
        assert_eq!(entry.get("A"), Some(&b"1"[..]));
        assert_eq!(entry.get("B"), None);
        assert_eq!(entry.fields().last(), Some((&b"A"[..], &b""[..])));
        let zero = "0".repeat(32);
        assert_eq!(
            entry.cursor(),
            format!("s={};i=1a;b={zero};m=10;t=ff;x=0", "0a".repeat(16))
        );
    }
}
