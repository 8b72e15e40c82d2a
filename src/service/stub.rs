//! The stub resolver of a machine: asks a recursive resolver, tries again, remembers answers while their TTL lasts.

use super::dns_stream;
use crate::app::dns::{Cache, Data, Kind, Known, MAX_MESSAGE, Message, Name, Question, Rcode, Record};
use crate::base::{Rng, Span};
use crate::host::{Host, NetError};
use crate::trace::{self, Directory, Failure, Lookup, Notice, What};
use std::cell::RefCell;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::rc::Rc;

/// Whom to ask, and how patiently.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// Recursive resolvers in the order of asking.
    pub resolvers: Vec<SocketAddrV4>,
    /// How long to wait for an answer to one datagram.
    pub timeout: Span,
    /// How often each resolver is asked.
    pub attempts: u32,
    /// Record sets to remember; 0 asks every time.
    pub cache_entries: usize,
}

impl Config {
    /// As glibc asks (`resolv.conf(5)`: 5 s, two attempts) and as browsers and system resolvers remember: 1,000 record sets
    /// for as long as their TTL says, negative answers too.
    #[must_use]
    pub fn new(resolvers: Vec<SocketAddrV4>) -> Self {
        Self { resolvers, timeout: Span::from_secs(5), attempts: 2, cache_entries: 1_000 }
    }
}

/// The stub resolver of one machine. Cheap to clone; clones share what they remember.
///
/// Each datagram has an id of its own from the stream `host/<name>/stub` and a source port of its own. After a timeout, an
/// ICMP error or an answer that says "I cannot" (SERVFAIL, REFUSED...) the next resolver is asked, and all of them again
/// until each has had its attempts. After a truncated answer the same resolver is asked again over TCP (RFC 7766 5). Equal questions under way at the same time are
/// asked separately, as `getaddrinfo` does.
#[derive(Clone)]
pub struct Stub(Rc<State>);

struct State {
    host: Host,
    config: Config,
    cache: RefCell<Cache>,
    ids: RefCell<Rng>,
}

/// What a name stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resolved {
    /// Addresses in the order of the answer; at least one.
    pub addrs: Vec<Ipv4Addr>,
    /// Flow of the lookup; 0 if the answer was remembered.
    pub flow: u64,
}

/// An answer and the flow that it came in.
pub(super) type Reply = (Message, u64);

impl Stub {
    /// A stub that remembers nothing yet.
    #[must_use]
    pub fn new(host: &Host, config: Config) -> Self {
        let cache = RefCell::new(Cache::new(config.cache_entries));
        let ids = RefCell::new(host.rng("stub"));
        Self(Rc::new(State { host: host.clone(), config, cache, ids }))
    }

    /// The addresses of `name`. Emits a [`Lookup`] unless the answer was remembered. Fails with [`Failure::NameError`] if
    /// there is no such name or it has no address, and with [`Failure::NameTimeout`] if nobody could say.
    pub async fn resolve(&self, name: &Name) -> Result<Resolved, Failure> {
        let state = &*self.0;
        let start = state.host.now();
        match state.cache.borrow().follow(name, Kind::A, start).known {
            Some(Known::Records(records)) => return resolved(&records, 0),
            Some(Known::Negative(_)) => return Err(Failure::NameError),
            None => {}
        }
        let mut tries = 0;
        let reply = state.ask_all(name, &mut tries).await;
        let (node, end) = (state.host.node(), state.host.now());
        let flow = reply.as_ref().map_or(0, |(_, flow)| *flow);
        state.host.record(trace::Record::Lookup(Lookup { node, start, end, flow, of: Directory::Resolver { tries } }));
        let (answer, flow) = reply.ok_or(Failure::NameTimeout)?;
        let mut cache = state.cache.borrow_mut();
        cache.insert(&answer.answers, end);
        let (_, last, records) = answer.follow(name, Kind::A);
        if records.is_empty() {
            cache.insert_negative(&last, Kind::A, &answer, end);
        }
        resolved(&records, flow)
    }
}

impl State {
    /// Asks each resolver until one of them knows; counts the datagrams.
    async fn ask_all(&self, name: &Name, tries: &mut u32) -> Option<Reply> {
        for _ in 0..self.config.attempts {
            for &resolver in &self.config.resolvers {
                *tries += 1;
                let reply = self.host.timeout(self.config.timeout, self.ask(resolver, name)).await;
                if let Ok(Ok((answer, flow))) = reply
                    && matches!(answer.flags.rcode, Rcode::NoError | Rcode::NxDomain)
                    && !answer.flags.truncated
                {
                    return Some((answer, flow));
                }
                no_name(&self.host, *resolver.ip());
            }
        }
        None
    }

    /// Sends one datagram and waits for its answer.
    async fn ask(&self, resolver: SocketAddrV4, name: &Name) -> Result<Reply, NetError> {
        let question = Question { name: name.clone(), kind: Kind::A };
        let id = u16::try_from(self.ids.borrow_mut().below(1 << 16)).unwrap_or_default();
        exchange(&self.host, resolver, &Message::query(id, question, true), 0).await
    }
}

/// Asks a question by a datagram, which observers count under `flow` unless that is 0, and again over TCP if the answer does not fit.
pub(super) async fn exchange(host: &Host, server: SocketAddrV4, query: &Message, flow: u64) -> Result<Reply, NetError> {
    let (answer, flow) = by_datagram(host, server, query, flow).await?;
    if !answer.flags.truncated {
        return Ok((answer, flow));
    }
    dns_stream::ask(host, server, query).await
}

/// Sends a question from a port of its own and waits for the answer to it, passing over everything else that comes.
async fn by_datagram(host: &Host, server: SocketAddrV4, query: &Message, flow: u64) -> Result<Reply, NetError> {
    let socket = host.udp(0).await?;
    socket.send_in_flow(server, query.to_payload(MAX_MESSAGE), flow);
    loop {
        let datagram = socket.receive().await?;
        if datagram.from != server {
            continue;
        }
        // RFC 5452 9.1: an answer repeats the id and the question.
        if let Ok(answer) = Message::from_payload(&datagram.payload)
            && answer.flags.response
            && answer.id == query.id
            && answer.questions == query.questions
        {
            return Ok((answer, datagram.flow));
        }
    }
}

/// Tells the observers that a name server has given no answer.
pub(super) fn no_name(host: &Host, server: Ipv4Addr) {
    let (time, node) = (host.now(), host.node());
    host.record(trace::Record::Notice(Notice { time, node, flow: 0, peer: server, what: What::NoName }));
}

fn resolved(records: &[Record], flow: u64) -> Result<Resolved, Failure> {
    let addrs: Vec<Ipv4Addr> = records
        .iter()
        .filter_map(|record| match record.data {
            Data::A(addr) => Some(addr),
            _ => None,
        })
        .collect();
    if addrs.is_empty() { Err(Failure::NameError) } else { Ok(Resolved { addrs, flow }) }
}
