//! The side of an edge that clients see: what is asked is looked for, fetched if need be, and sent as it is there.

use super::config::Failed;
use super::fetch::Wanted;
use super::flight::{Came, Flight};
use super::freshness::Use;
use super::object::Object;
use super::status::{self, About};
use super::{Edge, purge, validator};
use crate::app::http1::{self, Method, ReadError, Reader, Request, Response};
use crate::app::{Channel, Stream};
use crate::base::{Span, Time};
use crate::host::Elapsed;
use crate::service::fingerprint;
use crate::trace::{Arrival, CacheEvent, Exchange, Failure, Handling, Record, Served};
use crate::wire::Payload;
use bytes::Bytes;
use std::rc::Rc;

/// One request of a client while it is answered.
pub(super) struct Turn<'a> {
    client: &'a Channel,
    /// Requests that went before on the same connection.
    exchange: u32,
    request: Rc<Request>,
    /// Bytes of its body.
    body: u64,
    arrival: Arrival,
    /// When it had been read.
    started: Time,
    /// Whether the connection ends with it.
    close: bool,
}

/// An answer on its way to a client.
#[derive(Clone, Copy)]
struct Reply<'a> {
    object: &'a Rc<Object>,
    handling: Handling,
    /// The fetch that it is from.
    flight: Option<&'a Flight>,
    /// When the last byte of what had to be fetched had come.
    ready: Time,
    had_stale: bool,
}

impl Edge {
    /// Answers the requests of one client's connection, one after the other.
    pub(super) async fn client(self: &Rc<Self>, client: &Channel) {
        let mut reader = Reader::new();
        for exchange in 0.. {
            let head = match self.host.timeout(self.config.idle, reader.request_head(client)).await {
                Ok(head) => head,
                Err(Elapsed) => return,
            };
            let read = match head {
                Ok(head) => match head.framing() {
                    Ok(framing) => reader.body(client, framing).await.map(|body| (head, body)),
                    Err(error) => Err(ReadError::Malformed(error)),
                },
                Err(error) => Err(error),
            };
            let close = match read {
                Ok((head, body)) => {
                    let close = !head.fields.keeps_alive(head.version);
                    let (arrival, started) = (reader.arrival(), self.host.now());
                    let turn = Turn { client, exchange, request: Rc::new(head), body, arrival, started, close };
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
    async fn answer(self: &Rc<Self>, turn: &Turn<'_>) -> bool {
        match turn.request.method {
            Method::Get | Method::Head => self.look_up(turn).await,
            Method::Purge => {
                purge::carry_out(self, &turn.request);
                self.plain(turn, 200).await
            }
            _ => self.pass(turn).await,
        }
    }

    /// What is stored for this request, and the name under which it is or would be.
    fn stored(&self, request: &Request) -> (Bytes, Option<Rc<Object>>) {
        let variant =
            self.varies.borrow().get(&request.target).map_or_else(Bytes::new, |vary| vary.key(&request.fields));
        let name = super::name(&request.target, &variant);
        let object = self.store.borrow_mut().get(&name);
        (name, object)
    }

    async fn look_up(self: &Rc<Self>, turn: &Turn<'_>) -> bool {
        let request = &turn.request;
        // What is known to be for one request only is not waited for.
        let mut alone = self.config.coalesce.is_none() || self.personal.borrow().contains(&request.target);
        let mut ready = turn.started;
        // The fetch that was waited for last and brought nothing for this request: it will not later.
        let mut in_vain = None;
        loop {
            let (name, found) = self.stored(request);
            let now = self.host.now();
            let stale = match &found {
                None => None,
                Some(object) => {
                    let handling = match object.usable(now) {
                        Use::Fresh(_) if object.head.status >= 400 => Handling::Negative,
                        Use::Fresh(_) => Handling::Hit,
                        Use::WhileRevalidating(_) => Handling::Stale,
                        Use::Validate(_) => Handling::Miss,
                    };
                    if handling == Handling::Stale && !self.flights.borrow().contains_key(&name) {
                        drop(self.fetch(turn.wanted(Some(name.clone()), Some(Rc::clone(object)), None)));
                    }
                    if handling != Handling::Miss {
                        return self
                            .reply(turn, Reply { object, handling, flight: None, ready, had_stale: false })
                            .await;
                    }
                    Some(object)
                }
            };
            if request.method == Method::Head {
                return self.pass(turn).await;
            }
            let cause = Some((turn.client.flow(), turn.exchange));
            let worth = |flight: &&Rc<Flight>| !alone && in_vain != Some(flight.id) && joinable(flight, now);
            let others = self.flights.borrow().get(&name).filter(worth).cloned();
            let leads = others.is_none();
            let flight = others.unwrap_or_else(|| {
                let shared = (!alone).then(|| name.clone());
                self.fetch(turn.wanted(shared, stale.cloned(), cause))
            });
            let patience = self.config.coalesce.filter(|_| !leads).map_or(Span::MAX, |coalesce| coalesce.wait);
            let Ok(came) = self.host.timeout(patience, flight.head()).await else {
                alone = true;
                continue;
            };
            let now = self.host.now();
            ready = now;
            let failed = match &came {
                Came::Failed(_) => true,
                Came::Answer(object) => object.is_error(),
                Came::Valid(_) => false,
            };
            if let Some(object) = stale.filter(|stale| failed && stale.usable_on_error(now)) {
                let reply = Reply { object, handling: Handling::StaleOnError, flight: None, ready, had_stale: true };
                return self.reply(turn, reply).await;
            }
            let retried = !leads && self.config.coalesce.is_some_and(|coalesce| coalesce.failed == Failed::Retry);
            match came {
                _ if failed && retried => {}
                Came::Failed(why) => return self.error(turn, why, ready).await,
                Came::Answer(object) | Came::Valid(object) if leads || suits(&flight, request, &object) => {
                    let validated = stale.is_some_and(|stale| stale.body == object.body)
                        && matches!(flight.came(), Some(Came::Valid(_)));
                    let handling = match (leads, validated) {
                        (false, _) => Handling::Coalesced,
                        (true, true) => Handling::Revalidated,
                        (true, false) => Handling::Miss,
                    };
                    let had_stale = stale.is_some();
                    return self
                        .reply(turn, Reply { object: &object, handling, flight: Some(&flight), ready, had_stale })
                        .await;
                }
                // Another variant is looked for again, now that it is known what variants differ in; what nobody may share is fetched.
                Came::Answer(object) | Came::Valid(object) => {
                    alone = object.storable.is_none() || object.control.no_cache;
                }
            }
            in_vain = Some(flight.id);
        }
    }

    /// Passes on what is not for caches; a change takes what is stored with it (RFC 9111 4.4).
    async fn pass(self: &Rc<Self>, turn: &Turn<'_>) -> bool {
        let cause = Some((turn.client.flow(), turn.exchange));
        let flight = self.fetch(turn.wanted(None, None, cause));
        let came = flight.head().await;
        let ready = self.host.now();
        match came {
            Came::Answer(object) | Came::Valid(object) => {
                let changes = !matches!(turn.request.method, Method::Head | Method::Options | Method::Trace);
                if changes && object.head.status < 400 {
                    purge::forget(self, &turn.request.target);
                }
                let reply = Reply {
                    object: &object,
                    handling: Handling::Passed,
                    flight: Some(&flight),
                    ready,
                    had_stale: false,
                };
                self.reply(turn, reply).await
            }
            Came::Failed(why) => self.error(turn, why, ready).await,
        }
    }

    /// Sends an answer, as it comes if it is being fetched.
    async fn reply(&self, turn: &Turn<'_>, reply: Reply<'_>) -> bool {
        let Reply { object, handling, flight, had_stale, .. } = reply;
        let request = &turn.request;
        let not_modified = object.head.status == 200
            && object
                .etag()
                .is_some_and(|etag| request.method == Method::Get && validator::matches(&request.fields, etag));
        let about = About { edge: self.host.name(), handling, had_stale, now: self.host.now(), close: turn.close };
        let head = status::to_client(object, not_modified, about);
        let body = if not_modified || request.method == Method::Head || matches!(head.status, 204 | 304) {
            0
        } else {
            object.body
        };
        let coming = flight.filter(|flight| body > 0 && matches!(flight.came(), Some(Came::Answer(_))));
        let Some(flight_under_way) = coming else {
            let ready = match flight {
                // What has no body for the client may have one on its way to the store; nobody waits for that.
                Some(flight) if handling == Handling::Passed => flight.over().await.0,
                _ => reply.ready,
            };
            self.answered(turn, Reply { ready, ..reply }, body);
            return turn.client.write(http1::message(head.encode(), body)).await.is_err() || turn.close;
        };
        let mut out = Payload::real(head.encode());
        let mut sent = 0;
        loop {
            let (arrived, ended) = flight_under_way.more(sent).await;
            out.append(Payload::filler(arrived - sent));
            sent = arrived;
            match ended {
                Some((ready, true)) => {
                    self.answered(turn, Reply { ready: ready.max(reply.ready), ..reply }, body);
                    return turn.client.write(out).await.is_err() || turn.close;
                }
                Some((_, false)) => {
                    turn.client.abort();
                    return true;
                }
                None if turn.client.write(std::mem::take(&mut out)).await.is_err() => return true,
                None => {}
            }
        }
    }

    /// Answers with an error of the edge's own.
    async fn error(&self, turn: &Turn<'_>, why: Option<Failure>, ready: Time) -> bool {
        let status = match why {
            Some(Failure::Timeout) => 504,
            Some(_) => 502,
            None => 503,
        };
        let now = self.host.now();
        let object =
            Rc::new(Object::new(http1::answer(status, 0, turn.close, now), 0, (now, now), &turn.request, &self.config));
        let reply = Reply { object: &object, handling: Handling::Failed, flight: None, ready, had_stale: false };
        self.reply(turn, reply).await
    }

    /// Answers without a body, at once.
    async fn plain(&self, turn: &Turn<'_>, status: u16) -> bool {
        let head: Response = http1::answer(status, 0, turn.close, self.host.now());
        self.exchange(turn, turn.started);
        turn.client.write(http1::message(head.encode(), 0)).await.is_err() || turn.close
    }

    /// Tells the observers that the last byte of the answer is there.
    fn answered(&self, turn: &Turn<'_>, reply: Reply<'_>, body: u64) {
        let now = self.host.now();
        let Reply { object, handling, flight, ready, .. } = reply;
        self.exchange(turn, ready);
        self.record(CacheEvent::Served(Served {
            flow: turn.client.flow(),
            exchange: turn.exchange,
            handling,
            fetch: flight.map_or(0, |flight| flight.id),
            path: fingerprint(path(&turn.request)),
            version: object.version(),
            age: object.age(now),
            lifetime: object.lifetime,
            body,
        }));
    }

    fn exchange(&self, turn: &Turn<'_>, ready: Time) {
        let (flow, node, now) = (turn.client.flow(), self.host.node(), self.host.now());
        let whole = Exchange::at_once(flow, turn.exchange, node, turn.arrival, now);
        // All that it did was to ask others; then the answer waits in its connection.
        let calls = ready - turn.started;
        self.host.record(Record::Exchange(Exchange { started: turn.started, finished: ready, calls, ..whole }));
    }
}

impl Turn<'_> {
    /// What is to be fetched for it; `stale` is what is stored, `cause` its own exchange if it waits.
    fn wanted(&self, shared: Option<Bytes>, stale: Option<Rc<Object>>, cause: Option<(u64, u32)>) -> Wanted {
        let (request, client) = (Rc::clone(&self.request), self.client.remote());
        Wanted { shared, request, body: self.body, client, cause, stale }
    }
}

/// Whether what another request fetched answers this one.
fn suits(flight: &Flight, request: &Request, object: &Object) -> bool {
    let own = object.storable.as_ref().map(|vary| vary.key(&request.fields));
    own.is_some() && flight.variant() == own
}

/// Whether a request that comes now may wait for a fetch: it has not been answered yet, or with what is fit for use still.
fn joinable(flight: &Flight, now: Time) -> bool {
    match flight.came() {
        None => true,
        Some(Came::Answer(object) | Came::Valid(object)) => !matches!(object.usable(now), Use::Validate(_)),
        Some(Came::Failed(_)) => false,
    }
}

/// The target without its query.
fn path(request: &Request) -> &[u8] {
    request.target.split(|&byte| byte == b'?').next().unwrap_or_default()
}
