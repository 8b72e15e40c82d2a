//! Two ends and a channel of constant delay with vices.

use super::super::{Accepting, Config, Connection, Event, ID_LEN, Opening, Reason, Secrets, Ticket, Wake, chain};
use crate::base::{Rng, Span, Time};
use crate::trace::Arrival;
use crate::wire::quic::{self, Frame, Header, Item, LongKind, Packet, StreamId};
use crate::wire::{self, Body, Datagram, Ecn, Payload, Transit, codec};
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::rc::Rc;

pub(super) const MS: fn(u64) -> Span = Span::from_millis;
pub(super) const CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 1000);
pub(super) const SERVER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 2), 443);

/// What a channel does to each datagram, each with this probability.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Vices {
    pub(super) loss: f64,
    pub(super) doubling: f64,
    pub(super) reordering: f64,
    /// One bit flips: the checksum must notice.
    pub(super) corruption: f64,
}

struct Flying {
    due: Time,
    to: usize,
    from: SocketAddrV4,
    /// The place of its original among all that was sent; copies share it.
    sent_as: u64,
    payload: Payload,
    transit: Transit,
    ecn: Ecn,
}

/// A datagram that was sent.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) at: Time,
    pub(super) from: usize,
    pub(super) len: u64,
    pub(super) ecn: Ecn,
    pub(super) packets: Vec<Packet>,
}

impl Seen {
    pub(super) fn frames(&self) -> impl Iterator<Item = &Frame> {
        self.packets.iter().flat_map(|packet| packet.frames.iter())
    }

    pub(super) fn has_initial(&self) -> bool {
        self.packets.iter().any(|packet| matches!(packet.header, Header::Long { kind: LongKind::Initial { .. }, .. }))
    }
}

pub(super) struct Channel {
    pub(super) start: Time,
    pub(super) now: Time,
    pub(super) ends: [Option<Connection>; 2],
    config: Rc<Config>,
    accepting: Accepting,
    flying: Vec<Flying>,
    pub(super) sent: Vec<Seen>,
    pub(super) events: Vec<(Time, usize, Event)>,
    pub(super) delay: Span,
    pub(super) vices: Vices,
    /// Drops the datagram of this number, counted from the last `clear`.
    pub(super) drop: Box<dyn FnMut(&Seen) -> bool>,
    /// What arrives of a datagram's ECN bits.
    pub(super) remark: Box<dyn FnMut(&Seen) -> Ecn>,
    pub(super) client: SocketAddrV4,
    /// When each end last got a datagram that it had not got before and for which it certainly had the keys.
    pub(super) heard: [Time; 2],
    delivered: BTreeSet<u64>,
    sent_total: u64,
    rng: Rng,
}

/// As bytes on a wire and back the datagram is the same; with one bit flipped, wherever, it is none.
fn assert_corruption_is_noticed([src, dst]: [SocketAddrV4; 2], payload: &Payload, random: u64) {
    let datagram = Datagram { src_port: src.port(), dst_port: dst.port(), payload: payload.clone() };
    let packet = wire::Packet {
        src: *src.ip(),
        dst: *dst.ip(),
        ttl: 64,
        dscp: wire::Dscp::DEFAULT,
        ecn: Ecn::NotCapable,
        ident: 1,
        body: Body::Udp(datagram),
        transit: Transit::default(),
    };
    let mut bytes = Vec::new();
    codec::encode(&packet, &mut bytes).expect("a datagram fits into a packet");
    let whole = codec::decode(&bytes).expect("what was encoded can be decoded");
    let Body::Udp(again) = &whole.body else { panic!("{whole:?} is no datagram") };
    assert_eq!(again.payload.to_vec(), payload.to_vec());
    let bit = usize::try_from(random % (bytes.len() as u64 * 8)).expect("a packet is small");
    bytes[bit / 8] ^= 1 << (bit % 8);
    assert!(codec::decode(&bytes).is_err(), "bit {bit} of {packet:?}");
}

impl Channel {
    pub(super) fn new(config: Config, delay: Span, ticket: Option<Ticket>, seed: u64) -> Self {
        let now = Time::from_nanos(1_000_000_000);
        let config = Rc::new(config);
        let alpn = vec![bytes::Bytes::from_static(b"h3")];
        let opening = Opening { server_name: Some("shop.example".into()), alpn: alpn.clone(), ticket };
        let secrets = Secrets { host: 1, connection: seed };
        let client = Connection::connect(&config, opening, SERVER, secrets, now);
        let accepting = Accepting { alpn, chain: chain("shop.example", config.certificate_chain) };
        Self {
            start: now,
            now,
            ends: [Some(client), None],
            config,
            accepting,
            flying: Vec::new(),
            sent: Vec::new(),
            events: Vec::new(),
            delay,
            vices: Vices::default(),
            drop: Box::new(|_| false),
            remark: Box::new(|seen| seen.ecn),
            client: CLIENT,
            heard: [now; 2],
            delivered: BTreeSet::new(),
            sent_total: 0,
            rng: Rng::stream(seed, "test/quic/channel"),
        }
    }

    /// A connection whose handshake is over and confirmed, with nothing in flight.
    pub(super) fn open(config: Config, delay: Span) -> Self {
        let mut channel = Self::new(config, delay, None, 1);
        channel.run(MS(100) + delay * 6);
        assert!(channel.end(0).is_connected() && channel.end(1).is_connected());
        channel.clear();
        channel
    }

    pub(super) fn clear(&mut self) {
        self.sent.clear();
        self.events.clear();
        self.start = self.now;
    }

    pub(super) fn end(&mut self, index: usize) -> &mut Connection {
        self.ends[index].as_mut().expect("the end exists")
    }

    pub(super) fn write(&mut self, index: usize, id: StreamId, payload: Payload) {
        let rest = self.end(index).write(id, payload);
        assert!(rest.is_empty(), "the buffer has room");
        self.flush();
    }

    fn flush(&mut self) {
        for from in 0..2 {
            let Some(end) = &mut self.ends[from] else { continue };
            while let Some(transmit) = end.poll_transmit(self.now) {
                end.check();
                let (items, decoded) = quic::decode(&transmit.payload, ID_LEN);
                assert_eq!(decoded, Ok(()));
                let packets = items.into_iter().filter_map(|item| match item {
                    Item::Packet(packet) => Some(packet),
                    _ => None,
                });
                let len = transmit.payload.len();
                let seen = Seen { at: self.now, from, len, ecn: transmit.ecn, packets: packets.collect() };
                let ecn = (self.remark)(&seen);
                let dropped = (self.drop)(&seen);
                self.sent.push(seen);
                self.sent_total += 1;
                for _ in 0..=u32::from(self.rng.chance(self.vices.doubling)) {
                    if dropped || self.rng.chance(self.vices.loss) {
                        continue;
                    }
                    if self.rng.chance(self.vices.corruption) {
                        let (client, bit) = (self.client, self.rng.bits());
                        let way = if from == 0 { [client, SERVER] } else { [SERVER, client] };
                        assert_corruption_is_noticed(way, &transmit.payload, bit);
                        continue;
                    }
                    let mut delay = self.delay;
                    if self.rng.chance(self.vices.reordering) {
                        delay += Span::from_micros(self.rng.below(30_000));
                    }
                    self.flying.push(Flying {
                        due: self.now + delay,
                        to: 1 - from,
                        from: if from == 0 { self.client } else { SERVER },
                        sent_as: self.sent_total,
                        payload: transmit.payload.clone(),
                        ecn,
                        transit: Transit {
                            first_sent: transmit.first_sent,
                            sent: self.now,
                            propagation: delay,
                            ..Transit::default()
                        },
                    });
                }
            }
            while let Some(event) = end.poll_event() {
                self.events.push((self.now, from, event));
            }
        }
    }

    /// Lets the next thing happen, if it does by `limit`.
    pub(super) fn step(&mut self, limit: Time) -> bool {
        self.flush();
        let mut next = self.flying.iter().map(|flying| flying.due).min().unwrap_or(Time::NEVER);
        for end in self.ends.iter().flatten() {
            if let Wake::At(at) = end.wake() {
                next = next.min(at);
            }
        }
        if next > limit {
            self.now = limit;
            return false;
        }
        // A timer that was off while the server had no allowance may be overdue when it is on again (RFC 9002 A.6).
        self.now = self.now.max(next);
        let due = self.flying.iter().enumerate().filter(|(_, flying)| flying.due <= self.now);
        if let Some(index) = due.min_by_key(|(_, flying)| flying.due).map(|(index, _)| index) {
            let flying = self.flying.remove(index);
            self.deliver(flying);
        } else {
            for end in self.ends.iter_mut().flatten() {
                end.handle_wake(self.now);
                end.check();
            }
        }
        self.flush();
        true
    }

    fn deliver(&mut self, flying: Flying) {
        let Flying { to, from, sent_as, payload, transit, ecn, .. } = flying;
        let new = self.delivered.insert(sent_as);
        if self.ends[to].is_none() {
            let (items, _) = quic::decode(&payload, ID_LEN);
            let Some(Item::Packet(Packet { header: Header::Long { kind, dst, src }, .. })) = items.first() else {
                return;
            };
            if !matches!(kind, LongKind::Initial { .. }) {
                return;
            }
            let secrets = Secrets { host: 2, connection: 77 };
            let end = Connection::accept(&self.config, &self.accepting, (*dst, *src), from, secrets, self.now);
            self.ends[to] = Some(end);
        }
        let now = self.now;
        let connected = self.end(to).is_connected();
        let readable = quic::decode(&payload, ID_LEN).0.iter().any(|item| match item {
            Item::Packet(Packet { header: Header::Short { .. }, .. }) => connected,
            Item::Packet(Packet { header: Header::Long { kind: LongKind::Initial { .. }, .. }, .. }) => !connected,
            _ => false,
        });
        if new && readable {
            self.heard[to] = now;
        }
        self.end(to).handle_datagram(&payload, from, &transit, ecn, now);
        self.end(to).check();
    }

    pub(super) fn run(&mut self, span: Span) {
        let limit = self.now + span;
        while self.step(limit) {}
    }

    /// Lets things happen until `done` says so, for at most `span`.
    pub(super) fn run_until(&mut self, span: Span, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        let limit = self.now + span;
        loop {
            if done(self) {
                return true;
            }
            if !self.step(limit) {
                return done(self);
            }
        }
    }

    /// What is under way does not arrive.
    pub(super) fn sever(&mut self) {
        self.flying.clear();
    }

    /// Reads all there is of a stream.
    pub(super) fn read(&mut self, index: usize, id: StreamId) -> Option<(Payload, Arrival)> {
        let now = self.now;
        let read = self.end(index).read(id, u64::MAX, now);
        self.flush();
        read
    }

    /// When an end had an event, counted from the start.
    pub(super) fn when(&self, index: usize, wanted: &Event) -> Option<Span> {
        let found = self.events.iter().find(|(_, end, event)| *end == index && event == wanted);
        found.map(|(at, ..)| *at - self.start)
    }

    pub(super) fn reason(&self, index: usize) -> Option<Reason> {
        self.events.iter().find_map(|(_, end, event)| match event {
            Event::Closed(reason) if *end == index => Some(*reason),
            _ => None,
        })
    }

    pub(super) fn ticket(&self) -> Option<Ticket> {
        self.events.iter().find_map(|(_, _, event)| match event {
            Event::Ticket(ticket) => Some((**ticket).clone()),
            _ => None,
        })
    }

    /// A datagram that never was sent by the other end.
    pub(super) fn inject(&mut self, to: usize, payload: &Payload) {
        let from = if to == 1 { self.client } else { SERVER };
        let now = self.now;
        self.end(to).handle_datagram(payload, from, &Transit::default(), Ecn::NotCapable, now);
        self.flush();
    }
}

impl Channel {
    /// The server will not take data with the first flight.
    pub(super) fn refuse_early_data(&mut self) {
        self.config = Rc::new(Config { early_data: false, ..(*self.config).clone() });
    }
}
