//! Hosts that speak from another of their addresses than before, and what becomes of their connections.

use crate::base::Time;
use std::net::Ipv4Addr;

/// A host has noticed that links of its own, on which it has an address each, have failed or come back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Roamed {
    /// When.
    pub time: Time,
    /// The host.
    pub node: u32,
    /// Number of the fault in the plan that struck or ended.
    pub fault: u32,
    /// Whether a link has failed; otherwise some have come back.
    pub lost: bool,
    /// The address that it spoke from; `None` if none of its links was up.
    pub from: Option<Ipv4Addr>,
    /// The address that it speaks from now; `None` if none of its links is up.
    pub to: Option<Ipv4Addr>,
    /// TCP connections that have ended because their address is gone.
    pub broken: u32,
    /// QUIC connections that have moved to the new address.
    pub migrated: u32,
    /// QUIC connections that could not, and have ended.
    pub given_up: u32,
}

/// A connection that has moved to another address has been answered there: its new path is validated (RFC 9000 8.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PathValidated {
    /// When.
    pub time: Time,
    /// The client's machine.
    pub node: u32,
    /// The connection.
    pub flow: u64,
    /// The client's address by now.
    pub local: Ipv4Addr,
    /// When it moved.
    pub since: Time,
}
