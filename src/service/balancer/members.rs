//! The members of a pool on a running balancer: their state, the tasks that keep it, and what observers are told of it.

use super::config::Pool;
use super::group::Group;
use super::health;
use super::policy::Asked;
use crate::base::{Span, Time};
use crate::host::Host;
use crate::trace::{Balanced, BalancedEvent, Failure, Judgement, Record};
use std::cell::{Cell, RefCell};
use std::net::SocketAddrV4;
use std::rc::Rc;

/// A pool at work on one machine.
pub(in crate::service) struct Members {
    host: Host,
    group: RefCell<Group>,
    nodes: Vec<u32>,
}

impl Members {
    /// Starts the checks, the looks at the ejected and the planned removals of a pool. What its policy leaves to chance is drawn from
    /// the stream `host/<name>/balancer/<pool>`.
    pub(in crate::service) fn start(host: &Host, pool: Pool, instance: u32) -> Rc<Self> {
        let rng = host.rng(&format!("balancer/{}", pool.name));
        let nodes = pool.members.iter().map(|member| member.node).collect();
        let (check, outliers) = (pool.check.clone(), pool.outliers);
        let drains: Vec<(usize, Time)> =
            (0..).zip(&pool.members).filter_map(|(id, member)| Some((id, member.drain?))).collect();
        let group = RefCell::new(Group::new(pool, instance, rng));
        let members = Rc::new(Self { host: host.clone(), group, nodes });
        if let Some(check) = check {
            health::watch(host, &members, &check);
        }
        if let Some(rules) = outliers {
            let members = Rc::clone(&members);
            drop(host.spawn(async move {
                loop {
                    members.host.sleep(rules.interval).await;
                    members.change(|group, now| group.look(&rules, now));
                }
            }));
        }
        for (id, at) in drains {
            let members = Rc::clone(&members);
            drop(host.spawn(async move {
                members.host.sleep_until(at).await;
                members.change(|group, _| group.drain(id));
            }));
        }
        members
    }

    /// Where each member listens, and whether it speaks TLS.
    pub(super) fn targets(&self) -> Vec<(SocketAddrV4, bool)> {
        self.group.borrow().config().members.iter().map(|member| (member.at, member.tls)).collect()
    }

    /// Number of a member's node in the plan.
    pub(super) fn node(&self, id: usize) -> u32 {
        self.nodes[id]
    }

    /// Requests or connections that a member has.
    pub(super) fn active(&self, id: usize) -> usize {
        self.group.borrow().active(id) as usize
    }

    /// Whether a member may be sent something new.
    pub(in crate::service) fn takes(&self, id: usize) -> bool {
        self.group.borrow().takes(id)
    }

    /// Whether there is anybody else to ask than those that were `tried` and `id`.
    pub(in crate::service) fn others(&self, tried: &[usize], id: usize) -> bool {
        let group = self.group.borrow();
        (0..self.nodes.len()).any(|other| other != id && !tried.contains(&other) && group.takes(other))
    }

    /// Nobody may be chosen until a check says otherwise, and nobody is told.
    pub(in crate::service) fn nobody(&self) {
        self.group.borrow_mut().nobody();
    }

    /// The member for the next request or connection.
    pub(in crate::service) fn choose(&self, key: u64, tried: &[usize]) -> Option<usize> {
        self.group.borrow_mut().choose(Asked { now: self.host.now(), key }, tried)
    }

    /// A health check ended.
    pub(in crate::service) fn checked(&self, id: usize, well: bool, thresholds: (u32, u32)) {
        self.change(|group, now| group.checked(id, well, thresholds, now));
    }

    /// A member has answered, well or not.
    pub(in crate::service) fn answered(&self, id: usize, well: bool, latency: Span) {
        self.change(|group, now| group.answered(id, well, latency, now));
    }

    /// Counts something as the member's until what is returned is dropped.
    pub(in crate::service) fn send(self: &Rc<Self>, id: usize, again: bool) -> Held {
        self.change(|group, _| group.began(id));
        self.tell(id, BalancedEvent::Began { again });
        Held { members: Rc::clone(self), id, end: Cell::new(BalancedEvent::Ended) }
    }

    /// Changes the state and tells what was noticed.
    fn change(&self, change: impl FnOnce(&mut Group, Time)) {
        let now = self.host.now();
        let notices = {
            let mut group = self.group.borrow_mut();
            change(&mut group, now);
            group.notices()
        };
        for (what, id) in notices {
            let (node, subject) = (self.host.node(), self.nodes[id]);
            self.host.record(Record::Judgement(Judgement { time: now, node, what, subject }));
        }
    }

    fn tell(&self, id: usize, event: BalancedEvent) {
        self.host.record(Record::Balanced(Balanced {
            time: self.host.now(),
            node: self.host.node(),
            backend: self.nodes[id],
            active: self.group.borrow().active(id),
            event,
        }));
    }
}

/// A request or a connection that a member has.
pub(in crate::service) struct Held {
    members: Rc<Members>,
    id: usize,
    end: Cell<BalancedEvent>,
}

impl Held {
    /// It ends as a failure.
    pub(in crate::service) fn fail(&self, failure: Failure) {
        self.end.set(BalancedEvent::Failed(failure));
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.members.change(|group, _| group.ended(self.id));
        self.members.tell(self.id, self.end.get());
    }
}
