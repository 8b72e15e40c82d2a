//! Observers on a real world: what they say agrees with the laws, and that they listen changes nothing.

use lightlag::base::{BitRate, Ratio, Span, Time};
use lightlag::link;
use lightlag::observe::sequence::{self, Cast, Charset, Sequence, Stretch};
use lightlag::observe::{Cases, Kind, Metrics, Phase, Pick, Plan, Traffic};
use lightlag::service::messages::{self, Carrier};
use lightlag::service::{Limit, Numbering};
use lightlag::topo::{NodeId, Role};
use lightlag::trace::Mask;
use lightlag::transport::tcp;
use lightlag::world::{Blueprint, World};
use std::net::SocketAddrV4;
use std::rc::Rc;

/// A sender, a router and a receiver on links of 8 Mb/s and 10 ms; the second link loses `loss`.
fn world(mask: Mask, loss: f64) -> World {
    let tcp = Rc::new(tcp::Config::default());
    let mut blueprint = Blueprint::new();
    let nodes: Vec<NodeId> = [("sender", Role::Host), ("router", Role::Router), ("receiver", Role::Host)]
        .into_iter()
        .map(|(name, role)| blueprint.node(name, role, &tcp))
        .collect();
    let rate = BitRate::from_bps(8_000_000).unwrap();
    let plain = link::Config::new(rate, Span::from_millis(10));
    let mut lossy = plain.clone();
    lossy.loss = link::loss::Config::Iid(Ratio::new(loss).unwrap());
    blueprint.link(nodes[0], nodes[1], [plain.clone(), plain.clone()]).unwrap();
    blueprint.link(nodes[1], nodes[2], [lossy, plain]).unwrap();
    let layout = blueprint.lay_out().unwrap();
    World::new(&blueprint, layout, 7, mask)
}

const SENT: u64 = 1_000;

/// Pairs of messages of 972 bytes (1,000 with headers), one right behind the other, every 20 ms.
fn start(world: &mut World) {
    let to = world.host(2).addr();
    let carrier = Carrier::Udp;
    world.spawn(2, |host| messages::receive(host, messages::Receiver { traffic: 0, port: 9000, carrier, bytes: 972 }));
    for index in 0..2 {
        let sender = messages::Sender {
            traffic: 0,
            numbering: Numbering { first: index, step: 2 },
            to: SocketAddrV4::new(to, 9000),
            carrier,
            bytes: 972,
            start: Time::ZERO,
            every: Span::from_millis(20),
            limit: Limit { count: Some(SENT / 2), ..Limit::NONE },
            rebinds: None,
        };
        world.spawn(0, |host| messages::send(host, sender));
    }
}

fn cast(world: &World) -> Cast {
    Cast {
        nodes: ["sender", "router", "receiver"].map(String::from).to_vec(),
        links: ["sender > router", "router > sender", "router > receiver", "receiver > router"]
            .map(String::from)
            .to_vec(),
        addresses: (0..3).map(|node| (world.host(node).addr(), node)).collect(),
    }
}

/// Runs to the end with all readers listening to what the mask lets through.
fn run(mask: Mask, loss: f64) -> (World, Traffic, Cases, Sequence) {
    let mut world = world(mask, loss);
    start(&mut world);
    let mut metrics = Metrics::new([Plan {
        name: "pairs".into(),
        kind: Kind::Messages,
        light_floor: None,
        measure_from: Time::ZERO,
        tries_again: false,
        pays: false,
        sessions: false,
        called: false,
    }]);
    let mut cases = Cases::new(0);
    let to = Time::ZERO + Span::from_millis(99);
    let stretches: Vec<_> = (1..=u64::from(u8::MAX)).map(|flow| Stretch { flow, from: Time::ZERO, to }).collect();
    let mut sequence = Sequence::new(&stretches, &cast(&world));
    let until = Time::ZERO + Span::from_secs(60);
    loop {
        let more = world.advance(until, 100);
        world.trace().drain(
            |record| {
                metrics.record(record);
                cases.record(record);
            },
            |packet| sequence.packet(packet),
        );
        if !more {
            break;
        }
    }
    world.finish(until);
    cases.finish();
    let traffic = metrics.finish().remove(0);
    (world, traffic, cases, sequence)
}

#[test]
fn each_nanosecond_is_where_the_formulas_put_it() {
    let (_, traffic, ..) = run(Mask::TRAFFIC, 0.0);
    assert_eq!((traffic.counts.started, traffic.counts.ok), (SENT, SENT));
    for index in 0..traffic.samples.as_slice().len() {
        let budget = traffic.budget(index);
        // 1,000 bytes at 8 Mb/s take 1 ms, twice; twice 10 ms of fiber; the second of a pair waits for the first, once.
        let behind = traffic.number(index) % 2;
        assert_eq!(budget.of(Phase::Serialisation), Span::from_millis(2));
        assert_eq!(budget.of(Phase::Propagation), Span::from_millis(20));
        assert_eq!(budget.of(Phase::Queueing), Span::from_millis(behind));
        assert_eq!(budget.total(), Span::from_millis(22 + behind));
        assert_eq!(traffic.samples.as_slice()[index].latency, budget.total());
    }
}

#[test]
fn what_is_lost_is_missing_and_nothing_else_changes() {
    let (world, traffic, ..) = run(Mask::TRAFFIC, 0.05);
    let lost: u64 = world.tally().dropped.iter().sum();
    assert!((20..=80).contains(&lost), "{lost} of 1,000 at 5 %");
    assert_eq!(traffic.counts.unfinished(), lost);
    assert_eq!(traffic.counts.ok + lost, SENT);
}

#[test]
fn listening_changes_nothing() {
    let digest = |mask| run(mask, 0.05).0.digest();
    let silent = digest(Mask::NONE);
    assert_eq!(digest(Mask::TRAFFIC), silent);
    assert_eq!(digest(Mask::TRAFFIC.and(Mask::PACKETS).and(Mask::SERIES)), silent);
}

#[test]
fn the_packets_of_a_message_can_be_drawn() {
    let (world, _, cases, sequence) = run(Mask::TRAFFIC.and(Mask::PACKETS), 0.05);
    let case = cases.pick(Pick::Slowest).unwrap();
    assert_eq!(case.latency(), Span::from_millis(23));
    // The first hundred milliseconds: five pairs.
    let steps = sequence.steps();
    assert!(steps.len() >= 10, "{}", steps.len());
    let drawn = sequence::draw(&steps[..10], &cast(&world), Time::ZERO, 100, Charset::Unicode);
    insta::assert_snapshot!(drawn);
}
