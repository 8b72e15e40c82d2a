//! One request as a user feels it, with all its tries: when each is made, which one counts, and what is recorded of it.

use super::backoff::Waits;
use super::breaker::{Breaker, Pass};
use super::budget::Budget;
use super::bulkhead::Bulkhead;
use super::catalogue::Objects;
use super::hedge::Latencies;
use super::retry::is_servers;
use super::{Config, Connections, Origin, User};
use crate::app::http1::{self, Ask, Method};
use crate::app::tls::ClientConfig;
use crate::base::{Rng, Span, Time};
use crate::host::{Elapsed, Host};
use crate::service::registry::Watched;
use crate::service::server::{DEADLINE, PAYMENT, deadline};
use crate::service::stub::Stub;
use crate::trace::{Circuit, Failure, Record, Request, RequestStarted, Tripped, Try, Verdict};
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

/// What all requests of one traffic on one host share.
pub(super) struct Asker {
    pub(super) host: Host,
    pub(super) config: Config,
    pub(super) stub: Stub,
    /// Its copy of a registry's list, and a choice among those on it.
    pub(super) registered: Option<Rc<Watched>>,
    /// How it speaks TLS.
    pub(super) tls: Option<ClientConfig>,
    /// The head of every request, but for what is each request's own.
    head: http1::Request,
    /// The head by which a conditional request reads first, but for the object.
    reading: Option<http1::Request>,
    objects: Option<Objects>,
    bulkhead: Option<Bulkhead>,
    breaker: Option<RefCell<Breaker>>,
    /// What retries and hedges may be made of.
    retries: Option<RefCell<Budget>>,
    hedges: Option<RefCell<Budget>>,
    latencies: RefCell<Latencies>,
    /// Draws the waits between tries, in the order in which they begin.
    waits: RefCell<Rng>,
}

/// A try as something to wait for.
type Attempt<'a> = Pin<Box<dyn Future<Output = Result<(), Failure>> + 'a>>;

/// A try under way.
#[derive(Clone)]
struct Flight {
    index: u32,
    hedge: bool,
    seen: Rc<Cell<Request>>,
}

/// What is known of a request while it is being tried.
struct Story {
    /// When the request is given up, where that is said to whoever is asked.
    until: Option<Time>,
    begun: Request,
    held: Cell<Span>,
    backoff: Cell<Span>,
    tries: Cell<u32>,
    /// The try that brought the answer; until there is one, the last.
    current: RefCell<Option<Rc<Cell<Request>>>>,
    flights: RefCell<Vec<Flight>>,
}

impl Story {
    fn take_off(&self, hedge: bool, now: Time) -> Flight {
        let index = self.tries.get();
        self.tries.set(index + 1);
        let seen = Rc::new(Cell::new(Request { tried: now, renewed: now, ..self.begun }));
        let flight = Flight { index, hedge, seen };
        *self.current.borrow_mut() = Some(Rc::clone(&flight.seen));
        self.flights.borrow_mut().push(flight.clone());
        flight
    }

    /// What is recorded of the request, which ends now.
    fn end(&self, failure: Option<Failure>, now: Time) -> Request {
        let current = self.current.borrow().as_ref().map_or(self.begun, |seen| seen.get());
        Request {
            failure,
            tried: current.tried.min(now),
            renewed: current.renewed.min(now),
            resolved: current.resolved.min(now),
            connected: current.connected.min(now),
            secured: current.secured.min(now),
            read: current.read.min(now),
            written: current.written.min(now),
            end: now,
            held: self.held.get(),
            backoff: self.backoff.get(),
            tries: self.tries.get(),
            ..current
        }
    }
}

impl Asker {
    /// How many instances it may ever ask.
    pub(super) fn instances(&self) -> usize {
        self.registered.as_ref().map_or(1, |watched| watched.len())
    }
}

impl Asker {
    pub(super) fn new(host: Host, stub: Stub, config: Config) -> Self {
        let name = match &config.origin {
            Origin::Name(name) => name.to_string(),
            Origin::Addr(addr) => addr.to_string(),
        };
        let usual_port = if config.tls.is_some() { 443 } else { 80 };
        let host_field = if config.port == usual_port { name } else { format!("{name}:{}", config.port) };
        let ask = Ask {
            method: config.method,
            target: &config.path,
            host: &host_field,
            body: config.body_bytes,
            close: config.connections == Connections::PerRequest,
            size: config.head,
            fields: &config.headers,
        };
        let head = ask.head();
        let reading = Ask { method: Method::Get, body: 0, ..ask }.head();
        let reading = config.conditional.then_some(reading);
        // There is no indication of an address (RFC 6066 3).
        let server_name = match &config.origin {
            Origin::Name(name) => Some(name.to_string().trim_end_matches('.').to_owned()),
            Origin::Addr(_) => None,
        };
        let tls = config.tls.map(|tls| tls.session(server_name, config.method));
        let now = host.now();
        let registered = config.registry.clone().map(|watch| Watched::start(&host, watch));
        let policy = &config.policy;
        let budget = |config| RefCell::new(Budget::new(config, now));
        Self {
            bulkhead: policy.bulkhead.map(Bulkhead::new),
            breaker: policy.breaker.map(|config| RefCell::new(Breaker::new(config))),
            retries: policy.retry.as_ref().and_then(|retry| retry.budget).map(budget),
            hedges: policy.hedge.and_then(|hedge| hedge.budget).map(budget),
            registered,
            latencies: RefCell::default(),
            objects: config.catalogue.map(Objects::new),
            waits: RefCell::new(host.rng(&format!("traffic/{}/backoff", config.name))),
            host,
            config,
            stub,
            tls,
            head,
            reading,
        }
    }

    /// A head with the object that request `number` is for.
    fn about(&self, head: &http1::Request, number: u64) -> http1::Request {
        let mut head = head.clone();
        if let Some(objects) = &self.objects {
            let object = objects.of(&self.host, &self.config.name, number);
            head.target = format!("{}{object}", self.config.path).into();
        }
        head
    }

    /// The head by which `user` reads what the conditional request `number` is about.
    pub(super) fn reading(&self, number: u64, user: &User) -> Option<Bytes> {
        let mut head = self.about(self.reading.as_ref()?, number);
        self.bake(&mut head, user);
        Some(head.encode())
    }

    /// Adds the cookies that `user` has for the path.
    fn bake(&self, head: &mut http1::Request, user: &User) {
        let Some(jar) = &user.cookies else { return };
        if let Some(cookies) = jar.borrow().field(&self.config.path, self.tls.is_some(), self.host.now()) {
            head.fields.push("Cookie", cookies);
        }
    }

    /// The head of request `number` of `user`, to be answered only if what it is about still has the version `version`, and waited for
    /// `until` then.
    pub(super) fn head(&self, number: u64, version: Option<&Bytes>, user: &User, until: Option<Time>) -> Bytes {
        let mut head = self.about(&self.head, number);
        if let Some(until) = until {
            head.fields.push(DEADLINE, deadline::field(until.since(self.host.now())));
        }
        self.bake(&mut head, user);
        if self.config.idempotency_key {
            // A structured field: a text in quotes.
            head.fields.push("Idempotency-Key", format!("\"{}-{number}\"", self.config.name));
        }
        if let Some(cents) = self.config.pays {
            head.fields.push(PAYMENT, cents.to_string());
        }
        if let Some(version) = version {
            head.fields.push("If-Match", version.clone());
        }
        head.encode()
    }

    /// Makes the `index`-th request of this host, for the sake of `cause` if a server asks. Emits a [`RequestStarted`], a [`Try`] for
    /// each try where there may be several, and, unless it never ends, a [`Request`].
    pub(super) async fn request(
        &self,
        index: u64,
        user: &User,
        cause: Option<((u64, u32), Option<Time>)>,
    ) -> Result<(), Failure> {
        let start = self.host.now();
        let (traffic, number) = (self.config.traffic, self.config.numbering.at(index));
        self.host.record(Record::RequestStarted(RequestStarted { traffic, number, time: start }));
        let inherited = cause.and_then(|(_, until)| until);
        let own = self.config.timeout.map(|limit| start.saturating_add(limit));
        // A deadline that is inherited is passed on.
        let until = own.into_iter().chain(inherited).min();
        let cause = cause.map(|(cause, _)| cause);
        let story = Story {
            until: until.filter(|_| self.config.deadline || inherited.is_some()),
            begun: Request { cause, ..Request::begun(traffic, number, self.host.node(), start) },
            held: Cell::default(),
            backoff: Cell::default(),
            tries: Cell::default(),
            current: RefCell::default(),
            flights: RefCell::default(),
        };
        let result = match until {
            None => self.persist(&story, user).await,
            Some(until) => match self.host.timeout(until.since(start), self.persist(&story, user)).await {
                Ok(result) => result,
                Err(Elapsed) => Err(Failure::Timeout),
            },
        };
        let left = if result.is_ok() { Verdict::Overtaken } else { Verdict::Failed(Failure::Timeout) };
        let flights = story.flights.take();
        flights.into_iter().for_each(|flight| self.landed(&flight, left));
        self.host.record(Record::Request(story.end(result.err(), self.host.now())));
        result
    }

    /// Tries, and tries again as far as the policy goes.
    async fn persist(&self, story: &Story, user: &User) -> Result<(), Failure> {
        let policy = &self.config.policy;
        let _place = match &self.bulkhead {
            None => None,
            Some(bulkhead) => {
                let place = bulkhead.enter().await?;
                story.held.set(self.host.now() - story.begun.start);
                Some(place)
            }
        };
        for budget in [&self.retries, &self.hedges].into_iter().flatten() {
            budget.borrow_mut().deposit();
        }
        let mut waits = policy.retry.as_ref().map(|retry| Waits::new(retry.backoff));
        loop {
            let Err(failure) = self.guarded(story, user).await else { return Ok(()) };
            let (Some(retry), Some(waits)) = (&policy.retry, &mut waits) else { return Err(failure) };
            let status = story.current.borrow().as_ref().map_or(0, |seen| seen.get().status);
            let again = story.tries.get() < retry.attempts && retry.on.contain(failure, status);
            if !again || !may(self.retries.as_ref(), self.host.now()) {
                return Err(failure);
            }
            let wait = waits.next(&mut self.waits.borrow_mut());
            if !wait.is_zero() {
                self.host.sleep(wait).await;
                story.backoff.set(story.backoff.get() + wait);
            }
        }
    }

    /// A try behind the circuit breaker.
    async fn guarded(&self, story: &Story, user: &User) -> Result<(), Failure> {
        let Some(breaker) = &self.breaker else { return self.hedged(story, user).await };
        let Some(pass) = self.with_breaker(breaker, Breaker::admit) else {
            return Err(Failure::BreakerOpen);
        };
        // What is given up at the deadline has failed too.
        let mut watch = Watch { asker: self, breaker, pass, failed: true };
        let result = self.hedged(story, user).await;
        let status = story.current.borrow().as_ref().map_or(0, |seen| seen.get().status);
        watch.failed = result.is_err_and(|failure| is_servers(failure, status));
        result
    }

    /// Changes the breaker and tells if it changed its state.
    fn with_breaker<T>(&self, breaker: &RefCell<Breaker>, change: impl FnOnce(&mut Breaker, Time) -> T) -> T {
        let mut breaker = breaker.borrow_mut();
        let (before, time) = (breaker.circuit(), self.host.now());
        let result = change(&mut breaker, time);
        let circuit: Circuit = breaker.circuit();
        if circuit != before {
            let (traffic, node) = (self.config.traffic, self.host.node());
            self.host.record(Record::Tripped(Tripped { traffic, node, time, circuit }));
        }
        result
    }

    /// A try, and further ones beside it while no answer comes. The first answer counts; the others are given up, which closes their
    /// connections.
    async fn hedged(&self, story: &Story, user: &User) -> Result<(), Failure> {
        let Some(hedge) = &self.config.policy.hedge else { return self.single(story, user, false).await };
        let mut tries: Vec<Attempt<'_>> = vec![Box::pin(self.single(story, user, false))];
        let mut left = hedge.most;
        let alarm = |left| {
            let patience = if left > 0 { self.latencies.borrow().patience(hedge.after) } else { None };
            patience.map(|span| Box::pin(self.host.sleep(span)))
        };
        let mut due = alarm(left);
        poll_fn(|context| {
            loop {
                let mut index = 0;
                let mut failed = None;
                while let Some(attempt) = tries.get_mut(index) {
                    match attempt.as_mut().poll(context) {
                        Poll::Ready(Ok(())) => return Poll::Ready(Ok(())),
                        Poll::Ready(Err(failure)) => {
                            failed = Some(failure);
                            drop(tries.remove(index));
                        }
                        Poll::Pending => index += 1,
                    }
                }
                if let (true, Some(failure)) = (tries.is_empty(), failed) {
                    return Poll::Ready(Err(failure));
                }
                if !due.as_mut().is_some_and(|due| due.as_mut().poll(context).is_ready()) {
                    return Poll::Pending;
                }
                left -= 1;
                due = None;
                if may(self.hedges.as_ref(), self.host.now()) {
                    tries.push(Box::pin(self.single(story, user, true)));
                    due = alarm(left);
                }
            }
        })
        .await
    }

    /// One try within its own time.
    async fn single(&self, story: &Story, user: &User, hedge: bool) -> Result<(), Failure> {
        let flight = story.take_off(hedge, self.host.now());
        // Nobody waits for a try longer than for the request.
        let own = self.config.policy.try_timeout.map(|limit| self.host.now().saturating_add(limit));
        let until = story.until.map(|until| own.map_or(until, |own| own.min(until)));
        let attempt = self.attempt(&flight.seen, user, until);
        let result = match self.config.policy.try_timeout {
            None => attempt.await,
            Some(limit) => match self.host.timeout(limit, attempt).await {
                Ok(result) => result,
                Err(Elapsed) => Err(Failure::Timeout),
            },
        };
        story.flights.borrow_mut().retain(|other| other.index != flight.index);
        self.landed(&flight, result.map_or_else(Verdict::Failed, |()| Verdict::Answered));
        if result.is_ok() {
            self.latencies.borrow_mut().add(self.host.now() - flight.seen.get().tried);
            *story.current.borrow_mut() = Some(flight.seen);
        }
        result
    }

    /// Records a try that has ended now.
    fn landed(&self, flight: &Flight, verdict: Verdict) {
        if !self.config.policy.tries_again() {
            return;
        }
        let seen = flight.seen.get();
        self.host.record(Record::Try(Try {
            traffic: seen.traffic,
            number: seen.number,
            index: flight.index,
            start: seen.tried,
            end: self.host.now(),
            flow: seen.flow,
            exchange: seen.exchange,
            status: seen.status,
            verdict,
            hedge: flight.hedge,
        }));
    }
}

/// Whether the budget, if there is one, has room for one more.
fn may(budget: Option<&RefCell<Budget>>, now: Time) -> bool {
    budget.is_none_or(|budget| budget.borrow_mut().withdraw(now))
}

/// Tells the breaker how it ended, also if it is given up.
struct Watch<'a> {
    asker: &'a Asker,
    breaker: &'a RefCell<Breaker>,
    pass: Pass,
    failed: bool,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.asker.with_breaker(self.breaker, |breaker, now| breaker.report(self.pass, self.failed, now));
    }
}
