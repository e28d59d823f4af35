//! Objects of a file through the windows and the cache: what every walk shares.

use super::cache::{Cache, Known};
use super::format::{DATA, Header, LAST_TYPE, OBJECT_HEADER, u64_at};
use super::payload::{Codec, Expander, input_limit};
use super::problem::Fault;
use super::window::{OVERLAP, Source, Windows};

/// Longest field name looked for; journald's own limit is 64.
const NAME_MAX: usize = 256;

/// A file and its header.
pub(super) struct Layout {
    pub(super) source: Source,
    pub(super) header: Header,
}

/// Which fields the caller reads, and how much of them.
pub(super) struct Wanted {
    pub(super) names: Vec<String>,
    pub(super) max_payload: usize,
}

impl Wanted {
    fn has(&self, name: &[u8]) -> bool {
        self.names.is_empty() || self.names.iter().any(|wanted| wanted.as_bytes() == name)
    }
}

/// A field that was appended to a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Appended {
    pub(super) name: usize,
    pub(super) cut: bool,
}

/// Windows, cache and decoder of a set, and the count of steps taken.
pub(super) struct Reader {
    pub(super) windows: Windows,
    cache: Cache,
    expander: Expander,
    raw: Vec<u8>,
    /// Array items, hash chain links, objects and entry items looked at.
    pub(super) steps: u64,
}

/// The header of a DATA object.
pub(super) struct Data {
    codec: Codec,
    payload: u64,
    len: u64,
    pub(super) hash: u64,
    pub(super) next_hash: u64,
    pub(super) first_entry: u64,
    pub(super) array: u64,
    pub(super) n_entries: u64,
}

impl Reader {
    pub(super) fn new() -> Self {
        Self {
            windows: Windows::new(),
            cache: Cache::new(),
            expander: Expander::default(),
            raw: Vec::new(),
            steps: 0,
        }
    }

    /// Flags and size of the object at `offset`, which must be of type `wanted` (0 for any) and lie in the file.
    pub(super) fn object(&mut self, file: &Layout, offset: u64, wanted: u8) -> Result<(u8, u64), Fault> {
        self.steps += 1;
        if offset < file.header.header_size || !offset.is_multiple_of(8) {
            return Err(Fault::new(offset, "no object can be here"));
        }
        let bytes = self.windows.at(&file.source, offset, OBJECT_HEADER as usize)?;
        let (kind, flags, size) = (bytes[0], bytes[1], u64_at(bytes, 8));
        if kind == 0 || kind > LAST_TYPE || (wanted != 0 && kind != wanted) {
            return Err(Fault::new(
                offset,
                format!("object of type {kind} where {wanted} should be"),
            ));
        }
        if size < OBJECT_HEADER || size > file.source.len.saturating_sub(offset) {
            return Err(Fault::new(
                offset,
                format!("object of {size} bytes does not fit in the file"),
            ));
        }
        Ok((if wanted == 0 { kind } else { flags }, size))
    }

    /// The header of the DATA object at `offset`.
    pub(super) fn data(&mut self, file: &Layout, offset: u64) -> Result<Data, Fault> {
        let (flags, size) = self.object(file, offset, DATA)?;
        let before = file.header.data_header();
        if size <= before {
            return Err(Fault::new(offset, "data object without a payload"));
        }
        let codec = Codec::of(flags & 7).ok_or_else(|| Fault::new(offset, "data object with two compressions"))?;
        let bytes = self.windows.at(&file.source, offset, before as usize)?;
        Ok(Data {
            codec,
            payload: offset + before,
            len: size - before,
            hash: u64_at(bytes, 16),
            next_hash: u64_at(bytes, 24),
            first_entry: u64_at(bytes, 40),
            array: u64_at(bytes, 48),
            n_entries: u64_at(bytes, 56),
        })
    }

    /// Appends `NAME=value` of the DATA object at `offset` to `out`, unless its field is not wanted.
    pub(super) fn field(
        &mut self,
        file: &Layout,
        offset: u64,
        wanted: &Wanted,
        out: &mut Vec<u8>,
    ) -> Result<Option<Appended>, Fault> {
        self.steps += 1;
        match self.cache.get(file.source.id, offset) {
            Some(Known::Unwanted) => return Ok(None),
            Some(Known::Field(payload, name, cut)) => {
                out.extend_from_slice(payload);
                return Ok(Some(Appended { name, cut }));
            }
            None => {}
        }
        let data = self.data(file, offset)?;
        let from = out.len();
        let appended = self.append(file, &data, wanted, out)?;
        if data.n_entries > 1 {
            let known = match appended {
                None => Known::Unwanted,
                Some(Appended { name, cut }) => Known::Field(&out[from..], name, cut),
            };
            // A large plain payload costs no more to read again than to copy.
            if data.codec != Codec::Plain || out.len() - from <= 256 {
                self.cache.put(file.source.id, offset, known);
            }
        }
        Ok(appended)
    }

    /// Whether the payload of a DATA object is exactly `payload`.
    pub(super) fn is_payload(&mut self, file: &Layout, data: &Data, payload: &[u8]) -> Result<bool, Fault> {
        if data.codec == Codec::Plain && data.len != payload.len() as u64 {
            return Ok(false);
        }
        let mut out = Vec::new();
        let cut = self.payload(file, data, payload.len(), &mut out)?;
        Ok(!cut && out == payload)
    }

    fn append(
        &mut self,
        file: &Layout,
        data: &Data,
        wanted: &Wanted,
        out: &mut Vec<u8>,
    ) -> Result<Option<Appended>, Fault> {
        let nameless = || Fault::new(data.payload, "data without a field name");
        if data.codec == Codec::Plain {
            let need = data.len.min(NAME_MAX as u64) as usize;
            let start = &self.windows.at(&file.source, data.payload, need)?;
            let name = memchr::memchr(b'=', &start[..need]).ok_or_else(nameless)?;
            if !wanted.has(&start[..name]) {
                return Ok(None);
            }
        }
        let from = out.len();
        let cut = self.payload(file, data, wanted.max_payload.max(NAME_MAX), out)?;
        let name = memchr::memchr(b'=', &out[from..(from + NAME_MAX).min(out.len())]);
        match name {
            Some(name) if wanted.has(&out[from..from + name]) => Ok(Some(Appended { name, cut })),
            other => {
                out.truncate(from);
                if other.is_some() { Ok(None) } else { Err(nameless()) }
            }
        }
    }

    /// Appends at most `cap` bytes of a payload to `out`; true where it was cut.
    fn payload(&mut self, file: &Layout, data: &Data, cap: usize, out: &mut Vec<u8>) -> Result<bool, Fault> {
        if data.codec == Codec::Plain {
            let count = data.len.min(cap as u64) as usize;
            self.windows.copy(&file.source, data.payload, count, out)?;
            return Ok(data.len > cap as u64);
        }
        let count = data.len.min(input_limit(cap) as u64) as usize;
        let from = out.len();
        let expanded = if count <= OVERLAP {
            let input = &self.windows.at(&file.source, data.payload, count)?[..count];
            self.expander.expand(data.codec, input, cap, out)
        } else {
            self.raw.clear();
            self.windows.copy(&file.source, data.payload, count, &mut self.raw)?;
            self.expander.expand(data.codec, &self.raw, cap, out)
        };
        expanded.map_err(|what| {
            out.truncate(from);
            Fault::new(data.payload, what)
        })
    }
}
