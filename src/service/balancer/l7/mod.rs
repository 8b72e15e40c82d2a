//! A balancer of requests: it ends its clients' connections, reads what they ask, and asks a backend on connections of its own.
//!
//! A response is passed on as it comes. The request is taken in whole first, so that another backend can be asked when one fails
//! before it has begun to answer. TLS ends here, and is spoken anew with backends that speak it.

mod heads;
mod route;
mod upstream;

pub(in crate::service) use route::hash_of;
pub use route::{Match, Route};

use super::backends::Backends;
use super::config::Config;
use crate::app::http1::{self, Method, ReadError, Reader, Request, Whole};
use crate::app::{Channel, Stream};
use crate::base::{Span, Time};
use crate::host::{Elapsed, Host, TcpStream};
use crate::service::secure::{self, Accepting};
use crate::trace::{Exchange, Failure, Record, Refusal, Refused};
use std::rc::Rc;
use upstream::Tried;

struct Proxy {
    host: Host,
    config: Config,
    idle: Span,
    pools: Vec<Rc<Backends>>,
    tls: Option<Accepting>,
}

/// One request of a client while it is answered.
struct Turn<'a> {
    client: &'a Channel,
    /// Requests that went before on the same connection.
    exchange: u32,
    asked: &'a Whole<Request>,
    /// When it had been read.
    started: Time,
    /// Whether the connection ends with it.
    close: bool,
}

/// Balances for ever.
pub(super) async fn run(host: Host, config: Config, idle: Span) {
    let Ok(listener) = host.listen_with(config.port, config.backlog, None, true).await else { return };
    let pools = config.pools.iter().map(|pool| Backends::start(&host, pool.clone(), config.instance));
    let tls = config.tls.as_ref().map(|tls| Accepting::new(&host, tls, &format!("balancer/{}", config.port)));
    let proxy = Rc::new(Proxy { pools: pools.collect(), host: host.clone(), tls, config, idle });
    while let Ok(stream) = listener.accept().await {
        let proxy = Rc::clone(&proxy);
        drop(host.spawn(async move {
            if let Some(client) = proxy.secure(stream).await {
                proxy.client(&client).await;
                secure::let_go(&proxy.host, client).await;
            }
        }));
    }
}

impl Proxy {
    /// A client's connection under TLS, if that is spoken here; `None` if the handshake failed. Handshakes do not wait for each other.
    async fn secure(&self, stream: TcpStream) -> Option<Channel> {
        let Some(accepting) = &self.tls else { return Some(Channel::Plain(stream)) };
        accepting.accept(stream, async |work| self.host.sleep(self.host.condition().stretch(work)).await).await
    }

    /// Answers the requests of one client's connection, one after the other.
    async fn client(&self, client: &Channel) {
        let mut reader = Reader::new();
        for exchange in 0.. {
            let head = match self.host.timeout(self.idle, reader.request_head(client)).await {
                Ok(head) => head,
                Err(Elapsed) => return,
            };
            let asked = match head {
                Ok(head) => body(&mut reader, client, head).await,
                Err(error) => Err(error),
            };
            let close = match asked {
                Ok(asked) => {
                    let close = !asked.head.fields.keeps_alive(asked.head.version);
                    let turn = Turn { client, exchange, asked: &asked, started: self.host.now(), close };
                    self.answer(&turn).await
                }
                Err(ReadError::Malformed(error)) => {
                    let head = http1::answer(error.status(), 0, true, self.host.now());
                    let _ = client.write(http1::message(head.encode(), 0)).await;
                    true
                }
                Err(ReadError::Net(_) | ReadError::Closed | ReadError::Cut) => true,
            };
            if close {
                return;
            }
        }
    }

    /// Answers one request. True if it was the connection's last.
    async fn answer(&self, turn: &Turn<'_>) -> bool {
        let request = &turn.asked.head;
        let route = self.config.routes.iter().find(|route| route.takes(request));
        let Some(pool) = route.map(|route| route.pool).or(self.config.default) else {
            self.refuse(Refusal::NoRoute);
            return self.error(turn, 404).await;
        };
        let backends = &self.pools[pool];
        let members = &backends.members;
        let client = turn.client.remote();
        let key = hash_of(&self.config.pools[pool].algorithm, request, client);
        let head = heads::to_backend(request, *client.ip(), turn.asked.body);
        let mut bound = self.bound(pool, request);
        let mut tried: Vec<usize> = Vec::new();
        let mut again = false;
        // Why the last one failed that was asked.
        let mut last = None;
        loop {
            let kept = bound.take().filter(|&id| members.takes(id));
            let Some(id) = kept.or_else(|| members.choose(key, &tried)) else {
                // Who asked somebody tells how that went, retries or not, as nginx does.
                if let Some(failure) = last {
                    return self.error(turn, status(failure)).await;
                }
                self.refuse(Refusal::NoBackend);
                return self.error(turn, 503).await;
            };
            let held = members.send(id, again);
            again = true;
            let more = tried.len() < self.config.pools[pool].retries as usize;
            let began = self.host.now();
            match self.attempt(turn, pool, id, &head, more && members.others(&tried, id)).await {
                Tried::Passed { close } => return close,
                Tried::Gone => return true,
                Tried::Cut => {
                    held.fail(Failure::Broken);
                    turn.client.abort();
                    return true;
                }
                Tried::Stale => {
                    held.fail(Failure::Reset);
                    bound = Some(id);
                }
                Tried::Failed { failure, asked } => {
                    held.fail(failure);
                    if failure != Failure::Status {
                        members.answered(id, false, self.host.now() - began);
                    }
                    tried.push(id);
                    // What may have been done is not done twice unless that does no harm (RFC 9110 9.2.2).
                    if !more || asked && !request.method.is_idempotent() {
                        drop(held);
                        return self.error(turn, status(failure)).await;
                    }
                    last = Some(failure);
                }
            }
        }
    }

    /// The member that a client's cookie names.
    fn bound(&self, pool: usize, request: &Request) -> Option<usize> {
        let pool = &self.config.pools[pool];
        let named = http1::cookie(&request.fields, pool.sticky.as_ref()?)?;
        pool.members.iter().position(|member| member.name.as_bytes() == named)
    }

    fn refuse(&self, why: Refusal) {
        let (time, node) = (self.host.now(), self.host.node());
        self.host.record(Record::Refused(Refused { time, node, why }));
    }

    /// Answers with an error of the balancer's own.
    async fn error(&self, turn: &Turn<'_>, status: u16) -> bool {
        let head = http1::answer(status, 0, turn.close, self.host.now());
        self.answered(turn);
        turn.client.write(http1::message(head.encode(), 0)).await.is_err() || turn.close
    }

    /// Tells the observers that the answer is complete here.
    fn answered(&self, turn: &Turn<'_>) {
        let now = self.host.now();
        let (flow, node) = (turn.client.flow(), self.host.node());
        let whole = Exchange::at_once(flow, turn.exchange, node, turn.asked.arrival, now);
        // All that it did was to ask others.
        let calls = now - turn.started;
        self.host.record(Record::Exchange(Exchange { started: turn.started, calls, ..whole }));
    }
}

/// What a client is told of a backend's failure (RFC 9110 15.6.3, 15.6.5).
fn status(failure: Failure) -> u16 {
    if failure == Failure::Timeout { 504 } else { 502 }
}

async fn body(reader: &mut Reader, client: &Channel, head: Request) -> Result<Whole<Request>, ReadError> {
    let body = reader.body(client, head.framing()?).await?;
    Ok(Whole { head, body, arrival: reader.arrival() })
}

/// The method by which the end of a response is known.
const fn method(turn: &Turn<'_>) -> Method {
    turn.asked.head.method
}
