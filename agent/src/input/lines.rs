//! Lines of a stream, each held up to a bound and the rest of it thrown away.

use std::io::{self, BufRead};

/// The longest line that is kept; journald splits the output of services at 48 KiB.
pub(super) const MAX_LINE: usize = 64 * 1024;

/// Reads the next line without its end into `buf`; `false` at the end of the stream.
pub(super) fn next_line(reader: &mut dyn BufRead, buf: &mut Vec<u8>, max: usize) -> io::Result<bool> {
    buf.clear();
    let mut any = false;
    loop {
        let chunk = match reader.fill_buf() {
            Ok(chunk) => chunk,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        if chunk.is_empty() {
            break;
        }
        any = true;
        let end = memchr::memchr(b'\n', chunk);
        let part = &chunk[..end.unwrap_or(chunk.len())];
        buf.extend_from_slice(&part[..part.len().min(max - buf.len().min(max))]);
        let used = part.len() + usize::from(end.is_some());
        reader.consume(used);
        if end.is_some() {
            break;
        }
    }
    if buf.last() == Some(&b'\r') {
        buf.pop();
    }
    Ok(any)
}
