//! Who gets a worker: first come, first served, and what becomes of those for whom the queue has no room.

use crate::host::sync::{Permit, Semaphore};
use crate::trace::Turning;

/// What becomes of a request for which there is no room.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Overflow {
    /// It is answered 503 at once.
    #[default]
    Reject,
    /// Its connection is reset.
    Reset,
    /// It waits in its connection, and no further connection is accepted meanwhile: those wait in the backlog, and beyond that the
    /// kernel drops their last handshake segments. Servers with a thread for each connection do so.
    Wait,
}

/// The workers and the line before them.
pub(super) struct Admission {
    workers: Semaphore,
    limit: Option<usize>,
    overflow: Overflow,
}

impl Admission {
    pub(super) fn new(workers: usize, limit: Option<usize>, overflow: Overflow) -> Self {
        Self { workers: Semaphore::new(workers), limit, overflow }
    }

    /// A worker; or how the request is turned away because too many wait already.
    pub(super) async fn worker(&self) -> Result<Permit, Turning> {
        if let Some(worker) = self.workers.try_acquire() {
            return Ok(worker);
        }
        if self.is_full() {
            match self.overflow {
                Overflow::Reject => return Err(Turning::Rejected),
                Overflow::Reset => return Err(Turning::Reset),
                Overflow::Wait => {}
            }
        }
        Ok(self.workers.acquire().await)
    }

    /// A worker for what cannot be turned away.
    pub(super) async fn any_worker(&self) -> Permit {
        self.workers.acquire().await
    }

    /// Returns when another connection may be accepted.
    pub(super) async fn accepting(&self) {
        // Being served proves that those who waited when this began have been.
        while self.overflow == Overflow::Wait && self.is_full() {
            drop(self.workers.acquire().await);
        }
    }

    fn is_full(&self) -> bool {
        self.limit.is_some_and(|limit| self.workers.available() == 0 && self.workers.waiting() >= limit)
    }
}
