//! Objects: so many fetched at once over one connection, and how long each takes.
//!
//! Over QUIC each object has a stream of its own, as in HTTP/3. Over TCP they share the one byte stream of the connection, cut into
//! frames that take turns, as in HTTP/2 (RFC 9113 4.1: a header of nine bytes, at most 16,384 bytes of payload): a lost segment holds
//! back the frames of all objects behind it.

use super::carrier::{Over, quic_options};
use super::client::failure;
use super::{Limit, Numbering, tick};
use crate::base::{Span, Time};
use crate::host::sync::Queue;
use crate::host::{Host, NetError, QuicConnection, QuicStream, TcpStream};
use crate::trace::{Arrival, Exchange, Record, Request, RequestStarted};
use crate::wire::{Chunk, Payload};
use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::rc::Rc;

/// Who fetches what.
#[derive(Clone, PartialEq, Debug)]
pub struct Client {
    /// Which traffic of the plan.
    pub traffic: u32,
    /// How its fetches are numbered; each has [`Client::objects`] requests.
    pub numbering: Numbering,
    /// The server.
    pub to: SocketAddrV4,
    /// What carries them.
    pub over: Over,
    /// Objects of a fetch.
    pub objects: u32,
    /// Bytes of each.
    pub bytes: u64,
    /// Instant at which the connection is opened; the first fetch is due when it is open.
    pub start: Time,
    /// From one fetch to the next.
    pub every: Span,
    /// When to stop.
    pub limit: Limit,
    /// Name of a congestion controller instead of the host's own; requests are small, so it governs next to nothing.
    pub congestion: Option<&'static str>,
}

/// Who has the objects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Server {
    /// Port to listen on.
    pub port: u16,
    /// What carries them.
    pub over: Over,
    /// Name of a congestion controller instead of the host's own.
    pub congestion: Option<&'static str>,
}

/// A frame's header, and the most that it carries (RFC 9113 4.1, 4.2: the default of SETTINGS_MAX_FRAME_SIZE).
const FRAME_HEADER: u64 = 9;
const FRAME_MOST: u64 = 16_384;
/// A request: which object, of how many bytes, padded to what a small request's head takes.
const ASK_BYTES: u64 = 100;

/// Object `index` of the connection, `bytes` long.
fn ask(index: u32, bytes: u64) -> Payload {
    let mut request = u64::from(index).to_be_bytes().to_vec();
    request.extend(bytes.to_be_bytes());
    let padding = ASK_BYTES - request.len() as u64;
    let mut payload = Payload::real(request);
    payload.push(Chunk::Filler(padding));
    payload
}

fn read_ask(request: &Payload) -> Option<(u32, u64)> {
    let head = request.real_prefix();
    let (index, rest) = head.split_first_chunk::<8>()?;
    let bytes = u64::from_be_bytes(*rest.first_chunk()?);
    Some((u32::try_from(u64::from_be_bytes(*index)).ok()?, bytes))
}

/// The header of a frame: length, type and flags, stream.
fn frame_header(index: u32, len: u64) -> Payload {
    let mut header = len.to_be_bytes()[5..].to_vec();
    header.extend([0, 0]);
    header.extend(index.to_be_bytes());
    Payload::real(header)
}

fn read_frame_header(header: &Payload) -> Option<(u32, u64)> {
    let bytes = header.real_prefix();
    let bytes: &[u8; 9] = bytes.first_chunk()?;
    let len = u64::from_be_bytes([0, 0, 0, 0, 0, bytes[0], bytes[1], bytes[2]]);
    Some((u32::from_be_bytes([bytes[5], bytes[6], bytes[7], bytes[8]]), len))
}

/// The open connection of a client.
enum Link {
    Tcp(Rc<TcpStream>),
    Quic(Rc<QuicConnection>),
}

/// What is known of one object while it is fetched.
struct Fetch {
    request: Request,
    left: u64,
}

/// Fetches until the limit. Each object is a [`Request`] from the instant at which its fetch was due to the last byte. If the
/// connection fails, what it still owed has failed with it, and a new one is opened for what follows.
pub async fn client(host: Host, config: Client) {
    host.sleep_until(config.start).await;
    let mut link = connect(&host, &config).await;
    let start = host.now();
    let mut asked = 0;
    let mut index = 0;
    loop {
        let at = tick(start, config.every, index);
        if !config.limit.allows(index, at) {
            return;
        }
        host.sleep_until(at).await;
        if link.is_err() {
            link = connect(&host, &config).await;
            asked = 0;
        }
        let requests = begin(&host, &config, index, at, asked);
        asked += config.objects;
        index += 1;
        let failed = match &link {
            Ok(Link::Tcp(stream)) => over_tcp(&host, stream, requests).await,
            Ok(Link::Quic(connection)) => over_quic(&host, connection, requests).await,
            Err(error) => {
                requests.into_iter().for_each(|fetch| end(&host, fetch.request, Err(*error)));
                Some(*error)
            }
        };
        if let Some(error) = failed {
            link = Err(error);
        }
    }
}

async fn connect(host: &Host, config: &Client) -> Result<Link, NetError> {
    Ok(match config.over {
        Over::Tcp => Link::Tcp(Rc::new(host.connect_with(config.to, config.congestion, true).await?)),
        Over::Quic => Link::Quic(Rc::new(host.quic(config.to, quic_options(config.congestion)).await?)),
    })
}

fn begin(host: &Host, config: &Client, index: u64, at: Time, asked: u32) -> Vec<Fetch> {
    let first = config.numbering.at(index) * u64::from(config.objects);
    let request = |object: u32| {
        let number = first + u64::from(object);
        host.record(Record::RequestStarted(RequestStarted { traffic: config.traffic, number, time: at }));
        let request = Request {
            resolved: at,
            connected: host.now(),
            secured: host.now(),
            read: host.now(),
            exchange: asked + object,
            body: config.bytes,
            ..Request::begun(config.traffic, number, host.node(), at)
        };
        Fetch { request, left: config.bytes }
    };
    (0..config.objects).map(request).collect()
}

fn end(host: &Host, mut request: Request, result: Result<Arrival, NetError>) {
    let now = host.now();
    request.written = request.written.min(now);
    request.end = now;
    match result {
        Ok(arrival) => request.response = arrival,
        Err(error) => {
            request.failure = Some(failure(error));
            request.body = 0;
        }
    }
    host.record(Record::Request(request));
}

/// All requests in one write, then frames until every object is whole.
async fn over_tcp(host: &Host, stream: &TcpStream, fetches: Vec<Fetch>) -> Option<NetError> {
    let mut asks = Payload::empty();
    fetches.iter().for_each(|fetch| asks.append(ask(fetch.request.exchange, fetch.left)));
    let mut open: BTreeMap<u32, Fetch> = fetches.into_iter().map(|fetch| (fetch.request.exchange, fetch)).collect();
    let result = async {
        stream.write(asks).await?;
        for fetch in open.values_mut() {
            fetch.request.flow = stream.flow();
            fetch.request.written = host.now();
        }
        while !open.is_empty() {
            let (header, _) = stream.read_exactly(FRAME_HEADER).await?;
            let (index, len) = read_frame_header(&header).ok_or(NetError::Closed)?;
            let (count, arrival) = stream.discard(len).await?;
            let fetch = open.get_mut(&index).filter(|_| count == len).ok_or(NetError::Closed)?;
            fetch.left = fetch.left.saturating_sub(len);
            if fetch.left == 0
                && let Some(fetch) = open.remove(&index)
            {
                end(host, fetch.request, Ok(arrival));
            }
        }
        Ok(())
    };
    let result: Result<(), NetError> = result.await;
    let error = result.err()?;
    open.into_values().for_each(|fetch| end(host, fetch.request, Err(error)));
    Some(error)
}

/// A stream and a task for each object.
async fn over_quic(host: &Host, connection: &Rc<QuicConnection>, fetches: Vec<Fetch>) -> Option<NetError> {
    let tasks: Vec<_> = fetches
        .into_iter()
        .map(|fetch| {
            let (own, connection) = (host.clone(), Rc::clone(connection));
            host.spawn(async move {
                let mut request = fetch.request;
                let result = fetch_one(&own, &connection, &mut request, fetch.left).await;
                let error = result.as_ref().err().copied();
                end(&own, request, result);
                error
            })
        })
        .collect();
    let mut failed = None;
    for task in tasks {
        failed = task.await.or(failed);
    }
    failed
}

async fn fetch_one(
    host: &Host,
    connection: &QuicConnection,
    request: &mut Request,
    bytes: u64,
) -> Result<Arrival, NetError> {
    let stream = connection.open().await?;
    request.flow = stream.flow();
    request.exchange = stream.index();
    stream.write(ask(stream.index(), bytes)).await?;
    stream.finish();
    request.written = host.now();
    let (count, arrival) = stream.discard(bytes).await?;
    if count == bytes { Ok(arrival) } else { Err(NetError::Closed) }
}

/// Serves for ever. Emits an [`Exchange`] for each object.
pub async fn server(host: Host, config: Server) {
    match config.over {
        Over::Tcp => {
            let Ok(listener) = host.listen_with(config.port, 4_096, config.congestion, true).await else { return };
            while let Ok(stream) = listener.accept().await {
                let (own, stream) = (host.clone(), Rc::new(stream));
                drop(host.spawn(async move { multiplex(own, stream).await }));
            }
        }
        Over::Quic => {
            let Ok(endpoint) = host.quic_listen(config.port, quic_options(config.congestion)).await else { return };
            while let Ok(connection) = endpoint.accept().await {
                let own = host.clone();
                drop(host.spawn(async move {
                    while let Ok(stream) = connection.accept().await {
                        let host = own.clone();
                        drop(own.spawn(async move { serve_stream(&host, &stream).await.ok() }));
                    }
                }));
            }
        }
    }
}

async fn serve_stream(host: &Host, stream: &QuicStream) -> Result<(), NetError> {
    let (request, arrival) = stream.read_exactly(ASK_BYTES).await?;
    let Some((_, bytes)) = read_ask(&request) else { return Ok(()) };
    exchange(host, stream.flow(), stream.index(), arrival);
    stream.write(Payload::filler(bytes)).await?;
    stream.finish();
    Ok(())
}

fn exchange(host: &Host, flow: u64, index: u32, request: Arrival) {
    let (now, node) = (host.now(), host.node());
    let exchange = Exchange::at_once(flow, index, node, request, now);
    host.record(Record::Exchange(exchange));
}

/// The server's end of a connection whose objects take turns, a frame each.
async fn multiplex(host: Host, stream: Rc<TcpStream>) {
    let turn: Queue<(u32, u64)> = Queue::new();
    let (waiting, out) = (turn.clone(), Rc::clone(&stream));
    let writing = host.spawn(async move {
        loop {
            let (index, left) = waiting.pop().await;
            let len = left.min(FRAME_MOST);
            let mut frame = frame_header(index, len);
            frame.append(Payload::filler(len));
            if left > len {
                waiting.push((index, left - len));
            }
            if out.write(frame).await.is_err() {
                return;
            }
        }
    });
    while let Ok((request, arrival)) = stream.read_exactly(ASK_BYTES).await {
        let Some((index, bytes)) = read_ask(&request) else { break };
        exchange(&host, stream.flow(), index, arrival);
        turn.push((index, bytes));
    }
    writing.abort();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_frame_headers_are_read_as_they_were_written() {
        assert_eq!(ask(7, 40_960).len(), ASK_BYTES);
        assert_eq!(read_ask(&ask(7, 40_960)), Some((7, 40_960)));
        assert_eq!(frame_header(3, FRAME_MOST).len(), FRAME_HEADER);
        assert_eq!(read_frame_header(&frame_header(3, FRAME_MOST)), Some((3, FRAME_MOST)));
        assert_eq!(read_ask(&Payload::filler(100)), None);
    }
}
