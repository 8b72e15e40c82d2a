//! The timeline of faults as plain data: the part `timeline` of an outcome.

use crate::observe::timeline::{FaultPlan, Strike, Touched};
use crate::trace::Cause;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// One strike of a fault: what it did and who noticed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StrikeOutcome {
    /// Name of the fault.
    pub fault: String,
    /// Its kind, as the scenario says it.
    pub kind: String,
    /// When it struck, in nanoseconds from the start of the run.
    pub struck_ns: u64,
    /// When it was over; `None` if it lasted to the end.
    pub healed_ns: Option<u64>,
    /// Packets lost to it, by cause.
    pub lost: IndexMap<String, u64>,
    /// When all routers used routes that lead around it; `None` if that never was, nothing had to or there is no way around.
    pub rerouted_ns: Option<u64>,
    /// When all routers used the routes that its end called for, and those to machines that have announced shared addresses again.
    pub restored_ns: Option<u64>,
    /// The first evidence of each machine that had any, in the order of time.
    pub noticed: Vec<NoticeOutcome>,
    /// What it did to traffic, by name; traffic that it did not touch is left out.
    pub traffic: IndexMap<String, TouchedOutcome>,
}

/// The first evidence that a machine had of a fault.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NoticeOutcome {
    /// The machine.
    pub node: String,
    /// When, in nanoseconds from the start of the run.
    pub at_ns: u64,
    /// What the evidence was: `rto`, `reset`...
    pub by: String,
}

/// What one strike did to one traffic.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TouchedOutcome {
    /// Requests and echoes that failed and were under way while it lasted.
    pub failed: u64,
    /// When the first of them failed.
    pub first_failure_ns: Option<u64>,
    /// When the last of them failed.
    pub last_failure_ns: Option<u64>,
    /// The first success after the last failure or loss.
    pub recovered_ns: Option<u64>,
}

/// Puts names to what the observer has read; `nodes` and `traffic` are names in the plan's order.
#[must_use]
pub fn timeline(
    (faults, strikes): &(Vec<FaultPlan>, Vec<Strike>),
    nodes: &[(String, super::summarise::Drops)],
    traffic: &[&str],
) -> Vec<StrikeOutcome> {
    let named = |strike: &Strike| {
        let fault = &faults[strike.fault as usize];
        let lost = Cause::ALL.iter().zip(strike.lost).filter(|&(_, n)| n > 0);
        let noticed = strike.noticed.iter().map(|&(node, time, what)| NoticeOutcome {
            node: nodes[node as usize].0.clone(),
            at_ns: time.as_nanos(),
            by: what.name().to_owned(),
        });
        let touched = strike.traffic.iter().map(|(&index, touched)| (traffic[index as usize].to_owned(), of(*touched)));
        StrikeOutcome {
            fault: fault.name.clone(),
            kind: fault.kind.to_owned(),
            struck_ns: strike.struck.as_nanos(),
            healed_ns: strike.healed.map(crate::base::Time::as_nanos),
            lost: lost.map(|(cause, n)| (cause.name().to_owned(), n)).collect(),
            rerouted_ns: strike.rerouted.map(crate::base::Time::as_nanos),
            restored_ns: strike.restored.map(crate::base::Time::as_nanos),
            noticed: noticed.collect(),
            traffic: touched.collect(),
        }
    };
    strikes.iter().map(named).collect()
}

fn of(touched: Touched) -> TouchedOutcome {
    TouchedOutcome {
        failed: touched.failed,
        first_failure_ns: touched.failures.map(|(first, _)| first.as_nanos()),
        last_failure_ns: touched.failures.map(|(_, last)| last.as_nanos()),
        recovered_ns: touched.recovered.map(crate::base::Time::as_nanos),
    }
}
