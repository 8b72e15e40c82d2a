//! Packets by number: links carry four bytes, the packet itself stays where it is until it is delivered or dropped.

use crate::wire::{Body, Datagram, Dscp, Ecn, IPV4_HEADER, Packet, Payload, Segment, Transit, UDP_HEADER};
use std::net::Ipv4Addr;

/// Names a packet in the pool.
pub(super) type PacketId = u32;

struct Entry {
    packet: Packet,
    serial: u64,
    /// Length on the wire in bytes.
    size: u16,
}

/// All packets in flight. Slots are reused, so a steady flow allocates nothing.
#[derive(Default)]
pub(super) struct Pool {
    entries: Vec<Entry>,
    free: Vec<PacketId>,
    next_serial: u64,
    /// Segments of no more use, which the next ones are written over.
    blanks: Vec<PacketId>,
    /// The same of datagrams.
    blank_datagrams: Vec<PacketId>,
}

impl Pool {
    /// Takes a packet in and gives it the next serial number.
    pub(super) fn insert(&mut self, packet: Packet) -> PacketId {
        let size = size_of(&packet);
        let entry = Entry { packet, serial: self.next_serial, size };
        self.next_serial += 1;
        self.place(entry)
    }

    fn place(&mut self, entry: Entry) -> PacketId {
        let blanks = match entry.packet.body {
            Body::Udp(_) => &mut self.blank_datagrams,
            Body::Tcp(_) | Body::Icmp(_) => &mut self.free,
        };
        if let Some(id) = blanks.pop().or_else(|| self.free.pop()) {
            self.entries[id as usize] = entry;
            return id;
        }
        self.entries.push(entry);
        PacketId::try_from(self.entries.len() - 1).expect("fewer than 2^32 packets are in flight")
    }

    /// A packet to be made where it is to lie: a TCP segment without payload, which is given the next serial number and, when it is
    /// made, its size; and its number.
    #[inline]
    pub(super) fn blank(&mut self) -> (PacketId, &mut Packet, &mut u16) {
        let id = match self.blanks.pop() {
            Some(id) => id,
            None => self.new_blank(Body::Tcp(Segment::default())),
        };
        let entry = &mut self.entries[id as usize];
        entry.serial = self.next_serial;
        self.next_serial += 1;
        (id, &mut entry.packet, &mut entry.size)
    }

    /// The blank asked for last is not needed after all.
    pub(super) fn give_back(&mut self, id: PacketId) {
        self.next_serial -= 1;
        self.blanks.push(id);
    }

    /// As [`Pool::blank`], a datagram.
    #[inline]
    pub(super) fn blank_datagram(&mut self) -> (PacketId, &mut Packet, &mut u16) {
        let id = match self.blank_datagrams.pop() {
            Some(id) => id,
            None => self.new_blank(Body::Udp(Datagram::default())),
        };
        let entry = &mut self.entries[id as usize];
        entry.serial = self.next_serial;
        self.next_serial += 1;
        (id, &mut entry.packet, &mut entry.size)
    }

    #[inline(never)]
    fn new_blank(&mut self, body: Body) -> PacketId {
        let packet = Packet {
            src: Ipv4Addr::UNSPECIFIED,
            dst: Ipv4Addr::UNSPECIFIED,
            ttl: 0,
            dscp: Dscp::DEFAULT,
            ecn: Ecn::NotCapable,
            ident: 0,
            body,
            transit: Transit::default(),
        };
        self.place(Entry { packet, serial: 0, size: 0 })
    }

    /// The packet and its length on the wire in bytes, which does not change on its way.
    #[inline]
    pub(super) fn sized_mut(&mut self, id: PacketId) -> (&mut Packet, u16) {
        let entry = &mut self.entries[id as usize];
        (&mut entry.packet, entry.size)
    }

    /// Takes the packet out.
    #[inline]
    pub(super) fn remove(&mut self, id: PacketId) -> (Packet, u64) {
        let copy = self.copy(id);
        self.free(id);
        copy
    }

    /// The packet is of no more use. A segment or a datagram becomes a blank where it lies.
    #[inline]
    pub(super) fn free(&mut self, id: PacketId) {
        match &mut self.entries[id as usize].packet.body {
            Body::Tcp(segment) => {
                segment.payload.clear();
                self.blanks.push(id);
            }
            Body::Udp(datagram) => {
                datagram.payload.clear();
                self.blank_datagrams.push(id);
            }
            Body::Icmp(_) => self.free.push(id),
        }
    }

    /// A packet whose segment has been taken in and has no payload any more becomes a blank.
    #[inline]
    pub(super) fn recycle(&mut self, id: PacketId) {
        self.blanks.push(id);
    }

    /// The same of a datagram.
    #[inline]
    pub(super) fn recycle_datagram(&mut self, id: PacketId) {
        self.blank_datagrams.push(id);
    }

    /// A copy for the observers, with its serial number.
    pub(super) fn copy(&self, id: PacketId) -> (Packet, u64) {
        let entry = &self.entries[id as usize];
        (entry.packet.clone(), entry.serial)
    }

    /// Packets in flight.
    pub(super) fn in_flight(&self) -> u64 {
        (self.entries.len() - self.free.len() - self.blanks.len() - self.blank_datagrams.len()) as u64
    }
}

/// Length on the wire in bytes; what is longer than IP carries counts as 65,535, which no link lets pass.
fn size_of(packet: &Packet) -> u16 {
    u16::try_from(packet.wire_len()).unwrap_or(u16::MAX)
}

/// The same of a packet that carries a datagram with this payload.
#[inline]
pub(super) fn datagram_size(payload: &Payload) -> u16 {
    u16::try_from(payload.len() + u64::from(IPV4_HEADER + UDP_HEADER)).unwrap_or(u16::MAX)
}
