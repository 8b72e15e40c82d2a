//! Hosts with several addresses: one on each link of theirs, at the router there, and which of them they speak from.

use crate::topo::{Egress, Graph, NodeId, Role};
use std::net::Ipv4Addr;

/// One of several links of a host, and the address that it has there. Nothing comes to that address by another link, and what has it for
/// its source leaves by no other: a host of the strong kind (RFC 1122 3.3.4.2), with a route for each of its sources as Android keeps
/// them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Uplink {
    /// The host's address on it.
    pub address: Ipv4Addr,
    /// The way out.
    pub egress: Egress,
}

/// A host that is to have an address on each of its links, in the order in which it prefers them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Multihomed {
    /// The host.
    pub node: NodeId,
    /// Its ways out, all of them and each to a router.
    pub uplinks: Vec<Egress>,
}

impl Multihomed {
    /// Whether these are all links of a host, at least two, each named once and each to a router.
    pub(super) fn is_usable(&self, graph: &Graph) -> bool {
        let mut own: Vec<Egress> = graph.neighbours(self.node).map(|next| next.egress).collect();
        let mut said = self.uplinks.clone();
        own.sort_unstable();
        said.sort_unstable();
        let routers = self.uplinks.iter().all(|&egress| graph.role(graph.target(egress)) == Role::Router);
        graph.role(self.node) == Role::Host && own.len() > 1 && own == said && routers
    }
}

/// Which uplinks each host has, of those that have several addresses: by node, ascending.
#[derive(Clone, Debug, Default)]
pub(super) struct Uplinks(Vec<(NodeId, Box<[Uplink]>)>);

impl Uplinks {
    /// The hosts and their uplinks.
    pub(super) fn new(mut all: Vec<(NodeId, Box<[Uplink]>)>) -> Self {
        all.sort_by_key(|(node, _)| *node);
        Self(all)
    }

    /// The uplinks of a node, in its order of preference; none of a node with one address.
    pub(super) fn of(&self, node: NodeId) -> &[Uplink] {
        match self.0.binary_search_by_key(&node, |(node, _)| *node) {
            Ok(at) => &self.0[at].1,
            Err(_) => &[],
        }
    }

    /// All of them, with their hosts.
    pub(super) fn iter(&self) -> impl Iterator<Item = (NodeId, Uplink)> + '_ {
        self.0.iter().flat_map(|(node, uplinks)| uplinks.iter().map(|uplink| (*node, *uplink)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Rng, Span};
    use crate::ip::{AddressPlan, Wishes, follow, route};
    use std::collections::BTreeSet;

    /// In networks drawn by chance every address of such a host is its own, lies in the prefix of the router behind its link, is
    /// reached by that link or not at all, and sends by it.
    #[test]
    fn each_address_is_reached_by_its_own_link_and_sends_by_it() {
        let mut rng = Rng::stream(31, "test/uplinks");
        let (mut reached, mut cut) = (0, 0);
        for _ in 0..100 {
            let mut any = |n: usize| usize::try_from(rng.below(n as u64)).unwrap();
            let mut graph = Graph::new();
            let n = 3 + any(6);
            let routers: Vec<NodeId> = (0..n).map(|at| graph.add_node(format!("r{at}"), Role::Router)).collect();
            for at in 1..n {
                graph.add_link(routers[at], routers[any(at)], Span::from_nanos(1 + any(4) as u64)).unwrap();
            }
            for _ in 0..any(n) {
                let _ = graph.add_link(routers[any(n)], routers[any(n)], Span::from_nanos(any(4) as u64));
            }
            let asker = graph.add_node("asker", Role::Host);
            graph.add_link(asker, routers[any(n)], Span::from_nanos(1)).unwrap();
            let phone = graph.add_node("phone", Role::Host);
            let first = any(n);
            let homes: BTreeSet<usize> = [first, (first + 1) % n, any(n)].into();
            let uplinks: Vec<Egress> = homes
                .iter()
                .rev()
                .map(|&home| {
                    // Whichever end is named first.
                    let ends = if any(2) == 0 { (phone, routers[home]) } else { (routers[home], phone) };
                    let link = graph.add_link(ends.0, ends.1, Span::ZERO).unwrap();
                    let forward = Egress::forward(link);
                    if ends.0 == phone { forward } else { forward.reversed() }
                })
                .collect();
            let multihomed = vec![Multihomed { node: phone, uplinks: uplinks.clone() }];
            let plan = AddressPlan::assign(&graph, &Wishes { multihomed, ..Wishes::default() }).unwrap();
            let own: Vec<Egress> = plan.uplinks(phone).iter().map(|uplink| uplink.egress).collect();
            assert_eq!((own, plan.address(phone)), (uplinks.clone(), plan.uplinks(phone)[0].address));
            let addresses: BTreeSet<Ipv4Addr> = plan.uplinks(phone).iter().map(|uplink| uplink.address).collect();
            assert_eq!(addresses.len(), uplinks.len());
            let down = uplinks[any(uplinks.len())].link();
            for is_cut in [false, true] {
                let up = |egress: Egress| !is_cut || egress.link() != down;
                let layers = route(&graph, &plan, up);
                for uplink in plan.uplinks(phone) {
                    assert_eq!(plan.node(uplink.address), Some(phone));
                    let router = graph.target(uplink.egress);
                    assert!(plan.prefix(router).unwrap().contains(uplink.address));
                    let way = follow(&graph, &layers, asker, uplink.address, 7);
                    if up(uplink.egress) {
                        assert_eq!(way.unwrap().last(), Some(&uplink.egress.reversed()), "by its own link");
                        reached += 1;
                    } else {
                        assert_eq!(way, None, "and by no other");
                        cut += 1;
                    }
                    let mut speaking = layers.clone();
                    speaking[phone.index()].speak_from(uplink.address);
                    let back = follow(&graph, &speaking, phone, plan.address(asker), 7).unwrap();
                    assert_eq!(back.first(), Some(&uplink.egress));
                }
            }
        }
        assert!(reached > 300 && cut > 90, "{reached} reached, {cut} cut off");
    }

    #[test]
    fn what_cannot_be_uplinks_is_refused() {
        let mut graph = Graph::new();
        let [wifi, lte] = ["wifi", "lte"].map(|name| graph.add_node(name, Role::Router));
        let [phone, friend] = ["phone", "friend"].map(|name| graph.add_node(name, Role::Host));
        let mut link = |a, b| Egress::forward(graph.add_link(a, b, Span::ZERO).unwrap());
        let (first, second, beside, between) =
            (link(phone, wifi), link(phone, lte), link(friend, wifi), link(wifi, lte));
        let refused = |node, uplinks: &[Egress]| {
            let multihomed = vec![Multihomed { node, uplinks: uplinks.to_vec() }];
            AddressPlan::assign(&graph, &Wishes { multihomed, ..Wishes::default() }).is_err()
        };
        assert!(!refused(phone, &[second, first]));
        assert!(refused(phone, &[first]) && refused(phone, &[first, first]) && refused(phone, &[first, beside]));
        assert!(refused(friend, &[beside]) && refused(wifi, &[between, first.reversed()]));
        let twice = vec![Multihomed { node: phone, uplinks: vec![first, second] }; 2];
        assert!(AddressPlan::assign(&graph, &Wishes { multihomed: twice, ..Wishes::default() }).is_err());
    }
}
