//! What users felt, per traffic: how many began, ended well, failed and why; every latency; every byte that was of use.

use super::attribution::{self, Joiner};
use super::balancers::Balancing;
use super::ledger::{Entry, Ledger};
pub use super::ledger::{Payments, Sessions};
use super::phase::{Budget, Phase};
use super::samples::{Percentile, Samples, Sorted};
use crate::base::{Span, Time};
use crate::trace::{
    Arrival, Echo, Exchange, Failure, Message, Progress, Record, Request, SessionEvent, Tripped, Try, Turning, Verdict,
};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// Width of the intervals in which useful bytes are counted over time.
pub const INTERVAL: Span = Span::from_millis(100);

/// What a traffic consists of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Requests that are answered; latency from asking to the last byte of the answer.
    Requests,
    /// Messages that may arrive; one-way latency from writing to reading.
    Messages,
    /// ICMP echoes; round-trip time.
    Echoes,
    /// Echoes of growing TTL; round-trip time to each hop.
    Route,
    /// Bytes in bulk for so long; latency from asking for the connection to the end of the transfer.
    Bulk,
    /// Transfers of so many bytes: requests whose answers are worth following as they grow.
    Transfer,
}

impl Kind {
    /// The phases into which its latencies divide.
    #[must_use]
    pub const fn phases(self) -> &'static [Phase] {
        match self {
            Self::Requests | Self::Transfer => Phase::REQUEST,
            Self::Messages => Phase::MESSAGE,
            Self::Echoes | Self::Route => Phase::ECHO,
            Self::Bulk => Phase::BULK,
        }
    }
}

/// What must be known of a traffic before the run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Its name in the scenario.
    pub name: String,
    /// What it consists of.
    pub kind: Kind,
    /// Round trip of light in fiber between its two ends on the great circle (one way for messages), if they have places.
    pub light_floor: Option<Span>,
    /// Goodput counts from here: what comes before is warming up. Rounded down to a whole [`INTERVAL`].
    pub measure_from: Time,
    /// Whether its requests may be tried more than once, and each try is told.
    pub tries_again: bool,
    /// Whether its requests pay something.
    pub pays: bool,
    /// Whether servers keep sessions for those who make them.
    pub sessions: bool,
    /// Whether servers make them for those whom they answer.
    pub called: bool,
}

/// How many there were.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Began (messages: were sent).
    pub started: u64,
    /// Ended well (messages: arrived, each counted once; transfers: ended).
    pub ok: u64,
    /// Failed, by reason.
    pub failed: BTreeMap<Failure, u64>,
    /// Copies of messages that had arrived before.
    pub duplicates: u64,
}

impl Counts {
    /// Failed, whatever the reason.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failed.values().sum()
    }

    /// Neither ended well nor failed when the run ended (messages: lost or still under way).
    #[must_use]
    pub fn unfinished(&self) -> u64 {
        self.started.saturating_sub(self.ok + self.failures())
    }
}

/// What was done about failures and slowness.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Efforts {
    /// Tries that ended, those of requests that are tried once included.
    pub tries: u64,
    /// Of those, tries after one that had failed.
    pub retries: u64,
    /// Retries that brought the answer.
    pub saved: u64,
    /// Tries beside one that was under way.
    pub hedges: u64,
    /// Of those, the ones that brought the answer.
    pub hedges_won: u64,
    /// Tries that failed, by reason.
    pub failed: BTreeMap<Failure, u64>,
    /// Changes of circuit breakers.
    pub tripped: Vec<Tripped>,
}

/// What one server did.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Served {
    /// Requests answered, errors included.
    pub answered: u64,
    /// Requests that it did not work on, by reason.
    pub turned_away: BTreeMap<Turning, u64>,
    /// Time that answered requests had a worker, added up.
    pub worked: Span,
    /// Time that answered requests waited for a worker, added up.
    pub queued: Span,
    /// Least, most and last limit that it found out for itself, once that changed.
    pub limit: Option<(u32, u32, u32)>,
}

/// One flow of a bulk transfer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Flow {
    /// Payload bytes read.
    pub bytes: u64,
    /// When it asked for its connection.
    pub began: Time,
    /// When the last of these bytes was read.
    pub time: Time,
    /// Whether it has ended.
    pub finished: bool,
}

/// What answered probes of one TTL.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Hop {
    /// Probes sent.
    pub sent: u64,
    /// The addresses that answered, in the order in which they first did.
    pub answered_by: Vec<Ipv4Addr>,
    /// Whether the destination itself answered.
    pub reached: bool,
    /// Round-trip times.
    pub samples: Samples,
}

/// Which numbers have been seen.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Seen(Vec<u64>);

impl Seen {
    /// Notes `number`; false if it had been noted before.
    fn insert(&mut self, number: u64) -> bool {
        let (word, bit) = (usize::try_from(number / 64).expect("numbers count up from 0"), 1 << (number % 64));
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        let fresh = self.0[word] & bit == 0;
        self.0[word] |= bit;
        fresh
    }
}

/// What is known of one traffic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Traffic {
    /// What was known before.
    pub plan: Plan,
    /// How many.
    pub counts: Counts,
    /// Latencies of those that ended well.
    pub samples: Samples,
    /// Useful bytes: bodies of answers, payloads of messages, bytes of transfers.
    pub bytes: u64,
    /// When the first began.
    pub first: Option<Time>,
    /// When the last useful thing happened.
    pub last: Time,
    /// Flows of a bulk transfer, by number; `None` for one that nobody has heard of yet.
    pub flows: Vec<Option<Flow>>,
    /// Hops of a route, by TTL.
    pub hops: BTreeMap<u8, Hop>,
    /// What was done about failures.
    pub efforts: Efforts,
    /// What was paid.
    pub payments: Payments,
    /// What became of sessions.
    pub sessions: Sessions,
    /// Useful bytes in each [`INTERVAL`] of the run; an interval contains its end, not its beginning.
    pub intervals: Vec<u64>,
    numbers: Vec<u64>,
    shares: Vec<Span>,
    /// What each phase comes to, in the order of the phases.
    totals: [Span; Phase::REQUEST.len()],
    /// When each began that failed, and why it did.
    failures: Vec<(Time, Failure)>,
    seen: Seen,
}

impl Traffic {
    fn new(plan: Plan) -> Self {
        Self {
            plan,
            counts: Counts::default(),
            samples: Samples::default(),
            bytes: 0,
            first: None,
            last: Time::ZERO,
            flows: Vec::new(),
            hops: BTreeMap::new(),
            efforts: Efforts::default(),
            payments: Payments::default(),
            sessions: Sessions::default(),
            intervals: Vec::new(),
            numbers: Vec::new(),
            shares: Vec::new(),
            totals: [Span::ZERO; Phase::REQUEST.len()],
            failures: Vec::new(),
            seen: Seen::default(),
        }
    }

    /// Number of the `index`th sample's request, message, echo or flow.
    #[must_use]
    pub fn number(&self, index: usize) -> u64 {
        self.numbers[index]
    }

    /// How the `index`th sample's latency divides.
    #[must_use]
    pub fn budget(&self, index: usize) -> Budget<'_> {
        let phases = self.plan.kind.phases();
        Budget::new(phases, &self.shares[index * phases.len()..(index + 1) * phases.len()])
    }

    /// Total of each phase over the samples at `indices`, in the order of the phases.
    pub fn total(&self, indices: impl Iterator<Item = usize>) -> Vec<(Phase, Span)> {
        let phases = self.plan.kind.phases();
        let mut totals = vec![Span::ZERO; phases.len()];
        for index in indices {
            let shares = &self.shares[index * phases.len()..];
            totals.iter_mut().zip(shares).for_each(|(total, &share)| *total += share);
        }
        phases.iter().copied().zip(totals).collect()
    }

    /// Total of each phase over all samples, in the order of the phases.
    pub fn totals(&self) -> impl Iterator<Item = (Phase, Span)> {
        self.plan.kind.phases().iter().copied().zip(self.totals)
    }

    /// The sample at the median, if there is any: the first by number with that latency.
    #[must_use]
    pub fn median(&self, sorted: &Sorted) -> Option<usize> {
        let median = sorted.nearest(Percentile::P50)?;
        let at_median = |index: &usize| self.samples.as_slice()[*index].latency == median;
        (0..self.numbers.len()).filter(at_median).min_by_key(|&index| self.numbers[index])
    }

    /// The slowest hundredth of the samples, at least one, the slowest first.
    #[must_use]
    pub fn slowest(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.numbers.len()).collect();
        let keep = order.len().div_ceil(100);
        order.sort_unstable_by_key(|&index| {
            (std::cmp::Reverse(self.samples.as_slice()[index].latency), self.numbers[index])
        });
        order.truncate(keep);
        order
    }

    /// Useful bits per second up to the last useful thing, from the first beginning or from where the plan says, rounded
    /// down; zero if no time passed.
    #[must_use]
    pub fn goodput_bps(&self) -> u64 {
        if self.plan.measure_from == Time::ZERO {
            return self.first.map_or(0, |first| bits_per_second(self.bytes, self.last.since(first)));
        }
        let skipped = self.plan.measure_from.as_nanos() / INTERVAL.as_nanos();
        let bytes = self.intervals.iter().skip(usize::try_from(skipped).unwrap_or(usize::MAX)).sum();
        bits_per_second(bytes, self.last.since(Time::ZERO + INTERVAL * skipped))
    }

    /// The share of those ended that ended well; for messages, of those sent that arrived. `None` if there are none.
    #[must_use]
    pub fn ok_of(&self) -> Option<(u64, u64)> {
        let whole = match self.plan.kind {
            Kind::Messages | Kind::Bulk | Kind::Transfer => self.counts.started,
            Kind::Requests | Kind::Echoes | Kind::Route => self.counts.ok + self.counts.failures(),
        };
        (whole > 0).then_some((self.counts.ok, whole))
    }

    /// Those of it that ended and had begun in a part of the run, before `until`. What is counted over the whole run is left out.
    #[must_use]
    pub fn within(&self, since: Time, until: Time) -> Self {
        let inside = |began: Time| since <= began && began < until;
        let phases = self.plan.kind.phases().len();
        let mut part = Self::new(self.plan.clone());
        for (index, sample) in self.samples.as_slice().iter().enumerate() {
            let began = Time::ZERO + sample.time.since(Time::ZERO + sample.latency);
            if inside(began) {
                let shares = &self.shares[index * phases..(index + 1) * phases];
                part.ended_well(self.numbers[index], began, sample.time, shares);
            }
        }
        self.failures.iter().filter(|(began, _)| inside(*began)).for_each(|&(began, why)| part.failed(began, why));
        part.counts.started = part.counts.ok + part.counts.failures();
        part
    }

    fn began(&mut self, time: Time) {
        self.first = Some(self.first.map_or(time, |first| first.min(time)));
        self.counts.started += 1;
    }

    fn useful(&mut self, time: Time, bytes: u64) {
        self.last = self.last.max(time);
        self.bytes += bytes;
        // What is recorded at the end of an interval has happened within it.
        let place = time.as_nanos().saturating_sub(1) / INTERVAL.as_nanos();
        let place = usize::try_from(place).expect("a run is shorter than 13 years");
        if place >= self.intervals.len() {
            self.intervals.resize(place + 1, 0);
        }
        self.intervals[place] += bytes;
    }

    #[inline]
    fn ended_well(&mut self, number: u64, begin: Time, end: Time, shares: &[Span]) {
        debug_assert_eq!(shares.iter().copied().sum::<Span>(), end - begin, "phases sum to the latency");
        self.counts.ok += 1;
        self.samples.push(end, end - begin);
        self.numbers.push(number);
        self.shares.extend_from_slice(shares);
        self.totals.iter_mut().zip(shares).for_each(|(total, &share)| *total += share);
    }

    fn failed(&mut self, began: Time, why: Failure) {
        self.failures.push((began, why));
        *self.counts.failed.entry(why).or_default() += 1;
    }

    fn tried(&mut self, tried: &Try) {
        let efforts = &mut self.efforts;
        let answered = tried.verdict == Verdict::Answered;
        efforts.tries += 1;
        if tried.hedge {
            efforts.hedges += 1;
            efforts.hedges_won += u64::from(answered);
        } else if tried.index > 0 {
            efforts.retries += 1;
            efforts.saved += u64::from(answered);
        }
        if let Verdict::Failed(why) = tried.verdict {
            *efforts.failed.entry(why).or_default() += 1;
        }
    }

    fn request(&mut self, request: &Request, exchange: Option<&Exchange>) {
        if !self.plan.tries_again {
            self.efforts.tries += u64::from(request.tries);
        }
        if let Some(why) = request.failure {
            return self.failed(request.start, why);
        }
        if self.plan.pays {
            self.payments.told(request.number);
        }
        let shares = attribution::of_request(request, exchange);
        self.ended_well(request.number, request.start, request.end, &shares);
        // The bytes of a transfer are counted as it progresses.
        if self.plan.kind != Kind::Transfer {
            self.useful(request.end, request.body);
        }
    }

    fn message(&mut self, message: &Message) {
        if !self.seen.insert(message.number) {
            self.counts.duplicates += 1;
            return;
        }
        let Arrival { released, .. } = message.arrival;
        self.ended_well(message.number, message.written, released, &attribution::of_message(message));
        self.useful(released, message.bytes);
    }

    fn echo(&mut self, echo: &Echo) {
        self.began(echo.sent);
        let route = self.plan.kind == Kind::Route;
        if route {
            let hop = self.hops.entry(echo.ttl).or_default();
            hop.sent += 1;
            hop.reached |= echo.reached;
            if let Some((address, time)) = echo.answer {
                hop.samples.push(time, time - echo.sent);
                if !hop.answered_by.contains(&address) {
                    hop.answered_by.push(address);
                }
            }
        }
        match (echo.answer, attribution::of_echo(echo)) {
            (Some((_, answered)), Some(shares)) if echo.reached || route => {
                self.ended_well(echo.number, echo.sent, answered, &shares);
                self.useful(answered, 0);
            }
            (Some(_), _) => self.failed(echo.sent, Failure::Unreachable),
            (None, _) => self.failed(echo.sent, Failure::Timeout),
        }
    }

    fn progress(&mut self, progress: &Progress) {
        let place = progress.flow as usize;
        if place >= self.flows.len() {
            self.flows.resize(place + 1, None);
        }
        let transfer = self.plan.kind == Kind::Transfer;
        let before = self.flows[place].unwrap_or_else(|| {
            if !transfer {
                self.began(progress.began);
            }
            Flow { began: progress.began, time: progress.began, ..Flow::default() }
        });
        self.useful(progress.time, progress.bytes - before.bytes);
        let time = if progress.bytes > before.bytes { progress.time } else { before.time };
        let finished = before.finished || progress.finished;
        self.flows[place] = Some(Flow { bytes: progress.bytes, began: before.began, time, finished });
        if progress.finished && !before.finished && !transfer {
            self.ended_well(u64::from(progress.flow), progress.began, progress.time, &[progress.time - progress.began]);
        }
    }
}

/// `bytes` in `span` as bits per second, rounded down; zero in no time.
#[must_use]
pub fn bits_per_second(bytes: u64, span: Span) -> u64 {
    let bits = u128::from(bytes) * 8_000_000_000;
    bits.checked_div(u128::from(span.as_nanos())).map_or(0, |bps| u64::try_from(bps).unwrap_or(u64::MAX))
}

/// Reads records and knows what users felt.
#[derive(Debug)]
pub struct Metrics {
    traffic: Vec<Traffic>,
    servers: BTreeMap<u32, Served>,
    /// What servers did beyond answering, where a traffic wants to know.
    ledger: Option<Ledger>,
    joiner: Joiner,
    balancing: Balancing,
}

impl Metrics {
    /// A reader for the traffic of a plan, in the plan's order.
    #[must_use]
    pub fn new(plan: impl IntoIterator<Item = Plan>) -> Self {
        let traffic: Vec<Traffic> = plan.into_iter().map(Traffic::new).collect();
        let wanted = traffic.iter().any(|traffic| traffic.plan.pays || traffic.plan.sessions);
        Self {
            traffic,
            servers: BTreeMap::new(),
            ledger: wanted.then(Ledger::default),
            joiner: Joiner::default(),
            balancing: Balancing::default(),
        }
    }

    /// Takes a record in. Records of a traffic that the plan does not have are a defect of the world.
    #[inline]
    pub fn record(&mut self, record: &Record) {
        match record {
            Record::RequestStarted(started) => self.of(started.traffic).began(started.time),
            Record::Request(request) => {
                self.asked(request.traffic, request.number, (request.flow, request.exchange));
                let joined = self.joiner.request(*request);
                self.joined(joined.as_ref());
            }
            Record::Try(tried) => {
                self.asked(tried.traffic, tried.number, (tried.flow, tried.exchange));
                self.of(tried.traffic).tried(tried);
            }
            Record::Charge(_) | Record::Session(_) | Record::Forwarded(_) => {
                self.ledger.iter_mut().for_each(|ledger| ledger.record(record));
            }
            Record::Limited(limited) => {
                let limit = &mut self.servers.entry(limited.node).or_default().limit;
                let (least, most, _) = limit.unwrap_or((limited.limit, limited.limit, 0));
                *limit = Some((least.min(limited.limit), most.max(limited.limit), limited.limit));
            }
            Record::Tripped(tripped) => self.of(tripped.traffic).efforts.tripped.push(*tripped),
            Record::TurnedAway(away) => {
                *self.servers.entry(away.node).or_default().turned_away.entry(away.why).or_default() += 1;
            }
            Record::Exchange(exchange) => {
                let served = self.servers.entry(exchange.node).or_default();
                served.answered += 1;
                served.worked += exchange.finished - exchange.started;
                served.queued += exchange.started.since(exchange.request.released);
                let joined = self.joiner.exchange(*exchange);
                self.joined(joined.as_ref());
            }
            Record::MessageSent(sent) => self.of(sent.traffic).began(sent.time),
            Record::Message(message) => self.of(message.traffic).message(message),
            Record::Echo(echo) => self.of(echo.traffic).echo(echo),
            Record::Progress(progress) => self.of(progress.traffic).progress(progress),
            Record::Dead(dead) => self.asked(dead.traffic, dead.number, (dead.flow, dead.exchange)),
            Record::Lookup(_)
            | Record::Roamed(_)
            | Record::PathValidated(_)
            | Record::Store(_)
            | Record::Cache(_)
            | Record::Fetched(_)
            | Record::Changed(_)
            | Record::Series(_)
            | Record::QuicLost(_)
            | Record::Returned(_)
            | Record::Fault(_)
            | Record::Lost(_)
            | Record::Rerouted(_)
            | Record::Announcement(_)
            | Record::Registration(_)
            | Record::Notice(_) => {}
            Record::Balanced(balanced) => self.balancing.balanced(balanced),
            Record::Probed(probed) => self.balancing.probed(probed),
            Record::Refused(refused) => self.balancing.refused(refused),
            Record::Judgement(judgement) => self.balancing.judgements.push(*judgement),
        }
    }

    /// What balancers did and what was noticed; it is handed out once.
    #[must_use]
    pub fn take_balancing(&mut self) -> Balancing {
        std::mem::take(&mut self.balancing)
    }

    /// Ends the reading: what each traffic came to, in the plan's order.
    #[must_use]
    pub fn finish(mut self) -> Vec<Traffic> {
        let rest: Vec<_> = self.joiner.finish().collect();
        rest.iter().for_each(|pair| self.joined(Some(pair)));
        for (traffic, number, entry) in self.ledger.take().map(Ledger::settle).unwrap_or_default() {
            let traffic = self.of(traffic);
            match entry {
                Entry::Charge(cents) if traffic.plan.pays => {
                    let charged = traffic.payments.charged.entry(number).or_default();
                    charged.0 += 1;
                    charged.1 += cents;
                }
                Entry::Session(SessionEvent::Begun) => traffic.sessions.begun += 1,
                Entry::Session(SessionEvent::Found) => traffic.sessions.found += 1,
                Entry::Session(SessionEvent::Lost) => {
                    traffic.sessions.begun += 1;
                    traffic.sessions.lost += 1;
                }
                Entry::Charge(_) => {}
            }
        }
        self.traffic
    }

    /// What each node did that answered requests, by its number in the plan.
    #[must_use]
    pub const fn servers(&self) -> &BTreeMap<u32, Served> {
        &self.servers
    }

    /// Remembers whose exchange it was, where a traffic wants to know.
    fn asked(&mut self, traffic: u32, number: u64, exchange: (u64, u32)) {
        let plan = &self.traffic[traffic as usize].plan;
        if let (Some(ledger), true) = (&mut self.ledger, plan.pays || plan.sessions) {
            ledger.asked(traffic, number, exchange);
        }
    }

    fn of(&mut self, traffic: u32) -> &mut Traffic {
        &mut self.traffic[traffic as usize]
    }

    fn joined(&mut self, pair: Option<&(Request, Option<Exchange>)>) {
        if let Some(&(request, exchange)) = pair {
            self.of(request.traffic).request(&request, exchange.as_ref());
        }
    }
}
