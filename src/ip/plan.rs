//! Who has which address, and which prefix.

mod assign;

use super::anycast::Anycast;
use super::prefix::Prefix;
use super::uplinks::{Multihomed, Uplink, Uplinks};
use crate::topo::{Egress, Graph, NodeId};
use std::net::Ipv4Addr;

/// What the user has decided about addresses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wishes {
    /// Where all other prefixes and addresses are taken from.
    pub space: Prefix,
    /// Prefixes of routers.
    pub prefixes: Vec<(NodeId, Prefix)>,
    /// Addresses of nodes.
    pub addresses: Vec<(NodeId, Ipv4Addr)>,
    /// Nodes that stand for a shared address, each with the hosts that have it.
    pub anycast: Vec<Anycast>,
    /// Hosts with an address on each of their links.
    pub multihomed: Vec<Multihomed>,
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            space: Prefix::PRIVATE,
            prefixes: Vec::new(),
            addresses: Vec::new(),
            anycast: Vec::new(),
            multihomed: Vec::new(),
        }
    }
}

/// Why addresses cannot be assigned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AddressError {
    /// A prefix was given to a node that is no router, or two to one.
    PrefixNotUsable {
        /// The node.
        node: NodeId,
        /// The prefix.
        prefix: Prefix,
    },
    /// Two given prefixes share addresses.
    Overlap {
        /// One.
        first: (NodeId, Prefix),
        /// The other.
        second: (NodeId, Prefix),
    },
    /// A given prefix is too small for the router and its hosts.
    TooSmall {
        /// The router.
        node: NodeId,
        /// The prefix.
        prefix: Prefix,
        /// Addresses needed, the first and last of the prefix included.
        needed: u64,
    },
    /// An address that no node can have: unspecified, loopback, multicast, broadcast, or first or last of a prefix.
    NotAssignable {
        /// The node.
        node: NodeId,
        /// The address.
        address: Ipv4Addr,
    },
    /// Two nodes were given the same address, or one was given two.
    Taken {
        /// The node.
        node: NodeId,
        /// The address.
        address: Ipv4Addr,
        /// Who has it, or the node itself.
        by: NodeId,
    },
    /// The address lies in the prefix of a router to which the node is not attached.
    Elsewhere {
        /// The node.
        node: NodeId,
        /// The address.
        address: Ipv4Addr,
        /// The router.
        router: NodeId,
    },
    /// A node cannot have an address on each of its links: it is no host, has one link, some of its links were not named or one twice, or
    /// one leads to no router.
    UplinksNotUsable {
        /// The node.
        node: NodeId,
    },
    /// The space has no room for all.
    Exhausted {
        /// The space.
        space: Prefix,
        /// Addresses needed.
        needed: u64,
    },
}

impl AddressError {
    /// The error as a sentence, with the nodes' names from `graph`.
    #[must_use]
    pub fn describe(&self, graph: &Graph) -> String {
        let name = |node: NodeId| graph.name(node);
        match *self {
            Self::PrefixNotUsable { node, prefix } => {
                format!("`{}` cannot have the prefix {prefix}: it is no router, or has one already", name(node))
            }
            Self::Overlap { first, second } => {
                format!("{} of `{}` overlaps {} of `{}`", second.1, name(second.0), first.1, name(first.0))
            }
            Self::TooSmall { node, prefix, needed } => {
                format!("{prefix} of `{}` has {} addresses; {needed} are needed", name(node), prefix.size())
            }
            Self::NotAssignable { node, address } => format!("`{}` cannot have the address {address}", name(node)),
            Self::Taken { node, by, .. } if node == by => format!("`{}` was given two addresses", name(node)),
            Self::Taken { node, address, by } => {
                format!("`{}` cannot have {address}: `{}` has it", name(node), name(by))
            }
            Self::Elsewhere { node, address, router } => format!(
                "`{}` cannot have {address}: it lies in the prefix of `{}`, to which it is not attached",
                name(node),
                name(router)
            ),
            Self::UplinksNotUsable { node } => {
                format!("`{}` cannot have an address on each link: they must be all its links, to routers", name(node))
            }
            Self::Exhausted { space, needed } => {
                format!("{space} has {} addresses; {needed} are needed", space.size())
            }
        }
    }
}

/// Addresses of all nodes and prefixes of all routers. A node has one address, whichever link a packet leaves by, unless it was given one on
/// each of its links.
#[derive(Clone, Debug)]
pub struct AddressPlan {
    address: Vec<Ipv4Addr>,
    prefix: Vec<Option<Prefix>>,
    gateway: Vec<Option<Egress>>,
    by_address: Vec<(Ipv4Addr, NodeId)>,
    anycast: Vec<Anycast>,
    uplinks: Uplinks,
}

impl AddressPlan {
    /// The address of a node: the one that it prefers, if it has several.
    #[must_use]
    pub fn address(&self, node: NodeId) -> Ipv4Addr {
        self.address[node.index()]
    }

    /// The node that has an address.
    #[must_use]
    pub fn node(&self, address: Ipv4Addr) -> Option<NodeId> {
        let at = self.by_address.binary_search_by_key(&address, |entry| entry.0).ok()?;
        Some(self.by_address[at].1)
    }

    /// The prefix of a router.
    #[must_use]
    pub fn prefix(&self, node: NodeId) -> Option<Prefix> {
        self.prefix[node.index()]
    }

    /// The only link of a host that is attached to one router: it shares that router's prefix and needs no routes of its own.
    #[must_use]
    pub fn gateway(&self, node: NodeId) -> Option<Egress> {
        self.gateway[node.index()]
    }

    /// The links on which a host has an address each, in its order of preference; none of a node with one address.
    #[must_use]
    pub fn uplinks(&self, node: NodeId) -> &[Uplink] {
        self.uplinks.of(node)
    }

    /// The hosts with an address on each of their links, with all of these.
    pub fn multihomed(&self) -> impl Iterator<Item = (NodeId, Uplink)> + '_ {
        self.uplinks.iter()
    }

    /// Every address with the node that has it, ascending.
    pub fn all(&self) -> impl Iterator<Item = (Ipv4Addr, NodeId)> + '_ {
        self.by_address.iter().copied()
    }

    /// Whether a host takes no part in routing: it hangs on routers that know its addresses.
    pub(super) fn hangs(&self, node: NodeId) -> bool {
        self.gateway(node).is_some() || !self.uplinks(node).is_empty()
    }

    /// The addresses that several hosts have.
    #[must_use]
    pub fn anycast(&self) -> &[Anycast] {
        &self.anycast
    }

    /// The addresses of a host besides its first that it has in common with others, or on other links.
    #[must_use]
    pub fn besides(&self, node: NodeId) -> Box<[Ipv4Addr]> {
        let own = self.uplinks(node).iter().skip(1).map(|uplink| uplink.address);
        own.chain(self.shared(node)).collect()
    }

    /// The addresses that a host has in common with others.
    #[must_use]
    pub fn shared(&self, node: NodeId) -> Box<[Ipv4Addr]> {
        let of = self.anycast.iter().filter(|group| group.members.contains(&node));
        of.map(|group| self.address(group.node)).collect()
    }
}
