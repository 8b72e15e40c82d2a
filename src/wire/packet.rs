//! An IPv4 packet, and what the simulator (not the network) knows of its way so far.

use super::dscp::Dscp;
use super::icmp::Icmp;
use super::payload::Payload;
use super::segment::Segment;
use crate::base::{Span, Time};
use std::net::Ipv4Addr;

/// Length of an IPv4 header without options, in bytes.
pub const IPV4_HEADER: u32 = 20;
/// Length of a UDP header in bytes (RFC 768).
pub const UDP_HEADER: u32 = 8;

/// The two ECN bits (RFC 3168 5).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Ecn {
    /// The transport does not understand ECN.
    #[default]
    NotCapable,
    /// ECT(1).
    Ect1,
    /// ECT(0).
    Ect0,
    /// Congestion experienced.
    CongestionExperienced,
}

impl Ecn {
    /// Whether the transport understands a mark, or has been given one.
    #[must_use]
    #[inline]
    pub const fn is_capable(self) -> bool {
        !matches!(self, Self::NotCapable)
    }
}

/// A UDP datagram (RFC 768).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Datagram {
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// Data.
    pub payload: Payload,
}

/// What an IP packet carries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    /// Protocol 6.
    Tcp(Segment),
    /// Protocol 17.
    Udp(Datagram),
    /// Protocol 1.
    Icmp(Icmp),
}

impl Body {
    /// Protocol number of ICMP.
    pub const ICMP: u8 = 1;
    /// Protocol number of TCP.
    pub const TCP: u8 = 6;
    /// Protocol number of UDP.
    pub const UDP: u8 = 17;

    /// The IP protocol number.
    #[must_use]
    #[inline]
    pub const fn protocol(&self) -> u8 {
        match self {
            Self::Tcp(_) => Self::TCP,
            Self::Udp(_) => Self::UDP,
            Self::Icmp(_) => Self::ICMP,
        }
    }

    /// Length in bytes.
    #[must_use]
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "a datagram is at most 64 KiB")]
    pub fn wire_len(&self) -> u32 {
        match self {
            Self::Tcp(segment) => segment.wire_len(),
            Self::Udp(datagram) => UDP_HEADER + datagram.payload.len() as u32,
            Self::Icmp(message) => message.wire_len(),
        }
    }
}

/// Where a packet's time has gone so far. No machine in the network reads this; it is what attribution reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Transit {
    /// The conversation that the packet belongs to, for observers: (client host, its counter).
    pub flow: u64,
    /// When the packet's last payload byte was first sent (earlier than `sent` on a retransmission).
    pub first_sent: Time,
    /// When this packet was handed to the network.
    pub sent: Time,
    /// Time spent being put on links.
    pub serialisation: Span,
    /// Time spent waiting in queues.
    pub queueing: Span,
    /// Time spent in fiber and air.
    pub propagation: Span,
}

/// An IPv4 packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packet {
    /// Source address.
    pub src: Ipv4Addr,
    /// Destination address.
    pub dst: Ipv4Addr,
    /// Hops left.
    pub ttl: u8,
    /// Code point, which queues may look at.
    pub dscp: Dscp,
    /// ECN bits.
    pub ecn: Ecn,
    /// The IPv4 identification field.
    pub ident: u16,
    /// What it carries.
    pub body: Body,
    /// Its way so far.
    pub transit: Transit,
}

impl Packet {
    /// Total length on the wire in bytes, IP header included; link-layer framing is not modelled.
    #[must_use]
    #[inline]
    pub fn wire_len(&self) -> u32 {
        IPV4_HEADER + self.body.wire_len()
    }
}
