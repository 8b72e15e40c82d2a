//! What the members of stores tell: reads, writes and what became of them, and who leads.

use crate::base::Time;

/// Something happened at a member of a store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StoreRecord {
    /// Which store of the plan.
    pub store: u32,
    /// Which member: the node's number in the plan.
    pub node: u32,
    /// When.
    pub time: Time,
    /// What.
    pub event: StoreEvent,
}

/// What happens at a member of a store. Writes are named by the epoch of the primary that took them and their number in its log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StoreEvent {
    /// It answered a read of a key with the value of this write, `(0, 0)` if there was none.
    Read {
        /// Fingerprint of the key.
        key: u64,
        /// Epoch of the write.
        epoch: u64,
        /// Number of the write.
        seq: u64,
    },
    /// As primary it took a write.
    Taken {
        /// Its epoch.
        epoch: u64,
        /// Number of the write.
        seq: u64,
    },
    /// It told the client that the write is done.
    Acknowledged {
        /// Fingerprint of the key.
        key: u64,
        /// Epoch of the write.
        epoch: u64,
        /// Number of the write.
        seq: u64,
    },
    /// It could do nothing for a client.
    Refused {
        /// Whether the client wanted to write.
        write: bool,
    },
    /// As follower it has an entry of its primary.
    Applied {
        /// Epoch of the write.
        epoch: u64,
        /// Number of the write.
        seq: u64,
    },
    /// It threw away entries that its new primary does not have.
    Discarded {
        /// How many.
        entries: u64,
        /// Epoch of the new primary.
        epoch: u64,
    },
    /// It has not heard from its primary for too long and stands for election.
    Doubted {
        /// The epoch that it stands for.
        epoch: u64,
    },
    /// It is primary now.
    Promoted {
        /// Its epoch.
        epoch: u64,
        /// Entries that its log had: what older primaries took beyond that is lost.
        base: u64,
    },
    /// It was primary and has learnt of a later one.
    SteppedDown {
        /// Epoch of the other.
        epoch: u64,
    },
}
