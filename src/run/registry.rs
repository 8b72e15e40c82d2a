//! Who was on the lists of registries, as a part of an outcome.

use crate::base::Time;
use crate::observe::registry::{Registries, Stay};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// One instance's time on the list of a registry.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StayOutcome {
    /// Name of the instance.
    pub instance: String,
    /// When it was put on the list, in nanoseconds from the start of the run.
    pub registered_ns: u64,
    /// When somebody first asked it after that.
    pub first_call_ns: Option<u64>,
    /// When it was last heard of before it was dropped; `None` if it never was.
    pub heard_ns: Option<u64>,
    /// When it was dropped.
    pub dropped_ns: Option<u64>,
    /// Whether it had signed off itself.
    pub signed_off: bool,
    /// Calls that went to it after it was last heard of, or had signed off.
    pub stale_calls: u64,
    /// The last of them.
    pub last_stale_ns: Option<u64>,
}

/// The stays at each registry, given the names of nodes.
#[must_use]
pub fn outcome(registries: &Registries, name: impl Fn(u32) -> String) -> IndexMap<String, Vec<StayOutcome>> {
    let plain = |stay: &Stay| StayOutcome {
        instance: name(stay.instance),
        registered_ns: stay.registered.as_nanos(),
        first_call_ns: stay.first_call.map(Time::as_nanos),
        heard_ns: stay.ended.map(|(_, heard, _)| heard.as_nanos()),
        dropped_ns: stay.ended.map(|(dropped, ..)| dropped.as_nanos()),
        signed_off: stay.ended.is_some_and(|(.., left)| left),
        stale_calls: stay.stale.0,
        last_stale_ns: stay.stale.1.map(Time::as_nanos),
    };
    registries.stays().iter().map(|(&node, stays)| (name(node), stays.iter().map(plain).collect())).collect()
}
