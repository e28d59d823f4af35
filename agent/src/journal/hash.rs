//! The two hashes of the data hash table: Bob Jenkins' lookup3 (`jenkins_hash64` in systemd's `lookup3.h`), and
//! SipHash-2-4 keyed with the file id where the header has `HEADER_INCOMPATIBLE_KEYED_HASH`.

use std::hash::Hasher;

/// SipHash-2-4 of a payload `FIELD=value`, keyed with the file's id.
pub(super) fn siphash24(file_id: &[u8; 16], payload: &[u8]) -> u64 {
    let mut hasher = siphasher::sip::SipHasher24::new_with_key(file_id);
    hasher.write(payload);
    hasher.finish()
}

/// `((u64)a << 32) | b` of `hashlittle2(payload, 0, 0)`.
pub(super) fn jenkins64(payload: &[u8]) -> u64 {
    let start = 0xdead_beef_u32.wrapping_add(payload.len() as u32);
    let (mut a, mut b, mut c) = (start, start, start);
    let mut rest = payload;
    while rest.len() > 12 {
        a = a.wrapping_add(word(rest, 0));
        b = b.wrapping_add(word(rest, 4));
        c = c.wrapping_add(word(rest, 8));
        (a, b, c) = mix(a, b, c);
        rest = &rest[12..];
    }
    if !rest.is_empty() {
        let mut last = [0_u8; 12];
        last[..rest.len()].copy_from_slice(rest);
        a = a.wrapping_add(word(&last, 0));
        b = b.wrapping_add(word(&last, 4));
        c = c.wrapping_add(word(&last, 8));
        (b, c) = last_mix(a, b, c);
    }
    (u64::from(c) << 32) | u64::from(b)
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[allow(clippy::many_single_char_names, reason = "the names of lookup3.c")]
fn mix(mut a: u32, mut b: u32, mut c: u32) -> (u32, u32, u32) {
    for rotations in [[4, 6, 8], [16, 19, 4]] {
        a = a.wrapping_sub(c) ^ c.rotate_left(rotations[0]);
        c = c.wrapping_add(b);
        b = b.wrapping_sub(a) ^ a.rotate_left(rotations[1]);
        a = a.wrapping_add(c);
        c = c.wrapping_sub(b) ^ b.rotate_left(rotations[2]);
        b = b.wrapping_add(a);
    }
    (a, b, c)
}

#[allow(clippy::many_single_char_names, reason = "the names of lookup3.c")]
fn last_mix(mut a: u32, mut b: u32, mut c: u32) -> (u32, u32) {
    c = (c ^ b).wrapping_sub(b.rotate_left(14));
    a = (a ^ c).wrapping_sub(c.rotate_left(11));
    b = (b ^ a).wrapping_sub(a.rotate_left(25));
    c = (c ^ b).wrapping_sub(b.rotate_left(16));
    a = (a ^ c).wrapping_sub(c.rotate_left(4));
    b = (b ^ a).wrapping_sub(a.rotate_left(14));
    c = (c ^ b).wrapping_sub(b.rotate_left(24));
    (b, c)
}

#[cfg(test)]
mod tests {
    use super::{jenkins64, siphash24};

    /// driver5 of lookup3.c prints these for `hashlittle2` with zero seeds.
    #[test]
    fn lookup3_as_its_author_prints_it() {
        assert_eq!(jenkins64(b""), 0xdead_beef_dead_beef);
        assert_eq!(jenkins64(b"Four score and seven years ago"), 0x1777_0551_ce72_26e6);
    }

    /// The vector of the `SipHash` paper: key 00..0f, input 00..0e.
    #[test]
    fn siphash_as_its_paper_prints_it() {
        let key: [u8; 16] = std::array::from_fn(|i| i as u8);
        let input: Vec<u8> = (0..15).collect();
        assert_eq!(siphash24(&key, &input), 0xa129_ca61_49be_45e5);
    }
}
