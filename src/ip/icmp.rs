//! The ICMP messages that nodes make of packets: errors, and answers to echoes.
//!
//! An answer carries on the [`Transit`](crate::wire::Transit) of the packet it answers: what the round trip spent adds up to
//! its time. Routers here never limit the rate of their errors, as real ones do (RFC 1812 4.3.2.8); who sends thousands of
//! doomed packets a second would notice.

use crate::wire::{Body, Ecn, Icmp, Packet, Quote, UnreachableCode, codec};
use std::net::Ipv4Addr;

/// Hops that a packet may make unless its sender says otherwise (RFC 1700, and what most systems use).
pub const DEFAULT_TTL: u8 = 64;

/// The reply of `packet`'s destination if it is an echo request (RFC 792, RFC 1122 3.2.2.6).
#[must_use]
pub fn reply_to_echo(packet: &Packet) -> Option<Packet> {
    let Body::Icmp(Icmp::EchoRequest { identifier, sequence, data_len }) = packet.body else { return None };
    Some(answer(packet, packet.dst, Icmp::EchoReply { identifier, sequence, data_len }))
}

/// The error that `packet`'s destination sends when nobody listens on its UDP port (RFC 1122 4.1.3.1); `None` for anything but
/// a UDP datagram to one host.
#[must_use]
pub fn port_unreachable(packet: &Packet) -> Option<Packet> {
    let Body::Udp(_) = packet.body else { return None };
    error_about(packet, packet.dst, |quote| Icmp::Unreachable(UnreachableCode::Port, quote))
}

/// The error `kind` that the node with the address `from` sends about `packet`, or `None` where none may be sent: about an
/// ICMP error, a packet to more than one host, or one whose source is not one host (RFC 1122 3.2.2).
#[must_use]
pub fn error_about(packet: &Packet, from: Ipv4Addr, kind: impl FnOnce(Quote) -> Icmp) -> Option<Packet> {
    let about_error = matches!(&packet.body, Body::Icmp(message) if message.is_error());
    let to_many = packet.dst.is_multicast() || packet.dst.is_broadcast();
    let by_nobody = packet.src.is_unspecified() || packet.src.is_multicast() || packet.src.is_broadcast();
    if about_error || to_many || by_nobody {
        return None;
    }
    Some(answer(packet, from, kind(quote(packet))))
}

/// What an error repeats of `packet` (RFC 792).
fn quote(packet: &Packet) -> Quote {
    Quote {
        src: packet.src,
        dst: packet.dst,
        protocol: packet.body.protocol(),
        total_len: u16::try_from(packet.wire_len()).unwrap_or(u16::MAX),
        head: codec::head(packet),
    }
}

fn answer(to: &Packet, from: Ipv4Addr, message: Icmp) -> Packet {
    Packet {
        src: from,
        dst: to.src,
        ttl: DEFAULT_TTL,
        dscp: to.dscp,
        ecn: Ecn::NotCapable,
        ident: to.ident,
        body: Body::Icmp(message),
        transit: to.transit,
    }
}
