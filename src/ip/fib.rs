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
/// ranges, each with the group of its longest prefix. Buckets over the ranges make the common look-up two loads.
#[derive(Clone, Debug)]
struct Table {
    salt: u64,
    connected: Option<Prefix>,
    /// Direction to the attached host at each offset from `attached_from`, or [`NOBODY`].
    attached: Vec<Egress>,
    attached_from: u32,
    /// What holds for the addresses `low + (b << shift)..low + ((b + 1) << shift)`.
    buckets: Vec<Bucket>,
    low: u32,
    shift: u32,
    /// The only way to the addresses before the buckets and to those behind them, or [`NOBODY`].
    outside: [Egress; 2],
    /// First address and group of each range, ascending from 0.0.0.0.
    ranges: Vec<(u32, Group)>,
    hops: Vec<Egress>,
}

/// The equal next hops of a route: where they are in the table. None at all stand for the absence of a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Group {
    start: u32,
    len: u32,
}

/// Addresses that are looked up together.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// Their group, or [`SEVERAL`].
    group: Group,
    /// The only hop of that group, or [`NOBODY`].
    only: Egress,
}

/// No next hop.
const NO_ROUTE: Group = Group { start: 0, len: 0 };
/// The mark of a bucket in which more than one range lies; no table has so many hops.
const SEVERAL: Group = Group { start: 0, len: u32::MAX };
/// The mark of an address that no attached host has; no graph has so many directions.
const NOBODY: Egress = Egress::from_number(u32::MAX);

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
        self.only_way(packet.dst).or_else(|| self.egress_of_several(packet))
    }

    /// The way out for all packets to `dst`, where one look finds that there is just one.
    #[must_use]
    #[inline]
    pub fn only_way(&self, dst: Ipv4Addr) -> Option<Egress> {
        let only = match &self.0 {
            Form::Default(egress) => *egress,
            Form::Table(table) => table.only_way(dst),
        };
        (only != NOBODY).then_some(only)
    }

    /// As [`Fib::egress`], where there may be several next hops, or none.
    #[inline(never)]
    pub(super) fn egress_of_several(&self, packet: &Packet) -> Option<Egress> {
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

    /// Number of address ranges and attached hosts that the table holds.
    #[must_use]
    pub fn size(&self) -> usize {
        match &self.0 {
            Form::Default(_) => 1,
            Form::Table(table) => table.ranges.len() + table.attached.len(),
        }
    }
}

impl Table {
    /// The only way to `dst`, where one look finds it, or else [`NOBODY`].
    #[inline]
    fn only_way(&self, dst: Ipv4Addr) -> Egress {
        let dst = dst.to_bits();
        if let Some(&attached) = self.attached.get(dst.wrapping_sub(self.attached_from) as usize) {
            return attached;
        }
        match self.buckets.get((dst.wrapping_sub(self.low) >> self.shift) as usize) {
            Some(bucket) => bucket.only,
            None => self.outside[usize::from(dst > self.low)],
        }
    }

    fn lookup(&self, dst: Ipv4Addr) -> Option<&[Egress]> {
        let dst = dst.to_bits();
        if let Some(attached) = self.attached.get(dst.wrapping_sub(self.attached_from) as usize) {
            return (*attached != NOBODY).then(|| std::slice::from_ref(attached));
        }
        let bucket = self.buckets.get((dst.wrapping_sub(self.low) >> self.shift) as usize);
        let hops = match bucket.and_then(|bucket| self.hops(bucket.group)) {
            Some(hops) => hops,
            None => self.search(dst),
        };
        (!hops.is_empty()).then_some(hops)
    }

    /// The next hops of a group; `None` for [`SEVERAL`].
    #[inline]
    fn hops(&self, group: Group) -> Option<&[Egress]> {
        self.hops.get(group.start as usize..group.start as usize + group.len as usize)
    }

    /// The next hops of the range that holds `dst`: the last that starts at or before it.
    #[inline(never)]
    fn search(&self, dst: u32) -> &[Egress] {
        let after = self.ranges.partition_point(|(start, _)| *start <= dst);
        self.hops(self.ranges[after - 1].1).unwrap_or_default()
    }
}

/// Routes on their way to a [`Fib`].
#[derive(Clone, Debug)]
pub struct FibBuilder {
    salt: u64,
    connected: Option<Prefix>,
    attached: Vec<(Ipv4Addr, Egress)>,
    routes: Vec<(Prefix, Group)>,
    groups: BTreeMap<Vec<Egress>, Group>,
    hops: Vec<Egress>,
}

impl FibBuilder {
    /// No routes yet; `salt` is the node's own in choices among equal next hops.
    #[must_use]
    pub const fn new(salt: u64) -> Self {
        Self {
            salt,
            connected: None,
            attached: Vec::new(),
            routes: Vec::new(),
            groups: BTreeMap::new(),
            hops: Vec::new(),
        }
    }

    /// The node's own prefix: its unused addresses are nowhere else, so no shorter route serves them.
    pub fn connect(&mut self, prefix: Prefix) {
        self.connected = Some(prefix);
    }

    /// A host at the end of one of the node's links.
    pub fn attach(&mut self, address: Ipv4Addr, egress: Egress) {
        self.attached.push((address, egress));
    }

    /// A group of equal next hops, for several routes to share.
    #[expect(clippy::cast_possible_truncation, reason = "directions are numbered in 32 bits")]
    pub fn group(&mut self, hops: &[Egress]) -> Group {
        if let Some(&known) = self.groups.get(hops) {
            return known;
        }
        let group = Group { start: self.hops.len() as u32, len: hops.len() as u32 };
        self.hops.extend_from_slice(hops);
        self.groups.insert(hops.to_vec(), group);
        group
    }

    /// The route for `prefix`, by a group of this builder.
    pub fn add(&mut self, prefix: Prefix, group: Group) {
        self.routes.push((prefix, group));
    }

    /// The table. Of two routes for the same prefix the one added last counts, of two hosts at one address as well.
    #[must_use]
    pub fn build(mut self) -> Fib {
        if let Some(connected) = self.connected {
            self.routes.insert(0, (connected, NO_ROUTE));
        }
        let attached = self.lay_out_attached();
        let ranges = flatten(self.routes);
        let (buckets, low, shift) = index(&ranges);
        let only = |group: Group| if group.len == 1 { self.hops[group.start as usize] } else { NOBODY };
        let buckets = buckets.into_iter().map(|group| Bucket { group, only: only(group) }).collect();
        let outside = [ranges.first(), ranges.last()].map(|range| range.map_or(NOBODY, |(_, group)| only(*group)));
        Fib(Form::Table(Box::new(Table {
            salt: self.salt,
            connected: self.connected,
            attached,
            attached_from: self.connected.map_or(0, |prefix| prefix.first().to_bits()),
            buckets,
            low,
            shift,
            outside,
            ranges,
            hops: self.hops,
        })))
    }

    /// The attached hosts by their offset in the node's own prefix. Those outside of it, and all if they are scattered so
    /// thinly that the table would be mostly empty, become routes.
    fn lay_out_attached(&mut self) -> Vec<Egress> {
        let hosts = std::mem::take(&mut self.attached);
        let first = self.connected.map_or(0, |prefix| prefix.first().to_bits());
        let inside = |address: &Ipv4Addr| self.connected.is_some_and(|prefix| prefix.contains(*address));
        let offset = |address: Ipv4Addr| (address.to_bits() - first) as usize;
        let len = hosts.iter().filter(|(address, _)| inside(address)).map(|(address, _)| offset(*address) + 1).max();
        let len = len.filter(|&len| len <= 1024 + 4 * hosts.len()).unwrap_or(0);
        let mut table = vec![NOBODY; len];
        let mut routed = Vec::new();
        for (address, egress) in hosts {
            if len > 0 && inside(&address) {
                table[offset(address)] = egress;
            } else {
                routed.push((address, egress));
            }
        }
        for (address, egress) in routed {
            let group = self.group(&[egress]);
            self.routes.push((Prefix::host(address), group));
        }
        table
    }
}

/// The address space as ranges, each with the group of the longest prefix around it.
fn flatten(mut routes: Vec<(Prefix, Group)>) -> Vec<(u32, Group)> {
    // Outer prefixes come before those inside them; stable, so that the later of two equals stays later.
    routes.sort_by_key(|(prefix, _)| *prefix);
    let mut ranges = vec![(0, NO_ROUTE)];
    let mut open: Vec<(Prefix, Group)> = Vec::new();
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
    ranges
}

/// Behind the innermost open prefix the one around it goes on.
fn close(open: &mut Vec<(Prefix, Group)>, ranges: &mut Vec<(u32, Group)>) {
    let Some((closed, _)) = open.pop() else { return };
    if let Some(next) = closed.last().to_bits().checked_add(1) {
        begin(ranges, next, open.last().map_or(NO_ROUTE, |(_, group)| *group));
    }
}

/// From `start` on the group is `group`.
fn begin(ranges: &mut Vec<(u32, Group)>, start: u32, group: Group) {
    if ranges.last().is_some_and(|(last, _)| *last == start) {
        ranges.pop();
    }
    if ranges.last().is_none_or(|(_, last)| *last != group) {
        ranges.push((start, group));
    }
}

/// Buckets over the addresses between the first and the last border of `ranges`, the first address, and the bits of an
/// address that choose within a bucket. Where the borders lie on multiples of something, as those of equal networks in a row
/// do, so do the buckets, and each holds one range.
#[expect(clippy::cast_possible_truncation, reason = "an index below the number of addresses")]
fn index(ranges: &[(u32, Group)]) -> (Vec<Group>, u32, u32) {
    let low = ranges.get(1).map_or(0, |(start, _)| *start);
    let width = ranges.last().map_or(0, |(start, _)| *start - low.min(*start));
    let most = 256.max(4 * ranges.len() as u32);
    let aligned = ranges.iter().skip(1).fold(0, |bits, (start, _)| bits | (start - low)).trailing_zeros();
    let shift = (aligned.min(31)..32).find(|&shift| width >> shift < most).unwrap_or(31);
    let group_of = |bucket: u32| {
        let first = u64::from(low) + (u64::from(bucket) << shift);
        let last = first + ((1 << shift) - 1);
        let holder = |address: u64| ranges.partition_point(|(start, _)| u64::from(*start) <= address) - 1;
        let one = u32::try_from(last).is_ok() && holder(first) == holder(last);
        if one { ranges[holder(first)].1 } else { SEVERAL }
    };
    ((0..=width >> shift).map(group_of).collect(), low, shift)
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
    fn few_hosts_in_a_vast_network_cost_little() {
        let mut builder = FibBuilder::new(0);
        builder.connect(Prefix::PRIVATE);
        builder.attach("10.255.255.254".parse().unwrap(), way(5));
        builder.attach("10.0.0.2".parse().unwrap(), way(6));
        let fib = builder.build();
        assert!(fib.size() < 10, "{} entries", fib.size());
        assert_eq!((found(&fib, "10.255.255.254"), found(&fib, "10.0.0.2")), (Some(5), Some(6)));
        assert_eq!((found(&fib, "10.0.0.3"), found(&fib, "10.255.255.255")), (None, None));
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
