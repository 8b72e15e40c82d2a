//! The forwarding table: longest-prefix match to a group of equal next hops, laid out so that a look-up is a few loads.

use super::flow::{flow_hash, pick};
use super::prefix::Prefix;
use crate::topo::Egress;
use crate::wire::Packet;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// The routes of one node.
#[derive(Clone, Debug)]
pub struct Fib(Form);

#[derive(Clone, Debug)]
enum Form {
    /// Everything goes one way: a host with one link, and there may be very many of them.
    Default(Egress),
    Table(Box<Table>),
}

/// Routes flattened: the attached hosts by their offset in the node's own prefix, and the rest of the address space as
/// ranges, each with the group of its longest prefix.
#[derive(Clone, Debug)]
struct Table {
    salt: u64,
    connected: Option<Prefix>,
    /// Direction to the attached host at each offset into `connected`.
    attached: Vec<Option<Egress>>,
    /// First addresses of the ranges, ascending from 0.0.0.0.
    starts: Vec<u32>,
    /// Group of each range.
    groups: Vec<u32>,
    /// Next hops of each group: `hops[spans[g].0..spans[g].1]`. Group 0 is empty.
    spans: Vec<(u32, u32)>,
    hops: Vec<Egress>,
    /// For the top bits of an address from `low` on, where its range is to be looked for.
    buckets: Vec<u32>,
    low: u32,
    shift: u32,
}

impl Fib {
    /// The table of a node with a single way out.
    #[must_use]
    pub const fn default_route(egress: Egress) -> Self {
        Self(Form::Default(egress))
    }

    /// The table of a node without any way out.
    #[must_use]
    pub fn empty() -> Self {
        FibBuilder::new(0).build()
    }

    /// The equal next hops for `dst`, of which a flow uses one; `None` without a route.
    #[must_use]
    #[inline]
    pub fn lookup(&self, dst: Ipv4Addr) -> Option<&[Egress]> {
        match &self.0 {
            Form::Default(egress) => Some(std::slice::from_ref(egress)),
            Form::Table(table) => table.lookup(dst),
        }
    }

    /// The way out for a packet: its flow's choice among the equal next hops.
    #[must_use]
    #[inline]
    pub fn egress(&self, packet: &Packet) -> Option<Egress> {
        let hops = self.lookup(packet.dst)?;
        if let [only] = hops { Some(*only) } else { self.choose(hops, flow_hash(packet)) }
    }

    /// The way out for a flow with the hash `flow` to `dst`.
    #[must_use]
    pub fn egress_of_flow(&self, dst: Ipv4Addr, flow: u64) -> Option<Egress> {
        self.choose(self.lookup(dst)?, flow)
    }

    fn choose(&self, hops: &[Egress], flow: u64) -> Option<Egress> {
        let salt = match &self.0 {
            Form::Default(_) => 0,
            Form::Table(table) => table.salt,
        };
        hops.get(pick(flow, salt, hops.len())).copied()
    }

    /// The prefix whose addresses are attached to this node.
    #[must_use]
    pub fn connected(&self) -> Option<Prefix> {
        match &self.0 {
            Form::Default(_) => None,
            Form::Table(table) => table.connected,
        }
    }

    /// Number of ranges and attached hosts that the table holds.
    #[must_use]
    pub fn size(&self) -> usize {
        match &self.0 {
            Form::Default(_) => 1,
            Form::Table(table) => table.starts.len() + table.attached.len(),
        }
    }
}

impl Table {
    #[inline]
    fn lookup(&self, dst: Ipv4Addr) -> Option<&[Egress]> {
        let dst = dst.to_bits();
        if let Some(connected) = self.connected
            && let Some(attached) = self.attached.get(dst.wrapping_sub(connected.first().to_bits()) as usize)
        {
            return attached.as_ref().map(std::slice::from_ref);
        }
        let (from, to) = self.spans[self.groups[self.range(dst)] as usize];
        let hops = &self.hops[from as usize..to as usize];
        (!hops.is_empty()).then_some(hops)
    }

    /// The range that holds `dst`: the last that starts at or before it.
    #[inline]
    fn range(&self, dst: u32) -> usize {
        let bucket = (dst.saturating_sub(self.low) >> self.shift) as usize;
        let bucket = bucket.min(self.buckets.len() - 2);
        let (mut low, mut high) = (self.buckets[bucket] as usize, self.buckets[bucket + 1] as usize);
        if dst < self.low {
            low = 0;
        }
        // The range lies in low..=high; both are ranges.
        while low < high {
            let middle = (low + high).div_ceil(2);
            if self.starts[middle] <= dst { low = middle } else { high = middle - 1 }
        }
        low
    }
}

/// Routes on their way to a [`Fib`].
#[derive(Clone, Debug)]
pub struct FibBuilder {
    salt: u64,
    connected: Option<Prefix>,
    attached: Vec<Option<Egress>>,
    routes: Vec<(Prefix, u32)>,
    groups: BTreeMap<Vec<Egress>, u32>,
    spans: Vec<(u32, u32)>,
    hops: Vec<Egress>,
}

impl FibBuilder {
    /// No routes yet; `salt` is the node's own in choices among equal next hops.
    #[must_use]
    pub fn new(salt: u64) -> Self {
        Self {
            salt,
            connected: None,
            attached: Vec::new(),
            routes: Vec::new(),
            groups: BTreeMap::new(),
            spans: vec![(0, 0)],
            hops: Vec::new(),
        }
    }

    /// The node's own prefix: its unused addresses are nowhere else, so no other route serves them.
    pub fn connect(&mut self, prefix: Prefix) {
        self.connected = Some(prefix);
    }

    /// A host inside the node's own prefix.
    pub fn attach(&mut self, address: Ipv4Addr, egress: Egress) {
        let Some(prefix) = self.connected.filter(|prefix| prefix.contains(address)) else {
            let group = self.group(&[egress]);
            return self.routes.push((Prefix::host(address), group));
        };
        let offset = (address.to_bits() - prefix.first().to_bits()) as usize;
        if self.attached.len() <= offset {
            self.attached.resize(offset + 1, None);
        }
        self.attached[offset] = Some(egress);
    }

    /// A group of equal next hops, for several routes to share.
    #[expect(clippy::cast_possible_truncation, reason = "directions are numbered in 32 bits")]
    pub fn group(&mut self, hops: &[Egress]) -> u32 {
        if let Some(&known) = self.groups.get(hops) {
            return known;
        }
        let from = self.hops.len() as u32;
        self.hops.extend_from_slice(hops);
        let group = self.spans.len() as u32;
        self.spans.push((from, self.hops.len() as u32));
        self.groups.insert(hops.to_vec(), group);
        group
    }

    /// The route for `prefix`, by a group of this builder.
    pub fn add(&mut self, prefix: Prefix, group: u32) {
        self.routes.push((prefix, group));
    }

    /// The table. Of two routes for the same prefix the one added last counts.
    #[must_use]
    pub fn build(mut self) -> Fib {
        if let Some(connected) = self.connected {
            self.routes.insert(0, (connected, 0));
        }
        let (starts, groups) = flatten(self.routes);
        let (buckets, low, shift) = index(&starts);
        Fib(Form::Table(Box::new(Table {
            salt: self.salt,
            connected: self.connected,
            attached: self.attached,
            starts,
            groups,
            spans: self.spans,
            hops: self.hops,
            buckets,
            low,
            shift,
        })))
    }
}

/// The address space as ranges, each with the group of the longest prefix around it.
fn flatten(mut routes: Vec<(Prefix, u32)>) -> (Vec<u32>, Vec<u32>) {
    // Outer prefixes come before those inside them; stable, so that the later of two equals stays later.
    routes.sort_by_key(|(prefix, _)| *prefix);
    let mut ranges: Vec<(u32, u32)> = vec![(0, 0)];
    let mut open: Vec<(Prefix, u32)> = Vec::new();
    let close = |open: &mut Vec<(Prefix, u32)>, ranges: &mut Vec<(u32, u32)>| {
        let (closed, _) = open.pop()?;
        let outer = open.last().map_or(0, |(_, group)| *group);
        closed.last().to_bits().checked_add(1).map(|next| begin(ranges, next, outer))
    };
    for (prefix, group) in routes {
        while open.last().is_some_and(|(outer, _)| !outer.covers(prefix)) {
            close(&mut open, &mut ranges);
        }
        begin(&mut ranges, prefix.first().to_bits(), group);
        open.push((prefix, group));
    }
    while !open.is_empty() {
        close(&mut open, &mut ranges);
    }
    ranges.into_iter().unzip()
}

/// From `start` on the group is `group`.
fn begin(ranges: &mut Vec<(u32, u32)>, start: u32, group: u32) {
    if ranges.last().is_some_and(|(last, _)| *last == start) {
        ranges.pop();
    }
    if ranges.last().is_none_or(|(_, last)| *last != group) {
        ranges.push((start, group));
    }
}

/// Buckets over the span in which ranges start, about two for each range, so that most hold one range or none. Entry `b` is
/// the range that holds the bucket's first address; the last entry is the last range.
#[expect(clippy::cast_possible_truncation, reason = "ranges are fewer than addresses")]
fn index(starts: &[u32]) -> (Vec<u32>, u32, u32) {
    let low = starts.get(1).copied().unwrap_or(0);
    let width = u64::from(starts.last().copied().unwrap_or(0) - low) + 1;
    let wanted = (starts.len() as u64 * 2).next_power_of_two();
    let shift = (width.next_power_of_two() / wanted).max(1).ilog2().min(31);
    let count = ((width - 1) >> shift) + 1;
    let mut buckets: Vec<u32> = (0..count)
        .map(|bucket| {
            let first = u64::from(low) + (bucket << shift);
            starts.partition_point(|&start| u64::from(start) <= first) as u32 - 1
        })
        .collect();
    buckets.push(starts.len() as u32 - 1);
    (buckets, low, shift)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;

    fn way(number: u32) -> Egress {
        Egress::from_number(number)
    }

    fn table(routes: &[(&str, u32)]) -> Fib {
        let mut builder = FibBuilder::new(0);
        for &(prefix, egress) in routes {
            let group = builder.group(&[way(egress)]);
            builder.add(prefix.parse().unwrap(), group);
        }
        builder.build()
    }

    fn found(fib: &Fib, dst: &str) -> Option<u32> {
        fib.lookup(dst.parse().unwrap()).map(|hops| hops[0].number())
    }

    #[test]
    fn the_longest_prefix_wins_up_to_its_last_address() {
        let fib = table(&[("10.0.0.0/8", 1), ("10.1.0.0/16", 2), ("10.1.2.3/32", 3), ("0.0.0.0/0", 0)]);
        assert_eq!(found(&fib, "9.255.255.255"), Some(0));
        assert_eq!(found(&fib, "10.0.0.0"), Some(1));
        assert_eq!(found(&fib, "10.0.255.255"), Some(1));
        assert_eq!(found(&fib, "10.1.0.0"), Some(2));
        assert_eq!(found(&fib, "10.1.2.2"), Some(2));
        assert_eq!(found(&fib, "10.1.2.3"), Some(3));
        assert_eq!(found(&fib, "10.1.2.4"), Some(2));
        assert_eq!(found(&fib, "10.1.255.255"), Some(2));
        assert_eq!(found(&fib, "10.2.0.0"), Some(1));
        assert_eq!(found(&fib, "11.0.0.0"), Some(0));
        assert_eq!(found(&fib, "255.255.255.255"), Some(0));
    }

    #[test]
    fn without_a_route_there_is_no_way() {
        assert_eq!(found(&table(&[]), "10.0.0.1"), None);
        let fib = table(&[("10.0.0.0/8", 1), ("255.255.255.255/32", 2)]);
        assert_eq!(found(&fib, "9.255.255.255"), None);
        assert_eq!(found(&fib, "11.0.0.0"), None);
        assert_eq!(found(&fib, "255.255.255.254"), None);
        assert_eq!(found(&fib, "255.255.255.255"), Some(2));
    }

    #[test]
    fn unused_addresses_of_the_own_prefix_are_nowhere() {
        let mut builder = FibBuilder::new(0);
        builder.connect("10.1.0.0/24".parse().unwrap());
        let everywhere = builder.group(&[way(0)]);
        builder.add(Prefix::ALL, everywhere);
        builder.attach("10.1.0.2".parse().unwrap(), way(5));
        builder.attach("192.0.2.7".parse().unwrap(), way(6));
        let fib = builder.build();
        assert_eq!(found(&fib, "10.1.0.2"), Some(5));
        assert_eq!(found(&fib, "10.1.0.1"), None);
        assert_eq!(found(&fib, "10.1.0.3"), None);
        assert_eq!(found(&fib, "10.1.0.255"), None);
        assert_eq!(found(&fib, "10.1.1.0"), Some(0));
        assert_eq!(found(&fib, "10.0.255.255"), Some(0));
        assert_eq!(found(&fib, "192.0.2.7"), Some(6));
    }

    #[test]
    fn look_ups_agree_with_the_definition() {
        let mut rng = Rng::stream(6, "test/fib");
        let small = |rng: &mut Rng, n| u32::try_from(rng.below(n)).unwrap();
        for round in 0..300 {
            // Crowded address spaces and sparse ones.
            let spread = [16, 32][round % 2];
            let address = |rng: &mut Rng| {
                Ipv4Addr::from_bits(small(rng, 1 << spread) | if spread < 32 { 0x0a01_0000 } else { 0 })
            };
            let mut routes: Vec<(Prefix, u32)> = Vec::new();
            let mut builder = FibBuilder::new(0);
            for _ in 0..rng.below(40) {
                let prefix = Prefix::around(address(&mut rng), u8::try_from(rng.below(33)).unwrap());
                let egress = small(&mut rng, 4);
                let group = builder.group(&[way(egress)]);
                builder.add(prefix, group);
                routes.retain(|(other, _)| *other != prefix);
                routes.push((prefix, egress));
            }
            let fib = builder.build();
            let mut probes: Vec<Ipv4Addr> = (0..50).map(|_| address(&mut rng)).collect();
            for (prefix, _) in &routes {
                let edges = [prefix.first().to_bits(), prefix.last().to_bits()];
                probes.extend(
                    edges
                        .iter()
                        .flat_map(|edge| [edge.wrapping_sub(1), *edge, edge.wrapping_add(1)])
                        .map(Ipv4Addr::from_bits),
                );
            }
            for probe in probes {
                let longest =
                    routes.iter().filter(|(prefix, _)| prefix.contains(probe)).max_by_key(|(prefix, _)| prefix.len());
                let hop = fib.lookup(probe).map(|hops| hops[0].number());
                assert_eq!(hop, longest.map(|(_, egress)| *egress), "{probe} in {routes:?}");
            }
        }
    }

    #[test]
    fn groups_are_shared_and_a_flow_keeps_its_way() {
        let mut builder = FibBuilder::new(17);
        let both = builder.group(&[way(1), way(2)]);
        assert_eq!(builder.group(&[way(1), way(2)]), both);
        builder.add("10.0.0.0/8".parse().unwrap(), both);
        let fib = builder.build();
        let dst = "10.9.9.9".parse().unwrap();
        assert_eq!(fib.lookup(dst), Some(&[way(1), way(2)][..]));
        let chosen: Vec<_> = (0..64).map(|flow| fib.egress_of_flow(dst, flow).unwrap().number()).collect();
        assert!(chosen.contains(&1) && chosen.contains(&2));
        assert!(
            (0..64)
                .all(|flow| fib.egress_of_flow(dst, flow).unwrap().number() == chosen[usize::try_from(flow).unwrap()])
        );
    }
}
