use super::*;
use crate::wire::{Body, Datagram, Dscp, Transit};
use std::net::Ipv4Addr;

/// A packet; its size is what the tests say.
pub(super) fn packet() -> Packet {
    Packet {
        src: Ipv4Addr::LOCALHOST,
        dst: Ipv4Addr::LOCALHOST,
        ttl: 64,
        dscp: Dscp::DEFAULT,
        ecn: Ecn::NotCapable,
        ident: 0,
        body: Body::Udp(Datagram::default()),
        transit: Transit::default(),
    }
}

fn mbps(n: u64) -> BitRate {
    BitRate::from_bps(n * 1_000_000).unwrap()
}

fn at_us(us: u64) -> Time {
    Time::ZERO + Span::from_micros(us)
}

/// Offers `count` packets of 1,500 bytes at time zero and takes out all that arrive.
fn burst(config: &Config, count: u32) -> (Link<u32>, Vec<(Time, u32, Fate)>) {
    let mut link = Link::new(config, 1, "test");
    for packet in 0..count {
        let _ = link.offer(packet, 1500, &mut self::packet(), Time::ZERO);
    }
    let mut out = Vec::new();
    while let Some(at) = link.wake() {
        let (packet, fate, next) = link.take().unwrap();
        assert_eq!(link.wake(), next);
        out.push((at, packet, fate));
    }
    (link, out)
}

#[test]
fn a_packet_arrives_after_serialisation_and_propagation() {
    // 1,500 bytes at 100 Mb/s: 120 us each.
    let (_, out) = burst(&Config::new(mbps(100), Span::from_millis(28)), 3);
    let times: Vec<Time> = out.iter().map(|entry| entry.0).collect();
    assert_eq!(times, [at_us(28_120), at_us(28_240), at_us(28_360)]);
}

#[test]
fn a_packet_knows_where_its_time_went() {
    let mut link = Link::new(&Config::new(mbps(100), Span::from_millis(28)), 1, "test");
    let mut packets = [packet(), packet()];
    for (name, packet) in packets.iter_mut().enumerate() {
        assert!(!matches!(link.offer(name, 1500, packet, Time::ZERO), Offered::Refused(_)));
    }
    let transits = packets.map(|packet| packet.transit);
    assert_eq!(transits[1].queueing, Span::from_micros(120));
    assert_eq!(transits[1].serialisation, Span::from_micros(120));
    assert_eq!(transits[1].propagation, Span::from_millis(28));
    link.take().unwrap();
    assert_eq!(
        link.wake().unwrap(),
        Time::ZERO + transits[1].queueing + transits[1].serialisation + transits[1].propagation
    );
}

#[test]
fn drop_tail_counts_the_packet_in_service() {
    let mut config = Config::new(mbps(100), Span::from_millis(1));
    for (limit, fit) in [
        (queue::Limit::Bytes(4500), 3),
        (queue::Limit::Bytes(4499), 2),
        (queue::Limit::Packets(2), 2),
        (queue::Limit::Packets(0), 0),
    ] {
        config.queue = queue::Config::DropTail(limit);
        let (link, out) = burst(&config, 5);
        assert_eq!(out.len(), fit, "{limit:?}");
        assert_eq!(link.counters().dropped[Cause::QueueFull as usize], 5 - fit as u64);
        assert_eq!(link.counters().max_queue, 1500 * fit as u64);
    }
}

#[test]
fn room_is_made_when_a_packet_has_departed_not_before() {
    let mut config = Config::new(mbps(100), Span::from_millis(1));
    config.queue = queue::Config::DropTail(queue::Limit::Packets(1));
    let mut link = Link::new(&config, 1, "test");
    let mut offer = |us| !matches!(link.offer(0, 1500, &mut packet(), at_us(us)), Offered::Refused(_));
    assert!(offer(0));
    assert!(!offer(119));
    assert!(offer(120));
}

#[test]
fn nothing_is_lost_uncounted() {
    let mut config = Config::new(mbps(100), Span::from_millis(1));
    config.queue = queue::Config::DropTail(queue::Limit::Packets(900));
    config.loss = loss::Config::Iid(Ratio::new(0.1).unwrap());
    config.corrupt = Ratio::new(0.1).unwrap();
    config.duplicate = Ratio::new(0.1).unwrap();
    config.jitter = Some(Dist::Exponential { mean: Span::from_micros(500) });
    let (link, out) = burst(&config, 1000);
    let counters = link.counters();
    assert_eq!(counters.offered(), 1000);
    assert_eq!(counters.arrived + counters.dropped.iter().sum::<u64>(), 1000);
    assert_eq!(out.iter().filter(|entry| entry.2 == Fate::ArrivesTwice).count() as u64, counters.duplicated);
    for count in
        [counters.dropped[Cause::Loss as usize], counters.dropped[Cause::Corrupted as usize], counters.duplicated]
    {
        assert!((50..130).contains(&count), "{counters:?}");
    }
    assert!(out.is_sorted_by_key(|entry| entry.1), "jitter without reordering keeps the order");
}

#[test]
fn held_back_packets_are_overtaken() {
    let mut config = Config::new(mbps(100), Span::from_millis(1));
    config.reorder = Some((Ratio::new(0.1).unwrap(), Span::from_micros(500)));
    let (_, out) = burst(&config, 900);
    assert!(out.is_sorted_by_key(|entry| entry.0));
    let late = out.windows(2).filter(|pair| pair[1].1 < pair[0].1).count();
    assert!((60..110).contains(&late), "{late}");
    assert_eq!(out.len(), 900);
}

#[test]
fn the_queue_integral_is_littles_law() {
    // Three packets of 1,500 bytes leave after 120, 240, 360 us.
    let (link, _) = burst(&Config::new(mbps(100), Span::ZERO), 3);
    assert_eq!(link.counters().queue_integral, 1500 * (120_000 + 240_000 + 360_000));
    assert_eq!(link.counters().busy, Span::from_micros(360));
}

#[test]
fn marks_are_set_on_the_packet_and_counted() {
    let mut config = Config::new(mbps(100), Span::from_millis(1));
    let (limit, mark_above) = (queue::Limit::Packets(100), queue::Limit::Packets(3));
    config.queue = queue::Config::Threshold { limit, mark_above };
    let mut link = Link::new(&config, 1, "test");
    let marked: Vec<bool> = (0..6)
        .map(|name| {
            let mut packet = Packet { ecn: Ecn::Ect0, ..packet() };
            assert!(!matches!(link.offer(name, 1500, &mut packet, Time::ZERO), Offered::Refused(_)));
            packet.ecn == Ecn::CongestionExperienced
        })
        .collect();
    // The fifth is the first that finds more than three.
    assert_eq!(marked, [false, false, false, false, true, true]);
    assert_eq!(link.counters().marked, 2);
}
