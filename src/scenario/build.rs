//! From a plan to a world: nodes, links, addresses and routes, and the programs that the plan puts on its machines.

use super::plan::{self, NodeKind, Origin, Plan, TrafficKind};
use crate::app::dns::{Data, Name, Record};
use crate::app::http1::{HeadSize, Method};
use crate::base::Span;
use crate::host::Host;
use crate::ip::AddressError;
use crate::service::answers::{Answers, Watched};
use crate::service::{
    announce, authority, balancer, bulk, cdn, client, cluster, messages, objects, ping, registry, resolver, server,
    store, stub, traceroute,
};
use crate::topo::{NANOS_PER_METRE, NodeId, Role, distance};
use crate::trace::Mask;
use crate::transport::tcp;
use crate::wire::Dscp;
use crate::world::{Blueprint, Layout, World};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
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

/// How a caller asks, and how often it has asked so far.
type Recipe = (client::Config, Rc<Cell<u64>>);

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

    fn balancer(&self, node: u32, plan: &plan::Balancer) -> balancer::Config {
        let direct = (0u8..).zip(self.plan.answered_directly()).filter(|&(_, (balancer, _))| balancer == node);
        let code_points = direct.filter_map(|(number, (_, address))| {
            Some((self.network.address(address), balancer::l4::code_point(number)?))
        });
        let pools = plan.pools.iter().map(|pool| self.pool(pool));
        balancer::Config {
            port: plan.port,
            backlog: plan.backlog,
            layer: plan.layer,
            tls: plan.tls.clone(),
            pools: pools.collect(),
            routes: plan.routes.clone(),
            default: plan.default,
            instance: plan.instance,
            code_points: code_points.collect(),
        }
    }

    fn pool(&self, pool: &plan::BackendPool) -> balancer::Pool {
        let members = pool.targets.iter().map(|target| balancer::Member {
            tls: target.tls,
            weight: target.weight,
            drain: target.drain,
            ..self.member(target.node, target.port)
        });
        balancer::Pool { members: members.collect(), ..pool.settings.clone() }
    }

    fn member(&self, node: u32, port: u16) -> balancer::Member {
        let name = self.plan.nodes[node as usize].name.clone();
        balancer::Member { node, name, at: self.at(node, port), tls: false, weight: 1, drain: None }
    }

    /// Edges in tiers, those that fetch from no other first.
    fn purge_control(&self, control: &plan::PurgeControl) -> cdn::ControlConfig {
        let mut tiers: BTreeMap<usize, Vec<cdn::Site>> = BTreeMap::new();
        for &edge in &control.edges {
            let port = self.plan.nodes[edge as usize].kind.port().expect("an edge listens");
            tiers.entry(self.plan.tier(edge)).or_default().push(cdn::Site(self.member(edge, port)));
        }
        cdn::ControlConfig {
            port: control.port,
            tiers: tiers.into_values().collect(),
            timeout: control.timeout,
            patience: control.patience,
        }
    }

    fn resolver(&self, config: plan::Resolver) -> resolver::Config {
        let from_above = self.plan.zones.iter().any(|zone| zone.apex == plan::ROOT);
        let hinted = self.plan.zones.iter().filter(|zone| !from_above || zone.apex == plan::ROOT);
        let hints = hinted.map(|zone| resolver::Hint {
            zone: Self::name(&zone.apex),
            servers: zone.authorities.iter().map(|&node| self.network.address(node)).collect(),
        });
        resolver::Config {
            cache_entries: config.cache_entries,
            timeout: config.timeout,
            attempts: config.attempts,
            min_ttl: config.min_ttl,
            max_ttl: config.max_ttl,
            rotates: config.rotates,
            ..resolver::Config::new(hints.collect())
        }
    }

    fn registry(&self) -> registry::Config {
        let signs_on = |node: &plan::Node| node.registering.is_some();
        let nodes = (0u32..).zip(&self.plan.nodes).filter(|(_, node)| signs_on(node));
        let nodes = nodes.filter_map(|(index, node)| Some((self.at(index, node.kind.port()?), index)));
        registry::Config { port: plan::registry::PORT, nodes: nodes.collect() }
    }

    fn sign_on(&self, own: &plan::Registering, port: u16) -> registry::SignOn {
        registry::SignOn {
            registry: self.at(own.registry, plan::registry::PORT),
            service: own.service.clone(),
            port,
            heartbeat: own.heartbeat,
            lease: own.lease,
            from: own.from,
            until: own.until,
        }
    }

    /// How the `maker`-th asker of a traffic finds those whom it asks.
    fn watch(
        &self,
        traffic: &plan::Traffic,
        ask: &plan::Ask,
        maker: u64,
        discovery: &plan::Discovery,
    ) -> registry::Watch {
        let Origin::Service(service) = &ask.origin else { unreachable!("who discovers asks a service") };
        let member = |&node: &u32| {
            let known = &self.plan.nodes[node as usize];
            let at = self.at(node, known.kind.port().expect("instances of a service listen"));
            balancer::Member { node, name: known.name.clone(), at, weight: 1, drain: None, tls: false }
        };
        let mut pool = balancer::Pool::new(&traffic.name, ask.targets.iter().map(member).collect());
        pool.algorithm = discovery.algorithm.clone();
        // Who is not on the list is not asked, however few are.
        pool.panic = crate::base::Ratio::ZERO;
        registry::Watch {
            registry: self.at(discovery.registry, plan::registry::PORT),
            service: service.clone(),
            pool,
            refresh: discovery.refresh,
            instance: u32::try_from(maker).unwrap_or(u32::MAX),
        }
    }

    fn cluster(&self, node: u32, own: &plan::ClusterNode) -> cluster::Config {
        cluster::Config {
            store: own.store,
            port: own.port,
            members: own.members.iter().map(|&member| self.network.address(member)).collect(),
            me: own.members.iter().position(|&member| member == node).expect("a cluster has its nodes"),
            shards: own.shards,
            service: own.service,
            value: own.value,
            node_timeout: own.node_timeout,
        }
    }

    fn store(&self, node: u32, own: &plan::StoreNode) -> store::Config {
        let whole = &self.plan.stores[own.store as usize];
        let agreement = whole.agreement.expect("the members of a store agree on something");
        store::Config {
            store: own.store,
            port: own.port,
            members: whole.members.iter().map(|&member| self.network.address(member)).collect(),
            me: whole.members.iter().position(|&member| member == node).expect("a store has its members"),
            workers: own.workers,
            service: own.service,
            value: own.value,
            reads: own.reads,
            acks: agreement.acks,
            patience: own.timeout,
            heartbeat: agreement.heartbeat,
            failover: agreement.failover,
            quorum: agreement.quorum,
        }
    }

    fn zone(&self, zone: &plan::Zone) -> authority::Zone {
        let apex = Self::name(&zone.apex);
        let mut made = authority::Zone::new(apex.clone(), apex, zone.negative_ttl);
        made.rotation = match zone.rotation {
            plan::Rotation::Cyclic => authority::Rotation::Cyclic,
            plan::Rotation::Fixed => authority::Rotation::Fixed,
            plan::Rotation::Random => authority::Rotation::Random,
        };
        made.answers = match &zone.answers {
            plan::Answers::All => Answers::All,
            plan::Answers::Failover => Answers::Failover,
            plan::Answers::Weighted(weights) => {
                Answers::Weighted(weights.iter().map(|&(node, weight)| (self.network.address(node), weight)).collect())
            }
            plan::Answers::Nearest => Answers::Nearest(self.nearest(zone)),
        };
        made.watched = zone.check.as_ref().map(|check| Watched {
            check: check.clone(),
            members: zone
                .nodes()
                .into_iter()
                .filter_map(|node| {
                    let known = &self.plan.nodes[node as usize];
                    let at = self.at(node, known.kind.port()?);
                    let tls = self.plan.terminates_tls(node).is_some();
                    Some(balancer::Member { node, name: known.name.clone(), at, tls, weight: 1, drain: None })
                })
                .collect(),
        });
        made.records = zone
            .records
            .iter()
            .map(|record| Record {
                name: Self::name(&record.name),
                ttl: record.ttl,
                data: match &record.data {
                    plan::Data::A(node) => Data::A(self.network.address(*node)),
                    plan::Data::Cname(target) => Data::Cname(Self::name(target)),
                },
            })
            .collect();
        if self
            .plan
            .zones
            .iter()
            .any(|other| other.delegates.iter().any(|&below| self.plan.zones[below as usize] == *zone))
        {
            made.records.extend(self.servers_of(zone, zone.ttl));
        }
        for &below in &zone.delegates {
            made.records.extend(self.servers_of(&self.plan.zones[below as usize], zone.ttl));
        }
        made
    }

    /// The name servers of a zone and their addresses: in the zone itself, and above it the delegation with its glue.
    fn servers_of(&self, zone: &plan::Zone, ttl: u32) -> impl Iterator<Item = Record> {
        let apex = Self::name(&zone.apex);
        zone.authorities.iter().flat_map(move |&node| {
            let host = Self::name(&self.plan.server_name(zone, node));
            let server = Record { name: apex.clone(), ttl, data: Data::Ns(host.clone()) };
            [server, Record { name: host, ttl, data: Data::A(self.network.address(node)) }]
        })
    }

    /// For each resolver the addresses of a zone from near to far, those without a place last.
    fn nearest(&self, zone: &plan::Zone) -> BTreeMap<Ipv4Addr, Vec<Ipv4Addr>> {
        let place = |node: u32| self.plan.nodes[node as usize].place.as_ref().map(|place| place.at);
        let resolvers = (0u32..).zip(&self.plan.nodes).filter(|(_, node)| matches!(node.kind, NodeKind::Resolver(_)));
        resolvers
            .map(|(resolver, _)| {
                let far = |node: &u32| place(resolver).zip(place(*node)).map_or(u64::MAX, |(a, b)| distance(a, b));
                let mut nodes = zone.nodes();
                nodes.sort_by_key(far);
                let addrs = nodes.into_iter().map(|node| self.network.address(node)).collect();
                (self.network.address(resolver), addrs)
            })
            .collect()
    }

    fn start(&self, world: &mut World, stubs: &mut BTreeMap<u32, stub::Stub>, index: u32, traffic: &plan::Traffic) {
        match &traffic.kind {
            TrafficKind::Http(http) => self.start_http(world, stubs, index, traffic, http),
            TrafficKind::Bulk(bulk) => self.start_bulk(world, index, traffic, bulk),
            TrafficKind::Messages(messages) => self.start_messages(world, index, traffic, messages),
            TrafficKind::Objects(objects) => self.start_objects(world, index, traffic, objects),
            TrafficKind::Lookups(lookups) => {
                for (maker, &from) in (0..).zip(&lookups.from) {
                    let config = cluster::client::Config {
                        traffic: index,
                        name: traffic.name.clone(),
                        numbering: plan::Traffic::numbering(maker, lookups.from.len() as u64),
                        nodes: lookups.cluster.iter().map(|&node| self.at(node, lookups.port)).collect(),
                        keys: lookups.keys,
                        zipf: lookups.zipf,
                        writes: lookups.writes.get(),
                        size: lookups.size,
                        arrivals: lookups.arrivals.clone(),
                        start: traffic.start,
                        limit: lookups.limit,
                        timeout: lookups.timeout,
                    };
                    world.spawn(from, |host| cluster::client::run(host, config));
                }
            }
            TrafficKind::Ping(ping) => {
                for (maker, &(from, to)) in (0..).zip(&ping.pairs) {
                    let config = ping::Config {
                        numbering: plan::Traffic::numbering(maker, ping.pairs.len() as u64),
                        start: traffic.start,
                        every: ping.every,
                        limit: ping.limit,
                        data_len: ping.bytes,
                        ttl: ping.ttl,
                        timeout: ping.timeout,
                        ..ping::Config::new(index, self.network.address(to))
                    };
                    world.spawn(from, |host| ping::run(host.with_dscp(traffic.dscp), config));
                }
            }
            TrafficKind::Traceroute(route) => {
                for (maker, &(from, to)) in (0..).zip(&route.pairs) {
                    let config = traceroute::Config {
                        numbering: plan::Traffic::numbering(maker, route.pairs.len() as u64),
                        start: traffic.start,
                        max_ttl: route.max_ttl,
                        probes: route.probes,
                        data_len: route.bytes,
                        timeout: route.timeout,
                        ..traceroute::Config::new(index, self.network.address(to))
                    };
                    world.spawn(from, |host| traceroute::run(host.with_dscp(traffic.dscp), config));
                }
            }
        }
    }

    fn start_http(
        &self,
        world: &mut World,
        stubs: &mut BTreeMap<u32, stub::Stub>,
        index: u32,
        traffic: &plan::Traffic,
        http: &plan::Http,
    ) {
        if http.arrivals == client::Arrivals::Called {
            return;
        }
        for (maker, ask) in (0..).zip(&http.asks) {
            let stub = stubs.entry(ask.from).or_insert_with(|| self.stub(&world.host(ask.from), ask.from)).clone();
            let config = self.client(index, traffic, http, maker, ask);
            world.spawn(ask.from, |host| client::run(host.with_dscp(traffic.dscp), stub, config));
        }
    }

    fn stub(&self, host: &Host, node: u32) -> stub::Stub {
        stub::Stub::new(host, self.stub_config(node))
    }

    fn stub_config(&self, node: u32) -> stub::Config {
        let resolvers = &self.plan.nodes[node as usize].resolvers;
        stub::Config::new(resolvers.iter().map(|&node| self.at(node, DNS)).collect())
    }

    fn client(
        &self,
        index: u32,
        traffic: &plan::Traffic,
        http: &plan::Http,
        maker: u64,
        ask: &plan::Ask,
    ) -> client::Config {
        let origin = match &ask.origin {
            Origin::Name(name) => client::Origin::Name(Self::name(name)),
            Origin::Node(node) => client::Origin::Addr(self.network.address(*node)),
            Origin::Service(service) => client::Origin::Name(Self::name(service)),
        };
        client::Config {
            numbering: plan::Traffic::numbering(maker, http.asks.len() as u64),
            port: http.port,
            tls: http.tls,
            path: http.path.clone(),
            catalogue: http.catalogue,
            method: http.method.parse::<Method>().expect("a plan names methods that there are"),
            head: http.head_bytes.map_or(HeadSize::Browser, HeadSize::Exactly),
            headers: http.headers.clone(),
            cookies: http.cookies.clone(),
            body_bytes: http.body_bytes,
            deadline: http.deadline,
            idempotency_key: http.idempotency_key,
            pays: http.pays,
            conditional: http.conditional,
            arrivals: http.arrivals.clone(),
            start: traffic.start,
            limit: http.limit,
            connections: http.connections,
            timeout: http.timeout,
            policy: http.policy.clone(),
            congestion: http.congestion,
            registry: http.discovery.as_ref().map(|discovery| self.watch(traffic, ask, maker, discovery)),
            ..client::Config::new(index, &traffic.name, origin)
        }
    }

    /// Everybody whom the server on `node` asks, made anew whenever it starts. All its calls share one memory of names.
    fn callers(&self, node: u32) -> impl Fn(&Host) -> server::Callers + 'static {
        let mut recipes: Vec<(u32, Dscp, Vec<Recipe>)> = Vec::new();
        for (index, traffic) in (0u32..).zip(&self.plan.traffic) {
            let TrafficKind::Http(http) = &traffic.kind else { continue };
            if http.arrivals != client::Arrivals::Called {
                continue;
            }
            let asks = (0..).zip(&http.asks).filter(|(_, ask)| ask.from == node);
            let all: Vec<Recipe> =
                asks.map(|(maker, ask)| (self.client(index, traffic, http, maker, ask), Rc::default())).collect();
            if !all.is_empty() {
                recipes.push((index, traffic.dscp, all));
            }
        }
        let names = self.stub_config(node);
        move |host| {
            if recipes.is_empty() {
                return server::Callers::new();
            }
            let stub = stub::Stub::new(host, names.clone());
            let made = recipes.iter().map(|(index, dscp, all)| {
                let caller = |(config, asked): &Recipe| {
                    let (host, stub) = (host.with_dscp(*dscp), stub.clone());
                    Rc::new(client::Caller::counting(host, stub, config.clone(), Rc::clone(asked)))
                };
                (*index, all.iter().map(caller).collect())
            });
            made.collect()
        }
    }

    fn start_bulk(&self, world: &mut World, index: u32, traffic: &plan::Traffic, bulk: &plan::Bulk) {
        let servers: BTreeSet<u32> = bulk.pairs.iter().map(|pair| pair.1).collect();
        for node in servers {
            let config = bulk::Server {
                traffic: index,
                port: bulk.port,
                over: bulk.over,
                congestion: bulk.congestion,
                progress_every: bulk::PROGRESS_EVERY,
            };
            world.install(node, move |host| bulk::server(host, config.clone()));
        }
        for (maker, &(from, to)) in (0u32..).zip(&bulk.pairs) {
            let first_flow = maker * bulk.flows;
            let config = bulk::Client {
                traffic: index,
                first_flow,
                to: self.at(to, bulk.port),
                over: bulk.over,
                direction: bulk.direction,
                amount: bulk.amount,
                flows: bulk.flows,
                start: traffic.start + bulk.stagger.saturating_mul(u64::from(first_flow)),
                stagger: bulk.stagger,
                congestion: bulk.congestion,
                progress_every: bulk::PROGRESS_EVERY,
            };
            world.spawn(from, |host| bulk::client(host.with_dscp(traffic.dscp), config));
        }
    }

    fn start_messages(&self, world: &mut World, index: u32, traffic: &plan::Traffic, plan: &plan::Messages) {
        let carrier = match plan.carrier {
            plan::Carrier::Udp => messages::Carrier::Udp,
            plan::Carrier::Tcp { congestion } => messages::Carrier::Tcp { congestion },
            plan::Carrier::Quic { congestion } => messages::Carrier::Quic { congestion },
        };
        let receivers: BTreeSet<u32> = plan.pairs.iter().map(|pair| pair.1).collect();
        for node in receivers {
            let config = messages::Receiver { traffic: index, port: plan.port, carrier, bytes: plan.bytes };
            world.install(node, move |host| messages::receive(host, config.clone()));
        }
        for (maker, &(from, to)) in (0..).zip(&plan.pairs) {
            let config = messages::Sender {
                traffic: index,
                numbering: plan::Traffic::numbering(maker, plan.pairs.len() as u64),
                to: self.at(to, plan.port),
                carrier,
                bytes: plan.bytes,
                start: traffic.start,
                every: plan.every,
                limit: plan.limit,
                rebinds: plan.rebinds,
            };
            world.spawn(from, |host| messages::send(host.with_dscp(traffic.dscp), config));
        }
    }
}

impl Programs<'_> {
    fn start_objects(&self, world: &mut World, index: u32, traffic: &plan::Traffic, plan: &plan::Objects) {
        let plan::Objects { port, over, objects, bytes, every, limit, congestion, .. } = *plan;
        let servers: BTreeSet<u32> = plan.pairs.iter().map(|pair| pair.1).collect();
        for node in servers {
            world.install(node, move |host| objects::server(host, objects::Server { port, over, congestion }));
        }
        for (maker, &(from, to)) in (0..).zip(&plan.pairs) {
            let config = objects::Client {
                traffic: index,
                numbering: plan::Traffic::numbering(maker, plan.pairs.len() as u64),
                to: self.at(to, port),
                over,
                objects,
                bytes,
                start: traffic.start,
                every,
                limit,
                congestion,
            };
            world.spawn(from, |host| objects::client(host, config));
        }
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
    let mut floors = traffic.pairs().into_iter().map(|(from, to)| light_between(plan, from, to));
    let first = floors.next()??;
    floors.try_fold(first, |least, floor| Some(least.min(floor?)))
}
