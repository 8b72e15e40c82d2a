//! Queue disciplines: what waits for the line, and what happens when too much does.
//!
//! A discipline that decides on arrival (drop-tail, thresholds, RED, a policer) is a limit and perhaps a `Gate` before it: it only
//! says whether it admits a packet, and the link knows the departure at once. One that decides at departure (CoDel, FQ-CoDel,
//! priority, a shaper) is a `Scheduler`: it keeps the packets, and the link has an event for each departure.

mod bucket;
pub mod codel;
mod display;
mod fifo;
pub mod fq_codel;
mod packet;
mod policer;
pub mod priority;
pub mod red;
mod scheduler;
pub mod shaper;
mod threshold;

use super::Backlog;
use crate::base::{BitRate, Span, Time};
pub(super) use packet::Label;
pub(super) use packet::{Gone, Verdict, Waiting};
use policer::Policer;
use red::Red;
pub(super) use scheduler::{Place, Scheduler};
use threshold::Threshold;

/// How much a queue holds. Where the discipline decides on arrival the packet in service counts, otherwise not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Limit {
    /// At most so many bytes.
    Bytes(u64),
    /// At most so many packets.
    Packets(u64),
}

/// A [`Limit`] as it is asked for every packet: both bounds, one of which never binds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    bytes: u64,
    packets: u64,
    /// The largest packet that fits where nothing waits, in bytes.
    alone: u64,
}

impl From<Limit> for Room {
    fn from(limit: Limit) -> Self {
        match limit {
            Limit::Bytes(bytes) => Self { bytes, packets: u64::MAX, alone: bytes },
            Limit::Packets(packets) => Self { bytes: u64::MAX, packets, alone: if packets > 0 { u64::MAX } else { 0 } },
        }
    }
}

impl Room {
    /// Whether a packet of `size` bytes still fits: first in, first out, and what does not fit is dropped.
    #[inline]
    pub(super) const fn admits(self, size: u32, backlog: Backlog) -> bool {
        backlog.packets < self.packets && backlog.bytes + size as u64 <= self.bytes
    }

    /// The same where nothing waits.
    #[inline]
    pub(super) const fn admits_alone(self, size: u32) -> bool {
        size as u64 <= self.alone
    }
}

/// What an arriving packet finds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found {
    pub(super) backlog: Backlog,
    /// For how long there has been nothing; zero if there is something.
    pub(super) idle: Span,
}

/// Which discipline, and its parameters.
#[derive(Clone, PartialEq, Debug)]
pub enum Config {
    /// First in, first out; what does not fit is dropped.
    DropTail(Limit),
    /// The same, and what finds more than a threshold is marked.
    Threshold {
        /// What the queue holds.
        limit: Limit,
        /// A packet that finds more than this is marked, if its transport understands marks.
        mark_above: Limit,
    },
    /// Random early detection.
    Red(red::Config),
    /// What exceeds a rate is dropped, before a drop-tail queue.
    Policer {
        /// Bits per second in the long run.
        rate: BitRate,
        /// Bytes that may come at once. At least a packet of the link's MTU, or such packets never pass.
        burst: u64,
        /// What the queue behind it holds.
        limit: Limit,
    },
    /// Controlled delay.
    Codel(codel::Config),
    /// Controlled delay for each flow, and fair shares.
    FqCodel(fq_codel::Config),
    /// Strict priority by DSCP.
    Priority(priority::Config),
    /// What exceeds a rate waits.
    TokenBucket(shaper::Config),
}

/// Every discipline with a line about it, for `lightlag list`.
pub const TABLE: &[(&str, &str)] = &[
    (
        "DropTail",
        "first in, first out; what exceeds the limit (bytes or packets) is dropped, what finds more than `ecn` is marked",
    ),
    ("Red", "random early detection: drops or marks grow with the average queue (Floyd & Jacobson 1993)"),
    ("Codel", "controlled delay: drops or marks while waits stay above a target (RFC 8289)"),
    ("FqCodel", "a CoDel queue for each flow, fair shares, sparse flows first (RFC 8290)"),
    ("Priority", "strict priority: bands by DSCP"),
    ("TokenBucket", "a shaper: what exceeds rate and burst waits in a queue of any kind"),
    ("Policer", "what exceeds rate and burst is dropped at once"),
];

impl Config {
    /// Whether it is a limit and nothing else.
    pub(super) const fn is_plain(&self) -> bool {
        matches!(self, Self::DropTail(_))
    }

    /// Whether it needs the link to ask it whenever the line is free.
    #[must_use]
    pub const fn decides_at_departure(&self) -> bool {
        matches!(self, Self::Codel(_) | Self::FqCodel(_) | Self::Priority(_) | Self::TokenBucket(_))
    }

    /// What it holds at most; for those made of several queues, one of them.
    #[must_use]
    pub fn limit(&self) -> Limit {
        match self {
            Self::DropTail(limit) | Self::Threshold { limit, .. } | Self::Policer { limit, .. } => *limit,
            Self::Red(red) => red.limit,
            Self::Codel(codel) => codel.limit,
            Self::FqCodel(fq) => fq.codel.limit,
            Self::Priority(priority) => priority.each.limit(),
            Self::TokenBucket(shaper) => shaper.queue.limit(),
        }
    }
}

/// What may mark or drop a packet before the limit is looked at.
#[derive(Debug)]
pub(super) enum Gate {
    Open,
    Threshold(Threshold),
    Red(Box<Red>),
    Policer(Box<Policer>),
}

impl Gate {
    /// The gate of a discipline that decides on arrival.
    pub(super) fn new(config: &Config, place: &mut Place<'_>) -> Self {
        match *config {
            Config::Threshold { mark_above, .. } => Self::Threshold(Threshold::new(mark_above)),
            Config::Red(ref red) => Self::Red(Box::new(Red::new(red, place.rate, (place.chance)("red")))),
            Config::Policer { rate, burst, .. } => Self::Policer(Box::new(Policer::new(rate, burst))),
            _ => Self::Open,
        }
    }

    pub(super) fn decide(&mut self, label: &Label, found: &Found, now: Time) -> Verdict {
        match self {
            Self::Open => Verdict::Admit,
            Self::Threshold(threshold) => threshold.decide(label, found.backlog),
            Self::Red(red) => red.decide(label, found),
            Self::Policer(policer) => policer.decide(label, now),
        }
    }
}
