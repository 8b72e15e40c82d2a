//! What balancers did and thought, as parts of an outcome.

use crate::observe::balancers::{Backend, Balancing};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// What a balancer did.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct BalancerOutcome {
    /// Its backends, by name of the node.
    pub backends: IndexMap<String, BackendOutcome>,
    /// What it sent to nobody, by reason.
    pub refused: IndexMap<String, u64>,
}

/// What a balancer knows of a backend.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct BackendOutcome {
    /// Requests (L7) or connections (L4) sent to it.
    pub sent: u64,
    /// Of those, requests sent again after something had failed.
    pub again: u64,
    /// Requests that failed there, by reason.
    pub failed: IndexMap<String, u64>,
    /// Requests or connections that it had when the run ended.
    pub active: u64,
    /// The most that it had at a time.
    pub most_active: u64,
    /// Health checks that ended.
    pub probes: u64,
    /// Of those, the ones that failed.
    pub probes_failed: u64,
}

/// What a balancer came to think of a node.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct JudgementOutcome {
    /// When, in nanoseconds from the start of the run.
    pub at_ns: u64,
    /// Name of the balancer.
    pub who: String,
    /// What: `down`, `up`, `ejected`...
    pub what: String,
    /// Name of the node that it is about.
    pub subject: String,
}

/// Balancers by name and their judgements, given the names of nodes.
#[must_use]
pub fn outcome(
    balancing: &Balancing,
    name: impl Fn(u32) -> String,
) -> (IndexMap<String, BalancerOutcome>, Vec<JudgementOutcome>) {
    let balancers = balancing.balancers.iter().map(|(&node, balancer)| {
        let backends = balancer.backends.iter().map(|(&node, known)| (name(node), backend(known))).collect();
        let refused = balancer.refused.iter().map(|(why, &n)| (why.name().to_owned(), n)).collect();
        (name(node), BalancerOutcome { backends, refused })
    });
    let judgements = balancing.judgements.iter().map(|notice| JudgementOutcome {
        at_ns: notice.time.as_nanos(),
        who: name(notice.node),
        what: notice.what.name().to_owned(),
        subject: name(notice.subject),
    });
    (balancers.collect(), judgements.collect())
}

fn backend(known: &Backend) -> BackendOutcome {
    BackendOutcome {
        sent: known.sent,
        again: known.again,
        failed: known.failed.iter().map(|(why, &n)| (why.name().to_owned(), n)).collect(),
        active: u64::from(known.active),
        most_active: u64::from(known.most_active),
        probes: known.probes,
        probes_failed: known.probes_failed,
    }
}
