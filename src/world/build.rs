//! A world from its parts: a graph, the IP layer of every node, and what each link and host is like.

use super::node::{Node, Stack};
use super::pool::Pool;
use super::{Direction, Tally, World};
use crate::base::{Arena, Digest, Id, Time};
use crate::engine::Queue;
use crate::host::{Executor, Host};
use crate::ip::Router;
use crate::link::{self, Link};
use crate::topo::{Egress, Graph};
use crate::trace::{Cause, Mask, Trace};
use crate::transport::tcp;
use std::future::Future;
use std::rc::Rc;

/// What a world is made of. Nodes and links are numbered as in the graph; link `n` has the directions `2n` and `2n + 1`.
pub struct Parts<'a> {
    /// Seed of all chance.
    pub seed: u64,
    /// Nodes and links.
    pub graph: &'a Graph,
    /// The IP layer of every node.
    pub routers: Vec<Router>,
    /// Both directions of every link, the one from the end named first before the other.
    pub links: &'a [[link::Config; 2]],
    /// TCP settings of every node.
    pub tcp: &'a [Rc<tcp::Config>],
    /// What observers want to know.
    pub mask: Mask,
}

impl World {
    /// The world at time zero: nothing runs on it yet.
    ///
    /// # Panics
    /// If there are not as many routers and settings as nodes, or link configurations as links.
    #[must_use]
    pub fn new(parts: Parts<'_>) -> Self {
        let Parts { seed, graph, routers, links, tcp, mask } = parts;
        assert_eq!(routers.len(), graph.node_count());
        assert_eq!(tcp.len(), graph.node_count());
        assert_eq!(links.len(), graph.link_count());
        let executor = Executor::new(seed);
        let nodes = graph
            .nodes()
            .zip(routers)
            .zip(tcp)
            .zip(0u32..)
            .map(|(((node, router), tcp), number)| {
                let host = executor.host(number, graph.name(node), router.address());
                Node { stack: Stack::new(host, Rc::clone(tcp)), router, events: 0, dropped: [0; Cause::ALL.len()] }
            })
            .collect();
        let directions = graph
            .links()
            .flat_map(|link| [Egress::forward(link), Egress::forward(link).reversed()])
            .map(|egress| {
                let config = &links[egress.link().index()][usize::from(!egress.is_forward())];
                #[expect(clippy::cast_possible_truncation, reason = "a graph counts nodes in 32 bits")]
                let to = graph.target(egress).index() as u32;
                Direction { link: Link::new(config, seed, &direction_name(graph, egress)), to }
            })
            .collect();
        Self {
            now: Time::ZERO,
            seed,
            queue: Queue::new(),
            nodes,
            directions,
            packets: Pool::default(),
            connections: Arena::new(),
            listeners: Arena::new(),
            datagrams: Arena::new(),
            executor,
            trace: Trace::new(mask),
            digest: Digest::default(),
            events: 0,
            hops: 0,
            tally: Tally::default(),
            answered: true,
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
fn direction_name(graph: &Graph, egress: Egress) -> String {
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
