//! The layout of headers and objects (`journal-def.h`); nothing here reads.

use super::problem::Fault;

/// Bytes of the oldest header that is read (systemd 38); later fields are optional.
const MINIMUM_HEADER: u64 = 208;
/// Bytes of header that are looked at: systemd 254's length.
pub(super) const HEADER_BYTES: usize = 272;
/// Every object starts with type, flags and size.
pub(super) const OBJECT_HEADER: u64 = 16;
/// An ENTRY before its items.
pub(super) const ENTRY_HEADER: u64 = 64;
/// An `ENTRY_ARRAY` before its items.
pub(super) const ARRAY_HEADER: u64 = 24;
/// journald's own limit of fields in one entry (`ENTRY_FIELD_COUNT_MAX`).
pub(super) const FIELDS_MAX: usize = 1024;

pub(super) const DATA: u8 = 1;
pub(super) const ENTRY: u8 = 3;
pub(super) const ENTRY_ARRAY: u8 = 6;
pub(super) const LAST_TYPE: u8 = 7;

const XZ: u32 = 1;
const LZ4: u32 = 2;
const KEYED_HASH: u32 = 4;
const ZSTD: u32 = 8;
const COMPACT: u32 = 16;

/// What the writer last said of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Closed cleanly.
    Offline,
    /// Being written, or its writer died.
    Online,
    /// Rotated: never written again.
    Archived,
    /// A value that systemd does not know.
    Unknown(u8),
}

/// The header of a journal file. Times in microseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_field_names,
    reason = "`header_size` is the name that the format gives it"
)]
pub struct Header {
    /// What the writer last said of the file.
    pub state: State,
    /// Random id of this file, kept when it is renamed.
    pub file_id: [u8; 16],
    /// Machine that wrote it.
    pub machine_id: [u8; 16],
    /// Which counter the sequence numbers are of.
    pub seqnum_id: [u8; 16],
    /// Entries, as the header claims.
    pub n_entries: u64,
    /// Sequence number of the last entry.
    pub tail_seqnum: u64,
    /// Sequence number of the first entry.
    pub head_seqnum: u64,
    /// Wall time of the first entry.
    pub head_realtime: u64,
    /// Wall time of the last entry.
    pub tail_realtime: u64,
    /// The boot in which the file was written last (before systemd 254: opened to be written).
    pub boot_id: [u8; 16],
    /// 4-byte offsets in entries and arrays (systemd 252 and later).
    pub compact: bool,
    /// Keyed `SipHash` instead of lookup3 (systemd 246 and later).
    pub keyed_hash: bool,
    pub(super) header_size: u64,
    pub(super) arena_size: u64,
    pub(super) hash_table: u64,
    pub(super) hash_table_size: u64,
    pub(super) entry_array: u64,
}

impl Header {
    /// Reads a header from the first bytes of a file (up to 272 are used).
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        if bytes.is_empty() {
            return Err(Fault::new(0, "empty file"));
        }
        if !bytes.starts_with(b"LPKSHHRH") {
            return Err(Fault::new(0, "bad signature: not a journal file"));
        }
        if (bytes.len() as u64) < MINIMUM_HEADER {
            return Err(Fault::new(0, "file ends inside its header"));
        }
        let flags = u32_at(bytes, 12);
        if flags & !(XZ | LZ4 | KEYED_HASH | ZSTD | COMPACT) != 0 {
            return Err(Fault::new(12, format!("unknown incompatible flags {flags:#x}")));
        }
        let header_size = u64_at(bytes, 88);
        if header_size < MINIMUM_HEADER || !header_size.is_multiple_of(8) {
            return Err(Fault::new(88, format!("header size {header_size}")));
        }
        Ok(Self {
            state: match bytes[16] {
                0 => State::Offline,
                1 => State::Online,
                2 => State::Archived,
                other => State::Unknown(other),
            },
            file_id: id_at(bytes, 24),
            machine_id: id_at(bytes, 40),
            seqnum_id: id_at(bytes, 72),
            n_entries: u64_at(bytes, 152),
            tail_seqnum: u64_at(bytes, 160),
            head_seqnum: u64_at(bytes, 168),
            head_realtime: u64_at(bytes, 184),
            tail_realtime: u64_at(bytes, 192),
            boot_id: id_at(bytes, 56),
            compact: flags & COMPACT != 0,
            keyed_hash: flags & KEYED_HASH != 0,
            header_size,
            arena_size: u64_at(bytes, 96),
            hash_table: u64_at(bytes, 104),
            hash_table_size: u64_at(bytes, 112),
            entry_array: u64_at(bytes, 176),
        })
    }

    /// Bytes of one item of an entry, and where DATA's payload starts.
    pub(super) fn entry_item(&self) -> u64 {
        if self.compact { 4 } else { 16 }
    }

    /// Bytes of one item of an entry array.
    pub(super) fn array_item(&self) -> u64 {
        if self.compact { 4 } else { 8 }
    }

    /// Bytes of a DATA object before its payload.
    pub(super) fn data_header(&self) -> u64 {
        if self.compact { 72 } else { 64 }
    }
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes
        .get(at..at + 4)
        .and_then(|b| b.try_into().ok())
        .map_or(0, u32::from_le_bytes)
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes
        .get(at..at + 8)
        .and_then(|b| b.try_into().ok())
        .map_or(0, u64::from_le_bytes)
}

pub(super) fn id_at(bytes: &[u8], at: usize) -> [u8; 16] {
    bytes
        .get(at..at + 16)
        .and_then(|b| b.try_into().ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::Header;

    fn what(bytes: &[u8]) -> String {
        Header::parse(bytes).unwrap_err().what
    }

    #[test]
    fn refuses_what_is_no_journal() {
        assert_eq!(what(b""), "empty file");
        assert_eq!(what(b"LPKSHHRX"), "bad signature: not a journal file");
        assert_eq!(what(b"LPKSHHRH"), "file ends inside its header");
        let mut bytes = vec![0_u8; 272];
        bytes[..8].copy_from_slice(b"LPKSHHRH");
        assert_eq!(what(&bytes), "header size 0");
        bytes[12] = 32;
        assert_eq!(what(&bytes), "unknown incompatible flags 0x20");
    }

    #[test]
    fn reads_the_oldest_and_the_compact_header() {
        let mut bytes = vec![0_u8; 208];
        bytes[..8].copy_from_slice(b"LPKSHHRH");
        bytes[88] = 208;
        bytes[12] = 16 | 4;
        bytes[16] = 1;
        let header = Header::parse(&bytes).unwrap();
        assert!(header.compact && header.keyed_hash);
        assert_eq!(
            (header.state, header.entry_item(), header.data_header()),
            (super::State::Online, 4, 72)
        );
    }
}
