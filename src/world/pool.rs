//! Packets by number: links carry four bytes, the packet itself stays where it is until it is delivered or dropped.

use crate::wire::Packet;

/// Names a packet in the pool.
pub(super) type PacketId = u32;

struct Entry {
    packet: Packet,
    serial: u64,
    /// Length on the wire in bytes; what is longer than IP carries counts as 65,535, which no link lets pass.
    size: u16,
}

/// All packets in flight. Slots are reused, so a steady flow allocates nothing.
#[derive(Default)]
pub(super) struct Pool {
    entries: Vec<Option<Entry>>,
    free: Vec<PacketId>,
    next_serial: u64,
}

impl Pool {
    /// Takes a packet in and gives it the next serial number.
    #[inline]
    pub(super) fn insert(&mut self, packet: Packet) -> PacketId {
        let size = u16::try_from(packet.wire_len()).unwrap_or(u16::MAX);
        let entry = Some(Entry { packet, serial: self.next_serial, size });
        self.next_serial += 1;
        if let Some(id) = self.free.pop() {
            self.entries[id as usize] = entry;
            return id;
        }
        self.entries.push(entry);
        PacketId::try_from(self.entries.len() - 1).expect("fewer than 2^32 packets are in flight")
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

    /// The packet is of no more use.
    #[inline]
    pub(super) fn free(&mut self, id: PacketId) {
        self.entries[id as usize] = None;
        self.free.push(id);
    }

    /// A copy for the observers, with its serial number.
    pub(super) fn copy(&self, id: PacketId) -> (Packet, u64) {
        let entry = self.entries[id as usize].as_ref().expect("observers look at packets that are in flight");
        (entry.packet.clone(), entry.serial)
    }

    /// Packets in flight.
    pub(super) fn in_flight(&self) -> u64 {
        (self.entries.len() - self.free.len()) as u64
    }
}
