//! What an edge is told: where to fetch, how much it holds, and what it does where origins say nothing.

use super::store::Eviction;
use crate::base::Span;
use crate::service::balancer::Pool;

/// An edge.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// Port on which clients come.
    pub port: u16,
    /// Connections that may wait to be accepted.
    pub backlog: u32,
    /// A client's connection without a request for so long is closed.
    pub idle: Span,
    /// Where it fetches: servers, balancers, or other edges, and how.
    pub upstream: Pool,
    /// Number of this edge in its group, from 0.
    pub instance: u32,
    /// Bytes of its store.
    pub capacity: u64,
    /// Which objects go when there is no room.
    pub eviction: Eviction,
    /// How long a response is fresh that says nothing about it; `None`: such responses are validated each time, or not stored.
    pub ttl: Option<Span>,
    /// How long errors are remembered.
    pub negative: Negative,
    /// What requests do that come while what they want is being fetched.
    pub coalesce: Option<Coalesce>,
}

/// How long errors are remembered that do not say so themselves; `None`: not at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Negative {
    /// What is not there (404, 410) or cannot be asked for (405, 414, 501).
    pub not_found: Option<Span>,
    /// Other failures of the origin (5xx).
    pub errors: Option<Span>,
}

/// What requests do that come while what they want is being fetched: they wait for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Coalesce {
    /// For so long; then they fetch for themselves.
    pub wait: Span,
    /// If the fetch fails.
    pub failed: Failed,
}

/// What becomes of those who waited for a fetch that failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Failed {
    /// They have failed too.
    #[default]
    Share,
    /// One of them tries again, and the others wait for that.
    Retry,
}

impl Coalesce {
    /// As nginx (`proxy_cache_lock_timeout`): a wait of 5 s; failures are shared.
    pub const USUAL: Self = Self { wait: Span::from_secs(5), failed: Failed::Share };
}

impl Config {
    /// A cache of 1 GiB under LRU on port 80; fetches are coalesced, and nothing is remembered that does not say for how long.
    #[must_use]
    pub fn new() -> Self {
        Self {
            port: 80,
            backlog: 511,
            idle: Span::from_secs(75),
            upstream: Pool::new("upstream", Vec::new()),
            instance: 0,
            capacity: 1 << 30,
            eviction: Eviction::Lru,
            ttl: None,
            negative: Negative::default(),
            coalesce: Some(Coalesce::USUAL),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}
