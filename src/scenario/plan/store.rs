//! Replicated stores in a plan: who belongs together, and what each member does.

use crate::base::{Dist, Span};
use crate::service::store::{Config, Reads};
use std::net::Ipv4Addr;

/// A store: its members and what they agree on.
#[derive(Clone, PartialEq, Debug)]
pub struct Store {
    /// Nodes in the order of succession; the first is primary at the start, and the store has its name.
    pub members: Vec<u32>,
    /// Followers that must have a write before it is answered.
    pub acks: usize,
    /// From one sign of life of the primary to the next.
    pub heartbeat: Span,
    /// Silence after which a follower stands for election; `None`: never.
    pub failover: Option<Span>,
    /// Members that must vote for a candidate, itself included.
    pub quorum: usize,
}

/// What one member does by itself.
#[derive(Clone, PartialEq, Debug)]
pub struct StoreNode {
    /// Its store's index in the plan.
    pub store: u32,
    /// Port of its HTTP side.
    pub port: u16,
    /// Reads and writes worked on at the same time.
    pub workers: usize,
    /// How long the work on one takes.
    pub service: Dist,
    /// Bytes of a value that nobody has written.
    pub value: u64,
    /// Who answers reads here while it follows.
    pub reads: Reads,
    /// When a write that waits, or anything passed on, is given up.
    pub timeout: Span,
}

impl StoreNode {
    /// A member as [`Config::new`] has it, of store 0.
    #[must_use]
    pub fn new() -> Self {
        let Config { port, workers, service, value, reads, patience, .. } = Config::new(0, Ipv4Addr::UNSPECIFIED);
        Self { store: 0, port, workers, service, value, reads, timeout: patience }
    }
}

impl Default for StoreNode {
    fn default() -> Self {
        Self::new()
    }
}
