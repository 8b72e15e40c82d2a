//! The path of the measurements: client, one link, server.

use lightlag::base::{BitRate, Ratio, Span, Time};
use lightlag::link::{self, queue};
use lightlag::topo::Role;
use lightlag::trace::Mask;
use lightlag::transport::tcp;
use lightlag::wire::Payload;
use lightlag::world::{Blueprint, World};
use std::cell::RefCell;
use std::net::SocketAddrV4;
use std::rc::Rc;

/// Two hosts, 100 Mb/s each way, `rtt_ms` of round trip, loss towards the client only, a queue of one bandwidth-delay product but at
/// least 20 packets. Node 0 is the client, node 1 the server.
pub fn world(rtt_ms: u64, loss: f64, seed: u64, congestion: &str) -> World {
    let mut blueprint = Blueprint::new();
    let config = tcp::Config { congestion: tcp::Algorithm::by_name(congestion).unwrap(), ..tcp::Config::default() };
    let config = Rc::new(config);
    let client = blueprint.node("client", Role::Host, &config);
    let server = blueprint.node("server", Role::Host, &config);
    let rate = BitRate::from_bps(100_000_000).unwrap();
    let mut up = link::Config::new(rate, Span::from_micros(rtt_ms * 500));
    up.queue = queue::Config::DropTail(queue::Limit::Bytes((rtt_ms * 12_500).max(30_000)));
    let mut down = up.clone();
    if loss > 0.0 {
        down.loss = link::loss::Config::Iid(Ratio::new(loss).unwrap());
    }
    blueprint.link(client, server, [up, down]).unwrap();
    let layout = blueprint.lay_out().unwrap();
    World::new(&blueprint, layout, seed, Mask::NONE)
}

/// Runs to the end of `seconds`.
pub fn run(world: &mut World, seconds: u64) {
    let until = Time::ZERO + Span::from_secs(seconds);
    while world.advance(until, 100_000) {}
    world.finish(until);
    assert!(world.tally().balances(), "{:?}", world.tally());
}

/// Application Mbit/s of one bulk flow from second 5 to the end (20, 25, 35 s for round trips of 10, 56, 200 ms).
pub fn goodput(congestion: &str, rtt_ms: u64, loss: f64, seed: u64) -> f64 {
    let mut world = world(rtt_ms, loss, seed, congestion);
    let end = match rtt_ms {
        ..=10 => 20,
        11..=100 => 25,
        _ => 35,
    };
    let to = SocketAddrV4::new(world.host(1).addr(), 80);
    world.spawn(1, |host| async move {
        let listener = host.listen(80, 16).await.unwrap();
        let stream = listener.accept().await.unwrap();
        let _ = stream.write(Payload::filler(1 << 40)).await;
    });
    let samples = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&samples);
    world.spawn(0, move |host| async move {
        let stream = Rc::new(host.connect(to).await.unwrap());
        let reader = Rc::clone(&stream);
        drop(host.spawn(async move {
            let _ = reader.discard(u64::MAX).await;
        }));
        for second in [5, end] {
            host.sleep_until(Time::ZERO + Span::from_secs(second)).await;
            let sample = stream.discarded().await.unwrap();
            seen.borrow_mut().push(sample);
        }
    });
    run(&mut world, end);
    let samples = samples.borrow();
    (samples[1] - samples[0]) as f64 * 8.0 / 1e6 / (end - 5) as f64
}
