//! What servers and proxies did about single requests, beside answering them.

use crate::base::Time;

/// A server did not work on a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TurnedAway {
    /// Node that served.
    pub node: u32,
    /// When.
    pub time: Time,
    /// Why.
    pub why: Turning,
}

/// Why a server did not work on a request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Turning {
    /// Too many waited already: answered 503.
    Rejected,
    /// Too many waited already: the connection was reset.
    Reset,
    /// Whoever asked does not wait any more: not begun, or given up; answered 504.
    Late,
    /// It had waited too long, or too many were in the server for answers to be quick: answered 503.
    Shed,
}

/// A server has found out that another number of requests is as many as it should have at a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limited {
    /// Node that serves.
    pub node: u32,
    /// When.
    pub time: Time,
    /// The new limit.
    pub limit: u32,
}

/// A server took money.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Charge {
    /// Node that served.
    pub node: u32,
    /// When.
    pub time: Time,
    /// The flow of the request's connection.
    pub flow: u64,
    /// How many requests went before on it.
    pub exchange: u32,
    /// How much, in cents.
    pub cents: u64,
}

impl Turning {
    /// The name used in results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Reset => "reset",
            Self::Late => "late",
            Self::Shed => "shed",
        }
    }
}

/// A request came to a server that keeps sessions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionUse {
    /// Node that served.
    pub node: u32,
    /// When.
    pub time: Time,
    /// The flow of the request's connection.
    pub flow: u64,
    /// How many requests went before on it.
    pub exchange: u32,
    /// What the server knew.
    pub what: SessionEvent,
}

/// What a server knew of the session that a request named.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum SessionEvent {
    /// The request named none: one began.
    Begun,
    /// It was there.
    Found,
    /// The server does not have it: what was in it is gone for this user, and another began.
    Lost,
}

/// A proxy asked another machine for the sake of an exchange of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Forwarded {
    /// Node that asked.
    pub node: u32,
    /// Node that was asked.
    pub backend: u32,
    /// When.
    pub time: Time,
    /// The exchange for whose sake: its flow and number.
    pub front: (u64, u32),
    /// The exchange that it became.
    pub back: (u64, u32),
}

/// What a proxy passed on has come back, or has failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Returned {
    /// When.
    pub time: Time,
    /// The exchange that it had become.
    pub back: (u64, u32),
    /// Status of the answer, or why there was none.
    pub result: Result<u16, super::Failure>,
}
