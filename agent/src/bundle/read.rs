//! Reads a bundle. One that was cut short gives what is there, and says so.

use std::io::{BufRead, BufReader, Read};

use flate2::read::GzDecoder;
use serde::Deserialize;

use super::{Foot, Head, VERSION};
use crate::model::input::Input;

/// A line is not longer than this: 8 KiB of text and its facts, escaped.
const LINE: u64 = 1 << 20;
/// A bundle holds no more inputs than this; more is no bundle of ours.
const INPUTS: u64 = 5_000_000;

/// Why a bundle cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It cannot be unpacked or read.
    #[error("cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// It is none.
    #[error("line 1: expected the head of a bundle, {{\"whynotready_bundle\":\"1.0\",…}}")]
    NoHead,
    /// It is of another version.
    #[error("line 1: whynotready_bundle: version {found}, this program reads {VERSION}")]
    Version {
        /// Its version.
        found: String,
    },
    /// A line is no input.
    #[error("line {line}: expected an input: {why}")]
    Line {
        /// From 1, in the unpacked text.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
}

#[derive(Deserialize)]
struct Last {
    foot: Foot,
}

/// Whether these first bytes of an unpacked file are a bundle's.
pub fn is_head(head: &[u8]) -> bool {
    head.starts_with(b"{\"whynotready_bundle\"")
}

/// Whether these first bytes of a file are a packed bundle's.
pub fn is_packed(head: &[u8]) -> bool {
    let mut start = [0; 21];
    head.starts_with(&[0x1f, 0x8b]) && GzDecoder::new(head).read_exact(&mut start).is_ok() && is_head(&start)
}

/// Hands every input to `sink`; `None` where the bundle ends before its foot.
pub fn read(packed: impl Read, sink: &mut dyn FnMut(Input)) -> Result<Option<Foot>, Fault> {
    let mut lines = BufReader::new(GzDecoder::new(packed));
    let mut line = Vec::new();
    if !next(&mut lines, &mut line)? {
        return Err(Fault::NoHead);
    }
    let head: Head = serde_json::from_slice(&line).map_err(|_| Fault::NoHead)?;
    let major = |version: &str| version.split('.').next().map(str::to_owned);
    if major(&head.whynotready_bundle) != major(VERSION) {
        return Err(Fault::Version {
            found: head.whynotready_bundle,
        });
    }
    for number in 2..INPUTS {
        match next(&mut lines, &mut line) {
            Ok(true) => {}
            // Cut short: by the end of the file or in the middle of a packed block.
            Ok(false) | Err(_) => return Ok(None),
        }
        if line.starts_with(b"{\"foot\"") {
            let last: Last = serde_json::from_slice(&line).map_err(|e| fault(number, &e))?;
            return Ok(Some(last.foot));
        }
        match serde_json::from_slice(&line) {
            Ok(input) => sink(input),
            Err(e) if e.is_eof() => return Ok(None),
            Err(e) => return Err(fault(number, &e)),
        }
    }
    Ok(None)
}

fn fault(line: u64, error: &serde_json::Error) -> Fault {
    Fault::Line {
        line,
        why: error.to_string(),
    }
}

fn next(lines: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<bool> {
    line.clear();
    Ok(lines.take(LINE).read_until(b'\n', line)? > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::write::Writer;
    use crate::model::time::{Moment, Timestamp};

    fn bundle(inputs: &[Input]) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new()).unwrap();
        for input in inputs {
            writer.input(input).unwrap();
        }
        writer.finish(Foot::default()).unwrap()
    }

    fn some() -> Vec<Input> {
        let at = |t| Moment { t, wall: Timestamp(t) };
        vec![Input::Tick(at(1)), Input::End(at(2))]
    }

    #[test]
    fn what_was_written_is_read() {
        let packed = bundle(&some());
        assert!(is_packed(&packed));
        let mut got = Vec::new();
        let foot = read(&packed[..], &mut |i| got.push(i)).unwrap().unwrap();
        assert_eq!((got, foot.inputs), (some(), 2));
    }

    #[test]
    fn a_bundle_that_was_cut_short_gives_what_is_there() {
        let packed = bundle(&some());
        assert_eq!(read(&packed[..packed.len() - 20], &mut |_| {}).unwrap(), None);
    }

    #[test]
    fn another_file_is_refused_with_the_line() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(
            &mut encoder,
            b"{\"whynotready_bundle\":\"1.0\",\"agent\":\"x\"}\n{\"input\":\"no\"}\n",
        )
        .unwrap();
        let error = read(&encoder.finish().unwrap()[..], &mut |_| {})
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("line 2: expected an input"), "{error}");
    }
}
