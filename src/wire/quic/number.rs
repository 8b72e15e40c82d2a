//! Packet numbers: 62 bits counted, one to four bytes sent (RFC 9000 17.1, appendix A).

/// A packet number as it is sent: its low `len` bytes. A decoded one holds only those until it is expanded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Number {
    /// The number, or what is known of it.
    pub value: u64,
    /// Bytes on the wire, 1 to 4.
    pub len: u8,
}

impl Number {
    /// The shortest form from which a peer finds `value` that has acknowledged `acked` at last (RFC 9000 A.2): twice as many
    /// numbers as are under way.
    #[must_use]
    pub const fn shortest(value: u64, acked: Option<u64>) -> Self {
        let under_way = match acked {
            Some(acked) => value - acked,
            None => value + 1,
        };
        let bits = 64 - (2 * under_way - 1).leading_zeros();
        #[expect(clippy::cast_possible_truncation, reason = "at most 8, and then 4")]
        let len = bits.div_ceil(8) as u8;
        Self { value, len: if len > 4 { 4 } else { len } }
    }

    /// The low bytes.
    #[must_use]
    pub const fn truncated(self) -> u64 {
        self.value & ((1 << (8 * self.len)) - 1)
    }

    /// The full number nearest to the one expected next, `largest` being the largest received so far (RFC 9000 A.3).
    #[must_use]
    pub const fn expand(self, largest: Option<u64>) -> u64 {
        let expected = match largest {
            Some(largest) => largest + 1,
            None => 0,
        };
        let window = 1u64 << (8 * self.len);
        let half = window / 2;
        let candidate = expected & !(window - 1) | self.truncated();
        if candidate + half <= expected && candidate < (1 << 62) - window {
            candidate + window
        } else if candidate > expected + half && candidate >= window {
            candidate - window
        } else {
            candidate
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_9000_a() {
        // A.2: with 0xabe8b3 acknowledged, 0xac5c02 needs 16 bits and 0xace8fe needs 24.
        assert_eq!(Number::shortest(0x00ac_5c02, Some(0x00ab_e8b3)).len, 2);
        assert_eq!(Number::shortest(0x00ac_e8fe, Some(0x00ab_e8b3)).len, 3);
        // A.3.
        let number = Number { value: 0x9b32, len: 2 };
        assert_eq!(number.expand(Some(0xa82f_30ea)), 0xa82f_9b32);
    }

    #[test]
    fn what_is_under_way_is_always_found() {
        for acked in [None, Some(0), Some(100), Some(65_000), Some(1 << 30)] {
            let base = acked.map_or(0, |acked: u64| acked + 1);
            for ahead in [0, 1, 50, 126, 127, 128, 129, 32_000, 40_000] {
                let number = Number::shortest(base + ahead, acked);
                // The peer has seen something between the last acknowledged and this one.
                for seen in [acked, (ahead > 0).then(|| base + ahead - 1), (ahead > 0).then(|| base + ahead / 2)] {
                    assert_eq!(number.expand(seen.or(acked)), base + ahead, "{acked:?} {ahead} {seen:?}");
                }
            }
        }
    }
}
