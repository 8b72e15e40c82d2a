//! A segment arrives (RFC 9293 3.10.7, RFC 5961, RFC 7323).

use super::connection::Connection;
use super::receive::arrival_of;
use super::scoreboard::{News, Rating};
use super::signals::{Events, Reason, State};
use super::timers::Alarm;
use crate::base::{Span, Time};
use crate::wire::{Ecn, FastOpen, Flags, Segment, Transit};

impl Connection {
    /// Takes in a segment whose packet came by the way `transit` with these ECN bits. What of its payload
    /// is of use is taken out of it.
    #[expect(clippy::inline_always, reason = "one step of the way of nearly every segment")]
    #[inline(always)]
    pub fn handle_segment(&mut self, segment: &mut Segment, transit: &Transit, ecn: Ecn, now: Time) {
        self.heard = now;
        self.timers.keep_alive_probes = 0;
        if !self.take_predicted(segment, transit, now) {
            self.handle_in_state(segment, transit, ecn, now);
        }
    }

    #[inline(never)]
    fn handle_in_state(&mut self, segment: &mut Segment, transit: &Transit, ecn: Ecn, now: Time) {
        self.calm = false;
        self.ecn.arrive(ecn, segment.flags);
        match self.state {
            State::Closed => {}
            State::SynSent => self.in_syn_sent(segment, transit, now),
            State::TimeWait => self.in_time_wait(segment, now),
            _ => self.synchronised(segment, transit, now),
        }
    }

    fn in_syn_sent(&mut self, segment: &mut Segment, transit: &Transit, now: Time) {
        let flags = segment.flags;
        if flags.has(Flags::ACK) {
            let ack = self.offset(segment.ack);
            if ack <= 0 || ack > self.next.cast_signed() {
                if self.timers.timeouts == 0 && self.constants.probe_slack > Span::ZERO {
                    // Perhaps it answers an earlier connection: Linux sends the SYN again soon (`TCP_TIMEOUT_MIN`).
                    self.timers.set(Alarm::Retransmit, self.constants.probe_slack, now);
                }
                if !flags.has(Flags::RST) {
                    let reset = Segment {
                        src_port: self.local_port,
                        dst_port: self.remote_port,
                        seq: segment.ack,
                        flags: Flags::RST,
                        ..Segment::default()
                    };
                    self.control_out.push_back(reset);
                }
                return;
            }
            if flags.has(Flags::RST) {
                self.finish(Reason::Refused, now);
                return;
            }
        }
        if flags.has(Flags::RST) || !flags.has(Flags::SYN) {
            return;
        }
        let offered = (self.timestamps, self.sack, self.scaling.then_some(self.receiver.scale));
        self.take_syn(segment);
        if !flags.has(Flags::ACK) {
            // Simultaneous open (RFC 9293 3.5, figure 8).
            self.crossed = Some(offered);
            self.take_back_syn_data(1);
            self.state = State::SynReceived;
            self.ecn.take_crossing_syn(flags);
            self.recovery.syn_due = true;
            return;
        }
        let ack = self.offset(segment.ack).cast_unsigned();
        self.syn_data_taken = ack > 1;
        self.take_back_syn_data(ack);
        self.state = State::Established;
        self.ecn.take_syn_ack(flags);
        if let FastOpen::Cookie(cookie) = segment.options.fast_open {
            self.cookie = Some(cookie);
        }
        self.echo = self.timestamps.then(|| segment.options.timestamps.map(|stamps| stamps.1)).flatten();
        self.acknowledged_syn(segment, ack, now);
        // The ACK of the SYN-ACK goes at once, with data if there is some.
        self.acks.owed = true;
        self.acks.now = true;
        self.take_data(segment, transit, now);
    }

    /// Our SYN is acknowledged, perhaps with data that it carried: the connection is established.
    fn acknowledged_syn(&mut self, segment: &Segment, ack: u64, now: Time) {
        let mut news = News::default();
        let mut rating = Rating::default();
        self.una = ack;
        self.board.acknowledge(ack, (0, 0), None, now, (&mut news, &mut rating));
        self.update_rtt(&news, segment, now);
        self.drop_acknowledged();
        self.timers.off();
        if !self.board.is_empty() {
            // What a server sent before the handshake was over.
            self.rearm_rto(now);
        }
        self.timers.timeouts = 0;
        self.recovery.retransmitting_since = None;
        self.recovery.full_at = now;
        self.acks.last_received = now;
        let (window, srtt, mss) = (&mut self.window, self.rtt.srtt(), self.mss);
        self.control.get().init(window, now, srtt, mss);
        if !self.opened_fast() {
            self.events.raise(Events::CONNECTED);
        }
        if let Some((idle, ..)) = self.keep_alive {
            self.timers.keep_alive_at = now + idle;
        }
        if self.fin {
            self.state = State::FinWait1;
        }
    }

    /// Whether a SYN may open a connection anew over this one, which is in TIME-WAIT (RFC 9293 3.6.1, RFC 6191): by its
    /// sequence number or its timestamp it is no old one.
    #[must_use]
    pub fn accepts_reopening(&self, syn: &Segment) -> bool {
        if self.state != State::TimeWait {
            return false;
        }
        let beyond = self.receiver.offset(syn.seq) > self.receiver.next.cast_signed();
        match syn.options.timestamps.filter(|_| self.timestamps) {
            Some((value, _)) => {
                let newer = (value.wrapping_sub(self.ts_recent)).cast_signed();
                newer > 0 || (newer == 0 && beyond)
            }
            None => beyond,
        }
    }

    fn in_time_wait(&mut self, segment: &Segment, now: Time) {
        if segment.flags.has(Flags::RST) {
            if self.receiver.offset(segment.seq) == self.receiver.next.cast_signed() {
                self.finish(Reason::Finished, now);
            }
            return;
        }
        // Linux `tcp_timewait_state_process`: only a bare ACK just where it belongs needs no answer. The wait begins anew, but
        // not for a SYN without ACK, which may be old.
        if segment.flags.has(Flags::ACK) {
            self.timers.linger = now + self.constants.time_wait;
        }
        let bare = segment.seq_len() == 0 && self.receiver.offset(segment.seq) == self.receiver.next.cast_signed();
        if !bare {
            self.acks.owed = true;
            self.acks.now = true;
        }
    }

    /// Everything from SYN-RECEIVED to LAST-ACK.
    fn synchronised(&mut self, segment: &mut Segment, transit: &Transit, now: Time) {
        if !self.acceptable(segment, now) {
            return;
        }
        let start = self.receiver.offset(segment.seq);
        if segment.flags.has(Flags::RST) {
            // RFC 5961 3: only the exact number resets; others in the window are challenged.
            if start == self.receiver.next.cast_signed() {
                // Who opened fast has been told that the connection is there.
                let refused = self.state == State::SynReceived && !self.opened_fast();
                self.finish(if refused { Reason::Refused } else { Reason::Reset }, now);
            } else {
                self.challenge(now);
            }
            return;
        }
        if segment.flags.has(Flags::SYN) {
            if self.state == State::SynReceived && !segment.flags.has(Flags::ACK) && start == 0 {
                // Our SYN-ACK was lost: again (RFC 9293 3.10.7.4 leaves the choice; Linux answers).
                self.recovery.syn_due = true;
                return;
            }
            if !(self.state == State::SynReceived && segment.flags.has(Flags::ACK)) {
                // RFC 5961 4.
                self.challenge(now);
                return;
            }
        }
        if !segment.flags.has(Flags::ACK) {
            return;
        }
        if let Some((value, echo)) = segment.options.timestamps.filter(|_| self.timestamps) {
            self.echo = Some(echo);
            // RFC 7323 4.3: from the segment that contains the last ACK sent, unless that segment is to be dropped for acknowledging
            // what has not been sent.
            if self.offset(segment.ack) <= self.next.cast_signed() && start <= self.acks.acked.cast_signed() {
                self.ts_recent = value;
            }
        } else {
            self.echo = None;
        }
        if self.state == State::SynReceived {
            let ack = self.offset(segment.ack);
            if ack <= 0 || ack > self.next.cast_signed() {
                let reset = Segment {
                    src_port: self.local_port,
                    dst_port: self.remote_port,
                    seq: segment.ack,
                    flags: Flags::RST,
                    ..Segment::default()
                };
                self.control_out.push_back(reset);
                return;
            }
            self.state = State::Established;
            self.acks.acked = self.receiver.next;
            self.acknowledged_syn(segment, 1, now);
            self.update_window(segment, 1);
        }
        if !self.acknowledge(segment, now) {
            return;
        }
        self.after_ack(now);
        self.release_held();
        self.take_data(segment, transit, now);
        self.check_ack(now);
    }

    /// RFC 9293 3.10.7.4 first step, and PAWS (RFC 7323 5.3): answers what is not acceptable itself.
    fn acceptable(&mut self, segment: &Segment, now: Time) -> bool {
        let rst = segment.flags.has(Flags::RST);
        let start = self.receiver.offset(segment.seq);
        let end = start + i64::from(segment.seq_len());
        if let Some((value, _)) = segment.options.timestamps.filter(|_| self.timestamps)
            && !rst
            && (value.wrapping_sub(self.ts_recent)).cast_signed() < 0
            && !segment.flags.has(Flags::SYN)
        {
            // An old pure ACK that was overtaken says nothing and needs no answer.
            let overtaken = segment.seq_len() == 0 && start == self.receiver.next.cast_signed();
            if !overtaken {
                self.answer_old(start, end, now);
                return false;
            }
        }
        let right = (self.receiver.next + self.receiver.window()).cast_signed();
        if end < self.acks.acked.cast_signed() || start > right {
            if rst {
                return false;
            }
            if segment.flags.has(Flags::SYN) && self.state != State::SynReceived {
                self.challenge(now);
                return false;
            }
            if segment.flags.has(Flags::SYN) && start == 0 {
                return true;
            }
            self.answer_old(start, end, now);
            return false;
        }
        if end > right && !rst && self.receiver.readable() > 0 {
            // What extends beyond the window is taken whole where nothing else waits to be read, and otherwise not at all; a FIN just
            // behind the window is taken (Linux `tcp_sequence` since 6.17).
            let fin = i64::from(segment.flags.has(Flags::FIN));
            if end - fin > right {
                self.answer_old(start, end, now);
                return false;
            }
        }
        true
    }

    /// Linux `tcp_send_dupack`: old data is acknowledged again, with a D-SACK.
    fn answer_old(&mut self, start: i64, end: i64, now: Time) {
        let _ = now;
        if end > start && start < self.receiver.next.cast_signed() && start >= 0 {
            self.enter_quick_acks();
            let end = end.min(self.receiver.next.cast_signed());
            self.receiver.set_duplicate(start.cast_unsigned(), end.cast_unsigned());
        }
        self.acks.owed = true;
        self.acks.now = true;
    }

    /// A challenge ACK (RFC 5961). Linux limits their rate per host; lightlag does not.
    pub(super) fn challenge(&mut self, now: Time) {
        let _ = now;
        self.acks.owed = true;
        self.acks.now = true;
    }

    /// Our FIN may have been acknowledged.
    fn after_ack(&mut self, now: Time) {
        if !self.fin || self.una <= self.written() {
            return;
        }
        match self.state {
            State::FinWait1 => {
                self.state = State::FinWait2;
                if self.orphan {
                    self.timers.linger = now + self.constants.fin_wait;
                }
            }
            State::Closing => self.enter_time_wait(now),
            State::LastAck => self.finish(Reason::Finished, now),
            _ => {}
        }
    }

    fn enter_time_wait(&mut self, now: Time) {
        self.state = State::TimeWait;
        self.timers.off();
        self.timers.keep_alive_at = Time::NEVER;
        self.timers.linger = now + self.constants.time_wait;
    }

    /// The data and FIN of an acceptable segment (Linux `tcp_data_queue`).
    fn take_data(&mut self, segment: &mut Segment, transit: &Transit, now: Time) {
        let len = segment.payload.len();
        let fin = segment.flags.has(Flags::FIN);
        if (len == 0 && !fin) || self.state == State::Closed {
            return;
        }
        let syn = u64::from(segment.flags.has(Flags::SYN));
        let start = self.receiver.offset(segment.seq) + syn.cast_signed();
        let end = start + len.cast_signed();
        let open = matches!(self.state, State::Established | State::FinWait1 | State::FinWait2);
        if !open {
            // After their FIN nothing new can come; what was sent again is acknowledged again.
            let end = end + i64::from(fin);
            if end <= self.receiver.next.cast_signed() {
                self.answer_old(start, end, now);
            }
            return;
        }
        self.accept_cwr(segment.flags, len > 0);
        if self.orphan && len > 0 && end > self.receiver.next.cast_signed() {
            // Nobody will read it (RFC 9293 3.10.7.4). As Linux does, the reset answers the segment and acknowledges nothing.
            self.control_out.extend(super::reset_for(segment));
            self.finish(Reason::Aborted, now);
            return;
        }
        if start < 0 {
            return;
        }
        let start = start.cast_unsigned();
        if len > 0 && self.receiver.window() == 0 {
            // The window is closed (a probe): say so.
            self.answer_old(start.cast_signed(), end, now);
            return;
        }
        let payload = std::mem::take(&mut segment.payload);
        let had_holes = self.receiver.reports_holes();
        if fin {
            self.receiver.fin = Some(start + len);
        }
        if len > 0 {
            let pushed = segment.flags.has(Flags::PSH);
            let taken = self.receiver.take(start, payload, arrival_of(transit, now));
            if taken.readable {
                self.data_received(len, pushed, now);
                self.check_mark(now);
                self.events.raise(Events::READABLE);
                if taken.filled {
                    self.acks.now = true;
                }
            } else {
                self.acks.owed = true;
                self.acks.now = true;
                if taken.out_of_order {
                    self.check_mark(now);
                    self.measure_peer_mss(len, pushed);
                    self.grow_window(len);
                } else {
                    self.enter_quick_acks();
                }
            }
        }
        if self.receiver.fin == Some(self.receiver.next) {
            self.take_fin(now);
            // No room for the FIN either, strictly, and the peer should know soon (Linux `ICSK_ACK_NOMEM`).
            self.acks.now |= had_holes || self.receiver.window() == 0;
        } else if fin && len == 0 && self.receiver.fin.is_some_and(|fin| fin < self.receiver.next) {
            self.acks.owed = true;
            self.acks.now = true;
        } else if fin && len == 0 {
            // Above a hole, even a bare FIN is reported.
            self.receiver.report(start, start);
            self.acks.owed = true;
            self.acks.now = true;
        }
    }

    /// Everything up to their FIN has arrived (Linux `tcp_fin`).
    fn take_fin(&mut self, now: Time) {
        self.receiver.take_fin();
        self.acks.owed = true;
        self.events.raise(Events::READABLE);
        match self.state {
            State::Established => {
                self.state = State::CloseWait;
                self.acks.interactive = true;
            }
            State::FinWait1 => {
                self.acks.now = true;
                self.state = State::Closing;
            }
            State::FinWait2 => {
                self.acks.now = true;
                self.enter_time_wait(now);
            }
            _ => {}
        }
    }
}
