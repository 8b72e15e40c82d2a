//! Packets, and the datagrams in which they travel, several in one if they like (RFC 9000 12.2).

use super::cid::{ConnectionId, ResetToken};
use super::frame::{Frame, Writer};
use super::header::{Header, LongKind, put_id, take_id, take_sized_id};
use super::number::Number;
use super::reader::Reader;
use super::varint::put_two;
use super::{DecodeError, TAG_LEN, VERSION_1};
use crate::wire::{Chunk, Payload};

/// A packet with frames.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packet {
    /// Its header.
    pub header: Header,
    /// Its number.
    pub number: Number,
    /// Its frames.
    pub frames: Vec<Frame>,
}

/// Bytes of number and frames in any packet, at least.
const SAMPLED: u64 = 4;

impl Packet {
    /// Length in bytes, tag included.
    #[must_use]
    pub fn len(&self) -> u64 {
        u64::from(self.header.len(self.number.len) + TAG_LEN) + self.frames_len()
    }

    /// Whether it has no bytes: never.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }

    fn frames_len(&self) -> u64 {
        let count = self.frames.len();
        self.frames.iter().enumerate().map(|(index, frame)| frame.len(index + 1 == count)).sum()
    }

    /// Bytes of number and frames: with the tag, what header protection samples (RFC 9001 5.4.2).
    fn sampled(&self) -> u64 {
        u64::from(self.number.len) + self.frames_len()
    }

    /// Appends the packet in its plaintext form to a datagram. A packet with less than four bytes of number and frames is
    /// filled up: header protection samples what lies behind them (RFC 9001 5.4.2).
    pub fn put(&self, datagram: &mut Payload) {
        let body = self.frames_len();
        debug_assert!(self.sampled() >= SAMPLED, "header protection has nothing to sample");
        let mut writer = Writer { payload: std::mem::take(datagram), bytes: Vec::with_capacity(64) };
        self.header.put(&mut writer.bytes, self.number.len);
        if let Header::Long { .. } = self.header {
            let len = u64::from(self.number.len) + body + u64::from(TAG_LEN);
            put_two(&mut writer.bytes, u16::try_from(len).expect("a packet fits into a datagram"));
        }
        let number = self.number.truncated().to_be_bytes();
        writer.bytes.extend(&number[8 - usize::from(self.number.len)..]);
        let count = self.frames.len();
        for (index, frame) in self.frames.iter().enumerate() {
            frame.put(&mut writer, index + 1 == count);
        }
        writer.zeros(u64::from(TAG_LEN));
        *datagram = writer.payload;
    }
}

/// What can be in a datagram.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Item {
    /// A packet with frames; of its number only the low bytes are known.
    Packet(Packet),
    /// A server asks the client to come again with a token (RFC 9000 17.2.5).
    Retry {
        /// The client's connection id.
        dst: ConnectionId,
        /// The id that the server wants to be called by.
        src: ConnectionId,
        /// What to bring.
        token: bytes::Bytes,
    },
    /// A server does not speak the version (RFC 9000 17.2.1).
    VersionNegotiation {
        /// The client's connection id.
        dst: ConnectionId,
        /// The id that the client had chosen for the server.
        src: ConnectionId,
        /// The versions that it speaks.
        versions: Vec<u32>,
    },
}

impl Item {
    /// The receiver's connection id.
    #[must_use]
    pub const fn dst(&self) -> ConnectionId {
        match self {
            Self::Packet(packet) => packet.header.dst(),
            Self::Retry { dst, .. } | Self::VersionNegotiation { dst, .. } => *dst,
        }
    }
}

/// Everything in a datagram, up to the first thing that is no QUIC. `id_len` is the length of the connection ids that the
/// receiver gives out, which a short header does not say.
pub fn decode(datagram: &Payload, id_len: u8) -> (Vec<Item>, Result<(), DecodeError>) {
    let mut reader = Reader::new(datagram);
    let mut items = Vec::with_capacity(1);
    while reader.left() > 0 {
        match take(&mut reader, id_len) {
            Ok(item) => items.push(item),
            Err(error) => return (items, Err(error)),
        }
    }
    (items, Ok(()))
}

/// Whether a datagram begins with a short header.
#[must_use]
pub fn is_short(datagram: &Payload) -> bool {
    Reader::new(datagram).peek().is_ok_and(|first| first & 0xc0 == 0x40)
}

/// The receiver's connection id in the first packet of a datagram; `None` if there is none.
#[must_use]
pub fn peek_dst(datagram: &Payload, id_len: u8) -> Option<ConnectionId> {
    let mut reader = Reader::new(datagram);
    let first = reader.byte().ok()?;
    if first & 0x80 == 0 {
        return take_id(&mut reader, id_len).ok();
    }
    reader.skip(4).ok()?;
    take_sized_id(&mut reader).ok()
}

fn take(reader: &mut Reader<'_>, id_len: u8) -> Result<Item, DecodeError> {
    let first = reader.byte()?;
    if first & 0x80 == 0 {
        if first & 0x40 == 0 {
            return Err(DecodeError::Invalid);
        }
        let header = Header::Short { dst: take_id(reader, id_len)? };
        let left = reader.left();
        let body = reader.part(left)?;
        return take_protected(header, first, body);
    }
    let version = u32::try_from(reader.number(4)?).unwrap_or(0);
    let (dst, src) = (take_sized_id(reader)?, take_sized_id(reader)?);
    if version == 0 {
        let mut versions = Vec::new();
        while reader.left() > 0 {
            versions.push(u32::try_from(reader.number(4)?).unwrap_or(0));
        }
        return Ok(Item::VersionNegotiation { dst, src, versions });
    }
    if version != VERSION_1 {
        return Err(DecodeError::UnknownVersion(version));
    }
    let kind = match first >> 4 & 3 {
        0 => {
            let len = reader.varint()?;
            LongKind::Initial { token: reader.bytes(len)? }
        }
        1 => LongKind::ZeroRtt,
        2 => LongKind::Handshake,
        _ => {
            let len = reader.left().checked_sub(u64::from(TAG_LEN)).ok_or(DecodeError::Short)?;
            let token = reader.bytes(len)?;
            reader.skip(u64::from(TAG_LEN))?;
            return Ok(Item::Retry { dst, src, token });
        }
    };
    let len = reader.varint()?;
    let body = reader.part(len)?;
    take_protected(Header::Long { kind, dst, src }, first, body)
}

/// The number and the frames.
fn take_protected(header: Header, first: u8, mut body: Reader<'_>) -> Result<Item, DecodeError> {
    body.cut(u64::from(TAG_LEN))?;
    let len = (first & 3) + 1;
    let number = Number { value: body.number(u32::from(len))?, len };
    let mut frames = Vec::with_capacity(2);
    while body.left() > 0 {
        frames.push(Frame::take(&mut body)?);
    }
    // RFC 9000 12.4.
    if frames.is_empty() {
        return Err(DecodeError::Invalid);
    }
    let packet = Packet { header, number, frames };
    // RFC 9001 5.4.2: what has nothing to sample for header protection is discarded.
    if packet.sampled() < SAMPLED { Err(DecodeError::Short) } else { Ok(Item::Packet(packet)) }
}

impl Item {
    /// Appends a Retry or Version Negotiation packet, or a packet with frames.
    pub fn put(&self, datagram: &mut Payload) {
        let mut bytes = Vec::with_capacity(64);
        match self {
            Self::Packet(packet) => packet.put(datagram),
            Self::Retry { dst, src, token } => {
                bytes.push(0xf0);
                bytes.extend(VERSION_1.to_be_bytes());
                put_id(&mut bytes, dst);
                put_id(&mut bytes, src);
                bytes.extend(token);
                datagram.push(Chunk::Real(bytes.into()));
                datagram.push(Chunk::Filler(u64::from(TAG_LEN)));
            }
            Self::VersionNegotiation { dst, src, versions } => {
                bytes.push(0xc0);
                bytes.extend([0; 4]);
                put_id(&mut bytes, dst);
                put_id(&mut bytes, src);
                versions.iter().for_each(|version| bytes.extend(version.to_be_bytes()));
                datagram.push(Chunk::Real(bytes.into()));
            }
        }
    }
}

/// The answer to a long-header packet of another version.
#[must_use]
pub fn version_negotiation(dst: ConnectionId, src: ConnectionId) -> Payload {
    let mut datagram = Payload::empty();
    Item::VersionNegotiation { dst, src, versions: vec![VERSION_1] }.put(&mut datagram);
    datagram
}

/// A datagram that ends a connection of which nothing else is known any more (RFC 9000 10.3): `len` bytes that look like a
/// short-header packet, the last of them the token.
#[must_use]
pub fn stateless_reset(token: &ResetToken, len: u32) -> Payload {
    let mut datagram = Payload::real(&[0x40][..]);
    datagram.push(Chunk::Filler(u64::from(len.max(21)) - 17));
    datagram.push(Chunk::Real(bytes::Bytes::copy_from_slice(token)));
    datagram
}

/// The token with which a datagram ends that may be a stateless reset; `None` if it is too short or has a long header.
#[must_use]
pub fn reset_token_of(datagram: &Payload) -> Option<ResetToken> {
    if datagram.len() < 21 || !is_short(datagram) {
        return None;
    }
    datagram.slice(datagram.len() - 16, 16).to_vec().try_into().ok()
}
