//! A packed journal where it can be read at random: in memory up to a bound for all of them together, else in an
//! unlinked temporary file.

use std::io::{self, Read, Write};

use crate::journal::ReadAt;

/// What all unpacked journals may hold in memory together.
pub(super) const MEMORY: usize = 32 << 20;

/// Reads to the end. `budget` is what is left of [`MEMORY`]. The reader is bounded by `compress::MAX_UNPACKED`; an error
/// in the middle (a truncated download) keeps what there is and is returned beside it.
pub(super) fn spool(reader: &mut dyn Read, budget: &mut usize) -> io::Result<(Box<dyn ReadAt>, Option<io::Error>)> {
    let mut memory = Vec::new();
    let mut damage = reader.take(*budget as u64 + 1).read_to_end(&mut memory).err();
    if damage.is_some() || memory.len() <= *budget {
        *budget -= memory.len().min(*budget);
        memory.shrink_to_fit();
        return Ok((Box::new(memory), damage));
    }
    let mut file = tempfile::tempfile().map_err(|e| {
        io::Error::new(
            e.kind(),
            format!("no temporary file for what exceeds 32 MiB (set TMPDIR): {e}"),
        )
    })?;
    file.write_all(&memory)?;
    drop(memory);
    let mut buf = vec![0_u8; 128 * 1024];
    loop {
        match reader.read(&mut buf) {
            Ok(0) => break,
            Ok(n) => file.write_all(&buf[..n])?,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => {
                damage = Some(e);
                break;
            }
        }
    }
    Ok((Box::new(file), damage))
}
