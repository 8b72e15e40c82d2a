//! Who signed on at registries, who was dropped, and how long callers went on asking whom they should not.

use crate::base::Time;
use crate::trace::{BalancedEvent, Record, Standing};
use std::collections::BTreeMap;

/// One instance's time at a registry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stay {
    /// The instance's node.
    pub instance: u32,
    /// When it was put on the list.
    pub registered: Time,
    /// When somebody first asked it after that.
    pub first_call: Option<Time>,
    /// When it was dropped, when it had last been heard of, and whether it had signed off itself.
    pub ended: Option<(Time, Time, bool)>,
    /// Calls that went to it after it was last heard of, and the last of them.
    pub stale: (u64, Option<Time>),
}

/// Reads stays out of the records.
#[derive(Clone, Debug, Default)]
pub struct Registries {
    /// By registry, in the order of time.
    stays: BTreeMap<u32, Vec<Stay>>,
    /// Calls to each instance that is on a list: which of them were late is known when it is dropped.
    calls: BTreeMap<u32, Vec<Time>>,
}

impl Registries {
    /// Reads one record.
    pub fn record(&mut self, record: &Record) {
        match record {
            Record::Registration(registration) => {
                let stays = self.stays.entry(registration.node).or_default();
                let instance = registration.instance;
                if registration.standing == Standing::Registered {
                    let registered = registration.time;
                    stays.push(Stay { instance, registered, first_call: None, ended: None, stale: (0, None) });
                } else if let Some(stay) = stays.iter_mut().rev().find(|stay| stay.instance == instance) {
                    let left = registration.standing == Standing::Left;
                    stay.ended = Some((registration.time, registration.heard, left));
                    // One that signs off is there until then.
                    let since = if left { registration.time } else { registration.heard };
                    let calls = self.calls.remove(&instance).unwrap_or_default();
                    calls.into_iter().filter(|&call| call > since).for_each(|call| stay.late(call));
                }
            }
            Record::Balanced(balanced) if matches!(balanced.event, BalancedEvent::Began { .. }) => {
                let (instance, time) = (balanced.backend, balanced.time);
                let mut known = false;
                for stays in self.stays.values_mut() {
                    let Some(stay) = stays.iter_mut().rev().find(|stay| stay.instance == instance) else { continue };
                    known = true;
                    stay.first_call = stay.first_call.or(Some(time));
                    if stay.ended.is_some() {
                        stay.late(time);
                    }
                }
                if known {
                    self.calls.entry(instance).or_default().push(time);
                }
            }
            _ => {}
        }
    }

    /// The stays of each registry, by its node.
    #[must_use]
    pub const fn stays(&self) -> &BTreeMap<u32, Vec<Stay>> {
        &self.stays
    }
}

impl Stay {
    fn late(&mut self, call: Time) {
        self.stale.0 += 1;
        self.stale.1 = Some(call);
    }
}
