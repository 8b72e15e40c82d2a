//! The life of a packet.
//!
//! 1. A program writes to a socket; `calls` hands it to the transport machine.
//! 2. The machine is drained: each packet is routed (`send`) and offered to a link, which queues, sends or drops it.
//! 3. The link's head event brings it to the next node (`arrive`): a router goes on with 2, a host demultiplexes.
//! 4. The transport takes it in and is drained again (answers), programs that waited are answered and polled (`settle`).

use super::pool::PacketId;
use super::{Event, World};
use crate::engine::Key;
use crate::host::{Answer, Echoed};
use crate::ip::{self, Verdict};
use crate::link::Fate;
use crate::topo::Egress;
use crate::trace::{Cause, PacketEvent, PacketRecord};
use crate::wire::{Body, Icmp, Packet, Quote};

impl World {
    /// The one place where time moves: the earliest event happens.
    pub(super) fn step(&mut self, key: Key, event: Event) {
        self.now = key.time();
        self.events += 1;
        self.digest.fold(self.now.as_nanos());
        self.digest.fold(key.origin());
        match event {
            Event::Link(direction) => self.link_event(direction),
            Event::Connection(id) => {
                self.queue.pop();
                self.connection_event(id);
            }
            Event::Timer(ticket) => {
                self.queue.pop();
                self.answer(ticket, Answer::Slept);
            }
            Event::Loopback { node, packet } => {
                self.queue.pop();
                self.arrive(node, packet);
            }
        }
        if self.answered {
            self.settle();
        }
    }

    /// Lets woken programs run and does what they ask, until nobody has anything to do at this instant.
    pub(super) fn settle(&mut self) {
        self.answered = false;
        self.executor.set_now(self.now);
        loop {
            self.executor.run();
            self.executor.drain_records(|record| self.trace.record(record));
            let mut called = false;
            while let Some((node, call)) = self.executor.next_call() {
                called = true;
                self.call(node, call);
            }
            if !called && !self.answered {
                return;
            }
            self.answered = false;
        }
    }

    /// Answers a program's call; programs run before the event is over.
    #[inline]
    pub(super) fn answer(&mut self, ticket: crate::host::Ticket, answer: Answer) {
        self.answered = true;
        self.executor.answer(ticket, answer);
    }

    /// A packet comes out of a link, or the entry is stale.
    fn link_event(&mut self, direction: u32) {
        let end = &mut self.directions[direction as usize];
        let to = end.to;
        let Some((packet, fate)) = end.link.take(self.now) else {
            self.queue.pop();
            return;
        };
        match end.link.wake() {
            Some(next) => self.queue.replace_first(self.link_key(direction, next), Event::Link(direction)),
            None => {
                self.queue.pop();
            }
        }
        self.hops += 1;
        match fate {
            Fate::Arrives => {
                self.note(to, Some(direction), PacketEvent::Arrived, packet);
                self.arrive(to, packet);
            }
            Fate::ArrivesTwice => {
                let copy = self.packets.copy(packet).0;
                let copy = self.packets.insert(copy);
                for packet in [packet, copy] {
                    self.note(to, Some(direction), PacketEvent::Arrived, packet);
                    self.arrive(to, packet);
                }
            }
            Fate::Dropped(cause) => {
                self.note(to, Some(direction), PacketEvent::Dropped(cause), packet);
                self.packets.remove(packet);
            }
        }
    }

    /// A link direction has at most one entry in the queue: that of its next arrival.
    #[inline]
    fn link_key(&self, direction: u32, time: crate::base::Time) -> Key {
        #[expect(clippy::cast_possible_truncation, reason = "a plan has fewer than 2^32 nodes and links")]
        let source = self.nodes.len() as u32 + direction;
        Key::new(time, source, 0)
    }

    /// Sends a packet that `node` has made.
    pub(super) fn send(&mut self, node: u32, mut packet: Packet) {
        self.tally.sent += 1;
        let machine = &mut self.nodes[node as usize];
        packet.ident = machine.stack.next_ident();
        let id = self.packets.insert(packet);
        self.note(node, None, PacketEvent::Sent, id);
        let directions = &self.directions;
        let mtu = |egress: Egress| directions[egress.index()].link.mtu();
        match self.nodes[node as usize].router.send(self.packets.get_mut(id), mtu) {
            Verdict::Forward(egress) => self.offer(node, egress, id),
            Verdict::Deliver => self.schedule(node, self.now, Event::Loopback { node, packet: id }),
            Verdict::Drop { cause, reply } => {
                self.drop_at(node, id, cause);
                // The error stands for the one that the program's call would return: it crosses no link.
                if let Some(reply) = reply {
                    self.deliver(node, *reply);
                }
            }
        }
    }

    /// A packet has reached a node.
    #[inline]
    pub(super) fn arrive(&mut self, node: u32, id: PacketId) {
        let directions = &self.directions;
        let mtu = |egress: Egress| directions[egress.index()].link.mtu();
        match self.nodes[node as usize].router.receive(self.packets.get_mut(id), mtu) {
            Verdict::Forward(egress) => self.offer(node, egress, id),
            Verdict::Deliver => {
                self.note(node, None, PacketEvent::Delivered, id);
                self.tally.delivered += 1;
                let (packet, _) = self.packets.remove(id);
                self.deliver(node, packet);
            }
            Verdict::Drop { cause, reply } => {
                self.drop_at(node, id, cause);
                if let Some(reply) = reply {
                    self.send(node, *reply);
                }
            }
        }
    }

    /// Offers a packet to a link direction.
    #[inline]
    fn offer(&mut self, node: u32, egress: Egress, id: PacketId) {
        let direction = egress.number();
        let link = &mut self.directions[egress.index()].link;
        let (packet, size) = self.packets.sized_mut(id);
        let before = link.wake();
        match link.offer(id, size, &mut packet.transit, self.now) {
            Ok(()) => {
                let next = link.wake();
                if next != before
                    && let Some(next) = next
                {
                    self.queue.push(self.link_key(direction, next), Event::Link(direction));
                }
                self.note(node, Some(direction), PacketEvent::Offered, id);
            }
            Err(cause) => {
                self.note(node, Some(direction), PacketEvent::Dropped(cause), id);
                self.packets.remove(id);
            }
        }
    }

    /// Drops a packet at a node.
    fn drop_at(&mut self, node: u32, id: PacketId, cause: Cause) {
        self.note(node, None, PacketEvent::Dropped(cause), id);
        self.nodes[node as usize].dropped[cause as usize] += 1;
        self.tally.dropped[cause as usize] += 1;
        self.packets.remove(id);
    }

    /// Hands a packet to the transport that it is for.
    fn deliver(&mut self, node: u32, packet: Packet) {
        match packet.body {
            Body::Tcp(_) => self.tcp_input(node, packet),
            Body::Udp(_) => self.udp_input(node, packet),
            Body::Icmp(ref message) => match *message {
                Icmp::EchoRequest { .. } => {
                    if let Some(reply) = ip::reply_to_echo(&packet) {
                        self.send(node, reply);
                    }
                }
                Icmp::EchoReply { sequence, .. } => self.echo_answer(node, sequence, &packet),
                Icmp::TimeExceeded(quote) | Icmp::Unreachable(_, quote) | Icmp::PacketTooBig { quote, .. } => {
                    self.icmp_error(node, &packet, &quote);
                }
            },
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
        let (now, packets) = (self.now, &self.packets);
        self.trace.packet(|| {
            let (packet, serial) = packets.copy(id);
            PacketRecord { time: now, node, link, event, serial, packet }
        });
    }
}
