//! QUIC in the world: datagrams find their connection by its ids, the machine is drained, its events reach programs.

mod calls;
mod streams;

use super::node::Map;
use super::pool::PacketId;
use super::sockets::{Reading, Socket};
use super::{Event, World};
use crate::base::{BitRate, Digest, Id, Time};
use crate::host::{Answer, NetError, Opened, Ticket};
use crate::trace::{Mask, Notice, PathValidated, QuicLost, Record, Recovery, Series, What};
use crate::transport::congestion::Phase;
use crate::transport::quic::{self, Accepting, LostPacket, Reason, Secrets, Wake};
use crate::wire::quic::{ConnectionId, Header, Item, LongKind, MIN_INITIAL, Packet as QuicPacket, Side, StreamId};
use crate::wire::{Body, Datagram, Dscp, Ecn, Packet, Payload, Transit};
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::rc::Rc;

type QuicId = Id<QuicConnection>;

/// A QUIC connection of one machine.
pub(super) struct QuicConnection {
    machine: quic::Connection,
    node: u32,
    /// The address that its peer knows.
    local: Ipv4Addr,
    local_port: u16,
    flow: u64,
    /// When it moved to another address, until the peer has answered from there.
    moved: Option<Time>,
    /// Time of the connection's earliest entry in the event queue; later entries are stale.
    scheduled: Time,
    connecting: Option<Ticket>,
    listener: Option<Id<QuicListener>>,
    streams: Map<StreamId, Id<QuicStream>>,
    /// Streams of the peer's that no program has taken, and programs that wait for one.
    incoming: VecDeque<StreamId>,
    accepts: VecDeque<Ticket>,
    /// Programs that wait to open one.
    opens: VecDeque<Ticket>,
    /// Under what a ticket is kept.
    key: TicketKey,
    held: bool,
    error: Option<NetError>,
}

/// A stream of a connection, as a program holds it.
pub(super) struct QuicStream {
    connection: QuicId,
    id: StreamId,
    reads: VecDeque<Reading>,
    writes: VecDeque<(Ticket, Payload)>,
    fin_due: bool,
    held: bool,
}

/// A port that accepts connections.
pub(super) struct QuicListener {
    node: u32,
    port: u16,
    config: Rc<quic::Config>,
    accepting: Accepting,
    ready: VecDeque<QuicId>,
    accepts: VecDeque<Ticket>,
}

type TicketKey = (Ipv4Addr, u16, Option<String>);

/// The QUIC of one machine.
#[derive(Default)]
pub(super) struct QuicStack {
    ids: Map<ConnectionId, QuicId>,
    /// What a UDP port is for.
    ports: Map<u16, Use>,
    tickets: Map<TicketKey, quic::Ticket>,
    connecting: Map<Ticket, QuicId>,
    accepted: u64,
}

/// What a UDP port is for.
#[derive(Clone, Copy)]
enum Use {
    Listener(Id<QuicListener>),
    /// A client's connection.
    Connection(QuicId),
}

impl QuicStack {
    /// Whether the UDP port is taken.
    pub(super) fn has_port(&self, port: u16) -> bool {
        self.ports.contains_key(&port)
    }
}

impl World {
    /// A secret that a machine keeps for the whole run.
    fn quic_secret(&self, node: u32) -> u64 {
        let mut digest = Digest::default();
        [self.seed, 0x71, u64::from(node)].into_iter().for_each(|word| digest.fold(word));
        digest.value()
    }

    /// Takes a datagram for a QUIC port; false if the port is none.
    pub(super) fn quic_input(&mut self, node: u32, id: PacketId) -> bool {
        let packet = self.packets.sized_mut(id).0;
        let Body::Udp(datagram) = &mut packet.body else { return false };
        let port = datagram.dst_port;
        let Some(&usage) = self.nodes[node as usize].stack.quic.ports.get(&port) else { return false };
        let remote = SocketAddrV4::new(packet.src, datagram.src_port);
        let local = packet.dst;
        let payload = std::mem::take(&mut datagram.payload);
        let (transit, ecn) = (packet.transit, packet.ecn);
        self.packets.free(id);
        let found = crate::wire::quic::peek_dst(&payload, quic::ID_LEN)
            .and_then(|dst| self.nodes[node as usize].stack.quic.ids.get(&dst).copied());
        let target = match (found, usage) {
            (Some(id), _) => Some(id),
            (None, Use::Listener(listener)) => {
                self.quic_accept(node, listener, (local, remote), &payload, transit.flow)
            }
            (None, Use::Connection(id)) => self.quic_reset_came(id, &payload),
        };
        if let Some(id) = target
            && let Some(connection) = self.quic.get_mut(id)
        {
            connection.machine.handle_datagram(&payload, remote, &transit, ecn, self.now);
            self.quic_drain(id);
        }
        true
    }

    /// A datagram with an unknown id at a client's port may be a stateless reset.
    fn quic_reset_came(&mut self, id: QuicId, payload: &Payload) -> Option<QuicId> {
        let token = crate::wire::quic::reset_token_of(payload)?;
        if self.quic.get_mut(id)?.machine.handle_reset(token, self.now) {
            self.quic_drain(id);
        }
        None
    }

    /// A datagram that belongs to no connection has reached a listener: an Initial opens one, another version is told ours, the
    /// rest is answered by a stateless reset (RFC 9000 5.2.2, 10.3).
    fn quic_accept(
        &mut self,
        node: u32,
        listener: Id<QuicListener>,
        (local, remote): (Ipv4Addr, SocketAddrV4),
        payload: &Payload,
        flow: u64,
    ) -> Option<QuicId> {
        let port = self.quic_listeners.get(listener)?.port;
        let secret = self.quic_secret(node);
        if crate::wire::quic::is_short(payload) {
            let dst = crate::wire::quic::peek_dst(payload, quic::ID_LEN)?;
            // Shorter than what it answers, so that two resets never answer each other for ever (RFC 9000 10.3.3).
            let len = u32::try_from(payload.len()).unwrap_or(u32::MAX).saturating_sub(1).min(43);
            if len >= 21 {
                let reset = crate::wire::quic::stateless_reset(&Secrets::reset_token(secret, dst), len);
                self.quic_send(node, (local, port), remote, reset, (flow, self.now), Ecn::NotCapable);
            }
            return None;
        }
        let (items, _) = crate::wire::quic::decode(payload, quic::ID_LEN);
        let Some(Item::Packet(QuicPacket { header: Header::Long { kind, dst, src }, .. })) = items.first() else {
            return None;
        };
        let (dst, src) = (*dst, *src);
        let LongKind::Initial { token } = kind else { return None };
        if payload.len() < u64::from(MIN_INITIAL) {
            return None;
        }
        let listening = self.quic_listeners.get(listener)?;
        let mut original = dst;
        if listening.config.retry {
            let Some(proven) = quic::proven_by(secret, remote, token) else {
                let token = quic::retry_token(secret, remote, dst);
                let mut retry = Payload::empty();
                Item::Retry { dst: src, src: quic::retry_id(secret, dst), token }.put(&mut retry);
                self.quic_send(node, (local, port), remote, retry, (flow, self.now), Ecn::NotCapable);
                return None;
            };
            original = proven;
        }
        let config = Rc::clone(&listening.config);
        let stack = &mut self.nodes[node as usize].stack.quic;
        stack.accepted += 1;
        let secrets = Secrets { host: secret, connection: stack.accepted << 32 | 1 };
        let listening = self.quic_listeners.get(listener)?;
        let mut machine =
            quic::Connection::accept(&config, &listening.accepting, (original, src), remote, secrets, self.now);
        if config.retry {
            machine.trust_address();
        }
        let key = (*remote.ip(), remote.port(), None);
        let id = self.quic_insert(node, machine, (local, port), flow, key);
        // The client calls us by the id that it made up until it has our own.
        self.nodes[node as usize].stack.quic.ids.insert(dst, id);
        self.quic.get_mut(id)?.listener = Some(listener);
        Some(id)
    }

    fn quic_insert(
        &mut self,
        node: u32,
        machine: quic::Connection,
        (local, local_port): (Ipv4Addr, u16),
        flow: u64,
        key: TicketKey,
    ) -> QuicId {
        let ids: Vec<ConnectionId> = machine.ids().collect();
        let id = self.quic.insert(QuicConnection {
            machine,
            node,
            local,
            local_port,
            flow,
            moved: None,
            scheduled: Time::NEVER,
            connecting: None,
            listener: None,
            streams: Map::default(),
            incoming: VecDeque::new(),
            accepts: VecDeque::new(),
            opens: VecDeque::new(),
            key,
            held: true,
            error: None,
        });
        let stack = &mut self.nodes[node as usize].stack.quic;
        for own in ids {
            stack.ids.insert(own, id);
        }
        id
    }

    /// The connection's entry in the event queue has come up; it may be stale, or too early because the deadline moved.
    pub(super) fn quic_event(&mut self, id: QuicId) {
        let Some(connection) = self.quic.get_mut(id) else { return };
        if connection.scheduled != self.now {
            return;
        }
        connection.scheduled = Time::NEVER;
        match connection.machine.wake() {
            Wake::At(time) if time > self.now => {}
            Wake::OnInput => return,
            Wake::At(_) => {
                let timeouts = connection.machine.timeouts();
                connection.machine.handle_wake(self.now);
                if connection.machine.timeouts() > timeouts {
                    self.quic_notice(id, What::Rto);
                }
            }
        }
        self.quic_drain(id);
    }

    /// A connection has evidence that something is wrong.
    #[cold]
    fn quic_notice(&mut self, id: QuicId, what: What) {
        let Some(connection) = self.quic.get(id) else { return };
        let (node, flow, peer) = (connection.node, connection.flow, *connection.machine.remote().ip());
        self.notice(Notice { time: self.now, node, flow, peer, what });
    }

    /// Drain: what the machine sends, what it tells, what programs waited for, when it wants to be woken.
    fn quic_drain(&mut self, id: QuicId) {
        loop {
            while let Some(connection) = self.quic.get_mut(id) {
                let Some(transmit) = connection.machine.poll_transmit(self.now) else { break };
                self.tally.quic_retransmitted += u64::from(transmit.again);
                let (node, flow) = (connection.node, connection.flow);
                let local = (connection.local, connection.local_port);
                let times = (flow, transmit.first_sent);
                self.quic_send(node, local, transmit.remote, transmit.payload, times, transmit.ecn);
            }
            let mut again = false;
            while let Some(connection) = self.quic.get_mut(id) {
                let Some(event) = connection.machine.poll_event() else { break };
                again |= self.quic_told(id, event);
            }
            let Some(connection) = self.quic.get_mut(id) else { return };
            if !connection.held && connection.streams.is_empty() && connection.machine.is_settled() {
                connection.machine.close(0, self.now);
                again = connection.machine.has_close_due();
            }
            if !again {
                break;
            }
        }
        self.quic_series(id);
        let Some(connection) = self.quic.get_mut(id) else { return };
        let at = match connection.machine.wake() {
            _ if connection.machine.is_over() => {
                self.quic_forget(id);
                return;
            }
            Wake::At(time) => time.max(self.now),
            Wake::OnInput => return,
        };
        if at < connection.scheduled {
            connection.scheduled = at;
            let node = connection.node;
            self.schedule(node, at, Event::Quic(id));
        }
    }

    fn quic_series(&mut self, id: QuicId) {
        let Some(connection) = self.quic.get_mut(id) else { return };
        let lost = connection.machine.take_lost();
        if !self.trace.wants(Mask::SERIES) {
            return;
        }
        let (time, flow, node) = (self.now, connection.flow, connection.node);
        for LostPacket { kind, number, by_time } in lost {
            self.trace.record(Record::QuicLost(QuicLost { time, flow, node, kind, number, by_time }));
        }
        let info = connection.machine.info();
        let recovery = match info.phase {
            Phase::Loss => Recovery::Timeout,
            Phase::Recovery | Phase::Reducing => Recovery::Recovery,
            Phase::Open | Phase::Disorder if info.cwnd_bytes < info.ssthresh_bytes => Recovery::SlowStart,
            Phase::Open | Phase::Disorder => Recovery::CongestionAvoidance,
        };
        self.trace.record(Record::Series(Series {
            time: self.now,
            flow: connection.flow,
            node: connection.node,
            local: SocketAddrV4::new(connection.local, connection.local_port),
            remote: connection.machine.remote(),
            cwnd: info.cwnd_bytes,
            ssthresh: info.ssthresh_bytes,
            srtt: info.srtt,
            rttvar: info.rttvar,
            min_rtt: info.min_rtt,
            rto: info.pto,
            in_flight: info.bytes_in_flight,
            pacing: info.pacing_rate.map(BitRate::as_bps),
            retransmitted: info.lost_packets,
            recovery,
        }));
    }

    /// Does what an event of the machine asks for; true if the machine may have more to send.
    fn quic_told(&mut self, id: QuicId, event: quic::Event) -> bool {
        let Some(connection) = self.quic.get_mut(id) else { return false };
        let node = connection.node;
        match event {
            quic::Event::Connected => {
                self.quic_connected(id);
                false
            }
            quic::Event::EarlyDataRejected | quic::Event::Stopped(..) => false,
            quic::Event::Opened(stream) => {
                connection.incoming.push_back(stream);
                self.quic_announce(id);
                self.quic_hand_over_streams(id);
                false
            }
            quic::Event::Readable(stream) => self.quic_stream_of(id, stream, Self::quic_serve_reads),
            quic::Event::Writable(stream) => self.quic_stream_of(id, stream, Self::quic_serve_writes),
            quic::Event::Available(_) => {
                self.quic_open_waiting(id);
                false
            }
            quic::Event::Ticket(ticket) => {
                let key = connection.key.clone();
                self.nodes[node as usize].stack.quic.tickets.insert(key, *ticket);
                false
            }
            quic::Event::IdAdded(own) => {
                self.nodes[node as usize].stack.quic.ids.insert(own, id);
                false
            }
            quic::Event::IdRetired(own) => {
                self.nodes[node as usize].stack.quic.ids.swap_remove(&own);
                false
            }
            quic::Event::PathValidated => {
                if let Some(since) = connection.moved.take() {
                    let (time, flow, local) = (self.now, connection.flow, connection.local);
                    self.trace.record(Record::PathValidated(PathValidated { time, node, flow, local, since }));
                }
                false
            }
            quic::Event::Closed(reason) => {
                self.quic_closed(id, reason);
                false
            }
        }
    }

    fn quic_stream_of(&mut self, id: QuicId, stream: StreamId, serve: fn(&mut Self, Id<QuicStream>) -> bool) -> bool {
        let found = self.quic.get(id).and_then(|connection| connection.streams.get(&stream).copied());
        found.is_some_and(|stream| serve(self, stream))
    }

    fn quic_opened(&self, id: QuicId) -> Opened {
        let connection = self.quic.get(id).expect("the caller has just looked it up");
        Opened {
            socket: Socket::Quic(id).id(),
            flow: connection.flow,
            local: SocketAddrV4::new(connection.local, connection.local_port),
            remote: connection.machine.remote(),
            stream: 0,
        }
    }

    fn quic_connected(&mut self, id: QuicId) {
        let Some(connection) = self.quic.get_mut(id) else { return };
        if let Some(ticket) = connection.connecting.take() {
            self.nodes[connection.node as usize].stack.quic.connecting.swap_remove(&ticket);
            let opened = self.quic_opened(id);
            self.answer(ticket, Answer::Opened(Ok(opened)));
        }
        self.quic_announce(id);
    }

    /// A listener's program may have the connection: the handshake is complete, or early data has come.
    fn quic_announce(&mut self, id: QuicId) {
        let Some(connection) = self.quic.get_mut(id) else { return };
        if let Some(listener) = connection.listener.take()
            && let Some(listening) = self.quic_listeners.get_mut(listener)
        {
            listening.ready.push_back(id);
            self.quic_hand_over(listener);
        }
    }

    /// Gives ready connections to the accept calls that wait for them.
    fn quic_hand_over(&mut self, listener: Id<QuicListener>) {
        while let Some(listening) = self.quic_listeners.get_mut(listener)
            && !listening.ready.is_empty()
            && let Some(ticket) = listening.accepts.pop_front()
        {
            let Some(id) = listening.ready.pop_front() else { return };
            if self.quic.get(id).is_some() {
                let opened = self.quic_opened(id);
                self.answer(ticket, Answer::Opened(Ok(opened)));
            }
        }
    }

    /// The connection is over: everything that waits for it is told.
    fn quic_closed(&mut self, id: QuicId, reason: Reason) {
        let Some(connection) = self.quic.get_mut(id) else { return };
        let connecting = connection.connecting.take();
        let error = match reason {
            Reason::Closed => NetError::Closed,
            Reason::TimedOut => NetError::TimedOut,
            Reason::Unreachable => NetError::Refused,
            Reason::AddressLost => NetError::AddressLost,
            Reason::VersionMismatch | Reason::PeerFailed(_) | Reason::Failed(_) if connecting.is_some() => {
                NetError::Refused
            }
            _ => NetError::Reset,
        };
        connection.error = Some(error);
        let what = match error {
            NetError::TimedOut => What::GaveUp,
            NetError::Refused => What::Refused,
            NetError::AddressLost => What::Carrier,
            _ => What::Reset,
        };
        if error != NetError::Closed {
            self.quic_notice(id, what);
        }
        let Some(connection) = self.quic.get_mut(id) else { return };
        connection.listener = None;
        let node = connection.node;
        let waiting: Vec<Ticket> = connection.accepts.drain(..).chain(connection.opens.drain(..)).collect();
        let streams: Vec<Id<QuicStream>> = connection.streams.values().copied().collect();
        if let Some(ticket) = connecting {
            connection.held = false;
            self.nodes[node as usize].stack.quic.connecting.swap_remove(&ticket);
            self.answer(ticket, Answer::Opened(Err(error)));
        }
        for ticket in waiting {
            self.answer(ticket, Answer::Opened(Err(error)));
        }
        for stream in streams {
            self.quic_serve_reads(stream);
            self.quic_serve_writes(stream);
        }
    }

    /// The machine has nothing more to do: its ids and its port are free, and once no program holds it, so is its memory.
    fn quic_forget(&mut self, id: QuicId) {
        let Some(connection) = self.quic.get(id) else { return };
        let stack = &mut self.nodes[connection.node as usize].stack.quic;
        stack.ids.retain(|_, known| *known != id);
        if connection.machine.side() == Side::Client {
            stack.ports.swap_remove(&connection.local_port);
        }
        if !connection.held && connection.streams.is_empty() {
            self.quic.remove(id);
        }
    }

    /// Forgets the connections, streams and listeners of the machines for which `of` holds. Nobody is told: QUIC lives in programs.
    pub(super) fn quic_forget_all(&mut self, of: impl Fn(u32) -> bool) {
        let ids: Vec<QuicId> = self.quic.iter().filter(|(_, it)| of(it.node)).map(|(id, _)| id).collect();
        for id in ids {
            let Some(connection) = self.quic.remove(id) else { continue };
            connection.streams.values().for_each(|&stream| drop(self.quic_streams.remove(stream)));
        }
        let ids: Vec<_> = self.quic_listeners.iter().filter(|(_, it)| of(it.node)).map(|(id, _)| id).collect();
        ids.into_iter().for_each(|id| drop(self.quic_listeners.remove(id)));
    }

    /// An ICMP error about one of our datagrams.
    pub(super) fn quic_error(&mut self, node: u32, port: u16) {
        if let Some(&Use::Connection(id)) = self.nodes[node as usize].stack.quic.ports.get(&port)
            && let Some(connection) = self.quic.get_mut(id)
        {
            connection.machine.handle_unreachable();
            self.quic_drain(id);
        }
    }

    fn quic_send(
        &mut self,
        node: u32,
        (src, src_port): (Ipv4Addr, u16),
        remote: SocketAddrV4,
        payload: Payload,
        (flow, first_sent): (u64, Time),
        ecn: Ecn,
    ) {
        let packet = Packet {
            src,
            dst: *remote.ip(),
            ttl: crate::ip::DEFAULT_TTL,
            dscp: Dscp::DEFAULT,
            ecn,
            ident: 0,
            body: Body::Udp(Datagram { src_port, dst_port: remote.port(), payload }),
            transit: Transit { flow, first_sent, sent: self.now, ..Transit::default() },
        };
        self.send(node, packet);
    }
}
