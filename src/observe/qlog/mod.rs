//! What the ends of a TCP or QUIC connection did, as events in the words of qlog: packets sent, received and lost, and the state of the
//! sender where it changed.
//!
//! qlog has no schema for TCP. Its events are those of its QUIC and recovery schemas where these fit: a segment is a packet of
//! unknown type, numbered by its sender in the order of sending, so that what is sent again has a new number, and is told in the
//! fields that TCP adds. A sender that sends bytes again holds the segments that carried them for lost.

mod quic;

pub use crate::wire::quic::{Close, ConnectionId};
pub use quic::{QuicPassed, Told};

use crate::base::Time;
use crate::trace::{PacketEvent, PacketRecord, QuicKind, QuicLost, Record, Recovery, Series};
use crate::wire::{Body, Datagram, Flags, Segment, Seq};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddrV4;

/// One end of a connection: the flow and the node.
pub type End = (u64, u32);

/// Who an end is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    /// Its address and port.
    pub local: SocketAddrV4,
    /// The other end's.
    pub remote: SocketAddrV4,
    /// Whether it asked for the connection.
    pub opened: bool,
}

/// A segment as an end sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Passed {
    /// Which of its sender's segments on this connection, from 0; `None` for a copy that the network made.
    pub number: Option<u64>,
    /// Bytes of header, options and payload.
    pub length: u32,
    /// Bytes of payload.
    pub payload_length: u64,
    /// First sequence number, counted from the sender's first.
    pub seq: u32,
    /// Acknowledgment number, counted from the receiver's first.
    pub ack: Option<u32>,
    /// Control bits.
    pub flags: Flags,
    /// The window field as it stands there.
    pub window: u16,
    /// SACK blocks, counted as `ack` is.
    pub sack: Vec<(u32, u32)>,
    /// Whether it carries something that was sent before.
    pub again: bool,
}

/// Something that happened at an end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Happening {
    /// The first state of the sender: what it starts with.
    Began(Series),
    /// The state of the sender changed; the state before comes first.
    Changed(Series, Series),
    /// What it does about losses changed.
    Turned(Recovery, Recovery),
    /// It sent a segment.
    Sent(Passed),
    /// It received one.
    Received(Passed),
    /// It holds the segment with this number for lost.
    Lost(u64),
    /// A QUIC connection begins here.
    Started,
    /// It has come so far.
    Reached(&'static str),
    /// It calls the other end by another id from now on.
    Called(ConnectionId, ConnectionId),
    /// It sent a QUIC packet.
    QuicSent(QuicPassed),
    /// It received one.
    QuicReceived(QuicPassed),
    /// It received one that it has had before.
    QuicDropped(QuicPassed),
    /// It holds one for lost, by time or by the number of those acknowledged that were sent later.
    QuicLost {
        /// Which protection it had.
        kind: QuicKind,
        /// Its number.
        number: u64,
        /// By time.
        by_time: bool,
    },
    /// It ends the connection, or the other end does.
    Closed {
        /// Whether it was this end.
        local: bool,
        /// Why.
        close: Close,
    },
}

/// An event of one end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// When.
    pub time: Time,
    /// At which end.
    pub end: End,
    /// What.
    pub what: Happening,
}

/// What an end has sent and what is not acknowledged of it.
#[derive(Debug, Default)]
struct Sender {
    identity: Option<Identity>,
    sent: u64,
    outstanding: VecDeque<(Seq, Seq, u64)>,
    first: Option<Seq>,
    state: Option<Series>,
}

/// A record that waits for the packets of its instant.
#[derive(Clone, Copy, Debug)]
enum Waiting {
    State(Series),
    Lost(QuicLost),
}

impl Waiting {
    const fn time(&self) -> Time {
        match self {
            Self::State(state) => state.time,
            Self::Lost(lost) => lost.time,
        }
    }
}

/// Reads records and packets, and tells what happened at each end in order of time.
#[derive(Debug, Default)]
pub struct Log {
    ends: BTreeMap<End, Sender>,
    /// Packets come to a reader after the records of their instant.
    waiting: VecDeque<Waiting>,
    /// Number of a segment on its way, by the serial number of its packet.
    numbers: BTreeMap<u64, u64>,
    quic: quic::Reader,
    ready: VecDeque<Event>,
}

impl Log {
    /// Takes a record in.
    pub fn record(&mut self, record: &Record) {
        match record {
            Record::Series(state) => self.waiting.push_back(Waiting::State(*state)),
            Record::QuicLost(lost) => self.waiting.push_back(Waiting::Lost(*lost)),
            _ => {}
        }
    }

    /// Takes a packet's record in.
    pub fn packet(&mut self, record: &PacketRecord) {
        while self.waiting.front().is_some_and(|waiting| waiting.time() < record.time) {
            self.next_waiting();
        }
        let end = (record.packet.transit.flow, record.node);
        let segment = match &record.packet.body {
            Body::Tcp(segment) => segment,
            Body::Udp(datagram) => return self.datagram(end, record, datagram),
            Body::Icmp(_) => return,
        };
        match record.event {
            PacketEvent::Sent => self.sent(end, record, segment),
            PacketEvent::Delivered => self.received(end, record, segment),
            PacketEvent::Dropped(_) => drop(self.numbers.remove(&record.serial)),
            PacketEvent::Offered | PacketEvent::Arrived => {}
        }
    }

    /// The run is over: nothing more comes.
    pub fn finish(&mut self) {
        while !self.waiting.is_empty() {
            self.next_waiting();
        }
    }

    /// Whether an end speaks QUIC and not TCP: known from its first packet on.
    #[must_use]
    pub fn is_quic(&self, end: End) -> bool {
        self.quic.knows(end.0)
    }

    /// The next event; those of one end come in order of time.
    pub fn next_event(&mut self) -> Option<Event> {
        self.ready.pop_front()
    }

    /// Who an end is: known from its first segment or state on.
    #[must_use]
    pub fn identity(&self, end: End) -> Option<Identity> {
        self.ends.get(&end)?.identity
    }

    fn tell(&mut self, time: Time, end: End, what: Happening) {
        self.ready.push_back(Event { time, end, what });
    }

    fn next_waiting(&mut self) {
        let state = match self.waiting.pop_front() {
            Some(Waiting::State(state)) => state,
            Some(Waiting::Lost(QuicLost { time, flow, node, kind, number, by_time })) => {
                return self.tell(time, (flow, node), Happening::QuicLost { kind, number, by_time });
            }
            None => return,
        };
        let end = (state.flow, state.node);
        let sender = self.ends.entry(end).or_default();
        sender.identity.get_or_insert(Identity { local: state.local, remote: state.remote, opened: false });
        let before = sender.state.replace(state);
        let Some(before) = before else {
            self.tell(state.time, end, Happening::Began(state));
            return;
        };
        if before.recovery != state.recovery {
            self.tell(state.time, end, Happening::Turned(before.recovery, state.recovery));
        }
        if before != (Series { time: before.time, recovery: before.recovery, ..state }) {
            self.tell(state.time, end, Happening::Changed(before, state));
        }
    }

    /// A datagram of a QUIC connection, or of something else.
    fn datagram(&mut self, end: End, record: &PacketRecord, datagram: &Datagram) {
        let (packet, payload) = (&record.packet, &datagram.payload);
        if !matches!(record.event, PacketEvent::Sent | PacketEvent::Delivered) || !self.quic.is_quic(end.0, payload) {
            return;
        }
        let source = SocketAddrV4::new(packet.src, datagram.src_port);
        let destination = SocketAddrV4::new(packet.dst, datagram.dst_port);
        let (time, ready) = (record.time, &mut self.ready);
        let mut tell = |what| ready.push_back(Event { time, end, what });
        let identity = &mut self.ends.entry(end).or_default().identity;
        if record.event == PacketEvent::Sent {
            // Whoever sends the first packet of a flow has opened it: it is known before anybody else is.
            let opened = !self.quic.has_begun(end.0);
            identity.get_or_insert(Identity { local: source, remote: destination, opened });
            self.quic.sent(end, payload, &mut tell);
        } else {
            identity.get_or_insert(Identity { local: destination, remote: source, opened: false });
            self.quic.received(end, payload, &mut tell);
        }
    }

    fn sent(&mut self, end: End, record: &PacketRecord, segment: &Segment) {
        let packet = &record.packet;
        let sender = self.ends.entry(end).or_default();
        sender.identity.get_or_insert(Identity {
            local: SocketAddrV4::new(packet.src, segment.src_port),
            remote: SocketAddrV4::new(packet.dst, segment.dst_port),
            opened: segment.flags.has(Flags::SYN) && !segment.flags.has(Flags::ACK),
        });
        let number = sender.sent;
        sender.sent += 1;
        sender.first.get_or_insert(segment.seq);
        let again = packet.transit.first_sent < packet.transit.sent && segment.seq_len() > 0;
        let mut lost = Vec::new();
        if segment.seq_len() > 0 {
            let (from, to) = (segment.seq, segment.seq_end());
            if again {
                sender.outstanding.retain(|&(start, stop, number)| {
                    let carries = start.before(to) && from.before(stop);
                    if carries {
                        lost.push(number);
                    }
                    !carries
                });
            }
            sender.outstanding.push_back((from, to, number));
        }
        self.numbers.insert(record.serial, number);
        for number in lost {
            self.tell(record.time, end, Happening::Lost(number));
        }
        let passed = self.passed(end, segment, Some(number), again);
        self.tell(record.time, end, Happening::Sent(passed));
    }

    fn received(&mut self, end: End, record: &PacketRecord, segment: &Segment) {
        if segment.flags.has(Flags::ACK)
            && let Some(sender) = self.ends.get_mut(&end)
        {
            while sender.outstanding.front().is_some_and(|&(_, stop, _)| stop.at_or_before(segment.ack)) {
                sender.outstanding.pop_front();
            }
        }
        let number = self.numbers.remove(&record.serial);
        let transit = &record.packet.transit;
        let again = transit.first_sent < transit.sent && segment.seq_len() > 0;
        self.ends.entry(end).or_default().identity.get_or_insert(Identity {
            local: SocketAddrV4::new(record.packet.dst, segment.dst_port),
            remote: SocketAddrV4::new(record.packet.src, segment.src_port),
            opened: false,
        });
        let peer = self.peer(end);
        let passed = self.passed(peer.unwrap_or(end), segment, number, again);
        self.tell(record.time, end, Happening::Received(passed));
    }

    /// The other end of the same flow.
    fn peer(&self, end: End) -> Option<End> {
        self.ends.range((end.0, 0)..=(end.0, u32::MAX)).map(|(&other, _)| other).find(|&other| other != end)
    }

    /// A segment that `from` sent.
    fn passed(&self, from: End, segment: &Segment, number: Option<u64>, again: bool) -> Passed {
        let first = |end: Option<End>| end.and_then(|end| self.ends.get(&end)?.first);
        let ours = first(Some(from)).unwrap_or(segment.seq);
        let theirs = first(self.peer(from));
        let acknowledges = segment.flags.has(Flags::ACK).then_some(theirs).flatten();
        let blocks = segment.options.sack.as_slice().iter();
        Passed {
            number,
            length: segment.wire_len(),
            payload_length: segment.payload.len(),
            seq: segment.seq - ours,
            ack: acknowledges.map(|first| segment.ack - first),
            flags: segment.flags,
            window: segment.window,
            sack: theirs.map_or_else(Vec::new, |first| blocks.map(|&(l, r)| (l - first, r - first)).collect()),
            again,
        }
    }
}
