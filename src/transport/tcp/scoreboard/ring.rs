//! A queue in a ring whose size is a power of two: an entry's place costs a mask, and entries leave several at once.

use std::ops::{Index, IndexMut};

/// The queue, first entry first.
#[derive(Debug)]
pub(super) struct Ring<T> {
    slots: Vec<T>,
    /// Place of the first entry; it counts on without bounds and is masked into the ring.
    head: usize,
    len: usize,
}

impl<T: Copy> Ring<T> {
    pub(super) const fn new() -> Self {
        Self { slots: Vec::new(), head: 0, len: 0 }
    }

    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    const fn place(&self, index: usize) -> usize {
        self.head.wrapping_add(index) & self.slots.len().wrapping_sub(1)
    }

    #[inline]
    pub(super) fn get(&self, index: usize) -> Option<&T> {
        if index < self.len { self.slots.get(self.place(index)) } else { None }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        let place = self.place(index);
        if index < self.len { self.slots.get_mut(place) } else { None }
    }

    #[inline]
    pub(super) fn front(&self) -> Option<&T> {
        self.get(0)
    }

    #[inline]
    pub(super) fn front_mut(&mut self) -> Option<&mut T> {
        self.get_mut(0)
    }

    #[inline]
    pub(super) fn back(&self) -> Option<&T> {
        self.get(self.len.wrapping_sub(1))
    }

    #[inline]
    pub(super) fn push_back(&mut self, entry: T) {
        if self.len == self.slots.len() {
            self.grow(entry);
        }
        let place = self.place(self.len);
        if let Some(slot) = self.slots.get_mut(place) {
            *slot = entry;
        }
        self.len += 1;
    }

    /// Doubles the ring; `filler` is something to fill it with.
    #[cold]
    #[inline(never)]
    fn grow(&mut self, filler: T) {
        let size = (2 * self.len).max(4);
        let mut slots = Vec::with_capacity(size);
        slots.extend((0..self.len).map(|index| self[index]));
        slots.resize(size, filler);
        self.slots = slots;
        self.head = 0;
    }

    /// Lets the first entries go, which are so many at least.
    #[inline]
    pub(super) const fn drop_front(&mut self, count: usize) {
        debug_assert!(count <= self.len, "they are there");
        self.head = self.head.wrapping_add(count);
        self.len -= count;
    }

    /// Puts an entry before the one at `index`, or last.
    pub(super) fn insert(&mut self, index: usize, entry: T) {
        self.push_back(entry);
        for at in (index + 1..self.len).rev() {
            self[at] = self[at - 1];
        }
        self[index] = entry;
    }

    /// Takes the entry at `index` out.
    pub(super) fn remove(&mut self, index: usize) {
        for at in index + 1..self.len {
            self[at - 1] = self[at];
        }
        self.len -= 1;
    }

    /// The number of entries for which `holds`, which holds for the first ones only.
    pub(super) fn partition_point(&self, mut holds: impl FnMut(&T) -> bool) -> usize {
        let (mut low, mut high) = (0, self.len);
        while low < high {
            let middle = low.midpoint(high);
            if holds(&self[middle]) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        let (first, len) = (self.place(0), self.len);
        let before_end = len.min(self.slots.len().saturating_sub(first));
        let (wrapped, straight) = self.slots.split_at_mut(if len == 0 { 0 } else { first });
        straight[..before_end].iter_mut().chain(wrapped[..len - before_end].iter_mut())
    }
}

impl<T: Copy> Index<usize> for Ring<T> {
    type Output = T;

    #[inline]
    fn index(&self, index: usize) -> &T {
        self.get(index).expect("an index below the length")
    }
}

impl<T: Copy> IndexMut<usize> for Ring<T> {
    #[inline]
    fn index_mut(&mut self, index: usize) -> &mut T {
        self.get_mut(index).expect("an index below the length")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;
    use std::collections::VecDeque;

    #[test]
    fn it_holds_what_a_deque_holds() {
        let mut rng = Rng::stream(3, "test/ring");
        let (mut ring, mut deque) = (Ring::new(), VecDeque::new());
        for step in 0..20_000_u64 {
            match rng.below(8) {
                0 if !deque.is_empty() => {
                    let count = usize::try_from(rng.below(deque.len() as u64 + 1)).unwrap();
                    ring.drop_front(count);
                    deque.drain(..count);
                }
                1 => {
                    let at = usize::try_from(rng.below(deque.len() as u64 + 1)).unwrap();
                    ring.insert(at, step);
                    deque.insert(at, step);
                }
                2 if !deque.is_empty() => {
                    let at = usize::try_from(rng.below(deque.len() as u64)).unwrap();
                    ring.remove(at);
                    deque.remove(at);
                }
                3 => {
                    ring.iter_mut().for_each(|entry| *entry += 1);
                    deque.iter_mut().for_each(|entry| *entry += 1);
                }
                _ => {
                    ring.push_back(step);
                    deque.push_back(step);
                }
            }
            assert_eq!((ring.len(), ring.is_empty()), (deque.len(), deque.is_empty()));
            assert_eq!((ring.front(), ring.back()), (deque.front(), deque.back()));
            assert!((0..deque.len()).all(|index| ring[index] == deque[index]) && ring.get(deque.len()).is_none());
        }
        let mut sorted = Ring::new();
        (0..13_u32).for_each(|entry| sorted.push_back(entry));
        assert!((0..15).all(|bound| sorted.partition_point(|&entry| entry < bound) == bound.min(13) as usize));
    }
}
