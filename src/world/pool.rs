//! Packets by number: links carry four bytes, the packet itself stays where it is until it is delivered or dropped.

use crate::wire::{Body, Dscp, Ecn, IPV4_HEADER, Packet, Segment, Transit};
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
    entries: Vec<Option<Entry>>,
    free: Vec<PacketId>,
    next_serial: u64,
    /// Segments of no more use, which the next ones are written over.
    blanks: Vec<PacketId>,
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
        if let Some(id) = self.free.pop() {
            self.entries[id as usize] = Some(entry);
            return id;
        }
        self.entries.push(Some(entry));
        PacketId::try_from(self.entries.len() - 1).expect("fewer than 2^32 packets are in flight")
    }

    /// A packet to be made where it is to lie: a TCP segment without payload, which is given the next serial number and, when it is
    /// made, its size; and its number.
    #[inline]
    pub(super) fn blank(&mut self) -> (PacketId, &mut Packet, &mut u16) {
        let id = match self.blanks.pop() {
            Some(id) => id,
            None => self.new_blank(),
        };
        let entry = self.entries[id as usize].as_mut().expect("a blank is no packet that could go");
        entry.serial = self.next_serial;
        self.next_serial += 1;
        (id, &mut entry.packet, &mut entry.size)
    }

    /// The blank asked for last is not needed after all.
    pub(super) fn give_back(&mut self, id: PacketId) {
        self.next_serial -= 1;
        self.blanks.push(id);
    }

    #[inline(never)]
    fn new_blank(&mut self) -> PacketId {
        let packet = Packet {
            src: Ipv4Addr::UNSPECIFIED,
            dst: Ipv4Addr::UNSPECIFIED,
            ttl: 0,
            dscp: Dscp::DEFAULT,
            ecn: Ecn::NotCapable,
            ident: 0,
            body: Body::Tcp(Segment::default()),
            transit: Transit::default(),
        };
        self.place(Entry { packet, serial: 0, size: 0 })
    }

    /// The packet and its length on the wire in bytes, which does not change on its way.
    #[inline]
    pub(super) fn sized_mut(&mut self, id: PacketId) -> (&mut Packet, u16) {
        let entry = self.entries[id as usize].as_mut().expect("a link carries only packets that are in flight");
        (&mut entry.packet, entry.size)
    }

    /// Takes the packet out.
    #[inline]
    pub(super) fn remove(&mut self, id: PacketId) -> (Packet, u64) {
        let entry = self.entries[id as usize].take().expect("a packet is delivered or dropped once");
        self.free.push(id);
        (entry.packet, entry.serial)
    }

    /// The packet is of no more use. A segment becomes a blank where it lies.
    #[inline]
    pub(super) fn free(&mut self, id: PacketId) {
        let entry = &mut self.entries[id as usize];
        if let Some(Entry { packet: Packet { body: Body::Tcp(segment), .. }, .. }) = entry {
            segment.payload.clear();
            self.blanks.push(id);
            return;
        }
        *entry = None;
        self.free.push(id);
    }

    /// A packet whose segment has been taken in and has no payload any more becomes a blank.
    #[inline]
    pub(super) fn recycle(&mut self, id: PacketId) {
        self.blanks.push(id);
    }

    /// A copy for the observers, with its serial number.
    pub(super) fn copy(&self, id: PacketId) -> (Packet, u64) {
        let entry = self.entries[id as usize].as_ref().expect("observers look at packets that are in flight");
        (entry.packet.clone(), entry.serial)
    }

    /// Packets in flight.
    pub(super) fn in_flight(&self) -> u64 {
        (self.entries.len() - self.free.len() - self.blanks.len()) as u64
    }
}

/// Length on the wire in bytes; what is longer than IP carries counts as 65,535, which no link lets pass.
fn size_of(packet: &Packet) -> u16 {
    u16::try_from(packet.wire_len()).unwrap_or(u16::MAX)
}

/// The same of a packet that carries a segment.
#[inline]
pub(super) fn segment_size(segment: &Segment) -> u16 {
    u16::try_from(IPV4_HEADER + segment.wire_len()).unwrap_or(u16::MAX)
}
