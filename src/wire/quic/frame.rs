//! Frames (RFC 9000 19): what packets say.

use super::ack::AckRanges;
use super::cid::{ConnectionId, ResetToken};
use super::header::{put_id, take_sized_id};
use super::reader::Reader;
use super::varint::{put, varint_len};
use super::{DecodeError, MAX_VARINT};
use crate::wire::Payload;
use bytes::Bytes;
use std::fmt;

/// Which end began.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Side {
    /// The one that opened the connection.
    Client,
    /// The one that accepted it.
    Server,
}

impl Side {
    /// The other.
    #[must_use]
    pub const fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// In which directions a stream carries data.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Dir {
    /// Both.
    Bi,
    /// From the one who opened it.
    Uni,
}

/// A stream's name (RFC 9000 2.1): who opened it, its directions, and which of that kind it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StreamId(pub u64);

impl StreamId {
    /// The `index`-th stream of its kind, from 0.
    #[must_use]
    pub const fn new(initiator: Side, dir: Dir, index: u64) -> Self {
        Self(index << 2 | (dir as u64) << 1 | initiator as u64)
    }

    /// Who opened it.
    #[must_use]
    pub const fn initiator(self) -> Side {
        if self.0 & 1 == 0 { Side::Client } else { Side::Server }
    }

    /// Its directions.
    #[must_use]
    pub const fn dir(self) -> Dir {
        if self.0 & 2 == 0 { Dir::Bi } else { Dir::Uni }
    }

    /// How many of its kind were opened before it.
    #[must_use]
    pub const fn index(self) -> u64 {
        self.0 >> 2
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Packets received with each ECN mark (RFC 9000 19.3.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct EcnCounts {
    /// ECT(0).
    pub ect0: u64,
    /// ECT(1).
    pub ect1: u64,
    /// Congestion experienced.
    pub ce: u64,
}

/// Why an endpoint closes the connection (RFC 9000 19.19).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Close {
    /// The application's own code instead of a transport error (RFC 9000 20).
    pub application: bool,
    /// The code.
    pub code: u64,
    /// Words for people.
    pub reason: Bytes,
}

/// A frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Frame {
    /// So many zeros.
    Padding(u64),
    /// Asks for an acknowledgment.
    Ping,
    /// Which packets have arrived.
    Ack {
        /// Their numbers.
        ranges: AckRanges,
        /// How long the highest waited, in units that the sender has announced (`ack_delay_exponent`).
        delay: u64,
        /// Counts of ECN marks.
        ecn: Option<EcnCounts>,
    },
    /// A stream's sender gives up.
    ResetStream {
        /// The stream.
        id: StreamId,
        /// The application's reason.
        code: u64,
        /// Bytes that count against flow control.
        final_size: u64,
    },
    /// A stream's receiver wants no more.
    StopSending {
        /// The stream.
        id: StreamId,
        /// The application's reason.
        code: u64,
    },
    /// Bytes of the cryptographic handshake.
    Crypto {
        /// Where they begin.
        offset: u64,
        /// The bytes.
        data: Payload,
    },
    /// A token for the client's next connection.
    NewToken(Bytes),
    /// Bytes of a stream.
    Stream {
        /// The stream.
        id: StreamId,
        /// Where they begin.
        offset: u64,
        /// Whether the stream ends behind them.
        fin: bool,
        /// The bytes.
        data: Payload,
    },
    /// The connection may carry so many stream bytes in all.
    MaxData(u64),
    /// A stream may carry so many bytes.
    MaxStreamData {
        /// The stream.
        id: StreamId,
        /// The bytes.
        max: u64,
    },
    /// So many streams of a kind may be opened in all.
    MaxStreams {
        /// The kind.
        dir: Dir,
        /// The number.
        max: u64,
    },
    /// The connection's limit holds its sender back.
    DataBlocked(u64),
    /// A stream's limit holds its sender back.
    StreamDataBlocked {
        /// The stream.
        id: StreamId,
        /// The limit.
        limit: u64,
    },
    /// The number of streams holds an opener back.
    StreamsBlocked {
        /// The kind.
        dir: Dir,
        /// The limit.
        limit: u64,
    },
    /// Another id under which the sender can be reached.
    NewConnectionId {
        /// Its number.
        sequence: u64,
        /// Ids with smaller numbers are to be retired.
        retire_prior_to: u64,
        /// The id.
        id: ConnectionId,
        /// What a stateless reset for it ends with.
        token: ResetToken,
    },
    /// An id of the receiver's is no longer in use.
    RetireConnectionId(u64),
    /// Asks whether the peer is at the other end of a path.
    PathChallenge([u8; 8]),
    /// It is.
    PathResponse([u8; 8]),
    /// The connection is over.
    Close(Close),
    /// The server has completed the handshake.
    HandshakeDone,
}

/// Where a frame's bytes go: real ones, and data as it is.
#[derive(Debug, Default)]
pub(super) struct Writer {
    pub(super) payload: Payload,
    pub(super) bytes: Vec<u8>,
}

impl Writer {
    /// Bytes so far go before what comes next.
    pub(super) fn flush(&mut self) {
        if !self.bytes.is_empty() {
            let bytes = std::mem::take(&mut self.bytes);
            self.payload.push(crate::wire::Chunk::Real(bytes.into()));
        }
    }

    /// Appends data as it is.
    pub(super) fn data(&mut self, data: &Payload) {
        if data.is_empty() {
            return;
        }
        self.flush();
        data.chunks().for_each(|chunk| self.payload.push(chunk.clone()));
    }

    /// Appends zeros.
    pub(super) fn zeros(&mut self, n: u64) {
        self.flush();
        self.payload.append(Payload::filler(n));
    }
}

/// Bytes of the header of a STREAM frame for `len` bytes of data; the last frame of a packet has no length field.
#[must_use]
pub(crate) const fn stream_overhead(id: StreamId, offset: u64, len: u64, last: bool) -> u32 {
    let offset = if offset == 0 { 0 } else { varint_len(offset) };
    1 + varint_len(id.0) + offset + if last { 0 } else { varint_len(len) }
}

/// Bytes of the header of a CRYPTO frame for `len` bytes of data.
#[must_use]
pub(crate) const fn crypto_overhead(offset: u64, len: u64) -> u32 {
    1 + varint_len(offset) + varint_len(len)
}

impl Frame {
    /// Whether its packet must be acknowledged (RFC 9000 13.2.1).
    #[must_use]
    pub const fn is_ack_eliciting(&self) -> bool {
        !matches!(self, Self::Padding(_) | Self::Ack { .. } | Self::Close(_))
    }

    /// Whether it may be in a packet of a path validation without making that path the one in use (RFC 9000 9.1).
    #[must_use]
    pub const fn is_probing(&self) -> bool {
        matches!(self, Self::Padding(_) | Self::PathChallenge(_) | Self::PathResponse(_) | Self::NewConnectionId { .. })
    }

    /// Length in bytes; the last frame of a packet may save some.
    #[must_use]
    pub fn len(&self, last: bool) -> u64 {
        match self {
            Self::Padding(n) => *n,
            Self::Crypto { offset, data } => u64::from(crypto_overhead(*offset, data.len())) + data.len(),
            Self::Stream { id, offset, data, .. } => {
                u64::from(stream_overhead(*id, *offset, data.len(), last)) + data.len()
            }
            _ => {
                let mut writer = Writer::default();
                self.put(&mut writer, last);
                writer.flush();
                writer.payload.len()
            }
        }
    }

    /// Whether it has no bytes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        matches!(self, Self::Padding(0))
    }

    /// Appends its bytes.
    pub(super) fn put(&self, to: &mut Writer, last: bool) {
        let out = &mut to.bytes;
        let mut fields = |kind: u8, fields: &[u64]| {
            out.push(kind);
            fields.iter().for_each(|&field| put(out, field));
        };
        match self {
            Self::Padding(n) => to.zeros(*n),
            Self::Ping => fields(0x01, &[]),
            Self::Ack { ranges, delay, ecn } => put_ack(out, ranges, *delay, *ecn),
            Self::ResetStream { id, code, final_size } => fields(0x04, &[id.0, *code, *final_size]),
            Self::StopSending { id, code } => fields(0x05, &[id.0, *code]),
            Self::Crypto { offset, data } => {
                fields(0x06, &[*offset, data.len()]);
                to.data(data);
            }
            Self::NewToken(token) => {
                fields(0x07, &[token.len() as u64]);
                out.extend(token);
            }
            Self::Stream { id, offset, fin, data } => {
                let kind = 0x08 | u8::from(*offset > 0) << 2 | u8::from(!last) << 1 | u8::from(*fin);
                fields(kind, &[id.0]);
                if *offset > 0 {
                    put(out, *offset);
                }
                if !last {
                    put(out, data.len());
                }
                to.data(data);
            }
            Self::MaxData(max) => fields(0x10, &[*max]),
            Self::MaxStreamData { id, max } => fields(0x11, &[id.0, *max]),
            Self::MaxStreams { dir, max } => fields(0x12 | *dir as u8, &[*max]),
            Self::DataBlocked(limit) => fields(0x14, &[*limit]),
            Self::StreamDataBlocked { id, limit } => fields(0x15, &[id.0, *limit]),
            Self::StreamsBlocked { dir, limit } => fields(0x16 | *dir as u8, &[*limit]),
            Self::NewConnectionId { sequence, retire_prior_to, id, token } => {
                fields(0x18, &[*sequence, *retire_prior_to]);
                put_id(out, id);
                out.extend(token);
            }
            Self::RetireConnectionId(sequence) => fields(0x19, &[*sequence]),
            Self::PathChallenge(data) => {
                fields(0x1a, &[]);
                out.extend(data);
            }
            Self::PathResponse(data) => {
                fields(0x1b, &[]);
                out.extend(data);
            }
            Self::Close(close) => {
                if close.application {
                    fields(0x1d, &[close.code, close.reason.len() as u64]);
                } else {
                    // The frame type that caused it is not told (0: unknown).
                    fields(0x1c, &[close.code, 0, close.reason.len() as u64]);
                }
                out.extend(&close.reason);
            }
            Self::HandshakeDone => fields(0x1e, &[]),
        }
    }

    /// The next frame.
    pub(super) fn take(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if from.peek()? == 0 {
            return Ok(Self::Padding(from.zeros()));
        }
        let kind = from.varint()?;
        let dir = if kind & 1 == 0 { Dir::Bi } else { Dir::Uni };
        Ok(match kind {
            0x01 => Self::Ping,
            0x02 | 0x03 => take_ack(from, kind == 0x03)?,
            0x04 => {
                Self::ResetStream { id: StreamId(from.varint()?), code: from.varint()?, final_size: from.varint()? }
            }
            0x05 => Self::StopSending { id: StreamId(from.varint()?), code: from.varint()? },
            0x06 => {
                let (offset, len) = (from.varint()?, from.varint()?);
                Self::Crypto { offset: bounded(offset, len)?, data: from.payload(len)? }
            }
            0x07 => {
                let len = from.varint()?;
                if len == 0 {
                    return Err(DecodeError::Invalid);
                }
                Self::NewToken(from.bytes(len)?)
            }
            0x08..=0x0f => {
                let id = StreamId(from.varint()?);
                let offset = if kind & 4 != 0 { from.varint()? } else { 0 };
                let len = if kind & 2 != 0 { from.varint()? } else { from.left() };
                Self::Stream { id, offset: bounded(offset, len)?, fin: kind & 1 != 0, data: from.payload(len)? }
            }
            0x10 => Self::MaxData(from.varint()?),
            0x11 => Self::MaxStreamData { id: StreamId(from.varint()?), max: from.varint()? },
            0x12 | 0x13 => Self::MaxStreams { dir, max: streams(from)? },
            0x14 => Self::DataBlocked(from.varint()?),
            0x15 => Self::StreamDataBlocked { id: StreamId(from.varint()?), limit: from.varint()? },
            0x16 | 0x17 => Self::StreamsBlocked { dir, limit: streams(from)? },
            0x18 => {
                let (sequence, retire_prior_to) = (from.varint()?, from.varint()?);
                let id = take_sized_id(from)?;
                // RFC 9000 19.15.
                if id.is_empty() || retire_prior_to > sequence {
                    return Err(DecodeError::Invalid);
                }
                Self::NewConnectionId { sequence, retire_prior_to, id, token: from.array()? }
            }
            0x19 => Self::RetireConnectionId(from.varint()?),
            0x1a => Self::PathChallenge(from.array()?),
            0x1b => Self::PathResponse(from.array()?),
            0x1c | 0x1d => {
                let application = kind == 0x1d;
                let code = from.varint()?;
                if !application {
                    from.varint()?;
                }
                let len = from.varint()?;
                Self::Close(Close { application, code, reason: from.bytes(len)? })
            }
            0x1e => Self::HandshakeDone,
            unknown => return Err(DecodeError::UnknownFrame(unknown)),
        })
    }
}

/// A stream's data ends below 2^62 (RFC 9000 19.8).
fn bounded(offset: u64, len: u64) -> Result<u64, DecodeError> {
    if offset + len > MAX_VARINT { Err(DecodeError::Invalid) } else { Ok(offset) }
}

/// A number of streams, at most 2^60 (RFC 9000 4.6).
fn streams(from: &mut Reader<'_>) -> Result<u64, DecodeError> {
    let max = from.varint()?;
    if max > 1 << 60 { Err(DecodeError::Invalid) } else { Ok(max) }
}

/// RFC 9000 19.3.
fn put_ack(out: &mut Vec<u8>, ranges: &AckRanges, delay: u64, ecn: Option<EcnCounts>) {
    out.push(if ecn.is_some() { 0x03 } else { 0x02 });
    let mut all = ranges.iter();
    let (mut low, high) = all.next().unwrap_or_default();
    put(out, high);
    put(out, delay);
    put(out, ranges.len().saturating_sub(1) as u64);
    put(out, high - low);
    for range in all {
        put(out, low - range.1 - 2);
        put(out, range.1 - range.0);
        low = range.0;
    }
    if let Some(counts) = ecn {
        [counts.ect0, counts.ect1, counts.ce].into_iter().for_each(|count| put(out, count));
    }
}

fn take_ack(from: &mut Reader<'_>, with_ecn: bool) -> Result<Frame, DecodeError> {
    let (high, delay, more) = (from.varint()?, from.varint()?, from.varint()?);
    let mut low = high.checked_sub(from.varint()?).ok_or(DecodeError::Invalid)?;
    let mut ranges = AckRanges::new();
    ranges.push_below(low, high);
    for _ in 0..more {
        let gap = from.varint()?;
        let high = low.checked_sub(gap + 2).ok_or(DecodeError::Invalid)?;
        low = high.checked_sub(from.varint()?).ok_or(DecodeError::Invalid)?;
        ranges.push_below(low, high);
    }
    let mut ecn = None;
    if with_ecn {
        ecn = Some(EcnCounts { ect0: from.varint()?, ect1: from.varint()?, ce: from.varint()? });
    }
    Ok(Frame::Ack { ranges, delay, ecn })
}
