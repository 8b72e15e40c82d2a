//! QUIC as programs hold it: an endpoint that accepts, connections, and their streams.
//!
//! Dropping a stream ends it: what was written is still delivered, what was not read is not wanted any more. Dropping a connection
//! closes it once everything written has been acknowledged.

use super::call::{Answer, Call, NetError, Opened, SocketId, Ticket, Want};
use super::task::Host;
use crate::trace::Arrival;
use crate::wire::Payload;
use bytes::Bytes;
use std::net::SocketAddrV4;

/// What a program wants of its QUIC connections.
#[derive(Clone, PartialEq, Debug)]
pub struct QuicOptions {
    /// The server's name: asked for by a client (SNI), shown by a server.
    pub name: Option<String>,
    /// Application protocols in order of preference (ALPN).
    pub alpn: Vec<Bytes>,
    /// Name of a congestion controller instead of the host's own.
    pub congestion: Option<&'static str>,
    /// Client: whether a known server is sent data with the first flight. Server: whether it takes it.
    pub early_data: bool,
    /// Bytes of a server's certificate chain; `None`: as usual.
    pub certificate_chain: Option<u32>,
    /// Whether a server makes clients prove their address first.
    pub retry: bool,
    /// Whether packets are spread over the round trip.
    pub pacing: bool,
}

impl Default for QuicOptions {
    fn default() -> Self {
        Self {
            name: None,
            alpn: vec![Bytes::from_static(b"h3")],
            congestion: None,
            early_data: true,
            certificate_chain: None,
            retry: false,
            pacing: true,
        }
    }
}

/// Something a program asks of the world about QUIC.
#[derive(Debug)]
pub enum QuicCall {
    /// Open a connection; answered by [`Answer::Opened`] when the handshake is complete, or at once if data may go with the
    /// first flight.
    Connect {
        /// The server.
        to: SocketAddrV4,
        /// What is wanted.
        options: QuicOptions,
    },
    /// Accept connections on a UDP port; answered by [`Answer::Bound`].
    Listen {
        /// Local port.
        port: u16,
        /// What is wanted.
        options: QuicOptions,
    },
    /// Open a stream in both directions; answered by [`Answer::Opened`], at once unless the peer allows no more at present.
    Open {
        /// The connection.
        connection: SocketId,
    },
    /// Take the next stream that the peer has opened; answered by [`Answer::Opened`].
    Accept {
        /// The connection.
        connection: SocketId,
    },
    /// Go on from another local port, as a machine does whose address has changed; answered by [`Answer::Bound`] with it.
    Migrate {
        /// The connection.
        connection: SocketId,
    },
}

fn quic(call: QuicCall) -> impl FnOnce(Ticket) -> Call {
    move |ticket| Call::Quic { ticket, call: Box::new(call) }
}

async fn opened(host: &Host, call: impl FnOnce(Ticket) -> Call) -> Result<Opened, NetError> {
    match host.ask(call).await {
        Answer::Opened(opened) => opened,
        answer => unreachable!("what opens is answered by Opened, not {answer:?}"),
    }
}

/// A UDP port that accepts QUIC connections.
pub struct QuicEndpoint {
    host: Host,
    socket: SocketId,
}

impl QuicEndpoint {
    pub(super) async fn bind(host: &Host, port: u16, options: QuicOptions) -> Result<Self, NetError> {
        match host.ask(quic(QuicCall::Listen { port, options })).await {
            Answer::Bound(bound) => Ok(Self { host: host.clone(), socket: bound?.0 }),
            answer => unreachable!("listen is answered by Bound, not {answer:?}"),
        }
    }

    /// The next connection, once its client's data can be read: after its handshake, or at once with a ticket.
    pub async fn accept(&self) -> Result<QuicConnection, NetError> {
        let listener = self.socket;
        let opened = opened(&self.host, |ticket| Call::Accept { ticket, listener }).await?;
        Ok(QuicConnection { host: self.host.clone(), opened })
    }
}

impl Drop for QuicEndpoint {
    fn drop(&mut self) {
        self.host.call(Call::Close { socket: self.socket });
    }
}

/// A QUIC connection.
pub struct QuicConnection {
    host: Host,
    opened: Opened,
}

impl QuicConnection {
    pub(super) async fn connect(host: &Host, to: SocketAddrV4, options: QuicOptions) -> Result<Self, NetError> {
        let opened = opened(host, quic(QuicCall::Connect { to, options })).await?;
        Ok(Self { host: host.clone(), opened })
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

    /// Opens a stream in both directions; waits while the peer allows no more.
    pub async fn open(&self) -> Result<QuicStream, NetError> {
        let connection = self.opened.socket;
        let opened = opened(&self.host, quic(QuicCall::Open { connection })).await?;
        Ok(QuicStream { host: self.host.clone(), opened })
    }

    /// The next stream that the peer has opened.
    pub async fn accept(&self) -> Result<QuicStream, NetError> {
        let connection = self.opened.socket;
        let opened = opened(&self.host, quic(QuicCall::Accept { connection })).await?;
        Ok(QuicStream { host: self.host.clone(), opened })
    }

    /// Goes on from another local port; the new one.
    pub async fn migrate(&self) -> Result<u16, NetError> {
        let connection = self.opened.socket;
        match self.host.ask(quic(QuicCall::Migrate { connection })).await {
            Answer::Bound(bound) => bound.map(|(_, port)| port),
            answer => unreachable!("migrate is answered by Bound, not {answer:?}"),
        }
    }

    /// Closes the connection at once; what has not been delivered is lost.
    pub fn abort(&self) {
        self.host.call(Call::Abort { socket: self.opened.socket });
    }
}

impl Drop for QuicConnection {
    fn drop(&mut self) {
        self.host.call(Call::Close { socket: self.opened.socket });
    }
}

/// A stream in both directions. All methods take `&self`: one task may read while another writes, through an `Rc`.
pub struct QuicStream {
    host: Host,
    opened: Opened,
}

impl QuicStream {
    /// The connection's number, for records.
    #[must_use]
    pub fn flow(&self) -> u64 {
        self.opened.flow
    }

    /// Which stream of its opener this is, from 0: with the flow, the name of an exchange for records.
    #[must_use]
    pub fn index(&self) -> u32 {
        self.opened.stream
    }

    /// Writes all of `payload`; ready when the send buffer has taken its last byte.
    pub async fn write(&self, payload: Payload) -> Result<(), NetError> {
        let socket = self.opened.socket;
        match self.host.ask(|ticket| Call::Write { ticket, socket, payload }).await {
            Answer::Wrote(result) => result,
            answer => unreachable!("write is answered by Wrote, not {answer:?}"),
        }
    }

    /// The stream ends behind what has been written; reading goes on.
    pub fn finish(&self) {
        self.host.call(Call::Shutdown { socket: self.opened.socket });
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
    /// the way of the last one.
    pub async fn discard(&self, n: u64) -> Result<(u64, Arrival), NetError> {
        let (_, count, arrival) = self.get(Want::Discard(n)).await?;
        Ok((count, arrival))
    }

    /// Bytes that a [`QuicStream::discard`] under way has counted so far.
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

    /// Gives up both directions.
    pub fn abort(&self) {
        self.host.call(Call::Abort { socket: self.opened.socket });
    }
}

impl Drop for QuicStream {
    fn drop(&mut self) {
        self.host.call(Call::Close { socket: self.opened.socket });
    }
}
