//! How much new data leaves together, and when: what the windows, Nagle, bursts and pacing let go (Linux `tcp_write_xmit`).

use super::connection::Connection;
use super::signals::State;
use crate::base::{BitRate, Span, Time};
use crate::transport::congestion::Phase;

impl Connection {
    /// Whether data and FIN may still be sent.
    pub(super) fn can_send_data(&self) -> bool {
        (self.state == State::SynReceived && self.opened_fast())
            || matches!(
                self.state,
                State::Established | State::CloseWait | State::FinWait1 | State::Closing | State::LastAck
            )
    }

    /// Bytes of the next segment if the window and Nagle let it go; FIN is not counted.
    pub(super) fn next_data(&self, forced: bool) -> Option<u64> {
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
    pub(super) fn fits_whole(&self) -> bool {
        let end = self.next + u64::from(self.mss);
        end <= self.written()
            && end <= self.una + self.peer_window
            && (self.calm || (self.can_send_data() && !(self.sack && self.receiver.has_blocks())))
    }

    /// Segments believed to be in the network.
    #[expect(clippy::inline_always, reason = "one step of the way of nearly every segment")]
    #[inline(always)]
    pub(super) fn in_flight(&self) -> u32 {
        if self.calm { self.board.packets_out() } else { self.board.in_flight() }
    }

    /// Whether another segment may follow at once.
    #[expect(clippy::inline_always, reason = "one step of the way of nearly every segment")]
    #[inline(always)]
    pub(super) fn has_more(&self) -> bool {
        self.in_flight() < self.window.cwnd && (self.fits_whole() || self.next_data(false).is_some())
    }

    /// Counts another whole segment of the present burst: what [`Connection::next_new`] comes to in the middle of one.
    #[inline]
    pub(super) fn next_of_burst(&mut self) -> u64 {
        self.recovery.burst_left -= 1;
        if self.reducing() {
            self.recovery.prr_out += 1;
        }
        self.recovery.sent_now += 1;
        u64::from(self.mss)
    }

    /// Bytes of the next new segment, which is to go now (Linux `tcp_write_xmit`).
    #[inline(never)]
    pub(super) fn next_new(&mut self, now: Time) -> Option<u64> {
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
    pub(super) fn next_in_room(&mut self, now: Time) -> Option<u64> {
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

    /// Begins a burst where the connection is calm, there is room in the window, a whole segment fits and no other burst is under way:
    /// what [`Connection::next_in_room`] comes to then, if nothing is paced. False if it is not begun yet.
    #[expect(clippy::inline_always, reason = "one step of the drain, which makes nearly all segments")]
    #[inline(always)]
    pub(super) fn begin_burst(&mut self, now: Time) -> bool {
        if self.gathers_whole(now) {
            self.sending_over(true, now);
            return false;
        }
        self.recovery.sent_now += 1;
        true
    }

    /// Whether an unpaced sender waits for room for a whole burst, because acknowledgments that make it will come soon (Linux
    /// `tcp_tso_should_defer`): at the end of a round, a few segments that the window allows go with the next one.
    pub(super) fn gathers(&mut self, len: u64, now: Time) -> bool {
        if self.recovery.burst_left > 0 {
            self.recovery.burst_left -= 1;
            return false;
        }
        len >= u64::from(self.mss) && self.gathers_whole(now)
    }

    /// The same where a whole segment waits and no burst is under way.
    #[expect(clippy::inline_always, reason = "one step of the drain, which makes nearly all segments")]
    #[inline(always)]
    fn gathers_whole(&mut self, now: Time) -> bool {
        let mss = u64::from(self.mss);
        let waiting = self.written() - self.next;
        if waiting <= mss {
            return false;
        }
        let room = u64::from(self.window.cwnd - self.in_flight());
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
    pub(super) fn room_comes_soon(&self, limit: u64, now: Time) -> bool {
        let paced = self.may_pace && self.control.pacing_rate().is_some();
        let third = self.peer_window.min(u64::from(self.window.cwnd) * u64::from(self.mss)) / 3;
        let recent = now.since(self.recovery.last_sent) <= Span::from_millis(1);
        let soon = self.board.head().is_some_and(|head| now.since(head.sent) >= self.rtt.srtt() / 2);
        !paced && recent && soon && limit < third
    }

    /// Segments that leave together, a millisecond's worth but at least two (one if paced below 1.2 Mbit/s): at the pacing rate, or
    /// at twice the window a round trip in slow start and 1.2 times the window near its end and after (Linux
    /// `tcp_tso_autosize`, `tcp_update_pacing_rate`).
    #[expect(clippy::inline_always, reason = "one step of the drain, which makes nearly all segments")]
    #[inline(always)]
    pub(super) fn burst(&mut self) -> u32 {
        let rate = if self.may_pace { self.control.pacing_rate() } else { None };
        match rate {
            Some(rate) => {
                self.segments_of(rate.as_bps() / 8, if rate.as_bps() < 1_200_000 { 1 } else { self.least_burst })
            }
            None => self.segments_of(self.window_rate(), self.least_burst),
        }
    }

    /// Whole segments in a millisecond at so many bytes per second, in one packet of IP at most.
    #[inline]
    fn segments_of(&self, rate: u64, least: u32) -> u32 {
        u32::try_from((rate >> 10).min(65_535) / u64::from(self.mss)).unwrap_or(least).max(least)
    }

    /// Bytes per second at which an unpaced window would be paced (Linux `tcp_update_pacing_rate`).
    pub(super) fn window_rate(&self) -> u64 {
        let percent = if self.window.cwnd < self.window.ssthresh / 2 { 200 } else { 120 };
        let window = u64::from(self.mss) * u64::from(self.window.cwnd.max(self.board.packets_out()));
        window * percent * 10_000_000 / self.rtt.srtt().as_nanos().max(1)
    }

    /// The rate at which segments leave, if they are paced.
    #[inline]
    pub(super) fn pacing_rate(&self) -> Option<BitRate> {
        if !self.may_pace {
            return None;
        }
        let own = self.control.pacing_rate();
        if own.is_some() || !self.paces || self.rtt.srtt().is_zero() {
            return own;
        }
        BitRate::from_bps(self.window_rate().saturating_mul(8))
    }

    /// What [`Connection::sending_over`] comes to where the window is full, as after nearly every burst.
    #[expect(clippy::inline_always, reason = "one step of the drain, which makes nearly all segments")]
    #[inline(always)]
    pub(super) fn window_full(&mut self, now: Time) {
        self.recovery.burst_left = 0;
        let sent = std::mem::take(&mut self.recovery.sent_now);
        self.validate_window(true, now);
        if sent > 0 {
            self.schedule_probe(false, now);
        }
    }

    /// Nothing more can be sent at this instant.
    pub(super) fn sending_over(&mut self, limited: bool, now: Time) {
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

    /// Whether pacing holds the next segment back; if so, the machine wants to be woken.
    pub(super) fn wait_for_pace(&mut self, now: Time) -> bool {
        if self.timers.pace_until <= now || self.pacing_rate().is_none() {
            return false;
        }
        self.timers.pacing = true;
        true
    }

    /// A segment has gone: the next may follow at the pacing rate.
    #[inline]
    pub(super) fn pace(&mut self, len: u64, now: Time) {
        if let Some(rate) = self.pacing_rate() {
            self.pace_at(rate, len, now);
        }
    }

    #[inline(never)]
    pub(super) fn pace_at(&mut self, rate: BitRate, len: u64, now: Time) {
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
