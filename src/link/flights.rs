//! Packets between their departure decision and their arrival: a ring in order, a heap where packets overtake.

use super::Fate;
use crate::base::Time;
use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};

#[derive(Clone, Copy, Debug)]
pub(super) struct Flight<P> {
    pub(super) arrival: Time,
    pub(super) packet: P,
    pub(super) fate: Fate,
}

/// A flight ordered by (arrival, order of acceptance).
#[derive(Debug)]
pub(super) struct Ranked<P> {
    flight: Flight<P>,
    accepted: u64,
}

impl<P> Ord for Ranked<P> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.flight.arrival, self.accepted).cmp(&(other.flight.arrival, other.accepted))
    }
}

impl<P> PartialOrd for Ranked<P> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<P> PartialEq for Ranked<P> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<P> Eq for Ranked<P> {}

#[derive(Debug)]
pub(super) enum Flights<P> {
    InOrder(VecDeque<Flight<P>>),
    Sorted { heap: BinaryHeap<Reverse<Ranked<P>>>, accepted: u64 },
}

impl<P: Copy> Flights<P> {
    pub(super) fn new(sorted: bool) -> Self {
        if sorted { Self::Sorted { heap: BinaryHeap::new(), accepted: 0 } } else { Self::InOrder(VecDeque::new()) }
    }

    #[inline]
    pub(super) fn push(&mut self, flight: Flight<P>) {
        match self {
            Self::InOrder(ring) => ring.push_back(flight),
            Self::Sorted { heap, accepted } => {
                heap.push(Reverse(Ranked { flight, accepted: *accepted }));
                *accepted += 1;
            }
        }
    }

    #[inline]
    pub(super) fn first_arrival(&self) -> Option<Time> {
        match self {
            Self::InOrder(ring) => ring.front().map(|flight| flight.arrival),
            Self::Sorted { heap, .. } => heap.peek().map(|Reverse(ranked)| ranked.flight.arrival),
        }
    }

    /// Arrival of the packet accepted last; zero when none is under way or order is not kept.
    pub(super) fn last_arrival(&self) -> Time {
        match self {
            Self::InOrder(ring) => ring.back().map_or(Time::ZERO, |flight| flight.arrival),
            Self::Sorted { .. } => Time::ZERO,
        }
    }

    /// The first flight, if it has arrived by `now`.
    #[inline]
    pub(super) fn pop(&mut self, now: Time) -> Option<Flight<P>> {
        if self.first_arrival()? > now {
            return None;
        }
        match self {
            Self::InOrder(ring) => ring.pop_front(),
            Self::Sorted { heap, .. } => heap.pop().map(|Reverse(ranked)| ranked.flight),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::InOrder(ring) => ring.len(),
            Self::Sorted { heap, .. } => heap.len(),
        }
    }
}
