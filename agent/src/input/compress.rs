//! Streaming decompression with a bound on memory (the window) and on output.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use xz4rust::XzDecoder;

use crate::journal::ZstdBlocks as Blocks;

/// The most that one file may unpack to.
pub(super) const MAX_UNPACKED: u64 = 4 << 30;
/// The largest window of zstd and dictionary of xz: what `xz -9` needs. It is touched only as far as there is data.
const MAX_WINDOW: usize = 64 << 20;
/// The most that a zstd block holds (RFC 8878, 3.1.1.2.4).
const MAX_BLOCK: usize = 128 << 10;

/// The packers that are known by their first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Gzip,
    Xz,
    Zstd,
}

/// Which packer wrote this.
pub(super) fn packing(head: &[u8]) -> Option<Packing> {
    match head {
        [0x1f, 0x8b, 8, ..] => Some(Packing::Gzip),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Packing::Xz),
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Packing::Zstd),
        _ => None,
    }
}

/// Unpacks while reading, up to [`MAX_UNPACKED`].
pub(super) fn unpack(packing: Packing, packed: Box<dyn Read>) -> Box<dyn Read> {
    match packing {
        Packing::Gzip => bounded(MultiGzDecoder::new(BufReader::new(packed))),
        Packing::Xz => bounded(Xz {
            decoder: XzDecoder::in_heap_with_alloc_dict_size(0, MAX_WINDOW),
            source: BufReader::with_capacity(32 * 1024, packed),
            between: false,
        }),
        Packing::Zstd => bounded(Zstd {
            decoder: FrameDecoder::new(),
            source: BufReader::new(packed),
            open: false,
            blocks: Blocks::default(),
            block: Vec::new(),
        }),
    }
}

fn bounded(inner: impl Read + 'static) -> Box<dyn Read> {
    Box::new(Bounded {
        inner,
        left: MAX_UNPACKED,
        end: None,
    })
}

/// Ends for good at the first end or error: the decoders may not be asked again (their state is undefined then).
struct Bounded<R> {
    inner: R,
    left: u64,
    end: Option<Result<(), (io::ErrorKind, String)>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        if self.end.is_none() {
            match self.inner.read(buf) {
                Ok(0) => self.end = Some(Ok(())),
                Ok(n) if n as u64 <= self.left => {
                    self.left -= n as u64;
                    return Ok(n);
                }
                Ok(_) => self.end = Some(Err((io::ErrorKind::Other, "unpacks to more than 4 GiB".to_owned()))),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => return Err(e),
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                    self.end = Some(Err((e.kind(), "the packed data ends early".to_owned())));
                }
                Err(e) => self.end = Some(Err((e.kind(), e.to_string()))),
            }
        }
        match &self.end {
            Some(Err((kind, why))) => Err(io::Error::new(*kind, why.clone())),
            _ => Ok(0),
        }
    }
}

/// Several xz streams one after the other, as `cat a.xz b.xz` makes them, with zero padding between them. Drives the
/// decoder itself: `XzReader` 0.2 loses its place in the input at the end of a stream.
struct Xz {
    decoder: Box<XzDecoder<'static>>,
    source: BufReader<Box<dyn Read>>,
    between: bool,
}

impl Read for Xz {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let input = self.source.fill_buf()?;
            if self.between {
                match input.first() {
                    None => return Ok(0),
                    Some(0) => self.source.consume(1),
                    Some(_) => {
                        self.decoder.reset();
                        self.between = false;
                    }
                }
                continue;
            }
            if input.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let result = self
                .decoder
                .decode(input, buf)
                .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e.to_string()))?;
            self.source.consume(result.input_consumed());
            self.between = result.is_end_of_stream();
            if result.output_produced() > 0 {
                return Ok(result.output_produced());
            }
            if !self.between && !result.made_progress() {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "the xz stream does not go on",
                ));
            }
        }
    }
}

/// Several zstd frames and skippable frames.
struct Zstd {
    decoder: FrameDecoder,
    source: BufReader<Box<dyn Read>>,
    open: bool,
    blocks: Blocks,
    block: Vec<u8>,
}

impl Zstd {
    /// Expands the next block, if that gives no more than a block may hold: the decoder itself would not ask.
    fn next_block(&mut self) -> io::Result<()> {
        self.block.resize(3, 0);
        self.source.read_exact(&mut self.block)?;
        let header = usize::from(self.block[0]) | usize::from(self.block[1]) << 8 | usize::from(self.block[2]) << 16;
        let stored = Blocks::stored(header);
        if stored > MAX_BLOCK {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "zstd block of more than 128 KiB",
            ));
        }
        self.block.resize(3 + stored, 0);
        self.source.read_exact(&mut self.block[3..])?;
        if self.blocks.expands_to(header, &self.block[3..]).is_none() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "zstd block that expands to more than 128 KiB",
            ));
        }
        self.decoder
            .decode_blocks(
                (&self.block[..]).chain(&mut self.source),
                BlockDecodingStrategy::UptoBlocks(1),
            )
            .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e.to_string()))?;
        Ok(())
    }

    /// Opens the next frame; `false` at the end of the file.
    fn next_frame(&mut self) -> io::Result<bool> {
        loop {
            if self.source.fill_buf()?.is_empty() {
                return Ok(false);
            }
            let mut head = [0_u8; 18];
            self.source.read_exact(&mut head[..5])?;
            if matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]) {
                self.source.read_exact(&mut head[5..8])?;
                let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
                let skipped = io::copy(&mut (&mut self.source).take(u64::from(length)), &mut io::sink())?;
                if skipped < u64::from(length) {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                continue;
            }
            let size = frame_header_size(head[4]);
            self.source.read_exact(&mut head[5..size])?;
            if window(&head).is_none_or(|w| w > MAX_WINDOW as u64) {
                return Err(io::Error::other("zstd window of more than 64 MiB"));
            }
            self.decoder
                .reset((&head[..size]).chain(&mut self.source))
                .map_err(io::Error::other)?;
            self.open = true;
            self.blocks = Blocks::default();
            return Ok(true);
        }
    }
}

impl Read for Zstd {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        loop {
            if self.open && self.decoder.can_collect() > 0 {
                return self.decoder.read(buf);
            }
            if self.open && !self.decoder.is_finished() {
                self.next_block()?;
            } else if !self.next_frame()? {
                return Ok(0);
            }
        }
    }
}

/// RFC 8878, 3.1.1.1: magic, descriptor, window, dictionary id, content size. At most 18 bytes.
fn frame_header_size(descriptor: u8) -> usize {
    let single = usize::from(descriptor >> 5 & 1);
    let content = match descriptor >> 6 {
        0 => single,
        n => 1 << n,
    };
    5 + (1 - single) + [0, 1, 2, 4][usize::from(descriptor & 3)] + content
}

fn window(head: &[u8; 18]) -> Option<u64> {
    let descriptor = head[4];
    if descriptor >> 5 & 1 == 0 {
        let (exponent, mantissa) = (head[5] >> 3, u64::from(head[5] & 7));
        let base = 1_u64 << (10 + u32::from(exponent));
        return Some(base + base / 8 * mantissa);
    }
    let size = frame_header_size(descriptor);
    let width = match descriptor >> 6 {
        0 => 1,
        n => 1_usize << n,
    };
    let mut value = [0_u8; 8];
    value[..width].copy_from_slice(head.get(size - width..size)?);
    Some(u64::from_le_bytes(value) + if width == 2 { 256 } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    const XZ: &[u8] = include_bytes!("../../../tests/fixtures/logs/short.log.xz");
    const ZSTD: &[u8] = include_bytes!("../../../tests/fixtures/logs/short.log.zst");

    fn unpacked(bytes: &'static [u8]) -> (Vec<u8>, Option<io::Error>) {
        let mut out = Vec::new();
        let damage = unpack(packing(bytes).unwrap(), Box::new(bytes))
            .read_to_end(&mut out)
            .err();
        (out, damage)
    }

    #[test]
    fn every_stream_of_a_file() {
        for bytes in [XZ, ZSTD] {
            let (out, damage) = unpacked(bytes);
            assert!(damage.is_none(), "{damage:?}");
            let half = out.len() / 2;
            assert!(half > 400);
            assert_eq!(out[..half], out[half..]);
        }
    }

    #[test]
    fn a_truncated_file_gives_what_there_is() {
        for bytes in [XZ, ZSTD] {
            let (out, damage) = unpacked(&bytes[..bytes.len() - 40]);
            assert!(out.len() > 400);
            assert!(damage.is_some());
        }
    }

    #[test]
    fn a_block_beyond_its_size_is_refused() {
        // Raw block of 2 MiB less one, behind a frame header with a window of 1 KiB.
        let (_, damage) = unpacked(&[0x28, 0xb5, 0x2f, 0xfd, 0, 0, 0xf9, 0xff, 0xff, 0, 0, 0, 0]);
        assert!(damage.unwrap().to_string().contains("128 KiB"));
    }

    #[test]
    fn a_window_beyond_the_bound_is_refused() {
        let (_, damage) = unpacked(&[0x28, 0xb5, 0x2f, 0xfd, 0, 0xa0, 1, 0, 0]);
        assert!(damage.unwrap().to_string().contains("64 MiB"));
    }
}
