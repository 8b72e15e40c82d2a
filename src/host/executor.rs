//! Runs tasks and keeps the mailbox between programs and the world; one per run, single-threaded, first woken first polled.

use super::call::{Answer, Call, Slot, Ticket};
use super::task::Host;
use crate::base::{Arena, Id, Time};
use crate::trace::Record;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// A task's future and its waker.
pub(super) struct Running {
    node: u32,
    future: Pin<Box<dyn Future<Output = ()>>>,
    waker: Arc<TaskWaker>,
}

pub(super) type TaskId = Id<Option<Running>>;

/// Tasks in the order in which they were woken. `Waker` must be `Send`, hence the lock; nobody ever contends for it.
type Woken = Arc<Mutex<VecDeque<TaskId>>>;

pub(super) struct TaskWaker {
    task: TaskId,
    queued: AtomicBool,
    woken: Woken,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::Relaxed) {
            self.woken.lock().unwrap_or_else(PoisonError::into_inner).push_back(self.task);
        }
    }
}

/// What programs and the world share.
pub(super) struct Shared {
    pub(super) now: Cell<Time>,
    pub(super) seed: u64,
    calls: RefCell<VecDeque<(u32, Call)>>,
    /// Records for the observers: not calls, as nothing happens because of them.
    records: RefCell<Vec<Record>>,
    slots: RefCell<Arena<Slot>>,
    /// Tasks; a slot is empty while its task is being polled.
    tasks: RefCell<Arena<Option<Running>>>,
    woken: Woken,
}

impl Shared {
    /// Puts a call of `node` in the mailbox.
    pub(super) fn call(&self, node: u32, call: Call) {
        self.calls.borrow_mut().push_back((node, call));
    }

    /// Keeps a record for the observers.
    pub(super) fn record(&self, record: Record) {
        self.records.borrow_mut().push(record);
    }

    /// A ticket for a call about to be made.
    pub(super) fn ticket(&self) -> Ticket {
        self.slots.borrow_mut().insert(Slot::default())
    }

    /// Takes the answer, or leaves the waker to be woken when it comes.
    pub(super) fn poll(&self, ticket: Ticket, waker: &Waker) -> Poll<Answer> {
        let mut slots = self.slots.borrow_mut();
        let slot = slots.get_mut(ticket).expect("a ticket lives as long as the future that holds it");
        if let Some(answer) = slot.answer.take() {
            slots.remove(ticket);
            return Poll::Ready(answer);
        }
        if !slot.waker.as_ref().is_some_and(|old| old.will_wake(waker)) {
            slot.waker = Some(waker.clone());
        }
        Poll::Pending
    }

    /// Nobody will ask for the answer. Returns it if it had come.
    pub(super) fn forget(&self, ticket: Ticket) -> Option<Answer> {
        let slot = self.slots.borrow_mut().remove(ticket);
        slot.and_then(|slot| slot.answer)
    }

    /// Starts a task on `node`.
    pub(super) fn spawn(&self, node: u32, future: Pin<Box<dyn Future<Output = ()>>>) -> TaskId {
        let mut tasks = self.tasks.borrow_mut();
        let task = tasks.insert(None);
        let waker = Arc::new(TaskWaker { task, queued: AtomicBool::new(false), woken: Arc::clone(&self.woken) });
        waker.wake_by_ref();
        if let Some(slot) = tasks.get_mut(task) {
            *slot = Some(Running { node, future, waker });
        }
        task
    }

    /// Ends a task by dropping its future, unless it is the one being polled or has ended already.
    pub(super) fn cancel(&self, task: TaskId) {
        // The future's own drop may call back into `Shared`: let go of the table first.
        let running = {
            let mut tasks = self.tasks.borrow_mut();
            if tasks.get(task).is_some_and(Option::is_some) { tasks.remove(task) } else { None }
        };
        drop(running);
    }
}

/// The world's half: polls woken tasks, hands out calls, takes answers.
pub struct Executor {
    shared: Rc<Shared>,
}

impl Executor {
    /// An executor without tasks; `seed` is the run's seed, from which hosts derive their streams of chance.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            shared: Rc::new(Shared {
                now: Cell::new(Time::ZERO),
                seed,
                calls: RefCell::default(),
                records: RefCell::default(),
                slots: RefCell::default(),
                tasks: RefCell::default(),
                woken: Woken::default(),
            }),
        }
    }

    /// The handle that programs on node number `node` are given.
    #[must_use]
    pub fn host(&self, node: u32, name: &str, addr: Ipv4Addr) -> Host {
        Host::new(Rc::clone(&self.shared), node, name, addr)
    }

    /// Sets what programs see as now.
    #[inline]
    pub fn set_now(&self, now: Time) {
        self.shared.now.set(now);
    }

    /// Polls every woken task once, in the order woken, including those woken meanwhile. False if there were none.
    #[expect(clippy::must_use_candidate, reason = "what happened is also in the mailbox")]
    pub fn run(&self) -> bool {
        let mut any = false;
        while let Some(task) = self.next_woken() {
            any = true;
            self.poll(task);
        }
        any
    }

    fn next_woken(&self) -> Option<TaskId> {
        self.shared.woken.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    fn poll(&self, task: TaskId) {
        let Some(mut running) = self.shared.tasks.borrow_mut().get_mut(task).and_then(Option::take) else { return };
        running.waker.queued.store(false, Ordering::Relaxed);
        let waker = Waker::from(Arc::clone(&running.waker));
        if running.future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            self.shared.tasks.borrow_mut().remove(task);
        } else if let Some(slot) = self.shared.tasks.borrow_mut().get_mut(task) {
            *slot = Some(running);
        }
    }

    /// The next call that a program has made, with the number of its node.
    #[inline]
    #[must_use]
    pub fn next_call(&self) -> Option<(u32, Call)> {
        self.shared.calls.borrow_mut().pop_front()
    }

    /// Hands over what programs have recorded since the last time, in order.
    #[inline]
    pub fn drain_records(&self, take: impl FnMut(Record)) {
        self.shared.records.borrow_mut().drain(..).for_each(take);
    }

    /// Whether a call still waits for its answer.
    #[must_use]
    pub fn is_waiting(&self, ticket: Ticket) -> bool {
        self.shared.slots.borrow().get(ticket).is_some_and(|slot| slot.answer.is_none())
    }

    /// Answers a call and wakes who waits for it; an answer that nobody waits for any more is dropped.
    pub fn answer(&self, ticket: Ticket, answer: Answer) {
        let waker = {
            let mut slots = self.shared.slots.borrow_mut();
            let Some(slot) = slots.get_mut(ticket) else { return };
            slot.answer = Some(answer);
            slot.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Ends every task of a node, as a crash does: their futures are dropped where they stand.
    pub fn kill(&self, node: u32) {
        let of_node: Vec<TaskId> = self
            .shared
            .tasks
            .borrow()
            .iter()
            .filter(|(_, task)| task.as_ref().is_some_and(|running| running.node == node))
            .map(|(id, _)| id)
            .collect();
        of_node.into_iter().for_each(|task| self.shared.cancel(task));
    }
}

impl Drop for Executor {
    /// Hosts inside futures hold the shared half, which holds the futures: taking the tasks out breaks the circle.
    fn drop(&mut self) {
        let tasks = std::mem::take(&mut *self.shared.tasks.borrow_mut());
        drop(tasks);
        self.shared.calls.borrow_mut().clear();
    }
}
