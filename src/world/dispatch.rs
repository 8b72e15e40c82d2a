//! The life of a packet.
//!
//! 1. A program writes to a socket; `calls` hands it to the transport machine.
//! 2. The machine is drained: each packet is routed (`send`) and offered to a link, which queues, sends or drops it.
//! 3. The link's head event brings it to the next node (`arrive`): a router goes on with 2, a host demultiplexes.
//! 4. The transport takes it in and is drained again (answers), programs that waited are answered and polled (`settle`).

use super::node::Node;
use super::pool::PacketId;
use super::ways::NOWHERE;
use super::{Direction, Event, World};
use crate::base::{Id, Time};
use crate::engine::{Key, Wheel};
use crate::host::{Answer, Call, Echoed, Ticker};
use crate::ip::{self, Verdict};
use crate::link::{Fate, Offered};
use crate::topo::Egress;
use crate::trace::{Cause, Mask, Notice, PacketEvent, PacketRecord, What};
use crate::wire::{Body, Icmp, Packet, Quote};

impl World {
    /// Time moves: an event of a node happens.
    pub(super) fn node_event(&mut self, key: Key, event: Event) {
        self.begin(key.time(), key.origin());
        self.other_events += 1;
        match event {
            Event::Connection(id) => self.connection_event(id),
            Event::Quic(id) => self.quic_event(id),
            Event::Timer(ticket) => self.answer(ticket, Answer::Slept),
            Event::Tick { node, ticker } => {
                self.tick(node, ticker);
                self.serve_calls();
            }
            Event::Loopback { node, packet } => self.arrive(node, packet),
            Event::Fault(index) => self.fault_event(index),
            Event::Carrier { node, fault } => self.carrier_event(node, fault),
            Event::Routes(batch) => self.routes_event(batch),
            Event::Install { node, batch } => self.use_routes(node, batch),
        }
        if self.answered {
            self.settle();
        }
    }

    /// Time moves: a packet comes out of a link, and a router puts it on the next, or a host takes it in. This is the path of nearly
    /// all events: it is kept in one piece, and what is rare is kept out of it.
    #[expect(
        clippy::inline_always,
        reason = "the loop over events has this one body, and it is called from nowhere else"
    )]
    #[inline(always)]
    pub(super) fn link_event(&mut self, direction: u32, time: Time) {
        // Nodes come before link directions in the order of sources.
        self.begin(time, (self.nodes.len() as u64 + u64::from(direction)) << 32);
        let end = &mut self.directions[direction as usize];
        let to = end.to;
        if self.trace.wants(Mask::PACKETS) {
            return self.link_event_unusual(direction);
        }
        let Some((id, next)) = end.link.take_plain() else { return self.link_event_unusual(direction) };
        if next != Time::NEVER {
            self.arrivals.set_idle(direction, next);
        }
        let (packet, size) = self.packets.sized_mut(id);
        let egress = if let Some(known) = end.ways.to(packet.dst) {
            known
        } else {
            let router = &self.nodes[to as usize].router;
            if packet.dst == router.address() {
                if matches!(packet.body, Body::Tcp(_)) {
                    self.tally.delivered += 1;
                    self.tcp_input::<true>(to, id);
                } else {
                    self.deliver(to, id);
                }
                if self.answered {
                    self.settle();
                }
                return;
            }
            if let Some(only) = router.only_way(packet.dst) {
                end.ways.keep(packet.dst, only);
                only
            } else {
                router.way_of_several(packet).unwrap_or(NOWHERE)
            }
        };
        if packet.ttl > 1
            && let Some(next) = self.directions.get_mut(egress.index())
            && u32::from(size) <= next.link.mtu()
        {
            packet.ttl -= 1;
            match next.link.offer(id, size, packet, time) {
                Offered::Behind => {}
                Offered::First(arrival) => self.arrivals.set(egress.number(), arrival),
                Offered::Refused(cause) => self.refused(to, egress.number(), id, cause),
            }
            // No program learns of that.
            return;
        }
        self.arrive(to, id);
        if self.answered {
            self.settle();
        }
    }

    /// The same for all other links, and for packets that do not arrive.
    #[inline(never)]
    fn link_event_unusual(&mut self, direction: u32) {
        let end = &mut self.directions[direction as usize];
        let to = end.to;
        let Some((id, fate, next)) = end.link.take() else {
            self.other_events += 1;
            return self.serve(direction);
        };
        if next != Time::NEVER {
            self.arrivals.set(direction, next);
        }
        if fate == Fate::Arrives {
            self.note(to, Some(direction), PacketEvent::Arrived, id);
            self.arrive(to, id);
        } else {
            self.fate(to, direction, id, fate);
        }
        if self.answered {
            self.settle();
        }
    }

    /// Something else than usual becomes of a packet at the end of a link.
    #[cold]
    #[inline(never)]
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
                self.note_if_lost(direction, packet, cause);
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
    #[inline(never)]
    pub(super) fn settle(&mut self) {
        self.executor.set_now(self.now);
        loop {
            self.answered = false;
            self.executor.run();
            self.serve_calls();
            if !self.answered {
                break;
            }
        }
    }

    /// Does what programs have asked for.
    #[inline]
    fn serve_calls(&mut self) {
        while let Some((node, call)) = self.executor.next_call() {
            match call {
                // Taken apart where it is taken out.
                Call::SendTo { socket, to, payload, flow, from } => self.send_to(socket, (from, to), payload, flow),
                call => self.call(node, call),
            }
        }
    }

    /// Calls a program's function. What that asks for waits in the mailbox.
    #[inline]
    pub(super) fn tick(&mut self, node: u32, ticker: Id<Ticker>) {
        match self.executor.tick(ticker, self.now) {
            Some(time) => self.schedule(node, time.max(self.now), Event::Tick { node, ticker }),
            // Its end may be what a program waits for.
            None => self.answered = true,
        }
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
    #[inline]
    pub(super) fn send_made(&mut self, node: u32, id: PacketId) {
        let watched = self.trace.wants(Mask::PACKETS);
        let (packet, size) = self.packets.sized_mut(id);
        let machine = &mut self.nodes[node as usize];
        let links = (&mut self.directions[..], &mut self.arrivals);
        match set_out(machine, links, (id, packet, size), self.now, watched) {
            SetOut::Sent => self.tally.sent += 1,
            unusual => self.has_not_set_out(node, id, unusual),
        }
    }

    /// Does what is to be done after [`set_out`] for a packet that has not.
    #[inline(never)]
    pub(super) fn has_not_set_out(&mut self, node: u32, id: PacketId, set_out: SetOut) {
        self.tally.sent += 1;
        match set_out {
            SetOut::Sent => {}
            SetOut::Refused(cause) => {
                if let Some(egress) = self.nodes[node as usize].router.sends(self.packets.sized_mut(id).0) {
                    self.refused(node, egress.number(), id, cause);
                }
            }
            SetOut::Unusual => self.send_unusually(node, id),
        }
    }

    #[inline(never)]
    fn send_unusually(&mut self, node: u32, id: PacketId) {
        self.note(node, None, PacketEvent::Sent, id);
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
                    self.icmp_input(node, &reply);
                }
            }
        }
    }

    /// A packet has reached a node: in general, what [`World::link_event`] does itself for nearly all. What is not forwarded is dropped,
    /// as a rule with an ICMP error.
    #[inline(never)]
    fn arrive(&mut self, node: u32, id: PacketId) {
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
    #[inline(never)]
    fn offer(&mut self, node: u32, egress: Egress, id: PacketId) {
        let link = &mut self.directions[egress.index()].link;
        let (packet, size) = self.packets.sized_mut(id);
        let offered = link.offer(id, size, packet, self.now);
        self.offered(node, egress.number(), id, offered);
    }

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
    #[inline(never)]
    fn refused(&mut self, node: u32, direction: u32, id: PacketId, cause: Cause) {
        self.note(node, Some(direction), PacketEvent::Dropped(cause), id);
        if cause == Cause::Partitioned {
            self.note_if_lost(direction, id, cause);
        }
        self.packets.free(id);
    }

    /// Drops a packet at a node.
    #[cold]
    #[inline(never)]
    fn drop_at(&mut self, node: u32, id: PacketId, cause: Cause) {
        self.note(node, None, PacketEvent::Dropped(cause), id);
        self.nodes[node as usize].dropped[cause as usize] += 1;
        self.tally.dropped[cause as usize] += 1;
        if matches!(cause, Cause::NoRoute | Cause::TtlExpired)
            && let Some(fault) = self.faults.convergence.as_ref().and_then(super::converge::Convergence::last)
        {
            self.note_lost(fault, id, cause);
        }
        self.packets.free(id);
    }

    /// Hands a packet to the transport that it is for.
    fn deliver(&mut self, node: u32, id: PacketId) {
        self.note(node, None, PacketEvent::Delivered, id);
        self.tally.delivered += 1;
        match self.packets.sized_mut(id).0.body {
            Body::Tcp(_) => self.tcp_input::<false>(node, id),
            Body::Udp(_) => self.udp_input(node, id),
            Body::Icmp(_) => {
                let packet = self.packets.remove(id).0;
                self.icmp_input(node, &packet);
            }
        }
    }

    fn icmp_input(&mut self, node: u32, packet: &Packet) {
        let Body::Icmp(ref message) = packet.body else { return };
        match *message {
            Icmp::EchoRequest { .. } => {
                if let Some(reply) = ip::reply_to_echo(packet) {
                    self.send(node, reply);
                }
            }
            Icmp::EchoReply { sequence, .. } => self.echo_answer(node, sequence, packet),
            Icmp::TimeExceeded(quote) | Icmp::Unreachable(_, quote) | Icmp::PacketTooBig { quote, .. } => {
                self.icmp_error(node, packet, &quote);
            }
        }
    }

    /// An ICMP error goes to whoever sent the packet that it quotes.
    fn icmp_error(&mut self, node: u32, packet: &Packet, quote: &Quote) {
        if matches!(packet.body, Body::Icmp(Icmp::Unreachable(..))) {
            let (flow, peer) = (packet.transit.flow, quote.dst);
            self.notice(Notice { time: self.now, node, flow, peer, what: What::Unreachable });
        }
        let word = |at: usize| u16::from_be_bytes([quote.head[at], quote.head[at + 1]]);
        match quote.protocol {
            // An echo request's sequence number is in its bytes 6 and 7.
            Body::ICMP => self.echo_answer(node, word(6), packet),
            Body::TCP => self.tcp_error(node, (quote.src, word(0)), (quote.dst, word(2)), packet),
            Body::UDP => self.udp_error(node, word(0), packet),
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
    #[inline(never)]
    fn note_packet(&mut self, node: u32, link: Option<u32>, event: PacketEvent, id: PacketId) {
        let (packet, serial) = self.packets.copy(id);
        self.trace.packet(|| PacketRecord { time: self.now, node, link, event, serial, packet });
    }
}

/// Whether a packet that a machine has made has set out.
#[derive(Clone, Copy)]
pub(super) enum SetOut {
    /// It is on its first link, or waits for it.
    Sent,
    /// The link does not take it.
    Refused(Cause),
    /// Not yet: it is looked at in general.
    Unusual,
}

/// Offers a packet that a machine has made to its first link, if all is as usual: nobody watches packets, it has a way out and is
/// not too large for it.
#[expect(clippy::inline_always, reason = "a step of the path of every packet")]
#[inline(always)]
pub(super) fn set_out(
    node: &mut Node,
    (directions, arrivals): (&mut [Direction], &mut Wheel),
    (id, packet, size): (PacketId, &mut Packet, u16),
    now: Time,
    watched: bool,
) -> SetOut {
    packet.ident = node.stack.next_ident();
    if watched {
        return SetOut::Unusual;
    }
    let Some(egress) = node.router.sends(packet) else { return SetOut::Unusual };
    let link = &mut directions[egress.index()].link;
    if u32::from(size) > link.mtu() {
        return SetOut::Unusual;
    }
    match link.offer(id, size, packet, now) {
        Offered::Behind => SetOut::Sent,
        Offered::First(arrival) => {
            arrivals.set(egress.number(), arrival);
            SetOut::Sent
        }
        Offered::Refused(cause) => SetOut::Refused(cause),
    }
}
