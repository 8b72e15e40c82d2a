//! Which of the segments in flight count as lost: by time (RACK, RFC 8985), by count (RFC 6675), or all of them at a timeout.

use super::{Marks, News, Scoreboard, Sent};
use crate::base::{Span, Time};

/// Newest-sent segment known to be delivered (RFC 8985: `RACK.xmit_ts`, `RACK.end_seq`, `RACK.rtt`), and the reordering window.
#[derive(Clone, Copy, Debug)]
pub(in crate::transport::tcp) struct Rack {
    pub(in crate::transport::tcp) sent: Time,
    pub(in crate::transport::tcp) end: u64,
    pub(in crate::transport::tcp) rtt: Span,
    pub(in crate::transport::tcp) advanced: bool,
    /// Multiples of a quarter of the minimum round-trip time that reordering is waited for.
    pub(in crate::transport::tcp) steps: u32,
    pub(in crate::transport::tcp) persist: u32,
    pub(in crate::transport::tcp) dsack_seen: bool,
    pub(in crate::transport::tcp) last_delivered: u64,
}

/// Recoveries for which a widened reordering window is kept (RFC 8985 6.2 step 4; Linux `TCP_RACK_RECOVERY_THRESH`).
pub(in crate::transport::tcp) const RACK_PERSIST: u32 = 16;

impl Scoreboard {
    /// Marks a segment lost; one whose retransmission was in flight has lost that too.
    pub(super) fn mark_lost(&mut self, index: usize, news: &mut News) {
        let sent = &mut self.ring[index];
        if sent.marks.any(Marks::SACKED) {
            return;
        }
        if !sent.marks.any(Marks::LOST) {
            sent.marks.set(Marks::LOST);
            self.lost_out += 1;
            self.lost += 1;
            news.lost += 1;
        } else if sent.marks.any(Marks::RETRANSMITTED) {
            self.lost += 1;
            news.lost += 1;
        }
        if sent.marks.any(Marks::RETRANSMITTED) {
            sent.marks.clear(Marks::RETRANSMITTED);
            self.retrans_out -= 1;
            news.retransmission_lost = true;
        }
        self.retransmit_from = self.retransmit_from.min(sent.start);
    }

    /// RFC 8985 6.2 step 2: remembers the newest-sent segment known to be delivered.
    #[inline]
    pub(super) fn rack_advance(&mut self, sent: &Sent, min_rtt: Option<Span>, now: Time) {
        let rtt = now.since(sent.sent);
        if sent.marks.any(Marks::EVER) && min_rtt.is_some_and(|min| rtt < min) {
            // Ambiguous: probably the original was delivered, not the retransmission.
            return;
        }
        self.rack.advanced = true;
        self.rack.rtt = rtt;
        if (sent.sent, sent.end) > (self.rack.sent, self.rack.end) {
            self.rack.sent = sent.sent;
            self.rack.end = sent.end;
        }
    }

    /// How long after it was sent a segment counts as lost, beyond RACK's round trip (Linux `tcp_rack_reo_wnd`).
    pub(in crate::transport::tcp) fn reordering_window(
        &self,
        recovering: bool,
        min_rtt: Option<Span>,
        srtt: Span,
    ) -> Span {
        if self.reorderings == 0 && (recovering || self.sacked_out >= self.reordering) {
            return Span::ZERO;
        }
        (min_rtt.unwrap_or(Span::ZERO) / 4).saturating_mul(u64::from(self.rack.steps)).min(srtt)
    }

    /// RFC 8985 6.2 step 4, adapting the window to D-SACKs (Linux `tcp_rack_update_reo_wnd`).
    #[inline]
    pub(in crate::transport::tcp) fn adapt_reordering_window(&mut self, prior_delivered: u64) {
        if prior_delivered == 0 {
            return;
        }
        if prior_delivered < self.rack.last_delivered {
            self.rack.dsack_seen = false;
        }
        if self.rack.dsack_seen {
            self.rack.steps = (self.rack.steps + 1).min(255);
            self.rack.dsack_seen = false;
            self.rack.last_delivered = self.delivered;
            self.rack.persist = RACK_PERSIST;
        } else if self.rack.persist == 0 {
            self.rack.steps = 1;
        }
    }

    /// RFC 8985 6.2 step 5: marks lost what was sent enough before something that has been delivered. Returns how long until
    /// the next segment would count as lost, if one might.
    pub(in crate::transport::tcp) fn detect_losses(
        &mut self,
        window: Span,
        now: Time,
        news: &mut News,
    ) -> Option<Span> {
        let mut wait: Option<Span> = None;
        let patience = self.rack.rtt + window;
        let newest = (self.rack.sent, self.rack.end);
        // Never-retransmitted segments were sent in the order of their offsets.
        if let Some(mut index) = self.index_of(self.judged) {
            let mut contiguous = true;
            while let Some(&Sent { sent, end, marks, .. }) = self.ring.get(index) {
                if !marks.any(Marks::SACKED | Marks::LOST | Marks::EVER) {
                    if (sent, end) >= newest {
                        break;
                    }
                    let due = sent + patience;
                    if due <= now {
                        self.mark_lost(index, news);
                    } else {
                        wait = Some(wait.unwrap_or(Span::ZERO).max(due - now));
                        contiguous = false;
                    }
                }
                if contiguous {
                    self.judged = end;
                }
                index += 1;
            }
        } else {
            self.judged = self.ring.back().map_or(self.judged, |sent| sent.end);
        }
        // Retransmissions, in the order sent.
        let mut at = 0;
        while let Some(&(start, sent_at)) = self.retransmissions.get(at) {
            let index = self.index_of(start);
            let live = index.is_some_and(|index| {
                let sent = &self.ring[index];
                sent.start <= start
                    && sent.sent == sent_at
                    && !sent.marks.any(Marks::SACKED)
                    && (sent.marks.any(Marks::RETRANSMITTED) || !sent.marks.any(Marks::LOST))
            });
            let (Some(index), true) = (index, live) else {
                if at == 0 {
                    self.retransmissions.pop_front();
                } else {
                    at += 1;
                }
                continue;
            };
            // Nothing that was sent in this very instant has been answered; only a script can have a round trip of zero.
            if (sent_at, self.ring[index].end) >= newest || sent_at == now {
                break;
            }
            let due = sent_at + patience;
            if due <= now {
                self.mark_lost(index, news);
                if at == 0 {
                    self.retransmissions.pop_front();
                } else {
                    at += 1;
                }
            } else {
                wait = Some(wait.unwrap_or(Span::ZERO).max(due - now));
                at += 1;
            }
        }
        wait
    }

    /// A timeout: marks lost everything that is not too recent for RACK to doubt it (Linux `tcp_timeout_mark_lost`). `rack` is
    /// off for receivers without SACK. A receiver that reneged has nothing any more.
    pub(in crate::transport::tcp) fn mark_all_lost(&mut self, (sack, rack): (bool, bool), now: Time, news: &mut News) {
        let reneged = self.head().is_some_and(|head| head.marks.any(Marks::SACKED));
        if reneged {
            for sent in self.ring.iter_mut() {
                sent.marks.clear(Marks::SACKED);
            }
            self.sacked_out = 0;
            self.known = [(0, 0); 4];
        }
        if !sack {
            self.sacked_out = 0;
        }
        for index in 0..self.ring.len() {
            let sent = &self.ring[index];
            if rack && index > 0 && !reneged && sent.sent + self.rack.rtt > now {
                continue;
            }
            self.mark_lost(index, news);
        }
    }

    /// Marks the head lost: three duplicates without SACK (RFC 6582), or its successor's partial ACK.
    pub(in crate::transport::tcp) fn mark_head_lost(&mut self, news: &mut News) {
        if !self.ring.is_empty() {
            self.mark_lost(0, news);
        }
    }

    /// Marks lost what has at least `dupthresh` SACKed segments above it (RFC 6675 `IsLost`), for receivers with SACK while
    /// RACK is off.
    pub(in crate::transport::tcp) fn mark_by_count(&mut self, news: &mut News) {
        let mut above = self.sacked_out;
        for index in 0..self.ring.len() {
            if above < self.reordering {
                break;
            }
            if self.ring[index].marks.any(Marks::SACKED) {
                above -= 1;
            } else if !self.ring[index].marks.any(Marks::LOST) {
                self.mark_lost(index, news);
            }
        }
    }

    /// Takes all marks of loss back (an undo).
    pub(in crate::transport::tcp) fn unmark_lost(&mut self) {
        for sent in self.ring.iter_mut() {
            sent.marks.clear(Marks::LOST);
        }
        self.lost_out = 0;
        self.judged = self.ring.front().map_or(0, |sent| sent.start);
        self.retransmit_from = 0;
    }
}
