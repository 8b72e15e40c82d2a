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
    /// The SYN that they were learned from.
    learned: Option<Seq>,
    /// Our timestamps, known once one has been seen: as scripted, as sent.
    stamps: Vec<(u32, u32)>,
}

impl Mapping {
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

    /// Our sequence number that a script calls `scripted`.
    pub(super) const fn own(&self, scripted: u32) -> Seq {
        Seq(scripted.wrapping_add(self.own))
    }

    /// The peer's sequence number that a script calls `scripted`.
    pub(super) const fn peer(scripted: u32) -> Seq {
        Seq(scripted.wrapping_add(PEER_ISN))
    }

    /// The segment that the peer sends.
    pub(super) fn inbound(&self, packet: &Packet) -> Segment {
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
            options.sack.push(self.own(left), self.own(right));
        }
        Segment {
            seq: Self::peer(packet.seq),
            ack: packet.ack.map_or(Seq(0), |ack| self.own(ack)),
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
        let relative = |seq: Seq| seq.0.wrapping_sub(PEER_ISN);
        let options = &segment.options;
        let stamp = |live: u32| match self.stamps.first() {
            Some(&(first_scripted, first_live)) => first_scripted.wrapping_add(live.wrapping_sub(first_live)),
            None => live,
        };
        Packet {
            flags: segment.flags,
            seq: segment.seq.0.wrapping_sub(self.own),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back_across_the_wrap() {
        let mut mapping = Mapping::default();
        mapping.learn(0, Seq(u32::MAX - 10));
        let mut segment =
            Segment { seq: mapping.own(2000), ack: Mapping::peer(5000), flags: Flags::ACK, ..Segment::default() };
        segment.options.sack.push(Mapping::peer(6000), Mapping::peer(7000));
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
