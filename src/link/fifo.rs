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

/// The ring: from `head` on packets have departed, from `waiting` on they have not, `tail` is the next free slot. The three
/// count on without bounds and are masked into the ring.
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
    pub(super) const fn no_backlog(&mut self) -> Backlog {
        self.waiting = self.tail;
        self.waiting_bytes = 0;
        Backlog { packets: 0, bytes: 0 }
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
        let mut slots = Vec::with_capacity((2 * count).max(8));
        slots.extend((0..count).filter_map(|index| self.slot(self.head.wrapping_add(index)).copied()));
        slots.resize((2 * count).max(8), Slot { arrival: Time::NEVER, packet, size: 0, fate });
        self.waiting = self.waiting.wrapping_sub(self.head);
        self.tail = count;
        self.head = 0;
        self.slots = slots;
    }

    /// Arrival of the first packet.
    #[inline]
    pub(super) fn first_arrival(&self) -> Option<Time> {
        if self.head == self.tail { None } else { self.slot(self.head).map(|slot| slot.arrival) }
    }

    /// As [`Fifo::pop`], if there is a packet and it arrives; or else nothing is done.
    #[inline]
    pub(super) fn pop_arriving(&mut self) -> Option<(P, Time)> {
        if self.head == self.tail {
            return None;
        }
        let mask = self.slots.len().checked_sub(1)?;
        let Slot { packet, fate, size, .. } = *self.slots.get(self.head & mask)?;
        if fate != Fate::Arrives {
            return None;
        }
        let head = self.head.wrapping_add(1);
        if self.waiting == self.head {
            // Nothing has been offered since it departed.
            self.waiting = head;
            self.waiting_bytes -= u64::from(size);
        }
        self.head = head;
        let next = if head == self.tail { Time::NEVER } else { self.slots.get(head & mask)?.arrival };
        Some((packet, next))
    }

    /// Takes the first packet out, which has arrived, and says when the next one does ([`Time::NEVER`] if there is none).
    #[inline]
    pub(super) fn pop(&mut self) -> Option<(P, Fate, Time)> {
        if self.head == self.tail {
            return None;
        }
        let mask = self.slots.len().checked_sub(1)?;
        let Slot { packet, fate, size, .. } = *self.slots.get(self.head & mask)?;
        let head = self.head.wrapping_add(1);
        if self.waiting == self.head {
            // Nothing has been offered since it departed.
            self.waiting = head;
            self.waiting_bytes -= u64::from(size);
        }
        self.head = head;
        let next = if head == self.tail { Time::NEVER } else { self.slots.get(head & mask)?.arrival };
        Some((packet, fate, next))
    }
}
