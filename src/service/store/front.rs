//! The HTTP side of a store: reads and writes of whoever asks, done here or passed on to the primary.

use super::member::Role;
use super::{Node, Reads, hash, within};
use crate::app::http1::{self, Ask, Framing, HeadSize, Method, ReadError, Reader, Request};
use crate::host::{NetError, TcpStream};
use crate::service::server::PAYMENT;
use crate::trace::{Arrival, Charge, Exchange, Forwarded, Record, StoreEvent};
use bytes::Bytes;
use std::net::SocketAddrV4;
use std::rc::Rc;

/// A connection to a primary that is free.
pub(super) struct Upstream {
    leader: usize,
    stream: TcpStream,
    reader: Reader,
    exchanges: u32,
}

/// Fields that a follower passes on with a request.
const PASSED_ON: &[&str] = &["If-Match", "If-None-Match", PAYMENT];

/// What is answered: a status and so many bytes.
type Answer = (u16, u64);

/// Marks what a follower has passed on, so that it is not passed on again (RFC 9110 7.6.3).
const VIA: &str = "1.1 store";

/// Serves one connection until one side has had enough.
pub(super) async fn connection(node: Rc<Node>, stream: TcpStream) {
    let mut reader = Reader::new();
    for exchange in 0.. {
        let read = match reader.request_head(&stream).await {
            Ok(head) => match head.framing() {
                Ok(framing) => reader.body(&stream, framing).await.map(|body| (head, body)),
                Err(error) => Err(ReadError::Malformed(error)),
            },
            Err(error) => Err(error),
        };
        let close = match read {
            Ok((request, body)) => serve(&node, &stream, exchange, &request, (body, reader.arrival())).await,
            Err(ReadError::Malformed(error)) => {
                let head = http1::answer(error.status(), 0, true, node.host.now());
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

/// Answers one request. True if it was the connection's last.
async fn serve(
    node: &Rc<Node>,
    stream: &TcpStream,
    exchange: u32,
    request: &Request,
    (body, arrival): (u64, Arrival),
) -> bool {
    let worker = node.workers.acquire().await;
    let started = node.host.now();
    let work = node.config.service.sample(&mut node.work.borrow_mut());
    if !work.is_zero() {
        node.host.sleep(node.host.condition().stretch(work)).await;
    }
    drop(worker);
    let seen = (stream.flow(), exchange);
    let (status, bytes) = answer(node, request, body, seen).await;
    let finished = node.host.now();
    let close = !request.fields.keeps_alive(request.version);
    let head = http1::answer(status, bytes, close, finished);
    let bytes = if head.framing(request.method) == Ok(Framing::Length(bytes)) { bytes } else { 0 };
    node.host.record(Record::Exchange(Exchange {
        started,
        ..Exchange::at_once(stream.flow(), exchange, node.host.node(), arrival, finished)
    }));
    stream.write(http1::message(head.encode(), bytes)).await.is_err() || close
}

async fn answer(node: &Rc<Node>, request: &Request, body: u64, seen: (u64, u32)) -> Answer {
    let key = request.target.clone();
    let key = key.split(|&byte| byte == b'?').next().map_or_else(Bytes::new, |key| request.target.slice_ref(key));
    let reads = match request.method {
        Method::Get | Method::Head => true,
        Method::Put | Method::Post | Method::Delete => false,
        _ => return (405, 0),
    };
    let role = node.member().role;
    let own = role == Role::Primary || (reads && node.config.reads == Reads::Local);
    if own {
        if !holds(node, request, &key) {
            return (412, 0);
        }
        if reads {
            return read(node, &key);
        }
        let answer = write(node, key, body).await;
        pay(node, request, answer, seen);
        return answer;
    }
    let passed_on = request.fields.get("Via").is_some();
    let Role::Follower(Some(leader)) = role else { return refuse(node, reads) };
    if passed_on {
        return refuse(node, reads);
    }
    match node.host.timeout(node.config.patience, pass_on(node, leader, request, body, seen)).await {
        Ok(Ok(answer)) => answer,
        _ => refuse(node, reads),
    }
}

/// Passes a request on: over a kept connection if there is one, and over a new one if that has gone and twice does no harm.
async fn pass_on(
    node: &Node,
    leader: usize,
    request: &Request,
    body: u64,
    seen: (u64, u32),
) -> Result<Answer, NetError> {
    let kept = {
        let mut kept = node.upstream.borrow_mut();
        kept.retain(|upstream| upstream.leader == leader);
        kept.pop()
    };
    if let Some(upstream) = kept {
        let answer = exchange(node, upstream, request, body, seen).await;
        if answer.is_ok() || !request.method.is_idempotent() {
            return answer;
        }
    }
    let to = SocketAddrV4::new(node.config.members[leader], node.config.port);
    let stream = node.host.connect_with(to, None, true).await?;
    exchange(node, Upstream { leader, stream, reader: Reader::new(), exchanges: 0 }, request, body, seen).await
}

/// Whether what a request asks of the key is so: `If-Match: *`, that it has been written; `If-None-Match: *`, that it has not (RFC 9110
/// 13.1). Nothing comes between this and a write.
fn holds(node: &Node, request: &Request, key: &Bytes) -> bool {
    let written = node.member().log.value(key).is_some();
    let asks = |name: &str| request.fields.get(name) == Some(b"*");
    !(asks("If-Match") && !written || asks("If-None-Match") && written)
}

/// What is paid by a write that was taken: the money moves with it, once.
fn pay(node: &Node, request: &Request, (status, _): Answer, (flow, exchange): (u64, u32)) {
    let cents = request.fields.get(PAYMENT).and_then(|cents| std::str::from_utf8(cents).ok()?.parse().ok());
    if let (200, Some(cents)) = (status, cents) {
        let (own, time) = (node.host.node(), node.host.now());
        node.host.record(Record::Charge(Charge { node: own, time, flow, exchange, cents }));
    }
}

/// Nobody can do it now.
fn refuse(node: &Node, reads: bool) -> Answer {
    node.record(StoreEvent::Refused { write: !reads });
    (503, 0)
}

fn read(node: &Node, key: &Bytes) -> Answer {
    let value = node.member().log.value(key);
    let place = value.map(|value| value.place).unwrap_or_default();
    node.record(StoreEvent::Read { key: hash(key), epoch: place.epoch, seq: place.seq });
    (200, value.map_or(node.config.value, |value| value.bytes))
}

async fn write(node: &Node, key: Bytes, bytes: u64) -> Answer {
    let hash = hash(&key);
    let (place, acks) = node.member().take(key, bytes);
    node.record(StoreEvent::Taken { epoch: place.epoch, seq: place.seq });
    if let Some(acks) = acks
        && within(&node.host, node.config.patience, &acks).await != Some(true)
    {
        // The entry stays in the log: whether it lasts is for the next primary to know.
        return refuse(node, false);
    }
    node.record(StoreEvent::Acknowledged { key: hash, epoch: place.epoch, seq: place.seq });
    (200, 0)
}

/// Asks the primary; the connection is kept if that went well.
async fn exchange(
    node: &Node,
    mut upstream: Upstream,
    request: &Request,
    body: u64,
    front: (u64, u32),
) -> Result<Answer, NetError> {
    let target = String::from_utf8_lossy(&request.target);
    let host = node.config.members[upstream.leader].to_string();
    let ask = Ask {
        method: request.method,
        target: &target,
        host: &host,
        body,
        close: false,
        size: HeadSize::Exactly(0),
        fields: &[],
    };
    let mut head = ask.head();
    head.fields.push("Via", VIA);
    for name in PASSED_ON {
        if let Some(value) = request.fields.get(name) {
            head.fields.push(*name, Bytes::copy_from_slice(value));
        }
    }
    let back = (upstream.stream.flow(), upstream.exchanges);
    upstream.exchanges += 1;
    // Where money is in it, it must be known whose.
    if request.fields.get(PAYMENT).is_some() {
        let (own, time, backend) = (node.host.node(), node.host.now(), node.host.node());
        node.host.record(Record::Forwarded(Forwarded { node: own, backend, time, front, back }));
    }
    upstream.stream.write(http1::message(head.encode(), body)).await?;
    let whole = upstream.reader.response(&upstream.stream, request.method).await.map_err(|error| match error {
        ReadError::Net(error) => error,
        _ => NetError::Closed,
    })?;
    let answer = (whole.head.status, whole.body);
    node.upstream.borrow_mut().push(upstream);
    Ok(answer)
}
