//! Fetching: the upstream is asked, its answer is handed to those who wait as it comes, and stored when it is whole.

use super::Edge;
use super::flight::{Came, Flight};
use super::object::Object;
use super::status;
use super::store::Stored;
use crate::app::http1::{Framing, Method, Request};
use crate::base::Time;
use crate::service::balancer::backends::{Chosen, Exhausted, Question};
use crate::service::balancer::hash_of;
use crate::trace::{CacheEvent, Failure, Record, Request as Asked};
use bytes::Bytes;
use std::net::SocketAddrV4;
use std::rc::Rc;

/// Bytes of a body that are taken in at a time.
const PART: u64 = 64 << 10;

/// What is to be fetched.
pub(super) struct Wanted {
    /// The name under which others look for the fetch, if they may share it.
    pub(super) shared: Option<Bytes>,
    /// The request, as a client made it.
    pub(super) request: Rc<Request>,
    /// Bytes of its body.
    pub(super) body: u64,
    pub(super) client: SocketAddrV4,
    /// The exchange for whose sake; `None` if nobody waits.
    pub(super) cause: Option<(u64, u32)>,
    /// What is stored and may be right still.
    pub(super) stale: Option<Rc<Object>>,
}

impl Edge {
    /// Begins a fetch; others find it under its name.
    pub(super) fn fetch(self: &Rc<Self>, wanted: Wanted) -> Rc<Flight> {
        let id = self.fetches.get() + 1;
        self.fetches.set(id);
        let flight = Rc::new(Flight::new(id, wanted.shared.clone()));
        self.show(&flight);
        let (edge, under_way) = (Rc::clone(self), Rc::clone(&flight));
        drop(self.host.spawn(async move {
            edge.carry_out(&wanted, &under_way).await;
            edge.hide(&under_way);
        }));
        flight
    }

    /// Others find the fetch from now on, if they may share it.
    fn show(&self, flight: &Rc<Flight>) {
        if let Some(name) = flight.name() {
            self.flights.borrow_mut().insert(name, Rc::clone(flight));
        }
    }

    /// Others do not find it any more; another may have taken its place already. True if they did.
    fn hide(&self, flight: &Flight) -> bool {
        let mut flights = self.flights.borrow_mut();
        let Some(name) = flight.name().filter(|name| flights.get(name).is_some_and(|other| other.id == flight.id))
        else {
            return false;
        };
        flights.remove(&name).is_some()
    }

    /// The head says what variants differ in: whoever comes from now on asks for one of them, and finds this one while its body is coming.
    fn learn(&self, wanted: &Wanted, flight: &Rc<Flight>, object: &Object) {
        let Some(vary) = object.storable.as_ref().filter(|vary| !vary.is_none()) else { return };
        let target = &wanted.request.target;
        self.varies.borrow_mut().insert(target.clone(), vary.clone());
        if self.hide(flight) {
            flight.rename(super::name(target, &vary.key(&wanted.request.fields)));
            self.show(flight);
        }
    }

    async fn carry_out(&self, wanted: &Wanted, flight: &Rc<Flight>) {
        let began = self.host.now();
        let request = &wanted.request;
        let etag = wanted.stale.as_ref().and_then(|stale| stale.etag());
        let head = status::to_upstream(request, *wanted.client.ip(), self.host.name(), etag, wanted.body);
        let key = hash_of(&self.config.upstream.algorithm, request, wanted.client);
        let question = Question { head: &head, body: wanted.body, method: request.method, more: false, front: None };
        let mut seen = Asked { cause: wanted.cause, ..Asked::begun(u32::MAX, flight.id, self.host.node(), began) };
        let chosen = match self.backends.any(key, question).await {
            Ok(chosen) => chosen,
            Err(Exhausted { failure, asked, since }) => {
                flight.announce(Came::Failed(failure), None);
                flight.end(self.host.now(), false);
                (seen.tried, seen.renewed, seen.resolved) = (since.tried, since.renewed, since.renewed);
                if asked {
                    (seen.connected, seen.secured) = (since.renewed, since.renewed);
                }
                return self.fetched(seen, failure.or(Some(Failure::Unreachable)));
            }
        };
        let answer = &chosen.answer;
        (seen.tried, seen.renewed, seen.resolved) = (chosen.since.tried, chosen.since.renewed, chosen.since.renewed);
        (seen.connected, seen.secured, seen.read) = (answer.connected, answer.connected, answer.connected);
        seen.written = answer.written;
        (seen.flow, seen.exchange) = answer.back;
        seen.status = answer.head.status;
        let failure = self.take_in(wanted, flight, chosen, began, &mut seen).await.err();
        self.fetched(seen, failure);
    }

    /// Takes in an answer whose head has come.
    async fn take_in(
        &self,
        wanted: &Wanted,
        flight: &Rc<Flight>,
        mut chosen: Chosen,
        began: Time,
        seen: &mut Asked,
    ) -> Result<(), Failure> {
        let request = &wanted.request;
        let came = self.host.now();
        let method = request.method;
        let answer = &mut chosen.answer;
        let framing = answer.head.framing(method);
        let (stream, reader) = (&answer.connection.stream, &mut answer.connection.reader);
        let mut rest = 0;
        let length = match framing {
            Ok(Framing::Length(length)) => {
                rest = length;
                Ok(length)
            }
            // A length that nobody has said is known when all has come.
            Ok(framing) => reader.body(stream, framing).await.map_err(|_| ()),
            Err(_) => Err(()),
        };
        let Ok(length) = length else {
            flight.announce(Came::Failed(Some(Failure::Broken)), None);
            flight.end(self.host.now(), false);
            chosen.held.fail(Failure::Broken);
            return Err(Failure::Broken);
        };
        seen.body = length;
        let stale = wanted.stale.as_ref().filter(|_| answer.head.status == 304 && method == Method::Get);
        let object = match stale {
            Some(stale) => Rc::new(stale.refreshed(&answer.head, (began, came), request, &self.config)),
            None => Rc::new(Object::new(answer.head.clone(), length, (began, came), request, &self.config)),
        };
        let variant = object.storable.as_ref().filter(|_| method == Method::Get).map(|vary| vary.key(&request.fields));
        // What has to be validated each time is not shared with those who come later.
        let sharable = variant.clone().filter(|_| !object.control.no_cache);
        if stale.is_some() {
            self.keep(wanted, flight, &object);
            flight.announce(Came::Valid(Rc::clone(&object)), sharable);
        } else {
            if method == Method::Get && !flight.is_purged() {
                self.learn(wanted, flight, &object);
            }
            flight.announce(Came::Answer(Rc::clone(&object)), sharable);
            flight.grew(length - rest);
        }
        while rest > 0 {
            let Ok(part) = reader.part(stream, rest.min(PART)).await else {
                chosen.held.fail(Failure::Broken);
                flight.end(self.host.now(), false);
                return Err(Failure::Broken);
            };
            rest -= part.len();
            if rest == 0 && stale.is_none() {
                self.keep(wanted, flight, &object);
            }
            flight.grew(part.len());
        }
        if length == 0 && stale.is_none() {
            self.keep(wanted, flight, &object);
        }
        seen.response = reader.arrival();
        flight.end(self.host.now(), true);
        drop(chosen.held);
        self.backends.done(chosen.id, chosen.answer, method);
        Ok(())
    }

    /// Stores what has come, or takes note that it cannot be stored.
    fn keep(&self, wanted: &Wanted, flight: &Flight, object: &Rc<Object>) {
        let target = &wanted.request.target;
        if wanted.request.method != Method::Get {
            return;
        }
        let mut store = self.store.borrow_mut();
        let Some(vary) = &object.storable else {
            self.personal.borrow_mut().insert(target.clone());
            return;
        };
        self.personal.borrow_mut().remove(target);
        if flight.is_purged()
            || object.is_error() && wanted.stale.as_ref().is_some_and(|stale| stale.usable_on_error(self.host.now()))
        {
            return;
        }
        if vary.is_none() {
            self.varies.borrow_mut().remove(target);
        } else {
            self.varies.borrow_mut().insert(target.clone(), vary.clone());
        }
        let name = super::name(target, &vary.key(&wanted.request.fields));
        if let Stored::Here { evicted: objects @ 1.. } = store.insert(name, Object::clone(object), object.bytes) {
            self.record(CacheEvent::Evicted { objects });
        }
    }

    /// Tells the observers of a fetch that has ended now.
    fn fetched(&self, seen: Asked, failure: Option<Failure>) {
        let end = self.host.now();
        let by_end = |instant: Time| instant.min(end);
        self.host.record(Record::Fetched(Asked {
            resolved: by_end(seen.resolved),
            connected: by_end(seen.connected),
            secured: by_end(seen.secured),
            read: by_end(seen.read),
            written: by_end(seen.written),
            end,
            failure,
            ..seen
        }));
    }
}
