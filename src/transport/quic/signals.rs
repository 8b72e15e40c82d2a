//! What a connection tells whoever drives it: what happened and why it ended, what it sends, when it wants to be woken.

use super::tls::Ticket;
use crate::base::Time;
use crate::wire::quic::{ConnectionId, Dir, StreamId};
use crate::wire::tls::Description;
use crate::wire::{Ecn, Payload};
use std::net::SocketAddrV4;

/// A transport error code (RFC 9000 20.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Code(pub u64);

impl Code {
    /// Nothing is wrong.
    pub const NO_ERROR: Self = Self(0);
    /// The server does not take connections.
    pub const CONNECTION_REFUSED: Self = Self(2);
    pub(super) const FLOW_CONTROL: Self = Self(3);
    pub(super) const STREAM_LIMIT: Self = Self(4);
    pub(super) const STREAM_STATE: Self = Self(5);
    pub(super) const FINAL_SIZE: Self = Self(6);
    pub(super) const TRANSPORT_PARAMETER: Self = Self(8);
    pub(super) const ID_LIMIT: Self = Self(9);
    pub(super) const PROTOCOL_VIOLATION: Self = Self(10);

    /// A TLS alert (RFC 9001 4.8).
    pub(super) fn crypto(description: Description) -> Self {
        Self(0x100 + u64::from(description.code()))
    }
}

/// Why a connection ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// We closed it.
    Closed,
    /// The peer closed it with this application code.
    PeerClosed(u64),
    /// The peer closed it because of a transport error.
    PeerFailed(Code),
    /// The peer broke the protocol.
    Failed(Code),
    /// The peer has no state of it any more (RFC 9000 10.3).
    Reset,
    /// Nothing came for the idle timeout.
    TimedOut,
    /// The peer speaks none of our versions.
    VersionMismatch,
    /// ICMP said that nobody is there.
    Unreachable,
    /// Our address is gone, and the connection cannot go on from another.
    AddressLost,
}

/// What the program should know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// The handshake is complete.
    Connected,
    /// Data was sent with the first flight and the server has not taken it; it is sent again by itself.
    EarlyDataRejected,
    /// The peer has opened a stream.
    Opened(StreamId),
    /// More of a stream, or its end, can be read.
    Readable(StreamId),
    /// A stream has room again.
    Writable(StreamId),
    /// The peer wants no more of a stream, for this reason of its own.
    Stopped(StreamId, u64),
    /// Another stream may be opened.
    Available(Dir),
    /// For the next connection to this server.
    Ticket(Box<Ticket>),
    /// Packets may come under this connection id from now on.
    IdAdded(ConnectionId),
    /// They do not any more.
    IdRetired(ConnectionId),
    /// The peer has answered from the other end of the present path.
    PathValidated,
    /// The connection is over.
    Closed(Reason),
}

/// When the machine wants [`Connection::handle_wake`](super::Connection::handle_wake).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wake {
    /// At an instant.
    At(Time),
    /// Not before something arrives or is written.
    OnInput,
}

/// A datagram to be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transmit {
    /// The UDP payload.
    pub payload: Payload,
    /// To whom.
    pub remote: SocketAddrV4,
    /// When its stream bytes were first sent: now, unless they are sent again. All stream bytes of a packet share this instant.
    pub first_sent: Time,
    /// Whether it carries bytes of a stream or of the handshake that have been sent before.
    pub again: bool,
    /// ECN bits for its packet.
    pub ecn: Ecn,
}
