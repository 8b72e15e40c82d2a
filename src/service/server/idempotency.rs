//! What a server remembers of requests that carry a key, so that none of them is done twice (IETF draft "The Idempotency-Key HTTP
//! Header Field").

use crate::base::{Span, Time};
use crate::host::sync::Queue;
use bytes::Bytes;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};

/// An answer to be given again: status and bytes of the body.
pub(super) type Answer = (u16, u64);

enum Entry {
    /// Somebody works on it; those who asked again meanwhile wait here.
    Working(Vec<Queue<()>>),
    /// It was answered.
    Done(Answer),
}

/// What is to be done about a request.
pub(super) enum Known {
    /// Never seen: it is the asker's to do, and to be [finished](Keys::finish) or [forgotten](Keys::forget).
    New,
    /// Answered before.
    Answered(Answer),
    /// Being worked on: wait, then ask again.
    Wait(Queue<()>),
}

/// The keys of one server.
pub(super) struct Keys {
    keep: Span,
    known: RefCell<BTreeMap<Bytes, Entry>>,
    /// When each answer is to be forgotten, the oldest first.
    expires: RefCell<VecDeque<(Time, Bytes)>>,
}

impl Keys {
    /// Answers are remembered for `keep`.
    pub(super) fn new(keep: Span) -> Self {
        Self { keep, known: RefCell::default(), expires: RefCell::default() }
    }

    pub(super) fn begin(&self, key: &Bytes, now: Time) -> Known {
        let mut known = self.known.borrow_mut();
        let mut expires = self.expires.borrow_mut();
        while expires.front().is_some_and(|(time, _)| *time <= now) {
            if let Some((_, old)) = expires.pop_front() {
                known.remove(&old);
            }
        }
        match known.get_mut(key) {
            None => {
                known.insert(key.clone(), Entry::Working(Vec::new()));
                Known::New
            }
            Some(Entry::Done(answer)) => Known::Answered(*answer),
            Some(Entry::Working(waiters)) => {
                let waiter = Queue::new();
                waiters.push(waiter.clone());
                Known::Wait(waiter)
            }
        }
    }

    /// It was done and is answered so.
    pub(super) fn finish(&self, key: &Bytes, answer: Answer, now: Time) {
        self.expires.borrow_mut().push_back((now.saturating_add(self.keep), key.clone()));
        self.replace(key, Some(Entry::Done(answer)));
    }

    /// Nothing was done: the next who asks may try.
    pub(super) fn forget(&self, key: &Bytes) {
        self.replace(key, None);
    }

    fn replace(&self, key: &Bytes, entry: Option<Entry>) {
        let mut known = self.known.borrow_mut();
        let before = match entry {
            Some(entry) => known.insert(key.clone(), entry),
            None => known.remove(key),
        };
        if let Some(Entry::Working(waiters)) = before {
            waiters.iter().for_each(|waiter| waiter.push(()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Time {
        Time::ZERO + Span::from_secs(secs)
    }

    #[test]
    fn a_key_is_done_once_and_answered_until_it_is_forgotten() {
        let keys = Keys::new(Span::from_secs(10));
        let key = Bytes::from_static(b"a");
        assert!(matches!(keys.begin(&key, at(0)), Known::New));
        let Known::Wait(waiter) = keys.begin(&key, at(1)) else { panic!("it is being worked on") };
        assert!(waiter.is_empty());
        keys.finish(&key, (201, 7), at(2));
        assert_eq!(waiter.len(), 1);
        assert!(matches!(keys.begin(&key, at(11)), Known::Answered((201, 7))));
        assert!(matches!(keys.begin(&key, at(12)), Known::New), "ten seconds are over");
    }

    #[test]
    fn what_was_not_done_may_be_tried_again() {
        let keys = Keys::new(Span::from_secs(10));
        let key = Bytes::from_static(b"a");
        assert!(matches!(keys.begin(&key, at(0)), Known::New));
        let Known::Wait(waiter) = keys.begin(&key, at(1)) else { panic!("it is being worked on") };
        keys.forget(&key);
        assert_eq!(waiter.len(), 1);
        assert!(matches!(keys.begin(&key, at(1)), Known::New));
    }
}
