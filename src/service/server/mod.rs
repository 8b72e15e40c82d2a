//! An HTTP/1.1 server: a task per connection, workers who do the work, and a queue before them that may overflow.

mod admission;
mod calls;
mod config;
mod cores;
mod work;

pub use admission::Overflow;
pub use calls::{Call, Callers, Stage};
pub use config::{Config, KeepAlive, Planned, Route, Tls};
pub use work::WarmUp;

use crate::app::http1::{self, Framing, ReadError, Reader, Request};
use crate::app::tls::{ServerConfig, TlsStream};
use crate::app::{Channel, Stream};
use crate::base::{Dist, Rng, Span};
use crate::host::{Elapsed, Host, TcpStream};
use crate::trace::{Arrival, Exchange, Record, TurnedAway, Turning};
use admission::Admission;
use cores::Cores;
use std::cell::RefCell;
use std::rc::Rc;
use work::Pace;

/// One line about each way in which a server shares what it has, for people who look for one.
pub const TABLE: &[(&str, &str)] = &[
    ("workers", "requests that are being answered at the same time; more wait in a queue, first come, first served"),
    ("cores", "processors that the workers share: whoever works has an equal part, at most one core"),
    ("Reject503", "a queue without room answers 503 at once"),
    ("Reset", "a queue without room resets the connection"),
    ("Wait", "a queue without room lets no further connection in: they wait in the backlog"),
    ("warm_up", "a server that starts slowly"),
    ("calls", "what a server asks of others before it answers: one after the other, or in parallel"),
];

struct State {
    host: Host,
    config: Config,
    admission: Admission,
    cores: Option<Cores>,
    pace: Pace,
    callers: Callers,
    tls: Option<Rc<ServerConfig>>,
    /// Draws how long each full handshake takes, in the order in which clients ask.
    handshakes: RefCell<Rng>,
    /// Draws the work of each request, in the order in which requests arrive.
    work: RefCell<Rng>,
    /// Draws how long each request waits without a core, in the same order.
    io: RefCell<Rng>,
}

/// Serves for ever, asking nobody else. See [`run_calling`].
pub async fn run(host: Host, config: Config) {
    run_calling(host, config, Callers::new()).await;
}

/// Serves for ever. Emits an [`Exchange`] for each request that was answered and a [`TurnedAway`] for each that found no room.
///
/// A worker is held while it works, waits without a core and waits for its calls, in this order; not while the response is on its
/// way. Work on a request goes on when its client has gone. How long it takes is drawn when the request arrives, from the stream
/// `host/<name>/server/<port>`, also for requests that are then turned away: the n-th request is the same amount of work in every
/// design. How long handshakes take is drawn from `host/<name>/server/<port>/tls`, waiting without a core from
/// `host/<name>/server/<port>/io`.
pub async fn run_calling(host: Host, config: Config, callers: Callers) {
    // What a web server sets on its connections: no response waits for Nagle's algorithm.
    let Ok(listener) = host.listen_with(config.port, config.backlog, config.congestion, true).await else { return };
    let state = Rc::new(State {
        admission: Admission::new(config.workers, config.queue_limit, config.overflow),
        cores: config.cores.map(|cores| Cores::new(host.clone(), cores)),
        pace: Pace { speed: config.speed, warm_up: config.warm_up, started: host.now() },
        callers,
        tls: config.tls.as_ref().map(|tls| Rc::new(tls.session(host.name()))),
        handshakes: RefCell::new(host.rng(&format!("server/{}/tls", config.port))),
        work: RefCell::new(host.rng(&format!("server/{}", config.port))),
        io: RefCell::new(host.rng(&format!("server/{}/io", config.port))),
        host: host.clone(),
        config,
    });
    loop {
        state.admission.accepting().await;
        let Ok(stream) = listener.accept().await else { return };
        let state = Rc::clone(&state);
        drop(host.spawn(async move {
            if let Some(channel) = state.secure(stream).await {
                state.connection(&channel).await;
                // After an answer to early data the client's half of the handshake is still on its way.
                if !channel.is_ready_to_close() {
                    let _ = state.host.timeout(HANDSHAKE_PATIENCE, channel.close()).await;
                }
            }
        }));
    }
}

/// A client that has not finished its handshake after so long is let go (nginx's `client_header_timeout`).
const HANDSHAKE_PATIENCE: Span = Span::from_secs(60);

impl State {
    /// The connection under TLS, if that is spoken here; `None` if the handshake failed.
    async fn secure(&self, stream: TcpStream) -> Option<Channel> {
        let Some(config) = &self.tls else { return Some(Channel::Plain(stream)) };
        let handshake = TlsStream::accept(&self.host, stream, Rc::clone(config), async || self.sign().await);
        let stream = self.host.timeout(HANDSHAKE_PATIENCE, handshake).await.ok()?.ok()?;
        Some(Channel::Tls(Box::new(stream)))
    }

    /// The work of a full handshake: a worker signs.
    async fn sign(&self) {
        let Some(tls) = &self.config.tls else { return };
        let work = tls.handshake.sample(&mut self.handshakes.borrow_mut());
        if !work.is_zero() {
            let _worker = self.admission.any_worker().await;
            self.compute(work).await;
        }
    }

    /// Does work that takes a core of speed 1 `work`; the time for which it shared cores with others.
    async fn compute(&self, work: Span) -> Span {
        let began = self.host.now();
        let alone = self.host.condition().stretch(self.pace.stretch(work, began));
        match &self.cores {
            Some(cores) => cores.work(alone).await,
            None => self.host.sleep(alone).await,
        }
        (self.host.now() - began).saturating_sub(alone)
    }

    /// Answers the requests of one connection, one after the other, until one side has had enough.
    async fn connection(&self, stream: &Channel) {
        let mut reader = Reader::new();
        for exchange in 0.. {
            let head = match self.config.keep_alive {
                KeepAlive::Idle(span) => match self.host.timeout(span, reader.request_head(stream)).await {
                    Ok(head) => head,
                    Err(Elapsed) => return,
                },
                KeepAlive::Close => reader.request_head(stream).await,
            };
            let read = match head {
                Ok(head) => read_body(&mut reader, stream, head).await,
                Err(error) => Err(error),
            };
            let close = match read {
                Ok((request, arrival)) => self.answer(stream, exchange, &request, arrival).await,
                Err(ReadError::Malformed(error)) => {
                    let head = http1::answer(error.status(), 0, true, self.host.now());
                    let _ = stream.write(http1::message(head.encode(), 0)).await;
                    true
                }
                Err(ReadError::Net(_) | ReadError::Closed | ReadError::Cut) => true,
            };
            if close {
                return;
            }
        }
    }

    /// Does the work of one request and writes the response. True if it was the connection's last.
    async fn answer(&self, stream: &Channel, exchange: u32, request: &Request, arrival: Arrival) -> bool {
        let path = request.target.split(|&byte| byte == b'?').next().unwrap_or_default();
        let planned = self.config.answer(request.method, path);
        let work = planned.service.sample(&mut self.work.borrow_mut());
        let io = self.waiting(planned.io);
        let worker = self.admission.worker().await;
        let mut seen = Exchange::at_once(stream.flow(), exchange, self.host.node(), arrival, self.host.now());
        let (status, body) = match worker {
            Ok(worker) => {
                let answer = self.serve(planned, work, io, &mut seen).await;
                drop(worker);
                answer
            }
            Err(why) => {
                self.host.record(Record::TurnedAway(TurnedAway { node: seen.node, time: self.host.now(), why }));
                if why == Turning::Reset {
                    stream.abort();
                    return true;
                }
                (503, 0)
            }
        };
        seen.finished = self.host.now();
        seen.written = seen.finished;
        let close = self.config.keep_alive == KeepAlive::Close || !request.fields.keeps_alive(request.version);
        let head = http1::answer(status, body, close, seen.finished);
        let body = if head.framing(request.method) == Ok(Framing::Length(body)) { body } else { 0 };
        self.host.record(Record::Exchange(seen));
        stream.write(http1::message(head.encode(), body)).await.is_err() || close
    }

    /// What a worker does for one request: works, waits without a core, asks others. Status and bytes of the answer.
    async fn serve(&self, planned: Planned<'_>, work: Span, io: Span, seen: &mut Exchange) -> (u16, u64) {
        if !work.is_zero() {
            seen.core_wait = self.compute(work).await;
        }
        if !io.is_zero() {
            self.host.sleep(self.host.condition().stretch(io)).await;
        }
        if planned.calls.is_empty() {
            return (planned.status, planned.body);
        }
        let cause = (seen.flow, seen.exchange);
        let (took, failed) = calls::make(&self.host, &self.callers, planned.calls, cause).await;
        seen.calls = took;
        failed.map_or((planned.status, planned.body), |failure| (calls::status(failure), 0))
    }

    /// How long a request waits without a core. Servers that never do draw nothing.
    fn waiting(&self, io: Dist) -> Span {
        if io == Dist::Constant(Span::ZERO) { Span::ZERO } else { io.sample(&mut self.io.borrow_mut()) }
    }
}

async fn read_body(reader: &mut Reader, stream: &Channel, head: Request) -> Result<(Request, Arrival), ReadError> {
    reader.body(stream, head.framing()?).await?;
    Ok((head, reader.arrival()))
}
