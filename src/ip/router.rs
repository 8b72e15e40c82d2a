//! What a node does with a packet that arrives or sets out: pure decisions, nothing scheduled, nothing allocated on the way
//! forward.

use super::fib::Fib;
use super::icmp::error_about;
use crate::topo::{Egress, Role};
use crate::trace::Cause;
use crate::wire::{Icmp, Packet, UnreachableCode};
use std::net::Ipv4Addr;

/// The IP layer of one node, host or router.
#[derive(Clone, Debug)]
pub struct Router {
    address: Ipv4Addr,
    role: Role,
    fib: Fib,
}

/// What becomes of a packet.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
pub enum Verdict {
    /// It goes out this way.
    Forward(Egress),
    /// It is for this node.
    Deliver,
    /// It ends here.
    Drop {
        /// Why.
        cause: Cause,
        /// The ICMP error about it, to be sent with [`Router::send`].
        reply: Option<Box<Packet>>,
    },
}

impl Router {
    /// The IP layer of a node with this address, which forwards what is not for it if it is a router.
    #[must_use]
    pub const fn new(address: Ipv4Addr, role: Role, fib: Fib) -> Self {
        Self { address, role, fib }
    }

    /// The node's address.
    #[must_use]
    pub const fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Its routes.
    #[must_use]
    pub const fn fib(&self) -> &Fib {
        &self.fib
    }

    /// Decides about a packet that arrived on a link. `mtu` gives the MTU of a direction in bytes. A packet that goes on has
    /// lost one of its TTL.
    #[inline]
    pub fn receive(&self, packet: &mut Packet, mtu: impl FnOnce(Egress) -> u32) -> Verdict {
        if packet.dst == self.address {
            return Verdict::Deliver;
        }
        if self.role == Role::Host {
            // RFC 1122 3.3.4.2: a host silently discards what is not for it.
            return Verdict::Drop { cause: Cause::NoListener, reply: None };
        }
        // RFC 1812 5.3.1: a packet whose TTL would become zero is not forwarded.
        if packet.ttl <= 1 {
            return self.refuse(packet, Cause::TtlExpired, Icmp::TimeExceeded);
        }
        let verdict = self.way_out(packet, mtu);
        if let Verdict::Forward(_) = verdict {
            packet.ttl -= 1;
        }
        verdict
    }

    /// Decides about a packet that this node itself made: to itself, out, or refused with an ICMP error that stands for the
    /// error its program would get.
    #[inline]
    pub fn send(&self, packet: &Packet, mtu: impl FnOnce(Egress) -> u32) -> Verdict {
        if packet.dst == self.address { Verdict::Deliver } else { self.way_out(packet, mtu) }
    }

    #[inline]
    fn way_out(&self, packet: &Packet, mtu: impl FnOnce(Egress) -> u32) -> Verdict {
        let Some(egress) = self.fib.egress(packet) else {
            // RFC 1812 5.2.7.1: host unreachable where the address is of an attached network.
            let attached = self.fib.connected().is_some_and(|prefix| prefix.contains(packet.dst));
            let code = if attached { UnreachableCode::Host } else { UnreachableCode::Network };
            return self.refuse(packet, Cause::NoRoute, |quote| Icmp::Unreachable(code, quote));
        };
        let mtu = mtu(egress);
        if packet.wire_len() > mtu {
            // Every packet forbids fragmentation, as TCP's and most UDP's do today (RFC 1191, RFC 8899).
            let mtu = u16::try_from(mtu).unwrap_or(u16::MAX);
            return self.refuse(packet, Cause::TooBig, |quote| Icmp::PacketTooBig { mtu, quote });
        }
        Verdict::Forward(egress)
    }

    #[cold]
    fn refuse(&self, packet: &Packet, cause: Cause, kind: impl FnOnce(crate::wire::Quote) -> Icmp) -> Verdict {
        Verdict::Drop { cause, reply: error_about(packet, self.address, kind).map(Box::new) }
    }
}
