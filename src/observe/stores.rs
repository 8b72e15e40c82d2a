//! Stores over a run: writes and what became of them, reads and how old they were, lag, and who was primary when.
//!
//! A reader of the trace knows what no member can: what two primaries have acknowledged at the same time, and which write is in
//! the log of neither the next primary nor any later one.

use super::samples::Samples;
use crate::base::Time;
use crate::trace::{StoreEvent, StoreRecord};
use std::collections::BTreeMap;

/// A write: epoch of the primary that took it, number in its log.
type Place = (u64, u64);

/// What must be known of a store before the run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Its name.
    pub name: String,
    /// Its members: number in the plan, name.
    pub members: Vec<(u32, String)>,
}

/// What one member has done.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Reads answered.
    pub reads: u64,
    /// Of those, with less than had been acknowledged for the key.
    pub stale: u64,
    /// Reads and writes refused.
    pub refused: u64,
    /// Entries of the primary applied.
    pub applied: u64,
    /// Entries thrown away for those of a later primary.
    pub discarded: u64,
    /// From taking a write at the primary to applying it here.
    pub lag: Samples,
}

/// A change of roles.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Change {
    /// When.
    pub time: Time,
    /// Which member, by its place in [`Plan::members`].
    pub member: usize,
    /// What.
    pub event: StoreEvent,
}

/// What a store came to.
#[derive(Clone, Debug)]
pub struct Store {
    /// Its name.
    pub name: String,
    /// Its members, in the order of succession.
    pub members: Vec<Member>,
    /// Changes of roles, in order.
    pub changes: Vec<Change>,
    /// Writes refused.
    pub refused_writes: u64,
    nodes: Vec<u32>,
    taken: BTreeMap<Place, Time>,
    acknowledged: Vec<Place>,
    latest: BTreeMap<u64, Place>,
}

impl Store {
    fn new(plan: Plan) -> Self {
        let (nodes, names): (Vec<u32>, Vec<String>) = plan.members.into_iter().unzip();
        let member =
            |name| Member { name, reads: 0, stale: 0, refused: 0, applied: 0, discarded: 0, lag: Samples::default() };
        Self {
            name: plan.name,
            members: names.into_iter().map(member).collect(),
            changes: Vec::new(),
            refused_writes: 0,
            nodes,
            taken: BTreeMap::new(),
            acknowledged: Vec::new(),
            latest: BTreeMap::new(),
        }
    }

    fn record(&mut self, record: &StoreRecord) {
        let Some(index) = self.nodes.iter().position(|&node| node == record.node) else { return };
        let member = &mut self.members[index];
        match record.event {
            StoreEvent::Read { key, epoch, seq } => {
                member.reads += 1;
                member.stale += u64::from(self.latest.get(&key).is_some_and(|&latest| (epoch, seq) < latest));
            }
            StoreEvent::Taken { epoch, seq } => {
                self.taken.insert((epoch, seq), record.time);
            }
            StoreEvent::Acknowledged { key, epoch, seq } => {
                self.acknowledged.push((epoch, seq));
                let latest = self.latest.entry(key).or_default();
                *latest = (*latest).max((epoch, seq));
            }
            StoreEvent::Refused { write } => {
                member.refused += 1;
                self.refused_writes += u64::from(write);
            }
            StoreEvent::Applied { epoch, seq } => {
                member.applied += 1;
                if let Some(&taken) = self.taken.get(&(epoch, seq)) {
                    member.lag.push(taken, record.time - taken);
                }
            }
            StoreEvent::Discarded { entries, .. } => {
                member.discarded += entries;
                self.changes.push(Change { time: record.time, member: index, event: record.event });
            }
            StoreEvent::Doubted { .. } | StoreEvent::Promoted { .. } | StoreEvent::SteppedDown { .. } => {
                self.changes.push(Change { time: record.time, member: index, event: record.event });
            }
        }
    }

    /// Writes that clients were told are done.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.len() as u64
    }

    /// Of those, the ones that a later primary did not have when it began.
    #[must_use]
    pub fn lost(&self) -> u64 {
        let gone = |&&(epoch, seq): &&Place| {
            self.changes.iter().any(|change| match change.event {
                StoreEvent::Promoted { epoch: later, base } => later > epoch && base < seq,
                _ => false,
            })
        };
        self.acknowledged.iter().filter(gone).count() as u64
    }

    /// Reads answered by all members, and those among them that were stale.
    #[must_use]
    pub fn reads(&self) -> (u64, u64) {
        self.members.iter().fold((0, 0), |sum, member| (sum.0 + member.reads, sum.1 + member.stale))
    }
}

/// All stores of a plan, in its order.
#[derive(Clone, Debug, Default)]
pub struct Stores(Vec<Store>);

impl Stores {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(plans: impl IntoIterator<Item = Plan>) -> Self {
        Self(plans.into_iter().map(Store::new).collect())
    }

    /// Takes a record in.
    pub fn record(&mut self, record: &StoreRecord) {
        if let Some(store) = self.0.get_mut(record.store as usize) {
            store.record(record);
        }
    }

    /// What they came to.
    #[must_use]
    pub fn finish(self) -> Vec<Store> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Span;

    fn seen(events: &[(u64, u32, StoreEvent)]) -> Store {
        let members = vec![(4, "a".to_owned()), (7, "b".to_owned())];
        let mut stores = Stores::new([Plan { name: "db".into(), members }]);
        for &(time, node, event) in events {
            stores.record(&StoreRecord { store: 0, node, time: Time::from_nanos(time), event });
        }
        stores.finish().remove(0)
    }

    #[test]
    fn what_the_next_primary_did_not_have_is_lost_however_late_it_was_acknowledged() {
        let acknowledged = |epoch, seq| StoreEvent::Acknowledged { key: 1, epoch, seq };
        let store = seen(&[
            (1, 4, acknowledged(1, 1)),
            (2, 4, acknowledged(1, 2)),
            (3, 7, StoreEvent::Promoted { epoch: 2, base: 1 }),
            (4, 7, acknowledged(2, 2)),
            (5, 4, acknowledged(1, 3)),
        ]);
        assert_eq!((store.acknowledged(), store.lost()), (4, 2));
    }

    #[test]
    fn a_read_is_stale_if_more_had_been_acknowledged() {
        let read = |epoch, seq| StoreEvent::Read { key: 1, epoch, seq };
        let store = seen(&[
            (1, 7, read(0, 0)),
            (2, 4, StoreEvent::Taken { epoch: 1, seq: 1 }),
            (3, 7, read(0, 0)),
            (4, 4, StoreEvent::Acknowledged { key: 1, epoch: 1, seq: 1 }),
            (5, 7, read(0, 0)),
            (6, 7, StoreEvent::Applied { epoch: 1, seq: 1 }),
            (7, 7, read(1, 1)),
        ]);
        assert_eq!(store.reads(), (4, 1));
        assert_eq!(store.members[1].lag.sorted().max(), Some(Span::from_nanos(4)));
    }
}
