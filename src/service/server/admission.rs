//! Who gets a worker: first come, first served, and what becomes of those for whom the queue has no room or no time.

use super::shedding::{Limit, Limiter, Line, Patience};
use crate::base::Time;
use crate::host::Host;
use crate::host::sync::{Permit, Semaphore};
use crate::trace::{Limited, Record, Turning};
use std::cell::{Cell, RefCell};

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
    host: Host,
    workers: Semaphore,
    queue: Option<usize>,
    overflow: Overflow,
    line: Option<RefCell<Line>>,
    limiter: Option<RefCell<Limiter>>,
    /// Requests that wait or have a worker.
    inside: Cell<u32>,
}

/// What an admission is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) workers: usize,
    pub(super) queue: Option<usize>,
    pub(super) overflow: Overflow,
    pub(super) patience: Option<Patience>,
    pub(super) limit: Option<Limit>,
}

/// A worker for one request.
pub(super) struct Admitted<'a> {
    _worker: Permit,
    inside: Inside<'a>,
}

/// The place of a request that waits or has a worker.
struct Inside<'a> {
    admission: &'a Admission,
    began: Time,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.admission.inside.set(self.admission.inside.get() - 1);
    }
}

impl Admission {
    pub(super) fn new(host: Host, rules: Rules) -> Self {
        Self {
            workers: Semaphore::new(rules.workers),
            queue: rules.queue,
            overflow: rules.overflow,
            line: rules.patience.map(|patience| RefCell::new(Line::new(patience, host.now()))),
            limiter: rules.limit.map(|limit| RefCell::new(Limiter::new(limit))),
            inside: Cell::new(0),
            host,
        }
    }

    /// A worker; or how the request is turned away because too many are here already or because it has waited too long.
    pub(super) async fn worker(&self) -> Result<Admitted<'_>, Turning> {
        if self.limiter.as_ref().is_some_and(|limiter| self.inside.get() >= limiter.borrow().limit()) {
            return Err(Turning::Shed);
        }
        self.inside.set(self.inside.get() + 1);
        let inside = Inside { admission: self, began: self.host.now() };
        if let Some(worker) = self.workers.try_acquire() {
            self.look();
            return Ok(Admitted { _worker: worker, inside });
        }
        if self.is_full() {
            match self.overflow {
                Overflow::Reject => return Err(Turning::Rejected),
                Overflow::Reset => return Err(Turning::Reset),
                Overflow::Wait => {}
            }
        }
        let worker = match self.patience() {
            None => self.workers.acquire().await,
            Some(patience) => self.host.timeout(patience, self.workers.acquire()).await.map_err(|_| Turning::Shed)?,
        };
        self.look();
        Ok(Admitted { _worker: worker, inside })
    }

    /// How long whoever comes now may wait, if that is limited.
    fn patience(&self) -> Option<crate::base::Span> {
        self.look();
        self.line.as_ref().map(|line| line.borrow().patience(self.host.now()))
    }

    /// Takes note if nobody waits.
    fn look(&self) {
        if let Some(line) = &self.line
            && self.workers.waiting() == 0
        {
            line.borrow_mut().is_empty(self.host.now());
        }
    }

    /// The request is answered: the limit learns how long it took.
    pub(super) fn answered(&self, admitted: &Admitted<'_>) {
        let Some(limiter) = &self.limiter else { return };
        let (mut limiter, time) = (limiter.borrow_mut(), self.host.now());
        let before = limiter.limit();
        limiter.answered(time - admitted.inside.began, self.inside.get());
        let limit = limiter.limit();
        if limit != before {
            self.host.record(Record::Limited(Limited { node: self.host.node(), time, limit }));
        }
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
        self.queue.is_some_and(|limit| self.workers.available() == 0 && self.workers.waiting() >= limit)
    }
}
