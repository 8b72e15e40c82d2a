//! Packets of a line with jitter or reordering: each has a delay of its own, so flights are sorted where packets may overtake, and
//! those that wait for the line are kept apart.

use super::{Backlog, Fate};
use crate::base::{Span, Time};
use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};

/// What is to become of a packet that has been accepted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Course {
    /// When its last bit is on the line.
    pub(super) departure: Time,
    /// How long its bits take.
    pub(super) serialisation: Span,
    pub(super) arrival: Time,
    pub(super) fate: Fate,
    /// The fault that it is lost to.
    pub(super) blame: u32,
}

/// A packet on its way, ordered by (arrival, order of acceptance).
#[derive(Debug)]
pub(super) struct Flight<P> {
    pub(super) arrival: Time,
    accepted: u64,
    pub(super) packet: P,
    pub(super) fate: Fate,
    pub(super) departure: Time,
    pub(super) serialisation: Span,
    pub(super) size: u16,
    pub(super) blame: u32,
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
    pub(super) fn push(&mut self, course: Course, packet: P, size: u16) -> bool {
        let Course { departure, serialisation, arrival, fate, blame } = course;
        let first = self.first_arrival().is_none_or(|first| arrival < first);
        let accepted = self.accepted;
        let flight = Flight { arrival, accepted, packet, fate, departure, serialisation, size, blame };
        self.flights.push(Reverse(flight));
        self.accepted += 1;
        self.last_arrival = arrival;
        self.waiting.push_back((departure, size));
        self.waiting_bytes += u64::from(size);
        first
    }

    /// Changes flights in the order of their acceptance; those for which `change` says false are gone.
    pub(super) fn change(&mut self, mut change: impl FnMut(&mut Flight<P>) -> bool) {
        let flights = std::mem::take(&mut self.flights);
        let mut flights: Vec<Flight<P>> = flights.into_iter().map(|Reverse(flight)| flight).collect();
        flights.sort_unstable_by_key(|flight| flight.accepted);
        flights.retain_mut(&mut change);
        // Those that have departed are found to have when somebody looks.
        self.waiting = flights.iter().map(|flight| (flight.departure, flight.size)).collect();
        self.waiting_bytes = flights.iter().map(|flight| u64::from(flight.size)).sum();
        self.last_arrival = flights.last().map_or(Time::ZERO, |flight| flight.arrival);
        self.flights = flights.into_iter().map(Reverse).collect();
    }

    /// When the first bit of anything under way was put on the line.
    pub(super) fn oldest_start(&self) -> Option<Time> {
        self.flights.iter().map(|Reverse(flight)| flight.departure - flight.serialisation).min()
    }

    pub(super) fn first_arrival(&self) -> Option<Time> {
        self.flights.peek().map(|Reverse(flight)| flight.arrival)
    }

    /// Takes the first packet out, which has arrived.
    pub(super) fn pop(&mut self) -> Option<Flight<P>> {
        self.flights.pop().map(|Reverse(flight)| flight)
    }
}
