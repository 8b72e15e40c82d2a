//! Queue disciplines: what waits for the line, and what happens when too much does.
//!
//! A discipline that decides on arrival (drop-tail, and RED when it comes) only says whether it admits a packet; the link knows the departure.

mod drop_tail;

use super::Backlog;
use drop_tail::DropTail;

/// How much a queue holds, the packet in service included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Limit {
    /// At most so many bytes.
    Bytes(u64),
    /// At most so many packets.
    Packets(u64),
}

/// Which discipline, and its parameters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Config {
    /// First in, first out; what does not fit is dropped.
    DropTail(Limit),
}

/// Every discipline with a line about it, for `lightlag list`.
pub const TABLE: &[(&str, &str)] =
    &[("DropTail", "first in, first out; a packet that does not fit into the limit (bytes or packets) is dropped")];

/// The queue of one link direction.
#[derive(Debug)]
pub(super) enum Queue {
    DropTail(DropTail),
}

impl Queue {
    pub(super) fn new(config: &Config) -> Self {
        match *config {
            Config::DropTail(limit) => Self::DropTail(DropTail::new(limit)),
        }
    }

    /// Whether a packet of `size` bytes may join what waits.
    #[inline]
    pub(super) fn admits(&mut self, size: u16, backlog: Backlog) -> bool {
        match self {
            Self::DropTail(queue) => queue.admits(size, backlog),
        }
    }
}
