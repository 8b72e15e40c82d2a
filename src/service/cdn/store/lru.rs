//! Least recently used: whatever is used moves to the front, what has reached the end goes.

use super::Policy;

const NONE: usize = usize::MAX;

#[derive(Clone, Copy)]
struct Link {
    newer: usize,
    older: usize,
}

/// A list through the slots, the one used last first.
#[derive(Default)]
pub(super) struct Lru {
    links: Vec<Link>,
    /// The newest and the oldest, if there are any.
    ends: Option<(usize, usize)>,
}

impl Lru {
    fn front(&mut self, slot: usize) {
        if slot >= self.links.len() {
            self.links.resize(slot + 1, Link { newer: NONE, older: NONE });
        }
        let (older, oldest) = self.ends.map_or((NONE, slot), |(newest, oldest)| (newest, oldest));
        self.links[slot] = Link { newer: NONE, older };
        if older != NONE {
            self.links[older].newer = slot;
        }
        self.ends = Some((slot, oldest));
    }

    fn unlink(&mut self, slot: usize) {
        let Some((mut newest, mut oldest)) = self.ends else { return };
        let Link { newer, older } = self.links[slot];
        if newer == NONE {
            newest = older;
        } else {
            self.links[newer].older = older;
        }
        if older == NONE {
            oldest = newer;
        } else {
            self.links[older].newer = newer;
        }
        self.ends = (newest != NONE).then_some((newest, oldest));
    }
}

impl Policy for Lru {
    fn inserted(&mut self, slot: usize, _: u64, _: u64) {
        self.front(slot);
    }

    fn used(&mut self, slot: usize) {
        self.unlink(slot);
        self.front(slot);
    }

    fn removed(&mut self, slot: usize) {
        self.unlink(slot);
    }

    fn evict(&mut self) -> Option<usize> {
        let (_, oldest) = self.ends?;
        self.unlink(oldest);
        Some(oldest)
    }
}
