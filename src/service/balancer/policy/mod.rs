//! Whom the next request or connection goes to: one file for each policy, all of them without a clock, a packet or a name.
//!
//! A policy sees the backends that may be chosen and what is known of their load; it answers with one of them. What a backend has
//! to be to stand among them (healthy, not ejected, not draining) is decided elsewhere.

mod hash;
mod ip_hash;
mod least_connections;
mod maglev;
mod peak_ewma;
mod random;
mod ring;
mod round_robin;
mod subset;
#[cfg(test)]
mod tests;
mod two_choices;
mod weighted;

pub use hash::key;
pub use ip_hash::IpHash;
pub use least_connections::LeastConnections;
pub use maglev::Maglev;
pub use peak_ewma::PeakEwma;
pub use random::Random;
pub use ring::Ring;
pub use round_robin::RoundRobin;
pub use subset::Subset;
pub use two_choices::TwoChoices;
pub use weighted::Weighted;

use crate::base::{Rng, Span, Time};
use std::fmt;

/// One line about each policy: its name in a scenario, and what it does.
pub const TABLE: &[(&str, &str)] = &[
    ("RoundRobin", "each in turn"),
    ("Weighted", "in turn by weight, without bursts to the heaviest (smooth weighted round robin, as nginx)"),
    ("Random", "drawn by weight"),
    ("LeastConnections", "the one with the fewest requests or connections for its weight"),
    (
        "PeakEwma",
        "the least response time: a moving average that follows peaks at once, times what is outstanding (Finagle)",
    ),
    ("IpHash", "by the client's address: the same client meets the same server while none comes or goes"),
    (
        "ConsistentHash",
        "by a ring of hashed points: when one of n goes, 1/n of the keys move; with `load` none gets more than so many times the mean",
    ),
    ("Maglev", "by a table that every balancer fills alike: nearly even shares, few keys move (Maglev, NSDI 2016)"),
    ("TwoChoices", "two drawn at random, the less loaded of them (power of two choices)"),
    (
        "Subset",
        "another policy over a few of the backends, dealt out evenly among balancers (deterministic subsetting)",
    ),
];

/// What a hash is taken of.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum HashKey {
    /// The client's address.
    #[default]
    Address,
    /// The client's address and port: the connection.
    Connection,
    /// The path of a request, without its query.
    Path,
    /// The value of a header field; the client's address where there is none.
    Header(String),
    /// The value of a cookie; the client's address where there is none.
    Cookie(String),
}

impl HashKey {
    /// Whether a balancer has to read requests to know it.
    #[must_use]
    pub const fn looks_inside(&self) -> bool {
        !matches!(self, Self::Address | Self::Connection)
    }
}

/// Which policy, with its settings.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Algorithm {
    /// Each in turn.
    #[default]
    RoundRobin,
    /// In turn by weight.
    Weighted,
    /// Drawn by weight.
    Random,
    /// The fewest requests or connections.
    LeastConnections,
    /// The least response time.
    PeakEwma {
        /// After so long an old answer counts for 1/e.
        decay: Span,
    },
    /// By the client's address.
    IpHash,
    /// By a ring of hashed points.
    ConsistentHash {
        /// What is hashed.
        key: HashKey,
        /// Points on the ring for a backend of weight 1.
        points: u32,
        /// Most load of a backend in percent of the mean; `None`: whatever the keys bring.
        load: Option<u32>,
    },
    /// By a table.
    Maglev {
        /// What is hashed.
        key: HashKey,
        /// Entries of the table, a prime.
        table: u32,
    },
    /// Two at random, the less loaded.
    TwoChoices,
    /// Another policy over a part of the backends.
    Subset {
        /// Backends of each balancer.
        size: u32,
        /// The policy among them.
        of: Box<Algorithm>,
    },
}

impl Algorithm {
    /// Finagle's decay time of 10 s.
    pub const DECAY: Span = Span::from_secs(10);
    /// Points of a backend on the ring. The shares then deviate by about a tenth: one in the root of their number.
    pub const POINTS: u32 = 100;
    /// The smaller of the two table sizes in the Maglev paper.
    pub const TABLE: u32 = 65_537;

    /// The policy for a pool of so many members; `instance` numbers the balancers that share them.
    #[must_use]
    pub fn policy(&self, members: usize, instance: u32) -> Box<dyn Policy> {
        match self {
            Self::RoundRobin => Box::new(RoundRobin::default()),
            Self::Weighted => Box::new(Weighted::new(members)),
            Self::Random => Box::new(Random),
            Self::LeastConnections => Box::new(LeastConnections::default()),
            Self::PeakEwma { decay } => Box::new(PeakEwma::new(members, *decay)),
            Self::IpHash => Box::new(IpHash),
            Self::ConsistentHash { points, load, .. } => Box::new(Ring::new(*points, *load)),
            Self::Maglev { table, .. } => Box::new(Maglev::new(*table)),
            Self::TwoChoices => Box::new(TwoChoices),
            Self::Subset { size, of } => {
                Box::new(Subset::new(*size as usize, members, instance, of.policy(members, instance)))
            }
        }
    }

    /// The name in a scenario.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::RoundRobin => "RoundRobin",
            Self::Weighted => "Weighted",
            Self::Random => "Random",
            Self::LeastConnections => "LeastConnections",
            Self::PeakEwma { .. } => "PeakEwma",
            Self::IpHash => "IpHash",
            Self::ConsistentHash { .. } => "ConsistentHash",
            Self::Maglev { .. } => "Maglev",
            Self::TwoChoices => "TwoChoices",
            Self::Subset { .. } => "Subset",
        }
    }

    /// Whether weights count.
    #[must_use]
    pub fn uses_weights(&self) -> bool {
        match self {
            Self::RoundRobin | Self::PeakEwma { .. } => false,
            Self::Subset { of, .. } => of.uses_weights(),
            _ => true,
        }
    }

    /// Whether it is [`Algorithm::RoundRobin`] by another name where all weights are equal.
    #[must_use]
    pub fn needs_weights(&self) -> bool {
        match self {
            Self::Subset { of, .. } => of.needs_weights(),
            other => *other == Self::Weighted,
        }
    }

    /// Whether a backend that has just come can be given less than its weight: a hash is asked for one place for ever.
    #[must_use]
    pub fn starts_slowly(&self) -> bool {
        match self {
            Self::Subset { of, .. } => of.starts_slowly(),
            Self::IpHash | Self::ConsistentHash { .. } | Self::Maglev { .. } => false,
            other => other.uses_weights(),
        }
    }

    /// What is hashed, if anything.
    #[must_use]
    pub fn hash_key(&self) -> Option<&HashKey> {
        match self {
            Self::IpHash => Some(&HashKey::Address),
            Self::ConsistentHash { key, .. } | Self::Maglev { key, .. } => Some(key),
            Self::Subset { of, .. } => of.hash_key(),
            _ => None,
        }
    }
}

impl fmt::Display for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address => f.write_str("address"),
            Self::Connection => f.write_str("connection"),
            Self::Path => f.write_str("path"),
            Self::Header(name) => write!(f, "header {name}"),
            Self::Cookie(name) => write!(f, "cookie {name}"),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::PeakEwma { decay } => write!(f, ", decay {decay}"),
            Self::ConsistentHash { key, points, load } => {
                write!(f, " of {key}, {points} points")?;
                load.map_or(Ok(()), |load| write!(f, ", at most {load}% of the mean"))
            }
            Self::Maglev { key, table } => write!(f, " of {key}, {table} entries"),
            Self::Subset { size, of } => write!(f, " of {size}, {of}"),
            _ => Ok(()),
        }
    }
}

/// A backend that may be chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// Its place in the pool, the same for as long as the pool lives.
    pub id: usize,
    /// Its weight, at least 1.
    pub weight: u32,
    /// What it is to get now in thousandths of a weight of 1, at least 1: less than its weight while it starts slowly.
    pub share: u32,
    /// Requests or connections that it has.
    pub active: u32,
}

impl Candidate {
    /// Whether it has less to do for its share than another, each with one more.
    fn is_less_loaded_than(&self, other: &Self) -> bool {
        let load = |one: &Self, by: &Self| (u64::from(one.active) + 1) * u64::from(by.share);
        load(self, other) < load(other, self)
    }
}

/// What is known of who asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Asked {
    /// When.
    pub now: Time,
    /// Hash of what the policy wants to be hashed; 0 where it wants nothing.
    pub key: u64,
}

/// A way of choosing. Ids in `among` are ascending.
pub trait Policy {
    /// The place in `among` of the chosen one; `among` is not empty.
    fn pick(&mut self, among: &[Candidate], asked: Asked, rng: &mut Rng) -> usize;

    /// A backend has answered, or failed to, so long after it was asked.
    fn answered(&mut self, id: usize, latency: Span, now: Time) {
        let _ = (id, latency, now);
    }
}

/// The place of the first candidate whose id is at least `from`, counted round.
fn at_or_after(among: &[Candidate], from: usize) -> usize {
    let place = among.partition_point(|candidate| candidate.id < from);
    if place == among.len() { 0 } else { place }
}
