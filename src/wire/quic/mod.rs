//! QUIC (RFC 9000) on the wire: packets and frames as data, and to bytes and back.
//!
//! Inside the simulator a datagram holds the *plaintext* form: headers without header protection, frames as they are before the
//! AEAD, and its 16-byte tag as filler. Every length is that of the protected form, to the byte, so queues and links see what
//! they would see on a real path. Only a capture needs ciphertext.
//!
//! Stream data stays what it is in `Payload`: counted filler is not stored, and reads as zeros, which a run of PADDING is, too.

mod ack;
mod cid;
mod frame;
mod header;
mod number;
mod packet;
mod params;
mod protect;
pub(crate) mod reader;
#[cfg(test)]
mod tests;
mod varint;

pub use ack::AckRanges;
pub use cid::{ConnectionId, ResetToken};
pub use frame::{Close, Dir, EcnCounts, Frame, Side, StreamId};
pub(crate) use frame::{crypto_overhead, stream_overhead};
pub use header::{Header, LongKind};
pub use number::Number;
pub use packet::{Item, Packet, decode, is_short, peek_dst, reset_token_of, stateless_reset, version_negotiation};
pub use params::TransportParameters;
pub use protect::Protector;
pub use varint::varint_len;

use std::fmt;

/// Length in bytes of the connection ids that machines of this crate give out: long enough to be unguessable, as most deployments have
/// them. A short header does not say it.
pub const ID_LEN: u8 = 8;
/// The version of RFC 9000.
pub const VERSION_1: u32 = 1;
/// Bytes that the AEAD adds to every packet (RFC 9001 5.3).
pub const TAG_LEN: u32 = 16;
/// Smallest UDP payload of a datagram with an ack-eliciting Initial, and of one that validates a path (RFC 9000 14.1, 8.2.1).
pub const MIN_INITIAL: u32 = 1200;
/// The largest number that a variable-length integer holds (RFC 9000 16).
pub const MAX_VARINT: u64 = (1 << 62) - 1;

/// Why bytes are no QUIC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DecodeError {
    /// The datagram, packet or frame ends too early.
    Short,
    /// A field has a value that it must not have.
    Invalid,
    /// A frame type that nobody defined.
    UnknownFrame(u64),
    /// A version other than 1.
    UnknownVersion(u32),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => f.write_str("the bytes end too early"),
            Self::Invalid => f.write_str("a field has a value that it must not have"),
            Self::UnknownFrame(kind) => write!(f, "no frame has the type {kind:#x}"),
            Self::UnknownVersion(version) => write!(f, "version {version:#x} is not spoken here"),
        }
    }
}

impl std::error::Error for DecodeError {}
