//! The Internet checksum (RFC 1071): the complement of the ones' complement sum of 16-bit words.

use crate::wire::{Chunk, Payload};

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
            match chunk {
                Chunk::Real(bytes) => self.add(bytes),
                // Zeros add nothing, but move what follows.
                Chunk::Filler(n) => self.odd ^= n % 2 == 1,
            }
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
