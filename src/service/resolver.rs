//! A recursive resolver: follows delegations from its hints down to the answer, and remembers everything while its TTL lasts.

use super::dns_stream::{self, Answerer};
use super::stub::{exchange, no_name};
use crate::app::dns::{Cache, Data, Kind, Known, MAX_ALIASES, Message, Name, Question, Rcode, Record};
use crate::base::{Rng, Span};
use crate::host::{Dns, Host, Received, UdpSocket};
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::pin::Pin;
use std::rc::Rc;

/// Datagrams sent for one question, those for addresses of name servers included; a question that needs more is hopeless.
const MAX_QUERIES: u32 = 64;
/// Name servers whose own addresses must be looked up first may be nested so deep.
const MAX_DEPTH: u32 = 4;
/// Port of name servers.
const DNS_PORT: u16 = 53;

/// Where the servers of a zone are, known beforehand.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hint {
    /// The zone; the root for root hints.
    pub zone: Name,
    /// Its name servers.
    pub servers: Vec<Ipv4Addr>,
}

/// What a recursive resolver knows and does.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// Port to listen on.
    pub port: u16,
    /// Where to begin: the deepest zone that holds the name, among these and the delegations that are remembered.
    pub hints: Vec<Hint>,
    /// Record sets to remember; 0 remembers nothing.
    pub cache_entries: usize,
    /// How long to wait for an authority's answer to one datagram.
    pub timeout: Span,
    /// Datagrams sent for one step of one question before giving up.
    pub attempts: u32,
    /// Answers are remembered, and passed on as lasting, for so many seconds at least, whatever their TTL says.
    pub min_ttl: u32,
    /// And for so many at most.
    pub max_ttl: u32,
    /// Whether several records from memory are given in turn, each answer starting one further on (unbound's `rrset-roundrobin`, BIND's
    /// `rrset-order cyclic`); otherwise in the order in which they came.
    pub rotates: bool,
}

impl Config {
    /// Port 53, 100,000 record sets; a second of patience per datagram and three of them.
    #[must_use]
    pub fn new(hints: Vec<Hint>) -> Self {
        Self {
            port: 53,
            hints,
            cache_entries: 100_000,
            timeout: Span::from_secs(1),
            attempts: 3,
            min_ttl: 0,
            max_ttl: u32::MAX,
            rotates: false,
        }
    }
}

/// Answers questions for ever, with SERVFAIL where no authority gives an answer. Equal questions that come while one is
/// being looked up wait for its answer. What it asks on behalf of somebody is counted under the flow of who asked first. Ids and the choice of the first of several name servers are drawn from the stream
/// `host/<name>/resolver`.
///
/// After a truncated answer the same server is asked again over TCP, and askers that come over TCP are answered there.
///
/// Not modelled: remembering of failures, a choice of servers by their speed, ranking of what
/// is remembered by who said it (RFC 2181 5.4.1).
pub async fn run(host: Host, config: Config) {
    let Ok(socket) = host.udp(config.port).await else { return };
    let socket = Rc::new(socket);
    let resolver = Rc::new(Resolver {
        cache: RefCell::new(Cache::new(config.cache_entries)),
        rng: RefCell::new(host.rng("resolver")),
        waiting: RefCell::default(),
        turns: RefCell::default(),
        host: host.clone(),
        config,
    });
    drop(host.spawn(dns_stream::serve(host.clone(), resolver.config.port, over_tcp(&resolver))));
    loop {
        let Ok(datagram) = socket.receive().await else { continue };
        let Ok(query) = Message::from_payload(&datagram.payload) else { continue };
        let ailment = host.condition().dns;
        if query.flags.response || ailment == Dns::Silent {
            continue;
        }
        if ailment == Dns::ServFail {
            send(&socket, &datagram, &query, &Outcome::FAILED.reply(&query));
            continue;
        }
        resolver.cache.borrow_mut().believe_stale(ailment == Dns::Stale);
        let [question] = &query.questions[..] else {
            send(&socket, &datagram, &query, &query.reply(Rcode::FormErr));
            continue;
        };
        let question = question.clone();
        if let Some(outcome) = resolver.known(&question) {
            send(&socket, &datagram, &query, &outcome.reply(&query));
            continue;
        }
        let flow = datagram.flow;
        if resolver.join(&question, datagram, query) {
            let (resolver, socket) = (Rc::clone(&resolver), Rc::clone(&socket));
            drop(host.spawn(async move {
                let outcome = resolver.look_up(&question, 0, &Task::of(flow)).await;
                for (datagram, query) in resolver.leave(&question) {
                    send(&socket, &datagram, &query, &outcome.reply(&query));
                }
            }));
        }
    }
}

/// What is said to those who come over TCP.
fn over_tcp(resolver: &Rc<Resolver>) -> Answerer {
    let resolver = Rc::clone(resolver);
    Rc::new(move |query: Message, _, flow| {
        let resolver = Rc::clone(&resolver);
        Box::pin(async move {
            let ailment = resolver.host.condition().dns;
            if query.flags.response || ailment == Dns::Silent {
                return None;
            }
            if ailment == Dns::ServFail {
                return Some(Outcome::FAILED.reply(&query));
            }
            let [question] = &query.questions[..] else { return Some(query.reply(Rcode::FormErr)) };
            let outcome = match resolver.known(question) {
                Some(outcome) => outcome,
                None => resolver.look_up(question, 0, &Task::of(flow)).await,
            };
            Some(outcome.reply(&query))
        })
    })
}

fn send(socket: &UdpSocket, asked: &Received, query: &Message, reply: &Message) {
    socket.reply(asked, reply.to_payload(query.udp_limit()));
}

/// What a question has come to.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Outcome {
    rcode: Rcode,
    /// Aliases, then the records asked for.
    answers: Vec<Record>,
    /// The SOA of a negative answer.
    soa: Option<Record>,
}

impl Outcome {
    const FAILED: Self = Self { rcode: Rcode::ServFail, answers: Vec::new(), soa: None };

    /// What is known after `aliases`.
    fn known(mut aliases: Vec<Record>, known: Known) -> Self {
        match known {
            Known::Records(records) => {
                aliases.extend(records);
                Self { rcode: Rcode::NoError, answers: aliases, soa: None }
            }
            Known::Negative(negative) => Self { rcode: negative.rcode, answers: aliases, soa: Some(negative.soa) },
        }
    }

    fn reply(&self, query: &Message) -> Message {
        let mut reply = query.reply(self.rcode);
        reply.flags.recursion_available = true;
        reply.answers.clone_from(&self.answers);
        reply.authorities.extend(self.soa.clone());
        reply
    }
}

/// Servers of a zone, as far as their addresses are known.
struct Servers {
    zone: Name,
    addrs: Vec<Ipv4Addr>,
    /// Names of those whose addresses are not known.
    unknown: Vec<Name>,
}

/// What one question may cost, and for whom it is asked.
struct Task {
    /// Queries left.
    budget: Cell<u32>,
    /// Flow of who asked.
    flow: u64,
}

impl Task {
    const fn of(flow: u64) -> Self {
        Self { budget: Cell::new(MAX_QUERIES), flow }
    }
}

/// Who waits for the answer to a question: its datagram and what it says.
type Waiting = IndexMap<Question, Vec<(Received, Message)>, FxBuildHasher>;

struct Resolver {
    host: Host,
    config: Config,
    cache: RefCell<Cache>,
    rng: RefCell<Rng>,
    waiting: RefCell<Waiting>,
    /// How often each set of several addresses has been given from memory.
    turns: RefCell<IndexMap<Name, usize, FxBuildHasher>>,
}

impl Resolver {
    /// Adds an asker of a question; true for the first, for whom it has to be looked up.
    fn join(&self, question: &Question, datagram: Received, query: Message) -> bool {
        let mut waiting = self.waiting.borrow_mut();
        let askers = waiting.entry(question.clone()).or_default();
        askers.push((datagram, query));
        askers.len() == 1
    }

    /// The askers of a question, who wait no longer.
    fn leave(&self, question: &Question) -> Vec<(Received, Message)> {
        self.waiting.borrow_mut().swap_remove(question).unwrap_or_default()
    }

    /// The answer, if it is remembered to its end.
    fn known(&self, question: &Question) -> Option<Outcome> {
        let followed = self.cache.borrow().follow(&question.name, question.kind, self.host.now());
        let mut known = followed.known?;
        if let Known::Records(records) = &mut known {
            self.rotate(&followed.name, records);
        }
        Some(Outcome::known(followed.aliases, known))
    }

    /// Puts several records from memory in the order of this answer.
    fn rotate(&self, name: &Name, records: &mut [Record]) {
        if !self.config.rotates || records.len() < 2 {
            return;
        }
        let mut turns = self.turns.borrow_mut();
        let turn = turns.entry(name.clone()).or_default();
        *turn += 1;
        records.rotate_left(*turn % records.len());
    }

    /// Looks a question up, alias by alias. Boxed, as looking up a name server's address is a lookup within a lookup.
    fn look_up<'a>(
        &'a self,
        question: &'a Question,
        depth: u32,
        task: &'a Task,
    ) -> Pin<Box<dyn Future<Output = Outcome> + 'a>> {
        Box::pin(async move {
            let kind = question.kind;
            let mut name = question.name.clone();
            let mut aliases: Vec<Record> = Vec::new();
            while aliases.len() <= MAX_ALIASES {
                let followed = self.cache.borrow().follow(&name, kind, self.host.now());
                aliases.extend(followed.aliases);
                if let Some(known) = followed.known {
                    return Outcome::known(aliases, known);
                }
                name = followed.name;
                let Some(answer) = self.descend(&name, kind, depth, task).await else { return Outcome::FAILED };
                let (passed, last, records) = answer.follow(&name, kind);
                aliases.extend(passed);
                if !records.is_empty() {
                    return Outcome::known(aliases, Known::Records(records));
                }
                let negative = answer.authorities.iter().find(|record| record.data.kind() == Kind::Soa);
                if last == name || answer.flags.rcode == Rcode::NxDomain || negative.is_some() {
                    let (rcode, soa) = (answer.flags.rcode, negative.cloned());
                    self.cache.borrow_mut().insert_negative(&last, kind, &answer, self.host.now());
                    return Outcome { rcode, answers: aliases, soa };
                }
                // The alias leads out of the zone that was asked: go on there.
                name = last;
            }
            Outcome::FAILED
        })
    }

    /// Goes down from the deepest zone whose servers are known to the one that answers for `name`.
    async fn descend(&self, name: &Name, kind: Kind, depth: u32, task: &Task) -> Option<Message> {
        let mut servers = self.nearest(name)?;
        loop {
            if servers.addrs.is_empty() {
                servers.addrs = self.addresses(&servers.unknown, depth, task).await;
            }
            let mut answer = self.ask_any(&servers, name, kind, task).await?;
            // What a server says about names outside its zone is not believed.
            for section in [&mut answer.answers, &mut answer.authorities, &mut answer.additionals] {
                section.retain(|record| record.name.is_within(&servers.zone));
            }
            let (least, most) = (self.config.min_ttl, self.config.max_ttl);
            answer.answers.iter_mut().for_each(|record| record.ttl = record.ttl.clamp(least, most));
            let Some(below) = referral(&answer, &servers.zone, name) else {
                self.cache.borrow_mut().insert(&answer.answers, self.host.now());
                return Some(answer);
            };
            let mut cache = self.cache.borrow_mut();
            let delegation = |record: &&Record| record.data.kind() == Kind::Ns && record.name == below.zone;
            let learnt: Vec<Record> =
                answer.authorities.iter().filter(delegation).chain(&answer.additionals).cloned().collect();
            cache.insert(&learnt, self.host.now());
            servers = below;
        }
    }

    /// The servers of the deepest zone at or above `name` that a hint or a remembered delegation names.
    fn nearest(&self, name: &Name) -> Option<Servers> {
        let now = self.host.now();
        let cache = self.cache.borrow();
        let mut zone = Some(name.clone());
        while let Some(apex) = zone {
            if let Some(hint) = self.config.hints.iter().find(|hint| hint.zone == apex) {
                return Some(Servers { zone: apex, addrs: hint.servers.clone(), unknown: Vec::new() });
            }
            if let Some(Known::Records(records)) = cache.get(&apex, Kind::Ns, now) {
                let mut servers = Servers { zone: apex.clone(), addrs: Vec::new(), unknown: Vec::new() };
                for server in records {
                    let Data::Ns(host) = server.data else { continue };
                    match cache.get(&host, Kind::A, now) {
                        Some(Known::Records(addrs)) => servers.addrs.extend(addrs.iter().filter_map(addr)),
                        _ => servers.unknown.push(host),
                    }
                }
                // A server inside its own zone whose address is forgotten can only be found from above.
                servers.unknown.retain(|host| !host.is_within(&apex));
                if !servers.addrs.is_empty() || !servers.unknown.is_empty() {
                    return Some(servers);
                }
            }
            zone = apex.parent();
        }
        None
    }

    /// Addresses of the first of these name servers that can be found.
    async fn addresses(&self, hosts: &[Name], depth: u32, task: &Task) -> Vec<Ipv4Addr> {
        if depth == MAX_DEPTH {
            return Vec::new();
        }
        for host in hosts {
            let question = Question { name: host.clone(), kind: Kind::A };
            let outcome = self.look_up(&question, depth + 1, task).await;
            let addrs: Vec<Ipv4Addr> = outcome.answers.iter().filter_map(addr).collect();
            if !addrs.is_empty() {
                return addrs;
            }
        }
        Vec::new()
    }

    /// Asks the servers of a zone in turn until one of them answers, beginning with any of them.
    async fn ask_any(&self, servers: &Servers, name: &Name, kind: Kind, task: &Task) -> Option<Message> {
        let count = servers.addrs.len();
        if count == 0 {
            return None;
        }
        let first = usize::try_from(self.rng.borrow_mut().below(count as u64)).unwrap_or_default();
        for attempt in 0..self.config.attempts as usize {
            task.budget.set(task.budget.get().checked_sub(1)?);
            let server = SocketAddrV4::new(servers.addrs[(first + attempt) % count], DNS_PORT);
            let id = u16::try_from(self.rng.borrow_mut().below(1 << 16)).unwrap_or_default();
            let query = Message::query(id, Question { name: name.clone(), kind }, false);
            let reply = self.host.timeout(self.config.timeout, exchange(&self.host, server, &query, task.flow)).await;
            if let Ok(Ok((answer, _))) = reply
                && matches!(answer.flags.rcode, Rcode::NoError | Rcode::NxDomain)
                && !answer.flags.truncated
            {
                return Some(overridden(answer, self.host.condition().ttl));
            }
            no_name(&self.host, *server.ip());
        }
        None
    }
}

/// The answer with this TTL, if there is one to override the true one.
pub(super) fn overridden(mut answer: Message, ttl: Option<u32>) -> Message {
    if let Some(ttl) = ttl {
        answer.answers.iter_mut().for_each(|record| record.ttl = ttl);
    }
    answer
}

fn addr(record: &Record) -> Option<Ipv4Addr> {
    match record.data {
        Data::A(addr) => Some(addr),
        _ => None,
    }
}

/// The servers to which an answer refers: those of a zone between the one that was asked and the name (RFC 1034 5.3.3).
fn referral(answer: &Message, asked: &Name, name: &Name) -> Option<Servers> {
    if answer.flags.authoritative || answer.flags.rcode != Rcode::NoError || !answer.answers.is_empty() {
        return None;
    }
    let below =
        |record: &&Record| record.data.kind() == Kind::Ns && record.name != *asked && name.is_within(&record.name);
    let zone = answer.authorities.iter().find(below)?.name.clone();
    let mut servers = Servers { zone, addrs: Vec::new(), unknown: Vec::new() };
    for server in answer.authorities.iter().filter(|record| record.name == servers.zone) {
        let Data::Ns(host) = &server.data else { continue };
        let before = servers.addrs.len();
        servers.addrs.extend(answer.additionals.iter().filter(|record| record.name == *host).filter_map(addr));
        if servers.addrs.len() == before {
            servers.unknown.push(host.clone());
        }
    }
    Some(servers)
}
