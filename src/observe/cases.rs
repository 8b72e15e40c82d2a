//! Every single request, message or echo of one traffic, to pick one and explain it.

use super::attribution::{self, Joiner};
use super::fetches::{Fetch, Fetches};
use super::metrics::Kind;
use super::parts::Part;
use super::phase::{Budget, Phase};
use super::roaming::Migration;
use super::samples::{Percentile, Sample, Samples};
use super::sequence::Stretch;
use crate::base::{Span, Time};
use crate::trace::{
    DeadConnection, Echo, Exchange, Failure, Forwarded, Lookup, Message, Notice, PathValidated, Record, Request,
    Returned, Try, What,
};
use std::collections::BTreeMap;

/// What happened in a case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::large_enum_variant, reason = "most cases are requests")]
pub enum Story {
    /// A request, what its server saw, and how its name was looked up.
    Request(Request, Option<Exchange>, Option<Lookup>),
    /// A message that arrived.
    Message(Message),
    /// An echo.
    Echo(Echo),
}

/// One request, message or echo.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Case {
    /// Its number in its traffic.
    pub number: u64,
    /// When it began.
    pub start: Time,
    /// When it ended.
    pub end: Time,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
    /// What happened.
    pub story: Story,
    /// Its tries, where there may be several, in the order of their beginning.
    tries: Vec<Try>,
    /// Dead connections that it met, in the order of time.
    dead: Vec<DeadConnection>,
    phases: &'static [Phase],
    shares: Vec<Span>,
}

impl Case {
    /// How long it took.
    #[must_use]
    pub fn latency(&self) -> Span {
        self.end - self.start
    }

    /// How its latency divides.
    #[must_use]
    pub fn budget(&self) -> Budget<'_> {
        Budget::new(self.phases, &self.shares)
    }

    fn of_request(request: Request, exchange: Option<Exchange>, lookup: Option<Lookup>) -> Self {
        Self {
            number: request.number,
            start: request.start,
            end: request.end,
            failure: request.failure,
            story: Story::Request(request, exchange, lookup),
            phases: Phase::REQUEST,
            tries: Vec::new(),
            dead: Vec::new(),
            shares: attribution::of_request(&request, exchange.as_ref()).to_vec(),
        }
    }

    fn of_message(message: Message) -> Self {
        Self {
            number: message.number,
            start: message.written,
            end: message.arrival.released,
            failure: None,
            story: Story::Message(message),
            tries: Vec::new(),
            dead: Vec::new(),
            phases: Phase::MESSAGE,
            shares: attribution::of_message(&message).to_vec(),
        }
    }

    fn of_echo(echo: Echo) -> Self {
        let shares = attribution::of_echo(&echo).unwrap_or_default();
        Self {
            number: echo.number,
            start: echo.sent,
            end: echo.answer.map_or(echo.sent, |(_, time)| time),
            failure: echo.answer.is_none().then_some(Failure::Timeout),
            story: Story::Echo(echo),
            tries: Vec::new(),
            dead: Vec::new(),
            phases: Phase::ECHO,
            shares: shares.to_vec(),
        }
    }
}

/// Of what was asked behind a request, so many flows are drawn, the slowest: a wide fan-out has more lifelines than a line has columns.
const DRAWN: usize = 8;

/// Which case to pick.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pick {
    /// The one with this number.
    Number(u64),
    /// The slowest of those that ended well; of those that failed where none did.
    Slowest,
    /// The one at the median of those that ended well.
    Median,
}

/// Reads the records of one traffic and keeps every case.
#[derive(Debug)]
pub struct Cases {
    traffic: u32,
    joiner: Joiner,
    lookups: BTreeMap<u64, Lookup>,
    /// What servers asked, by the exchange for whose sake.
    calls: BTreeMap<(u64, u32), Vec<Request>>,
    /// What proxies passed on, by the exchange for whose sake.
    forwards: BTreeMap<(u64, u32), Vec<Forwarded>>,
    /// What came of it, by the exchange that it became.
    returns: BTreeMap<(u64, u32), Returned>,
    /// Tries of requests that have not ended.
    tries: BTreeMap<u64, Vec<Try>>,
    /// Dead connections that requests met which have not ended.
    dead: BTreeMap<u64, Vec<DeadConnection>>,
    /// When retransmission timers expired, by flow.
    timeouts: BTreeMap<u64, Vec<Time>>,
    /// Connections that moved to other addresses.
    moved: Vec<PathValidated>,
    all: BTreeMap<u64, Case>,
    fetches: Fetches,
}

impl Cases {
    /// A reader for one traffic (its number in the plan).
    #[must_use]
    pub fn new(traffic: u32) -> Self {
        Self {
            traffic,
            joiner: Joiner::default(),
            lookups: BTreeMap::new(),
            calls: BTreeMap::new(),
            forwards: BTreeMap::new(),
            returns: BTreeMap::new(),
            tries: BTreeMap::new(),
            dead: BTreeMap::new(),
            timeouts: BTreeMap::new(),
            moved: Vec::new(),
            all: BTreeMap::new(),
            fetches: Fetches::default(),
        }
    }

    /// Takes a record in.
    pub fn record(&mut self, record: &Record) {
        self.fetches.record(record);
        if let Record::Request(call) = record
            && let Some(cause) = call.cause
        {
            self.calls.entry(cause).or_default().push(*call);
        }
        match *record {
            Record::Try(tried) if tried.traffic == self.traffic => {
                self.tries.entry(tried.number).or_default().push(tried);
            }
            Record::Dead(dead) if dead.traffic == self.traffic => {
                self.dead.entry(dead.number).or_default().push(dead);
            }
            Record::Notice(Notice { what: What::Rto, flow, time, .. }) => {
                self.timeouts.entry(flow).or_default().push(time);
            }
            Record::PathValidated(moved) => self.moved.push(moved),
            Record::Request(request) if request.traffic == self.traffic => {
                let joined = self.joiner.request(request);
                self.joined(joined.as_ref());
            }
            Record::Exchange(exchange) => {
                let joined = self.joiner.exchange(exchange);
                self.joined(joined.as_ref());
            }
            Record::Forwarded(forwarded) => self.forwards.entry(forwarded.front).or_default().push(forwarded),
            Record::Returned(returned) => {
                self.returns.insert(returned.back, returned);
            }
            Record::Lookup(lookup) => {
                self.lookups.insert(lookup.flow, lookup);
            }
            Record::Message(message) if message.traffic == self.traffic => {
                self.all.entry(message.number).or_insert_with(|| Case::of_message(message));
            }
            Record::Echo(echo) if echo.traffic == self.traffic => {
                self.all.insert(echo.number, Case::of_echo(echo));
            }
            _ => {}
        }
    }

    fn joined(&mut self, pair: Option<&(Request, Option<Exchange>)>) {
        if let Some(&(request, exchange)) = pair {
            let lookup = self.lookups.get(&request.lookup_flow).copied();
            let mut case = Case::of_request(request, exchange, lookup);
            case.tries = self.tries.remove(&request.number).unwrap_or_default();
            case.tries.sort_by_key(|tried| tried.index);
            case.dead = self.dead.remove(&request.number).unwrap_or_default();
            self.all.insert(request.number, case);
        }
    }

    /// The tries of a case where there were several and the dead connections that they met, and then what proxies passed on for it and
    /// what its servers asked of others, in the order of their beginning.
    #[must_use]
    pub fn parts(&self, case: &Case) -> (Vec<Part>, Vec<Part>) {
        let Story::Request(request, ..) = &case.story else { return (Vec::new(), Vec::new()) };
        let mut tries: Vec<Part> = case.tries.iter().map(|tried| Part::of_try(tried, case.start)).collect();
        if tries.len() == 1 {
            tries.clear();
        }
        tries.extend(case.dead.iter().map(|dead| Part::of_dead(dead, self.timeouts(dead), case.start)));
        tries.sort_by_key(|part| (part.start, part.what));
        let mut calls: Vec<Part> = Vec::new();
        let (asked, forwarded) = self.behind(request);
        calls.extend(asked.iter().map(|call| Part::of_call(call, case.start)));
        calls.extend(forwarded.iter().map(|(there, back)| Part::of_forward(there, *back, case.start)));
        calls.sort_by_key(|call| (call.start, call.start + call.took, call.what));
        (tries, calls)
    }

    /// What the servers of a request asked of others, and what proxies passed on for it with what came back.
    fn behind(&self, request: &Request) -> (Vec<&Request>, Vec<(&Forwarded, Option<&Returned>)>) {
        let (mut asked, mut passed) = (Vec::new(), Vec::new());
        let mut exchanges = vec![(request.flow, request.exchange)];
        while let Some(exchange) = exchanges.pop() {
            asked.extend(self.calls.get(&exchange).into_iter().flatten());
            for forwarded in self.forwards.get(&exchange).into_iter().flatten() {
                passed.push((forwarded, self.returns.get(&forwarded.back)));
                exchanges.push(forwarded.back);
            }
        }
        (asked, passed)
    }

    /// How often a timer expired while a request waited on a dead connection.
    fn timeouts(&self, dead: &DeadConnection) -> u32 {
        let all = self.timeouts.get(&dead.flow).into_iter().flatten();
        u32::try_from(all.filter(|&&at| at >= dead.start && at <= dead.end).count()).unwrap_or(u32::MAX)
    }

    /// The stretches of flows whose packets belong to a case, those of the asker itself and those of what was done behind it.
    #[must_use]
    pub fn stretches(&self, case: &Case) -> Vec<Stretch> {
        let mut all = Vec::new();
        let mut add = |flow, from, to| {
            if flow != 0 && !all.iter().any(|stretch: &Stretch| (stretch.flow, stretch.from) == (flow, from)) {
                all.push(Stretch { flow, from, to });
            }
        };
        let request = match &case.story {
            Story::Request(request, ..) => request,
            Story::Message(message) => {
                add(message.flow, case.start, case.end);
                return all;
            }
            Story::Echo(_) => return all,
        };
        add(request.lookup_flow, case.start, case.end);
        case.tries.iter().for_each(|tried| add(tried.flow, tried.start, tried.end));
        case.dead.iter().for_each(|dead| add(dead.flow, dead.start, dead.end));
        add(request.flow, request.tried, case.end);
        let (asked, passed) = self.behind(request);
        let mut behind: Vec<(u64, Time, Time)> = asked.iter().map(|call| (call.flow, call.start, call.end)).collect();
        behind.extend(passed.iter().map(|(there, back)| {
            // The first on its connection had to open it.
            let from = if there.back.1 == 0 { case.start } else { there.time };
            (there.back.0, from, back.map_or(case.end, |back| back.time))
        }));
        behind.extend(self.fetches(case).iter().map(|fetch| (fetch.flow, fetch.start, fetch.start + fetch.took)));
        behind.sort_by_key(|&(flow, from, to)| (std::cmp::Reverse(to.since(from)), from, flow));
        behind.into_iter().take(DRAWN).for_each(|(flow, from, to)| add(flow, from, to));
        all
    }

    /// When the connection of a case moved to another address while it was under way.
    #[must_use]
    pub fn moves(&self, case: &Case) -> Vec<Migration> {
        let flow = match &case.story {
            Story::Request(request, ..) => request.flow,
            Story::Message(message) => message.flow,
            Story::Echo(_) => return Vec::new(),
        };
        let during = |moved: &&PathValidated| moved.flow == flow && moved.since <= case.end && moved.time >= case.start;
        self.moved.iter().filter(during).copied().map(Migration::from).collect()
    }

    /// What edges fetched for a case, one behind the other.
    #[must_use]
    pub fn fetches(&self, case: &Case) -> Vec<Fetch> {
        match &case.story {
            Story::Request(request, ..) => self.fetches.of((request.flow, request.exchange)),
            _ => Vec::new(),
        }
    }

    /// Ends the reading.
    pub fn finish(&mut self) {
        let rest: Vec<_> = self.joiner.finish().collect();
        rest.iter().for_each(|pair| self.joined(Some(pair)));
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The case that was asked for, if there is one.
    #[must_use]
    pub fn pick(&self, pick: Pick) -> Option<&Case> {
        if let Pick::Number(number) = pick {
            return self.all.get(&number);
        }
        let mut candidates: Vec<&Case> = self.all.values().filter(|case| case.failure.is_none()).collect();
        if candidates.is_empty() {
            candidates = self.all.values().collect();
        }
        candidates.sort_by_key(|case| (case.latency(), std::cmp::Reverse(case.number)));
        if pick == Pick::Slowest {
            return candidates.last().copied();
        }
        // The same rank as in the summary; of equals the first by number.
        let latencies = candidates.iter().map(|case| Sample { time: case.end, latency: case.latency() });
        let median = latencies.collect::<Samples>().sorted().nearest(Percentile::P50)?;
        candidates.into_iter().filter(|case| case.latency() == median).min_by_key(|case| case.number)
    }
}

/// Whether single cases of this kind can be explained.
#[must_use]
pub const fn explainable(kind: Kind) -> bool {
    !matches!(kind, Kind::Bulk)
}
