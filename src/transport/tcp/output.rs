//! What is sent next: control segments, retransmissions, probes, new data, and at last a bare ACK.

use super::connection::{Connection, Departure, Next, State, Transmit};
use super::recovery::Due;
use super::scoreboard::{Marks, Sent};
use super::timers::Alarm;
use crate::base::{BitRate, Span, Time};
use crate::transport::congestion::Phase;
use crate::wire::{Ecn, Flags, Options, SackBlocks, Segment};

impl Connection {
    /// The next segment to be sent; `None` when everything that may be sent has been.
    pub fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        let next = self.poll_next(now)?;
        let mut segment = Segment::default();
        let Departure { first_sent, ecn, .. } = self.write_next(next, now, &mut segment)?;
        Some(Transmit { segment, first_sent, ecn })
    }

    /// What kind of segment is to be sent next, to be written at once by [`Connection::write_next`]; `None` when everything that
    /// may be sent has been. The two together are [`Connection::poll_transmit`] for segments that are made where they are to lie.
    #[expect(clippy::inline_always, reason = "one step of the drain, which makes nearly all segments")]
    #[inline(always)]
    pub fn poll_next(&mut self, now: Time) -> Option<Next> {
        let established = self.state >= State::Established && self.state != State::Closed;
        if self.recovery.due.any() || !established || !self.control_out.is_empty() {
            return Some(Next::Rare);
        }
        // Nothing new to be sent, and the use of the window has been judged: what a receiver finds nearly always.
        let nothing = self.next > self.written() || (self.next == self.written() && !self.fin);
        if !nothing || self.recovery.sent_now > 0 {
            if self.board.in_flight() >= self.window.cwnd {
                self.window_full(now);
            } else if self.recovery.burst_left > 0 && self.fits_whole() {
                return Some(Next::New(self.next_of_burst()));
            } else if let Some(len) = self.next_in_room(now) {
                return Some(Next::New(len));
            }
            self.check_window_probe(now);
        }
        self.acks.now.then_some(Next::Ack)
    }

    /// Whether [`Connection::poll_next`] has nothing to announce: what a receiver that need not acknowledge yet finds.
    #[must_use]
    #[expect(clippy::inline_always, reason = "one step of the way of nearly every segment")]
    #[inline(always)]
    pub fn is_silent(&self) -> bool {
        self.next == self.written()
            && !self.acks.now
            && self.state == State::Established
            && !self.fin
            && self.recovery.sent_now == 0
            && !self.recovery.due.any()
            && self.control_out.is_empty()
    }

    /// Whether an acknowledgment is to go at once.
    #[must_use]
    #[inline]
    pub const fn must_acknowledge(&self) -> bool {
        self.acks.now
    }

    /// Writes the segment that [`Connection::poll_next`] has announced over what `out`, which has no payload, was before. `None` if
    /// it turns out that there is none.
    #[expect(clippy::inline_always, reason = "one step of the drain, which makes nearly all segments")]
    #[inline(always)]
    pub fn write_next(&mut self, next: Next, now: Time, out: &mut Segment) -> Option<Departure> {
        let ecn = match next {
            Next::New(len) => self.send_new(len, now, out),
            Next::Ack => {
                self.bare(Flags::ACK, self.next, now, out);
                self.acks.sent(self.receiver.next, self.constants.delayed_ack_min);
                self.ecn.bare()
            }
            Next::Rare => {
                let Transmit { segment, first_sent, ecn } = self.poll_rare(now)?;
                *out = segment;
                return Some(Departure { first_sent, ecn, len: out.wire_len() });
            }
        };
        // Such segments have no other options than these.
        let header = if self.timestamps { 32 } else { 20 };
        let len = if out.options.sack.is_empty() { header + out.payload.len_u32() } else { out.wire_len() };
        debug_assert_eq!(len, out.wire_len());
        Some(Departure { first_sent: now, ecn, len })
    }

    /// What goes before new data.
    #[inline(never)]
    fn poll_rare(&mut self, now: Time) -> Option<Transmit> {
        if let Some(segment) = self.control_out.pop_front() {
            return Some(self.transmit(segment, now));
        }
        if self.state <= State::SynReceived {
            let handshake = self.poll_handshake(now);
            if handshake.is_some() || !self.opened_fast() || self.board.is_empty() {
                return handshake;
            }
        }
        if self.state == State::Closed {
            return None;
        }
        if self.recovery.due.has(Due::TIMEOUT) {
            self.recovery.due.clear(Due::TIMEOUT);
            if let Some(head) = self.board.head().copied() {
                return Some(self.retransmit(head, now));
            }
        }
        if self.recovery.due.has(Due::KEEP_ALIVE) {
            self.recovery.due.clear(Due::KEEP_ALIVE);
            return Some(self.window_probe(now));
        }
        if self.recovery.due.has(Due::PROBE)
            && let Some(probe) = self.poll_probe(now)
        {
            return Some(probe);
        }
        if self.recovery.due.has(Due::WINDOW_PROBE) {
            return Some(self.poll_window_probe(now));
        }
        if self.recovery.due.has(Due::TRY_NEW) {
            if let Some(data) = self.poll_data(now) {
                return Some(data);
            }
            self.give_up_f_rto();
        }
        if self.recovery.due.has(Due::RETRANSMIT) {
            if let Some(again) = self.poll_retransmission(now) {
                return Some(again);
            }
            if !self.timers.pacing {
                self.recovery.due.clear(Due::RETRANSMIT);
            }
        }
        if let Some(data) = self.poll_data(now) {
            return Some(data);
        }
        self.check_window_probe(now);
        if self.acks.now {
            let ack = self.bare_segment(Flags::ACK, self.next, now);
            self.acks.sent(self.receiver.next, self.constants.delayed_ack_min);
            return Some(self.transmit(ack, now));
        }
        None
    }

    const fn transmit(&self, segment: Segment, first_sent: Time) -> Transmit {
        Transmit { segment, first_sent, ecn: self.ecn.bare() }
    }

    /// SYN or SYN-ACK, first or again.
    fn poll_handshake(&mut self, now: Time) -> Option<Transmit> {
        let first = std::mem::take(&mut self.recovery.syn_due);
        let again = self.recovery.due.take(Due::TIMEOUT);
        if !first && !again {
            // What does not belong to the handshake is answered with what we expect (RFC 9293 3.10.7.4).
            if self.acks.now && self.state == State::SynReceived {
                self.acks.stop();
                let ack = self.bare_segment(Flags::ACK, self.next, now);
                return Some(self.transmit(ack, now));
            }
            return None;
        }
        let answer = self.state == State::SynReceived;
        let first_sent = self.board.head().map_or(now, |head| head.first_sent);
        let fast_open = self.fast_open_option(again);
        let data = if self.board.is_empty() { self.syn_data() } else { 0 };
        if self.board.is_empty() {
            self.board.push(0, 1 + data, Self::SYN_MARKS, now);
            self.next = 1 + data;
            self.timers.set(Alarm::Retransmit, self.timers.rto, now);
        } else {
            self.take_back_syn_data(1);
            self.board.mark_retransmitted(0, now);
            self.recovery.retransmitted(now);
        }
        let now_offered = (self.timestamps, self.sack, self.scaling.then_some(self.receiver.scale));
        let (timestamps, sack_permitted, window_scale) = self.crossed.unwrap_or(now_offered);
        let mut segment = Segment {
            src_port: self.local_port,
            dst_port: self.remote_port,
            seq: self.iss,
            flags: Flags::SYN,
            window: self.receiver.offer_unscaled(),
            options: Options {
                mss: Some(u16::try_from(self.own_mss).unwrap_or(u16::MAX)),
                window_scale,
                sack_permitted,
                timestamps: timestamps.then(|| (self.clock(now), self.ts_recent)),
                fast_open,
                ..Options::default()
            },
            payload: self.buffer.slice(0, data),
            ..Segment::default()
        };
        if answer {
            segment.flags = Flags::SYN | Flags::ACK | self.ecn.syn_ack_flags();
            segment.ack = self.receiver.seq(self.receiver.next);
        } else {
            segment.flags = Flags::SYN | self.ecn.syn_flags(again);
        }
        Some(self.transmit(segment, first_sent))
    }

    /// The timestamp clock: milliseconds, as Linux counts them, from one.
    #[expect(clippy::cast_possible_truncation, reason = "timestamps count modulo 2^32")]
    #[expect(clippy::unused_self, reason = "a connection's clock is its own to define")]
    pub(super) const fn clock(&self, now: Time) -> u32 {
        (now.as_nanos() / 1_000_000) as u32 + 1
    }

    /// A segment without payload at `offset`.
    #[inline(never)]
    pub(super) fn bare_segment(&mut self, flags: Flags, offset: u64, now: Time) -> Segment {
        let mut segment = Segment::default();
        self.bare(flags, offset, now, &mut segment);
        segment
    }

    /// Writes a segment without payload at `offset`; `out` has none.
    #[expect(clippy::inline_always, reason = "one step of the drain, which makes nearly all segments")]
    #[inline(always)]
    fn bare(&mut self, flags: Flags, offset: u64, now: Time, out: &mut Segment) {
        out.src_port = self.local_port;
        out.dst_port = self.remote_port;
        out.seq = self.seq(offset);
        out.ack = self.receiver.seq(self.receiver.next);
        out.flags = flags | self.ecn.echo();
        out.window = self.receiver.offer();
        let timestamps = if self.timestamps { Some((self.clock(now), self.ts_recent)) } else { None };
        out.options.hold_only(timestamps);
        if self.sack && self.receiver.has_blocks() {
            out.options.sack = self.receiver.sack_blocks(if self.timestamps { 3 } else { 4 });
        }
    }

    /// A segment with the bytes of offsets `start..end`, FIN included if it lies there.
    #[inline(never)]
    fn segment(&mut self, start: u64, end: u64, now: Time) -> Segment {
        let mut segment = Segment::default();
        self.write_segment(start, end, now, &mut segment);
        segment
    }

    #[expect(clippy::inline_always, reason = "one step of the drain, which makes nearly all segments")]
    #[inline(always)]
    fn write_segment(&mut self, start: u64, end: u64, now: Time, out: &mut Segment) {
        let data_end = end.min(self.written());
        let mut flags = Flags::ACK;
        if end > data_end {
            flags = flags | Flags::FIN;
        }
        if data_end == self.written() && data_end > start {
            flags = flags | Flags::PSH;
        }
        self.bare(flags, start, now, out);
        self.buffer.slice_into(start - self.buffer_start, data_end - start, &mut out.payload);
        if !out.options.sack.is_empty() {
            // What is sent again was cut before there were blocks to report: they wait where both do not fit.
            let most = self.mss + if self.timestamps { 12 } else { 0 };
            if out.payload.len() + u64::from(out.options.len()) > u64::from(most) {
                out.options.sack = SackBlocks::none();
            }
        }
        self.acks.sent(self.receiver.next, self.constants.delayed_ack_min);
    }

    fn retransmit(&mut self, sent: Sent, now: Time) -> Transmit {
        let sent = self.board.collapse(sent.start, u64::from(self.mss)).unwrap_or(sent);
        if !self.sack {
            // Fewer segments can have caused fewer duplicates (Linux `tcp_adjust_pcount`).
            self.board.limit_duplicates();
        }
        self.board.mark_retransmitted(sent.start, now);
        self.recovery.retransmitted(now);
        self.recovery.last_sent = now;
        self.pace(sent.end - sent.start, now);
        let start = sent.start.max(self.una);
        let segment = self.segment(start, sent.end, now);
        self.transmit(segment, sent.first_sent)
    }

    /// A tail loss probe is no repair: neither recovery nor the flight counts it (Linux `__tcp_retransmit_skb`).
    fn retransmit_as_probe(&mut self, sent: Sent, now: Time) -> Transmit {
        self.board.mark_probed(sent.start, now);
        self.recovery.last_sent = now;
        self.pace(sent.end - sent.start, now);
        let segment = self.segment(sent.start.max(self.una), sent.end, now);
        self.transmit(segment, sent.first_sent)
    }

    /// Linux `tcp_xmit_retransmit_queue`.
    fn poll_retransmission(&mut self, now: Time) -> Option<Transmit> {
        if self.board.in_flight() >= self.window.cwnd {
            return None;
        }
        let lost = self.board.next_lost()?;
        if self.wait_for_pace(now) {
            return None;
        }
        let is_head = self.board.head().is_some_and(|head| head.start == lost.start);
        if self.reducing() {
            self.recovery.prr_out += 1;
        }
        let transmit = self.retransmit(lost, now);
        if is_head && self.timers.alarm != Alarm::Reorder {
            self.rearm_rto(now);
        }
        Some(transmit)
    }

    /// Whether data and FIN may still be sent.
    pub(super) fn can_send_data(&self) -> bool {
        (self.state == State::SynReceived && self.opened_fast())
            || matches!(
                self.state,
                State::Established | State::CloseWait | State::FinWait1 | State::Closing | State::LastAck
            )
    }

    /// Bytes of the next segment if the window and Nagle let it go; FIN is not counted.
    fn next_data(&self, forced: bool) -> Option<u64> {
        let waiting = self.written().saturating_sub(self.next);
        let fin_waits = self.fin && self.next <= self.written();
        if !self.can_send_data() || (waiting == 0 && !fin_waits) {
            return None;
        }
        let mut mss = u64::from(self.mss);
        if self.sack && self.receiver.has_blocks() {
            mss -= 28;
        }
        let len = waiting.min(mss);
        if self.next + len > self.una + self.peer_window {
            return None;
        }
        let partial = len < mss && !(self.fin && waiting <= len);
        if partial && !forced {
            // Nagle with Minshall's change: one small segment in flight at a time.
            let one_out = self.nagle && !self.board.is_empty() && self.small_end > self.una;
            if one_out || self.next + len > self.held_from {
                return None;
            }
        }
        Some(len)
    }

    /// Whether a segment of full size waits and the peer's window lets it go: what [`Connection::next_data`] says nearly always.
    #[inline]
    fn fits_whole(&self) -> bool {
        let end = self.next + u64::from(self.mss);
        end <= self.written()
            && end <= self.una + self.peer_window
            && self.can_send_data()
            && !(self.sack && self.receiver.has_blocks())
    }

    /// Whether another segment may follow at once.
    #[expect(clippy::inline_always, reason = "one step of the way of nearly every segment")]
    #[inline(always)]
    fn has_more(&self) -> bool {
        self.board.in_flight() < self.window.cwnd && (self.fits_whole() || self.next_data(false).is_some())
    }

    /// Counts another whole segment of the present burst: what [`Connection::next_new`] comes to in the middle of one.
    #[inline]
    fn next_of_burst(&mut self) -> u64 {
        self.recovery.burst_left -= 1;
        if self.reducing() {
            self.recovery.prr_out += 1;
        }
        self.recovery.sent_now += 1;
        u64::from(self.mss)
    }

    /// New data, or FIN alone.
    fn poll_data(&mut self, now: Time) -> Option<Transmit> {
        self.next_new(now).map(|len| self.sent_new(len, now))
    }

    /// Bytes of the next new segment, which is to go now (Linux `tcp_write_xmit`).
    #[inline(never)]
    fn next_new(&mut self, now: Time) -> Option<u64> {
        let nothing = self.next > self.written() || (self.next == self.written() && !self.fin);
        if nothing && self.recovery.sent_now == 0 {
            // As in Linux, the use of the window is judged only when there is something to send.
            return None;
        }
        if self.board.in_flight() >= self.window.cwnd {
            self.sending_over(true, now);
            return None;
        }
        self.next_in_room(now)
    }

    /// The same where there is something to be sent, or has been just now, and room in the window.
    #[inline(never)]
    fn next_in_room(&mut self, now: Time) -> Option<u64> {
        let Some(len) = self.next_data(false) else {
            self.sending_over(false, now);
            return None;
        };
        if self.recovery.burst_left == 0 && self.wait_for_pace(now) {
            self.sending_over(false, now);
            return None;
        }
        if self.gathers(len, now) {
            self.sending_over(true, now);
            return None;
        }
        if self.reducing() {
            self.recovery.prr_out += 1;
        }
        self.recovery.sent_now += 1;
        Some(len)
    }

    /// Whether an unpaced sender waits for room for a whole burst, because acknowledgments that make it will come soon (Linux
    /// `tcp_tso_should_defer`): at the end of a round, a few segments that the window allows go with the next one.
    fn gathers(&mut self, len: u64, now: Time) -> bool {
        let mss = u64::from(self.mss);
        if self.recovery.burst_left > 0 {
            self.recovery.burst_left -= 1;
            return false;
        }
        let waiting = self.written() - self.next;
        if len < mss || waiting <= mss {
            return false;
        }
        let room = u64::from(self.window.cwnd - self.board.in_flight());
        let offered = self.una + self.peer_window - self.next;
        let limit = offered.min(room * mss);
        let burst = u64::from(self.burst());
        let small = limit < burst * mss && limit < waiting;
        let defer = small && self.phase < Phase::Recovery && self.room_comes_soon(limit, now);
        if !defer {
            self.recovery.burst_left =
                u32::try_from((limit.min(waiting) / mss).min(burst)).unwrap_or(1).saturating_sub(1);
        }
        defer
    }

    /// Whether more room than `limit` bytes is about to come: the round trip of the head is half over, sending has not paused, and
    /// the window is worth the wait.
    fn room_comes_soon(&self, limit: u64, now: Time) -> bool {
        let paced = self.may_pace && self.control.pacing_rate().is_some();
        let third = self.peer_window.min(u64::from(self.window.cwnd) * u64::from(self.mss)) / 3;
        let recent = now.since(self.recovery.last_sent) <= Span::from_millis(1);
        let soon = self.board.head().is_some_and(|head| now.since(head.sent) >= self.rtt.srtt() / 2);
        !paced && recent && soon && limit < third
    }

    /// Segments that leave together, a millisecond's worth but at least two (one if paced below 1.2 Mbit/s): at the pacing rate, or
    /// at twice the window a round trip in slow start and 1.2 times the window near its end and after (Linux
    /// `tcp_tso_autosize`, `tcp_update_pacing_rate`).
    fn burst(&mut self) -> u32 {
        let mss = u64::from(self.mss);
        let (rate, least) = if self.may_pace
            && let Some(rate) = self.control.pacing_rate()
        {
            (rate.as_bps() / 8, if rate.as_bps() < 1_200_000 { 1 } else { 2 })
        } else {
            (self.window_rate(), 2)
        };
        u32::try_from((rate >> 10).min(65_535) / mss).unwrap_or(least).max(least)
    }

    /// Bytes per second at which an unpaced window would be paced (Linux `tcp_update_pacing_rate`).
    fn window_rate(&self) -> u64 {
        let percent = if self.window.cwnd < self.window.ssthresh / 2 { 200 } else { 120 };
        let window = u64::from(self.mss) * u64::from(self.window.cwnd.max(self.board.packets_out()));
        window * percent * 10_000_000 / self.rtt.srtt().as_nanos().max(1)
    }

    /// The rate at which segments leave, if they are paced.
    #[inline]
    fn pacing_rate(&self) -> Option<BitRate> {
        if !self.may_pace {
            return None;
        }
        let own = self.control.pacing_rate();
        if own.is_some() || !self.paces || self.rtt.srtt().is_zero() {
            return own;
        }
        BitRate::from_bps(self.window_rate().saturating_mul(8))
    }

    #[inline(never)]
    fn sent_new(&mut self, len: u64, now: Time) -> Transmit {
        let mut segment = Segment::default();
        let ecn = self.send_new(len, now, &mut segment);
        Transmit { segment, first_sent: now, ecn }
    }

    #[expect(clippy::inline_always, reason = "one step of the drain, which makes nearly all segments")]
    #[inline(always)]
    fn send_new(&mut self, len: u64, now: Time, out: &mut Segment) -> Ecn {
        let start = self.next;
        let fin = self.fin && start + len == self.written();
        let end = start + len + u64::from(fin);
        let idle = self.board.in_flight() == 0;
        if idle {
            let since = self.recovery.last_sent;
            self.control.get().on_restart(&mut self.window, now, since);
        }
        let mut marks = Self::fin_marks(fin);
        if self.app_limited_until > 0 {
            marks |= Marks::APP_LIMITED;
        }
        let first = self.board.is_empty();
        self.board.push(start, end, marks, now);
        self.next = end;
        if len < u64::from(self.mss) && len > 0 {
            self.small_end = end;
        }
        self.recovery.last_sent = now;
        self.data_sent(now);
        self.pace(len, now);
        if first || self.timers.alarm == Alarm::Probe {
            self.rearm_rto(now);
        }
        self.write_segment(start, end, now, out);
        if self.recovery.sent_now > 1 && !self.has_more() {
            // Linux sends bursts as units with PSH on the last segment (since 5.5), so that receivers do not wait for more.
            out.flags = out.flags | Flags::PSH;
        }
        self.enable_marks(out)
    }

    /// What [`Connection::sending_over`] comes to where the window is full, as after nearly every burst.
    #[expect(clippy::inline_always, reason = "one step of the drain, which makes nearly all segments")]
    #[inline(always)]
    fn window_full(&mut self, now: Time) {
        self.recovery.burst_left = 0;
        let sent = std::mem::take(&mut self.recovery.sent_now);
        self.validate_window(true, now);
        if sent > 0 {
            self.schedule_probe(false, now);
        }
    }

    /// Nothing more can be sent at this instant.
    fn sending_over(&mut self, limited: bool, now: Time) {
        self.recovery.burst_left = 0;
        let sent = std::mem::take(&mut self.recovery.sent_now);
        if sent == 0 && !limited {
            return;
        }
        let limited = limited || self.board.in_flight() >= self.window.cwnd;
        self.validate_window(limited, now);
        if sent > 0 {
            self.schedule_probe(false, now);
        }
    }

    /// A tail loss probe: new data if the window lets it, else the last segment again (RFC 8985 7.3; Linux
    /// `tcp_send_loss_probe`).
    fn poll_probe(&mut self, now: Time) -> Option<Transmit> {
        self.recovery.due.clear(Due::PROBE);
        if self.recovery.probe_high.is_some() || self.board.is_empty() {
            self.rearm_rto(now);
            return None;
        }
        self.recovery.probe_retransmitted = false;
        let transmit = if self.next < self.written()
            && let Some(len) = self.next_data(true)
        {
            self.sent_new(len, now)
        } else {
            let tail = self.board.tail().copied()?;
            self.recovery.probe_retransmitted = true;
            self.retransmit_as_probe(tail, now)
        };
        self.recovery.probe_high = Some(self.next);
        self.timers.off();
        self.rearm_rto(now);
        Some(transmit)
    }

    /// A probe of a closed window: what fits, or an old sequence number that asks for an ACK (Linux `tcp_write_wakeup`).
    fn poll_window_probe(&mut self, now: Time) -> Transmit {
        self.recovery.due.clear(Due::WINDOW_PROBE);
        let room = (self.una + self.peer_window).saturating_sub(self.next);
        let waiting = self.written().saturating_sub(self.next);
        if room > 0 && waiting > 0 {
            let len = room.min(waiting).min(u64::from(self.mss));
            self.timers.window_probes = 0;
            self.timers.backoff = 0;
            return self.sent_new(len, now);
        }
        self.window_probe(now)
    }

    /// A segment whose sequence number has been acknowledged: the peer must answer.
    fn window_probe(&mut self, now: Time) -> Transmit {
        let probe = self.bare_segment(Flags::ACK, self.una.saturating_sub(1), now);
        self.transmit(probe, now)
    }

    /// Whether pacing holds the next segment back; if so, the machine wants to be woken.
    fn wait_for_pace(&mut self, now: Time) -> bool {
        if self.timers.pace_until <= now || self.pacing_rate().is_none() {
            return false;
        }
        self.timers.pacing = true;
        true
    }

    /// A segment has gone: the next may follow at the pacing rate.
    #[inline]
    fn pace(&mut self, len: u64, now: Time) {
        if let Some(rate) = self.pacing_rate() {
            self.pace_at(rate, len, now);
        }
    }

    #[inline(never)]
    fn pace_at(&mut self, rate: BitRate, len: u64, now: Time) {
        // Linux does not pace the first ten segments of a connection.
        if self.next < 10 * u64::from(self.mss) {
            return;
        }
        // Linux paces what is on the wire, headers included, and makes up for a late departure by up to half a gap
        // (`tcp_update_skb_after_send`).
        let header = if self.timestamps { 52 } else { 40 };
        let gap: Span = rate.time_for(len + header);
        let late = now.since(self.timers.pace_until).min(gap / 2);
        self.timers.pace_until = self.timers.pace_until.max(now) + gap.saturating_sub(late);
    }
}
