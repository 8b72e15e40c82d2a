//! When hosts moved from one of their addresses to another, as a part of an outcome.

use crate::base::Time;
use crate::observe::roaming::{Move, Moves};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// A host with an address on each of several links speaks from another one than before.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MoveOutcome {
    /// Name of the host.
    pub node: String,
    /// When, in nanoseconds from the start of the run.
    pub at_ns: u64,
    /// The address that it spoke from; `None` if none of its links was up.
    pub from: Option<HomeOutcome>,
    /// The address that it speaks from now; `None` if none of its links is up.
    pub to: Option<HomeOutcome>,
    /// TCP connections that ended because their address was gone.
    pub tcp_ended: u32,
    /// QUIC connections that went on from the new address.
    pub quic_migrated: u32,
    /// QUIC connections that could not, and ended: their handshakes were not over.
    pub quic_ended: u32,
    /// When the last of those that went on had its new path validated; `None` if there was none.
    pub validated_ns: Option<u64>,
}

/// One of several addresses of a host.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HomeOutcome {
    /// The address.
    pub address: String,
    /// The router at the other end of the link on which it lies.
    pub via: String,
}

/// The moves in the order of time, given the names of nodes and of the router behind each of their addresses.
#[must_use]
pub fn outcome(moves: &Moves, name: impl Fn(u32) -> String, via: impl Fn(u32, Ipv4Addr) -> String) -> Vec<MoveOutcome> {
    let plain = |Move { roamed, validated }: &Move| {
        let home = |address: Ipv4Addr| HomeOutcome { address: address.to_string(), via: via(roamed.node, address) };
        MoveOutcome {
            node: name(roamed.node),
            at_ns: roamed.time.as_nanos(),
            from: roamed.from.map(home),
            to: roamed.to.map(home),
            tcp_ended: roamed.broken,
            quic_migrated: roamed.migrated,
            quic_ended: roamed.given_up,
            validated_ns: validated.1.map(Time::as_nanos),
        }
    };
    moves.all().iter().map(plain).collect()
}
