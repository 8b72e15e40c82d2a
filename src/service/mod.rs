//! Roles: programs that answer, and users who ask. Each is an async function of a [`Host`](crate::host::Host) and plain data.
//!
//! A role sees only its host: what it learns of others comes in packets. Everything random is drawn from the host's streams,
//! named after the role or the traffic, so adding one role changes no other's draws.

pub mod announce;
pub mod answers;
pub mod authority;
pub mod balancer;
pub mod bulk;
pub mod carrier;
pub mod cdn;
pub mod client;
pub mod cluster;
mod dns_stream;
#[cfg(test)]
mod ideal;
pub mod messages;
pub mod objects;
pub mod ping;
pub mod resolver;
mod secure;
pub mod server;
pub mod store;
pub mod stub;
#[cfg(test)]
mod tests;
pub mod traceroute;

use crate::base::{Span, Time};

/// One line about each role, for people who look for one.
pub const ROLES: &[(&str, &str)] = &[
    (
        "Server",
        "an HTTP/1.1 server, in the clear or under TLS 1.2 and 1.3: workers on cores, a queue with a limit, service times, routes, calls to others",
    ),
    (
        "Balancer",
        "one address for many servers: requests (L7) or connections (L4) by a policy, health checks, outlier ejection, draining",
    ),
    (
        "Edge",
        "an HTTP cache of a CDN between users and an origin or another edge (shield): Cache-Control, Vary, revalidation, coalescing, purge",
    ),
    (
        "PurgeControl",
        "takes PURGE requests of an operator and passes them to every edge until each has carried them out",
    ),
    (
        "Anycast",
        "one address that several machines announce: routing takes each sender to the nearest; one that is not well withdraws it",
    ),
    (
        "Store",
        "a replicated key-value store over HTTP: a primary, followers with lag, local or passed-on reads, elections when the primary falls silent",
    ),
    (
        "Cluster",
        "a sharded key-value store in the manner of Redis Cluster: 16,384 slots, MOVED, gossip, votes, replicas that take over",
    ),
    ("Resolver", "a recursive DNS resolver with a TTL cache; asks the authorities of zones on behalf of stubs"),
    (
        "Authority",
        "an authoritative DNS server for zones: addresses in rotation, by weight, by place or by health, aliases, delegations, negative answers",
    ),
    (
        "Http",
        "users of an HTTP or HTTPS server, open or closed loop: timeouts, retries, hedging, circuit breakers, bulkheads",
    ),
    (
        "Bulk",
        "parallel transfers of so many bytes or for so long, down or up, over TCP or QUIC, with a chosen controller",
    ),
    ("Messages", "a message of so many bytes every so often over UDP, TCP or QUIC, each with its one-way latency"),
    (
        "Objects",
        "so many objects fetched at once: frames of one TCP stream (as HTTP/2), or a QUIC stream each (as HTTP/3)",
    ),
    (
        "Lookups",
        "commands to a cluster: keys by popularity, reads and writes, a map of slots that is learnt and mended",
    ),
    ("Ping", "ICMP echo at an interval"),
    ("Traceroute", "ICMP echo with growing TTL: which routers are on the way, and how far"),
];

/// How the numbers of a traffic's items are shared out among the hosts that make it: this host counts `first`,
/// `first + step`, `first + 2 step`..., so no two hosts use the same number and none needs to know of the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Numbering {
    /// Number of this host's first item.
    pub first: u64,
    /// From each of its numbers to the next.
    pub step: u64,
}

impl Numbering {
    /// One host makes all of the traffic.
    pub const ALONE: Self = Self { first: 0, step: 1 };

    /// The number of this host's `index`-th item, from 0.
    #[must_use]
    pub const fn at(self, index: u64) -> u64 {
        self.first + self.step * index
    }
}

impl Default for Numbering {
    fn default() -> Self {
        Self::ALONE
    }
}

/// When a traffic ends by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Limit {
    /// After so many items.
    pub count: Option<u64>,
    /// Nothing is begun at this instant or later.
    pub until: Option<Time>,
}

impl Limit {
    /// Never.
    pub const NONE: Self = Self { count: None, until: None };

    /// Whether the item with this index (from 0) may begin at `at`.
    #[must_use]
    pub fn allows(&self, index: u64, at: Time) -> bool {
        self.count.is_none_or(|count| index < count) && self.until.is_none_or(|until| at < until)
    }
}

/// A text as the observers know it.
fn fingerprint(text: &[u8]) -> u64 {
    store::hash(text)
}

/// The instant of the `index`-th tick (from 0) of a clock that starts at `start` and ticks every `every`.
fn tick(start: Time, every: Span, index: u64) -> Time {
    start.saturating_add(every.saturating_mul(index))
}
