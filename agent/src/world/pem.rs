//! CERTIFICATE blocks out of PEM, line by line: a private key that shares the file is passed over and its line buffer is
//! wiped. Keys are never returned from here.

use std::io::{BufRead, BufReader, Read};

use zeroize::Zeroize;

use crate::host::{Host, Unreadable};

/// Bytes of a file that are looked at: 4 MiB; a CA bundle of a whole distribution has 0.3.
const FILE: u64 = 4 << 20;
/// Certificates kept of one file.
const CERTIFICATES: usize = 512;
/// A longer line ends the search: PEM has lines of 64.
const LINE: u64 = 16 << 10;

/// The certificates of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Certificates {
    /// Each certificate in DER, in the order of the file.
    pub der: Vec<Vec<u8>>,
    /// Whether the file has no byte.
    pub empty: bool,
    /// Whether blocks of another kind (keys) are in it.
    pub others: bool,
    /// Whether a CERTIFICATE block could not be decoded.
    pub broken: bool,
}

/// The certificates of a file of the node.
pub fn read(host: &Host, path: impl AsRef<std::path::Path>) -> Result<Certificates, Unreadable> {
    Ok(parse(host.open(path)?))
}

/// The certificates of a text.
pub fn parse(input: impl Read) -> Certificates {
    let mut found = Certificates {
        empty: true,
        ..Certificates::default()
    };
    let mut input = BufReader::with_capacity(4096, input.take(FILE));
    let mut line = Vec::new();
    let mut block: Option<Vec<u8>> = None;
    loop {
        line.zeroize();
        line.clear();
        match (&mut input).take(LINE).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => break,
            Ok(_) => found.empty = false,
        }
        let text = line.trim_ascii();
        if text == b"-----BEGIN CERTIFICATE-----" || text == b"-----BEGIN TRUSTED CERTIFICATE-----" {
            block = Some(Vec::new());
        } else if text.starts_with(b"-----BEGIN ") {
            found.others = true;
            block = None;
        } else if text.starts_with(b"-----END ") {
            if let Some(base64) = block.take() {
                match decode(&base64) {
                    Some(der) if found.der.len() < CERTIFICATES => found.der.push(der),
                    Some(_) => break,
                    None => found.broken = true,
                }
            }
        } else if let Some(base64) = &mut block {
            base64.extend(text.iter().filter(|b| !b.is_ascii_whitespace()));
        }
    }
    found.broken |= block.is_some();
    line.zeroize();
    found
}

/// Base64 (RFC 4648, padded) to bytes; `None` where it is none.
pub fn decode(base64: &[u8]) -> Option<Vec<u8>> {
    data_encoding::BASE64.decode(base64).ok().filter(|d| !d.is_empty())
}

/// DER certificates as PEM again, for what wants PEM.
pub fn encode(der: &[Vec<u8>]) -> Vec<u8> {
    let mut text = String::new();
    for one in der {
        text.push_str("-----BEGIN CERTIFICATE-----\n");
        let base64 = data_encoding::BASE64.encode(one);
        for chunk in base64.as_bytes().chunks(64) {
            text.push_str(&String::from_utf8_lossy(chunk));
            text.push('\n');
        }
        text.push_str("-----END CERTIFICATE-----\n");
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_passed_over() {
        let text = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n-----BEGIN CERTIFICATE-----\r\naGVs\r\nbG8=\r\n-----END CERTIFICATE-----\n";
        let found = parse(text.as_bytes());
        assert_eq!(found.der, vec![b"hello".to_vec()]);
        assert!(found.others && !found.empty && !found.broken);
        assert_eq!(parse(&*encode(&found.der)).der, found.der);
    }

    #[test]
    fn nothing_and_rubbish() {
        assert!(parse(&b""[..]).empty);
        let found = parse(&b"-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----\n"[..]);
        assert!(found.broken && found.der.is_empty());
        assert!(parse(&b"-----BEGIN CERTIFICATE-----\naGVs"[..]).broken);
        let long = vec![b'a'; 1 << 20];
        assert!(parse(&*long).der.is_empty());
    }
}
