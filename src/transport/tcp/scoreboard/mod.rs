//! What has been sent and not yet acknowledged: one compact entry a segment, with counters kept as the entries change.
//!
//! Offsets count bytes since the initial sequence number without wrapping: SYN is offset 0, data begins at 1.

mod losses;
mod ring;
mod words;

pub(super) use losses::{RACK_PERSIST, Rack};
pub(super) use words::{Marks, News, Plain, Rating, Sent};

use crate::base::{Span, Time};
use ring::Ring;
use std::collections::VecDeque;

/// The segments in flight.
#[derive(Debug)]
pub(super) struct Scoreboard {
    ring: Ring<Sent>,
    pub(super) sacked_out: u32,
    pub(super) lost_out: u32,
    pub(super) retrans_out: u32,
    /// Segments delivered so far.
    pub(super) delivered: u64,
    /// When the last one was.
    pub(super) delivered_at: Time,
    /// Segments marked lost so far, each time anew.
    pub(super) lost: u64,
    /// Start of the sending phase of the next rate sample.
    phase_start: Time,
    /// Highest offset SACKed (Linux `tcp_highest_sack_seq`), 0 for none.
    highest_sacked: u64,
    /// Segments by which the network is known to reorder; three until it does more (Linux `tp->reordering`).
    pub(super) reordering: u32,
    /// How often it has been seen to reorder (Linux `tp->reord_seen`).
    pub(super) reorderings: u32,
    pub(super) rack: Rack,
    /// Never-retransmitted segments below this offset have been judged by RACK: acknowledged, SACKed or marked lost.
    judged: u64,
    /// Retransmissions in the order sent: (start, when). Stale where the segment has been sent again or acknowledged.
    retransmissions: VecDeque<(u64, Time)>,
    /// No lost segment that waits for retransmission lies below this offset.
    retransmit_from: u64,
    /// SACK blocks of the last ACK, as offsets: what need not be looked at again.
    known: [(u64, u64); 4],
    /// One while a SYN-ACK is out that takes no room in the window: Linux keeps it with the request, and not with what a connection that was
    /// opened fast sends meanwhile.
    pub(super) apart: u32,
    /// D-SACKed segments and retransmissions so far.
    pub(super) dsacks: u64,
    pub(super) retransmitted: u64,
}

impl Scoreboard {
    pub(super) fn new() -> Self {
        Self {
            ring: Ring::new(),
            sacked_out: 0,
            lost_out: 0,
            retrans_out: 0,
            delivered: 0,
            delivered_at: Time::ZERO,
            lost: 0,
            phase_start: Time::ZERO,
            highest_sacked: 0,
            reordering: 3,
            reorderings: 0,
            rack: Rack {
                sent: Time::ZERO,
                end: 0,
                rtt: Span::ZERO,
                advanced: false,
                steps: 1,
                persist: 0,
                dsack_seen: false,
                last_delivered: 0,
            },
            judged: 0,
            retransmissions: VecDeque::new(),
            retransmit_from: 0,
            known: [(0, 0); 4],
            apart: 0,
            dsacks: 0,
            retransmitted: 0,
        }
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "fewer than 2^32 segments are in flight: no window is larger")]
    pub(super) fn packets_out(&self) -> u32 {
        self.ring.len() as u32
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    /// Segments believed to be in the network (Linux `tcp_packets_in_flight`).
    #[inline]
    pub(super) fn in_flight(&self) -> u32 {
        (self.packets_out() + self.retrans_out).saturating_sub(self.sacked_out + self.lost_out + self.apart)
    }

    /// Whether all that is in flight was sent once, and none of it is known to have arrived or to be lost.
    pub(super) const fn misses_nothing(&self) -> bool {
        self.sacked_out | self.lost_out | self.retrans_out == 0
    }

    pub(super) fn head(&self) -> Option<&Sent> {
        self.ring.front()
    }

    pub(super) fn tail(&self) -> Option<&Sent> {
        self.ring.back()
    }

    /// Whether anything in flight may have been retransmitted (Linux `tcp_any_retrans_done`).
    pub(super) fn any_retransmitted(&self) -> bool {
        self.retrans_out > 0 || self.head().is_some_and(|head| head.marks.any(Marks::EVER))
    }

    /// Highest offset SACKed, or `una` where nothing is.
    pub(super) fn highest_sacked(&self, una: u64) -> u64 {
        if self.sacked_out == 0 { una } else { self.highest_sacked.max(una) }
    }

    /// A new segment has been sent.
    #[inline]
    pub(super) fn push(&mut self, start: u64, end: u64, marks: u8, now: Time) {
        if self.ring.is_empty() {
            self.phase_start = now;
            self.delivered_at = now;
        }
        self.ring.push_back(Sent {
            start,
            end,
            first_sent: now,
            sent: now,
            delivered: self.delivered,
            delivered_at: self.delivered_at,
            phase_start: self.phase_start,
            marks: Marks(marks),
        });
    }

    /// The first segment ends earlier: what was behind it is not in flight any more.
    pub(super) fn cut_head(&mut self, end: u64) {
        if let Some(head) = self.ring.front_mut() {
            head.end = end;
        }
    }

    fn index_of(&self, start: u64) -> Option<usize> {
        let index = self.ring.partition_point(|sent| sent.end <= start);
        (index < self.ring.len()).then_some(index)
    }

    /// Before the segment at `start` is retransmitted: takes the segments behind it into it, as far as they are not SACKed and fit
    /// into `mss` payload bytes (Linux `tcp_retrans_try_collapse`). Returns it.
    pub(super) fn collapse(&mut self, start: u64, mss: u64) -> Option<Sent> {
        let index = self.index_of(start)?;
        while let Some(&next) = self.ring.get(index + 1) {
            let sent = &mut self.ring[index];
            let fin = u64::from(next.marks.any(Marks::FIN));
            if sent.marks.any(Marks::SYN) || next.marks.any(Marks::SACKED) || next.end - fin - sent.start > mss {
                break;
            }
            sent.end = next.end;
            sent.first_sent = next.first_sent;
            sent.marks.set(next.marks.0 & (Marks::FIN | Marks::EVER));
            self.lost_out -= u32::from(next.marks.any(Marks::LOST));
            self.retrans_out -= u32::from(next.marks.any(Marks::RETRANSMITTED));
            self.ring.remove(index + 1);
        }
        self.ring.get(index).copied()
    }

    /// Counts a retransmission of the segment at `start`.
    pub(super) fn mark_retransmitted(&mut self, start: u64, now: Time) {
        let Some(index) = self.index_of(start) else { return };
        let marks = &mut self.ring[index].marks;
        if !marks.any(Marks::RETRANSMITTED) {
            marks.set(Marks::RETRANSMITTED);
            self.retrans_out += 1;
        }
        self.mark_probed(start, now);
    }

    /// The segment at `start` has been sent again, as a probe: the flight stays as it was.
    pub(super) fn mark_probed(&mut self, start: u64, now: Time) {
        let Some(index) = self.index_of(start) else { return };
        let (delivered, delivered_at, phase_start) = (self.delivered, self.delivered_at, self.phase_start);
        let sent = &mut self.ring[index];
        sent.sent = now;
        sent.delivered = delivered;
        sent.delivered_at = delivered_at;
        sent.phase_start = phase_start;
        sent.marks.set(Marks::EVER);
        self.retransmissions.push_back((start, now));
        self.retransmitted += 1;
    }

    /// The next segment to retransmit: lost, and not on its way again (Linux `tcp_xmit_retransmit_queue`).
    pub(super) fn next_lost(&mut self) -> Option<Sent> {
        if self.retrans_out >= self.lost_out {
            return None;
        }
        let mut index = self.index_of(self.retransmit_from)?;
        while let Some(sent) = self.ring.get(index) {
            if sent.marks.any(Marks::LOST) && !sent.marks.any(Marks::SACKED | Marks::RETRANSMITTED) {
                self.retransmit_from = sent.start;
                return Some(*sent);
            }
            index += 1;
        }
        self.retransmit_from = u64::MAX;
        None
    }

    /// Takes part of a rate sample from a segment that has just been delivered (Linux `tcp_rate_skb_delivered`).
    #[inline]
    fn rate(&mut self, sent: &Sent, rating: &mut Rating) {
        if sent.marks.any(Marks::RATED) {
            return;
        }
        if rating.prior_at.is_none() || (sent.sent, sent.end) > rating.newest {
            rating.prior_delivered = sent.delivered;
            rating.prior_at = Some(sent.delivered_at);
            rating.app_limited = sent.marks.any(Marks::APP_LIMITED);
            rating.send_interval = sent.sent.since(sent.phase_start);
            rating.newest = (sent.sent, sent.end);
            self.phase_start = sent.sent;
        }
    }

    /// Takes in the SACK blocks of an ACK (as offsets, a leading D-SACK taken out). `una` is SND.UNA before the ACK and
    /// `recovery` where the present recovery began.
    pub(super) fn sack(
        &mut self,
        blocks: &[(u64, u64)],
        (una, recovery): (u64, u64),
        min_rtt: Option<Span>,
        now: Time,
        (news, rating): (&mut News, &mut Rating),
    ) {
        let mut reordered = u64::MAX;
        for &(start, end) in blocks {
            let mut from = start.max(una);
            while from < end {
                // What the last ACK said already is skipped whole.
                if let Some(&(_, known_end)) = self.known.iter().find(|known| known.0 <= from && from < known.1) {
                    from = known_end;
                    continue;
                }
                let Some(index) = self.index_of(from) else { break };
                let sent = self.ring[index];
                if sent.end > end {
                    break;
                }
                from = sent.end;
                if sent.start >= start && !sent.marks.any(Marks::SACKED) {
                    self.tag(index, recovery, min_rtt, now, (news, rating), &mut reordered);
                }
            }
        }
        self.known = [(0, 0); 4];
        for (slot, &block) in self.known.iter_mut().zip(blocks) {
            *slot = block;
        }
        if reordered < self.highest_sacked(una) {
            self.note_reordering(reordered, una);
        }
    }

    /// One segment has been SACKed (Linux `tcp_sacktag_one`).
    fn tag(
        &mut self,
        index: usize,
        recovery: u64,
        min_rtt: Option<Span>,
        now: Time,
        (news, rating): (&mut News, &mut Rating),
        reordered: &mut u64,
    ) {
        let sent = self.ring[index];
        self.rack_advance(&sent, min_rtt, now);
        self.rate(&sent, rating);
        let marks = &mut self.ring[index].marks;
        if sent.marks.any(Marks::RETRANSMITTED) {
            if sent.marks.any(Marks::LOST) {
                marks.clear(Marks::LOST | Marks::RETRANSMITTED);
                self.lost_out -= 1;
                self.retrans_out -= 1;
            }
        } else {
            if !sent.marks.any(Marks::EVER) {
                if sent.start < self.highest_sacked {
                    *reordered = (*reordered).min(sent.start);
                }
                if sent.end <= recovery {
                    news.original_acked = true;
                }
                news.first_sacked.get_or_insert(sent.sent);
                news.last_sacked = Some(sent.sent);
            }
            if sent.marks.any(Marks::LOST) {
                marks.clear(Marks::LOST);
                self.lost_out -= 1;
            }
        }
        marks.set(Marks::SACKED | Marks::RATED);
        self.sacked_out += 1;
        self.count_delivered(now, news);
        self.highest_sacked = self.highest_sacked.max(sent.end);
        news.sacked = true;
    }

    #[inline]
    fn count_delivered(&mut self, now: Time, news: &mut News) {
        self.delivered += 1;
        self.delivered_at = now;
        news.delivered += 1;
    }

    /// Data below the highest SACKed offset came late without having been retransmitted: the network reorders.
    fn note_reordering(&mut self, low: u64, una: u64) {
        let high = self.highest_sacked(una);
        let head = self.ring.front().map_or(1, |sent| (sent.end - sent.start).max(1));
        let metric = u32::try_from((high - low).div_ceil(head)).unwrap_or(u32::MAX);
        // Linux `tcp_max_reordering`.
        self.reordering = self.reordering.max(metric.min(300));
        self.reorderings += 1;
    }

    /// A D-SACK about the segment of offsets `start..end` (if it is still here) came: a retransmission was not needed.
    pub(super) fn clear_retransmitted(&mut self, start: u64) {
        if let Some(index) = self.index_of(start)
            && self.ring[index].marks.any(Marks::RETRANSMITTED)
        {
            self.ring[index].marks.clear(Marks::RETRANSMITTED);
            self.retrans_out -= 1;
        }
    }

    /// Everything below `ack` has been acknowledged (Linux `tcp_clean_rtx_queue`). `prior` is the highest SACKed offset
    /// before this ACK.
    pub(super) fn acknowledge(
        &mut self,
        ack: u64,
        (prior, recovery): (u64, u64),
        min_rtt: Option<Span>,
        now: Time,
        (news, rating): (&mut News, &mut Rating),
    ) {
        let mut reordered = u64::MAX;
        let mut removed = false;
        while let Some(&sent) = self.ring.front() {
            if sent.end > ack {
                break;
            }
            removed = true;
            if sent.marks.any(Marks::EVER) {
                if sent.marks.any(Marks::RETRANSMITTED) {
                    self.retrans_out -= 1;
                }
                news.retransmission_acked = true;
            } else if !sent.marks.any(Marks::SACKED) {
                news.last_acked = Some(sent.sent);
                news.first_acked.get_or_insert(sent.sent);
                reordered = reordered.min(sent.start);
                if sent.end <= recovery {
                    news.original_acked = true;
                }
            }
            self.rate(&sent, rating);
            if sent.marks.any(Marks::SACKED) {
                self.sacked_out -= 1;
            } else {
                self.count_delivered(now, news);
                self.rack_advance(&sent, min_rtt, now);
            }
            if sent.marks.any(Marks::LOST) {
                self.lost_out -= 1;
            }
            if sent.marks.any(Marks::SYN) {
                news.syn_acked = true;
                self.apart = 0;
            } else {
                news.data_acked = true;
            }
            self.ring.drop_front(1);
        }
        // Part of a segment: what is left is a shorter segment.
        if let Some(head) = self.ring.front_mut()
            && head.start < ack
        {
            head.start = ack;
        }
        if self.ring.front().is_some_and(|head| head.marks.any(Marks::SACKED)) {
            news.reneged = true;
        }
        if removed {
            news.rearm = true;
            if reordered < prior {
                self.highest_sacked = self.highest_sacked.max(prior);
                let high = prior;
                let size = 1.max(self.ring.front().map_or(1448, |sent| sent.end - sent.start));
                let metric = u32::try_from((high - reordered).div_ceil(size)).unwrap_or(u32::MAX);
                self.reordering = self.reordering.max(metric.min(300));
                self.reorderings += 1;
            }
        }
    }

    /// As [`Scoreboard::acknowledge`] where [`Scoreboard::misses_nothing`], if that comes to no more than [`Plain`]; or else nothing is
    /// done.
    #[expect(clippy::inline_always, reason = "one step of the way of nearly every segment")]
    #[inline(always)]
    pub(super) fn acknowledge_plain(&mut self, ack: u64, now: Time) -> Option<Plain> {
        let mut last = *self.ring.front()?;
        let first_sent = last.sent;
        let mut count = 1;
        loop {
            // More of what is known to be a segment, or less of one.
            if last.end > ack || last.marks.any(!Marks::APP_LIMITED) {
                return None;
            }
            if last.end == ack {
                break;
            }
            last = *self.ring.get(count)?;
            count += 1;
        }
        self.ring.drop_front(count);
        self.phase_start = last.sent;
        self.rack.advanced = true;
        self.rack.rtt = now.since(last.sent);
        if (last.sent, last.end) > (self.rack.sent, self.rack.end) {
            self.rack.sent = last.sent;
            self.rack.end = last.end;
        }
        self.delivered += count as u64;
        self.delivered_at = now;
        Some(Plain {
            count: u32::try_from(count).unwrap_or(u32::MAX),
            first_sent,
            last_sent: last.sent,
            prior_delivered: last.delivered,
            prior_at: last.delivered_at,
            send_interval: last.sent.since(last.phase_start),
            app_limited: last.marks.any(Marks::APP_LIMITED),
        })
    }

    /// Without SACK, an ACK of `acked` segments fills one hole; the rest of them had been counted as duplicates came (Linux
    /// `tcp_remove_reno_sacks`).
    pub(super) fn forget_duplicates(&mut self, acked: u32, news: &mut News) {
        if acked > 0 {
            let counted = self.sacked_out.min(acked - 1);
            self.sacked_out -= counted;
            self.delivered -= u64::from(counted);
            news.delivered -= counted;
        }
        self.limit_duplicates();
    }

    /// No more duplicates than there are segments that may have caused them (Linux `tcp_limit_reno_sacked`).
    pub(super) fn limit_duplicates(&mut self) {
        let holes = self.lost_out.max(1).min(self.packets_out());
        self.sacked_out = self.sacked_out.min(self.packets_out() - holes);
    }

    /// Cuts segments of more than `mss` payload bytes into smaller ones, after the path MTU has shrunk, and marks them lost.
    pub(super) fn resegment(&mut self, mss: u64, news: &mut News) {
        let mut index = 0;
        while index < self.ring.len() {
            let sent = self.ring[index];
            if sent.end - sent.start > mss && !sent.marks.any(Marks::SACKED | Marks::SYN) {
                let mut tail = sent;
                tail.start = sent.start + mss;
                self.ring[index].end = tail.start;
                self.ring[index].marks.clear(Marks::FIN);
                self.ring.insert(index + 1, tail);
                if sent.marks.any(Marks::LOST) {
                    self.lost_out += 1;
                }
                if sent.marks.any(Marks::RETRANSMITTED) {
                    self.retrans_out += 1;
                }
                self.mark_lost(index, news);
                self.mark_lost(index + 1, news);
            }
            index += 1;
        }
        self.retransmit_from = 0;
    }

    /// How the rate sample ends (Linux `tcp_rate_gen`): segments delivered and the interval, if it is usable.
    pub(super) fn finish_rate(&self, rating: &Rating, min_rtt: Option<Span>, now: Time) -> Option<(u32, Span)> {
        let prior_at = rating.prior_at?;
        let interval = rating.send_interval.max(now.since(prior_at));
        if min_rtt.is_some_and(|min| interval < min) {
            return None;
        }
        Some((u32::try_from(self.delivered - rating.prior_delivered).unwrap_or(u32::MAX), interval))
    }
}
