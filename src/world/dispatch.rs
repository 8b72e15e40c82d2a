//! The life of a packet.
//!
//! 1. A program writes to a socket; `calls` hands it to the transport machine.
//! 2. The machine is drained: each packet is routed (`send`) and offered to a link, which queues, sends or drops it.
//! 3. The link's head event brings it to the next node (`arrive`): a router goes on with 2, a host demultiplexes.
//! 4. The transport takes it in and is drained again (answers), programs that waited are answered and polled (`settle`).

use super::pool::PacketId;
use super::{Event, World};
use crate::base::Time;
use crate::engine::Key;
use crate::host::{Answer, Echoed};
use crate::ip::{self, Verdict};
use crate::link::{Fate, Offered};
use crate::topo::Egress;
use crate::trace::{Cause, Mask, PacketEvent, PacketRecord};
use crate::wire::{Body, Icmp, Packet, Quote};

impl World {
    /// Time moves: an event of a node happens.
    pub(super) fn node_event(&mut self, key: Key, event: Event) {
        self.begin(key.time(), key.origin());
        match event {
            Event::Connection(id) => self.connection_event(id),
            Event::Quic(id) => self.quic_event(id),
            Event::Timer(ticket) => self.answer(ticket, Answer::Slept),
            Event::Loopback { node, packet } => self.arrive(node, packet),
        }
        if self.answered {
            self.settle();
        }
    }

    /// Time moves: a packet comes out of a link.
    #[inline(never)]
    pub(super) fn link_event(&mut self, direction: u32, time: Time) {
        // Nodes come before link directions in the order of sources.
        self.begin(time, (self.nodes.len() as u64 + u64::from(direction)) << 32);
        let end = &mut self.directions[direction as usize];
        let to = end.to;
        let Some((packet, fate)) = end.link.take() else { return self.serve(direction) };
        if let Some(next) = end.link.wake() {
            self.arrivals.set(direction, next);
        }
        self.hops += 1;
        if fate == Fate::Arrives {
            self.note(to, Some(direction), PacketEvent::Arrived, packet);
            self.arrive(to, packet);
        } else {
            self.fate(to, direction, packet, fate);
        }
        if self.answered {
            self.settle();
        }
    }

    /// Something else than usual becomes of a packet at the end of a link.
    #[cold]
    fn fate(&mut self, to: u32, direction: u32, packet: PacketId, fate: Fate) {
        match fate {
            Fate::Arrives | Fate::ArrivesTwice => {
                let copy = self.packets.copy(packet).0;
                let copy = self.packets.insert(copy);
                for packet in [packet, copy] {
                    self.note(to, Some(direction), PacketEvent::Arrived, packet);
                    self.arrive(to, packet);
                }
            }
            Fate::Dropped(cause) => {
                self.note(to, Some(direction), PacketEvent::Dropped(cause), packet);
                self.packets.free(packet);
            }
        }
    }

    #[inline]
    fn begin(&mut self, time: Time, origin: u64) {
        self.now = time;
        self.events += 1;
        self.digest.fold(time.as_nanos());
        self.digest.fold(origin);
    }

    /// Lets woken programs run and does what they ask, until nobody has anything to do at this instant.
    pub(super) fn settle(&mut self) {
        self.executor.set_now(self.now);
        let mut calls = std::mem::take(&mut self.calls);
        loop {
            self.answered = false;
            self.executor.run();
            if !self.executor.take_calls(&mut calls) {
                break;
            }
            calls.drain(|node, call| self.call(node, call));
            if !self.answered {
                break;
            }
        }
        self.calls = calls;
    }

    /// Answers a program's call; programs run before the event is over.
    #[inline]
    pub(super) fn answer(&mut self, ticket: crate::host::Ticket, answer: Answer) {
        self.answered = true;
        self.executor.answer(ticket, answer);
    }

    /// Sends a packet that `node` has made.
    pub(super) fn send(&mut self, node: u32, packet: Packet) {
        let id = self.packets.insert(packet);
        self.send_made(node, id);
    }

    /// Sends a packet of the pool that `node` has made.
    pub(super) fn send_made(&mut self, node: u32, id: PacketId) {
        self.tally.sent += 1;
        let machine = &mut self.nodes[node as usize];
        let (packet, size) = self.packets.sized_mut(id);
        packet.ident = machine.stack.next_ident();
        if self.trace.wants(Mask::PACKETS) {
            self.note_packet(node, None, PacketEvent::Sent, id);
        } else if let Some(egress) = machine.router.sends(packet) {
            let link = &mut self.directions[egress.index()].link;
            if u32::from(size) <= link.mtu() {
                let offered = link.offer(id, size, packet, self.now);
                self.offered(node, egress.number(), id, offered);
                return;
            }
        }
        self.send_unusually(node, id);
    }

    #[inline(never)]
    fn send_unusually(&mut self, node: u32, id: PacketId) {
        let directions = &self.directions;
        let mtu = |egress: Egress| directions[egress.index()].link.mtu();
        let (packet, size) = self.packets.sized_mut(id);
        match self.nodes[node as usize].router.send(packet, u32::from(size), mtu) {
            Verdict::Forward(egress) => self.offer(node, egress, id),
            Verdict::Deliver => self.schedule(node, self.now, Event::Loopback { node, packet: id }),
            Verdict::Drop { cause, reply } => {
                self.drop_at(node, id, cause);
                // The error stands for the one that the program's call would return: it crosses no link.
                if let Some(reply) = reply {
                    self.icmp_input(node, *reply);
                }
            }
        }
    }

    /// A packet has reached a node.
    #[inline]
    fn arrive(&mut self, node: u32, id: PacketId) {
        let (packet, size) = self.packets.sized_mut(id);
        let router = &self.nodes[node as usize].router;
        if let Some(egress) = router.forwards(packet) {
            let link = &mut self.directions[egress.index()].link;
            if u32::from(size) <= link.mtu() {
                packet.ttl -= 1;
                let offered = link.offer(id, size, packet, self.now);
                self.offered(node, egress.number(), id, offered);
                return;
            }
        } else if packet.dst == router.address() {
            self.deliver(node, id);
            return;
        }
        self.arrive_unusually(node, id);
    }

    /// What is not forwarded as usual is dropped, as a rule with an ICMP error.
    #[inline(never)]
    fn arrive_unusually(&mut self, node: u32, id: PacketId) {
        let (packet, size) = self.packets.sized_mut(id);
        let directions = &self.directions;
        let mtu = |egress: Egress| directions[egress.index()].link.mtu();
        match self.nodes[node as usize].router.receive(packet, u32::from(size), mtu) {
            Verdict::Forward(egress) => self.offer(node, egress, id),
            Verdict::Deliver => self.deliver(node, id),
            Verdict::Drop { cause, reply } => {
                self.drop_at(node, id, cause);
                if let Some(reply) = reply {
                    self.send(node, *reply);
                }
            }
        }
    }

    /// Offers a packet to a link direction.
    fn offer(&mut self, node: u32, egress: Egress, id: PacketId) {
        let link = &mut self.directions[egress.index()].link;
        let (packet, size) = self.packets.sized_mut(id);
        let offered = link.offer(id, size, packet, self.now);
        self.offered(node, egress.number(), id, offered);
    }

    #[inline]
    fn offered(&mut self, node: u32, direction: u32, id: PacketId, offered: Offered) {
        match offered {
            Offered::Refused(cause) => return self.refused(node, direction, id, cause),
            Offered::First(arrival) => self.arrivals.set(direction, arrival),
            Offered::Behind => {}
        }
        self.note(node, Some(direction), PacketEvent::Offered, id);
    }

    /// Drops a packet that a link's queue has no room for.
    #[cold]
    fn refused(&mut self, node: u32, direction: u32, id: PacketId, cause: Cause) {
        self.note(node, Some(direction), PacketEvent::Dropped(cause), id);
        self.packets.free(id);
    }

    /// Drops a packet at a node.
    #[cold]
    fn drop_at(&mut self, node: u32, id: PacketId, cause: Cause) {
        self.note(node, None, PacketEvent::Dropped(cause), id);
        self.nodes[node as usize].dropped[cause as usize] += 1;
        self.tally.dropped[cause as usize] += 1;
        self.packets.free(id);
    }

    /// Hands a packet to the transport that it is for.
    fn deliver(&mut self, node: u32, id: PacketId) {
        self.note(node, None, PacketEvent::Delivered, id);
        self.tally.delivered += 1;
        match self.packets.sized_mut(id).0.body {
            Body::Tcp(_) => self.tcp_input(node, id),
            Body::Udp(_) => self.udp_input(node, id),
            Body::Icmp(_) => {
                let packet = self.packets.remove(id).0;
                self.icmp_input(node, packet);
            }
        }
    }

    fn icmp_input(&mut self, node: u32, packet: Packet) {
        let Body::Icmp(ref message) = packet.body else { return };
        match *message {
            Icmp::EchoRequest { .. } => {
                if let Some(reply) = ip::reply_to_echo(&packet) {
                    self.send(node, reply);
                }
            }
            Icmp::EchoReply { sequence, .. } => self.echo_answer(node, sequence, &packet),
            Icmp::TimeExceeded(quote) | Icmp::Unreachable(_, quote) | Icmp::PacketTooBig { quote, .. } => {
                self.icmp_error(node, &packet, &quote);
            }
        }
    }

    /// An ICMP error goes to whoever sent the packet that it quotes.
    fn icmp_error(&mut self, node: u32, packet: &Packet, quote: &Quote) {
        let word = |at: usize| u16::from_be_bytes([quote.head[at], quote.head[at + 1]]);
        match quote.protocol {
            // An echo request's sequence number is in its bytes 6 and 7.
            1 => self.echo_answer(node, word(6), packet),
            6 => self.tcp_error(node, word(0), (quote.dst, word(2)), packet),
            17 => self.udp_error(node, word(0), packet),
            _ => {}
        }
    }

    /// Something has answered an echo request of `node`.
    fn echo_answer(&mut self, node: u32, sequence: u16, packet: &Packet) {
        let Some(echo) = self.nodes[node as usize].stack.echoes.swap_remove(&sequence) else { return };
        let transit = &packet.transit;
        let echoed = Echoed {
            from: packet.src,
            reached: matches!(packet.body, Body::Icmp(Icmp::EchoReply { .. })),
            ttl_exceeded: matches!(packet.body, Body::Icmp(Icmp::TimeExceeded(_))),
            rtt: self.now - echo.sent,
            spent: (transit.serialisation, transit.queueing, transit.propagation),
        };
        self.answer(echo.ticket, Answer::Echoed(echoed));
    }

    /// Tells the observers, if any of them wants packets.
    #[inline]
    pub(super) fn note(&mut self, node: u32, link: Option<u32>, event: PacketEvent, id: PacketId) {
        if self.trace.wants(Mask::PACKETS) {
            self.note_packet(node, link, event, id);
        }
    }

    #[cold]
    fn note_packet(&mut self, node: u32, link: Option<u32>, event: PacketEvent, id: PacketId) {
        let (packet, serial) = self.packets.copy(id);
        self.trace.packet(|| PacketRecord { time: self.now, node, link, event, serial, packet });
    }
}
