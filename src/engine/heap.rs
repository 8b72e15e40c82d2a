//! A 4-ary heap, least item first: shallow, and four neighbours are compared in one look.

const ARITY: usize = 4;

/// Items in a heap. Equal items come out in no particular order, so items that matter never compare equal.
#[derive(Debug)]
pub(super) struct Heap<T> {
    items: Vec<T>,
}

impl<T> Default for Heap<T> {
    fn default() -> Self {
        Self { items: Vec::new() }
    }
}

impl<T: Copy + Ord> Heap<T> {
    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.items.len()
    }

    #[inline]
    pub(super) const fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The least item.
    #[inline]
    pub(super) fn first(&self) -> Option<T> {
        self.items.first().copied()
    }

    #[inline]
    pub(super) fn push(&mut self, item: T) {
        let mut hole = self.items.len();
        self.items.push(item);
        while hole > 0 {
            let parent = (hole - 1) / ARITY;
            if self.items[parent] <= item {
                break;
            }
            self.items[hole] = self.items[parent];
            hole = parent;
        }
        self.items[hole] = item;
    }

    /// Removes and returns the least item.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<T> {
        let last = self.items.pop()?;
        let Some(first) = self.items.first().copied() else { return Some(last) };
        self.sift_down(last);
        Some(first)
    }

    /// Puts `item` into the hole that the first item has left.
    fn sift_down(&mut self, item: T) {
        let items = &mut self.items[..];
        let mut hole = 0;
        loop {
            let child = hole * ARITY + 1;
            // The usual case, four children, takes three comparisons and no loop.
            let least = if let Some([a, b, c, d]) = items.get(child..child + ARITY) {
                let (first, first_item) = if b < a { (1, b) } else { (0, a) };
                let (second, second_item) = if d < c { (3, d) } else { (2, c) };
                child + if second_item < first_item { second } else { first }
            } else {
                let last = items.get(child..).unwrap_or_default();
                let Some(least) = (0..last.len()).min_by_key(|&index| last[index]) else { break };
                child + least
            };
            let entry = items[least];
            if item <= entry {
                break;
            }
            items[hole] = entry;
            hole = least;
        }
        items[hole] = item;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;

    #[test]
    fn agrees_with_a_sorted_list_under_random_work() {
        let mut rng = Rng::stream(5, "test/heap");
        let mut heap = Heap::default();
        let mut list: Vec<u64> = Vec::new();
        for counter in 0..20_000 {
            if rng.below(5) < 2 {
                assert_eq!(heap.pop(), list.pop());
            } else {
                let item = rng.below(1000) << 32 | counter;
                heap.push(item);
                list.push(item);
            }
            list.sort_by_key(|&item| std::cmp::Reverse(item));
            assert_eq!((heap.first(), heap.len()), (list.last().copied(), list.len()));
        }
        while let Some(item) = heap.pop() {
            assert_eq!(Some(item), list.pop());
        }
        assert!(list.is_empty() && heap.is_empty());
    }
}
