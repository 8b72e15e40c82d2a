//! The connection: its state, and what programs and the world may do to it.

use super::config::{Config, INITIAL_WINDOW, RTT_RULE};
use super::ecn::EcnState;
use super::ids::{Ids, Secrets};
use super::path::{Path, Validation};
use super::recovery::Delivery;
use super::signals::{Code, Event, Reason};
use super::space::{Space, SpaceId};
use super::streams::Streams;
use super::tls::{Chain, Ticket, Tls};
use crate::base::{BitRate, Span, Time};
use crate::trace::{Arrival, QuicKind};
use crate::transport::congestion::{Controller, INFINITE_SSTHRESH, Phase, Window};
use crate::transport::rtt::Rtt;
use crate::transport::tcp::EcnMode;
use crate::wire::quic::{Close, ConnectionId, Dir, Packet, Side, StreamId, TransportParameters};
use crate::wire::{Ecn, Payload, Transit};
use bytes::Bytes;
use std::collections::VecDeque;
use std::net::SocketAddrV4;
use std::rc::Rc;

/// Whether anything may still happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// The handshake is under way, or complete.
    Open,
    /// We have closed it: the peer is told again when it sends, until this instant (RFC 9000 10.2.1).
    Closing(Time),
    /// The peer has closed it: silence until this instant (RFC 9000 10.2.2).
    Draining(Time),
    /// Nothing is left.
    Over,
}

/// What became of data sent with the first flight.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Early {
    None,
    /// Sent, as a client; the server has not answered.
    Offered,
    Accepted,
}

/// A packet that came before its keys.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) packet: Packet,
    pub(super) remote: SocketAddrV4,
    pub(super) transit: Transit,
    pub(super) ecn: Ecn,
}

/// One end of a QUIC connection.
#[derive(Debug)]
pub struct Connection {
    pub(super) side: Side,
    pub(super) config: Rc<Config>,
    pub(super) state: State,
    pub(super) secrets: Secrets,
    pub(super) tls: Tls,
    pub(super) ids: Ids,
    /// The destination of the client's first Initial, under which it may come again.
    pub(super) original_dst: ConnectionId,
    pub(super) peer: TransportParameters,
    pub(super) token: Bytes,
    pub(super) spaces: [Space; 3],
    pub(super) streams: Streams,
    pub(super) path: Path,
    /// The path before the peer moved, to go back to.
    pub(super) previous: Option<Path>,
    pub(super) validation: Validation,
    /// Since when packets have gone to or from the present addresses.
    pub(super) path_began: Time,
    pub(super) ecn: EcnState,

    pub(super) rtt: Rtt,
    pub(super) window: Window,
    pub(super) control: Controller,
    pub(super) phase: Phase,
    pub(super) delivery: Delivery,
    /// Bytes in flight.
    pub(super) in_flight: u64,
    /// When the window was last reduced: losses of what was sent before are part of it.
    pub(super) recovery_start: Option<Time>,
    pub(super) pto_count: u32,
    pub(super) pace_at: Time,
    /// Only the pace holds sending back.
    pub(super) paced: bool,

    /// TLS is done; and the peer knows.
    pub(super) complete: bool,
    pub(super) confirmed: bool,
    pub(super) done_due: bool,
    pub(super) early: Early,
    /// 1-RTT keys for sending are there.
    pub(super) one_rtt: bool,
    pub(super) waiting: Vec<Waiting>,
    pub(super) close_due: Option<Close>,
    pub(super) close_sent: Option<Close>,
    /// Last packet from the peer, or first ack-eliciting one of ours since (RFC 9000 10.1).
    pub(super) active_at: Time,
    pub(super) sent_since_heard: bool,
    /// A packet of the peer's has been taken in.
    pub(super) heard: bool,
    pub(super) events: VecDeque<Event>,
    /// Packets declared lost so far, and those not told yet.
    pub(super) lost_packets: u64,
    pub(super) lost: Vec<LostPacket>,
}

/// A packet that has been declared lost (RFC 9002 6.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LostPacket {
    /// Which protection it had.
    pub kind: QuicKind,
    /// Its number.
    pub number: u64,
    /// By time and not by the number of those acknowledged that were sent later.
    pub by_time: bool,
}

/// A look at a connection from outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Info {
    /// Congestion window in bytes.
    pub cwnd_bytes: u64,
    /// Slow-start threshold in bytes; `u64::MAX` before the first loss.
    pub ssthresh_bytes: u64,
    /// What congestion control is doing.
    pub phase: Phase,
    /// Smoothed round-trip time; zero before the first sample.
    pub srtt: Span,
    /// Mean deviation of the round-trip time.
    pub rttvar: Span,
    /// Smallest round-trip time of late; zero before the first sample.
    pub min_rtt: Span,
    /// Probe timeout, with backoff.
    pub pto: Span,
    /// Rate at which packets are let go, if they are paced.
    pub pacing_rate: Option<BitRate>,
    /// Bytes in flight.
    pub bytes_in_flight: u64,
    /// Packets declared lost so far.
    pub lost_packets: u64,
}

/// What a client begins a connection with.
#[derive(Clone, Debug, Default)]
pub struct Opening {
    /// The server's name, for SNI.
    pub server_name: Option<String>,
    /// Application protocols in order of preference.
    pub alpn: Vec<Bytes>,
    /// A ticket from an earlier connection to the same server.
    pub ticket: Option<Ticket>,
}

/// What a server's listener gives its connections.
#[derive(Clone, Debug)]
pub struct Accepting {
    /// Application protocols in order of preference.
    pub alpn: Vec<Bytes>,
    /// What it shows to prove its name.
    pub chain: Chain,
}

impl Connection {
    /// Opens a connection to `remote`: the first flight is ready to be polled. Streams may be opened and written at once if the
    /// opening's ticket allows early data and the settings want it.
    #[must_use]
    pub fn connect(config: &Rc<Config>, opening: Opening, remote: SocketAddrV4, secrets: Secrets, now: Time) -> Self {
        let first = secrets.first_peer_id();
        let mut ticket = opening.ticket.filter(|ticket| ticket.is_valid(now));
        if let Some(ticket) = &mut ticket {
            ticket.early_data &= config.early_data;
        }
        let own = Self::own_parameters(config, secrets.id(0));
        let tls = Tls::client(secrets, opening.server_name, opening.alpn, ticket, own);
        let mut connection = Self::new(Side::Client, config, tls, secrets, (first, first), remote, now);
        connection.path.validated = true;
        let hello = connection.tls.hello(now);
        connection.spaces[SpaceId::Initial as usize].crypto_out.write(hello);
        if let Some(parameters) = connection.tls.offers_early_data().cloned() {
            connection.early = Early::Offered;
            connection.spaces[SpaceId::Data as usize].open = true;
            connection.streams.take_parameters(&parameters);
        }
        connection
    }

    /// Accepts the connection whose first datagram carries an Initial with these connection ids; that datagram is then handed to
    /// [`Connection::handle_datagram`].
    #[must_use]
    pub fn accept(
        config: &Rc<Config>,
        accepting: &Accepting,
        (original_dst, client): (ConnectionId, ConnectionId),
        remote: SocketAddrV4,
        secrets: Secrets,
        now: Time,
    ) -> Self {
        let mut own = Self::own_parameters(config, secrets.id(0));
        own.original_dst = Some(original_dst);
        own.reset_token = Some(Secrets::reset_token(secrets.host, secrets.id(0)));
        let policy = (config.early_data, config.tickets);
        let tls = Tls::server(secrets, accepting.alpn.clone(), Rc::clone(&accepting.chain), policy, own);
        Self::new(Side::Server, config, tls, secrets, (original_dst, client), remote, now)
    }

    fn own_parameters(config: &Config, src: ConnectionId) -> TransportParameters {
        TransportParameters {
            max_idle_timeout: Some(config.idle_timeout),
            max_udp_payload: 1472,
            max_data: config.connection_window,
            max_stream_data_bidi_local: config.stream_window,
            max_stream_data_bidi_remote: config.stream_window,
            max_stream_data_uni: config.stream_window,
            max_streams_bidi: config.streams[0],
            max_streams_uni: config.streams[1],
            max_ack_delay: config.max_ack_delay,
            active_id_limit: super::ids::ACTIVE,
            initial_src: Some(src),
            ..TransportParameters::default()
        }
    }

    fn new(
        side: Side,
        config: &Rc<Config>,
        tls: Tls,
        secrets: Secrets,
        (original_dst, peer): (ConnectionId, ConnectionId),
        remote: SocketAddrV4,
        now: Time,
    ) -> Self {
        let mut control = config.congestion.build();
        control.get().seed(secrets.chance());
        let wants_marks = config.ecn == EcnMode::On || control.get().needs_ecn();
        let mut spaces = [Space::new(), Space::new(), Space::new()];
        spaces[SpaceId::Initial as usize].install();
        Self {
            side,
            config: Rc::clone(config),
            state: State::Open,
            secrets,
            tls,
            ids: Ids::new(secrets, peer),
            original_dst,
            peer: TransportParameters::default(),
            token: Bytes::new(),
            spaces,
            streams: Streams::new(side, config, now),
            path: Path::new(remote),
            previous: None,
            validation: Validation::default(),
            path_began: Time::ZERO,
            ecn: EcnState::new(wants_marks),
            rtt: Rtt::new(RTT_RULE),
            window: Window { cwnd: INITIAL_WINDOW, ssthresh: INFINITE_SSTHRESH, clamp: u32::MAX },
            control,
            phase: Phase::Open,
            delivery: Delivery::default(),
            in_flight: 0,
            recovery_start: None,
            pto_count: 0,
            pace_at: Time::ZERO,
            paced: false,
            complete: false,
            confirmed: false,
            done_due: false,
            early: Early::None,
            one_rtt: false,
            waiting: Vec::new(),
            close_due: None,
            close_sent: None,
            active_at: now,
            sent_since_heard: false,
            heard: false,
            events: VecDeque::new(),
            lost_packets: 0,
            lost: Vec::new(),
        }
    }

    #[inline]
    pub(super) const fn space(&mut self, id: SpaceId) -> &mut Space {
        &mut self.spaces[id as usize]
    }

    /// Which end this is.
    #[must_use]
    pub const fn side(&self) -> Side {
        self.side
    }

    /// The peer's address at present.
    #[must_use]
    pub const fn remote(&self) -> SocketAddrV4 {
        self.path.remote
    }

    /// The ids under which the peer may reach this end; a server's includes the one that its client made up.
    pub fn ids(&self) -> impl Iterator<Item = ConnectionId> + '_ {
        let made_up = (self.side == Side::Server && !self.confirmed).then_some(self.original_dst);
        self.ids.local().chain(made_up)
    }

    /// Whether the handshake is complete.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        self.complete
    }

    /// Whether the peer was recognised by a ticket, without a certificate.
    #[must_use]
    pub const fn is_resumed(&self) -> bool {
        self.tls.resumed()
    }

    /// Whether nothing is left to be done, ever.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.state == State::Over && self.events.is_empty()
    }

    /// Whether data can be exchanged: neither end has closed.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Opens a stream; `None` if the peer does not allow another one yet: [`Event::Available`] tells when.
    pub fn open(&mut self, dir: Dir, now: Time) -> Option<StreamId> {
        if self.state == State::Open { self.streams.open(dir, now) } else { None }
    }

    /// Appends data to a stream and returns what it has no room for; [`Event::Writable`] tells when there is room again. Data for a
    /// stream that is finished, reset or unknown is returned whole.
    pub fn write(&mut self, id: StreamId, payload: Payload) -> Payload {
        if self.state == State::Open { self.streams.write(id, payload) } else { payload }
    }

    /// The stream ends behind what has been written.
    pub fn finish(&mut self, id: StreamId) {
        self.streams.finish(id);
    }

    /// Gives up sending on a stream, with a code for the peer's program.
    pub fn reset(&mut self, id: StreamId, code: u64) {
        self.streams.reset(id, code);
    }

    /// Wants no more of a stream, with a code for the peer's program.
    pub fn stop(&mut self, id: StreamId, code: u64, now: Time) {
        let rtt = self.rtt.srtt();
        self.streams.stop(id, code, rtt, now);
    }

    /// Bytes of a stream that can be read.
    #[must_use]
    pub fn readable(&self, id: StreamId) -> u64 {
        self.streams.readable(id)
    }

    /// Whether nothing more will come on a stream: it has ended, or its sender gave up with a code. `None` while more may.
    #[must_use]
    pub fn end_of(&self, id: StreamId) -> Option<Result<(), u64>> {
        self.streams.at_end(id)
    }

    /// The program has taken note of a stream's end.
    pub fn acknowledge_end(&mut self, id: StreamId) {
        self.streams.end_seen(id);
    }

    /// Takes at most `max` bytes of a stream in order, and the way of the last one. Credit for more may have to be sent.
    pub fn read(&mut self, id: StreamId, max: u64, now: Time) -> Option<(Payload, Arrival)> {
        let rtt = self.rtt.srtt();
        self.streams.read(id, max, rtt, now)
    }

    /// Closes the connection with a code for the peer's program; streams are abandoned.
    pub fn close(&mut self, code: u64, now: Time) {
        let close = Close { application: true, code, reason: Bytes::new() };
        self.begin_closing(close, Reason::Closed, now);
    }

    /// The peer has broken the protocol.
    pub(super) fn fail(&mut self, code: Code, now: Time) {
        let close = Close { application: false, code: code.0, reason: Bytes::new() };
        self.begin_closing(close, Reason::Failed(code), now);
    }

    fn begin_closing(&mut self, close: Close, reason: Reason, now: Time) {
        if self.state != State::Open {
            return;
        }
        self.state = State::Closing(now + self.pto() * 3);
        self.close_due = Some(close);
        self.end(reason);
    }

    /// The peer has closed, or cannot be there: nothing is sent any more.
    pub(super) fn drain(&mut self, reason: Reason, now: Time) {
        if self.state == State::Open {
            self.end(reason);
        }
        if !matches!(self.state, State::Over) {
            self.state = State::Draining(now + self.pto() * 3);
        }
        self.close_due = None;
    }

    /// Nothing more happens after this.
    pub(super) fn finish_at_once(&mut self, reason: Reason) {
        if self.state == State::Open {
            self.end(reason);
        }
        self.state = State::Over;
        self.close_due = None;
    }

    fn end(&mut self, reason: Reason) {
        for space in &mut self.spaces {
            drop(space.discard_sent());
        }
        self.in_flight = 0;
        self.waiting.clear();
        self.streams.clear();
        self.events.push_back(Event::Closed(reason));
    }

    /// Whether everything written has been acknowledged and nobody else's stream waits for an answer of ours.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.state != State::Open || (self.complete && self.streams.is_settled())
    }

    /// Whether the connection has been closed and its end waits to be sent.
    #[must_use]
    pub const fn has_close_due(&self) -> bool {
        self.close_due.is_some()
    }

    /// Whether the peer wants no more of a stream.
    #[must_use]
    pub fn is_stopped(&self, id: StreamId) -> bool {
        self.streams.reset_of(id).is_some()
    }

    /// The client has proved its address by the token of a Retry (RFC 9000 8.1.2).
    pub const fn trust_address(&mut self) {
        self.path.validated = true;
    }

    /// Probe timeouts since something was acknowledged last (RFC 9002 6.2).
    #[must_use]
    pub const fn timeouts(&self) -> u32 {
        self.pto_count
    }

    /// What observers may know.
    #[must_use]
    pub fn info(&self) -> Info {
        let datagram = u64::from(self.config.max_datagram);
        let ssthresh = u64::from(self.window.ssthresh);
        Info {
            cwnd_bytes: self.window_bytes(),
            ssthresh_bytes: if self.window.ssthresh == INFINITE_SSTHRESH { u64::MAX } else { ssthresh * datagram },
            phase: self.phase,
            srtt: self.rtt.srtt(),
            rttvar: self.rtt.variance(),
            min_rtt: self.rtt.min().unwrap_or(Span::ZERO),
            pto: self.pto().saturating_mul(1 << self.pto_count.min(30)),
            pacing_rate: self.control.pacing_rate(),
            bytes_in_flight: self.in_flight,
            lost_packets: self.lost_packets,
        }
    }

    /// The packets that have been declared lost since the last call.
    pub fn take_lost(&mut self) -> Vec<LostPacket> {
        std::mem::take(&mut self.lost)
    }

    /// Our address is gone and nothing can be sent from it: the connection ends without a word.
    pub fn lose_address(&mut self) {
        self.finish_at_once(Reason::AddressLost);
    }

    /// ICMP says that the peer cannot be reached: during the handshake that is the end.
    pub fn handle_unreachable(&mut self) {
        if !self.complete && self.side == Side::Client {
            self.finish_at_once(Reason::Unreachable);
        }
    }

    /// The next thing that the program or the world should know.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front().or_else(|| self.streams.poll_event())
    }

    /// One probe timeout without backoff (RFC 9002 6.2.1).
    pub(super) fn pto(&self) -> Span {
        self.pto_base() + if self.complete { self.peer.max_ack_delay } else { Span::ZERO }
    }
}
