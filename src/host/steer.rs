//! A program between a machine's network and its TCP: it sees packets that belong to no connection of the machine, and may send them on.

use crate::base::Time;
use crate::wire::Packet;
use std::fmt;

/// What becomes of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Steered {
    /// The machine's own TCP takes it in.
    Own,
    /// It has been rewritten and is sent on.
    Forward {
        /// Whether these bytes have been sent on before.
        again: bool,
    },
    /// It is thrown away.
    Drop,
}

/// What IPVS or an XDP program is to Linux. It is asked about TCP segments that are addressed to the machine and are for none of its
/// connections.
pub trait Steer: fmt::Debug {
    /// Looks at a packet and perhaps rewrites it.
    fn steer(&mut self, packet: &mut Packet, now: Time) -> Steered;
}
