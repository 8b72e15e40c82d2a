//! The connections of an L4 balancer: which client's is whose, and what has to be rewritten.

use crate::base::{Span, Time};
use crate::host::{Host, Steer, Steered};
use crate::service::balancer::config::Return;
use crate::service::balancer::members::{Held, Members};
use crate::service::balancer::policy::{HashKey, key};
use crate::trace::{Record, Refusal, Refused};
use crate::wire::{Body, Dscp, Flags, Packet, Segment, Seq};
use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::rc::Rc;

/// Ports that a NAT puts in the place of clients', for each server; above them lie those of the machine's own connections.
const NAT_PORTS: std::ops::RangeInclusive<u16> = 1_024..=32_767;
/// A connection both ends of which have said that they are done is kept for so long, for what is sent again.
const LINGER: Span = Span::from_secs(60);

struct Connection {
    member: usize,
    /// The address that the client came to.
    local: Ipv4Addr,
    /// The NAT's port; the client's own where answers go direct.
    port: u16,
    /// Counted as the member's until it has ended.
    held: Option<Held>,
    /// When the last packet went through.
    last: Time,
    /// Who has said FIN: client, server.
    done: [bool; 2],
    /// Behind the last byte that has been sent on: the client's, the server's.
    sent: [Option<Seq>; 2],
}

/// The table.
pub(super) struct Table {
    host: Host,
    port: u16,
    members: Rc<Members>,
    targets: Vec<SocketAddrV4>,
    key: Option<HashKey>,
    back: Return,
    /// Code points of packets whose answers go direct, by the address that they came to.
    code_points: Vec<(Ipv4Addr, Dscp)>,
    idle: Span,
    /// By the client's address and port.
    connections: BTreeMap<SocketAddrV4, Connection>,
    /// Clients by member and NAT port.
    ports: BTreeMap<(usize, u16), SocketAddrV4>,
    /// Where the search for a free port goes on, for each member.
    next: Vec<u16>,
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("connections", &self.connections.len()).finish_non_exhaustive()
    }
}

impl Table {
    pub(super) fn new(
        host: &Host,
        port: u16,
        members: Rc<Members>,
        key: Option<HashKey>,
        back: Return,
        code_points: Vec<(Ipv4Addr, Dscp)>,
        idle: Span,
    ) -> Self {
        let targets: Vec<_> = members.targets().into_iter().map(|(at, _)| at).collect();
        Self {
            host: host.clone(),
            port,
            next: vec![*NAT_PORTS.start(); targets.len()],
            targets,
            members,
            key,
            back,
            code_points,
            idle,
            connections: BTreeMap::new(),
            ports: BTreeMap::new(),
        }
    }

    /// Forgets connections of which nothing has been seen for too long.
    pub(super) fn forget(&mut self, now: Time) {
        let over = |connection: &Connection| {
            let patience = if connection.held.is_some() { self.idle } else { LINGER };
            now.since(connection.last) >= patience
        };
        let old: Vec<SocketAddrV4> =
            self.connections.iter().filter(|(_, connection)| over(connection)).map(|(&client, _)| client).collect();
        old.into_iter().for_each(|client| self.remove(client));
    }

    fn remove(&mut self, client: SocketAddrV4) {
        if let Some(connection) = self.connections.remove(&client) {
            self.ports.remove(&(connection.member, connection.port));
        }
    }

    /// A free port towards a member.
    fn nat_port(&mut self, member: usize) -> Option<u16> {
        for _ in NAT_PORTS {
            let port = self.next[member];
            self.next[member] = if port == *NAT_PORTS.end() { *NAT_PORTS.start() } else { port + 1 };
            if !self.ports.contains_key(&(member, port)) {
                return Some(port);
            }
        }
        None
    }

    fn hash(&self, client: SocketAddrV4) -> u64 {
        match self.key {
            None => 0,
            Some(HashKey::Connection) => key(&[&client.ip().octets()[..], &client.port().to_be_bytes()].concat()),
            Some(_) => key(&client.ip().octets()),
        }
    }

    /// A connection for a client: its member is chosen. `None` if nobody may be chosen or no port is free.
    fn open(&mut self, client: SocketAddrV4, local: Ipv4Addr, now: Time) -> Option<()> {
        let member = self.members.choose(self.hash(client), &[]);
        let port = member.and_then(|member| match self.back {
            Return::Nat => self.nat_port(member),
            Return::Direct => Some(client.port()),
        });
        let (Some(member), Some(port)) = (member, port) else {
            let refused = Refused { time: now, node: self.host.node(), why: Refusal::NoBackend };
            self.host.record(Record::Refused(refused));
            return None;
        };
        if self.back == Return::Nat {
            self.ports.insert((member, port), client);
        }
        let held = Some(self.members.send(member, false));
        // Where answers go direct, the server's end does not pass here: the client's word counts.
        let done = [false, self.back == Return::Direct];
        let connection = Connection { member, local, port, held, last: now, done, sent: [None; 2] };
        self.connections.insert(client, connection);
        Some(())
    }

    /// A packet of a client.
    fn inbound(&mut self, packet: &mut Packet, client: SocketAddrV4, now: Time) -> Steered {
        let Body::Tcp(segment) = &mut packet.body else { return Steered::Own };
        let opens = segment.flags.has(Flags::SYN) && !segment.flags.has(Flags::ACK);
        let moved = |old: &Connection| old.held.is_none() || old.local != packet.dst;
        if opens && self.connections.get(&client).is_some_and(moved) {
            // The client uses its port again, or for another of the balancer's addresses.
            self.remove(client);
        }
        if !self.connections.contains_key(&client) {
            // Without an entry a NAT knows no server that could know the connection: its own TCP answers with a reset. Where answers
            // go direct, a hash finds the server that another balancer has chosen: so one of a pair can take over from the other.
            if !opens && (self.back == Return::Nat || self.key.is_none()) {
                return Steered::Own;
            }
            if self.open(client, packet.dst, now).is_none() {
                return Steered::Drop;
            }
        }
        let Some(connection) = self.connections.get_mut(&client) else { return Steered::Drop };
        let again = connection.note(segment, 0, now);
        let target = self.targets[connection.member];
        packet.dst = *target.ip();
        segment.dst_port = target.port();
        match self.back {
            Return::Nat => {
                packet.src = self.host.addr();
                segment.src_port = connection.port;
            }
            Return::Direct => {
                let point = self.code_points.iter().find(|(address, _)| *address == connection.local);
                packet.dscp = point.map_or(packet.dscp, |&(_, point)| point);
            }
        }
        Steered::Forward { again }
    }

    /// A packet of a server for a client of the NAT.
    fn outbound(&mut self, packet: &mut Packet, client: SocketAddrV4, now: Time) -> Steered {
        let Body::Tcp(segment) = &mut packet.body else { return Steered::Own };
        let Some(connection) = self.connections.get_mut(&client) else { return Steered::Drop };
        let again = connection.note(segment, 1, now);
        (packet.src, segment.src_port) = (connection.local, self.port);
        (packet.dst, segment.dst_port) = (*client.ip(), client.port());
        Steered::Forward { again }
    }
}

impl Connection {
    /// A segment of the client (0) or the server (1) goes through. True if its first byte has gone through before.
    fn note(&mut self, segment: &Segment, side: usize, now: Time) -> bool {
        self.last = now;
        self.done[side] |= segment.flags.has(Flags::FIN);
        if segment.flags.has(Flags::RST) || self.done == [true; 2] {
            self.held = None;
        }
        let marks = u32::from(segment.flags.has(Flags::SYN)) + u32::from(segment.flags.has(Flags::FIN));
        #[expect(clippy::cast_possible_truncation, reason = "a segment is at most 64 KiB")]
        let length = segment.payload.len() as u32 + marks;
        if length == 0 {
            return false;
        }
        let end = segment.seq + length;
        let before = self.sent[side];
        self.sent[side] = Some(before.map_or(end, |before| before.max(end)));
        before.is_some_and(|before| segment.seq.before(before))
    }
}

impl Steer for Table {
    fn steer(&mut self, packet: &mut Packet, now: Time) -> Steered {
        let Body::Tcp(segment) = &packet.body else { return Steered::Own };
        let from = SocketAddrV4::new(packet.src, segment.src_port);
        if segment.dst_port == self.port {
            return self.inbound(packet, from, now);
        }
        let member = self.targets.iter().position(|&target| target == from);
        match member.and_then(|member| self.ports.get(&(member, segment.dst_port))) {
            Some(&client) => self.outbound(packet, client, now),
            None => Steered::Own,
        }
    }
}
