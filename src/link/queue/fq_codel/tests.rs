use super::super::packet::Label;
use super::*;
use crate::base::Span;

fn at_us(us: u64) -> Time {
    Time::ZERO + Span::from_micros(us)
}

fn packet(flow: u64, size: u32, now: Time) -> Waiting<u64> {
    // Spread the small numbers of the tests over the hash.
    Waiting::new(flow, Label { size, flow: flow << 48, ..Label::default() }, now)
}

/// Flows that always have packets of their own size waiting: bytes that each got out of `packets` departures, 10 us apart, so
/// that CoDel has nothing to say.
fn greedy(sizes: &[u32], packets: u64) -> Vec<u64> {
    let mut queue = FqCodel::new(&Config::default(), 1_500, 0);
    let (mut sent, mut gone) = (vec![0u64; sizes.len()], Vec::new());
    let mut now = Time::ZERO;
    for (flow, &size) in (0u64..).zip(sizes) {
        (0..10).for_each(|_| queue.enqueue(packet(flow, size, now), &mut gone));
    }
    for _ in 0..packets {
        let out = queue.dequeue(now, &mut gone).unwrap();
        sent[usize::try_from(out.packet).unwrap()] += u64::from(out.label.size);
        now += Span::from_micros(10);
        queue.enqueue(packet(out.packet, out.label.size, now), &mut gone);
    }
    assert!(gone.is_empty());
    sent
}

#[test]
fn greedy_flows_share_the_line_in_bytes_whatever_their_packets() {
    let sent = greedy(&[1_500, 1_500, 300, 64, 900], 20_000);
    let sum: u64 = sent.iter().sum();
    let squares: f64 = sent.iter().map(|&n| (n as f64) * (n as f64)).sum();
    let jain = (sum as f64) * (sum as f64) / (sent.len() as f64 * squares);
    assert!(jain > 0.9999, "{sent:?} {jain}");
    // Deficit round robin: no flow is ever more than a quantum and a packet ahead of another (Shreedhar & Varghese 1995).
    let (least, most) = (sent.iter().min().unwrap(), sent.iter().max().unwrap());
    assert!(most - least <= 2 * 1_500 + 1_500, "{sent:?}");
}

#[test]
fn a_sparse_flow_goes_ahead_of_those_that_queue() {
    let mut queue = FqCodel::new(&Config::default(), 1_500, 0);
    let mut gone = Vec::new();
    for _ in 0..100 {
        queue.enqueue(packet(1, 1_500, Time::ZERO), &mut gone);
        queue.enqueue(packet(2, 1_500, Time::ZERO), &mut gone);
    }
    for _ in 0..4 {
        queue.dequeue(at_us(1), &mut gone);
    }
    queue.enqueue(packet(3, 100, at_us(2)), &mut gone);
    assert_eq!(queue.dequeue(at_us(3), &mut gone).unwrap().packet, 3);
    assert_ne!(queue.dequeue(at_us(3), &mut gone).unwrap().packet, 3);
}

#[test]
fn a_flow_that_was_new_does_not_come_back_as_new_at_once() {
    // Flow 3 sends one packet each time its last has left: the others must not starve.
    let mut queue = FqCodel::new(&Config::default(), 1_500, 0);
    let mut gone = Vec::new();
    (0..50).for_each(|_| queue.enqueue(packet(1, 1_500, Time::ZERO), &mut gone));
    let mut sent = [0; 4];
    for n in 0..60 {
        if sent[3] + sent[1] == n {
            queue.enqueue(packet(3, 1_500, at_us(n)), &mut gone);
        }
        let out = queue.dequeue(at_us(n), &mut gone).unwrap();
        sent[usize::try_from(out.packet).unwrap()] += 1;
    }
    assert!(sent[1] >= 29, "{sent:?}");
}

#[test]
fn the_fattest_flow_pays_when_the_limit_is_exceeded() {
    let codel = codel::Config { limit: Limit::Packets(100), ..Config::default().codel };
    let mut queue = FqCodel::new(&Config { codel, ..Config::default() }, 1_500, 0);
    let mut gone = Vec::new();
    (0..80).for_each(|_| queue.enqueue(packet(1, 1_500, Time::ZERO), &mut gone));
    (0..20).for_each(|_| queue.enqueue(packet(2, 1_500, Time::ZERO), &mut gone));
    assert!(gone.is_empty(), "exactly at the limit");
    queue.enqueue(packet(2, 1_500, Time::ZERO), &mut gone);
    // Half of the 80 packets of flow 1, from its head.
    assert_eq!(gone.len(), 40);
    assert!(gone.iter().all(|(packet, cause)| packet.packet == 1 && *cause == Cause::QueueFull));
    assert_eq!((queue.len(), queue.bytes()), (61, 61 * 1_500));
}

#[test]
fn flows_are_spread_over_the_queues_and_differently_on_another_link() {
    let (a, b) = (FqCodel::<u64>::new(&Config::default(), 1_500, 1), FqCodel::<u64>::new(&Config::default(), 1_500, 2));
    let hashes: Vec<u64> = (1..=200u64).map(|n| n.wrapping_mul(0xd6e8_feb8_6659_fd93)).collect();
    let distinct = |queue: &FqCodel<u64>| {
        let mut all: Vec<usize> = hashes.iter().map(|&hash| queue.bucket(hash)).collect();
        all.sort_unstable();
        all.dedup();
        all.len()
    };
    // 200 flows into 1,024 queues leave 182 of them used on average.
    assert!(distinct(&a) > 170 && distinct(&b) > 170, "{} {}", distinct(&a), distinct(&b));
    assert!(hashes.iter().any(|&hash| a.bucket(hash) != b.bucket(hash)));
}
