//! The handle that a program is given: its clock, its timers, its tasks, its chance.

use super::call::{Answer, Call, NetError, Place, Ticket};
use super::condition::Condition;
use super::executor::{Shared, TaskId};
use super::quic::{QuicConnection, QuicEndpoint, QuicOptions};
use super::sockets::{EchoSocket, TcpListener, TcpStream, UdpSocket};
use super::steer::Steer;
use crate::base::{Rng, Span, Time};
use crate::trace::Record;
use crate::wire::Dscp;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// A machine, as the programs on it see it. Cheap to clone.
#[derive(Clone)]
pub struct Host(Rc<Local>);

struct Local {
    shared: Rc<Shared>,
    node: u32,
    name: String,
    addr: Ipv4Addr,
    dscp: Dscp,
    /// How often the machine has started again.
    boots: u32,
    condition: Rc<Cell<Condition>>,
}

/// Time was up before the future was ready.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Elapsed;

impl Host {
    pub(super) fn new(shared: Rc<Shared>, node: u32, name: &str, addr: Ipv4Addr) -> Self {
        let (dscp, condition) = (Dscp::DEFAULT, Rc::default());
        Self(Rc::new(Local { shared, node, name: name.to_owned(), addr, dscp, boots: 0, condition }))
    }

    /// The same machine after it has started again: programs that start on it now do not draw the same chance again.
    #[must_use]
    pub fn rebooted(&self) -> Self {
        let Local { shared, node, name, addr, condition, boots, .. } = &*self.0;
        let (shared, name, condition) = (Rc::clone(shared), name.clone(), Rc::clone(condition));
        Self(Rc::new(Local {
            shared,
            node: *node,
            name,
            addr: *addr,
            dscp: Dscp::DEFAULT,
            boots: boots + 1,
            condition,
        }))
    }

    /// What ails the machine.
    #[must_use]
    pub fn condition(&self) -> Condition {
        self.0.condition.get()
    }

    /// Changes what ails the machine.
    pub fn set_condition(&self, condition: Condition) {
        self.0.condition.set(condition);
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> Time {
        self.0.shared.now.get()
    }

    /// The machine's name in the scenario.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The machine's number in the plan.
    #[must_use]
    pub fn node(&self) -> u32 {
        self.0.node
    }

    /// The machine's address.
    #[must_use]
    pub fn addr(&self) -> Ipv4Addr {
        self.0.addr
    }

    /// The same machine for a program whose packets ask the queues on their way for this treatment: sockets opened through this
    /// handle and its clones carry the code point, and so do the answers to the connections and echoes that it begins.
    #[must_use]
    pub fn with_dscp(&self, dscp: Dscp) -> Self {
        let Local { shared, node, name, addr, boots, condition, .. } = &*self.0;
        let (shared, name, condition) = (Rc::clone(shared), name.clone(), Rc::clone(condition));
        Self(Rc::new(Local { shared, node: *node, name, addr: *addr, dscp, boots: *boots, condition }))
    }

    /// The code point of packets sent through this handle.
    #[must_use]
    pub fn dscp(&self) -> Dscp {
        self.0.dscp
    }

    /// The machine's stream of chance for one purpose; the same purpose twice is the same stream from its start, unless the machine
    /// has started again in between: from its second start on the streams are `host/<name>/boot<n>/<purpose>`.
    #[must_use]
    pub fn rng(&self, purpose: &str) -> Rng {
        let name = &self.0.name;
        let stream = match self.0.boots {
            0 => format!("host/{name}/{purpose}"),
            boots => format!("host/{name}/boot{}/{purpose}", boots + 1),
        };
        Rng::stream(self.0.shared.seed, &stream)
    }

    /// Hands the observers a record.
    pub fn record(&self, record: Record) {
        self.0.shared.record(record);
    }

    /// Completes `span` from now.
    #[must_use]
    pub fn sleep(&self, span: Span) -> Sleep {
        self.sleep_until(self.now().saturating_add(span))
    }

    /// Completes at `until`, or at once if that has passed.
    #[must_use]
    pub fn sleep_until(&self, until: Time) -> Sleep {
        Sleep { asked: self.ask(|ticket| Call::Sleep { ticket, until }) }
    }

    /// The output of `future` if it is ready within `span`; otherwise it is dropped, which cancels what it was doing.
    pub async fn timeout<F: Future>(&self, span: Span, future: F) -> Result<F::Output, Elapsed> {
        let mut future = pin!(future);
        let mut alarm = pin!(self.sleep(span));
        std::future::poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending => alarm.as_mut().poll(context).map(|()| Err(Elapsed)),
        })
        .await
    }

    /// Runs `future` as a task of its own. Dropping the returned handle leaves it running.
    pub fn spawn<F: Future + 'static>(&self, future: F) -> Task<F::Output> {
        let result = Rc::new(RefCell::new(TaskResult { output: None, waiter: None }));
        let sink = Rc::clone(&result);
        let id = self.0.shared.spawn(
            self.0.node,
            Box::pin(async move {
                let output = future.await;
                let mut result = sink.borrow_mut();
                result.output = Some(output);
                if let Some(waiter) = result.waiter.take() {
                    waiter.wake();
                }
            }),
        );
        Task { shared: Rc::clone(&self.0.shared), id, result }
    }

    /// Opens a TCP connection with the host's own settings.
    pub async fn connect(&self, to: SocketAddrV4) -> Result<TcpStream, NetError> {
        TcpStream::connect(self, to, None, false).await
    }

    /// Opens a TCP connection with `TCP_NODELAY` as given and, where named, another congestion controller.
    pub async fn connect_with(
        &self,
        to: SocketAddrV4,
        congestion: Option<&'static str>,
        nodelay: bool,
    ) -> Result<TcpStream, NetError> {
        TcpStream::connect(self, to, congestion, nodelay).await
    }

    /// Listens for TCP connections; at most `backlog` wait to be accepted.
    pub async fn listen(&self, port: u16, backlog: u32) -> Result<TcpListener, NetError> {
        TcpListener::bind(self, port, backlog, None, false).await
    }

    /// Listens for TCP connections that are to have `TCP_NODELAY` as given and, where named, another congestion controller.
    pub async fn listen_with(
        &self,
        port: u16,
        backlog: u32,
        congestion: Option<&'static str>,
        nodelay: bool,
    ) -> Result<TcpListener, NetError> {
        TcpListener::bind(self, port, backlog, congestion, nodelay).await
    }

    /// Opens a QUIC connection.
    pub async fn quic(&self, to: SocketAddrV4, options: QuicOptions) -> Result<QuicConnection, NetError> {
        QuicConnection::connect(self, to, options).await
    }

    /// Accepts QUIC connections on a UDP port.
    pub async fn quic_listen(&self, port: u16, options: QuicOptions) -> Result<QuicEndpoint, NetError> {
        QuicEndpoint::bind(self, port, options).await
    }

    /// Opens a UDP socket on `port`, or on an ephemeral port if that is 0.
    pub async fn udp(&self, port: u16) -> Result<UdpSocket, NetError> {
        UdpSocket::bind(self, port).await
    }

    /// From now on `steer` is asked about TCP segments that are for none of the machine's connections.
    pub fn steer(&self, steer: Rc<RefCell<dyn Steer>>) {
        self.call(Call::Steer { steer });
    }

    /// From now on connections that come with this code point are answered from `address` instead of the machine's own.
    pub fn answer_from(&self, dscp: Dscp, address: Ipv4Addr) {
        self.call(Call::AnswerFrom { dscp, address });
    }

    /// From now on routing is told that an address which the machine has in common with others is reached here, or that it is not.
    pub fn announce(&self, address: Ipv4Addr, on: bool) {
        self.call(Call::Announce { address, on });
    }

    /// How often the machine has started again after a crash.
    #[must_use]
    pub fn boots(&self) -> u32 {
        self.0.boots
    }

    /// A socket for ICMP echo.
    #[must_use]
    pub fn echo(&self) -> EchoSocket {
        EchoSocket::new(self)
    }

    #[inline]
    pub(super) fn shared(&self) -> &Shared {
        &self.0.shared
    }

    #[inline]
    pub(super) fn call(&self, call: Call) {
        self.0.shared.call(self.0.node, call);
    }

    pub(super) fn ask(&self, call: impl FnOnce(Ticket) -> Call) -> Asked {
        let ticket = self.0.shared.ticket();
        let call = call(ticket);
        let place = call.place();
        self.call(call);
        Asked { host: self.clone(), ticket: Some(ticket), place }
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.0.name, self.0.addr)
    }
}

/// A call under way. Dropped before its answer was taken, it is cancelled, and a connection that the answer had opened is closed.
pub(super) struct Asked {
    host: Host,
    ticket: Option<Ticket>,
    place: Place,
}

impl Future for Asked {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        let ticket = self.ticket.expect("a future is not polled after it was ready");
        let answer = self.host.0.shared.poll(ticket, context.waker());
        if answer.is_ready() {
            self.ticket = None;
        }
        answer
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        match self.host.0.shared.forget(ticket) {
            Some(Answer::Opened(Ok(opened))) => self.host.call(Call::Close { socket: opened.socket }),
            Some(_) => {}
            // The entry in the event queue is found dead when it comes up.
            None if self.place == Place::Timer => {}
            None => self.host.call(Call::Cancel { ticket, place: self.place }),
        }
    }
}

/// A future that completes at an instant.
pub struct Sleep {
    asked: Asked,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let asked = &mut self.asked;
        let ticket = asked.ticket.expect("a future is not polled after it was ready");
        if !asked.host.shared().poll_done(ticket, context.waker()) {
            return Poll::Pending;
        }
        asked.ticket = None;
        Poll::Ready(())
    }
}

struct TaskResult<T> {
    output: Option<T>,
    waiter: Option<Waker>,
}

/// A running task; as a future, its output. Dropping it leaves the task running.
pub struct Task<T> {
    shared: Rc<Shared>,
    id: TaskId,
    result: Rc<RefCell<TaskResult<T>>>,
}

impl<T> Task<T> {
    /// Ends the task by dropping its future; what it waited for is cancelled. A task cannot end itself this way.
    pub fn abort(&self) {
        self.shared.cancel(self.id);
    }

    /// Whether the output is there.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.result.borrow().output.is_some()
    }
}

impl<T> Future for Task<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let mut result = self.result.borrow_mut();
        if let Some(output) = result.output.take() {
            return Poll::Ready(output);
        }
        result.waiter = Some(context.waker().clone());
        Poll::Pending
    }
}
