//! Shared DATA objects by offset, so that a unit's name is read once and not once an entry. Bounded: 4096 small payloads
//! of up to 256 bytes (1.2 MiB at the very most) and four large ones that were expensive to expand.

const SMALL: usize = 4096;
const SMALL_BYTES: usize = 256;
const LARGE: usize = 4;

/// What is known of a DATA object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known<'a> {
    /// Its field is not one that the caller wants.
    Unwanted,
    /// Its payload, the length of the name in it, and whether it was cut.
    Field(&'a [u8], usize, bool),
}

#[derive(Debug, Default, Clone)]
struct Slot {
    /// 0 is no object: the header is there.
    offset: u64,
    file: u32,
    name: u16,
    wanted: bool,
    cut: bool,
    payload: Vec<u8>,
}

/// Direct-mapped: a newer object pushes out the one before it.
pub(super) struct Cache {
    small: Vec<Slot>,
    large: Vec<Slot>,
}

impl Cache {
    pub(super) fn new() -> Self {
        Self {
            small: vec![Slot::default(); SMALL],
            large: vec![Slot::default(); LARGE],
        }
    }

    pub(super) fn get(&self, file: u32, offset: u64) -> Option<Known<'_>> {
        let hit = |slot: &Slot| slot.offset == offset && slot.file == file;
        let slot = [&self.small[small_index(file, offset)], &self.large[large_index(offset)]]
            .into_iter()
            .find(|slot| hit(slot))?;
        Some(if slot.wanted {
            Known::Field(&slot.payload, usize::from(slot.name), slot.cut)
        } else {
            Known::Unwanted
        })
    }

    pub(super) fn put(&mut self, file: u32, offset: u64, known: Known<'_>) {
        let slot = match known {
            Known::Field(payload, ..) if payload.len() > SMALL_BYTES => &mut self.large[large_index(offset)],
            _ => &mut self.small[small_index(file, offset)],
        };
        slot.offset = offset;
        slot.file = file;
        slot.payload.clear();
        slot.wanted = false;
        if let Known::Field(payload, name, cut) = known {
            slot.wanted = true;
            slot.name = name as u16;
            slot.cut = cut;
            slot.payload.extend_from_slice(payload);
        }
    }
}

fn small_index(file: u32, offset: u64) -> usize {
    let mixed = ((offset >> 3) ^ (u64::from(file) << 40)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 52) as usize
}

fn large_index(offset: u64) -> usize {
    (offset >> 3) as usize % LARGE
}

#[cfg(test)]
mod tests {
    use super::{Cache, Known};

    #[test]
    fn keeps_files_and_sizes_apart() {
        let mut cache = Cache::new();
        let long = vec![b'x'; 5000];
        cache.put(0, 800, Known::Field(b"A=1", 1, false));
        cache.put(1, 808, Known::Unwanted);
        cache.put(0, 816, Known::Field(&long, 2, true));
        assert_eq!(cache.get(0, 800), Some(Known::Field(b"A=1", 1, false)));
        assert_eq!(cache.get(1, 800), None);
        assert_eq!(cache.get(1, 808), Some(Known::Unwanted));
        assert_eq!(cache.get(0, 816), Some(Known::Field(&long, 2, true)));
    }
}
