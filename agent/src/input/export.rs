//! The journal export format (systemd, `JOURNAL_EXPORT_FORMATS.md`): `NAME=value` lines, binary values behind a 64-bit
//! little-endian length, an empty line after each entry.

use std::io::{self, BufRead, Read};

use super::record::Record;

/// A field longer than this is passed over; nothing of it counts.
const FIELD: u64 = 1024 * 1024;

/// One entry's fields that count, owned.
#[derive(Debug, Default)]
pub struct Entry {
    fields: Vec<(String, String)>,
    /// `__CURSOR`.
    pub cursor: Option<String>,
    wall: Option<i64>,
    monotonic: Option<i64>,
}

impl Entry {
    /// The entry as a record.
    pub fn record(&self) -> Record<'_> {
        let mut record =
            Record { wall: self.wall, monotonic: self.monotonic, trusted: true, ..Record::default() };
        for (name, value) in &self.fields {
            record.set(name, value);
        }
        record
    }

    /// Sets a field by its name in the export format; `__` fields are the entry's address.
    pub fn set(&mut self, name: &str, value: &[u8]) {
        let text = || String::from_utf8_lossy(value).into_owned();
        match name {
            "__CURSOR" => self.cursor = Some(text()),
            "__REALTIME_TIMESTAMP" => self.wall = text().parse().ok(),
            "__MONOTONIC_TIMESTAMP" => self.monotonic = text().parse().ok(),
            // Of a field that is given twice the first counts.
            _ if Record::FIELDS.contains(&name) && !self.fields.iter().any(|(n, _)| n == name) => {
                self.fields.push((name.to_owned(), text()));
            }
            _ => {}
        }
    }

    /// Whether it holds anything.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.wall.is_none()
    }
}

/// Reads the next entry; `None` at the end. An entry that the end cuts off is given as far as it goes.
pub fn read_entry(input: &mut dyn BufRead) -> io::Result<Option<Entry>> {
    let mut entry = Entry::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        let n = input.take(FIELD).read_until(b'\n', &mut line)?;
        if n == 0 {
            return Ok((!entry.is_empty()).then_some(entry));
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        } else {
            skip_line(input)?;
        }
        if line.is_empty() {
            if entry.is_empty() {
                continue;
            }
            return Ok(Some(entry));
        }
        match line.iter().position(|b| *b == b'=') {
            Some(at) => entry.set(&String::from_utf8_lossy(&line[..at]), &line[at + 1..]),
            None => {
                let name = String::from_utf8_lossy(&line).into_owned();
                let Some(value) = read_binary(input)? else { return Ok((!entry.is_empty()).then_some(entry)) };
                entry.set(&name, &value);
            }
        }
    }
}

/// The rest of a line that is longer than [`FIELD`].
fn skip_line(input: &mut dyn BufRead) -> io::Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        match memchr::memchr(b'\n', buffer) {
            Some(at) => {
                input.consume(at + 1);
                return Ok(());
            }
            None => {
                let n = buffer.len();
                input.consume(n);
            }
        }
    }
}

fn read_binary(input: &mut dyn BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 8];
    if input.read_exact(&mut length).is_err() {
        return Ok(None);
    }
    let length = u64::from_le_bytes(length);
    let mut value = Vec::new();
    input.take(length.min(FIELD)).read_to_end(&mut value)?;
    if length > FIELD {
        io::copy(&mut input.take(length - FIELD), &mut io::sink())?;
    }
    // The newline after the value.
    io::copy(&mut input.take(1), &mut io::sink())?;
    Ok(Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_text_and_binary_fields() {
        let mut data = b"__CURSOR=c\n__REALTIME_TIMESTAMP=5\n_PID=1\nMESSAGE\n".to_vec();
        data.extend(3u64.to_le_bytes());
        data.extend(b"a\nb\n\n\n_PID=2\nMESSAGE=x\n");
        let mut input = io::BufReader::new(&data[..]);
        let first = read_entry(&mut input).unwrap().unwrap();
        assert_eq!((first.record().text, first.record().wall, first.record().sender.pid), ("a\nb", Some(5), Some(1)));
        let second = read_entry(&mut input).unwrap().unwrap();
        assert_eq!(second.record().text, "x");
        assert!(read_entry(&mut input).unwrap().is_none());
    }

    #[test]
    fn a_length_that_lies_ends_the_input() {
        let mut data = b"MESSAGE\n".to_vec();
        data.extend(u64::MAX.to_le_bytes());
        data.extend(b"short");
        let mut input = io::BufReader::new(&data[..]);
        assert_eq!(read_entry(&mut input).unwrap().unwrap().record().text, "short");
        assert!(read_entry(&mut input).unwrap().is_none());
    }
}
