//! Packets by number: links carry four bytes, the packet itself stays where it is until it is delivered or dropped.

use crate::wire::{Body, Dscp, Ecn, Packet, Payload, Segment, Transit};
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
    /// Segments of no more use, which the next ones are written over; the last may be being made.
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

    /// A packet to be made where it is to lie, and its TCP segment; it is the same one until [`Pool::finish_blank`].
    #[inline]
    pub(super) fn blank(&mut self) -> &mut Packet {
        let id = match self.blanks.last() {
            Some(&id) => id,
            None => self.new_blank(),
        };
        &mut self.entries[id as usize].as_mut().expect("a blank is no packet that could go").packet
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
        let id = self.place(Entry { packet, serial: 0, size: 0 });
        self.blanks.push(id);
        id
    }

    /// The blank has been made into a packet and is given the next serial number.
    #[inline]
    pub(super) fn finish_blank(&mut self) -> PacketId {
        let id = self.blanks.pop().expect("a blank has been asked for");
        let entry = self.entries[id as usize].as_mut().expect("a blank is no packet that could go");
        entry.size = size_of(&entry.packet);
        entry.serial = self.next_serial;
        self.next_serial += 1;
        id
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
            segment.payload = Payload::empty();
            self.blanks.push(id);
            return;
        }
        *entry = None;
        self.free.push(id);
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
#[inline]
fn size_of(packet: &Packet) -> u16 {
    u16::try_from(packet.wire_len()).unwrap_or(u16::MAX)
}
