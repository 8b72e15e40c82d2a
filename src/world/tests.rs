use super::*;
use crate::base::{BitRate, Ratio, Span};
use crate::host::Host;
use crate::link;
use crate::service::messages::{self, Carrier};
use crate::service::{Limit, Numbering};
use crate::topo::{NodeId, Role};
use crate::trace::{Mask, Record};
use crate::transport::tcp;
use std::cell::RefCell;
use std::net::SocketAddrV4;
use std::rc::Rc;

fn gbps(n: u64) -> BitRate {
    BitRate::from_bps(n * 1_000_000_000).unwrap()
}

/// A chain of `links` links of 1 Gb/s and 1 ms between two hosts, with routers between.
fn chain(links: usize, mask: Mask, change: impl Fn(&mut link::Config)) -> (World, NodeId, NodeId) {
    let tcp = Rc::new(tcp::Config::default());
    let mut blueprint = Blueprint::new();
    let nodes: Vec<NodeId> = (0..=links)
        .map(|index| {
            let role = if index == 0 || index == links { Role::Host } else { Role::Router };
            blueprint.node(format!("n{index}"), role, &tcp)
        })
        .collect();
    for pair in nodes.windows(2) {
        let mut config = link::Config::new(gbps(1), Span::from_millis(1));
        change(&mut config);
        blueprint.link(pair[0], pair[1], [config.clone(), config]).unwrap();
    }
    let layout = blueprint.lay_out().unwrap();
    (World::new(&blueprint, layout, 7, mask), nodes[0], nodes[links])
}

#[expect(clippy::cast_possible_truncation, reason = "a test has few nodes")]
fn number(node: NodeId) -> u32 {
    node.index() as u32
}

fn run(world: &mut World, seconds: u64) {
    let until = Time::ZERO + Span::from_secs(seconds);
    while world.advance(until, 1000) {
        assert!(world.tally().balances(), "at {}: {:?}", world.now(), world.tally());
    }
    world.finish(until);
    assert!(world.tally().balances(), "{:?}", world.tally());
}

/// Starts messages of `bytes` over UDP every 16 us, `count` of them.
fn messages_over_udp(world: &mut World, from: NodeId, to: NodeId, bytes: u64, count: u64) {
    let server = world.host(number(to)).addr();
    let receiver = messages::Receiver { traffic: 0, port: 9000, carrier: Carrier::Udp, bytes };
    world.spawn(number(to), |host| messages::receive(host, receiver));
    let sender = messages::Sender {
        traffic: 0,
        numbering: Numbering::ALONE,
        to: SocketAddrV4::new(server, 9000),
        carrier: Carrier::Udp,
        bytes,
        start: Time::ZERO,
        every: Span::from_micros(16),
        limit: Limit { count: Some(count), ..Limit::NONE },
        rebinds: None,
    };
    world.spawn(number(from), |host| messages::send(host, sender));
}

#[test]
fn a_datagram_takes_serialisation_and_propagation_at_every_hop() {
    let (mut world, a, b) = chain(5, Mask::TRAFFIC, |_| {});
    messages_over_udp(&mut world, a, b, 972, 3);
    run(&mut world, 1);
    let mut latencies = Vec::new();
    world.trace().drain(
        |record| {
            if let Record::Message(message) = record {
                latencies.push(message.arrival.released - message.written);
            }
        },
        |_| {},
    );
    // 1,000 bytes at 1 Gb/s take 8 us, five times, and five times 1 ms.
    assert_eq!(latencies, [Span::from_micros(5 * 8 + 5_000); 3]);
    assert_eq!(world.hops(), 15);
}

#[test]
fn udp_delivers_what_the_links_do_not_lose() {
    let p = 0.02;
    let (mut world, a, b) =
        chain(2, Mask::NONE, |config| config.loss = link::loss::Config::Iid(Ratio::new(p).unwrap()));
    messages_over_udp(&mut world, a, b, 160, 20_000);
    run(&mut world, 1);
    let tally = world.tally();
    let share = tally.delivered as f64 / tally.sent as f64;
    let want = (1.0 - p) * (1.0 - p);
    assert!((share - want).abs() < 5.0 * libm::sqrt(want * (1.0 - want) / 20_000.0), "{share}, want {want}");
}

/// Probes `to` with the TTLs 1, 2, ..., and collects who answered and after how long.
async fn probes(
    host: Host,
    to: std::net::Ipv4Addr,
    ttls: u8,
    answers: Rc<RefCell<Vec<(std::net::Ipv4Addr, bool, Span)>>>,
) {
    for ttl in 1..=ttls {
        let echoed = host.echo().probe(to, ttl, 56).await;
        let (serialisation, queueing, propagation) = echoed.spent;
        assert_eq!(echoed.rtt, serialisation + queueing + propagation, "every nanosecond is accounted for");
        answers.borrow_mut().push((echoed.from, echoed.reached, echoed.rtt));
    }
}

#[test]
fn every_router_on_the_way_answers_a_probe_that_dies_there() {
    let (mut world, a, b) = chain(3, Mask::NONE, |_| {});
    let to = world.host(number(b)).addr();
    let answers = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&answers);
    world.spawn(number(a), |host| probes(host, to, 3, seen));
    run(&mut world, 1);
    let answers = answers.borrow();
    let addresses: Vec<_> = (1..=3).map(|node| world.host(node).addr()).collect();
    assert_eq!(answers.iter().map(|answer| answer.0).collect::<Vec<_>>(), addresses);
    assert_eq!(answers.iter().map(|answer| answer.1).collect::<Vec<_>>(), [false, false, true]);
    for (hop, answer) in (1..).zip(answers.iter()) {
        let floor = Span::from_millis(2 * hop);
        assert!(answer.2 > floor && answer.2 < floor + Span::from_micros(10), "{answer:?}");
    }
}

#[test]
fn a_datagram_to_nobody_is_refused_by_icmp() {
    let (mut world, a, b) = chain(1, Mask::NONE, |_| {});
    let to = SocketAddrV4::new(world.host(number(b)).addr(), 9);
    let heard = Rc::new(RefCell::new(None));
    let hear = Rc::clone(&heard);
    world.spawn(number(a), |host| async move {
        let socket = host.udp(0).await.unwrap();
        socket.send(to, crate::wire::Payload::filler(10));
        *hear.borrow_mut() = Some(socket.receive().await.map(drop));
    });
    run(&mut world, 1);
    assert_eq!(*heard.borrow(), Some(Err(crate::host::NetError::Refused)));
}

#[test]
fn the_same_seed_is_the_same_run_whoever_watches() {
    let digest = |mask| {
        let (mut world, a, b) = chain(3, mask, |config| {
            config.loss = link::loss::Config::Iid(Ratio::new(0.1).unwrap());
            config.jitter = Some(crate::base::Dist::Exponential { mean: Span::from_micros(50) });
            config.duplicate = Ratio::new(0.05).unwrap();
        });
        messages_over_udp(&mut world, a, b, 500, 2_000);
        run(&mut world, 1);
        world.digest()
    };
    let all = Mask::TRAFFIC.and(Mask::PACKETS).and(Mask::SERIES);
    assert_eq!(digest(Mask::NONE), digest(Mask::NONE));
    assert_eq!(digest(Mask::NONE), digest(all));
}
