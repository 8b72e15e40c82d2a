//! What tasks of one machine wait for of each other: a queue and a semaphore, both first come, first served.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

struct QueueState<T> {
    items: VecDeque<T>,
    waiters: VecDeque<Waker>,
}

/// An unbounded queue between tasks. Cheap to clone; clones are the same queue.
pub struct Queue<T>(Rc<RefCell<QueueState<T>>>);

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self(Rc::new(RefCell::new(QueueState { items: VecDeque::new(), waiters: VecDeque::new() })))
    }
}

impl<T> Queue<T> {
    /// An empty queue.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Items waiting to be taken.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.borrow().items.len()
    }

    /// Whether no item waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends an item and wakes one taker.
    pub fn push(&self, item: T) {
        let waiter = {
            let mut state = self.0.borrow_mut();
            state.items.push_back(item);
            state.waiters.pop_front()
        };
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }

    /// Takes the first item if there is one.
    #[must_use]
    pub fn try_pop(&self) -> Option<T> {
        self.0.borrow_mut().items.pop_front()
    }

    /// Takes the first item, waiting for one.
    #[must_use]
    pub fn pop(&self) -> Pop<T> {
        Pop { queue: self.clone(), registered: false }
    }
}

/// Waits for an item of a [`Queue`]; dropped, it passes its turn on.
pub struct Pop<T> {
    queue: Queue<T>,
    registered: bool,
}

impl<T> Future for Pop<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let queue = self.queue.clone();
        let mut state = queue.0.borrow_mut();
        if let Some(item) = state.items.pop_front() {
            self.registered = false;
            return Poll::Ready(item);
        }
        state.waiters.push_back(context.waker().clone());
        self.registered = true;
        Poll::Pending
    }
}

impl<T> Drop for Pop<T> {
    fn drop(&mut self) {
        if !self.registered {
            return;
        }
        // This waiter may have been woken for an item that it will not take.
        let waiter = {
            let mut state = self.queue.0.borrow_mut();
            if state.items.is_empty() { None } else { state.waiters.pop_front() }
        };
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }
}

struct SemaphoreState {
    free: usize,
    next_ticket: u64,
    /// Tickets in the order of asking; the first `free` of them may go.
    waiting: VecDeque<(u64, Waker)>,
}

/// So many permits, given to tasks in the order in which they asked. Cheap to clone; clones share the permits.
#[derive(Clone)]
pub struct Semaphore(Rc<RefCell<SemaphoreState>>);

/// One permit; given back when dropped.
pub struct Permit(Semaphore);

impl Semaphore {
    /// A semaphore with `permits` free.
    #[must_use]
    pub fn new(permits: usize) -> Self {
        Self(Rc::new(RefCell::new(SemaphoreState { free: permits, next_ticket: 0, waiting: VecDeque::new() })))
    }

    /// Permits that are free and that nobody waits for.
    #[must_use]
    pub fn available(&self) -> usize {
        let state = self.0.borrow();
        state.free.saturating_sub(state.waiting.len())
    }

    /// Tasks that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.borrow().waiting.len()
    }

    /// A permit if one is free and nobody waits for it.
    #[must_use]
    pub fn try_acquire(&self) -> Option<Permit> {
        let mut state = self.0.borrow_mut();
        if state.free == 0 || !state.waiting.is_empty() {
            return None;
        }
        state.free -= 1;
        Some(Permit(self.clone()))
    }

    /// A permit, after those who asked before.
    #[must_use]
    pub fn acquire(&self) -> Acquire {
        Acquire { semaphore: self.clone(), ticket: None }
    }

    fn wake_next(&self) {
        let waker = {
            let state = self.0.borrow();
            if state.free == 0 { None } else { state.waiting.front().map(|(_, waker)| waker.clone()) }
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.0.borrow_mut().free += 1;
        self.0.wake_next();
    }
}

/// Waits for a permit; dropped, it leaves the line.
pub struct Acquire {
    semaphore: Semaphore,
    ticket: Option<u64>,
}

impl Future for Acquire {
    type Output = Permit;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Permit> {
        let semaphore = self.semaphore.clone();
        let mut state = semaphore.0.borrow_mut();
        let Some(ticket) = self.ticket else {
            if state.free > 0 && state.waiting.is_empty() {
                state.free -= 1;
                return Poll::Ready(Permit(semaphore.clone()));
            }
            let ticket = state.next_ticket;
            state.next_ticket += 1;
            state.waiting.push_back((ticket, context.waker().clone()));
            self.ticket = Some(ticket);
            return Poll::Pending;
        };
        if state.free > 0 && state.waiting.front().is_some_and(|(first, _)| *first == ticket) {
            state.waiting.pop_front();
            state.free -= 1;
            self.ticket = None;
            drop(state);
            semaphore.wake_next();
            return Poll::Ready(Permit(semaphore));
        }
        if let Some(entry) = state.waiting.iter_mut().find(|(waiting, _)| *waiting == ticket) {
            entry.1.clone_from(context.waker());
        }
        Poll::Pending
    }
}

impl Drop for Acquire {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        self.semaphore.0.borrow_mut().waiting.retain(|(waiting, _)| *waiting != ticket);
        self.semaphore.wake_next();
    }
}
