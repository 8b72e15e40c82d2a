//! Patience with waiting requests: long while the queue is a burst that runs dry, short once it stands.
//!
//! Maurer, "Fail at Scale" (ACM Queue 2015), after CoDel: "if the queue has not been empty for the last N ms, the time spent in
//! the queue is limited to M ms".

use crate::base::{Span, Time};

/// Both patiences.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Patience {
    /// Longest wait in a queue that stands.
    pub target: Span,
    /// A queue stands that has not been empty for so long; until then a request may wait for so long.
    pub interval: Span,
}

/// What is known of the queue.
#[derive(Clone, Copy, Debug)]
pub(in crate::service::server) struct Line {
    config: Patience,
    empty: Time,
}

impl Line {
    pub(in crate::service::server) const fn new(config: Patience, now: Time) -> Self {
        Self { config, empty: now }
    }

    /// Nobody waits at this instant.
    pub(in crate::service::server) const fn is_empty(&mut self, now: Time) {
        self.empty = now;
    }

    /// How long a request that comes now may wait.
    pub(in crate::service::server) fn patience(&self, now: Time) -> Span {
        let stands = now.since(self.empty) > self.config.interval;
        if stands { self.config.target } else { self.config.interval }
    }
}
