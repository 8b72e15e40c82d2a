//! Datagrams that have reached a UDP socket and wait for its program: the world puts them in, the socket takes them out.

use super::call::{NetError, Received};
use super::executor::{Shared, Waiter};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::task::{Poll, Waker};

/// What a UDP socket has received.
#[derive(Debug, Default)]
pub struct Inbox(RefCell<Held>);

#[derive(Debug, Default)]
struct Held {
    received: VecDeque<Received>,
    bytes: u64,
    /// What ICMP has said about a datagram sent.
    error: Option<NetError>,
    /// Who waits, nearly always one at most; and those who wait besides.
    waiter: Waiter,
    others: Vec<Waiter>,
}

impl Inbox {
    /// Payload bytes that wait.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> u64 {
        self.0.borrow().bytes
    }

    /// A datagram for the program, or an error; wakes who waits for it. True if anybody does.
    #[inline]
    pub(super) fn put(&self, result: Result<Received, NetError>, shared: &Shared) -> bool {
        let mut held = self.0.borrow_mut();
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
        let held = &mut *self.0.borrow_mut();
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
