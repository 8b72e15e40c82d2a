//! Header prediction: the two segments that nearly all are, taken in on the short way (Jacobson, "Congestion avoidance and
//! control", 1988). What happens is what [`super::input`] would do; a test holds the two against each other.

use super::connection::Connection;
use super::receive::arrival_of;
use super::scoreboard::Plain;
use super::signals::{Events, State};
use super::timers::Alarm;
use crate::base::{Span, Time};
use crate::transport::congestion::{Ack, Control, Controller, Phase, RateSample, Window};
use crate::wire::{Flags, Segment, Transit};

#[cfg(test)]
thread_local! {
    /// Whether segments are predicted, for the test that holds the two ways against each other.
    pub(super) static PREDICT: std::cell::Cell<bool> = const { std::cell::Cell::new(true) };
}

impl Connection {
    /// Takes in a segment that says nothing but what is expected: the next data of a peer that we send nothing, or that some of what is
    /// in flight has arrived, where nothing is missing. False, and nothing done, for every other segment.
    #[expect(clippy::inline_always, reason = "one step of the way of nearly every segment")]
    #[inline(always)]
    pub(super) fn take_predicted(&mut self, segment: &mut Segment, transit: &Transit, now: Time) -> bool {
        #[cfg(test)]
        if !PREDICT.get() {
            return false;
        }
        debug_assert!(!self.calm || self.is_calm(), "whatever ends the calm says so");
        let flags = segment.flags.0 & !Flags::PSH.0;
        let expected = (self.calm || self.becomes_calm())
            && flags == Flags::ACK.0
            && segment.seq == self.receiver.seq(self.receiver.next)
            && segment.options.sack.is_empty()
            && match segment.options.timestamps {
                Some((value, _)) => self.timestamps && value.wrapping_sub(self.ts_recent).cast_signed() >= 0,
                None => !self.timestamps,
            };
        if !expected {
            return false;
        }
        if segment.payload.is_empty() {
            self.take_plain_ack(segment, now)
        } else {
            self.take_next(segment, transit, now)
        }
    }

    /// Whether the connection is open both ways, nothing is missing at either end, nothing is being repaired, and nothing but new data
    /// and bare acknowledgments is to be sent. Then segments that go and come as expected change nothing of it.
    fn is_calm(&self) -> bool {
        self.state == State::Established
            && self.phase == Phase::Open
            && self.sack
            && self.receiver.expects_nothing_else()
            && self.board.misses_nothing()
            && self.recovery.probe_high.is_none()
            && !self.recovery.due.any()
            && self.control_out.is_empty()
            && !self.fin
            && !self.orphan
            && self.held_from == u64::MAX
            && !self.ecn.agreed()
    }

    #[inline(never)]
    fn becomes_calm(&mut self) -> bool {
        self.calm = self.is_calm();
        self.calm
    }

    /// The echo and the timestamp of a segment that is just what comes next.
    #[expect(clippy::inline_always, reason = "one step of the way of nearly every segment")]
    #[inline(always)]
    fn note_timestamps(&mut self, segment: &Segment) {
        self.echo = None;
        if let Some((value, echo)) = segment.options.timestamps {
            self.echo = Some(echo);
            if self.receiver.next <= self.acks.acked {
                self.ts_recent = value;
            }
        }
    }

    /// The next data, while nothing of ours is in flight.
    #[expect(clippy::inline_always, reason = "one step of the way of nearly every segment")]
    #[inline(always)]
    fn take_next(&mut self, segment: &mut Segment, transit: &Transit, now: Time) -> bool {
        let len = segment.payload.len();
        if segment.ack != self.seq(self.una)
            || !self.board.is_empty()
            || len > self.receiver.window()
            || self.timers.alarm != Alarm::Off
        {
            return false;
        }
        self.note_timestamps(segment);
        self.update_window(segment, self.una);
        self.timers.window_probes = 0;
        self.receiver.release(&mut segment.payload, || arrival_of(transit, now));
        self.data_received(len, segment.flags.has(Flags::PSH), now);
        self.events.raise(Events::READABLE);
        self.check_ack(now);
        true
    }

    /// An acknowledgment of whole segments, none of them sent twice or reported before.
    #[expect(clippy::inline_always, reason = "one step of the way of nearly every segment")]
    #[inline(always)]
    fn take_plain_ack(&mut self, segment: &Segment, now: Time) -> bool {
        let ahead = segment.ack.0.wrapping_sub(self.seq(self.una).0);
        let ack = self.una + u64::from(ahead);
        if ahead == 0 || ack > self.next {
            return false;
        }
        let prior_in_flight = self.board.packets_out();
        let Some(plain) = self.board.acknowledge_plain(ack, now) else { return false };
        self.note_timestamps(segment);
        self.timers.timeouts = 0;
        self.una = ack;
        self.update_window_ahead(segment, ack);
        self.timers.window_probes = 0;
        self.drop_acknowledged();
        let (rtt, latest) = (now.since(plain.first_sent), now.since(plain.last_sent));
        self.rtt.sample_min(latest, now);
        self.rtt.sample(rtt, ack, self.next);
        self.reset_rto();
        self.board.adapt_reordering_window(plain.prior_delivered);
        self.set_send_timer(now);
        self.govern_plain(plain, prior_in_flight, latest, now);
        if self.acks.owed {
            self.check_ack(now);
        }
        true
    }

    /// The controller sets the window, as nothing is being reduced.
    #[expect(clippy::inline_always, reason = "one step of the way of nearly every segment")]
    #[inline(always)]
    fn govern_plain(&mut self, plain: Plain, prior_in_flight: u32, latest: Span, now: Time) {
        if self.app_limited_until > 0 && self.board.delivered > self.app_limited_until {
            self.app_limited_until = 0;
        }
        // For the usual controllers, of what an ACK tells only that is made up which they look at.
        match &self.control {
            Controller::Cubic(_) => {
                let ack = self.plain_ack(plain, prior_in_flight, latest, now);
                if let Controller::Cubic(cubic) = &mut self.control {
                    on_plain(cubic, &mut self.window, &ack);
                }
            }
            Controller::Reno(_) => {
                let ack = self.plain_ack(plain, prior_in_flight, latest, now);
                if let Controller::Reno(reno) = &mut self.control {
                    on_plain(reno, &mut self.window, &ack);
                }
            }
            Controller::Bbr(_) | Controller::Dctcp(_) | Controller::Custom(_) => {
                self.govern_by_any(plain, prior_in_flight, latest, now);
            }
        }
    }

    #[inline(never)]
    fn govern_by_any(&mut self, plain: Plain, prior_in_flight: u32, latest: Span, now: Time) {
        let ack = self.plain_ack(plain, prior_in_flight, latest, now);
        if on_plain(self.control.get(), &mut self.window, &ack) {
            self.mark_app_limited();
        }
    }

    #[expect(clippy::inline_always, reason = "one step of the way of nearly every segment")]
    #[inline(always)]
    fn plain_ack(&self, plain: Plain, prior_in_flight: u32, latest: Span, now: Time) -> Ack {
        let min_rtt = self.rtt.min().unwrap_or(latest);
        let interval = plain.send_interval.max(now.since(plain.prior_at));
        let usable = interval >= min_rtt;
        let delivered = u32::try_from(self.board.delivered - plain.prior_delivered).unwrap_or(u32::MAX);
        Ack {
            now,
            acked: plain.count,
            lost: 0,
            rtt: Some(latest),
            srtt: self.rtt.srtt(),
            min_rtt,
            delivered: self.board.delivered,
            prior_in_flight,
            in_flight: self.board.packets_out(),
            una: self.una,
            next: self.next,
            mss: self.mss,
            cwnd_limited: self.window_limited(),
            phase: Phase::Open,
            rate: RateSample {
                delivered: if usable { delivered } else { 0 },
                interval: if usable { interval } else { Span::ZERO },
                prior_delivered: plain.prior_delivered,
                app_limited: plain.app_limited,
            },
        }
    }
}

/// [`Control::on_sample`] and what follows it. Whether [`Control::limits_samples`] says so.
#[expect(clippy::inline_always, reason = "one step of the way of nearly every segment")]
#[inline(always)]
fn on_plain<C: Control + ?Sized>(control: &mut C, window: &mut Window, ack: &Ack) -> bool {
    control.on_sample(window, ack);
    if control.owns_window() {
        control.update(window, ack);
        return control.limits_samples();
    }
    control.on_ack(window, ack);
    false
}
