//! Laws of the encoding: what is written is read, lengths are honest, nonsense is refused without a panic.

#![expect(clippy::cast_possible_truncation, reason = "random bytes")]

use super::*;
use crate::base::Rng;
use crate::wire::{Chunk, Payload};
use bytes::Bytes;
use proptest::prelude::*;

/// A number of any magnitude that a variable-length integer holds.
fn large(rng: &mut Rng) -> u64 {
    rng.bits() >> (2 + rng.below(62))
}

fn bytes(rng: &mut Rng, most: u64) -> Bytes {
    (0..rng.below(most + 1)).map(|_| rng.bits() as u8).collect()
}

fn data(rng: &mut Rng) -> Payload {
    let mut data = Payload::empty();
    for _ in 0..rng.below(4) {
        data.push(if rng.chance(0.5) { Chunk::Filler(rng.below(900)) } else { Chunk::Real(bytes(rng, 40)) });
    }
    data
}

fn id(rng: &mut Rng, least: u64) -> ConnectionId {
    let len = least + rng.below(21 - least);
    let bytes: Vec<u8> = (0..len).map(|_| rng.bits() as u8).collect();
    ConnectionId::new(&bytes).unwrap()
}

fn ranges(rng: &mut Rng) -> AckRanges {
    let mut ranges = AckRanges::new();
    for _ in 0..=rng.below(12) {
        let from = large(rng) >> 4;
        (from..=from + rng.below(4)).for_each(|number| _ = ranges.insert(number));
    }
    ranges
}

fn frame(rng: &mut Rng) -> Frame {
    let stream = StreamId(large(rng));
    let dir = if rng.chance(0.5) { Dir::Bi } else { Dir::Uni };
    let array = |rng: &mut Rng| rng.bits().to_le_bytes();
    match rng.below(22) {
        0 => Frame::Ping,
        1 => Frame::Ack { ranges: ranges(rng), delay: large(rng), ecn: None },
        2 => {
            let ecn = EcnCounts { ect0: large(rng), ect1: large(rng), ce: large(rng) };
            Frame::Ack { ranges: ranges(rng), delay: large(rng), ecn: Some(ecn) }
        }
        3 => Frame::ResetStream { id: stream, code: large(rng), final_size: large(rng) },
        4 => Frame::StopSending { id: stream, code: large(rng) },
        5 => Frame::Crypto { offset: large(rng) / 2, data: data(rng) },
        6 => Frame::NewToken([&[7][..], &bytes(rng, 50)].concat().into()),
        7 | 8 => Frame::Stream { id: stream, offset: large(rng) / 2, fin: rng.chance(0.3), data: data(rng) },
        9 => Frame::MaxData(large(rng)),
        10 => Frame::MaxStreamData { id: stream, max: large(rng) },
        11 => Frame::MaxStreams { dir, max: large(rng) >> 2 },
        12 => Frame::DataBlocked(large(rng)),
        13 => Frame::StreamDataBlocked { id: stream, limit: large(rng) },
        14 => Frame::StreamsBlocked { dir, limit: large(rng) >> 2 },
        15 => {
            let sequence = large(rng);
            let retire_prior_to = sequence.min(large(rng));
            Frame::NewConnectionId { sequence, retire_prior_to, id: id(rng, 1), token: [rng.bits() as u8; 16] }
        }
        16 => Frame::RetireConnectionId(large(rng)),
        17 => Frame::PathChallenge(array(rng)),
        18 => Frame::PathResponse(array(rng)),
        19 => Frame::Close(Close { application: rng.chance(0.5), code: large(rng), reason: bytes(rng, 30) }),
        20 => Frame::Padding(1 + rng.below(30)),
        _ => Frame::HandshakeDone,
    }
}

fn packet(rng: &mut Rng, short: Option<u8>) -> Packet {
    let header = if let Some(len) = short {
        let bytes: Vec<u8> = (0..len).map(|_| rng.bits() as u8).collect();
        Header::Short { dst: ConnectionId::new(&bytes).unwrap() }
    } else {
        let kind = match rng.below(3) {
            0 => LongKind::Initial { token: bytes(rng, 30) },
            1 => LongKind::ZeroRtt,
            _ => LongKind::Handshake,
        };
        Header::Long { kind, dst: id(rng, 0), src: id(rng, 0) }
    };
    let len = 1 + rng.below(4) as u8;
    let value = rng.bits() & ((1 << (8 * len)) - 1);
    let mut frames: Vec<Frame> = Vec::new();
    for _ in 0..=rng.below(5) {
        let next = frame(rng);
        // Two runs of padding read as one.
        if !matches!((&next, frames.last()), (Frame::Padding(_), Some(Frame::Padding(_)))) {
            frames.push(next);
        }
    }
    if frames.iter().map(|frame| frame.len(false)).sum::<u64>() < 4 {
        frames.push(Frame::MaxData(1 << 40));
    }
    Packet { header, number: Number { value, len }, frames }
}

#[test]
fn datagrams_are_read_as_they_were_written() {
    let mut rng = Rng::stream(1, "test/quic/datagrams");
    for _ in 0..3_000 {
        let id_len = rng.below(21) as u8;
        let mut packets: Vec<Packet> = (0..rng.below(3)).map(|_| packet(&mut rng, None)).collect();
        if packets.is_empty() || rng.chance(0.5) {
            packets.push(packet(&mut rng, Some(id_len)));
        }
        let mut datagram = Payload::empty();
        for packet in &packets {
            let before = datagram.len();
            packet.put(&mut datagram);
            assert_eq!(datagram.len() - before, packet.len(), "{packet:?}");
        }
        let items: Vec<Item> = packets.iter().cloned().map(Item::Packet).collect();
        assert_eq!(decode(&datagram, id_len), (items, Ok(())));
        // As real bytes it says the same; only filler has become zeros.
        let (real, end) = decode(&Payload::real(datagram.to_vec()), id_len);
        assert_eq!(end, Ok(()));
        let mut again = Payload::empty();
        real.iter().for_each(|item| item.put(&mut again));
        assert_eq!(again.to_vec(), datagram.to_vec());
    }
}

#[test]
fn nonsense_and_half_packets_are_refused() {
    let mut rng = Rng::stream(2, "test/quic/nonsense");
    for _ in 0..3_000 {
        let mut datagram = Payload::empty();
        packet(&mut rng, None).put(&mut datagram);
        let whole = datagram.to_vec();
        let cut = rng.below(whole.len() as u64);
        let (items, end) = decode(&datagram.slice(0, cut), 8);
        assert!(items.is_empty() && (end.is_err() || cut == 0));
        let mut bent = whole;
        let at = rng.below(bent.len() as u64) as usize;
        bent[at] ^= 1 << rng.below(8);
        drop(decode(&Payload::real(bent), 8));
        drop(decode(&Payload::real(bytes(&mut rng, 100)), 8));
    }
}

/// Whatever the bytes: no panic, and what is understood is written so that it is understood again, as in `fuzz/`.
fn any_bytes(bytes: &[u8], id_len: u8) {
    let datagram = Payload::real(bytes.to_vec());
    let (items, end) = decode(&datagram, id_len);
    let mut again = Payload::empty();
    items.iter().for_each(|item| item.put(&mut again));
    let (twice, whole) = decode(&again, id_len);
    assert_eq!((&twice, whole), (&items, Ok(())), "{bytes:02x?} became {:02x?}", again.to_vec());
    assert!(end.is_ok() || items.iter().map(item_len).sum::<u64>() <= bytes.len() as u64);
    let _ = (peek_dst(&datagram, id_len), is_short(&datagram), reset_token_of(&datagram));
}

#[test]
fn a_packet_with_nothing_to_sample_is_too_short() {
    // A short header, a number of one byte, PING once to three times, the tag.
    let read = |pings: usize| {
        let bytes = [&[0x40, 7][..], &vec![1; pings], &[0; TAG_LEN as usize]].concat();
        decode(&Payload::real(bytes), 0)
    };
    assert_eq!((read(2).0.len(), read(2).1), (0, Err(DecodeError::Short)));
    assert_eq!((read(3).0.len(), read(3).1), (1, Ok(())));
}

fn item_len(item: &Item) -> u64 {
    match item {
        Item::Packet(packet) => packet.len(),
        other => {
            let mut one = Payload::empty();
            other.put(&mut one);
            one.len()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn any_bytes_are_read_without_a_panic_and_written_alike(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        first in prop_oneof![Just(0x40u8), Just(0xc0), Just(0xd0), Just(0xe0), any::<u8>()],
        id_len in 0..=20u8,
    ) {
        any_bytes(&bytes, id_len);
        // With a first byte and a version that mean something, many more get as far as the frames.
        let mut likely = vec![first];
        if first & 0x80 != 0 {
            likely.extend(VERSION_1.to_be_bytes());
        }
        likely.extend(&bytes);
        any_bytes(&likely, id_len);
    }

    #[test]
    fn a_datagram_with_bytes_changed_is_read_without_a_panic_and_written_alike(
        seed in any::<u64>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let mut rng = Rng::stream(seed, "test/quic/changed");
        let mut datagram = Payload::empty();
        packet(&mut rng, None).put(&mut datagram);
        packet(&mut rng, Some(8)).put(&mut datagram);
        let mut bytes = datagram.to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        any_bytes(&bytes, 8);
    }
}

#[test]
fn the_header_sizes_of_rfc_9000_17() {
    let (dst, src) = (ConnectionId::of_number(1), ConnectionId::of_number(2));
    // 1 + version 4 + (1 + 8) + (1 + 8) + token length 1 + length 2 + number 1.
    let initial = Header::Long { kind: LongKind::Initial { token: Bytes::new() }, dst, src };
    assert_eq!(initial.len(1), 27);
    assert_eq!(Header::Long { kind: LongKind::Handshake, dst, src }.len(1), 26);
    assert_eq!(Header::Short { dst }.len(2), 11);
    // What a full 1-RTT packet costs besides its data: 1 + 8 + 1 + frame 1 + stream 1 + offset 4 + tag 16.
    let data = Payload::filler(1000);
    let frame = Frame::Stream { id: StreamId(0), offset: 100_000, fin: false, data };
    let packet = Packet { header: Header::Short { dst }, number: Number { value: 7, len: 1 }, frames: vec![frame] };
    assert_eq!(packet.len(), 1032);
}

#[test]
fn special_packets_are_told_apart() {
    let (dst, src) = (ConnectionId::of_number(1), ConnectionId::of_number(2));
    let retry = Item::Retry { dst, src, token: Bytes::from_static(b"come again") };
    let mut datagram = Payload::empty();
    retry.put(&mut datagram);
    assert_eq!(decode(&datagram, 8), (vec![retry], Ok(())));
    let negotiation = Item::VersionNegotiation { dst, src, versions: vec![VERSION_1] };
    assert_eq!(decode(&version_negotiation(dst, src), 8), (vec![negotiation], Ok(())));
    let token = [9; 16];
    for len in [21, 22, 43] {
        let reset = stateless_reset(&token, len);
        assert_eq!((reset.len(), reset_token_of(&reset)), (u64::from(len), Some(token)));
    }
    assert_eq!(reset_token_of(&datagram), None, "a long header is no reset");
}

#[test]
fn stream_ids_name_opener_and_directions() {
    // RFC 9000 2.1, table 1.
    assert_eq!(StreamId::new(Side::Client, Dir::Bi, 0), StreamId(0));
    assert_eq!(StreamId::new(Side::Server, Dir::Bi, 1), StreamId(5));
    assert_eq!(StreamId::new(Side::Client, Dir::Uni, 2), StreamId(10));
    let id = StreamId::new(Side::Server, Dir::Uni, 3);
    assert_eq!((id.initiator(), id.dir(), id.index()), (Side::Server, Dir::Uni, 3));
}
