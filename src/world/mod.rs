//! All state of one run, and the one `match` that moves it.
//!
//! The world owns the machines of every storey below and is the only one who knows them all: it carries packets between
//! links, routers and transports, answers the calls of programs, and schedules every event.

mod blueprint;
mod build;
mod calls;
mod converge;
mod crash;
mod detour;
mod dispatch;
mod fault;
mod node;
mod pool;
mod quic;
mod roam;
mod scheduled;
mod sockets;
mod steer;
mod tcp;
mod udp;
mod ways;

pub use blueprint::{Blueprint, Layout};
pub use converge::Routing;

use crate::base::{Arena, Digest, Id, Span, Time};
use crate::engine::{Due, Key, Queue, Wheel};
use crate::host::{Executor, Ticker, Ticket};
use crate::link::{Counters, Link};
use crate::trace::{Cause, Trace};
use node::Node;
use pool::{PacketId, Pool};
use quic::{QuicConnection, QuicListener, QuicStream};
use sockets::{Connection, Datagrams, Listener};
use ways::Ways;

/// Something that will happen.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// A connection may want to be woken.
    Connection(Id<Connection>),
    /// A QUIC connection may want to be woken.
    Quic(Id<QuicConnection>),
    /// A program's sleep ends.
    Timer(Ticket),
    /// A program's function is to be called.
    Tick { node: u32, ticker: Id<Ticker> },
    /// A packet that a machine sent to itself.
    Loopback { node: u32, packet: PacketId },
    /// A fault strikes or is over.
    Fault(u32),
    /// A change of the topology has become known: its routes are computed.
    Routes(u32),
    /// The carrier of a machine's links has changed some time ago: it looks at them.
    Carrier { node: u32, fault: u32 },
    /// A machine uses new routes.
    Install { node: u32, batch: u32 },
}

/// One direction of a link, whose queue it is and where it leads.
struct Direction {
    link: Link<PacketId>,
    /// What the digest is told of an event at its end. Nodes come before directions in the order of sources.
    origin: u64,
    from: u32,
    to: u32,
    /// Where the machine at its end sends packets on.
    ways: Ways,
}

/// What became of all packets so far.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Packets that hosts and routers have made.
    pub sent: u64,
    /// Of those, TCP segments sent again, in whole or in part: data, SYN or FIN.
    pub retransmitted: u64,
    /// QUIC datagrams that carried bytes of a stream or of the handshake again.
    pub quic_retransmitted: u64,
    /// Copies that links have made besides.
    pub duplicated: u64,
    /// Packets that a host took in.
    pub delivered: u64,
    /// Packets dropped, on links and at nodes, by cause in the order of [`Cause::ALL`].
    pub dropped: [u64; Cause::ALL.len()],
    /// Packets on their way.
    pub in_flight: u64,
}

impl Tally {
    /// Whether every packet is accounted for.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.sent + self.duplicated == self.delivered + self.dropped.iter().sum::<u64>() + self.in_flight
    }
}

/// One run under way.
pub struct World {
    now: Time,
    seed: u64,
    /// What happens at nodes.
    queue: Queue<Event>,
    /// When the next packet comes out of each link direction.
    arrivals: Wheel,
    nodes: Vec<Node>,
    directions: Vec<Direction>,
    packets: Pool,
    connections: Arena<Connection>,
    listeners: Arena<Listener>,
    datagrams: Arena<Datagrams>,
    quic: Arena<QuicConnection>,
    quic_streams: Arena<QuicStream>,
    quic_listeners: Arena<QuicListener>,
    executor: Executor,
    trace: Trace,
    digest: Digest,
    events: u64,
    /// Events that brought no packet to the end of a link.
    other_events: u64,
    /// Events left of those that the caller waits for.
    left: u32,
    tally: Tally,
    /// Whether a program may have been woken since programs last ran.
    answered: bool,
    /// What runs on each machine whenever it starts.
    programs: Vec<Vec<crash::Program>>,
    faults: fault::Faults,
    /// Hosts with several addresses.
    roamers: Vec<roam::Roamer>,
}

impl World {
    /// The instant reached.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.now
    }

    /// Events so far.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// Packets that have crossed a link so far, lost ones included.
    #[must_use]
    pub const fn hops(&self) -> u64 {
        self.events - self.other_events
    }

    /// The fingerprint of everything that has happened so far.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// What became of all packets so far. A datagram that a host took in and had no use for counts as dropped.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let mut tally = self.tally.clone();
        tally.in_flight = self.packets.in_flight();
        for direction in &self.directions {
            let counters = direction.link.counters();
            tally.duplicated += counters.duplicated;
            for (sum, count) in tally.dropped.iter_mut().zip(counters.dropped) {
                *sum += count;
            }
        }
        tally
    }

    /// Packets dropped at a node (its number in the plan), by cause in the order of [`Cause::ALL`].
    #[must_use]
    pub fn node_drops(&self, node: u32) -> &[u64; Cause::ALL.len()] {
        &self.nodes[node as usize].dropped
    }

    /// What one link direction (its number in the plan) has carried so far.
    #[must_use]
    pub fn link(&self, direction: u32) -> Counters {
        self.directions[direction as usize].link.counters()
    }

    /// Records that wait to be read.
    pub fn trace(&mut self) -> &mut Trace {
        self.executor.take_records(self.trace.records());
        &mut self.trace
    }

    /// Moves the world through at most `budget` events up to and including `until`. False when nothing is left to do
    /// until then.
    pub fn advance(&mut self, until: Time, budget: u32) -> bool {
        if self.answered || self.events == 0 {
            self.settle();
        }
        self.queue.set_horizon(until.saturating_add(Span::from_nanos(1)));
        self.left = budget;
        while self.left > 0 {
            // At equal times nodes come before links.
            if let Some(Due { time, lane }) = self.arrivals.pop(self.queue.next_time()) {
                self.link_event(lane, time);
            } else if let Some((key, event)) = self.queue.pop() {
                self.node_event(key, event);
            } else {
                break;
            }
            self.left -= 1;
        }
        self.events += u64::from(budget - self.left);
        self.left == 0
    }

    /// Makes the instant `until` the present, after everything up to it has happened.
    pub fn finish(&mut self, until: Time) {
        if self.now < until && !(self.queue.is_empty() && self.arrivals.is_empty()) {
            self.now = until;
        }
    }

    /// Schedules an event of `node` at `time`.
    fn schedule(&mut self, node: u32, time: Time, event: Event) {
        let counter = &mut self.nodes[node as usize].events;
        *counter = counter.wrapping_add(1);
        // Nodes come before link directions in the order of sources.
        let key = Key::new(time, node, *counter);
        self.queue.push(key, event);
    }
}

#[cfg(test)]
mod tests;
