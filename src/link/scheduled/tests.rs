use super::super::queue::{Limit, codel, priority};
use super::super::{Config, queue};
use super::*;
use crate::base::{BitRate, Ratio, Rng};
use crate::wire::{Dscp, Packet};

fn mbps(n: u64) -> BitRate {
    BitRate::from_bps(n * 1_000_000).unwrap()
}

fn at_us(us: u64) -> Time {
    Time::ZERO + Span::from_micros(us)
}

fn urgent() -> Dscp {
    Dscp::by_name("EF").unwrap()
}

fn two_bands(limit: Limit) -> queue::Config {
    let each = Box::new(queue::Config::DropTail(limit));
    queue::Config::Priority(priority::Config { bands: vec![vec![urgent()]], each })
}

/// What the world does with a link: offers at their times, serves and takes whenever the link wants. Arrivals in order; waits by
/// packet; drops.
#[derive(Default)]
struct Outcome {
    arrivals: Vec<(Time, usize)>,
    departures: Vec<(Time, usize, Span)>,
    drops: Vec<(usize, Cause)>,
}

fn play(link: &mut Link<usize>, offers: &[(Time, Label)]) -> Outcome {
    let mut outcome = Outcome::default();
    let mut offers = offers.iter().enumerate().peekable();
    loop {
        let offer = offers.peek().map(|(_, offer)| offer.0);
        let now = match (link.wake(), offer) {
            (None, None) => return outcome,
            (wake, offer) => wake.unwrap_or(Time::NEVER).min(offer.unwrap_or(Time::NEVER)),
        };
        while offers.peek().is_some_and(|(_, offer)| offer.0 == now)
            && let Some((name, &(_, label))) = offers.next()
        {
            let mut packet = Packet { ecn: label.ecn, dscp: label.dscp, ..crate::link::tests::packet() };
            let before = packet.transit;
            match link.offer(name, u16::try_from(label.size).unwrap(), &mut packet, now) {
                Offered::First(_) | Offered::Behind if packet.transit != before => {
                    outcome.departures.push((now, name, packet.transit.queueing));
                }
                Offered::First(_) | Offered::Behind => {}
                Offered::Refused(cause) => outcome.drops.push((name, cause)),
            }
        }
        while link.wake() == Some(now) {
            if let Some((packet, ..)) = link.take() {
                outcome.arrivals.push((now, packet));
            }
            while let Some(left) = link.serve(now) {
                match left {
                    Left::Departs { packet, queueing, .. } => outcome.departures.push((now, packet, queueing)),
                    Left::Dropped(packet, cause) => outcome.drops.push((packet, cause)),
                }
            }
        }
    }
}

/// Packets of random sizes at random times, about as many as the line can carry.
fn random_offers(count: u32, share_urgent: f64) -> Vec<(Time, Label)> {
    let mut rng = Rng::stream(9, "test/offers");
    let mut now = Time::ZERO;
    (0..count)
        .map(|_| {
            now += Span::from_nanos(rng.below(120_000));
            let size = 64 + u32::try_from(rng.below(1_437)).unwrap();
            let dscp = if rng.chance(share_urgent) { urgent() } else { Dscp::DEFAULT };
            (now, Label { size, dscp, ..Label::default() })
        })
        .collect()
}

#[test]
fn one_band_of_drop_tail_is_the_fifo_link_to_the_nanosecond() {
    // The FIFO path computes departures in advance; this path finds them event by event.
    let offers = random_offers(5_000, 0.0);
    let mut config = Config::new(mbps(97), Span::from_micros(700));
    config.queue = two_bands(Limit::Packets(10_000));
    let mut scheduled = Link::new(&config, 1, "test");
    let outcome = play(&mut scheduled, &offers);
    config.queue = queue::Config::DropTail(Limit::Packets(10_000));
    let mut fifo = Link::new(&config, 1, "test");
    for (name, (at, label)) in offers.iter().enumerate() {
        let mut packet = crate::link::tests::packet();
        let offered = fifo.offer(name, u16::try_from(label.size).unwrap(), &mut packet, *at);
        assert!(!matches!(offered, Offered::Refused(_)));
    }
    let mut expected = Vec::new();
    while let Some(at) = fifo.wake() {
        expected.push((at, fifo.take().unwrap().0));
    }
    assert_eq!(outcome.arrivals, expected);
    let (a, b) = (scheduled.counters(), fifo.counters());
    assert_eq!((a.sent, a.sent_bytes, a.busy, a.queue_integral), (b.sent, b.sent_bytes, b.busy, b.queue_integral));
    assert_eq!(a.max_queue, b.max_queue);
}

#[test]
fn an_urgent_packet_waits_for_at_most_one_that_is_not() {
    // A fifth of the packets is urgent and always finds its own band nearly empty: it waits for the packet in service, at most
    // 1,500 bytes, and for urgent ones before it.
    let offers = random_offers(20_000, 0.2);
    let mut config = Config::new(mbps(90), Span::from_micros(700));
    config.queue = two_bands(Limit::Packets(50));
    let mut link = Link::new(&config, 1, "test");
    let outcome = play(&mut link, &offers);
    let mut worst = [Span::ZERO; 2];
    for &(departure, packet, queueing) in &outcome.departures {
        let (joined, label) = offers[packet];
        let of_others = outcome
            .departures
            .iter()
            .filter(|(at, other, _)| *at > joined && *at < departure && offers[*other].1.dscp != label.dscp);
        if label.dscp == urgent() {
            assert_eq!(of_others.count(), 0, "nothing else starts while an urgent packet waits");
        }
        let band = usize::from(label.dscp != urgent());
        worst[band] = worst[band].max(queueing);
    }
    assert!(worst[0] * 3 < worst[1], "{worst:?}");
    assert!(
        outcome
            .drops
            .iter()
            .all(|(packet, cause)| { *cause == Cause::QueueFull && offers[*packet].1.dscp == Dscp::DEFAULT })
    );
}

#[test]
fn nothing_is_lost_uncounted() {
    let offers: Vec<_> = (0..30_000).map(|n| (at_us(100 * n), Label { size: 1_500, ..Label::default() })).collect();
    let mut config = Config::new(mbps(100), Span::from_millis(1));
    config.queue = queue::Config::Codel(codel::Config { limit: Limit::Packets(400), ..codel::Config::default() });
    config.loss = crate::link::loss::Config::Iid(Ratio::new(0.01).unwrap());
    config.reorder = Some((Ratio::new(0.01).unwrap(), Span::from_micros(500)));
    let mut link = Link::new(&config, 1, "test");
    let outcome = play(&mut link, &offers);
    let counters = link.counters();
    let dropped = |cause: Cause| counters.dropped[cause as usize];
    assert_eq!(counters.offered(), 30_000);
    assert_eq!(outcome.arrivals.len() + outcome.drops.len(), 30_000);
    assert_eq!(counters.arrived + counters.dropped.iter().sum::<u64>(), 30_000);
    // A sender that does not listen: CoDel alone does not hold it, the limit does.
    assert!(dropped(Cause::EarlyDrop) > 20 && dropped(Cause::QueueFull) > 1_000, "{counters:?}");
    assert!(dropped(Cause::Loss) > 150);
    assert!(!outcome.arrivals.is_sorted_by_key(|arrival| arrival.1), "held-back packets are overtaken");
}

#[test]
fn a_packet_that_finds_the_line_free_departs_at_once() {
    let mut config = Config::new(mbps(100), Span::from_millis(1));
    config.queue = two_bands(Limit::Packets(1));
    let mut link = Link::new(&config, 1, "test");
    let label = Label { size: 1_500, ..Label::default() };
    let outcome = play(&mut link, &[(at_us(0), label), (at_us(0), label), (at_us(0), label), (at_us(500), label)]);
    // The limit does not count the packet in service: of three at once the third finds no room.
    assert_eq!(outcome.drops, [(2, Cause::QueueFull)]);
    assert_eq!(outcome.arrivals, [(at_us(1_120), 0), (at_us(1_240), 1), (at_us(1_620), 3)]);
}
