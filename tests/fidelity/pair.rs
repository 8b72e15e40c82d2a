//! Two connections and the link between them, nothing else: where a test chooses which packets are lost and sees each one.

use lightlag::base::{Rng, Span, Time};
use lightlag::transport::tcp::{self, Connection, Event, State, Wake};
use lightlag::wire::{Flags, Segment, Seq, Transit};
use std::collections::VecDeque;
use std::net::Ipv4Addr;

/// Index of the client in [`Pair::ends`].
pub const CLIENT: usize = 0;
/// Index of the server.
pub const SERVER: usize = 1;

/// A packet that an end has sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// When.
    pub at: Time,
    /// By which end.
    pub from: usize,
    /// First sequence number, counted from the end's first (SYN is 0).
    pub seq: u32,
    /// Payload bytes.
    pub len: u32,
    /// What it acknowledges, counted from the other end's first sequence number.
    #[cfg(test)]
    pub ack: u32,
    /// Window field.
    #[cfg(test)]
    pub window: u16,
    /// Flags.
    pub flags: Flags,
    /// Whether its payload or SYN or FIN had been sent before.
    pub again: bool,
    /// Whether the link lost it.
    pub lost: bool,
}

/// Which packets are lost.
pub type Fate = Box<dyn FnMut(&Sent) -> bool>;

/// The path: 100 Mbit/s each way, a drop-tail queue of one bandwidth-delay product but at least 20 packets.
pub struct Pair {
    pub now: Time,
    pub ends: [Option<Connection>; 2],
    pub log: Vec<Sent>,
    pub events: Vec<(Time, usize, Event)>,
    config: [tcp::Config; 2],
    keeps_log: bool,
    fate: Fate,
    one_way: Span,
    queue: u64,
    busy: [Time; 2],
    under_way: [VecDeque<(Time, Segment, Transit)>; 2],
    highest: [u32; 2],
}

const ISS: [u32; 2] = [1_000_000, 4_294_000_000];

impl Pair {
    /// A client that is about to send its SYN.
    pub fn new(config: &tcp::Config, rtt: Span, fate: Fate) -> Self {
        let now = Time::ZERO + Span::from_millis(7);
        let (client, server) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
        let connection = Connection::connect(config, (client, 40_000), (server, 80), Seq(ISS[0]), now);
        let mut pair = Self {
            now,
            ends: [Some(connection), None],
            log: Vec::new(),
            events: Vec::new(),
            config: [config.clone(), config.clone()],
            keeps_log: true,
            fate,
            one_way: rtt / 2,
            queue: (rtt.as_micros() * 125 / 10).max(30_000),
            busy: [Time::ZERO; 2],
            under_way: [VecDeque::new(), VecDeque::new()],
            highest: [0; 2],
        };
        pair.settle();
        pair
    }

    /// Keeps no log of packets.
    pub fn without_log(mut self) -> Self {
        self.keeps_log = false;
        self
    }

    /// The loss of the measurements: each packet to the client with probability `p`.
    pub fn random(p: f64, seed: u64) -> Fate {
        let mut rng = Rng::stream(seed, "test/fidelity/loss");
        Box::new(move |sent| sent.from == SERVER && rng.chance(p))
    }

    /// An end that exists.
    pub fn end(&mut self, index: usize) -> &mut Connection {
        self.ends[index].as_mut().expect("the server exists once a SYN has arrived")
    }

    /// Whether an end is established.
    pub fn established(&self, index: usize) -> bool {
        self.ends[index].as_ref().is_some_and(|end| end.state() >= State::Established)
    }

    /// The next instant at which anything happens.
    fn next(&self) -> Time {
        let mut next = Time::NEVER;
        for end in self.ends.iter().flatten() {
            next = next.min(match end.wake() {
                Wake::Now => self.now,
                Wake::At(at) => at,
                Wake::OnInput => Time::NEVER,
            });
        }
        for queue in &self.under_way {
            if let Some(first) = queue.front() {
                next = next.min(first.0);
            }
        }
        next
    }

    /// Lets one thing happen, but not after `limit`; false if there was none before.
    pub fn step(&mut self, limit: Time) -> bool {
        let next = self.next();
        if next > limit {
            self.now = self.now.max(limit);
            return false;
        }
        self.now = self.now.max(next);
        let mut arrived = false;
        for to in [CLIENT, SERVER] {
            if self.under_way[to].front().is_some_and(|first| first.0 <= self.now)
                && let Some((_, segment, transit)) = self.under_way[to].pop_front()
            {
                self.deliver(to, segment, &transit);
                arrived = true;
                break;
            }
        }
        if !arrived {
            for end in self.ends.iter_mut().flatten() {
                end.handle_wake(self.now);
            }
        }
        self.settle();
        true
    }

    fn deliver(&mut self, to: usize, mut segment: Segment, transit: &Transit) {
        let now = self.now;
        if let Some(end) = &mut self.ends[to] {
            end.handle_segment(&mut segment, transit, lightlag::wire::Ecn::NotCapable, now);
        } else if segment.flags.has(Flags::SYN) {
            let (client, server) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
            let (own, peer, iss) = ((server, 80), (client, 40_000), Seq(ISS[1]));
            self.ends[to] = Some(Connection::accept(&self.config[to], own, peer, iss, &segment, now));
        }
    }

    /// Sends everything that may be sent, and collects events.
    pub fn settle(&mut self) {
        for from in [CLIENT, SERVER] {
            loop {
                let now = self.now;
                let Some(end) = &mut self.ends[from] else { break };
                let Some(transmit) = end.poll_transmit(now) else { break };
                self.send(from, transmit);
            }
            if let Some(end) = &mut self.ends[from] {
                while let Some(event) = end.poll_event() {
                    self.events.push((self.now, from, event));
                }
            }
        }
    }

    fn send(&mut self, from: usize, transmit: tcp::Transmit) {
        let segment = transmit.segment;
        let bytes = u64::from(segment.wire_len()) + 20;
        let seq = segment.seq - Seq(ISS[from]);
        let end = seq + segment.seq_len();
        let again = segment.seq_len() > 0 && seq < self.highest[from];
        self.highest[from] = self.highest[from].max(end);
        let (len, flags) = (segment.payload.len() as u32, segment.flags);
        let mut sent = Sent {
            at: self.now,
            from,
            seq,
            len,
            #[cfg(test)]
            ack: segment.ack - Seq(ISS[1 - from]),
            #[cfg(test)]
            window: segment.window,
            flags,
            again,
            lost: false,
        };
        let waiting = self.busy[from].since(self.now);
        let full = waiting.as_nanos() / 80 + bytes > self.queue;
        if full {
            sent.lost = true;
        } else {
            let serialisation = Span::from_nanos(bytes * 80);
            self.busy[from] = self.busy[from].max(self.now) + serialisation;
            sent.lost = (self.fate)(&sent);
            if !sent.lost {
                let transit = Transit {
                    flow: 0,
                    first_sent: transmit.first_sent,
                    sent: self.now,
                    serialisation,
                    queueing: waiting,
                    propagation: self.one_way,
                };
                self.under_way[1 - from].push_back((self.busy[from] + self.one_way, segment, transit));
            }
        }
        if self.keeps_log {
            self.log.push(sent);
        }
    }
}
