//! Expectations in a plan: what is measured of whom, and the bounds that it must keep.

use super::ast;
use crate::base::{BitRate, Ratio, Span, Time};
use crate::trace::{Cause, Judged};
use std::fmt;

/// Something that must hold at the end of the run.
#[derive(Clone, PartialEq, Debug)]
pub struct Expect {
    /// Only what began in this part of the run, if not all.
    pub window: Option<Window>,
    /// Where the scenario says so.
    pub declared: ast::Span,
    /// What is measured.
    pub measure: Measure,
}

/// A measured quantity and its bounds.
#[derive(Clone, PartialEq, Debug)]
pub enum Measure {
    /// Latency of a traffic.
    Latency {
        /// Which traffic.
        of: u32,
        /// Which latency of all.
        at: Statistic,
        /// Bounds.
        bounds: Bounds<Span>,
    },
    /// Time that a traffic's requests spend in one phase.
    Phase {
        /// Which traffic.
        of: u32,
        /// Name of the phase, as the results write it.
        phase: &'static str,
        /// Mean over all that ended well, or the median's; no other statistic.
        at: Statistic,
        /// Bounds.
        bounds: Bounds<Span>,
    },
    /// Share of a traffic's requests, messages, echoes or transfers that ended well.
    Success {
        /// Which traffic.
        of: u32,
        /// Bounds.
        bounds: Bounds<Ratio>,
    },
    /// How often each request was tried, on average.
    Tries {
        /// Which traffic.
        of: u32,
        /// Bounds.
        bounds: Bounds<f64>,
    },
    /// Payments that were charged more than once.
    ChargedAgain {
        /// Which traffic.
        of: u32,
        /// Bounds.
        bounds: Bounds<u64>,
    },
    /// Share of the sessions of a traffic's users that a server did not have when it was asked for them.
    LostSessions {
        /// Which traffic.
        of: u32,
        /// Bounds.
        bounds: Bounds<Ratio>,
    },
    /// How many of them began.
    Count {
        /// Which traffic.
        of: u32,
        /// Bounds.
        bounds: Bounds<u64>,
    },
    /// Useful bits per second of a traffic, all flows together.
    Goodput {
        /// Which traffic.
        of: u32,
        /// Bounds.
        bounds: Bounds<BitRate>,
    },
    /// From a fault's strike to the first evidence that a machine has of it; the longest of all strikes.
    Detected {
        /// Name of the fault.
        fault: String,
        /// Name of the machine; the first of any if `None`.
        by: Option<String>,
        /// Bounds.
        bounds: Bounds<Span>,
    },
    /// From a fault's strike or end to the first success of a traffic after its last failure or loss; the longest of all strikes.
    Recovered {
        /// Which traffic.
        of: u32,
        /// Name of the fault.
        fault: String,
        /// Whether the time counts from the fault's end.
        from_heal: bool,
        /// Bounds.
        bounds: Bounds<Span>,
    },
    /// Packets that a link dropped.
    Drops {
        /// Which link.
        link: u32,
        /// Which direction of it; both together if `None`.
        way: Option<Way>,
        /// Why; whatever the reason if `None`.
        cause: Option<Cause>,
        /// Bounds of their number or of their share of all offered.
        bounds: Bounds<Quantity>,
    },
    /// Packets that a link's queues marked: congestion experienced.
    Marks {
        /// Which link.
        link: u32,
        /// Which direction of it; both together if `None`.
        way: Option<Way>,
        /// Bounds of their number or of their share of all that went through.
        bounds: Bounds<Quantity>,
    },
    /// Share of what a balancer sent that its busiest backend got.
    Busiest {
        /// Which balancer.
        of: u32,
        /// Whether the most that each had at a time is meant instead of all that was sent.
        at_a_time: bool,
        /// Bounds.
        bounds: Bounds<Ratio>,
    },
    /// How much a balancer sent to one backend.
    Sent {
        /// Which balancer.
        by: u32,
        /// Which backend.
        to: u32,
        /// Bounds.
        bounds: Bounds<u64>,
    },
    /// When a node first noticed something about another.
    Noticed {
        /// Who.
        by: u32,
        /// What.
        what: Judged,
        /// About whom.
        of: u32,
        /// Bounds, as instants of the run.
        bounds: Bounds<Span>,
    },
    /// Share of the requests to edges for which nothing had to be waited for.
    HitRatio {
        /// Their name in the scenario.
        name: String,
        /// Which edges.
        edges: Vec<u32>,
        /// Whether the share of bytes out of the store is meant instead.
        bytes: bool,
        /// Bounds.
        bounds: Bounds<Ratio>,
    },
    /// How often edges asked their upstreams.
    Fetches {
        /// Their name in the scenario.
        name: String,
        /// Which edges.
        edges: Vec<u32>,
        /// Bounds.
        bounds: Bounds<u64>,
    },
    /// Answers of edges with a version that the origin had replaced.
    Outdated {
        /// Their name in the scenario.
        name: String,
        /// Which edges.
        edges: Vec<u32>,
        /// Bounds.
        bounds: Bounds<u64>,
    },
    /// From the instant at which a control point was asked for a purge to that at which its last edge had carried it out, or had last
    /// served what it was to forget; the longest of all purges.
    Purged {
        /// Which control point.
        by: u32,
        /// Bounds.
        bounds: Bounds<Span>,
    },
    /// Writes of a store that were acknowledged and are in the log of no later primary.
    LostWrites {
        /// Which store.
        store: u32,
        /// Bounds.
        bounds: Bounds<u64>,
    },
    /// Share of a store's reads that were answered with less than had been acknowledged.
    StaleReads {
        /// Which store.
        store: u32,
        /// Bounds.
        bounds: Bounds<Ratio>,
    },
    /// Share of the run during which a link was sending.
    Utilisation {
        /// Which link.
        link: u32,
        /// Which direction of it; the busier one if `None`.
        way: Option<Way>,
        /// Bounds.
        bounds: Bounds<Ratio>,
    },
}

/// A part of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// It begins here.
    pub since: Time,
    /// It ends before this; `NEVER` for the end of the run.
    pub until: Time,
}

/// One direction of a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// From its first end to its second.
    AToB,
    /// From its second end to its first.
    BToA,
}

/// One value out of many.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Statistic {
    /// Shortest.
    Min,
    /// Mean.
    Mean,
    /// The value that this share of all does not exceed.
    Percentile(Ratio),
    /// Longest.
    Max,
}

impl fmt::Display for Statistic {
    /// `p99`, `p99.9`, `max`..
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Min => f.pad("min"),
            Self::Mean => f.pad("mean"),
            Self::Percentile(ratio) => f.pad(&format!("p{}", ratio.to_string().trim_end_matches('%'))),
            Self::Max => f.pad("max"),
        }
    }
}

/// A number of things or a share of them. A number and a share cannot be compared.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Quantity {
    /// So many.
    Count(u64),
    /// This share of all.
    Share(Ratio),
}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        match (self, other) {
            (Self::Count(left), Self::Count(right)) => left.partial_cmp(right),
            (Self::Share(left), Self::Share(right)) => left.partial_cmp(right),
            _ => None,
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => count.fmt(f),
            Self::Share(share) => share.fmt(f),
        }
    }
}

/// What a quantity must not be below and not be above; at least one is there.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Bounds<T> {
    /// Not below.
    pub at_least: Option<T>,
    /// Not above.
    pub at_most: Option<T>,
}

impl<T: PartialOrd + Copy> Bounds<T> {
    /// Whether `value` lies within.
    #[must_use]
    pub fn hold(&self, value: T) -> bool {
        self.at_least.is_none_or(|least| value >= least) && self.at_most.is_none_or(|most| value <= most)
    }
}

impl<T: fmt::Display> fmt::Display for Bounds<T> {
    /// `>= 99.5%`, `<= 450 ms`, or `between 55 ms and 57 ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.at_least, &self.at_most) {
            (Some(least), Some(most)) => write!(f, "between {least} and {most}"),
            (Some(least), None) => write!(f, ">= {least}"),
            (None, Some(most)) => write!(f, "<= {most}"),
            (None, None) => Ok(()),
        }
    }
}
