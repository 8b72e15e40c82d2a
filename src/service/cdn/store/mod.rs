//! Objects by name in so many bytes; which of them go when there is no room is a policy's to say.

mod lru;
mod s3_fifo;

use bytes::Bytes;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use std::rc::Rc;

/// Which objects go when there is no room.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Eviction {
    /// The one that has not been used for longest.
    #[default]
    Lru,
    /// Those that come once pass through a small queue beside the others.
    S3Fifo,
}

/// One line about each, for people who look for one.
pub const TABLE: &[(&str, &str, Eviction)] = &[
    ("Lru", "the object that has not been used for longest goes first", Eviction::Lru),
    (
        "S3Fifo",
        "a small queue for what is new, a large one for what was used again, a memory of what went: scans leave no trace (Yang et al., SOSP 2023)",
        Eviction::S3Fifo,
    ),
];

impl Eviction {
    /// Its name in scenarios.
    #[must_use]
    pub fn name(self) -> &'static str {
        TABLE.iter().find(|(_, _, eviction)| *eviction == self).map_or("", |(name, ..)| name)
    }

    fn policy(self, capacity: u64) -> Box<dyn Policy> {
        match self {
            Self::Lru => Box::new(lru::Lru::default()),
            Self::S3Fifo => Box::new(s3_fifo::S3Fifo::new(capacity)),
        }
    }
}

/// The order in which objects go. Objects are slots; `key` is a fingerprint of the name, the same when it comes again.
trait Policy {
    /// An object has come.
    fn inserted(&mut self, slot: usize, key: u64, bytes: u64);

    /// It was used.
    fn used(&mut self, slot: usize);

    /// It has gone for another reason than for want of room.
    fn removed(&mut self, slot: usize);

    /// The one that goes next, which is then forgotten.
    fn evict(&mut self) -> Option<usize>;
}

struct Object<T> {
    name: Bytes,
    bytes: u64,
    value: Rc<T>,
}

/// Objects in so many bytes.
pub struct Store<T> {
    capacity: u64,
    used: u64,
    slots: Vec<Option<Object<T>>>,
    free: Vec<usize>,
    places: IndexMap<Bytes, usize, FxBuildHasher>,
    policy: Box<dyn Policy>,
}

/// What became of an object that was to be stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stored {
    /// It is here, and so many others went for it.
    Here {
        /// How many.
        evicted: u64,
    },
    /// It is larger than the whole cache.
    TooLarge,
}

impl<T> Store<T> {
    /// An empty store.
    #[must_use]
    pub fn new(capacity: u64, eviction: Eviction) -> Self {
        Self {
            capacity,
            used: 0,
            slots: Vec::new(),
            free: Vec::new(),
            places: IndexMap::default(),
            policy: eviction.policy(capacity),
        }
    }

    /// Bytes of all objects.
    #[must_use]
    pub const fn used(&self) -> u64 {
        self.used
    }

    /// How many objects there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The object of this name, for use.
    pub fn get(&mut self, name: &[u8]) -> Option<Rc<T>> {
        let &slot = self.places.get(name)?;
        self.policy.used(slot);
        self.slots[slot].as_ref().map(|object| Rc::clone(&object.value))
    }

    /// Stores an object in the place of one of the same name, if there is one.
    pub fn insert(&mut self, name: Bytes, value: T, bytes: u64) -> Stored {
        if bytes > self.capacity {
            self.remove(&name);
            return Stored::TooLarge;
        }
        if let Some(&slot) = self.places.get(&name)
            && let Some(object) = &mut self.slots[slot]
            && object.bytes == bytes
        {
            object.value = Rc::new(value);
            return Stored::Here { evicted: 0 };
        }
        self.remove(&name);
        let mut evicted = 0;
        while self.used + bytes > self.capacity {
            let Some(slot) = self.policy.evict() else { break };
            self.take(slot);
            evicted += 1;
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.policy.inserted(slot, fingerprint(&name), bytes);
        self.places.insert(name.clone(), slot);
        self.used += bytes;
        self.slots[slot] = Some(Object { name, bytes, value: Rc::new(value) });
        Stored::Here { evicted }
    }

    /// Removes the object of this name.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        let Some(&slot) = self.places.get(name) else { return false };
        self.policy.removed(slot);
        self.take(slot);
        true
    }

    /// Removes all objects whose name is `wanted`; how many they were.
    pub fn remove_all(&mut self, wanted: impl Fn(&[u8]) -> bool) -> u64 {
        let names: Vec<Bytes> = self.places.keys().filter(|name| wanted(name)).cloned().collect();
        names.iter().filter(|name| self.remove(name)).count() as u64
    }

    fn take(&mut self, slot: usize) {
        let Some(object) = self.slots[slot].take() else { return };
        self.used -= object.bytes;
        self.places.swap_remove(&object.name);
        self.free.push(slot);
    }
}

fn fingerprint(name: &[u8]) -> u64 {
    let mut digest = crate::base::Digest::default();
    name.iter().for_each(|&byte| digest.fold(u64::from(byte)));
    digest.value()
}

#[cfg(test)]
mod tests;
