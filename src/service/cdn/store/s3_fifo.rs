//! S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023): a small queue in which what comes once goes
//! again soon, a main queue for what was used meanwhile, and a ghost queue of names that have gone from the small one.

use super::Policy;
use rustc_hash::FxBuildHasher;
use std::collections::VecDeque;

/// The small queue holds a tenth of the bytes.
const SMALL: u64 = 10;
/// Uses are counted up to here (two bits).
const MOST_USES: u8 = 3;

#[derive(Clone, Copy, Default)]
struct Entry {
    key: u64,
    bytes: u64,
    uses: u8,
    main: bool,
    /// Grows each time that the slot is given to an object: what a queue holds of an older one is void.
    generation: u64,
    here: bool,
}

/// A place in a queue.
type Place = (usize, u64);

/// The three queues, each with its oldest first.
pub(super) struct S3Fifo {
    entries: Vec<Entry>,
    small: VecDeque<Place>,
    main: VecDeque<Place>,
    small_bytes: u64,
    main_bytes: u64,
    capacity: u64,
    ghosts: VecDeque<(u64, u64)>,
    ghost_bytes: u64,
    /// How often each key is among the ghosts.
    known: indexmap::IndexMap<u64, u32, FxBuildHasher>,
}

impl S3Fifo {
    pub(super) fn new(capacity: u64) -> Self {
        Self {
            entries: Vec::new(),
            small: VecDeque::new(),
            main: VecDeque::new(),
            small_bytes: 0,
            main_bytes: 0,
            capacity,
            ghosts: VecDeque::new(),
            ghost_bytes: 0,
            known: indexmap::IndexMap::default(),
        }
    }

    fn is_here(&self, (slot, generation): Place) -> bool {
        let entry = &self.entries[slot];
        entry.here && entry.generation == generation
    }

    /// Remembers a name that has gone; as many bytes of them as the main queue may hold.
    fn haunt(&mut self, key: u64, bytes: u64) {
        self.ghosts.push_back((key, bytes));
        self.ghost_bytes += bytes;
        *self.known.entry(key).or_default() += 1;
        while self.ghost_bytes > self.capacity - self.capacity / SMALL
            && let Some((key, bytes)) = self.ghosts.pop_front()
        {
            self.ghost_bytes -= bytes;
            if let Some(times) = self.known.get_mut(&key) {
                *times -= 1;
                if *times == 0 {
                    self.known.swap_remove(&key);
                }
            }
        }
    }

    /// The first of the small queue that was not used more than once; those before it move to the main queue.
    fn evict_small(&mut self) -> Option<usize> {
        while let Some(place) = self.small.pop_front() {
            if !self.is_here(place) {
                continue;
            }
            let entry = &mut self.entries[place.0];
            self.small_bytes -= entry.bytes;
            if entry.uses > 1 {
                (entry.uses, entry.main) = (0, true);
                self.main_bytes += entry.bytes;
                self.main.push_back(place);
                continue;
            }
            entry.here = false;
            let (key, bytes) = (entry.key, entry.bytes);
            self.haunt(key, bytes);
            return Some(place.0);
        }
        None
    }

    /// The first of the main queue that was not used since it came to its front last.
    fn evict_main(&mut self) -> Option<usize> {
        while let Some(place) = self.main.pop_front() {
            if !self.is_here(place) {
                continue;
            }
            let entry = &mut self.entries[place.0];
            if entry.uses > 0 {
                entry.uses -= 1;
                self.main.push_back(place);
                continue;
            }
            entry.here = false;
            self.main_bytes -= entry.bytes;
            return Some(place.0);
        }
        None
    }
}

impl Policy for S3Fifo {
    fn inserted(&mut self, slot: usize, key: u64, bytes: u64) {
        if slot >= self.entries.len() {
            self.entries.resize(slot + 1, Entry::default());
        }
        let main = self.known.contains_key(&key);
        let generation = self.entries[slot].generation + 1;
        self.entries[slot] = Entry { key, bytes, uses: 0, main, generation, here: true };
        if main {
            self.main_bytes += bytes;
            self.main.push_back((slot, generation));
        } else {
            self.small_bytes += bytes;
            self.small.push_back((slot, generation));
        }
    }

    fn used(&mut self, slot: usize) {
        let entry = &mut self.entries[slot];
        entry.uses = (entry.uses + 1).min(MOST_USES);
    }

    fn removed(&mut self, slot: usize) {
        let entry = &mut self.entries[slot];
        entry.here = false;
        *(if entry.main { &mut self.main_bytes } else { &mut self.small_bytes }) -= entry.bytes;
    }

    fn evict(&mut self) -> Option<usize> {
        if self.small_bytes >= self.capacity / SMALL {
            self.evict_small().or_else(|| self.evict_main())
        } else {
            self.evict_main().or_else(|| self.evict_small())
        }
    }
}
