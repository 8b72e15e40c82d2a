//! What balancers tell: whom they sent what, what their probes found, what they noticed.

use super::Failure;
use crate::base::Time;

/// A balancer sent a request or a connection to a backend, or is rid of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Balanced {
    /// When.
    pub time: Time,
    /// The balancer's node (number in the plan).
    pub node: u32,
    /// The backend's node.
    pub backend: u32,
    /// Requests or connections that the backend has of this balancer after that.
    pub active: u32,
    /// Which of both.
    pub event: BalancedEvent,
}

/// What happened between a balancer and a backend.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BalancedEvent {
    /// It was chosen.
    Began {
        /// Whether another backend had been tried before for the same request.
        again: bool,
    },
    /// The request was answered, or the connection ended.
    Ended,
    /// The request failed there.
    Failed(Failure),
}

/// A health check ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Probed {
    /// When.
    pub time: Time,
    /// Node that checks.
    pub node: u32,
    /// Node that was checked.
    pub backend: u32,
    /// Whether it answered as it should.
    pub ok: bool,
    /// Whether an HTTP request was sent to find out.
    pub asked: bool,
}

/// A balancer had nobody to send a request or a connection to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refused {
    /// When.
    pub time: Time,
    /// The balancer's node.
    pub node: u32,
    /// Why.
    pub why: Refusal,
}

/// Why a balancer sent something to nobody.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Refusal {
    /// No route leads to a pool: answered 404.
    NoRoute,
    /// No backend of the pool may be chosen: answered 503, or dropped where only packets are seen.
    NoBackend,
}

impl Refusal {
    /// The name used in results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoRoute => "no_route",
            Self::NoBackend => "no_backend",
        }
    }
}

/// A balancer thinks otherwise of a node than before, because of packets or their absence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Judgement {
    /// When.
    pub time: Time,
    /// Who judges: number of the node in the plan.
    pub node: u32,
    /// What it thinks now.
    pub what: Judged,
    /// Of which node.
    pub subject: u32,
}

/// An instance is put on the list of a registry, or is dropped from it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Registration {
    /// When.
    pub time: Time,
    /// The registry's node.
    pub node: u32,
    /// The instance's node.
    pub instance: u32,
    /// Which of both.
    pub standing: Standing,
    /// When the registry last heard of it.
    pub heard: Time,
}

/// What becomes of an instance at a registry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It has signed on.
    Registered,
    /// Its lease has run out.
    Expired,
    /// It has signed off.
    Left,
}

/// What a balancer may think of a node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Judged {
    /// Health checks failed as often in a row as it takes.
    Down,
    /// Health checks succeeded as often in a row as it takes.
    Up,
    /// It failed so often that it is left out for a while.
    Ejected,
    /// The while is over.
    Readmitted,
    /// It gets nothing new from now on.
    Draining,
    /// What it had has ended.
    Drained,
    /// So few backends are healthy that all are used (the subject is the first of the pool).
    Panic,
    /// Enough of them are healthy again.
    Calm,
}

impl Judged {
    /// Every one.
    pub const ALL: [Self; 8] =
        [Self::Down, Self::Up, Self::Ejected, Self::Readmitted, Self::Draining, Self::Drained, Self::Panic, Self::Calm];

    /// The name used in results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Up => "up",
            Self::Ejected => "ejected",
            Self::Readmitted => "readmitted",
            Self::Draining => "draining",
            Self::Drained => "drained",
            Self::Panic => "panic",
            Self::Calm => "calm",
        }
    }
}
