//! What one node believes of its cluster, and what follows from what it hears: who owns which slots, who is silent, who has failed,
//! whom it votes for. No waiting, no sockets.
//!
//! The rules are those of the Redis Cluster specification: "Failure detection", "Replica election and promotion", "Slots
//! configuration propagation". Slots change hands as whole shards.

use super::bus::{Health, Kind, Message};
use crate::base::{Span, Time};
use std::collections::BTreeMap;

/// Another node, or this one, as this one sees it.
struct Peer {
    /// Its shard: the master's at the start and its replicas'.
    shard: usize,
    /// When it last answered.
    pong: Time,
    /// Since when a ping of this node has had no answer.
    waiting: Option<Time>,
    health: Health,
    failed: Time,
    /// Masters that find it silent, and when each said so.
    reports: BTreeMap<usize, Time>,
    /// How many of its master's writes it has.
    offset: u64,
}

/// Who serves a shard, and under which epoch it took it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Owner {
    pub(super) node: usize,
    pub(super) epoch: u64,
}

pub(super) struct View {
    me: usize,
    timeout: Span,
    peers: Vec<Peer>,
    owners: Vec<Owner>,
    /// The latest epoch heard of.
    pub(super) epoch: u64,
    /// The last epoch in which this node has voted, and when it did for each shard.
    voted: u64,
    votes: Vec<Option<Time>>,
    /// Writes of its shard that this node has.
    pub(super) offset: u64,
}

/// What somebody has to be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum News {
    /// This node has failed: to be told to all.
    Failed(usize),
    /// The sender gets this node's vote.
    Vote,
    /// The sender has given its vote for this epoch.
    Voted(u64),
    /// A shard has another owner than before.
    Moved(usize),
}

impl View {
    /// The start of a cluster of `shards` masters and the replicas behind them.
    pub(super) fn new(me: usize, nodes: usize, shards: usize, timeout: Span, now: Time) -> Self {
        let peer = |node: usize| Peer {
            shard: node % shards,
            pong: now,
            waiting: None,
            health: Health::Good,
            failed: Time::ZERO,
            reports: BTreeMap::new(),
            offset: 0,
        };
        Self {
            me,
            timeout,
            peers: (0..nodes).map(peer).collect(),
            // As after `redis-cli --cluster create`: each master has an epoch of its own.
            owners: (0..shards).map(|shard| Owner { node: shard, epoch: shard as u64 + 1 }).collect(),
            epoch: shards as u64,
            voted: 0,
            votes: vec![None; shards],
            offset: 0,
        }
    }

    pub(super) fn shard(&self) -> usize {
        self.peers[self.me].shard
    }

    pub(super) fn owner(&self, shard: usize) -> Owner {
        self.owners[shard]
    }

    pub(super) fn owners(&self) -> &[Owner] {
        &self.owners
    }

    /// Whom this node replicates; itself if it is a master.
    pub(super) fn master(&self) -> usize {
        self.owners[self.shard()].node
    }

    pub(super) fn is_master(&self) -> bool {
        self.master() == self.me
    }

    fn owns(&self, node: usize) -> bool {
        self.peers.get(node).is_some_and(|peer| self.owners[peer.shard].node == node)
    }

    fn majority(&self) -> usize {
        self.owners.len() / 2 + 1
    }

    /// Whether slots are served: none of their owners has failed, and most of them can be reached (`cluster-require-full-coverage`
    /// as it is by default).
    pub(super) fn is_up(&self) -> bool {
        let health = |owner: &Owner| if owner.node == self.me { Health::Good } else { self.peers[owner.node].health };
        let good = self.owners.iter().filter(|owner| health(owner) == Health::Good).count();
        good >= self.majority() && self.owners.iter().all(|owner| health(owner) != Health::Failed)
    }

    /// Whom to ping now: who has not been heard for half the timeout.
    pub(super) fn overdue(&self, now: Time) -> Vec<usize> {
        let due = |&node: &usize| {
            let peer = &self.peers[node];
            node != self.me && peer.waiting.is_none() && now.since(peer.pong) > self.timeout / 2
        };
        (0..self.peers.len()).filter(due).collect()
    }

    /// Of some nodes the one that has been heard of least lately and is not waited for.
    pub(super) fn stalest(&self, of: impl Iterator<Item = usize>) -> Option<usize> {
        of.filter(|&node| node != self.me && self.peers[node].waiting.is_none())
            .min_by_key(|&node| self.peers[node].pong)
    }

    /// A ping has been sent.
    pub(super) fn pinged(&mut self, node: usize, now: Time) {
        self.peers[node].waiting.get_or_insert(now);
    }

    /// Whether an answer has been waited for so long that another connection may help.
    pub(super) fn hangs(&self, node: usize, now: Time) -> bool {
        self.peers[node].waiting.is_some_and(|since| now.since(since) > self.timeout / 2)
    }

    /// Time has gone on: who does not answer is silent, and whom most masters find silent has failed.
    pub(super) fn tick(&mut self, now: Time) -> Vec<News> {
        let mut news = Vec::new();
        for node in 0..self.peers.len() {
            let peer = &mut self.peers[node];
            if peer.health == Health::Good && peer.waiting.is_some_and(|since| now.since(since) > self.timeout) {
                peer.health = Health::Silent;
            }
            news.extend(self.judge(node, now));
        }
        news
    }

    /// Whether a silent node has failed: as a majority of masters has said lately, this one included.
    fn judge(&mut self, node: usize, now: Time) -> Option<News> {
        let (own, lately) = (usize::from(self.is_master()), self.timeout * 2);
        let peer = &mut self.peers[node];
        peer.reports.retain(|_, &mut at| now.since(at) <= lately);
        let failed = peer.health == Health::Silent && peer.reports.len() + own > self.owners.len() / 2;
        failed.then(|| {
            peer.health = Health::Failed;
            peer.failed = now;
            News::Failed(node)
        })
    }

    /// Takes in a message.
    pub(super) fn heard(&mut self, message: &Message, now: Time) -> Vec<News> {
        let sender = usize::from(message.sender);
        if sender >= self.peers.len() || sender == self.me {
            return Vec::new();
        }
        let mut news = Vec::new();
        self.epoch = self.epoch.max(message.epoch);
        self.peers[sender].offset = message.offset;
        let shard = self.peers[sender].shard;
        if message.master == message.sender && message.config_epoch > self.owners[shard].epoch {
            self.owners[shard] = Owner { node: sender, epoch: message.config_epoch };
            news.push(News::Moved(shard));
        }
        match message.kind {
            Kind::Pong => self.answered(sender, now),
            Kind::Fail => {
                let subject = usize::from(message.subject);
                if let Some(peer) = self.peers.get_mut(subject).filter(|_| subject != self.me) {
                    (peer.health, peer.failed) = (Health::Failed, now);
                }
            }
            Kind::Ask if self.votes(message, now) => news.push(News::Vote),
            Kind::Vote if self.owns(sender) => news.push(News::Voted(message.epoch)),
            Kind::Ping | Kind::Ask | Kind::Vote => {}
        }
        if self.owns(sender) {
            for &(node, health) in &message.gossip {
                let node = usize::from(node);
                if node >= self.peers.len() || node == self.me {
                    continue;
                }
                if health == Health::Good {
                    self.peers[node].reports.remove(&sender);
                } else {
                    self.peers[node].reports.insert(sender, now);
                    news.extend(self.judge(node, now));
                }
            }
        }
        news
    }

    /// A node has answered: it is silent no more; failed no more if it serves nothing, or if nobody has taken its place for long.
    fn answered(&mut self, node: usize, now: Time) {
        let owns = self.owns(node);
        let long = self.timeout * 2;
        let peer = &mut self.peers[node];
        (peer.pong, peer.waiting) = (now, None);
        let back = match peer.health {
            Health::Good => false,
            Health::Silent => true,
            Health::Failed => !owns || now.since(peer.failed) > long,
        };
        if back {
            peer.health = Health::Good;
            peer.reports.clear();
        }
    }

    /// Whether a replica gets this node's vote.
    fn votes(&mut self, message: &Message, now: Time) -> bool {
        let shard = self.peers[usize::from(message.sender)].shard;
        let owner = self.owners[shard];
        let lately = self.votes[shard].is_some_and(|at| now.since(at) < self.timeout * 2);
        let yes = self.is_master()
            && message.epoch >= self.epoch
            && message.epoch > self.voted
            && usize::from(message.master) == owner.node
            && message.config_epoch >= owner.epoch
            && self.peers[owner.node].health == Health::Failed
            && !lately;
        if yes {
            self.voted = message.epoch;
            self.votes[shard] = Some(now);
        }
        yes
    }

    /// Since when the master of this replica has failed, as far as it knows.
    pub(super) fn orphaned(&self) -> Option<Time> {
        let master = &self.peers[self.master()];
        (!self.is_master() && master.health == Health::Failed).then_some(master.failed)
    }

    /// How many replicas of the same shard have more of the master's writes.
    pub(super) fn rank(&self) -> u64 {
        let shard = self.shard();
        let ahead = |(node, peer): &(usize, &Peer)| {
            *node != self.me && peer.shard == shard && *node != self.master() && peer.offset > self.offset
        };
        self.peers.iter().enumerate().filter(ahead).count() as u64
    }

    /// Stands for election in a new epoch.
    pub(super) fn stand(&mut self) -> u64 {
        self.epoch += 1;
        self.epoch
    }

    /// Votes that make a master.
    pub(super) fn quorum(&self) -> usize {
        self.majority()
    }

    /// Elected: the shard is this node's.
    pub(super) fn take_over(&mut self, epoch: u64) {
        let shard = self.shard();
        self.owners[shard] = Owner { node: self.me, epoch };
    }

    /// A message to others, with gossip about everybody who is not well and about the node numbered `also`.
    #[expect(clippy::cast_possible_truncation, reason = "a cluster has at most a thousand nodes")]
    pub(super) fn message(&self, kind: Kind, also: usize) -> Message {
        let told = |(node, peer): &(usize, &Peer)| *node != self.me && (peer.health != Health::Good || *node == also);
        Message {
            kind,
            sender: self.me as u16,
            master: self.master() as u16,
            subject: also as u16,
            epoch: self.epoch,
            config_epoch: self.owners[self.shard()].epoch,
            offset: self.offset,
            gossip: self.peers.iter().enumerate().filter(told).map(|(node, peer)| (node as u16, peer.health)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Span = Span::from_secs(5);

    fn at(seconds: u64) -> Time {
        Time::ZERO + Span::from_secs(seconds)
    }

    /// Six nodes, three shards: 3, 4 and 5 replicate 0, 1 and 2.
    fn views() -> Vec<View> {
        (0..6).map(|me| View::new(me, 6, 3, TIMEOUT, Time::ZERO)).collect()
    }

    /// Node 1 answers nobody from the start: `views` find it silent and, by their gossip, failed.
    fn without_1(views: &mut [View]) {
        for view in views.iter_mut() {
            view.pinged(1, at(0));
            assert!(view.tick(at(5)).is_empty(), "five seconds are not more than five seconds");
        }
        let mut failed = 0;
        for view in views.iter_mut() {
            failed += view.tick(at(6)).len();
        }
        assert_eq!(failed, 0, "nobody knows what others think");
        let word = views[0].message(Kind::Ping, 0);
        assert_eq!(views[2].heard(&word, at(6)), [News::Failed(1)], "two of three masters");
        let fail = Message { subject: 1, ..views[2].message(Kind::Fail, 1) };
        for me in [0, 3, 4, 5] {
            views[me].heard(&fail, at(6));
        }
    }

    #[test]
    fn a_majority_of_masters_fails_a_node_and_replicas_do_not_count() {
        let mut views = views();
        without_1(&mut views);
        assert!(!views[0].is_up() && views[4].orphaned() == Some(at(6)) && views[3].orphaned().is_none());
        let mut alone = View::new(0, 6, 3, TIMEOUT, Time::ZERO);
        alone.pinged(1, at(0));
        alone.tick(at(6));
        let word = View { owners: alone.owners.clone(), ..View::new(3, 6, 3, TIMEOUT, Time::ZERO) };
        let word = Message { gossip: vec![(1, Health::Silent)], ..word.message(Kind::Ping, 0) };
        assert!(alone.heard(&word, at(6)).is_empty(), "a replica's word");
    }

    #[test]
    fn a_replica_with_most_votes_owns_the_shard_and_everybody_learns_it() {
        let mut views = views();
        without_1(&mut views);
        let epoch = views[4].stand();
        let ask = views[4].message(Kind::Ask, 0);
        let votes: Vec<bool> = [0, 2, 3].iter().map(|&me| views[me].heard(&ask, at(7)).contains(&News::Vote)).collect();
        assert_eq!(votes, [true, true, false], "masters vote, once");
        assert!(views[0].heard(&ask, at(8)).is_empty());
        views[4].take_over(epoch);
        let word = views[4].message(Kind::Pong, 0);
        for me in [0, 1, 2, 3, 5] {
            assert!(views[me].heard(&word, at(9)).contains(&News::Moved(1)));
            assert_eq!(views[me].owner(1), Owner { node: 4, epoch });
        }
        assert!(!views[1].is_master() && views[1].master() == 4);
        assert!(views[0].is_up());
    }

    #[test]
    fn a_master_cut_off_from_most_serves_nothing() {
        let mut view = View::new(0, 6, 3, TIMEOUT, Time::ZERO);
        for node in 1..6 {
            view.pinged(node, at(0));
        }
        assert!(view.is_up());
        view.tick(at(6));
        assert!(!view.is_up(), "one of three masters can be reached");
    }

    #[test]
    fn who_was_replaced_is_well_as_soon_as_it_answers_and_who_was_not_after_a_while() {
        let mut views = views();
        without_1(&mut views);
        let pong = views[1].message(Kind::Pong, 0);
        views[0].heard(&pong, at(7));
        assert!(!views[0].is_up(), "its replica may be about to take over");
        views[0].heard(&pong, at(17));
        assert!(views[0].is_up());
        let epoch = views[4].stand();
        views[4].take_over(epoch);
        let word = views[4].message(Kind::Pong, 0);
        views[2].heard(&word, at(8));
        views[2].heard(&pong, at(8));
        assert_eq!(views[2].peers[1].health, Health::Good);
    }
}
