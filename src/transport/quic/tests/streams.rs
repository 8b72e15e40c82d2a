//! Streams share a connection and nothing else.

use super::super::{Code, Config, Event, Reason};
use super::channel::{Channel, MS, Seen};
use crate::base::Span;
use crate::wire::Payload;
use crate::wire::quic::{Dir, Frame, Side, StreamId};
use std::cell::Cell;

const fn bi(index: u64) -> StreamId {
    StreamId::new(Side::Client, Dir::Bi, index)
}

fn open(config: Config, streams: u64) -> Channel {
    let mut channel = Channel::open(config, MS(50));
    let now = channel.now;
    for index in 0..streams {
        assert_eq!(channel.end(0).open(Dir::Bi, now), Some(bi(index)));
    }
    channel
}

#[test]
fn a_lost_packet_stalls_only_its_own_stream() {
    let mut channel = open(Config::default(), 3);
    let count = Cell::new(0);
    channel.drop = Box::new(move |seen| {
        count.set(count.get() + u32::from(seen.from == 0));
        seen.from == 0 && count.get() == 1
    });
    for index in 0..3 {
        channel.write(0, bi(index), Payload::filler(1000));
        channel.end(0).finish(bi(index));
    }
    channel.run(MS(51));
    let readable = [0, 1, 2].map(|index| channel.end(1).readable(bi(index)));
    assert_eq!(readable, [0, 1000, 1000]);
    channel.run(MS(300));
    let (payload, arrival) = channel.read(1, bi(0)).unwrap();
    assert_eq!(payload.len(), 1000);
    // Its own loss is recovery, not waiting for others.
    assert!(arrival.recovery() >= MS(100) && arrival.reorder_wait().is_zero());
    for index in 1..3 {
        let (_, arrival) = channel.read(1, bi(index)).unwrap();
        assert_eq!((arrival.recovery(), arrival.reorder_wait()), (Span::ZERO, Span::ZERO));
    }
}

#[test]
fn streams_take_turns() {
    let mut channel = open(Config::default(), 3);
    for index in 0..3 {
        let rest = channel.end(0).write(bi(index), Payload::filler(60_000));
        assert!(rest.is_empty());
    }
    channel.run(MS(400));
    let order: Vec<u64> = channel
        .sent
        .iter()
        .filter(|seen| seen.from == 0)
        .flat_map(Seen::frames)
        .filter_map(|frame| match frame {
            Frame::Stream { id, .. } => Some(id.index()),
            _ => None,
        })
        .take(12)
        .collect();
    assert_eq!(order, [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2]);
}

#[test]
fn a_stream_stops_at_its_limit_and_goes_on_when_it_is_read() {
    let config = Config { stream_window: 10_000, stream_window_limit: 10_000, ..Config::default() };
    let mut channel = open(config, 2);
    channel.write(0, bi(0), Payload::filler(25_000));
    channel.run(MS(500));
    assert_eq!(channel.end(1).readable(bi(0)), 10_000);
    let told = |frame: &Frame| *frame == Frame::StreamDataBlocked { id: bi(0), limit: 10_000 };
    assert_eq!(channel.sent.iter().flat_map(Seen::frames).filter(|frame| told(frame)).count(), 1);
    // Another stream is not held back.
    channel.write(0, bi(1), Payload::filler(9_000));
    channel.run(MS(500));
    assert_eq!(channel.end(1).readable(bi(1)), 9_000);
    let mut total = 0;
    for _ in 0..4 {
        total += channel.read(1, bi(0)).map_or(0, |read| read.0.len());
        channel.run(MS(500));
    }
    assert_eq!(total, 25_000);
}

#[test]
fn all_streams_together_stop_at_the_connections_limit() {
    let config = Config { connection_window: 15_000, connection_window_limit: 15_000, ..Config::default() };
    let mut channel = open(config, 3);
    for index in 0..3 {
        channel.write(0, bi(index), Payload::filler(10_000));
    }
    channel.run(MS(600));
    let sum = |channel: &mut Channel| (0..3).map(|index| channel.end(1).readable(bi(index))).sum::<u64>();
    assert_eq!(sum(&mut channel), 15_000);
    assert!(channel.sent.iter().flat_map(Seen::frames).any(|frame| *frame == Frame::DataBlocked(15_000)));
    let mut total = 0;
    for _ in 0..6 {
        for index in 0..3 {
            total += channel.read(1, bi(index)).map_or(0, |read| read.0.len());
        }
        channel.run(MS(500));
    }
    assert_eq!(total, 30_000);
}

#[test]
fn no_more_streams_than_allowed_until_some_are_over() {
    let mut channel = open(Config { streams: [2, 0], ..Config::default() }, 2);
    let now = channel.now;
    assert_eq!(channel.end(0).open(Dir::Bi, now), None);
    assert_eq!(channel.end(0).open(Dir::Uni, now), None);
    for index in 0..2 {
        channel.write(0, bi(index), Payload::filler(10));
        channel.end(0).finish(bi(index));
    }
    channel.run(MS(100));
    for index in 0..2 {
        channel.read(1, bi(index)).unwrap();
        channel.end(1).finish(bi(index));
    }
    channel.run(MS(300));
    assert!(channel.when(0, &Event::Available(Dir::Bi)).is_some());
    let now = channel.now;
    assert_eq!(channel.end(0).open(Dir::Bi, now), Some(bi(2)));
}

#[test]
fn both_directions_of_a_stream_end_by_themselves() {
    let mut channel = open(Config::default(), 1);
    channel.write(0, bi(0), Payload::real(&b"request"[..]));
    channel.end(0).finish(bi(0));
    channel.run(MS(60));
    assert_eq!(channel.read(1, bi(0)).unwrap().0.to_vec(), b"request");
    assert_eq!(channel.end(1).end_of(bi(0)), Some(Ok(())));
    channel.write(1, bi(0), Payload::filler(5_000));
    channel.run(MS(60));
    assert_eq!(channel.end(0).end_of(bi(0)), None);
    channel.end(1).finish(bi(0));
    channel.run(MS(60));
    assert_eq!(channel.read(0, bi(0)).unwrap().0.len(), 5_000);
    assert_eq!(channel.end(0).end_of(bi(0)), Some(Ok(())));
}

#[test]
fn giving_up_a_stream_is_told_with_its_reason() {
    let mut channel = open(Config::default(), 2);
    channel.write(0, bi(0), Payload::filler(3_000));
    channel.end(0).reset(bi(0), 42);
    channel.run(MS(60));
    assert_eq!(channel.end(1).end_of(bi(0)), Some(Err(42)));
    // The other way round: the reader wants no more.
    channel.write(0, bi(1), Payload::filler(100_000));
    channel.run(MS(60));
    let now = channel.now;
    channel.end(1).stop(bi(1), 9, now);
    channel.run(MS(60));
    assert!(channel.when(0, &Event::Stopped(bi(1), 9)).is_some());
    channel.run(MS(500));
    let rest = channel.end(0).write(bi(1), Payload::filler(1));
    assert_eq!(rest.len(), 1, "nothing can be written any more");
    // What was thrown away does not hold the connection's credit.
    assert_eq!(channel.end(1).streams.unread(), 0);
}

#[test]
fn who_ignores_a_limit_breaks_the_protocol() {
    let config = Config { stream_window: 1_000, ..Config::default() };
    let mut channel = open(config, 1);
    let mut packet = crate::wire::quic::Packet {
        header: crate::wire::quic::Header::Short { dst: channel.end(1).ids().next().unwrap() },
        number: crate::wire::quic::Number { value: 500, len: 2 },
        frames: vec![Frame::Stream { id: bi(0), offset: 0, fin: false, data: Payload::filler(1_000) }],
    };
    let mut payload = Payload::empty();
    packet.put(&mut payload);
    channel.inject(1, &payload);
    assert_eq!(channel.reason(1), None);
    packet.number.value = 501;
    packet.frames = vec![Frame::Stream { id: bi(0), offset: 1_000, fin: false, data: Payload::filler(1) }];
    let mut payload = Payload::empty();
    packet.put(&mut payload);
    channel.inject(1, &payload);
    assert_eq!(channel.reason(1), Some(Reason::Failed(Code(3))));
}
