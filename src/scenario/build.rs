//! From a plan to a world: nodes, links, addresses and routes, and the programs that the plan puts on its machines.

mod names;
mod services;
mod users;

use super::plan::{self, NodeKind, Plan};
use crate::app::dns::Name;
use crate::base::Span;
use crate::ip::AddressError;
use crate::service::{announce, authority, balancer, cdn, cluster, registry, resolver, server, store};
use crate::topo::{Egress, LinkId, NANOS_PER_METRE, NodeId, Role, distance};
use crate::trace::Mask;
use crate::transport::tcp;
use crate::world::{Blueprint, Layout, World};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::rc::Rc;

/// Port of name servers.
const DNS: u16 = 53;

/// A plan's network, with addresses and routes.
#[derive(Clone)]
pub struct Network {
    /// Nodes and links, numbered as in the plan.
    pub blueprint: Blueprint,
    /// Addresses and routes.
    pub layout: Layout,
}

impl Network {
    /// The address of a node of the plan.
    #[must_use]
    pub fn address(&self, node: u32) -> Ipv4Addr {
        self.layout.addresses.address(NodeId::first(node))
    }

    /// The address of a node of the plan at its end of the link with this direction away from it.
    #[must_use]
    pub fn address_on(&self, node: u32, egress: Egress) -> Ipv4Addr {
        let uplinks = self.layout.addresses.uplinks(NodeId::first(node));
        let own = uplinks.iter().find(|uplink| uplink.egress == egress);
        own.map_or_else(|| self.address(node), |uplink| uplink.address)
    }

    /// The router at the other end of the link on which a node of the plan with several addresses has this one; nothing for all others.
    #[must_use]
    pub fn via(&self, node: u32, address: Ipv4Addr) -> String {
        let uplinks = self.layout.addresses.uplinks(NodeId::first(node));
        let own = uplinks.iter().find(|uplink| uplink.address == address);
        let graph = self.blueprint.graph();
        own.map_or_else(String::new, |uplink| graph.name(graph.target(uplink.egress)).to_owned())
    }

    /// Every address with the number of the node that has it.
    pub fn names(&self) -> impl Iterator<Item = (Ipv4Addr, u32)> + '_ {
        let number = |node: NodeId| u32::try_from(node.index()).expect("nodes are counted in 32 bits");
        self.layout.addresses.all().map(move |(address, node)| (address, number(node)))
    }
}

/// Lays out a plan's network. A checked plan has none of the errors.
pub fn lay_out(plan: &Plan) -> Result<Network, Vec<AddressError>> {
    let mut blueprint = Blueprint::new();
    // Most nodes have the same settings: they share them.
    let mut settings: Vec<(plan::Tcp, Rc<tcp::Config>)> = Vec::new();
    for node in &plan.nodes {
        let config = if let Some((_, config)) = settings.iter().find(|(tcp, _)| *tcp == node.tcp) {
            Rc::clone(config)
        } else {
            let config = Rc::new(tcp_config(&node.tcp));
            settings.push((node.tcp, Rc::clone(&config)));
            config
        };
        let role = if node.kind.forwards() { Role::Router } else { Role::Host };
        blueprint.node(&node.name, role, &config);
    }
    for link in &plan.links {
        let ends = (NodeId::first(link.a), NodeId::first(link.b));
        blueprint.link(ends.0, ends.1, link.directions.clone()).expect("a plan's links join two of its nodes");
    }
    for (node, homing) in (0u32..).zip(&plan.nodes).filter_map(|(index, node)| Some((index, node.homing.as_ref()?))) {
        let uplinks: Vec<LinkId> = homing.uplinks.iter().map(|&link| LinkId::first(link)).collect();
        blueprint.multihome(NodeId::first(node), &uplinks, homing.carrier_delay);
    }
    for (node, anycast) in plan.anycast() {
        blueprint.anycast(NodeId::first(node), anycast.members.iter().map(|&member| NodeId::first(member)).collect());
    }
    let layout = blueprint.lay_out()?;
    Ok(Network { blueprint, layout })
}

fn tcp_config(tcp: &plan::Tcp) -> tcp::Config {
    tcp::Config {
        profile: match tcp.profile {
            plan::Profile::Linux => tcp::Profile::Linux,
            plan::Profile::Rfc => tcp::Profile::Rfc,
        },
        congestion: tcp::Algorithm::by_name(tcp.congestion).expect("a plan names built-in controllers"),
        mtu: tcp.mtu,
        nagle: tcp.nagle,
        timestamps: tcp.timestamps,
        sack: tcp.sack,
        window_scaling: tcp.window_scaling,
        tail_loss_probe: tcp.tail_loss_probe,
        rack: tcp.rack,
        receive_buffer: tcp.receive_buffer,
        send_buffer: tcp.send_buffer,
        restart_after_idle: tcp.restart_after_idle,
        ticks: None,
        pacing: tcp.pacing,
        ecn: tcp.ecn,
        user_timeout: tcp.user_timeout,
        fast_open: tcp.fast_open,
        keep_alive: tcp.keep_alive,
        ..tcp::Config::default()
    }
}

/// The world of a plan at time zero, its programs started. `seed` is the plan's unless the user asked for another.
#[must_use]
pub fn world(plan: &Plan, network: &Network, seed: u64, mask: Mask) -> World {
    let mut world = World::new(&network.blueprint, network.layout.clone(), seed, mask);
    let programs = Programs { plan, network };
    let faults = plan.faults.iter().map(|fault| fault.fault.clone()).collect();
    world.break_by(faults, &network.blueprint, &network.layout.addresses, plan.routing);
    for (index, node) in (0u32..).zip(&plan.nodes) {
        match &node.kind {
            NodeKind::Host | NodeKind::Router | NodeKind::Anycast(_) => {}
            NodeKind::Server(config) => {
                let mut config = config.clone();
                let at = |&(node, at): &(u32, SocketAddrV4)| (node, programs.at(node, at.port()));
                if let Some(shared) = &mut config.shared_keys {
                    shared.members = shared.members.iter().map(at).collect();
                }
                let callers = programs.callers(index);
                world.install(index, move |host| {
                    let callers = callers(&host);
                    server::run_calling(host, config.clone(), callers)
                });
            }
            NodeKind::Store(node) => {
                let config = programs.store(index, node);
                world.install(index, move |host| store::run(host, config.clone()));
            }
            NodeKind::Cluster(node) => {
                let config = programs.cluster(index, node);
                world.install(index, move |host| cluster::run(host, config.clone()));
            }
            NodeKind::Registry => {
                let config = programs.registry();
                world.install(index, move |host| registry::run(host, config.clone()));
            }
            NodeKind::Resolver(config) => {
                let config = programs.resolver(*config);
                world.install(index, move |host| resolver::run(host, config.clone()));
            }
            NodeKind::Balancer(plan) => {
                let config = programs.balancer(index, plan);
                if plan.answers_directly() {
                    for target in plan.targets() {
                        for &(address, dscp) in &config.code_points {
                            world.install(target.node, move |host| balancer::l4::answer_directly(host, dscp, address));
                        }
                    }
                }
                world.install(index, move |host| balancer::run(host, config.clone()));
            }
            NodeKind::Edge(edge) => {
                let upstream = programs.pool(&edge.upstream);
                let config = cdn::Config { upstream, ..edge.settings.clone() };
                world.install(index, move |host| cdn::run(host, config.clone()));
            }
            NodeKind::PurgeControl(control) => {
                let config = programs.purge_control(control);
                world.install(index, move |host| cdn::run_control(host, config.clone()));
            }
            NodeKind::Authority { zones } => {
                let zones = zones.iter().map(|&zone| programs.zone(&plan.zones[zone as usize])).collect();
                let config = authority::Config::new(zones);
                world.install(index, move |host| authority::run(host, config.clone()));
            }
        }
    }
    for (index, node) in (0u32..).zip(&plan.nodes) {
        let Some((own, port)) = node.registering.as_ref().zip(node.kind.port()) else { continue };
        let config = programs.sign_on(own, port);
        world.install(index, move |host| registry::sign_on(host, config.clone()));
    }
    for (node, anycast) in plan.anycast() {
        let address = network.address(node);
        for &member in &anycast.members {
            let tls = plan.terminates_tls(member).is_some();
            let check = anycast.check.clone().zip(anycast.port).map(|(check, port)| (check, port, tls));
            let config = announce::Config { address, check };
            world.install(member, move |host| announce::run(host, config.clone()));
        }
    }
    let mut stubs = BTreeMap::new();
    for (index, traffic) in (0u32..).zip(&plan.traffic) {
        programs.start(&mut world, &mut stubs, index, traffic);
    }
    world
}

/// Makes the configurations of programs from a plan's numbers.
struct Programs<'a> {
    plan: &'a Plan,
    network: &'a Network,
}

impl Programs<'_> {
    fn name(text: &str) -> Name {
        text.parse().expect("a plan's names are names")
    }

    fn at(&self, node: u32, port: u16) -> SocketAddrV4 {
        SocketAddrV4::new(self.network.address(node), port)
    }
}

/// One-way time of light in fiber on the geodesic between two nodes of the plan, if both have a place; to the nearest member of an
/// anycast address, if all have one.
#[must_use]
pub fn light_between(plan: &Plan, a: u32, b: u32) -> Option<Span> {
    let place = |node: u32| plan.nodes[node as usize].place.as_ref().map(|place| place.at);
    let near = |&member: &u32| Some(distance(place(a)?, place(member)?));
    let nearest: Option<Vec<u64>> = plan.machines(&b).iter().map(near).collect();
    Some(Span::from_nanos(nearest?.into_iter().min()? * NANOS_PER_METRE))
}

/// The shortest time of light of all pairs of a traffic, one way; `None` if an end of one has no place.
#[must_use]
pub fn light_floor(plan: &Plan, traffic: &plan::Traffic) -> Option<Span> {
    let mut floors = traffic.pairs().map(|(from, to)| light_between(plan, from, to));
    let first = floors.next()??;
    floors.try_fold(first, |least, floor| Some(least.min(floor?)))
}
