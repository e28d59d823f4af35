//! `journalctl -o export`: fields of an entry one a line, or with a length where the value is binary.

use std::io::{self, BufRead, Read};

use super::entry::Received;
use super::lines::{self, MAX_LINE};
use crate::model::input::cut;

/// How many fields of one entry are kept; journald allows 1024.
const MAX_FIELDS: usize = 1024;

/// The fields of one entry, with memory that is used again.
#[derive(Debug, Default)]
pub(super) struct Fields {
    names: Vec<(usize, usize, usize)>,
    bytes: Vec<u8>,
    pub(super) received: Received,
    pub(super) cursor: Option<String>,
}

impl Fields {
    pub(super) fn clear(&mut self) {
        self.names.clear();
        self.bytes.clear();
        self.cursor = None;
        self.received = Received::default();
    }

    /// Keeps a field if it is wanted, and reads what journald sets about the entry itself.
    pub(super) fn push(&mut self, name: &[u8], value: &[u8]) {
        let text = || std::str::from_utf8(value).unwrap_or_default();
        match name {
            b"__CURSOR" => self.cursor = Some(cut(text(), 256).to_owned()),
            b"__REALTIME_TIMESTAMP" => self.received.realtime = text().parse::<i64>().unwrap_or(0).clamp(0, 1 << 60),
            b"__MONOTONIC_TIMESTAMP" => self.received.monotonic = text().parse().ok(),
            b"_BOOT_ID" => self.received.boot = boot_id(value),
            _ if self.names.len() < MAX_FIELDS && self.bytes.len() < 4 * MAX_LINE => {
                let start = self.bytes.len();
                self.bytes.extend_from_slice(name);
                let middle = self.bytes.len();
                self.bytes.extend_from_slice(&value[..value.len().min(MAX_LINE)]);
                self.names.push((start, middle, self.bytes.len()));
            }
            _ => {}
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.names
            .iter()
            .map(|(start, middle, end)| (&self.bytes[*start..*middle], &self.bytes[*middle..*end]))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

fn boot_id(hex: &[u8]) -> Option<[u8; 16]> {
    let digit = |c: u8| (c as char).to_digit(16).map(|d| d as u8);
    let mut id = [0; 16];
    if hex.len() != 32 {
        return None;
    }
    for (byte, pair) in id.iter_mut().zip(hex.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(id)
}

/// Reads the next entry; `false` at the end. `line` counts lines.
pub(super) fn next(
    reader: &mut dyn BufRead,
    fields: &mut Fields,
    buf: &mut Vec<u8>,
    line: &mut u64,
) -> io::Result<bool> {
    fields.clear();
    loop {
        if !lines::next_line(reader, buf, MAX_LINE)? {
            return Ok(!fields.is_empty());
        }
        *line += 1;
        if buf.is_empty() {
            if fields.is_empty() {
                continue;
            }
            return Ok(true);
        }
        if let Some(at) = memchr::memchr(b'=', buf) {
            fields.push(&buf[..at], &buf[at + 1..]);
        } else {
            binary(reader, fields, buf, line)?;
        }
    }
}

/// The value of the field whose name is in `buf`: 64 bits of length, the bytes, a newline.
fn binary(mut reader: &mut dyn BufRead, fields: &mut Fields, buf: &mut Vec<u8>, line: &mut u64) -> io::Result<()> {
    let name = std::mem::take(buf);
    let mut length = [0; 8];
    reader.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    let kept = length.min(MAX_LINE as u64);
    (&mut reader).take(kept).read_to_end(buf)?;
    let skipped = io::copy(&mut (&mut reader).take(length - kept), &mut io::sink())?;
    if (buf.len() as u64) < kept || skipped < length - kept {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    fields.push(&name, buf);
    *line += memchr::memchr_iter(b'\n', buf).count() as u64 + 1;
    let mut newline = [0];
    reader.read_exact(&mut newline)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_binary_fields() {
        let mut sample = b"__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=1795386914835960\n__MONOTONIC_TIMESTAMP=152358347\n\
            _BOOT_ID=e17fd84d349c469a81f2dad195a9e94d\nMESSAGE\n"
            .to_vec();
        sample.extend_from_slice(&3_u64.to_le_bytes());
        sample.extend_from_slice(b"a\nb\n_PID=1\n\n");
        let (mut fields, mut buf, mut line) = (Fields::default(), Vec::new(), 0);
        let mut reader = sample.as_slice();
        assert!(next(&mut reader, &mut fields, &mut buf, &mut line).unwrap());
        assert_eq!(
            fields.iter().collect::<Vec<_>>(),
            [(&b"MESSAGE"[..], &b"a\nb"[..]), (b"_PID", b"1")]
        );
        assert_eq!(
            (fields.received.realtime, fields.received.monotonic),
            (1_795_386_914_835_960, Some(152_358_347))
        );
        assert_eq!(fields.received.boot.unwrap()[0], 0xe1);
        assert!(!next(&mut reader, &mut fields, &mut buf, &mut line).unwrap());
    }
}
