//! How much waits for a line, from what packets say of their way: no look into the link is needed.
//!
//! A packet is in the queue from when it is handed to the link until its last bit has been put on the line; how long that was
//! its [`crate::wire::Transit`] says when it arrives. So the depth at an instant is known only when all packets handed to the link
//! before that instant have arrived or were lost.

use crate::base::{Span, Time};
use crate::trace::{PacketEvent, PacketRecord};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

/// The largest and the mean depth of one interval.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Depth {
    /// Most bytes that waited or were in service at once.
    pub max_bytes: u64,
    /// Most packets.
    pub max_packets: u64,
    /// Mean bytes.
    pub mean_bytes: u64,
}

/// A packet on a link.
#[derive(Clone, Copy, Debug)]
struct Flight {
    serial: u64,
    handed: Time,
    size: u64,
    /// Time in queues and on lines before this link.
    before: Span,
}

/// One direction of a link.
#[derive(Debug, Default)]
struct Line {
    flights: VecDeque<Flight>,
    /// Changes of the depth that are known: when, whether a packet joins (those that leave come first), its bytes.
    changes: BinaryHeap<Reverse<(Time, bool, u64)>>,
    bytes: u64,
    packets: u64,
    /// Up to when the intervals are filled.
    filled: Time,
    intervals: Vec<Depth>,
    /// Byte-nanoseconds of the interval that is being filled.
    integral: u128,
}

/// Reads packet records and keeps the depth of every link direction over time.
#[derive(Debug)]
pub struct Depths {
    every: Span,
    lines: BTreeMap<u32, Line>,
    /// Time in queues and on lines of packets between two links.
    between: BTreeMap<u64, Span>,
}

impl Depths {
    /// Depths in intervals of `every`, which is not zero.
    #[must_use]
    pub const fn new(every: Span) -> Self {
        Self { every, lines: BTreeMap::new(), between: BTreeMap::new() }
    }

    /// Takes a record in.
    pub fn packet(&mut self, record: &PacketRecord) {
        let transit = &record.packet.transit;
        let spent = transit.queueing + transit.serialisation;
        match (record.event, record.link) {
            (PacketEvent::Offered, Some(direction)) => {
                let line = self.lines.entry(direction).or_default();
                let before = self.between.remove(&record.serial).unwrap_or(Span::ZERO);
                let size = u64::from(record.packet.wire_len());
                line.flights.push_back(Flight { serial: record.serial, handed: record.time, size, before });
                line.changes.push(Reverse((record.time, true, size)));
            }
            (PacketEvent::Arrived | PacketEvent::Dropped(_), Some(direction)) => {
                if let Some(line) = self.lines.get_mut(&direction) {
                    line.leave(record.serial, spent, record.time, self.every);
                }
                if record.event == PacketEvent::Arrived {
                    self.between.insert(record.serial, spent);
                } else {
                    self.between.remove(&record.serial);
                }
            }
            (PacketEvent::Delivered | PacketEvent::Dropped(_), None) => {
                self.between.remove(&record.serial);
            }
            _ => {}
        }
    }

    /// The depths of every direction that carried something, by its number. The run ended at `end`: packets still on a link are
    /// taken to wait until then.
    #[must_use]
    pub fn finish(mut self, end: Time) -> BTreeMap<u32, Vec<Depth>> {
        let every = self.every;
        for line in self.lines.values_mut() {
            line.flights.clear();
            line.fill(end, every);
            line.complete(end, every);
        }
        self.lines.into_iter().map(|(direction, line)| (direction, line.intervals)).collect()
    }
}

impl Line {
    /// A packet is known to have left the queue.
    fn leave(&mut self, serial: u64, spent: Span, now: Time, every: Span) {
        let Some(place) = self.flights.iter().position(|flight| flight.serial == serial) else { return };
        let Some(flight) = self.flights.remove(place) else { return };
        let here = spent.saturating_sub(flight.before);
        // What was dropped in the queue was never on the line.
        let left = if here.is_zero() { now } else { (flight.handed + here).min(now) };
        self.changes.push(Reverse((left, false, flight.size)));
        let known = self.flights.front().map_or(now, |first| first.handed);
        self.fill(known, every);
    }

    /// Applies the changes before `until`.
    fn fill(&mut self, until: Time, every: Span) {
        while let Some(&Reverse((time, joins, size))) = self.changes.peek() {
            if time >= until {
                break;
            }
            self.changes.pop();
            self.hold(time, every);
            if joins {
                self.bytes += size;
                self.packets += 1;
                self.note();
            } else {
                self.bytes -= size;
                self.packets -= 1;
            }
        }
    }

    /// The depth stays as it is until `until`.
    fn hold(&mut self, until: Time, every: Span) {
        while self.filled < until {
            let index = self.filled.as_nanos() / every.as_nanos();
            let end = Time::ZERO + every * (index + 1);
            let step = until.min(end);
            self.integral += u128::from(self.bytes) * u128::from((step - self.filled).as_nanos());
            self.note();
            self.filled = step;
            if step == end {
                self.close(every);
            }
        }
    }

    /// The interval that is being filled has had at least the present depth.
    fn note(&mut self) {
        let index = self.intervals.len().saturating_sub(1);
        if self.intervals.is_empty() {
            self.intervals.push(Depth::default());
        }
        let depth = &mut self.intervals[index];
        depth.max_bytes = depth.max_bytes.max(self.bytes);
        depth.max_packets = depth.max_packets.max(self.packets);
    }

    /// The interval that is being filled is over after `length`; the next begins.
    fn close(&mut self, length: Span) {
        let mean = self.integral.checked_div(u128::from(length.as_nanos())).unwrap_or(0);
        if let Some(depth) = self.intervals.last_mut() {
            depth.mean_bytes = u64::try_from(mean).unwrap_or(u64::MAX);
        }
        self.integral = 0;
        self.intervals.push(Depth::default());
    }

    /// Fills the rest up to the end of the run, whose last interval may be shorter.
    fn complete(&mut self, end: Time, every: Span) {
        self.hold(end, every);
        let rest = end.as_nanos() % every.as_nanos();
        if rest == 0 {
            self.intervals.pop();
        } else {
            self.close(Span::from_nanos(rest));
            self.intervals.pop();
        }
    }
}
