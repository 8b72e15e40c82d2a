//! How addresses come about: a prefix for every router, addresses in it for its hosts, in an order that only names decide.

use super::{AddressError, AddressPlan, Wishes};
use crate::ip::prefix::Prefix;
use crate::ip::uplinks::{Multihomed, Uplink, Uplinks};
use crate::topo::{Egress, Graph, NodeId, Role, natural_order};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// Addresses on their way to an [`AddressPlan`].
struct Draft<'a> {
    graph: &'a Graph,
    wishes: &'a Wishes,
    errors: Vec<AddressError>,
    address: Vec<Option<Ipv4Addr>>,
    prefix: Vec<Option<Prefix>>,
    gateway: Vec<Option<Egress>>,
    /// Given addresses, ascending.
    given: Vec<(Ipv4Addr, NodeId)>,
    /// Routers by name, each with itself and its hosts that still need an address, by name.
    sites: Vec<(NodeId, Vec<Seat>)>,
    /// Hosts that are not attached to one router only, by name.
    loose: Vec<Seat>,
    /// Addresses on links other than the first of their hosts.
    others: BTreeMap<Seat, Ipv4Addr>,
}

/// Something that needs an address: a node, on the link that it prefers most (0) or a later one.
type Seat = (NodeId, usize);

impl AddressPlan {
    /// Assigns addresses to all nodes of `graph`, or says everything that is wrong with `wishes`.
    ///
    /// Every router gets a prefix of the space, /24 unless it needs more (or there are too many), in which it has the first
    /// address and the hosts attached to it alone have the next ones. All other hosts (with several links, or attached to
    /// another host) have addresses from one more block, each with a route of its own. Larger blocks come first, then names
    /// decide, numbers in them by value: `r2` before `r10`.
    pub fn assign(graph: &Graph, wishes: &Wishes) -> Result<Self, Vec<AddressError>> {
        let mut draft = Draft::new(graph, wishes);
        draft.take_uplinks();
        draft.take_prefixes();
        draft.take_addresses();
        draft.gather_sites();
        if draft.errors.is_empty() {
            draft.allocate();
        }
        draft.finish()
    }
}

impl<'a> Draft<'a> {
    fn new(graph: &'a Graph, wishes: &'a Wishes) -> Self {
        let gateway = |node| {
            let only = graph.only_neighbour(node).filter(|_| graph.role(node) == Role::Host)?;
            (graph.role(only.node) == Role::Router).then_some(only.egress)
        };
        Self {
            graph,
            wishes,
            errors: Vec::new(),
            address: vec![None; graph.node_count()],
            prefix: vec![None; graph.node_count()],
            gateway: graph.nodes().map(gateway).collect(),
            given: Vec::new(),
            sites: Vec::new(),
            loose: Vec::new(),
            others: BTreeMap::new(),
        }
    }

    fn take_uplinks(&mut self) {
        for (index, multihomed) in self.wishes.multihomed.iter().enumerate() {
            let again = self.wishes.multihomed[..index].iter().any(|other| other.node == multihomed.node);
            if again || !multihomed.is_usable(self.graph) {
                self.errors.push(AddressError::UplinksNotUsable { node: multihomed.node });
            }
        }
    }

    /// The routers on which a host has an address each, if it has several.
    fn homes(&self, node: NodeId) -> Option<&'a [Egress]> {
        let wished = self.wishes.multihomed.iter().find(|multihomed| multihomed.node == node)?;
        Some(&wished.uplinks)
    }

    fn take_prefixes(&mut self) {
        for (index, &(node, prefix)) in self.wishes.prefixes.iter().enumerate() {
            let earlier = &self.wishes.prefixes[..index];
            if self.graph.role(node) != Role::Router || self.prefix[node.index()].is_some() {
                self.errors.push(AddressError::PrefixNotUsable { node, prefix });
            } else if let Some(&first) = earlier.iter().find(|(_, other)| other.overlaps(prefix)) {
                self.errors.push(AddressError::Overlap { first, second: (node, prefix) });
            } else {
                self.prefix[node.index()] = Some(prefix);
            }
        }
    }

    fn take_addresses(&mut self) {
        for &(node, address) in &self.wishes.addresses {
            let around = self.wishes.prefixes.iter().find(|(_, prefix)| prefix.contains(address));
            let is_edge = around.is_some_and(|&(_, prefix)| !is_usable(prefix, address));
            if is_edge || !is_assignable(address) {
                self.errors.push(AddressError::NotAssignable { node, address });
                continue;
            }
            if let Some(&(router, _)) = around.filter(|&&(router, _)| router != node && self.site(node) != Some(router))
            {
                self.errors.push(AddressError::Elsewhere { node, address, router });
                continue;
            }
            let holder = self.given.binary_search_by_key(&address, |entry| entry.0);
            match (self.address[node.index()], holder) {
                (Some(_), _) => self.errors.push(AddressError::Taken { node, address, by: node }),
                (None, Ok(at)) => self.errors.push(AddressError::Taken { node, address, by: self.given[at].1 }),
                (None, Err(at)) => {
                    self.given.insert(at, (address, node));
                    self.address[node.index()] = Some(address);
                }
            }
        }
    }

    /// The router in whose prefix a host lives with its first address, if it hangs on routers.
    fn site(&self, node: NodeId) -> Option<NodeId> {
        let preferred = || self.homes(node).and_then(|uplinks| uplinks.first().copied());
        self.gateway[node.index()].or_else(preferred).map(|egress| self.graph.target(egress))
    }

    fn gather_sites(&mut self) {
        let mut by_name: Vec<NodeId> = self.graph.nodes().collect();
        by_name.sort_by(|&a, &b| natural_order(self.graph.name(a), self.graph.name(b)).then(a.cmp(&b)));
        let mut site_of = vec![usize::MAX; self.graph.node_count()];
        for &node in by_name.iter().filter(|&&node| self.graph.role(node) == Role::Router) {
            site_of[node.index()] = self.sites.len();
            self.sites.push((node, if self.address[node.index()].is_none() { vec![(node, 0)] } else { Vec::new() }));
        }
        for &node in by_name.iter().filter(|&&node| self.graph.role(node) == Role::Host) {
            for (place, &egress) in self.homes(node).unwrap_or_default().iter().enumerate().skip(1) {
                if let Some((_, seats)) = self.sites.get_mut(site_of[self.graph.target(egress).index()]) {
                    seats.push((node, place));
                }
            }
            if self.address[node.index()].is_some() {
                continue;
            }
            match self.site(node).and_then(|router| self.sites.get_mut(site_of[router.index()])) {
                Some((_, seats)) => seats.push((node, 0)),
                None => self.loose.push((node, 0)),
            }
        }
    }

    /// Gives every site and the loose hosts a block, with blocks of at least /24 if they fit, and smaller ones if not.
    fn allocate(&mut self) {
        let sites = std::mem::take(&mut self.sites);
        let mut blocks: Vec<(Option<NodeId>, &[Seat])> = Vec::new();
        for (router, members) in &sites {
            match self.prefix[router.index()] {
                Some(prefix) => self.fill_given(*router, prefix, members),
                None => blocks.push((Some(*router), members)),
            }
        }
        let loose = std::mem::take(&mut self.loose);
        if !loose.is_empty() {
            blocks.push((None, &loose));
        }
        let mut taken: Vec<Prefix> = self.wishes.prefixes.iter().map(|(_, prefix)| *prefix).collect();
        taken.extend(self.given.iter().map(|(address, _)| Prefix::host(*address)));
        taken.sort_unstable();
        let bits = |members: &[Seat], least: u32| (members.len() as u64 + 2).next_power_of_two().ilog2().max(least);
        let placed = (2..=8).rev().find_map(|least| {
            blocks.sort_by_key(|(_, members)| std::cmp::Reverse(bits(members, least)));
            place(self.wishes.space, &taken, blocks.iter().map(|(_, members)| bits(members, least)))
        });
        let Some(prefixes) = placed else {
            let needed = blocks.iter().map(|(_, members)| 1 << bits(members, 2)).sum();
            self.errors.push(AddressError::Exhausted { space: self.wishes.space, needed });
            return;
        };
        for ((router, members), prefix) in blocks.into_iter().zip(prefixes) {
            if let Some(router) = router {
                self.prefix[router.index()] = Some(prefix);
            }
            self.fill(prefix, members);
        }
    }

    fn fill_given(&mut self, router: NodeId, prefix: Prefix, members: &[Seat]) {
        let inside = self.given.iter().filter(|(address, _)| prefix.contains(*address)).count();
        let needed = (members.len() + inside) as u64;
        let edges = if prefix.len() < 31 { 2 } else { 0 };
        if needed + edges > prefix.size() {
            self.errors.push(AddressError::TooSmall { node: router, prefix, needed: needed + edges });
        } else {
            self.fill(prefix, members);
        }
    }

    /// Gives `members` the first free addresses of `prefix`, which has room for them.
    fn fill(&mut self, prefix: Prefix, members: &[Seat]) {
        let (first, last) = (prefix.first().to_bits(), prefix.last().to_bits());
        let mut free = (first..=last)
            .map(Ipv4Addr::from_bits)
            .filter(|&address| is_usable(prefix, address))
            .filter(|address| self.given.binary_search_by_key(address, |entry| entry.0).is_err());
        for &seat in members {
            match (seat, free.next()) {
                ((node, 0), address) => self.address[node.index()] = address,
                (_, Some(address)) => drop(self.others.insert(seat, address)),
                (_, None) => {}
            }
        }
    }

    fn finish(self) -> Result<AddressPlan, Vec<AddressError>> {
        if !self.errors.is_empty() {
            return Err(self.errors);
        }
        let addresses: Option<Vec<Ipv4Addr>> = self.address.into_iter().collect();
        let address = addresses.expect("without errors, every node is in a site or loose and has got an address");
        let mut by_address: Vec<_> = self.graph.nodes().map(|node| (address[node.index()], node)).collect();
        by_address.extend(self.others.iter().map(|(&(node, _), &other)| (other, node)));
        by_address.sort_unstable();
        let anycast = self.wishes.anycast.clone();
        let uplinks_of = |multihomed: &Multihomed| {
            let first = address[multihomed.node.index()];
            let at = |(place, &egress)| {
                let other = self.others.get(&(multihomed.node, place)).copied();
                Uplink { address: other.unwrap_or(first), egress }
            };
            (multihomed.node, multihomed.uplinks.iter().enumerate().map(at).collect())
        };
        let uplinks = Uplinks::new(self.wishes.multihomed.iter().map(uplinks_of).collect());
        Ok(AddressPlan { address, prefix: self.prefix, gateway: self.gateway, by_address, anycast, uplinks })
    }
}

/// Whether a node of a network with this prefix may have the address: not its first or last, unless there are no others
/// (RFC 3021).
fn is_usable(prefix: Prefix, address: Ipv4Addr) -> bool {
    prefix.len() >= 31 || (address != prefix.first() && address != prefix.last())
}

fn is_assignable(address: Ipv4Addr) -> bool {
    // 0.0.0.0/8, 127.0.0.0/8, 224.0.0.0/4 and 240.0.0.0/4 (RFC 1122 3.2.1.3, RFC 5771, RFC 1112).
    !matches!(address.octets()[0], 0 | 127 | 224..)
}

/// Places blocks of 2^bits addresses, largest first, one behind the other into `space`, around what is `taken` (ascending).
fn place(space: Prefix, taken: &[Prefix], bits: impl Iterator<Item = u32>) -> Option<Vec<Prefix>> {
    let mut next = u64::from(space.first().to_bits());
    let end = next + space.size();
    let mut placed = Vec::new();
    for bits in bits {
        let len = u8::try_from(32u32.checked_sub(bits)?).ok()?;
        loop {
            next = next.next_multiple_of(1 << bits);
            if next + (1 << bits) > end {
                return None;
            }
            let block = Prefix::around(Ipv4Addr::from_bits(u32::try_from(next).ok()?), len);
            let beyond = taken.partition_point(|prefix| prefix.last() < block.first());
            let Some(hit) = taken.get(beyond).filter(|prefix| prefix.overlaps(block)) else {
                placed.push(block);
                next += block.size();
                break;
            };
            next = u64::from(hit.last().to_bits()) + 1;
        }
    }
    Some(placed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Rng, Span};

    /// Routers `r1`, `r2`, joined, with three and one hosts.
    fn two_sites() -> (Graph, [NodeId; 2], [NodeId; 4]) {
        let mut graph = Graph::new();
        let routers = ["r1", "r2"].map(|name| graph.add_node(name, Role::Router));
        let hosts = ["h10", "h2", "h1", "server"].map(|name| graph.add_node(name, Role::Host));
        graph.add_link(routers[0], routers[1], Span::ZERO).unwrap();
        for (host, router) in [(0, 0), (1, 0), (2, 0), (3, 1)] {
            graph.add_link(hosts[host], routers[router], Span::ZERO).unwrap();
        }
        (graph, routers, hosts)
    }

    fn ip(text: &str) -> Ipv4Addr {
        text.parse().unwrap()
    }

    fn net(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    fn assign(graph: &Graph) -> AddressPlan {
        AddressPlan::assign(graph, &Wishes::default()).unwrap()
    }

    #[test]
    fn every_router_has_a_network_and_its_hosts_live_there_in_the_order_of_their_names() {
        let (graph, [r1, r2], [h10, h2, h1, server]) = two_sites();
        let plan = assign(&graph);
        assert_eq!((plan.prefix(r1), plan.prefix(r2)), (Some(net("10.0.0.0/24")), Some(net("10.0.1.0/24"))));
        let shown = [r1, h1, h2, h10, r2, server].map(|node| plan.address(node).to_string());
        assert_eq!(shown, ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.1.1", "10.0.1.2"]);
        assert!(graph.nodes().all(|node| plan.node(plan.address(node)) == Some(node)));
        assert_eq!(plan.node(ip("10.0.0.5")), None);
    }

    #[test]
    fn addresses_depend_on_names_alone() {
        let mut rng = Rng::stream(8, "test/plan");
        let mut names: Vec<(String, usize)> = (0..60)
            .map(|host| (format!("host{host}"), host % 4))
            .chain((0..4).map(|r| (format!("router{r}"), 4)))
            .collect();
        let mut plans = Vec::new();
        for _ in 0..5 {
            for at in (1..names.len()).rev() {
                names.swap(at, usize::try_from(rng.below(at as u64 + 1)).unwrap());
            }
            let mut graph = Graph::new();
            let role = |at: usize| if at == 4 { Role::Router } else { Role::Host };
            let nodes: Vec<NodeId> = names.iter().map(|(name, at)| graph.add_node(name.clone(), role(*at))).collect();
            let router = |at: usize| nodes[names.iter().position(|(name, _)| *name == format!("router{at}")).unwrap()];
            for ((_, at), &node) in names.iter().zip(&nodes) {
                // Hosts with the numbers of 4, 8... have a second link.
                let _ = graph.add_link(node, router(at % 4), Span::ZERO);
                if graph.name(node).ends_with('4') {
                    let _ = graph.add_link(router((at + 1) % 4), node, Span::ZERO);
                }
            }
            let plan = assign(&graph);
            let mut pairs: Vec<_> =
                nodes.iter().map(|&node| (graph.name(node).to_owned(), plan.address(node))).collect();
            pairs.sort();
            plans.push(pairs);
        }
        assert!(plans.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[test]
    fn no_two_nodes_share_an_address_and_all_lie_in_the_space() {
        let mut rng = Rng::stream(9, "test/plan");
        for _ in 0..100 {
            let mut graph = Graph::new();
            let n = usize::try_from(1 + rng.below(30)).unwrap();
            let nodes: Vec<NodeId> = (0..n)
                .map(|at| graph.add_node(format!("n{at}"), if rng.chance(0.3) { Role::Router } else { Role::Host }))
                .collect();
            for _ in 0..rng.below(60) {
                let [a, b] = [(); 2].map(|()| nodes[usize::try_from(rng.below(n as u64)).unwrap()]);
                let _ = graph.add_link(a, b, Span::ZERO);
            }
            let space = net("172.16.0.0/12");
            let plan = AddressPlan::assign(&graph, &Wishes { space, ..Wishes::default() }).unwrap();
            assert!(plan.by_address.windows(2).all(|pair| pair[0].0 < pair[1].0));
            assert!(nodes.iter().all(|&node| space.contains(plan.address(node))));
            for (at, a) in nodes.iter().enumerate() {
                for b in &nodes[..at] {
                    let overlap = plan.prefix(*a).zip(plan.prefix(*b)).is_some_and(|(a, b)| a.overlaps(b));
                    assert!(!overlap, "{:?} {:?}", plan.prefix(*a), plan.prefix(*b));
                }
                if let Some(egress) = plan.gateway(*a) {
                    assert!(plan.prefix(graph.target(egress)).unwrap().contains(plan.address(*a)));
                }
            }
        }
    }

    #[test]
    fn a_wish_is_granted_and_the_rest_goes_around_it() {
        let (graph, [r1, r2], [h10, h2, h1, server]) = two_sites();
        let wishes = Wishes {
            space: net("10.0.0.0/16"),
            prefixes: vec![(r1, net("192.0.2.0/29"))],
            addresses: vec![(h2, ip("192.0.2.2")), (server, ip("10.0.0.1"))],
            ..Wishes::default()
        };
        let plan = AddressPlan::assign(&graph, &wishes).unwrap();
        let shown = [r1, h1, h2, h10, r2, server].map(|node| plan.address(node).to_string());
        assert_eq!(shown, ["192.0.2.1", "192.0.2.3", "192.0.2.2", "192.0.2.4", "10.0.1.1", "10.0.0.1"]);
        assert_eq!(plan.prefix(r2), Some(net("10.0.1.0/24")), "10.0.0.0/24 holds the server's address");
    }

    #[test]
    fn impossible_wishes_are_all_reported() {
        let (graph, [r1, r2], [h10, h2, h1, server]) = two_sites();
        let wishes = Wishes {
            space: Prefix::PRIVATE,
            prefixes: vec![(h1, net("10.1.0.0/24")), (r1, net("10.2.0.0/24")), (r2, net("10.2.0.128/25"))],
            addresses: vec![
                (h1, ip("10.2.0.0")),
                (h2, ip("10.2.0.9")),
                (h10, ip("10.2.0.9")),
                (h2, ip("10.2.0.10")),
                (server, ip("10.2.0.11")),
                (server, ip("127.0.0.1")),
            ],
            ..Wishes::default()
        };
        let errors = AddressPlan::assign(&graph, &wishes).unwrap_err();
        let text: Vec<String> = errors.iter().map(|error| error.describe(&graph)).collect();
        assert_eq!(
            text,
            [
                "`h1` cannot have the prefix 10.1.0.0/24: it is no router, or has one already",
                "10.2.0.128/25 of `r2` overlaps 10.2.0.0/24 of `r1`",
                "`h1` cannot have the address 10.2.0.0",
                "`h10` cannot have 10.2.0.9: `h2` has it",
                "`h2` was given two addresses",
                "`server` cannot have 10.2.0.11: it lies in the prefix of `r1`, to which it is not attached",
                "`server` cannot have the address 127.0.0.1",
            ]
        );
    }

    #[test]
    fn a_network_is_too_small_by_one_host() {
        let (graph, [r1, _], _) = two_sites();
        let with =
            |prefix| AddressPlan::assign(&graph, &Wishes { prefixes: vec![(r1, net(prefix))], ..Wishes::default() });
        // One router, three hosts, the first and the last address.
        assert!(with("10.9.0.0/29").is_ok());
        assert_eq!(
            with("10.9.0.0/30").unwrap_err(),
            [AddressError::TooSmall { node: r1, prefix: net("10.9.0.0/30"), needed: 6 }]
        );
    }

    #[test]
    fn a_small_space_is_shared_out_in_smaller_networks_until_it_is_full() {
        let (graph, [r1, r2], _) = two_sites();
        let within = |space| AddressPlan::assign(&graph, &Wishes { space: net(space), ..Wishes::default() });
        let plan = within("10.0.0.0/28").unwrap();
        assert_eq!((plan.prefix(r1), plan.prefix(r2)), (Some(net("10.0.0.0/29")), Some(net("10.0.0.8/29"))));
        assert_eq!(
            within("10.0.0.0/29").unwrap_err(),
            [AddressError::Exhausted { space: net("10.0.0.0/29"), needed: 12 }]
        );
    }
}
