//! A replicated key-value store behind HTTP: one member takes writes, the others follow its log, and when it falls silent one of them
//! takes over.
//!
//! `GET /key` reads, `PUT`, `POST` and `DELETE` write. A follower reads what it has, which may be old, or asks the primary; writes it always
//! passes on. Replication is asynchronous, or waits until so many followers have the entry. A follower that has not heard
//! from its primary for long enough stands for election; whoever a quorum of members votes for is primary of the next epoch
//! (as in Raft, but the quorum is the scenario's to choose: with less than a majority there can be two primaries, and what the one
//! that loses had taken is lost).

mod follow;
mod frame;
mod front;
pub(in crate::service) mod log;
mod member;
mod serve;

use crate::base::{Dist, Rng, Span};
use crate::host::Host;
use crate::host::sync::{Queue, Semaphore};
use crate::trace::{Record, StoreEvent, StoreRecord};
use log::Place;
use member::Member;
use std::cell::{RefCell, RefMut};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::rc::Rc;

/// Port on which members talk to each other (that of etcd's).
pub const PEER_PORT: u16 = 2_380;

/// Who answers a read that comes to a follower.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Reads {
    /// The follower itself, with what it has.
    #[default]
    Local,
    /// The primary, asked by the follower.
    Primary,
}

/// One member of a store.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// Which store of the plan.
    pub store: u32,
    /// Port of its HTTP side.
    pub port: u16,
    /// All members in the order of succession; the first is primary at the start.
    pub members: Vec<Ipv4Addr>,
    /// Which of them this is.
    pub me: usize,
    /// Reads and writes worked on at the same time.
    pub workers: usize,
    /// How long the work on one takes.
    pub service: Dist,
    /// Bytes of a value that nobody has written.
    pub value: u64,
    /// Who answers reads here while this is a follower.
    pub reads: Reads,
    /// Followers that must have a write before it is answered; 0: none, it is answered at once.
    pub acks: usize,
    /// When a write or a read that is passed on is given up.
    pub patience: Span,
    /// From one sign of life of the primary to the next.
    pub heartbeat: Span,
    /// Silence after which a follower stands for election; `None`: never.
    pub failover: Option<Span>,
    /// Members, the candidate included, that must vote for it.
    pub quorum: usize,
}

impl Config {
    /// A store of one member at `addr`, which is asked on port 80: no work, values of 1,024 bytes.
    #[must_use]
    pub fn new(store: u32, addr: Ipv4Addr) -> Self {
        Self {
            store,
            port: 80,
            members: vec![addr],
            me: 0,
            workers: 64,
            service: Dist::Constant(Span::ZERO),
            value: 1_024,
            reads: Reads::Local,
            acks: 0,
            patience: Span::from_secs(2),
            heartbeat: Span::from_millis(500),
            failover: None,
            quorum: 1,
        }
    }
}

/// A running member: what its tasks share.
struct Node {
    host: Host,
    config: Config,
    member: RefCell<Member>,
    workers: Semaphore,
    /// Draws the work of each request, in the order in which they are taken up.
    work: RefCell<Rng>,
    /// Connections to the primary that are free.
    upstream: RefCell<Vec<front::Upstream>>,
}

impl Node {
    fn member(&self) -> RefMut<'_, Member> {
        self.member.borrow_mut()
    }

    /// Where its log ends, and the latest epoch that it knows of.
    fn standing(&self) -> (Place, u64) {
        let member = self.member();
        (member.log.end(), member.epoch)
    }

    fn peer(&self, member: usize) -> SocketAddrV4 {
        SocketAddrV4::new(self.config.members[member], PEER_PORT)
    }

    fn record(&self, event: StoreEvent) {
        let (store, node, time) = (self.config.store, self.host.node(), self.host.now());
        self.host.record(Record::Store(StoreRecord { store, node, time, event }));
    }

    /// Whether no primary has been heard for as long as it takes to doubt it.
    fn silent(&self) -> bool {
        self.config.failover.is_some_and(|patience| self.host.now().since(self.member().heard) >= patience)
    }
}

/// Serves for ever. Emits a [`StoreRecord`] for what is read, written, applied and for every change of roles, and an
/// [`Exchange`](crate::trace::Exchange) for each request.
pub async fn run(host: Host, config: Config) {
    let Ok(front) = host.listen_with(config.port, 511, None, true).await else { return };
    let Ok(peers) = host.listen_with(PEER_PORT, 511, None, true).await else { return };
    let node = Rc::new(Node {
        member: RefCell::new(Member::new(&config, host.now())),
        workers: Semaphore::new(config.workers),
        work: RefCell::new(host.rng("store")),
        upstream: RefCell::default(),
        host: host.clone(),
        config,
    });
    if node.config.members.len() > 1 {
        drop(host.spawn(follow::govern(Rc::clone(&node))));
    }
    let accepting = Rc::clone(&node);
    drop(host.spawn(async move {
        while let Ok(stream) = peers.accept().await {
            drop(accepting.host.spawn(serve::peer(Rc::clone(&accepting), stream)));
        }
    }));
    while let Ok(stream) = front.accept().await {
        drop(host.spawn(front::connection(Rc::clone(&node), stream)));
    }
}

/// An item, unless it takes longer than `span`.
async fn within<T>(host: &Host, span: Span, queue: &Queue<T>) -> Option<T> {
    host.timeout(span, queue.pop()).await.ok()
}

/// A key as the observers know it.
pub(in crate::service) fn hash(key: &[u8]) -> u64 {
    let mut digest = crate::base::Digest::default();
    key.iter().for_each(|&byte| digest.fold(u64::from(byte)));
    digest.value()
}
