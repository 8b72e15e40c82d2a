//! Messages: one of so many bytes every so often, over UDP, TCP or QUIC, each with its one-way latency.
//!
//! The first sixteen bytes of a message are its number and the instant of its writing in nanoseconds, both big-endian; the
//! rest is padding. The receiver needs nothing else to know how long the message took: the clocks of simulated machines agree.

use super::carrier::quic_options;
use super::{Limit, Numbering, tick};
use crate::base::{Span, Time};
use crate::host::{Host, NetError, UdpSocket};
use crate::trace::{Arrival, Message, MessageSent, Record};
use crate::wire::{HEAD, Payload};
use std::cell::RefCell;
use std::net::SocketAddrV4;
use std::rc::Rc;

/// Bytes that every message needs for its number and time.
pub const MIN_BYTES: u64 = HEAD as u64;

/// What carries messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Carrier {
    /// A datagram each: a lost one is lost.
    Udp,
    /// One TCP connection without Nagle's algorithm: everything arrives, in order.
    Tcp {
        /// Name of a congestion controller instead of the host's own.
        congestion: Option<&'static str>,
    },
    /// One QUIC connection with a stream for each message: everything arrives, and no message waits for another.
    Quic {
        /// Name of a congestion controller instead of the host's own.
        congestion: Option<&'static str>,
    },
}

/// What to send.
#[derive(Clone, PartialEq, Debug)]
pub struct Sender {
    /// Which traffic of the plan.
    pub traffic: u32,
    /// How its messages are numbered.
    pub numbering: Numbering,
    /// The receiver.
    pub to: SocketAddrV4,
    /// What carries them.
    pub carrier: Carrier,
    /// Payload bytes of each message, at least [`MIN_BYTES`].
    pub bytes: u64,
    /// Instant of the first message; over TCP and QUIC, of opening the connection.
    pub start: Time,
    /// From one message to the next.
    pub every: Span,
    /// When to stop.
    pub limit: Limit,
    /// The sender comes from another port every so long, as when a NAT on its way forgets it (RFC 9308 4.2): QUIC migrates, TCP connects
    /// anew.
    pub rebinds: Option<Span>,
}

/// What to receive.
#[derive(Clone, PartialEq, Debug)]
pub struct Receiver {
    /// Which traffic of the plan.
    pub traffic: u32,
    /// Local port.
    pub port: u16,
    /// What carries them; a controller named here is used for nothing, as the receiver sends no data.
    pub carrier: Carrier,
    /// Payload bytes of each message, as the sender has it: how messages are told apart in a stream.
    pub bytes: u64,
}

/// Sends messages until the limit. Emits [`MessageSent`] for each when it is due, whether or not the transport takes it.
///
/// Over TCP and QUIC the connection is opened at `start` and the first message is due when it is open, so that handshakes are not
/// counted as latency of messages. A message that finds the send buffer full waits its turn: its latency counts from when
/// it was due. If the connection fails, a new one is made for what follows; what the old one had not delivered is lost. Where the
/// sender's port changes, this is what happens over TCP, whose connections are their ports.
pub async fn send(host: Host, config: Sender) {
    assert!(config.bytes >= MIN_BYTES, "a message has room for its number and time");
    host.sleep_until(config.start).await;
    match config.carrier {
        Carrier::Udp => send_datagrams(&host, &config).await,
        Carrier::Tcp { congestion } => send_stream(&host, &config, congestion).await,
        Carrier::Quic { congestion } => send_streams(&host, &config, congestion).await,
    }
}

async fn send_datagrams(host: &Host, config: &Sender) {
    let source = Rc::new(RefCell::new(Source {
        host: host.clone(),
        config: config.clone(),
        writer: Writer::new(config),
        rebinding: Rebinding::new(config),
        index: 0,
        due: config.limit.allows(0, config.start).then_some(config.start),
    }));
    loop {
        let next = source.borrow().due;
        let Some(at) = next else { return };
        let Ok(socket) = host.udp(0).await else { return };
        let own = Rc::clone(&source);
        host.ticks(at, move |now| own.borrow_mut().send(&socket, now)).await;
    }
}

/// Datagrams, each sent when it is due.
struct Source {
    host: Host,
    config: Sender,
    writer: Writer,
    rebinding: Rebinding,
    /// The next message, and when it is due, if there is one.
    index: u64,
    due: Option<Time>,
}

impl Source {
    /// Sends what is due; when the next is. `None` at the end, and when the socket has had its time.
    #[inline]
    fn send(&mut self, socket: &UdpSocket, now: Time) -> Option<Time> {
        let next = self.send_one(socket, now)?;
        // Hardly ever is another due at the same time.
        if next > now { Some(next) } else { self.send_rest(socket, now) }
    }

    /// Sends the next message, if it is due; when the next is.
    #[expect(clippy::inline_always, reason = "once for every message")]
    #[inline(always)]
    fn send_one(&mut self, socket: &UdpSocket, now: Time) -> Option<Time> {
        let at = self.due?;
        if at > now {
            return Some(at);
        }
        if self.rebinding.is_due(at) {
            return None;
        }
        self.host.record(sent(&self.config, self.index, at));
        socket.send(self.config.to, self.writer.message(self.index, at));
        self.index += 1;
        let next = tick(self.config.start, self.config.every, self.index);
        self.due = self.config.limit.allows(self.index, next).then_some(next);
        self.due
    }

    #[cold]
    #[inline(never)]
    fn send_rest(&mut self, socket: &UdpSocket, now: Time) -> Option<Time> {
        loop {
            let next = self.send_one(socket, now)?;
            if next > now {
                return Some(next);
            }
        }
    }
}

async fn send_stream(host: &Host, config: &Sender, congestion: Option<&'static str>) {
    let mut stream = host.connect_with(config.to, congestion, true).await.ok();
    let config = &Sender { start: host.now(), ..config.clone() };
    let writer = Writer::new(config);
    let mut rebinding = Rebinding::new(config);
    let mut index = 0;
    loop {
        let at = tick(config.start, config.every, index);
        if !config.limit.allows(index, at) {
            return;
        }
        if at > host.now() {
            host.sleep_until(at).await;
        }
        host.record(sent(config, index, at));
        let message = writer.message(index, at);
        index += 1;
        if rebinding.is_due(at)
            && let Some(old) = stream.take()
        {
            old.abort();
        }
        if stream.is_none() {
            stream = host.connect_with(config.to, congestion, true).await.ok();
        }
        if let Some(open) = &stream
            && open.write(message).await.is_err()
        {
            stream = None;
        }
    }
}

/// A stream for each message: it ends behind it, and nobody waits until it has been delivered.
async fn send_streams(host: &Host, config: &Sender, congestion: Option<&'static str>) {
    let mut connection = host.quic(config.to, quic_options(congestion)).await.ok();
    let config = &Sender { start: host.now(), ..config.clone() };
    let writer = Writer::new(config);
    let mut rebinding = Rebinding::new(config);
    let mut index = 0;
    loop {
        let at = tick(config.start, config.every, index);
        if !config.limit.allows(index, at) {
            return;
        }
        if at > host.now() {
            host.sleep_until(at).await;
        }
        host.record(sent(config, index, at));
        let message = writer.message(index, at);
        index += 1;
        if rebinding.is_due(at)
            && let Some(open) = &connection
            && open.migrate().await.is_err()
        {
            connection = None;
        }
        if connection.is_none() {
            connection = host.quic(config.to, quic_options(congestion)).await.ok();
        }
        if let Some(open) = &connection {
            let written = async {
                let stream = open.open().await?;
                stream.write(message).await
            };
            let written: Result<(), NetError> = written.await;
            if written.is_err() {
                connection = None;
            }
        }
    }
}

/// When the sender's port changes.
struct Rebinding {
    every: Option<Span>,
    next: Time,
}

impl Rebinding {
    fn new(config: &Sender) -> Self {
        Self { every: config.rebinds, next: config.start + config.rebinds.unwrap_or_default() }
    }

    /// Whether it changes before the message that is due at `at`.
    fn is_due(&mut self, at: Time) -> bool {
        let Some(every) = self.every else { return false };
        let due = self.next <= at;
        while self.next <= at {
            self.next += every;
        }
        due
    }
}

fn sent(config: &Sender, index: u64, time: Time) -> Record {
    Record::MessageSent(MessageSent { traffic: config.traffic, number: config.numbering.at(index), time })
}

/// Makes messages.
struct Writer {
    numbering: Numbering,
    bytes: u64,
}

impl Writer {
    const fn new(config: &Sender) -> Self {
        Self { numbering: config.numbering, bytes: config.bytes }
    }

    /// The message with this index, which is due at `due`.
    #[inline]
    fn message(&self, index: u64, due: Time) -> Payload {
        let head: [u8; HEAD] = (u128::from(self.numbering.at(index)) << 64 | u128::from(due.as_nanos())).to_be_bytes();
        Payload::headed(head, self.bytes - MIN_BYTES)
    }
}

/// The number and the instant of writing in the first bytes of a message; `None` if it is too short.
fn read_head(message: &Payload) -> Option<(u64, Time)> {
    let head = u128::from_be_bytes(message.real_head()?);
    #[expect(clippy::cast_possible_truncation, reason = "takes the two halves apart")]
    Some(((head >> 64) as u64, Time::from_nanos(head as u64)))
}

/// Receives for ever. Emits [`Message`] for each that arrives whole.
pub async fn receive(host: Host, config: Receiver) {
    let ended = match config.carrier {
        Carrier::Udp => receive_datagrams(&host, &config).await,
        Carrier::Tcp { .. } => receive_streams(&host, &config).await,
        Carrier::Quic { .. } => receive_quic(&host, &config).await,
    };
    debug_assert_eq!(ended, Err(NetError::AddressInUse), "a receiver goes on while its host lives");
}

async fn receive_datagrams(host: &Host, config: &Receiver) -> Result<(), NetError> {
    let socket = host.udp(config.port).await?;
    let (host, traffic) = (host.clone(), config.traffic);
    // An ICMP error on a socket that only receives is about nothing.
    match socket.each(move |got| received(&host, traffic, got.flow, &got.payload, got.arrival)).await {}
}

async fn receive_streams(host: &Host, config: &Receiver) -> Result<(), NetError> {
    let listener = host.listen(config.port, 128).await?;
    loop {
        let stream = listener.accept().await?;
        let (host, traffic, bytes) = (host.clone(), config.traffic, config.bytes);
        drop(host.clone().spawn(async move {
            while let Ok((message, arrival)) = stream.read_exactly(bytes).await
                && message.len() == bytes
            {
                received(&host, traffic, stream.flow(), &message, arrival);
            }
        }));
    }
}

async fn receive_quic(host: &Host, config: &Receiver) -> Result<(), NetError> {
    let endpoint = host.quic_listen(config.port, quic_options(None)).await?;
    loop {
        let connection = endpoint.accept().await?;
        let (host, traffic, bytes) = (host.clone(), config.traffic, config.bytes);
        drop(host.clone().spawn(async move {
            while let Ok(stream) = connection.accept().await {
                let own = host.clone();
                drop(host.spawn(async move {
                    if let Ok((message, arrival)) = stream.read_exactly(bytes).await
                        && message.len() == bytes
                    {
                        received(&own, traffic, stream.flow(), &message, arrival);
                    }
                }));
            }
        }));
    }
}

#[inline]
fn received(host: &Host, traffic: u32, flow: u64, message: &Payload, arrival: Arrival) {
    let Some((number, written)) = read_head(message) else { return };
    host.record(Record::Message(Message { traffic, number, flow, written, arrival, bytes: message.len() }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn sender(bytes: u64) -> Sender {
        Sender {
            traffic: 0,
            numbering: Numbering { first: 3, step: 10 },
            to: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1),
            carrier: Carrier::Udp,
            bytes,
            start: Time::from_nanos(7),
            every: Span::from_millis(20),
            limit: Limit::NONE,
            rebinds: None,
        }
    }

    #[test]
    fn every_message_carries_its_number_and_time_whatever_its_size() {
        for bytes in [MIN_BYTES, 17, 160, 2_000, 2_001] {
            let writer = Writer::new(&sender(bytes));
            for index in 0..300 {
                let due = Time::from_nanos(7 + index * 20_000_000);
                let message = writer.message(index, due);
                assert_eq!(message.len(), bytes);
                assert_eq!(read_head(&message), Some((3 + 10 * index, due)));
            }
        }
        assert_eq!(read_head(&Payload::real(vec![0; 15])), None);
        assert_eq!(read_head(&Payload::filler(160)), None);
    }
}
