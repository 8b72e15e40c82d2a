//! The Internet checksum (RFC 1071): the complement of the ones' complement sum of 16-bit words.

use crate::wire::Payload;

/// A checksum on its way: bytes are added in order, in pieces of any length.
#[derive(Clone, Copy, Debug, Default)]
pub struct Checksum {
    sum: u64,
    /// Whether an odd number of bytes has been added: the next one is the low half of a word.
    odd: bool,
}

impl Checksum {
    /// Of nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { sum: 0, odd: false }
    }

    /// Adds bytes.
    pub fn add(&mut self, mut bytes: &[u8]) {
        if self.odd
            && let Some((&low, rest)) = bytes.split_first()
        {
            self.sum += u64::from(low);
            self.odd = false;
            bytes = rest;
        }
        let words = bytes.chunks_exact(2);
        if let &[high] = words.remainder() {
            self.sum += u64::from(high) << 8;
            self.odd = true;
        }
        // 64 KiB of words add less than 2^31.
        self.sum += words.map(|word| u64::from(u16::from_be_bytes([word[0], word[1]]))).sum::<u64>();
    }

    /// Adds a payload, filler as zeros.
    pub fn add_payload(&mut self, payload: &Payload) {
        for chunk in payload.chunks() {
            self.add(chunk.real());
            // Zeros add nothing, but move what follows.
            self.odd ^= chunk.filler() % 2 == 1;
        }
    }

    /// The checksum: what is written into the field that was zero when the bytes were added. Over bytes that contain their
    /// own checksum it is zero.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "folded into 16 bits")]
    pub const fn value(self) -> u16 {
        let mut sum = self.sum;
        while sum >> 16 != 0 {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !(sum as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_example_of_rfc_1071_comes_out() {
        // RFC 1071 section 3: these words sum to ddf2.
        let mut checksum = Checksum::new();
        checksum.add(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
        assert_eq!(checksum.value(), !0xddf2);
        assert_eq!(Checksum::new().value(), 0xffff);
    }

    proptest! {
        #[test]
        fn pieces_of_any_length_sum_to_the_same(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0usize..200, zeros in 0u64..9) {
            let cut = cut.min(bytes.len());
            let mut payload = Payload::real(bytes[..cut].to_vec());
            payload.append(Payload::filler(zeros));
            payload.append(Payload::real(bytes[cut..].to_vec()));
            let (mut whole, mut pieces, mut chunks) = (Checksum::new(), Checksum::new(), Checksum::new());
            whole.add(&payload.to_vec());
            payload.to_vec().chunks(3).for_each(|piece| pieces.add(piece));
            chunks.add_payload(&payload);
            prop_assert_eq!(whole.value(), pieces.value());
            prop_assert_eq!(whole.value(), chunks.value());
        }
    }
}
