//! Cores that workers share: whoever works has an equal part, at most one core (processor sharing).

use crate::base::{Span, Time};
use crate::host::{Host, Sleep};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Fractions of a nanosecond of work are kept to 32 binary places.
const FRACTION: u32 = 32;

/// When a job is done, in work that each job has been given since the machine was last idle; and which of equals came first.
type Key = (u128, u64);

struct State {
    /// Work that each job has been given, in nanoseconds with their fraction.
    given: u128,
    /// As of this instant.
    at: Time,
    /// Jobs by when they will be done; the first is the only one with an alarm.
    jobs: BTreeMap<Key, Option<Waker>>,
    next: u64,
}

/// So many cores. Cheap to clone; clones are the same cores.
///
/// With n jobs on c cores each advances at the rate min(1, c / n). Instead of every job's remainder the scheduler keeps the one
/// amount that all of them have been given: a job is done when that has grown by its work, so an arrival or a departure costs
/// one look-up, and a job that never shared takes exactly its work.
#[derive(Clone)]
pub(super) struct Cores {
    host: Host,
    count: u64,
    state: Rc<RefCell<State>>,
}

impl Cores {
    pub(super) fn new(host: Host, count: usize) -> Self {
        let state = State { given: 0, at: host.now(), jobs: BTreeMap::new(), next: 0 };
        Self { host, count: u64::try_from(count.max(1)).unwrap_or(u64::MAX), state: Rc::new(RefCell::new(state)) }
    }

    /// Completes when the cores have done `work`.
    pub(super) fn work(&self, work: Span) -> Job {
        self.catch_up();
        let mut state = self.state.borrow_mut();
        let key = (state.given + (u128::from(work.as_nanos()) << FRACTION), state.next);
        state.next += 1;
        state.jobs.insert(key, None);
        Job { cores: self.clone(), key: Some(key), alarm: None }
    }

    /// Gives the jobs what they are owed up to now.
    fn catch_up(&self) {
        let mut state = self.state.borrow_mut();
        let now = self.host.now();
        let elapsed = u128::from(now.since(state.at).as_nanos()) << FRACTION;
        state.at = now;
        match state.jobs.len() as u64 {
            0 => state.given = 0,
            n if n <= self.count => state.given += elapsed,
            n => state.given += elapsed * u128::from(self.count) / u128::from(n),
        }
    }

    /// When the first job will be done if nobody comes or goes before.
    fn first_done(&self, key: Key) -> Time {
        let state = self.state.borrow();
        let left = key.0.saturating_sub(state.given);
        let jobs = (state.jobs.len() as u64).max(self.count);
        let nanos = (left * u128::from(jobs)).div_ceil(u128::from(self.count) << FRACTION);
        state.at.saturating_add(Span::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }

    /// Takes a job off the cores: the others go faster from now on, so the first of them has to look at the clock again.
    fn leave(&self, key: Key) {
        self.catch_up();
        let mut state = self.state.borrow_mut();
        state.jobs.remove(&key);
        if let Some(waker) = state.jobs.first_entry().and_then(|mut first| first.get_mut().take()) {
            drop(state);
            waker.wake();
        }
    }
}

/// Work under way; dropped, it is given up.
pub(super) struct Job {
    cores: Cores,
    key: Option<Key>,
    /// When to look again, of the job that will be done first.
    alarm: Option<(Time, Sleep)>,
}

impl Future for Job {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let cores = self.cores.clone();
        let key = self.key.expect("a future is not polled after it was ready");
        loop {
            cores.catch_up();
            let (done, first) = {
                let mut state = cores.state.borrow_mut();
                if let Some(waker) = state.jobs.get_mut(&key) {
                    *waker = Some(context.waker().clone());
                }
                (state.given >= key.0, state.jobs.first_key_value().is_some_and(|(first, _)| *first == key))
            };
            if done {
                self.key = None;
                cores.leave(key);
                return Poll::Ready(());
            }
            if !first {
                // Those before it wake it when they leave.
                self.alarm = None;
                return Poll::Pending;
            }
            let due = cores.first_done(key);
            let (_, alarm) = match &mut self.alarm {
                Some(alarm) if alarm.0 == due => alarm,
                alarm => alarm.insert((due, cores.host.sleep_until(due))),
            };
            if Pin::new(alarm).poll(context).is_pending() {
                return Poll::Pending;
            }
            self.alarm = None;
        }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.cores.leave(key);
        }
    }
}
