//! What a request consists of beside its phases: its tries and the dead connections among them, to whom a proxy passed it on, and what its server asked of others.

use crate::base::{Span, Time};
use crate::trace::{DeadConnection, Failure, Forwarded, Request, Returned, Try, Verdict};

/// One try of a request, one dead connection that it met, one way on which a proxy passed it on, or one call that a server made for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part {
    /// Which.
    pub what: What,
    /// When it began, from the beginning of the request.
    pub start: Span,
    /// How long it took.
    pub took: Span,
    /// What came of it.
    pub end: End,
}

/// Which part.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum What {
    /// A try.
    Try {
        /// From 0.
        index: u32,
        /// Whether another one was under way.
        hedge: bool,
    },
    /// It was asked on a kept connection that was dead.
    Dead {
        /// Requests that went before on the connection.
        exchange: u32,
        /// How often a timer for its retransmission expired meanwhile.
        timeouts: u32,
    },
    /// A proxy passed it on.
    Passed {
        /// To this node.
        to: u32,
    },
    /// A call.
    Call {
        /// Which traffic of the plan it is.
        traffic: u32,
        /// Its number in that traffic.
        number: u64,
    },
}

/// What came of a part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// An answer with this status.
    Answered(u16),
    /// It failed without an answer, for the reason of this name.
    Failed(&'static str),
    /// It was given up because another try was answered.
    Overtaken,
}

const fn end(failure: Option<Failure>, status: u16) -> End {
    match failure {
        None | Some(Failure::Status) => End::Answered(status),
        Some(why) => End::Failed(why.name()),
    }
}

impl Part {
    pub(super) fn of_try(tried: &Try, began: Time) -> Self {
        let end = match tried.verdict {
            Verdict::Answered => end(None, tried.status),
            Verdict::Failed(why) => end(Some(why), tried.status),
            Verdict::Overtaken => End::Overtaken,
        };
        let what = What::Try { index: tried.index, hedge: tried.hedge };
        Self { what, start: tried.start.since(began), took: tried.end - tried.start, end }
    }

    /// A dead connection on which so many timers expired.
    pub(super) fn of_dead(dead: &DeadConnection, timeouts: u32, began: Time) -> Self {
        let what = What::Dead { exchange: dead.exchange, timeouts };
        Self { what, start: dead.start.since(began), took: dead.end - dead.start, end: End::Failed(dead.why.name()) }
    }

    /// What a proxy passed on; `returned` is missing where the run ended first.
    pub(super) fn of_forward(forwarded: &Forwarded, returned: Option<&Returned>, began: Time) -> Self {
        let (took, end) = match returned {
            None => (Span::ZERO, End::Failed("no answer")),
            Some(Returned { time, result, .. }) => {
                (*time - forwarded.time, result.map_or_else(|why| End::Failed(why.name()), End::Answered))
            }
        };
        Self { what: What::Passed { to: forwarded.backend }, start: forwarded.time.since(began), took, end }
    }

    pub(super) fn of_call(call: &Request, began: Time) -> Self {
        let what = What::Call { traffic: call.traffic, number: call.number };
        let took = call.end - call.start;
        Self { what, start: call.start.since(began), took, end: end(call.failure, call.status) }
    }
}
