//! Packets of a line on which nothing overtakes and the delay is fixed: one ring holds both those that wait for the line and
//! those on it, as each departed one delay before it arrives.

use super::{Backlog, Fate};
use crate::base::{Span, Time};

/// A packet on its way.
#[derive(Clone, Copy, Debug)]
struct Slot<P> {
    arrival: Time,
    packet: P,
    size: u16,
    fate: Fate,
}

/// The ring: from `head` on packets have not arrived, from `waiting` on they had not departed when last looked at, `tail` is the next free slot.
/// The three count on without bounds, from the first packet of all, and are masked into the ring. What has arrived lies in its slot until the
/// next look at the backlog, which comes before anything is put there.
#[derive(Debug)]
pub(super) struct Fifo<P> {
    slots: Vec<Slot<P>>,
    head: usize,
    waiting: usize,
    tail: usize,
    waiting_bytes: u64,
}

impl<P: Copy> Fifo<P> {
    pub(super) const fn new() -> Self {
        Self { slots: Vec::new(), head: 0, waiting: 0, tail: 0, waiting_bytes: 0 }
    }

    pub(super) const fn len(&self) -> usize {
        self.tail.wrapping_sub(self.head)
    }

    /// Packets so far: added, and taken out again.
    pub(super) const fn turnover(&self) -> (u64, u64) {
        (self.tail as u64, self.head as u64)
    }

    #[inline]
    fn slot(&self, at: usize) -> Option<&Slot<P>> {
        self.slots.get(at & self.slots.len().checked_sub(1)?)
    }

    /// What has not departed by `now`, on a line with this delay.
    #[inline]
    pub(super) fn backlog(&mut self, delay: Span, now: Time) -> Backlog {
        let arrived = now + delay;
        while self.waiting != self.tail
            && let Some(slot) = self.slot(self.waiting)
            && slot.arrival <= arrived
        {
            self.waiting_bytes -= u64::from(slot.size);
            self.waiting = self.waiting.wrapping_add(1);
        }
        Backlog { packets: self.tail.wrapping_sub(self.waiting) as u64, bytes: self.waiting_bytes }
    }

    /// Everything has departed.
    #[inline]
    pub(super) const fn all_departed(&mut self) {
        self.waiting = self.tail;
        self.waiting_bytes = 0;
    }

    /// Adds a packet, which arrives after all others. True if it is alone.
    #[inline]
    pub(super) fn push(&mut self, arrival: Time, packet: P, size: u16, fate: Fate) -> bool {
        let count = self.len();
        if count == self.slots.len() {
            self.grow(packet, fate);
        }
        if let Some(mask) = self.slots.len().checked_sub(1)
            && let Some(free) = self.slots.get_mut(self.tail & mask)
        {
            *free = Slot { arrival, packet, size, fate };
        }
        self.tail = self.tail.wrapping_add(1);
        self.waiting_bytes += u64::from(size);
        count == 0
    }

    /// Doubles the ring; `packet` and `fate` are something to fill it with.
    #[cold]
    #[inline(never)]
    fn grow(&mut self, packet: P, fate: Fate) {
        let count = self.len();
        let mut slots = vec![Slot { arrival: Time::NEVER, packet, size: 0, fate }; (2 * count).max(8)];
        let mask = slots.len() - 1;
        for at in (0..count).map(|index| self.head.wrapping_add(index)) {
            if let Some(slot) = self.slot(at) {
                slots[at & mask] = *slot;
            }
        }
        self.slots = slots;
    }

    /// Arrival of the first packet.
    #[inline]
    pub(super) fn first_arrival(&self) -> Option<Time> {
        if self.head == self.tail { None } else { self.slot(self.head).map(|slot| slot.arrival) }
    }

    /// The first packet, and what becomes of it, where there is one.
    #[inline]
    pub(super) fn first(&self) -> Option<(P, Fate)> {
        debug_assert_ne!(self.head, self.tail, "something arrives");
        self.slot(self.head).map(|slot| (slot.packet, slot.fate))
    }

    /// Takes the first packet out, which has arrived, and says when the next one does, if there is one.
    #[inline]
    pub(super) fn take_first(&mut self) -> Option<Time> {
        self.head = self.head.wrapping_add(1);
        self.first_arrival()
    }
}
