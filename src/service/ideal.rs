//! For tests of roles alone: hosts on a network where everything arrives, in order, after the same delay, at no cost.
//!
//! What a role does with its host is judged here without any protocol's influence; the same laws over real packets are
//! judged in the world.

use crate::base::{Id, Span, Time};
use crate::host::{
    Answer, Call, Executor, Host, Inbox, NetError, Opened, Place, Received, SocketId, Ticker, Ticket, Want,
};
use crate::trace::{Arrival, Record};
use crate::wire::Payload;
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::rc::Rc;

enum Socket {
    Listener { at: SocketAddrV4, ready: VecDeque<SocketId>, accepts: VecDeque<Ticket> },
    Stream(Stream),
    Datagrams { at: SocketAddrV4, inbox: Rc<Inbox> },
    Gone,
}

struct Stream {
    opened: Opened,
    peer: Option<SocketId>,
    inbox: Payload,
    arrival: Arrival,
    ended: bool,
    reset: bool,
    reads: VecDeque<(Ticket, Want, Payload, u64)>,
}

enum Event {
    Wake(Ticket),
    Tick(Id<Ticker>),
    /// A connection request reaches its server.
    Connect {
        ticket: Ticket,
        from: SocketAddrV4,
        to: SocketAddrV4,
    },
    Answer(Ticket, Answer),
    Bytes(SocketId, Payload, Time),
    End {
        socket: SocketId,
        reset: bool,
    },
    Datagram(SocketAddrV4, Received),
}

/// The network and the hosts on it; host `n` has the address 10.0.0.`n`.
pub(super) struct Ideal {
    executor: Executor,
    now: Time,
    delay: Span,
    events: BTreeMap<(Time, u64), Event>,
    counter: u64,
    sockets: Vec<Socket>,
    next_port: u16,
    /// A write of more bytes is taken only when these have arrived at the other end, so many at a time.
    pub(super) send_buffer: Option<u64>,
    /// Datagrams sent so far.
    pub(super) datagrams: u64,
    /// Which of them are lost.
    pub(super) lost: Vec<u64>,
    /// What roles have recorded.
    pub(super) records: Vec<Record>,
}

/// The address of host `n`.
pub(super) const fn addr(n: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, n)
}

impl Ideal {
    pub(super) fn new(delay: Span) -> Self {
        Self::seeded(delay, 7)
    }
    pub(super) fn seeded(delay: Span, seed: u64) -> Self {
        Self {
            executor: Executor::new(seed),
            now: Time::ZERO,
            delay,
            events: BTreeMap::new(),
            counter: 0,
            sockets: Vec::new(),
            next_port: 32_768,
            send_buffer: None,
            datagrams: 0,
            lost: Vec::new(),
            records: Vec::new(),
        }
    }

    pub(super) fn host(&self, n: u8) -> Host {
        self.executor.host(u32::from(n), &format!("h{n}"), addr(n))
    }

    pub(super) fn spawn<F: Future + 'static>(&self, n: u8, program: impl FnOnce(Host) -> F) {
        let host = self.host(n);
        drop(host.spawn(program(host.clone())));
    }

    /// Lets everything up to `secs` happen.
    pub(super) fn run(&mut self, secs: u64) {
        let until = Time::ZERO + Span::from_secs(secs);
        self.settle();
        while let Some(entry) = self.events.first_entry()
            && entry.key().0 <= until
        {
            let ((now, _), event) = entry.remove_entry();
            self.now = now;
            self.event(event);
            self.settle();
        }
        self.now = until;
    }

    fn settle(&mut self) {
        self.executor.set_now(self.now);
        loop {
            self.executor.run();
            self.executor.take_records(&mut self.records);
            let Some((node, call)) = self.executor.next_call() else { return };
            self.call(u8::try_from(node).unwrap(), call);
            while let Some((node, call)) = self.executor.next_call() {
                self.call(u8::try_from(node).unwrap(), call);
            }
        }
    }

    fn at(&mut self, time: Time, event: Event) {
        self.counter += 1;
        self.events.insert((time, self.counter), event);
    }

    fn socket(&mut self, socket: Socket) -> SocketId {
        self.sockets.push(socket);
        SocketId(self.sockets.len() as u64 - 1)
    }

    fn stream(&mut self, id: SocketId) -> Option<&mut Stream> {
        match &mut self.sockets[usize::try_from(id.0).unwrap()] {
            Socket::Stream(stream) => Some(stream),
            _ => None,
        }
    }

    fn port(&mut self) -> u16 {
        self.next_port = self.next_port % 60_000 + 1;
        self.next_port
    }

    fn call(&mut self, node: u8, call: Call) {
        let far = self.now + self.delay;
        match call {
            Call::Connect { ticket, to, .. } => {
                let from = SocketAddrV4::new(addr(node), self.port());
                self.at(far, Event::Connect { ticket, from, to });
            }
            Call::Listen { ticket, port, .. } => {
                let at = SocketAddrV4::new(addr(node), port);
                let id = self.socket(Socket::Listener { at, ready: VecDeque::new(), accepts: VecDeque::new() });
                self.executor.answer(ticket, Answer::Bound(Ok((id, port))));
            }
            Call::Accept { ticket, listener } => {
                if let Socket::Listener { accepts, .. } = &mut self.sockets[usize::try_from(listener.0).unwrap()] {
                    accepts.push_back(ticket);
                }
                self.hand_over(listener);
            }
            Call::Read { ticket, socket, want } => match self.stream(socket) {
                Some(stream) => {
                    stream.reads.push_back((ticket, want, Payload::empty(), 0));
                    self.serve(socket);
                }
                None => self.executor.answer(ticket, Answer::Read(Err(NetError::Closed))),
            },
            Call::Discarded { ticket, socket } => {
                let count = self.stream(socket).and_then(|stream| stream.reads.front().map(|read| read.3)).unwrap_or(0);
                self.executor.answer(ticket, Answer::Read(Ok((Payload::empty(), count, Arrival::default()))));
            }
            Call::Write { ticket, socket, mut payload } => {
                let now = self.now;
                let result = match self.stream(socket) {
                    Some(stream) if !stream.reset => Ok(stream.peer),
                    _ => Err(NetError::Reset),
                };
                let mut taken = now;
                if let Ok(Some(peer)) = result {
                    while !payload.is_empty() {
                        let piece = payload.split_to(self.send_buffer.unwrap_or(u64::MAX));
                        self.at(taken + self.delay, Event::Bytes(peer, piece, taken));
                        if self.send_buffer.is_some() {
                            taken += self.delay;
                        }
                    }
                }
                self.at(taken, Event::Answer(ticket, Answer::Wrote(result.map(drop))));
            }
            Call::Shutdown { socket } => self.end(socket, false),
            Call::Abort { socket } => self.end(socket, true),
            Call::Close { socket } => {
                let unread = self.stream(socket).is_some_and(|stream| !stream.inbox.is_empty());
                self.end(socket, unread);
                self.sockets[usize::try_from(socket.0).unwrap()] = Socket::Gone;
            }
            Call::Bind { ticket, port, inbox, .. } => {
                let port = if port == 0 { self.port() } else { port };
                let at = SocketAddrV4::new(addr(node), port);
                let id = self.socket(Socket::Datagrams { at, inbox });
                self.executor.answer(ticket, Answer::Bound(Ok((id, port))));
            }
            Call::SendTo { socket, to, payload, flow, from: _ } => {
                let Socket::Datagrams { at: from, .. } = self.sockets[usize::try_from(socket.0).unwrap()] else {
                    return;
                };
                self.datagrams += 1;
                if !self.lost.contains(&self.datagrams) {
                    let flow = if flow == 0 { socket.0 + 1 } else { flow };
                    let arrival = self.arrival(self.now, far);
                    self.at(far, Event::Datagram(to, Received { from, at: *to.ip(), payload, flow, arrival }));
                }
            }
            Call::Tick { ticker, at } => self.at(at.max(self.now), Event::Tick(ticker)),
            Call::Sleep { ticket, until } => self.at(until.max(self.now), Event::Wake(ticket)),
            Call::Cancel { ticket, place } => {
                let Place::Socket(socket) = place else { return };
                match &mut self.sockets[usize::try_from(socket.0).unwrap()] {
                    Socket::Stream(stream) => stream.reads.retain(|read| read.0 != ticket),
                    Socket::Listener { accepts, .. } => accepts.retain(|waiting| *waiting != ticket),
                    Socket::Datagrams { .. } | Socket::Gone => {}
                }
            }
            Call::Echo { .. }
            | Call::Quic { .. }
            | Call::Steer { .. }
            | Call::AnswerFrom { .. }
            | Call::Announce { .. } => {}
        }
    }

    fn arrival(&self, sent: Time, arrived: Time) -> Arrival {
        Arrival { first_sent: sent, sent, arrived, released: arrived, propagation: self.delay, ..Arrival::default() }
    }

    fn end(&mut self, socket: SocketId, reset: bool) {
        let far = self.now + self.delay;
        if let Some(stream) = self.stream(socket)
            && let Some(peer) = stream.peer.take()
        {
            self.at(far, Event::End { socket: peer, reset });
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Wake(ticket) => self.executor.answer(ticket, Answer::Slept),
            Event::Tick(ticker) => {
                if let Some(next) = self.executor.tick(ticker, self.now) {
                    self.at(next.max(self.now), Event::Tick(ticker));
                }
            }
            Event::Answer(ticket, answer) => self.executor.answer(ticket, answer),
            Event::Connect { ticket, from, to } => self.connect(ticket, from, to),
            Event::Bytes(socket, payload, sent) => {
                let arrival = self.arrival(sent, self.now);
                let delay = self.delay;
                if let Some(stream) = self.stream(socket) {
                    stream.inbox.append(payload);
                    stream.arrival = arrival;
                    self.serve(socket);
                } else if let Some(peer) = self.peer_of(socket) {
                    // Nobody is there any more.
                    self.at(self.now + delay, Event::End { socket: peer, reset: true });
                }
            }
            Event::End { socket, reset } => {
                if let Some(stream) = self.stream(socket) {
                    stream.ended = true;
                    stream.reset |= reset;
                    self.serve(socket);
                }
            }
            Event::Datagram(to, received) => {
                let found = self.sockets.iter().find_map(|socket| match socket {
                    Socket::Datagrams { at, inbox } if *at == to => Some(inbox),
                    _ => None,
                });
                if let Some(inbox) = found {
                    self.executor.deliver(inbox, received, self.now);
                }
            }
        }
    }

    fn peer_of(&self, gone: SocketId) -> Option<SocketId> {
        // Two ends of a connection are made one after the other.
        let peer = SocketId(gone.0 ^ 1);
        matches!(self.sockets[usize::try_from(peer.0).unwrap()], Socket::Stream(_)).then_some(peer)
    }

    fn connect(&mut self, ticket: Ticket, from: SocketAddrV4, to: SocketAddrV4) {
        let back = self.now + self.delay;
        let listens = |socket: &Socket| matches!(socket, Socket::Listener { at, .. } if *at == to);
        let Some(listener) = self.sockets.iter().position(listens) else {
            self.at(back, Event::Answer(ticket, Answer::Opened(Err(NetError::Refused))));
            return;
        };
        if self.sockets.len() % 2 == 1 {
            self.sockets.push(Socket::Gone);
        }
        let first = self.sockets.len() as u64;
        let ends = [(first, first + 1, from, to), (first + 1, first, to, from)].map(|(own, peer, local, remote)| {
            let opened = Opened { socket: SocketId(own), flow: first + 1, local, remote, stream: 0 };
            self.socket(Socket::Stream(Stream {
                opened,
                peer: Some(SocketId(peer)),
                inbox: Payload::empty(),
                arrival: Arrival::default(),
                ended: false,
                reset: false,
                reads: VecDeque::new(),
            }));
            opened
        });
        self.at(back, Event::Answer(ticket, Answer::Opened(Ok(ends[0]))));
        if let Socket::Listener { ready, .. } = &mut self.sockets[listener] {
            ready.push_back(ends[1].socket);
        }
        self.hand_over(SocketId(listener as u64));
    }

    fn hand_over(&mut self, listener: SocketId) {
        let Socket::Listener { ready, accepts, .. } = &mut self.sockets[usize::try_from(listener.0).unwrap()] else {
            return;
        };
        if !ready.is_empty()
            && let Some(ticket) = accepts.pop_front()
            && let Some(socket) = ready.pop_front()
            && let Some(opened) = self.stream(socket).map(|stream| stream.opened)
        {
            self.executor.answer(ticket, Answer::Opened(Ok(opened)));
        }
    }

    fn serve(&mut self, socket: SocketId) {
        while let Some(stream) = self.stream(socket) {
            let Some((ticket, want, taken, count)) = stream.reads.front_mut() else { return };
            let (Want::Some(most) | Want::Exactly(most) | Want::Discard(most)) = *want;
            let got = stream.inbox.split_to(most - *count);
            *count += got.len();
            if !matches!(want, Want::Discard(_)) {
                taken.append(got);
            }
            let enough = *count == most || matches!(want, Want::Some(_)) && *count > 0;
            let result = match (enough, stream.reset, stream.ended) {
                (true, ..) | (false, false, true) => Ok((std::mem::take(taken), *count, stream.arrival)),
                (false, true, _) => Err(NetError::Reset),
                (false, false, false) => return,
            };
            let ticket = *ticket;
            stream.reads.pop_front();
            self.executor.answer(ticket, Answer::Read(result));
        }
    }
}
