//! An HTTP/1.1 server: a task per connection, workers who do the work, and a queue before them that may overflow.

mod admission;
mod calls;
mod config;
mod cores;
pub(in crate::service) mod deadline;
mod idempotency;
mod sessions;
mod shared;
pub mod shedding;
mod work;

pub use admission::Overflow;
pub use calls::{Call, Callers, Stage};
pub use config::{Config, KeepAlive, Planned, Route, Sizes, Tls};
pub use deadline::{DEADLINE, time_left};
pub use sessions::Session;
pub use shared::SharedKeys;
pub use work::WarmUp;

use crate::app::http1::{self, Framing, Method, ReadError, Reader, Request, SetCookie};
use crate::app::{Channel, Stream};
use crate::base::{Dist, Rng, Span, Time};
use crate::host::{Elapsed, Host, TcpStream};
use crate::service::cdn::validator::matches;
use crate::service::fingerprint;
use crate::service::secure::{self, Accepting};
use crate::trace::{Arrival, Changed, Charge, Exchange, Record, SessionUse, TurnedAway, Turning};
use admission::Admission;
use bytes::Bytes;
use cores::Cores;
use deadline::until;
use idempotency::{Keys, Known};
use sessions::Sessions;
use shared::Shared;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::rc::Rc;
use work::Pace;

/// One line about each way in which a server shares what it has, for people who look for one.
pub const TABLE: &[(&str, &str)] = &[
    ("workers", "requests that are being answered at the same time; more wait in a queue, first come, first served"),
    ("cores", "processors that the workers share: whoever works has an equal part, at most one core"),
    ("Reject503", "a queue without room answers 503 at once"),
    ("Reset", "a queue without room resets the connection"),
    ("Wait", "a queue without room lets no further connection in: they wait in the backlog"),
    ("shed", "a server that turns away what has waited too long, once its queue does not run dry any more (as CoDel)"),
    ("Aimd", "concurrency: one more at a time while answers are quick, a share less when one is not"),
    ("Gradient", "concurrency: follows the ratio of usual to present latency"),
    (
        "idempotency",
        "a server that remembers the answers to requests with a key, and does none of them twice: alone, or with others in a store",
    ),
    ("deadlines", "work for those who do not wait any more is not begun, and given up where it is under way"),
    ("session", "what a user put into this server's memory, found again by a cookie, gone with the server"),
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
    keys: Option<Keys>,
    shared: Option<Shared>,
    sessions: Option<Sessions>,
    /// The version of each path that has versions.
    versions: RefCell<BTreeMap<Bytes, u64>>,
    tls: Option<Accepting>,
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
/// `host/<name>/server/<port>/io`, the names of sessions from `host/<name>/server/<port>/sessions`.
pub async fn run_calling(host: Host, config: Config, callers: Callers) {
    // What a web server sets on its connections: no response waits for Nagle's algorithm.
    let Ok(listener) = host.listen_with(config.port, config.backlog, config.congestion, true).await else { return };
    let state = Rc::new(State {
        admission: Admission::new(host.clone(), config.rules()),
        cores: config.cores.map(|cores| Cores::new(host.clone(), cores)),
        pace: Pace { speed: config.speed, warm_up: config.warm_up, started: host.now() },
        callers,
        keys: config.idempotency.map(Keys::new),
        shared: config.shared_keys.clone().map(|shared| Shared::new(host.clone(), shared)),
        sessions: config
            .session
            .clone()
            .map(|session| Sessions::new(session, host.rng(&format!("server/{}/sessions", config.port)))),
        versions: RefCell::default(),
        tls: config.tls.as_ref().map(|tls| Accepting::new(&host, tls, &format!("server/{}", config.port))),
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
                secure::let_go(&state.host, channel).await;
            }
        }));
    }
}

impl State {
    /// The connection under TLS, if that is spoken here; `None` if the handshake failed. A worker signs.
    async fn secure(&self, stream: TcpStream) -> Option<Channel> {
        let Some(accepting) = &self.tls else { return Some(Channel::Plain(stream)) };
        let sign = async |work| {
            let _worker = self.admission.any_worker().await;
            self.compute(work).await;
        };
        accepting.accept(stream, sign).await
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
        let mut seen = Exchange::at_once(stream.flow(), exchange, self.host.node(), arrival, self.host.now());
        let Some(reply) = self.once(request, &mut seen).await else {
            stream.abort();
            return true;
        };
        seen.finished = self.host.now();
        seen.written = seen.finished;
        let close = self.config.keep_alive == KeepAlive::Close || !request.fields.keeps_alive(request.version);
        let mut head = http1::answer(reply.status, reply.body, close, seen.finished);
        for (name, value) in reply.fields {
            head.fields.push(name, value);
        }
        if let Some(cookie) = reply.cookie {
            head.fields.push("Set-Cookie", cookie.to_string());
        }
        let body = if head.framing(request.method) == Ok(Framing::Length(reply.body)) { reply.body } else { 0 };
        self.host.record(Record::Exchange(seen));
        stream.write(http1::message(head.encode(), body)).await.is_err() || close
    }

    /// The answer to a request, which is not worked on if it carries a key that has been answered before; `None`: its connection is to
    /// be reset.
    async fn once(&self, request: &Request, seen: &mut Exchange) -> Option<Reply> {
        let key = request.fields.get("idempotency-key").map(Bytes::copy_from_slice);
        let (Some(keys), Some(key)) = (&self.keys, &key) else { return self.admit(request, seen).await };
        loop {
            match keys.begin(key, self.host.now()) {
                Known::New => break,
                Known::Answered((status, body)) => {
                    seen.started = self.host.now();
                    return Some(Reply::new(status, body));
                }
                Known::Wait(answer) => answer.pop().await,
            }
        }
        let reply = self.admit(request, seen).await;
        match &reply {
            // A failure of the server's own is no answer: the next try is to be a real one.
            Some(reply) if reply.status < 500 => keys.finish(key, (reply.status, reply.body), self.host.now()),
            _ => keys.forget(key),
        }
        reply
    }

    /// The answer of a worker, or how the request is turned away.
    async fn admit(&self, request: &Request, seen: &mut Exchange) -> Option<Reply> {
        let path = request.target.split(|&byte| byte == b'?').next().unwrap_or_default();
        let planned = self.config.answer(request.method, path);
        let work = planned.service.sample(&mut self.work.borrow_mut());
        let io = self.waiting(planned.io);
        let until = self.config.deadlines.then(|| until(request, seen.request.released)).flatten();
        let worker = self.in_time(until, self.admission.worker()).await.unwrap_or(Err(Turning::Late));
        seen.started = self.host.now();
        match worker {
            Ok(worker) => {
                let attended = self.attend(request, path, planned, (work, io, until), seen);
                let reply = self.in_time(until, attended).await;
                if reply.is_none() {
                    self.turn_away(seen.node, Turning::Late);
                }
                self.admission.answered(&worker);
                Some(reply.unwrap_or(Reply::new(504, 0)))
            }
            Err(why) => {
                self.turn_away(seen.node, why);
                match why {
                    Turning::Reset => None,
                    Turning::Late => Some(Reply::new(504, 0)),
                    _ => Some(Reply::new(503, 0)),
                }
            }
        }
    }

    /// The output of `future` unless the deadline comes first; then it is dropped.
    async fn in_time<T>(&self, until: Option<Time>, future: impl Future<Output = T>) -> Option<T> {
        match until {
            None => Some(future.await),
            Some(until) if until <= self.host.now() => None,
            Some(until) => self.host.timeout(until - self.host.now(), future).await.ok(),
        }
    }

    fn turn_away(&self, node: u32, why: Turning) {
        self.host.record(Record::TurnedAway(TurnedAway { node, time: self.host.now(), why }));
    }

    /// The answer of a worker: to a request with a key that others may have seen, only after asking whether they have.
    async fn attend(
        &self,
        request: &Request,
        path: &[u8],
        planned: Planned<'_>,
        (work, io, until): (Span, Span, Option<Time>),
        seen: &mut Exchange,
    ) -> Reply {
        let Some((shared, key)) = self.shared.as_ref().zip(request.fields.get("idempotency-key")) else {
            let (status, body) = self.serve(planned, (work, io, until), seen).await;
            return self.conclude(request, path, planned, Reply::new(status, body), seen);
        };
        let cause = (seen.flow, seen.exchange);
        let began = self.host.now();
        let known = shared.has(key, cause).await;
        seen.calls += self.host.now() - began;
        let (status, body) = match known {
            None => return Reply::new(503, 0),
            Some(true) => return Reply::new(planned.status, planned.body),
            Some(false) => self.serve(planned, (work, io, until), seen).await,
        };
        if status < 400 {
            let began = self.host.now();
            let cents = request.fields.get(PAYMENT).and_then(number).filter(|_| planned.charges);
            let written = shared.write(key, cents, cause).await;
            seen.calls += self.host.now() - began;
            if written.is_none() {
                return Reply::new(503, 0);
            }
        }
        self.conclude(request, path, Planned { charges: false, ..planned }, Reply::new(status, body), seen)
    }

    /// What happens in the instant in which the work is done: versions are compared, money is taken.
    fn conclude(&self, request: &Request, path: &[u8], planned: Planned<'_>, reply: Reply, seen: &Exchange) -> Reply {
        let mut reply = if reply.status == planned.status { kept(reply, planned) } else { reply };
        if reply.status >= 400 {
            return reply;
        }
        let (Exchange { node, flow, exchange, .. }, time) = (*seen, self.host.now());
        if planned.charges
            && let Some(cents) = request.fields.get(PAYMENT).and_then(number)
        {
            self.host.record(Record::Charge(Charge { node, time, flow, exchange, cents }));
        }
        if let Some((what, cookie)) = self.sessions.as_ref().and_then(|sessions| sessions.visit(request, path, time)) {
            self.host.record(Record::Session(SessionUse { node, time, flow, exchange, what }));
            reply.cookie = cookie;
        }
        if !planned.versions {
            return reply;
        }
        let mut versions = self.versions.borrow_mut();
        let version = versions.entry(Bytes::copy_from_slice(path)).or_insert(1);
        match request
            .fields
            .get("if-match")
            .map(|tag| number(tag.trim_ascii_start().strip_prefix(b"\"").unwrap_or(tag)))
        {
            Some(named) if named != Some(*version) => {
                let mut refused = Reply::new(412, 0);
                refused.fields.push(("ETag", etag(*version, planned, request)));
                return refused;
            }
            Some(_) => {
                *version += 1;
                let (node, time, version) = (self.host.node(), self.host.now(), *version);
                self.host.record(Record::Changed(Changed { node, time, path: fingerprint(path), version }));
            }
            None => {}
        }
        let tag = etag(*version, planned, request);
        let reads = matches!(request.method, Method::Get | Method::Head);
        let unchanged = reads && reply.status == 200 && matches(&request.fields, tag.as_bytes());
        // What the client has still is what there is (RFC 9110 15.4.5).
        let mut reply = if unchanged { Reply { status: 304, body: 0, ..reply } } else { reply };
        reply.fields.push(("ETag", tag));
        reply
    }

    /// What a worker does for one request: works, waits without a core, asks others. Status and bytes of the answer.
    async fn serve(
        &self,
        planned: Planned<'_>,
        (work, io, until): (Span, Span, Option<Time>),
        seen: &mut Exchange,
    ) -> (u16, u64) {
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
        let (took, failed) = calls::make(&self.host, &self.callers, planned.calls, (cause, until)).await;
        seen.calls += took;
        failed.map_or((planned.status, planned.body), |failure| (calls::status(failure), 0))
    }

    /// How long a request waits without a core. Servers that never do draw nothing.
    fn waiting(&self, io: Dist) -> Span {
        if io == Dist::Constant(Span::ZERO) { Span::ZERO } else { io.sample(&mut self.io.borrow_mut()) }
    }
}

/// What is answered.
struct Reply {
    status: u16,
    body: u64,
    /// Fields of its head beside those that all answers have.
    fields: Vec<(&'static str, String)>,
    /// The cookie that is set.
    cookie: Option<SetCookie>,
}

impl Reply {
    const fn new(status: u16, body: u64) -> Self {
        Self { status, body, fields: Vec::new(), cookie: None }
    }
}

/// The answer with what it says to caches.
fn kept(mut reply: Reply, planned: Planned<'_>) -> Reply {
    reply.fields.extend(planned.cache_control.map(|text| ("Cache-Control", text.to_owned())));
    if !planned.vary.is_empty() {
        reply.fields.push(("Vary", planned.vary.join(", ")));
    }
    reply
}

/// The entity tag of a version; variants of it have tags of their own (RFC 9110 8.8.3.3).
fn etag(version: u64, planned: Planned<'_>, request: &Request) -> String {
    if planned.vary.is_empty() {
        return format!("\"{version}\"");
    }
    let values = planned.vary.iter().map(|name| request.fields.get(name).unwrap_or_default());
    let variant = fingerprint(&values.collect::<Vec<_>>().join(&b'\n')) & 0xffff_ffff;
    format!("\"{version}-{variant:08x}\"")
}

/// The field in which a request says how much it pays, in cents.
pub(in crate::service) const PAYMENT: &str = "Payment-Amount-Cents";

/// The digits at the beginning of a field as a number.
fn number(field: impl AsRef<[u8]>) -> Option<u64> {
    let field = field.as_ref();
    let digits = field.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&field[..digits]).ok()?.parse().ok()
}

async fn read_body(reader: &mut Reader, stream: &Channel, head: Request) -> Result<(Request, Arrival), ReadError> {
    reader.body(stream, head.framing()?).await?;
    Ok((head, reader.arrival()))
}
