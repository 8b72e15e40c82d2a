//! Reading messages from a connection: heads are parsed, bodies are counted and thrown away.

use super::body::{Framing, chunk_size};
use super::head::{HeadError, MAX_HEAD, Method, Request, Response, head_end};
use crate::app::Stream;
use crate::host::NetError;
use crate::trace::Arrival;
use crate::wire::Payload;
use std::fmt;

/// Longest line before a chunk, extensions included.
const MAX_LINE: usize = 1_024;

/// Why a message could not be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadError {
    /// The transport failed.
    Net(NetError),
    /// The bytes are no HTTP.
    Malformed(HeadError),
    /// The peer closed before the first byte: between messages it may.
    Closed,
    /// The peer closed in the middle of the message.
    Cut,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Net(error) => error.fmt(f),
            Self::Malformed(error) => error.fmt(f),
            Self::Closed => f.write_str("the peer closed the connection"),
            Self::Cut => f.write_str("the peer closed in the middle of a message"),
        }
    }
}

impl std::error::Error for ReadError {}

impl From<NetError> for ReadError {
    fn from(error: NetError) -> Self {
        Self::Net(error)
    }
}

impl From<HeadError> for ReadError {
    fn from(error: HeadError) -> Self {
        Self::Malformed(error)
    }
}

/// A message that has been read to its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Whole<T> {
    /// Its head.
    pub head: T,
    /// Bytes of its body, without those of the chunked coding.
    pub body: u64,
    /// The way of its last byte.
    pub arrival: Arrival,
}

/// The reading side of a connection: what has been read of the stream but not of its messages.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: Payload,
    /// The way of the last byte in the buffer, or of the last byte read.
    arrival: Arrival,
}

impl Reader {
    /// A reader at the beginning of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The way of the last byte read.
    #[must_use]
    pub const fn arrival(&self) -> Arrival {
        self.arrival
    }

    /// Whether bytes have been read that belong to no message yet.
    #[must_use]
    pub const fn has_more(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// The next request, body included.
    pub async fn request(&mut self, stream: &impl Stream) -> Result<Whole<Request>, ReadError> {
        let head = self.request_head(stream).await?;
        let body = self.body(stream, head.framing()?).await?;
        Ok(Whole { head, body, arrival: self.arrival })
    }

    /// The next request's head; its body must be read next, by [`Reader::body`].
    pub async fn request_head(&mut self, stream: &impl Stream) -> Result<Request, ReadError> {
        Ok(Request::decode(&self.head(stream).await?)?)
    }

    /// The answer to a request with this method, body included. Interim answers (1xx) are skipped.
    pub async fn response(&mut self, stream: &impl Stream, asked: Method) -> Result<Whole<Response>, ReadError> {
        let head = self.response_head(stream).await?;
        let body = self.body(stream, head.framing(asked)?).await?;
        Ok(Whole { head, body, arrival: self.arrival })
    }

    /// The head of the next answer that is not interim (1xx); its body must be read next, by [`Reader::body`] or [`Reader::part`].
    pub async fn response_head(&mut self, stream: &impl Stream) -> Result<Response, ReadError> {
        loop {
            let head = Response::decode(&self.head(stream).await?)?;
            if !matches!(head.status, 100..=199) || head.status == 101 {
                return Ok(head);
            }
        }
    }

    /// What has come of a body of known length, at least one byte and at most `max`: for those who pass it on.
    pub async fn part(&mut self, stream: &impl Stream, max: u64) -> Result<Payload, ReadError> {
        if self.buffer.is_empty() {
            match self.fill(stream, max).await {
                Err(ReadError::Closed) => return Err(ReadError::Cut),
                other => other?,
            }
        }
        Ok(self.buffer.split_to(max))
    }

    /// Reads a body to its end and returns the number of its bytes.
    pub async fn body(&mut self, stream: &impl Stream, framing: Framing) -> Result<u64, ReadError> {
        match framing {
            Framing::Length(bytes) => self.skip(stream, bytes).await.map(|()| bytes),
            Framing::Chunked => self.chunks(stream).await,
            Framing::UntilClose => {
                let buffered = std::mem::take(&mut self.buffer).len();
                let (rest, arrival) = stream.discard(u64::MAX).await?;
                if rest > 0 {
                    self.arrival = arrival;
                }
                Ok(buffered + rest)
            }
        }
    }

    async fn chunks(&mut self, stream: &impl Stream) -> Result<u64, ReadError> {
        let mut body = 0_u64;
        loop {
            let size = chunk_size(&self.line(stream).await?)?;
            if size == 0 {
                break;
            }
            body = body.saturating_add(size);
            self.skip(stream, size).await?;
            if !self.line(stream).await?.is_empty() {
                return Err(HeadError::Chunk.into());
            }
        }
        // Trailer fields, then an empty line.
        let mut trailers = 0;
        while let line = self.line(stream).await?
            && !line.is_empty()
        {
            trailers += line.len();
            if trailers > MAX_HEAD {
                return Err(HeadError::TooLarge.into());
            }
        }
        Ok(body)
    }

    /// Takes the next head, its empty line included.
    async fn head(&mut self, stream: &impl Stream) -> Result<bytes::Bytes, ReadError> {
        let mut seen = 0;
        loop {
            let real = self.buffer.real_prefix();
            if let Some(end) = head_end(&real, seen) {
                drop(self.buffer.split_to(end as u64));
                return Ok(real.slice(..end));
            }
            seen = real.len();
            if seen > MAX_HEAD {
                return Err(HeadError::TooLarge.into());
            }
            // Filler in place of a head: a peer that speaks something else.
            if (seen as u64) < self.buffer.len() {
                return Err(HeadError::StartLine.into());
            }
            self.fill(stream, MAX_HEAD as u64).await?;
        }
    }

    /// Takes the next line, its end cut off.
    async fn line(&mut self, stream: &impl Stream) -> Result<bytes::Bytes, ReadError> {
        loop {
            let real = self.buffer.real_prefix();
            if let Some(at) = real.windows(2).position(|window| window == b"\r\n") {
                drop(self.buffer.split_to(at as u64 + 2));
                return Ok(real.slice(..at));
            }
            if real.len() > MAX_LINE || (real.len() as u64) < self.buffer.len() {
                return Err(HeadError::Chunk.into());
            }
            match self.fill(stream, MAX_LINE as u64).await {
                Err(ReadError::Closed) => return Err(ReadError::Cut),
                other => other?,
            }
        }
    }

    /// Throws away the next `bytes` bytes.
    async fn skip(&mut self, stream: &impl Stream, bytes: u64) -> Result<(), ReadError> {
        let rest = bytes - self.buffer.split_to(bytes).len();
        if rest == 0 {
            return Ok(());
        }
        let (got, arrival) = stream.discard(rest).await?;
        if got < rest {
            return Err(ReadError::Cut);
        }
        self.arrival = arrival;
        Ok(())
    }

    /// Appends what comes next on the stream.
    async fn fill(&mut self, stream: &impl Stream, max: u64) -> Result<(), ReadError> {
        let (more, arrival) = stream.read(max).await?;
        if more.is_empty() {
            return Err(if self.buffer.is_empty() { ReadError::Closed } else { ReadError::Cut });
        }
        self.arrival = arrival;
        self.buffer.append(more);
        Ok(())
    }
}

/// A message on the wire: its head, then `body` bytes of filler.
#[must_use]
pub fn message(head: bytes::Bytes, body: u64) -> Payload {
    let mut payload = Payload::real(head);
    payload.append(Payload::filler(body));
    payload
}
