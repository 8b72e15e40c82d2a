//! Addresses that several hosts have: routing takes each sender to the nearest host that announces it (RFC 4786).

use super::fib::{Fib, FibBuilder};
use super::plan::AddressPlan;
use super::prefix::Prefix;
use crate::topo::{Core, Cost, Egress, Graph, NodeId};
use std::net::Ipv4Addr;

/// A shared address: a node without links stands for it in the graph, so that it has a name and an address like all others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Anycast {
    /// The node that stands for the address.
    pub node: NodeId,
    /// The hosts that have it.
    pub members: Vec<NodeId>,
}

/// Who announces which shared address: one switch for each member of each group of a plan, in their order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Announced(Vec<Vec<bool>>);

impl Announced {
    /// All members announce.
    #[must_use]
    pub fn everywhere(plan: &AddressPlan) -> Self {
        Self(plan.anycast().iter().map(|group| vec![true; group.members.len()]).collect())
    }

    /// Whether a member of a group announces.
    #[must_use]
    pub fn is(&self, group: usize, member: usize) -> bool {
        self.0[group][member]
    }

    /// A member of a group announces from now on, or does not any more. True if that is news.
    pub fn set(&mut self, group: usize, member: usize, on: bool) -> bool {
        std::mem::replace(&mut self.0[group][member], on) != on
    }
}

/// The table of a host with one way out that has shared addresses: what it sends to them stays.
pub(super) fn own_table(out: Egress, shared: &[Ipv4Addr]) -> Fib {
    let mut table = FibBuilder::new(0);
    let (way, none) = (table.group(&[out]), table.group(&[]));
    table.add(Prefix::ALL, way);
    shared.iter().for_each(|&address| table.add(Prefix::host(address), none));
    table.build()
}

/// Tells every table the ways to the nearest host of each shared address, by the cost of the whole path; all ways that are equally
/// cheap, of which a flow uses one. A host announces itself through the router that it is attached to, as long as its link is up.
pub(super) fn spread(
    graph: &Graph,
    plan: &AddressPlan,
    up: &impl Fn(Egress) -> bool,
    announced: &Announced,
    tables: &mut [Option<FibBuilder>],
) {
    if plan.anycast().is_empty() {
        return;
    }
    let core = Core::new(graph, |node| !plan.hangs(node), up);
    for (number, group) in plan.anycast().iter().enumerate() {
        // Where paths through the routers end, what is left from there, and the last hop to a host that has no table.
        let mut ends: Vec<(NodeId, Cost, Option<Egress>)> = Vec::new();
        for (place, &member) in group.members.iter().enumerate() {
            if !announced.is(number, place) {
                continue;
            }
            match plan.gateway(member) {
                None => ends.push((member, Cost::ZERO, None)),
                Some(out) if up(out) && up(out.reversed()) => {
                    ends.push((graph.target(out), graph.cost(out.reversed()), Some(out.reversed())));
                }
                Some(_) => {}
            }
        }
        let roots: Vec<(NodeId, Cost)> = ends.iter().map(|&(node, on, _)| (node, on)).collect();
        let distances = core.distances_to_any(&roots);
        let address = Prefix::host(plan.address(group.node));
        for &node in core.members() {
            let Some(table) = tables[node.index()].as_mut() else { continue };
            // A host that has the address keeps what it sends there, whether it announces it or not.
            let own = group.members.contains(&node);
            let mut hops: Vec<Egress> = if own { Vec::new() } else { distances.next_hops(node).collect() };
            let last = |&&(end, on, hop): &&(NodeId, Cost, Option<Egress>)| {
                end == node && hop.is_some() && on == distances.from(node)
            };
            hops.extend(ends.iter().filter(last).filter_map(|end| end.2));
            hops.sort_unstable();
            if own || !hops.is_empty() {
                let group = table.group(&hops);
                table.add(address, group);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Rng, Span};
    use crate::ip::{Wishes, follow, route_announced};
    use crate::topo::Role;

    /// In networks drawn by chance every sender reaches a member that announces the address, by a way that is as cheap as the cheapest
    /// to any of them; or nobody, if no member can be reached.
    #[test]
    fn every_sender_reaches_the_nearest_member_that_announces() {
        let mut rng = Rng::stream(21, "test/anycast");
        let (mut arrived, mut lost) = (0, 0);
        for _ in 0..200 {
            let mut graph = Graph::new();
            let n = usize::try_from(3 + rng.below(14)).unwrap();
            let mut any = |n: usize| usize::try_from(rng.below(n as u64)).unwrap();
            let nodes: Vec<NodeId> = (0..n)
                .map(|at| graph.add_node(format!("n{at}"), if any(10) < 6 { Role::Router } else { Role::Host }))
                .collect();
            // Sparse ones have branches and islands.
            for _ in 0..any(if n % 2 == 0 { 3 * n } else { n + 1 }) {
                let delay = Span::from_nanos(any(4) as u64);
                let _ = graph.add_link(nodes[any(n)], nodes[any(n)], delay);
            }
            let shared = graph.add_node("shared", Role::Host);
            let hosts: Vec<NodeId> =
                nodes.iter().copied().filter(|&node| graph.role(node) == Role::Host).take(4).collect();
            let anycast = vec![Anycast { node: shared, members: hosts.clone() }];
            let plan = AddressPlan::assign(&graph, &Wishes { anycast, ..Wishes::default() }).unwrap();
            let mut announced = Announced::everywhere(&plan);
            let silent = any(5);
            if silent < hosts.len() {
                assert!(announced.set(0, silent, false) && !announced.set(0, silent, false));
            }
            let down = u32::try_from(any(3 * n)).unwrap();
            // Routers use a link while both directions work.
            let up = |egress: Egress| egress.number() / 2 != down;
            let routers = route_announced(&graph, &plan, up, &announced);
            let all = Core::new(&graph, |_| true, up);
            let members = hosts.iter().enumerate().filter(|&(place, _)| announced.is(0, place)).map(|(_, &host)| host);
            let costs: Vec<_> = members.map(|member| all.distances(member)).collect();
            let address = plan.address(shared);
            // A host that has no other way than into a member is answered by it, announced or not.
            let beside = |node: NodeId| {
                let only = graph.only_neighbour(node).filter(|_| graph.role(node) == Role::Host);
                only.is_some_and(|next| hosts.contains(&next.node))
            };
            for &from in nodes.iter().filter(|&&node| !hosts.contains(&node) && !beside(node)) {
                let path = follow(&graph, &routers, from, address, any(1_000) as u64);
                let path = path.filter(|path| path.iter().all(|&egress| up(egress)));
                let cost = path.map(|path| path.iter().fold(Cost::ZERO, |sum, &egress| sum.then(graph.cost(egress))));
                let least = costs.iter().map(|distances| distances.from(from)).filter(|cost| cost.is_finite()).min();
                assert_eq!(cost, least, "{} to {hosts:?}", graph.name(from));
                *if cost.is_some() { &mut arrived } else { &mut lost } += 1;
            }
            for &host in &hosts {
                assert_eq!(follow(&graph, &routers, host, address, 0), Some(Vec::new()), "a member keeps its own");
                let first = all.distances(nodes[0]).from(host).is_finite() && host != nodes[0];
                let known = routers[host.index()].fib().lookup(plan.address(nodes[0])).is_some();
                assert!(known || !first, "and its ways to all others");
            }
        }
        assert!(arrived > 300 && lost > 100, "{arrived} arrived, {lost} had no way");
    }

    #[test]
    fn of_members_that_are_equally_near_each_flow_has_one() {
        let mut graph = Graph::new();
        let [user, a, b] = ["user", "a", "b"].map(|name| graph.add_node(name, Role::Host));
        let router = graph.add_node("router", Role::Router);
        for host in [user, a, b] {
            graph.add_link(host, router, Span::from_micros(5)).unwrap();
        }
        let shared = graph.add_node("shared", Role::Host);
        let anycast = vec![Anycast { node: shared, members: vec![a, b] }];
        let plan = AddressPlan::assign(&graph, &Wishes { anycast, ..Wishes::default() }).unwrap();
        let routers = route_announced(&graph, &plan, |_| true, &Announced::everywhere(&plan));
        let end = |flow| {
            let path = follow(&graph, &routers, user, plan.address(shared), flow).unwrap();
            graph.target(path[1])
        };
        let ends: Vec<NodeId> = (0..64).map(end).collect();
        assert!(ends.contains(&a) && ends.contains(&b));
        assert!((0..64).all(|flow| end(flow) == ends[usize::try_from(flow).unwrap()]), "and keeps it");
    }
}
