//! Users of a cluster: which keys they ask for, whom they ask, and what they learn when they have asked the wrong one.

use super::resp::{Reader, Value, command};
use super::slot::{SLOTS, slot_of};
use crate::base::{Rng, Span, Time, Zipf};
use crate::host::{Host, NetError, TcpStream};
use crate::service::client::{Arrivals, Instants, failure};
use crate::service::{Limit, Numbering};
use crate::trace::{Failure, Record, Request, RequestStarted, Try, Verdict};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::rc::Rc;

/// How often a command is tried in all, and how long a try may take (as in JedisCluster: five, two seconds).
const ATTEMPTS: u32 = 5;
const PATIENCE: Span = Span::from_secs(2);
/// How long is waited before a cluster that is down, or a node that did not answer, is tried again; twice as long each time.
const BACKOFF: Span = Span::from_millis(100);

/// What users ask for, and how.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// Which traffic of the plan.
    pub traffic: u32,
    /// Its name in the plan: names its streams of chance.
    pub name: String,
    /// How its commands are numbered.
    pub numbering: Numbering,
    /// Nodes of the cluster, of which any can be asked first.
    pub nodes: Vec<SocketAddrV4>,
    /// Keys that there are.
    pub keys: u32,
    /// Exponent of Zipf's law over them; 0: all alike.
    pub zipf: f64,
    /// Share of commands that write.
    pub writes: f64,
    /// Bytes of a value written.
    pub size: u64,
    /// When they ask: an open loop.
    pub arrivals: Arrivals,
    /// Instant from which the arrivals count.
    pub start: Time,
    /// When to stop asking.
    pub limit: Limit,
    /// A command that takes longer is given up, with all its tries.
    pub timeout: Option<Span>,
}

/// A kept connection.
struct Connection {
    stream: TcpStream,
    reader: Reader,
    exchanges: u32,
}

struct Client {
    host: Host,
    config: Config,
    /// Who serves each slot, as far as this client knows.
    slots: RefCell<Vec<Option<SocketAddrV4>>>,
    idle: RefCell<BTreeMap<SocketAddrV4, Vec<Connection>>>,
    chance: RefCell<Rng>,
}

/// What came of a try.
enum Tried {
    Answered,
    /// Another node serves the slot.
    Moved(SocketAddrV4),
    /// The cluster serves nothing at the moment, or something was wrong with the command.
    Refused,
    Broken(Failure),
}

/// Asks until the limit. Emits a [`RequestStarted`], a [`Try`] for each try and a [`Request`] for each command. Keys and kinds are drawn
/// from `host/<name>/traffic/<traffic>/keys`, arrivals and the choice of a node to begin with from streams of their own.
pub async fn run(host: Host, config: Config) {
    host.sleep_until(config.start).await;
    let stream = |purpose: &str| host.rng(&format!("traffic/{}/{purpose}", config.name));
    let (mut keys, arrivals) = (stream("keys"), stream("arrivals"));
    let zipf = Zipf::new(config.keys, config.zipf);
    let client = Rc::new(Client {
        slots: RefCell::new(vec![None; usize::from(SLOTS)]),
        idle: RefCell::default(),
        chance: RefCell::new(stream("nodes")),
        host: host.clone(),
        config: config.clone(),
    });
    for (index, at) in (0..).zip(Instants::new(&config.arrivals, config.start, arrivals)) {
        if !config.limit.allows(index, at) {
            return;
        }
        host.sleep_until(at).await;
        let key = format!("key:{}", zipf.sample(&mut keys));
        let write = keys.chance(config.writes);
        let client = Rc::clone(&client);
        drop(host.spawn(async move { client.ask(index, &key, write).await }));
    }
}

impl Client {
    async fn ask(&self, index: u64, key: &str, write: bool) {
        let start = self.host.now();
        let (traffic, number) = (self.config.traffic, self.config.numbering.at(index));
        self.host.record(Record::RequestStarted(RequestStarted { traffic, number, time: start }));
        let seen = RefCell::new(Request::begun(traffic, number, self.host.node(), start));
        let result = match self.config.timeout {
            None => self.tries(&seen, key, write).await,
            Some(limit) => {
                self.host.timeout(limit, self.tries(&seen, key, write)).await.unwrap_or(Err(Failure::Timeout))
            }
        };
        let end = self.host.now();
        let mut request = *seen.borrow();
        request.failure = result.err();
        for instant in [&mut request.resolved, &mut request.connected, &mut request.secured, &mut request.written] {
            *instant = (*instant).min(end);
        }
        request.end = end;
        self.host.record(Record::Request(request));
    }

    async fn tries(&self, seen: &RefCell<Request>, key: &str, write: bool) -> Result<(), Failure> {
        let slot = usize::from(slot_of(key.as_bytes()));
        let mut last = Failure::Timeout;
        for index in 0..ATTEMPTS {
            if self.slots.borrow()[slot].is_none() {
                self.learn().await;
            }
            let to = self.slots.borrow()[slot].unwrap_or_else(|| self.any());
            let began = self.host.now();
            {
                let mut seen = seen.borrow_mut();
                (seen.tries, seen.tried, seen.flow, seen.status) = (index + 1, began, 0, 0);
                (seen.renewed, seen.resolved, seen.connected, seen.written) = (began, began, Time::NEVER, Time::NEVER);
            }
            let tried = self.host.timeout(PATIENCE, self.attempt(seen, to, key, write)).await;
            let tried = tried.unwrap_or(Tried::Broken(Failure::Timeout));
            let verdict = match tried {
                Tried::Answered => Verdict::Answered,
                Tried::Moved(_) => Verdict::Failed(Failure::Moved),
                Tried::Refused => Verdict::Failed(Failure::Status),
                Tried::Broken(failure) => Verdict::Failed(failure),
            };
            self.tried(&seen.borrow(), index, began, verdict);
            match tried {
                Tried::Answered => return Ok(()),
                Tried::Moved(to) => {
                    last = Failure::Moved;
                    self.slots.borrow_mut()[slot] = Some(to);
                    // What moved one slot has as a rule moved others.
                    self.learn().await;
                    continue;
                }
                Tried::Refused => last = Failure::Status,
                Tried::Broken(failure) => {
                    last = failure;
                    self.slots.borrow_mut().fill(None);
                    self.idle.borrow_mut().remove(&to);
                }
            }
            if index + 1 < ATTEMPTS {
                let wait = BACKOFF * (1 << index);
                self.host.sleep(wait).await;
                seen.borrow_mut().backoff += wait;
            }
        }
        Err(last)
    }

    fn tried(&self, seen: &Request, index: u32, start: Time, verdict: Verdict) {
        let Request { traffic, number, flow, exchange, status, .. } = *seen;
        let end = self.host.now();
        self.host.record(Record::Try(Try {
            traffic,
            number,
            index,
            start,
            end,
            flow,
            exchange,
            status,
            verdict,
            hedge: false,
        }));
    }

    /// Any node, to begin with.
    fn any(&self) -> SocketAddrV4 {
        let nodes = &self.config.nodes;
        let index = self.chance.borrow_mut().below(nodes.len() as u64);
        nodes[usize::try_from(index).unwrap_or(0)]
    }

    async fn connection(&self, to: SocketAddrV4) -> Result<Connection, NetError> {
        if let Some(kept) = self.idle.borrow_mut().get_mut(&to).and_then(Vec::pop) {
            return Ok(kept);
        }
        let stream = self.host.connect_with(to, None, true).await?;
        Ok(Connection { stream, reader: Reader::default(), exchanges: 0 })
    }

    fn keep(&self, to: SocketAddrV4, connection: Connection) {
        self.idle.borrow_mut().entry(to).or_default().push(connection);
    }

    async fn attempt(&self, seen: &RefCell<Request>, to: SocketAddrV4, key: &str, write: bool) -> Tried {
        let mut connection = match self.connection(to).await {
            Ok(connection) => connection,
            Err(error) => return Tried::Broken(failure(error)),
        };
        let now = self.host.now();
        {
            let mut seen = seen.borrow_mut();
            (seen.connected, seen.secured, seen.written) = (now, now, now);
            (seen.flow, seen.exchange) = (connection.stream.flow(), connection.exchanges);
        }
        connection.exchanges += 1;
        let words: [&[u8]; 2] = [if write { b"SET" } else { b"GET" }, key.as_bytes()];
        let asked = connection.stream.write(command(&words, write.then_some(self.config.size))).await;
        let value = match asked {
            Ok(()) => connection.reader.value(&connection.stream).await,
            Err(error) => Err(error),
        };
        let value = match value {
            Ok(value) => value,
            Err(error) => return Tried::Broken(failure(error)),
        };
        let response = connection.reader.arrival();
        self.keep(to, connection);
        let mut seen = seen.borrow_mut();
        seen.response = response;
        match value {
            Value::Error(text) => moved(&text).map_or(Tried::Refused, Tried::Moved),
            Value::Bulk(value) => {
                seen.body = value.len();
                Tried::Answered
            }
            _ => Tried::Answered,
        }
    }

    /// Asks a node, and if need be another, who serves what.
    async fn learn(&self) {
        for _ in 0..2 {
            let to = self.any();
            let asked = async {
                let mut connection = self.connection(to).await?;
                connection.exchanges += 1;
                connection.stream.write(command(&[b"CLUSTER", b"SLOTS"], None)).await?;
                let value = connection.reader.value(&connection.stream).await?;
                self.keep(to, connection);
                Ok::<_, NetError>(value)
            };
            if let Ok(Ok(value)) = self.host.timeout(PATIENCE, asked).await {
                self.take_map(&value);
                return;
            }
        }
    }

    fn take_map(&self, map: &Value) {
        let Value::Array(ranges) = map else { return };
        let mut slots = self.slots.borrow_mut();
        for range in ranges {
            let Value::Array(fields) = range else { continue };
            let [Value::Integer(start), Value::Integer(end), Value::Array(master)] = &fields[..] else { continue };
            let [ip, Value::Integer(port)] = &master[..] else { continue };
            let ip = ip.as_text().and_then(|text| std::str::from_utf8(&text).ok()?.parse().ok());
            let (Some(ip), Ok(port)) = (ip, u16::try_from(*port)) else { continue };
            let bound = |slot: u64| usize::try_from(slot).unwrap_or(usize::MAX);
            if let Some(range) = slots.get_mut(bound(*start)..=bound(*end)) {
                range.fill(Some(SocketAddrV4::new(ip, port)));
            }
        }
    }
}

/// Where `MOVED 3999 10.0.0.3:6379` points to.
fn moved(error: &[u8]) -> Option<SocketAddrV4> {
    let text = std::str::from_utf8(error).ok()?;
    text.strip_prefix("MOVED ")?.split_once(' ')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moved_says_where_to() {
        assert_eq!(moved(b"MOVED 3999 10.0.0.3:6379"), "10.0.0.3:6379".parse().ok());
        assert_eq!(moved(b"CLUSTERDOWN The cluster is down"), None);
    }
}
