//! An HTTP/1.1 server: a task per connection, workers who do the work, and a queue before them that may overflow.

use crate::app::http1::{self, Framing, ReadError, Reader, Request};
use crate::app::tls::{DEFAULT_CHAIN, ServerConfig, TlsStream};
use crate::app::{Channel, Stream};
use crate::base::{Dist, Rng, Span};
use crate::host::sync::{Permit, Semaphore};
use crate::host::{Elapsed, Host, TcpStream};
use crate::trace::{Arrival, Exchange, Record};
use crate::wire::tls::{MAX_PLAINTEXT, Version};
use std::cell::RefCell;
use std::rc::Rc;

/// What a path answers instead of the server's defaults.
#[derive(Clone, PartialEq, Debug)]
pub struct Route {
    /// The path, without a query. A path ending in `*` stands for everything that begins with the rest; the longest wins.
    pub path: String,
    /// Bytes of the response's body; the server's default if `None`.
    pub response: Option<u64>,
    /// Work; the server's default if `None`.
    pub service: Option<Dist>,
    /// Status code.
    pub status: u16,
}

impl Default for Route {
    /// Every path, answered 200 with the server's defaults.
    fn default() -> Self {
        Self { path: "*".to_owned(), response: None, service: None, status: 200 }
    }
}

/// How long connections are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeepAlive {
    /// Until no request has come for so long.
    Idle(Span),
    /// Each for one exchange (`Connection: close`).
    Close,
}

/// How a server speaks TLS.
#[derive(Clone, PartialEq, Debug)]
pub struct Tls {
    /// Oldest version spoken.
    pub min_version: Version,
    /// Newest version spoken.
    pub max_version: Version,
    /// Bytes of its certificate chain.
    pub certificate: usize,
    /// How long its tickets may be used; `None`: it gives none out.
    pub tickets: Option<Span>,
    /// Bytes of early data that it takes from one client; 0 for none.
    pub early_data: u32,
    /// Most content bytes of a record.
    pub record: u64,
    /// How long a worker is busy with one full handshake. Resumed ones sign nothing and take no time.
    pub handshake: Dist,
}

impl Tls {
    /// As nginx does: both versions, a chain of 3,000 bytes, tickets for five minutes, no early data, records of 16 KiB; the
    /// handshake takes no time, as all work does by default.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            min_version: Version::Tls12,
            max_version: Version::Tls13,
            certificate: DEFAULT_CHAIN,
            tickets: Some(Span::from_secs(300)),
            early_data: 0,
            record: MAX_PLAINTEXT,
            handshake: Dist::Constant(Span::ZERO),
        }
    }

    /// The session's settings for a server of this name; members of a group share the key of their tickets.
    fn session(&self, host: &str) -> ServerConfig {
        let group = host.split('/').next().unwrap_or(host);
        let usual = ServerConfig::new(group, self.certificate);
        ServerConfig {
            min_version: self.min_version,
            max_version: self.max_version,
            tickets: self.tickets.is_some(),
            ticket_lifetime: self.tickets.unwrap_or(usual.ticket_lifetime),
            early_data: self.early_data,
            record: self.record,
            ..usual
        }
    }
}

impl Default for Tls {
    fn default() -> Self {
        Self::new()
    }
}

/// What a server does.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// Port to listen on.
    pub port: u16,
    /// TLS; `None`: in the clear.
    pub tls: Option<Tls>,
    /// Connections that may wait to be accepted.
    pub backlog: u32,
    /// Requests worked on at the same time.
    pub workers: usize,
    /// Requests that may wait for a worker; one more is answered 503 at once. `None`: any number.
    pub queue_limit: Option<usize>,
    /// How long the work on a request takes.
    pub service: Dist,
    /// Bytes of a response's body.
    pub response: u64,
    /// Paths with answers of their own.
    pub routes: Vec<Route>,
    /// How long connections are kept.
    pub keep_alive: KeepAlive,
    /// Name of a congestion controller instead of the host's own.
    pub congestion: Option<&'static str>,
}

impl Config {
    /// Port 80, a backlog of 511 and connections kept for 75 s as in nginx; work takes no time; bodies of 1,024 bytes.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            port: 80,
            tls: None,
            backlog: 511,
            workers: 1,
            queue_limit: None,
            service: Dist::Constant(Span::ZERO),
            response: 1_024,
            routes: Vec::new(),
            keep_alive: KeepAlive::Idle(Span::from_secs(75)),
            congestion: None,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

impl Config {
    /// What a request for `path` (without its query) is answered.
    fn answer(&self, path: &[u8]) -> Planned {
        let matches = |route: &&Route| match route.path.strip_suffix('*') {
            Some(start) => path.starts_with(start.as_bytes()),
            None => path == route.path.as_bytes(),
        };
        // An exact path is longer than any pattern with `*` that matches it, up to the `*` itself.
        let best =
            self.routes.iter().filter(matches).max_by_key(|route| (route.path.len(), !route.path.ends_with('*')));
        let default = Planned { status: 200, body: self.response, service: self.service };
        best.map_or(default, |route| Planned {
            status: route.status,
            body: route.response.unwrap_or(self.response),
            service: route.service.unwrap_or(self.service),
        })
    }
}

/// An answer before the work on it is done.
struct Planned {
    status: u16,
    body: u64,
    service: Dist,
}

struct State {
    host: Host,
    config: Config,
    workers: Semaphore,
    tls: Option<Rc<ServerConfig>>,
    /// Draws how long each full handshake takes, in the order in which clients ask.
    handshakes: RefCell<Rng>,
    /// Draws the work of each request, in the order in which requests arrive.
    work: RefCell<Rng>,
}

/// Serves for ever. Emits an [`Exchange`] for each request that was answered.
///
/// A worker is held while it works, not while the response is on its way. Work on a request goes on when its client has
/// gone. How long it takes is drawn when the request arrives, from the stream `host/<name>/server/<port>`, also for
/// requests that are then turned away: the n-th request is the same amount of work in every design. How long handshakes take is
/// drawn from `host/<name>/server/<port>/tls`.
pub async fn run(host: Host, config: Config) {
    // What a web server sets on its connections: no response waits for Nagle's algorithm.
    let Ok(listener) = host.listen_with(config.port, config.backlog, config.congestion, true).await else { return };
    let state = Rc::new(State {
        workers: Semaphore::new(config.workers),
        tls: config.tls.as_ref().map(|tls| Rc::new(tls.session(host.name()))),
        handshakes: RefCell::new(host.rng(&format!("server/{}/tls", config.port))),
        work: RefCell::new(host.rng(&format!("server/{}", config.port))),
        host: host.clone(),
        config,
    });
    while let Ok(stream) = listener.accept().await {
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
            let _worker = self.workers.acquire().await;
            self.host.sleep(self.host.condition().stretch(work)).await;
        }
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
        let mut planned = self.config.answer(path);
        let work = planned.service.sample(&mut self.work.borrow_mut());
        let worker = self.worker().await;
        let started = self.host.now();
        if worker.is_none() {
            planned = Planned { status: 503, body: 0, ..planned };
        } else if !work.is_zero() {
            self.host.sleep(self.host.condition().stretch(work)).await;
        }
        drop(worker);
        let finished = self.host.now();
        let close = self.config.keep_alive == KeepAlive::Close || !request.fields.keeps_alive(request.version);
        let head = http1::answer(planned.status, planned.body, close, finished);
        let body = if head.framing(request.method) == Ok(Framing::Length(planned.body)) { planned.body } else { 0 };
        self.host.record(Record::Exchange(Exchange {
            flow: stream.flow(),
            exchange,
            node: self.host.node(),
            request: arrival,
            started,
            finished,
            written: finished,
        }));
        stream.write(http1::message(head.encode(), body)).await.is_err() || close
    }

    /// A worker, first come, first served; `None` if too many wait already.
    async fn worker(&self) -> Option<Permit> {
        if let Some(worker) = self.workers.try_acquire() {
            return Some(worker);
        }
        if self.config.queue_limit.is_some_and(|limit| self.workers.waiting() >= limit) {
            return None;
        }
        Some(self.workers.acquire().await)
    }
}

async fn read_body(reader: &mut Reader, stream: &Channel, head: Request) -> Result<(Request, Arrival), ReadError> {
    reader.body(stream, head.framing()?).await?;
    Ok((head, reader.arrival()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_matching_path_answers() {
        let route =
            |path: &str, response| Route { path: path.to_owned(), response: Some(response), ..Route::default() };
        let config =
            Config { routes: vec![route("/*", 1), route("/img/*", 2), route("/img/logo", 3)], ..Config::new() };
        let size = |path: &[u8]| config.answer(path).body;
        assert_eq!([size(b"/"), size(b"/img/a"), size(b"/img/logo"), size(b"/img/logos")], [1, 2, 3, 2]);
        assert_eq!(Config::new().answer(b"/any").body, 1_024);
    }
}
