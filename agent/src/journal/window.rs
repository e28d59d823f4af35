//! Windows of all files of a set: pread in blocks of 16 KiB with 4 KiB of what follows, so that an object that begins in
//! a block is whole in it unless it is large. Bounded for the set, not for the file: 128 windows are 2.5 MiB.

use super::problem::Fault;
use super::read_at::ReadAt;

const BLOCK_BITS: u32 = 14;
const BLOCK: usize = 1 << BLOCK_BITS;
/// The longest piece that every offset can have from a window.
pub(super) const OVERLAP: usize = 4096;
const WINDOWS: usize = 128;

/// A file as the windows see it.
pub(super) struct Source {
    pub(super) id: u32,
    pub(super) len: u64,
    pub(super) bytes: Box<dyn ReadAt>,
}

struct Window {
    file: u32,
    block: u64,
    valid: usize,
    data: Vec<u8>,
}

/// The window pool; also counts what was read.
pub(super) struct Windows {
    slots: Vec<Window>,
    pub(super) reads: u64,
    pub(super) bytes: u64,
}

impl Windows {
    pub(super) fn new() -> Self {
        let empty = || Window {
            file: u32::MAX,
            block: 0,
            valid: 0,
            data: Vec::new(),
        };
        Self {
            slots: (0..WINDOWS).map(|_| empty()).collect(),
            reads: 0,
            bytes: 0,
        }
    }

    /// The bytes at `offset`, at least `need` of them (at most [`OVERLAP`]) and as many as the window holds.
    pub(super) fn at(&mut self, source: &Source, offset: u64, need: usize) -> Result<&[u8], Fault> {
        let block = offset >> BLOCK_BITS;
        // Files start apart, so that the heads of several files do not push each other out.
        let index = (block.wrapping_add(u64::from(source.id) * 37) % WINDOWS as u64) as usize;
        let slot = &mut self.slots[index];
        if slot.file != source.id || slot.block != block {
            self.reads += 1;
            load(slot, source, block)?;
            self.bytes += slot.valid as u64;
        }
        let from = (offset & (BLOCK as u64 - 1)) as usize;
        match slot.data[..slot.valid].get(from..) {
            Some(bytes) if bytes.len() >= need => Ok(bytes),
            _ => Err(Fault::new(offset, "beyond the end of the file")),
        }
    }

    /// Forgets what is known of a file from `from` on: it has been written there since.
    pub(super) fn forget(&mut self, file: u32, from: u64) {
        for slot in self.slots.iter_mut().filter(|slot| slot.file == file) {
            if (slot.block << BLOCK_BITS) + (BLOCK + OVERLAP) as u64 > from {
                slot.file = u32::MAX;
            }
        }
    }

    /// Appends `count` bytes at `offset` to `out`, past the windows where they do not hold them. The caller caps `count`.
    pub(super) fn copy(&mut self, source: &Source, offset: u64, count: usize, out: &mut Vec<u8>) -> Result<(), Fault> {
        if offset.checked_add(count as u64).is_none_or(|end| end > source.len) {
            return Err(Fault::new(offset, "beyond the end of the file"));
        }
        let window = self.at(source, offset, count.min(OVERLAP))?;
        if let Some(bytes) = window.get(..count) {
            out.extend_from_slice(bytes);
            return Ok(());
        }
        let from = out.len();
        out.resize(from + count, 0);
        let got = source.bytes.fill_at(&mut out[from..], offset);
        self.reads += 1;
        self.bytes += count as u64;
        match got {
            Ok(got) if got == count => Ok(()),
            other => {
                out.truncate(from);
                Err(Fault::new(
                    offset,
                    other.map_or_else(|e| format!("read: {e}"), |_| "file shrank".to_owned()),
                ))
            }
        }
    }
}

fn load(slot: &mut Window, source: &Source, block: u64) -> Result<(), Fault> {
    slot.file = u32::MAX;
    slot.data.resize(BLOCK + OVERLAP, 0);
    let offset = block << BLOCK_BITS;
    slot.valid = source
        .bytes
        .fill_at(&mut slot.data, offset)
        .map_err(|e| Fault::new(offset, format!("read: {e}")))?;
    slot.file = source.id;
    slot.block = block;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{OVERLAP, Source, Windows};

    #[test]
    fn gives_pieces_across_blocks_and_none_beyond_the_end() {
        let bytes: Vec<u8> = (0..100_000_u32).map(|i| (i % 251) as u8).collect();
        let source = Source {
            id: 0,
            len: 100_000,
            bytes: Box::new(bytes.clone()),
        };
        let mut windows = Windows::new();
        for offset in [0_u64, 16_383, 16_384, 90_000, 95_904] {
            let piece = &windows.at(&source, offset, OVERLAP).unwrap()[..OVERLAP];
            assert_eq!(piece, &bytes[offset as usize..offset as usize + OVERLAP]);
        }
        assert!(windows.at(&source, 99_999, 2).is_err());
        assert!(windows.at(&source, u64::MAX, 1).is_err());
        let mut out = vec![9];
        windows.copy(&source, 5, 60_000, &mut out).unwrap();
        assert_eq!(out[1..], bytes[5..60_005]);
        assert!(windows.copy(&source, 90_000, 10_001, &mut out).is_err());
    }
}
