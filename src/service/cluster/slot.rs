//! Keys to slots: CRC16 of the key, modulo 16,384 (Redis Cluster specification, "Key distribution model").

/// Slots that the keys of a cluster are shared out over.
pub const SLOTS: u16 = 16_384;

/// CRC16 of the XMODEM protocol: polynomial 0x1021, starting from zero, nothing reflected.
#[must_use]
pub fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, &byte| {
        (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 })
    })
}

/// The slot of a key. Of a key with a tag in braces only the tag counts, so that such keys lie together.
#[must_use]
pub fn slot_of(key: &[u8]) -> u16 {
    let tag = key.iter().position(|&byte| byte == b'{').and_then(|open| {
        let inside = &key[open + 1..];
        inside.iter().position(|&byte| byte == b'}').filter(|&len| len > 0).map(|len| &inside[..len])
    });
    crc16(tag.unwrap_or(key)) % SLOTS
}

/// The slots of shard `index` of `shards` at the start: equal ranges, as `redis-cli --cluster create` deals them out.
#[must_use]
pub fn share(index: usize, shards: usize) -> std::ops::Range<u16> {
    let edge = |index: usize| u16::try_from(index * usize::from(SLOTS) / shards).unwrap_or(SLOTS);
    edge(index)..edge(index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value of CRC-16/XMODEM, and slots that the specification and its implementations give.
    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(slot_of(b"foo"), 12_182);
        assert_eq!(slot_of(b"{user1000}.following"), slot_of(b"{user1000}.followers"));
        assert_eq!(slot_of(b"foo{}{bar}"), crc16(b"foo{}{bar}") % SLOTS);
        assert_eq!(slot_of(b"foo{{bar}}zap"), slot_of(b"{bar"));
        assert_eq!(slot_of(b"foo{bar}{zap}"), slot_of(b"bar"));
    }

    #[test]
    fn shares_cover_every_slot_once() {
        for shards in 1..20 {
            let mut next = 0;
            for index in 0..shards {
                let share = share(index, shards);
                assert_eq!(share.start, next);
                assert!(share.len().abs_diff(usize::from(SLOTS) / shards) <= 1);
                next = share.end;
            }
            assert_eq!(next, SLOTS);
        }
    }
}
