//! What a world is to be built of: nodes, links and settings, and what follows from them: addresses and routes.

use crate::base::Span;
use crate::ip::{AddressError, AddressPlan, Anycast, Multihomed, Router, Wishes, route};
use crate::link;
use crate::topo::{Cost, Egress, Graph, GraphError, LinkId, NodeId, Role};
use crate::transport::tcp;
use std::net::Ipv4Addr;
use std::rc::Rc;

/// Nodes, links and their settings.
#[derive(Clone)]
pub struct Blueprint {
    graph: Graph,
    links: Vec<[link::Config; 2]>,
    tcp: Vec<Rc<tcp::Config>>,
    wishes: Wishes,
    /// Of hosts with several addresses, how long the carrier of a link must have changed before they notice.
    carrier_delays: Vec<(NodeId, Span)>,
}

impl Default for Blueprint {
    fn default() -> Self {
        Self {
            graph: Graph::new(),
            links: Vec::new(),
            tcp: Vec::new(),
            wishes: Wishes::default(),
            carrier_delays: Vec::new(),
        }
    }
}

impl Blueprint {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a node. Names must be unique: they decide addresses and name the streams of chance.
    pub fn node(&mut self, name: impl Into<String>, role: Role, tcp: &Rc<tcp::Config>) -> NodeId {
        self.tcp.push(Rc::clone(tcp));
        self.graph.add_node(name, role)
    }

    /// Joins two nodes; the first configuration is for the direction from `a` to `b`.
    pub fn link(&mut self, a: NodeId, b: NodeId, directions: [link::Config; 2]) -> Result<LinkId, GraphError> {
        let cost = [Cost::of_delay(directions[0].delay), Cost::of_delay(directions[1].delay)];
        let id = self.graph.add_link_with_costs(a, b, cost)?;
        self.links.push(directions);
        Ok(id)
    }

    /// Gives a node this address instead of one of our choice.
    pub fn address(&mut self, node: NodeId, address: Ipv4Addr) {
        self.wishes.addresses.push((node, address));
    }

    /// Has a node without links stand for an address that all of `members` have.
    pub fn anycast(&mut self, node: NodeId, members: Vec<NodeId>) {
        self.wishes.anycast.push(Anycast { node, members });
    }

    /// Gives a host an address on each of its links instead of one: `links` are all of them, each to a router, in the order in which it
    /// prefers them. It notices that one has failed or come back when it has been so for `carrier_delay`.
    pub fn multihome(&mut self, node: NodeId, links: &[LinkId], carrier_delay: Span) {
        let out = |&link: &LinkId| {
            let forward = Egress::forward(link);
            if self.graph.source(forward) == node { forward } else { forward.reversed() }
        };
        self.wishes.multihomed.push(Multihomed { node, uplinks: links.iter().map(out).collect() });
        self.carrier_delays.push((node, carrier_delay));
    }

    /// How long the carrier of a host's link must have changed before the host notices.
    #[must_use]
    pub fn carrier_delay(&self, node: NodeId) -> Span {
        self.carrier_delays.iter().find(|(other, _)| *other == node).map_or(Span::ZERO, |&(_, delay)| delay)
    }

    /// Nodes and links.
    #[must_use]
    pub const fn graph(&self) -> &Graph {
        &self.graph
    }

    /// How one direction of a link is configured.
    #[must_use]
    pub fn direction(&self, egress: Egress) -> &link::Config {
        &self.links[egress.link().index()][usize::from(!egress.is_forward())]
    }

    /// TCP settings of a node.
    #[must_use]
    pub fn tcp(&self, node: NodeId) -> &Rc<tcp::Config> {
        &self.tcp[node.index()]
    }

    /// Changes TCP settings of nodes, by name: what a scenario cannot say, such as a controller of one's own.
    pub fn tune_tcp(&mut self, change: impl Fn(&str, &mut tcp::Config)) {
        for (node, shared) in self.graph.nodes().zip(&mut self.tcp) {
            let mut config = (**shared).clone();
            change(self.graph.name(node), &mut config);
            *shared = Rc::new(config);
        }
    }

    /// Addresses for all nodes and routes between them, or everything that is wrong with the addresses asked for.
    pub fn lay_out(&self) -> Result<Layout, Vec<AddressError>> {
        let addresses = AddressPlan::assign(&self.graph, &self.wishes)?;
        let routers = route(&self.graph, &addresses, |_| true);
        Ok(Layout { addresses, routers })
    }
}

/// Who has which address, and which way leads there.
#[derive(Clone)]
pub struct Layout {
    /// Addresses by node and back.
    pub addresses: AddressPlan,
    /// The IP layer of every node.
    pub routers: Vec<Router>,
}
