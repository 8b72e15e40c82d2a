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
    waiters: Vec<Waiter>,
}

impl Inbox {
    /// Payload bytes that wait.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> u64 {
        self.0.borrow().bytes
    }

    /// A datagram for the program, or an error; returns who waits for it.
    #[inline]
    pub(super) fn put(&self, result: Result<Received, NetError>) -> Vec<Waiter> {
        let mut held = self.0.borrow_mut();
        match result {
            Ok(received) => {
                held.bytes += received.payload.len();
                held.received.push_back(received);
            }
            Err(error) => held.error = Some(error),
        }
        std::mem::take(&mut held.waiters)
    }

    /// The list of waiters, empty again, is used anew.
    #[inline]
    pub(super) fn give_back(&self, waiters: Vec<Waiter>) {
        let held = &mut self.0.borrow_mut().waiters;
        if held.is_empty() {
            *held = waiters;
        }
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
        if !held.waiters.iter().any(|known| known.is(&waiter)) {
            held.waiters.push(waiter);
        }
        Poll::Pending
    }
}
