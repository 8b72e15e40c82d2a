//! Edges of a plan, and the control points that tell them to forget.

use super::{BackendPool, NodeKind, Plan};
use crate::base::Span;
use crate::service::{balancer, cdn};

/// An edge.
#[derive(Clone, PartialEq, Debug)]
pub struct EdgeNode {
    /// Settings; where it fetches is in `upstream`.
    pub settings: cdn::Config,
    /// Where it fetches.
    pub upstream: BackendPool,
}

impl EdgeNode {
    /// One of which it is not known yet where it fetches.
    #[must_use]
    pub fn unread() -> Self {
        let upstream = BackendPool { settings: balancer::Pool::new("upstream", Vec::new()), targets: Vec::new() };
        Self { settings: cdn::Config::new(), upstream }
    }
}

/// A control point of edges.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PurgeControl {
    /// Port on which operators come.
    pub port: u16,
    /// Its edges.
    pub edges: Vec<u32>,
    /// An edge that has not answered after so long is told again.
    pub timeout: Span,
    /// An operator is told after so long that it is not over yet.
    pub patience: Span,
}

impl PurgeControl {
    /// One of which it is not known yet which edges it has.
    #[must_use]
    pub const fn unread() -> Self {
        Self { port: 80, edges: Vec::new(), timeout: Span::from_secs(1), patience: Span::from_secs(10) }
    }
}

impl Plan {
    /// Another edge from which this one fetches, if there is one.
    #[must_use]
    pub fn shield(&self, edge: u32) -> Option<u32> {
        let NodeKind::Edge(edge) = &self.nodes[edge as usize].kind else { return None };
        let mut targets = edge.upstream.targets.iter().map(|target| target.node);
        targets.find(|&node| matches!(self.nodes[node as usize].kind, NodeKind::Edge(_)))
    }

    /// How many edges an edge has behind it, one behind the other.
    #[must_use]
    pub fn tier(&self, edge: u32) -> usize {
        // A checked plan has no circles.
        std::iter::successors(self.shield(edge), |&next| self.shield(next)).take(self.nodes.len()).count()
    }
}
