//! What faults do and who notices: the words of the timeline.

use super::Cause;
use crate::base::Time;
use std::net::Ipv4Addr;

/// A fault strikes or is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FaultChange {
    /// Its number in the plan.
    pub fault: u32,
    /// When.
    pub time: Time,
    /// Whether it strikes; otherwise it is over.
    pub strikes: bool,
}

/// A packet was lost to a fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lost {
    /// Number of the fault in the plan.
    pub fault: u32,
    /// When it was found lost: when it would have arrived, if it had set out.
    pub time: Time,
    /// The flow of the packet.
    pub flow: u64,
    /// The cause of its drop.
    pub cause: Cause,
}

/// The routes that a change called for are in use at every router.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rerouted {
    /// Number of the change.
    pub change: u32,
    /// The fault that struck or ended, by its number in the plan; `None` where a machine changed its mind about an address.
    pub fault: Option<u32>,
    /// When the last router used them.
    pub time: Time,
    /// Whether they are those for its beginning; otherwise for its end.
    pub onset: bool,
    /// Whether they lead anything around it: what it joined is joined another way, or another machine announces the address.
    pub around: bool,
}

/// Routers hear of an address from a machine that has it in common with others, or hear of it from this machine no more: because it says so,
/// has crashed, or has no link that works.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Announcement {
    /// When.
    pub time: Time,
    /// The node that stands for the address, by its number in the plan.
    pub address: u32,
    /// The machine.
    pub node: u32,
    /// Whether it announces.
    pub on: bool,
    /// Whether others do.
    pub others: bool,
    /// The change of routes that this is part of: see [`Rerouted`].
    pub change: u32,
}

/// A machine has evidence that something is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Notice {
    /// When.
    pub time: Time,
    /// The machine's number in the plan.
    pub node: u32,
    /// The flow whose packet, or silence, is the evidence; 0 where it belongs to none.
    pub flow: u64,
    /// Whom the machine was talking to.
    pub peer: Ipv4Addr,
    /// What the evidence is.
    pub what: What,
}

/// Evidence of a fault.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum What {
    /// A retransmission timer (TCP) or probe timer (QUIC) expired without an acknowledgment.
    Rto,
    /// A connection was reset.
    Reset,
    /// A connection was refused.
    Refused,
    /// The transport gave a connection up.
    GaveUp,
    /// An ICMP error came: unreachable.
    Unreachable,
    /// A name server did not answer in time, or that it could not.
    NoName,
    /// A machine's own link lost its carrier, and with it the machine the address that it had there.
    Carrier,
    /// A health check failed, or heartbeats stopped.
    Probe,
    /// A request failed at its asker: its deadline passed, or the answer was an error.
    Request,
}

impl What {
    /// The name used in results: `rto`, `reset`...
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rto => "rto",
            Self::Reset => "reset",
            Self::Refused => "refused",
            Self::GaveUp => "gave_up",
            Self::Unreachable => "unreachable",
            Self::NoName => "no_name",
            Self::Carrier => "carrier",
            Self::Probe => "probe",
            Self::Request => "request",
        }
    }
}
