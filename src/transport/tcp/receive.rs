//! What has arrived: in order and readable, out of order and SACKed.

mod window;

use crate::base::Time;
use crate::trace::Arrival;
use crate::wire::{Payload, SackBlocks, Seq, Transit};
use std::collections::VecDeque;
use window::Chosen;

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
    /// The window chosen last.
    chosen: Chosen,
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
            chosen: Chosen::NONE,
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

    /// Bytes that the buffer holds.
    #[inline]
    const fn holds(&self) -> u64 {
        self.ready_bytes + self.held_bytes
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
}
