//! Events in the order (time, source entity, that entity's own counter).

use super::heap::Heap;
use crate::base::Time;
use std::cmp::Ordering;
use std::fmt;

/// When an event happens and who caused it. Keys compare by time, then source, then the source's own counter, so the order
/// of equal times does not depend on what other entities have scheduled.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(u128);

impl Key {
    /// The key of the `counter`th event of `source` at `time`.
    #[must_use]
    #[inline]
    pub const fn new(time: Time, source: u32, counter: u32) -> Self {
        Self((time.as_nanos() as u128) << 64 | (source as u128) << 32 | counter as u128)
    }

    /// When.
    #[must_use]
    #[inline]
    pub const fn time(self) -> Time {
        Time::from_nanos((self.0 >> 64) as u64)
    }

    /// The source and its counter in one word.
    #[must_use]
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "takes the lower half")]
    pub const fn origin(self) -> u64 {
        self.0 as u64
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} source {} event {}", self.time(), self.origin() >> 32, self.origin() & 0xffff_ffff)
    }
}

/// An event under its key, by which alone it is compared.
#[derive(Clone, Copy)]
struct Entry<E>(Key, E);

impl<E> PartialEq for Entry<E> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<E> Eq for Entry<E> {}

impl<E> PartialOrd for Entry<E> {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
    #[inline]
    fn lt(&self, other: &Self) -> bool {
        self.0 < other.0
    }
    #[inline]
    fn le(&self, other: &Self) -> bool {
        self.0 <= other.0
    }
}

impl<E> Ord for Entry<E> {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

/// A priority queue of events of type `E`, earliest key first.
pub struct Queue<E> {
    heap: Heap<Entry<E>>,
    /// When the earliest event happens, or the horizon if that is before it: asked for much more often than it changes.
    next: Time,
    horizon: Time,
}

impl<E: Copy> Default for Queue<E> {
    fn default() -> Self {
        Self { heap: Heap::default(), next: Time::NEVER, horizon: Time::NEVER }
    }
}

impl<E: Copy> Queue<E> {
    /// An empty queue.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of events waiting.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether nothing is left to happen.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// When the earliest event happens, or the horizon if there is none before it.
    #[must_use]
    #[inline]
    pub const fn next_time(&self) -> Time {
        self.next
    }

    /// No event from this instant on is looked at.
    pub fn set_horizon(&mut self, horizon: Time) {
        self.horizon = horizon;
        self.look();
    }

    #[inline]
    fn look(&mut self) {
        self.next = self.heap.first().map_or(self.horizon, |entry| entry.0.time().min(self.horizon));
    }

    /// Adds an event.
    #[inline]
    pub fn push(&mut self, key: Key, event: E) {
        self.next = self.next.min(key.time());
        self.heap.push(Entry(key, event));
    }

    /// Removes and returns the earliest event, if there is one before the horizon.
    #[inline]
    pub fn pop(&mut self) -> Option<(Key, E)> {
        if self.next == self.horizon {
            return None;
        }
        let entry = self.heap.pop()?;
        self.look();
        Some((entry.0, entry.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_time_then_source_then_counter() {
        let key = |time, source, counter| Key::new(Time::from_nanos(time), source, counter);
        let ordered = [key(1, 0, 0), key(1, 0, 1), key(1, 1, 0), key(2, 0, 0)];
        let mut queue = Queue::new();
        assert_eq!(queue.next_time(), Time::NEVER);
        for index in [3, 1, 2, 0] {
            queue.push(ordered[index], index);
        }
        assert_eq!(queue.next_time(), Time::from_nanos(1));
        for (index, key) in ordered.into_iter().enumerate() {
            assert_eq!(queue.pop(), Some((key, index)));
        }
        queue.push(ordered[3], 7);
        queue.set_horizon(Time::from_nanos(2));
        assert_eq!((queue.next_time(), queue.pop()), (Time::from_nanos(2), None));
        queue.set_horizon(Time::from_nanos(3));
        assert_eq!((queue.next_time(), queue.pop()), (Time::from_nanos(2), Some((ordered[3], 7))));
        assert_eq!(key(7, 3, 9).time(), Time::from_nanos(7));
        assert_eq!(key(7, 3, 9).origin(), 3 << 32 | 9);
    }
}
