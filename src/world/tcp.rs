//! TCP in the world: segments in, drain, calls served, wakes scheduled. The order of the drain exists once, here.

use super::dispatch::set_out;
use super::node::FourTuple;
use super::pool::{PacketId, segment_size};
use super::sockets::{Connection, Listener, Reading, Socket};
use super::{Event, World};
use crate::base::{BitRate, Id, Time};
use crate::host::{Answer, NetError, Opened, Ticket, Want};
use crate::trace::{Arrival, Mask, Notice, Record, Recovery, Series, What};
use crate::transport::congestion::Phase;
use crate::transport::tcp::{self, Wake};
use crate::wire::{Body, Cookie, Dscp, Ecn, Flags, Icmp, Packet, Payload, Segment, Seq, Transit, UnreachableCode};
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::rc::Rc;

type ConnectionId = Id<Connection>;

impl World {
    /// Opens a connection for a program.
    pub(super) fn tcp_connect(
        &mut self,
        node: u32,
        ticket: Ticket,
        to: SocketAddrV4,
        dscp: Dscp,
        config: &tcp::Config,
    ) {
        let stack = &mut self.nodes[node as usize].stack;
        let Some(port) = stack.port_towards(*to.ip(), to.port()) else {
            self.answer(ticket, Answer::Opened(Err(NetError::AddressNotAvailable)));
            return;
        };
        let flow = stack.next_flow();
        let local = (stack.host.addr(), port);
        let iss = self.initial_sequence(flow, 0);
        let mut machine = tcp::Connection::connect(config, local, (*to.ip(), to.port()), iss, self.now);
        let cookie = self.nodes[node as usize].stack.cookies.get(to.ip()).copied().filter(|_| config.fast_open);
        if config.fast_open {
            machine.open_fast(cookie);
        }
        let tuple = FourTuple::new(port, *to.ip(), to.port());
        let id = self.tcp_insert(node, machine, to, (port, tuple), flow);
        if cookie.is_some() {
            // As far as the program can see the connection is open: its first data opens it (`TCP_FASTOPEN_CONNECT`).
            let opened = self.opened(id);
            self.answer(ticket, Answer::Opened(Ok(opened)));
            return;
        }
        if let Some(connection) = self.connections.get_mut(id) {
            connection.connecting = Some(ticket);
            connection.dscp = dscp;
        }
        self.nodes[node as usize].stack.connecting.insert(ticket, id);
        self.tcp_drain(id);
    }

    /// A machine's TCP settings with what a program wants otherwise.
    pub(super) fn tcp_config(&self, node: u32, congestion: Option<&'static str>, nodelay: bool) -> Rc<tcp::Config> {
        let own = &self.nodes[node as usize].stack.tcp;
        if congestion.is_none() && !nodelay {
            return Rc::clone(own);
        }
        let mut config = (**own).clone();
        if let Some(algorithm) = congestion.and_then(tcp::Algorithm::by_name) {
            config.congestion = algorithm;
        }
        config.nagle &= !nodelay;
        Rc::new(config)
    }

    /// An initial sequence number that differs from flow to flow and run to run, as RFC 6528 asks.
    fn initial_sequence(&self, flow: u64, side: u64) -> Seq {
        let mut digest = crate::base::Digest::default();
        [self.seed, flow, side].into_iter().for_each(|word| digest.fold(word));
        #[expect(clippy::cast_possible_truncation, reason = "32 of 64 mixed bits")]
        Seq(digest.value() as u32)
    }

    fn tcp_insert(
        &mut self,
        node: u32,
        machine: tcp::Connection,
        remote: SocketAddrV4,
        (local_port, tuple): (u16, FourTuple),
        flow: u64,
    ) -> ConnectionId {
        let id = self.connections.insert(Connection {
            machine,
            node,
            local: self.nodes[node as usize].router.address(),
            tuple,
            remote,
            local_port,
            dscp: Dscp::DEFAULT,
            flow,
            scheduled: Time::NEVER,
            connecting: None,
            listener: None,
            reads: VecDeque::new(),
            writes: VecDeque::new(),
            fin_due: false,
            held: true,
            error: None,
        });
        self.nodes[node as usize].stack.hold(tuple, id);
        id
    }

    /// A segment has reached its host.
    #[inline]
    pub(super) fn tcp_input(&mut self, node: u32, packet: PacketId) {
        let Packet { src, dst, ecn, ref mut body, ref transit, .. } = *self.packets.sized_mut(packet).0;
        let Body::Tcp(segment) = body else { return };
        let tuple = FourTuple::new(segment.dst_port, src, segment.src_port).at(dst, &self.nodes[node as usize].router);
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
        self.packets.recycle(packet);
        self.tcp_drain(id);
    }

    /// A segment for a connection that is not established yet or not any more: it may be dropped, or open another connection.
    #[inline(never)]
    fn tcp_input_at_the_edge(&mut self, node: u32, packet: PacketId, id: ConnectionId) {
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
    fn tcp_input_of_nobody(&mut self, node: u32, packet: PacketId, reopened: Option<ConnectionId>) {
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
    fn tcp_accept(
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
    fn cookie(&self, node: u32, client: Ipv4Addr) -> Cookie {
        let mut digest = crate::base::Digest::default();
        [self.seed, u64::from(node), u64::from(u32::from(client))].into_iter().for_each(|word| digest.fold(word));
        digest.value().to_be_bytes()
    }

    /// An ICMP error about one of our segments.
    pub(super) fn tcp_error(&mut self, node: u32, local: (Ipv4Addr, u16), remote: (Ipv4Addr, u16), packet: &Packet) {
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
        let connection = loop {
            let Some(connection) = self.connections.get_mut(id) else { return };
            if let Some(next) = connection.machine.poll_next(self.now) {
                let (number, packet, size) = self.packets.blank();
                let Body::Tcp(segment) = &mut packet.body else { return };
                if let Some(departure) = connection.machine.write_next(next, self.now, segment) {
                    *size = segment_size(segment);
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
                    let set_out = set_out(machine, &mut self.directions, (number, packet, *size), self.now, watched);
                    self.has_set_out(node, number, set_out);
                    continue;
                }
                self.packets.give_back(number);
            }
            if !connection.machine.has_events() {
                break connection;
            }
            if !connection.swallow(self.now) && !self.tcp_events(id) {
                let Some(connection) = self.connections.get_mut(id) else { return };
                break connection;
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
        let at = match connection.machine.wake() {
            Wake::Now => self.now,
            Wake::At(time) => time.max(self.now),
            Wake::OnInput => return,
        };
        if at < connection.scheduled {
            connection.scheduled = at;
            let node = connection.node;
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

    /// A program reads.
    pub(super) fn tcp_read(&mut self, id: ConnectionId, ticket: Ticket, want: Want) {
        let Some(connection) = self.connections.get_mut(id) else {
            self.answer(ticket, Answer::Read(Err(NetError::Closed)));
            return;
        };
        let reading = Reading { ticket, want, taken: Payload::empty(), count: 0, arrival: Arrival::default() };
        // A program that waits for an answer has nothing to say first.
        let opens = connection.machine.open_now();
        connection.reads.push_back(reading);
        if self.tcp_serve_reads(id) || opens {
            self.tcp_drain(id);
        }
    }

    /// Gives waiting reads what has arrived; true if anything was taken, so that the window may have opened.
    fn tcp_serve_reads(&mut self, id: ConnectionId) -> bool {
        let mut took = false;
        while let Some(connection) = self.connections.get_mut(id) {
            let Some(reading) = connection.reads.front_mut() else { break };
            let machine = &mut connection.machine;
            if machine.readable() > 0 {
                took = true;
                match reading.want {
                    Want::Some(max) | Want::Exactly(max) => {
                        if let Some((payload, arrival)) = machine.read(max - reading.count, self.now) {
                            reading.count += payload.len();
                            reading.taken.append(payload);
                            reading.arrival = arrival;
                        }
                    }
                    Want::Discard(max) => {
                        let (count, arrival) = machine.discard(max - reading.count, self.now);
                        reading.count += count;
                        reading.arrival = arrival;
                        if reading.count < max && !machine.at_eof() && connection.error.is_none() {
                            break;
                        }
                    }
                }
            }
            let complete = match reading.want {
                Want::Some(max) => reading.count > 0 || max == 0,
                Want::Exactly(n) | Want::Discard(n) => reading.count == n,
            };
            let ended = machine.readable() == 0 && machine.at_eof();
            let failed = connection.error.filter(|_| machine.readable() == 0);
            let (ticket, result) = if complete || (ended && failed.is_none()) {
                let Some(Reading { ticket, taken, count, arrival, .. }) = connection.reads.pop_front() else { break };
                (ticket, Ok((taken, count, arrival)))
            } else if let Some(error) = failed {
                let ticket = reading.ticket;
                connection.reads.pop_front();
                (ticket, Err(error))
            } else {
                break;
            };
            self.answer(ticket, Answer::Read(result));
        }
        took
    }

    /// Bytes that the discarding read under way has counted.
    pub(super) fn tcp_discarded(&self, id: ConnectionId) -> u64 {
        let reading = self.connections.get(id).and_then(|connection| connection.reads.front());
        reading.map_or(0, |reading| reading.count)
    }

    /// A program writes.
    pub(super) fn tcp_write(&mut self, id: ConnectionId, ticket: Ticket, payload: Payload) {
        let error = match self.connections.get(id) {
            Some(connection) if connection.fin_due => Some(NetError::Closed),
            Some(connection) => connection.error,
            None => Some(NetError::Closed),
        };
        if let Some(error) = error {
            self.answer(ticket, Answer::Wrote(Err(error)));
            return;
        }
        if let Some(connection) = self.connections.get_mut(id) {
            connection.writes.push_back((ticket, payload));
        }
        self.tcp_serve_writes(id);
        self.tcp_drain(id);
    }

    /// Moves waiting writes into the send buffer; true if anything went in.
    fn tcp_serve_writes(&mut self, id: ConnectionId) -> bool {
        let mut wrote = false;
        while let Some(connection) = self.connections.get_mut(id) {
            let Some((_, payload)) = connection.writes.front_mut() else {
                if connection.fin_due {
                    connection.machine.shutdown(self.now);
                }
                break;
            };
            let before = payload.len();
            *payload = connection.machine.write(std::mem::take(payload), self.now);
            wrote |= payload.len() < before;
            if !payload.is_empty() {
                break;
            }
            if let Some((ticket, _)) = connection.writes.pop_front() {
                self.answer(ticket, Answer::Wrote(Ok(())));
            }
        }
        wrote
    }

    /// A program has no more to write.
    pub(super) fn tcp_shutdown(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        if connection.fin_due {
            return;
        }
        connection.fin_due = true;
        self.tcp_serve_writes(id);
        self.tcp_drain(id);
    }

    /// A program lets go of a connection.
    pub(super) fn tcp_close(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        connection.held = false;
        connection.reads.clear();
        if connection.machine.is_closed() {
            self.tcp_forget(id);
            return;
        }
        if connection.writes.is_empty() {
            connection.machine.close(self.now);
        } else {
            connection.fin_due = true;
        }
        self.tcp_drain(id);
    }

    /// A program resets a connection.
    pub(super) fn tcp_abort(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(id) {
            connection.machine.abort(self.now);
            self.tcp_drain(id);
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

/// Whether a segment asks for a connection.
fn opens(segment: &Segment) -> bool {
    segment.flags.has(Flags::SYN) && !segment.flags.has(Flags::ACK) && !segment.flags.has(Flags::RST)
}
