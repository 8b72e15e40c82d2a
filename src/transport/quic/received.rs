//! What has arrived in a packet number space, and when to acknowledge it (RFC 9000 13.2).

use super::config::{ACK_EVERY, ACK_RANGES};
use crate::base::{Span, Time};
use crate::wire::quic::{AckRanges, EcnCounts};
use crate::wire::{Ecn, quic::Frame};

/// The receiving half of a packet number space.
#[derive(Debug)]
pub(super) struct Received {
    ranges: AckRanges,
    /// Numbers up to here are not reported any more, and not taken in again.
    floor: Option<u64>,
    largest: Option<u64>,
    largest_at: Time,
    ecn: EcnCounts,
    /// Ack-eliciting packets since the last ACK.
    owed: u32,
    /// An ACK is to leave at once, or at this instant.
    pub(super) now: bool,
    pub(super) deadline: Time,
}

impl Received {
    pub(super) fn new() -> Self {
        Self {
            ranges: AckRanges::new(),
            floor: None,
            largest: None,
            largest_at: Time::ZERO,
            ecn: EcnCounts::default(),
            owed: 0,
            now: false,
            deadline: Time::NEVER,
        }
    }

    /// The largest number so far.
    pub(super) const fn largest(&self) -> Option<u64> {
        self.largest
    }

    /// Whether the packet has been taken in before, or is too old to tell.
    pub(super) fn is_duplicate(&self, number: u64) -> bool {
        self.floor.is_some_and(|floor| number <= floor) || self.ranges.contains(number)
    }

    /// Takes note of a new packet. Ack-eliciting ones are acknowledged every second time, out of order at once, and after
    /// `delay` at the latest; without a delay at once.
    pub(super) fn take(&mut self, number: u64, eliciting: bool, ecn: Ecn, delay: Option<Span>, now: Time) {
        let in_order = self.largest.is_none_or(|largest| number == largest + 1);
        self.ranges.insert(number);
        if self.largest.is_none_or(|largest| number > largest) {
            self.largest = Some(number);
            self.largest_at = now;
        }
        match ecn {
            Ecn::NotCapable => {}
            Ecn::Ect0 => self.ecn.ect0 += 1,
            Ecn::Ect1 => self.ecn.ect1 += 1,
            Ecn::CongestionExperienced => self.ecn.ce += 1,
        }
        if !eliciting {
            return;
        }
        self.owed += 1;
        let marked = ecn == Ecn::CongestionExperienced;
        match delay {
            Some(delay) if in_order && !marked && self.owed < ACK_EVERY => {
                self.deadline = self.deadline.min(now.saturating_add(delay));
            }
            _ => self.now = true,
        }
    }

    /// The delay is over.
    pub(super) fn handle_wake(&mut self, now: Time) {
        if self.deadline <= now {
            self.deadline = Time::NEVER;
            self.now = self.owed > 0;
        }
    }

    /// Whether an ACK would say something new that somebody waits for.
    pub(super) const fn owes(&self) -> bool {
        self.owed > 0
    }

    /// The ACK frame of the present, if anything has arrived; what it says counts as sent.
    pub(super) fn frame(&mut self, exponent: u8, now: Time) -> Option<Frame> {
        if self.ranges.is_empty() {
            return None;
        }
        self.ranges.keep(ACK_RANGES);
        let counts = (self.ecn != EcnCounts::default()).then_some(self.ecn);
        let delay = now.since(self.largest_at).as_micros() >> exponent;
        Some(Frame::Ack { ranges: self.ranges.clone(), delay, ecn: counts })
    }

    /// An ACK frame has been sent.
    pub(super) fn sent(&mut self) {
        self.owed = 0;
        self.now = false;
        self.deadline = Time::NEVER;
    }

    /// The peer knows that everything up to `number` has been reported. Where there are no holes it is kept: it costs nothing.
    pub(super) fn reported(&mut self, number: u64) {
        if self.ranges.len() > 1 {
            self.floor = self.floor.max(Some(number));
            self.ranges.forget_through(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Span = Span::from_millis;
    const DELAY: Option<Span> = Some(Span::from_millis(25));

    #[test]
    fn every_second_packet_is_acknowledged_and_a_single_one_after_the_delay() {
        let mut received = Received::new();
        let start = Time::ZERO + MS(100);
        received.take(0, true, Ecn::NotCapable, DELAY, start);
        assert!(!received.now);
        assert_eq!(received.deadline, start + MS(25));
        received.handle_wake(start + MS(24));
        assert!(!received.now);
        received.handle_wake(start + MS(25));
        assert!(received.now);
        received.sent();
        received.take(1, true, Ecn::NotCapable, DELAY, start);
        received.take(2, true, Ecn::NotCapable, DELAY, start);
        assert!(received.now);
    }

    #[test]
    fn gaps_marks_and_handshakes_are_acknowledged_at_once() {
        let mut received = Received::new();
        received.take(5, true, Ecn::NotCapable, None, Time::ZERO);
        assert!(received.now);
        received.sent();
        received.take(7, true, Ecn::NotCapable, DELAY, Time::ZERO);
        assert!(received.now, "6 is missing");
        received.sent();
        received.take(6, true, Ecn::NotCapable, DELAY, Time::ZERO);
        assert!(received.now, "6 comes late");
        received.sent();
        received.take(8, true, Ecn::CongestionExperienced, DELAY, Time::ZERO);
        assert!(received.now, "a mark");
        received.sent();
        received.take(9, false, Ecn::NotCapable, DELAY, Time::ZERO);
        assert!(!received.now && !received.owes(), "an ACK is not acknowledged");
    }

    #[test]
    fn what_has_been_reported_is_forgotten_but_not_taken_in_again() {
        let mut received = Received::new();
        for number in [0, 1, 3, 4, 7] {
            received.take(number, true, Ecn::NotCapable, DELAY, Time::ZERO);
        }
        received.reported(4);
        let Some(Frame::Ack { ranges, .. }) = received.frame(3, Time::ZERO) else { panic!("something arrived") };
        assert_eq!(ranges.iter().collect::<Vec<_>>(), [(7, 7)]);
        assert!(received.is_duplicate(2) && received.is_duplicate(3) && !received.is_duplicate(5));
    }
}
