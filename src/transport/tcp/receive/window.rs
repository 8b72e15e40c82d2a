//! The window that is offered for more: what the buffer allows, grown slowly, and not moved for a trifle.

use super::Receiver;
use crate::base::{Span, Time};

/// A window to be offered, which is chosen by what the buffer holds while `clamp` and `threshold` stay, if windows are scaled: it follows from
/// nothing else. A sender offers the same with every segment, and so does a receiver that keeps up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chosen {
    /// Bytes held; [`u64::MAX`] if there is nothing to go by.
    holds: u64,
    /// As its field says it, in bytes.
    window: u64,
    field: u16,
}

impl Chosen {
    pub(super) const NONE: Self = Self { holds: u64::MAX, window: 0, field: 0 };
}

/// Memory that a received segment of `len` bytes takes (Linux `truesize`): its packet with 64 bytes of headroom and 320 of frame list in
/// a piece of a power of two, whole pages for what does not fit into the first, and 256 bytes that describe it.
fn truesize(len: u64) -> u64 {
    const PAGE: u64 = 4096;
    let head = len + 52 + 64 + 320;
    if head <= PAGE {
        return head.next_power_of_two().max(512) + 256;
    }
    PAGE + (head - PAGE).next_multiple_of(PAGE) + 256
}

impl Receiver {
    /// Room left in the window that was last offered (Linux `tcp_receive_window`).
    #[inline]
    pub(in crate::transport::tcp) const fn window(&self) -> u64 {
        self.edge.saturating_sub(self.next)
    }

    /// The buffer follows what the reader took in the last round trip (Linux `tcp_rcv_space_adjust`, dynamic right-sizing).
    #[inline]
    pub(in crate::transport::tcp) fn adjust(&mut self, rtt: Span, now: Time) {
        if !rtt.is_zero() && now.since(self.round_start) >= rtt {
            self.end_round(now);
        }
    }

    #[inline(never)]
    fn end_round(&mut self, now: Time) {
        if self.round_start == Time::ZERO {
            // The first round begins when data is first read, and counts it.
            self.round_start = now;
            return;
        }
        let copied = self.read - self.round_read;
        if copied > self.per_round {
            // Twice what a round trip brought, as much again for as fast as it grew, and what waits above a hole (Linux
            // `tcp_rcvbuf_grow`).
            let base = 2 * copied;
            let growth = u128::from(base) * u128::from(copied - self.per_round) / u128::from(self.per_round);
            let held = self.held.last().map_or(0, |last| last.end - self.next);
            let window = base.saturating_add(2 * u64::try_from(growth).unwrap_or(u64::MAX / 4)).saturating_add(held);
            let window = window.min(self.limit);
            self.clamp = self.clamp.max(window);
            self.chosen = Chosen::NONE;
            self.per_round = copied;
        }
        self.round_read = self.read;
        self.round_start = now;
    }

    /// Segments of `len` bytes come: that is how much data the buffer's memory holds (Linux `tcp_measure_rcv_mss`).
    #[inline(never)]
    pub(in crate::transport::tcp) fn measure(&mut self, len: u64) {
        let share = len * 256 / truesize(len);
        let window = (self.memory * share / 256).min(self.limit);
        if self.clamp < window {
            self.clamp = window;
            self.chosen = Chosen::NONE;
        }
    }

    /// A data segment of `len` bytes has come: the offered window may grow, and does if it is true (Linux `tcp_grow_window`).
    #[expect(clippy::inline_always, reason = "one step of the way of nearly every segment")]
    #[inline(always)]
    pub(in crate::transport::tcp) fn grow(&mut self, len: u64) -> bool {
        if len < 128 {
            return false;
        }
        let room = self.clamp.saturating_sub(self.ready_bytes).saturating_sub(self.threshold);
        if room > 0 {
            self.threshold += room.min(2 * self.advertised_mss.max(len));
            self.chosen = Chosen::NONE;
        }
        room > 0
    }

    /// The window that could be offered now (Linux `__tcp_select_window`; RFC 9293 3.8.6.2.2 silly-window avoidance).
    #[inline(never)]
    pub(in crate::transport::tcp) fn select(&self) -> u64 {
        let free = self.clamp.saturating_sub(self.holds());
        if free < self.clamp / 2 && (free < self.clamp >> 4 || free < self.advertised_mss) {
            return 0;
        }
        let free = free.min(self.threshold);
        if self.scale > 0 {
            return self.whole_units(free);
        }
        // Without scaling: whole segments, and not less than before for a trifle.
        let window = self.window();
        if window <= free.saturating_sub(self.advertised_mss) || window > free {
            return free / self.advertised_mss * self.advertised_mss;
        }
        window
    }

    /// Whether no smaller window could be offered now than is open.
    #[expect(clippy::inline_always, reason = "one step of the way of nearly every segment")]
    #[inline(always)]
    pub(in crate::transport::tcp) fn offers_as_much(&self) -> bool {
        let (window, chosen) = (self.window(), self.chosen);
        (chosen.holds == self.holds() && chosen.window >= window) || self.select() >= window
    }

    /// Rounds a window up to what its scaled field can say.
    #[inline]
    const fn whole_units(&self, window: u64) -> u64 {
        (window + (1 << self.scale) - 1) >> self.scale << self.scale
    }

    /// Chooses the window for a segment about to be sent and returns its field; the right edge never moves left.
    #[inline]
    pub(in crate::transport::tcp) fn offer(&mut self) -> u16 {
        let Chosen { holds, window, field } = self.chosen;
        let edge = self.next + window;
        if holds == self.holds() && edge >= self.edge {
            self.edge = edge;
            return field;
        }
        self.offer_anew()
    }

    #[inline(never)]
    fn offer_anew(&mut self) -> u16 {
        let mut window = self.select();
        let current = self.window();
        let shrinks = window < current;
        if shrinks {
            window = self.whole_units(current);
        }
        let field = (window >> self.scale).min(65_535);
        let window = field << self.scale;
        self.edge = self.edge.max(self.next + window);
        let field = field as u16;
        self.chosen = Chosen::NONE;
        if self.scale > 0 && !shrinks {
            self.chosen = Chosen { holds: self.holds(), window, field };
        }
        field
    }

    /// The window field of a SYN or SYN-ACK, which is never scaled.
    pub(in crate::transport::tcp) fn offer_unscaled(&mut self) -> u16 {
        let window = self.threshold.min(65_535);
        self.edge = self.edge.max(self.next + window);
        self.chosen = Chosen::NONE;
        window as u16
    }

    /// Whether reading has opened the window enough to say so at once: from at most half of the largest possible to at least
    /// twice what is open (Linux `tcp_cleanup_rbuf`).
    #[inline]
    pub(in crate::transport::tcp) fn opened_much(&self) -> bool {
        let window = self.window();
        if 2 * window > self.clamp {
            return false;
        }
        let new = self.select();
        new > 0 && new >= 2 * window
    }
}
