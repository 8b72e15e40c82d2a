//! What an ACK means for losses and the window: the alert, recovery, PRR, tail loss probes, F-RTO.
//!
//! The structure is that of Linux `tcp_input.c`; each function names its counterpart.

use super::connection::Connection;
use super::scoreboard::News;
use super::timers::Alarm;
use crate::base::{Span, Time};
use crate::transport::congestion::{INFINITE_SSTHRESH, Phase};

/// What is to be sent before new data, a bit each, so that it takes one comparison to see that there is nothing.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Due(u8);

impl Due {
    /// Retransmissions, until the window is full.
    pub(super) const RETRANSMIT: u8 = 1;
    /// F-RTO sends new data first (RFC 5682 step 2b).
    pub(super) const TRY_NEW: u8 = 2;
    /// The head is to be retransmitted because of a timeout.
    pub(super) const TIMEOUT: u8 = 4;
    /// A tail loss probe.
    pub(super) const PROBE: u8 = 8;
    /// A probe of the peer's window.
    pub(super) const WINDOW_PROBE: u8 = 16;
    /// A keep-alive probe.
    pub(super) const KEEP_ALIVE: u8 = 32;

    #[inline]
    pub(super) const fn any(self) -> bool {
        self.0 != 0
    }

    #[inline]
    pub(super) const fn has(self, what: u8) -> bool {
        self.0 & what != 0
    }

    pub(super) const fn set(&mut self, what: u8) {
        self.0 |= what;
    }

    pub(super) const fn clear(&mut self, what: u8) {
        self.0 &= !what;
    }

    /// Whether it was due, which it is no more.
    pub(super) const fn take(&mut self, what: u8) -> bool {
        let had = self.has(what);
        self.clear(what);
        had
    }
}

/// State of recovery between ACKs, and what is due to be sent for it.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    /// SND.NXT when the present phase began: acknowledged, it ends (Linux `high_seq`).
    pub(super) high: u64,
    pub(super) due: Due,
    /// SYN or SYN-ACK is to be sent for the first time.
    pub(super) syn_due: bool,
    /// F-RTO is looking for signs that the timeout was spurious.
    f_rto: bool,
    /// When this episode first retransmitted.
    pub(super) retransmitting_since: Option<Time>,
    /// SND.UNA when the window was reduced: an undo is possible (Linux `undo_marker`).
    pub(super) undo_from: Option<u64>,
    /// Retransmissions since that no D-SACK has answered; `None` before the first (Linux `undo_retrans` of -1).
    pub(super) undo_retransmitted: Option<u32>,
    /// Threshold and window before the reduction; a threshold of 0 forbids the undo.
    pub(super) prior_ssthresh: u32,
    pub(super) prior_cwnd: u32,
    /// Proportional rate reduction (RFC 6937): delivered and sent in this recovery.
    prr_delivered: u32,
    pub(super) prr_out: u32,
    /// SND.NXT when a tail loss probe was sent, until it is known what became of it.
    pub(super) probe_high: Option<u64>,
    /// The probe was a retransmission.
    pub(super) probe_retransmitted: bool,
    /// Use of the window (RFC 2861, RFC 7661 in Linux's form): whether the window held sending back, the most in flight, and the
    /// offset at which this observation ends.
    window_limited: bool,
    most_out: u32,
    usage_end: u64,
    used: u32,
    pub(super) full_at: Time,
    /// When data was last sent.
    pub(super) last_sent: Time,
    /// New segments sent since the last look at the window.
    pub(super) sent_now: u32,
    /// Segments of the present burst still to send.
    pub(super) burst_left: u32,
}

impl Recovery {
    /// A segment has been retransmitted.
    pub(super) fn retransmitted(&mut self, now: Time) {
        self.retransmitting_since.get_or_insert(now);
        self.undo_retransmitted = Some(self.undo_retransmitted.unwrap_or(0) + 1);
    }

    /// A mark is never a mistake: what was reduced for it stays reduced.
    pub(super) const fn forbid_undo(&mut self) {
        self.prior_ssthresh = 0;
        self.undo_from = None;
    }
}

impl Connection {
    pub(super) fn set_phase(&mut self, phase: Phase, now: Time) {
        if self.phase != phase {
            self.phase = phase;
            self.control.get().on_phase(&mut self.window, phase, now);
        }
    }

    pub(super) const fn reducing(&self) -> bool {
        matches!(self.phase, Phase::Reducing | Phase::Recovery)
    }

    /// Linux `tcp_current_ssthresh`.
    fn current_ssthresh(&self) -> u32 {
        if self.reducing() {
            self.window.ssthresh
        } else {
            self.window.ssthresh.max(self.window.cwnd / 2 + self.window.cwnd / 4)
        }
    }

    /// Marks lost what RACK says is lost and waits for what it doubts (Linux `tcp_rack_mark_lost`). False if nothing waits.
    pub(super) fn detect_losses(&mut self, now: Time, news: &mut News) -> bool {
        let recovering = matches!(self.phase, Phase::Recovery | Phase::Loss);
        let window = self.board.reordering_window(recovering, self.rtt.min(), self.rtt.srtt());
        match self.board.detect_losses(window, now, news) {
            Some(wait) => {
                self.timers.set(Alarm::Reorder, wait + self.constants.probe_slack, now);
                true
            }
            None => false,
        }
    }

    /// Linux `tcp_identify_packet_loss`.
    fn identify_losses(&mut self, news: &mut News, now: Time) {
        if self.board.is_empty() {
            return;
        }
        if !self.sack {
            let duplicates = self.board.sacked_out >= self.board.reordering;
            if (self.phase < Phase::Recovery && duplicates) || (self.phase >= Phase::Recovery && news.advanced) {
                self.board.mark_head_lost(news);
                self.board.limit_duplicates();
            }
        } else if self.rack {
            if std::mem::take(&mut self.board.rack.advanced) && self.detect_losses(now, news) {
                news.rearm = false;
            }
        } else {
            self.board.mark_by_count(news);
        }
    }

    /// Something about an ACK is not plain progress (Linux `tcp_fastretrans_alert`).
    pub(super) fn alert(&mut self, prior_una: u64, duplicate: bool, news: &mut News, now: Time) {
        if self.ecn.echoed {
            self.recovery.prior_ssthresh = 0;
        }
        if self.phase == Phase::Open {
            self.recovery.retransmitting_since = None;
        } else if self.una >= self.recovery.high {
            match self.phase {
                Phase::Reducing if self.una > self.recovery.high => {
                    self.end_reduction();
                    self.set_phase(Phase::Open, now);
                }
                Phase::Recovery => {
                    if !self.sack {
                        self.board.sacked_out = 0;
                    }
                    if self.try_undo_recovery(now) {
                        return;
                    }
                    self.end_reduction();
                }
                _ => {}
            }
        }
        match self.phase {
            Phase::Recovery => {
                if news.advanced {
                    if self.try_undo_partial(now) {
                        return;
                    }
                } else if !self.sack && duplicate {
                    self.count_duplicate(news, now);
                }
                let _ = prior_una;
                if self.try_undo_dsack() {
                    self.try_to_open(now);
                }
                self.identify_losses(news, now);
                if self.phase != Phase::Recovery {
                    if self.board.lost_out == 0 {
                        return;
                    }
                    self.enter_recovery(now);
                }
            }
            Phase::Loss => {
                self.process_loss(duplicate, news, now);
                self.identify_losses(news, now);
                if self.phase != Phase::Open && !news.retransmission_lost {
                    return;
                }
                self.alert_default(duplicate, news, now);
                return;
            }
            _ => {
                self.alert_default(duplicate, news, now);
                return;
            }
        }
        self.recovery.due.set(Due::RETRANSMIT);
    }

    fn alert_default(&mut self, duplicate: bool, news: &mut News, now: Time) {
        if !self.sack {
            if news.advanced {
                self.board.sacked_out = 0;
            }
            if duplicate {
                self.count_duplicate(news, now);
            }
        }
        if self.phase <= Phase::Disorder {
            self.try_undo_dsack();
        }
        self.identify_losses(news, now);
        if self.board.lost_out == 0 {
            self.try_to_open(now);
            return;
        }
        self.enter_recovery(now);
        self.recovery.due.set(Due::RETRANSMIT);
    }

    /// Without SACK each duplicate ACK stands for a segment that has left the network (Linux `tcp_add_reno_sack`).
    fn count_duplicate(&mut self, news: &mut News, now: Time) {
        if self.board.sacked_out + self.board.lost_out + 1 < self.board.packets_out() {
            self.board.sacked_out += 1;
            self.board.delivered += 1;
            self.board.delivered_at = now;
            news.delivered += 1;
        }
    }

    /// Linux `tcp_try_to_open`, `tcp_try_keep_open`.
    pub(super) fn try_to_open(&mut self, now: Time) {
        let retransmitted = self.board.any_retransmitted();
        if !retransmitted {
            self.recovery.retransmitting_since = None;
        }
        if self.ecn.echoed {
            self.reduce_for_mark(now);
        }
        if self.phase == Phase::Reducing {
            return;
        }
        let left = self.board.sacked_out + self.board.lost_out > 0;
        let phase = if left || retransmitted { Phase::Disorder } else { Phase::Open };
        if self.phase != phase {
            self.set_phase(phase, now);
            self.recovery.high = self.next;
        }
    }

    /// Linux `tcp_enter_recovery`.
    pub(super) fn enter_recovery(&mut self, now: Time) {
        self.recovery.prior_ssthresh = 0;
        self.init_undo();
        if !self.reducing() {
            if !self.ecn.echoed {
                self.recovery.prior_ssthresh = self.current_ssthresh();
            }
            self.begin_reduction();
        }
        self.set_phase(Phase::Recovery, now);
    }

    /// Linux `tcp_init_cwnd_reduction`.
    pub(super) fn begin_reduction(&mut self) {
        self.recovery.high = self.next;
        self.recovery.probe_high = None;
        self.recovery.prior_cwnd = self.window.cwnd;
        self.recovery.prr_delivered = 0;
        self.recovery.prr_out = 0;
        self.window.ssthresh = self.control.get().ssthresh(&self.window);
        self.ecn.queue_cwr();
    }

    /// Proportional rate reduction (RFC 6937 and its successor; Linux `tcp_cwnd_reduction`).
    pub(super) fn reduce_window(&mut self, delivered: u32, lost: u32, advanced: bool) {
        let recovery = &mut self.recovery;
        if delivered == 0 || recovery.prior_cwnd == 0 {
            return;
        }
        let in_flight = self.board.in_flight();
        recovery.prr_delivered += delivered;
        let mut send = if in_flight > self.window.ssthresh {
            let due = (u64::from(self.window.ssthresh) * u64::from(recovery.prr_delivered))
                .div_ceil(u64::from(recovery.prior_cwnd));
            u32::try_from(due).unwrap_or(u32::MAX).saturating_sub(recovery.prr_out)
        } else {
            let mut send = recovery.prr_delivered.saturating_sub(recovery.prr_out).max(delivered);
            if advanced && lost == 0 {
                send += 1;
            }
            send.min(self.window.ssthresh - in_flight)
        };
        if recovery.prr_out == 0 {
            send = send.max(1);
        }
        self.window.cwnd = in_flight + send;
    }

    /// Linux `tcp_end_cwnd_reduction`.
    fn end_reduction(&mut self) {
        if self.control.get().owns_window() {
            return;
        }
        let undoable = self.recovery.undo_from.is_some();
        if self.window.ssthresh < INFINITE_SSTHRESH && (self.phase == Phase::Reducing || undoable) {
            self.window.cwnd = self.window.ssthresh;
        }
    }

    /// The retransmission timer has expired (Linux `tcp_enter_loss`).
    pub(super) fn enter_loss(&mut self, now: Time) {
        let fresh = self.phase < Phase::Recovery;
        let mut news = News::default();
        self.board.mark_all_lost((self.sack, self.sack && self.rack), now, &mut news);
        let first = self.phase <= Phase::Disorder
            || self.recovery.high <= self.una
            || (self.phase == Phase::Loss && self.timers.timeouts == 0);
        if first {
            self.recovery.prior_ssthresh = self.current_ssthresh();
            self.recovery.prior_cwnd = self.window.cwnd;
            self.window.ssthresh = self.control.get().ssthresh(&self.window);
            self.init_undo();
        }
        self.window.cwnd = self.board.in_flight() + 1;
        if self.phase <= Phase::Disorder && self.board.sacked_out >= 3 {
            self.board.reordering = self.board.reordering.min(3);
        }
        // Each timeout is told, also one in the middle of another.
        self.phase = Phase::Loss;
        self.control.get().on_phase(&mut self.window, Phase::Loss, now);
        self.recovery.high = self.next;
        self.ecn.queue_cwr();
        self.recovery.probe_high = None;
        self.recovery.f_rto = self.constants.f_rto && (fresh || self.timers.timeouts > 0);
    }

    /// An ACK during recovery from a timeout (Linux `tcp_process_loss`).
    fn process_loss(&mut self, duplicate: bool, news: &mut News, now: Time) {
        let recovered = self.una >= self.recovery.high;
        if news.advanced && self.try_undo_loss(false, now) {
            return;
        }
        if self.recovery.f_rto {
            if news.original_acked && self.try_undo_loss(true, now) {
                return;
            }
            if self.next > self.recovery.high {
                if news.sacked || duplicate {
                    self.recovery.f_rto = false;
                }
            } else if news.advanced && !recovered {
                self.recovery.high = self.next;
                if self.next < self.written() && self.una + self.peer_window > self.next {
                    self.recovery.due.set(Due::TRY_NEW);
                    return;
                }
                self.recovery.f_rto = false;
            }
        }
        if recovered {
            self.try_undo_recovery(now);
            return;
        }
        if !self.sack {
            if self.next > self.recovery.high && duplicate {
                self.count_duplicate(news, now);
            } else if news.advanced {
                self.board.sacked_out = 0;
            }
        }
        self.recovery.due.set(Due::RETRANSMIT);
    }

    /// F-RTO could not send new data: conventional recovery.
    pub(super) fn give_up_f_rto(&mut self) {
        self.recovery.due.clear(Due::TRY_NEW);
        if self.next <= self.recovery.high {
            self.recovery.f_rto = false;
            self.recovery.due.set(Due::RETRANSMIT);
        }
    }

    /// What became of a tail loss probe (RFC 8985 7.4; Linux `tcp_process_tlp_ack`).
    pub(super) fn probe_acknowledged(&mut self, ack: u64, news: &News, pure_duplicate: bool, now: Time) {
        let Some(high) = self.recovery.probe_high else { return };
        if ack < high {
            return;
        }
        if !self.recovery.probe_retransmitted || news.dsack_of_probe {
            self.recovery.probe_high = None;
        } else if ack > high {
            // The probe repaired a loss.
            self.begin_reduction();
            self.set_phase(Phase::Reducing, now);
            self.end_reduction();
            self.phase_after_probe(now);
        } else if pure_duplicate {
            self.recovery.probe_high = None;
        }
    }

    fn phase_after_probe(&mut self, now: Time) {
        let left = self.board.sacked_out + self.board.lost_out > 0 || self.board.any_retransmitted();
        self.set_phase(if left { Phase::Disorder } else { Phase::Open }, now);
        self.recovery.high = self.next;
    }

    /// Whether the window has held sending back of late (Linux `tcp_is_cwnd_limited`).
    pub(super) const fn window_limited(&self) -> bool {
        self.recovery.window_limited || (self.window.in_slow_start() && self.window.cwnd < 2 * self.recovery.most_out)
    }

    /// After sending: was the window what held it back? (Linux `tcp_cwnd_validate`)
    pub(super) fn validate_window(&mut self, limited: bool, now: Time) {
        let out = self.board.packets_out();
        let recovery = &mut self.recovery;
        if self.una >= recovery.usage_end || limited || (!recovery.window_limited && out > recovery.most_out) {
            recovery.window_limited = limited;
            recovery.most_out = out;
            recovery.usage_end = self.next;
        }
        if self.window_limited() {
            self.recovery.used = 0;
            self.recovery.full_at = now;
            return;
        }
        self.recovery.used = self.recovery.used.max(out);
        let idle = now.since(self.recovery.full_at) >= self.timers.rto;
        if self.restarts && idle && !self.control.get().owns_window() {
            self.application_limited(now);
        }
    }

    /// The application has not used the window for a timeout: halfway back to what it used (Linux
    /// `tcp_cwnd_application_limited`).
    fn application_limited(&mut self, now: Time) {
        if self.phase == Phase::Open && self.next >= self.written() {
            let used = self.recovery.used.max(self.constants.initial_window);
            if used < self.window.cwnd {
                self.window.ssthresh = self.current_ssthresh();
                self.window.cwnd = self.window.cwnd.midpoint(used);
            }
            self.recovery.used = 0;
        }
        self.recovery.full_at = now;
    }

    /// A program writes after a pause (RFC 5681 4.1; Linux `tcp_cwnd_restart`).
    pub(super) fn restart_after_idle(&mut self, now: Time) {
        if !self.restarts || !self.board.is_empty() || self.control.get().owns_window() {
            return;
        }
        let rto = self.timers.rto;
        let mut idle = now.since(self.recovery.last_sent);
        if idle <= rto || self.recovery.last_sent == Time::ZERO {
            return;
        }
        self.window.ssthresh = self.current_ssthresh();
        let floor = self.constants.initial_window.min(self.window.cwnd);
        while idle > rto && self.window.cwnd > floor {
            idle = idle.saturating_sub(rto);
            if idle > Span::ZERO {
                self.window.cwnd >>= 1;
            }
        }
        self.window.cwnd = self.window.cwnd.max(floor);
        self.recovery.full_at = now;
        self.recovery.used = 0;
    }
}
