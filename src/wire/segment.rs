//! A TCP segment (RFC 9293 3.1) with the options that move: MSS, window scale, SACK, timestamps.

use super::payload::Payload;
use std::fmt;
use std::ops::{Add, BitOr, Sub};

/// Length of a TCP header without options, in bytes.
pub const TCP_HEADER: u32 = 20;

/// A sequence number: compares by distance modulo 2^32 (RFC 9293 3.4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Seq(pub u32);

impl Seq {
    /// Whether `self` comes before `other`.
    #[must_use]
    #[inline]
    pub const fn before(self, other: Self) -> bool {
        (self.0.wrapping_sub(other.0)).cast_signed() < 0
    }

    /// Whether `self` comes after `other`.
    #[must_use]
    #[inline]
    pub const fn after(self, other: Self) -> bool {
        other.before(self)
    }

    /// Whether `self` comes before `other` or equals it.
    #[must_use]
    #[inline]
    pub const fn at_or_before(self, other: Self) -> bool {
        !other.before(self)
    }

    /// The later of the two.
    #[must_use]
    pub const fn max(self, other: Self) -> Self {
        if self.before(other) { other } else { self }
    }

    /// The earlier of the two.
    #[must_use]
    pub const fn min(self, other: Self) -> Self {
        if self.before(other) { self } else { other }
    }
}

impl Add<u32> for Seq {
    type Output = Self;
    #[inline]
    fn add(self, n: u32) -> Self {
        Self(self.0.wrapping_add(n))
    }
}

impl Sub<u32> for Seq {
    type Output = Self;
    #[inline]
    fn sub(self, n: u32) -> Self {
        Self(self.0.wrapping_sub(n))
    }
}

impl Sub for Seq {
    type Output = u32;
    /// The distance from `earlier` to `self` modulo 2^32.
    #[inline]
    fn sub(self, earlier: Self) -> u32 {
        self.0.wrapping_sub(earlier.0)
    }
}

impl fmt::Debug for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The control bits, in their wire positions.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Flags(pub u8);

impl Flags {
    /// No more data from the sender.
    pub const FIN: Self = Self(0x01);
    /// Synchronise sequence numbers.
    pub const SYN: Self = Self(0x02);
    /// Reset the connection.
    pub const RST: Self = Self(0x04);
    /// Push.
    pub const PSH: Self = Self(0x08);
    /// The acknowledgment field is valid.
    pub const ACK: Self = Self(0x10);
    /// The urgent pointer is valid; never set by this stack.
    pub const URG: Self = Self(0x20);
    /// ECN echo (RFC 3168).
    pub const ECE: Self = Self(0x40);
    /// Congestion window reduced (RFC 3168).
    pub const CWR: Self = Self(0x80);

    /// Whether all bits of `other` are set.
    #[must_use]
    #[inline]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Flags {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for Flags {
    /// As tcpdump and packetdrill write them: `S`, `S.`, `P.`, `F.`, `R`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (Self::SYN, "S"),
            (Self::FIN, "F"),
            (Self::RST, "R"),
            (Self::PSH, "P"),
            (Self::URG, "U"),
            (Self::ECE, "E"),
            (Self::CWR, "W"),
            (Self::ACK, "."),
        ];
        let text: String = names.iter().filter(|(flag, _)| self.has(*flag)).map(|(_, name)| *name).collect();
        f.pad(if text.is_empty() { "-" } else { &text })
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Up to four SACK blocks (RFC 2018), in the order sent: the most recent first.
#[derive(Clone, Copy, Default)]
pub struct SackBlocks {
    blocks: [(Seq, Seq); 4],
    len: u8,
}

impl SackBlocks {
    /// No blocks.
    #[must_use]
    pub const fn none() -> Self {
        Self { blocks: [(Seq(0), Seq(0)); 4], len: 0 }
    }

    /// Appends the block `left..right`; false when four are held already.
    pub fn push(&mut self, left: Seq, right: Seq) -> bool {
        let Some(slot) = self.blocks.get_mut(self.len as usize) else { return false };
        *slot = (left, right);
        self.len += 1;
        true
    }

    /// The blocks as (left edge, right edge).
    #[must_use]
    #[inline]
    pub fn as_slice(&self) -> &[(Seq, Seq)] {
        &self.blocks[..self.len as usize]
    }

    /// Whether there are none.
    #[must_use]
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl PartialEq for SackBlocks {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for SackBlocks {}

impl fmt::Debug for SackBlocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}

/// A Fast Open cookie: what a server recognises a client's address by (RFC 7413 4.1.1). Eight bytes, as Linux makes them.
pub type Cookie = [u8; 8];

/// The Fast Open option (SYN only; RFC 7413 4.1.1).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum FastOpen {
    /// Not there.
    #[default]
    Absent,
    /// A client asks for a cookie.
    Request,
    /// A client shows a cookie, or a server gives one.
    Cookie(Cookie),
}

impl FastOpen {
    /// Length on the wire in bytes, padded to a multiple of four.
    #[must_use]
    #[inline]
    pub const fn len(self) -> u32 {
        match self {
            Self::Absent => 0,
            Self::Request => 4,
            Self::Cookie(_) => 12,
        }
    }

    /// Whether the option is not there.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        matches!(self, Self::Absent)
    }
}

/// The TCP options carried by a segment.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Options {
    /// Maximum segment size (SYN only), in bytes.
    pub mss: Option<u16>,
    /// Window scale shift (SYN only; RFC 7323 2).
    pub window_scale: Option<u8>,
    /// SACK permitted (SYN only; RFC 2018 2).
    pub sack_permitted: bool,
    /// Timestamp value and echo reply (RFC 7323 3).
    pub timestamps: Option<(u32, u32)>,
    /// Fast Open.
    pub fast_open: FastOpen,
    /// SACK blocks (RFC 2018 3; the first may be a D-SACK, RFC 2883).
    pub sack: SackBlocks,
}

impl Options {
    /// Nothing but timestamps from now on, if those.
    #[inline]
    pub const fn hold_only(&mut self, timestamps: Option<(u32, u32)>) {
        self.mss = None;
        self.window_scale = None;
        self.sack_permitted = false;
        self.timestamps = timestamps;
        self.sack.len = 0;
        self.fast_open = FastOpen::Absent;
    }

    /// Length on the wire in bytes, padded to a multiple of four in the layout that Linux uses: timestamps and SACK blocks each
    /// preceded by two NOPs, and SACK-permitted taking the place of the two NOPs before timestamps.
    #[must_use]
    pub fn len(&self) -> u32 {
        let mut len = 0;
        if self.mss.is_some() {
            len += 4;
        }
        match (self.sack_permitted, self.timestamps.is_some()) {
            (_, true) => len += 12,
            (true, false) => len += 4,
            (false, false) => {}
        }
        if self.window_scale.is_some() {
            len += 4;
        }
        if !self.sack.is_empty() {
            len += 4 + 8 * u32::from(self.sack.len);
        }
        len + self.fast_open.len()
    }

    /// Whether no option is carried.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A TCP segment.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Segment {
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// Sequence number of the first payload byte (or of SYN).
    pub seq: Seq,
    /// Next sequence number expected, valid with [`Flags::ACK`].
    pub ack: Seq,
    /// Control bits.
    pub flags: Flags,
    /// The raw 16-bit window field, not scaled.
    pub window: u16,
    /// Options.
    pub options: Options,
    /// Data.
    pub payload: Payload,
}

impl Segment {
    /// Length of header, options and payload in bytes.
    #[must_use]
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "a segment is at most 64 KiB")]
    pub fn wire_len(&self) -> u32 {
        TCP_HEADER + self.options.len() + self.payload.len() as u32
    }

    /// Sequence numbers that the segment occupies: payload, SYN and FIN.
    #[must_use]
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "a segment is at most 64 KiB")]
    pub fn seq_len(&self) -> u32 {
        self.payload.len() as u32 + u32::from(self.flags.has(Flags::SYN)) + u32::from(self.flags.has(Flags::FIN))
    }

    /// The sequence number after the segment's last.
    #[must_use]
    #[inline]
    pub fn seq_end(&self) -> Seq {
        self.seq + self.seq_len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_numbers_compare_across_the_wrap() {
        let (old, new) = (Seq(u32::MAX - 5), Seq(10));
        assert!(old.before(new) && new.after(old) && old.at_or_before(old));
        assert_eq!(new - old, 16);
        assert_eq!(old.max(new), new);
    }

    #[test]
    fn option_lengths_are_those_of_linux() {
        let syn = Options {
            mss: Some(1460),
            window_scale: Some(7),
            sack_permitted: true,
            timestamps: Some((1, 0)),
            ..Options::default()
        };
        assert_eq!(syn.len(), 20);
        let data = Options { timestamps: Some((1, 0)), ..Options::default() };
        assert_eq!(data.len(), 12);
        let mut dup_ack = data;
        for _ in 0..3 {
            assert!(dup_ack.sack.push(Seq(1), Seq(2)));
        }
        // Timestamps leave room for three blocks in 40 bytes.
        assert_eq!(dup_ack.len(), 40);
    }
}
