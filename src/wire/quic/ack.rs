//! Ranges of packet numbers, as an ACK frame lists them: from the highest down.

use std::collections::VecDeque;

/// Disjoint ranges of numbers, highest first, that do not touch each other.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AckRanges {
    /// (lowest, highest) of each.
    ranges: VecDeque<(u64, u64)>,
}

impl AckRanges {
    /// No numbers.
    #[must_use]
    pub const fn new() -> Self {
        Self { ranges: VecDeque::new() }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many ranges there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// The highest number.
    #[must_use]
    pub fn largest(&self) -> Option<u64> {
        self.ranges.front().map(|range| range.1)
    }

    /// The lowest number.
    #[must_use]
    pub fn smallest(&self) -> Option<u64> {
        self.ranges.back().map(|range| range.0)
    }

    /// (lowest, highest) of each range, from the highest down.
    #[must_use]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, u64)> + '_ {
        self.ranges.iter().copied()
    }

    /// Whether the number is in a range.
    #[must_use]
    pub fn contains(&self, number: u64) -> bool {
        let at = self.ranges.partition_point(|range| range.0 > number);
        self.ranges.get(at).is_some_and(|range| number <= range.1)
    }

    /// Adds a number; false if it was there.
    pub fn insert(&mut self, number: u64) -> bool {
        if let Some(first) = self.ranges.front_mut()
            && first.1 + 1 == number
        {
            first.1 = number;
            return true;
        }
        let at = self.ranges.partition_point(|range| range.0 > number);
        if self.ranges.get(at).is_some_and(|range| number <= range.1) {
            return false;
        }
        let above = at > 0 && self.ranges[at - 1].0 == number + 1;
        let below = self.ranges.get(at).is_some_and(|range| range.1 + 1 == number);
        match (above, below) {
            (true, true) => {
                self.ranges[at - 1].0 = self.ranges[at].0;
                self.ranges.remove(at);
            }
            (true, false) => self.ranges[at - 1].0 = number,
            (false, true) => self.ranges[at].1 = number,
            (false, false) => self.ranges.insert(at, (number, number)),
        }
        true
    }

    /// Adds a range below all others; the caller knows that it is.
    pub(super) fn push_below(&mut self, low: u64, high: u64) {
        debug_assert!(low <= high && self.ranges.back().is_none_or(|range| high + 1 < range.0));
        self.ranges.push_back((low, high));
    }

    /// Forgets the numbers up to and including `number`.
    pub fn forget_through(&mut self, number: u64) {
        while let Some(last) = self.ranges.back_mut()
            && last.0 <= number
        {
            if last.1 > number {
                last.0 = number + 1;
                return;
            }
            self.ranges.pop_back();
        }
    }

    /// Keeps the `most` highest ranges.
    pub fn keep(&mut self, most: usize) {
        self.ranges.truncate(most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;
    use std::collections::BTreeSet;

    #[test]
    fn ranges_are_the_set_of_their_numbers() {
        let mut rng = Rng::stream(3, "test/quic/ranges");
        for _ in 0..200 {
            let (mut ranges, mut set) = (AckRanges::new(), BTreeSet::new());
            for _ in 0..60 {
                if rng.chance(0.05) {
                    let number = rng.below(40);
                    ranges.forget_through(number);
                    set.retain(|&have| have > number);
                } else {
                    let number = rng.below(80);
                    assert_eq!(ranges.insert(number), set.insert(number));
                }
                let listed: Vec<u64> = ranges.iter().rev().flat_map(|(low, high)| low..=high).collect();
                assert_eq!(listed, set.iter().copied().collect::<Vec<_>>());
                assert!(ranges.iter().zip(ranges.iter().skip(1)).all(|(above, below)| below.1 + 1 < above.0));
                assert!((0..81).all(|number| ranges.contains(number) == set.contains(&number)));
            }
        }
    }
}
