//! Shortest paths towards one node (Dijkstra 1959), over routers only and with all ties.

use super::graph::{Cost, Egress, Graph, Neighbour, NodeId, Role};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A link as seen from one of its ends.
#[derive(Clone, Copy, Debug)]
struct Arc {
    to: u32,
    egress: Egress,
    /// Price of going there, infinite while that direction is down.
    out: Cost,
    /// Price of coming from there.
    back: Cost,
}

/// The part of a graph on which paths are searched, laid out for it: some of the nodes and the links between them. Leaving
/// out hosts with a single link makes searches as cheap as the network of routers is small.
#[derive(Clone, Debug)]
pub struct Core {
    /// Core number of each node of the graph.
    number: Vec<Option<u32>>,
    members: Vec<NodeId>,
    passes: Vec<bool>,
    arcs: Vec<Arc>,
    /// Where the arcs of each member start; one more entry at the end.
    starts: Vec<usize>,
}

impl Core {
    /// The nodes of `graph` for which `member` holds, and the directions between them for which `up` holds.
    pub fn new(graph: &Graph, member: impl Fn(NodeId) -> bool, up: impl Fn(Egress) -> bool) -> Self {
        let members: Vec<NodeId> = graph.nodes().filter(|&node| member(node)).collect();
        let mut number = vec![None; graph.node_count()];
        for (index, node) in (0u32..).zip(&members) {
            number[node.index()] = Some(index);
        }
        let passes = members.iter().map(|&node| graph.role(node) == Role::Router).collect();
        let price = |egress| if up(egress) { graph.cost(egress) } else { Cost::INFINITE };
        let (mut arcs, mut starts) = (Vec::new(), vec![0]);
        for &node in &members {
            arcs.extend(graph.neighbours(node).filter_map(|Neighbour { node, egress }| {
                let to = number[node.index()]?;
                Some(Arc { to, egress, out: price(egress), back: price(egress.reversed()) })
            }));
            let first = *starts.last().unwrap_or(&0);
            arcs[first..].sort_unstable_by_key(|arc| arc.egress);
            starts.push(arcs.len());
        }
        Self { number, members, passes, arcs, starts }
    }

    /// The nodes of the core.
    #[must_use]
    pub fn members(&self) -> &[NodeId] {
        &self.members
    }

    fn arcs(&self, member: usize) -> &[Arc] {
        &self.arcs[self.starts[member]..self.starts[member + 1]]
    }

    /// The cost of the cheapest path from every member to `to`. Hosts are ends of paths, never their middle. Nothing has a
    /// path to a node outside the core.
    #[must_use]
    pub fn distances(&self, to: NodeId) -> Distances<'_> {
        let mut cost = vec![Cost::INFINITE; self.members.len()];
        let root = self.number.get(to.index()).copied().flatten();
        let mut queue = BinaryHeap::new();
        if let Some(root) = root {
            cost[root as usize] = Cost::ZERO;
            queue.push(Reverse((Cost::ZERO, root)));
        }
        while let Some(Reverse((so_far, member))) = queue.pop() {
            let at = member as usize;
            if so_far > cost[at] || !(self.passes[at] || Some(member) == root) {
                continue;
            }
            for arc in self.arcs(at) {
                // The path runs from the neighbour to here, against the direction of the search.
                let there = so_far.then(arc.back);
                if there < cost[arc.to as usize] {
                    cost[arc.to as usize] = there;
                    queue.push(Reverse((there, arc.to)));
                }
            }
        }
        Distances { core: self, root, cost }
    }
}

/// Costs of the cheapest paths from every member of a [`Core`] to one of them.
#[derive(Clone, Debug)]
pub struct Distances<'a> {
    core: &'a Core,
    root: Option<u32>,
    cost: Vec<Cost>,
}

impl Distances<'_> {
    /// The cost from `node`, infinite if no path leads from there.
    #[must_use]
    pub fn from(&self, node: NodeId) -> Cost {
        let member = self.core.number.get(node.index()).copied().flatten();
        member.map_or(Cost::INFINITE, |member| self.cost[member as usize])
    }

    /// All directions in which a cheapest path leaves `node`, in the order of their numbers.
    pub fn next_hops(&self, node: NodeId) -> impl Iterator<Item = Egress> + '_ {
        let member = self.core.number.get(node.index()).copied().flatten();
        let member = member.filter(|&member| Some(member) != self.root);
        member.into_iter().flat_map(move |member| {
            let best = self.cost[member as usize];
            self.core
                .arcs(member as usize)
                .iter()
                .filter(|arc| self.core.passes[arc.to as usize] || Some(arc.to) == self.root)
                .filter(move |arc| best.is_finite() && arc.out.then(self.cost[arc.to as usize]) == best)
                .map(|arc| arc.egress)
        })
    }
}
