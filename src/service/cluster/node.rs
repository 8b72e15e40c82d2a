//! A running node: commands of clients, the bus, and the clock that pings, doubts and stands for election.

use super::bus::{Kind, Message};
use super::resp::{Reader, Value};
use super::slot::{share, slot_of};
use super::view::{News, View};
use super::{BUS_OFFSET, Config, replicate};
use crate::base::{Rng, Span, Time};
use crate::host::sync::{Queue, Semaphore};
use crate::host::{Host, NetError, TcpStream};
use crate::service::store::log::{Entry, Log, Place};
use crate::trace::{Arrival, Exchange, Record, StoreEvent, StoreRecord};
use crate::wire::Payload;
use bytes::Bytes;
use std::cell::{RefCell, RefMut};
use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::rc::Rc;

/// How often a node looks around (`clusterCron`), and how often it pings somebody at random.
const TICK: Span = Span::from_millis(100);
const RANDOM_PING: u64 = 10;
/// A random ping goes to who has been heard of least lately of so many.
const SAMPLE: u64 = 5;

/// What the tasks of a node share.
pub(super) struct Node {
    pub(super) host: Host,
    pub(super) config: Config,
    view: RefCell<View>,
    log: RefCell<Log>,
    /// One command at a time.
    processor: Semaphore,
    work: RefCell<Rng>,
    chance: RefCell<Rng>,
    /// Messages for each node.
    links: Vec<Queue<Message>>,
    /// Rung for each replica that is fed when there is a write, and when that is over.
    bells: RefCell<BTreeMap<u64, Queue<()>>>,
    /// Votes for this node, by epoch.
    ballots: Queue<u64>,
    /// Rung when the shard has another master.
    pub(super) turn: Queue<()>,
}

impl Node {
    pub(super) fn view(&self) -> RefMut<'_, View> {
        self.view.borrow_mut()
    }

    pub(super) fn log(&self) -> RefMut<'_, Log> {
        self.log.borrow_mut()
    }

    pub(super) fn addr(&self, node: usize) -> SocketAddrV4 {
        SocketAddrV4::new(self.config.members[node], self.config.port)
    }

    pub(super) fn record(&self, event: StoreEvent) {
        let store = self.config.store + u32::try_from(self.view().shard()).unwrap_or(0);
        let (node, time) = (self.host.node(), self.host.now());
        self.host.record(Record::Store(StoreRecord { store, node, time, event }));
    }

    /// A replica is fed: how it is rung, and its name.
    pub(super) fn feeds(&self) -> (u64, Queue<()>) {
        let mut bells = self.bells.borrow_mut();
        let name = bells.last_key_value().map_or(0, |(&last, _)| last + 1);
        (name, bells.entry(name).or_default().clone())
    }

    /// A replica is fed no more.
    pub(super) fn leaves(&self, name: u64) {
        self.bells.borrow_mut().remove(&name);
    }

    fn ring(&self) {
        self.bells.borrow().values().for_each(|bell| bell.push(()));
    }

    /// Tells everybody.
    fn broadcast(&self, message: &Message) {
        let others = self.links.iter().enumerate().filter(|&(node, _)| node != self.config.me);
        others.for_each(|(_, link)| link.push(message.clone()));
    }

    fn ping(&self, node: usize) {
        let about = usize::try_from(self.chance.borrow_mut().below(self.links.len() as u64)).unwrap_or(0);
        let message = self.view().message(Kind::Ping, about);
        self.view().pinged(node, self.host.now());
        self.links[node].push(message);
    }

    /// Does what follows from a message of `sender`; what is to be answered.
    fn act(&self, news: Vec<News>, sender: usize) {
        for news in news {
            match news {
                News::Failed(node) => {
                    let message = self.view().message(Kind::Fail, node);
                    if self.view().orphaned().is_some() {
                        self.record(StoreEvent::Doubted { epoch: message.epoch });
                    }
                    self.broadcast(&message);
                }
                News::Vote => {
                    let vote = self.view().message(Kind::Vote, 0);
                    self.links[sender].push(vote);
                }
                News::Voted(epoch) => self.ballots.push(epoch),
                News::Moved(shard) => {
                    let own = self.view().shard() == shard;
                    if own {
                        self.turn.push(());
                    }
                }
            }
        }
    }
}

/// Serves for ever. Emits a [`StoreRecord`] for what is read, written and copied and for changes of roles, and an [`Exchange`] for
/// each command.
pub async fn run(host: Host, config: Config) {
    let Ok(clients) = host.listen_with(config.port, 511, None, true).await else { return };
    let Ok(bus) = host.listen_with(config.port + BUS_OFFSET, 511, None, true).await else { return };
    let nodes = config.members.len();
    let node = Rc::new(Node {
        view: RefCell::new(View::new(config.me, nodes, config.shards, config.node_timeout, host.now())),
        log: RefCell::default(),
        processor: Semaphore::new(1),
        work: RefCell::new(host.rng("cluster")),
        chance: RefCell::new(host.rng("cluster/gossip")),
        links: (0..nodes).map(|_| Queue::new()).collect(),
        bells: RefCell::default(),
        ballots: Queue::new(),
        turn: Queue::new(),
        host: host.clone(),
        config,
    });
    for other in (0..nodes).filter(|&other| other != node.config.me) {
        drop(host.spawn(link(Rc::clone(&node), other)));
    }
    drop(host.spawn(clock(Rc::clone(&node))));
    drop(host.spawn(replicate::copy(Rc::clone(&node))));
    let hearing = Rc::clone(&node);
    drop(host.spawn(async move {
        while let Ok(stream) = bus.accept().await {
            let node = Rc::clone(&hearing);
            drop(hearing.host.spawn(async move {
                while let Ok(message) = Message::read(&stream).await {
                    let ping = message.kind == Kind::Ping;
                    hear(&node, &message);
                    let pong = ping.then(|| node.view().message(Kind::Pong, usize::from(message.sender)));
                    if let Some(pong) = pong
                        && stream.write(pong.encode()).await.is_err()
                    {
                        break;
                    }
                }
            }));
        }
    }));
    while let Ok(stream) = clients.accept().await {
        drop(host.spawn(client(Rc::clone(&node), stream)));
    }
}

fn hear(node: &Node, message: &Message) {
    let was_master = node.view().is_master();
    let news = node.view().heard(message, node.host.now());
    node.act(news, usize::from(message.sender));
    if was_master && !node.view().is_master() {
        let epoch = node.view().epoch;
        node.record(StoreEvent::SteppedDown { epoch });
        node.ring();
    }
}

/// The connection to another node, made again whenever it breaks or hangs: messages go out, pongs come back.
async fn link(node: Rc<Node>, other: usize) {
    let to = SocketAddrV4::new(node.config.members[other], node.config.port + BUS_OFFSET);
    loop {
        let connected = node.host.timeout(node.config.node_timeout / 2, node.host.connect_with(to, None, true)).await;
        let Ok(Ok(stream)) = connected else {
            node.host.sleep(TICK).await;
            continue;
        };
        let stream = Rc::new(stream);
        let (reader, reading) = (Rc::clone(&node), Rc::clone(&stream));
        let pongs = node.host.spawn(async move {
            while let Ok(message) = Message::read(&reading).await {
                hear(&reader, &message);
            }
        });
        let since = node.host.now();
        while !pongs.is_finished() {
            if let Ok(message) = node.host.timeout(TICK, node.links[other].pop()).await {
                if stream.write(message.encode()).await.is_err() {
                    break;
                }
            } else if node.view().hangs(other, node.host.now())
                && node.host.now().since(since) > node.config.node_timeout / 2
            {
                // What was sent on it may never arrive: a new one may find another way.
                stream.abort();
                break;
            }
        }
        pongs.abort();
        node.host.sleep(TICK).await;
    }
}

/// Looks around ten times a second: pings, doubts, and stands for election in the place of a failed master.
async fn clock(node: Rc<Node>) {
    let mut election: Option<(Time, Time)> = None;
    for tick in 1u64.. {
        node.host.sleep(TICK).await;
        let now = node.host.now();
        let mut due = node.view().overdue(now);
        if tick % RANDOM_PING == 0 {
            let nodes = node.links.len() as u64;
            let sample: Vec<usize> =
                (0..SAMPLE).filter_map(|_| usize::try_from(node.chance.borrow_mut().below(nodes)).ok()).collect();
            let stalest = node.view().stalest(sample.into_iter());
            due.extend(stalest.filter(|node| !due.contains(node)));
        }
        due.into_iter().for_each(|other| node.ping(other));
        let news = node.view().tick(now);
        node.act(news, node.config.me);
        let orphaned = node.view().orphaned();
        let Some(since) = orphaned else {
            election = None;
            continue;
        };
        // A fixed delay for the news to get around, a random one and one by rank, so that the best replica stands first and alone.
        let (_, at) = *election.get_or_insert_with(|| {
            let random = Span::from_millis(node.chance.borrow_mut().below(500));
            let rank = node.view().rank();
            (since, now + Span::from_millis(500) + random + Span::from_secs(1) * rank)
        });
        if now >= at {
            let patience = (node.config.node_timeout * 2).max(Span::from_secs(2));
            if stand(&node, patience).await {
                election = None;
            } else {
                election = Some((since, node.host.now() + patience));
            }
        }
    }
}

/// Stands for election; whether it was won.
async fn stand(node: &Node, patience: Span) -> bool {
    while node.ballots.try_pop().is_some() {}
    let epoch = node.view().stand();
    let ask = node.view().message(Kind::Ask, 0);
    node.broadcast(&ask);
    let deadline = node.host.now() + patience;
    let mut votes = 0;
    while let left = deadline.since(node.host.now())
        && !left.is_zero()
    {
        let Ok(vote) = node.host.timeout(left, node.ballots.pop()).await else { return false };
        votes += usize::from(vote == epoch);
        if votes >= node.view().quorum() {
            if node.view().orphaned().is_none() {
                return true;
            }
            let base = node.log().len();
            node.view().take_over(epoch);
            node.record(StoreEvent::Promoted { epoch, base });
            node.turn.push(());
            let word = node.view().message(Kind::Pong, 0);
            node.broadcast(&word);
            return true;
        }
    }
    false
}

/// Serves one client until it goes.
async fn client(node: Rc<Node>, stream: TcpStream) {
    let mut reader = Reader::default();
    let mut exchange = 0;
    while let Ok(Value::Array(words)) = reader.value(&stream).await {
        let name = words.first().and_then(Value::as_text).unwrap_or_default();
        if name.as_ref() == b"PSYNC" {
            let _ = replicate::feed(&node, &stream, &words).await;
            return;
        }
        let arrival = reader.arrival();
        if answer(&node, &stream, exchange, &name, &words, arrival).await.is_err() {
            return;
        }
        exchange += 1;
    }
}

async fn answer(
    node: &Node,
    stream: &TcpStream,
    exchange: u32,
    name: &Bytes,
    words: &[Value],
    request: Arrival,
) -> Result<(), NetError> {
    let processor = node.processor.acquire().await;
    let started = node.host.now();
    let work = node.config.service.sample(&mut node.work.borrow_mut());
    if !work.is_zero() {
        node.host.sleep(node.host.condition().stretch(work)).await;
    }
    drop(processor);
    let value = command(node, name, words);
    let finished = node.host.now();
    let exchange = Exchange::at_once(stream.flow(), exchange, node.host.node(), request, finished);
    node.host.record(Record::Exchange(Exchange { started, ..exchange }));
    stream.write(value.encode()).await
}

/// What a command comes to.
fn command(node: &Node, name: &[u8], words: &[Value]) -> Value {
    let error = |text: String| Value::Error(Bytes::from(text));
    let key = words.get(1).and_then(Value::as_text);
    match (name, key) {
        (b"CLUSTER", Some(word)) if word.as_ref() == b"SLOTS" => slots(node),
        (b"GET" | b"SET", Some(key)) => {
            let write = name == b"SET";
            if !node.view().is_up() {
                node.record(StoreEvent::Refused { write });
                return error("CLUSTERDOWN The cluster is down".to_owned());
            }
            let slot = slot_of(&key);
            let shard = shard_of(slot, node.config.shards);
            let owner = node.view().owner(shard).node;
            if owner != node.config.me {
                return error(format!("MOVED {slot} {}", node.addr(owner)));
            }
            let hash = crate::service::store::hash(&key);
            if !write {
                let value = node.log().value(&key);
                let place = value.map(|value| value.place).unwrap_or_default();
                node.record(StoreEvent::Read { key: hash, epoch: place.epoch, seq: place.seq });
                return Value::Bulk(Payload::filler(value.map_or(node.config.value, |value| value.bytes)));
            }
            let bytes = words.get(2).map_or(0, |value| if let Value::Bulk(value) = value { value.len() } else { 0 });
            let epoch = node.view().owner(shard).epoch;
            let Place { epoch, seq } = node.log().push(Entry { epoch, key, bytes });
            node.view().offset = seq;
            node.ring();
            node.record(StoreEvent::Taken { epoch, seq });
            node.record(StoreEvent::Acknowledged { key: hash, epoch, seq });
            Value::ok()
        }
        _ => error(format!("ERR unknown command '{}'", String::from_utf8_lossy(name))),
    }
}

/// The shard that a slot belongs to.
pub(super) fn shard_of(slot: u16, shards: usize) -> usize {
    (0..shards).find(|&shard| share(shard, shards).contains(&slot)).unwrap_or(0)
}

/// The answer to `CLUSTER SLOTS`: each range with its master's address.
fn slots(node: &Node) -> Value {
    let view = node.view();
    let ranges = view.owners().iter().enumerate().map(|(shard, owner)| {
        let share = share(shard, node.config.shards);
        let master =
            vec![Value::text(node.config.members[owner.node].to_string()), Value::Integer(u64::from(node.config.port))];
        Value::Array(vec![
            Value::Integer(u64::from(share.start)),
            Value::Integer(u64::from(share.end) - 1),
            Value::Array(master),
        ])
    });
    Value::Array(ranges.collect())
}
