//! UDP in the world: a socket is a port and a bounded queue of datagrams.

use super::World;
use super::pool::{PacketId, datagram_size};
use super::sockets::{DATAGRAM_BUFFER, Datagrams};
use crate::base::Id;
use crate::host::{Answer, Inbox, NetError, Received, SocketId, Ticket};
use crate::ip;
use crate::trace::{Arrival, Cause};
use crate::wire::{Body, Datagram, Dscp, Ecn, Icmp, Packet, Payload, Transit, UnreachableCode};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::rc::Rc;

use super::sockets::Socket;

impl World {
    /// Opens a UDP socket for a program.
    pub(super) fn udp_bind(&mut self, node: u32, ticket: Ticket, (port, dscp): (u16, Dscp), inbox: Rc<Inbox>) {
        let stack = &mut self.nodes[node as usize].stack;
        let port = if port == 0 {
            stack.datagram_port()
        } else {
            Some(port).filter(|port| !stack.datagrams.contains_key(port) && !stack.quic.has_port(*port))
        };
        let Some(port) = port else {
            self.answer(ticket, Answer::Bound(Err(NetError::AddressInUse)));
            return;
        };
        let flow = stack.next_flow();
        let id = self.datagrams.insert(Datagrams { node, port, dscp, flow, inbox });
        self.nodes[node as usize].stack.datagrams.insert(port, id);
        self.answer(ticket, Answer::Bound(Ok((Socket::Datagrams(id).id(), port))));
    }

    /// A program sends a datagram.
    #[expect(clippy::inline_always, reason = "the payload is moved once, from the mailbox into the packet")]
    #[inline(always)]
    pub(super) fn send_to(
        &mut self,
        socket: SocketId,
        (from, to): (Option<Ipv4Addr>, SocketAddrV4),
        payload: Payload,
        flow: u64,
    ) {
        let Socket::Datagrams(id) = Socket::of(socket) else { return };
        let Some(socket) = self.datagrams.get(id) else { return };
        let (node, src_port, dscp) = (socket.node, socket.port, socket.dscp);
        let flow = if flow == 0 { socket.flow } else { flow };
        let (number, packet, size) = self.packets.blank_datagram();
        let Body::Udp(datagram) = &mut packet.body else { return };
        *size = datagram_size(&payload);
        *datagram = Datagram { src_port, dst_port: to.port(), payload };
        packet.src = from.unwrap_or_else(|| self.nodes[node as usize].router.source());
        packet.dst = *to.ip();
        packet.ttl = ip::DEFAULT_TTL;
        packet.dscp = dscp;
        packet.ecn = Ecn::NotCapable;
        packet.transit = Transit { flow, first_sent: self.now, sent: self.now, ..Transit::default() };
        self.send_made(node, number);
    }

    /// A host drops a datagram that has reached it: it counts as dropped and not as delivered.
    fn no_use_for(&mut self, node: u32, cause: Cause) {
        self.nodes[node as usize].dropped[cause as usize] += 1;
        self.tally.dropped[cause as usize] += 1;
        self.tally.delivered -= 1;
    }

    /// A datagram has reached its host.
    pub(super) fn udp_input(&mut self, node: u32, id: PacketId) {
        let packet = self.packets.sized_mut(id).0;
        let Body::Udp(datagram) = &mut packet.body else { return };
        let stack = &self.nodes[node as usize].stack;
        let socket = stack.datagrams.get(&datagram.dst_port).and_then(|&socket| self.datagrams.get(socket));
        let Some(socket) = socket else {
            if self.quic_input(node, id) {
                return;
            }
            let reply = ip::port_unreachable(self.packets.sized_mut(id).0);
            self.packets.free(id);
            self.no_use_for(node, Cause::NoListener);
            if let Some(reply) = reply {
                self.send(node, reply);
            }
            return;
        };
        let bytes = datagram.payload.len();
        if socket.inbox.bytes() + bytes > DATAGRAM_BUFFER {
            self.packets.free(id);
            self.no_use_for(node, Cause::BufferFull);
            return;
        }
        let transit = &packet.transit;
        let received = Received {
            from: SocketAddrV4::new(packet.src, datagram.src_port),
            at: packet.dst,
            payload: std::mem::take(&mut datagram.payload),
            flow: transit.flow,
            arrival: Arrival {
                first_sent: transit.first_sent,
                sent: transit.sent,
                arrived: self.now,
                released: self.now,
                serialisation: transit.serialisation,
                queueing: transit.queueing,
                propagation: transit.propagation,
            },
        };
        self.packets.recycle_datagram(id);
        self.answered |= self.executor.deliver(&socket.inbox, received, self.now);
    }

    /// An ICMP error about one of our datagrams: a waiting program learns of it, as a connected UDP socket does.
    pub(super) fn udp_error(&mut self, node: u32, port: u16, packet: &Packet) {
        let Some(&id) = self.nodes[node as usize].stack.datagrams.get(&port) else {
            self.quic_error(node, port);
            return;
        };
        let Some(socket) = self.datagrams.get(id) else { return };
        let error = match packet.body {
            Body::Icmp(Icmp::Unreachable(UnreachableCode::Port, _)) => NetError::Refused,
            Body::Icmp(Icmp::PacketTooBig { .. }) => NetError::TooBig,
            _ => NetError::Unreachable,
        };
        self.answered |= self.executor.tell(&socket.inbox, error);
    }

    /// A program lets go of a UDP socket.
    pub(super) fn udp_close(&mut self, id: Id<Datagrams>) {
        if let Some(socket) = self.datagrams.remove(id) {
            self.nodes[socket.node as usize].stack.datagrams.swap_remove(&socket.port);
        }
    }
}
