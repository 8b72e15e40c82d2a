//! When to acknowledge: at once, every second segment, or a little later in the hope of riding on data.
//!
//! As Linux does it (`tcp_input.c`, `tcp_timer.c`): quick acknowledgments at the start, an adaptive delay after, and an interactive
//! ("pingpong") mode in which answers carry the acknowledgments.

use super::connection::Connection;
use super::signals::State;
use crate::base::{Span, Time};

/// The state of the acknowledging half.
#[derive(Debug)]
pub(super) struct Acks {
    /// An ACK is owed.
    pub(super) owed: bool,
    /// It is to be sent at once.
    pub(super) now: bool,
    /// Delayed until.
    pub(super) deadline: Time,
    /// Adaptive delay (Linux `ato`); zero before the first data.
    ato: Span,
    /// Segments still to be acknowledged at once.
    quick: u32,
    /// Answers are expected to carry ACKs.
    pub(super) interactive: bool,
    /// When data last came, and when it was last sent.
    pub(super) last_received: Time,
    /// Their segment size, as seen.
    pub(super) peer_mss: u64,
    last_small: u64,
    /// A pushed or small segment waits to be read; twice if a second came.
    pushed: u8,
    /// Offset up to which the peer has been acknowledged.
    pub(super) acked: u64,
}

impl Acks {
    pub(super) fn new(now: Time) -> Self {
        Self {
            owed: false,
            now: false,
            deadline: Time::NEVER,
            ato: Span::ZERO,
            quick: 0,
            interactive: false,
            last_received: now,
            peer_mss: 536,
            last_small: 0,
            pushed: 0,
            acked: 0,
        }
    }

    pub(super) fn stop(&mut self) {
        self.owed = false;
        self.now = false;
        self.deadline = Time::NEVER;
    }

    fn at_once(&self) -> bool {
        self.quick > 0 && !self.interactive
    }

    /// An ACK has been sent, alone or with data.
    #[inline]
    pub(super) fn sent(&mut self, next: u64, minimum: Span) {
        if self.owed || self.now {
            if self.quick > 0 {
                self.quick -= 1;
                if self.quick == 0 {
                    self.ato = minimum;
                }
            }
            self.owed = false;
            self.now = false;
            self.pushed = 0;
            self.deadline = Time::NEVER;
        }
        self.acked = next;
    }
}

impl Connection {
    /// Acknowledge the next segments at once (Linux `tcp_enter_quickack_mode`).
    #[inline(never)]
    pub(super) fn quick_acks(&mut self) {
        let most = self.constants.quick_acks;
        let window = u32::try_from(self.receiver.window() / (2 * self.acks.peer_mss)).unwrap_or(u32::MAX);
        self.acks.quick = self.acks.quick.max(window.max(2).min(most));
    }

    pub(super) fn enter_quick_acks(&mut self) {
        self.quick_acks();
        self.acks.interactive = false;
        self.acks.ato = self.constants.delayed_ack_min;
    }

    /// The same for so many ACKs.
    pub(super) fn enter_quick_acks_for(&mut self, count: u32) {
        self.acks.quick = self.acks.quick.max(count);
        self.acks.interactive = false;
        self.acks.ato = self.constants.delayed_ack_min;
    }

    /// Data of `len` payload bytes has come in order (Linux `tcp_event_data_recv`).
    #[expect(clippy::inline_always, reason = "one step of the way of nearly every segment")]
    #[inline(always)]
    pub(super) fn data_received(&mut self, len: u64, pushed: bool, now: Time) {
        self.acks.owed = true;
        self.measure_peer_mss(len, pushed);
        let minimum = self.constants.delayed_ack_min;
        if self.acks.ato.is_zero() {
            self.quick_acks();
            self.acks.ato = minimum;
        } else {
            let gap = now.since(self.acks.last_received);
            if gap <= minimum / 2 {
                self.acks.ato = self.acks.ato / 2 + minimum / 2;
            } else if gap < self.acks.ato {
                self.acks.ato = (self.acks.ato / 2 + gap).min(self.timers.rto);
            } else if gap > self.timers.rto {
                self.quick_acks();
            }
        }
        self.acks.last_received = now;
        self.grow_window(len);
    }

    /// As long as the offered window grows, its sender should know of each step (Linux `tcp_grow_window`).
    #[inline]
    pub(super) fn grow_window(&mut self, len: u64) {
        if self.receiver.grow(len) && self.constants.quick_acks > 0 {
            self.acks.quick |= 1;
        }
    }

    /// Linux `tcp_measure_rcv_mss`.
    #[expect(clippy::inline_always, reason = "one step of the way of nearly every segment")]
    #[inline(always)]
    pub(super) fn measure_peer_mss(&mut self, len: u64, pushed: bool) {
        let acks = &mut self.acks;
        if len >= acks.peer_mss {
            if len > acks.peer_mss {
                self.receiver.measure(len);
            }
            acks.peer_mss = len.min(u64::from(self.own_mss));
            if pushed {
                acks.pushed = acks.pushed.max(1);
            }
            return;
        }
        if len >= 536 {
            if len == acks.last_small {
                acks.peer_mss = len;
                return;
            }
            acks.last_small = len;
        }
        acks.pushed = if acks.pushed > 0 { 2 } else { 1 };
    }

    /// Data has been sent (Linux `tcp_event_data_sent`): an answer soon after data makes the connection interactive.
    #[inline]
    pub(super) fn data_sent(&mut self, now: Time) {
        if now.since(self.acks.last_received) < self.acks.ato {
            self.acks.interactive = true;
        }
    }

    /// After a segment has been dealt with: acknowledge now, later or not (Linux `__tcp_ack_snd_check`).
    #[expect(clippy::inline_always, reason = "one step of the way of nearly every segment")]
    #[inline(always)]
    pub(super) fn check_ack(&mut self, now: Time) {
        if !self.acks.owed || self.acks.now {
            return;
        }
        let unacked = self.receiver.next - self.acks.acked;
        let window_moves = || self.receiver.unread() == 0 || self.receiver.select() >= self.receiver.window();
        if (unacked > self.acks.peer_mss && window_moves()) || self.acks.at_once() || self.receiver.has_holes() {
            self.acks.now = true;
            return;
        }
        self.delay_ack(now);
    }

    /// Linux `tcp_send_delayed_ack`.
    #[inline(never)]
    fn delay_ack(&mut self, now: Time) {
        let minimum = self.constants.delayed_ack_min;
        if self.acks.ato.is_zero() {
            // A FIN before any data: no delay has been measured, and Linux waits for none.
            self.acks.now = true;
            return;
        }
        let mut ato = self.acks.ato.max(minimum);
        if ato > minimum {
            let mut most = Span::from_millis(500);
            if self.acks.interactive || self.acks.pushed > 0 {
                most = self.constants.delayed_ack_max;
            }
            let srtt = self.rtt.srtt();
            if !srtt.is_zero() {
                most = most.min(srtt.max(minimum));
            }
            ato = ato.min(most);
        }
        let deadline = self.timers.expiry(ato.min(self.constants.delayed_ack_max), now);
        if self.acks.deadline != Time::NEVER && self.acks.deadline <= now + ato / 4 {
            self.acks.now = true;
            return;
        }
        self.acks.deadline = self.acks.deadline.min(deadline);
    }

    /// The delay is over (Linux `tcp_delack_timer_handler`).
    pub(super) fn delayed_ack_due(&mut self) {
        self.acks.deadline = Time::NEVER;
        if !self.acks.owed {
            return;
        }
        if self.acks.interactive {
            self.acks.interactive = false;
            self.acks.ato = self.constants.delayed_ack_min;
        } else {
            self.acks.ato = (self.acks.ato * 2).min(self.timers.rto);
        }
        self.acks.now = true;
    }

    /// A program has read (Linux `tcp_cleanup_rbuf`).
    #[expect(clippy::inline_always, reason = "one step of the way of nearly every segment")]
    #[inline(always)]
    pub(super) fn ack_after_read(&mut self) {
        if self.state == State::Closed {
            return;
        }
        let acks = &self.acks;
        let two_segments = self.receiver.next - acks.acked > acks.peer_mss;
        let drained = self.receiver.unread() == 0 && (acks.pushed > 1 || (acks.pushed > 0 && !acks.interactive));
        if (acks.owed && (two_segments || drained)) || self.receiver.opened_much() {
            self.acks.owed = true;
            self.acks.now = true;
        }
    }
}
