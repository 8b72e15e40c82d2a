//! The state of senders and the depth of queues over time, in intervals.

use super::depth::{Depth, Depths};
use crate::base::{Span, Time};
use crate::trace::{PacketRecord, Record, Series};
use std::collections::BTreeMap;

/// The states of one sender: the last of each interval in which it did something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sender {
    /// Its states, earliest first. All name the same flow, node, and addresses.
    pub states: Vec<Series>,
}

/// What happened over time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OverTime {
    /// Length of an interval.
    pub every: Span,
    /// Senders in the order of their flows and nodes.
    pub senders: Vec<Sender>,
    /// Depth of the queue in each interval, by link direction.
    pub queues: BTreeMap<u32, Vec<Depth>>,
}

/// Reads records of senders' states and of packets.
#[derive(Debug)]
pub struct Recorder {
    every: Span,
    senders: BTreeMap<(u64, u32), Vec<Series>>,
    depths: Depths,
}

impl Recorder {
    /// A recorder of intervals of `every`, which is not zero.
    #[must_use]
    pub const fn new(every: Span) -> Self {
        Self { every, senders: BTreeMap::new(), depths: Depths::new(every) }
    }

    /// Takes a record in.
    pub fn record(&mut self, record: &Record) {
        let Record::Series(state) = record else { return };
        let states = self.senders.entry((state.flow, state.node)).or_default();
        let interval = |state: &Series| state.time.as_nanos().div_ceil(self.every.as_nanos());
        match states.last_mut() {
            Some(last) if interval(last) == interval(state) => *last = *state,
            _ => states.push(*state),
        }
    }

    /// Takes a packet's record in.
    pub fn packet(&mut self, record: &PacketRecord) {
        self.depths.packet(record);
    }

    /// What happened until `end`, when the run ended.
    #[must_use]
    pub fn finish(self, end: Time) -> OverTime {
        let senders = self.senders.into_values().map(|states| Sender { states }).collect();
        OverTime { every: self.every, senders, queues: self.depths.finish(end) }
    }
}
