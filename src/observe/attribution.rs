//! Where the time of a request went: both ends' records joined and divided into phases that sum to the latency exactly.
//!
//! A request's way is a chain of instants from `start` to `end`. Each phase is the step from one instant to the next, so
//! the steps add up by construction; an instant that lies before its predecessor (a server may answer before it has read
//! the whole request) or behind the end is moved to the nearest place in between, and its step becomes shorter or zero.

use super::phase::Phase;
use crate::base::{Span, Time};
use crate::trace::{Arrival, Echo, Exchange, Message, Request};
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

/// Shares of a request in the order of [`Phase::REQUEST`].
pub type RequestShares = [Span; Phase::REQUEST.len()];
/// Shares of a message in the order of [`Phase::MESSAGE`].
pub type MessageShares = [Span; Phase::MESSAGE.len()];
/// Shares of an echo in the order of [`Phase::ECHO`].
pub type EchoShares = [Span; Phase::ECHO.len()];

/// A walk along a chain of instants: each step's time goes to one phase.
struct Walk<const N: usize> {
    phases: &'static [Phase],
    shares: [Span; N],
    at: Time,
    end: Time,
}

impl<const N: usize> Walk<N> {
    fn new(phases: &'static [Phase], start: Time, end: Time) -> Self {
        Self { phases, shares: [Span::ZERO; N], at: start, end: end.max(start) }
    }

    /// Gives the time up to `until` to `phase`.
    fn step(&mut self, phase: Phase, until: Time) {
        let until = until.clamp(self.at, self.end);
        let place = self.phases.iter().position(|&candidate| candidate == phase).expect("a phase of this kind");
        self.shares[place] += until - self.at;
        self.at = until;
    }

    /// Gives the time up to the arrival's release to the six phases of a way through the network.
    fn way(&mut self, arrival: &Arrival, phases: [Phase; 6]) {
        let [wait, recovery, serialisation, queueing, propagation, reorder_wait] = phases;
        self.step(wait, arrival.first_sent);
        self.step(recovery, arrival.sent);
        self.step(serialisation, self.at.saturating_add(arrival.serialisation).min(arrival.arrived));
        self.step(queueing, self.at.saturating_add(arrival.queueing).min(arrival.arrived));
        self.step(propagation, arrival.arrived);
        self.step(reorder_wait, arrival.released);
    }

    /// Gives what is left to `phase`.
    fn finish(mut self, phase: Phase, start: Time) -> [Span; N] {
        self.step(phase, self.end);
        debug_assert_eq!(self.shares.iter().copied().sum::<Span>(), self.end - start, "phases sum to the latency");
        self.shares
    }
}

const REQUEST_WAY: [Phase; 6] = [
    Phase::RequestWait,
    Phase::RequestRecovery,
    Phase::RequestSerialisation,
    Phase::RequestQueueing,
    Phase::RequestPropagation,
    Phase::RequestReorderWait,
];

const RESPONSE_WAY: [Phase; 6] = [
    Phase::ResponseWait,
    Phase::ResponseRecovery,
    Phase::ResponseSerialisation,
    Phase::ResponseQueueing,
    Phase::ResponsePropagation,
    Phase::ResponseReorderWait,
];

/// Divides the latency of `request`, given what its server saw of it.
#[must_use]
pub fn of_request(request: &Request, exchange: Option<&Exchange>) -> RequestShares {
    let mut walk = Walk::new(Phase::REQUEST, request.start, request.end);
    walk.step(Phase::Held, walk.at.saturating_add(request.held));
    walk.step(Phase::Backoff, walk.at.saturating_add(request.backoff).min(request.tried));
    walk.step(Phase::EarlierTries, request.tried);
    walk.step(Phase::DeadConnection, request.renewed);
    walk.step(Phase::Dns, request.resolved);
    walk.step(Phase::Connect, request.connected);
    walk.step(Phase::Tls, request.secured);
    walk.step(Phase::ReadFirst, request.read);
    let answered = request.response.released > Time::ZERO;
    if let Some(exchange) = exchange {
        walk.way(&exchange.request, REQUEST_WAY);
        walk.step(Phase::ServerQueue, exchange.started);
        walk.step(Phase::ServerCalls, walk.at.saturating_add(exchange.calls).min(exchange.finished));
        walk.step(Phase::ServerCoreWait, walk.at.saturating_add(exchange.core_wait).min(exchange.finished));
        walk.step(Phase::ServerWork, exchange.finished);
    } else if answered {
        walk.step(Phase::Unobserved, request.response.first_sent);
    }
    if !answered {
        return walk.finish(Phase::Unanswered, request.start);
    }
    walk.way(&request.response, RESPONSE_WAY);
    walk.finish(Phase::ReadWait, request.start)
}

/// Divides the one-way latency of a message: from when it was written to when its reader could have it.
#[must_use]
pub fn of_message(message: &Message) -> MessageShares {
    let way = [
        Phase::SenderWait,
        Phase::Recovery,
        Phase::Serialisation,
        Phase::Queueing,
        Phase::Propagation,
        Phase::ReorderWait,
    ];
    let mut walk = Walk::new(Phase::MESSAGE, message.written, message.arrival.released);
    walk.way(&message.arrival, way);
    walk.finish(Phase::ReorderWait, message.written)
}

/// Divides the round trip of an answered echo.
#[must_use]
pub fn of_echo(echo: &Echo) -> Option<EchoShares> {
    let (_, answered) = echo.answer?;
    let (serialisation, queueing, propagation) = echo.spent;
    let mut walk = Walk::new(Phase::ECHO, echo.sent, answered);
    for (phase, span) in
        [(Phase::Serialisation, serialisation), (Phase::Queueing, queueing), (Phase::Propagation, propagation)]
    {
        walk.step(phase, walk.at.saturating_add(span));
    }
    Some(walk.finish(Phase::Turnaround, echo.sent))
}

/// Joins what askers saw with what servers saw, whichever comes first.
#[derive(Debug, Default)]
pub struct Joiner {
    exchanges: IndexMap<(u64, u32), Exchange, FxBuildHasher>,
    requests: IndexMap<(u64, u32), Request, FxBuildHasher>,
}

impl Joiner {
    /// Takes a request in; hands it back with its exchange when both are known, or alone when there is none to wait for.
    pub fn request(&mut self, request: Request) -> Option<(Request, Option<Exchange>)> {
        let key = (request.flow, request.exchange);
        if let Some(exchange) = self.exchanges.swap_remove(&key) {
            return Some((request, Some(exchange)));
        }
        if request.flow == 0 || request.failure.is_some() {
            return Some((request, None));
        }
        self.requests.insert(key, request).map(|earlier| (earlier, None))
    }

    /// Takes an exchange in; hands it back with its request when that is known.
    pub fn exchange(&mut self, exchange: Exchange) -> Option<(Request, Option<Exchange>)> {
        let key = (exchange.flow, exchange.exchange);
        if let Some(request) = self.requests.swap_remove(&key) {
            return Some((request, Some(exchange)));
        }
        self.exchanges.insert(key, exchange);
        None
    }

    /// Hands out the requests whose exchange never came.
    pub fn finish(&mut self) -> impl Iterator<Item = (Request, Option<Exchange>)> {
        self.exchanges.clear();
        std::mem::take(&mut self.requests).into_values().map(|request| (request, None))
    }
}
