//! TLS over a TCP connection, with the methods of one.

use super::config::{ClientConfig, ServerConfig, Tickets};
use super::session::{Event, Failed, Session};
use crate::app::stream::Stream;
use crate::base::Time;
use crate::host::sync::Semaphore;
use crate::host::{Host, NetError, TcpStream};
use crate::trace::Arrival;
use crate::wire::Payload;
use crate::wire::tls::{DecodeError, Description, RECORD_HEADER, Record};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddrV4;
use std::rc::Rc;

/// Why there is no TLS connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TlsError {
    /// The transport failed.
    Net(NetError),
    /// The peer sent a fatal alert, or broke the protocol.
    Failed(Failed),
    /// The peer closed in the middle of the handshake.
    Cut,
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Net(error) => error.fmt(f),
            Self::Failed(Failed::Received(alert)) => write!(f, "the peer ended the handshake: {alert}"),
            Self::Failed(Failed::Sent(alert)) => write!(f, "the peer broke the protocol: {alert}"),
            Self::Cut => f.write_str("the peer closed in the middle of the handshake"),
        }
    }
}

impl std::error::Error for TlsError {}

impl From<NetError> for TlsError {
    fn from(error: NetError) -> Self {
        Self::Net(error)
    }
}

/// A record on its way in.
#[derive(Default)]
struct Incoming {
    header: Payload,
    record: Option<Record>,
    body: Payload,
}

impl Incoming {
    /// Bytes that are missing of the header, or else of the body.
    fn missing(&self) -> u64 {
        match self.record {
            None => RECORD_HEADER - self.header.len(),
            Some(record) => u64::from(record.len) - self.body.len(),
        }
    }

    /// Takes bytes in, no more than are missing; true if the record is whole. An error is a header that is none.
    fn append(&mut self, part: Payload) -> Result<bool, DecodeError> {
        if self.record.is_some() {
            self.body.append(part);
        } else {
            self.header.append(part);
            if self.missing() > 0 {
                return Ok(false);
            }
            let header = self.header.real_prefix();
            self.record = Some(Record::decode(*header.first_chunk().ok_or(DecodeError::Short)?)?);
        }
        Ok(self.missing() == 0)
    }
}

/// A connection under TLS. What a failure after the handshake was, [`TlsStream::error`] says: to readers it is a reset.
pub struct TlsStream {
    stream: TcpStream,
    host: Host,
    session: RefCell<Session>,
    /// Who takes records off the connection: one task at a time, and each for one record only.
    turn: Semaphore,
    /// Who writes: a message's records stay together.
    writing: Semaphore,
    incoming: RefCell<Incoming>,
    /// Data that waits to be read, by record.
    plain: RefCell<VecDeque<(Payload, Arrival)>>,
    /// Records and bytes taken in so far.
    records: Cell<u64>,
    taken: Cell<u64>,
    ended: Cell<bool>,
    work: Cell<bool>,
    error: Cell<Option<TlsError>>,
    tickets: Option<Rc<Tickets>>,
    ready: Cell<Time>,
}

impl TlsStream {
    fn new(host: &Host, stream: TcpStream, session: Session, tickets: Option<Rc<Tickets>>) -> Self {
        Self {
            stream,
            host: host.clone(),
            session: RefCell::new(session),
            turn: Semaphore::new(1),
            writing: Semaphore::new(1),
            incoming: RefCell::default(),
            plain: RefCell::default(),
            records: Cell::new(0),
            taken: Cell::new(0),
            ended: Cell::new(false),
            work: Cell::new(false),
            error: Cell::new(None),
            tickets,
            ready: Cell::new(Time::NEVER),
        }
    }

    /// 32 random bytes that belong to this end of this connection.
    fn random(host: &Host, stream: &TcpStream, side: &str) -> [u8; 32] {
        let mut rng = host.rng(&format!("tls/{}/{side}", stream.flow()));
        let mut random = [0; 32];
        for chunk in random.chunks_mut(8) {
            chunk.copy_from_slice(&rng.bits().to_le_bytes());
        }
        random
    }

    /// A client's handshake, resuming with one of `tickets` where that is possible. Ready when data can be sent: at once where a
    /// ticket allows early data; then the ClientHello goes with the first data, as OpenSSL sends it (`SSL_write_early_data`).
    pub async fn connect(
        host: &Host,
        stream: TcpStream,
        config: &ClientConfig,
        tickets: Rc<Tickets>,
    ) -> Result<Self, TlsError> {
        let random = Self::random(host, &stream, "client");
        let ticket = if config.resumption { tickets.take(host.now()) } else { None };
        let session = Session::client(config, random, ticket, host.now());
        let this = Self::new(host, stream, session, Some(tickets));
        while !this.session.borrow().can_send() {
            this.shake().await?;
        }
        this.ready.set(host.now());
        Ok(this)
    }

    /// A server's handshake; `work` is what signing takes, awaited where there is something to sign. Ready when data can be sent:
    /// the handshake is over, or early data was taken.
    pub async fn accept(
        host: &Host,
        stream: TcpStream,
        config: Rc<ServerConfig>,
        work: impl AsyncFnOnce(),
    ) -> Result<Self, TlsError> {
        let random = Self::random(host, &stream, "server");
        let this = Self::new(host, stream, Session::server(config, random), None);
        let mut work = Some(work);
        while !this.session.borrow().can_send() {
            this.shake().await?;
            if this.work.take()
                && let Some(work) = work.take()
            {
                work().await;
                this.flush().await?;
            }
        }
        this.ready.set(host.now());
        Ok(this)
    }

    /// One record of the handshake.
    async fn shake(&self) -> Result<(), TlsError> {
        match self.advance().await {
            Ok(()) if self.ended.get() => Err(self.error.get().unwrap_or(TlsError::Cut)),
            Ok(()) => Ok(()),
            Err(error) => Err(self.error.get().unwrap_or(TlsError::Net(error))),
        }
    }

    /// When data could first be sent.
    #[must_use]
    pub fn ready(&self) -> Time {
        self.ready.get()
    }

    /// Whether the handshake is over on this side.
    #[must_use]
    pub fn is_established(&self) -> bool {
        self.session.borrow().is_established()
    }

    /// Whether a ticket was taken.
    #[must_use]
    pub fn is_resumed(&self) -> bool {
        self.session.borrow().is_resumed()
    }

    /// The application protocol, once it is settled.
    #[must_use]
    pub fn alpn(&self) -> Option<bytes::Bytes> {
        self.session.borrow().alpn().cloned()
    }

    /// Bytes taken off the connection so far.
    pub(in crate::app) fn taken(&self) -> u64 {
        self.taken.get()
    }

    /// Why the session is over, if it failed.
    #[must_use]
    pub fn error(&self) -> Option<TlsError> {
        self.error.get()
    }

    /// Writes what the session has to say.
    async fn flush(&self) -> Result<(), NetError> {
        let output = self.session.borrow_mut().take_output();
        if output.is_empty() { Ok(()) } else { self.stream.write(output).await }
    }

    /// Takes one whole record off the connection and acts on it; at the end of the stream it notes that.
    async fn advance(&self) -> Result<(), NetError> {
        self.flush().await?;
        let before = self.records.get();
        let turn = self.turn.acquire().await;
        if self.records.get() != before {
            // Whoever had the turn before may have brought what is waited for.
            return Ok(());
        }
        let arrival = loop {
            let missing = self.incoming.borrow().missing();
            // What was read stays here when a reader is cancelled: a record is never lost half-way.
            let (part, arrival) =
                if missing == 0 { (Payload::empty(), Arrival::default()) } else { self.stream.read(missing).await? };
            if part.is_empty() && missing > 0 {
                self.ended.set(true);
                return Ok(());
            }
            self.taken.set(self.taken.get() + part.len());
            match self.incoming.borrow_mut().append(part) {
                Ok(true) => break Some(arrival),
                Ok(false) => {}
                Err(_) => break None,
            }
        };
        let Some(arrival) = arrival else { return self.give_up().await };
        let Incoming { record, body, .. } = std::mem::take(&mut *self.incoming.borrow_mut());
        let Some(record) = record else { return Ok(()) };
        self.records.set(before + 1);
        let handled = self.session.borrow_mut().handle_record(record, &body, self.host.now());
        self.take_events(arrival);
        if let Err(failed) = handled {
            return self.over(failed).await;
        }
        drop(turn);
        if self.work.get() { Ok(()) } else { self.flush().await }
    }

    /// What came is no TLS.
    async fn give_up(&self) -> Result<(), NetError> {
        let failed = self.session.borrow_mut().fail(Description::UnexpectedMessage);
        self.over(failed).await
    }

    /// The session has failed: the peer is told, and that is the end.
    async fn over(&self, failed: Failed) -> Result<(), NetError> {
        self.error.set(Some(TlsError::Failed(failed)));
        self.ended.set(true);
        let _ = self.flush().await;
        self.stream.shutdown();
        Err(NetError::Reset)
    }

    fn take_events(&self, arrival: Arrival) {
        let mut session = self.session.borrow_mut();
        while let Some(event) = session.poll_event() {
            match event {
                Event::Established => {}
                Event::Data(data) => self.plain.borrow_mut().push_back((data, arrival)),
                Event::Ticket(ticket) => {
                    if let Some(tickets) = &self.tickets {
                        tickets.put(ticket);
                    }
                }
                Event::TicketRefused => {
                    if let Some(tickets) = &self.tickets {
                        tickets.clear();
                    }
                }
                Event::Work => self.work.set(true),
                Event::PeerClosed => self.ended.set(true),
            }
        }
    }

    /// At most `max` bytes of the record that is next.
    fn take(&self, max: u64) -> Option<(Payload, Arrival)> {
        let mut plain = self.plain.borrow_mut();
        let (data, arrival) = plain.front_mut()?;
        let taken = (data.split_to(max), *arrival);
        if data.is_empty() {
            plain.pop_front();
        }
        Some(taken)
    }

    fn failure(&self) -> Option<NetError> {
        self.error.get().map(|error| match error {
            TlsError::Net(error) => error,
            TlsError::Failed(_) | TlsError::Cut => NetError::Reset,
        })
    }
}

impl Stream for TlsStream {
    fn flow(&self) -> u64 {
        self.stream.flow()
    }

    fn remote(&self) -> SocketAddrV4 {
        self.stream.remote()
    }

    async fn write(&self, payload: Payload) -> Result<(), NetError> {
        let mut rest = payload;
        // As OpenSSL does, each record is written by itself and leaves before the next is made. Writers take turns.
        let _turn = self.writing.acquire().await;
        loop {
            if let Some(error) = self.failure() {
                return Err(error);
            }
            let record = rest.split_to(self.session.borrow().record());
            let mut unsent = self.session.borrow_mut().send(record);
            self.flush().await?;
            if unsent.is_empty() {
                if rest.is_empty() {
                    return Ok(());
                }
                continue;
            }
            unsent.append(std::mem::take(&mut rest));
            rest = unsent;
            // More than may be sent early: the handshake has to end first.
            self.advance().await?;
            if self.ended.get() {
                return Err(self.failure().unwrap_or(NetError::Closed));
            }
        }
    }

    async fn read(&self, max: u64) -> Result<(Payload, Arrival), NetError> {
        loop {
            if let Some(taken) = self.take(max) {
                return Ok(taken);
            }
            if let Some(error) = self.failure() {
                return Err(error);
            }
            if self.ended.get() {
                return Ok((Payload::empty(), Arrival::default()));
            }
            self.advance().await?;
        }
    }

    async fn read_exactly(&self, n: u64) -> Result<(Payload, Arrival), NetError> {
        let (mut all, mut way) = (Payload::empty(), Arrival::default());
        while all.len() < n {
            let (part, arrival) = self.read(n - all.len()).await?;
            if part.is_empty() {
                break;
            }
            all.append(part);
            way = arrival;
        }
        Ok((all, way))
    }

    async fn discard(&self, n: u64) -> Result<(u64, Arrival), NetError> {
        let (mut count, mut way) = (0, Arrival::default());
        while count < n {
            let (part, arrival) = self.read(n - count).await?;
            if part.is_empty() {
                break;
            }
            count += part.len();
            way = arrival;
        }
        Ok((count, way))
    }

    fn shutdown(&self) {
        self.session.borrow_mut().close();
        self.stream.post(self.session.borrow_mut().take_output());
        self.stream.shutdown();
    }

    fn abort(&self) {
        self.stream.abort();
    }

    /// A server that has answered early data waits for the end of the handshake: closing with it unread would be a reset.
    async fn close(self) {
        while !self.session.borrow().is_established() && !self.ended.get() && self.advance().await.is_ok() {}
    }
}

impl Drop for TlsStream {
    /// Says close_notify, unless the peer has said so or gone (RFC 8446 6.1): to a socket that is closed it would be a reset.
    fn drop(&mut self) {
        let mut session = self.session.borrow_mut();
        if session.is_established() && session.failed().is_none() && !session.peer_closed() && !self.ended.get() {
            session.close();
        }
        self.stream.post(session.take_output());
    }
}
