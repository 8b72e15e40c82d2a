//! The records: what users felt, and what happened to packets.

use super::{
    Announcement, Balanced, CacheRecord, Changed, Charge, FaultChange, Forwarded, Judgement, Limited, Lost, Mask,
    Notice, Probed, Refused, Rerouted, Returned, SessionUse, StoreRecord, TurnedAway,
};
use crate::base::{Span, Time};
use crate::wire::Packet;
use std::net::SocketAddrV4;

/// The way of one byte (the last of a message) through a connection or a datagram flow, from its first transmission to the
/// reader. The parts add up: `released - first_sent` is recovery, then serialisation, queueing and propagation, then
/// reorder wait, with nothing left over.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Arrival {
    /// When it was first handed to the network.
    pub first_sent: Time,
    /// When the copy that arrived was handed to the network.
    pub sent: Time,
    /// When that copy arrived.
    pub arrived: Time,
    /// When the reader could have it: everything before it had arrived too.
    pub released: Time,
    /// Time that copy spent being put on links.
    pub serialisation: Span,
    /// Time that copy spent in queues.
    pub queueing: Span,
    /// Time that copy spent in fiber and air, and in any other delay that a link adds.
    pub propagation: Span,
}

impl Arrival {
    /// Time lost to losses of this byte itself: from its first transmission to the one that arrived.
    #[must_use]
    pub fn recovery(&self) -> Span {
        self.sent - self.first_sent
    }

    /// Time for which earlier bytes held this one back (head-of-line blocking).
    #[must_use]
    pub fn reorder_wait(&self) -> Span {
        self.released - self.arrived
    }
}

/// Why a packet was dropped.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Cause {
    /// The link's queue was full.
    QueueFull,
    /// The link's loss model took it.
    Loss,
    /// Bits flipped on the link and a checksum noticed.
    Corrupted,
    /// The link or a node at its end was down.
    Down,
    /// The TTL ran out at a router.
    TtlExpired,
    /// No route to the destination.
    NoRoute,
    /// Larger than the MTU of the next link.
    TooBig,
    /// The host has no use for it: nobody listens.
    NoListener,
    /// The host's socket buffer was full.
    BufferFull,
    /// A queue told the sender to slow down before it was full (RED, CoDel).
    EarlyDrop,
    /// It exceeded the rate of a policer.
    Policed,
    /// A partition keeps its sender and its receiver apart.
    Partitioned,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Self; 12] = [
        Self::QueueFull,
        Self::Loss,
        Self::Corrupted,
        Self::Down,
        Self::TtlExpired,
        Self::NoRoute,
        Self::TooBig,
        Self::NoListener,
        Self::BufferFull,
        Self::EarlyDrop,
        Self::Policed,
        Self::Partitioned,
    ];

    /// The name used in results: `queue_full`, `loss`...
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Loss => "loss",
            Self::Corrupted => "corrupted",
            Self::Down => "down",
            Self::TtlExpired => "ttl_expired",
            Self::NoRoute => "no_route",
            Self::TooBig => "too_big",
            Self::NoListener => "no_listener",
            Self::BufferFull => "buffer_full",
            Self::EarlyDrop => "early_drop",
            Self::Policed => "policed",
            Self::Partitioned => "partitioned",
        }
    }
}

/// What happened to a packet at a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PacketEvent {
    /// A host made it.
    Sent,
    /// It was accepted by a link.
    Offered,
    /// It reached the far end of a link.
    Arrived,
    /// A host took it in.
    Delivered,
    /// It is gone.
    Dropped(Cause),
}

/// One event in the life of one packet.
#[derive(Clone, Debug)]
pub struct PacketRecord {
    /// When.
    pub time: Time,
    /// Where: the node's number in the plan.
    pub node: u32,
    /// On which link direction (number in the plan), for `Offered`, `Arrived` and drops on a link.
    pub link: Option<u32>,
    /// What.
    pub event: PacketEvent,
    /// Serial number of the packet in this run.
    pub serial: u64,
    /// The packet itself.
    pub packet: Packet,
}

/// Why a request or message failed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Failure {
    /// The name could not be resolved: no such name.
    NameError,
    /// No resolver answered.
    NameTimeout,
    /// The connection was refused.
    Refused,
    /// The connection was reset.
    Reset,
    /// The TLS handshake failed, or a record was not what it should be.
    Tls,
    /// No local port was free for another connection to the server.
    NoPort,
    /// No route, or an ICMP error said so.
    Unreachable,
    /// The deadline passed, or the transport gave up.
    Timeout,
    /// The server answered with an error status (5xx or 4xx).
    Status,
    /// Another node of the cluster serves the key.
    Moved,
    /// The peer closed before the answer was whole, or broke the protocol.
    Broken,
    /// The asker's circuit breaker was open: nothing was sent.
    BreakerOpen,
    /// Too many requests of the asker were under way or waiting: nothing was sent.
    BulkheadFull,
}

impl Failure {
    /// The name used in results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NameError => "name_error",
            Self::NameTimeout => "name_timeout",
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::Tls => "tls",
            Self::NoPort => "no_port",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Status => "status",
            Self::Moved => "moved",
            Self::Broken => "broken",
            Self::BreakerOpen => "breaker_open",
            Self::BulkheadFull => "bulkhead_full",
        }
    }
}

/// A user asked for something: one of these for each [`Request`], also for those that never end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RequestStarted {
    /// Which traffic of the plan.
    pub traffic: u32,
    /// Which request of that traffic, from 0.
    pub number: u64,
    /// When.
    pub time: Time,
}

/// What an asker saw of one request. The instants are in order: `start`, `tried`, `resolved`, `connected`, `secured`, `read`,
/// `written`, `end`; those after the failure, if it failed, equal `end`. What follows `tried` is of that try alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Request {
    /// Which traffic of the plan.
    pub traffic: u32,
    /// Which request of that traffic, from 0.
    pub number: u64,
    /// Node that asked (number in the plan).
    pub node: u32,
    /// When the user asked.
    pub start: Time,
    /// When the try began that brought the answer; without an answer, the last one.
    pub tried: Time,
    /// When the name was known.
    pub resolved: Time,
    /// When a connection was there to be used, or to be secured first.
    pub connected: Time,
    /// When data could be sent on it under TLS; in the clear the same as `connected`.
    pub secured: Time,
    /// When what had to be read before was read; without that the same as `secured`.
    pub read: Time,
    /// When the last byte of the request was written to it.
    pub written: Time,
    /// When the last byte of the response was read, or the request failed.
    pub end: Time,
    /// The flow of the name lookup, or 0 if none was needed.
    pub lookup_flow: u64,
    /// The flow of the connection, or 0 if none was made.
    pub flow: u64,
    /// How many requests went before on the same connection: with `flow`, the name of the exchange.
    pub exchange: u32,
    /// HTTP status of the answer; 0 without one.
    pub status: u16,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
    /// The way of the response's last byte; all zero without a response.
    pub response: Arrival,
    /// Body bytes received.
    pub body: u64,
    /// Time for which the asker held it back before the first try, because too many of its requests were under way.
    pub held: Span,
    /// Time waited between tries.
    pub backoff: Span,
    /// How often it was tried.
    pub tries: u32,
    /// The exchange for whose sake a server asked: its flow and number; `None` where users ask.
    pub cause: Option<(u64, u32)>,
}

impl Request {
    /// A request of which nothing has happened yet but that somebody asked.
    #[must_use]
    pub fn begun(traffic: u32, number: u64, node: u32, start: Time) -> Self {
        Self {
            traffic,
            number,
            node,
            start,
            tried: start,
            resolved: Time::NEVER,
            connected: Time::NEVER,
            secured: Time::NEVER,
            read: Time::NEVER,
            written: Time::NEVER,
            end: Time::NEVER,
            lookup_flow: 0,
            flow: 0,
            exchange: 0,
            status: 0,
            failure: None,
            response: Arrival::default(),
            body: 0,
            held: Span::ZERO,
            backoff: Span::ZERO,
            tries: 1,
            cause: None,
        }
    }
}

/// One try of a request that may be tried several times. Tries that were given up because another one won have ended then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Try {
    /// Which traffic of the plan.
    pub traffic: u32,
    /// Which request of that traffic, from 0.
    pub number: u64,
    /// Which try of that request, from 0.
    pub index: u32,
    /// When it began.
    pub start: Time,
    /// When it ended.
    pub end: Time,
    /// The flow of its connection, or 0 if none was made.
    pub flow: u64,
    /// How many requests went before on the same connection.
    pub exchange: u32,
    /// HTTP status of the answer; 0 without one.
    pub status: u16,
    /// What came of it.
    pub verdict: Verdict,
    /// Whether it was made beside one that was still under way.
    pub hedge: bool,
}

/// What came of a try.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It brought the answer.
    Answered,
    /// It failed.
    Failed(Failure),
    /// It was given up because another try of the same request brought the answer.
    Overtaken,
}

/// A state of a circuit breaker.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Circuit {
    /// Requests pass.
    Closed,
    /// Requests fail at once.
    Open,
    /// A few requests pass to find out whether others may.
    HalfOpen,
}

impl Circuit {
    /// The name used in results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// A circuit breaker changed its state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tripped {
    /// Which traffic of the plan.
    pub traffic: u32,
    /// Node whose breaker it is.
    pub node: u32,
    /// When.
    pub time: Time,
    /// The new state.
    pub circuit: Circuit,
}

/// What the server of an exchange saw of it: joined with [`Request`] by (flow, exchange).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exchange {
    /// The flow of the connection.
    pub flow: u64,
    /// How many requests went before on it.
    pub exchange: u32,
    /// Node that served (number in the plan).
    pub node: u32,
    /// The way of the request's last byte.
    pub request: Arrival,
    /// When a worker took the request up.
    pub started: Time,
    /// When the work was done.
    pub finished: Time,
    /// When the last byte of the response was written to the connection.
    pub written: Time,
    /// Of the time between `started` and `finished`: waiting for what the server asked others.
    pub calls: Span,
    /// Of the same time: sharing cores with other requests.
    pub core_wait: Span,
}

impl Exchange {
    /// An exchange that was answered as soon as it was asked.
    #[must_use]
    pub const fn at_once(flow: u64, exchange: u32, node: u32, request: Arrival, now: Time) -> Self {
        Self {
            flow,
            exchange,
            node,
            request,
            started: now,
            finished: now,
            written: now,
            calls: Span::ZERO,
            core_wait: Span::ZERO,
        }
    }
}

/// A name lookup by a stub resolver.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lookup {
    /// Node that asked.
    pub node: u32,
    /// When it asked.
    pub start: Time,
    /// When it had the answer or gave up.
    pub end: Time,
    /// Its flow.
    pub flow: u64,
    /// Datagrams sent.
    pub tries: u32,
}

/// A message handed to a transport.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MessageSent {
    /// Which traffic of the plan.
    pub traffic: u32,
    /// Which message, from 0.
    pub number: u64,
    /// When.
    pub time: Time,
}

/// A message that reached its reader whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message {
    /// Which traffic of the plan.
    pub traffic: u32,
    /// Which message, from 0.
    pub number: u64,
    /// Its flow.
    pub flow: u64,
    /// When the sender wrote it.
    pub written: Time,
    /// The way of its last byte.
    pub arrival: Arrival,
    /// Payload bytes.
    pub bytes: u64,
}

/// An ICMP echo, or one probe of a traceroute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Echo {
    /// Which traffic of the plan.
    pub traffic: u32,
    /// Which echo, from 0.
    pub number: u64,
    /// When it was sent.
    pub sent: Time,
    /// TTL that it was sent with.
    pub ttl: u8,
    /// When it was answered, or given up.
    pub ended: Time,
    /// Address that answered and when; `None` if nothing came before the deadline.
    pub answer: Option<(std::net::Ipv4Addr, Time)>,
    /// Whether the answer came from the destination itself.
    pub reached: bool,
    /// Round-trip time split as the packets spent it, for an answer: serialisation, queueing, propagation.
    pub spent: (Span, Span, Span),
}

/// Bytes that a bulk receiver has read so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Which traffic of the plan.
    pub traffic: u32,
    /// Which of its flows, from 0.
    pub flow: u32,
    /// When.
    pub time: Time,
    /// Payload bytes read since the flow began.
    pub bytes: u64,
    /// When the flow asked for its connection.
    pub began: Time,
    /// Whether the flow has ended: everything was read, or its time was up.
    pub finished: bool,
}

/// Transport state of one connection at one instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Series {
    /// When.
    pub time: Time,
    /// The flow.
    pub flow: u64,
    /// Node whose sender this is.
    pub node: u32,
    /// Its address and port.
    pub local: SocketAddrV4,
    /// The other end's.
    pub remote: SocketAddrV4,
    /// Congestion window in bytes.
    pub cwnd: u64,
    /// Slow-start threshold in bytes; `u64::MAX` while it has not been set.
    pub ssthresh: u64,
    /// Smoothed round-trip time; zero before the first sample.
    pub srtt: Span,
    /// Mean deviation of the round-trip time.
    pub rttvar: Span,
    /// Smallest round-trip time of late; zero before the first sample.
    pub min_rtt: Span,
    /// Retransmission timeout, with backoff.
    pub rto: Span,
    /// Bytes sent and neither acknowledged nor considered lost.
    pub in_flight: u64,
    /// Rate at which segments are let go, in bits per second; `None` without pacing.
    pub pacing: Option<u64>,
    /// Segments sent again so far.
    pub retransmitted: u64,
    /// What the sender does about losses.
    pub recovery: Recovery,
}

/// Which protection a QUIC packet has (RFC 9000 12.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QuicKind {
    /// Initial keys.
    Initial,
    /// Those for a client's early data.
    ZeroRtt,
    /// Handshake keys.
    Handshake,
    /// Those of the application.
    OneRtt,
}

impl QuicKind {
    /// Its name in qlog: `initial`, `0RTT`, ...
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::ZeroRtt => "0RTT",
            Self::Handshake => "handshake",
            Self::OneRtt => "1RTT",
        }
    }
}

/// A QUIC sender holds a packet for lost (RFC 9002 6.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QuicLost {
    /// When.
    pub time: Time,
    /// The flow.
    pub flow: u64,
    /// Node whose packet it was.
    pub node: u32,
    /// Which protection it had.
    pub kind: QuicKind,
    /// Its number.
    pub number: u64,
    /// By time (RFC 9002 6.1.2) and not by packets sent later that have been acknowledged.
    pub by_time: bool,
}

/// What a sender does about losses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Recovery {
    /// Below the slow-start threshold.
    #[default]
    SlowStart,
    /// At or above it.
    CongestionAvoidance,
    /// Reducing the window after marks or losses.
    Recovery,
    /// Starting over after a timeout.
    Timeout,
}

impl Recovery {
    /// The name used in results: `slow_start`...
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SlowStart => "slow_start",
            Self::CongestionAvoidance => "congestion_avoidance",
            Self::Recovery => "recovery",
            Self::Timeout => "timeout",
        }
    }
}

/// One thing that happened, other than to a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Record {
    /// A request began.
    RequestStarted(RequestStarted),
    /// A request ended.
    Request(Request),
    /// One try of a request ended.
    Try(Try),
    /// A circuit breaker changed its state.
    Tripped(Tripped),
    /// A server answered.
    Exchange(Exchange),
    /// A server did not work on a request.
    TurnedAway(TurnedAway),
    /// A server changed its limit.
    Limited(Limited),
    /// A server took money.
    Charge(Charge),
    /// A request came to a server that keeps sessions.
    Session(SessionUse),
    /// A proxy asked another machine for the sake of a request.
    Forwarded(Forwarded),
    /// What a proxy passed on has come back.
    Returned(Returned),
    /// A balancer sent something to a backend, or is rid of it.
    Balanced(Balanced),
    /// A health check ended.
    Probed(Probed),
    /// A balancer had nobody to send something to.
    Refused(Refused),
    /// Somebody noticed something.
    Notice(Notice),
    /// A name was looked up.
    Lookup(Lookup),
    /// A message was sent.
    MessageSent(MessageSent),
    /// A message arrived.
    Message(Message),
    /// A ping or probe ended.
    Echo(Echo),
    /// A bulk transfer has come so far.
    Progress(Progress),
    /// Something happened at a store.
    Store(StoreRecord),
    /// Something happened at an edge.
    Cache(CacheRecord),
    /// An edge has fetched something, or failed to: `number` counts its fetches, `traffic` means nothing.
    Fetched(Request),
    /// What is at a path of an origin has changed.
    Changed(Changed),
    /// A connection's state.
    Series(Series),
    /// A fault strikes or is over.
    Fault(FaultChange),
    /// A packet was lost to a fault.
    Lost(Lost),
    /// Routers use other routes.
    Rerouted(Rerouted),
    /// A machine announces a shared address, or does not any more.
    Announcement(Announcement),
    /// A machine has evidence of a fault.
    Judgement(Judgement),
    /// A QUIC sender holds a packet for lost.
    QuicLost(QuicLost),
}

impl Record {
    /// The kind that a reader asks for to see this.
    #[must_use]
    pub const fn kind(&self) -> Mask {
        match self {
            Self::Series(_) | Self::QuicLost(_) => Mask::SERIES,
            _ => Mask::TRAFFIC,
        }
    }
}
