//! Packets of a line with jitter or reordering: each has a delay of its own, so flights are sorted where packets may overtake, and
//! those that wait for the line are kept apart.

use super::{Backlog, Fate};
use crate::base::Time;
use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};

/// A packet on its way, ordered by (arrival, order of acceptance).
#[derive(Debug)]
struct Flight<P> {
    arrival: Time,
    accepted: u64,
    packet: P,
    fate: Fate,
}

impl<P> Ord for Flight<P> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.arrival, self.accepted).cmp(&(other.arrival, other.accepted))
    }
}

impl<P> PartialOrd for Flight<P> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<P> PartialEq for Flight<P> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<P> Eq for Flight<P> {}

#[derive(Debug)]
pub(super) struct Shifting<P> {
    flights: BinaryHeap<Reverse<Flight<P>>>,
    accepted: u64,
    last_arrival: Time,
    /// Departure and size of everything not known to have departed, first to depart first.
    waiting: VecDeque<(Time, u16)>,
    waiting_bytes: u64,
}

impl<P> Shifting<P> {
    pub(super) const fn new() -> Self {
        Self {
            flights: BinaryHeap::new(),
            accepted: 0,
            last_arrival: Time::ZERO,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.flights.len()
    }

    /// What has not departed by `now`.
    pub(super) fn backlog(&mut self, now: Time) -> Backlog {
        while let Some(&(departure, size)) = self.waiting.front()
            && departure <= now
        {
            self.waiting_bytes -= u64::from(size);
            self.waiting.pop_front();
        }
        Backlog { packets: self.waiting.len() as u64, bytes: self.waiting_bytes }
    }

    /// Arrival of the packet accepted last.
    pub(super) const fn last_arrival(&self) -> Time {
        self.last_arrival
    }

    /// Adds a packet. True if it is the first to arrive.
    pub(super) fn push(&mut self, departure: Time, arrival: Time, packet: P, size: u16, fate: Fate) -> bool {
        let first = self.first_arrival().is_none_or(|first| arrival < first);
        self.flights.push(Reverse(Flight { arrival, accepted: self.accepted, packet, fate }));
        self.accepted += 1;
        self.last_arrival = arrival;
        self.waiting.push_back((departure, size));
        self.waiting_bytes += u64::from(size);
        first
    }

    pub(super) fn first_arrival(&self) -> Option<Time> {
        self.flights.peek().map(|Reverse(flight)| flight.arrival)
    }

    /// Takes the first packet out, which has arrived.
    pub(super) fn pop(&mut self) -> Option<(P, Fate)> {
        self.flights.pop().map(|Reverse(flight)| (flight.packet, flight.fate))
    }
}
