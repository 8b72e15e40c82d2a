//! A fetch under way and all who wait for it: its head when that has come, then its body as it comes.

use super::object::Object;
use crate::base::Time;
use crate::trace::Failure;
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// What came of a fetch.
#[derive(Clone)]
pub(super) enum Came {
    /// The head of an answer; its body is coming.
    Answer(Rc<Object>),
    /// What is stored is still right.
    Valid(Rc<Object>),
    /// Nobody answered.
    Failed(Option<Failure>),
}

/// A fetch.
pub(super) struct Flight {
    /// Its number at this edge, from 1.
    pub(super) id: u64,
    /// The name under which others find it.
    name: RefCell<Option<Bytes>>,
    /// What a request's fields must be alike in for the answer to be theirs too, once that is known.
    variant: RefCell<Option<Bytes>>,
    came: RefCell<Option<Came>>,
    /// Bytes of the body that have come.
    arrived: Cell<u64>,
    /// When the last byte had come, and whether it was the last of the body.
    ended: Cell<Option<(Time, bool)>>,
    purged: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
}

impl Flight {
    pub(super) fn new(id: u64, name: Option<Bytes>) -> Self {
        Self {
            id,
            name: RefCell::new(name),
            variant: RefCell::default(),
            came: RefCell::default(),
            arrived: Cell::default(),
            ended: Cell::default(),
            purged: Cell::default(),
            waiting: RefCell::default(),
        }
    }

    /// The name under which others find it, if they may.
    pub(super) fn name(&self) -> Option<Bytes> {
        self.name.borrow().clone()
    }

    /// Others find it under another name from now on.
    pub(super) fn rename(&self, name: Bytes) {
        *self.name.borrow_mut() = Some(name);
    }

    /// The head has come, or will not; `variant` as the request of the fetch decides it.
    pub(super) fn announce(&self, came: Came, variant: Option<Bytes>) {
        *self.variant.borrow_mut() = variant;
        *self.came.borrow_mut() = Some(came);
        self.wake();
    }

    /// More of the body has come.
    pub(super) fn grew(&self, bytes: u64) {
        self.arrived.set(self.arrived.get() + bytes);
        self.wake();
    }

    /// Nothing more will come.
    pub(super) fn end(&self, now: Time, whole: bool) {
        self.ended.set(Some((now, whole)));
        self.wake();
    }

    /// What was asked for has been purged meanwhile: what comes may be old, and is nobody's any more who asks from now on.
    pub(super) fn purge(&self) {
        self.purged.set(true);
    }

    pub(super) fn is_purged(&self) -> bool {
        self.purged.get()
    }

    /// What came, if it has.
    pub(super) fn came(&self) -> Option<Came> {
        self.came.borrow().clone()
    }

    /// What may be shared with a request of this variant; `None` while that is not known.
    pub(super) fn variant(&self) -> Option<Bytes> {
        self.variant.borrow().clone()
    }

    /// What came, when it has.
    pub(super) async fn head(&self) -> Came {
        self.until(|| self.came()).await
    }

    /// When the fetch was over and whether all of the body had come, when that is so.
    pub(super) async fn over(&self) -> (Time, bool) {
        self.until(|| self.ended.get()).await
    }

    /// How much of the body has come and whether that is the end, when that is more than `had` or the end.
    pub(super) async fn more(&self, had: u64) -> (u64, Option<(Time, bool)>) {
        self.until(|| {
            let now = (self.arrived.get(), self.ended.get());
            (now.0 > had || now.1.is_some()).then_some(now)
        })
        .await
    }

    async fn until<T>(&self, ready: impl Fn() -> Option<T>) -> T {
        poll_fn(|context| {
            if let Some(value) = ready() {
                return Poll::Ready(value);
            }
            let mut waiting = self.waiting.borrow_mut();
            if !waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                waiting.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await
    }

    fn wake(&self) {
        let waiting = std::mem::take(&mut *self.waiting.borrow_mut());
        waiting.into_iter().for_each(Waker::wake);
    }
}
