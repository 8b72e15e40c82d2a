//! Events in the order (time, source entity, that entity's own counter), in a 4-ary heap of packed keys.

use crate::base::Time;
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

const ARITY: usize = 4;

/// A priority queue of events of type `E`, earliest key first.
pub struct Queue<E> {
    heap: Vec<(Key, E)>,
}

impl<E: Copy> Default for Queue<E> {
    fn default() -> Self {
        Self { heap: Vec::new() }
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
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether nothing is left to happen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// The earliest event.
    #[must_use]
    #[inline]
    pub fn peek(&self) -> Option<(Key, E)> {
        self.heap.first().copied()
    }

    /// Adds an event.
    #[inline]
    pub fn push(&mut self, key: Key, event: E) {
        let hole = self.heap.len();
        self.heap.push((key, event));
        self.sift_up(hole, key, event);
    }

    /// Removes and returns the earliest event.
    #[inline]
    pub fn pop(&mut self) -> Option<(Key, E)> {
        let first = self.peek()?;
        let (key, event) = self.heap.pop()?;
        if !self.heap.is_empty() {
            self.sift_down(key, event);
        }
        Some(first)
    }

    /// Puts `event` in the place of the earliest one: cheaper than a pop and a push when, as usual, the source of the
    /// event that has just happened knows its next.
    ///
    /// # Panics
    /// If the queue is empty.
    #[inline]
    pub fn replace_first(&mut self, key: Key, event: E) {
        assert!(!self.heap.is_empty(), "an empty queue has no first event");
        self.sift_down(key, event);
    }

    fn sift_up(&mut self, mut hole: usize, key: Key, event: E) {
        while hole > 0 {
            let parent = (hole - 1) / ARITY;
            if self.heap[parent].0 <= key {
                break;
            }
            self.heap[hole] = self.heap[parent];
            hole = parent;
        }
        self.heap[hole] = (key, event);
    }

    #[inline]
    fn sift_down(&mut self, key: Key, event: E) {
        let heap = &mut self.heap[..];
        let mut hole = 0;
        loop {
            let child = hole * ARITY + 1;
            // The usual case, four children, takes three comparisons and no loop.
            let least = if let Some([a, b, c, d]) = heap.get(child..child + ARITY) {
                let (first, first_key) = if b.0 < a.0 { (1, b.0) } else { (0, a.0) };
                let (second, second_key) = if d.0 < c.0 { (3, d.0) } else { (2, c.0) };
                child + if second_key < first_key { second } else { first }
            } else {
                let last = heap.get(child..).unwrap_or_default();
                let Some(least) = (0..last.len()).min_by_key(|&index| last[index].0) else { break };
                child + least
            };
            let entry = heap[least];
            if key <= entry.0 {
                break;
            }
            heap[hole] = entry;
            hole = least;
        }
        heap[hole] = (key, event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;

    #[test]
    fn order_is_time_then_source_then_counter() {
        let key = |time, source, counter| Key::new(Time::from_nanos(time), source, counter);
        let mut keys = [key(2, 0, 0), key(1, 1, 0), key(1, 0, 1), key(1, 0, 0)];
        keys.sort();
        assert_eq!(keys, [key(1, 0, 0), key(1, 0, 1), key(1, 1, 0), key(2, 0, 0)]);
        assert_eq!(key(7, 3, 9).time(), Time::from_nanos(7));
        assert_eq!(key(7, 3, 9).origin(), 3 << 32 | 9);
    }

    #[test]
    fn agrees_with_a_sorted_list_under_random_work() {
        let mut rng = Rng::stream(5, "test/queue");
        let mut queue = Queue::new();
        let mut list: Vec<(Key, u64)> = Vec::new();
        for counter in 0..20_000 {
            let key = Key::new(Time::from_nanos(rng.below(1000)), 0, counter);
            match rng.below(3) {
                0 => assert_eq!(queue.pop(), list.pop()),
                1 if !list.is_empty() => {
                    queue.replace_first(key, rng.bits());
                    // The list has to take over the same event: read it back through a full comparison below.
                    list.pop();
                    let event = queue.heap.iter().find(|entry| entry.0 == key).unwrap().1;
                    list.push((key, event));
                }
                _ => {
                    queue.push(key, u64::from(counter));
                    list.push((key, u64::from(counter)));
                }
            }
            list.sort_by_key(|entry| std::cmp::Reverse(entry.0));
        }
        while let Some(entry) = queue.pop() {
            assert_eq!(Some(entry), list.pop());
        }
        assert!(list.is_empty());
    }
}
