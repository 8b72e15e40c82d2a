//! A segment has reached its host: whose it is, and what becomes of one that is nobody's.

use super::super::node::FourTuple;
use super::super::pool::PacketId;
use super::super::sockets::Listener;
use super::super::{Event, World};
use crate::base::Id;
use crate::trace::Mask;
use crate::transport::tcp;
use crate::wire::{Body, Cookie, Dscp, Ecn, Flags, Icmp, Packet, Segment, Transit, UnreachableCode};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::rc::Rc;

use super::ConnectionId;

impl World {
    /// A segment has reached its host, at the host's own address if `OWN`.
    #[inline]
    pub(in crate::world) fn tcp_input<const OWN: bool>(&mut self, node: u32, packet: PacketId) {
        let Packet { src, dst, ecn, ref mut body, ref transit, .. } = *self.packets.sized_mut(packet).0;
        let Body::Tcp(segment) = body else { return };
        let own = FourTuple::new(segment.dst_port, src, segment.src_port);
        let tuple = if OWN { own } else { own.at(dst, &self.nodes[node as usize].router) };
        let Some(id) = self.nodes[node as usize].stack.connection(tuple) else {
            return self.tcp_input_of_nobody(node, packet, None);
        };
        let Some(connection) = self.connections.get_mut(id) else { return };
        let state = connection.machine.state();
        if state == tcp::State::SynReceived || state == tcp::State::TimeWait {
            return self.tcp_input_at_the_edge(node, packet, id);
        }
        connection.machine.handle_segment(segment, transit, ecn, self.now);
        segment.payload.clear();
        // Data for a read that throws it away, which need not be acknowledged yet, asks for no drain.
        let quiet = connection.machine.is_silent()
            && connection.swallow(self.now)
            && !connection.machine.must_acknowledge()
            && !self.trace.wants(Mask::SERIES);
        let wake = if quiet { connection.next_wake(self.now) } else { None };
        self.packets.recycle(packet);
        if !quiet {
            if OWN {
                self.tcp_drain_here(id);
            } else {
                self.tcp_drain(id);
            }
        } else if let Some(at) = wake {
            self.schedule(node, at, Event::Connection(id));
        }
    }

    /// A segment for a connection that is not established yet or not any more: it may be dropped, or open another connection.
    #[inline(never)]
    pub(in crate::world) fn tcp_input_at_the_edge(&mut self, node: u32, packet: PacketId, id: ConnectionId) {
        let Packet { ecn, ref mut body, ref transit, .. } = *self.packets.sized_mut(packet).0;
        let Body::Tcp(segment) = body else { return };
        let Some(connection) = self.connections.get_mut(id) else { return };
        // A SYN may open a connection anew over one in TIME-WAIT (RFC 9293 3.6.1, RFC 6191), which is then forgotten.
        if opens(segment)
            && self.nodes[node as usize].stack.listeners.contains_key(&segment.dst_port)
            && connection.machine.accepts_reopening(segment)
        {
            return self.tcp_input_of_nobody(node, packet, Some(id));
        }
        let waits = connection.machine.state() == tcp::State::SynReceived
            && !segment.flags.has(Flags::RST)
            && connection.listener.and_then(|id| self.listeners.get(id)).is_some_and(Listener::is_full);
        // While too many connections wait to be accepted, a handshake cannot end: its segments are dropped and the
        // SYN-ACK comes again (Linux with `tcp_abort_on_overflow` off).
        if !waits {
            connection.machine.handle_segment(segment, transit, ecn, self.now);
        }
        self.packets.free(packet);
        if !waits {
            self.tcp_drain(id);
        }
    }

    /// A segment has reached its host that belongs to no connection, or takes the place of the one named: it opens one, or is
    /// answered with a reset.
    #[inline(never)]
    pub(in crate::world) fn tcp_input_of_nobody(
        &mut self,
        node: u32,
        packet: PacketId,
        reopened: Option<ConnectionId>,
    ) {
        if reopened.is_none() && self.steered(node, packet) {
            return;
        }
        let Packet { src, dst, dscp, ecn, ref mut body, transit, .. } = *self.packets.sized_mut(packet).0;
        let Body::Tcp(segment) = body else { return };
        let listener = self.nodes[node as usize].stack.listeners.get(&segment.dst_port).copied();
        let opens = opens(segment);
        let segment = std::mem::take(segment);
        self.packets.free(packet);
        if let Some(id) = reopened {
            self.tcp_forget(id);
        }
        if let Some(listener) = listener
            && !segment.flags.has(Flags::ACK)
        {
            // RFC 9293 3.10.7.2: what is neither SYN nor ACK is dropped, and Linux drops a SYN with FIN too.
            if opens && !segment.flags.has(Flags::FIN) {
                self.tcp_accept(node, listener, (src, dst), (dscp, ecn), &segment, &transit);
            }
            return;
        }
        if let Some(reset) = tcp::reset_for(&segment) {
            self.tcp_reset(node, (src, dst), dscp, reset, transit.flow);
        }
    }

    /// A SYN has reached a listener. While more connections wait to be accepted than the backlog says it is dropped without a
    /// word, and the client tries again (Linux `tcp_conn_request`). Handshakes under way do not count: with SYN cookies, on by
    /// default, there is no end to them.
    pub(in crate::world) fn tcp_accept(
        &mut self,
        node: u32,
        listener: Id<Listener>,
        (src, dst): (Ipv4Addr, Ipv4Addr),
        (dscp, ecn): (Dscp, Ecn),
        syn: &Segment,
        transit: &Transit,
    ) {
        let Some(listening) = self.listeners.get_mut(listener) else { return };
        if listening.is_full() {
            return;
        }
        let config = Rc::clone(&listening.tcp);
        let stack = &self.nodes[node as usize].stack;
        let local = (stack.host.addr(), syn.dst_port);
        let iss = self.initial_sequence(transit.flow, 1);
        let mut machine = tcp::Connection::accept(&config, local, (src, syn.src_port), iss, syn, self.now);
        machine.note_syn_ecn(ecn, syn);
        if config.fast_open {
            machine.accept_fast(self.cookie(node, src), syn, transit, self.now);
        }
        let tuple = FourTuple::new(syn.dst_port, src, syn.src_port).at(dst, &self.nodes[node as usize].router);
        let remote = SocketAddrV4::new(src, syn.src_port);
        let id = self.tcp_insert(node, machine, remote, (syn.dst_port, tuple), transit.flow);
        let (local, dscp) = self.answers_from(node, dst, dscp);
        if let Some(connection) = self.connections.get_mut(id) {
            connection.listener = Some(listener);
            connection.local = local;
            // Linux with `tcp_reflect_tos`.
            connection.dscp = dscp;
        }
        self.tcp_drain(id);
    }

    /// The Fast Open cookie of a client: the server needs to remember nothing but its key (RFC 7413 4.1.2).
    pub(in crate::world) fn cookie(&self, node: u32, client: Ipv4Addr) -> Cookie {
        let mut digest = crate::base::Digest::default();
        [self.seed, u64::from(node), u64::from(u32::from(client))].into_iter().for_each(|word| digest.fold(word));
        digest.value().to_be_bytes()
    }

    /// An ICMP error about one of our segments.
    pub(in crate::world) fn tcp_error(
        &mut self,
        node: u32,
        local: (Ipv4Addr, u16),
        remote: (Ipv4Addr, u16),
        packet: &Packet,
    ) {
        let tuple = FourTuple::new(local.1, remote.0, remote.1).at(local.0, &self.nodes[node as usize].router);
        let Some(&id) = self.nodes[node as usize].stack.connections.get(&tuple) else { return };
        let Some(connection) = self.connections.get_mut(id) else { return };
        match packet.body {
            Body::Icmp(Icmp::PacketTooBig { mtu, .. }) => connection.machine.handle_too_big(u32::from(mtu), self.now),
            Body::Icmp(Icmp::Unreachable(code, _)) => {
                connection.machine.handle_unreachable(code == UnreachableCode::Port, self.now);
            }
            _ => return,
        }
        self.tcp_drain(id);
    }
}

/// Whether a segment asks for a connection.
fn opens(segment: &Segment) -> bool {
    segment.flags.has(Flags::SYN) && !segment.flags.has(Flags::ACK) && !segment.flags.has(Flags::RST)
}
