//! The routes of every node from the graph as it is now: the same function plans a run and re-converges it after a failure.

use super::anycast::{self, Announced};
use super::fib::{Fib, FibBuilder};
use super::plan::AddressPlan;
use super::prefix::Prefix;
use super::router::Router;
use crate::base::stream_id;
use crate::topo::{Core, Egress, Graph, Neighbour, NodeId, Role};
use std::collections::VecDeque;
use std::net::Ipv4Addr;

/// The IP layers of all nodes, in the order of their ids, with shortest-path routes over the directions for which `up` holds.
/// For a node that is down, `up` fails for all directions to and from it.
///
/// Routers learn the cheapest ways (by [`Cost`](crate::topo::Cost)) to every prefix, all equal ones; a host with one link sends
/// everything into it, up or down, as it has no other way; a host with more links has routes as a router has, but nobody's
/// route leads through it, unless it has an address on each: then the source of a packet decides. A router's salt among equal paths comes from its name.
pub fn route(graph: &Graph, plan: &AddressPlan, up: impl Fn(Egress) -> bool) -> Vec<Router> {
    route_announced(graph, plan, up, &Announced::everywhere(plan))
}

/// The same, with shared addresses announced by only some of their hosts.
pub fn route_announced(
    graph: &Graph,
    plan: &AddressPlan,
    up: impl Fn(Egress) -> bool,
    announced: &Announced,
) -> Vec<Router> {
    let branches = peel(graph, plan);
    let mut on_branch = vec![false; graph.node_count()];
    branches.iter().for_each(|&(node, _)| on_branch[node.index()] = true);
    let mut tables: Vec<Option<FibBuilder>> = graph.nodes().map(|node| own_table(graph, plan, node)).collect();
    let mut behind = addresses_behind(graph, plan);
    attach(graph, plan, &up, &mut tables);
    hang(graph, &branches, &up, &mut behind, &mut tables);
    let core = Core::new(graph, |node| !plan.hangs(node) && !on_branch[node.index()], &up);
    spread(&core, &behind, &mut tables);
    anycast::spread(graph, plan, &up, announced, &mut tables);
    let layer = |(node, table): (NodeId, Option<FibBuilder>)| {
        let uplinks = plan.uplinks(node);
        if !uplinks.is_empty() {
            // What it sends is looked at in general: which way it goes, its source decides.
            let besides = plan.besides(node);
            return Router::new(plan.address(node), Role::Host, Fib::empty()).sharing(besides).homed(uplinks.into());
        }
        let only = graph.only_neighbour(node).filter(|_| graph.role(node) == Role::Host);
        let shared = plan.shared(node);
        let fib = match (only, table) {
            (Some(only), _) if shared.is_empty() => Fib::default_route(only.egress),
            (Some(only), _) => anycast::own_table(only.egress, &shared),
            (None, table) => table.map_or_else(Fib::empty, FibBuilder::build),
        };
        Router::new(plan.address(node), graph.role(node), fib).sharing(shared)
    };
    graph.nodes().zip(tables).map(layer).collect()
}

/// The branches of the network of routers, outermost first: each router with a single link to the rest, and that link. What
/// lies behind it is reached one way and it reaches all else one way, so that no path need be searched for it; of homes with a
/// router each there may be very many.
fn peel(graph: &Graph, plan: &AddressPlan) -> Vec<(NodeId, Egress)> {
    let inner = |node: NodeId| !plan.hangs(node);
    let degree = |node| graph.neighbours(node).filter(|next| inner(next.node)).count();
    let mut degree: Vec<usize> = graph.nodes().map(|node| if inner(node) { degree(node) } else { 0 }).collect();
    let mut peeled = vec![false; graph.node_count()];
    let mut branches = Vec::new();
    let mut ends: VecDeque<NodeId> = graph.nodes().filter(|node| degree[node.index()] == 1).collect();
    while let Some(node) = ends.pop_front() {
        let parent = graph.neighbours(node).find(|next| inner(next.node) && !peeled[next.node.index()]);
        // The last of a tree has no parent left, and hosts are no way to anywhere.
        let both_route = |parent: &Neighbour| [node, parent.node].iter().all(|&end| graph.role(end) == Role::Router);
        let Some(parent) = parent.filter(both_route) else { continue };
        peeled[node.index()] = true;
        branches.push((node, parent.egress));
        degree[parent.node.index()] -= 1;
        if degree[parent.node.index()] == 1 {
            ends.push_back(parent.node);
        }
    }
    branches
}

/// An empty table for every node but hosts that hang on routers, which know their ways without one.
fn own_table(graph: &Graph, plan: &AddressPlan, node: NodeId) -> Option<FibBuilder> {
    if plan.hangs(node) {
        return None;
    }
    let mut table = FibBuilder::new(stream_id(graph.name(node)));
    if let Some(prefix) = plan.prefix(node) {
        table.connect(prefix);
    }
    Some(table)
}

/// What each node with a table answers for: its prefix, and the addresses of itself and its hosts that lie outside of it.
fn addresses_behind(graph: &Graph, plan: &AddressPlan) -> Vec<Vec<Prefix>> {
    let mut behind: Vec<Vec<Prefix>> = graph.nodes().map(|node| plan.prefix(node).into_iter().collect()).collect();
    for node in graph.nodes() {
        let hangs_on = plan.gateway(node).or_else(|| plan.uplinks(node).first().map(|uplink| uplink.egress));
        let anchor = hangs_on.map_or(node, |egress| graph.target(egress));
        if plan.prefix(anchor).is_none_or(|prefix| !prefix.contains(plan.address(node))) {
            behind[anchor.index()].push(Prefix::host(plan.address(node)));
        }
    }
    behind
}

/// Tells every router of the hosts that are attached to it alone, and of those that have an address on their link to it.
fn attach(graph: &Graph, plan: &AddressPlan, up: impl Fn(Egress) -> bool, tables: &mut [Option<FibBuilder>]) {
    for node in graph.nodes() {
        let Some(egress) = plan.gateway(node).filter(|egress| up(egress.reversed())) else { continue };
        if let Some(table) = &mut tables[graph.target(egress).index()] {
            table.attach(plan.address(node), egress.reversed());
        }
    }
    for (_, uplink) in plan.multihomed().filter(|(_, uplink)| up(uplink.egress.reversed())) {
        if let Some(table) = &mut tables[graph.target(uplink.egress).index()] {
            table.attach(uplink.address, uplink.egress.reversed());
        }
    }
}

/// Gives each branch a default route towards the core, and each node on the way there the routes back. Where the link back is
/// down nobody may send these addresses towards the core again: the packets would return.
fn hang(
    graph: &Graph,
    branches: &[(NodeId, Egress)],
    up: impl Fn(Egress) -> bool,
    behind: &mut [Vec<Prefix>],
    tables: &mut [Option<FibBuilder>],
) {
    for &(node, egress) in branches {
        let parent = graph.target(egress);
        if let Some(table) = tables[node.index()].as_mut().filter(|_| up(egress)) {
            let group = table.group(&[egress]);
            table.add(Prefix::ALL, group);
        }
        let back = egress.reversed();
        let carried = std::mem::take(&mut behind[node.index()]);
        if let Some(table) = &mut tables[parent.index()] {
            let group = if up(back) { table.group(&[back]) } else { table.group(&[]) };
            carried.iter().for_each(|&prefix| table.add(prefix, group));
        }
        if up(back) {
            behind[parent.index()].extend(carried);
        }
    }
}

/// Tells every member of the core the ways to what lies behind every other.
fn spread(core: &Core, behind: &[Vec<Prefix>], tables: &mut [Option<FibBuilder>]) {
    let mut hops = Vec::new();
    for &anchor in core.members() {
        let prefixes = &behind[anchor.index()];
        let distances = core.distances(anchor);
        for &node in core.members() {
            hops.clear();
            hops.extend(distances.next_hops(node));
            let Some(table) = tables[node.index()].as_mut().filter(|_| !hops.is_empty()) else { continue };
            let group = table.group(&hops);
            prefixes.iter().for_each(|&prefix| table.add(prefix, group));
        }
    }
}

/// The directions that a packet of the flow with hash `flow` takes from a node to the one with address `dst`; `None` if it does
/// not get there within 255 hops.
#[must_use]
pub fn follow(graph: &Graph, routers: &[Router], from: NodeId, dst: Ipv4Addr, flow: u64) -> Option<Vec<Egress>> {
    let mut path = Vec::new();
    let mut node = from;
    while !routers[node.index()].has(dst) {
        let forwards = path.is_empty() || graph.role(node) == Role::Router;
        if !forwards || path.len() == 255 {
            return None;
        }
        let egress = routers[node.index()].egress_of_flow(dst, flow)?;
        path.push(egress);
        node = graph.target(egress);
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Rng, Span};
    use crate::ip::Wishes;
    use std::collections::BTreeSet;

    /// A graph with its plan and routes.
    struct Net {
        graph: Graph,
        plan: AddressPlan,
        routers: Vec<Router>,
    }

    impl Net {
        fn new(graph: Graph) -> Self {
            Self::with(graph, &Wishes::default())
        }

        fn with(graph: Graph, wishes: &Wishes) -> Self {
            let plan = AddressPlan::assign(&graph, wishes).unwrap();
            let routers = route(&graph, &plan, |_| true);
            Self { graph, plan, routers }
        }

        fn converge(&mut self, up: impl Fn(Egress) -> bool) {
            self.routers = route(&self.graph, &self.plan, up);
        }

        /// Names of the nodes on a flow's path, the first left out.
        fn path(&self, from: NodeId, to: NodeId, flow: u64) -> Option<Vec<&str>> {
            let path = follow(&self.graph, &self.routers, from, self.plan.address(to), flow)?;
            Some(path.into_iter().map(|egress| self.graph.name(self.graph.target(egress))).collect())
        }
    }

    fn us(n: u64) -> Span {
        Span::from_micros(n)
    }

    fn join(graph: &mut Graph, a: NodeId, b: NodeId) {
        graph.add_link(a, b, us(1)).unwrap();
    }

    /// Four leaves with two hosts each, three spines.
    fn leaf_spine() -> (Net, Vec<NodeId>) {
        let mut graph = Graph::new();
        let spines: Vec<NodeId> = (0..3).map(|n| graph.add_node(format!("spine{n}"), Role::Router)).collect();
        let mut hosts = Vec::new();
        for leaf in 0..4 {
            let node = graph.add_node(format!("leaf{leaf}"), Role::Router);
            spines.iter().for_each(|&spine| join(&mut graph, node, spine));
            for host in 0..2 {
                hosts.push(graph.add_node(format!("host{leaf}{host}"), Role::Host));
                join(&mut graph, node, hosts[hosts.len() - 1]);
            }
        }
        (Net::new(graph), hosts)
    }

    #[test]
    fn flows_use_all_spines_and_each_flow_one() {
        let (net, hosts) = leaf_spine();
        let paths: BTreeSet<_> = (0..100).map(|flow| net.path(hosts[0], hosts[7], flow).unwrap()).collect();
        let through = |spine| vec![spine, "leaf3", "host31"];
        let expected: BTreeSet<_> =
            ["spine0", "spine1", "spine2"].map(|spine| [vec!["leaf0"], through(spine)].concat()).into();
        assert_eq!(paths, expected);
        assert_eq!(net.path(hosts[0], hosts[1], 5).unwrap(), ["leaf0", "host01"]);
    }

    #[test]
    fn a_dead_spine_is_avoided_and_a_dead_leaf_cannot_be() {
        let (mut net, hosts) = leaf_spine();
        let named = |net: &Net, name: &str| net.graph.nodes().find(|&node| net.graph.name(node) == name).unwrap();
        let touches = |graph: &Graph, egress, node| graph.source(egress) == node || graph.target(egress) == node;
        let (spine, graph) = (named(&net, "spine1"), net.graph.clone());
        net.converge(|egress| !touches(&graph, egress, spine));
        let seen: BTreeSet<_> =
            (0..100).map(|flow| net.path(hosts[0], hosts[7], flow).unwrap()[1].to_owned()).collect();
        assert_eq!(seen, ["spine0", "spine2"].map(str::to_owned).into());
        let leaf = named(&net, "leaf3");
        net.converge(|egress| !touches(&graph, egress, leaf));
        assert_eq!(net.path(hosts[0], hosts[7], 0), None);
        assert!(net.path(hosts[0], hosts[5], 0).is_some());
    }

    #[test]
    fn a_host_whose_only_link_is_cut_is_unreachable_at_its_router() {
        let (mut net, hosts) = leaf_spine();
        let egress = net.plan.gateway(hosts[7]).unwrap();
        net.converge(|other| other.link() != egress.link());
        assert_eq!(net.path(hosts[0], hosts[7], 0), None);
        let leaf = net.graph.target(egress);
        assert_eq!(net.routers[leaf.index()].fib().lookup(net.plan.address(hosts[7])), None);
        assert_eq!(net.path(hosts[0], hosts[6], 0).unwrap().last(), Some(&"host30"));
    }

    #[test]
    fn a_host_with_two_links_is_reached_by_either_and_carries_nothing() {
        let mut graph = Graph::new();
        let [left, right] = ["left", "right"].map(|name| graph.add_node(name, Role::Router));
        let [double, a, b] = ["double", "a", "b"].map(|name| graph.add_node(name, Role::Host));
        for (one, other) in [(left, double), (right, double), (left, a), (right, b)] {
            join(&mut graph, one, other);
        }
        let mut net = Net::new(graph);
        assert_eq!(net.path(a, double, 0).unwrap(), ["left", "double"]);
        assert_eq!(net.path(double, b, 0).unwrap(), ["right", "b"]);
        assert_eq!(net.path(a, b, 0), None, "the only way would be through a host");
        join(&mut net.graph, left, right);
        net.converge(|egress| egress.link().index() != 0);
        assert_eq!(net.path(a, double, 0).unwrap(), ["left", "right", "double"]);
        assert_eq!(net.path(double, a, 0).unwrap(), ["right", "left", "a"]);
    }

    #[test]
    fn two_hosts_and_a_cable_are_a_network() {
        let mut graph = Graph::new();
        let [a, b] = ["a", "b"].map(|name| graph.add_node(name, Role::Host));
        join(&mut graph, a, b);
        let net = Net::new(graph);
        assert_eq!(net.path(a, b, 0).unwrap(), ["b"]);
        assert_eq!(net.path(b, a, 0).unwrap(), ["a"]);
    }

    #[test]
    fn routers_have_addresses_to_answer_from() {
        let (net, hosts) = leaf_spine();
        for router in net.graph.nodes().filter(|&node| net.graph.role(node) == Role::Router) {
            assert!(net.path(hosts[0], router, 3).is_some(), "{}", net.graph.name(router));
            assert!(net.path(router, hosts[7], 3).is_some() && net.path(router, hosts[0], 3).is_some());
        }
    }

    #[test]
    fn given_addresses_outside_of_every_network_are_found_too() {
        let (net, hosts) = leaf_spine();
        let router = net.graph.target(net.plan.gateway(hosts[0]).unwrap());
        let addresses = vec![(hosts[7], "203.0.113.9".parse().unwrap()), (router, "203.0.113.1".parse().unwrap())];
        let net = Net::with(net.graph, &Wishes { addresses, ..Wishes::default() });
        assert_eq!(net.path(hosts[0], hosts[7], 1).unwrap().last(), Some(&"host31"));
        assert_eq!(net.path(hosts[6], hosts[7], 1).unwrap(), ["leaf3", "host31"]);
        assert_eq!(net.path(hosts[7], router, 1).unwrap().len(), 3);
    }

    #[test]
    fn where_there_is_a_path_packets_arrive_by_a_cheapest_one_and_nowhere_else() {
        let mut rng = Rng::stream(10, "test/routes");
        for _ in 0..60 {
            let mut graph = Graph::new();
            let n = usize::try_from(2 + rng.below(14)).unwrap();
            let nodes: Vec<NodeId> = (0..n)
                .map(|at| graph.add_node(format!("n{at}"), if rng.chance(0.6) { Role::Router } else { Role::Host }))
                .collect();
            for _ in 0..rng.below(3 * n as u64) {
                let [a, b] = [(); 2].map(|()| nodes[usize::try_from(rng.below(n as u64)).unwrap()]);
                let _ = graph.add_link(a, b, Span::from_nanos(rng.below(4)));
            }
            let mut net = Net::new(graph);
            let down = u32::try_from(rng.below(3 * n as u64)).unwrap();
            let up = |egress: Egress| egress.number() != down;
            net.converge(up);
            let all = Core::new(&net.graph, |_| true, up);
            for &to in &nodes {
                let distances = all.distances(to);
                for &from in &nodes {
                    let path = follow(&net.graph, &net.routers, from, net.plan.address(to), rng.bits());
                    // A host with one link sends into it even while it is down; the link loses the packet.
                    let path = path.filter(|path| path.iter().all(|&egress| up(egress)));
                    let cost = path.map(|path| {
                        path.iter().fold(crate::topo::Cost::ZERO, |sum, &egress| sum.then(net.graph.cost(egress)))
                    });
                    let expected = Some(distances.from(from)).filter(|cost| cost.is_finite());
                    assert_eq!(cost, expected, "{} to {}", net.graph.name(from), net.graph.name(to));
                }
            }
        }
    }

    #[test]
    fn crowds_cost_one_address_each() {
        // Twelve cities in a ring, two thousand users in each.
        let mut graph = Graph::new();
        let cities: Vec<NodeId> = (0..12).map(|n| graph.add_node(format!("city{n}"), Role::Router)).collect();
        (0..12).for_each(|n| join(&mut graph, cities[n], cities[(n + 1) % 12]));
        let mut users = Vec::new();
        for n in 0..24_000 {
            users.push(graph.add_node(format!("user/{n}"), Role::Host));
            join(&mut graph, users[n], cities[n % 12]);
        }
        let net = Net::new(graph);
        assert!(users.iter().all(|user| net.routers[user.index()].fib().size() == 1));
        let largest = cities.iter().map(|city| net.routers[city.index()].fib().size()).max().unwrap();
        // Two thousand users, itself, twelve prefixes and the gaps between them.
        assert!(largest <= 2_000 + 2 + 26, "{largest} entries");
        assert_eq!(net.path(users[0], users[23_995], 0).unwrap().len(), 1 + 5 + 1);
    }

    #[test]
    fn homes_with_a_router_each_cost_a_route_each_where_they_meet_and_none_elsewhere() {
        let mut graph = Graph::new();
        let [near, far] = ["near", "far"].map(|name| graph.add_node(name, Role::Router));
        join(&mut graph, near, far);
        let other = graph.add_node("other", Role::Router);
        join(&mut graph, near, other);
        join(&mut graph, far, other);
        let mut users = Vec::new();
        for n in 0..2_000 {
            let home = graph.add_node(format!("home/{n}"), Role::Router);
            users.push(graph.add_node(format!("user/{n}"), Role::Host));
            join(&mut graph, home, near);
            join(&mut graph, home, users[n]);
        }
        let mut net = Net::new(graph);
        assert_eq!(net.path(users[7], users[1_999], 0).unwrap(), ["home/7", "near", "home/1999", "user/1999"]);
        assert_eq!(net.path(far, users[3], 0).unwrap(), ["near", "home/3", "user/3"]);
        assert_eq!(net.path(users[3], far, 0).unwrap(), ["home/3", "near", "far"]);
        // Networks next to each other with the same next hop are one range.
        assert!(net.routers[far.index()].fib().size() < 12, "{}", net.routers[far.index()].fib().size());
        // A home that is cut off is nowhere: `near` says so itself, whoever asks.
        let gateway = net.plan.gateway(users[3]).unwrap();
        let home = net.graph.target(gateway);
        let graph = net.graph.clone();
        net.converge(|egress| graph.source(egress) != home || graph.target(egress) != near);
        assert!(net.path(users[7], users[3], 0).is_some(), "the way there is up");
        assert_eq!(net.path(users[3], users[7], 0), None, "the way back is not");
        net.converge(|egress| graph.source(egress) != near || graph.target(egress) != home);
        assert_eq!(net.routers[near.index()].fib().lookup(net.plan.address(users[3])), None);
        assert_eq!(net.routers[far.index()].fib().lookup(net.plan.address(users[3])), None);
    }

    #[test]
    fn an_address_cut_off_inside_a_branch_does_not_send_packets_in_circles() {
        let mut graph = Graph::new();
        let chain: Vec<NodeId> = (0..6).map(|n| graph.add_node(format!("r{n}"), Role::Router)).collect();
        chain.windows(2).for_each(|pair| join(&mut graph, pair[0], pair[1]));
        let mut net = Net::new(graph);
        assert_eq!(net.path(chain[0], chain[5], 0).unwrap(), ["r1", "r2", "r3", "r4", "r5"]);
        for cut in 0..10 {
            net.converge(|egress| egress.number() != cut);
            for &from in &chain {
                for &to in &chain {
                    let (mut node, mut hops, dst) = (from, 0, net.plan.address(to));
                    while let Some(hop) = net.routers[node.index()].fib().lookup(dst) {
                        (node, hops) = (net.graph.target(hop[0]), hops + 1);
                        assert!(hops <= 5, "r{} to r{} turns in circles", from.index(), to.index());
                    }
                }
            }
        }
    }
}
