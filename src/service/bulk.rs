//! Bulk transfer: parallel flows of so many bytes or for so long, each a TCP connection or a QUIC connection with one stream.

use super::carrier::{Listening, Over, Stream};
use super::client::failure;
use super::tick;
use crate::base::{Span, Time};
use crate::host::{Elapsed, Host, NetError};
use crate::trace::{Arrival, Exchange, Progress, Record, Request, RequestStarted};
use crate::wire::Payload;
use std::net::SocketAddrV4;
use std::pin::pin;

/// Which way the bytes go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// From the server, who listens, to the client, who connects.
    Down,
    /// From the client to the server.
    Up,
}

/// How much is sent on each flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Amount {
    /// So many bytes.
    Bytes(u64),
    /// As many as fit until so long after the client asked for the connection.
    For(Span),
}

/// The client of a bulk transfer.
#[derive(Clone, PartialEq, Debug)]
pub struct Client {
    /// Which traffic of the plan.
    pub traffic: u32,
    /// Number of this host's first flow; its others follow.
    pub first_flow: u32,
    /// The server.
    pub to: SocketAddrV4,
    /// What carries it.
    pub over: Over,
    /// Which way.
    pub direction: Direction,
    /// How much on each flow.
    pub amount: Amount,
    /// Flows side by side.
    pub flows: u32,
    /// Instant at which the first flow asks for its connection.
    pub start: Time,
    /// From one flow's start to the next one's.
    pub stagger: Span,
    /// Name of a congestion controller instead of the host's own; it rules what the client sends.
    pub congestion: Option<&'static str>,
    /// From one progress record of a flow to the next; only who receives emits them.
    pub progress_every: Span,
}

/// The server of bulk transfers.
#[derive(Clone, PartialEq, Debug)]
pub struct Server {
    /// Which traffic of the plan.
    pub traffic: u32,
    /// Port to listen on.
    pub port: u16,
    /// What carries them.
    pub over: Over,
    /// Name of a congestion controller instead of the host's own; it rules what the server sends.
    pub congestion: Option<&'static str>,
    /// From one progress record of a flow to the next; only who receives emits them.
    pub progress_every: Span,
}

/// Progress is recorded this often unless stated otherwise.
pub const PROGRESS_EVERY: Span = Span::from_millis(100);

/// Bytes of the request with which every flow begins, as in the measurements that the model is compared with.
const ASK_BYTES: u64 = 100;
/// Bytes of the answer to an upload: how many bytes have come.
const RECEIPT_BYTES: u64 = 8;
/// Bytes handed to the transport at a time when a transfer has a duration instead of a size.
const PIECE: u64 = 1 << 20;

/// What a flow's request says: one line of text, filled up with spaces.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Ask {
    direction: Direction,
    amount: Amount,
    /// The flow's number in its traffic.
    flow: u32,
    /// When the client asked for the connection.
    began: Time,
}

impl Ask {
    fn encode(&self) -> Payload {
        let direction = match self.direction {
            Direction::Down => "down",
            Direction::Up => "up",
        };
        let (unit, amount) = match self.amount {
            Amount::Bytes(bytes) => ("bytes", bytes),
            Amount::For(span) => ("nanoseconds", span.as_nanos()),
        };
        let mut line = format!("bulk {direction} {unit} {amount} flow {} began {}", self.flow, self.began.as_nanos());
        while line.len() as u64 + 1 < ASK_BYTES {
            line.push(' ');
        }
        line.push('\n');
        Payload::real(line)
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(bytes).ok()?.split_ascii_whitespace();
        let mut expect = |word: &str| (words.next()? == word).then_some(());
        expect("bulk")?;
        let direction = match words.next()? {
            "down" => Direction::Down,
            "up" => Direction::Up,
            _ => return None,
        };
        let (unit, amount) = (words.next()?, words.next()?.parse().ok()?);
        let amount = match unit {
            "bytes" => Amount::Bytes(amount),
            "nanoseconds" => Amount::For(Span::from_nanos(amount)),
            _ => return None,
        };
        let mut number = |word: &str| if words.next()? == word { words.next()?.parse().ok() } else { None };
        let (flow, began) = (u32::try_from(number("flow")?).ok()?, Time::from_nanos(number("began")?));
        Some(Self { direction, amount, flow, began })
    }

    /// Bytes that will come, as far as that is known.
    const fn bytes(&self) -> u64 {
        match self.amount {
            Amount::Bytes(bytes) => bytes,
            Amount::For(_) => u64::MAX,
        }
    }

    /// When the flow's time is up.
    const fn until(&self) -> Time {
        match self.amount {
            Amount::Bytes(_) => Time::NEVER,
            Amount::For(span) => self.began.saturating_add(span),
        }
    }
}

/// Makes the transfers and ends when all are over.
///
/// A flow of so many bytes is a [`Request`] from asking for the connection to reading the last byte: of the data on the way
/// down, of the server's receipt on the way up. Who receives emits [`Progress`] at an interval and at the end; looking at
/// the count does not touch the connection. When a flow's time is up, its client closes it with data still under way.
pub async fn client(host: Host, config: Client) {
    let flows: Vec<_> = (0..config.flows)
        .map(|index| {
            let (own, config) = (host.clone(), config.clone());
            host.spawn(async move { Flow::run(own, config, index).await })
        })
        .collect();
    for flow in flows {
        flow.await;
    }
}

/// One flow, as its client sees it.
struct Flow {
    host: Host,
    config: Client,
    ask: Ask,
}

impl Flow {
    async fn run(host: Host, config: Client, index: u32) {
        host.sleep_until(tick(config.start, config.stagger, u64::from(index))).await;
        let Client { direction, amount, first_flow, .. } = config;
        let ask = Ask { direction, amount, flow: first_flow + index, began: host.now() };
        let mut request = Request {
            resolved: ask.began,
            ..Request::begun(config.traffic, u64::from(ask.flow), host.node(), ask.began)
        };
        let sized = matches!(amount, Amount::Bytes(_));
        if sized {
            let (traffic, number) = (request.traffic, request.number);
            host.record(Record::RequestStarted(RequestStarted { traffic, number, time: ask.began }));
        }
        let flow = Self { host, config, ask };
        let result = flow.transfer(&mut request).await;
        let now = flow.host.now();
        request.failure = result.err().map(failure);
        request.connected = request.connected.min(now);
        request.secured = request.connected;
        request.read = request.connected;
        request.written = request.written.min(now);
        request.end = now;
        if sized {
            flow.host.record(Record::Request(request));
        }
    }

    async fn transfer(&self, request: &mut Request) -> Result<(), NetError> {
        let Self { host, config, ask } = self;
        // Without Nagle's algorithm, as programs set it whose last bytes are to leave at once.
        let stream = Stream::connect(host, config.to, config.over, config.congestion).await?;
        request.flow = stream.flow();
        request.connected = host.now();
        request.written = host.now();
        let mut opening = ask.encode();
        match (ask.direction, ask.amount) {
            (Direction::Down, _) => {
                stream.write(opening).await?;
                let receiver = Receiver { host, traffic: config.traffic, ask, every: config.progress_every };
                let (bytes, arrival) = receiver.receive(&stream).await?;
                (request.body, request.response) = (bytes, arrival);
                let whole = matches!(ask.amount, Amount::For(_)) || bytes == ask.bytes();
                if whole { Ok(()) } else { Err(NetError::Closed) }
            }
            (Direction::Up, Amount::Bytes(bytes)) => {
                opening.append(Payload::filler(bytes));
                stream.write(opening).await?;
                let (receipt, arrival) = stream.read_exactly(RECEIPT_BYTES).await?;
                (request.body, request.response) = (bytes, arrival);
                if receipt.len() == RECEIPT_BYTES { Ok(()) } else { Err(NetError::Closed) }
            }
            (Direction::Up, Amount::For(_)) => {
                stream.write(opening).await?;
                send_until(host, &stream, ask.until()).await
            }
        }
    }
}

/// Serves for ever. Emits an [`Exchange`] for each flow of so many bytes.
pub async fn server(host: Host, config: Server) {
    let listening = Listening::bind(&host, config.port, BACKLOG, config.over, config.congestion).await;
    let Ok(listening) = listening else { return };
    while let Ok(accepted) = listening.accept().await {
        let (own, config) = (host.clone(), config.clone());
        drop(host.spawn(async move {
            let Ok(stream) = accepted.stream().await else { return };
            // A flow that fails is its client's to report.
            let _ = serve(&own, &config, &stream).await;
        }));
    }
}

/// Connections that may wait to be accepted (Linux `somaxconn`).
const BACKLOG: u32 = 4_096;

async fn serve(host: &Host, config: &Server, stream: &Stream) -> Result<(), NetError> {
    let (line, asked) = stream.read_exactly(ASK_BYTES).await?;
    let Some(ask) = Ask::decode(&line.real_prefix()) else {
        stream.abort();
        return Ok(());
    };
    match (ask.direction, ask.amount) {
        (Direction::Down, Amount::Bytes(bytes)) => {
            host.record(exchange(host, stream, asked));
            stream.write(Payload::filler(bytes)).await
        }
        (Direction::Down, Amount::For(_)) => send_until(host, stream, ask.until()).await,
        (Direction::Up, amount) => {
            let receiver = Receiver { host, traffic: config.traffic, ask: &ask, every: config.progress_every };
            let (bytes, arrival) = receiver.receive(stream).await?;
            if let Amount::Bytes(_) = amount {
                host.record(exchange(host, stream, arrival));
                stream.write(Payload::real(bytes.to_be_bytes().to_vec())).await?;
            }
            Ok(())
        }
    }
}

/// The exchange of a flow that is answered as soon as it has been asked.
fn exchange(host: &Host, stream: &Stream, request: Arrival) -> Record {
    let now = host.now();
    let (flow, node) = (stream.flow(), host.node());
    Record::Exchange(Exchange::at_once(flow, 0, node, request, now))
}

/// Keeps the connection's send buffer full until an instant, at which it is closed with whatever is left in it.
async fn send_until(host: &Host, stream: &Stream, until: Time) -> Result<(), NetError> {
    let sending = async {
        loop {
            stream.write(Payload::filler(PIECE)).await?;
        }
    };
    match host.timeout(until.since(host.now()), sending).await {
        Ok(result) => result,
        Err(Elapsed) => Ok(()),
    }
}

/// The receiving end of a flow.
struct Receiver<'a> {
    host: &'a Host,
    traffic: u32,
    ask: &'a Ask,
    every: Span,
}

impl Receiver<'_> {
    /// Counts what comes until everything is there, the stream ends or the flow's time is up; tells the observers now and
    /// then. Returns the number of bytes and the way of the last one, which nobody asks for when time was up.
    async fn receive(&self, stream: &Stream) -> Result<(u64, Arrival), NetError> {
        let Self { host, ask, .. } = *self;
        let mut whole = pin!(stream.discard(ask.bytes()));
        let until = ask.until();
        // The first of the regular instants that lies ahead.
        let mut samples = host.now().since(ask.began).as_nanos() / self.every.as_nanos().max(1) + 1;
        let mut bytes = 0;
        loop {
            let sample = tick(ask.began, self.every, samples);
            let next = sample.min(until);
            if let Ok(ended) = host.timeout(next.since(host.now()), whole.as_mut()).await {
                let (bytes, arrival) = ended?;
                self.progress(bytes, Finished::Yes);
                return Ok((bytes, arrival));
            }
            // Less than before: the read has ended at this very instant, and the next round takes its result.
            bytes = stream.discarded().await?.max(bytes);
            if next == until {
                self.progress(bytes, Finished::Yes);
                return Ok((bytes, Arrival::default()));
            }
            self.progress(bytes, Finished::No);
            samples += 1;
        }
    }

    fn progress(&self, bytes: u64, finished: Finished) {
        self.host.record(Record::Progress(Progress {
            traffic: self.traffic,
            flow: self.ask.flow,
            time: self.host.now(),
            bytes,
            began: self.ask.began,
            finished: finished == Finished::Yes,
        }));
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Finished {
    Yes,
    No,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_says_what_is_wanted_in_a_hundred_bytes() {
        let longest =
            Ask { direction: Direction::Down, amount: Amount::For(Span::MAX), flow: u32::MAX, began: Time::NEVER };
        let shortest = Ask { direction: Direction::Up, amount: Amount::Bytes(0), flow: 0, began: Time::ZERO };
        for ask in [longest, shortest] {
            let bytes = ask.encode();
            assert_eq!(bytes.len(), ASK_BYTES);
            assert_eq!(Ask::decode(&bytes.real_prefix()), Some(ask));
        }
        assert_eq!(Ask::decode(b"GET / HTTP/1.1"), None);
        assert_eq!(Ask::decode(&[0xff; 100]), None);
    }
}
