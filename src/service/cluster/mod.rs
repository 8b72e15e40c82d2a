//! A sharded key-value store in the manner of Redis Cluster: every node knows who serves which slots, tells a wrong asker where to go, and
//! learns from gossip who has failed and who has taken over.
//!
//! Keys fall into 16,384 slots by CRC16, slots into as many equal ranges as there are masters. Clients speak RESP on port 6379; nodes speak
//! with each other on the bus, 10,000 ports above, and replicas copy the writes of their masters as clients of theirs. Not
//! modelled: moving single slots between masters, and replicas that change masters on their own.

mod bus;
pub mod client;

mod node;
mod replicate;
mod resp;
pub mod slot;
mod view;

pub use node::run;

use crate::base::{Dist, Span};
use std::net::Ipv4Addr;

/// From a node's port to that of its bus.
pub const BUS_OFFSET: u16 = 10_000;

/// One node of a cluster.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// The first of the plan's stores that stand for the shards, one each, in their order.
    pub store: u32,
    /// Port for clients.
    pub port: u16,
    /// All nodes: the masters, then their replicas in the same order.
    pub members: Vec<Ipv4Addr>,
    /// Which of them this is.
    pub me: usize,
    /// Masters.
    pub shards: usize,
    /// How long the work on one command takes; a node does one at a time.
    pub service: Dist,
    /// Bytes of a value that nobody has written.
    pub value: u64,
    /// Silence after which a node doubts another (`cluster-node-timeout`).
    pub node_timeout: Span,
}

impl Config {
    /// A cluster of so many masters and no replicas, as Redis is by default: port 6379, no work, values of 1,024 bytes, a node
    /// timeout of 15 s.
    #[must_use]
    pub fn new(store: u32, members: Vec<Ipv4Addr>, me: usize) -> Self {
        Self {
            store,
            port: 6_379,
            shards: members.len(),
            members,
            me,
            service: Dist::Constant(Span::ZERO),
            value: 1_024,
            node_timeout: Span::from_secs(15),
        }
    }
}
