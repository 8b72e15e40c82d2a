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
        self.distances_to_any(&[(to, Cost::ZERO)])
    }

    /// The cost of the cheapest path from every member to any of `roots`, each with what it costs to go on from there.
    #[must_use]
    pub fn distances_to_any(&self, roots: &[(NodeId, Cost)]) -> Distances<'_> {
        let mut cost = vec![Cost::INFINITE; self.members.len()];
        let mut queue = BinaryHeap::new();
        let mut ends: Vec<(u32, Cost)> = Vec::new();
        for &(node, on) in roots {
            let Some(root) = self.number.get(node.index()).copied().flatten() else { continue };
            ends.push((root, on));
            if on < cost[root as usize] {
                cost[root as usize] = on;
                queue.push(Reverse((on, root)));
            }
        }
        while let Some(Reverse((so_far, member))) = queue.pop() {
            let at = member as usize;
            if so_far > cost[at] || !(self.passes[at] || ends.contains(&(member, so_far))) {
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
        ends.retain(|&(root, on)| on == cost[root as usize]);
        Distances { core: self, ends, cost }
    }
}

/// Costs of the cheapest paths from every member of a [`Core`] to one of them, or to the nearest of several.
#[derive(Clone, Debug)]
pub struct Distances<'a> {
    core: &'a Core,
    /// Where paths end, with what it costs to go on from there.
    ends: Vec<(u32, Cost)>,
    cost: Vec<Cost>,
}

impl Distances<'_> {
    /// The cost from `node`, infinite if no path leads from there.
    #[must_use]
    pub fn from(&self, node: NodeId) -> Cost {
        let member = self.core.number.get(node.index()).copied().flatten();
        member.map_or(Cost::INFINITE, |member| self.cost[member as usize])
    }

    /// All directions in which a cheapest path leaves `node`, in the order of their numbers; none where one ends that costs nothing more.
    pub fn next_hops(&self, node: NodeId) -> impl Iterator<Item = Egress> + '_ {
        let member = self.core.number.get(node.index()).copied().flatten();
        let member = member.filter(|&member| !self.ends.contains(&(member, Cost::ZERO)));
        member.into_iter().flat_map(move |member| {
            let best = self.cost[member as usize];
            self.core
                .arcs(member as usize)
                .iter()
                .filter(|arc| self.core.passes[arc.to as usize] || self.ends.iter().any(|(end, _)| *end == arc.to))
                .filter(move |arc| best.is_finite() && arc.out.then(self.cost[arc.to as usize]) == best)
                .map(|arc| arc.egress)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Rng, Span};

    fn ms(n: u64) -> Span {
        Span::from_millis(n)
    }

    fn everything(graph: &Graph) -> Core {
        Core::new(graph, |_| true, |_| true)
    }

    /// a - b - d (2 + 2 ms) and a - c - d (1 + 3 ms), and a direct a - d that is slower.
    fn diamond(role: Role) -> (Graph, [NodeId; 4]) {
        let mut graph = Graph::new();
        let nodes = ["a", "b", "c", "d"].map(|name| graph.add_node(name, role));
        let [a, b, c, d] = nodes;
        for (from, to, delay) in [(a, b, 2), (b, d, 2), (a, c, 1), (c, d, 3), (a, d, 5)] {
            graph.add_link(from, to, ms(delay)).unwrap();
        }
        (graph, nodes)
    }

    fn hops(core: &Core, from: NodeId, to: NodeId) -> Vec<u32> {
        core.distances(to).next_hops(from).map(Egress::number).collect()
    }

    #[test]
    fn all_cheapest_ways_are_found_and_no_other() {
        let (graph, [a, b, c, d]) = diamond(Role::Router);
        let core = everything(&graph);
        assert_eq!(hops(&core, a, d), [0, 4]);
        assert_eq!(hops(&core, d, a), [3, 7]);
        // b to c: by a (3 ms), not by d (5 ms).
        assert_eq!(hops(&core, b, c), [1]);
        assert_eq!(hops(&core, a, a), [] as [u32; 0]);
    }

    #[test]
    fn hosts_carry_nothing_for_others() {
        let (mut graph, [a, b, c, d]) = diamond(Role::Host);
        let core = everything(&graph);
        assert_eq!(hops(&core, a, d), [8], "only the direct link is left");
        assert_eq!(hops(&core, b, c), [] as [u32; 0]);
        let router = graph.add_node("r", Role::Router);
        for node in [b, c] {
            graph.add_link(node, router, ms(1)).unwrap();
        }
        let core = everything(&graph);
        assert_eq!(hops(&core, b, c), [10]);
        assert_eq!(hops(&core, a, router), [] as [u32; 0]);
    }

    #[test]
    fn a_cut_link_is_walked_around_and_one_direction_can_be_cut_alone() {
        let (graph, [a, _, _, d]) = diamond(Role::Router);
        let cut = Egress::from_number(4);
        let core = Core::new(&graph, |_| true, |egress| egress != cut);
        assert_eq!(hops(&core, a, d), [0]);
        assert_eq!(hops(&core, d, a), [3, 7]);
        let dead = Core::new(&graph, |_| true, |egress| graph.source(egress) != d && graph.target(egress) != d);
        assert!(!dead.distances(d).from(a).is_finite());
    }

    #[test]
    fn among_equal_delays_fewer_hops_win() {
        let mut graph = Graph::new();
        let [a, b, c] = ["a", "b", "c"].map(|name| graph.add_node(name, Role::Router));
        for (from, to, delay) in [(a, b, 1), (b, c, 1), (a, c, 2)] {
            graph.add_link(from, to, ms(delay)).unwrap();
        }
        assert_eq!(hops(&everything(&graph), a, c), [4]);
        // Links without delay are not free: no loops.
        let mut ring = Graph::new();
        let nodes = ["a", "b", "c", "d"].map(|name| ring.add_node(name, Role::Router));
        for at in 0..4 {
            ring.add_link(nodes[at], nodes[(at + 1) % 4], Span::ZERO).unwrap();
        }
        assert_eq!(hops(&everything(&ring), nodes[0], nodes[1]), [0]);
        assert_eq!(hops(&everything(&ring), nodes[0], nodes[2]), [0, 7]);
    }

    #[test]
    fn distances_are_those_of_bellman_and_ford() {
        let mut rng = Rng::stream(5, "test/paths");
        for _ in 0..60 {
            let mut graph = Graph::new();
            let n = usize::try_from(2 + rng.below(12)).unwrap();
            let role = |rng: &mut Rng| if rng.chance(0.3) { Role::Host } else { Role::Router };
            let nodes: Vec<NodeId> = (0..n).map(|_| graph.add_node("", role(&mut rng))).collect();
            let any = |rng: &mut Rng| nodes[usize::try_from(rng.below(n as u64)).unwrap()];
            for _ in 0..rng.below(30) {
                let (a, b) = (any(&mut rng), any(&mut rng));
                let cost = [rng.below(5), rng.below(5)].map(|delay| Cost::of_delay(Span::from_nanos(delay)));
                let _ = graph.add_link_with_costs(a, b, cost);
            }
            let (to, core) = (any(&mut rng), everything(&graph));
            let mut known = vec![Cost::INFINITE; n];
            known[to.index()] = Cost::ZERO;
            for _ in 0..n {
                for egress in graph.links().flat_map(|link| [Egress::forward(link), Egress::forward(link).reversed()]) {
                    let (source, target) = (graph.source(egress), graph.target(egress));
                    if target == to || graph.role(target) == Role::Router {
                        let cost = graph.cost(egress).then(known[target.index()]);
                        known[source.index()] = known[source.index()].min(cost);
                    }
                }
            }
            let distances = core.distances(to);
            for &node in &nodes {
                assert_eq!(distances.from(node), known[node.index()]);
                assert_eq!(distances.next_hops(node).next().is_some(), node != to && known[node.index()].is_finite());
            }
        }
    }
}
