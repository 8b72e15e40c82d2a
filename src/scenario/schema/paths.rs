//! Ways through the network as routing will find them: who reaches whom, by which links, and whose resolver is nearest.

use crate::scenario::plan::{NodeKind, Plan};
use crate::topo::Cost;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The links of a plan by node.
pub(super) struct Paths<'p> {
    plan: &'p Plan,
    /// Neighbour, link and whether the link's first end is here.
    neighbours: Vec<Vec<(u32, u32, bool)>>,
}

/// The shortest ways from one node to all others.
pub(super) struct Tree {
    cost: Vec<Cost>,
    /// The last link of the way to each node, the node before it, and whether other ways are as short.
    last: Vec<Option<(u32, u32, bool)>>,
}

impl<'p> Paths<'p> {
    pub(super) fn new(plan: &'p Plan) -> Self {
        let mut neighbours = vec![Vec::new(); plan.nodes.len()];
        for (index, link) in (0u32..).zip(&plan.links) {
            neighbours[link.a as usize].push((link.b, index, true));
            neighbours[link.b as usize].push((link.a, index, false));
        }
        Self { plan, neighbours }
    }

    /// Dijkstra's algorithm; only routers and the root itself pass packets on.
    pub(super) fn from(&self, root: u32) -> Tree {
        let count = self.plan.nodes.len();
        let mut tree = Tree { cost: vec![Cost::INFINITE; count], last: vec![None; count] };
        tree.cost[root as usize] = Cost::ZERO;
        let mut open = BinaryHeap::from([Reverse((Cost::ZERO, root))]);
        while let Some(Reverse((cost, node))) = open.pop() {
            let forwards = node == root || self.plan.nodes[node as usize].kind.forwards();
            if cost > tree.cost[node as usize] || !forwards {
                continue;
            }
            for &(next, link, forward) in &self.neighbours[node as usize] {
                let delay = self.plan.links[link as usize].directions[usize::from(!forward)].delay;
                let longer = cost.then(Cost::of_delay(delay));
                let best = &mut tree.cost[next as usize];
                if longer < *best {
                    *best = longer;
                    tree.last[next as usize] = Some((link, node, false));
                    open.push(Reverse((longer, next)));
                } else if longer == *best
                    && let Some((_, _, tie)) = &mut tree.last[next as usize]
                {
                    *tie = true;
                }
            }
        }
        tree
    }

    /// The parts of the network that routers join: two nodes reach each other if they have a part in common or a link between
    /// them.
    pub(super) fn parts(&self) -> Parts<'_, 'p> {
        let count = self.plan.nodes.len();
        let forwards = |node: u32| self.plan.nodes[node as usize].kind.forwards();
        let mut part: Vec<Option<u32>> = vec![None; count];
        for start in (0u32..).take(count).filter(|&node| forwards(node)) {
            if part[start as usize].is_some() {
                continue;
            }
            part[start as usize] = Some(start);
            let mut open = vec![start];
            while let Some(node) = open.pop() {
                for &(next, ..) in &self.neighbours[node as usize] {
                    if forwards(next) && part[next as usize].is_none() {
                        part[next as usize] = Some(start);
                        open.push(next);
                    }
                }
            }
        }
        Parts { paths: self, part }
    }
}

impl Tree {
    /// What it costs to get to `node`.
    pub(super) fn cost(&self, node: u32) -> Cost {
        self.cost[node as usize]
    }

    /// The links on the way to `node`, each with the node before it, the last first; ends where ways are equally short.
    pub(super) fn certain_links(&self, node: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
        let mut at = node;
        std::iter::from_fn(move || {
            let (link, before, tie) = self.last[at as usize]?;
            at = before;
            (!tie).then_some((link, before))
        })
    }
}

/// Which part of the network each router belongs to.
pub(super) struct Parts<'a, 'p> {
    paths: &'a Paths<'p>,
    part: Vec<Option<u32>>,
}

impl Parts<'_, '_> {
    /// Whether packets get from `a` to `b`; of an anycast address, to or from one of its members.
    pub(super) fn reaches(&self, a: u32, b: u32) -> bool {
        let (from, to) = (self.paths.plan.machines(&a), self.paths.plan.machines(&b));
        from.iter().any(|&from| to.iter().any(|&to| self.reaches_machine(from, to)))
    }

    fn reaches_machine(&self, a: u32, b: u32) -> bool {
        let around = |node: u32| &self.paths.neighbours[node as usize];
        let near = |node: u32| {
            let own = self.part[node as usize];
            own.into_iter().chain(around(node).iter().filter_map(|&(next, ..)| self.part[next as usize]))
        };
        a == b
            || around(a).iter().any(|&(next, ..)| next == b)
            || near(a).any(|part| near(b).any(|other| other == part))
    }
}

/// The nearest resolver of each node, if it reaches one; of equally near ones the first by name.
pub(super) fn resolvers(plan: &Plan) -> Vec<Vec<u32>> {
    let mut nearest: Vec<Option<(Cost, u32)>> = vec![None; plan.nodes.len()];
    let paths = Paths::new(plan);
    for (resolver, _) in (0u32..).zip(&plan.nodes).filter(|(_, node)| matches!(node.kind, NodeKind::Resolver(_))) {
        let tree = paths.from(resolver);
        for (node, best) in (0u32..).zip(&mut nearest) {
            let cost = tree.cost(node);
            if cost.is_finite() && best.is_none_or(|best| (cost, resolver) < best) {
                *best = Some((cost, resolver));
            }
        }
    }
    nearest.into_iter().map(|best| best.map(|(_, resolver)| resolver).into_iter().collect()).collect()
}
