//! Datagrams that have reached a UDP socket and wait for its program: the world puts them in, the socket takes them out.

use super::call::{NetError, Received};
use super::executor::{Shared, Waiter};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::task::{Poll, Waker};

/// Called with each datagram as it arrives.
pub(super) type Handler = Box<dyn FnMut(Received)>;

/// What a UDP socket has received.
#[derive(Debug, Default)]
pub struct Inbox {
    held: RefCell<Held>,
    /// Whether a function takes datagrams as they arrive, so that none is held.
    handled: Cell<bool>,
}

#[derive(Default)]
struct Held {
    received: VecDeque<Received>,
    bytes: u64,
    /// What ICMP has said about a datagram sent.
    error: Option<NetError>,
    /// Who waits, nearly always one at most; and those who wait besides.
    waiter: Waiter,
    others: Vec<Waiter>,
    /// The function; taken out while it is being called.
    handler: Option<Handler>,
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").field("received", &self.received).field("error", &self.error).finish_non_exhaustive()
    }
}

impl Inbox {
    /// Payload bytes that wait.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> u64 {
        self.held.borrow().bytes
    }

    /// Whether a function takes datagrams as they arrive.
    #[inline]
    pub(super) fn is_handled(&self) -> bool {
        self.handled.get()
    }

    /// From now on `handler` takes datagrams, those first that have waited.
    pub(super) fn set_handler(&self, mut handler: Handler) {
        while let Some(received) = self.take() {
            handler(received);
        }
        self.held.borrow_mut().handler = Some(handler);
        self.handled.set(true);
    }

    /// Datagrams wait again.
    pub(super) fn clear_handler(&self) {
        self.handled.set(false);
        // What the function holds may call back as it is dropped.
        let handler = self.held.borrow_mut().handler.take();
        drop(handler);
    }

    fn take(&self) -> Option<Received> {
        let mut held = self.held.borrow_mut();
        let received = held.received.pop_front()?;
        held.bytes -= received.payload.len();
        Some(received)
    }

    /// A datagram for the function.
    #[expect(clippy::inline_always, reason = "what is received is made where it is handed over")]
    #[inline(always)]
    pub(super) fn handle(&self, received: Received) {
        let Some(mut handler) = self.held.borrow_mut().handler.take() else { return };
        handler(received);
        if self.handled.get() {
            self.held.borrow_mut().handler = Some(handler);
        }
    }

    /// A datagram for the program, or an error; wakes who waits for it. True if anybody does.
    #[inline]
    pub(super) fn put(&self, result: Result<Received, NetError>, shared: &Shared) -> bool {
        let mut held = self.held.borrow_mut();
        match result {
            Ok(received) => {
                held.bytes += received.payload.len();
                held.received.push_back(received);
            }
            Err(error) => held.error = Some(error),
        }
        let waiter = std::mem::take(&mut held.waiter);
        if matches!(waiter, Waiter::Nobody) {
            return false;
        }
        let others = if held.others.is_empty() { Vec::new() } else { std::mem::take(&mut held.others) };
        drop(held);
        shared.wake(waiter);
        others.into_iter().for_each(|waiter| shared.wake(waiter));
        true
    }

    /// The error or the datagram that has waited longest, or else the waker is remembered.
    #[inline]
    pub(super) fn poll(&self, shared: &Shared, waker: &Waker) -> Poll<Result<Received, NetError>> {
        let held = &mut *self.held.borrow_mut();
        if let Some(error) = held.error.take() {
            return Poll::Ready(Err(error));
        }
        if let Some(received) = held.received.pop_front() {
            held.bytes -= received.payload.len();
            return Poll::Ready(Ok(received));
        }
        let waiter = shared.waiter(waker);
        if matches!(held.waiter, Waiter::Nobody) {
            held.waiter = waiter;
        } else if !held.waiter.is(&waiter) && !held.others.iter().any(|known| known.is(&waiter)) {
            held.others.push(waiter);
        }
        Poll::Pending
    }
}
