//! What a node does with a packet that arrives or sets out: pure decisions, nothing scheduled, nothing allocated on the way
//! forward.

use super::fib::Fib;
use super::icmp::error_about;
use super::uplinks::Uplink;
use crate::topo::{Egress, Role};
use crate::trace::Cause;
use crate::wire::{Icmp, Packet, UnreachableCode};
use std::net::Ipv4Addr;

/// The IP layer of one node, host or router.
#[derive(Clone, Debug)]
pub struct Router {
    address: Ipv4Addr,
    /// What it sends packets from: its address, or, if it has one on each of its links, that of the link in use.
    source: Ipv4Addr,
    role: Role,
    fib: Fib,
    /// Addresses that it has besides: in common with other hosts, or on other links.
    shared: Box<[Ipv4Addr]>,
    /// The links on which it has an address each.
    uplinks: Box<[Uplink]>,
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
    pub fn new(address: Ipv4Addr, role: Role, fib: Fib) -> Self {
        Self { address, source: address, role, fib, shared: Box::default(), uplinks: Box::default() }
    }

    /// The same for a host that has these addresses besides, in common with others or on other links. Its own table must have no route
    /// for them.
    #[must_use]
    pub fn sharing(self, shared: Box<[Ipv4Addr]>) -> Self {
        Self { shared, ..self }
    }

    /// The same for a host that has an address on each of these links. Its table must be empty: the source of a packet decides by which
    /// of them it leaves.
    #[must_use]
    pub fn homed(self, uplinks: Box<[Uplink]>) -> Self {
        Self { uplinks, ..self }
    }

    /// The links on which the host has an address each; none of a node with one address.
    #[must_use]
    pub const fn uplinks(&self) -> &[Uplink] {
        &self.uplinks
    }

    /// The address from which the node speaks, if it is asked and not answering.
    #[must_use]
    #[inline]
    pub const fn source(&self) -> Ipv4Addr {
        self.source
    }

    /// From now on the host speaks from this address of its own.
    pub const fn speak_from(&mut self, source: Ipv4Addr) {
        self.source = source;
    }

    /// The way out by which packets from this address of the host leave.
    fn uplink(&self, source: Ipv4Addr) -> Option<Egress> {
        self.uplinks.iter().find(|uplink| uplink.address == source).map(|uplink| uplink.egress)
    }

    /// The way out for packets of the flow with hash `flow` to `dst` that the node begins.
    #[must_use]
    pub fn egress_of_flow(&self, dst: Ipv4Addr, flow: u64) -> Option<Egress> {
        self.uplink(self.source).or_else(|| self.fib.egress_of_flow(dst, flow))
    }

    /// Whether packets to this address end here.
    #[must_use]
    pub fn has(&self, address: Ipv4Addr) -> bool {
        address == self.address || self.shared.contains(&address)
    }

    /// The addresses that the node has besides: in common with others, or on other links.
    #[must_use]
    pub const fn shared(&self) -> &[Ipv4Addr] {
        &self.shared
    }

    /// The node's address; the one that it prefers, if it has several.
    #[must_use]
    pub const fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Whether it forwards what is not for it.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Its routes.
    #[must_use]
    pub const fn fib(&self) -> &Fib {
        &self.fib
    }

    /// The way on for all packets to an address that is not the node's own, if it is the same for all of them: what [`Router::receive`]
    /// says, short of the MTU and the TTL.
    #[must_use]
    #[inline]
    pub fn only_way(&self, dst: Ipv4Addr) -> Option<Egress> {
        if self.role == Role::Host { None } else { self.fib.only_way(dst) }
    }

    /// The way on for a packet where [`Router::only_way`] has none: that of its flow among several, if there are any.
    #[must_use]
    #[inline(never)]
    pub fn way_of_several(&self, packet: &Packet) -> Option<Egress> {
        if self.role == Role::Host { None } else { self.fib.egress_of_several(packet) }
    }

    /// The way out for a packet that this node itself made, if it goes out: what [`Router::send`] says, short of the MTU.
    #[must_use]
    #[inline]
    pub fn sends(&self, packet: &Packet) -> Option<Egress> {
        if packet.dst == self.address { None } else { self.fib.egress(packet) }
    }

    /// Decides about a packet of `size` bytes that arrived on a link. `mtu` gives the MTU of a direction in bytes. A packet that goes on has
    /// lost one of its TTL.
    #[inline]
    pub fn receive(&self, packet: &mut Packet, size: u32, mtu: impl FnOnce(Egress) -> u32) -> Verdict {
        if self.has(packet.dst) {
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
        let verdict = self.way_out(packet, size, mtu);
        if let Verdict::Forward(_) = verdict {
            packet.ttl -= 1;
        }
        verdict
    }

    /// Decides about a packet of `size` bytes that this node itself made: to itself, out, or refused with an ICMP error that stands for the
    /// error its program would get.
    #[inline]
    pub fn send(&self, packet: &Packet, size: u32, mtu: impl FnOnce(Egress) -> u32) -> Verdict {
        if self.has(packet.dst) { Verdict::Deliver } else { self.way_out(packet, size, mtu) }
    }

    #[inline]
    fn way_out(&self, packet: &Packet, size: u32, mtu: impl FnOnce(Egress) -> u32) -> Verdict {
        let Some(egress) = self.fib.egress(packet).or_else(|| self.uplink(packet.src)) else {
            // RFC 1812 5.2.7.1: host unreachable where the address is of an attached network.
            let attached = self.fib.connected().is_some_and(|prefix| prefix.contains(packet.dst));
            let code = if attached { UnreachableCode::Host } else { UnreachableCode::Network };
            return self.refuse(packet, Cause::NoRoute, |quote| Icmp::Unreachable(code, quote));
        };
        let mtu = mtu(egress);
        if size > mtu {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Span;
    use crate::ip::{FibBuilder, Prefix, port_unreachable, reply_to_echo};
    use crate::wire::{Body, Datagram, Dscp, Ecn, Payload, Quote, Transit};

    const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
    const USER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
    const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 7, 2);

    fn router(role: Role) -> Router {
        let mut builder = FibBuilder::new(1);
        builder.connect("10.0.0.0/24".parse().unwrap());
        builder.attach(USER, Egress::from_number(4));
        let group = builder.group(&[Egress::from_number(9)]);
        builder.add("10.0.7.0/24".parse().unwrap(), group);
        Router::new(ROUTER, role, builder.build())
    }

    /// 128 bytes of UDP from the user.
    fn packet(dst: Ipv4Addr, ttl: u8) -> Packet {
        let datagram = Datagram { src_port: 5000, dst_port: 7, payload: Payload::filler(100) };
        let transit = Transit { flow: 77, queueing: Span::from_millis(3), ..Transit::default() };
        Packet {
            src: USER,
            dst,
            ttl,
            dscp: Dscp::DEFAULT,
            ecn: Ecn::Ect0,
            ident: 5,
            body: Body::Udp(datagram),
            transit,
        }
    }

    fn wide(_: Egress) -> u32 {
        1500
    }

    fn dropped(verdict: Verdict) -> (Cause, Option<Packet>) {
        match verdict {
            Verdict::Drop { cause, reply } => (cause, reply.map(|boxed| *boxed)),
            other => panic!("{other:?} instead of a drop"),
        }
    }

    fn quoted(reply: &Packet) -> Quote {
        match &reply.body {
            Body::Icmp(Icmp::TimeExceeded(quote) | Icmp::Unreachable(_, quote) | Icmp::PacketTooBig { quote, .. }) => {
                *quote
            }
            other => panic!("{other:?} quotes nothing"),
        }
    }

    #[test]
    fn a_packet_goes_on_with_one_hop_less() {
        let mut packet = packet(SERVER, 2);
        assert_eq!(router(Role::Router).receive(&mut packet, 128, wide), Verdict::Forward(Egress::from_number(9)));
        assert_eq!(packet.ttl, 1);
    }

    #[test]
    fn the_last_hop_is_refused_and_the_sender_told() {
        let mut late = packet(SERVER, 1);
        let (cause, reply) = dropped(router(Role::Router).receive(&mut late, 128, wide));
        let reply = reply.unwrap();
        assert_eq!((cause, reply.src, reply.dst, reply.ttl), (Cause::TtlExpired, ROUTER, USER, 64));
        assert!(matches!(reply.body, Body::Icmp(Icmp::TimeExceeded(_))));
        let quote = quoted(&reply);
        assert_eq!((quote.src, quote.dst, quote.protocol, quote.total_len), (USER, SERVER, 17, 128));
        // Ports 5000 and 7, length 108: enough for the sender to know its socket.
        assert_eq!(quote.head[..6], [0x13, 0x88, 0, 7, 0, 108]);
        assert_eq!(reply.transit, late.transit, "the round trip's account goes on");
        assert_eq!(router(Role::Router).receive(&mut packet(ROUTER, 1), 128, wide), Verdict::Deliver);
    }

    #[test]
    fn no_route_is_said_in_the_words_of_rfc_1812() {
        let code = |dst: [u8; 4]| {
            let (cause, reply) = dropped(router(Role::Router).receive(&mut packet(dst.into(), 64), 128, wide));
            assert_eq!(cause, Cause::NoRoute);
            match reply.unwrap().body {
                Body::Icmp(Icmp::Unreachable(code, _)) => code,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(code([192, 0, 2, 1]), UnreachableCode::Network);
        assert_eq!(code([10, 0, 0, 3]), UnreachableCode::Host);
    }

    #[test]
    fn a_packet_fits_up_to_the_last_byte() {
        let router = router(Role::Router);
        assert!(matches!(router.receive(&mut packet(SERVER, 64), 128, |_| 128), Verdict::Forward(_)));
        let mut big = packet(SERVER, 64);
        let (cause, reply) = dropped(router.receive(&mut big, 128, |_| 127));
        assert_eq!((cause, big.ttl), (Cause::TooBig, 64));
        assert!(matches!(reply.unwrap().body, Body::Icmp(Icmp::PacketTooBig { mtu: 127, .. })));
    }

    #[test]
    fn errors_are_never_about_errors_nor_to_crowds() {
        let router = router(Role::Router);
        let (_, reply) = dropped(router.receive(&mut packet(SERVER, 1), 128, wide));
        let mut error = reply.unwrap();
        (error.dst, error.ttl) = (SERVER, 1);
        assert_eq!(dropped(router.receive(&mut error, 128, wide)), (Cause::TtlExpired, None));
        let to = |dst: [u8; 4]| dropped(router.receive(&mut packet(dst.into(), 1), 128, wide)).1;
        assert_eq!(to([224, 0, 0, 1]), None);
        assert_eq!(to([255, 255, 255, 255]), None);
        let mut from_nobody = packet(SERVER, 1);
        from_nobody.src = Ipv4Addr::UNSPECIFIED;
        assert_eq!(dropped(router.receive(&mut from_nobody, 128, wide)).1, None);
        let mut echo = packet(SERVER, 1);
        echo.body = Body::Icmp(Icmp::EchoRequest { identifier: 1, sequence: 2, data_len: 56 });
        assert!(dropped(router.receive(&mut echo, 128, wide)).1.is_some(), "echoes are no errors");
    }

    #[test]
    fn a_host_forwards_nothing_but_sends_its_own() {
        let host = router(Role::Host);
        assert_eq!(dropped(host.receive(&mut packet(SERVER, 64), 128, wide)), (Cause::NoListener, None));
        let mine = packet(SERVER, 1);
        assert_eq!(host.send(&mine, 128, wide), Verdict::Forward(Egress::from_number(9)));
        assert_eq!(host.send(&packet(ROUTER, 64), 128, wide), Verdict::Deliver);
        assert_eq!(dropped(host.send(&packet(Prefix::PRIVATE.last(), 64), 128, wide)).0, Cause::NoRoute);
    }

    #[test]
    fn echoes_come_back_and_closed_ports_say_so() {
        let mut echo = packet(SERVER, 60);
        echo.body = Body::Icmp(Icmp::EchoRequest { identifier: 1, sequence: 2, data_len: 56 });
        let reply = reply_to_echo(&echo).unwrap();
        assert_eq!((reply.src, reply.dst, reply.ttl), (SERVER, USER, 64));
        assert_eq!(reply.body, Body::Icmp(Icmp::EchoReply { identifier: 1, sequence: 2, data_len: 56 }));
        assert_eq!(reply_to_echo(&reply), None);
        assert_eq!(port_unreachable(&echo), None);
        let refusal = port_unreachable(&packet(SERVER, 60)).unwrap();
        assert!(matches!(refusal.body, Body::Icmp(Icmp::Unreachable(UnreachableCode::Port, _))));
        assert_eq!((refusal.src, refusal.dst), (SERVER, USER));
    }
}
