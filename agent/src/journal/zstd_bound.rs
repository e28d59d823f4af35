//! Whether the blocks of a ZSTD frame keep to the format's 128 KiB. `ruzstd` 0.8 does not ask: its `execute_sequences`
//! (`decoding/sequence_execution.rs`) writes whatever the sequences of a block say, up to 8 GB from one of 128 KiB. So
//! the lengths are summed here first (RFC 8878, 3.1.1.3), without writing anything.

/// The most that a block may expand to.
const BLOCK_MAX: usize = 128 << 10;

const LITERAL_BITS: [u8; 20] = [1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
const MATCH_BITS: [u8; 21] = [1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
const LITERALS: [i16; 36] = [
    4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1,
];
const MATCHES: [i16; 53] = [
    1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
];
const OFFSETS: [i16; 29] = [
    1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1,
];

/// False where a block among those that make up the first `needed` bytes of content is larger than a block may be, or
/// its sequences cannot be read. Where the input ends early it is left to the decoder to say so.
pub(super) fn keeps_to_blocks(frame: &[u8], needed: usize) -> bool {
    let Some(&descriptor) = frame.get(4) else { return false };
    let single = usize::from(descriptor >> 5 & 1);
    let content = [single, 2, 4, 8][usize::from(descriptor >> 6)];
    let mut at = 5 + (1 - single) + [0, 1, 2, 4][usize::from(descriptor & 3)] + content;
    let mut total = 0;
    let mut blocks = Blocks::default();
    while total <= needed {
        let Some(header) = little(frame, at, 3) else {
            return true;
        };
        at += 3;
        let Some(block) = frame.get(at..at + Blocks::stored(header)) else {
            return true;
        };
        at += block.len();
        match blocks.expands_to(header, block) {
            Some(expanded) => total += expanded,
            None => return false,
        }
        if header & 1 != 0 {
            return true;
        }
    }
    true
}

/// The blocks of one frame, one after the other: a block may use the tables of those before it.
#[derive(Default)]
pub struct Blocks {
    tables: [Option<Table>; 3],
}

impl Blocks {
    /// Bytes that follow a block's header of three bytes, which is given as a little-endian number.
    pub const fn stored(header: usize) -> usize {
        if header >> 1 & 3 == 1 { 1 } else { header >> 3 }
    }

    /// Bytes that the next block expands to; `None` where that is more than a block may hold, or cannot be told.
    pub fn expands_to(&mut self, header: usize, block: &[u8]) -> Option<usize> {
        let size = match header >> 1 & 3 {
            2 => expanded(block, &mut self.tables)?,
            _ => header >> 3,
        };
        (size <= BLOCK_MAX).then_some(size)
    }
}

fn little(bytes: &[u8], at: usize, count: usize) -> Option<usize> {
    let bytes = bytes.get(at..at + count)?;
    Some(bytes.iter().rev().fold(0, |all, byte| all << 8 | usize::from(*byte)))
}

/// Bytes that a compressed block expands to.
fn expanded(block: &[u8], tables: &mut [Option<Table>; 3]) -> Option<usize> {
    let first = usize::from(*block.first()?);
    let (header, literals, stored) = match (first & 3, first >> 2 & 3) {
        (kind @ (0 | 1), format) => {
            let (header, literals) = match format {
                1 => (2, little(block, 0, 2)? >> 4),
                3 => (3, little(block, 0, 3)? >> 4),
                _ => (1, first >> 3),
            };
            (header, literals, if kind == 0 { literals } else { 1 })
        }
        (_, format) => {
            let (header, bits) = [(3, 10), (3, 10), (4, 14), (5, 18)][format];
            let sizes = little(block, 0, header)? >> 4;
            (header, sizes & ((1 << bits) - 1), sizes >> bits & ((1 << bits) - 1))
        }
    };
    let rest = block.get(header + stored..)?;
    let (count, used) = match usize::from(*rest.first()?) {
        0 => return Some(literals),
        n @ ..128 => (n, 1),
        255 => (little(rest, 1, 2)? + 0x7f00, 3),
        n => ((n - 128) << 8 | usize::from(*rest.get(1)?), 2),
    };
    let modes = *rest.get(used)?;
    let mut rest = &rest[used + 1..];
    let defaults: [(&[i16], u32); 3] = [(&LITERALS, 6), (&OFFSETS, 5), (&MATCHES, 6)];
    for (index, (default, accuracy)) in defaults.into_iter().enumerate() {
        match modes >> (6 - 2 * index) & 3 {
            0 => tables[index] = Some(Table::new(default, accuracy)?),
            1 => {
                let (&symbol, after) = rest.split_first()?;
                tables[index] = Some(Table::of_one(symbol));
                rest = after;
            }
            2 => {
                let (table, used) = described(rest)?;
                tables[index] = Some(table);
                rest = rest.get(used..)?;
            }
            _ => {}
        }
    }
    let [Some(literal), Some(offset), Some(matched)] = tables else {
        return None;
    };
    Some(literals + matches(rest, count, [literal, offset, matched])?)
}

/// The sum of all match lengths; no more of it than shows that it is too much.
fn matches(bits: &[u8], count: usize, [literal, offset, matched]: [&Table; 3]) -> Option<usize> {
    let mut bits = Backwards::new(bits)?;
    let mut states = [0; 3];
    for (state, table) in states.iter_mut().zip([literal, offset, matched]) {
        *state = bits.read(table.accuracy)?;
    }
    let mut sum = 0;
    for index in 0..count {
        let symbols = [(literal, 0), (offset, 1), (matched, 2)].map(|(table, i)| table.cells[states[i]].symbol);
        bits.read(u32::from(symbols[1]).min(32))?;
        let code = usize::from(symbols[2]);
        let extra = if code < 32 { 0 } else { *MATCH_BITS.get(code - 32)? };
        let base = if code < 32 { code + 3 } else { base(code - 32) };
        sum += base + bits.read(u32::from(extra))?;
        let code = usize::from(symbols[0]);
        bits.read(u32::from(if code < 16 { 0 } else { *LITERAL_BITS.get(code - 16)? }))?;
        if sum > BLOCK_MAX {
            break;
        }
        if index + 1 < count {
            for (i, table) in [(0, literal), (2, matched), (1, offset)] {
                let cell = table.cells[states[i]];
                states[i] = usize::from(cell.base) + bits.read(u32::from(cell.bits))?;
            }
        }
    }
    Some(sum)
}

/// The length where the match code `32 + code` begins.
fn base(code: usize) -> usize {
    35 + MATCH_BITS[..code].iter().map(|bits| 1 << bits).sum::<usize>()
}

#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    symbol: u8,
    bits: u8,
    base: u16,
}

/// A table of finite state entropy.
struct Table {
    cells: Vec<Cell>,
    accuracy: u32,
}

impl Table {
    fn of_one(symbol: u8) -> Self {
        let cell = Cell {
            symbol,
            ..Cell::default()
        };
        Self {
            cells: vec![cell],
            accuracy: 0,
        }
    }

    fn new(chances: &[i16], accuracy: u32) -> Option<Self> {
        let size = 1_usize << accuracy;
        let mut cells = vec![Cell::default(); size];
        let mut high = size;
        for (symbol, _) in chances.iter().enumerate().filter(|(_, chance)| **chance < 0) {
            high = high.checked_sub(1)?;
            cells[high].symbol = symbol as u8;
        }
        let mut at = 0;
        for (symbol, chance) in chances.iter().enumerate() {
            for _ in 0..*chance {
                cells[at].symbol = symbol as u8;
                loop {
                    at = (at + (size >> 1) + (size >> 3) + 3) & (size - 1);
                    if at < high || high == 0 {
                        break;
                    }
                }
            }
        }
        let mut next: Vec<u32> = chances.iter().map(|chance| u32::from(chance.unsigned_abs())).collect();
        for cell in &mut cells {
            let state = next.get_mut(usize::from(cell.symbol))?;
            let bits = accuracy.checked_sub(state.checked_ilog2()?)?;
            cell.bits = bits as u8;
            cell.base = ((*state << bits) as usize - size) as u16;
            *state += 1;
        }
        Some(Self { cells, accuracy })
    }
}

/// A table's description, and how many bytes it took.
fn described(bytes: &[u8]) -> Option<(Table, usize)> {
    let mut at = 0;
    let mut read = |count: usize, keep: usize| -> Option<usize> {
        let value = (at..at + count).enumerate().try_fold(0, |all, (shift, bit)| {
            // One bit too many may be asked for at the very end, and given back.
            let byte = bytes.get(bit / 8).copied().unwrap_or_default();
            (bit / 8 <= bytes.len()).then(|| all | usize::from(byte >> (bit % 8) & 1) << shift)
        })?;
        at = at + count - keep;
        Some(value)
    };
    let accuracy = read(4, 0)? as u32 + 5;
    if accuracy > 9 {
        return None;
    }
    let mut remaining = 1_usize << accuracy;
    let mut chances: Vec<i16> = Vec::new();
    while remaining > 0 && chances.len() <= 64 {
        let bits = (remaining + 1).ilog2() as usize + 1;
        let lower = (1 << (bits - 1)) - 1;
        let threshold = (1 << bits) - 1 - (remaining + 1);
        let short = read(bits - 1, bits - 1)? & lower;
        let mut value = if short < threshold {
            read(bits - 1, 0)?
        } else {
            read(bits, 0)?
        };
        if short >= threshold && value > lower {
            value -= threshold;
        }
        let chance = value as i16 - 1;
        remaining = remaining.checked_sub(usize::from(chance.unsigned_abs()))?;
        chances.push(chance);
        let mut zeros = if chance == 0 { 3 } else { 0 };
        while zeros == 3 && chances.len() <= 64 {
            zeros = read(2, 0)?;
            chances.extend(std::iter::repeat_n(0, zeros));
        }
    }
    if remaining > 0 || chances.len() > 64 {
        return None;
    }
    Some((Table::new(&chances, accuracy)?, at.div_ceil(8)))
}

/// Bits from the end of a buffer to its start.
struct Backwards<'a> {
    bytes: &'a [u8],
    left: usize,
}

impl<'a> Backwards<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        let last = bytes.last()?.checked_ilog2()?;
        Some(Self {
            bytes,
            left: (bytes.len() - 1) * 8 + last as usize,
        })
    }

    fn read(&mut self, count: u32) -> Option<usize> {
        self.left = self.left.checked_sub(count as usize)?;
        let from = &self.bytes[self.left / 8..];
        let mut word = [0; 8];
        let length = from.len().min(8);
        word[..length].copy_from_slice(&from[..length]);
        Some((u64::from_le_bytes(word) >> (self.left % 8) & ((1 << count) - 1)) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOCK_MAX, base, keeps_to_blocks};

    #[test]
    fn baselines() {
        assert_eq!((base(0), base(11), base(20)), (35, 131, 65_539));
    }

    /// One block of `count` sequences of one literal and 131 074 repeated bytes each.
    fn bomb(count: usize) -> Vec<u8> {
        let mut block = Vec::new();
        block.extend(&((count << 4 | 0b1101) as u32).to_le_bytes()[..3]);
        block.push(b'x');
        block.push(255);
        block.extend(((count - 0x7f00) as u16).to_le_bytes());
        // Tables of one symbol: literal length 1, the last offset, the longest match.
        block.extend([0b0101_0100, 1, 0, 52]);
        block.extend(vec![0xff; count * 2]);
        block.push(1);
        let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 0x40];
        frame.extend(&((block.len() << 3 | 0b101) as u32).to_le_bytes()[..3]);
        frame.extend(block);
        frame
    }

    #[test]
    fn a_block_that_says_gigabytes_is_told() {
        assert!(!keeps_to_blocks(&bomb(0x7f00 + 7), 1000));
        let rle = [0x28, 0xb5, 0x2f, 0xfd, 0, 0x40, 0b011, 0, 0x20, b'x'];
        assert!(!keeps_to_blocks(&rle, 1000), "{BLOCK_MAX}");
    }
}
