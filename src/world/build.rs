//! A world from its blueprint, and programs on its machines.

use super::blueprint::{Blueprint, Layout};
use super::node::{Node, Stack};
use super::pool::Pool;
use super::roam::Roamer;
use super::ways::Ways;
use super::{Direction, Tally, World};
use crate::base::{Arena, Digest, Id, Span, Time};
use crate::engine::{Queue, Wheel};
use crate::host::{Executor, Host};
use crate::link::Link;
use crate::topo::{Egress, Graph};
use crate::trace::{Cause, Mask, Trace};
use std::future::Future;
use std::rc::Rc;

impl World {
    /// The world of a blueprint at time zero, under `seed`: nothing runs on it yet. `mask` says what observers want to know.
    #[must_use]
    pub fn new(blueprint: &Blueprint, layout: Layout, seed: u64, mask: Mask) -> Self {
        let graph = blueprint.graph();
        let executor = Executor::new(seed);
        executor.keep_records(mask.wants(Mask::TRAFFIC));
        let nodes = graph
            .nodes()
            .zip(layout.routers)
            .zip(0u32..)
            .map(|((node, router), number)| {
                let host = executor.host(number, graph.name(node), router.address());
                Node {
                    stack: Stack::new(host, Rc::clone(blueprint.tcp(node))),
                    router,
                    events: 0,
                    dropped: [0; Cause::ALL.len()],
                }
            })
            .collect();
        let directions: Vec<Direction> = graph
            .links()
            .flat_map(|link| [Egress::forward(link), Egress::forward(link).reversed()])
            .map(|egress| {
                let number =
                    |node: crate::topo::NodeId| u32::try_from(node.index()).expect("nodes are counted in 32 bits");
                let (from, to) = (number(graph.source(egress)), number(graph.target(egress)));
                let link = Link::new(blueprint.direction(egress), seed, &direction_name(graph, egress));
                Direction { link, from, to, ways: Ways::NONE }
            })
            .collect();
        let nodes: Vec<Node> = nodes;
        let roamers = (0u32..).zip(&nodes).filter(|(_, node)| !node.router.uplinks().is_empty());
        let roamers = roamers
            .map(|(number, node)| {
                let delay = blueprint.carrier_delay(crate::topo::NodeId::first(number));
                Roamer::new(number, node.router.uplinks().into(), delay)
            })
            .collect();
        let nodes_count = nodes.len();
        let mut waits: Vec<Span> = directions.iter().map(|direction| direction.link.usual_wait()).collect();
        waits.sort_unstable();
        let median = waits.get(waits.len() / 2).copied().unwrap_or_default();
        Self {
            now: Time::ZERO,
            seed,
            queue: Queue::new(),
            arrivals: Wheel::new(directions.len(), median),
            nodes,
            directions,
            packets: Pool::default(),
            connections: Arena::new(),
            listeners: Arena::new(),
            datagrams: Arena::new(),
            quic: Arena::new(),
            quic_streams: Arena::new(),
            quic_listeners: Arena::new(),
            executor,
            trace: Trace::new(mask),
            digest: Digest::default(),
            events: 0,
            other_events: 0,
            tally: Tally::default(),
            answered: true,
            programs: vec![Vec::new(); nodes_count],
            faults: super::fault::Faults::default(),
            roamers,
        }
    }

    /// The machine with this number, for a program that is to run on it.
    #[must_use]
    pub fn host(&self, node: u32) -> Host {
        self.nodes[node as usize].stack.host.clone()
    }

    /// Starts a program on the machine with this number. Programs start in the order in which they are spawned.
    pub fn spawn<F: Future<Output = ()> + 'static>(&mut self, node: u32, program: impl FnOnce(Host) -> F) {
        let host = self.host(node);
        drop(host.spawn(program(host.clone())));
        self.answered = true;
    }
}

/// The name of a link direction, as its streams of chance know it: `a>b`, and `a>b#2` for the second of parallel links.
pub(super) fn direction_name(graph: &Graph, egress: Egress) -> String {
    let (from, to) = (graph.source(egress), graph.target(egress));
    let link = egress.link();
    let before = (0..link.index())
        .rev()
        .map(|index| Egress::forward(Id::first(u32::try_from(index).expect("links are counted in 32 bits"))))
        .take_while(|other| {
            let ends = [graph.source(*other), graph.target(*other)];
            ends.contains(&from) && ends.contains(&to)
        })
        .count();
    let suffix = if before == 0 { String::new() } else { format!("#{}", before + 1) };
    format!("{}>{}{suffix}", graph.name(from), graph.name(to))
}
