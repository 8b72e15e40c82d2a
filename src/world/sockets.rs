//! Sockets as the world keeps them: the protocol machine, and the calls of programs that wait for it.

use crate::base::{Id, Time};
use crate::host::{Inbox, NetError, SocketId, Ticket, Want};
use crate::trace::Arrival;
use crate::transport::tcp;
use crate::wire::{Dscp, Payload};
use std::collections::VecDeque;
use std::rc::Rc;

use super::node::FourTuple;
use super::quic::{QuicConnection, QuicListener, QuicStream};

/// A read that a program waits for, and what it has got so far.
pub(super) struct Reading {
    pub(super) ticket: Ticket,
    pub(super) want: Want,
    pub(super) taken: Payload,
    pub(super) count: u64,
    pub(super) arrival: Arrival,
}

/// A TCP connection of one machine.
pub(super) struct Connection {
    pub(super) machine: tcp::Connection,
    pub(super) node: u32,
    /// The machine's address.
    pub(super) local: std::net::Ipv4Addr,
    pub(super) tuple: FourTuple,
    pub(super) remote: std::net::SocketAddrV4,
    pub(super) local_port: u16,
    pub(super) dscp: Dscp,
    pub(super) flow: u64,
    /// Time of the connection's earliest entry in the event queue; later entries are stale.
    pub(super) scheduled: Time,
    /// The connect call, until it is answered.
    pub(super) connecting: Option<Ticket>,
    /// The listener that has not handed the connection to a program yet.
    pub(super) listener: Option<Id<Listener>>,
    pub(super) reads: VecDeque<Reading>,
    /// Bytes that the first read still has to count and throw away, if that is what it does; or else 0.
    pub(super) sink: u64,
    pub(super) writes: VecDeque<(Ticket, Payload)>,
    /// FIN is due once the waiting writes are in the send buffer.
    pub(super) fin_due: bool,
    /// Whether a program holds the socket (or will: it is being connected or waits to be accepted).
    pub(super) held: bool,
    pub(super) error: Option<NetError>,
}

impl Connection {
    /// Gives what can be read to a read that counts and throws away, if that is all there is to be done and does not complete it:
    /// what every segment of a bulk transfer comes to. False if there is something else to be done.
    #[expect(clippy::inline_always, reason = "one step of the way of nearly every segment")]
    #[inline(always)]
    pub(super) fn swallow(&mut self, now: Time) -> bool {
        let readable = self.machine.readable();
        if readable == 0 || readable >= self.sink || self.error.is_some() || !self.machine.tells_only_of_data() {
            return false;
        }
        self.sink -= self.machine.discard(readable, now);
        true
    }

    /// Puts down in the first read what has been thrown away for it, before anything else is done with the reads.
    pub(super) fn settle_reads(&mut self) {
        if let Some(Reading { want: Want::Discard(max), count, .. }) = self.reads.front_mut()
            && self.sink > 0
        {
            *count = *max - self.sink;
        }
    }

    /// After the reads have changed.
    pub(super) fn sink_anew(&mut self) {
        self.sink = match self.reads.front() {
            Some(Reading { want: Want::Discard(max), count, .. }) => max - count,
            _ => 0,
        };
    }

    /// When the machine wants to be woken, if that is before its entry in the event queue, which it becomes.
    #[expect(clippy::inline_always, reason = "one step of the way of nearly every segment")]
    #[inline(always)]
    pub(super) fn next_wake(&mut self, now: Time) -> Option<Time> {
        let at = self.machine.wake_before(self.scheduled)?.max(now);
        if at >= self.scheduled {
            return None;
        }
        self.scheduled = at;
        Some(at)
    }
}

/// A listening TCP socket.
pub(super) struct Listener {
    pub(super) node: u32,
    pub(super) port: u16,
    /// Settings of the connections that it accepts.
    pub(super) tcp: Rc<tcp::Config>,
    pub(super) backlog: usize,
    /// Connections that wait to be accepted.
    pub(super) ready: VecDeque<Id<Connection>>,
    /// Accept calls that wait for a connection.
    pub(super) accepts: VecDeque<Ticket>,
}

impl Listener {
    /// Whether more connections wait to be accepted than the backlog says: one more than it, as Linux counts
    /// (`sk_acceptq_is_full`).
    pub(super) fn is_full(&self) -> bool {
        self.ready.len() > self.backlog
    }
}

/// A UDP socket.
pub(super) struct Datagrams {
    pub(super) node: u32,
    pub(super) port: u16,
    pub(super) dscp: Dscp,
    pub(super) flow: u64,
    /// What has come for its program.
    pub(super) inbox: Rc<Inbox>,
}

/// Payload bytes that wait in a UDP socket before further datagrams are dropped (Linux `net.core.rmem_default`).
pub(super) const DATAGRAM_BUFFER: u64 = 212_992;

/// What a [`SocketId`] names.
pub(super) enum Socket {
    Connection(Id<Connection>),
    Listener(Id<Listener>),
    Datagrams(Id<Datagrams>),
    Quic(Id<QuicConnection>),
    QuicStream(Id<QuicStream>),
    QuicListener(Id<QuicListener>),
}

const KIND_SHIFT: u32 = 61;
const BITS: u64 = (1 << KIND_SHIFT) - 1;

impl Socket {
    /// The id under which programs know the socket.
    pub(super) fn id(&self) -> SocketId {
        let (kind, bits) = match self {
            Self::Connection(id) => (0, id.to_bits()),
            Self::Listener(id) => (1, id.to_bits()),
            Self::Datagrams(id) => (2, id.to_bits()),
            Self::Quic(id) => (3, id.to_bits()),
            Self::QuicStream(id) => (4, id.to_bits()),
            Self::QuicListener(id) => (5, id.to_bits()),
        };
        SocketId(kind << KIND_SHIFT | (bits & BITS))
    }

    /// The socket that a program means.
    pub(super) fn of(id: SocketId) -> Self {
        let bits = id.0 & BITS;
        match id.0 >> KIND_SHIFT {
            0 => Self::Connection(Id::from_bits(bits)),
            1 => Self::Listener(Id::from_bits(bits)),
            2 => Self::Datagrams(Id::from_bits(bits)),
            3 => Self::Quic(Id::from_bits(bits)),
            4 => Self::QuicStream(Id::from_bits(bits)),
            _ => Self::QuicListener(Id::from_bits(bits)),
        }
    }
}
