//! What is sent next: control segments, retransmissions, probes, new data, and at last a bare ACK.

use super::connection::Connection;
use super::recovery::Due;
use super::scoreboard::{Marks, Sent};
use super::signals::{Departure, Next, State, Transmit};
use super::timers::Alarm;
use crate::base::Time;
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
        if !self.calm && self.is_rare() {
            return Some(Next::Rare);
        }
        // Nothing new to be sent, and the use of the window has been judged: what a receiver finds nearly always.
        let nothing = self.next > self.written() || (self.next == self.written() && !self.fin);
        if !nothing || self.recovery.sent_now > 0 {
            if self.in_flight() >= self.window.cwnd {
                self.window_full(now);
            } else if (self.recovery.burst_left > 0 || (self.calm && !self.may_pace)) && self.fits_whole() {
                if self.recovery.burst_left > 0 {
                    return Some(Next::New(self.next_of_burst()));
                }
                if self.begin_burst(now) {
                    return Some(Next::New(u64::from(self.mss)));
                }
            } else if let Some(len) = self.next_in_room(now) {
                return Some(Next::New(len));
            }
            self.check_window_probe(now);
        }
        self.acks.now.then_some(Next::Ack)
    }

    /// Whether something goes before new data.
    fn is_rare(&self) -> bool {
        let established = self.state >= State::Established && self.state != State::Closed;
        self.recovery.due.any() || !established || !self.control_out.is_empty()
    }

    /// Whether [`Connection::poll_next`] has nothing to announce: what a receiver that need not acknowledge yet finds.
    #[must_use]
    #[expect(clippy::inline_always, reason = "one step of the way of nearly every segment")]
    #[inline(always)]
    pub fn is_silent(&self) -> bool {
        self.next == self.written()
            && !self.acks.now
            && self.recovery.sent_now == 0
            && (self.calm || (self.state == State::Established && !self.fin && !self.is_rare()))
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
            Next::New(len) if self.calm => self.send_new::<true>(len, now, out),
            Next::New(len) => self.send_new_at_any_time(len, now, out),
            Next::Ack => {
                if self.calm {
                    self.bare::<true>(Flags::ACK, self.next, now, out);
                } else {
                    self.bare_at_any_time(Flags::ACK, self.next, now, out);
                }
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
        self.calm = false;
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
            self.board.apart = u32::from(answer && self.crossed.is_none());
            self.next = 1 + data;
            self.timers.set(Alarm::Retransmit, self.timers.rto, now);
        } else {
            self.board.apart = 0;
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
        self.bare_at_any_time(flags, offset, now, &mut segment);
        segment
    }

    #[inline(never)]
    fn bare_at_any_time(&mut self, flags: Flags, offset: u64, now: Time, out: &mut Segment) {
        self.bare::<false>(flags, offset, now, out);
    }

    /// Writes a segment without payload at `offset`; `out` has none. `CALM` says that the connection is.
    #[expect(clippy::inline_always, reason = "one step of the drain, which makes nearly all segments")]
    #[inline(always)]
    fn bare<const CALM: bool>(&mut self, flags: Flags, offset: u64, now: Time, out: &mut Segment) {
        out.src_port = self.local_port;
        out.dst_port = self.remote_port;
        out.seq = self.seq(offset);
        out.ack = self.receiver.seq(self.receiver.next);
        out.flags = if CALM { flags } else { flags | self.ecn.echo() };
        out.window = self.receiver.offer();
        let timestamps = if self.timestamps { Some((self.clock(now), self.ts_recent)) } else { None };
        out.options.hold_only(timestamps);
        if !CALM && self.sack && self.receiver.has_blocks() {
            out.options.sack = self.receiver.sack_blocks(if self.timestamps { 3 } else { 4 });
        }
    }

    /// A segment with the bytes of offsets `start..end`, FIN included if it lies there.
    #[inline(never)]
    fn segment(&mut self, start: u64, end: u64, now: Time) -> Segment {
        let mut segment = Segment::default();
        self.write_segment::<false>(start, end, now, &mut segment);
        segment
    }

    #[expect(clippy::inline_always, reason = "one step of the drain, which makes nearly all segments")]
    #[inline(always)]
    fn write_segment<const CALM: bool>(&mut self, start: u64, end: u64, now: Time, out: &mut Segment) {
        // While all is calm there is no FIN.
        let data_end = if CALM { end } else { end.min(self.written()) };
        let mut flags = Flags::ACK;
        if end > data_end {
            flags = flags | Flags::FIN;
        }
        if data_end == self.written() && data_end > start {
            flags = flags | Flags::PSH;
        }
        self.bare::<CALM>(flags, start, now, out);
        self.buffer.slice_into(start - self.buffer_start, data_end - start, &mut out.payload);
        if !CALM && !out.options.sack.is_empty() {
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

    /// New data, or FIN alone.
    fn poll_data(&mut self, now: Time) -> Option<Transmit> {
        self.next_new(now).map(|len| self.sent_new(len, now))
    }

    #[inline(never)]
    fn sent_new(&mut self, len: u64, now: Time) -> Transmit {
        let mut segment = Segment::default();
        let ecn = self.send_new::<false>(len, now, &mut segment);
        Transmit { segment, first_sent: now, ecn }
    }

    #[inline(never)]
    fn send_new_at_any_time(&mut self, len: u64, now: Time, out: &mut Segment) -> Ecn {
        self.send_new::<false>(len, now, out)
    }

    /// Sends new data. `CALM` says that the connection is: what cannot be then is not asked for.
    #[expect(clippy::inline_always, reason = "one step of the drain, which makes nearly all segments")]
    #[inline(always)]
    fn send_new<const CALM: bool>(&mut self, len: u64, now: Time, out: &mut Segment) -> Ecn {
        let start = self.next;
        let fin = !CALM && self.fin && start + len == self.written();
        let end = start + len + u64::from(fin);
        let idle = self.in_flight() == 0;
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
        self.write_segment::<CALM>(start, end, now, out);
        if self.recovery.sent_now > 1 && !self.has_more() {
            // Linux sends bursts as units with PSH on the last segment (since 5.5), so that receivers do not wait for more.
            out.flags = out.flags | Flags::PSH;
        }
        if CALM { Ecn::NotCapable } else { self.enable_marks(out) }
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
}
