//! Faults strike and heal: the world changes links and machines when its timetables say so.

use super::{Event, World};
use crate::base::{Span, Time};
use crate::engine::Key;
use crate::fault::{AT_RECEIVER, AT_SENDER, DnsTrouble, Effect, Fault, Manner, Timetable};
use crate::host::{Condition, Dns};
use crate::ip::AddressPlan;
use crate::link::{Changed, Link, Trouble};
use crate::topo::{Egress, Graph, NodeId, Role};
use crate::trace::{Cause, FaultChange, Lost, Mask, Notice, PacketEvent, Record};

use super::blueprint::Blueprint;
use super::converge::{Convergence, Routing};
use super::pool::PacketId;

/// A fault of this run, and whether it lasts.
pub(super) struct Standing {
    pub(super) fault: Fault,
    timetable: Timetable,
    lasts: bool,
    strikes: u32,
}

/// All faults of a run.
#[derive(Default)]
pub(super) struct Faults {
    pub(super) standing: Vec<Standing>,
    /// How routing follows.
    pub(super) convergence: Option<Convergence>,
    /// The number under which their events stand in the order of sources: behind all nodes and links.
    pub(super) source: u32,
    pub(super) events: u32,
    /// Faults that keep each machine down, of those that do.
    pub(super) down: Vec<(u32, u32)>,
}

impl World {
    /// Has faults happen in this world, which is at time zero, and routing follow them and what machines announce.
    pub fn break_by(&mut self, faults: Vec<Fault>, blueprint: &Blueprint, addresses: &AddressPlan, routing: Routing) {
        if faults.is_empty() && addresses.anycast().is_empty() {
            return;
        }
        let graph = blueprint.graph();
        for fault in &faults {
            for egress in struck(fault, graph) {
                let direction = &mut self.directions[egress.index()];
                let name = super::build::direction_name(graph, egress);
                direction.link = Link::faulty(blueprint.direction(egress), self.seed, &name);
            }
        }
        let source = self.nodes.len() + self.directions.len();
        self.faults.source = u32::try_from(source).expect("nodes and links are counted in 32 bits");
        self.faults.convergence = Some(Convergence::new(graph.clone(), addresses.clone(), routing));
        for (index, fault) in (0u32..).zip(faults) {
            let timetable = Timetable::new(fault.schedule, self.seed, &fault.name);
            self.faults.standing.push(Standing { fault, timetable, lasts: false, strikes: 0 });
            self.expect_fault(index);
        }
    }

    /// Puts the next instant of a fault into the queue of events.
    fn expect_fault(&mut self, index: u32) {
        if let Some(time) = self.faults.standing[index as usize].timetable.advance() {
            self.schedule_fault(time, Event::Fault(index));
        }
    }

    /// Schedules an event that belongs to no machine.
    pub(super) fn schedule_fault(&mut self, time: Time, event: Event) {
        self.faults.events += 1;
        self.queue.push(Key::new(time.max(self.now), self.faults.source, self.faults.events), event);
    }

    /// A fault strikes, or is over.
    #[cold]
    pub(super) fn fault_event(&mut self, index: u32) {
        let standing = &mut self.faults.standing[index as usize];
        standing.lasts = !standing.lasts;
        let strikes = standing.lasts;
        standing.strikes += u32::from(strikes);
        let label = format!("fault/{}/{}", standing.fault.name, standing.strikes);
        let effects = standing.fault.effects.clone();
        self.trace.record(Record::Fault(FaultChange { fault: index, time: self.now, strikes }));
        for effect in &effects {
            if strikes {
                self.strike(index, &label, effect);
            } else {
                self.heal(index, effect);
            }
        }
        self.look_at_carriers(index);
        self.topology_changed(Some(index), strikes);
        self.expect_fault(index);
    }

    fn strike(&mut self, fault: u32, label: &str, effect: &Effect) {
        match effect {
            Effect::Link { direction, trouble } => self.strike_link(*direction, (fault, label), trouble),
            Effect::Block { direction, from, to } => {
                let addresses = |nodes: &[u32]| {
                    let of = |&node: &u32| {
                        let router = &self.nodes[node as usize].router;
                        std::iter::once(router.address()).chain(router.shared().iter().copied())
                    };
                    let mut all: Vec<_> = nodes.iter().flat_map(of).collect();
                    all.sort_unstable();
                    all
                };
                let trouble = Trouble::Block { from: addresses(from), to: addresses(to) };
                self.strike_link(*direction, (fault, label), &trouble);
            }
            Effect::Crash { node, manner } => {
                self.faults.down.push((*node, fault));
                self.withdraw_all(*node);
                if *manner == Manner::Reset {
                    self.reset_connections(*node);
                } else {
                    self.power_off(*node, fault, label);
                }
                self.stop_programs(*node);
            }
            Effect::Slow { .. } | Effect::Dns { .. } => self.ail(effect, true),
        }
    }

    fn heal(&mut self, fault: u32, effect: &Effect) {
        match effect {
            Effect::Link { direction, .. } | Effect::Block { direction, .. } => self.heal_link(*direction, fault),
            Effect::Crash { node, manner } => {
                if *manner == Manner::Silence {
                    for (out, back) in self.adjacent(*node) {
                        self.heal_link(out, fault);
                        self.heal_link(back, fault);
                    }
                }
                self.faults.down.retain(|&down| down != (*node, fault));
                if !self.is_down(*node) {
                    self.start_programs(*node);
                }
            }
            Effect::Slow { .. } | Effect::Dns { .. } => self.ail(effect, false),
        }
    }

    /// Whether a crash lasts on the machine.
    pub(super) fn is_down(&self, node: u32) -> bool {
        self.faults.down.iter().any(|&(down, _)| down == node)
    }

    fn strike_link(&mut self, direction: u32, fault: (u32, &str), trouble: &Trouble) {
        let now = self.now;
        let changed = self.directions[direction as usize].link.strike(fault, trouble, now);
        self.link_changed(direction, &changed);
    }

    fn heal_link(&mut self, direction: u32, fault: u32) {
        let now = self.now;
        let changed = self.directions[direction as usize].link.heal(fault, now);
        self.link_changed(direction, &changed);
    }

    /// Packets take another time over a link than was thought when they were offered.
    fn link_changed(&mut self, direction: u32, changed: &[Changed<PacketId>]) {
        for change in changed {
            let transit = &mut self.packets.sized_mut(change.packet).0.transit;
            let (before, after) = (change.before, change.after);
            let put_right = |spent: &mut Span, before, after| *spent = *spent + after - before;
            put_right(&mut transit.serialisation, before.serialisation, after.serialisation);
            put_right(&mut transit.queueing, before.queueing, after.queueing);
            put_right(&mut transit.propagation, before.propagation, after.propagation);
        }
        self.wake_link(direction);
    }

    /// Waits for what the link waits for.
    fn wake_link(&mut self, direction: u32) {
        match self.directions[direction as usize].link.wake() {
            Some(time) => self.arrivals.set(direction, time.max(self.now)),
            None => self.arrivals.clear(direction),
        }
    }

    /// The link directions from and to a machine, in pairs.
    fn adjacent(&self, node: u32) -> Vec<(u32, u32)> {
        let graph = self.faults.convergence.as_ref().map(Convergence::graph);
        let neighbours = graph.into_iter().flat_map(|graph| graph.neighbours(NodeId::first(node)));
        neighbours.map(|next| (next.egress.number(), next.egress.reversed().number())).collect()
    }

    /// A machine is without power: what it had not sent yet is gone, and what reaches it is.
    fn power_off(&mut self, node: u32, fault: u32, label: &str) {
        let seen = self.nodes[node as usize].router.role() == Role::Router;
        for (out, back) in self.adjacent(node) {
            self.strike_link(out, (fault, label), &Trouble::Break { at: AT_SENDER, seen });
            self.strike_link(back, (fault, label), &Trouble::Break { at: AT_RECEIVER, seen });
            for packet in self.directions[out as usize].link.lose_waiting(self.now) {
                self.note(node, Some(out), PacketEvent::Dropped(Cause::Down), packet);
                self.note_lost(fault, packet, Cause::Down);
                self.packets.free(packet);
            }
            self.wake_link(out);
        }
    }

    /// What ails a machine, or ails it no longer. Where two faults disagree, the one that came last decides until it is over.
    fn ail(&mut self, effect: &Effect, strikes: bool) {
        let (Effect::Slow { node, .. } | Effect::Dns { node, .. }) = effect else { return };
        let host = &self.nodes[*node as usize].stack.host;
        let (mut condition, well) = (host.condition(), Condition::default());
        match *effect {
            Effect::Slow { hundredths, .. } => condition.slowness = if strikes { hundredths } else { well.slowness },
            Effect::Dns { trouble: DnsTrouble::Ttl(ttl), .. } => condition.ttl = strikes.then_some(ttl),
            Effect::Dns { trouble, .. } => {
                condition.dns = match trouble {
                    _ if !strikes => well.dns,
                    DnsTrouble::Silent => Dns::Silent,
                    DnsTrouble::ServFail => Dns::ServFail,
                    _ => Dns::Stale,
                };
            }
            _ => {}
        }
        host.set_condition(condition);
    }

    /// Tells the observers of a packet lost to a fault.
    pub(super) fn note_lost(&mut self, fault: u32, packet: PacketId, cause: Cause) {
        if self.trace.wants(Mask::TRAFFIC) {
            let flow = self.packets.sized_mut(packet).0.transit.flow;
            self.trace.record(Record::Lost(Lost { fault, time: self.now, flow, cause }));
        }
    }

    /// The same, if the link that has dropped it says that a fault did.
    pub(super) fn note_if_lost(&mut self, direction: u32, packet: PacketId, cause: Cause) {
        if let Some(fault) = self.directions[direction as usize].link.culprit() {
            self.note_lost(fault, packet, cause);
        }
    }

    /// Tells the observers that a machine has evidence of a fault, in runs that have any.
    pub(super) fn notice(&mut self, notice: Notice) {
        if !self.faults.standing.is_empty() {
            self.trace.record(Record::Notice(notice));
        }
    }
}

/// The link directions that a fault changes.
fn struck(fault: &Fault, graph: &Graph) -> Vec<Egress> {
    let mut all = Vec::new();
    for effect in &fault.effects {
        match effect {
            Effect::Link { direction, .. } | Effect::Block { direction, .. } => {
                all.push(Egress::from_number(*direction));
            }
            Effect::Crash { node, .. } => {
                let around = graph.neighbours(NodeId::first(*node));
                all.extend(around.flat_map(|next| [next.egress, next.egress.reversed()]));
            }
            Effect::Slow { .. } | Effect::Dns { .. } => {}
        }
    }
    all
}
