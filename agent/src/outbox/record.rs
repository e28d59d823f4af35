//! What is stored of a change: its JSON, deflated, and a key made of its uid. Never longer than the store's limit: what
//! does not fit loses its past before it loses its present.

use std::hash::Hasher;
use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use siphasher::sip128::{Hasher128, SipHasher13};

use crate::model::change::Change;

/// A record's JSON is not longer than this when it is read back: 8 MiB (damaged or forged data can't fill memory).
const UNPACKED: u64 = 8 << 20;

/// Why a record can't be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unpack {
    /// Its JSON is not that of a change.
    #[error("a stored change can't be read: {0}")]
    Json(#[from] serde_json::Error),
    /// It does not unpack.
    #[error("a stored change can't be unpacked: {0}")]
    Deflate(#[from] std::io::Error),
}

/// What a uid is known by: a hash of 128 bits, so that memory and disk hold 16 bytes instead of the text.
pub(super) fn key(uid: &str) -> u128 {
    let mut hasher = SipHasher13::new_with_keys(0x7768_796e_6f74_7265, 0x6164_796f_7574_626f);
    hasher.write(uid.as_bytes());
    hasher.finish128().as_u128()
}

/// The record, `limit` bytes at most. What is left out of a diagnosis that is too long, in this order: ended episodes
/// and gaps, what was ruled out and all but the first evidence, the findings.
pub(super) fn pack(change: &Change, limit: usize) -> Vec<u8> {
    let full = deflate(change);
    if full.len() <= limit {
        return full;
    }
    let mut less = change.clone();
    less.diagnosis.episodes.clear();
    less.diagnosis.gaps.clear();
    let packed = deflate(&less);
    if packed.len() <= limit {
        return packed;
    }
    for finding in &mut less.diagnosis.findings {
        finding.evidence.truncate(1);
        finding.ruled_out.clear();
        finding.missing.clear();
    }
    less.diagnosis.candidates.clear();
    let packed = deflate(&less);
    if packed.len() <= limit {
        return packed;
    }
    less.diagnosis.findings.clear();
    less.text = less.text.chars().take(1000).collect();
    deflate(&less)
}

/// The change again.
pub(super) fn unpack(record: &[u8]) -> Result<Change, Unpack> {
    let mut json = Vec::new();
    DeflateDecoder::new(record).take(UNPACKED).read_to_end(&mut json)?;
    Ok(serde_json::from_slice(&json)?)
}

fn deflate(change: &Change) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    // Neither can fail: a change is plain data with text keys, and the sink is memory.
    if let Ok(json) = serde_json::to_vec(change) {
        let _ = encoder.write_all(&json);
    }
    encoder.finish().unwrap_or_default()
}
