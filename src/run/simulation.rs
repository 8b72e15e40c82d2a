//! A run from its plan to its outcome, in steps small enough to show progress between them.

use super::balancing;
use super::expect::{self, Evidence};
use super::outcome::{Outcome, Performance};
use super::summarise::{Ended, LinkCounters, summarise};
use super::timeline::timeline;
use crate::base::{Id, Span, Time};
use crate::fault::Effect;
use crate::observe::anycast::Withdrawals;
use crate::observe::edges::Edges;
use crate::observe::metrics::Served;
use crate::observe::registry::Registries;
use crate::observe::roaming::Moves;
use crate::observe::stores::{self, Stores};
use crate::observe::timeline::{FaultPlan, Timeline};
use crate::observe::{self, Kind, Metrics, Traffic};
use crate::scenario::build::{self, Network};
use crate::scenario::plan::{self, Bulk, NodeKind, Plan, TrafficKind};
use crate::service::bulk::Amount;
use crate::service::client::Arrivals;
use crate::topo::{Egress, NodeId};
use crate::trace::{Mask, PacketRecord, Record};
use crate::world::World;
use std::net::Ipv4Addr;

/// A reader of everything that happens, beside the metrics.
pub trait Observer {
    /// What it wants to see.
    fn mask(&self) -> Mask;

    /// Something happened.
    fn record(&mut self, record: &Record) {
        let _ = record;
    }

    /// Something happened to a packet.
    fn packet(&mut self, record: &PacketRecord) {
        let _ = record;
    }
}

/// A scenario that is being run.
pub struct Simulation<'a> {
    plan: &'a Plan,
    seed: u64,
    world: World,
    metrics: Option<Metrics>,
    timeline: Timeline,
    stores: Stores,
    edges: Edges,
    withdrawals: Withdrawals,
    registries: Registries,
    moves: Moves,
    /// Of each node with several addresses these, each with the router behind it.
    homes: Vec<(u32, Ipv4Addr, String)>,
    /// Of each anycast address its node, name, itself and the machines that have it.
    shared: Vec<Shared>,
    until: Time,
}

/// Events between two looks at the trace.
const STEP: u32 = 4_096;

impl<'a> Simulation<'a> {
    /// A run of `plan` on its network with the plan's seed or another. `mask` says what observers want to see beside what
    /// the metrics need.
    #[must_use]
    pub fn new(plan: &'a Plan, network: &Network, seed: Option<u64>, mask: Mask) -> Self {
        Self::with_metrics(plan, network, seed, mask.and(Mask::TRAFFIC), Some(Metrics::new(observed(plan))))
    }

    /// A run that nobody watches: it has the digest of one that somebody does.
    #[must_use]
    pub fn unobserved(plan: &'a Plan, network: &Network, seed: Option<u64>) -> Self {
        Self::with_metrics(plan, network, seed, Mask::NONE, None)
    }

    fn with_metrics(
        plan: &'a Plan,
        network: &Network,
        seed: Option<u64>,
        mask: Mask,
        metrics: Option<Metrics>,
    ) -> Self {
        let seed = seed.unwrap_or(plan.seed);
        let world = build::world(plan, network, seed, mask);
        let timeline = Timeline::new(breaking(plan, network));
        let stores = Stores::new(of_stores(plan));
        let edges = (0u32..).zip(&plan.nodes).filter(|(_, node)| matches!(node.kind, NodeKind::Edge(_)));
        let edges = Edges::new(edges.map(|(node, _)| node).filter(|_| metrics.is_some()));
        let (withdrawals, registries, shared) = (Withdrawals::default(), Registries::default(), shared(plan, network));
        let (moves, homes) = (Moves::default(), homes(network));
        let until = Time::ZERO + plan.run_for;
        Self {
            plan,
            seed,
            world,
            metrics,
            timeline,
            stores,
            edges,
            withdrawals,
            registries,
            moves,
            homes,
            shared,
            until,
        }
    }

    /// The world, to look at between steps.
    #[must_use]
    pub const fn world(&self) -> &World {
        &self.world
    }

    /// Goes on for a few thousand events. False when the run is over.
    pub fn step(&mut self, observers: &mut [&mut dyn Observer]) -> bool {
        let more = self.world.advance(self.until, STEP);
        if !more {
            self.world.finish(self.until);
        }
        let watched = self.metrics.is_some();
        let (metrics, timeline, stores) = (&mut self.metrics, &mut self.timeline, &mut self.stores);
        let edges = &mut self.edges;
        let (withdrawals, registries, moves) = (&mut self.withdrawals, &mut self.registries, &mut self.moves);
        // Observers are taken in turn by two closures: a cell lends them to one at a time.
        let observers = std::cell::RefCell::new(observers);
        self.world.trace().drain(
            |record| {
                if let Some(metrics) = metrics {
                    metrics.record(record);
                    timeline.record(record);
                }
                if !record.is_of_traffic() {
                    if watched {
                        withdrawals.record(record);
                        registries.record(record);
                        moves.record(record);
                    }
                    if let Record::Store(record) = record {
                        stores.record(record);
                    }
                    edges.record(record);
                }
                observers.borrow_mut().iter_mut().for_each(|observer| observer.record(record));
            },
            |packet| observers.borrow_mut().iter_mut().for_each(|observer| observer.packet(packet)),
        );
        self.timeline.sort();
        more
    }

    /// Runs to the end.
    pub fn run(&mut self) {
        while self.step(&mut []) {}
    }

    /// What the run came to, and what the observers saw of each traffic. `performance` is what the caller measured.
    #[must_use]
    pub fn outcome(mut self, performance: Performance, warnings: Vec<String>) -> (Outcome, Vec<Traffic>) {
        let tally = self.world.tally();
        let simulated = self.world.now() - Time::ZERO;
        let links = self.links();
        let nodes: Vec<_> = (0u32..)
            .zip(&self.plan.nodes)
            .map(|(index, node)| (node.name.clone(), *self.world.node_drops(index)))
            .collect();
        let servers = self.servers();
        let balancing = self.metrics.as_mut().map(Metrics::take_balancing).unwrap_or_default();
        let traffic = self.metrics.map(Metrics::finish).unwrap_or_default();
        let names: Vec<&str> = traffic.iter().map(|traffic| &*traffic.plan.name).collect();
        let timeline = timeline(&self.timeline.finish(), &nodes, &names);
        let stores = self.stores.finish();
        let edges = self.edges.finish();
        let name = |node: u32| self.plan.nodes[node as usize].name.clone();
        let evidence = Evidence {
            traffic: &traffic,
            links: &links,
            timeline: &timeline,
            stores: &stores,
            edges: &edges,
            balancing: &balancing,
            nodes: &self.plan.nodes,
            simulated,
        };
        // Nobody watched: nothing can be judged.
        let expect = if traffic.is_empty() { &[][..] } else { &self.plan.expect };
        let expect = expect.iter().map(|expect| expect::judge(expect, &evidence)).collect();
        let ended = Ended {
            scenario: self.plan.name.clone(),
            seed: self.seed,
            digest: self.world.digest(),
            simulated,
            events: self.world.events(),
            packet_hops: self.world.hops(),
            performance,
            packets_sent: tally.sent,
            packets_retransmitted: tally.retransmitted + tally.quic_retransmitted,
            packets_retransmitted_quic: tally.quic_retransmitted,
            packets_duplicated: tally.duplicated,
            packets_delivered: tally.delivered,
            packets_in_flight: tally.in_flight,
            nodes,
            servers,
            links,
            timeline,
            expect,
            warnings,
        };
        let mut outcome = summarise(ended, &traffic);
        (outcome.balancers, outcome.judgements) = balancing::outcome(&balancing, name);
        outcome.anycast = super::anycast::outcome(&self.withdrawals, self.shared.into_iter());
        outcome.registries = super::registry::outcome(&self.registries, name);
        let via = |node: u32, address: Ipv4Addr| {
            let home = self.homes.iter().find(|home| (home.0, home.1) == (node, address));
            home.map(|home| home.2.clone()).unwrap_or_default()
        };
        outcome.moves = super::roaming::outcome(&self.moves, name, via);
        super::summarise::breakers(&mut outcome);
        outcome.stores = super::stores::outcomes(&stores);
        (outcome.edges, outcome.purges) = super::edges::outcomes(&edges, &self.plan.nodes);
        (outcome, traffic)
    }

    /// What each server did, in the plan's order; nothing where nobody watched.
    fn servers(&self) -> Vec<(String, usize, Served)> {
        let Some(metrics) = &self.metrics else { return Vec::new() };
        let servers = (0u32..).zip(&self.plan.nodes).filter_map(|(index, node)| match &node.kind {
            NodeKind::Server(config) => Some((index, &node.name, config.workers)),
            _ => None,
        });
        let served = |index| metrics.servers().get(&index).cloned().unwrap_or_default();
        servers.map(|(index, name, workers)| (name.clone(), workers, served(index))).collect()
    }

    fn links(&self) -> Vec<LinkCounters> {
        let name = |node: u32| self.plan.nodes[node as usize].name.clone();
        (0u32..)
            .zip(&self.plan.links)
            .map(|(index, link)| {
                let forward = Egress::forward(Id::first(index));
                LinkCounters {
                    name: link.name.clone(),
                    a: name(link.a),
                    b: name(link.b),
                    a_to_b: self.world.link(forward.number()).clone(),
                    b_to_a: self.world.link(forward.reversed().number()).clone(),
                }
            })
            .collect()
    }
}

/// What the timeline must know of each fault before the run.
fn breaking(plan: &Plan, network: &Network) -> Vec<FaultPlan> {
    let machine = |effect: &Effect| match *effect {
        Effect::Crash { node, .. } | Effect::Slow { node, .. } | Effect::Dns { node, .. } => Some(node),
        Effect::Link { .. } | Effect::Block { .. } => None,
    };
    let asks = |traffic: &plan::Traffic, on: &[Ipv4Addr]| {
        let machines = |to: &u32| plan.machines(to).iter().any(|&machine| on.contains(&network.address(machine)));
        traffic.pairs().any(|(_, to)| machines(&to))
    };
    let known = |fault: &plan::Fault| {
        let nodes: Vec<u32> = fault.fault.effects.iter().filter_map(machine).collect();
        let machines: Vec<Ipv4Addr> = nodes.iter().map(|&node| network.address(node)).collect();
        let touched = (0u32..).zip(&plan.traffic).filter(|(_, traffic)| asks(traffic, &machines));
        let touched: Vec<u32> = touched.map(|(index, _)| index).collect();
        // A machine that nobody asks directly may be behind any traffic: a router, a name server, a store.
        let traffic = (!touched.is_empty()).then_some(touched);
        FaultPlan { name: fault.fault.name.clone(), kind: fault.kind, machines, nodes, traffic }
    };
    plan.faults.iter().map(known).collect()
}

/// Every address of a node that has several, with the router at the other end of the link on which it lies.
fn homes(network: &Network) -> Vec<(u32, Ipv4Addr, String)> {
    let graph = network.blueprint.graph();
    let number = |node: NodeId| u32::try_from(node.index()).expect("nodes are counted in 32 bits");
    let all = network.layout.addresses.multihomed();
    all.map(|(node, uplink)| (number(node), uplink.address, graph.name(graph.target(uplink.egress)).to_owned()))
        .collect()
}

/// An anycast address: its node, its name, itself, and the machines that have it.
type Shared = (u32, String, String, Vec<(u32, String)>);

fn shared(plan: &Plan, network: &Network) -> Vec<Shared> {
    let name = |node: u32| plan.nodes[node as usize].name.clone();
    let of = |(node, anycast): (u32, &plan::Anycast)| {
        let members = anycast.members.iter().map(|&member| (member, name(member))).collect();
        (node, name(node), network.address(node).to_string(), members)
    };
    plan.anycast().map(of).collect()
}

/// What the observer of stores must know before the run.
fn of_stores(plan: &Plan) -> impl Iterator<Item = stores::Plan> {
    let name = |node: u32| plan.nodes[node as usize].name.clone();
    plan.stores.iter().map(move |store| stores::Plan {
        name: name(store.members[0]),
        members: store.members.iter().map(|&node| (node, name(node))).collect(),
    })
}

/// What the metrics must know of each traffic before the run.
#[must_use]
pub fn observed(plan: &Plan) -> Vec<observe::Plan> {
    plan.traffic
        .iter()
        .map(|traffic| {
            let (kind, ways) = match traffic.kind {
                TrafficKind::Http(_) | TrafficKind::Objects(_) | TrafficKind::Lookups(_) => (Kind::Requests, 2),
                TrafficKind::Messages(_) => (Kind::Messages, 1),
                TrafficKind::Ping(_) => (Kind::Echoes, 2),
                TrafficKind::Traceroute(_) => (Kind::Route, 2),
                TrafficKind::Bulk(Bulk { amount: Amount::Bytes(_), .. }) => (Kind::Transfer, 2),
                TrafficKind::Bulk(_) => (Kind::Bulk, 2),
            };
            let light_floor = build::light_floor(plan, traffic).map(|one_way: Span| one_way * ways);
            let measure_from = match &traffic.kind {
                TrafficKind::Bulk(bulk) => bulk.measure_from,
                _ => Time::ZERO,
            };
            let tries_again = match &traffic.kind {
                TrafficKind::Http(http) => http.policy.tries_again(),
                TrafficKind::Lookups(_) => true,
                _ => false,
            };
            let pays = matches!(&traffic.kind, TrafficKind::Http(http) if http.pays.is_some());
            let sessions = matches!(&traffic.kind, TrafficKind::Http(http) if plan.keeps_sessions(http));
            let called = matches!(&traffic.kind, TrafficKind::Http(http) if http.arrivals == Arrivals::Called);
            let name = traffic.name.clone();
            observe::Plan { name, kind, light_floor, measure_from, tries_again, pays, sessions, called }
        })
        .collect()
}
