//! `run --series`: the state of senders and the depth of queues over time.

use super::load::Loaded;
use crate::base::{Span, Time};
use crate::observe::series::Recorder;
use crate::run::Observer;
use crate::run::series::{Names, SeriesOutcome};
use crate::topo::Egress;
use crate::trace::{Mask, PacketRecord, Record};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// A recorder as an observer of the run.
pub(crate) struct SeriesObserver(Recorder);

impl SeriesObserver {
    /// A recorder of intervals of `every`, which is not zero.
    pub(crate) const fn new(every: Span) -> Self {
        Self(Recorder::new(every))
    }

    /// What was seen until `end`.
    pub(crate) fn finish(self, end: Time, loaded: &Loaded) -> SeriesOutcome {
        let plan = &loaded.plan;
        let node = |number: u32| plan.nodes[number as usize].name.clone();
        let numbers: BTreeMap<Ipv4Addr, u32> = loaded.network.names().collect();
        let at = |address: Ipv4Addr| numbers.get(&address).map_or_else(|| address.to_string(), |&number| node(number));
        let direction = |number: u32| {
            let link = &plan.links[number as usize / 2];
            let (from, to) = if Egress::from_number(number).is_forward() { (link.a, link.b) } else { (link.b, link.a) };
            [link.name.clone(), node(from), node(to)]
        };
        SeriesOutcome::new(self.0.finish(end), &Names { node: &node, at: &at, direction: &direction })
    }
}

impl Observer for SeriesObserver {
    fn mask(&self) -> Mask {
        Mask::SERIES.and(Mask::PACKETS)
    }

    fn record(&mut self, record: &Record) {
        self.0.record(record);
    }

    fn packet(&mut self, record: &PacketRecord) {
        self.0.packet(record);
    }
}
