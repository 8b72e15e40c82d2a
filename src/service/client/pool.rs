//! Connections to one origin that are kept and used again: at most so many, first come first served.

use crate::app::Channel;
use crate::app::http1::Reader;
use crate::base::{Span, Time};
use crate::host::Host;
use crate::host::sync::{Permit, Semaphore};
use std::cell::RefCell;

/// A connection and what has been read from it.
pub(in crate::service) struct Connection {
    pub(in crate::service) stream: Channel,
    pub(in crate::service) reader: Reader,
    /// Requests that were written to it before.
    pub(in crate::service) exchanges: u32,
    /// When its TCP handshake was over, until its first request takes note of it.
    pub(in crate::service) opened: Option<Time>,
}

impl Connection {
    pub(in crate::service) fn new(stream: Channel, opened: Time) -> Self {
        Self { stream, reader: Reader::new(), exchanges: 0, opened: Some(opened) }
    }
}

/// The pool. A permit is held for as long as a request has a connection or is making one.
pub(in crate::service) struct Pool {
    slots: Semaphore,
    idle_limit: Span,
    /// Connections without a request and since when; the one used last comes last.
    idle: RefCell<Vec<(Connection, Time)>>,
}

impl Pool {
    /// An empty pool for at most `max` connections, at least one, each kept for `idle_limit` after its last use.
    pub(in crate::service) fn new(max: usize, idle_limit: Span) -> Self {
        Self { slots: Semaphore::new(max.max(1)), idle_limit, idle: RefCell::default() }
    }

    /// A permit and an idle connection, if both are there without waiting.
    pub(in crate::service) async fn try_take(&self, host: &Host) -> Option<(Permit, Connection)> {
        if self.idle.borrow().is_empty() {
            return None;
        }
        let permit = self.slots.try_acquire()?;
        self.idle_connection(host).await.map(|connection| (permit, connection))
    }

    /// A permit, after those who asked before.
    pub(in crate::service) async fn permit(&self) -> Permit {
        self.slots.acquire().await
    }

    /// The connection used last that is fit for use. The peer may have closed one while it was idle: what a program can
    /// know of that without sending anything, it sees here.
    pub(in crate::service) async fn idle_connection(&self, host: &Host) -> Option<Connection> {
        loop {
            let (connection, since) = self.idle.borrow_mut().pop()?;
            if host.now().since(since) >= self.idle_limit {
                // Those before it have been idle for longer.
                self.idle.borrow_mut().clear();
                return None;
            }
            // Something to read on an idle connection is its end, or an answer that nobody asked for.
            if connection.stream.is_quiet(host).await {
                return Some(connection);
            }
        }
    }

    /// Connections without a request.
    pub(in crate::service) fn idle(&self) -> usize {
        self.idle.borrow().len()
    }

    /// Closes what has been idle for too long and what the peer has closed.
    pub(in crate::service) async fn prune(&self, host: &Host) {
        let all = std::mem::take(&mut *self.idle.borrow_mut());
        for (connection, since) in all {
            if host.now().since(since) < self.idle_limit && connection.stream.is_quiet(host).await {
                self.idle.borrow_mut().push((connection, since));
            }
        }
        // Others may have been given back meanwhile.
        self.idle.borrow_mut().sort_by_key(|(_, since)| *since);
    }

    /// Takes a connection back whose last answer has been read to its end.
    pub(in crate::service) fn give_back(&self, connection: Connection, now: Time) {
        if !connection.reader.has_more() {
            self.idle.borrow_mut().push((connection, now));
        }
    }
}
