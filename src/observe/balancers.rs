//! What balancers did: to whom they sent, what failed there, what their checks found, what was noticed.

use crate::trace::{Balanced, BalancedEvent, Failure, Judgement, Probed, Refusal, Refused};
use std::collections::BTreeMap;

/// What is known of one backend of one balancer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Backend {
    /// Requests or connections sent to it.
    pub sent: u64,
    /// Of those, requests that another backend, or another connection to it, had been tried for before.
    pub again: u64,
    /// Requests that failed there, by reason.
    pub failed: BTreeMap<Failure, u64>,
    /// Those that ended, well or not.
    pub ended: u64,
    /// What it has.
    pub active: u32,
    /// The most that it had at a time.
    pub most_active: u32,
    /// Health checks that ended.
    pub probes: u64,
    /// Of those, the ones that failed.
    pub probes_failed: u64,
}

/// What is known of one balancer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Balancer {
    /// Its backends, by their node.
    pub backends: BTreeMap<u32, Backend>,
    /// What it sent to nobody, by reason.
    pub refused: BTreeMap<Refusal, u64>,
}

/// All balancers, by their node, and what anybody noticed, in its order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Balancing {
    /// Balancers.
    pub balancers: BTreeMap<u32, Balancer>,
    /// Notices.
    pub judgements: Vec<Judgement>,
}

impl Balancing {
    fn backend(&mut self, balancer: u32, backend: u32) -> &mut Backend {
        self.balancers.entry(balancer).or_default().backends.entry(backend).or_default()
    }

    pub(super) fn balanced(&mut self, balanced: &Balanced) {
        let backend = self.backend(balanced.node, balanced.backend);
        backend.active = balanced.active;
        backend.most_active = backend.most_active.max(balanced.active);
        match balanced.event {
            BalancedEvent::Began { again } => {
                backend.sent += 1;
                backend.again += u64::from(again);
            }
            BalancedEvent::Ended => backend.ended += 1,
            BalancedEvent::Failed(why) => {
                backend.ended += 1;
                *backend.failed.entry(why).or_default() += 1;
            }
        }
    }

    pub(super) fn probed(&mut self, probed: &Probed) {
        let backend = self.backend(probed.node, probed.backend);
        backend.probes += 1;
        backend.probes_failed += u64::from(!probed.ok);
    }

    pub(super) fn refused(&mut self, refused: &Refused) {
        *self.balancers.entry(refused.node).or_default().refused.entry(refused.why).or_default() += 1;
    }
}
