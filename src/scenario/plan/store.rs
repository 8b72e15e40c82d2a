//! Replicated stores in a plan: who belongs together, and what each member does.

use crate::base::{Dist, Ratio, Span};
use crate::service::client::Arrivals;
use crate::service::store::{Config, Reads};
use crate::service::{Limit, cluster};
use std::net::Ipv4Addr;

/// A store, or a shard of a cluster: its members and what they agree on.
#[derive(Clone, PartialEq, Debug)]
pub struct Store {
    /// Nodes in the order of succession; the first is primary at the start, and the store has its name.
    pub members: Vec<u32>,
    /// What the members of a `Store` agree on; `None` for a shard of a cluster.
    pub agreement: Option<Agreement>,
}

/// What the members of a `Store` agree on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Agreement {
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

/// A node of a cluster.
#[derive(Clone, PartialEq, Debug)]
pub struct ClusterNode {
    /// Index in the plan of the store that stands for the first shard; the others follow.
    pub store: u32,
    /// All nodes of the cluster: the masters, then their replicas in the same order.
    pub members: Vec<u32>,
    /// Masters.
    pub shards: usize,
    /// Port for clients.
    pub port: u16,
    /// How long the work on one command takes.
    pub service: Dist,
    /// Bytes of a value that nobody has written.
    pub value: u64,
    /// Silence after which a node doubts another.
    pub node_timeout: Span,
}

impl ClusterNode {
    /// A node as [`cluster::Config::new`] has it, of no cluster yet.
    #[must_use]
    pub fn new() -> Self {
        let cluster::Config { port, service, value, node_timeout, .. } = cluster::Config::new(0, Vec::new(), 0);
        Self { store: 0, members: Vec::new(), shards: 0, port, service, value, node_timeout }
    }
}

impl Default for ClusterNode {
    fn default() -> Self {
        Self::new()
    }
}

/// Commands to a cluster: each of `from` asks for all that is described.
#[derive(Clone, PartialEq, Debug)]
pub struct Lookups {
    /// Hosts whose programs ask.
    pub from: Vec<u32>,
    /// Nodes of the cluster.
    pub cluster: Vec<u32>,
    /// Its port.
    pub port: u16,
    /// Keys that there are.
    pub keys: u32,
    /// Exponent of Zipf's law over them; 0: all alike.
    pub zipf: f64,
    /// Share of commands that write.
    pub writes: Ratio,
    /// Bytes of a value written.
    pub size: u64,
    /// When they ask.
    pub arrivals: Arrivals,
    /// When that ends.
    pub limit: Limit,
    /// When a command is given up; `None`: never.
    pub timeout: Option<Span>,
}
