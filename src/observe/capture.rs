//! What a packet capture would have seen: every packet at the link ends that are watched, in order of time, with what the
//! network did to it as words.
//!
//! A packet that leaves is stamped when it is handed to the link, before the link's queue, as a capture on a host sees it. A
//! packet that comes is stamped when its last bit has arrived. What the link did to a packet is known only later, so that frames
//! are held back until the fates of all frames before them are known.

use crate::base::Time;
use crate::trace::{Cause, PacketEvent, PacketRecord};
use crate::wire::Packet;
use crate::wire::codec::encode;
use crate::wire::quic::Protector;
use std::collections::VecDeque;
use std::fmt;

/// Which way a frame went through a link end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// From the link into the node.
    In,
    /// From the node to the link.
    Out,
}

/// Something that happened to a frame and that its bytes do not say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mark {
    /// The link did not accept it.
    Refused(Cause),
    /// The link accepted it and it did not reach the other end.
    Lost(Cause, Time),
    /// Packets sent after it arrived before it.
    Overtaken,
    /// The link made it: a copy of the packet before.
    Copy,
    /// The node that it reached had no use for it.
    Discarded(Cause),
    /// It was on the link when the run ended.
    UnderWay,
    /// It has no bytes: it is longer than a packet can be.
    NoBytes,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = |cause: Cause| cause.name().replace('_', " ");
        match self {
            Self::Refused(cause) => write!(f, "dropped before the link: {}", words(*cause)),
            Self::Lost(cause, at) => {
                let nanos = at.as_nanos();
                let (secs, rest) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
                write!(f, "dropped on the link at {secs}.{rest:09} s: {}", words(*cause))
            }
            Self::Overtaken => f.write_str("overtaken on the link by packets sent later"),
            Self::Copy => f.write_str("duplicated on the link: this is the copy"),
            Self::Discarded(cause) => write!(f, "dropped by the node: {}", words(*cause)),
            Self::UnderWay => f.write_str("on the link when the run ended"),
            Self::NoBytes => f.write_str("longer than 65,535 bytes: no such packet can exist"),
        }
    }
}

/// One packet at one link end. Its bytes are written beside it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// When.
    pub time: Time,
    /// At which link end: link `n` has the ends `2n` (the one named first) and `2n + 1`.
    pub end: u32,
    /// Which way.
    pub way: Way,
    /// Serial number of the packet: the same at every link end that it passes.
    pub serial: u64,
    /// What happened to it.
    pub marks: Vec<Mark>,
}

/// A frame and whether everything about it is known.
#[derive(Debug)]
struct Slot {
    frame: Frame,
    packet: Packet,
    settled: bool,
}

/// A packet on a link.
#[derive(Clone, Copy, Debug)]
struct Flight {
    serial: u64,
    /// The number of its frame, if its link end is watched.
    slot: Option<u64>,
}

/// Reads packet records and gives frames.
#[derive(Debug)]
pub struct Capture {
    /// By link end.
    watched: Vec<bool>,
    slots: VecDeque<Slot>,
    /// Frames given so far: the number of the first slot.
    given: u64,
    /// By direction: packets on the link in the order in which they were handed to it.
    flights: Vec<VecDeque<Flight>>,
    /// The packet that has just reached a node, and its frame.
    arriving: Option<(u64, u64)>,
    /// Puts QUIC under the protection that it has on a real wire.
    protector: Protector,
}

impl Capture {
    /// A capture at the link ends that are marked in `watched`, which has an entry for every link end: two for each link.
    #[must_use]
    pub fn new(watched: Vec<bool>) -> Self {
        let flights = watched.iter().map(|_| VecDeque::new()).collect();
        Self { watched, slots: VecDeque::new(), given: 0, flights, arriving: None, protector: Protector::new() }
    }

    /// Takes a record in.
    pub fn packet(&mut self, record: &PacketRecord) {
        self.settle_arrival(record);
        // A direction is numbered as the end where it begins; it leads to the other end of the link.
        match (record.event, record.link) {
            (PacketEvent::Offered, Some(direction)) => {
                let slot = self.add(record, direction, Way::Out, None);
                self.flights[direction as usize].push_back(Flight { serial: record.serial, slot });
            }
            (PacketEvent::Arrived, Some(direction)) => {
                let known = self.end_flight(direction, record.serial, None);
                let copy = (!known).then_some(Mark::Copy);
                let slot = self.add(record, direction ^ 1, Way::In, copy);
                self.arriving = slot.map(|slot| (record.serial, slot));
            }
            (PacketEvent::Dropped(cause), Some(direction)) => {
                if !self.end_flight(direction, record.serial, Some(Mark::Lost(cause, record.time)))
                    && let Some(slot) = self.add(record, direction, Way::Out, Some(Mark::Refused(cause)))
                {
                    self.settle(slot, None);
                }
            }
            _ => {}
        }
    }

    /// The record that follows an arrival says what the node did with the packet.
    fn settle_arrival(&mut self, record: &PacketRecord) {
        let Some((serial, slot)) = self.arriving.take() else { return };
        let mark = match record.event {
            PacketEvent::Dropped(cause) if serial == record.serial && record.link.is_none() => {
                Some(Mark::Discarded(cause))
            }
            _ => None,
        };
        self.settle(slot, mark);
    }

    /// Adds a frame at `end` if that is watched; gives its number.
    fn add(&mut self, record: &PacketRecord, end: u32, way: Way, mark: Option<Mark>) -> Option<u64> {
        if !self.watched[end as usize] {
            return None;
        }
        let number = self.given + self.slots.len() as u64;
        let frame = Frame { time: record.time, end, way, serial: record.serial, marks: mark.into_iter().collect() };
        self.slots.push_back(Slot { frame, packet: record.packet.clone(), settled: false });
        Some(number)
    }

    fn slot(&mut self, number: u64) -> Option<&mut Slot> {
        self.slots.get_mut(usize::try_from(number.checked_sub(self.given)?).ok()?)
    }

    fn settle(&mut self, number: u64, mark: Option<Mark>) {
        if let Some(slot) = self.slot(number) {
            slot.frame.marks.extend(mark);
            slot.settled = true;
        }
    }

    /// A packet leaves a link; false if it was never handed to it. Those that were handed to it earlier and are still on
    /// it have been overtaken, unless this one did not get through.
    fn end_flight(&mut self, direction: u32, serial: u64, mark: Option<Mark>) -> bool {
        let flights = &mut self.flights[direction as usize];
        let Some(place) = flights.iter().position(|flight| flight.serial == serial) else { return false };
        let overtaken: Vec<u64> = if mark.is_none() {
            flights.iter().take(place).filter_map(|flight| flight.slot).collect()
        } else {
            Vec::new()
        };
        let flight = flights.remove(place);
        for number in overtaken {
            if let Some(slot) = self.slot(number)
                && !slot.frame.marks.contains(&Mark::Overtaken)
            {
                slot.frame.marks.push(Mark::Overtaken);
            }
        }
        if let Some(slot) = flight.and_then(|flight| flight.slot) {
            self.settle(slot, mark);
        }
        true
    }

    /// The next frame of which everything is known; its bytes, filler as zeros, replace those in `bytes`.
    pub fn next_frame(&mut self, bytes: &mut Vec<u8>) -> Option<Frame> {
        if !self.slots.front()?.settled {
            return None;
        }
        let Slot { mut frame, mut packet, .. } = self.slots.pop_front()?;
        self.given += 1;
        self.protector.protect(&mut packet);
        bytes.clear();
        if encode(&packet, bytes).is_err() {
            frame.marks.push(Mark::NoBytes);
        }
        Some(frame)
    }

    /// The run is over: what is still on a link stays there.
    pub fn finish(&mut self) {
        if let Some((_, slot)) = self.arriving.take() {
            self.settle(slot, None);
        }
        for slot in &mut self.slots {
            if !slot.settled {
                slot.settled = true;
                slot.frame.marks.push(Mark::UnderWay);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Span;
    use crate::wire::{Body, Datagram, Payload, Transit};

    fn record(millis: u64, serial: u64, link: Option<u32>, event: PacketEvent) -> PacketRecord {
        let packet = Packet {
            src: [10, 0, 0, 1].into(),
            dst: [10, 0, 0, 2].into(),
            ttl: 64,
            dscp: crate::wire::Dscp::DEFAULT,
            ecn: crate::wire::Ecn::default(),
            ident: 0,
            body: Body::Udp(Datagram { payload: Payload::filler(serial), ..Datagram::default() }),
            transit: Transit::default(),
        };
        PacketRecord { time: Time::ZERO + Span::from_millis(millis), node: 0, link, event, serial, packet }
    }

    /// Frames as (milliseconds, end, bytes, marks).
    fn play(watched: &[bool], records: &[PacketRecord]) -> Vec<(u64, u32, usize, Vec<Mark>)> {
        let mut capture = Capture::new(watched.to_vec());
        let (mut frames, mut bytes) = (Vec::new(), Vec::new());
        let mut take = |capture: &mut Capture| {
            while let Some(frame) = capture.next_frame(&mut bytes) {
                frames.push((frame.time.as_nanos() / 1_000_000, frame.end, bytes.len() - 28, frame.marks));
            }
        };
        for record in records {
            capture.packet(record);
            take(&mut capture);
        }
        capture.finish();
        take(&mut capture);
        frames
    }

    /// Packet 1 is held back and overtaken by 2, 3 is lost, 4 finds no room, 5 is copied as 6, 7 stays on the link.
    fn troubles() -> Vec<PacketRecord> {
        use PacketEvent::{Arrived, Delivered, Dropped, Offered};
        let on = Some(0);
        vec![
            record(1, 1, on, Offered),
            record(2, 2, on, Offered),
            record(3, 3, on, Offered),
            record(4, 4, on, Dropped(Cause::QueueFull)),
            record(5, 5, on, Offered),
            record(12, 2, on, Arrived),
            record(12, 2, None, Delivered),
            record(13, 3, on, Dropped(Cause::Loss)),
            record(14, 1, on, Arrived),
            record(14, 1, None, Dropped(Cause::TtlExpired)),
            record(15, 5, on, Arrived),
            record(15, 5, None, Delivered),
            record(15, 6, on, Arrived),
            record(15, 6, None, Delivered),
            record(16, 7, on, Offered),
        ]
    }

    #[test]
    fn both_ends_of_a_link_see_what_a_capture_there_would() {
        let lost_at = Time::ZERO + Span::from_millis(13);
        let sent = vec![
            (1, 0, 1, vec![Mark::Overtaken]),
            (2, 0, 2, vec![]),
            (3, 0, 3, vec![Mark::Lost(Cause::Loss, lost_at)]),
            (4, 0, 4, vec![Mark::Refused(Cause::QueueFull)]),
            (5, 0, 5, vec![]),
        ];
        let received = vec![
            (12, 1, 2, vec![]),
            (14, 1, 1, vec![Mark::Discarded(Cause::TtlExpired)]),
            (15, 1, 5, vec![]),
            (15, 1, 6, vec![Mark::Copy]),
        ];
        let last = vec![(16, 0, 7, vec![Mark::UnderWay])];
        assert_eq!(play(&[true, true], &troubles()), [sent.clone(), received.clone(), last.clone()].concat());
        assert_eq!(play(&[true, false], &troubles()), [sent, last].concat());
        assert_eq!(play(&[false, true], &troubles()), received);
        assert_eq!(play(&[false, false], &troubles()), []);
    }

    #[test]
    fn a_fate_is_said_in_words() {
        let lost = Mark::Lost(Cause::Loss, Time::from_nanos(1_234_000_005));
        assert_eq!(lost.to_string(), "dropped on the link at 1.234000005 s: loss");
        assert_eq!(Mark::Discarded(Cause::NoListener).to_string(), "dropped by the node: no listener");
    }
}
