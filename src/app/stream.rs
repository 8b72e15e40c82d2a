//! What protocols over a stream need of it, so that they run in the clear and under TLS alike.

use super::tls::{TlsError, TlsStream};
use crate::base::Span;
use crate::host::{Host, NetError, TcpStream};
use crate::trace::Arrival;
use crate::wire::Payload;
use std::net::SocketAddrV4;

/// Bytes both ways, in order. Methods as of [`TcpStream`]; one task may read while another writes.
#[expect(async_fn_in_trait, reason = "programs run on one thread: no future has to be `Send`")]
pub trait Stream {
    /// The conversation's number, for records.
    fn flow(&self) -> u64;

    /// The peer's address and port.
    fn remote(&self) -> SocketAddrV4;

    /// Writes all of `payload`; ready when the send buffer has taken its last byte.
    async fn write(&self, payload: Payload) -> Result<(), NetError>;

    /// Reads what is there, at least one byte and at most `max`; an empty payload is the end of the stream.
    async fn read(&self, max: u64) -> Result<(Payload, Arrival), NetError>;

    /// Reads exactly `n` bytes, or fewer if the stream ends before.
    async fn read_exactly(&self, n: u64) -> Result<(Payload, Arrival), NetError>;

    /// Counts and throws away `n` bytes, or fewer if the stream ends before; the way of the last one.
    async fn discard(&self, n: u64) -> Result<(u64, Arrival), NetError>;

    /// Says that nothing more will be written; reading goes on.
    fn shutdown(&self);

    /// Resets the connection.
    fn abort(&self);

    /// Ends the connection in peace: what the protocol still owes the peer is sent, then both directions are closed.
    async fn close(self);
}

impl Stream for TcpStream {
    fn flow(&self) -> u64 {
        self.flow()
    }

    fn remote(&self) -> SocketAddrV4 {
        self.remote()
    }

    async fn write(&self, payload: Payload) -> Result<(), NetError> {
        self.write(payload).await
    }

    async fn read(&self, max: u64) -> Result<(Payload, Arrival), NetError> {
        self.read(max).await
    }

    async fn read_exactly(&self, n: u64) -> Result<(Payload, Arrival), NetError> {
        self.read_exactly(n).await
    }

    async fn discard(&self, n: u64) -> Result<(u64, Arrival), NetError> {
        self.discard(n).await
    }

    fn shutdown(&self) {
        self.shutdown();
    }

    fn abort(&self) {
        self.abort();
    }

    async fn close(self) {}
}

/// A stream in the clear or under TLS, where only the run decides which.
pub enum Channel {
    /// In the clear.
    Plain(TcpStream),
    /// Under TLS.
    Tls(Box<TlsStream>),
}

macro_rules! either {
    ($self:expr, $stream:ident => $call:expr) => {
        match $self {
            Channel::Plain($stream) => $call,
            Channel::Tls($stream) => $call,
        }
    };
}

impl Channel {
    /// Whether there is nothing to read, not even the end of the stream, as far as can be known without waiting.
    pub async fn is_quiet(&self, host: &Host) -> bool {
        loop {
            let before = self.taken();
            if host.timeout(Span::ZERO, self.read(1)).await.is_ok() {
                return false;
            }
            // Under TLS a record that holds no data, such as a ticket, may have been taken in.
            if self.taken() == before {
                return true;
            }
        }
    }

    /// Whether letting go of the connection cuts nothing off: [`Stream::close`] would return at once.
    #[must_use]
    pub fn is_ready_to_close(&self) -> bool {
        match self {
            Self::Plain(_) => true,
            Self::Tls(stream) => stream.is_established() || stream.error().is_some(),
        }
    }

    fn taken(&self) -> u64 {
        match self {
            Self::Plain(_) => 0,
            Self::Tls(stream) => stream.taken(),
        }
    }

    /// Whether the session has failed.
    #[must_use]
    pub fn tls_failed(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(stream) => matches!(stream.error(), Some(TlsError::Failed(_) | TlsError::Cut)),
        }
    }
}

impl Stream for Channel {
    fn flow(&self) -> u64 {
        either!(self, stream => stream.flow())
    }

    fn remote(&self) -> SocketAddrV4 {
        either!(self, stream => stream.remote())
    }

    async fn write(&self, payload: Payload) -> Result<(), NetError> {
        either!(self, stream => stream.write(payload).await)
    }

    async fn read(&self, max: u64) -> Result<(Payload, Arrival), NetError> {
        either!(self, stream => stream.read(max).await)
    }

    async fn read_exactly(&self, n: u64) -> Result<(Payload, Arrival), NetError> {
        either!(self, stream => stream.read_exactly(n).await)
    }

    async fn discard(&self, n: u64) -> Result<(u64, Arrival), NetError> {
        either!(self, stream => stream.discard(n).await)
    }

    fn shutdown(&self) {
        either!(self, stream => stream.shutdown());
    }

    fn abort(&self) {
        either!(self, stream => stream.abort());
    }

    async fn close(self) {
        match self {
            Self::Plain(stream) => drop(stream),
            Self::Tls(stream) => stream.close().await,
        }
    }
}
