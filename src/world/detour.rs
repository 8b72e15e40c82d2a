//! Whether anything leads around what has failed: whether those whom it joined still reach each other.

use crate::topo::{Egress, Graph, LinkId, NodeId, Role};

/// Whether a way is left around one of the `lost` links or, where a machine at an end of it is down, around that machine: `up` says which
/// directions work, `down` which machines do not. Only routers lead on.
pub(super) fn exists(
    graph: &Graph,
    up: impl Fn(Egress) -> bool,
    down: impl Fn(NodeId) -> bool,
    lost: &[LinkId],
) -> bool {
    let islands = Islands::new(graph, &up);
    let ends = |link: LinkId| {
        let way = Egress::forward(link);
        (graph.source(way), graph.target(way))
    };
    let mut beside: Vec<(NodeId, NodeId)> = Vec::new();
    for &link in lost {
        let (a, b) = ends(link);
        match (down(a), down(b)) {
            (false, false) if islands.joined(a, b) => return true,
            (true, false) => beside.push((a, b)),
            (false, true) => beside.push((b, a)),
            _ => {}
        }
    }
    beside.retain(|&(machine, _)| graph.role(machine) == Role::Router);
    beside.sort_unstable();
    beside.dedup();
    beside.chunk_by(|left, right| left.0 == right.0).any(|around| {
        let mut reached: Vec<usize> = around.iter().flat_map(|&(_, neighbour)| islands.of(neighbour)).collect();
        let all = reached.len();
        reached.sort_unstable();
        reached.dedup();
        reached.len() < all
    })
}

/// Routers that reach each other.
struct Islands {
    /// By node; a host is one of its own.
    number: Vec<usize>,
    /// Of each host, the islands on which its working links end.
    shores: Vec<Vec<usize>>,
}

impl Islands {
    fn new(graph: &Graph, up: impl Fn(Egress) -> bool) -> Self {
        let router = |node: NodeId| graph.role(node) == Role::Router;
        let mut number = vec![usize::MAX; graph.node_count()];
        for first in graph.nodes() {
            if number[first.index()] != usize::MAX {
                continue;
            }
            number[first.index()] = first.index();
            // A host leads nobody on.
            let mut waiting = vec![first];
            while let Some(node) = waiting.pop().filter(|&node| router(node)) {
                for next in graph.neighbours(node) {
                    let place = &mut number[next.node.index()];
                    if router(next.node) && up(next.egress) && *place == usize::MAX {
                        *place = first.index();
                        waiting.push(next.node);
                    }
                }
            }
        }
        let shores = |node: NodeId| {
            let ends = graph.neighbours(node).filter(|next| !router(node) && up(next.egress));
            let mut ends: Vec<usize> = ends.map(|next| number[next.node.index()]).collect();
            ends.sort_unstable();
            ends.dedup();
            ends
        };
        let shores = graph.nodes().map(shores).collect();
        Self { number, shores }
    }

    /// The islands that a node is on.
    fn of(&self, node: NodeId) -> Vec<usize> {
        let own = self.number[node.index()];
        std::iter::once(own).chain(self.shores[node.index()].iter().copied()).collect()
    }

    fn joined(&self, a: NodeId, b: NodeId) -> bool {
        let other = self.of(b);
        self.of(a).iter().any(|island| other.contains(island))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Span;

    /// Routers `a`, `b` and `c` in a ring, `d` behind `c`; host `h` at `a` and at `b`, host `k` at `d`.
    fn around(lost: &[(&str, &str)], down: &str) -> bool {
        let mut graph = Graph::new();
        let mut nodes: Vec<NodeId> = ["a", "b", "c", "d"].map(|name| graph.add_node(name, Role::Router)).into();
        nodes.extend(["h", "k"].map(|name| graph.add_node(name, Role::Host)));
        let find = |name: &str| nodes["abcdhk".find(name).unwrap()];
        let mut gone = Vec::new();
        for (a, b) in [("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("h", "a"), ("h", "b"), ("k", "d")] {
            let link = graph.add_link(find(a), find(b), Span::ZERO).unwrap();
            let crashed = [a, b].contains(&down);
            gone.extend((crashed || lost.contains(&(a, b))).then_some(link));
        }
        exists(&graph, |way| !gone.contains(&way.link()), |node| graph.name(node) == down, &gone)
    }

    #[test]
    fn a_ring_leads_around_one_break_and_not_around_two() {
        assert!(around(&[("a", "b")], ""));
        assert!(!around(&[("a", "b"), ("c", "a")], ""), "over the host nobody is led");
        assert!(!around(&[("c", "d")], ""));
        assert!(around(&[("h", "a")], ""), "the host has another link");
        assert!(!around(&[("k", "d")], ""));
    }

    #[test]
    fn what_a_router_joined_may_be_joined_by_others_and_a_host_joins_nothing() {
        assert!(around(&[], "a"), "b and c, and the host by its other link");
        assert!(!around(&[], "d"));
        assert!(!around(&[], "h"), "nothing went through it");
        assert!(!around(&[], "k"));
        assert!(around(&[], "c"), "a and b");
    }
}
