//! Those who ask: what each traffic starts on its hosts, and whom servers ask for their requests.

use super::{DNS, Programs};
use crate::app::http1::{HeadSize, Method};
use crate::host::Host;
use crate::scenario::plan::{self, Origin, TrafficKind};
use crate::service::{balancer, bulk, client, cluster, messages, objects, ping, registry, server, stub, traceroute};
use crate::wire::Dscp;
use crate::world::World;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// How a caller asks, and how often it has asked so far.
type Recipe = (client::Config, Rc<Cell<u64>>);

impl Programs<'_> {
    pub(super) fn start(
        &self,
        world: &mut World,
        stubs: &mut BTreeMap<u32, stub::Stub>,
        index: u32,
        traffic: &plan::Traffic,
    ) {
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
    pub(super) fn callers(&self, node: u32) -> impl Fn(&Host) -> server::Callers + 'static {
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
