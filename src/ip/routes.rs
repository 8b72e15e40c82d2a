//! The routes of every node from the graph as it is now: the same function plans a run and re-converges it after a failure.

use super::fib::{Fib, FibBuilder};
use super::plan::AddressPlan;
use super::prefix::Prefix;
use super::router::Router;
use crate::base::stream_id;
use crate::topo::{Core, Egress, Graph, NodeId, Role};
use std::net::Ipv4Addr;

/// The IP layers of all nodes, in the order of their ids, with shortest-path routes over the directions for which `up` holds.
/// For a node that is down, `up` fails for all directions to and from it.
///
/// Routers learn the cheapest ways (by [`Cost`](crate::topo::Cost)) to every prefix, all equal ones; a host with one link sends
/// everything into it, up or down, as it has no other way; a host with more links has routes as a router has, but nobody's
/// route leads through it. A router's salt among equal paths comes from its name.
pub fn route(graph: &Graph, plan: &AddressPlan, up: impl Fn(Egress) -> bool) -> Vec<Router> {
    let core = Core::new(graph, |node| plan.gateway(node).is_none(), &up);
    let mut tables: Vec<Option<FibBuilder>> = vec![None; graph.node_count()];
    for &node in core.members() {
        let mut table = FibBuilder::new(stream_id(graph.name(node)));
        if let Some(prefix) = plan.prefix(node) {
            table.connect(prefix);
        }
        tables[node.index()] = Some(table);
    }
    // What lies behind each member: its prefix, and the addresses outside of it.
    let mut behind: Vec<Vec<Prefix>> = graph.nodes().map(|node| plan.prefix(node).into_iter().collect()).collect();
    for node in graph.nodes() {
        let address = plan.address(node);
        let anchor = plan.gateway(node).map_or(node, |egress| graph.target(egress));
        if plan.prefix(anchor).is_none_or(|prefix| !prefix.contains(address)) {
            behind[anchor.index()].push(Prefix::host(address));
        }
        if let (Some(egress), Some(table)) = (plan.gateway(node), &mut tables[anchor.index()])
            && up(egress.reversed())
        {
            table.attach(address, egress.reversed());
        }
    }
    spread(&core, &behind, &mut tables);
    let layer = |(node, table): (NodeId, Option<FibBuilder>)| {
        let only = graph.only_neighbour(node).filter(|_| graph.role(node) == Role::Host);
        let fib = match (only, table) {
            (Some(only), _) => Fib::default_route(only.egress),
            (None, table) => table.unwrap_or_default().build(),
        };
        Router::new(plan.address(node), graph.role(node), fib)
    };
    graph.nodes().zip(tables).map(layer).collect()
}

/// Tells every member of the core the ways to what lies behind every other.
fn spread(core: &Core, behind: &[Vec<Prefix>], tables: &mut [Option<FibBuilder>]) {
    let mut hops = Vec::new();
    for &anchor in core.members() {
        let prefixes = &behind[anchor.index()];
        let distances = core.distances(anchor);
        for &node in core.members() {
            hops.clear();
            hops.extend(distances.next_hops(node));
            let Some(table) = tables[node.index()].as_mut().filter(|_| !hops.is_empty()) else { continue };
            let group = table.group(&hops);
            prefixes.iter().for_each(|&prefix| table.add(prefix, group));
        }
    }
}

/// The directions that a packet of the flow with hash `flow` takes from a node to the one with address `dst`; `None` if it does
/// not get there within 255 hops.
#[must_use]
pub fn follow(graph: &Graph, routers: &[Router], from: NodeId, dst: Ipv4Addr, flow: u64) -> Option<Vec<Egress>> {
    let mut path = Vec::new();
    let mut node = from;
    while routers[node.index()].address() != dst {
        let forwards = path.is_empty() || graph.role(node) == Role::Router;
        if !forwards || path.len() == 255 {
            return None;
        }
        let egress = routers[node.index()].fib().egress_of_flow(dst, flow)?;
        path.push(egress);
        node = graph.target(egress);
    }
    Some(path)
}
