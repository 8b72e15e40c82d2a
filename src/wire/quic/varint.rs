//! Variable-length integers (RFC 9000 16): the two top bits of the first byte say whether 1, 2, 4 or 8 bytes follow suit.

use super::MAX_VARINT;

/// Bytes that `value` takes.
#[must_use]
#[inline]
pub const fn varint_len(value: u64) -> u32 {
    match value {
        0..0x40 => 1,
        0x40..0x4000 => 2,
        0x4000..0x4000_0000 => 4,
        _ => 8,
    }
}

/// Appends `value` in its shortest form.
#[inline]
pub(super) fn put(out: &mut Vec<u8>, value: u64) {
    debug_assert!(value <= MAX_VARINT, "a variable-length integer has 62 bits");
    let bytes = value.to_be_bytes();
    match varint_len(value) {
        1 => out.push(bytes[7]),
        2 => out.extend([bytes[6] | 0x40, bytes[7]]),
        4 => out.extend([bytes[4] | 0x80, bytes[5], bytes[6], bytes[7]]),
        _ => {
            out.push(bytes[0] | 0xc0);
            out.extend(&bytes[1..]);
        }
    }
}

/// Appends `value`, which is below 16,384, in two bytes: lengths that are filled in later have a fixed place.
pub(super) fn put_two(out: &mut Vec<u8>, value: u16) {
    debug_assert!(value < 0x4000, "two bytes hold 14 bits");
    out.extend((value | 0x4000).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Payload;
    use crate::wire::quic::reader::Reader;

    #[test]
    fn the_examples_of_rfc_9000_a_1() {
        let examples: [(u64, &[u8]); 4] = [
            (151_288_809_941_952_652, &[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c]),
            (494_878_333, &[0x9d, 0x7f, 0x3e, 0x7d]),
            (15_293, &[0x7b, 0xbd]),
            (37, &[0x25]),
        ];
        for (value, bytes) in examples {
            let mut out = Vec::new();
            put(&mut out, value);
            assert_eq!(out, bytes);
            let payload = Payload::real(out);
            assert_eq!(Reader::new(&payload).varint(), Ok(value));
        }
        // The same RFC's long form of 37.
        let payload = Payload::real(&[0x40, 0x25][..]);
        assert_eq!(Reader::new(&payload).varint(), Ok(37));
    }

    #[test]
    fn lengths_change_just_at_the_boundaries() {
        for (inside, outside, len) in [(63, 64, 1), (16_383, 16_384, 2), (1_073_741_823, 1_073_741_824, 4)] {
            assert_eq!((varint_len(inside), varint_len(outside)), (len, 2 * len));
        }
        assert_eq!(varint_len(MAX_VARINT), 8);
    }
}
