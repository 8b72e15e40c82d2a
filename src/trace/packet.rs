//! What happened to packets, and why some were dropped.

use crate::base::Time;
use crate::wire::Packet;

/// Why a packet was dropped.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Cause {
    /// The link's queue was full.
    QueueFull,
    /// The link's loss model took it.
    Loss,
    /// Bits flipped on the link and a checksum noticed.
    Corrupted,
    /// The link or a node at its end was down.
    Down,
    /// The TTL ran out at a router.
    TtlExpired,
    /// No route to the destination.
    NoRoute,
    /// Larger than the MTU of the next link.
    TooBig,
    /// The host has no use for it: nobody listens.
    NoListener,
    /// The host's socket buffer was full.
    BufferFull,
    /// A queue told the sender to slow down before it was full (RED, CoDel).
    EarlyDrop,
    /// It exceeded the rate of a policer.
    Policed,
    /// A partition keeps its sender and its receiver apart.
    Partitioned,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Self; 12] = [
        Self::QueueFull,
        Self::Loss,
        Self::Corrupted,
        Self::Down,
        Self::TtlExpired,
        Self::NoRoute,
        Self::TooBig,
        Self::NoListener,
        Self::BufferFull,
        Self::EarlyDrop,
        Self::Policed,
        Self::Partitioned,
    ];

    /// The name used in results: `queue_full`, `loss`...
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Loss => "loss",
            Self::Corrupted => "corrupted",
            Self::Down => "down",
            Self::TtlExpired => "ttl_expired",
            Self::NoRoute => "no_route",
            Self::TooBig => "too_big",
            Self::NoListener => "no_listener",
            Self::BufferFull => "buffer_full",
            Self::EarlyDrop => "early_drop",
            Self::Policed => "policed",
            Self::Partitioned => "partitioned",
        }
    }
}

/// What happened to a packet at a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PacketEvent {
    /// A host made it.
    Sent,
    /// It was accepted by a link.
    Offered,
    /// It reached the far end of a link.
    Arrived,
    /// A host took it in.
    Delivered,
    /// It is gone.
    Dropped(Cause),
}

/// One event in the life of one packet.
#[derive(Clone, Debug)]
pub struct PacketRecord {
    /// When.
    pub time: Time,
    /// Where: the node's number in the plan.
    pub node: u32,
    /// On which link direction (number in the plan), for `Offered`, `Arrived` and drops on a link.
    pub link: Option<u32>,
    /// What.
    pub event: PacketEvent,
    /// Serial number of the packet in this run.
    pub serial: u64,
    /// The packet itself.
    pub packet: Packet,
}
