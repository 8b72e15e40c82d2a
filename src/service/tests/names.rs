//! Names: from the root down, what is remembered, and what a lost question costs.

use super::{MS, exchanges, lookups, requests, serve};
use crate::app::dns::{Data, Name, Record as Resource};
use crate::base::{Span, Time};
use crate::service::client::Origin;
use crate::service::ideal::{Ideal, addr};
use crate::service::stub::Stub;
use crate::service::{authority, client, resolver, server, stub};
use crate::trace::{Directory, Failure};
use std::cell::RefCell;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::rc::Rc;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn resource(owner: &str, ttl: u32, data: Data) -> Resource {
    Resource { name: name(owner), ttl, data }
}

/// Host 3 is the stub's resolver, host 4 serves the root, host 5 `example`, host 6 `shop.example`.
fn name_servers(net: &Ideal, ttl: u32) {
    let hints = vec![resolver::Hint { zone: Name::root(), servers: vec![addr(4)] }];
    net.spawn(3, |host| resolver::run(host, resolver::Config::new(hints)));
    let zone = |n: u8, apex: &str, records: Vec<Resource>| {
        let mut zone = authority::Zone::new(name(apex), name("ns.example"), 30);
        zone.records = records;
        net.spawn(n, |host| authority::run(host, authority::Config::new(vec![zone])));
    };
    let delegation = |zone: &str, server: &str, n: u8| {
        [resource(zone, 86_400, Data::Ns(name(server))), resource(server, 86_400, Data::A(addr(n)))]
    };
    zone(4, ".", delegation("example", "ns.example", 5).into());
    zone(5, "example", delegation("shop.example", "ns.shop.example", 6).into());
    let alias = resource("www.shop.example", ttl, Data::Cname(name("shop.example")));
    zone(6, "shop.example", vec![resource("shop.example", ttl, Data::A(addr(1))), alias]);
}

type Answers = Rc<RefCell<Vec<(Span, Result<Vec<Ipv4Addr>, Failure>)>>>;

/// Host 2 looks names up at these instants, with a stub that remembers so many record sets.
fn look_up(net: &Ideal, cache_entries: usize, asks: Vec<(Span, &'static str)>) -> Answers {
    let answers = Answers::default();
    let sink = Rc::clone(&answers);
    net.spawn(2, |host| async move {
        let resolvers = vec![SocketAddrV4::new(addr(3), 53)];
        let stub = Stub::new(&host, stub::Config { cache_entries, ..stub::Config::new(resolvers) });
        for (at, text) in asks {
            host.sleep_until(Time::ZERO + at).await;
            let (own, stub, sink) = (host.clone(), stub.clone(), Rc::clone(&sink));
            drop(host.spawn(async move {
                let start = own.now();
                let result = stub.resolve(&name(text)).await;
                sink.borrow_mut().push((own.now() - start, result.map(|resolved| resolved.addrs)));
            }));
        }
    });
    answers
}

/// From the root down: one round trip from the stub, and one to each of three authorities; later the answer is there.
#[test]
fn a_name_is_found_from_the_root_down_and_then_remembered() {
    let mut net = Ideal::new(MS * 10);
    name_servers(&net, 60);
    let at = Span::from_secs;
    let asks =
        vec![(at(0), "shop.example"), (at(59), "shop.example"), (at(61), "shop.example"), (at(62), "www.shop.example")];
    let answers = look_up(&net, 0, asks);
    net.run(100);
    let took: Vec<_> = answers.borrow().iter().map(|answer| answer.0).collect();
    // After 60 s the address has to be asked for again, but the delegations are still known. The alias costs a question; what it stands for is known.
    assert_eq!(took, [MS * 80, MS * 20, MS * 40, MS * 40]);
    assert!(answers.borrow().iter().all(|answer| answer.1 == Ok(vec![addr(1)])));
    let lookups = lookups(&net);
    assert_eq!(lookups.iter().map(|lookup| lookup.of).collect::<Vec<_>>(), [Directory::Resolver { tries: 1 }; 4]);
    assert!(lookups.iter().all(|lookup| lookup.flow > 0));
}

#[test]
fn a_stub_with_a_memory_asks_only_when_the_ttl_has_run_out() {
    let mut net = Ideal::new(MS * 10);
    name_servers(&net, 60);
    // The resolver's copy is half a minute old when the stub gets it: together they keep it for 60 s, not 120.
    let asks = [0, 30, 59, 61].map(|secs| (Span::from_secs(secs), "shop.example")).to_vec();
    let answers = look_up(&net, 10, asks);
    net.run(100);
    let took: Vec<_> = answers.borrow().iter().map(|answer| answer.0).collect();
    assert_eq!(took, [MS * 80, Span::ZERO, Span::ZERO, MS * 40]);
    assert_eq!(lookups(&net).len(), 2);
}

#[test]
fn a_lost_question_costs_five_seconds_and_two_lost_ones_the_answer() {
    for (lost, took, tries) in [(vec![1], Span::from_millis(5_080), 2), (vec![1, 2], Span::from_secs(10), 2)] {
        let mut net = Ideal::new(MS * 10);
        name_servers(&net, 60);
        net.lost = lost.clone();
        let answers = look_up(&net, 10, vec![(Span::ZERO, "shop.example")]);
        net.run(100);
        let want = if lost.len() == 1 { Ok(vec![addr(1)]) } else { Err(Failure::NameTimeout) };
        assert_eq!(*answers.borrow(), [(took, want)]);
        assert_eq!(lookups(&net)[0].of, Directory::Resolver { tries });
    }
}

/// The resolver's own questions are asked again after a second, long before the stub loses patience.
#[test]
fn a_resolver_tries_again_after_a_second() {
    let mut net = Ideal::new(MS * 10);
    name_servers(&net, 60);
    net.lost = vec![2];
    let answers = look_up(&net, 10, vec![(Span::ZERO, "shop.example")]);
    net.run(100);
    assert_eq!(*answers.borrow(), [(MS * 1_080, Ok(vec![addr(1)]))]);
}

#[test]
fn equal_questions_at_the_same_time_are_asked_once() {
    let mut net = Ideal::new(MS * 10);
    name_servers(&net, 60);
    let answers = look_up(&net, 0, (0..5).map(|n| (MS * n, "shop.example")).collect());
    net.run(10);
    assert_eq!(answers.borrow().len(), 5);
    // Five questions and answers of the stub, three of the resolver.
    assert_eq!(net.datagrams, 2 * (5 + 3));
}

#[test]
fn a_missing_name_is_remembered_as_missing_for_the_zones_negative_ttl() {
    let mut net = Ideal::new(MS * 10);
    name_servers(&net, 60);
    let asks = [0, 29, 31].map(|secs| (Span::from_secs(secs), "no.shop.example")).to_vec();
    let answers = look_up(&net, 0, asks);
    net.run(100);
    let took: Vec<_> = answers.borrow().iter().map(|answer| answer.0).collect();
    assert_eq!(took, [MS * 80, MS * 20, MS * 40]);
    assert!(answers.borrow().iter().all(|answer| answer.1 == Err(Failure::NameError)));
}

/// Of questions that come at rate L, a resolver that remembers for T answers L T / (1 + L T) itself.
#[test]
fn the_resolvers_hit_ratio_follows_from_rate_and_ttl() {
    let mut net = Ideal::new(MS);
    name_servers(&net, 60);
    let mut rng = crate::base::Rng::stream(5, "test/questions");
    let mut at = Span::ZERO;
    let asks: Vec<_> = (0..20_000)
        .map(|_| {
            at += Span::from_secs_f64(rng.exponential(60.0));
            (at, "shop.example")
        })
        .collect();
    let answers = look_up(&net, 0, asks);
    net.run(3_000_000);
    let answers = answers.borrow();
    let hits = answers.iter().filter(|answer| answer.0 == MS * 2).count();
    let ratio = hits as f64 / answers.len() as f64;
    assert!((ratio - 0.5).abs() < 0.015, "{ratio}");
}

#[test]
fn a_zone_whose_servers_are_silent_fails_for_the_stub_in_time() {
    let mut net = Ideal::new(MS * 10);
    let hints = vec![resolver::Hint { zone: name("shop.example"), servers: vec![addr(9), addr(10)] }];
    net.spawn(3, |host| resolver::run(host, resolver::Config::new(hints)));
    let answers = look_up(&net, 10, vec![(Span::ZERO, "shop.example"), (Span::from_secs(20), "other.example")]);
    net.run(100);
    // Three datagrams of a second each, twice; and at once for a name that no hint covers, twice.
    let want = Err(Failure::NameTimeout);
    assert_eq!(*answers.borrow(), [(MS * 6_040, want.clone()), (MS * 40, want)]);
}

/// A page by its name: name, connection, request; the instants between them are the phases that a user feels.
#[test]
fn a_request_by_name_has_its_phases() {
    let mut net = Ideal::new(MS * 10);
    name_servers(&net, 60);
    serve(&net, server::Config::new());
    let config = client::Config::new(0, "pages", Origin::Name(name("www.shop.example")));
    net.spawn(2, |host| async move {
        let stub = Stub::new(&host, stub::Config::new(vec![SocketAddrV4::new(addr(3), 53)]));
        client::run(host, stub, config).await;
    });
    net.run(10);
    let request = requests(&net)[0];
    let since = |instant: Time| instant.since(request.start);
    let phases = [request.resolved, request.connected, request.written, request.end].map(since);
    assert_eq!(phases, [MS * 80, MS * 100, MS * 100, MS * 120]);
    assert_eq!(request.lookup_flow, lookups(&net)[0].flow);
    let exchange = exchanges(&net)[0];
    assert_eq!((exchange.flow, exchange.exchange), (request.flow, request.exchange));
}
