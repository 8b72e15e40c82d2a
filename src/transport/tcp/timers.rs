//! Deadlines, and what happens when they pass. Moving one later only writes a field: the world asks for the earliest.

use super::connection::Connection;
use super::recovery::Due;
use super::scoreboard::{Marks, News};
use super::signals::{Reason, State, Wake};
use crate::base::{Span, Time};
use crate::transport::congestion::Phase;

/// What the one send timer is set for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Alarm {
    /// Nothing.
    Off,
    /// Retransmission timeout (RFC 6298).
    Retransmit,
    /// Tail loss probe (RFC 8985 7).
    Probe,
    /// RACK's reordering window ends (RFC 8985 6.2).
    Reorder,
    /// The peer's window is closed: probe it (RFC 9293 3.8.6.1).
    WindowProbe,
}

/// The deadlines of a connection.
#[derive(Debug)]
pub(super) struct Timers {
    pub(super) alarm: Alarm,
    /// When its wait is over; it expires then or at a tick soon after ([`Timers::alarm_at`]). It is set anew with every segment and
    /// hardly ever looked at.
    alarm_over: Time,
    alarm_wait: Span,
    /// Timeout with backoff.
    pub(super) rto: Span,
    pub(super) backoff: u32,
    /// Timeouts since the last progress.
    pub(super) timeouts: u32,
    /// Window probes since the last answer.
    pub(super) window_probes: u32,
    /// Keep-alive probes since the last answer.
    pub(super) keep_alive_probes: u32,
    pub(super) keep_alive_at: Time,
    /// End of TIME-WAIT, or of FIN-WAIT-2 for a connection that no program holds.
    pub(super) linger: Time,
    /// When pacing lets the next segment go.
    pub(super) pace_until: Time,
    /// Something waits for that.
    pub(super) pacing: bool,
    /// Timers expire on ticks, as a kernel's do.
    ticks: bool,
}

/// A kernel's tick (Linux with `HZ=250`).
const TICK: u64 = 4_000_000;

impl Timers {
    pub(super) const fn new(rto: Span, ticks: bool) -> Self {
        Self {
            ticks,
            alarm: Alarm::Off,
            alarm_over: Time::NEVER,
            alarm_wait: Span::ZERO,
            rto,
            backoff: 0,
            timeouts: 0,
            window_probes: 0,
            keep_alive_probes: 0,
            keep_alive_at: Time::NEVER,
            linger: Time::NEVER,
            pace_until: Time::ZERO,
            pacing: false,
        }
    }

    pub(super) fn stop(&mut self) {
        *self = Self::new(self.rto, self.ticks);
    }

    #[inline]
    pub(super) fn set(&mut self, alarm: Alarm, wait: Span, now: Time) {
        self.alarm = alarm;
        self.alarm_over = now + wait;
        self.alarm_wait = wait;
    }

    /// When the alarm expires.
    fn alarm_at(&self) -> Time {
        if self.alarm_over == Time::NEVER {
            return Time::NEVER;
        }
        self.expiry(self.alarm_wait, self.alarm_over - self.alarm_wait)
    }

    pub(super) fn off(&mut self) {
        self.alarm = Alarm::Off;
        self.alarm_over = Time::NEVER;
    }

    /// When a timer that is to run for `wait` expires. Linux counts in ticks, sorts timers into wheels of 64 slots, each eight
    /// times as coarse as the one before, and rounds up (`kernel/time/timer.c`, `calc_index`): by up to 4 ms below 0.25 s, 32 ms
    /// below 2 s, 256 ms below 16 s, and so on.
    pub(super) fn expiry(&self, wait: Span, now: Time) -> Time {
        if !self.ticks {
            return now + wait;
        }
        let wait = wait.as_nanos().div_ceil(TICK);
        let shift = match wait {
            0..63 => 0,
            63..504 => 3,
            504..4_032 => 6,
            4_032..32_256 => 9,
            _ => 12,
        };
        let slot = ((now.as_nanos() / TICK + wait) >> shift) + 1;
        Time::from_nanos((slot << shift) * TICK)
    }
}

impl Connection {
    /// When the machine wants [`Connection::handle_wake`], after everything has been polled.
    #[must_use]
    pub fn wake(&self) -> Wake {
        self.wake_before(Time::NEVER).map_or(Wake::OnInput, Wake::At)
    }

    /// The same, if it is before `bound`: what a world needs to know that has it come up at `bound` in any case.
    #[must_use]
    #[expect(clippy::inline_always, reason = "one step of the way of nearly every segment")]
    #[inline(always)]
    pub fn wake_before(&self, bound: Time) -> Option<Time> {
        let timers = &self.timers;
        let mut at = self.acks.deadline.min(timers.keep_alive_at).min(timers.linger).min(bound);
        if timers.pacing {
            at = at.min(timers.pace_until);
        }
        if timers.alarm_over < at {
            at = at.min(timers.alarm_at());
        }
        (at < bound).then_some(at)
    }

    /// Time has come for whatever [`Connection::wake`] announced.
    pub fn handle_wake(&mut self, now: Time) {
        self.calm = false;
        if self.acks.deadline <= now {
            self.delayed_ack_due();
        }
        if self.timers.pacing && self.timers.pace_until <= now {
            self.timers.pacing = false;
            if self.board.lost_out > self.board.retrans_out {
                self.recovery.due.set(Due::RETRANSMIT);
            }
        }
        if self.timers.linger <= now {
            self.timers.linger = Time::NEVER;
            self.finish(Reason::Finished, now);
            return;
        }
        if self.timers.keep_alive_at <= now {
            self.keep_alive_due(now);
        }
        if self.timers.alarm_over <= now && self.timers.alarm_at() <= now {
            self.timers.alarm_over = Time::NEVER;
            match std::mem::replace(&mut self.timers.alarm, Alarm::Off) {
                Alarm::Off => {}
                Alarm::Retransmit => {
                    self.timeout(now);
                }
                Alarm::Probe => {
                    self.recovery.due.set(Due::PROBE);
                }
                Alarm::Reorder => {
                    self.reordering_over(now);
                }
                Alarm::WindowProbe => {
                    self.window_probe_due(now);
                }
            }
        }
    }

    /// Restarts the retransmission timer, less the time already waited if another alarm took its place (Linux
    /// `tcp_rearm_rto`).
    pub(super) fn rearm_rto(&mut self, now: Time) {
        if self.board.is_empty() {
            self.timers.off();
            return;
        }
        let mut wait = self.timers.rto;
        if matches!(self.timers.alarm, Alarm::Probe | Alarm::Reorder) {
            wait = self.rto_at().since(now).max(Span::from_micros(1));
        }
        self.timers.set(Alarm::Retransmit, wait, now);
    }

    /// When the retransmission timer would expire, counted from the head's last transmission.
    fn rto_at(&self) -> Time {
        self.board.head().map_or(Time::NEVER, |head| head.sent.saturating_add(self.timers.rto))
    }

    /// Sets a tail loss probe if one is in order (RFC 8985 7.2; Linux `tcp_schedule_loss_probe`).
    pub(super) fn schedule_probe(&mut self, progress: bool, now: Time) -> bool {
        let in_order =
            || self.sack && matches!(self.phase, Phase::Open | Phase::Reducing) && self.state > State::SynReceived;
        if !self.probes_tail || self.board.is_empty() || !(self.calm || in_order()) {
            return false;
        }
        let srtt = self.rtt.srtt();
        let mut wait = if srtt.is_zero() {
            self.constants.rto.initial
        } else if self.board.packets_out() == 1 {
            srtt * 2 + self.constants.probe_single_slack
        } else {
            srtt * 2 + self.constants.probe_slack
        };
        let left = if progress { self.timers.rto } else { self.rto_at().since(now) };
        if !left.is_zero() {
            wait = wait.min(left);
        }
        self.timers.set(Alarm::Probe, wait, now);
        true
    }

    /// The send timer after an ACK: a probe, or else the timeout (Linux `tcp_set_xmit_timer`).
    #[expect(clippy::inline_always, reason = "one step of the way of nearly every segment")]
    #[inline(always)]
    pub(super) fn set_send_timer(&mut self, now: Time) {
        if !self.schedule_probe(true, now) {
            self.rearm_rto(now);
        }
    }

    /// The timeout with exponential backoff, bounded.
    fn back_off(&mut self) {
        self.timers.backoff += 1;
        self.timers.rto = (self.timers.rto * 2).min(self.constants.rto.ceiling);
    }

    /// A new round-trip sample: the timeout follows it and backoff ends (RFC 6298 5.7).
    #[expect(clippy::inline_always, reason = "one step of the way of nearly every segment")]
    #[inline(always)]
    pub(super) fn reset_rto(&mut self) {
        self.timers.rto = self.rtt.rto();
        self.timers.backoff = 0;
    }

    /// Whether retransmissions since `since` have gone on for as long as `retries` doublings of the smallest timeout last
    /// (Linux `retransmits_timed_out`).
    fn tried_enough(&self, since: Option<Time>, retries: u32, now: Time) -> bool {
        let Some(since) = since else { return false };
        let base = self.constants.rto.floor;
        let ceiling = self.constants.rto.ceiling;
        let mut limit = Span::ZERO;
        let mut step = base;
        for _ in 0..=retries {
            limit += step;
            step = (step * 2).min(ceiling);
        }
        let limit = self.user_timeout.map_or(limit, |user| user.min(limit));
        now.since(since) >= limit
    }

    /// The retransmission timeout (RFC 6298 5.4-5.7; Linux `tcp_retransmit_timer`).
    fn timeout(&mut self, now: Time) {
        if self.board.is_empty() {
            return;
        }
        let handshake = self.state <= State::SynReceived;
        let over = match self.state {
            State::SynSent => self.timers.timeouts >= self.constants.syn_retries,
            State::SynReceived => self.timers.timeouts >= self.constants.syn_ack_retries,
            _ => {
                let retries = if self.orphan { self.constants.orphan_retries } else { self.constants.retries };
                let since =
                    self.recovery.retransmitting_since.or_else(|| self.board.head().map(|head| head.first_sent));
                self.tried_enough(since, retries, now)
            }
        };
        if over {
            self.finish(Reason::TimedOut, now);
            return;
        }
        if !handshake {
            self.enter_loss(now);
        }
        self.timers.timeouts += 1;
        self.recovery.due.set(Due::TIMEOUT);
        self.timers.backoff += 1;
        if self.state != State::SynSent || self.timers.timeouts > self.constants.syn_linear {
            self.timers.backoff -= 1;
            self.back_off();
        }
        self.timers.set(Alarm::Retransmit, self.timers.rto, now);
    }

    /// RACK waited for reordering in vain (Linux `tcp_rack_reo_timeout`).
    fn reordering_over(&mut self, now: Time) {
        let mut news = News::default();
        let before = self.board.in_flight();
        self.detect_losses(now, &mut news);
        if self.board.in_flight() != before {
            if self.phase != Phase::Recovery {
                self.enter_recovery(now);
                if !self.control.get().owns_window() {
                    self.reduce_window(1, news.lost, false);
                }
            }
            self.recovery.due.set(Due::RETRANSMIT);
        }
        if self.timers.alarm != Alarm::Retransmit && self.timers.alarm != Alarm::Reorder {
            self.rearm_rto(now);
        }
    }

    /// Nothing is in flight, something waits, and the window does not let it go: set the window probe timer.
    pub(super) fn check_window_probe(&mut self, now: Time) {
        if self.board.is_empty()
            && self.timers.alarm == Alarm::Off
            && self.next < self.written()
            && self.can_send_data()
        {
            let wait = self.window_probe_wait();
            self.timers.set(Alarm::WindowProbe, wait, now);
        }
    }

    fn window_probe_wait(&self) -> Span {
        let base = self.rtt.rto().max(self.constants.rto.floor);
        let wait = base.saturating_mul(1 << self.timers.backoff.min(16));
        wait.min(self.constants.rto.ceiling)
    }

    /// Linux `tcp_probe_timer`.
    fn window_probe_due(&mut self, now: Time) {
        if !self.board.is_empty() || self.next >= self.written() {
            self.timers.window_probes = 0;
            return;
        }
        if self.timers.window_probes >= self.constants.retries {
            self.finish(Reason::TimedOut, now);
            return;
        }
        self.recovery.due.set(Due::WINDOW_PROBE);
        self.timers.window_probes += 1;
        // The peer's answers keep the connection alive, but only an open window ends the backoff.
        self.timers.backoff += 1;
        let wait = self.window_probe_wait();
        self.timers.set(Alarm::WindowProbe, wait, now);
    }

    /// RFC 9293 3.8.4.
    fn keep_alive_due(&mut self, now: Time) {
        let Some((idle, interval, most)) = self.keep_alive else { return };
        let silent = now.since(self.heard);
        if !self.board.is_empty() || silent < idle {
            self.timers.keep_alive_at = if self.board.is_empty() { self.heard + idle } else { now + idle };
            return;
        }
        if self.timers.keep_alive_probes >= most {
            self.abort(now);
            self.events.close(Reason::TimedOut);
            return;
        }
        self.timers.keep_alive_probes += 1;
        self.recovery.due.set(Due::KEEP_ALIVE);
        self.timers.keep_alive_at = now + interval;
    }

    /// Marks of the segment that the handshake has in flight.
    pub(super) const SYN_MARKS: u8 = Marks::SYN;
}
