//! TCP in the world: segments in, drain, calls served, wakes scheduled. The order of the drain exists once, here.

mod arrivals;
mod calls;

use super::dispatch::{SetOut, set_out};
use super::sockets::{Connection, Listener, Socket};
use super::{Event, World};
use crate::base::{BitRate, Id, Time};
use crate::host::{Answer, NetError, Opened};
use crate::trace::{Mask, Notice, Record, Recovery, Series, What};
use crate::transport::congestion::Phase;
use crate::transport::tcp::{self, Next, Wake};
use crate::wire::{Body, Dscp, Ecn, IPV4_HEADER, Packet, Segment, Transit};
use std::net::{Ipv4Addr, SocketAddrV4};

type ConnectionId = Id<Connection>;

impl World {
    /// The connection's entry in the event queue has come up; it may be stale, or too early because the deadline moved.
    pub(super) fn connection_event(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        if connection.scheduled != self.now {
            return;
        }
        connection.scheduled = Time::NEVER;
        match connection.machine.wake() {
            Wake::At(time) if time > self.now => {}
            Wake::OnInput => return,
            _ => {
                let backoff = connection.machine.backoff();
                connection.machine.handle_wake(self.now);
                if connection.machine.backoff() > backoff {
                    self.tcp_notice(id, What::Rto);
                }
            }
        }
        self.tcp_drain(id);
    }

    /// A connection has evidence that something is wrong.
    #[cold]
    #[inline(never)]
    fn tcp_notice(&mut self, id: ConnectionId, what: What) {
        let Some(connection) = self.connections.get(id) else { return };
        let (node, flow, peer) = (connection.node, connection.flow, *connection.remote.ip());
        self.notice(Notice { time: self.now, node, flow, peer, what });
    }

    /// Does what the machine's events ask for; true if it may have more to send.
    #[inline(never)]
    fn tcp_events(&mut self, id: ConnectionId) -> bool {
        let mut again = false;
        while let Some(connection) = self.connections.get_mut(id)
            && let Some(event) = connection.machine.poll_event()
        {
            again |= self.tcp_event(id, event);
        }
        again
    }

    /// Drain: what the machine sends, what it tells, what programs waited for, when it wants to be woken. Segments are made where
    /// they lie in the pool.
    #[inline(never)]
    pub(super) fn tcp_drain(&mut self, id: ConnectionId) {
        let connection = 'drained: loop {
            let Some(connection) = self.connections.get_mut(id) else { return };
            let mut more = true;
            loop {
                if more && let Some(next) = connection.machine.poll_next(self.now) {
                    let (number, packet, size) = self.packets.blank();
                    let Body::Tcp(segment) = &mut packet.body else { return };
                    if let Some(departure) = connection.machine.write_next(next, self.now, segment) {
                        *size = u16::try_from(IPV4_HEADER + departure.len).unwrap_or(u16::MAX);
                        packet.src = connection.local;
                        packet.dst = *connection.remote.ip();
                        packet.ttl = crate::ip::DEFAULT_TTL;
                        packet.dscp = connection.dscp;
                        packet.ecn = departure.ecn;
                        let (flow, first_sent) = (connection.flow, departure.first_sent);
                        packet.transit = Transit { flow, first_sent, sent: self.now, ..Transit::default() };
                        self.tally.retransmitted += u64::from(first_sent < self.now);
                        let (node, watched) = (connection.node, self.trace.wants(Mask::PACKETS));
                        let machine = &mut self.nodes[node as usize];
                        let links = (&mut self.directions[..], &mut self.arrivals);
                        match set_out(machine, links, (number, packet, *size), self.now, watched) {
                            SetOut::Sent => self.tally.sent += 1,
                            unusual => {
                                self.has_not_set_out(node, number, unusual);
                                continue 'drained;
                            }
                        }
                        // Nothing follows the acknowledgment of a pure receiver.
                        more = next != Next::Ack || !connection.machine.is_silent();
                        continue;
                    }
                    self.packets.give_back(number);
                }
                if !connection.machine.has_events() {
                    break 'drained connection;
                }
                if connection.swallow(self.now) {
                    more = connection.machine.must_acknowledge() || !connection.machine.is_silent();
                    continue;
                }
                if self.tcp_events(id) {
                    continue 'drained;
                }
                let Some(connection) = self.connections.get_mut(id) else { return };
                break 'drained connection;
            }
        };
        if self.trace.wants(Mask::SERIES) {
            let address = connection.tuple.shared();
            let address = address.unwrap_or_else(|| self.nodes[connection.node as usize].router.address());
            let local = SocketAddrV4::new(address, connection.local_port);
            self.trace.record(Record::Series(series_of(connection, local, self.now)));
        }
        if connection.machine.is_closed() {
            self.tcp_forget(id);
            return;
        }
        let node = connection.node;
        if let Some(at) = connection.next_wake(self.now) {
            self.schedule(node, at, Event::Connection(id));
        }
    }

    /// Does what an event of the machine asks for; true if the machine may have more to send.
    fn tcp_event(&mut self, id: ConnectionId, event: tcp::Event) -> bool {
        match event {
            tcp::Event::Connected => {
                self.tcp_connected(id);
                false
            }
            tcp::Event::Readable => self.tcp_serve_reads(id),
            tcp::Event::Writable => self.tcp_serve_writes(id),
            tcp::Event::Closed(reason) => {
                let error = match reason {
                    tcp::Reason::Finished => None,
                    tcp::Reason::Refused => Some(NetError::Refused),
                    tcp::Reason::Reset => Some(NetError::Reset),
                    tcp::Reason::TimedOut => Some(NetError::TimedOut),
                    tcp::Reason::Unreachable => Some(NetError::Unreachable),
                    tcp::Reason::Aborted => Some(NetError::Closed),
                    tcp::Reason::AddressLost => Some(NetError::AddressLost),
                };
                if let Some(error) = error {
                    self.tcp_fail(id, error);
                }
                false
            }
        }
    }

    fn tcp_connected(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        if let Some(cookie) = connection.machine.take_cookie() {
            self.nodes[connection.node as usize].stack.cookies.insert(*connection.remote.ip(), cookie);
        }
        if let Some(ticket) = connection.connecting.take() {
            self.nodes[connection.node as usize].stack.connecting.swap_remove(&ticket);
            let opened = self.opened(id);
            self.answer(ticket, Answer::Opened(Ok(opened)));
            return;
        }
        let Some(listener) = connection.listener else { return };
        let Some(listening) = self.listeners.get_mut(listener) else { return };
        listening.ready.push_back(id);
        self.tcp_hand_over(listener);
    }

    /// Gives ready connections to the accept calls that wait for them.
    pub(super) fn tcp_hand_over(&mut self, listener: Id<Listener>) {
        while let Some(listening) = self.listeners.get_mut(listener)
            && !listening.ready.is_empty()
            && let Some(ticket) = listening.accepts.pop_front()
        {
            let Some(id) = listening.ready.pop_front() else { return };
            if let Some(connection) = self.connections.get_mut(id) {
                connection.listener = None;
                let opened = self.opened(id);
                self.answer(ticket, Answer::Opened(Ok(opened)));
            }
        }
    }

    fn opened(&self, id: ConnectionId) -> Opened {
        let connection = self.connections.get(id).expect("the caller has just looked it up");
        let shared = connection.tuple.shared();
        let addr = shared.unwrap_or_else(|| self.nodes[connection.node as usize].router.address());
        Opened {
            socket: Socket::Connection(id).id(),
            flow: connection.flow,
            local: SocketAddrV4::new(addr, connection.local_port),
            remote: connection.remote,
            stream: 0,
        }
    }

    /// The connection is over with an error: everything that waits for it is told.
    fn tcp_fail(&mut self, id: ConnectionId, error: NetError) {
        let what = match error {
            NetError::Reset => What::Reset,
            NetError::Refused => What::Refused,
            NetError::Unreachable => What::Unreachable,
            NetError::AddressLost => What::Carrier,
            _ => What::GaveUp,
        };
        if error != NetError::Closed {
            self.tcp_notice(id, what);
        }
        let Some(connection) = self.connections.get_mut(id) else { return };
        connection.error = Some(error);
        let connecting = connection.connecting.take();
        let writes = std::mem::take(&mut connection.writes);
        let listener = connection.listener.take();
        if let Some(ticket) = connecting {
            if let Some(connection) = self.connections.get_mut(id) {
                connection.held = false;
                self.nodes[connection.node as usize].stack.connecting.swap_remove(&ticket);
            }
            self.answer(ticket, Answer::Opened(Err(error)));
        }
        for (ticket, _) in writes {
            self.answer(ticket, Answer::Wrote(Err(error)));
        }
        if let Some(listener) = listener {
            if let Some(listening) = self.listeners.get_mut(listener) {
                listening.ready.retain(|&ready| ready != id);
            }
            if let Some(connection) = self.connections.get_mut(id) {
                connection.held = false;
            }
        }
        self.tcp_serve_reads(id);
    }

    /// The machine has nothing more to do: its address pair is free, and once no program holds it, so is its memory.
    fn tcp_forget(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        self.nodes[connection.node as usize].stack.release(connection.tuple, id);
        if !connection.held {
            self.connections.remove(id);
        }
    }

    /// Wraps a segment of no connection into a packet and sends it.
    pub(super) fn tcp_send_from(
        &mut self,
        node: u32,
        src: Ipv4Addr,
        (dst, dscp): (Ipv4Addr, Dscp),
        segment: Segment,
        flow: u64,
    ) {
        let packet = Packet {
            src,
            dst,
            ttl: crate::ip::DEFAULT_TTL,
            dscp,
            ecn: Ecn::NotCapable,
            ident: 0,
            body: Body::Tcp(segment),
            transit: Transit { flow, first_sent: self.now, sent: self.now, ..Transit::default() },
        };
        self.send(node, packet);
    }
}

/// The state of a connection for observers.
fn series_of(connection: &Connection, local: SocketAddrV4, now: Time) -> Series {
    let info = connection.machine.info();
    let recovery = match info.phase {
        Phase::Loss => Recovery::Timeout,
        Phase::Recovery | Phase::Reducing => Recovery::Recovery,
        Phase::Open | Phase::Disorder if info.cwnd < info.ssthresh => Recovery::SlowStart,
        Phase::Open | Phase::Disorder => Recovery::CongestionAvoidance,
    };
    Series {
        time: now,
        flow: connection.flow,
        node: connection.node,
        local,
        remote: connection.remote,
        cwnd: info.cwnd_bytes,
        ssthresh: info.ssthresh_bytes,
        srtt: info.srtt,
        rttvar: info.rttvar,
        min_rtt: info.min_rtt,
        rto: info.rto,
        in_flight: info.bytes_in_flight,
        pacing: info.pacing_rate.map(BitRate::as_bps),
        retransmitted: info.total_retrans,
        recovery,
    }
}
