//! An acknowledgment: what it says about the flight, the round trip and the windows (Linux `tcp_ack`).

use super::connection::Connection;
use super::scoreboard::{News, Rating};
use super::timers::Alarm;
use crate::base::{Span, Time};
use crate::transport::congestion::{Ack, Phase, RateSample};
use crate::wire::Segment;

impl Connection {
    /// The acknowledgment of a segment (Linux `tcp_ack`); false if the segment is to be dropped.
    pub(super) fn acknowledge(&mut self, segment: &Segment, now: Time) -> bool {
        let ack = self.offset(segment.ack);
        if ack > self.next.cast_signed() {
            // RFC 5961 5.2, RFC 9293 3.10.7.4. (Linux gives the answer in ESTABLISHED too only since 7.0.)
            self.challenge(now);
            return false;
        }
        let prior_una = self.una;
        let mut news = News::default();
        let mut rating = Rating::default();
        if ack < prior_una.cast_signed() {
            // RFC 5961 5.2: far too old is suspicious.
            if ack + self.largest_peer_window.cast_signed() < prior_una.cast_signed() {
                self.challenge(now);
                return false;
            }
            if !segment.options.sack.is_empty() && self.sack {
                self.take_sacks(segment, &mut news, &mut rating, now);
                if news.sacked || news.dsack {
                    self.alert(prior_una, false, &mut news, now);
                    self.govern(&news, &rating, 0, now);
                }
            }
            return true;
        }
        let ack = ack.cast_unsigned();
        news.advanced = ack > prior_una;
        if news.advanced {
            self.timers.timeouts = 0;
            self.una = ack;
        }
        let prior_highest = if self.sack { self.board.highest_sacked(prior_una) } else { ack };
        let prior_in_flight = self.board.in_flight();
        let has_data = segment.seq_len() > 0;
        let window_changed = self.update_window(segment, ack);
        self.timers.window_probes = 0;
        if self.sack && !segment.options.sack.is_empty() {
            self.take_sacks(segment, &mut news, &mut rating, now);
        }
        if self.board.is_empty() {
            if self.timers.alarm == Alarm::WindowProbe && self.una + self.peer_window > self.next {
                self.timers.backoff = 0;
                self.timers.off();
            }
            return true;
        }
        let (recovery, min_rtt) = (self.recovery.high, self.rtt.min());
        let prior_out = self.board.packets_out();
        self.board.acknowledge(ack, (prior_highest, recovery), min_rtt, now, (&mut news, &mut rating));
        if !self.sack {
            self.board.forget_duplicates(prior_out - self.board.packets_out(), &mut news);
        }
        self.drop_acknowledged();
        let sampled = self.update_rtt(&news, segment, now);
        if !news.rearm && sampled && self.rearm_for_sack(&news) {
            news.rearm = true;
        }
        self.board.adapt_reordering_window(rating.prior_delivered);
        let acked = news.data_acked || news.syn_acked;
        let not_duplicate = has_data || window_changed || acked;
        if self.recovery.probe_high.is_some() {
            let pure = !news.advanced && !not_duplicate && !news.sacked;
            self.probe_acknowledged(ack, &news, pure, now);
        }
        if self.ecn.agreed() {
            self.count_marks(&news);
        }
        let lost_before = news.lost;
        let dubious = !not_duplicate || news.sacked || news.dsack || self.ecn.echoed || self.phase != Phase::Open;
        if dubious {
            let duplicate = !news.advanced && !not_duplicate && !news.dsack;
            self.alert(prior_una, duplicate, &mut news, now);
        }
        debug_assert!(news.lost >= lost_before);
        if news.rearm {
            self.set_send_timer(now);
        }
        self.govern(&news, &rating, prior_in_flight, now);
        true
    }

    /// Takes in the SACK option: a D-SACK first, if there is one (RFC 2883 4), then the blocks.
    pub(super) fn take_sacks(&mut self, segment: &Segment, news: &mut News, rating: &mut Rating, now: Time) {
        let blocks = segment.options.sack.as_slice();
        let mut offsets = [(0u64, 0u64); 4];
        let mut count = 0;
        for (index, &(left, right)) in blocks.iter().enumerate() {
            let (start, end) = (self.offset(left), self.offset(right));
            if start < 0 || end <= start || end > self.next.cast_signed() {
                continue;
            }
            let (start, end) = (start.cast_unsigned(), end.cast_unsigned());
            if index == 0 {
                let inside_next = blocks.get(1).is_some_and(|&(left, right)| {
                    self.offset(left) <= start.cast_signed() && end.cast_signed() <= self.offset(right)
                });
                if end <= self.una || inside_next {
                    self.note_dsack(start, end, news);
                    continue;
                }
            }
            if end > self.una {
                offsets[count] = (start, end);
                count += 1;
            }
        }
        let at = (self.una, self.recovery.high);
        self.board.sack(&offsets[..count], at, self.rtt.min(), now, (news, rating));
    }

    /// RFC 9293 3.10.7.4: the window moves with segments that are not older than the last that moved it. True if it changed.
    #[expect(clippy::inline_always, reason = "one step of the way of nearly every segment")]
    #[inline(always)]
    pub(super) fn update_window(&mut self, segment: &Segment, ack: u64) -> bool {
        let window = u64::from(segment.window) << self.peer_scale;
        let start = self.receiver.offset(segment.seq).max(0).cast_unsigned();
        let (last_start, last_ack) = self.window_update;
        let newer = ack > last_ack || start > last_start || (start == last_start && window > self.peer_window);
        newer && self.use_window(window, (start, ack))
    }

    /// The window that a segment brings, which moves it. True if it changed.
    #[expect(clippy::inline_always, reason = "one step of the way of nearly every segment")]
    #[inline(always)]
    fn use_window(&mut self, window: u64, by: (u64, u64)) -> bool {
        self.window_update = by;
        let changed = self.peer_window != window;
        self.peer_window = window;
        self.largest_peer_window = self.largest_peer_window.max(window);
        changed
    }

    /// As [`Connection::update_window`] for the segment that comes next, which acknowledges more than any before.
    #[expect(clippy::inline_always, reason = "one step of the way of nearly every segment")]
    #[inline(always)]
    pub(super) fn update_window_ahead(&mut self, segment: &Segment, ack: u64) {
        self.use_window(u64::from(segment.window) << self.peer_scale, (self.receiver.next, ack));
    }

    /// Takes acknowledged data out of the send buffer.
    #[expect(clippy::inline_always, reason = "one step of the way of nearly every segment")]
    #[inline(always)]
    pub(super) fn drop_acknowledged(&mut self) {
        let data_end = self.una.min(self.written());
        if data_end > self.buffer_start {
            self.buffer.advance(data_end - self.buffer_start);
            self.buffer_start = data_end;
            if self.starved {
                self.check_send_room();
            }
        }
    }

    /// Linux `tcp_ack_update_rtt`: Karn's rule, SACKed segments, or else the echoed timestamp. True if there was a sample.
    pub(super) fn update_rtt(&mut self, news: &News, segment: &Segment, now: Time) -> bool {
        let since = |sent: Time| now.since(sent);
        let mut sample = news.first_acked.filter(|_| !news.retransmission_acked).map(since);
        let mut latest = news.last_acked.filter(|_| !news.retransmission_acked).map(since);
        if let Some(last) = news.last_sacked {
            latest = Some(since(last));
        }
        if sample.is_none() {
            sample = news.first_sacked.map(since);
        }
        if sample.is_none()
            && (news.data_acked || news.syn_acked)
            && self.timestamps
            && let Some((_, echo)) = segment.options.timestamps
            && echo != 0
        {
            let ms = self.clock(now).wrapping_sub(echo);
            if ms < 1 << 24 {
                sample = Some(Span::from_millis(u64::from(ms.max(1))));
                latest = sample;
            }
        }
        let Some(sample) = sample else { return false };
        self.rtt.sample_min(latest.unwrap_or(sample), now);
        self.rtt.sample(sample, self.una, self.next);
        self.reset_rto();
        true
    }

    /// Whether a SACK's round trip was measured from data sent after the head was last sent: then the timer may be set anew.
    pub(super) fn rearm_for_sack(&self, news: &News) -> bool {
        let (Some(first), Some(head)) = (news.first_sacked, self.board.head()) else { return false };
        first < head.sent
    }

    /// The controller, or the reduction, sets the window (Linux `tcp_cong_control`).
    pub(super) fn govern(&mut self, news: &News, rating: &Rating, prior_in_flight: u32, now: Time) {
        if self.app_limited_until > 0 && self.board.delivered > self.app_limited_until {
            self.app_limited_until = 0;
        }
        let min_rtt = self.rtt.min();
        let rate = self.board.finish_rate(rating, min_rtt, now);
        let sampled = news.first_acked.filter(|_| !news.retransmission_acked).or(news.first_sacked);
        let latest = news.last_sacked.or(news.last_acked.filter(|_| !news.retransmission_acked));
        let ack = Ack {
            now,
            acked: news.delivered,
            lost: news.lost,
            rtt: sampled.and(latest).map(|sent| now.since(sent)),
            srtt: self.rtt.srtt(),
            min_rtt: min_rtt.unwrap_or(Span::ZERO),
            delivered: self.board.delivered,
            prior_in_flight,
            in_flight: self.board.in_flight(),
            una: self.una,
            next: self.next,
            mss: self.mss,
            cwnd_limited: self.window_limited(),
            phase: self.phase,
            rate: RateSample {
                delivered: rate.map_or(0, |rate| rate.0),
                interval: rate.map_or(Span::ZERO, |rate| rate.1),
                prior_delivered: rating.prior_delivered,
                app_limited: rating.app_limited,
            },
        };
        let control = self.control.get();
        if ack.rtt.is_some() {
            control.on_sample(&mut self.window, &ack);
        }
        if control.owns_window() {
            control.update(&mut self.window, &ack);
            if control.limits_samples() {
                self.mark_app_limited();
            }
            return;
        }
        if self.reducing() {
            self.reduce_window(news.delivered, news.lost, news.advanced);
        } else if news.data_acked || (self.board.reordering > 3 && news.delivered > 0) {
            self.control.get().on_ack(&mut self.window, &ack);
        }
    }
}
