//! Random access to bytes: a file, or a buffer that a compressed journal was expanded into.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Bytes that can be read at any offset without a cursor. Reads never move anything and may be short.
pub trait ReadAt: Send {
    /// Reads up to `buffer.len()` bytes at `offset`; 0 at or after the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Length in bytes now.
    fn size(&self) -> io::Result<u64>;

    /// Says that the bytes from `offset` on are not needed again soon, so that reading them need not push out others'
    /// pages. A hint.
    fn release(&self, offset: u64, count: u64) {
        let _ = (offset, count);
    }

    /// Fills `buffer` as far as the bytes go, retrying short and interrupted reads; the number of bytes filled.
    fn fill_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            match self.read_at(&mut buffer[done..], offset.saturating_add(done as u64)) {
                Ok(0) => break,
                Ok(n) => done += n.min(buffer.len() - done),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }
}

impl ReadAt for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, buffer, offset)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn release(&self, offset: u64, count: u64) {
        let count = std::num::NonZeroU64::new(count);
        let _ = rustix::fs::fadvise(self, offset, count, rustix::fs::Advice::DontNeed);
    }
}

impl ReadAt for Vec<u8> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(self.len());
        let count = buffer.len().min(self.len() - from);
        buffer[..count].copy_from_slice(&self[from..from + count]);
        Ok(count)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::ReadAt;

    #[test]
    fn a_buffer_ends_where_it_ends() {
        let bytes = vec![1_u8, 2, 3];
        let mut buffer = [0_u8; 4];
        assert_eq!(bytes.fill_at(&mut buffer, 1).unwrap(), 2);
        assert_eq!(buffer, [2, 3, 0, 0]);
        assert_eq!(bytes.fill_at(&mut buffer, u64::MAX).unwrap(), 0);
        assert_eq!(bytes.size().unwrap(), 3);
    }
}
