//! The way of one byte from its sender to its reader: instants, and what the time between them was spent on.

use crate::base::{Span, Time};

/// The way of one byte (the last of a message) through a connection or a datagram flow, from its first transmission to the
/// reader. The parts add up: `released - first_sent` is recovery, then serialisation, queueing and propagation, then
/// reorder wait, with nothing left over.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Arrival {
    /// When it was first handed to the network.
    pub first_sent: Time,
    /// When the copy that arrived was handed to the network.
    pub sent: Time,
    /// When that copy arrived.
    pub arrived: Time,
    /// When the reader could have it: everything before it had arrived too.
    pub released: Time,
    /// Time that copy spent being put on links.
    pub serialisation: Span,
    /// Time that copy spent in queues.
    pub queueing: Span,
    /// Time that copy spent in fiber and air, and in any other delay that a link adds.
    pub propagation: Span,
}

impl Arrival {
    /// Time lost to losses of this byte itself: from its first transmission to the one that arrived.
    #[must_use]
    pub fn recovery(&self) -> Span {
        self.sent - self.first_sent
    }

    /// Time for which earlier bytes held this one back (head-of-line blocking).
    #[must_use]
    pub fn reorder_wait(&self) -> Span {
        self.released - self.arrived
    }
}
