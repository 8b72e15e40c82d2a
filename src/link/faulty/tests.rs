use super::super::Offered;
use super::super::queue;
use super::super::tests::packet;
use super::*;

fn ms(n: u64) -> Time {
    Time::ZERO + Span::from_millis(n)
}

/// When something is done to a link, and what.
type Act = (Time, Box<dyn Fn(&mut Link<u32>)>);

/// 12 Mb/s, 1,500 bytes a millisecond, and 10 ms of fiber.
fn config() -> Config {
    Config::new(BitRate::from_bps(12_000_000).unwrap(), Span::from_millis(10))
}

fn ratio(value: f64) -> Ratio {
    Ratio::new(value).unwrap()
}

/// Offers a packet of 1,500 bytes a millisecond for 40 ms, and does `what` at its instants. What arrives when, and which packets are
/// dropped.
fn stream(config: &Config, mut what: Vec<Act>) -> (Vec<(u32, Time)>, Vec<u32>) {
    let mut link = Link::faulty(config, 1, "test");
    let (mut arrived, mut dropped) = (Vec::new(), Vec::new());
    let drain = |link: &mut Link<u32>, until: Time, arrived: &mut Vec<_>, dropped: &mut Vec<_>| {
        while let Some(time) = link.wake().filter(|&time| time <= until) {
            match link.take() {
                Some((packet, Fate::Arrives, _)) => arrived.push((packet, time)),
                Some((packet, ..)) => dropped.push(packet),
                None => while link.serve(time).is_some() {},
            }
        }
    };
    for n in 0..40u32 {
        let now = ms(u64::from(n));
        drain(&mut link, now, &mut arrived, &mut dropped);
        while !what.is_empty() && what[0].0 <= now {
            let (_, act) = what.remove(0);
            act(&mut link);
        }
        if matches!(link.offer(n, 1_500, &mut packet(), now), Offered::Refused(_)) {
            dropped.push(n);
        }
    }
    drain(&mut link, Time::NEVER, &mut arrived, &mut dropped);
    (arrived, dropped)
}

fn at(n: u64, act: impl Fn(&mut Link<u32>) + 'static) -> Act {
    (ms(n), Box::new(act))
}

fn break_at(share: f64) -> Trouble {
    Trouble::Break { at: ratio(share), seen: true }
}

/// Packet n is on the line from n to n + 1 ms, and passes a point at x ms of the way from n + x to n + 1 + x. A break from 20 to 25 ms
/// loses those that pass in part or whole while it lasts: n + 1 + x > 20 and n + x < 25.
#[test]
fn a_cut_loses_exactly_what_passes_the_break_while_it_lasts() {
    for (share, x) in [(0.0, 0), (0.3, 3), (0.5, 5), (1.0, 10)] {
        let (_, dropped) = stream(
            &config(),
            vec![
                at(20, move |link| assert!(link.strike((0, "cut"), &break_at(share), ms(20)).is_empty())),
                at(25, |link| assert!(link.heal(0, ms(25)).is_empty())),
            ],
        );
        let lost: Vec<u32> = (0..40).filter(|n| n + 1 + x > 20 && n + x < 25).collect();
        assert_eq!(dropped, lost, "at {share}");
    }
}

#[test]
fn breaks_add_up_and_routing_sees_each_until_it_is_healed() {
    let mut link: Link<u32> = Link::faulty(&config(), 1, "test");
    let _ = link.strike((0, "a"), &break_at(0.5), ms(1));
    let _ = link.strike((1, "b"), &break_at(0.2), ms(2));
    let _ = link.strike((2, "c"), &Trouble::Break { at: AT_END, seen: false }, ms(2));
    let _ = link.heal(0, ms(3));
    assert!(link.is_down());
    let _ = link.heal(1, ms(4));
    assert!(!link.is_down(), "what is left is not seen");
    let _ = link.offer(7, 1_500, &mut packet(), ms(5));
    assert_eq!(link.take().unwrap().1, Fate::Dropped(Cause::Down));
    assert_eq!(link.culprit(), Some(2));
}

const AT_END: Ratio = Ratio::ONE;

/// At half the rate a packet takes two milliseconds. The line is idle at 20 ms, packets come each millisecond: the k-th packet after
/// the drop departs at 22 + 2k.
#[test]
fn a_slower_line_makes_those_wait_that_had_been_promised_more() {
    let slow = Trouble::Rate(BitRate::from_bps(6_000_000).unwrap());
    let (arrived, dropped) =
        stream(&config(), vec![at(20, move |link| assert!(link.strike((0, "slow"), &slow, ms(20)).is_empty()))]);
    assert!(dropped.is_empty());
    let expected =
        (0..40u64).map(|n| (u32::try_from(n).unwrap(), if n < 20 { ms(n + 11) } else { ms(32 + 2 * (n - 20)) }));
    assert_eq!(arrived, expected.collect::<Vec<_>>());
}

/// Ten packets at once; half a millisecond of the first has gone when the rate halves: it departs at 1.5 ms, the others 2 ms
/// apart. The rate comes back at 8.5 ms, with half of the fifth gone; the others follow 1 ms apart.
#[test]
fn what_waits_is_put_on_the_line_at_the_new_pace_and_knows_it() {
    let us = |us| Time::ZERO + Span::from_micros(us);
    let mut link = Link::faulty(&config(), 1, "test");
    let mut transits = Vec::new();
    for n in 0..10usize {
        let mut packet = packet();
        let _ = link.offer(n, 1_500, &mut packet, Time::ZERO);
        transits.push(packet.transit);
    }
    let half = BitRate::from_bps(6_000_000).unwrap();
    let mut changed = link.strike((0, "slow"), &Trouble::Rate(half), us(500));
    changed.extend(link.heal(0, us(8_500)));
    for change in changed {
        let transit = &mut transits[change.packet];
        transit.queueing = transit.queueing + change.after.queueing - change.before.queueing;
        transit.serialisation = transit.serialisation + change.after.serialisation - change.before.serialisation;
    }
    let departures = [1_500, 3_500, 5_500, 7_500, 9_000, 10_000, 11_000, 12_000, 13_000, 14_000];
    for (n, departure) in departures.into_iter().enumerate() {
        assert_eq!(link.wake(), Some(us(departure + 10_000)), "{n}");
        assert_eq!(link.take().unwrap().0, n);
        assert_eq!(transits[n].queueing + transits[n].serialisation, Span::from_micros(departure), "{n}");
    }
    assert_eq!(link.counters().busy, Span::from_micros(14_000));
}

#[test]
fn a_longer_way_delays_what_has_not_departed_and_keeps_the_order_when_it_ends() {
    let longer = Trouble::Delay(Span::from_millis(5));
    let (arrived, _) = stream(
        &config(),
        vec![
            at(20, move |link| assert_eq!(link.strike((0, "detour"), &longer, ms(20)).len(), 0)),
            at(25, |link| assert_eq!(link.heal(0, ms(25)).len(), 0)),
        ],
    );
    // Packets 20 to 24 take 15 ms; those behind them would be there sooner, and wait for the last of them, at 40 ms.
    let expected = (0..40u64).map(|n| {
        (
            u32::try_from(n).unwrap(),
            ms(if (20..25).contains(&n) { n + 16 } else { n + 11 }.max(if n >= 25 { 40 } else { 0 })),
        )
    });
    assert_eq!(arrived, expected.collect::<Vec<_>>());
}

#[test]
fn a_burst_of_loss_takes_its_share_and_draws_anew_each_time() {
    let mut link = Link::faulty(&config(), 1, "test");
    let mut now = Time::ZERO;
    let mut lost = |label: &str| {
        let _ = link.strike((0, label), &Trouble::Loss(loss::Config::Iid(ratio(0.3))), Time::ZERO);
        let mut lost = Vec::new();
        for n in 0..2_000u32 {
            let _ = link.offer(n, 100, &mut packet(), now);
            now = link.wake().unwrap();
            if link.take().unwrap().1 == Fate::Dropped(Cause::Loss) {
                lost.push(n);
            }
        }
        let _ = link.heal(0, Time::ZERO);
        lost
    };
    let (first, second) = (lost("one"), lost("two"));
    // Five standard deviations of a binomial share of 2,000.
    for lost in [&first, &second] {
        assert!((lost.len() as f64 / 2_000.0 - 0.3).abs() < 5.0 * libm::sqrt(0.21 / 2_000.0), "{}", lost.len());
    }
    assert_ne!(first, second);
    assert_eq!(first, lost("one"));
}

#[test]
fn a_block_refuses_exactly_the_packets_between_two_sets() {
    let mut link = Link::faulty(&config(), 1, "test");
    let [a, b, c] = [1u8, 2, 3].map(|last| Ipv4Addr::new(10, 0, 0, last));
    let _ = link.strike((4, "p"), &Trouble::Block { from: vec![a, c], to: vec![b] }, Time::ZERO);
    let mut passes = |src, dst| {
        let mut packet = packet();
        (packet.src, packet.dst) = (src, dst);
        link.offer(0, 100, &mut packet, Time::ZERO) != Offered::Refused(Cause::Partitioned)
    };
    assert_eq!([passes(a, b), passes(c, b), passes(b, a), passes(a, c)], [false, false, true, true]);
    assert_eq!((link.culprit(), link.counters().offered()), (None, 4));
}

/// A machine without power loses what waits and what is half on the line; what has departed arrives. Whatever the queue.
#[test]
fn without_power_the_queue_is_gone() {
    let shaper = queue::Config::TokenBucket(queue::shaper::Config {
        rate: BitRate::from_bps(8_000_000).unwrap(),
        burst: 3_000,
        queue: Box::new(queue::Config::FqCodel(queue::fq_codel::Config::default())),
    });
    for queue in [config().queue, queue::Config::FqCodel(queue::fq_codel::Config::default()), shaper] {
        let mut link = Link::faulty(&Config { queue: queue.clone(), ..config() }, 1, "test");
        for n in 0..10u32 {
            let _ = link.offer(n, 1_500, &mut packet(), Time::ZERO);
        }
        let now = Time::ZERO + Span::from_micros(1_500);
        while link.wake().is_some_and(|time| time <= now) {
            let time = link.wake().unwrap();
            while link.serve(time).is_some() {}
        }
        let mut lost = link.lose_waiting(now);
        lost.sort_unstable();
        assert_eq!(lost, (1..10).collect::<Vec<_>>(), "{queue}");
        let (packet_out, fate, next) = link.take().unwrap();
        assert_eq!((packet_out, fate, next), (0, Fate::Arrives, None));
        assert_eq!(link.in_flight(), 0);
        let counters = link.counters();
        assert_eq!((counters.arrived, counters.dropped[Cause::Down as usize]), (1, 9));
        // The line is free at once for what comes when the power is back.
        assert!(matches!(link.offer(20, 1_500, &mut packet(), ms(2)), Offered::First(_)));
    }
}

/// A link that faults may strike, and none does, is as any other.
#[test]
fn a_link_that_nothing_strikes_is_as_any_other() {
    for queue in [config().queue, queue::Config::FqCodel(queue::fq_codel::Config::default())] {
        let config = Config { queue, loss: loss::Config::Iid(ratio(0.1)), ..config() };
        let run = |mut link: Link<u32>| {
            let mut told = Vec::new();
            for n in 0..300u32 {
                let now = Time::ZERO + Span::from_micros(u64::from(n) * 700);
                while let Some(time) = link.wake().filter(|&time| time <= now) {
                    told.push((time, link.take().map(|(packet, fate, _)| (packet, fate))));
                    if told.last().is_some_and(|(_, taken)| taken.is_none()) {
                        while link.serve(time).is_some() {}
                    }
                }
                let _ = link.offer(n, 1_500, &mut packet(), now);
            }
            (told, link.counters().sent, link.counters().dropped, link.counters().queue_integral)
        };
        assert_eq!(run(Link::faulty(&config, 1, "test")), run(Link::new(&config, 1, "test")));
    }
}
