//! Walks a chain of `ENTRY_ARRAY` objects: the file's own, or that of one DATA object. Bounded because `next` must grow.

use super::format::{ARRAY_HEADER, ENTRY_ARRAY, u32_at, u64_at};
use super::problem::Fault;
use super::reader::{Layout, Reader};

/// A position in a chain of entry arrays, with one entry in front of it for DATA objects.
#[derive(Debug, Clone, Default)]
pub(super) struct Chain {
    first: u64,
    array: u64,
    loaded: bool,
    count: u64,
    index: u64,
    next: u64,
}

impl Chain {
    /// `first` is an entry's offset or 0; `array` the first array's offset or 0.
    pub(super) fn new(first: u64, array: u64) -> Self {
        Self {
            first,
            array,
            ..Self::default()
        }
    }

    /// The offset of the array that it is in, or of the one that follows the entry in front.
    pub(super) fn array(&self) -> u64 {
        self.array
    }

    /// The next entry's offset. Items that are 0 (not yet written, or a lost page) are passed over.
    pub(super) fn next(&mut self, file: &Layout, reader: &mut Reader) -> Result<Option<u64>, Fault> {
        if self.first != 0 {
            return Ok(Some(std::mem::take(&mut self.first)));
        }
        while self.array != 0 {
            self.load(file, reader)?;
            while self.index < self.count {
                let item = self.item(self.index, file, reader);
                self.index += 1;
                match item {
                    Ok(0) => {}
                    Ok(offset) => return Ok(Some(offset)),
                    Err(fault) => {
                        self.array = 0;
                        return Err(fault);
                    }
                }
            }
            self.follow();
        }
        Ok(None)
    }

    /// Passes over entries for which `early` holds, by whole arrays and then by bisection; the number passed over.
    pub(super) fn skip_while(
        &mut self,
        file: &Layout,
        reader: &mut Reader,
        mut early: impl FnMut(&mut Reader, u64) -> bool,
    ) -> Result<u64, Fault> {
        let mut skipped = 0;
        if self.first != 0 && early(reader, self.first) {
            self.first = 0;
            skipped += 1;
        }
        while self.array != 0 && self.first == 0 {
            self.load(file, reader)?;
            let mut is_early = |this: &Self, reader: &mut Reader, index| {
                this.item(index, file, reader)
                    .is_ok_and(|offset| offset != 0 && early(reader, offset))
            };
            if self.count == 0 || is_early(self, reader, self.count - 1) {
                skipped += self.count;
                self.follow();
                continue;
            }
            let (mut low, mut high) = (0, self.count - 1);
            while low < high {
                let middle = low + (high - low) / 2;
                if is_early(self, reader, middle) {
                    low = middle + 1;
                } else {
                    high = middle;
                }
            }
            self.index = low;
            return Ok(skipped + low);
        }
        Ok(skipped)
    }

    fn follow(&mut self) {
        *self = Self {
            array: self.next,
            ..Self::default()
        };
    }

    fn item(&self, index: u64, file: &Layout, reader: &mut Reader) -> Result<u64, Fault> {
        reader.steps += 1;
        let width = file.header.array_item();
        let bytes = reader
            .windows
            .at(&file.source, self.array + ARRAY_HEADER + index * width, width as usize)?;
        Ok(if width == 4 {
            u64::from(u32_at(bytes, 0))
        } else {
            u64_at(bytes, 0)
        })
    }

    fn load(&mut self, file: &Layout, reader: &mut Reader) -> Result<(), Fault> {
        if self.loaded {
            return Ok(());
        }
        let at = std::mem::take(&mut self.array);
        let (_, size) = reader.object(file, at, ENTRY_ARRAY)?;
        let bytes = reader.windows.at(&file.source, at, ARRAY_HEADER as usize)?;
        let next = u64_at(bytes, 16);
        if next != 0 && next <= at {
            return Err(Fault::new(at, format!("entry array points back to {next}")));
        }
        *self = Self {
            array: at,
            loaded: true,
            count: size.saturating_sub(ARRAY_HEADER) / file.header.array_item(),
            next,
            ..Self::default()
        };
        Ok(())
    }
}
