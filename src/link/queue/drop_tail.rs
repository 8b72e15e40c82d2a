//! First in, first out, with a limit: the packets that have not departed yet are the queue.

use super::Limit;
use crate::base::Time;
use std::collections::VecDeque;

#[derive(Debug)]
pub(in crate::link) struct DropTail {
    limit: Limit,
    /// Departure and size of everything not known to have departed, first to depart first.
    waiting: VecDeque<(Time, u32)>,
    bytes: u64,
}

impl DropTail {
    pub(super) fn new(limit: Limit) -> Self {
        Self { limit, waiting: VecDeque::new(), bytes: 0 }
    }

    /// Bytes queued, in service and offered must fit into the limit together.
    #[inline]
    pub(super) fn admit(&mut self, size: u32, now: Time) -> bool {
        while let Some(&(departure, size)) = self.waiting.front()
            && departure <= now
        {
            self.bytes -= u64::from(size);
            self.waiting.pop_front();
        }
        match self.limit {
            Limit::Bytes(limit) => self.bytes + u64::from(size) <= limit,
            Limit::Packets(limit) => (self.waiting.len() as u64) < limit,
        }
    }

    /// Adds a packet and returns the bytes now held.
    #[inline]
    pub(super) fn add(&mut self, size: u32, departure: Time) -> u64 {
        self.waiting.push_back((departure, size));
        self.bytes += u64::from(size);
        self.bytes
    }
}
