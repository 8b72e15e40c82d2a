//! What stores came to, as plain data.

use super::outcome::Latency;
use super::summarise::latency;
use crate::observe::stores::{Change, Store};
use crate::trace::StoreEvent;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// What one store came to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StoreOutcome {
    /// What became of writes.
    pub writes: Writes,
    /// What became of reads.
    pub reads: Reads,
    /// Its members, by name, in the order of succession.
    pub members: IndexMap<String, MemberOutcome>,
    /// Changes of roles, in order.
    pub changes: Vec<ChangeOutcome>,
}

/// What became of writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Writes {
    /// The client was told that it is done.
    pub acknowledged: u64,
    /// Of those, in the log of no later primary.
    pub lost: u64,
    /// The client was told that it cannot be done now.
    pub refused: u64,
}

/// What became of reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reads {
    /// Answered.
    pub answered: u64,
    /// Of those, with less than had been acknowledged for the key.
    pub stale: u64,
}

/// What one member did.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MemberOutcome {
    /// Reads that it answered itself.
    pub reads: u64,
    /// Of those, stale.
    pub stale: u64,
    /// Reads and writes that it refused.
    pub refused: u64,
    /// Writes of a primary that it applied.
    pub applied: u64,
    /// Writes that it threw away for those of a later primary.
    pub discarded: u64,
    /// From the primary's taking of a write to its being applied here.
    pub lag_ns: Option<Latency>,
}

/// A change of roles.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChangeOutcome {
    /// When, from the start of the run.
    pub at_ns: u64,
    /// Which member.
    pub member: String,
    /// What: `doubted` its primary, was `promoted`, `stepped_down`, or `discarded` writes.
    pub what: String,
    /// The epoch that began, or that it stood for.
    pub epoch: u64,
}

/// What the observer saw, by name of the store.
#[must_use]
pub fn outcomes(stores: &[Store]) -> IndexMap<String, StoreOutcome> {
    stores.iter().map(|store| (store.name.clone(), outcome(store))).collect()
}

fn outcome(store: &Store) -> StoreOutcome {
    let (answered, stale) = store.reads();
    let members = store.members.iter().map(|member| {
        let outcome = MemberOutcome {
            reads: member.reads,
            stale: member.stale,
            refused: member.refused,
            applied: member.applied,
            discarded: member.discarded,
            lag_ns: latency(&member.lag.sorted()),
        };
        (member.name.clone(), outcome)
    });
    StoreOutcome {
        writes: Writes { acknowledged: store.acknowledged(), lost: store.lost(), refused: store.refused_writes },
        reads: Reads { answered, stale },
        members: members.collect(),
        changes: store.changes.iter().filter_map(|change| change_of(store, change)).collect(),
    }
}

fn change_of(store: &Store, change: &Change) -> Option<ChangeOutcome> {
    let (what, epoch) = match change.event {
        StoreEvent::Doubted { epoch } => ("doubted", epoch),
        StoreEvent::Promoted { epoch, .. } => ("promoted", epoch),
        StoreEvent::SteppedDown { epoch } => ("stepped_down", epoch),
        StoreEvent::Discarded { epoch, .. } => ("discarded", epoch),
        _ => return None,
    };
    let member = store.members[change.member].name.clone();
    Some(ChangeOutcome { at_ns: change.time.as_nanos(), member, what: what.to_owned(), epoch })
}
