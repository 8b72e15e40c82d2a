//! A reliable stream of bytes over either transport, for roles that do not care which.

use crate::host::{Host, NetError, QuicConnection, QuicEndpoint, QuicOptions, QuicStream, TcpListener, TcpStream};
use crate::trace::Arrival;
use crate::wire::Payload;
use std::net::SocketAddrV4;

/// What carries streams.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Over {
    /// A TCP connection each, without Nagle's algorithm.
    #[default]
    Tcp,
    /// A stream of a QUIC connection.
    Quic,
}

/// What the roles of this crate want of QUIC: no data with the first flight, so that every connection costs the same.
pub(super) fn quic_options(congestion: Option<&'static str>) -> QuicOptions {
    QuicOptions { congestion, early_data: false, ..QuicOptions::default() }
}

/// A connection that carries one stream.
pub(super) enum Stream {
    Tcp(TcpStream),
    Quic {
        stream: QuicStream,
        /// Held so that it stays open.
        _connection: QuicConnection,
    },
}

impl Stream {
    pub(super) async fn connect(
        host: &Host,
        to: SocketAddrV4,
        over: Over,
        congestion: Option<&'static str>,
    ) -> Result<Self, NetError> {
        match over {
            Over::Tcp => Ok(Self::Tcp(host.connect_with(to, congestion, true).await?)),
            Over::Quic => {
                let connection = host.quic(to, quic_options(congestion)).await?;
                Ok(Self::Quic { stream: connection.open().await?, _connection: connection })
            }
        }
    }

    pub(super) fn flow(&self) -> u64 {
        match self {
            Self::Tcp(stream) => stream.flow(),
            Self::Quic { stream, .. } => stream.flow(),
        }
    }

    pub(super) async fn write(&self, payload: Payload) -> Result<(), NetError> {
        match self {
            Self::Tcp(stream) => stream.write(payload).await,
            Self::Quic { stream, .. } => stream.write(payload).await,
        }
    }

    pub(super) async fn read_exactly(&self, n: u64) -> Result<(Payload, Arrival), NetError> {
        match self {
            Self::Tcp(stream) => stream.read_exactly(n).await,
            Self::Quic { stream, .. } => stream.read_exactly(n).await,
        }
    }

    pub(super) async fn discard(&self, n: u64) -> Result<(u64, Arrival), NetError> {
        match self {
            Self::Tcp(stream) => stream.discard(n).await,
            Self::Quic { stream, .. } => stream.discard(n).await,
        }
    }

    pub(super) async fn discarded(&self) -> Result<u64, NetError> {
        match self {
            Self::Tcp(stream) => stream.discarded().await,
            Self::Quic { stream, .. } => stream.discarded().await,
        }
    }

    pub(super) fn abort(&self) {
        match self {
            Self::Tcp(stream) => stream.abort(),
            Self::Quic { stream, .. } => stream.abort(),
        }
    }
}

/// A port that accepts connections.
pub(super) enum Listening {
    Tcp(TcpListener),
    Quic(QuicEndpoint),
}

/// A connection that has been accepted, and whose stream may still have to come.
pub(super) enum Accepted {
    Tcp(TcpStream),
    Quic(QuicConnection),
}

impl Listening {
    pub(super) async fn bind(
        host: &Host,
        port: u16,
        backlog: u32,
        over: Over,
        congestion: Option<&'static str>,
    ) -> Result<Self, NetError> {
        Ok(match over {
            Over::Tcp => Self::Tcp(host.listen_with(port, backlog, congestion, true).await?),
            Over::Quic => Self::Quic(host.quic_listen(port, quic_options(congestion)).await?),
        })
    }

    pub(super) async fn accept(&self) -> Result<Accepted, NetError> {
        Ok(match self {
            Self::Tcp(listener) => Accepted::Tcp(listener.accept().await?),
            Self::Quic(endpoint) => Accepted::Quic(endpoint.accept().await?),
        })
    }
}

impl Accepted {
    /// The connection's stream.
    pub(super) async fn stream(self) -> Result<Stream, NetError> {
        Ok(match self {
            Self::Tcp(stream) => Stream::Tcp(stream),
            Self::Quic(connection) => Stream::Quic { stream: connection.accept().await?, _connection: connection },
        })
    }
}
