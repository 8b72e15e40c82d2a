//! Addresses that several machines announce, as nodes of a plan.

use super::{NodeKind, Plan};
use crate::service::balancer::Check;

/// An address that several machines announce.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Anycast {
    /// The machines, in the order of their nodes.
    pub members: Vec<u32>,
    /// The port on which all of them answer HTTP requests, if they do.
    pub port: Option<u16>,
    /// How each checks itself: one that is not well withdraws the address.
    pub check: Option<Check>,
}

impl Anycast {
    /// One whose members are not known yet.
    #[must_use]
    pub const fn unread() -> Self {
        Self { members: Vec::new(), port: None, check: None }
    }
}

impl Plan {
    /// The machines that a node may turn out to be: the members of an anycast address, otherwise itself.
    #[must_use]
    pub fn machines<'a>(&'a self, node: &'a u32) -> &'a [u32] {
        match &self.nodes[*node as usize].kind {
            NodeKind::Anycast(anycast) => &anycast.members,
            _ => std::slice::from_ref(node),
        }
    }

    /// The anycast addresses, by their node.
    pub fn anycast(&self) -> impl Iterator<Item = (u32, &Anycast)> {
        (0u32..).zip(&self.nodes).filter_map(|(index, node)| match &node.kind {
            NodeKind::Anycast(anycast) => Some((index, anycast)),
            _ => None,
        })
    }

    /// The addresses, by their nodes, at which clients come to balancers that servers answer for: each balancer with its own and then
    /// those that it announces. Their order decides their code points.
    #[must_use]
    pub fn answered_directly(&self) -> Vec<(u32, u32)> {
        let direct = |node: u32| match &self.nodes[node as usize].kind {
            NodeKind::Balancer(balancer) => balancer.answers_directly(),
            _ => false,
        };
        let mut all = Vec::new();
        for (index, _) in (0u32..).zip(&self.nodes).filter(|&(index, _)| direct(index)) {
            all.push((index, index));
            let shared = self.anycast().filter(|(_, anycast)| anycast.members.contains(&index));
            all.extend(shared.map(|(address, _)| (index, address)));
        }
        all
    }
}
