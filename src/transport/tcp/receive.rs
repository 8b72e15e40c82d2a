//! What has arrived: in order and readable, out of order and SACKed, and the window that is offered for more.

use crate::base::{Span, Time};
use crate::trace::Arrival;
use crate::wire::{Payload, SackBlocks, Seq, Transit};
use std::collections::VecDeque;

/// In-order bytes that nobody has read, and the way of the last of them.
#[derive(Debug)]
struct Ready {
    payload: Payload,
    arrival: Arrival,
}

/// A segment above a hole.
#[derive(Debug)]
struct Held {
    start: u64,
    end: u64,
    payload: Payload,
    arrival: Arrival,
}

/// What a segment's data came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Taken {
    /// New in-order bytes are there.
    pub(super) readable: bool,
    /// It arrived above a hole.
    pub(super) out_of_order: bool,
    /// It filled the last hole.
    pub(super) filled: bool,
    /// All of it had arrived before.
    pub(super) duplicate: bool,
}

/// The way of the last byte of a segment that arrives now.
#[inline]
pub(super) fn arrival_of(transit: &Transit, now: Time) -> Arrival {
    Arrival {
        first_sent: transit.first_sent,
        sent: transit.sent,
        arrived: now,
        released: now,
        serialisation: transit.serialisation,
        queueing: transit.queueing,
        propagation: transit.propagation,
    }
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

/// The receiving half of a connection. Offsets count from the peer's initial sequence number: its SYN is 0, data begins at 1.
#[derive(Debug)]
pub(super) struct Receiver {
    /// The peer's initial sequence number.
    pub(super) irs: Seq,
    /// Next offset expected.
    pub(super) next: u64,
    /// Bytes of a single segment of filler, which is all there is to be read: what a reader that keeps up with a bulk transfer finds.
    /// 0 if that is not so.
    lone: u64,
    /// The way of that segment, and of the last byte that was discarded.
    lone_arrival: Arrival,
    ready: VecDeque<Ready>,
    ready_bytes: u64,
    /// Segments above holes, by offset.
    held: Vec<Held>,
    held_bytes: u64,
    /// Blocks to report, most recently changed first (RFC 2018 4).
    blocks: Vec<(u64, u64)>,
    /// The duplicate to report first in the next ACK (RFC 2883).
    duplicate: Option<(u64, u64)>,
    /// Offset of the peer's FIN, once known.
    pub(super) fin: Option<u64>,
    /// Bytes read so far.
    read: u64,
    /// Right edge offered so far.
    edge: u64,
    /// Shift of the window field in our segments.
    pub(super) scale: u8,
    /// Window that the buffer allows at present, and at most.
    clamp: u64,
    limit: u64,
    /// Memory that the buffer may take before autotuning. Until a segment has shown its share, half of it is taken to hold data (Linux
    /// `scaling_ratio`).
    memory: u64,
    /// Window that slow growth has reached (Linux `rcv_ssthresh`).
    threshold: u64,
    /// The window field offered last, and what it was chosen by: next offset, bytes held, `threshold`. A sender of data offers the
    /// same again with every segment.
    offered: (u64, u64, u64, u16),
    advertised_mss: u64,
    /// Buffer autotuning (Linux `rcvq_space`): bytes read in the last round trip, and the measurement under way.
    per_round: u64,
    round_read: u64,
    round_start: Time,
}

impl Receiver {
    /// Before the peer's SYN. `first` is the first window, `buffer` what the buffer allows before autotuning and `limit` at most.
    pub(super) fn new(mss: u32, first: u32, buffer: u64, limit: u64, scale: u8) -> Self {
        let mss = u64::from(mss);
        // Whole segments, if there is room for one (Linux `tcp_select_initial_window`).
        let space = buffer.min(limit);
        let first = u64::from(first).min(if space > mss { space / mss * mss } else { space });
        Self {
            irs: Seq(0),
            next: 0,
            lone: 0,
            lone_arrival: Arrival::default(),
            ready: VecDeque::new(),
            ready_bytes: 0,
            held: Vec::new(),
            held_bytes: 0,
            blocks: Vec::new(),
            duplicate: None,
            fin: None,
            read: 0,
            edge: 0,
            scale,
            clamp: buffer.min(limit),
            limit,
            memory: 2 * buffer.min(limit),
            threshold: first,
            offered: (u64::MAX, 0, 0, 0),
            advertised_mss: mss,
            per_round: 10 * mss,
            round_read: 0,
            round_start: Time::ZERO,
        }
    }

    /// The peer's SYN has come.
    pub(super) fn start(&mut self, irs: Seq) {
        self.irs = irs;
        self.next = 1;
        self.edge = 1 + self.threshold;
    }

    /// The offset of a sequence number near the next one expected.
    #[inline]
    pub(super) fn offset(&self, seq: Seq) -> i64 {
        let expected = self.seq(self.next);
        self.next.cast_signed() + i64::from((seq.0.wrapping_sub(expected.0)).cast_signed())
    }

    /// The sequence number of an offset.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "sequence numbers count modulo 2^32")]
    pub(super) fn seq(&self, offset: u64) -> Seq {
        self.irs + offset as u32
    }

    /// Bytes that can be read.
    #[inline]
    pub(super) const fn readable(&self) -> u64 {
        self.ready_bytes
    }

    /// Payload that has arrived in order, in bytes.
    pub(super) fn received(&self) -> u64 {
        self.next.saturating_sub(1 + u64::from(self.ended()))
    }

    /// Whether the peer's FIN has been reached.
    #[inline]
    pub(super) fn ended(&self) -> bool {
        self.fin.is_some_and(|fin| self.next > fin)
    }

    /// Whether data waits above a hole.
    #[inline]
    pub(super) const fn has_holes(&self) -> bool {
        !self.held.is_empty()
    }

    /// Whether nothing has arrived but what is in order, no end is known, and no duplicate waits to be reported.
    #[inline]
    pub(super) const fn expects_nothing_else(&self) -> bool {
        self.held.is_empty() && self.blocks.is_empty() && self.duplicate.is_none() && self.fin.is_none()
    }

    /// Bytes between what the reader has and what has arrived in order.
    pub(super) const fn unread(&self) -> u64 {
        self.ready_bytes
    }

    /// Room left in the window that was last offered (Linux `tcp_receive_window`).
    #[inline]
    pub(super) const fn window(&self) -> u64 {
        self.edge.saturating_sub(self.next)
    }

    /// Takes in the data of a segment at offset `start`, which lies at least partly inside the window.
    pub(super) fn take(&mut self, start: u64, payload: Payload, arrival: Arrival) -> Taken {
        let mut taken = Taken::default();
        let end = start + payload.len();
        if end <= self.next {
            self.set_duplicate(start, end);
            taken.duplicate = true;
            return taken;
        }
        if start > self.next {
            taken.out_of_order = true;
            taken.duplicate = !self.hold(start, end, payload, arrival);
            return taken;
        }
        let mut payload = payload;
        if start < self.next {
            self.set_duplicate(start, self.next);
            payload.advance(self.next - start);
        }
        taken.readable = true;
        self.release(&mut payload, || arrival);
        if !self.held.is_empty() {
            self.release_held(arrival.arrived);
            taken.filled = self.held.is_empty();
        }
        taken
    }

    /// Takes in what is next, out of its place.
    #[expect(clippy::inline_always, reason = "one step of the way of nearly every segment")]
    #[inline(always)]
    pub(super) fn release(&mut self, payload: &mut Payload, arrival: impl FnOnce() -> Arrival) {
        let len = payload.len();
        self.next += len;
        if self.ready_bytes == 0 && payload.take_filler() {
            self.lone = len;
            self.lone_arrival = arrival();
        } else {
            self.queue(std::mem::take(payload), arrival());
        }
        self.ready_bytes += len;
    }

    #[inline(never)]
    fn queue(&mut self, payload: Payload, arrival: Arrival) {
        self.queue_lone();
        self.ready.push_back(Ready { payload, arrival });
    }

    /// The lone segment goes where all others are.
    #[inline]
    fn queue_lone(&mut self) {
        let len = std::mem::take(&mut self.lone);
        if len > 0 {
            self.ready.push_back(Ready { payload: Payload::filler(len), arrival: self.lone_arrival });
        }
    }

    /// Holes have been filled: what lies contiguous now is readable now.
    fn release_held(&mut self, now: Time) {
        let mut count = 0;
        while let Some(held) = self.held.get_mut(count)
            && held.start <= self.next
        {
            count += 1;
            let mut payload = std::mem::take(&mut held.payload);
            let (start, end, mut arrival) = (held.start, held.end, held.arrival);
            self.held_bytes -= payload.len();
            if end <= self.next {
                self.extend_duplicate(start, end);
                continue;
            }
            if start < self.next {
                self.extend_duplicate(start, self.next);
                payload.advance(self.next - start);
            }
            arrival.released = now;
            self.release(&mut payload, || arrival);
        }
        self.held.drain(..count);
        self.forget_blocks();
    }

    /// Blocks that have been reached need not be reported any more.
    fn forget_blocks(&mut self) {
        let next = self.next;
        self.blocks.retain(|block| block.1 > next);
    }

    /// Takes the peer's FIN, which is next. There is nothing to be reported behind it (Linux `tcp_fin`).
    pub(super) fn take_fin(&mut self) {
        self.next += 1;
        self.blocks.clear();
        self.duplicate = None;
    }

    /// Keeps a segment above a hole; false if all of it was there already.
    fn hold(&mut self, start: u64, end: u64, payload: Payload, arrival: Arrival) -> bool {
        let (mut from, mut payload) = (start, payload);
        let mut fresh = false;
        let mut index = self.held.partition_point(|held| held.end <= start);
        while from < end {
            let next = self.held.get(index).map_or(u64::MAX, |held| held.start);
            if next <= from {
                // This part is held.
                let until = self.held[index].end.min(end);
                self.extend_duplicate(from, until);
                payload.advance(until - from);
                from = until;
                index += 1;
                continue;
            }
            let until = next.min(end);
            let part = payload.split_to(until - from);
            self.held_bytes += part.len();
            self.held.insert(index, Held { start: from, end: until, payload: part, arrival });
            fresh = true;
            from = until;
            index += 1;
        }
        self.report(start, end);
        fresh
    }

    /// Puts the block around `start..end` first (Linux `tcp_sack_new_ofo_skb`). FIN counts where it follows.
    pub(super) fn report(&mut self, start: u64, end: u64) {
        let fin = self.fin == Some(end);
        let mut block = (start, end + u64::from(fin));
        let mut index = 0;
        while index < self.blocks.len() {
            let other = self.blocks[index];
            if other.0 <= block.1 && block.0 <= other.1 {
                block = (block.0.min(other.0), block.1.max(other.1));
                self.blocks.remove(index);
            } else {
                index += 1;
            }
        }
        self.blocks.truncate(3);
        self.blocks.insert(0, block);
    }

    /// Whether something above a hole is reported.
    pub(super) fn reports_holes(&self) -> bool {
        !self.blocks.is_empty()
    }

    /// A segment that had arrived before is reported in the next ACK.
    pub(super) fn set_duplicate(&mut self, start: u64, end: u64) {
        self.duplicate = Some((start, end));
    }

    /// More of the segment at hand had arrived before: only what adjoins is reported with it (Linux `tcp_dsack_extend`).
    fn extend_duplicate(&mut self, start: u64, end: u64) {
        match &mut self.duplicate {
            Some((from, until)) if start <= *until && *from <= end => {
                *from = start.min(*from);
                *until = end.max(*until);
            }
            Some(_) => {}
            None => self.set_duplicate(start, end),
        }
    }

    /// Whether the next ACK has something to report beyond its number.
    pub(super) fn has_blocks(&self) -> bool {
        self.duplicate.is_some() || !self.blocks.is_empty()
    }

    /// The blocks of the next ACK, at most `room`; a D-SACK is reported once.
    pub(super) fn sack_blocks(&mut self, room: usize) -> SackBlocks {
        let mut blocks = SackBlocks::none();
        let duplicate = self.duplicate.take();
        for (start, end) in duplicate.into_iter().chain(self.blocks.iter().copied()).take(room) {
            blocks.push(self.seq(start), self.seq(end));
        }
        blocks
    }

    /// Takes at most `max` readable bytes, and the way of the last one.
    pub(super) fn read(&mut self, max: u64) -> Option<(Payload, Arrival)> {
        self.queue_lone();
        let mut out: Option<(Payload, Arrival)> = None;
        let mut left = max.min(self.ready_bytes);
        while left > 0
            && let Some(front) = self.ready.front_mut()
        {
            let arrival = front.arrival;
            let part = front.payload.split_to(left);
            if front.payload.is_empty() {
                self.ready.pop_front();
            }
            left -= part.len();
            self.ready_bytes -= part.len();
            self.read += part.len();
            match &mut out {
                Some((payload, last)) => {
                    payload.append(part);
                    *last = arrival;
                }
                None => out = Some((part, arrival)),
            }
        }
        out
    }

    /// Counts and drops at most `max` readable bytes.
    #[inline]
    pub(super) fn discard(&mut self, max: u64) -> u64 {
        let len = self.lone;
        if len > 0 && len <= max {
            self.lone = 0;
            self.ready_bytes = 0;
            self.read += len;
            return len;
        }
        self.discard_several(max)
    }

    /// The way of the last byte discarded.
    pub(super) const fn discarded(&self) -> Arrival {
        self.lone_arrival
    }

    #[inline(never)]
    fn discard_several(&mut self, max: u64) -> u64 {
        self.queue_lone();
        let mut left = max.min(self.ready_bytes);
        let taken = left;
        while left > 0
            && let Some(front) = self.ready.front_mut()
        {
            self.lone_arrival = front.arrival;
            let have = front.payload.len();
            if have <= left {
                left -= have;
                self.ready.pop_front();
            } else {
                front.payload.advance(left);
                left = 0;
            }
        }
        self.ready_bytes -= taken;
        self.read += taken;
        taken
    }

    /// The buffer follows what the reader took in the last round trip (Linux `tcp_rcv_space_adjust`, dynamic right-sizing).
    #[inline]
    pub(super) fn adjust(&mut self, rtt: Span, now: Time) {
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
            self.offered.0 = u64::MAX;
            self.per_round = copied;
        }
        self.round_read = self.read;
        self.round_start = now;
    }

    /// Segments of `len` bytes come: that is how much data the buffer's memory holds (Linux `tcp_measure_rcv_mss`).
    #[inline(never)]
    pub(super) fn measure(&mut self, len: u64) {
        let share = len * 256 / truesize(len);
        let window = (self.memory * share / 256).min(self.limit);
        if self.clamp < window {
            self.clamp = window;
            self.offered.0 = u64::MAX;
        }
    }

    /// A data segment of `len` bytes has come: the offered window may grow, and does if it is true (Linux `tcp_grow_window`).
    #[inline]
    pub(super) fn grow(&mut self, len: u64) -> bool {
        if len < 128 {
            return false;
        }
        let room = self.clamp.saturating_sub(self.ready_bytes).saturating_sub(self.threshold);
        if room > 0 {
            self.threshold += room.min(2 * self.advertised_mss.max(len));
        }
        room > 0
    }

    /// The window that could be offered now (Linux `__tcp_select_window`; RFC 9293 3.8.6.2.2 silly-window avoidance).
    #[inline]
    pub(super) fn select(&self) -> u64 {
        let free = self.clamp.saturating_sub(self.ready_bytes + self.held_bytes);
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

    /// Rounds a window up to what its scaled field can say.
    #[inline]
    const fn whole_units(&self, window: u64) -> u64 {
        (window + (1 << self.scale) - 1) >> self.scale << self.scale
    }

    /// Chooses the window for a segment about to be sent and returns its field; the right edge never moves left.
    #[inline]
    pub(super) fn offer(&mut self) -> u16 {
        let (next, held, threshold, field) = self.offered;
        if (next, held, threshold) == (self.next, self.ready_bytes + self.held_bytes, self.threshold) {
            return field;
        }
        self.offer_anew()
    }

    #[inline(never)]
    fn offer_anew(&mut self) -> u16 {
        let mut window = self.select();
        let current = self.window();
        if window < current {
            window = self.whole_units(current);
        }
        let field = (window >> self.scale).min(65_535);
        self.edge = self.edge.max(self.next + (field << self.scale));
        let field = field as u16;
        self.offered = (self.next, self.ready_bytes + self.held_bytes, self.threshold, field);
        field
    }

    /// The window field of a SYN or SYN-ACK, which is never scaled.
    pub(super) fn offer_unscaled(&mut self) -> u16 {
        let window = self.threshold.min(65_535);
        self.edge = self.edge.max(self.next + window);
        self.offered.0 = u64::MAX;
        window as u16
    }

    /// Whether reading has opened the window enough to say so at once: from at most half of the largest possible to at least
    /// twice what is open (Linux `tcp_cleanup_rbuf`).
    #[inline]
    pub(super) fn opened_much(&self) -> bool {
        let window = self.window();
        if 2 * window > self.clamp {
            return false;
        }
        let new = self.select();
        new > 0 && new >= 2 * window
    }
}
