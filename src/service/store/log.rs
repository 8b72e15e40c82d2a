//! The log of a store: every write in order, each under the epoch of the primary that took it, and the values that follow from it.
//!
//! Two logs agree up to an entry if they have it at the same place under the same epoch, as there is one primary an epoch (the log
//! matching property: Ongaro and Ousterhout, "In search of an understandable consensus algorithm", 2014, 5.3).

use bytes::Bytes;
use std::collections::BTreeMap;

/// Where a log ends, or a place in it: the epoch of an entry and its number, from 1. Nothing is before the first: `(0, 0)`.
/// Later means more: of two logs the one with the greater end is the one to keep.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub(in crate::service) struct Place {
    pub(in crate::service) epoch: u64,
    pub(in crate::service) seq: u64,
}

/// A write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::service) struct Entry {
    pub(in crate::service) epoch: u64,
    pub(in crate::service) key: Bytes,
    /// Bytes of the value written.
    pub(in crate::service) bytes: u64,
}

/// A value as it is read: the entry that wrote it and its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::service) struct Value {
    pub(in crate::service) place: Place,
    pub(in crate::service) bytes: u64,
}

#[derive(Default)]
pub(in crate::service) struct Log {
    entries: Vec<Entry>,
    values: BTreeMap<Bytes, Value>,
}

impl Log {
    /// Number of the last entry.
    pub(in crate::service) fn len(&self) -> u64 {
        self.entries.len() as u64
    }

    /// The last entry's place.
    pub(in crate::service) fn end(&self) -> Place {
        self.at(self.len())
    }

    /// The place of entry `seq`; `(0, 0)` before the first and beyond the last.
    pub(in crate::service) fn at(&self, seq: u64) -> Place {
        self.entry(seq).map_or(Place::default(), |entry| Place { epoch: entry.epoch, seq })
    }

    /// Entry `seq`.
    pub(in crate::service) fn entry(&self, seq: u64) -> Option<&Entry> {
        self.entries.get(usize::try_from(seq.checked_sub(1)?).ok()?)
    }

    /// The value of a key, if it was ever written.
    pub(in crate::service) fn value(&self, key: &[u8]) -> Option<Value> {
        self.values.get(key).copied()
    }

    /// Adds an entry; its place.
    pub(in crate::service) fn push(&mut self, entry: Entry) -> Place {
        let place = Place { epoch: entry.epoch, seq: self.len() + 1 };
        self.values.insert(entry.key.clone(), Value { place, bytes: entry.bytes });
        self.entries.push(entry);
        place
    }

    /// The last place up to `limit` whose entry is not of a later epoch: where two logs may still agree.
    pub(in crate::service) fn last_before(&self, limit: Place) -> Place {
        let count = usize::try_from(limit.seq).unwrap_or(usize::MAX).min(self.entries.len());
        // Epochs only grow along a log.
        let seq = self.entries[..count].partition_point(|entry| entry.epoch <= limit.epoch);
        self.at(seq as u64)
    }

    /// Forgets every entry behind `seq`, and what they wrote; how many there were.
    pub(in crate::service) fn truncate(&mut self, seq: u64) -> u64 {
        let before = self.len();
        if seq >= before {
            return 0;
        }
        let entries: Vec<Entry> = self.entries.drain(..).take(usize::try_from(seq).unwrap_or(usize::MAX)).collect();
        self.values.clear();
        for entry in entries {
            self.push(entry);
        }
        before - self.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(epochs: &[u64]) -> Log {
        let mut log = Log::default();
        for (index, &epoch) in epochs.iter().enumerate() {
            let key = Bytes::from(format!("/{}", index % 2));
            log.push(Entry { epoch, key, bytes: index as u64 });
        }
        log
    }

    #[test]
    fn values_are_those_of_the_last_write_that_is_left() {
        let mut log = log(&[1, 1, 2, 2]);
        assert_eq!(log.value(b"/1").map(|value| (value.place.seq, value.bytes)), Some((4, 3)));
        assert_eq!(log.truncate(3), 1);
        assert_eq!(log.value(b"/1").map(|value| (value.place.seq, value.bytes)), Some((2, 1)));
        assert_eq!(log.end(), Place { epoch: 2, seq: 3 });
        assert_eq!((log.truncate(3), log.truncate(0), log.value(b"/0")), (0, 3, None));
    }

    /// Whatever two logs have become under different primaries, going back in turn finds the last place where they agree.
    #[test]
    fn two_logs_find_where_they_agree() {
        for (one, other, common) in [
            (&[1, 1, 1][..], &[1, 1, 1][..], 3),
            (&[1, 1], &[1, 1, 1, 2], 2),
            (&[1, 1, 1, 1], &[1, 1, 2], 2),
            (&[1, 1, 3, 3], &[1, 2, 2], 1),
            (&[2, 2], &[1, 3], 0),
            (&[], &[1], 0),
        ] {
            let (one, other) = (log(one), log(other));
            let mut place = one.end();
            while other.at(place.seq) != place {
                place = one.last_before(other.last_before(Place { epoch: place.epoch, seq: place.seq - 1 }));
            }
            assert_eq!(place.seq, common);
        }
    }
}
