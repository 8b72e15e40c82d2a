//! What the ends of a QUIC connection did, read from the datagrams that pass: which packets with which frames, and what their
//! headers say about the connection.
//!
//! Numbers are expanded as the ends expand them (RFC 9000 A.3). A packet that an end has had before is dropped by it, and told so.

use super::{End, Happening};
use crate::trace::QuicKind;
use crate::wire::Payload;
use crate::wire::quic::{
    AckRanges, Close, ConnectionId, Dir, EcnCounts, Frame, Header, ID_LEN, Item, LongKind, MIN_INITIAL, Packet,
    TAG_LEN, decode,
};
use std::collections::{BTreeMap, BTreeSet};

/// Units of acknowledgment delays: the default exponent (RFC 9000 18.2), which no end changes.
const ACK_DELAY_UNIT: u64 = 8_000;

/// A packet as an end sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QuicPassed {
    /// Which protection it has.
    pub kind: QuicKind,
    /// Its number.
    pub number: u64,
    /// Under which id its receiver is called.
    pub dst: ConnectionId,
    /// The sender's id, in long headers.
    pub src: Option<ConnectionId>,
    /// Bytes of the packet, tag included.
    pub length: u64,
    /// Bytes of its frames.
    pub payload_length: u64,
    /// Whether others are in the same datagram.
    pub coalesced: bool,
    /// What it says.
    pub frames: Vec<Told>,
}

/// A frame without its data.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Told {
    /// Zeros.
    Padding(u64),
    /// PING.
    Ping,
    /// ACK: the delay in nanoseconds, ranges from the lowest number to the highest, counts of ECN marks.
    Ack(u64, Vec<(u64, u64)>, Option<EcnCounts>),
    /// RESET_STREAM: stream, code, final size.
    ResetStream(u64, u64, u64),
    /// STOP_SENDING: stream and code.
    StopSending(u64, u64),
    /// CRYPTO: offset and bytes.
    Crypto(u64, u64),
    /// NEW_TOKEN: bytes.
    NewToken(u64),
    /// STREAM: stream, offset, bytes, whether it ends.
    Stream(u64, u64, u64, bool),
    /// MAX_DATA.
    MaxData(u64),
    /// MAX_STREAM_DATA: stream and limit.
    MaxStreamData(u64, u64),
    /// MAX_STREAMS: whether two-way, and the limit.
    MaxStreams(bool, u64),
    /// DATA_BLOCKED.
    DataBlocked(u64),
    /// STREAM_DATA_BLOCKED: stream and limit.
    StreamDataBlocked(u64, u64),
    /// STREAMS_BLOCKED: whether two-way, and the limit.
    StreamsBlocked(bool, u64),
    /// NEW_CONNECTION_ID: number, those to retire, the id.
    NewConnectionId(u64, u64, ConnectionId),
    /// RETIRE_CONNECTION_ID.
    RetireConnectionId(u64),
    /// PATH_CHALLENGE.
    PathChallenge([u8; 8]),
    /// PATH_RESPONSE.
    PathResponse([u8; 8]),
    /// CONNECTION_CLOSE.
    Close(Close),
    /// HANDSHAKE_DONE.
    HandshakeDone,
}

fn told(frame: &Frame) -> Told {
    match frame {
        Frame::Padding(bytes) => Told::Padding(*bytes),
        Frame::Ping => Told::Ping,
        Frame::Ack { ranges, delay, ecn } => {
            let mut ascending: Vec<(u64, u64)> = ranges.iter().collect();
            ascending.reverse();
            Told::Ack(delay.saturating_mul(ACK_DELAY_UNIT), ascending, *ecn)
        }
        Frame::ResetStream { id, code, final_size } => Told::ResetStream(id.0, *code, *final_size),
        Frame::StopSending { id, code } => Told::StopSending(id.0, *code),
        Frame::Crypto { offset, data } => Told::Crypto(*offset, data.len()),
        Frame::NewToken(token) => Told::NewToken(token.len() as u64),
        Frame::Stream { id, offset, fin, data } => Told::Stream(id.0, *offset, data.len(), *fin),
        Frame::MaxData(max) => Told::MaxData(*max),
        Frame::MaxStreamData { id, max } => Told::MaxStreamData(id.0, *max),
        Frame::MaxStreams { dir, max } => Told::MaxStreams(*dir == Dir::Bi, *max),
        Frame::DataBlocked(limit) => Told::DataBlocked(*limit),
        Frame::StreamDataBlocked { id, limit } => Told::StreamDataBlocked(id.0, *limit),
        Frame::StreamsBlocked { dir, limit } => Told::StreamsBlocked(*dir == Dir::Bi, *limit),
        Frame::NewConnectionId { sequence, retire_prior_to, id, .. } => {
            Told::NewConnectionId(*sequence, *retire_prior_to, *id)
        }
        Frame::RetireConnectionId(sequence) => Told::RetireConnectionId(*sequence),
        Frame::PathChallenge(data) => Told::PathChallenge(*data),
        Frame::PathResponse(data) => Told::PathResponse(*data),
        Frame::Close(close) => Told::Close(close.clone()),
        Frame::HandshakeDone => Told::HandshakeDone,
    }
}

/// What an end of a QUIC connection has sent and had.
#[derive(Debug, Default)]
struct Known {
    /// The largest number sent in each space.
    sent: [Option<u64>; 3],
    /// Numbers had in each space.
    had: [AckRanges; 3],
    /// By which id it calls the other end.
    calls: Option<ConnectionId>,
    started: bool,
    confirmed: bool,
    closed: bool,
}

/// Reads the datagrams of QUIC connections.
#[derive(Debug, Default)]
pub(super) struct Reader {
    flows: BTreeSet<u64>,
    ends: BTreeMap<End, Known>,
}

/// The connection has come so far, in qlog's words.
const CONFIRMED: &str = "handshake_confirmed";

impl Reader {
    /// Whether the flow is a QUIC connection's: its first datagram begins with an Initial and is as large as such a one must be.
    pub(super) fn is_quic(&mut self, flow: u64, payload: &Payload) -> bool {
        if self.flows.contains(&flow) {
            return true;
        }
        if payload.len() < u64::from(MIN_INITIAL) {
            return false;
        }
        let (items, whole) = decode(payload, ID_LEN);
        let initial = |item: &Item| {
            matches!(item, Item::Packet(Packet { header: Header::Long { kind: LongKind::Initial { .. }, .. }, .. }))
        };
        let is = whole.is_ok() && items.first().is_some_and(initial);
        if is {
            self.flows.insert(flow);
        }
        is
    }

    /// Whether the flow is known to be one.
    pub(super) fn knows(&self, flow: u64) -> bool {
        self.flows.contains(&flow)
    }

    /// Whether an end of the flow has sent or had anything.
    pub(super) fn has_begun(&self, flow: u64) -> bool {
        self.ends.range((flow, 0)..=(flow, u32::MAX)).next().is_some()
    }

    /// An end sends a datagram.
    pub(super) fn sent(&mut self, end: End, payload: &Payload, tell: &mut impl FnMut(Happening)) {
        let (items, _) = decode(payload, ID_LEN);
        let coalesced = items.len() > 1;
        let known = self.ends.entry(end).or_default();
        if !std::mem::replace(&mut known.started, true) {
            tell(Happening::Started);
        }
        for item in items {
            let Item::Packet(packet) = item else { continue };
            let (kind, space) = kind_of(&packet.header);
            let number = packet.number.expand(known.sent[space]);
            known.sent[space] = known.sent[space].max(Some(number));
            if let Header::Short { dst } = packet.header {
                // During the handshake the ids are still being agreed.
                let before = known.calls.replace(dst);
                if let Some(before) = before.filter(|&before| before != dst) {
                    tell(Happening::Called(before, dst));
                }
            }
            let frames = packet.frames.iter().map(told).collect();
            state(known, &packet, tell);
            tell(Happening::QuicSent(passed(&packet, kind, number, coalesced, frames)));
            closed(known, &packet, true, tell);
        }
    }

    /// A datagram has reached an end.
    pub(super) fn received(&mut self, end: End, payload: &Payload, tell: &mut impl FnMut(Happening)) {
        let (items, _) = decode(payload, ID_LEN);
        let coalesced = items.len() > 1;
        let known = self.ends.entry(end).or_default();
        if !std::mem::replace(&mut known.started, true) {
            tell(Happening::Started);
        }
        for item in items {
            let Item::Packet(packet) = item else { continue };
            let (kind, space) = kind_of(&packet.header);
            let number = packet.number.expand(known.had[space].largest());
            let frames = packet.frames.iter().map(told).collect();
            let passed = passed(&packet, kind, number, coalesced, frames);
            if !known.had[space].insert(number) {
                tell(Happening::QuicDropped(passed));
                continue;
            }
            state(known, &packet, tell);
            tell(Happening::QuicReceived(passed));
            closed(known, &packet, false, tell);
        }
    }
}

/// HANDSHAKE_DONE confirms the handshake where it is sent, which is the server, and where it comes (RFC 9001 4.1.2).
fn state(known: &mut Known, packet: &Packet, tell: &mut impl FnMut(Happening)) {
    if packet.frames.contains(&Frame::HandshakeDone) && !std::mem::replace(&mut known.confirmed, true) {
        tell(Happening::Reached(CONFIRMED));
    }
}

/// The first CONNECTION_CLOSE that an end sends or has ends the connection for it.
fn closed(known: &mut Known, packet: &Packet, local: bool, tell: &mut impl FnMut(Happening)) {
    let close = packet.frames.iter().find_map(|frame| match frame {
        Frame::Close(close) => Some(close),
        _ => None,
    });
    if let Some(close) = close
        && !std::mem::replace(&mut known.closed, true)
    {
        tell(Happening::Closed { local, close: close.clone() });
    }
}

fn passed(packet: &Packet, kind: QuicKind, number: u64, coalesced: bool, frames: Vec<Told>) -> QuicPassed {
    let src = match packet.header {
        Header::Long { src, .. } => Some(src),
        Header::Short { .. } => None,
    };
    let length = packet.len();
    let around = u64::from(packet.header.len(packet.number.len)) + u64::from(TAG_LEN);
    QuicPassed {
        kind,
        number,
        dst: packet.header.dst(),
        src,
        length,
        payload_length: length - around,
        coalesced,
        frames,
    }
}

fn kind_of(header: &Header) -> (QuicKind, usize) {
    match header {
        Header::Long { kind: LongKind::Initial { .. }, .. } => (QuicKind::Initial, 0),
        Header::Long { kind: LongKind::Handshake, .. } => (QuicKind::Handshake, 1),
        Header::Long { kind: LongKind::ZeroRtt, .. } => (QuicKind::ZeroRtt, 2),
        Header::Short { .. } => (QuicKind::OneRtt, 2),
    }
}
