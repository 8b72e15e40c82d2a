//! Who announced shared addresses, as a part of an outcome.

use crate::base::Time;
use crate::observe::anycast::{Withdrawal, Withdrawals};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// What became of an anycast address.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AnycastOutcome {
    /// The address.
    pub address: String,
    /// The machines that have it, by name.
    pub members: IndexMap<String, AnnouncerOutcome>,
}

/// What a machine told routers about an address.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct AnnouncerOutcome {
    /// Times in which routers did not hear of it from the machine.
    pub withdrawn: Vec<WithdrawalOutcome>,
}

/// A time in which a machine did not announce an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WithdrawalOutcome {
    /// When it began, in nanoseconds from the start of the run.
    pub at_ns: u64,
    /// When all routers led senders elsewhere; `None` if it was over before, or nobody else announced it.
    pub rerouted_ns: Option<u64>,
    /// When it ended.
    pub announced_ns: Option<u64>,
    /// When all routers led senders there again.
    pub restored_ns: Option<u64>,
}

/// The addresses by name: of each its node, itself and the machines that have it, with their nodes.
#[must_use]
pub fn outcome(
    withdrawals: &Withdrawals,
    addresses: impl Iterator<Item = (u32, String, String, Vec<(u32, String)>)>,
) -> IndexMap<String, AnycastOutcome> {
    let of = |(node, name, address, members): (u32, String, String, Vec<(u32, String)>)| {
        let member = |(member, name): (u32, String)| {
            let withdrawn = withdrawals.of(node, member).iter().map(plain).collect();
            (name, AnnouncerOutcome { withdrawn })
        };
        (name, AnycastOutcome { address, members: members.into_iter().map(member).collect() })
    };
    addresses.map(of).collect()
}

fn plain(withdrawal: &Withdrawal) -> WithdrawalOutcome {
    WithdrawalOutcome {
        at_ns: withdrawal.withdrawn.as_nanos(),
        rerouted_ns: withdrawal.rerouted.map(Time::as_nanos),
        announced_ns: withdrawal.announced.map(Time::as_nanos),
        restored_ns: withdrawal.restored.map(Time::as_nanos),
    }
}
