//! Expands the payload of a compressed DATA object, up to a cap: a longer value is cut, never refused.

use std::io::Read;

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use xz4rust::{XzDecoder, XzNextBlockResult};

use super::zstd_bound::keeps_to_blocks;

/// Largest window or dictionary that is accepted. systemd compresses XZ with a 1 MiB dictionary and ZSTD at level 3,
/// whose window is 2 MiB.
const WINDOW_MAX: u64 = 2 << 20;
/// Decoders that grew beyond this are not kept.
const WINDOW_KEPT: u64 = 256 << 10;

/// How a payload is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    Plain,
    Xz,
    Lz4,
    Zstd,
}

impl Codec {
    /// From an object's flags; `None` where more than one bit or an unknown one is set.
    pub(super) fn of(flags: u8) -> Option<Self> {
        match flags {
            0 => Some(Self::Plain),
            1 => Some(Self::Xz),
            2 => Some(Self::Lz4),
            4 => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// Bytes of compressed input that may be needed for `cap` bytes of output.
pub(super) fn input_limit(cap: usize) -> usize {
    cap.saturating_add(cap / 128).saturating_add(512 << 10)
}

/// Keeps a decoder between payloads.
#[derive(Default)]
pub(super) struct Expander {
    zstd: Option<FrameDecoder>,
}

impl Expander {
    /// Appends at most `cap` bytes of the expanded `input` to `out`; true where there is more.
    pub(super) fn expand(
        &mut self,
        codec: Codec,
        input: &[u8],
        cap: usize,
        out: &mut Vec<u8>,
    ) -> Result<bool, &'static str> {
        match codec {
            Codec::Plain => {
                out.extend_from_slice(&input[..input.len().min(cap)]);
                Ok(input.len() > cap)
            }
            Codec::Lz4 => lz4(input, cap, out),
            Codec::Zstd => self.zstd(input, cap, out),
            Codec::Xz => xz(input, cap, out),
        }
    }

    fn zstd(&mut self, mut input: &[u8], cap: usize, out: &mut Vec<u8>) -> Result<bool, &'static str> {
        const BAD: &str = "broken ZSTD payload";
        let window = zstd_window(input).ok_or(BAD)?;
        if window > WINDOW_MAX {
            return Err("ZSTD window larger than systemd uses");
        }
        // The decoder holds back a window's worth of what it has.
        if !keeps_to_blocks(input, cap.saturating_add(WINDOW_MAX as usize)) {
            return Err(BAD);
        }
        // Taken out while in use: a decoder that failed is not used again.
        let mut decoder = self.zstd.take().unwrap_or_default();
        decoder.reset(&mut input).map_err(|_| BAD)?;
        while !decoder.is_finished() && decoder.can_collect() <= cap {
            decoder
                .decode_blocks(&mut input, BlockDecodingStrategy::UptoBlocks(1))
                .map_err(|_| BAD)?;
        }
        let available = decoder.can_collect();
        let from = out.len();
        out.resize(from + available.min(cap), 0);
        let got = decoder.read(&mut out[from..]).map_err(|_| BAD)?;
        out.truncate(from + got);
        if window <= WINDOW_KEPT && available < WINDOW_KEPT as usize {
            self.zstd = Some(decoder);
        }
        Ok(available > cap)
    }
}

/// The window that a ZSTD frame asks for (RFC 8878, 3.1.1.1), because the decoder allocates it at once.
fn zstd_window(input: &[u8]) -> Option<u64> {
    if !input.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return None;
    }
    let descriptor = *input.get(4)?;
    if descriptor & 0x20 == 0 {
        let byte = u64::from(*input.get(5)?);
        let base = 1_u64 << (10 + (byte >> 3));
        return Some(base + (base / 8) * (byte & 7));
    }
    // Single segment: the window is the content.
    let at = 5 + [0, 1, 2, 4][usize::from(descriptor & 3)];
    let field = |n: usize| {
        Some(
            input
                .get(at..at + n)?
                .iter()
                .rev()
                .fold(0_u64, |all, b| (all << 8) | u64::from(*b)),
        )
    };
    match descriptor >> 6 {
        0 => field(1),
        1 => Some(field(2)? + 256),
        2 => field(4),
        _ => field(8),
    }
}

/// 8 bytes of size, little endian, then one LZ4 block. Decoded here because a cut value needs a decoder that stops.
fn lz4(input: &[u8], cap: usize, out: &mut Vec<u8>) -> Result<bool, &'static str> {
    const BAD: &str = "broken LZ4 payload";
    let size = input
        .get(..8)
        .and_then(|b| b.try_into().ok())
        .map(u64::from_le_bytes)
        .ok_or(BAD)?;
    let start = out.len();
    let end = start + cap.min(usize::try_from(size).unwrap_or(usize::MAX));
    let mut rest = &input[8..];
    while out.len() < end {
        let (&token, after) = rest.split_first().ok_or(BAD)?;
        rest = after;
        let literals = lz4_length(usize::from(token >> 4), &mut rest).ok_or(BAD)?;
        let wanted = literals.min(end - out.len());
        out.extend_from_slice(rest.get(..wanted).ok_or(BAD)?);
        if out.len() == end {
            break;
        }
        rest = rest.get(literals..).ok_or(BAD)?;
        let (distance, after) = rest.split_at_checked(2).ok_or(BAD)?;
        rest = after;
        let distance = usize::from(u16::from_le_bytes([distance[0], distance[1]]));
        let count = lz4_length(usize::from(token & 15), &mut rest)
            .ok_or(BAD)?
            .saturating_add(4);
        if distance == 0 || distance > out.len() - start {
            return Err(BAD);
        }
        for _ in 0..count.min(end - out.len()) {
            out.push(out[out.len() - distance]);
        }
    }
    Ok(size > cap as u64)
}

fn lz4_length(nibble: usize, rest: &mut &[u8]) -> Option<usize> {
    let mut length = nibble;
    if nibble == 15 {
        loop {
            let (&byte, after) = rest.split_first()?;
            *rest = after;
            length = length.checked_add(usize::from(byte))?;
            if byte != 255 {
                break;
            }
        }
    }
    Some(length)
}

fn xz(input: &[u8], cap: usize, out: &mut Vec<u8>) -> Result<bool, &'static str> {
    const BAD: &str = "broken XZ payload";
    let mut decoder = XzDecoder::in_heap_with_alloc_dict_size(64 << 10, WINDOW_MAX as usize);
    let start = out.len();
    out.resize(start + cap, 0);
    let (mut read, mut written) = (0, 0);
    let done = loop {
        match decoder.decode(&input[read..], &mut out[start + written..]) {
            Ok(XzNextBlockResult::EndOfStream(_, produced)) => {
                written += produced;
                break Ok(false);
            }
            Ok(XzNextBlockResult::NeedMoreData(consumed, produced)) => {
                read += consumed;
                written += produced;
                if written == cap {
                    // A value of exactly the cap ends here too, unless only the stream's trailer is left.
                    break more_xz(&mut decoder, &input[read..]);
                }
                if consumed == 0 && produced == 0 {
                    break Err(BAD);
                }
            }
            Err(_) => break Err(BAD),
        }
    };
    out.truncate(start + written);
    done
}

/// Whether a stream that filled its output has another byte.
fn more_xz(decoder: &mut XzDecoder<'_>, mut input: &[u8]) -> Result<bool, &'static str> {
    let mut byte = [0_u8; 1];
    loop {
        match decoder.decode(input, &mut byte) {
            Ok(XzNextBlockResult::NeedMoreData(consumed, 0)) if consumed > 0 => input = &input[consumed..],
            Ok(XzNextBlockResult::EndOfStream(_, 0)) => return Ok(false),
            _ => return Ok(true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Codec, Expander};

    fn expand(codec: Codec, input: &[u8], cap: usize) -> Result<(Vec<u8>, bool), &'static str> {
        let mut out = b"before".to_vec();
        let cut = Expander::default().expand(codec, input, cap, &mut out)?;
        assert_eq!(&out[..6], b"before");
        Ok((out.split_off(6), cut))
    }

    #[test]
    fn lz4_agrees_with_lz4_flex_and_cuts() {
        let text: Vec<u8> = (0..3000_u32)
            .flat_map(|i| format!("line {} of {}\n", i % 70, i).into_bytes())
            .collect();
        let mut input = (text.len() as u64).to_le_bytes().to_vec();
        input.extend(lz4_flex::block::compress(&text));
        assert_eq!(expand(Codec::Lz4, &input, 1 << 20).unwrap(), (text.clone(), false));
        for cap in [0, 1, 100, text.len() - 1] {
            assert_eq!(expand(Codec::Lz4, &input, cap).unwrap(), (text[..cap].to_vec(), true));
        }
        assert!(expand(Codec::Lz4, &input[..input.len() / 2], 1 << 20).is_err());
    }

    #[test]
    fn zstd_that_asks_for_too_much_is_refused_before_it_allocates() {
        let input = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xff, 0, 0, 0];
        assert_eq!(
            expand(Codec::Zstd, &input, 100),
            Err("ZSTD window larger than systemd uses")
        );
        assert!(expand(Codec::Zstd, b"no frame", 100).is_err());
        assert!(expand(Codec::Xz, b"no stream", 100).is_err());
    }
}
