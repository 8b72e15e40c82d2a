//! The calls that programs make of the world, and its answers.

use super::executor::Waiter;
use super::inbox::Inbox;
use super::quic::QuicCall;
use super::steer::Steer;
use super::ticks::Ticker;
use crate::base::{Id, Span, Time};
use crate::trace::Arrival;
use crate::wire::{Dscp, Payload};
use std::cell::RefCell;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::rc::Rc;

/// A call that has not been answered yet, or whose answer has not been taken.
#[derive(Debug, Default)]
pub struct Slot {
    /// The answer, once there is one.
    pub(super) answer: Option<Answer>,
    /// Who waits for it.
    pub(super) waiter: Waiter,
}

/// Names a call that waits for its answer.
pub type Ticket = Id<Slot>;

/// A socket as the world knows it: an index that the world gave out with a generation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SocketId(pub u64);

/// How much a read waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Want {
    /// Whatever is there, at least one byte, at most so many. Nothing means end of stream.
    Some(u64),
    /// Exactly so many bytes, or fewer at the end of the stream.
    Exactly(u64),
    /// So many bytes, or fewer at the end of the stream, counted and thrown away as they arrive.
    Discard(u64),
}

/// Something a program asks of the world.
#[derive(Debug)]
pub enum Call {
    /// Open a TCP connection.
    Connect {
        /// Answered by [`Answer::Opened`].
        ticket: Ticket,
        /// The server.
        to: SocketAddrV4,
        /// Code point of the connection's packets.
        dscp: Dscp,
        /// Name of a congestion controller instead of the host's own.
        congestion: Option<&'static str>,
        /// Whether Nagle's algorithm is off (`TCP_NODELAY`).
        nodelay: bool,
    },
    /// Listen for TCP connections.
    Listen {
        /// Answered by [`Answer::Bound`].
        ticket: Ticket,
        /// Local port.
        port: u16,
        /// Connections that may wait to be accepted.
        backlog: u32,
        /// Name of a congestion controller for accepted connections instead of the host's own.
        congestion: Option<&'static str>,
        /// Whether Nagle's algorithm is off on accepted connections (`TCP_NODELAY`).
        nodelay: bool,
    },
    /// Take the next connection of a listener.
    Accept {
        /// Answered by [`Answer::Opened`].
        ticket: Ticket,
        /// The listener.
        listener: SocketId,
    },
    /// Read from a connection.
    Read {
        /// Answered by [`Answer::Read`].
        ticket: Ticket,
        /// The connection.
        socket: SocketId,
        /// How much.
        want: Want,
    },
    /// Ask how many bytes the discarding read under way has counted so far (0 if there is none); answered at once.
    Discarded {
        /// Answered by [`Answer::Read`] without bytes.
        ticket: Ticket,
        /// The connection.
        socket: SocketId,
    },
    /// Write to a connection; answered when the send buffer has taken all of it.
    Write {
        /// Answered by [`Answer::Wrote`].
        ticket: Ticket,
        /// The connection.
        socket: SocketId,
        /// What.
        payload: Payload,
    },
    /// Send FIN after everything written so far.
    Shutdown {
        /// The connection.
        socket: SocketId,
    },
    /// Close a socket; unread data makes it a reset.
    Close {
        /// The socket.
        socket: SocketId,
    },
    /// Reset a connection.
    Abort {
        /// The connection.
        socket: SocketId,
    },
    /// Open a UDP socket.
    Bind {
        /// Answered by [`Answer::Bound`].
        ticket: Ticket,
        /// Local port; 0 asks for an ephemeral one.
        port: u16,
        /// Code point of the datagrams sent.
        dscp: Dscp,
        /// Where to put what it receives.
        inbox: Rc<Inbox>,
    },
    /// Send a datagram.
    SendTo {
        /// The UDP socket.
        socket: SocketId,
        /// The receiver.
        to: SocketAddrV4,
        /// What.
        payload: Payload,
        /// The flow to count it under, or 0 for the socket's own.
        flow: u64,
        /// One of the machine's addresses to send it from; `None` for its own.
        from: Option<Ipv4Addr>,
    },
    /// Send an ICMP echo request and wait for whatever answers it.
    Echo {
        /// Answered by [`Answer::Echoed`].
        ticket: Ticket,
        /// The target.
        to: Ipv4Addr,
        /// TTL to send it with.
        ttl: u8,
        /// Code point of the request; the reply has the same.
        dscp: Dscp,
        /// Bytes of data.
        data_len: u32,
    },
    /// Wake at an instant.
    Sleep {
        /// Answered by [`Answer::Slept`].
        ticket: Ticket,
        /// When.
        until: Time,
    },
    /// Call a ticker's function at an instant and then whenever it says.
    Tick {
        /// The ticker.
        ticker: Id<Ticker>,
        /// When first.
        at: Time,
    },
    /// Ask this program about TCP segments that are for none of the machine's connections, until another one comes.
    Steer {
        /// The program.
        steer: Rc<RefCell<dyn Steer>>,
    },
    /// Answer connections that come with a code point from another address.
    AnswerFrom {
        /// The code point.
        dscp: Dscp,
        /// The address.
        address: Ipv4Addr,
    },
    /// Announce an address that the machine has in common with others, or announce it no more.
    Announce {
        /// The address.
        address: Ipv4Addr,
        /// Whether it is announced.
        on: bool,
    },
    /// Something about QUIC.
    Quic {
        /// Answered as the call says.
        ticket: Ticket,
        /// What.
        call: Box<QuicCall>,
    },
    /// Nobody waits for this call any more.
    Cancel {
        /// The call.
        ticket: Ticket,
        /// Where it waited.
        place: Place,
    },
}

/// Where a call waits for its answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// In the event queue.
    Timer,
    /// At a socket.
    Socket(SocketId),
    /// At a connection that is being opened.
    Connect,
    /// Among the echo requests under way.
    Echo,
    /// Nowhere: it is answered at once.
    Nowhere,
}

impl Call {
    /// Where the call waits for its answer.
    #[must_use]
    pub fn place(&self) -> Place {
        match self {
            Self::Sleep { .. } => Place::Timer,
            Self::Connect { .. } => Place::Connect,
            Self::Quic { call, .. } => match &**call {
                QuicCall::Connect { .. } => Place::Connect,
                QuicCall::Open { connection } | QuicCall::Accept { connection } => Place::Socket(*connection),
                QuicCall::Listen { .. } | QuicCall::Migrate { .. } => Place::Nowhere,
            },
            Self::Echo { .. } => Place::Echo,
            Self::Accept { listener: socket, .. } | Self::Read { socket, .. } | Self::Write { socket, .. } => {
                Place::Socket(*socket)
            }
            _ => Place::Nowhere,
        }
    }
}

/// A connection that has been opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Opened {
    /// The socket.
    pub socket: SocketId,
    /// The conversation, for observers.
    pub flow: u64,
    /// Our end.
    pub local: SocketAddrV4,
    /// Their end.
    pub remote: SocketAddrV4,
    /// Which stream of its opener, for a stream.
    pub stream: u32,
}

/// A datagram that has been received.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Received {
    /// Who sent it.
    pub from: SocketAddrV4,
    /// The address that it was sent to.
    pub at: Ipv4Addr,
    /// Its data.
    pub payload: Payload,
    /// Its conversation, for observers.
    pub flow: u64,
    /// Its way.
    pub arrival: Arrival,
}

/// The answer to an echo request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Echoed {
    /// Who answered.
    pub from: Ipv4Addr,
    /// Whether it was the target's echo reply; otherwise a router's or host's ICMP error.
    pub reached: bool,
    /// Whether the error was "TTL exceeded".
    pub ttl_exceeded: bool,
    /// Round-trip time.
    pub rtt: Span,
    /// What both ways spent on serialisation, queueing, propagation.
    pub spent: (Span, Span, Span),
}

/// What the world answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// To connect and accept.
    Opened(Result<Opened, NetError>),
    /// To listen and bind: the socket and its local port.
    Bound(Result<(SocketId, u16), NetError>),
    /// To read: the bytes (empty at the end, or discarded), their number, and the way of the last one.
    Read(Result<(Payload, u64, Arrival), NetError>),
    /// To write.
    Wrote(Result<(), NetError>),
    /// To an echo request.
    Echoed(Echoed),
    /// To sleep.
    Slept,
}

/// Why the network did not do as asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NetError {
    /// The peer answered with a reset, or with ICMP port unreachable.
    Refused,
    /// The connection was reset.
    Reset,
    /// The peer did not answer for as long as the transport tries.
    TimedOut,
    /// No route, or ICMP says that the host or network cannot be reached.
    Unreachable,
    /// The port is in use.
    AddressInUse,
    /// No ephemeral port is free towards that address and port: connections hold them all, those in TIME-WAIT for a minute
    /// (`EADDRNOTAVAIL`).
    AddressNotAvailable,
    /// The socket has been closed or shut down on this side.
    Closed,
    /// The machine has lost the address of the connection (`ECONNABORTED`).
    AddressLost,
    /// A datagram larger than the path carries.
    TooBig,
}

impl fmt::Display for NetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "connection refused",
            Self::Reset => "connection reset by peer",
            Self::TimedOut => "connection timed out",
            Self::Unreachable => "destination unreachable",
            Self::AddressInUse => "address in use",
            Self::AddressNotAvailable => "cannot assign requested address: no local port is free",
            Self::Closed => "socket is closed",
            Self::AddressLost => "connection aborted: its address is gone",
            Self::TooBig => "datagram too big for the path",
        })
    }
}

impl std::error::Error for NetError {}
