//! What a discipline knows of a packet: what is in its headers, and since when it has waited.

use crate::base::Time;
use crate::trace::Cause;
use crate::wire::{Body, Dscp, Ecn, Icmp, Packet};

/// What a discipline may look at: a packet's size and headers, never its data.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(in crate::link) struct Label {
    /// Length of the IP packet in bytes.
    pub size: u32,
    /// ECN bits.
    pub ecn: Ecn,
    /// Differentiated-services code point (RFC 2474).
    pub dscp: Dscp,
    /// Hash of the 5-tuple.
    pub flow: u64,
}

impl Label {
    /// The label of a packet of so many bytes.
    pub(in crate::link) fn of(size: u16, packet: &Packet) -> Self {
        Self { size: u32::from(size), ecn: packet.ecn, dscp: packet.dscp, flow: flow_of(packet) }
    }
}

/// A hash of the 5-tuple (RFC 8290 4.1.1); ICMP echoes have their identifier for a port.
fn flow_of(packet: &Packet) -> u64 {
    let (src_port, dst_port) = match &packet.body {
        Body::Tcp(segment) => (segment.src_port, segment.dst_port),
        Body::Udp(datagram) => (datagram.src_port, datagram.dst_port),
        Body::Icmp(Icmp::EchoRequest { identifier, .. } | Icmp::EchoReply { identifier, .. }) => (*identifier, 0),
        Body::Icmp(_) => (0, 0),
    };
    let addresses = u64::from(packet.src.to_bits()) << 32 | u64::from(packet.dst.to_bits());
    let ends = u64::from(packet.body.protocol()) << 32 | u64::from(src_port) << 16 | u64::from(dst_port);
    mix(mix(addresses).wrapping_add(ends))
}

/// A finaliser in which every input bit moves every output bit (splitmix64, variant 13 of Stafford).
const fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// What becomes of a packet when it is offered to a queue that decides on arrival.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::link) enum Verdict {
    /// It joins.
    Admit,
    /// It joins and is marked: congestion experienced (RFC 3168 5).
    Mark,
    /// It is dropped.
    Drop(Cause),
}

impl Verdict {
    /// A congestion signal for a packet with these ECN bits: a mark if its transport understands one (RFC 3168 5), otherwise
    /// a drop. A packet that already carries a mark has delivered the signal.
    pub(super) const fn signal(ecn: Ecn) -> Self {
        match ecn {
            Ecn::NotCapable => Self::Drop(Cause::EarlyDrop),
            Ecn::Ect0 | Ecn::Ect1 => Self::Mark,
            Ecn::CongestionExperienced => Self::Admit,
        }
    }
}

/// A packet that waits in a queue which decides when it lets packets out. `P` names the packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::link) struct Waiting<P> {
    pub(in crate::link) packet: P,
    pub(in crate::link) label: Label,
    /// When it joined.
    pub(in crate::link) since: Time,
    /// Whether this queue has marked it.
    pub(in crate::link) marked: bool,
}

impl<P> Waiting<P> {
    /// A packet that joins now.
    pub(in crate::link) const fn new(packet: P, label: Label, now: Time) -> Self {
        Self { packet, label, since: now, marked: false }
    }

    /// Marks the packet; false if its transport would not understand. One that came marked stays so.
    pub(super) const fn mark(&mut self) -> bool {
        match self.label.ecn {
            Ecn::NotCapable => false,
            Ecn::CongestionExperienced => true,
            Ecn::Ect0 | Ecn::Ect1 => {
                self.label.ecn = Ecn::CongestionExperienced;
                self.marked = true;
                true
            }
        }
    }
}

/// Packets that a queue has thrown out, with the reason.
pub(in crate::link) type Gone<P> = Vec<(Waiting<P>, Cause)>;
