//! The words in which every layer says what happened: small records of ids, times and sizes; no readers.
//!
//! Layers append to a [`Trace`]; `run` drains it to the observers between events. What nobody asked for is never built:
//! each kind of record costs one test of the mask. Nothing in the model reads a record, so removing every observer changes
//! nothing but speed.

mod arrival;
mod balancing;
mod cdn;
mod delivery;
mod notice;
mod packet;
mod record;
mod request;
mod roaming;
mod sender;
mod serving;
mod store;

pub use arrival::Arrival;
pub use balancing::{Balanced, BalancedEvent, Judged, Judgement, Probed, Refusal, Refused, Registration, Standing};
pub use cdn::{CacheEvent, CacheRecord, Changed, Handling, Served};
pub use delivery::{Echo, Message, MessageSent, Progress};
pub use notice::{Announcement, FaultChange, Lost, Notice, Rerouted, What};
pub use packet::{Cause, PacketEvent, PacketRecord};
pub use record::Record;
pub use request::{
    Circuit, DeadConnection, Directory, Exchange, Failure, Lookup, Request, RequestStarted, Tripped, Try, Verdict,
};
pub use roaming::{PathValidated, Roamed};
pub use sender::{QuicKind, QuicLost, Recovery, Series};
pub use serving::{Charge, Forwarded, Limited, Returned, SessionEvent, SessionUse, TurnedAway, Turning};
pub use store::{StoreEvent, StoreRecord};

/// Which kinds of record somebody wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Mask(u8);

impl Mask {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// What users felt: requests, messages, echoes, progress.
    pub const TRAFFIC: Self = Self(1);
    /// Every packet at every hop, with a copy of the packet.
    pub const PACKETS: Self = Self(2);
    /// Transport state over time: cwnd, ssthresh, srtt, bytes in flight, queue depth.
    pub const SERIES: Self = Self(4);

    /// Both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether every kind in `other` is wanted.
    #[must_use]
    #[inline]
    pub const fn wants(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Where records are appended.
#[derive(Debug, Default)]
pub struct Trace {
    mask: Mask,
    records: Vec<Record>,
    packets: Vec<PacketRecord>,
}

impl Trace {
    /// A trace that keeps the kinds in `mask`.
    #[must_use]
    pub fn new(mask: Mask) -> Self {
        Self { mask, ..Self::default() }
    }

    /// Whether records of this kind are wanted: ask before building one.
    #[must_use]
    #[inline]
    pub const fn wants(&self, kind: Mask) -> bool {
        self.mask.wants(kind)
    }

    /// Appends a record if its kind is wanted.
    #[inline]
    pub fn record(&mut self, record: Record) {
        if self.wants(record.kind()) {
            self.records.push(record);
        }
    }

    /// The records waiting, for others to be appended in their order.
    #[inline]
    pub const fn records(&mut self) -> &mut Vec<Record> {
        &mut self.records
    }

    /// Appends what happened to a packet, built by `event` only if wanted.
    #[inline]
    pub fn packet(&mut self, event: impl FnOnce() -> PacketRecord) {
        if self.wants(Mask::PACKETS) {
            self.packets.push(event());
        }
    }

    /// Records waiting to be drained.
    #[must_use]
    #[inline]
    pub fn waiting(&self) -> usize {
        self.records.len() + self.packets.len()
    }

    /// Shows all waiting records to `records` and `packets` in the order in which they were appended, and forgets them.
    pub fn drain(&mut self, records: impl FnMut(&Record), packets: impl FnMut(&PacketRecord)) {
        self.records.iter().for_each(records);
        self.records.clear();
        self.packets.iter().for_each(packets);
        self.packets.clear();
    }
}
