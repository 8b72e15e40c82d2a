//! Routing follows the topology: some time after a link or router fails or comes back, routers use other routes.
//!
//! At the instant of a change routers begin to tell each other what is up now; when that has had its time, the routes for it are
//! computed, and each router uses them a little later by its own chance. In between packets go astray as they do outside: into the
//! break, or to and fro between routers that do not agree yet, until their TTL ends.

use super::{Event, World};
use crate::base::{Rng, Span};
use crate::ip::{AddressPlan, Router, route};
use crate::topo::{Egress, Graph, Role};
use crate::trace::{Record, Rerouted};

/// How routing follows what fails and what comes back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Routing {
    /// From a change to when its routes are computed: detection, flooding and calculation.
    pub reconverge: Span,
    /// Each router uses them so much later at most, uniform by chance (`router/<name>/convergence`).
    pub stagger: Span,
}

impl Default for Routing {
    /// A second, as an interior routing protocol with its timers tuned takes; all routers at once.
    fn default() -> Self {
        Self { reconverge: Span::from_secs(1), stagger: Span::ZERO }
    }
}

/// Routes on their way into use.
struct Batch {
    number: u32,
    /// The fault that called for them.
    fault: u32,
    onset: bool,
    up: Vec<bool>,
    routers: Vec<Option<Router>>,
    /// Machines that do not use them yet.
    missing: usize,
}

/// The topology, and what routers have been told of it.
pub(super) struct Convergence {
    graph: Graph,
    addresses: AddressPlan,
    routing: Routing,
    /// Which directions were up at the last change.
    up: Vec<bool>,
    batches: Vec<Batch>,
    made: u32,
    /// The fault that changed the topology last.
    last: Option<u32>,
    /// The latest batch in use at each machine.
    used: Vec<u32>,
    chance: Vec<Option<Rng>>,
}

impl Convergence {
    pub(super) fn new(graph: Graph, addresses: AddressPlan, routing: Routing) -> Self {
        let (directions, nodes) = (graph.links().count() * 2, graph.node_count());
        let chance = vec![None; nodes];
        let (up, used) = (vec![true; directions], vec![0; nodes]);
        Self { graph, addresses, routing, up, batches: Vec::new(), made: 0, last: None, used, chance }
    }

    pub(super) const fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The fault to which packets are lost that no route leads on, or that go in circles.
    pub(super) const fn last(&self) -> Option<u32> {
        self.last
    }
}

impl World {
    /// Something may have failed or come back: if so, routers get to know.
    pub(super) fn topology_changed(&mut self, fault: u32, onset: bool) {
        let Some(convergence) = &mut self.faults.convergence else { return };
        // A link is used if both directions work: routers keep no neighbour whose greetings do not come (RFC 2328 10.5).
        let works = |direction: usize| {
            let both = [&self.directions[direction].link, &self.directions[direction ^ 1].link];
            !both.iter().any(|link| link.is_down())
        };
        let up: Vec<bool> = (0..self.directions.len()).map(works).collect();
        if up == convergence.up {
            return;
        }
        convergence.up.clone_from(&up);
        convergence.made += 1;
        convergence.last = Some(fault);
        let (number, delay) = (convergence.made, convergence.routing.reconverge);
        convergence.batches.push(Batch { number, fault, onset, up, routers: Vec::new(), missing: 0 });
        self.schedule_fault(self.now.saturating_add(delay), Event::Routes(number));
    }

    /// A change has become known everywhere: its routes are computed.
    #[cold]
    pub(super) fn routes_event(&mut self, number: u32) {
        let Some(convergence) = &mut self.faults.convergence else { return };
        let Convergence { graph, addresses, routing, batches, chance, .. } = convergence;
        let Some(batch) = batches.iter_mut().find(|batch| batch.number == number) else { return };
        let up = &batch.up;
        let routers = route(graph, addresses, |egress: Egress| up[egress.index()]);
        batch.routers = routers.into_iter().map(Some).collect();
        batch.missing = batch.routers.len();
        let stagger = routing.stagger.as_nanos();
        let mut delays = vec![Span::ZERO; batch.routers.len()];
        for node in graph.nodes().filter(|&node| stagger > 0 && graph.role(node) == Role::Router) {
            let seed = self.seed;
            let rng = chance[node.index()]
                .get_or_insert_with(|| Rng::stream(seed, &format!("router/{}/convergence", graph.name(node))));
            delays[node.index()] = Span::from_nanos(rng.below(stagger.saturating_add(1)));
        }
        for (node, delay) in (0u32..).zip(delays) {
            if delay.is_zero() {
                self.use_routes(node, number);
            } else {
                self.schedule(node, self.now.saturating_add(delay), Event::Install { node, batch: number });
            }
        }
    }

    /// A machine uses new routes, unless it uses newer ones already.
    pub(super) fn use_routes(&mut self, node: u32, number: u32) {
        let Some(convergence) = &mut self.faults.convergence else { return };
        let Some(at) = convergence.batches.iter().position(|batch| batch.number == number) else { return };
        let batch = &mut convergence.batches[at];
        let used = &mut convergence.used[node as usize];
        if let Some(router) = batch.routers[node as usize].take()
            && *used < number
        {
            *used = number;
            self.nodes[node as usize].router = router;
        }
        batch.missing -= 1;
        if batch.missing == 0 {
            let Batch { fault, onset, .. } = convergence.batches.remove(at);
            self.trace.record(Record::Rerouted(Rerouted { fault, time: self.now, onset }));
        }
    }
}
