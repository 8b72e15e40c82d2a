//! A reduction that turns out to have been a mistake is taken back: by timestamps (RFC 3522) and by D-SACK (RFC 3708).

use super::connection::Connection;
use super::scoreboard::News;
use crate::base::Time;
use crate::transport::congestion::Phase;

impl Connection {
    pub(super) fn init_undo(&mut self) {
        self.recovery.undo_from = Some(self.una);
        let probe = self.recovery.probe_high.is_some() && self.recovery.probe_retransmitted;
        let out = self.board.retrans_out + u32::from(probe);
        self.recovery.undo_retransmitted = (out > 0).then_some(out);
    }

    /// Whether the original, not the retransmission, was delivered: the echoed timestamp is older than the first retransmission
    /// (RFC 3522; Linux `tcp_packet_delayed`).
    pub(super) fn was_delayed(&self) -> bool {
        match self.recovery.retransmitting_since {
            None => true,
            Some(since) => self.echo.is_some_and(|echo| (echo.wrapping_sub(self.clock(since))).cast_signed() < 0),
        }
    }

    pub(super) fn may_undo(&self) -> bool {
        self.recovery.undo_from.is_some() && (self.recovery.undo_retransmitted == Some(0) || self.was_delayed())
    }

    /// Linux `tcp_undo_cwnd_reduction`.
    pub(super) fn undo(&mut self, unmark: bool) {
        if unmark {
            self.board.unmark_lost();
        }
        let recovery = &mut self.recovery;
        if recovery.prior_ssthresh > 0 {
            self.window.cwnd = self.control.get().undo(&self.window, recovery.prior_cwnd);
            if recovery.prior_ssthresh > self.window.ssthresh {
                self.window.ssthresh = recovery.prior_ssthresh;
                self.ecn.withdraw_cwr();
            }
        }
        recovery.undo_from = None;
        self.board.rack.advanced = true;
    }

    /// Linux `tcp_try_undo_recovery`; true if the phase must stay because a receiver without SACK may still send duplicates.
    pub(super) fn try_undo_recovery(&mut self, now: Time) -> bool {
        if self.may_undo() {
            self.undo(false);
        } else if self.board.rack.persist > 0 {
            self.board.rack.persist -= 1;
        }
        if !self.sack && self.una == self.recovery.high {
            // RFC 6582 3.2 "impatient": hold the phase until something above is acknowledged.
            if !self.board.any_retransmitted() {
                self.recovery.retransmitting_since = None;
            }
            return true;
        }
        self.set_phase(Phase::Open, now);
        false
    }

    /// Linux `tcp_try_undo_partial`.
    pub(super) fn try_undo_partial(&mut self, now: Time) -> bool {
        if self.recovery.undo_from.is_none() || !self.was_delayed() {
            return false;
        }
        self.board.reorderings += 1;
        if self.board.retrans_out > 0 {
            return true;
        }
        if !self.board.any_retransmitted() {
            self.recovery.retransmitting_since = None;
        }
        self.undo(true);
        self.try_to_open(now);
        false
    }

    /// Linux `tcp_try_undo_dsack`: every retransmission was answered by a D-SACK (RFC 3708).
    pub(super) fn try_undo_dsack(&mut self) -> bool {
        if self.recovery.undo_from.is_none() || self.recovery.undo_retransmitted != Some(0) {
            return false;
        }
        self.board.rack.persist = (self.board.rack.persist + 1).min(super::scoreboard::RACK_PERSIST);
        self.undo(false);
        true
    }

    /// Linux `tcp_try_undo_loss`.
    pub(super) fn try_undo_loss(&mut self, spurious: bool, now: Time) -> bool {
        if !spurious && !self.may_undo() {
            return false;
        }
        self.undo(true);
        self.timers.timeouts = 0;
        if spurious || self.sack {
            self.set_phase(Phase::Open, now);
        }
        true
    }

    /// A D-SACK for `start..end` has come (Linux `tcp_check_dsack`, `tcp_dsack_seen`).
    pub(super) fn note_dsack(&mut self, start: u64, end: u64, news: &mut News) {
        let of_probe = self.recovery.probe_high == Some(end);
        self.board.dsacks += (end - start).div_ceil(u64::from(self.mss)).max(1);
        if self.board.dsacks > self.board.retransmitted {
            return;
        }
        if of_probe {
            news.dsack_of_probe = true;
        } else if self.board.reorderings > 0 {
            self.board.rack.dsack_seen = true;
        }
        news.dsack = true;
        news.delivered += 1;
        if let Some(left) = &mut self.recovery.undo_retransmitted
            && self.recovery.undo_from.is_some_and(|from| end > from)
        {
            *left = left.saturating_sub(1);
        }
        if start >= self.una {
            self.board.clear_retransmitted(start);
        }
    }
}
