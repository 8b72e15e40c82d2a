//! Marks: how a path is proved to carry them, what they do to the window, and how a path that does not carry them is found out
//! (RFC 9000 13.4, RFC 9002 7.1).

use super::super::{Config, EcnPath};
use super::channel::{Channel, MS, Seen};
use crate::base::Span;
use crate::transport::congestion::Algorithm;
use crate::transport::tcp::EcnMode;
use crate::wire::quic::{Dir, EcnCounts, Frame, Side, StreamId};
use crate::wire::{Ecn, Payload};
use std::cell::Cell;

const FIRST: StreamId = StreamId::new(Side::Client, Dir::Bi, 0);

fn config(ecn: EcnMode) -> Config {
    Config { congestion: Algorithm::Reno, pacing: false, ecn, ..Config::default() }
}

/// An open connection whose client has one stream, over a channel that treats ECN bits like this.
fn opened(ecn: EcnMode, remark: impl FnMut(&Seen) -> Ecn + 'static) -> Channel {
    let mut channel = Channel::new(config(ecn), MS(50), None, 1);
    channel.remark = Box::new(remark);
    channel.run(MS(400));
    assert!(channel.end(0).is_connected() && channel.end(1).is_connected());
    channel.clear();
    let now = channel.now;
    assert_eq!(channel.end(0).open(Dir::Bi, now), Some(FIRST));
    channel
}

fn counts(seen: &Seen) -> Option<EcnCounts> {
    seen.frames().find_map(|frame| match frame {
        Frame::Ack { ecn, .. } => *ecn,
        _ => None,
    })
}

/// The last counts that the server has reported.
fn last_counts(channel: &Channel) -> Option<EcnCounts> {
    channel.sent.iter().rev().filter(|seen| seen.from == 1).find_map(counts)
}

#[test]
fn who_asks_for_marks_sends_ect_and_hears_how_many_arrived() {
    let mut channel = opened(EcnMode::On, |seen| seen.ecn);
    assert_eq!(channel.end(0).ecn_path(), EcnPath::Capable);
    assert_eq!(channel.end(1).ecn_path(), EcnPath::Capable);
    channel.write(0, FIRST, Payload::filler(100_000));
    channel.run(MS(1000));
    assert!(channel.sent.iter().all(|seen| seen.ecn == Ecn::Ect0), "every packet of both, acknowledgments too");
    let data: u64 = channel.sent.iter().filter(|seen| seen.from == 0).map(|seen| seen.packets.len() as u64).sum();
    let told = last_counts(&channel).unwrap();
    assert_eq!((told.ect1, told.ce), (0, 0));
    assert!(told.ect0 >= data, "{told:?}, {data} sent since the handshake");
}

#[test]
fn who_does_not_ask_reports_nothing_as_nothing_is_marked() {
    for mode in [EcnMode::Passive, EcnMode::Off] {
        let mut channel = opened(mode, |seen| seen.ecn);
        channel.write(0, FIRST, Payload::filler(100_000));
        channel.run(MS(1000));
        assert!(channel.sent.iter().all(|seen| seen.ecn == Ecn::NotCapable && counts(seen).is_none()));
        assert_eq!(channel.end(0).ecn_path(), EcnPath::Off);
    }
}

#[test]
fn a_mark_is_a_congestion_event_once_a_round_trip_and_nothing_is_sent_again() {
    // Of the first flight of ten, two packets are marked: one halving.
    let marked = Cell::new(0);
    let mut channel = opened(EcnMode::On, |seen| seen.ecn);
    channel.remark = Box::new(move |seen| {
        let data = seen.frames().any(|frame| matches!(frame, Frame::Stream { .. }));
        if !data {
            return seen.ecn;
        }
        marked.set(marked.get() + 1);
        if matches!(marked.get(), 4 | 7) { Ecn::CongestionExperienced } else { seen.ecn }
    });
    let before = channel.end(0).info();
    assert_eq!(before.ssthresh_bytes, u64::MAX);
    channel.write(0, FIRST, Payload::filler(13_000));
    channel.run(MS(500));
    let after = channel.end(0).info();
    assert_eq!(last_counts(&channel).map(|told| told.ce), Some(2));
    assert_eq!(after.lost_packets, 0);
    // The mark comes with the acknowledgment of the fourth packet: two more had grown the window by as much in slow start.
    let least = before.cwnd_bytes / 2;
    assert!((least..=least + 4 * 1350).contains(&after.ssthresh_bytes), "{before:?} {after:?}");
    assert!(after.cwnd_bytes < before.cwnd_bytes);
}

#[test]
fn a_path_that_wipes_the_bits_out_is_found_out_and_not_tried_again() {
    let mut channel = opened(EcnMode::On, |_| Ecn::NotCapable);
    assert_eq!(channel.end(0).ecn_path(), EcnPath::Failed);
    assert_eq!(channel.end(1).ecn_path(), EcnPath::Failed);
    channel.write(0, FIRST, Payload::filler(50_000));
    channel.run(MS(1000));
    assert!(channel.sent.iter().all(|seen| seen.ecn == Ecn::NotCapable));
}

#[test]
fn a_path_that_begins_to_wipe_the_bits_out_is_found_out() {
    let mut channel = opened(EcnMode::On, |seen| seen.ecn);
    assert_eq!(channel.end(0).ecn_path(), EcnPath::Capable);
    channel.remark = Box::new(|_| Ecn::NotCapable);
    channel.write(0, FIRST, Payload::filler(50_000));
    channel.run(MS(1000));
    assert_eq!(channel.end(0).ecn_path(), EcnPath::Failed);
    // What comes after is acknowledged and delivered as ever.
    assert!(channel.read(1, FIRST).is_some_and(|(read, _)| read.len() == 50_000));
}

#[test]
fn marks_of_another_sort_than_were_sent_are_not_believed() {
    let mut channel = opened(EcnMode::On, |seen| if seen.ecn == Ecn::Ect0 { Ecn::Ect1 } else { seen.ecn });
    assert_eq!(channel.end(0).ecn_path(), EcnPath::Failed);
}

#[test]
fn a_path_on_which_every_tested_packet_vanishes_is_tried_without_marks() {
    // A middlebox drops what says that it may be marked.
    let mut channel = Channel::new(config(EcnMode::On), MS(50), None, 1);
    channel.drop = Box::new(|seen| seen.ecn != Ecn::NotCapable);
    channel.run(Span::from_secs(20));
    assert!(channel.end(0).is_connected() && channel.end(1).is_connected());
}

#[test]
fn a_controller_that_counts_marks_asks_for_them_whatever_the_host_does() {
    let algorithm = Algorithm::by_name("dctcp").unwrap();
    let mut channel = Channel::open(Config { congestion: algorithm, pacing: false, ..Config::default() }, MS(10));
    let now = channel.now;
    assert_eq!(channel.end(0).open(Dir::Bi, now), Some(FIRST));
    assert_eq!(channel.end(0).ecn_path(), EcnPath::Capable);
    // Of a full window every twentieth packet is marked: alpha falls to about 1/20, and two marks a round trip hold a window of 2 / alpha.
    // Reno halves at each: its window is sqrt(1.5 / p), or 5.5 packets.
    let every_twentieth = || {
        let count = Cell::new(0);
        Box::new(move |seen: &Seen| {
            count.set(count.get() + u32::from(seen.from == 0));
            if seen.from == 0 && count.get().is_multiple_of(20) { Ecn::CongestionExperienced } else { seen.ecn }
        })
    };
    let mut windows = Vec::new();
    for mut channel in [channel, opened(EcnMode::On, |seen| seen.ecn)] {
        channel.delay = MS(10);
        channel.remark = every_twentieth();
        channel.write(0, FIRST, Payload::filler(5_000_000));
        let mut sum = 0;
        for _ in 0..100 {
            channel.run(MS(20));
            sum += channel.end(0).info().cwnd_bytes / 1350;
        }
        windows.push(sum / 100);
    }
    assert!(windows[0] > 2 * windows[1] && (4..=9).contains(&windows[1]), "{windows:?} packets");
}
