//! What one member of a store knows, and what follows from what it hears: roles, votes and who has what. No waiting, no sockets.

use super::Config;
use super::log::{Entry, Log, Place};
use crate::base::Time;
use crate::host::sync::Queue;
use bytes::Bytes;

/// What a member is at the moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    /// Takes writes.
    Primary,
    /// Follows the log of this member, or of nobody as long as it does not know of a primary.
    Follower(Option<usize>),
}

/// A follower as its primary sees it.
struct Follower {
    /// Names the connection on which it follows.
    link: u64,
    /// The last entry that it is known to have.
    has: u64,
    /// Rung when there is more to be sent.
    bell: Queue<()>,
}

/// A write that waits for followers.
struct Waiting {
    seq: u64,
    answer: Queue<bool>,
}

pub(super) struct Member {
    pub(super) role: Role,
    /// The latest epoch that it has heard of.
    pub(super) epoch: u64,
    pub(super) log: Log,
    /// When a primary was last heard.
    pub(super) heard: Time,
    followers: Vec<Follower>,
    links: u64,
    waiting: Vec<Waiting>,
    acks: usize,
    /// Rung when the role has changed.
    pub(super) turn: Queue<()>,
}

impl Member {
    /// A member at the start of a run, where the first takes writes; or after a restart, where it has to ask.
    pub(super) fn new(config: &Config, now: Time) -> Self {
        let fresh = now == Time::ZERO;
        let role = match config.me {
            0 if fresh || config.failover.is_none() => Role::Primary,
            _ => Role::Follower((fresh || config.failover.is_none()).then_some(0)),
        };
        Self {
            role,
            epoch: u64::from(fresh || config.failover.is_none()),
            log: Log::default(),
            heard: now,
            followers: Vec::new(),
            links: 0,
            waiting: Vec::new(),
            acks: config.acks,
            turn: Queue::new(),
        }
    }

    pub(super) fn is_primary(&self) -> bool {
        self.role == Role::Primary
    }

    /// A primary takes a write. Its place, and where the answer comes from if followers must have it first.
    pub(super) fn take(&mut self, key: Bytes, bytes: u64) -> (Place, Option<Queue<bool>>) {
        let place = self.log.push(Entry { epoch: self.epoch, key, bytes });
        self.followers.iter().for_each(|follower| follower.bell.push(()));
        let answer = (self.acks > 0).then(Queue::new);
        if let Some(answer) = &answer {
            self.waiting.push(Waiting { seq: place.seq, answer: answer.clone() });
        }
        (place, answer)
    }

    /// A follower has joined: the name of its connection, and its bell.
    pub(super) fn joined(&mut self, has: u64) -> (u64, Queue<()>) {
        self.links += 1;
        let bell = Queue::new();
        self.followers.push(Follower { link: self.links, has, bell: bell.clone() });
        self.settle();
        (self.links, bell)
    }

    /// The connection of a follower is gone.
    pub(super) fn left(&mut self, link: u64) {
        self.followers.retain(|follower| follower.link != link);
    }

    /// A follower has everything up to `seq`.
    pub(super) fn acknowledged(&mut self, link: u64, seq: u64) {
        if let Some(follower) = self.followers.iter_mut().find(|follower| follower.link == link) {
            follower.has = follower.has.max(seq);
        }
        self.settle();
    }

    /// Answers the writes that enough followers have.
    fn settle(&mut self) {
        let (followers, acks) = (&self.followers, self.acks);
        self.waiting.retain(|write| {
            let enough = followers.iter().filter(|follower| follower.has >= write.seq).count() >= acks;
            if enough {
                write.answer.push(true);
            }
            !enough
        });
    }

    /// Member `leader` is primary of `epoch`. False if that is no news, or old. A primary that hears of a later one takes no more
    /// writes, and says no to those that wait.
    pub(super) fn led_by(&mut self, leader: usize, epoch: u64) -> bool {
        if epoch < self.epoch || (epoch == self.epoch && self.role == Role::Follower(Some(leader))) {
            return false;
        }
        self.step_down(Some(leader), epoch);
        true
    }

    /// Follows `leader` from now on.
    fn step_down(&mut self, leader: Option<usize>, epoch: u64) {
        self.epoch = epoch;
        self.role = Role::Follower(leader);
        self.waiting.drain(..).for_each(|write| write.answer.push(false));
        self.followers.drain(..).for_each(|follower| follower.bell.push(()));
        self.turn.push(());
    }

    /// Whether a candidate for `epoch` whose log ends at `place` gets this member's vote: once an epoch, not while a primary is
    /// heard, and not with less than this member has (Raft 5.2, 5.4.1 and its thesis 4.2.3).
    pub(super) fn votes(&mut self, epoch: u64, place: Place, silent: bool, now: Time) -> bool {
        let yes = epoch > self.epoch && silent && !self.is_primary() && place >= self.log.end();
        if yes {
            self.epoch = epoch;
            self.role = Role::Follower(None);
            // Whom it has voted for is given the time to be heard.
            self.heard = now;
        }
        yes
    }

    /// Stands for the next epoch, having voted for itself.
    pub(super) fn stand(&mut self) -> u64 {
        self.epoch += 1;
        self.role = Role::Follower(None);
        self.epoch
    }

    /// Elected for `epoch`, unless another epoch has come meanwhile.
    pub(super) fn elected(&mut self, epoch: u64) -> bool {
        let still = self.epoch == epoch && self.role == Role::Follower(None);
        if still {
            self.role = Role::Primary;
            self.turn.push(());
        }
        still
    }
}
