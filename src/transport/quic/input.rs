//! A datagram arrives: which packets can be read, and what their frames mean.

use super::connection::{Connection, Early, State, Waiting};
use super::signals::{Code, Event, Reason};
use super::space::SpaceId;
use super::tls::Step;
use crate::base::{Span, Time};
use crate::trace::Arrival;
use crate::transport::tcp::EcnMode;
use crate::wire::quic::{self, Close, Frame, Header, Item, LongKind, Packet, ResetToken, Side};
use crate::wire::{Ecn, Payload, Transit};
use std::net::SocketAddrV4;

/// Packets kept until their keys are there.
const MOST_WAITING: usize = 32;

/// The way of the last byte of a packet that arrives now.
fn arrival_of(transit: &Transit, now: Time) -> Arrival {
    Arrival {
        first_sent: transit.first_sent,
        sent: transit.sent,
        arrived: now,
        released: now,
        serialisation: transit.serialisation,
        queueing: transit.queueing,
        propagation: transit.propagation,
    }
}

impl Connection {
    /// Takes in a UDP payload that came from `remote` by the way `transit`.
    pub fn handle_datagram(
        &mut self,
        datagram: &Payload,
        remote: SocketAddrV4,
        transit: &Transit,
        ecn: Ecn,
        now: Time,
    ) {
        match self.state {
            State::Over | State::Draining(_) => return,
            State::Closing(_) => return self.while_closing(datagram, now),
            State::Open => {}
        }
        if remote == self.path.remote {
            self.path.received += datagram.len();
        } else if !self.confirmed || self.side == Side::Client {
            // RFC 9000 9: nobody moves before the handshake is over, and servers never do.
            return;
        }
        let (items, end) = quic::decode(datagram, quic::ID_LEN);
        if end.is_err() && items.is_empty() {
            return;
        }
        let bytes = datagram.len();
        for item in items {
            match item {
                Item::Packet(packet) => {
                    let waiting = Waiting { packet, remote, transit: *transit, ecn };
                    self.take_packet(waiting, bytes, now);
                }
                Item::Retry { src, token, .. } => self.take_retry(src, token),
                Item::VersionNegotiation { .. } => {
                    if self.side == Side::Client && !self.heard {
                        self.finish_at_once(Reason::VersionMismatch);
                    }
                }
            }
            if self.state != State::Open {
                return;
            }
        }
    }

    /// A datagram ends like a stateless reset (RFC 9000 10.3.1); true if it is one for this connection.
    pub fn handle_reset(&mut self, token: ResetToken, now: Time) -> bool {
        let ours = self.state == State::Open && self.ids.is_reset(token);
        if ours {
            self.drain(Reason::Reset, now);
        }
        ours
    }

    /// RFC 9000 10.2.1: whatever the peer still sends is answered by saying again that it is over.
    fn while_closing(&mut self, datagram: &Payload, now: Time) {
        let (items, _) = quic::decode(datagram, quic::ID_LEN);
        let closes = |frame: &Frame| matches!(frame, Frame::Close(_));
        if items.iter().any(|item| matches!(item, Item::Packet(packet) if packet.frames.iter().any(closes))) {
            self.drain(Reason::Closed, now);
        } else {
            self.close_due.clone_from(&self.close_sent);
        }
    }

    /// The server wants to see that we are where we say (RFC 9000 17.2.5.2).
    fn take_retry(&mut self, src: quic::ConnectionId, token: bytes::Bytes) {
        let fresh = self.token.is_empty() && !self.heard;
        if self.side == Side::Server || !fresh || token.is_empty() {
            return;
        }
        self.token = token;
        self.ids.set_peer(src);
        for id in [SpaceId::Initial, SpaceId::Data] {
            for sent in self.space(id).discard_sent() {
                if sent.in_flight {
                    self.in_flight -= u64::from(sent.size);
                }
                self.requeue(id, &sent.contents);
            }
        }
        self.pto_count = 0;
    }

    /// Takes a packet in, keeps it until its keys are there, or drops it.
    fn take_packet(&mut self, waiting: Waiting, bytes: u64, now: Time) {
        let early_packet = matches!(waiting.packet.header, Header::Long { kind: LongKind::ZeroRtt, .. });
        let id = match &waiting.packet.header {
            Header::Long { kind: LongKind::Initial { .. }, .. } => SpaceId::Initial,
            Header::Long { kind: LongKind::Handshake, .. } => SpaceId::Handshake,
            Header::Long { kind: LongKind::ZeroRtt, .. } | Header::Short { .. } => SpaceId::Data,
        };
        let hello_taken = self.spaces[1].open || self.complete;
        let (readable, may_become) = match id {
            SpaceId::Initial => (self.spaces[0].readable, false),
            SpaceId::Handshake => (self.spaces[1].readable, !self.confirmed),
            SpaceId::Data if early_packet => (self.early == Early::Accepted, self.side == Side::Server && !hello_taken),
            SpaceId::Data => (self.spaces[2].readable, !self.complete),
        };
        if !readable {
            if may_become && self.waiting.len() < MOST_WAITING {
                self.waiting.push(waiting);
            }
            return;
        }
        let before = (self.spaces[1].readable, self.spaces[2].readable, self.early);
        if let Err(code) = self.take_readable(id, waiting, bytes, now) {
            self.fail(code, now);
            return;
        }
        if before != (self.spaces[1].readable, self.spaces[2].readable, self.early) {
            for waiting in std::mem::take(&mut self.waiting) {
                if self.state == State::Open {
                    self.take_packet(waiting, 0, now);
                }
            }
        }
    }

    fn take_readable(&mut self, id: SpaceId, waiting: Waiting, bytes: u64, now: Time) -> Result<(), Code> {
        let Waiting { packet, remote, transit, ecn } = waiting;
        let Packet { header, number, frames } = packet;
        let largest = self.space(id).received.largest();
        let number = number.expand(largest);
        if self.space(id).received.is_duplicate(number) {
            return Ok(());
        }
        if let Header::Long { src, .. } = header
            && self.side == Side::Client
            && !self.heard
        {
            // RFC 9000 7.2: from now on the server is called by the id that it chose.
            self.ids.set_peer(src);
        }
        self.heard = true;
        let eliciting = frames.iter().any(Frame::is_ack_eliciting);
        let delay = (id == SpaceId::Data && self.complete).then_some(self.config.max_ack_delay);
        let ecn = if self.config.ecn == EcnMode::Off { Ecn::NotCapable } else { ecn };
        self.space(id).received.take(number, eliciting, ecn, delay, now);
        self.active_at = now;
        self.sent_since_heard = false;
        if id == SpaceId::Handshake && self.side == Side::Server {
            // RFC 9000 8.1: only who got our Initial can make one; and RFC 9001 4.9.1.
            self.path.validated = true;
            self.discard(SpaceId::Initial);
        }
        let moves = remote != self.path.remote
            && largest.is_none_or(|largest| number > largest)
            && !frames.iter().all(Frame::is_probing);
        if moves {
            self.peer_moved(remote, bytes, now);
        }
        for frame in frames {
            self.take_frame(id, frame, remote, &transit, now)?;
            if self.state != State::Open {
                break;
            }
        }
        Ok(())
    }

    fn take_frame(
        &mut self,
        id: SpaceId,
        frame: Frame,
        remote: SocketAddrV4,
        transit: &Transit,
        now: Time,
    ) -> Result<(), Code> {
        // RFC 9000 12.4, table 3.
        let handshake_frame = matches!(
            frame,
            Frame::Padding(_) | Frame::Ping | Frame::Ack { .. } | Frame::Crypto { .. } | Frame::Close(_)
        );
        if id != SpaceId::Data && !handshake_frame {
            return Err(Code::PROTOCOL_VIOLATION);
        }
        match frame {
            Frame::Padding(_)
            | Frame::Ping
            | Frame::NewToken(_)
            | Frame::DataBlocked(_)
            | Frame::StreamDataBlocked { .. }
            | Frame::StreamsBlocked { .. } => Ok(()),
            Frame::Ack { ranges, delay, ecn } => self.take_ack(id, &ranges, delay, ecn, now),
            Frame::Crypto { offset, data } => self.take_crypto(id, offset, data, now),
            Frame::Stream { id, offset, fin, data } => {
                self.streams.take_data(id, offset, fin, data, arrival_of(transit, now))
            }
            Frame::ResetStream { id, code, final_size } => self.streams.take_reset(id, code, final_size, now),
            Frame::StopSending { id, code } => self.streams.take_stop(id, code, now),
            Frame::MaxData(max) => {
                self.streams.take_max_data(max);
                Ok(())
            }
            Frame::MaxStreamData { id, max } => self.streams.take_max_stream_data(id, max, now),
            Frame::MaxStreams { dir, max } => {
                self.streams.take_max_streams(dir, max);
                Ok(())
            }
            Frame::NewConnectionId { sequence, retire_prior_to, id, token } => {
                self.ids.take_new(sequence, retire_prior_to, id, token)
            }
            Frame::RetireConnectionId(sequence) => {
                if let Some(id) = self.ids.take_retire(sequence)? {
                    self.events.push_back(Event::IdRetired(id));
                }
                self.issue_ids();
                Ok(())
            }
            Frame::PathChallenge(data) => {
                self.validation.responses.push((data, remote));
                Ok(())
            }
            Frame::PathResponse(data) => {
                self.take_path_response(data);
                Ok(())
            }
            Frame::Close(Close { application, code, .. }) => {
                let reason = if application { Reason::PeerClosed(code) } else { Reason::PeerFailed(Code(code)) };
                self.drain(reason, now);
                Ok(())
            }
            Frame::HandshakeDone => {
                if self.side == Side::Server {
                    return Err(Code::PROTOCOL_VIOLATION);
                }
                if self.complete {
                    self.confirmed = true;
                    self.discard(SpaceId::Handshake);
                }
                Ok(())
            }
        }
    }

    fn take_crypto(&mut self, id: SpaceId, offset: u64, data: Payload, now: Time) -> Result<(), Code> {
        let arrival = Arrival { arrived: now, ..Arrival::default() };
        let space = self.space(id);
        space.crypto_in.insert(offset, data, arrival);
        let Some((bytes, _)) = space.crypto_in.read(u64::MAX) else { return Ok(()) };
        for step in self.tls.take(id, &bytes, now)? {
            self.take_step(step, now)?;
        }
        Ok(())
    }

    fn take_step(&mut self, step: Step, now: Time) -> Result<(), Code> {
        match step {
            Step::Send(id, payload) => self.space(id).crypto_out.write(payload),
            Step::HandshakeKeys => self.space(SpaceId::Handshake).install(),
            Step::Parameters(parameters) => {
                // RFC 9000 7.3: nobody has meddled with the ids.
                if parameters.initial_src != Some(self.ids.peer()) {
                    return Err(Code::TRANSPORT_PARAMETER);
                }
                self.ids.peer_limit = parameters.active_id_limit;
                self.ids.set_token(parameters.reset_token);
                self.streams.take_parameters(&parameters);
                self.peer = *parameters;
            }
            Step::EarlyData(true) => self.early = Early::Accepted,
            Step::EarlyData(false) => {
                self.space(SpaceId::Data).open = false;
                self.early_data_rejected();
            }
            Step::SendKeys => {
                self.one_rtt = true;
                self.space(SpaceId::Data).open = true;
            }
            Step::ReadKeys => self.space(SpaceId::Data).readable = true,
            Step::Complete => self.handshake_complete(now),
            Step::Ticket(ticket) => self.events.push_back(Event::Ticket(Box::new(ticket))),
        }
        Ok(())
    }

    fn handshake_complete(&mut self, now: Time) {
        self.complete = true;
        self.events.push_back(Event::Connected);
        let (srtt, datagram) = (self.rtt.srtt(), self.config.max_datagram);
        self.control.get().init(&mut self.window, now, srtt, datagram);
        if self.side == Side::Server {
            // RFC 9001 4.1.2, 4.9.2.
            self.confirmed = true;
            self.done_due = true;
            self.discard(SpaceId::Handshake);
            self.events.push_back(Event::IdRetired(self.original_dst));
        }
        self.issue_ids();
    }

    fn issue_ids(&mut self) {
        for id in self.ids.issue() {
            self.events.push_back(Event::IdAdded(id));
        }
    }

    /// When the connection is given up for want of packets (RFC 9000 10.1).
    pub(super) fn idle_at(&self) -> Time {
        let own = self.config.idle_timeout;
        let idle = self.peer.max_idle_timeout.map_or(own, |peer| own.min(peer));
        self.active_at.saturating_add(idle.max(self.pto() * 3))
    }

    /// An instant that [`Connection::wake`] named has come.
    pub fn handle_wake(&mut self, now: Time) {
        match self.state {
            State::Over => return,
            State::Closing(until) | State::Draining(until) => {
                if until <= now {
                    self.state = State::Over;
                }
                return;
            }
            State::Open => {}
        }
        if self.idle_at() <= now {
            self.finish_at_once(Reason::TimedOut);
            return;
        }
        for space in &mut self.spaces {
            space.received.handle_wake(now);
        }
        if self.loss_timer().0 <= now {
            self.loss_timer_due(now);
        }
        self.check_validation(now);
    }

    /// The peer's largest delay of an acknowledgment, for observers.
    #[must_use]
    pub const fn peer_ack_delay(&self) -> Span {
        self.peer.max_ack_delay
    }
}
