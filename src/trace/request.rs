//! Requests: what askers felt of them, their tries and name lookups, and what servers saw.

use super::Arrival;
use crate::base::{Span, Time};

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
    /// The asker's machine has lost the address that the connection had.
    AddressLost,
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
            Self::AddressLost => "address_lost",
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

/// What an asker saw of one request. The instants are in order: `start`, `tried`, `renewed`, `resolved`, `connected`, `secured`, `read`,
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
    /// When the try was done with kept connections that turned out to be dead; the same as `tried` where there were none.
    pub renewed: Time,
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
            renewed: start,
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

/// A kept connection on which a request was asked turned out to be dead: the request was asked again on another, within the same try
/// (RFC 9110 9.2.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeadConnection {
    /// Which traffic of the plan.
    pub traffic: u32,
    /// Which request of that traffic, from 0.
    pub number: u64,
    /// The flow of the connection.
    pub flow: u64,
    /// How many requests went before on it.
    pub exchange: u32,
    /// When the request had the connection.
    pub start: Time,
    /// When it was found to be dead.
    pub end: Time,
    /// By what.
    pub why: Failure,
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

/// Who says where a name is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Directory {
    /// A resolver, asked so many times.
    Resolver {
        /// Datagrams sent.
        tries: u32,
    },
    /// A registry: its first list was waited for.
    Registry,
}

impl Directory {
    /// How often a resolver was asked; `None` of a registry.
    #[must_use]
    pub const fn tries(self) -> Option<u32> {
        match self {
            Self::Resolver { tries } => Some(tries),
            Self::Registry => None,
        }
    }
}

/// A name lookup by a stub resolver, or the wait for a registry's first list.
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
    /// Who was asked.
    pub of: Directory,
}
