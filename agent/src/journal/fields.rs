//! The wanted fields of one entry, in buffers that the next entry reuses.

use super::entry::{Entry, Span};
use super::file::items;
use super::merge::Stamp;
use super::problem::Fault;
use super::reader::{Layout, Reader, Wanted};

/// Bytes of one entry's fields behind which no further field is begun; fields beyond are left out and the entry is marked as cut.
const ENTRY_BYTES: usize = 1 << 20;

/// The fields of the entry that was read last.
#[derive(Default)]
pub(super) struct Fields {
    offsets: Vec<u64>,
    buffer: Vec<u8>,
    spans: Vec<Span>,
}

impl Fields {
    /// Reads them; true where one was cut or left out. What could not be read is told to `faults`.
    #[expect(clippy::too_many_arguments, reason = "what of the set the fields are read with")]
    pub(super) fn read(
        &mut self,
        layout: &Layout,
        reader: &mut Reader,
        wanted: &Wanted,
        stamp: &Stamp,
        faults: &mut Vec<Fault>,
    ) -> bool {
        self.offsets.clear();
        self.buffer.clear();
        self.spans.clear();
        let mut truncated = false;
        if let Err(fault) = items(layout, reader, stamp, &mut self.offsets) {
            faults.push(fault);
            truncated = true;
        }
        for &offset in &self.offsets {
            let start = self.buffer.len();
            if start >= ENTRY_BYTES {
                faults.push(Fault::new(stamp.offset, "entry is too large: fields left out"));
                return true;
            }
            match reader.field(layout, offset, wanted, &mut self.buffer) {
                Ok(Some(field)) => {
                    truncated |= field.cut;
                    self.spans.push(Span {
                        start,
                        name: field.name,
                        end: self.buffer.len(),
                    });
                }
                Ok(None) => {}
                Err(fault) => {
                    faults.push(fault);
                    self.buffer.truncate(start);
                    truncated = true;
                }
            }
        }
        truncated
    }

    /// The entry that was read.
    pub(super) fn entry<'a>(&'a self, stamp: &Stamp, file: &'a str) -> Entry<'a> {
        Entry::new(stamp, file, &self.buffer, &self.spans)
    }
}
