//! Routing follows the topology: some time after a link or router fails or comes back, routers use other routes.
//!
//! A change is a link or router that fails or comes back, or a machine that announces a shared address or withdraws it: by its own
//! decision, or because it crashed and so did the speaker on it, or because no link of it works. At the instant of a change routers begin to tell each other what is up now; when that has had its time, the routes for it are
//! computed, and each router uses them a little later by its own chance. In between packets go astray as they do outside: into the
//! break, or to and fro between routers that do not agree yet, until their TTL ends.

use super::ways::Ways;
use super::{Event, World, detour};
use crate::base::{Rng, Span, Time};
use crate::ip::{AddressPlan, Announced, Router, route_announced};
use crate::topo::{Egress, Graph, LinkId, NodeId, Role};
use crate::trace::{Announcement, Record, Rerouted};
use std::net::Ipv4Addr;

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
    /// The fault that called for them, if it was one.
    fault: Option<u32>,
    onset: bool,
    /// Whether they lead anything around what has failed.
    around: bool,
    up: Vec<bool>,
    announced: Announced,
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
    /// Who announced what at the last change.
    announced: Announced,
    /// Who does now.
    announcing: Announced,
    /// Whom routers heard at the last change: who announced and had a link.
    heard: Announced,
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
        let announced = Announced::everywhere(&addresses);
        Self {
            graph,
            addresses,
            routing,
            up,
            announcing: announced.clone(),
            heard: announced.clone(),
            announced,
            batches: Vec::new(),
            made: 0,
            last: None,
            used,
            chance,
        }
    }

    /// A machine announces a shared address, or all of its own, or does not any more.
    fn announce(&mut self, node: u32, address: Option<Ipv4Addr>, on: bool) {
        let machine = NodeId::first(node);
        for (group, anycast) in self.addresses.anycast().iter().enumerate() {
            let this = address.is_none_or(|address| self.addresses.address(anycast.node) == address);
            let place = anycast.members.iter().position(|&member| member == machine).filter(|_| this);
            if let Some(place) = place {
                self.announcing.set(group, place, on);
            }
        }
    }

    /// Whom routers hear now and did not before, or the other way round, as part of the latest change.
    fn news(&mut self, time: Time) -> Vec<Announcement> {
        let number = |node: NodeId| u32::try_from(node.index()).expect("nodes are counted in 32 bits");
        let Self { graph, up, announcing, heard, made, .. } = self;
        let mut news = Vec::new();
        for (group, anycast) in self.addresses.anycast().iter().enumerate() {
            let first = news.len();
            for (place, &member) in anycast.members.iter().enumerate() {
                let linked = graph.neighbours(member).any(|next| up[next.egress.index()]);
                let on = announcing.is(group, place) && linked;
                if heard.set(group, place, on) {
                    let (address, node) = (number(anycast.node), number(member));
                    news.push(Announcement { time, address, node, on, others: false, change: *made });
                }
            }
            for told in &mut news[first..] {
                let others = anycast.members.iter().enumerate().filter(|&(_, &member)| number(member) != told.node);
                told.others = others.into_iter().any(|(place, _)| heard.is(group, place));
            }
        }
        news
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
    /// A program announces a shared address of its machine, or withdraws it.
    pub(super) fn announce(&mut self, node: u32, address: Ipv4Addr, on: bool) {
        if let Some(convergence) = &mut self.faults.convergence {
            convergence.announce(node, Some(address), on);
            self.topology_changed(None, !on);
        }
    }

    /// A machine has crashed, and with it whatever spoke to routers on it.
    pub(super) fn withdraw_all(&mut self, node: u32) {
        if let Some(convergence) = &mut self.faults.convergence {
            convergence.announce(node, None, false);
        }
    }

    /// Something may have failed or come back, or be announced or withdrawn: if so, routers get to know.
    pub(super) fn topology_changed(&mut self, fault: Option<u32>, onset: bool) {
        let Some(convergence) = &mut self.faults.convergence else { return };
        // A link is used if both directions work: routers keep no neighbour whose greetings do not come (RFC 2328 10.5).
        let works = |direction: usize| {
            let both = [&self.directions[direction].link, &self.directions[direction ^ 1].link];
            !both.iter().any(|link| link.is_down())
        };
        let up: Vec<bool> = (0..self.directions.len()).map(works).collect();
        if up == convergence.up && convergence.announcing == convergence.announced {
            return;
        }
        let failed = |link: &LinkId| {
            let way = Egress::forward(*link).index();
            convergence.up[way] && !up[way]
        };
        let lost: Vec<LinkId> = convergence.graph.links().filter(failed).collect();
        convergence.up.clone_from(&up);
        convergence.announced.clone_from(&convergence.announcing);
        convergence.made += 1;
        convergence.last = fault.or(convergence.last);
        let (number, delay) = (convergence.made, convergence.routing.reconverge);
        let news = convergence.news(self.now);
        let around = news.iter().any(|told| !told.on && told.others) || {
            let works = |way: Egress| up[way.index()];
            let down = |node: NodeId| self.faults.down.iter().any(|&(down, _)| down as usize == node.index());
            detour::exists(&convergence.graph, works, down, &lost)
        };
        news.into_iter().for_each(|told| self.trace.record(Record::Announcement(told)));
        let announced = convergence.announced.clone();
        convergence.batches.push(Batch {
            number,
            fault,
            onset,
            around,
            up,
            announced,
            routers: Vec::new(),
            missing: 0,
        });
        self.schedule_fault(self.now.saturating_add(delay), Event::Routes(number));
    }

    /// A change has become known everywhere: its routes are computed.
    #[cold]
    pub(super) fn routes_event(&mut self, number: u32) {
        let Some(convergence) = &mut self.faults.convergence else { return };
        let Convergence { graph, addresses, routing, batches, chance, .. } = convergence;
        let Some(batch) = batches.iter_mut().find(|batch| batch.number == number) else { return };
        let up = &batch.up;
        let routers = route_announced(graph, addresses, |egress: Egress| up[egress.index()], &batch.announced);
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
            let machine = &mut self.nodes[node as usize].router;
            let source = machine.source();
            *machine = router;
            machine.speak_from(source);
            // What it did with its old routes is of no more use.
            self.directions.iter_mut().filter(|end| end.to == node).for_each(|end| end.ways = Ways::NONE);
        }
        batch.missing -= 1;
        if batch.missing == 0 {
            let Batch { fault, onset, around, .. } = convergence.batches.remove(at);
            self.trace.record(Record::Rerouted(Rerouted { change: number, fault, time: self.now, onset, around }));
        }
    }
}
