//! The graph of nodes and links: who forwards, who is whose neighbour, and what each direction of a link costs.

use crate::base::{Id, Span};
use petgraph::graph::{EdgeIndex, NodeIndex, UnGraph};
use petgraph::visit::EdgeRef;
use std::fmt;

/// What a [`NodeId`] names.
#[derive(Debug)]
pub enum NodeMark {}
/// Names a node of a [`Graph`]: its number in the order of adding.
pub type NodeId = Id<NodeMark>;

/// What a [`LinkId`] names.
#[derive(Debug)]
pub enum LinkMark {}
/// Names a link (both its directions) of a [`Graph`]: its number in the order of adding.
pub type LinkId = Id<LinkMark>;

/// One direction of a link, as seen by the node that sends into it. Link `n` has the directions `2n` (from the end that was
/// named first when it was added) and `2n + 1`, so that tables of directions are dense.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Egress(u32);

impl Egress {
    /// The direction of `link` from the end named first.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the low half of the bits is the link's number")]
    pub const fn forward(link: LinkId) -> Self {
        Self((link.to_bits() as u32) << 1)
    }

    /// The direction with this number.
    #[must_use]
    pub const fn from_number(number: u32) -> Self {
        Self(number)
    }

    /// Its number, as in trace records.
    #[must_use]
    #[inline]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// Its number as an index into tables of directions.
    #[must_use]
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The link.
    #[must_use]
    pub const fn link(self) -> LinkId {
        Id::first(self.0 >> 1)
    }

    /// The opposite direction of the same link.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self(self.0 ^ 1)
    }

    /// Whether this is the direction from the end named first.
    #[must_use]
    pub const fn is_forward(self) -> bool {
        self.0 & 1 == 0
    }
}

/// What a node does with packets that are not for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Drops them: an end of conversations.
    Host,
    /// Forwards them.
    Router,
}

/// The price of a direction in route choice, and the sum of such prices along a path; smaller is better. It is the propagation
/// delay, and among equal delays the number of hops: 256 units a nanosecond and one a hop, so that no link is free (a free
/// link would allow loops) and only paths of more than 255 hops could cross a nanosecond's border.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Cost(u64);

impl Cost {
    /// The price of staying.
    pub const ZERO: Self = Self(0);
    /// The price of the impossible.
    pub const INFINITE: Self = Self(u64::MAX);

    /// The price of a hop with this propagation delay.
    #[must_use]
    pub const fn of_delay(delay: Span) -> Self {
        Self(delay.as_nanos().saturating_mul(256).saturating_add(1))
    }

    /// The price of this and then `next`.
    #[must_use]
    pub const fn then(self, next: Self) -> Self {
        Self(self.0.saturating_add(next.0))
    }

    /// Whether there is a way at all.
    #[must_use]
    pub const fn is_finite(self) -> bool {
        self.0 != u64::MAX
    }
}

/// One neighbour of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Neighbour {
    /// The neighbour.
    pub node: NodeId,
    /// The direction that leads to it.
    pub egress: Egress,
}

/// Why a link could not be added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GraphError {
    /// A link must have two different ends.
    SelfLoop(NodeId),
    /// The node is not in this graph.
    NoSuchNode(NodeId),
}

impl fmt::Display for GraphError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SelfLoop(node) => write!(f, "a link must join two different nodes, not {node:?} with itself"),
            Self::NoSuchNode(node) => write!(f, "there is no node {node:?}"),
        }
    }
}

impl std::error::Error for GraphError {}

#[derive(Clone, Debug)]
struct Node {
    name: String,
    role: Role,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    /// Prices of the forward direction and its opposite.
    cost: [Cost; 2],
}

/// Nodes and the links between them; several links may join the same two nodes.
#[derive(Clone, Default, Debug)]
pub struct Graph {
    inner: UnGraph<Node, Link>,
}

impl Graph {
    /// An empty graph.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a node. Names are used to put nodes in an order that does not depend on the order of adding, so they should be
    /// unique.
    pub fn add_node(&mut self, name: impl Into<String>, role: Role) -> NodeId {
        node_id(self.inner.add_node(Node { name: name.into(), role }))
    }

    /// Joins `a` and `b` by a link with the propagation delay `delay` in both directions.
    pub fn add_link(&mut self, a: NodeId, b: NodeId, delay: Span) -> Result<LinkId, GraphError> {
        let cost = Cost::of_delay(delay);
        self.add_link_with_costs(a, b, [cost, cost])
    }

    /// Joins `a` and `b` by a link whose directions `a` to `b` and back have these costs.
    pub fn add_link_with_costs(&mut self, a: NodeId, b: NodeId, cost: [Cost; 2]) -> Result<LinkId, GraphError> {
        if let Some(&stranger) = [a, b].iter().find(|node| node.index() >= self.inner.node_count()) {
            return Err(GraphError::NoSuchNode(stranger));
        }
        if a == b {
            return Err(GraphError::SelfLoop(a));
        }
        let edge = self.inner.add_edge(NodeIndex::new(a.index()), NodeIndex::new(b.index()), Link { cost });
        Ok(link_id(edge))
    }

    /// Number of nodes.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.inner.node_count()
    }

    /// Number of links.
    #[must_use]
    pub fn link_count(&self) -> usize {
        self.inner.edge_count()
    }

    /// All nodes in the order of adding.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0u32..).take(self.node_count()).map(Id::first)
    }

    /// All links in the order of adding.
    pub fn links(&self) -> impl Iterator<Item = LinkId> + use<> {
        (0u32..).take(self.link_count()).map(Id::first)
    }

    /// The name of a node of this graph.
    #[must_use]
    pub fn name(&self, node: NodeId) -> &str {
        &self.inner[NodeIndex::new(node.index())].name
    }

    /// What a node of this graph does with packets that are not for it.
    #[must_use]
    pub fn role(&self, node: NodeId) -> Role {
        self.inner[NodeIndex::new(node.index())].role
    }

    /// The node that sends into `egress`, a direction of this graph.
    #[must_use]
    pub fn source(&self, egress: Egress) -> NodeId {
        self.target(egress.reversed())
    }

    /// The node that `egress`, a direction of this graph, leads to.
    #[must_use]
    pub fn target(&self, egress: Egress) -> NodeId {
        let edge = EdgeIndex::new(egress.link().index());
        let (a, b) = self.inner.edge_endpoints(edge).expect("a direction names a link of its graph");
        node_id(if egress.is_forward() { b } else { a })
    }

    /// The price of a direction of this graph.
    #[must_use]
    pub fn cost(&self, egress: Egress) -> Cost {
        self.inner[EdgeIndex::new(egress.link().index())].cost[usize::from(!egress.is_forward())]
    }

    /// The neighbours of a node, one for each of its links, in no particular order (but the same in every run).
    pub fn neighbours(&self, node: NodeId) -> impl Iterator<Item = Neighbour> + '_ {
        let index = NodeIndex::new(node.index());
        self.inner.edges(index).map(move |edge| {
            let forward = Egress::forward(link_id(edge.id()));
            let (a, b) = self.inner.edge_endpoints(edge.id()).expect("an edge has ends");
            if a == index {
                Neighbour { node: node_id(b), egress: forward }
            } else {
                Neighbour { node: node_id(a), egress: forward.reversed() }
            }
        })
    }

    /// The only neighbour of a node with exactly one link.
    #[must_use]
    pub fn only_neighbour(&self, node: NodeId) -> Option<Neighbour> {
        let mut neighbours = self.neighbours(node);
        let first = neighbours.next()?;
        neighbours.next().is_none().then_some(first)
    }
}

fn node_id(index: NodeIndex) -> NodeId {
    Id::first(u32::try_from(index.index()).expect("petgraph counts nodes in 32 bits"))
}

fn link_id(index: EdgeIndex) -> LinkId {
    Id::first(u32::try_from(index.index()).expect("petgraph counts links in 32 bits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_know_their_ends_and_their_opposites() {
        let mut graph = Graph::new();
        let [a, b, c] = ["a", "b", "c"].map(|name| graph.add_node(name, Role::Router));
        graph.add_link(a, b, Span::ZERO).unwrap();
        let prices = [2, 3].map(|ms| Cost::of_delay(Span::from_millis(ms)));
        let back = Egress::forward(graph.add_link_with_costs(c, a, prices).unwrap()).reversed();
        assert_eq!((back.number(), back.is_forward(), back.reversed().number()), (3, false, 2));
        assert_eq!((graph.source(back), graph.target(back), graph.cost(back)), (a, c, prices[1]));
        let mut around: Vec<_> = graph.neighbours(a).map(|next| (next.node, next.egress.number())).collect();
        around.sort();
        assert_eq!(around, [(b, 0), (c, 3)]);
        assert_eq!(graph.only_neighbour(c).map(|next| next.egress.number()), Some(2));
        assert_eq!(graph.only_neighbour(a), None);
    }

    #[test]
    fn a_link_has_two_ends_in_the_graph() {
        let mut graph = Graph::new();
        let a = graph.add_node("a", Role::Host);
        assert_eq!(graph.add_link(a, a, Span::ZERO), Err(GraphError::SelfLoop(a)));
        let stranger = NodeId::first(1);
        assert_eq!(graph.add_link(a, stranger, Span::ZERO), Err(GraphError::NoSuchNode(stranger)));
        assert_eq!(graph.link_count(), 0);
    }

    #[test]
    fn delay_decides_before_hops_and_hops_before_nothing() {
        let hop = |nanos| Cost::of_delay(Span::from_nanos(nanos));
        assert!(hop(1).then(hop(1)) < hop(3));
        assert!(hop(2) < hop(1).then(hop(1)));
        assert!(hop(0) > Cost::ZERO);
        // 255 hops without delay are still nearer than a nanosecond; 257 are not.
        let hops = |n| (0..n).fold(Cost::ZERO, |sum: Cost, _| sum.then(hop(0)));
        assert!(hops(255) < hop(1) && hops(258) > hop(1));
        assert!(!hop(u64::MAX).then(hop(1)).is_finite());
    }
}
