//! Sockets as programs hold them: dropped, they close.

use super::call::{Answer, Call, Echoed, NetError, Opened, Received, SocketId, Want};
use super::inbox::Inbox;
use super::task::Host;
use crate::trace::Arrival;
use crate::wire::Payload;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// A TCP connection. All methods take `&self`: one task may read while another writes, through an `Rc`.
/// At most one read and one write should be under way at a time; further ones are served in order.
pub struct TcpStream {
    host: Host,
    opened: Opened,
}

impl TcpStream {
    pub(super) async fn connect(
        host: &Host,
        to: SocketAddrV4,
        congestion: Option<&'static str>,
        nodelay: bool,
    ) -> Result<Self, NetError> {
        let dscp = host.dscp();
        let answer = host.ask(|ticket| Call::Connect { ticket, to, dscp, congestion, nodelay }).await;
        let Answer::Opened(opened) = answer else { unreachable!("connect is answered by Opened, not {answer:?}") };
        Ok(Self { host: host.clone(), opened: opened? })
    }

    /// The conversation's number, for records.
    #[must_use]
    pub fn flow(&self) -> u64 {
        self.opened.flow
    }

    /// Our address and port.
    #[must_use]
    pub fn local(&self) -> SocketAddrV4 {
        self.opened.local
    }

    /// The peer's address and port.
    #[must_use]
    pub fn remote(&self) -> SocketAddrV4 {
        self.opened.remote
    }

    /// Writes all of `payload`; ready when the send buffer has taken its last byte.
    pub async fn write(&self, payload: Payload) -> Result<(), NetError> {
        let socket = self.opened.socket;
        match self.host.ask(|ticket| Call::Write { ticket, socket, payload }).await {
            Answer::Wrote(result) => result,
            answer => unreachable!("write is answered by Wrote, not {answer:?}"),
        }
    }

    /// Reads what is there, at least one byte and at most `max`; an empty payload is the end of the stream.
    pub async fn read(&self, max: u64) -> Result<(Payload, Arrival), NetError> {
        let (payload, _, arrival) = self.get(Want::Some(max)).await?;
        Ok((payload, arrival))
    }

    /// Reads exactly `n` bytes, or fewer if the stream ends before.
    pub async fn read_exactly(&self, n: u64) -> Result<(Payload, Arrival), NetError> {
        let (payload, _, arrival) = self.get(Want::Exactly(n)).await?;
        Ok((payload, arrival))
    }

    /// Counts and throws away `n` bytes as they arrive, or fewer if the stream ends before; returns how many there were and
    /// the way of the last one. This is how bodies whose content does not matter are read: it wakes the program once.
    pub async fn discard(&self, n: u64) -> Result<(u64, Arrival), NetError> {
        let (_, count, arrival) = self.get(Want::Discard(n)).await?;
        Ok((count, arrival))
    }

    /// Bytes that a [`TcpStream::discard`] under way has counted so far: progress without disturbing the transfer.
    pub async fn discarded(&self) -> Result<u64, NetError> {
        let socket = self.opened.socket;
        match self.host.ask(|ticket| Call::Discarded { ticket, socket }).await {
            Answer::Read(result) => result.map(|(_, count, _)| count),
            answer => unreachable!("discarded is answered by Read, not {answer:?}"),
        }
    }

    async fn get(&self, want: Want) -> Result<(Payload, u64, Arrival), NetError> {
        let socket = self.opened.socket;
        match self.host.ask(|ticket| Call::Read { ticket, socket, want }).await {
            Answer::Read(result) => result,
            answer => unreachable!("read is answered by Read, not {answer:?}"),
        }
    }

    /// Writes what the send buffer has room for at once, and forgets the rest: last words on a connection that is let go.
    pub fn post(&self, payload: Payload) {
        if !payload.is_empty() {
            let socket = self.opened.socket;
            drop(self.host.ask(|ticket| Call::Write { ticket, socket, payload }));
        }
    }

    /// Sends FIN after everything written so far; reading goes on.
    pub fn shutdown(&self) {
        self.host.call(Call::Shutdown { socket: self.opened.socket });
    }

    /// Resets the connection.
    pub fn abort(&self) {
        self.host.call(Call::Abort { socket: self.opened.socket });
    }
}

impl Drop for TcpStream {
    fn drop(&mut self) {
        self.host.call(Call::Close { socket: self.opened.socket });
    }
}

/// A listening TCP socket.
pub struct TcpListener {
    host: Host,
    socket: SocketId,
}

impl TcpListener {
    pub(super) async fn bind(
        host: &Host,
        port: u16,
        backlog: u32,
        congestion: Option<&'static str>,
        nodelay: bool,
    ) -> Result<Self, NetError> {
        match host.ask(|ticket| Call::Listen { ticket, port, backlog, congestion, nodelay }).await {
            Answer::Bound(bound) => Ok(Self { host: host.clone(), socket: bound?.0 }),
            answer => unreachable!("listen is answered by Bound, not {answer:?}"),
        }
    }

    /// The next connection, once its handshake is complete.
    pub async fn accept(&self) -> Result<TcpStream, NetError> {
        let listener = self.socket;
        match self.host.ask(|ticket| Call::Accept { ticket, listener }).await {
            Answer::Opened(opened) => Ok(TcpStream { host: self.host.clone(), opened: opened? }),
            answer => unreachable!("accept is answered by Opened, not {answer:?}"),
        }
    }
}

impl Drop for TcpListener {
    fn drop(&mut self) {
        self.host.call(Call::Close { socket: self.socket });
    }
}

/// A UDP socket.
pub struct UdpSocket {
    host: Host,
    socket: SocketId,
    port: u16,
    inbox: Rc<Inbox>,
}

impl UdpSocket {
    pub(super) async fn bind(host: &Host, port: u16) -> Result<Self, NetError> {
        let inbox = Rc::new(Inbox::default());
        let shared = Rc::clone(&inbox);
        let dscp = host.dscp();
        match host.ask(|ticket| Call::Bind { ticket, port, dscp, inbox: shared }).await {
            Answer::Bound(bound) => {
                let (socket, port) = bound?;
                Ok(Self { host: host.clone(), socket, port, inbox })
            }
            answer => unreachable!("bind is answered by Bound, not {answer:?}"),
        }
    }

    /// Our port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Sends a datagram. That it was sent says nothing about whether it arrives.
    pub fn send(&self, to: SocketAddrV4, payload: Payload) {
        self.send_in_flow(to, payload, 0);
    }

    /// Sends a datagram that observers count under `flow`, as an answer is counted under the flow of its question.
    pub fn send_in_flow(&self, to: SocketAddrV4, payload: Payload, flow: u64) {
        self.host.call(Call::SendTo { socket: self.socket, to, payload, flow, from: None });
    }

    /// Answers a datagram: from the address that it was sent to, counted under its flow.
    pub fn reply(&self, to: &Received, payload: Payload) {
        let (socket, from) = (self.socket, Some(to.at));
        self.host.call(Call::SendTo { socket, to: to.from, payload, flow: to.flow, from });
    }

    /// The next datagram; [`NetError::Refused`] when ICMP said that nobody listens where the last one went.
    pub async fn receive(&self) -> Result<Received, NetError> {
        std::future::poll_fn(|context| self.inbox.poll(self.host.shared(), context.waker())).await
    }
}

impl UdpSocket {
    /// Calls `handler` with each datagram as it arrives, for as long as the returned future is held; it is never ready. It costs a small
    /// part of a loop around [`UdpSocket::receive`]; what the function sends goes out when it returns. ICMP errors are not told.
    pub fn each(&self, handler: impl FnMut(Received) + 'static) -> Each<'_> {
        self.inbox.set_handler(Box::new(handler));
        Each { inbox: &self.inbox }
    }
}

/// A function takes the datagrams of a socket until this is dropped.
pub struct Each<'a> {
    inbox: &'a Inbox,
}

impl Future for Each<'_> {
    type Output = std::convert::Infallible;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Pending
    }
}

impl Drop for Each<'_> {
    fn drop(&mut self) {
        self.inbox.clear_handler();
    }
}

impl Drop for UdpSocket {
    fn drop(&mut self) {
        self.host.call(Call::Close { socket: self.socket });
    }
}

/// Sends ICMP echo requests, as ping and traceroute do.
pub struct EchoSocket {
    host: Host,
}

impl EchoSocket {
    pub(super) fn new(host: &Host) -> Self {
        Self { host: host.clone() }
    }

    /// Sends an echo request with `data_len` bytes of data and this TTL. Ready when something answers it: the target, or a
    /// router or host with an ICMP error. If nothing does it is never ready: put it under a timeout.
    pub async fn probe(&self, to: Ipv4Addr, ttl: u8, data_len: u32) -> Echoed {
        let dscp = self.host.dscp();
        match self.host.ask(|ticket| Call::Echo { ticket, to, ttl, dscp, data_len }).await {
            Answer::Echoed(echoed) => echoed,
            answer => unreachable!("an echo is answered by Echoed, not {answer:?}"),
        }
    }
}
