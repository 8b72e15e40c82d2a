//! From the numbers of a script to those on the wire and back: a script counts from initial sequence numbers that it does not know.

use super::packets::{Options, Packet};
use crate::wire::{self, Flags, Payload, SackBlocks, Segment, Seq};

/// The peer's initial sequence number, shortly before the wrap, so that a script of some length crosses it.
const PEER_ISN: u32 = 0xffff_fc00;

/// The distances between a script's numbers and those on the wire.
#[derive(Clone, Debug, Default)]
pub(super) struct Mapping {
    /// Our sequence numbers, known once our SYN is.
    own: u32,
    /// What SYNs are called from which all that follows is counted: ours and the peer's.
    bases: [u32; 2],
    /// The SYN that they were learned from.
    learned: Option<Seq>,
    /// Our timestamps, known once one has been seen: as scripted, as sent.
    stamps: Vec<(u32, u32)>,
}

impl Mapping {
    /// For the packets of a script in their order, and whether each comes from the peer.
    ///
    /// Where both sides' SYNs are not 0, what follows may count from it (`S 999000:999000`, then `1:1`, as packetdrill does) or go on from it
    /// (`999001:999001`): whichever is nearer to the first number in a packet without SYN.
    pub(super) fn of<'p>(packets: impl Iterator<Item = (bool, &'p Packet)>) -> Self {
        let (mut syns, mut bases) = ([None; 2], [None; 2]);
        for (from_peer, packet) in packets {
            let side = usize::from(from_peer);
            if packet.flags.has(Flags::SYN) {
                syns[side].get_or_insert(packet.seq);
                continue;
            }
            for (side, number) in [(side, Some(packet.seq)), (1 - side, packet.ack)] {
                if let (Some(syn), Some(number)) = (syns[side], number) {
                    let counts_from_it = distance(number, 0) < distance(number, syn);
                    bases[side].get_or_insert(if counts_from_it { syn } else { 0 });
                }
            }
        }
        // A slip in one SYN of a script that calls them 0 is a slip.
        let by_other_numbers = syns.iter().all(|syn| syn.is_some_and(|seq| seq != 0));
        Self { bases: bases.map(|base| base.filter(|_| by_other_numbers).unwrap_or_default()), ..Self::default() }
    }

    /// A SYN of ours with the number `live` is what the script calls `scripted`. When it comes again nothing is learned anew.
    pub(super) fn learn(&mut self, scripted: u32, live: Seq) {
        if self.learned != Some(live) {
            self.learned = Some(live);
            self.own = live.0.wrapping_sub(scripted);
        }
    }

    /// A new connection: its timestamps are counted anew.
    pub(super) fn forget_stamps(&mut self) {
        self.stamps.clear();
    }

    /// The script calls the timestamp `live` of ours `scripted`.
    pub(super) fn learn_stamp(&mut self, scripted: u32, live: u32) {
        self.stamps.push((scripted, live));
    }

    /// What the first timestamp of ours makes of `scripted`; `None` before it.
    pub(super) fn stamp(&self, scripted: u32) -> Option<u32> {
        let &(first_scripted, first_live) = self.stamps.first()?;
        Some(first_live.wrapping_add(scripted.wrapping_sub(first_scripted)))
    }

    /// The live value last seen where the script had `scripted`, or else what follows from the first.
    fn echo(&self, scripted: u32) -> u32 {
        let paired = self.stamps.iter().rev().find(|(known, _)| *known == scripted).map(|&(_, live)| live);
        paired.or_else(|| self.stamp(scripted)).unwrap_or(scripted)
    }

    /// How far our and the peer's numbers on the wire are from what a script calls them in packets with these flags.
    const fn offsets(&self, flags: Flags) -> [u32; 2] {
        let [own, peer] = if flags.has(Flags::SYN) { [0; 2] } else { self.bases };
        [self.own.wrapping_add(own), PEER_ISN.wrapping_add(peer)]
    }

    /// The segment that the peer sends.
    pub(super) fn inbound(&self, packet: &Packet) -> Segment {
        let [own, peer] = self.offsets(packet.flags);
        let live = |scripted: u32| Seq(scripted.wrapping_add(own));
        let scripted = packet.options.clone().unwrap_or_default();
        let mut options = wire::Options {
            mss: scripted.mss,
            window_scale: scripted.window_scale,
            sack_permitted: scripted.sack_permitted,
            timestamps: scripted.timestamps.map(|(value, echo)| (value, self.echo(echo))),
            fast_open: scripted.fast_open,
            sack: SackBlocks::none(),
        };
        for &(left, right) in &scripted.sack {
            options.sack.push(live(left), live(right));
        }
        Segment {
            seq: Seq(packet.seq.wrapping_add(peer)),
            ack: packet.ack.map_or(Seq(0), live),
            flags: packet.flags,
            window: packet.window.unwrap_or(0),
            options,
            payload: Payload::filler(packet.len.into()),
            ..Segment::default()
        }
    }

    /// A segment of ours in the words of a script.
    #[expect(clippy::cast_possible_truncation, reason = "a segment is at most 64 KiB")]
    pub(super) fn outbound(&self, segment: &Segment) -> Packet {
        let [own, peer] = self.offsets(segment.flags);
        let relative = |seq: Seq| seq.0.wrapping_sub(peer);
        let options = &segment.options;
        let stamp = |live: u32| match self.stamps.first() {
            Some(&(first_scripted, first_live)) => first_scripted.wrapping_add(live.wrapping_sub(first_live)),
            None => live,
        };
        Packet {
            flags: segment.flags,
            seq: segment.seq.0.wrapping_sub(own),
            len: segment.payload.len() as u32,
            ack: segment.flags.has(Flags::ACK).then(|| relative(segment.ack)),
            window: Some(segment.window),
            ecn: None,
            options: Some(Options {
                mss: options.mss,
                window_scale: options.window_scale,
                sack_permitted: options.sack_permitted,
                timestamps: options.timestamps.map(|(value, echo)| (stamp(value), echo)),
                sack: options.sack.as_slice().iter().map(|&(left, right)| (relative(left), relative(right))).collect(),
                fast_open: options.fast_open,
            }),
        }
    }
}

/// How far two numbers lie apart, either way around.
fn distance(a: u32, b: u32) -> u32 {
    a.wrapping_sub(b).min(b.wrapping_sub(a))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_syn_counts_from_it_or_goes_on() {
        let packet = |flags: Flags, seq: u32, ack: u32| Packet { flags, seq, ack: Some(ack), ..Packet::default() };
        for (next, own_next) in [(1, 1), (999_001, 1_235)] {
            let packets = [
                (true, packet(Flags::SYN, 999_000, 0)),
                (false, packet(Flags::SYN | Flags::ACK, 1_234, 999_001)),
                (true, packet(Flags::ACK, next, own_next)),
                (false, packet(Flags::ACK, own_next, next)),
            ];
            let mut mapping = Mapping::of(packets.iter().map(|(from_peer, packet)| (*from_peer, packet)));
            mapping.learn(1_234, Seq(70_000));
            let syn = mapping.inbound(&packets[0].1);
            let segment = mapping.inbound(&packets[2].1);
            assert_eq!((segment.seq, segment.ack), (Seq(syn.seq.0.wrapping_add(1)), Seq(70_001)));
            let answer = Segment { seq: segment.ack, ack: segment.seq, flags: Flags::ACK, ..Segment::default() };
            let said = mapping.outbound(&answer);
            assert_eq!((said.seq, said.ack), (own_next, Some(next)));
            let synack =
                Segment { seq: Seq(70_000), ack: segment.seq, flags: Flags::SYN | Flags::ACK, ..Segment::default() };
            let said = mapping.outbound(&synack);
            assert_eq!((said.seq, said.ack), (1_234, Some(999_001)));
        }
    }

    #[test]
    fn there_and_back_across_the_wrap() {
        let mut mapping = Mapping::default();
        mapping.learn(0, Seq(u32::MAX - 10));
        let [own, peer] =
            mapping.offsets(Flags::ACK).map(|offset| move |scripted: u32| Seq(scripted.wrapping_add(offset)));
        let mut segment = Segment { seq: own(2000), ack: peer(5000), flags: Flags::ACK, ..Segment::default() };
        segment.options.sack.push(peer(6000), peer(7000));
        let packet = mapping.outbound(&segment);
        assert_eq!((packet.seq, packet.ack), (2000, Some(5000)));
        assert_eq!(packet.options.unwrap().sack, [(6000, 7000)]);
        assert!(segment.seq.0 < 2000);
    }

    #[test]
    fn echoes_follow_the_last_stamp_that_was_paired() {
        let mut mapping = Mapping::default();
        mapping.learn_stamp(100, 7000);
        mapping.learn_stamp(150, 7049);
        assert_eq!(mapping.echo(150), 7049);
        assert_eq!(mapping.echo(120), 7020);
    }
}
