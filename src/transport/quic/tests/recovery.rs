//! When packets are lost, when they are asked for again, and what the window makes of it (RFC 9002).

use super::super::Config;
use super::channel::{Channel, MS, Seen};
use crate::base::{Span, Time};
use crate::transport::congestion::Algorithm;
use crate::wire::Payload;
use crate::wire::quic::{Dir, Frame, Side, StreamId};
use std::cell::Cell;
use std::rc::Rc;

const FIRST: StreamId = StreamId::new(Side::Client, Dir::Bi, 0);

fn config() -> Config {
    Config { congestion: Algorithm::Reno, pacing: false, ..Config::default() }
}

/// An open connection whose client has one stream.
fn with_stream() -> Channel {
    let mut channel = Channel::open(config(), MS(50));
    let now = channel.now;
    assert_eq!(channel.end(0).open(Dir::Bi, now), Some(FIRST));
    channel
}

fn offsets(seen: &Seen) -> Vec<u64> {
    let offset = |frame: &Frame| match frame {
        Frame::Stream { offset, .. } => Some(*offset),
        _ => None,
    };
    seen.frames().filter_map(offset).collect()
}

/// Instants at which data from `offset` on was sent.
fn times_of(channel: &Channel, offset: u64) -> Vec<Span> {
    let sent = channel.sent.iter().filter(|seen| offsets(seen).contains(&offset));
    sent.map(|seen| seen.at - channel.start).collect()
}

/// Drops the data datagrams of the client with these numbers, counted from now.
fn drop_data(channel: &mut Channel, numbers: &'static [u32]) {
    let count = Cell::new(0);
    channel.drop = Box::new(move |seen| {
        if seen.from == 1 || offsets(seen).is_empty() {
            return false;
        }
        count.set(count.get() + 1);
        numbers.contains(&(count.get() - 1))
    });
}

#[test]
fn a_packet_is_lost_when_one_sent_three_later_is_acknowledged_not_two() {
    for (behind, again) in [(2, None), (3, Some(MS(100)))] {
        let mut channel = with_stream();
        drop_data(&mut channel, &[0]);
        for _ in 0..=behind {
            // Each write is a packet of its own.
            channel.write(0, FIRST, Payload::filler(1000));
        }
        channel.run(MS(105));
        let times = times_of(&channel, 0);
        assert_eq!((times[0], times.get(1).copied()), (MS(0), again), "{behind} packets behind");
    }
}

#[test]
fn a_packet_is_lost_nine_eighths_of_a_round_trip_after_it_was_sent_if_a_later_one_has_arrived() {
    let mut channel = with_stream();
    drop_data(&mut channel, &[0]);
    channel.write(0, FIRST, Payload::filler(1000));
    channel.write(0, FIRST, Payload::filler(1000));
    channel.run(MS(150));
    let times = times_of(&channel, 0);
    // The gap is acknowledged at once, so the round trip is 100 ms.
    let expected = MS(100) * 9 / 8;
    assert!(times.len() == 2 && times[1] >= expected && times[1] < expected + MS(4), "{times:?}");
}

#[test]
fn a_lost_tail_is_probed_after_a_round_trip_four_deviations_and_the_ack_delay_twice_that_next() {
    let mut channel = with_stream();
    let pto = channel.end(0).pto();
    assert!(pto >= MS(126), "100 ms, at least 1 ms of deviation, 25 ms of delay: {pto:?}");
    channel.drop = Box::new(|seen| seen.from == 0);
    channel.write(0, FIRST, Payload::filler(1000));
    channel.run(pto * 8);
    let mut times = times_of(&channel, 0);
    times.dedup();
    assert_eq!(times[..4], [Span::ZERO, pto, pto * 3, pto * 7]);
    let window = channel.end(0).window.cwnd;
    assert!(window >= 10, "a probe timeout by itself says nothing about congestion: {window}");
}

#[test]
fn a_loss_halves_the_window_once_a_round_trip() {
    let mut channel = with_stream();
    channel.end(0).window.cwnd = 40;
    drop_data(&mut channel, &[3, 5, 9, 20]);
    channel.write(0, FIRST, Payload::filler(53_000));
    channel.run(MS(120));
    // Slow start had gone on until the loss was seen.
    let (ssthresh, cwnd) = (channel.end(0).window.ssthresh, channel.end(0).window.cwnd);
    assert!((20..=22).contains(&ssthresh) && (ssthresh..=ssthresh + 1).contains(&cwnd), "{ssthresh} {cwnd}");
    channel.run(MS(2_000));
    assert_eq!(channel.end(1).readable(FIRST), 53_000);
}

#[test]
fn a_dead_path_is_persistent_congestion_and_the_window_starts_again_from_two() {
    let mut channel = with_stream();
    let dead = Rc::new(Cell::new(true));
    let is_dead = Rc::clone(&dead);
    channel.drop = Box::new(move |seen| is_dead.get() && seen.from == 0);
    channel.write(0, FIRST, Payload::filler(40_000));
    channel.run(MS(1_500));
    dead.set(false);
    assert!(channel.run_until(MS(3_000), |channel| channel.end(0).window.cwnd <= 3));
    assert!(channel.run_until(MS(10_000), |channel| channel.end(1).readable(FIRST) == 40_000));
}

#[test]
fn an_acknowledgment_waits_for_a_second_packet_or_the_delay() {
    let mut channel = with_stream();
    channel.write(0, FIRST, Payload::filler(10));
    channel.run(MS(200));
    let acks: Vec<Time> = channel.sent.iter().filter(|seen| seen.from == 1).map(|seen| seen.at).collect();
    assert_eq!(acks, [channel.start + MS(75)], "50 ms on the way, 25 ms of delay");
    channel.clear();
    channel.write(0, FIRST, Payload::filler(10));
    channel.write(0, FIRST, Payload::filler(10));
    channel.run(MS(60));
    let acks: Vec<Time> = channel.sent.iter().filter(|seen| seen.from == 1).map(|seen| seen.at).collect();
    assert_eq!(acks, [channel.start + MS(50)]);
}

#[test]
fn the_delay_of_acknowledgments_is_no_part_of_the_round_trip() {
    let mut channel = with_stream();
    for _ in 0..30 {
        channel.write(0, FIRST, Payload::filler(10));
        channel.run(MS(300));
    }
    let srtt = channel.end(0).rtt.srtt();
    assert!(srtt >= MS(100) && srtt < MS(101), "{srtt:?}");
}

#[test]
fn a_window_of_data_leaves_in_a_burst_or_over_the_round_trip() {
    for (pacing, least) in [(false, Span::ZERO), (true, MS(5))] {
        let mut channel = Channel::open(Config { pacing, ..config() }, MS(50));
        let now = channel.now;
        channel.end(0).open(Dir::Bi, now);
        channel.end(0).window.cwnd = 40;
        channel.write(0, FIRST, Payload::filler(50_000));
        channel.run(MS(49));
        let last = channel.sent.iter().filter(|seen| seen.from == 0).map(|seen| seen.at).max().unwrap();
        assert!(last - channel.start >= least);
        assert_eq!(last == channel.start, !pacing);
        assert_eq!(channel.end(0).in_flight / 1000, if pacing { channel.end(0).in_flight / 1000 } else { 51 });
    }
}

#[test]
fn slow_start_doubles_the_window_each_round_trip() {
    let mut channel = with_stream();
    channel.write(0, FIRST, Payload::filler(2_000_000));
    let mut windows = Vec::new();
    for _ in 0..4 {
        windows.push(channel.end(0).window.cwnd);
        channel.run(MS(101));
    }
    assert_eq!(windows[0], 10);
    for pair in windows.windows(2) {
        assert!(pair[1] >= pair[0] * 19 / 10 && pair[1] <= pair[0] * 2 + 1, "{windows:?}");
    }
}
