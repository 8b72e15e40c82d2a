//! Runs tasks and keeps the mailbox between programs and the world; one per run, single-threaded, first woken first polled.

use super::call::{Answer, Call, NetError, Received, Slot, Ticket};
use super::inbox::Inbox;
use super::task::Host;
use super::ticks::Ticker;
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

/// What a task does.
type Body = Pin<Box<dyn Future<Output = ()>>>;

/// A task.
pub(super) struct Running {
    node: u32,
    /// Its future and the waker that it is polled with; taken out while it is being polled.
    body: Option<(Body, Waker)>,
    state: Arc<TaskWaker>,
}

pub(super) type TaskId = Id<Option<Running>>;

/// Tasks that wakers have woken, in that order. `Waker` must be `Send`, hence the lock; nobody ever contends for it, and the usual
/// ways of waking a task do without.
#[derive(Default)]
struct Woken {
    any: AtomicBool,
    queue: Mutex<Vec<TaskId>>,
}

struct TaskWaker {
    task: TaskId,
    queued: AtomicBool,
    woken: Arc<Woken>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    #[inline]
    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::Relaxed) {
            self.woken.queue.lock().unwrap_or_else(PoisonError::into_inner).push(self.task);
            self.woken.any.store(true, Ordering::Relaxed);
        }
    }
}

/// Who waits for an answer.
#[derive(Debug, Default)]
pub(super) enum Waiter {
    #[default]
    Nobody,
    /// A task, woken by its number: the usual case.
    Task(TaskId),
    /// Whatever a combinator between the task and the call has made of the task's waker.
    Other(Waker),
}

impl Waiter {
    /// Whether waking both is waking one twice.
    pub(super) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Task(one), Self::Task(other)) => one == other,
            (Self::Other(one), Self::Other(other)) => one.will_wake(other),
            _ => false,
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
    /// Whether anybody wants them.
    recording: Cell<bool>,
    slots: RefCell<Arena<Slot>>,
    /// Functions that are called by the clock.
    pub(super) tickers: RefCell<Arena<Ticker>>,
    /// Tasks; a slot is empty while its task is being made.
    tasks: RefCell<Arena<Option<Running>>>,
    /// The task that is being polled, and the address by which its waker is known.
    current: Cell<(Option<TaskId>, *const ())>,
    /// Tasks to be polled, first woken first, and those that wakers have woken since.
    ready: RefCell<VecDeque<TaskId>>,
    woken: Arc<Woken>,
}

impl Shared {
    /// Puts a call of `node` in the mailbox.
    #[inline]
    pub(super) fn call(&self, node: u32, call: Call) {
        self.calls.borrow_mut().push_back((node, call));
    }

    /// Keeps a record for the observers.
    #[inline]
    pub(super) fn record(&self, record: Record) {
        if self.recording.get() {
            self.records.borrow_mut().push(record);
        }
    }

    /// A ticket for a call about to be made.
    #[inline]
    pub(super) fn ticket(&self) -> Ticket {
        self.slots.borrow_mut().insert(Slot::default())
    }

    /// Takes the answer, or remembers whom to wake when it comes.
    #[inline]
    pub(super) fn poll(&self, ticket: Ticket, waker: &Waker) -> Poll<Answer> {
        let mut slots = self.slots.borrow_mut();
        let slot = slots.get_mut(ticket).expect("a ticket lives as long as the future that holds it");
        if let Some(answer) = slot.answer.take() {
            slots.free(ticket);
            return Poll::Ready(answer);
        }
        slot.waiter = self.waiter(waker);
        Poll::Pending
    }

    /// Whether the answer has come, which is dropped; or else remembers whom to wake. For calls whose answer says nothing.
    #[inline]
    pub(super) fn poll_done(&self, ticket: Ticket, waker: &Waker) -> bool {
        let mut slots = self.slots.borrow_mut();
        let slot = slots.get_mut(ticket).expect("a ticket lives as long as the future that holds it");
        let done = slot.answer.is_some();
        if done {
            slots.free(ticket);
        } else {
            slot.waiter = self.waiter(waker);
        }
        done
    }

    /// Whom to wake by `waker`.
    #[inline]
    pub(super) fn waiter(&self, waker: &Waker) -> Waiter {
        match self.current.get() {
            (Some(task), address) if std::ptr::eq(waker.data(), address) => Waiter::Task(task),
            _ => Waiter::Other(waker.clone()),
        }
    }

    /// Nobody will ask for the answer. Returns it if it had come.
    pub(super) fn forget(&self, ticket: Ticket) -> Option<Answer> {
        let slot = self.slots.borrow_mut().remove(ticket);
        slot.and_then(|slot| slot.answer)
    }

    #[inline]
    pub(super) fn wake(&self, waiter: Waiter) {
        match waiter {
            Waiter::Nobody => {}
            Waiter::Task(task) => {
                let tasks = self.tasks.borrow();
                if let Some(Some(running)) = tasks.get(task)
                    && !running.state.queued.swap(true, Ordering::Relaxed)
                {
                    if self.woken.any.load(Ordering::Relaxed) {
                        self.take_woken();
                    }
                    self.ready.borrow_mut().push_back(task);
                }
            }
            Waiter::Other(waker) => waker.wake(),
        }
    }

    /// Puts those that wakers have woken behind those woken by their number before.
    #[cold]
    #[inline(never)]
    fn take_woken(&self) {
        let mut woken = self.woken.queue.lock().unwrap_or_else(PoisonError::into_inner);
        self.ready.borrow_mut().extend(woken.drain(..));
        self.woken.any.store(false, Ordering::Relaxed);
    }

    /// The task that was woken first, taken out of the queue.
    #[inline]
    fn next_ready(&self) -> Option<TaskId> {
        if self.woken.any.load(Ordering::Relaxed) {
            self.take_woken();
        }
        self.ready.borrow_mut().pop_front()
    }

    /// Starts a task on `node`.
    pub(super) fn spawn(&self, node: u32, future: Pin<Box<dyn Future<Output = ()>>>) -> TaskId {
        let mut tasks = self.tasks.borrow_mut();
        let task = tasks.insert(None);
        let state = Arc::new(TaskWaker { task, queued: AtomicBool::new(false), woken: Arc::clone(&self.woken) });
        state.wake_by_ref();
        let body = Some((future, Waker::from(Arc::clone(&state))));
        if let Some(slot) = tasks.get_mut(task) {
            *slot = Some(Running { node, body, state });
        }
        task
    }

    /// Ends a task by dropping its future, unless it is the one being polled or has ended already.
    pub(super) fn cancel(&self, task: TaskId) {
        // The future's own drop may call back into `Shared`: let go of the table first.
        let running = {
            let mut tasks = self.tasks.borrow_mut();
            let idle = tasks.get(task).and_then(Option::as_ref).is_some_and(|running| running.body.is_some());
            if idle { tasks.remove(task) } else { None }
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
                recording: Cell::new(true),
                slots: RefCell::default(),
                tickers: RefCell::default(),
                tasks: RefCell::default(),
                current: Cell::new((None, std::ptr::null())),
                ready: RefCell::default(),
                woken: Arc::default(),
            }),
        }
    }

    /// Whether the records of programs are kept.
    pub fn keep_records(&self, keep: bool) {
        self.shared.recording.set(keep);
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

    /// Polls every woken task once, in the order woken, including those woken meanwhile.
    #[inline]
    pub fn run(&self) {
        while let Some(task) = self.shared.next_ready() {
            self.poll(task);
        }
    }

    fn poll(&self, task: TaskId) {
        let shared = &*self.shared;
        let taken = shared.tasks.borrow_mut().get_mut(task).and_then(Option::as_mut).and_then(|running| {
            running.state.queued.store(false, Ordering::Relaxed);
            running.body.take()
        });
        let Some((mut future, waker)) = taken else { return };
        shared.current.set((Some(task), waker.data()));
        let done = future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        shared.current.set((None, std::ptr::null()));
        let mut tasks = shared.tasks.borrow_mut();
        if done {
            let ended = tasks.remove(task);
            // What the future still holds may call back into `Shared` as it is dropped.
            drop(tasks);
            drop((ended, future));
        } else if let Some(Some(running)) = tasks.get_mut(task) {
            running.body = Some((future, waker));
        }
    }

    /// Whether somebody waits for the answer still.
    #[must_use]
    pub fn is_waited_for(&self, ticket: Ticket) -> bool {
        self.shared.slots.borrow().get(ticket).is_some()
    }

    /// The call that was made first, with the number of its node, taken out of the mailbox.
    #[inline]
    #[must_use]
    pub fn next_call(&self) -> Option<(u32, Call)> {
        self.shared.calls.borrow_mut().pop_front()
    }

    /// Hands over what programs have recorded since the last time, in order.
    #[inline]
    pub fn take_records(&self, into: &mut Vec<Record>) {
        let mut records = self.shared.records.borrow_mut();
        if into.is_empty() {
            std::mem::swap(&mut *records, into);
        } else {
            into.append(&mut records);
        }
    }

    /// Answers a call and wakes who waits for it; an answer that nobody waits for any more is dropped.
    #[inline]
    pub fn answer(&self, ticket: Ticket, answer: Answer) {
        let waiter = {
            let mut slots = self.shared.slots.borrow_mut();
            let Some(slot) = slots.get_mut(ticket) else { return };
            slot.answer = Some(answer);
            std::mem::take(&mut slot.waiter)
        };
        self.shared.wake(waiter);
    }

    /// A datagram for the program that holds the inbox. True if a program has something to do or to ask now.
    #[expect(clippy::inline_always, reason = "what is received is made where it is handed over")]
    #[inline(always)]
    pub fn deliver(&self, inbox: &Inbox, received: Received, now: Time) -> bool {
        if inbox.is_handled() {
            self.set_now(now);
            inbox.handle(received);
            return !self.shared.calls.borrow().is_empty();
        }
        inbox.put(Ok(received), &self.shared)
    }

    /// What ICMP says about a datagram sent, for the program that holds the inbox; a function that takes datagrams is not told. True if
    /// a program has something to do now.
    pub fn tell(&self, inbox: &Inbox, error: NetError) -> bool {
        !inbox.is_handled() && inbox.put(Err(error), &self.shared)
    }

    /// Calls a ticker's function; its next instant, unless it has ended.
    #[inline]
    #[must_use]
    pub fn tick(&self, ticker: Id<Ticker>, now: Time) -> Option<Time> {
        self.set_now(now);
        self.shared.tick(ticker)
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
