//! What a connection tells whoever drives it: its state, what happened, what it sends, when it wants to be woken.

use crate::base::Time;
use crate::wire::{Ecn, Segment};

/// The states of RFC 9293 3.3.2 (LISTEN belongs to the host).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum State {
    /// Our SYN is out.
    SynSent,
    /// Both SYNs are out, ours is not acknowledged.
    SynReceived,
    /// Data may flow.
    Established,
    /// Our FIN is out, theirs has not come.
    FinWait1,
    /// Our FIN is acknowledged, theirs has not come.
    FinWait2,
    /// Both FINs are out, ours is not acknowledged.
    Closing,
    /// Everything is done; old segments may still arrive.
    TimeWait,
    /// Their FIN has come, ours is not out.
    CloseWait,
    /// Our FIN is out after theirs.
    LastAck,
    /// Nothing is left.
    Closed,
}

/// Why a connection ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// Both sides closed.
    Finished,
    /// A reset answered our SYN.
    Refused,
    /// The peer reset it.
    Reset,
    /// The peer did not answer for as long as we try.
    TimedOut,
    /// ICMP said that the peer cannot be reached.
    Unreachable,
    /// We reset it.
    Aborted,
    /// Our address is gone.
    AddressLost,
}

/// What the program should know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// The handshake is complete.
    Connected,
    /// Data or the end of the stream can be read.
    Readable,
    /// The send buffer has room again.
    Writable,
    /// The connection is over.
    Closed(Reason),
}

/// When the machine wants [`Connection::handle_wake`](super::Connection::handle_wake).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wake {
    /// At once.
    Now,
    /// At an instant.
    At(Time),
    /// Not before something arrives or is written.
    OnInput,
}

/// A segment to be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transmit {
    /// The segment.
    pub segment: Segment,
    /// When its last payload byte was first sent: now, unless this is a retransmission.
    pub first_sent: Time,
    /// ECN bits for its packet.
    pub ecn: Ecn,
}

/// How a segment is to be sent, apart from its content.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Departure {
    /// When its last payload byte was first sent: now, unless this is a retransmission.
    pub first_sent: Time,
    /// ECN bits for its packet.
    pub ecn: Ecn,
    /// Its length on the wire in bytes, TCP header included.
    pub len: u32,
}

/// What kind of segment is to be sent next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// So many bytes of new data.
    New(u64),
    /// An acknowledgment alone.
    Ack,
    /// Anything else; perhaps it turns out that it is nothing.
    Rare,
}

/// Events that wait to be polled, each at most once: a bit each, so that it takes one comparison to see that there are none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Events {
    pub(super) waiting: u8,
    pub(super) closed: Option<Reason>,
}

impl Events {
    pub(super) const CONNECTED: u8 = 1;
    pub(super) const READABLE: u8 = 2;
    pub(super) const WRITABLE: u8 = 4;
    pub(super) const CLOSED: u8 = 8;

    /// Something is to be told.
    #[inline]
    pub(super) const fn raise(&mut self, what: u8) {
        self.waiting |= what;
    }

    /// The end is to be told.
    pub(super) const fn close(&mut self, reason: Reason) {
        self.raise(Self::CLOSED);
        self.closed = Some(reason);
    }

    /// Whether it was to be told, which it is now.
    pub(super) const fn take(&mut self, what: u8) -> bool {
        let had = self.waiting & what != 0;
        self.waiting &= !what;
        had
    }
}
