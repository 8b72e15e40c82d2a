//! What edges tell: how each request was served, what was fetched for it, what went, and what was purged when.

use crate::base::{Span, Time};

/// Something happened at an edge, or at a control point of edges.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CacheRecord {
    /// Which node (number in the plan).
    pub node: u32,
    /// When.
    pub time: Time,
    /// What.
    pub event: CacheEvent,
}

/// What happens at an edge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CacheEvent {
    /// It answered a request.
    Served(Served),
    /// So many objects went for want of room.
    Evicted {
        /// How many.
        objects: u64,
    },
    /// At a control point: somebody asked for a purge, which begins.
    Purging {
        /// Number of the purge at this control point, from 1.
        purge: u64,
        /// Fingerprint of the path, if it is of one path only.
        path: Option<u64>,
    },
    /// An edge has carried a purge out.
    Purged {
        /// The control point that told it to; `None` if it was asked directly.
        control: Option<u32>,
        /// Number of the purge there.
        purge: u64,
        /// Objects removed.
        objects: u64,
    },
}

/// How an edge answered a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Served {
    /// The flow of the client's connection.
    pub flow: u64,
    /// How many requests went before on it.
    pub exchange: u32,
    /// How.
    pub handling: Handling,
    /// Number of the edge's fetch whose answer it is, from 1; 0 if it is from the store.
    pub fetch: u64,
    /// Fingerprint of the path.
    pub path: u64,
    /// Its version, as far as the entity tag tells.
    pub version: Option<u64>,
    /// Its age.
    pub age: Span,
    /// How long it was fresh, from its beginning.
    pub lifetime: Span,
    /// Bytes of body sent.
    pub body: u64,
}

/// How a request may be answered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Handling {
    /// From the store, fresh.
    Hit,
    /// From the store, stale, while it was validated.
    Stale,
    /// From the store, stale, because its validation failed.
    StaleOnError,
    /// From the store: an error that was remembered.
    Negative,
    /// From the store, after its validation.
    Revalidated,
    /// With what was being fetched for another request.
    Coalesced,
    /// With what was fetched for it.
    Miss,
    /// Passed on: its method, or what is asked for, is not for caches.
    Passed,
    /// By an error of the edge's own, as nobody upstream answered.
    Failed,
}

impl Handling {
    /// Every one.
    pub const ALL: [Self; 9] = [
        Self::Hit,
        Self::Stale,
        Self::StaleOnError,
        Self::Negative,
        Self::Revalidated,
        Self::Coalesced,
        Self::Miss,
        Self::Passed,
        Self::Failed,
    ];

    /// The name used in results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hit => "hits",
            Self::Stale => "stale",
            Self::StaleOnError => "stale_on_error",
            Self::Negative => "negative",
            Self::Revalidated => "revalidated",
            Self::Coalesced => "coalesced",
            Self::Miss => "misses",
            Self::Passed => "passed",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing had to be waited for.
    #[must_use]
    pub const fn is_hit(self) -> bool {
        matches!(self, Self::Hit | Self::Stale | Self::Negative)
    }

    /// Whether the body came out of the store.
    #[must_use]
    pub const fn is_from_store(self) -> bool {
        matches!(self, Self::Hit | Self::Stale | Self::StaleOnError | Self::Negative | Self::Revalidated)
    }
}

/// What is at a path of an origin has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Changed {
    /// The origin.
    pub node: u32,
    /// When.
    pub time: Time,
    /// Fingerprint of the path.
    pub path: u64,
    /// The version that it has now.
    pub version: u64,
}
