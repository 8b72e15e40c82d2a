//! The control point of a CDN: it is told what to purge, and tells every edge, by packets, until each has answered.

use super::purge::NUMBER;
use crate::app::http1::{self, Method, ReadError, Reader, Request};
use crate::base::{Span, Time};
use crate::host::sync::Queue;
use crate::host::{Host, TcpStream};
use crate::service::balancer::backends::{Backends, Question};
use crate::service::balancer::{Member, Pool};
use crate::service::fingerprint;
use crate::trace::{Arrival, CacheEvent, CacheRecord, Exchange, Failure, Notice, Record, What};
use bytes::Bytes;
use std::cell::Cell;
use std::net::Ipv4Addr;
use std::rc::Rc;

/// A control point.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Port on which operators come.
    pub port: u16,
    /// The edges, in tiers: those that fetch from origins first, as an edge that is purged before its shield would fetch from that what
    /// it has just forgotten.
    pub tiers: Vec<Vec<Site>>,
    /// An edge that has not answered after so long is told again.
    pub timeout: Span,
    /// An operator is told after so long that it is not over yet (202).
    pub patience: Span,
}

/// An edge as its control point knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Site(pub Member);

/// An edge, and the way to it.
#[derive(Clone)]
struct Edge {
    at: Ipv4Addr,
    way: Rc<Backends>,
}

struct Control {
    host: Host,
    patience: Span,
    timeout: Span,
    tiers: Vec<Vec<Edge>>,
    purges: Cell<u64>,
}

/// Serves for ever. Takes `PURGE` of a path, or of all that begins with it if it ends in `*`, and answers 200 when every edge has
/// carried it out.
pub async fn run(host: Host, config: Config) {
    let Ok(listener) = host.listen_with(config.port, 511, None, true).await else { return };
    let backends = |Site(member): &Site| {
        let pool = Pool { timeout: config.timeout, retries: 0, ..Pool::new(&member.name, vec![member.clone()]) };
        Edge { at: *member.at.ip(), way: Backends::start(&host, pool, 0) }
    };
    let control = Rc::new(Control {
        tiers: config.tiers.iter().map(|tier| tier.iter().map(backends).collect()).collect(),
        host: host.clone(),
        patience: config.patience,
        timeout: config.timeout,
        purges: Cell::default(),
    });
    while let Ok(stream) = listener.accept().await {
        let control = Rc::clone(&control);
        drop(host.spawn(async move { control.operator(&stream).await }));
    }
}

impl Control {
    async fn operator(self: &Rc<Self>, stream: &TcpStream) {
        let mut reader = Reader::new();
        for exchange in 0.. {
            let request = match reader.request(stream).await {
                Ok(whole) => whole,
                Err(ReadError::Malformed(error)) => {
                    let head = http1::answer(error.status(), 0, true, self.host.now());
                    let _ = stream.write(http1::message(head.encode(), 0)).await;
                    return;
                }
                Err(ReadError::Net(_) | ReadError::Closed | ReadError::Cut) => return,
            };
            let started = self.host.now();
            let status = match request.head.method {
                Method::Purge => self.purge(&request.head, (stream.flow(), exchange)).await,
                _ => 405,
            };
            let close = !request.head.fields.keeps_alive(request.head.version);
            self.answered(stream.flow(), exchange, request.arrival, started);
            let head = http1::answer(status, 0, close, self.host.now());
            if stream.write(http1::message(head.encode(), 0)).await.is_err() || close {
                return;
            }
        }
    }

    /// Tells the edges for the sake of the exchange `front`; the status of the answer.
    async fn purge(self: &Rc<Self>, request: &Request, front: (u64, u32)) -> u16 {
        let purge = self.purges.get() + 1;
        self.purges.set(purge);
        let path = request.target.split(|&byte| byte == b'?').next().unwrap_or_default();
        let path = (!path.ends_with(b"*")).then(|| fingerprint(path));
        let (node, time) = (self.host.node(), self.host.now());
        self.host.record(Record::Cache(CacheRecord { node, time, event: CacheEvent::Purging { purge, path } }));
        let mut head = Request { fields: http1::Fields::default(), ..request.clone() };
        if let Some(host) = request.fields.get("host") {
            head.fields.push("Host", Bytes::copy_from_slice(host));
        }
        head.fields.push(NUMBER, format!("{node}-{purge}"));
        head.fields.push("Connection", "keep-alive");
        let (head, control, done) = (head.encode(), Rc::clone(self), Queue::new());
        let over = done.clone();
        // It goes on however long the operator waits.
        drop(self.host.spawn(async move {
            for tier in &control.tiers {
                let told = Queue::new();
                for edge in tier {
                    let (control, edge, head, told) = (Rc::clone(&control), edge.clone(), head.clone(), told.clone());
                    drop(control.host.clone().spawn(async move {
                        control.tell(&edge, &head, front).await;
                        told.push(());
                    }));
                }
                for _ in tier {
                    told.pop().await;
                }
            }
            over.push(());
        }));
        if self.host.timeout(self.patience, done.pop()).await.is_ok() { 200 } else { 202 }
    }

    /// Tells one edge until it has answered.
    async fn tell(&self, edge: &Edge, head: &Bytes, front: (u64, u32)) {
        let question = Question { head, body: 0, method: Method::Purge, more: false, front: Some(front) };
        loop {
            let began = self.host.now();
            if let Ok(mut chosen) = edge.way.any(0, question).await {
                let connection = &mut chosen.answer.connection;
                let framing = chosen.answer.head.framing(Method::Purge);
                let read = match framing {
                    Ok(framing) => connection.reader.body(&connection.stream, framing).await.is_ok(),
                    Err(_) => false,
                };
                let result = if read { Ok(chosen.answer.head.status) } else { Err(Failure::Broken) };
                edge.way.returned(question, chosen.answer.back, result);
                if read && chosen.answer.head.status == 200 {
                    drop(chosen.held);
                    return edge.way.done(chosen.id, chosen.answer, Method::Purge);
                }
            }
            let (time, node) = (self.host.now(), self.host.node());
            self.host.record(Record::Notice(Notice { time, node, flow: 0, peer: edge.at, what: What::Request }));
            // One that refuses at once is not asked again at once.
            self.host.sleep_until(began + self.timeout).await;
        }
    }

    fn answered(&self, flow: u64, exchange: u32, arrival: Arrival, started: Time) {
        let now = self.host.now();
        let whole = Exchange::at_once(flow, exchange, self.host.node(), arrival, now);
        self.host.record(Record::Exchange(Exchange { started, calls: now - started, ..whole }));
    }
}
