//! Headers of packets that carry frames (RFC 9000 17.2, 17.3).

use super::cid::ConnectionId;
use super::reader::Reader;
use super::varint::{put, varint_len};
use super::{DecodeError, VERSION_1};
use bytes::Bytes;

/// Which long-header packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LongKind {
    /// The first flights, under keys that everyone can compute.
    Initial {
        /// What a server gave the client to prove its address with; usually empty.
        token: Bytes,
    },
    /// A client's data before the handshake is over.
    ZeroRtt,
    /// The rest of the handshake.
    Handshake,
}

/// The header of a packet, without its packet number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Header {
    /// With both connection ids and the version.
    Long {
        /// Which one.
        kind: LongKind,
        /// The receiver's connection id.
        dst: ConnectionId,
        /// The sender's.
        src: ConnectionId,
    },
    /// Application data once the handshake is over (1-RTT).
    Short {
        /// The receiver's connection id.
        dst: ConnectionId,
    },
}

impl Header {
    /// The receiver's connection id.
    #[must_use]
    pub const fn dst(&self) -> ConnectionId {
        match self {
            Self::Long { dst, .. } | Self::Short { dst } => *dst,
        }
    }

    /// Length in bytes with a packet number of `number` bytes. The length field of a long header takes two bytes.
    #[must_use]
    pub fn len(&self, number: u8) -> u32 {
        u32::from(number)
            + match self {
                Self::Long { kind, dst, src } => {
                    let token = match kind {
                        LongKind::Initial { token } => varint_len(token.len() as u64) + token_len(token),
                        _ => 0,
                    };
                    1 + 4 + 1 + dst.len() + 1 + src.len() + token + 2
                }
                Self::Short { dst } => 1 + dst.len(),
            }
    }

    /// Whether it has no bytes: never.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// Appends everything before the length field or, in a short header, the packet number.
    pub(super) fn put(&self, out: &mut Vec<u8>, number_len: u8) {
        let low = number_len - 1;
        match self {
            Self::Long { kind, dst, src } => {
                let code = match kind {
                    LongKind::Initial { .. } => 0,
                    LongKind::ZeroRtt => 1,
                    LongKind::Handshake => 2,
                };
                out.push(0xc0 | code << 4 | low);
                out.extend(VERSION_1.to_be_bytes());
                put_id(out, dst);
                put_id(out, src);
                if let LongKind::Initial { token } = kind {
                    put(out, token.len() as u64);
                    out.extend(token);
                }
            }
            Self::Short { dst } => {
                out.push(0x40 | low);
                out.extend(dst.as_bytes());
            }
        }
    }
}

fn token_len(token: &Bytes) -> u32 {
    u32::try_from(token.len()).expect("a token fits into a datagram")
}

/// A connection id behind its length.
pub(super) fn put_id(out: &mut Vec<u8>, id: &ConnectionId) {
    #[expect(clippy::cast_possible_truncation, reason = "at most 20")]
    out.push(id.len() as u8);
    out.extend(id.as_bytes());
}

/// A connection id of `len` bytes.
pub(super) fn take_id(reader: &mut Reader<'_>, len: u8) -> Result<ConnectionId, DecodeError> {
    let bytes = reader.bytes(u64::from(len))?;
    ConnectionId::new(&bytes).ok_or(DecodeError::Invalid)
}

/// A connection id behind its length.
pub(super) fn take_sized_id(reader: &mut Reader<'_>) -> Result<ConnectionId, DecodeError> {
    let len = reader.byte()?;
    take_id(reader, len)
}
